//! Reaching the server once the tool was started. What it did has to be judged, so a wish to stop does not end the wait at
//! once, but only what `--grace` leaves of it is waited: the next start judges, too.

use std::time::Duration;

use crate::context::{Context, Stop};
use crate::error::{Error, Result};
use crate::pg::{self, Session, Target};
use crate::run::RunOptions;

/// A server that is there answers within it, however late it is.
const LEAST: Duration = Duration::from_secs(2);

/// Connects as soon as the server lets us. `calm` knows of no wish to stop.
pub async fn reach(
    target: &Target,
    options: &RunOptions,
    stop: &Stop,
    calm: &Context,
) -> Result<Session> {
    let session = pg::wait_for(target, options.wait, calm);
    match in_time(options, stop, session).await {
        Some(session) => session,
        None => Err(too_late(target, options)),
    }
}

/// What `work` comes to; none if it was dropped because the time that a stop may take is over.
pub async fn in_time<T>(
    options: &RunOptions,
    stop: &Stop,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = stop.overdue(options.grace, LEAST) => None,
    }
}

/// As if the connection was lost: the next start goes on.
fn too_late(target: &Target, options: &RunOptions) -> Error {
    Error::operation(format!("wait for {}", target.servers()))
        .because(format!(
            "somebody asked to stop, and it let nobody in within the time that this may take (--grace {} s)",
            options.grace.as_secs_f64()
        ))
        .mark_transient()
}
