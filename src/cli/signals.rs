//! SIGINT and SIGTERM ask the work to stop; the work decides how. A second signal changes nothing.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::render::{Item, Reporter};
use crate::context::StopSender;
use crate::error::{Attempt, Result};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Starts listening; must be called inside the runtime. SIGHUP (a terminal that went away) counts
/// as SIGTERM: without us it would kill the process in the middle of a repair.
pub(crate) fn listen(sender: StopSender, reporter: Arc<Reporter>) -> Result<()> {
    let install = |kind| signal(kind).attempt(|| "listen for signals".to_owned());
    let mut interrupt = install(SignalKind::interrupt())?;
    let mut terminate = install(SignalKind::terminate())?;
    let mut hangup = install(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => SIGINT,
                _ = terminate.recv() => SIGTERM,
                _ = hangup.recv() => SIGTERM,
            };
            reporter.show(&Item::Warning(text(number, first)));
            if first {
                sender.raise(number);
            }
            first = false;
        }
    });
    Ok(())
}

fn text(number: i32, first: bool) -> String {
    let name = if number == SIGINT {
        "SIGINT"
    } else {
        "SIGTERM"
    };
    if first {
        format!("{name}: stopping safely; the database will be left proven or loudly in doubt")
    } else {
        format!(
            "{name} again: already stopping; killing us now would leave the decision to the next start"
        )
    }
}
