//! The sessions that work at the same time, and what one of them does.
//!
//! A worker takes the next job that may run, and small ones of the same sort with it, does them in
//! one transaction and says so; where nothing may run it sleeps until somebody says so. Members are
//! loaded whole or not at all, and the next one is read while one is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ahead::Ahead;
use super::schedule::{Job, Next, NodeId, Schedule};
use super::tally::Tally;
use super::tuning;
use crate::archive::{MemberKind, Reader};
use crate::catalog::Kind;
use crate::context::Context;
use crate::error::{Attempt, Error, Result};
use crate::pg::{self, Session, Sql};
use crate::restore::batch::{self, Statement};
use crate::restore::memory::{self, Memory};
use crate::restore::rows::{self, Loading};

/// Too many connections: of the server, of the database or of the role.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Two transactions wait for each other, and the server has ended one.
const DEADLOCK: &str = "40P01";

/// From which weight on (see [`Tally::weight`]) others may help to build an index. The server itself
/// scans smaller tables with one process.
const HELPED_FROM: u64 = 1 << 20;

/// How often an entry is tried again after a deadlock. Locks that its dependencies do not show (a
/// function that an index calls reads another table) cannot be foreseen.
const TRIES: usize = 5;

/// Sessions beside the leader's: as many as asked for, or fewer where the server allows no more.
pub(super) async fn gather(leader: &Session, jobs: usize, ctx: &Context) -> Result<Vec<Session>> {
    let mut crew = Vec::new();
    while crew.len() < jobs {
        match pg::connect_beside(leader, pg::Purpose::RestoreWorker, ctx).await {
            Ok(session) => crew.push(session),
            Err(error) if error.sqlstate() == Some(TOO_MANY_CONNECTIONS) => {
                ctx.note(format!(
                    "the restore works with {} instead of {jobs} connections: {}",
                    crew.len().max(1),
                    error.reason().unwrap_or_default()
                ));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(crew)
}

/// What all workers share.
pub(super) struct Shared {
    reader: Reader,
    schedule: Mutex<Schedule>,
    changed: Notify,
    statements: HashMap<usize, Statement>,
    pub tally: Tally,
    workers: usize,
    /// Workers that have nothing to do.
    idle: AtomicUsize,
}

impl Shared {
    pub fn new(
        reader: &Reader,
        schedule: Schedule,
        statements: HashMap<usize, Statement>,
        tally: Tally,
        workers: usize,
    ) -> Self {
        Self {
            reader: reader.clone(),
            schedule: Mutex::new(schedule),
            changed: Notify::new(),
            statements,
            tally,
            workers,
            idle: AtomicUsize::new(0),
        }
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one transaction does next.
    fn take(&self) -> (Next, Vec<(NodeId, Job)>) {
        let mut schedule = self.schedule();
        let next = schedule.next();
        let Next::Start(node, job) = next else {
            return (next, Vec::new());
        };
        let mut taken = vec![(node, job)];
        taken.extend(schedule.along(node, self.workers));
        (next, taken)
    }

    fn done(&self, taken: &[(NodeId, Job)]) {
        let mut schedule = self.schedule();
        for (node, _) in taken {
            schedule.done(*node);
        }
        drop(schedule);
        self.changed.notify_waiters();
    }
}

/// Works until everything is done.
pub(super) async fn work(session: Session, shared: Arc<Shared>) -> Result<Session> {
    let mut worker = Worker {
        session,
        shared,
        helpers: None,
    };
    loop {
        let shared = Arc::clone(&worker.shared);
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        // Before asking: what is done in between must wake us.
        changed.as_mut().enable();
        let (next, taken) = shared.take();
        match next {
            Next::Start(_, job) => {
                worker.run(job, &taken).await?;
                shared.done(&taken);
            }
            Next::Wait => {
                shared.idle.fetch_add(1, Ordering::Relaxed);
                changed.await;
                shared.idle.fetch_sub(1, Ordering::Relaxed);
            }
            Next::Finished => return Ok(worker.session),
            Next::Stuck => {
                return Err(Error::operation("order the indexes and constraints")
                    .because("the archive's dependencies form a circle"));
            }
        }
    }
}

struct Worker {
    session: Session,
    shared: Arc<Shared>,
    /// What `max_parallel_maintenance_workers` was set to.
    helpers: Option<usize>,
}

impl Worker {
    /// Does all jobs of one transaction, which are of one sort.
    async fn run(&mut self, first: Job, taken: &[(NodeId, Job)]) -> Result<()> {
        let indexes = taken.iter().filter_map(|(_, job)| match job {
            Job::Member(index) | Job::Entry(index) => Some(*index),
            Job::LargeObjects => None,
        });
        let mut indexes: Vec<usize> = indexes.collect();
        match first {
            Job::Member(_) => {
                // Members of one table stand together, and one COPY takes them.
                indexes.sort_unstable();
                self.load(&indexes).await
            }
            Job::LargeObjects => self.large_objects().await,
            Job::Entry(only) if indexes.len() == 1 => self.make(only).await,
            Job::Entry(_) => self.make_together(&indexes).await,
        }
    }

    /// Loads members in one transaction: with one COPY per table.
    async fn load(&self, members: &[usize]) -> Result<()> {
        let manifest = self.shared.reader.manifest();
        let tables = members.iter().map(|&index| manifest.members[index].table);
        let several = tables.collect::<BTreeSet<_>>().len() > 1;
        if several {
            self.session.execute(&Sql::constant("BEGIN")).await?;
        }
        self.copy(members).await?;
        if several {
            self.session.execute(&Sql::constant("COMMIT")).await?;
        }
        Ok(())
    }

    async fn copy(&self, members: &[usize]) -> Result<()> {
        let tally = &self.shared.tally;
        let manifest = self.shared.reader.manifest();
        let mut pieces = Ahead::of(&self.shared.reader, members);
        let mut under_way: Option<Loading<'_>> = None;
        while let Some((index, rows)) = pieces.next().await? {
            let member = &manifest.members[index];
            let table = rows::table_of(manifest, member)?;
            let mut loading = match under_way.take() {
                Some(loading) if loading.is_of(table) => loading,
                other => {
                    if let Some(loading) = other {
                        tally.loaded(loading.finish().await?);
                    }
                    tally.begins(self.session.backend_pid(), &table.identity, false);
                    Loading::begin(&self.session, table).await?
                }
            };
            loading.send(index, member, &rows).await;
            under_way = Some(loading);
        }
        if let Some(loading) = under_way {
            tally.loaded(loading.finish().await?);
        }
        Ok(())
    }

    async fn large_objects(&self) -> Result<()> {
        let attempted = || "load large objects".to_owned();
        let shared = &self.shared;
        shared
            .tally
            .begins(self.session.backend_pid(), &attempted(), false);
        let members = shared.reader.manifest().members.iter().enumerate();
        for (index, _) in members.filter(|(_, member)| member.kind == MemberKind::LargeObjects) {
            let number = u32::try_from(index).attempt(attempted)?;
            let text = String::from_utf8(shared.reader.member_text(number)?).attempt(attempted)?;
            let bytes = text.len() as u64;
            self.session.execute(&Sql::deparsed(text)).await?;
            shared.tally.passed(bytes);
        }
        Ok(())
    }

    /// Creates entries about small tables, in one transaction if that is possible.
    async fn make_together(&mut self, indexes: &[usize]) -> Result<()> {
        let statements = indexes
            .iter()
            .filter_map(|index| self.shared.statements.get(index));
        let statements: Vec<Statement> = statements.cloned().collect();
        if let Some(last) = statements.last() {
            let tally = &self.shared.tally;
            tally.begins(self.session.backend_pid(), &last.what, false);
        }
        match batch::at_once(&self.session, &statements).await {
            Ok(()) => indexes
                .iter()
                .for_each(|index| self.shared.tally.made(*index)),
            Err(error) if self.session.is_closed() => return Err(error),
            // One by one: the error names the culprit, and a deadlock may have passed.
            Err(_) => {
                for index in indexes {
                    self.make(*index).await?;
                }
            }
        }
        Ok(())
    }

    async fn make(&mut self, index: usize) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some(statement) = shared.statements.get(&index) else {
            return Ok(());
        };
        let entry = &shared.reader.manifest().entries[index];
        let builds = [Kind::Index, Kind::Constraint].map(Kind::name);
        let builds = builds.contains(&entry.kind.as_str());
        if builds && shared.tally.weight(index) >= HELPED_FROM {
            self.let_help(shared.idle.load(Ordering::Relaxed)).await?;
        }
        shared
            .tally
            .begins(self.session.backend_pid(), &statement.what, builds);
        let spared = match memory::builds_gin(statement) {
            true => Memory::of(&self.session)
                .await?
                .for_gin(shared.tally.table_bytes(index)),
            false => None,
        };
        if let Some((less, _)) = spared {
            memory::set(&self.session, less).await?;
        }
        self.run_until_done(statement).await?;
        if let Some((_, usual)) = spared {
            memory::set(&self.session, usual).await?;
        }
        shared.tally.made(index);
        Ok(())
    }

    async fn run_until_done(&self, statement: &Statement) -> Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            match batch::run_one(&self.session, statement).await {
                Ok(()) => return Ok(()),
                Err(error) if error.sqlstate() == Some(DEADLOCK) && tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Processors of workers that have nothing to do may help to build an index.
    async fn let_help(&mut self, idle: usize) -> Result<()> {
        if self.helpers != Some(idle) {
            tuning::set_helpers(&self.session, idle).await?;
            self.helpers = Some(idle);
        }
        Ok(())
    }
}

/// How far the index builds of these server processes are: `building index: scanning table, 40 %`.
pub(super) async fn index_builds(session: &Session, pids: &[i32]) -> Result<BTreeMap<i32, String>> {
    let sql = Sql::constant(include_str!("../sql/index_builds.sql"));
    let rows = session.query(&listed(sql, pids)).await?;
    let told = rows.iter().map(|row| {
        let phase = row.text("phase")?;
        let text = match row.opt("percent")? {
            Some(percent) => format!("{phase}, {percent} %"),
            None => phase.to_owned(),
        };
        Ok((row.number("pid")?, text))
    });
    told.collect()
}

/// Ends the server's part of sessions that were given up; how many are still there.
pub(super) async fn end(session: &Session, pids: &[i32]) -> Result<usize> {
    let sql = listed(Sql::constant(include_str!("../sql/end_sessions.sql")), pids);
    session.query(&sql).await?;
    Ok(session.query(&sql).await?.len())
}

fn listed(mut sql: Sql, pids: &[i32]) -> Sql {
    for (place, pid) in pids.iter().enumerate() {
        sql = sql.then(if place == 0 { "" } else { ", " }).number(*pid);
    }
    sql.then(")")
}
