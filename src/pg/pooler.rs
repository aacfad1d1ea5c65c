//! Is a transaction pooler in between? Then session locks, settings and temporary state would
//! wander between connections, and nothing that pgbelay promises could be kept.
//!
//! The evidence is the server process behind a session: it must stay the same for the session's
//! life and can never serve two open sessions. The other session holds a transaction open while
//! this one asks again, so a pooler that hands connections out per transaction cannot hide.
//! Nothing is set on the way: it would stay on somebody else's connection.
//!
//! A pooler in session mode passes, and is known by the process of a closed session that lives on. What it keeps would look
//! like sessions of somebody else, so those of ours are ended there, not closed ([`Session::close`]).

use std::time::{Duration, Instant};

use super::connect::{CONNECT_TIMEOUT, open_any};
use super::purpose::Purpose;
use super::quote::Sql;
use super::session::Session;
use super::target::Target;
use crate::context::Context;
use crate::error::{Error, Kind, Result};

/// Rounds of asking both sessions; other clients of the pooler may hide one by chance.
const ROUNDS: usize = 3;

/// SQLSTATE of what a pooler does not take.
const PROTOCOL_VIOLATION: &str = "08P01";

/// Bound of one question: a pooler whose connections are all taken lets it wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the process of a closed session may take to end where nobody keeps it.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Time between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// Refuses ([`Kind::Refused`]) a transaction or statement pooler; whether there is one in session mode, which passes.
pub async fn detect_pooler(target: &Target, ctx: &Context) -> Result<bool> {
    let session = open_any(target, Purpose::PoolerCheck, CONNECT_TIMEOUT, ctx)
        .await
        .map_err(|failure| settled(failure.error))?;
    let result = refuse(&session, target, ctx).await;
    session.close().await;
    result
}

/// The check on an open session that has changed nothing yet.
pub(super) async fn refuse(session: &Session, target: &Target, ctx: &Context) -> Result<bool> {
    let opened = tokio::time::timeout(
        ANSWER_TIMEOUT,
        open_any(target, Purpose::PoolerCheck, ANSWER_TIMEOUT, ctx),
    );
    let other = match opened.await {
        Ok(Ok(other)) => other,
        Ok(Err(failure)) => return Err(settled(failure.error)),
        Err(_) => return Err(no_second_session(target)),
    };
    let shared = shared_process(session, &other).await;
    let process = other.backend_pid();
    other.close().await;
    match shared {
        Ok(None) if target.pooled => Ok(true),
        Ok(None) => lives_on(session, process).await.map_err(settled),
        Ok(Some(evidence)) => Err(pooled(target, evidence)),
        Err(error) if error.sqlstate() == Some(PROTOCOL_VIOLATION) => Err(pooled(
            target,
            "it refuses transactions of several statements",
        )),
        Err(error) => Err(settled(error)),
    }
}

/// Evidence that server processes are shared, if there is any.
async fn shared_process(session: &Session, other: &Session) -> Result<Option<&'static str>> {
    for _ in 0..ROUNDS {
        let before = process(session).await?;
        ask(other, Sql::constant("BEGIN")).await?;
        let theirs = process(other).await?;
        let after = process(session).await;
        ask(other, Sql::constant("ROLLBACK")).await?;
        let Some(after) = answered(after)? else {
            return Ok(Some("a second session keeps the first one waiting"));
        };
        if before == theirs || after == theirs {
            return Ok(Some("two open sessions share one server process"));
        }
        if before != after || before != session.backend_pid() {
            return Ok(Some("the server process changes within one session"));
        }
    }
    Ok(None)
}

/// Whether the server process of a closed session is kept by somebody, who takes its name away.
async fn lives_on(session: &Session, process: i32) -> Result<bool> {
    let statement =
        Sql::constant("SELECT application_name AS name FROM pg_catalog.pg_stat_get_activity(")
            .number(process)
            .then(")");
    let closed = Instant::now();
    loop {
        let rows = session.query(&statement).await?;
        let Some(row) = rows.first() else {
            return Ok(false);
        };
        let is_ours = row
            .opt("name")?
            .is_some_and(|name| name.starts_with("pgbelay "));
        if !is_ours || closed.elapsed() > ENDS_WITHIN {
            return Ok(true);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether startup options (`PGOPTIONS`) reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartupOptions {
    /// They do.
    Arrive,
    /// A pooler drops them without a word.
    Dropped,
    /// A pooler lets nobody in who has some.
    Refused,
}

/// Opens a session with these settings as startup options, and asks for one after the other whether it has it.
///
/// # Errors
/// Of the server.
pub async fn try_startup_options(
    target: &Target,
    settings: &[(&str, &str)],
    ctx: &Context,
) -> Result<StartupOptions> {
    let options: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("-c {name}={value}"))
        .collect();
    let mut with_options = target.clone();
    with_options.options = Some(options.join(" "));
    let opened = open_any(&with_options, Purpose::PoolerCheck, CONNECT_TIMEOUT, ctx);
    let session = match opened.await {
        Ok(session) => session,
        Err(failure) if failure.error.sqlstate() == Some(PROTOCOL_VIOLATION) => {
            return Ok(StartupOptions::Refused);
        }
        Err(failure) => return Err(settled(failure.error)),
    };
    let arrived = have_arrived(&session, settings).await;
    session.close().await;
    match arrived.map_err(settled)? {
        true => Ok(StartupOptions::Arrive),
        false => Ok(StartupOptions::Dropped),
    }
}

async fn have_arrived(session: &Session, settings: &[(&str, &str)]) -> Result<bool> {
    for (name, value) in settings {
        let statement = Sql::constant("SELECT pg_catalog.current_setting(").literal(name);
        let row = session.query_one(&statement.then(") AS value")).await?;
        if row.text("value")? != *value {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The server process that answers; a timeout is an error marked transient.
async fn process(session: &Session) -> Result<i32> {
    let statement = Sql::constant("SELECT pg_catalog.pg_backend_pid() AS process");
    let question = session.query_one(&statement);
    match tokio::time::timeout(ANSWER_TIMEOUT, question).await {
        Ok(row) => row?.number("process"),
        Err(_) => Err(no_answer()),
    }
}

async fn ask(session: &Session, statement: Sql) -> Result<()> {
    tokio::time::timeout(ANSWER_TIMEOUT, session.execute(&statement))
        .await
        .unwrap_or_else(|_| Err(no_answer()))
}

fn no_answer() -> Error {
    Error::operation("look for a connection pooler")
        .because("the server did not answer in time")
        .mark_transient()
}

/// `None` when no answer came in time.
fn answered(process: Result<i32>) -> Result<Option<i32>> {
    match process {
        Ok(process) => Ok(Some(process)),
        Err(error) if error.sqlstate().is_none() && error.is_transient() => Ok(None),
        Err(error) => Err(error),
    }
}

fn pooled(target: &Target, evidence: &str) -> Error {
    settled(
        Error::refused(format!("work on {}", target.masked()))
            .because(format!("a transaction pooler is in between: {evidence}"))
            .hint("connect to PostgreSQL itself (its own host and port), or to a pooler database with pool_mode=session"),
    )
}

fn no_second_session(target: &Target) -> Error {
    settled(
        Error::refused(format!("open a second session on {}", target.masked()))
            .because(format!(
                "it was not opened within {} s while the first was open",
                ANSWER_TIMEOUT.as_secs()
            ))
            .hint("a pooler with a pool of one cannot be used: connect to PostgreSQL itself"),
    )
}

fn settled(error: Error) -> Error {
    error.narrowed(Kind::Refused).now("nothing was touched")
}
