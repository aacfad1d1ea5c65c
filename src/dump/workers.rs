//! Several connections that read tables under one snapshot (spec §3.9, §3.10).
//!
//! The leader holds ACCESS SHARE on every table to the end. A worker that waited for a lock of its
//! own would queue behind an ACCESS EXCLUSIVE that waits for the leader, while the leader waits for
//! the worker: a deadlock that the server cannot see. So a worker locks NOWAIT, and what it cannot
//! have goes to the leader, who owns the lock. A worker lets each lock go when its table is read,
//! so the server's table of locks holds the leader's and no more than one per worker.
//!
//! A [`Unit`] is what one connection reads in one go: a table or a part of one. Members of
//! different units interleave. Beside workers the leader reads only what they give back: it runs on
//! the thread that waits for everything, and waking that for each packet costs more than the rows.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::rows::{self, Sent};
use super::units::{self, Unit};
use crate::catalog::{Catalog, Table};
use crate::context::Context;
use crate::error::{Attempt, Error, Result};
use crate::pg::{self, Session, Sql};

/// Too many connections: of the server, of the database or of the role.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Lock not available.
const LOCKED: &str = "55P03";

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

    /// The leader and up to `jobs` workers on its snapshot; fewer where the server allows no more
    /// connections, none where one is enough. The leader's transaction must be REPEATABLE READ.
    pub(super) async fn gather(
        leader: &'a Session,
        catalog: &Catalog,
        jobs: usize,
        unit_bytes: u64,
        ctx: &Context,
    ) -> Result<Self> {
        let mut team = Self::alone(leader, catalog)?;
        let units = units::in_ranges(catalog, unit_bytes)?;
        let wanted = jobs.min(units.len());
        if wanted < 2 {
            return Ok(team);
        }
        let export = Sql::constant("SELECT pg_catalog.pg_export_snapshot() AS snapshot");
        let snapshot = leader.query_one(&export).await?.string("snapshot")?;
        while team.workers.len() < wanted {
            match worker(leader, &snapshot, ctx).await {
                Ok(session) => team.workers.push(session),
                Err(error) if error.sqlstate() == Some(TOO_MANY_CONNECTIONS) => {
                    ctx.note(format!(
                        "the backup reads with {} instead of {} connections: {}",
                        team.workers.len().max(1),
                        wanted,
                        error.reason().unwrap_or_default()
                    ));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if !team.workers.is_empty() {
            team.units = units;
        }
        Ok(team)
    }

    /// What is going to be read.
    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Reads every table into the channel and closes the workers.
    pub(super) async fn read_tables(self, sender: mpsc::Sender<Sent>) -> Result<()> {
        // Their foreign keys come with the extension, before the rows: they stay in order, first.
        let (configuration, units): (Vec<Unit>, Vec<Unit>) = self
            .units
            .into_iter()
            .partition(|unit| unit.table.condition.is_some());
        read_all(self.leader, configuration, &sender).await?;
        if self.workers.is_empty() {
            return read_all(self.leader, units, &sender).await;
        }
        let queue = Arc::new(Queue::of(units));
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

async fn worker(leader: &Session, snapshot: &str, ctx: &Context) -> Result<Session> {
    let session = pg::connect_beside(leader, "worker", ctx).await?;
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
async fn read_all(session: &Session, units: Vec<Unit>, sender: &mpsc::Sender<Sent>) -> Result<()> {
    for unit in units {
        rows::read_unit(session, &unit, sender).await?;
    }
    Ok(())
}

/// Reads what workers give back, until none is left who could.
async fn lead(
    leader: &Session,
    mut given_back: mpsc::UnboundedReceiver<Unit>,
    sender: &mpsc::Sender<Sent>,
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
    sender: mpsc::Sender<Sent>,
) -> Result<Session> {
    while let Some(unit) = queue.next() {
        if lock_now(&session, &unit.table).await? {
            rows::read_unit(&session, &unit, &sender).await?;
        } else {
            give_back.send(unit).map_err(|_| {
                Error::operation("give a table back").because("nobody leads the backup any more")
            })?;
        }
        let release = Sql::constant("ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit");
        session.execute(&release).await?;
    }
    Ok(session)
}

/// Takes the table's lock if that needs no waiting; a failure leaves the snapshot usable.
async fn lock_now(session: &Session, table: &Table) -> Result<bool> {
    let lock = Sql::constant("SAVEPOINT unit; LOCK TABLE ONLY ")
        .qualified(&table.schema, &table.name)
        .then(" IN ACCESS SHARE MODE NOWAIT");
    match session.execute(&lock).await {
        Ok(()) => Ok(true),
        Err(error) if error.sqlstate() == Some(LOCKED) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Units that nobody reads yet.
struct Queue(Mutex<VecDeque<Unit>>);

impl Queue {
    /// Largest first: the last connection to finish is the one that counts.
    fn of(mut units: Vec<Unit>) -> Self {
        units.sort_by_key(|unit| (Reverse(unit.bytes), unit.number));
        Self(Mutex::new(units.into()))
    }

    fn next(&self) -> Option<Unit> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let queue = Queue::of(units);
            std::iter::from_fn(|| queue.next().map(|unit| unit.table.copy_target.clone())).collect()
        };
        assert_eq!(order(units::whole(&catalog).unwrap()), "bdac");
        assert_eq!(order(units::in_ranges(&catalog, 4).unwrap()), "bbbddac");
    }
}
