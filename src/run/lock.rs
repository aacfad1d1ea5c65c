//! One run at a time per database: a session-level advisory lock (design.md §6).
//!
//! Key: class 1885823589 (`pgbe` in ASCII) and the database's OID, as `sql/try_lock.sql` says, so
//! that anybody can see it in `pg_locks`. It is polled on a dedicated autocommit connection: no
//! open transaction, no snapshot (P7), nothing left behind when the connection ends. The watch of
//! other writers queries the same connection several times a second, which keeps it alive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::pg::{self, Session, Sql, Target};
use crate::run::RunOptions;

/// First pause between two attempts; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Bound of the pause: a replica starts at most this long after the lock is free.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a lost lock is asked for again: the server needs a moment to notice the lost session.
const REGAIN_WITHIN: Duration = Duration::from_secs(10);
/// Time between two notes about the same holder.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// The lock of one database, held as long as its connection lives.
#[derive(Debug)]
pub struct RunLock {
    session: Arc<Session>,
}

impl RunLock {
    /// Obtains the lock, waiting at most `wait`; while waiting, the holder is shown.
    ///
    /// Fails with [`Kind::LockTimeout`] when the wait is over.
    pub async fn acquire(target: &Target, wait: Duration, ctx: &Context) -> Result<Self> {
        let session = pg::connect(target, "lock", ctx).await?;
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut told: Option<(String, Instant)> = None;
        while !try_lock(&session).await? {
            ctx.stop.check("wait for the lock of the database")?;
            let holder = holder(&session).await?;
            if started.elapsed() >= wait {
                return Err(not_obtained(&session, wait, &holder));
            }
            tell(&mut told, holder, ctx);
            sleep(pause.min(wait.saturating_sub(started.elapsed())), ctx).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(Self {
            session: Arc::new(session),
        })
    }

    /// The connection that holds it; for short autocommit queries only.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether this connection still holds the lock, asked of the server.
    pub async fn is_held(&self) -> bool {
        if self.session.is_closed() {
            return false;
        }
        // A question that fails means that the connection, and so the lock, is gone.
        held_by_us(&self.session).await.unwrap_or_default()
    }

    /// Makes sure that no other run can have begun meanwhile. A lost connection loses the lock; it
    /// is obtained again, unless another run was quicker: then that one owns the recovery.
    pub async fn still_ours(
        &self,
        target: &Target,
        options: &RunOptions,
        ctx: &Context,
    ) -> Result<Option<Self>> {
        if self.is_held().await {
            return Ok(None);
        }
        ctx.warn("the connection that held the lock was lost while the migration ran");
        let calm = Context {
            stop: crate::context::Stop::never(),
            ..ctx.clone()
        };
        pg::wait_for(target, options.wait, &calm).await?;
        Self::acquire(target, REGAIN_WITHIN, &calm).await.map(Some)
    }

    /// Gives the lock back by closing its connection.
    pub async fn release(self) {
        // The watch's task may still hold the other reference for an instant; the connection
        // then closes when that one is dropped.
        if let Ok(session) = Arc::try_unwrap(self.session) {
            session.close().await;
        }
    }
}

async fn try_lock(session: &Session) -> Result<bool> {
    session
        .query_one(&Sql::constant(include_str!("sql/try_lock.sql")))
        .await?
        .bool("obtained")
}

async fn held_by_us(session: &Session) -> Result<bool> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/lock_holder.sql")))
        .await?;
    Ok(rows
        .iter()
        .any(|row| matches!(row.opt("ours"), Ok(Some("t")))))
}

/// Who holds the lock, in one phrase.
async fn holder(session: &Session) -> Result<String> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/lock_holder.sql")))
        .await?;
    let Some(row) = rows.first() else {
        return Ok("nobody any more".to_owned());
    };
    let or_unknown = |column| -> Result<String> {
        Ok(row
            .opt_string(column)?
            .unwrap_or_else(|| "unknown".to_owned()))
    };
    Ok(format!(
        "{}, role {}, client {}, server process {}, since {}",
        or_unknown("application")?,
        or_unknown("role")?,
        or_unknown("client")?,
        row.text("pid")?,
        or_unknown("since")?,
    ))
}

/// Says who holds the lock: at once, when it changes, and from time to time.
fn tell(told: &mut Option<(String, Instant)>, holder: String, ctx: &Context) {
    let silent = told
        .as_ref()
        .is_some_and(|(last, at)| *last == holder && at.elapsed() < SAY_AGAIN);
    if !silent {
        ctx.note(format!("waiting for the lock, held by {holder}"));
        *told = Some((holder, Instant::now()));
    }
}

async fn sleep(pause: Duration, ctx: &Context) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        // The loop looks at the signal itself.
        _ = ctx.stop.wait() => {}
    }
}

fn not_obtained(session: &Session, wait: Duration, holder: &str) -> Error {
    Error::new(
        Kind::LockTimeout,
        format!("obtain the lock of {}", session.target()),
    )
    .because(format!(
        "held by {holder}; waited {} s",
        wait.as_secs_f64().round()
    ))
    .now("nothing was touched")
    .hint("another run is at work; wait longer with --lock-wait")
    .hint("if that process is stuck, end it: SELECT pg_terminate_backend(<server process>)")
}
