//! Several connections that read tables under one snapshot (spec §3.9, §3.10).
//!
//! The leader holds ACCESS SHARE on every table to the end. A worker that waited for a lock of its
//! own would queue behind an ACCESS EXCLUSIVE that waits for the leader, while the leader waits for
//! the worker: a deadlock that the server cannot see. So a worker locks NOWAIT, and what it cannot
//! have goes to the leader, who owns the lock. A worker lets its locks go when the tables are read,
//! so the server's table of locks holds the leader's and no more than a batch per worker.
//!
//! Small tables are read in batches: one statement locks them all, and their COPYs are sent without
//! waiting for the answer to the one before, several at a time. So a table costs the server's time for it and no
//! round trip. They stay COPYs, because rows must be the same bytes however they are read.
//!
//! A [`Unit`] is what one connection reads in one go: a table or a part of one. Members of
//! different units interleave. Beside workers the leader reads only what they give back: it runs on
//! the thread that waits for everything, and waking that for each packet costs more than the rows.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::DumpOptions;
use super::rows::{self, Sent};
use super::units::{self, Unit};
use crate::catalog::Catalog;
use crate::context::Context;
use crate::error::{Attempt, Error, Result};
use crate::pg::{self, Session, Sql};

/// Lock not available.
const LOCKED: &str = "55P03";

/// How long a worker may take to connect. Whoever waits for the leader to let a shared catalog go (REINDEX of
/// another database, say) keeps new connections waiting, and the server sees no deadlock in that.
pub(super) const WORKER_WAIT: Duration = Duration::from_secs(8);

/// The server's table of locks is full.
const NO_ROOM_FOR_LOCKS: &str = "53200";

/// A table of at most so many bytes costs more round trips than reading.
const SMALL_BYTES: u64 = 64 << 10;

/// A single table of more bytes is left to a worker, because the leader reads more slowly.
const WORTH_A_WORKER: u64 = 1 << 20;

/// Small tables that a worker locks and reads together.
const BATCH: usize = 64;

/// COPYs that a connection has been sent at a time.
const SENT_AHEAD: usize = 8;

/// Who reads what: the session that holds the locks, workers on its snapshot, and the units.
pub(super) struct Team<'a> {
    leader: &'a Session,
    workers: Vec<Session>,
    units: Vec<Unit>,
}

impl<'a> Team<'a> {
    /// The leader alone, in a transaction of any kind; tables are read whole, in the catalog's
    /// order.
    pub(super) fn alone(leader: &'a Session, catalog: &Catalog) -> Result<Self> {
        Ok(Self {
            leader,
            workers: Vec::new(),
            units: units::whole(catalog)?,
        })
    }

    /// The leader and up to `options.jobs` workers on its snapshot; fewer where the server allows no more
    /// connections, none where all that there is is one small table. The leader's transaction must be REPEATABLE READ.
    pub(super) async fn gather(
        leader: &'a Session,
        catalog: &Catalog,
        options: &DumpOptions,
        ctx: &Context,
    ) -> Result<Self> {
        let streams = streams(leader, options);
        let units = units::for_streams(catalog, streams, options.unit_bytes)?;
        let wanted = options.jobs.min(units.len());
        let is_one_and_small = wanted < 2 && units.iter().all(|one| one.bytes <= WORTH_A_WORKER);
        if options.jobs < 2 || is_one_and_small {
            return Self::alone(leader, catalog);
        }
        let mut team = Self {
            leader,
            workers: Vec::new(),
            units,
        };
        let export = Sql::constant("SELECT pg_catalog.pg_export_snapshot() AS snapshot");
        let snapshot = leader.query_one(&export).await?.string("snapshot")?;
        while team.workers.len() < wanted {
            match connected(leader, options.worker_wait, ctx).await {
                Ok(session) => team.workers.push(on_snapshot(session, &snapshot).await?),
                // The leader is connected, and can do without.
                Err(_) if wanted == 1 => break,
                Err(error) => {
                    ctx.note(format!(
                        "the backup reads with {} instead of {} connections: {}",
                        team.workers.len().max(1),
                        wanted,
                        error.reason().unwrap_or_default()
                    ));
                    break;
                }
            }
        }
        match team.workers.is_empty() {
            true => Self::alone(leader, catalog),
            false => Ok(team),
        }
    }

    /// What is going to be read.
    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Reads every table into the channel and closes the workers.
    pub(super) async fn read_tables(self, sender: mpsc::Sender<Vec<Sent>>) -> Result<()> {
        // Their foreign keys come with the extension, before the rows: they stay in order, first.
        let (configuration, units): (Vec<Unit>, Vec<Unit>) = self
            .units
            .into_iter()
            .partition(|unit| unit.table.condition.is_some());
        read_all(self.leader, configuration, &sender).await?;
        if self.workers.is_empty() {
            return read_all(self.leader, units, &sender).await;
        }
        let queue = Arc::new(Queue::of(units, self.workers.len()));
        let (give_back, given_back) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for session in self.workers {
            let queue = Arc::clone(&queue);
            tasks.spawn(work(session, queue, give_back.clone(), sender.clone()));
        }
        drop(give_back);
        let led = lead(self.leader, given_back, &sender);
        // Whoever fails first ends it: dropping the set ends the workers.
        let ((), finished) = tokio::try_join!(led, finish(&mut tasks))?;
        for session in finished {
            session.close().await;
        }
        Ok(())
    }
}

/// See [`DumpOptions::streams`]. One that the server makes and one that compresses it keep two processors
/// busy; where these are the server's own, more streams would only take turns.
fn streams(leader: &Session, options: &DumpOptions) -> u64 {
    let jobs = options.jobs as u64;
    options
        .streams
        .unwrap_or(match leader.shares_the_machine() {
            true => jobs.div_ceil(2),
            false => jobs,
        })
}

async fn connected(leader: &Session, wait: Duration, ctx: &Context) -> Result<Session> {
    let connecting = pg::connect_beside(leader, pg::Purpose::Worker, ctx);
    let late = |_| Error::operation("connect a worker").because("it took too long");
    tokio::time::timeout(wait, connecting).await.map_err(late)?
}

async fn on_snapshot(session: Session, snapshot: &str) -> Result<Session> {
    session.execute(&pg::BEGIN_SNAPSHOT).await?;
    let import = Sql::constant("SET TRANSACTION SNAPSHOT ").literal(snapshot);
    session.execute(&import).await?;
    crate::catalog::restrict(&session).await?;
    Ok(session)
}

async fn finish(tasks: &mut JoinSet<Result<Session>>) -> Result<Vec<Session>> {
    let mut sessions = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        sessions.push(ended.attempt(|| "read tables with a worker".to_owned())??);
    }
    Ok(sessions)
}

/// Reads one unit after the other.
async fn read_all(
    session: &Session,
    units: Vec<Unit>,
    sender: &mpsc::Sender<Vec<Sent>>,
) -> Result<()> {
    for unit in units {
        rows::read_unit(session, &unit, sender).await?;
    }
    Ok(())
}

/// Reads what workers give back, until none is left who could.
async fn lead(
    leader: &Session,
    mut given_back: mpsc::UnboundedReceiver<Unit>,
    sender: &mpsc::Sender<Vec<Sent>>,
) -> Result<()> {
    while let Some(unit) = given_back.recv().await {
        rows::read_unit(leader, &unit, sender).await?;
    }
    Ok(())
}

async fn work(
    session: Session,
    queue: Arc<Queue>,
    give_back: mpsc::UnboundedSender<Unit>,
    sender: mpsc::Sender<Vec<Sent>>,
) -> Result<Session> {
    while let Some(units) = queue.next() {
        if units.len() > 1 && lock_now(&session, &units).await? {
            read_together(&session, &units, &sender).await?;
            release(&session).await?;
            continue;
        }
        for unit in units {
            if lock_now(&session, std::slice::from_ref(&unit)).await? {
                rows::read_unit(&session, &unit, &sender).await?;
                release(&session).await?;
            } else {
                give_back.send(unit).map_err(|_| {
                    Error::operation("give a table back")
                        .because("nobody leads the backup any more")
                })?;
            }
        }
    }
    Ok(session)
}

/// Reads small tables whose locks `session` holds, and hands them on together. The first error is the
/// one that counts: the others are its echo, because it ends the transaction.
async fn read_together(
    session: &Session,
    units: &[Unit],
    sender: &mpsc::Sender<Vec<Sent>>,
) -> Result<()> {
    let (give, mut taken) = mpsc::channel(SENT_AHEAD);
    let read = async {
        let give = give;
        let reads = units
            .iter()
            .map(|unit| rows::read_unit(session, unit, &give));
        // Collected, because the compiler cannot see that a stream of borrowing futures may be sent.
        let reads: Vec<_> = reads.collect();
        let mut reads = stream::iter(reads).buffered(SENT_AHEAD);
        while reads.try_next().await?.is_some() {}
        Ok(())
    };
    let pass_on = async {
        let mut together = Vec::new();
        while let Some(sent) = taken.recv().await {
            together.extend(sent);
            if together.iter().map(Sent::bytes).sum::<usize>() >= rows::PIECE_BYTES {
                rows::hand_over(sender, std::mem::take(&mut together)).await?;
            }
        }
        rows::hand_over(sender, together).await
    };
    tokio::try_join!(read, pass_on).map(|_| ())
}

/// Lets the locks go that [`lock_now`] took.
async fn release(session: &Session) -> Result<()> {
    let release = Sql::constant("ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit");
    session.execute(&release).await
}

/// Takes the tables' locks if that needs no waiting; where not, it has none of them, and the snapshot
/// stays usable.
async fn lock_now(session: &Session, units: &[Unit]) -> Result<bool> {
    let mut lock = Sql::constant("SAVEPOINT unit; LOCK TABLE ONLY ");
    for (place, unit) in units.iter().enumerate() {
        lock = lock.then(if place == 0 { "" } else { ", ONLY " });
        lock = lock.qualified(&unit.table.schema, &unit.table.name);
    }
    match session
        .execute(&lock.then(" IN ACCESS SHARE MODE NOWAIT"))
        .await
    {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.sqlstate(), Some(LOCKED | NO_ROOM_FOR_LOCKS)) => {
            release(session).await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Units that nobody reads yet.
struct Queue {
    waiting: Mutex<VecDeque<Unit>>,
    workers: usize,
}

impl Queue {
    /// Largest first: the last connection to finish is the one that counts.
    fn of(mut units: Vec<Unit>, workers: usize) -> Self {
        units.sort_by_key(|unit| (Reverse(unit.bytes), unit.number));
        Self {
            waiting: Mutex::new(units.into()),
            workers: workers.max(1),
        }
    }

    /// One unit, or several small ones: fewer towards the end, so that workers finish together.
    fn next(&self) -> Option<Vec<Unit>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let first = waiting.front()?;
        let count = match first.bytes <= SMALL_BYTES && first.blocks.is_none() {
            true => (waiting.len() / (2 * self.workers)).clamp(1, BATCH),
            false => 1,
        };
        Some(waiting.drain(..count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Table;
    use crate::dump::rows::tests::table;

    #[test]
    fn the_largest_units_come_first() {
        let sized = |name: &str, size_bytes| Table {
            size_bytes,
            heap_blocks: size_bytes,
            ..table(name)
        };
        let catalog = Catalog {
            tables: vec![sized("a", 1), sized("b", 9), sized("c", 1), sized("d", 5)],
            ..Catalog::default()
        };
        let order = |units| -> String {
            let queue = Queue::of(units, 2);
            std::iter::from_fn(|| queue.next())
                .flatten()
                .map(|unit| unit.table.copy_target.clone())
                .collect()
        };
        assert_eq!(order(units::whole(&catalog).unwrap()), "bdac");
        assert_eq!(order(units::in_ranges(&catalog, 4).unwrap()), "bbbddac");
    }

    #[test]
    fn small_units_come_in_batches_that_shrink() {
        let sized = |size_bytes| Table {
            size_bytes,
            ..table("t")
        };
        let mut tables = vec![sized(SMALL_BYTES + 1); 2];
        tables.extend(vec![sized(SMALL_BYTES); 300]);
        let catalog = Catalog {
            tables,
            ..Catalog::default()
        };
        let queue = Queue::of(units::whole(&catalog).unwrap(), 2);
        let batches = std::iter::from_fn(|| queue.next());
        let sizes: Vec<usize> = batches.map(|batch| batch.len()).collect();
        assert_eq!(sizes[..4], [1, 1, BATCH, 59]);
        assert_eq!(sizes.iter().sum::<usize>(), 302);
        assert_eq!(sizes.last(), Some(&1));
    }
}
