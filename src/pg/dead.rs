//! Sessions that a dead run of ours left on the server.

use std::time::{Duration, Instant};

use super::{Session, Sql};
use crate::error::{Error, Result};

/// How long they may take to end.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Time between two looks for them.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ends the sessions of a run that is known to be dead, in whatever database they are. Without it a `CREATE DATABASE` that was
/// on its way when the run was killed is finished after somebody has looked for that database.
///
/// # Errors
/// The server's, and if one does not end within ten seconds.
pub async fn end_sessions_of(session: &Session, run: &str) -> Result<()> {
    let end = Sql::constant(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
         WHERE pid <> pg_catalog.pg_backend_pid() AND pg_catalog.starts_with(application_name, ",
    )
    .literal(&format!("pgbelay {run} "))
    .then(")");
    let started = Instant::now();
    while !session.query(&end).await?.is_empty() {
        if started.elapsed() > GONE_WITHIN {
            return Err(
                Error::operation(format!("end the sessions of the run {run}"))
                    .because("one of them does not end"),
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
