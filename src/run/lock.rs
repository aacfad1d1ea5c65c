//! One run at a time per database: a session-level advisory lock (design.md §6).
//!
//! Key: class 1885823589 (`pgbe` in ASCII) and the database's OID ([`advisory`]), so
//! that anybody can see it in `pg_locks`. It is polled on a dedicated autocommit connection: no
//! open transaction, no snapshot (P7), nothing left behind when the connection ends. A run that waits
//! holds one connection in all. The watch of
//! other writers queries the same connection several times a second, which keeps it alive. Where a
//! rollback swaps the database, a connection to another database takes the lock over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{self, Session, Target, advisory};
use crate::run::{RunOptions, reach};

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
    held: Mutex<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    session: Arc<Session>,
    /// OID of the database.
    database: u32,
    /// Whether the session is connected to another database: a swap had to leave the database itself.
    elsewhere: bool,
    /// Whether a swap has put another database in its place.
    swapped: bool,
}

impl RunLock {
    /// Obtains the lock, waiting at most `wait`; while waiting, the holder is shown.
    ///
    /// Fails with [`Kind::LockTimeout`] when the wait is over.
    pub async fn acquire(target: &Target, wait: Duration, ctx: &Context) -> Result<Self> {
        let session = pg::connect(target, pg::Purpose::Lock, ctx).await?;
        let database = advisory::own_database(&session).await?;
        Self::obtain(session, database, wait, ctx).await
    }

    /// As [`RunLock::acquire`]; who waits looks on through `from`, a session that it has anyway. Replicas that wait
    /// behind a pooler would otherwise take the connections that the run they wait for needs.
    pub async fn acquire_from(
        from: &Session,
        target: &Target,
        wait: Duration,
        ctx: &Context,
    ) -> Result<Self> {
        let database = advisory::own_database(from).await?;
        let attempt = async || {
            let holders = advisory::holders(from, database).await?;
            if !holders.is_empty() {
                return Ok(None);
            }
            let session = pg::connect(target, pg::Purpose::Lock, ctx).await?;
            if advisory::try_lock(&session, database).await? {
                return Ok(Some(session));
            }
            session.close().await;
            Ok(None)
        };
        let session = wait_for(from, database, wait, ctx, attempt).await?;
        Self::on(session, database)
    }

    /// As [`RunLock::acquire`], of any database, on a session that is there already.
    pub async fn obtain(
        session: Session,
        database: u32,
        wait: Duration,
        ctx: &Context,
    ) -> Result<Self> {
        let attempt = async || {
            let obtained = advisory::try_lock(&session, database).await?;
            Ok(obtained.then_some(()))
        };
        wait_for(&session, database, wait, ctx, attempt).await?;
        Self::on(session, database)
    }

    fn on(session: Session, database: u32) -> Result<Self> {
        faults::reach(Point::LockTaken)?;
        Ok(Self {
            held: Mutex::new(Held {
                session: Arc::new(session),
                database,
                elsewhere: false,
                swapped: false,
            }),
        })
    }

    fn held(&self) -> Held {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// The connection that holds it; for short autocommit queries only.
    pub fn session(&self) -> Arc<Session> {
        self.held().session
    }

    /// From now on `keeper` holds the lock, of `database`: the same one, or the one that a swap has put in its
    /// place. Nobody can be connected to a database that is renamed.
    pub fn hand_over(&self, keeper: Session, database: u32) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Held {
            session: Arc::new(keeper),
            database,
            elsewhere: true,
            swapped: held.swapped || held.database != database,
        };
    }

    /// Whether the connection that holds it is one to another database.
    pub fn is_elsewhere(&self) -> bool {
        self.held().elsewhere
    }

    /// Whether a swap has put another database in the place of the first one.
    pub fn is_swapped(&self) -> bool {
        self.held().swapped
    }

    /// Whether this connection still holds the lock, asked of the server.
    pub async fn is_held(&self) -> bool {
        let held = self.held();
        if held.session.is_closed() {
            return false;
        }
        // A question that fails means that the connection, and so the lock, is gone.
        let holders = advisory::holders(&held.session, held.database).await;
        holders.is_ok_and(|holders| holders.iter().any(|holder| holder.is_us))
    }

    /// Makes sure that no other run can have begun meanwhile, and can begin from now on. A lost connection loses the lock;
    /// it is obtained again on a new one, which holds it from now on, unless another run was quicker: then that one owns the
    /// recovery. Says whether it had to be obtained again.
    ///
    /// Errors: of the server; [`Kind::LockTimeout`] if another run holds it.
    pub async fn keep(&self, target: &Target, options: &RunOptions, ctx: &Context) -> Result<bool> {
        if self.is_held().await {
            return Ok(false);
        }
        ctx.warn("the connection that held the lock was lost while the migration ran");
        let calm = Context {
            stop: crate::context::Stop::never(),
            ..ctx.clone()
        };
        let waited = reach::reach(target, options, &ctx.stop, &calm).await?;
        waited.close().await;
        let regained = Self::acquire(target, REGAIN_WITHIN, &calm).await?.held();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Held {
            swapped: held.swapped,
            ..regained
        };
        Ok(true)
    }

    /// Gives the lock back by closing its connection.
    pub async fn release(self) {
        // The watch's task may still hold the other reference for an instant; the connection
        // then closes when that one is dropped.
        let held = self
            .held
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Ok(session) = Arc::try_unwrap(held.session) {
            session.close().await;
        }
    }
}

/// Attempts until one obtains something or the wait is over; `session` looks who holds the lock meanwhile.
async fn wait_for<T>(
    session: &Session,
    database: u32,
    wait: Duration,
    ctx: &Context,
    attempt: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let waited = wait_on(session, database, wait, ctx, attempt).await;
    waited.map_err(|error| match session.is_closed() {
        true => ended(session, error),
        false => error,
    })
}

async fn wait_on<T>(
    session: &Session,
    database: u32,
    wait: Duration,
    ctx: &Context,
    mut attempt: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told: Option<(String, Instant)> = None;
    loop {
        if let Some(obtained) = attempt().await? {
            return Ok(obtained);
        }
        ctx.stop.check("wait for the lock of the database")?;
        let holder = holder(session, database).await?;
        if started.elapsed() >= wait {
            return Err(not_obtained(session, wait, &holder));
        }
        tell(&mut told, holder, ctx);
        sleep(pause.min(wait.saturating_sub(started.elapsed())), ctx).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Somebody ended our connection while we waited.
fn ended(session: &Session, error: Error) -> Error {
    error
        .with_kind(Kind::LockTimeout)
        .attempting(format!("wait for the lock of {}", session.target()))
        .now("nothing was touched")
        .hint(
            "if the run that holds the lock put another database in the place of this one (--strategy \
             swap), it had to end all sessions: start again",
        )
}

/// Who holds the lock, in one phrase.
async fn holder(session: &Session, database: u32) -> Result<String> {
    let holders = advisory::holders(session, database).await?;
    let first = holders.into_iter().find(|holder| !holder.is_us);
    Ok(first.map_or_else(|| "nobody any more".to_owned(), |holder| holder.shown))
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
