//! What a build with `fault-injection` does at a point, as the environment says.
//!
//! `PGBELAY_FAULT` is a list, separated by commas, of `POINT[@N]=ACTION`: at the N-th passing (the first, unless
//! said otherwise) `kill` ends this process by SIGKILL, `error` fails, `pause` stops it by SIGSTOP until somebody sends
//! SIGCONT. `PGBELAY_FAULT_TRACE` names each point that is passed on stderr. `PGBELAY_FAULT_CLOCK` moves the wall clock
//! by so many seconds. A value that makes no sense ends the process: a fault that never happens proves nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use chrono::TimeDelta;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Point;
use crate::error::{Error, Result};

/// Exit code of a process whose faults make no sense; none of ours.
const SENSELESS: i32 = 99;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    Fail,
    Pause,
}

/// What was asked for: by name and number of the passing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    faults: BTreeMap<(String, u32), Action>,
    trace: bool,
    clock_seconds: i64,
}

impl Plan {
    fn parse(faults: &str, trace: bool, clock: &str) -> Option<Self> {
        let clock_seconds = match clock {
            "" => 0,
            seconds => seconds.parse().ok()?,
        };
        let parts = faults.split(',').filter(|part| !part.is_empty());
        Some(Self {
            faults: parts.map(one).collect::<Option<_>>()?,
            trace,
            clock_seconds,
        })
    }
}

/// `journal-end-outcome-before@2=kill`.
fn one(text: &str) -> Option<((String, u32), Action)> {
    let (place, action) = text.split_once('=')?;
    let (name, passing) = match place.split_once('@') {
        Some((name, number)) => (name, number.parse().ok()?),
        None => (place, 1),
    };
    let action = match action {
        "kill" => Action::Kill,
        "error" => Action::Fail,
        "pause" => Action::Pause,
        _ => return None,
    };
    let known = Point::ALL.iter().any(|(_, known)| kebab(known) == name);
    known.then(|| ((name.to_owned(), passing), action))
}

impl Point {
    fn name(self) -> String {
        let found = Point::ALL.iter().find(|(point, _)| *point == self);
        found.map(|(_, name)| kebab(name)).unwrap_or_default()
    }
}

/// `JournalEndOutcomeBefore` → `journal-end-outcome-before`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stderr,
    reason = "a test build: every layer has points, and no context reaches the lowest ones"
)]
fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let value = |name| std::env::var(name).unwrap_or_default();
        let trace = !value("PGBELAY_FAULT_TRACE").is_empty();
        let (faults, clock) = (value("PGBELAY_FAULT"), value("PGBELAY_FAULT_CLOCK"));
        Plan::parse(&faults, trace, &clock).unwrap_or_else(|| {
            eprintln!("PGBELAY_FAULT, PGBELAY_FAULT_CLOCK: not understood: {faults} {clock}");
            std::process::exit(SENSELESS)
        })
    })
}

/// Counts the passing and does what was asked for; true if the operation has to fail.
#[expect(clippy::print_stderr, reason = "a test build, when asked to")]
fn fails(point: Point) -> bool {
    static PASSED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
    let plan = plan();
    if plan.faults.is_empty() && !plan.trace {
        return false;
    }
    let name = point.name();
    let passing = {
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.entry(name.clone()).or_default();
        *count += 1;
        *count
    };
    if plan.trace {
        eprintln!("fault-point: {name}");
    }
    match plan.faults.get(&(name, passing)) {
        None => false,
        Some(Action::Fail) => true,
        Some(Action::Kill) => {
            stop_by(Signal::SIGKILL);
            false
        }
        Some(Action::Pause) => {
            stop_by(Signal::SIGSTOP);
            false
        }
    }
}

/// The whole process; a signal to oneself is delivered before the call returns.
fn stop_by(signal: Signal) {
    let _ = kill(Pid::this(), signal);
}

/// Passes a point.
///
/// # Errors
/// As a lost connection would be, if that was asked for.
pub fn reach(point: Point) -> Result<()> {
    if !fails(point) {
        return Ok(());
    }
    let attempted = format!("pass the fault point {}", point.name());
    Err(Error::operation(attempted)
        .because("it was told to fail")
        .mark_transient())
}

/// As [`reach`], where the error is the operating system's: no space is left.
///
/// # Errors
/// If that was asked for.
pub fn io(point: Point) -> io::Result<()> {
    match fails(point) {
        true => Err(io::Error::from_raw_os_error(nix::libc::ENOSPC)),
        false => Ok(()),
    }
}

/// How far the wall clock is moved.
pub fn clock_offset() -> TimeDelta {
    TimeDelta::seconds(plan().clock_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_understood_whole_or_not_at_all() {
        let plan = Plan::parse("file-write@3=error,lock-taken=kill", false, "-60").unwrap();
        let at = |name: &str, number| plan.faults.get(&(name.to_owned(), number)).copied();
        assert_eq!(at("file-write", 3), Some(Action::Fail));
        assert_eq!(at("lock-taken", 1), Some(Action::Kill));
        assert_eq!((plan.faults.len(), plan.clock_seconds), (2, -60));
        assert_eq!(Plan::parse("", false, ""), Some(Plan::default()));
        for wrong in [
            "file-write",
            "file-write=x",
            "no-such=kill",
            "file-write@x=kill",
        ] {
            assert_eq!(Plan::parse(wrong, false, ""), None, "{wrong}");
        }
        assert_eq!(Plan::parse("", false, "soon"), None);
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(
            Point::JournalRollBackIntentAfter.name(),
            "journal-roll-back-intent-after"
        );
        let names: std::collections::BTreeSet<String> =
            Point::ALL.iter().map(|(point, _)| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
