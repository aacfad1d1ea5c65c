//! One execution of the `pgbelay` program, in a clean environment.
//!
//! Of the caller's environment only the program search path stays, with the virtual environment
//! first, so that `alembic` is the one of `scripts/setup`. Whatever a call prints or leaves in its
//! workplace is searched for the marker password.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::workplace::python;
use super::{MARKER_CORE, Workplace};

/// After this time a call is taken to hang.
const TIME_LIMIT: Duration = Duration::from_secs(180);

/// A call that is being put together.
#[derive(Debug)]
pub struct Call<'w> {
    workplace: &'w Workplace,
    environment: BTreeMap<String, String>,
    /// A program and its arguments that start ours.
    within: Vec<String>,
}

impl<'w> Call<'w> {
    /// Without any connection settings.
    pub fn new(workplace: &'w Workplace) -> Self {
        let venv = python().parent().expect("a directory").to_owned();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", venv.display());
        let home = workplace.home().display().to_string();
        let environment = [
            ("PATH", path),
            ("HOME", home),
            ("LANG", "C.UTF-8".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        Self {
            workplace,
            environment: environment.into(),
            within: Vec::new(),
        }
    }

    /// Puts a directory of programs (`psql`) where the migration finds them.
    pub fn programs(mut self, directory: &std::path::Path) -> Self {
        let path = self.environment.entry("PATH".to_owned()).or_default();
        path.push(':');
        path.push_str(&directory.display().to_string());
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Starts the program through another one: `unshare …`, `sh -c 'umask …; exec "$@"' sh`.
    pub fn within(mut self, words: &[&str]) -> Self {
        self.within = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Takes a variable away, also `PATH`.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Runs to the end.
    pub fn run(self, arguments: &[&str]) -> Output {
        self.start(arguments).finish()
    }

    /// Starts without waiting, for signals and for runs side by side.
    pub fn start(self, arguments: &[&str]) -> Running<'w> {
        let within = self.within.iter().map(String::as_str);
        let words: Vec<&str> = takes_signals()
            .into_iter()
            .chain(within)
            .chain([env!("CARGO_BIN_EXE_pgbelay")])
            .collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(arguments)
            .current_dir(self.workplace.directory())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("pgbelay starts");
        Running {
            workplace: self.workplace,
            command: arguments.join(" "),
            stdout: collect(child.stdout.take().expect("stdout is piped")),
            stderr: collect(child.stderr.take().expect("stderr is piped")),
            child,
        }
    }
}

/// What starts the program with signals that it takes: it leaves alone what it inherited as ignored, and so is SIGINT
/// for tests in the background of a shell without job control, and SIGHUP under nohup.
fn takes_signals() -> Vec<&'static str> {
    const HANGUP_OR_INTERRUPT: u64 = 1 | 1 << 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    match mask.is_some_and(|mask| mask & HANGUP_OR_INTERRUPT != 0) {
        true => vec!["env", "--default-signal=HUP,INT"],
        false => Vec::new(),
    }
}

type Collected = std::thread::JoinHandle<Vec<u8>>;

fn collect(mut pipe: impl Read + Send + 'static) -> Collected {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("output is readable");
        bytes
    })
}

/// A call that has started.
#[derive(Debug)]
pub struct Running<'w> {
    workplace: &'w Workplace,
    command: String,
    child: Child,
    stdout: Collected,
    stderr: Collected,
}

impl Running<'_> {
    /// Sends a signal to the program alone, as a service manager does.
    pub fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(process), signal).expect("the program is alive");
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a fault point has stopped it (`…=pause`); SIGCONT lets it go on.
    #[track_caller]
    pub fn wait_for_the_pause(&mut self) {
        let stat = format!("/proc/{}/stat", self.id());
        let is_stopped = || std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") T "));
        let deadline = Instant::now() + TIME_LIMIT;
        while !is_stopped() {
            let goes_on = !self.has_ended() && Instant::now() < deadline;
            assert!(goes_on, "pgbelay {} met no pause", self.command);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        let status = self.child.try_wait().expect("the child can be waited for");
        status.is_some()
    }

    /// Waits for the end, reads everything and searches it for the password.
    pub fn finish(mut self) -> Output {
        let status = self.wait_for_end();
        let text = |collected: Collected| {
            let bytes = collected.join().expect("the reader ends");
            String::from_utf8(bytes).expect("output is UTF-8")
        };
        let output = Output {
            command: self.command,
            code: status.code().unwrap_or(-1),
            stdout: text(self.stdout),
            stderr: text(self.stderr),
        };
        let silent = !output.stdout.contains(MARKER_CORE) && !output.stderr.contains(MARKER_CORE);
        assert!(silent, "the password is shown:\n{output}");
        self.workplace.assert_no_password();
        output
    }

    fn wait_for_end(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + TIME_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status;
            }
            if Instant::now() > deadline {
                self.child.kill().expect("the child can be killed");
                panic!("pgbelay {} did not end within {TIME_LIMIT:?}", self.command);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What a call came to.
#[derive(Debug)]
pub struct Output {
    command: String,
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Fails, showing everything, unless the exit code is this one.
    #[track_caller]
    pub fn assert_code(self, code: i32) -> Self {
        assert!(
            self.code == code,
            "exit code {} instead of {code}\n{self}",
            self.code
        );
        self
    }

    /// Fails, showing everything, unless stderr holds this text.
    #[track_caller]
    pub fn assert_says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "not said: {text}\n{self}");
        self
    }

    /// The last line a person sees.
    pub fn last_line(&self) -> &str {
        self.stderr.trim_end().lines().last().unwrap_or_default()
    }

    /// The object that `--json` ends with: the last line of stdout.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let last = self.stdout.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .or_else(|_| serde_json::from_str(self.stdout.trim()))
            .unwrap_or_else(|error| panic!("no JSON object at the end: {error}\n{self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ pgbelay {}    (exit code {})", self.command, self.code)?;
        writeln!(f, "--- stdout\n{}", self.stdout.trim_end())?;
        write!(f, "--- stderr\n{}", self.stderr.trim_end())
    }
}
