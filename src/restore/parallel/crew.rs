//! The sessions that work at the same time, and what one of them does.
//!
//! A worker takes the next job that may run, does it in a transaction of its own and says so;
//! where nothing may run it sleeps until somebody says so. Each data member is one COPY, so it is
//! loaded whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::plan::Plan;
use super::schedule::{Job, Next, Schedule};
use super::tally::Tally;
use super::tuning;
use crate::archive::{MemberKind, Reader};
use crate::catalog::Kind;
use crate::context::Context;
use crate::error::{Attempt, Error, Result};
use crate::pg::{self, Session, Sql};
use crate::restore::batch::{self, Statement};
use crate::restore::rows;

/// Too many connections: of the server, of the database or of the role.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Two transactions wait for each other, and the server has ended one.
const DEADLOCK: &str = "40P01";

/// How often an entry is tried again after a deadlock. Locks that its dependencies do not show (a
/// function that an index calls reads another table) cannot be foreseen.
const TRIES: usize = 5;

/// Sessions beside the leader's: as many as asked for, or fewer where the server allows no more.
pub(super) async fn gather(leader: &Session, jobs: usize, ctx: &Context) -> Result<Vec<Session>> {
    let mut crew = Vec::new();
    while crew.len() < jobs {
        match pg::connect_beside(leader, "restore worker", ctx).await {
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
}

impl Shared {
    /// Reads the text of every entry of the plan: workers take them in another order than the
    /// archive has them.
    pub fn new(reader: &Reader, plan: Plan, tally: Tally, workers: usize) -> Result<Self> {
        let mut statements = HashMap::new();
        for index in plan.entries {
            let statement = Statement {
                what: format!("create {}", reader.manifest().entries[index].identity),
                sql: Sql::deparsed(reader.entry_text(index)?),
            };
            statements.insert(index, statement);
        }
        Ok(Self {
            reader: reader.clone(),
            schedule: Mutex::new(plan.schedule),
            changed: Notify::new(),
            statements,
            tally,
            workers,
        })
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> usize {
        self.workers.saturating_sub(self.schedule().running())
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
        let next = shared.schedule().next();
        match next {
            Next::Start(node, job) => {
                worker.run(job).await?;
                shared.schedule().done(node);
                shared.changed.notify_waiters();
            }
            Next::Wait => changed.await,
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
    async fn run(&mut self, job: Job) -> Result<()> {
        match job {
            Job::Member(index) => self.load(index).await,
            Job::LargeObjects => self.large_objects().await,
            Job::Entry(index) => self.make(index).await,
        }
    }

    async fn load(&self, index: usize) -> Result<()> {
        let shared = &self.shared;
        let reader = shared.reader.clone();
        let member = reader.manifest().members[index].clone();
        let table = rows::table_of(reader.manifest(), &member)?.clone();
        shared
            .tally
            .begins(self.session.backend_pid(), &table.identity, false);
        let reading = tokio::task::spawn_blocking(move || {
            rows::read_member(&reader, index, &table).map(|rows| (rows, table))
        });
        let (rows, table) = reading
            .await
            .attempt(|| "read a member of the archive".to_owned())??;
        let bytes = rows::send_member(&self.session, index, &table, &member, rows).await?;
        shared.tally.loaded(bytes, member.rows);
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

    async fn make(&mut self, index: usize) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some(statement) = shared.statements.get(&index) else {
            return Ok(());
        };
        let entry = &shared.reader.manifest().entries[index];
        let builds = [Kind::Index, Kind::Constraint].map(Kind::name);
        let builds = builds.contains(&entry.kind.as_str());
        if builds {
            self.let_help(shared.idle()).await?;
        }
        shared
            .tally
            .begins(self.session.backend_pid(), &statement.what, builds);
        let mut tries = 0;
        loop {
            tries += 1;
            match batch::run_one(&self.session, statement).await {
                Ok(()) => break,
                Err(error) if error.sqlstate() == Some(DEADLOCK) && tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
        shared.tally.made(index);
        Ok(())
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
