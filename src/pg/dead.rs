//! Sessions that a dead run of ours, or a lost connection, left on the server.

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
    end(session, run, Sql::constant("true")).await
}

/// Ends a session of the living run `run` whose connection was lost: the server may not know yet, and go on with what it was
/// asked last.
///
/// # Errors
/// As [`end_sessions_of`].
pub async fn end_lost(session: &Session, run: &str, lost: &Session) -> Result<()> {
    let it = Sql::constant("pid OPERATOR(pg_catalog.=) ");
    end(session, run, it.number(lost.backend_pid())).await
}

async fn end(session: &Session, run: &str, which: Sql) -> Result<()> {
    let end = Sql::constant(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
         WHERE pid <> pg_catalog.pg_backend_pid() AND ",
    )
    .sql(&which)
    .then(" AND pg_catalog.starts_with(application_name, ")
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
