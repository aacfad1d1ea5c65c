//! What every verb gets handed in: clock, run id, monitor, stop signal.
//!
//! The library is mute and has no globals: time, identity, the wish to stop and everything
//! visible go through [`Context`], so tests can replace them. Environment variables and the
//! working directory are inputs too ([`Environment`]); nobody below `cli/` reads the process's own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

/// Handed to every operation; cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Wall clock, replaceable in tests.
    pub clock: Arc<dyn Clock>,
    /// Receives everything a person may want to see.
    pub monitor: Arc<dyn Monitor>,
    /// The wish to stop (SIGINT, SIGTERM).
    pub stop: Stop,
    /// Identifies this execution in application names, journal and log; `[a-z0-9]{8}`.
    pub run_id: String,
    /// Environment variables and working directory.
    pub environment: Arc<Environment>,
    /// Sessions that this execution has begun.
    pub sessions: SessionCount,
}

/// How many sessions this execution has begun on servers: those of others are what a server has counted beyond them (P5).
#[derive(Debug, Clone, Default)]
pub struct SessionCount(Arc<AtomicI64>);

impl SessionCount {
    /// One more was begun.
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So far.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// The current time in UTC.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Shows a plain sentence to the person.
    pub fn note(&self, text: impl Into<String>) {
        self.monitor.event(Event::Note(text.into()));
    }

    /// Shows something that deserves attention but stops nothing.
    pub fn warn(&self, text: impl Into<String>) {
        self.monitor.event(Event::Warning(text.into()));
    }

    /// Opens a phase; the person sees a heading and, at its end, how long it took.
    pub fn phase(&self, phase: Phase) -> PhaseGuard<'_> {
        self.monitor.event(Event::PhaseStarted(phase));
        PhaseGuard {
            context: self,
            phase,
            started: std::time::Instant::now(),
        }
    }

    /// Reports work done so far in the open phase.
    pub fn progress(&self, progress: Progress) {
        self.monitor.event(Event::Progress(progress));
    }
}

/// Ends its phase when dropped.
#[must_use]
pub struct PhaseGuard<'a> {
    context: &'a Context,
    phase: Phase,
    started: std::time::Instant,
}

impl PhaseGuard<'_> {
    /// Time since the phase was opened.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        self.context.monitor.event(Event::PhaseFinished {
            phase: self.phase,
            elapsed: self.started.elapsed(),
        });
    }
}

/// The phases of design.md §9 (`seconds` by phase), and those of the other commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum Phase {
    Connect,
    Recovery,
    Preflight,
    Lock,
    Fence,
    Backup,
    Check,
    Migrate,
    Verify,
    Decide,
    Save,
    Rollback,
    Proof,
    Create,
    Restore,
    Compare,
    Drop,
    Report,
}

impl Phase {
    /// Heading shown to people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Connect => "Connect",
            Self::Recovery => "Recover an interrupted run",
            Self::Preflight => "Preflight",
            Self::Lock => "Lock",
            Self::Fence => "Fence",
            Self::Backup => "Backup",
            Self::Check => "Check the archive",
            Self::Migrate => "Migrate",
            Self::Verify => "Verify",
            Self::Decide => "Did anything commit?",
            Self::Save => "Save the current state",
            Self::Rollback => "Roll back",
            Self::Proof => "Proof",
            Self::Create => "Create the scratch database",
            Self::Restore => "Restore",
            Self::Compare => "Compare",
            Self::Drop => "Drop the scratch database",
            Self::Report => "What changed",
        }
    }
}

/// Work done in the open phase. Totals are estimates until the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is being worked on now (`table public.users`).
    pub what: String,
    /// Bytes done (uncompressed COPY text, or file bytes).
    pub bytes: u64,
    /// Expected bytes, 0 when unknown.
    pub total_bytes: u64,
    /// Rows done.
    pub rows: u64,
    /// Items (tables, entries) done and expected.
    pub items: u64,
    /// Expected items, 0 when unknown.
    pub total_items: u64,
    /// Work done, where bytes are not all of it: bytes, and what takes as long as loading so many.
    pub work: u64,
    /// Expected work, 0 where bytes and items say everything.
    pub total_work: u64,
}

/// Everything the library says while it works.
#[derive(Debug, Clone)]
pub enum Event {
    /// A phase begins.
    PhaseStarted(Phase),
    /// A phase ended, well or not.
    PhaseFinished {
        /// Which one.
        phase: Phase,
        /// How long it took.
        elapsed: Duration,
    },
    /// Progress within the open phase.
    Progress(Progress),
    /// A plain sentence.
    Note(String),
    /// Something that deserves attention.
    Warning(String),
    /// A `name: value` fact (server version, role, current revision …), shown as one block.
    Fact {
        /// What it is.
        name: String,
        /// Its value; already masked.
        value: String,
    },
    /// One line that the migration tool printed.
    ChildLine {
        /// Whether it came on standard error.
        stderr: bool,
        /// The line without its newline, secrets masked.
        line: String,
    },
}

/// Receives events; implementations must not block for long.
pub trait Monitor: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

/// Drops every event.
#[derive(Debug, Default)]
pub struct SilentMonitor;

impl Monitor for SilentMonitor {
    fn event(&self, _event: Event) {}
}

/// Gives the time.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + crate::faults::clock_offset()
    }
}

/// The wish to stop, visible to every task.
#[derive(Debug, Clone)]
pub struct Stop {
    receiver: watch::Receiver<Option<Asked>>,
}

/// A wish to stop.
#[derive(Debug, Clone, Copy)]
struct Asked {
    signal: i32,
    at: Instant,
}

/// The end that raises the wish to stop; kept by `cli/`.
#[derive(Debug)]
pub struct StopSender {
    sender: watch::Sender<Option<Asked>>,
}

/// How long reading may go on after a wish to stop.
const LAST_MOMENT: Duration = Duration::from_secs(1);

impl Stop {
    /// A connected pair.
    pub fn channel() -> (StopSender, Self) {
        let (sender, receiver) = watch::channel(None);
        (StopSender { sender }, Self { receiver })
    }

    /// One that is never raised.
    pub fn never() -> Self {
        Self::channel().1
    }

    /// The signal number, if somebody asked to stop.
    pub fn requested(&self) -> Option<i32> {
        self.receiver.borrow().map(|asked| asked.signal)
    }

    /// Whether somebody asked to stop, and the time that this may take is over.
    pub fn is_overdue(&self, grace: Duration) -> bool {
        let asked = *self.receiver.borrow();
        asked.is_some_and(|asked| asked.at.elapsed() >= grace)
    }

    /// Waits until somebody asks to stop and the time that this may take is over, but not less than `least` from now.
    pub async fn overdue(&self, grace: Duration, least: Duration) {
        let earliest = Instant::now() + least;
        let asked = self.asked().await;
        let due = earliest.max(asked.at + grace);
        tokio::time::sleep_until(due.into()).await;
    }

    /// Fails with [`crate::error::Kind::Interrupted`] if somebody asked to stop.
    pub fn check(&self, attempted: &str) -> crate::error::Result<()> {
        match self.requested() {
            None => Ok(()),
            Some(signal) => Err(crate::error::Error::new(
                crate::error::Kind::Interrupted(signal),
                attempted,
            )
            .because(format!("interrupted by signal {signal}"))),
        }
    }

    /// Carries out work that only reads. A server that does not answer must not keep a process that was asked to
    /// stop: the work gets a moment to end by itself, then it is dropped.
    ///
    /// # Errors
    /// Of the work; [`crate::error::Kind::Interrupted`].
    pub async fn or_stop<T>(
        &self,
        attempted: &str,
        work: impl Future<Output = crate::error::Result<T>>,
    ) -> crate::error::Result<T> {
        let too_late = async {
            self.wait().await;
            tokio::time::sleep(LAST_MOMENT).await;
        };
        tokio::select! {
            biased;
            result = work => result,
            () = too_late => self.check(attempted).and_then(|()| {
                Err(crate::error::Error::operation(attempted).because("somebody asked to stop"))
            }),
        }
    }

    /// Waits until somebody asks to stop; never returns if nobody can any more.
    pub async fn wait(&self) -> i32 {
        self.asked().await.signal
    }

    async fn asked(&self) -> Asked {
        let mut receiver = self.receiver.clone();
        loop {
            if let Some(asked) = *receiver.borrow_and_update() {
                return asked;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl StopSender {
    /// Asks everybody to stop because of `signal`.
    pub fn raise(&self, signal: i32) {
        let at = Instant::now();
        self.sender.send_replace(Some(Asked { signal, at }));
    }
}

/// The process's environment as an input.
#[derive(Clone, Default)]
pub struct Environment {
    /// Variables by name.
    pub variables: BTreeMap<String, String>,
    /// Those whose name or value is not UTF-8. No setting of ours is read from them; the migration gets them as they are.
    pub foreign: BTreeMap<OsString, OsString>,
    /// Working directory, absolute.
    pub working_directory: PathBuf,
    /// The home directory, for `~/.pgpass` and `~/.pg_service.conf`.
    pub home: Option<PathBuf>,
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("working_directory", &self.working_directory)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// A variable's value; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Where programs are searched, whatever its bytes are.
    pub fn program_path(&self) -> Option<&OsStr> {
        let foreign = || self.foreign.get(OsStr::new("PATH"));
        let readable = self.get("PATH").map(OsStr::new);
        readable.or_else(|| foreign().map(OsString::as_os_str))
    }

    /// Whether there is a variable of that name which is not empty.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some() || self.foreign.contains_key(OsStr::new(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_carries_the_signal() {
        let (sender, stop) = Stop::channel();
        assert!(stop.check("x").is_ok());
        sender.raise(15);
        assert_eq!(stop.requested(), Some(15));
        assert!(stop.check("x").is_err());
    }

    #[test]
    fn a_stop_is_overdue_once_its_grace_is_over() {
        let (sender, stop) = Stop::channel();
        assert!(!stop.is_overdue(Duration::ZERO));
        sender.raise(15);
        assert!(stop.is_overdue(Duration::ZERO));
        assert!(!stop.is_overdue(Duration::from_secs(60)));
    }

    #[test]
    fn environment_debug_shows_no_value() {
        let environment = Environment {
            variables: BTreeMap::from([("PGPASSWORD".into(), "hunter2".into())]),
            ..Environment::default()
        };
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
