//! SIGINT, SIGTERM and SIGHUP ask the work to stop; the work decides how. A second signal changes nothing.
//!
//! A signal that whoever started us ignores stays ignored, as POSIX asks of every program: `nohup` means that a run
//! outlives its terminal, and a shell without job control protects what it puts into the background from Ctrl-C.

use std::sync::Arc;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::render::{Item, Reporter};
use crate::context::StopSender;
use crate::error::{Attempt, Result};

/// Starts listening; must be called inside the runtime. SIGHUP (a terminal that went away) counts
/// as SIGTERM: without us it would kill the process in the middle of a repair.
pub(crate) fn listen(sender: StopSender, reporter: Arc<Reporter>) -> Result<()> {
    let ignored = inherited();
    let mut interrupt = install(Number::SIGINT, ignored)?;
    let mut terminate = install(Number::SIGTERM, ignored)?;
    let mut hangup = install(Number::SIGHUP, ignored)?;
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let number = tokio::select! {
                () = next(&mut interrupt) => Number::SIGINT,
                () = next(&mut terminate) => Number::SIGTERM,
                () = next(&mut hangup) => Number::SIGHUP,
            };
            reporter.show(&Item::Warning(text(number, first)));
            if first {
                sender.raise(number as i32);
            }
            first = false;
        }
    });
    Ok(())
}

/// None for a signal that is ignored: a handler would end that, for our children too.
fn install(number: Number, ignored: u64) -> Result<Option<Signal>> {
    if is_in(ignored, number) {
        return Ok(None);
    }
    let kind = SignalKind::from_raw(number as i32);
    signal(kind)
        .map(Some)
        .attempt(|| "listen for signals".to_owned())
}

/// Never returns for one that is ignored.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            let _ = signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// The signals that we ignore by inheritance, as a mask; must be read before a handler is installed. Linux tells
/// it; elsewhere nothing is taken to be ignored.
fn inherited() -> u64 {
    std::fs::read_to_string("/proc/self/status").map_or(0, |status| ignored_in(&status))
}

/// The line `SigIgn:` of proc(5): a mask in hexadecimal, the first signal in the lowest bit.
fn ignored_in(status: &str) -> u64 {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_in(mask: u64, number: Number) -> bool {
    mask & (1 << (number as i32 - 1)) != 0
}

fn text(number: Number, first: bool) -> String {
    if first {
        format!("{number}: stopping safely; the database will be left proven or loudly in doubt")
    } else {
        format!(
            "{number} again: already stopping; killing us now would leave the decision to the next start"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000004000\n";
        let mask = ignored_in(status);
        assert!(is_in(mask, Number::SIGHUP) && is_in(mask, Number::SIGPIPE));
        assert!(!is_in(mask, Number::SIGINT) && !is_in(mask, Number::SIGTERM));
        assert_eq!(ignored_in("Name:\tx\n"), 0);
        assert_eq!(ignored_in("SigIgn:\tnone\n"), 0);
    }

    #[test]
    fn a_hangup_has_its_own_name() {
        assert!(text(Number::SIGHUP, true).starts_with("SIGHUP: stopping safely"));
    }
}
