//! Several connections that read tables under one snapshot (spec §3.9, §3.10).
//!
//! The leader holds ACCESS SHARE on every table to the end. A worker that waited for a lock of its
//! own would queue behind an ACCESS EXCLUSIVE that waits for the leader, while the leader waits for
//! the worker: a deadlock that the server cannot see. So a worker locks NOWAIT, and what it cannot
//! have goes to the leader, who owns the lock. A worker lets each lock go when its table is read,
//! so the server's table of locks holds the leader's and no more than one per worker.
//!
//! A [`Unit`] is what one connection reads in one go; members of different tables interleave.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::rows::{self, Sent};
use crate::catalog::{Catalog, Table};
use crate::context::Context;
use crate::error::{Attempt, Result};
use crate::pg::{self, Session, Sql};

/// Too many connections: of the server, of the database or of the role.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Lock not available.
const LOCKED: &str = "55P03";

/// One piece of work: a table.
#[derive(Debug, Clone)]
struct Unit {
    /// Index into `Catalog::tables`.
    index: u32,
    table: Table,
}

/// Who reads: the session that holds the locks, and workers on its snapshot.
pub(super) struct Team<'a> {
    leader: &'a Session,
    workers: Vec<Session>,
}

impl<'a> Team<'a> {
    /// The leader alone, in a transaction of any kind; tables are read in the catalog's order.
    pub(super) fn alone(leader: &'a Session) -> Self {
        Self {
            leader,
            workers: Vec::new(),
        }
    }

    /// The leader and up to `jobs - 1` workers on its snapshot; fewer where the server allows no
    /// more connections. The leader's transaction must be REPEATABLE READ.
    pub(super) async fn gather(
        leader: &'a Session,
        jobs: usize,
        tables: usize,
        ctx: &Context,
    ) -> Result<Self> {
        let mut team = Self::alone(leader);
        let wanted = jobs.min(tables).saturating_sub(1);
        if wanted == 0 {
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
                        team.workers.len() + 1,
                        wanted + 1,
                        error.reason().unwrap_or_default()
                    ));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(team)
    }

    /// Reads every table into the channel and closes the workers.
    pub(super) async fn read_tables(
        self,
        catalog: &Catalog,
        sender: mpsc::Sender<Sent>,
    ) -> Result<()> {
        let all = units(catalog)?;
        // Their foreign keys come with the extension, before the rows: they stay in order, first.
        let (configuration, units): (Vec<Unit>, Vec<Unit>) = all
            .into_iter()
            .partition(|unit| unit.table.condition.is_some());
        for unit in configuration {
            rows::read_table(self.leader, unit.index, &unit.table, &sender).await?;
        }
        let queue = Arc::new(Queue::of(units, !self.workers.is_empty()));
        let mut tasks = JoinSet::new();
        for session in self.workers {
            tasks.spawn(work(session, Arc::clone(&queue), sender.clone()));
        }
        let led = lead(self.leader, &queue, &sender);
        // Whoever fails first ends it: dropping the set ends the workers.
        let ((), finished) = tokio::try_join!(led, finish(&mut tasks))?;
        for unit in queue.returned() {
            rows::read_table(self.leader, unit.index, &unit.table, &sender).await?;
        }
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

async fn lead(leader: &Session, queue: &Queue, sender: &mpsc::Sender<Sent>) -> Result<()> {
    while let Some(unit) = queue.next() {
        rows::read_table(leader, unit.index, &unit.table, sender).await?;
    }
    Ok(())
}

async fn work(session: Session, queue: Arc<Queue>, sender: mpsc::Sender<Sent>) -> Result<Session> {
    while let Some(unit) = queue.next() {
        if lock_now(&session, &unit.table).await? {
            rows::read_table(&session, unit.index, &unit.table, &sender).await?;
        } else {
            queue.give_back(unit);
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

/// One unit for each table, in the catalog's order.
fn units(catalog: &Catalog) -> Result<Vec<Unit>> {
    let tables = catalog.tables.iter().enumerate();
    tables
        .map(|(index, table)| {
            Ok(Unit {
                index: super::manifest::small(index)?,
                table: table.clone(),
            })
        })
        .collect()
}

/// Units to read, and those that workers could not lock.
struct Queue {
    waiting: Mutex<VecDeque<Unit>>,
    returned: Mutex<Vec<Unit>>,
}

impl Queue {
    /// Largest first when several read: the last connection to finish is the one that counts.
    fn of(mut units: Vec<Unit>, largest_first: bool) -> Self {
        if largest_first {
            units.sort_by_key(|unit| (Reverse(unit.table.size_bytes), unit.index));
        }
        Self {
            waiting: Mutex::new(units.into()),
            returned: Mutex::default(),
        }
    }

    fn next(&self) -> Option<Unit> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }

    fn give_back(&self, unit: Unit) {
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        returned.push(unit);
    }

    fn returned(&self) -> Vec<Unit> {
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *returned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, size_bytes: u64) -> Table {
        Table {
            oid: 1,
            schema: "public".to_owned(),
            name: name.to_owned(),
            identity: format!("table public.{name}"),
            columns: Vec::new(),
            copy_target: String::new(),
            copy_options: String::new(),
            through: None,
            condition: None,
            size_bytes,
        }
    }

    #[test]
    fn the_largest_tables_come_first_where_several_read() {
        let catalog = Catalog {
            tables: vec![table("a", 1), table("b", 9), table("c", 1), table("d", 5)],
            ..Catalog::default()
        };
        let order = |largest_first| -> String {
            let queue = Queue::of(units(&catalog).unwrap(), largest_first);
            std::iter::from_fn(|| queue.next().map(|unit| unit.table.name)).collect()
        };
        assert_eq!(order(true), "bdac");
        assert_eq!(order(false), "abcd");
    }
}
