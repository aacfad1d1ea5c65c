//! The migration tool as a child process: the one place that spawns.
//!
//! Invariants: the child leads a process group of its own and no member of that group outlives
//! [`run`], not even when its future is dropped; nothing reads our standard input; the child sees
//! exactly `ctx.environment` without what its [`ChildSpec`] takes away, plus its extra variables; every line is masked
//! before anybody sees it. The exit status is one fact among others: what was committed is for
//! the version rows to say.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the layer that wraps process spawning"
)]

mod errors;
mod explain;
mod group;
mod left;
mod lines;
mod mask;
mod program;
mod terminal;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::context::{Context, Environment, Event};
use crate::durable::LogFile;
use crate::error::{Attempt, Error, Result};
use crate::faults::{self, Point};
use crate::pg::{self, Secret};

use errors::ErrorLines;
use group::Group;
pub use left::end_left;
pub use mask::{Mask, masked_words, without_passwords};

/// How long the pipes are read on after the whole group is gone: only a process that left the
/// group (a daemon) can still hold them.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// How long members that the leader left behind get between SIGTERM and SIGKILL.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// What [`capture`] keeps of each stream.
const CAPTURE_LIMIT: u64 = 4 * 1024 * 1024;
/// Lines under way between the pipes and the monitor.
const LINES_IN_FLIGHT: usize = 256;

/// What to run and how long to let it.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// Program and arguments; never through a shell.
    pub argv: Vec<String>,
    /// Variables added to, or replacing those of, `ctx.environment`.
    pub environment: Vec<(String, Secret)>,
    /// Variables of `ctx.environment` that the child must not see.
    pub without: &'static [&'static str],
    /// Where the child starts.
    pub working_directory: PathBuf,
    /// After this the group is ended.
    pub timeout: Duration,
    /// Time between the polite signal and SIGKILL.
    pub grace: Duration,
    /// Values that no line may show, raw; their usual encodings are masked too.
    pub secrets: Vec<Secret>,
    /// The run's log, appended to.
    pub log: Option<PathBuf>,
}

/// How the child came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It exited by itself with this code.
    Exited(i32),
    /// A signal that was not ours killed it.
    Signaled(i32),
    /// It was ended because its time was up.
    TimedOut,
    /// It was ended because somebody asked us to stop, with this signal.
    Interrupted(i32),
    /// It was ended because it waits for a person at the terminal, where nobody answers.
    WantsTerminal,
}

impl Ended {
    /// Whether it ended by itself with code 0.
    pub fn succeeded(self) -> bool {
        self == Self::Exited(0)
    }

    /// The end in words: `exited with code 1`.
    pub fn describe(self) -> String {
        match self {
            Self::Exited(code) => format!("exited with code {code}"),
            Self::Signaled(signal) => format!("was killed by {}", signal_name(signal)),
            Self::TimedOut => "was ended because its time was up".to_owned(),
            Self::Interrupted(signal) => format!("was interrupted by {}", signal_name(signal)),
            Self::WantsTerminal => {
                "was stopped because it wants to read from the terminal, and was ended".to_owned()
            }
        }
    }
}

/// What is known about a child that has ended; all text is masked.
#[derive(Debug, Clone)]
pub struct ChildReport {
    /// How it ended.
    pub ended: Ended,
    /// How long it ran.
    pub elapsed: Duration,
    /// Its last lines: of standard error where it wrote any, else of standard output.
    pub last_lines: Vec<String>,
    /// The one line that says what failed: the last exception of a traceback, `FAILED: …`.
    pub headline: Option<String>,
    /// What belongs to the headline: `[SQL: …]`, `DETAIL: …`, `HINT: …`.
    pub details: Vec<String>,
    /// One line on the cure, where the failure is a known one (a missing driver …).
    pub explanation: Option<String>,
}

/// Everything that a short helper command printed.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Exit code; none if a signal killed it.
    pub code: Option<i32>,
    /// Standard output, lossy.
    pub stdout: String,
    /// Standard error, lossy.
    pub stderr: String,
}

/// Runs the migration tool to its end and reports it; every line goes to `ctx.monitor` and to the
/// log. Errors: the command cannot be started (`Kind::Refused`, nothing was touched).
pub async fn run(ctx: &Context, spec: &ChildSpec) -> Result<ChildReport> {
    ctx.stop.check(&format!("start {}", shown(&spec.argv)))?;
    let log = open_log(spec.log.as_deref())?;
    let started = Instant::now();
    faults::reach(Point::ChildStart)?;
    let (mut child, mut group) = spawn(
        &spec.argv,
        &ctx.environment,
        &spec.environment,
        spec.without,
        &spec.working_directory,
    )?;
    faults::reach(Point::ChildStarted)?;
    let mask = Mask::new(&spec.secrets);
    let (sender, receiver) = mpsc::channel(LINES_IN_FLIGHT);
    start_reader(child.stdout.take(), false, mask.longest(), &sender);
    start_reader(child.stderr.take(), true, mask.longest(), &sender);
    drop(sender);
    let teller = tokio::spawn(tell(ctx.clone(), receiver, mask, log));
    let ended = supervise(ctx, spec, &mut child, &group).await?;
    group.clear(LEFTOVER_GRACE).await;
    let elapsed = started.elapsed();
    let lines = drained(teller).await;
    faults::reach(Point::ChildEnded)?;
    Ok(report(&spec.argv, ended, elapsed, lines))
}

/// The file that [`run`] would execute. Errors (`Kind::Refused`): no such command, not executable.
pub fn locate(argv: &[String], environment: &Environment) -> Result<PathBuf> {
    program::find(
        argv,
        environment.program_path(),
        &environment.working_directory,
    )
}

/// Runs a short helper command (`alembic --version`) and returns what it printed; nothing is shown
/// or logged. What would beat a target among the `extra` variables is taken away. Errors: it cannot be started (`Kind::Refused`) or outlives `timeout`.
pub async fn capture(
    ctx: &Context,
    argv: &[String],
    extra: &[(String, Secret)],
    working_directory: &Path,
    timeout: Duration,
) -> Result<Captured> {
    let (mut child, group) = spawn(
        argv,
        &ctx.environment,
        extra,
        pg::shadowing(extra),
        working_directory,
    )?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async { tokio::join!(child.wait(), read_all(stdout), read_all(stderr)) };
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(timeout, work) => outcome,
        signal = ctx.stop.wait() => {
            group.kill();
            return Err(interrupted(argv, signal));
        }
    };
    group.kill();
    let Ok((status, stdout, stderr)) = outcome else {
        return Err(Error::operation(format!("run {}", shown(argv)))
            .because(format!("no answer within {} s", timeout.as_secs())));
    };
    let status = status.attempt(|| format!("wait for {}", shown(argv)))?;
    Ok(Captured {
        code: status.code(),
        stdout,
        stderr,
    })
}

/// The command for people: what a shell would take apart is quoted, passwords are hidden.
pub fn shown(argv: &[String]) -> String {
    let words = masked_words(argv).into_iter().map(quoted);
    words.collect::<Vec<_>>().join(" ")
}

/// One word as a shell reads it back. Not for `*`, which stands for hidden passwords.
fn quoted(word: String) -> String {
    let special = |c: char| c.is_whitespace() || "'\"\\$`;&|<>()#".contains(c);
    if word.is_empty() || word.contains(special) {
        format!("'{}'", word.replace('\'', "'\\''"))
    } else {
        word
    }
}

fn interrupted(argv: &[String], signal: i32) -> Error {
    Error::new(
        crate::error::Kind::Interrupted(signal),
        format!("run {}", shown(argv)),
    )
    .because(format!("interrupted by {}", signal_name(signal)))
}

fn spawn(
    argv: &[String],
    environment: &Environment,
    extra: &[(String, Secret)],
    without: &[&str],
    working_directory: &Path,
) -> Result<(Child, Group)> {
    let path = extra
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .map(|(_, value)| OsStr::new(value.reveal()))
        .or_else(|| environment.program_path());
    let here = Path::new(".");
    let working_directory = if working_directory.as_os_str().is_empty() {
        here
    } else {
        working_directory
    };
    let program = program::find(argv, path, working_directory)?;
    let inherited = environment
        .variables
        .iter()
        .filter(|(name, _)| !without.contains(&name.as_str()));
    let foreign = environment
        .foreign
        .iter()
        .filter(|(name, _)| !without.iter().any(|other| name.as_os_str() == *other));
    let child = Command::new(&program)
        .args(argv.iter().skip(1))
        .env_clear()
        .envs(inherited)
        .envs(foreign)
        .envs(extra.iter().map(|(name, value)| (name, value.reveal())))
        .current_dir(working_directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| program::cannot_start(argv, &program, working_directory, &error))?;
    let group = Group::led_by(child.id(), &shown(argv))?;
    Ok((child, group))
}

/// Waits for the first of: its own end, its time is up, the wish to stop, a question that nobody will answer.
async fn supervise(
    ctx: &Context,
    spec: &ChildSpec,
    child: &mut Child,
    group: &Group,
) -> Result<Ended> {
    let process = child.id();
    let (signal, ended) = tokio::select! {
        status = child.wait() => {
            let status = status.attempt(|| format!("wait for {}", shown(&spec.argv)))?;
            return Ok(own_end(status));
        }
        () = tokio::time::sleep(spec.timeout) => (Signal::SIGTERM, Ended::TimedOut),
        () = terminal::wanted_by(process) => (Signal::SIGTERM, Ended::WantsTerminal),
        signal = ctx.stop.wait() => (
            polite(signal),
            Ended::Interrupted(signal),
        ),
    };
    group.signal(signal);
    if tokio::time::timeout(spec.grace, child.wait())
        .await
        .is_err()
    {
        ctx.warn(format!(
            "{} did not end within {} s of {signal}; killing it",
            shown(&spec.argv),
            spec.grace.as_secs()
        ));
        group.kill();
        child
            .wait()
            .await
            .attempt(|| format!("wait for {}", shown(&spec.argv)))?;
    }
    Ok(ended)
}

/// What the child gets of a signal that reached us. A hangup of our terminal is none of the child's, for which SIGHUP
/// may mean something else (`nohup` in its own command line: nothing at all).
fn polite(signal: i32) -> Signal {
    if signal == Signal::SIGINT as i32 {
        Signal::SIGINT
    } else {
        Signal::SIGTERM
    }
}

fn own_end(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, signal) => Ended::Signaled(signal.unwrap_or_default()),
    }
}

fn signal_name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |name| name.to_string())
}

/// One line on its way from a pipe to the monitor.
type RawLine = (bool, lines::Line);

fn start_reader(
    pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
    stderr: bool,
    margin: usize,
    sender: &mpsc::Sender<RawLine>,
) {
    let Some(pipe) = pipe else { return };
    let sender = sender.clone();
    tokio::spawn(async move {
        let mut reader = lines::LineReader::new(pipe, margin);
        while let Some(line) = reader.next().await {
            if sender.send((stderr, line)).await.is_err() {
                return;
            }
        }
    });
}

/// Masks, shows, logs and remembers each line until both pipes are closed.
async fn tell(
    ctx: Context,
    mut receiver: mpsc::Receiver<RawLine>,
    mask: Mask,
    mut log: Option<LogFile>,
) -> ErrorLines {
    let mut memory = ErrorLines::default();
    while let Some((stderr, line)) = receiver.recv().await {
        let line = line.readable(&mask);
        if let Some(Err(error)) = log.as_mut().map(|log| log.line(&log_line(&ctx, &line))) {
            ctx.warn(format!("the run's log ends here: {error}"));
            log = None;
        }
        memory.take(stderr, &line);
        ctx.monitor.event(Event::ChildLine { stderr, line });
    }
    memory
}

fn log_line(ctx: &Context, line: &str) -> String {
    format!("{} | {line}", ctx.now().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
}

fn open_log(path: Option<&Path>) -> Result<Option<LogFile>> {
    path.map(LogFile::create).transpose()
}

/// What the teller remembers; its lines so far are lost only if a process outside the group keeps
/// the pipes open.
async fn drained(mut teller: tokio::task::JoinHandle<ErrorLines>) -> ErrorLines {
    match tokio::time::timeout(DRAIN_LIMIT, &mut teller).await {
        Ok(lines) => lines.unwrap_or_default(),
        Err(_) => {
            teller.abort();
            ErrorLines::default()
        }
    }
}

/// One line on the cure of a known failure in a helper's output.
pub fn explanation(argv: &[String], output: &str) -> Option<String> {
    explain::explain(argv, Ended::Exited(1), output.lines())
}

fn report(argv: &[String], ended: Ended, elapsed: Duration, lines: ErrorLines) -> ChildReport {
    let explanation = if ended.succeeded() {
        None
    } else {
        explain::explain(argv, ended, lines.hay())
    };
    ChildReport {
        ended,
        elapsed,
        explanation,
        headline: lines.headline().map(str::to_owned),
        details: lines.details(),
        last_lines: lines.last_lines(),
    }
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // A helper's broken pipe means that it ended; what came until then is the answer.
        let _ = pipe.take(CAPTURE_LIMIT).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
