//! A restore with several sessions: fast, and not one transaction.
//!
//! The leader sets a [`mark`], makes what comes before the data in batches, and then several
//! workers load members and make indexes, constraints and all else from a [`schedule`] of what may
//! run now. Grants, event triggers and refreshes are the leader's again; its last transaction takes
//! the mark away. So whatever happens in between, the database says that it is not complete.

mod ahead;
mod crew;
mod definitions;
mod effort;
mod mark;
mod plan;
mod schedule;
mod tally;
mod tuning;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use self::crew::Shared;
use self::effort::Load;
use self::plan::Plan;
use self::tally::Tally;
use super::lend::Loans;
use super::work::{Ending, Work, creation};
use super::{RestoreReport, batch, empty, preflight};
use crate::archive::{Reader, Section};
use crate::catalog::{Rights, UNFINISHED_RESTORE};
use crate::context::Context;
use crate::error::{Attempt, Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{self, Session, Sql};

pub(super) use mark::refuse as refuse_unfinished;

/// How often index builds are looked at, for the person.
const LOOK: Duration = Duration::from_secs(1);

/// Sessions that can work beside the leader's; none if the restore is to be one transaction, and
/// the person is told why where that is not what was asked for.
pub(super) async fn gather(leader: &Session, jobs: usize, ctx: &Context) -> Result<Vec<Session>> {
    if jobs < 2 {
        return Ok(Vec::new());
    }
    if !mark::may_be_set(leader).await? {
        ctx.note(
            "the restore is one transaction on one connection: several would need the right to \
             CREATE in the database, for a mark while it is not complete",
        );
        return Ok(Vec::new());
    }
    let mut crew = crew::gather(leader, jobs, ctx).await?;
    if crew.len() < 2 {
        for session in crew.drain(..) {
            session.close().await;
        }
        ctx.note("the restore is one transaction on one connection");
    }
    for session in &crew {
        tuning::of_worker(session, crew.len()).await?;
    }
    Ok(crew)
}

/// What has been done that outlives a transaction.
#[derive(Default)]
struct Begun {
    marked: bool,
    loans: Loans,
}

/// Restores with the leader and the crew. An error says what is true about the database.
pub(super) async fn restore(
    leader: &Session,
    crew: Vec<Session>,
    reader: &Reader,
    ctx: &Context,
) -> Result<RestoreReport> {
    let mut pids: Vec<i32> = crew.iter().map(Session::backend_pid).collect();
    pids.push(leader.backend_pid());
    let mut begun = Begun::default();
    let worked = tokio::select! {
        biased;
        signal = ctx.stop.wait() => Err(Error::new(Kind::Interrupted(signal), "restore the archive")
            .because(format!("interrupted by signal {signal}"))),
        worked = in_steps(leader, crew, reader, ctx, &mut begun) => worked,
    };
    match worked {
        Ok(report) => Ok(report),
        Err(error) => Err(given_up(leader, &pids, &begun, error, ctx).await),
    }
}

async fn in_steps(
    leader: &Session,
    crew: Vec<Session>,
    reader: &Reader,
    ctx: &Context,
    begun: &mut Begun,
) -> Result<RestoreReport> {
    empty::require_label_providers(leader, reader.manifest()).await?;
    leader.execute(&Sql::constant("BEGIN")).await?;
    let present = preflight::require(leader, reader, ctx).await?;
    mark::set(leader, reader, ctx).await?;
    let rights = Rights::of(leader).await?;
    begun.loans = Loans::of(reader.manifest(), &present, &rights);
    // Before the answer: it may get lost.
    begun.marked = true;
    faults::reach(Point::RestoreMarkCommit)?;
    leader.execute(&Sql::constant("COMMIT")).await?;
    tuning::of_leader(leader).await?;

    let mut work = Work::new(
        leader,
        Ending::EachBatch,
        reader,
        &present,
        &begun.loans,
        ctx,
    );
    work.lend_in_standing_schemas(&rights).await?;
    definitions::make(&mut work, &crew).await?;
    work.entries(Section::Data).await?;
    at_once(leader, crew, &mut work, &present).await?;
    // What rows pass through while they are loaded may call nextval.
    let sequences = (0..reader.manifest().sequences.len()).collect();
    work.sequences(&sequences).await?;
    work.run(&begun.loans.take_back()).await?;
    work.entries(Section::Acl).await?;
    finish(leader, &mut work).await?;
    Ok(work.report)
}

/// The last transaction: without the mark, before event triggers could see it go.
async fn finish(leader: &Session, work: &mut Work<'_>) -> Result<()> {
    leader.execute(&Sql::constant("BEGIN")).await?;
    tuning::sync_at_commit(leader).await?;
    mark::remove(leader).await?;
    work.ending = Ending::Callers;
    work.last().await?;
    faults::reach(Point::RestoreLastCommit)?;
    leader.execute(&Sql::constant("COMMIT")).await
}

/// Rows, large objects and what comes after them, by everybody.
async fn at_once(
    leader: &Session,
    crew: Vec<Session>,
    work: &mut Work<'_>,
    present: &BTreeSet<usize>,
) -> Result<()> {
    let manifest = work.reader.manifest();
    // Workers take them in another order than the archive has them.
    let mut statements = HashMap::new();
    for index in work.wanted(Section::PostData) {
        statements.insert(index, creation(work.reader, index)?);
    }
    let load = Load::of(crew.len(), &statements);
    let plan = Plan::of(manifest, present, &load);
    for &index in &plan.first {
        work.member(index).await?;
    }
    work.report.tables = manifest.tables.iter().filter(|one| one.rows > 0).count();
    let tally = Tally::new(
        manifest,
        &plan.entries,
        &load,
        std::mem::take(&mut work.report),
        std::mem::take(&mut work.progress),
        work.ctx,
    );
    let shared = Shared::new(work.reader, plan.schedule, statements, tally, crew.len());
    let shared = Arc::new(shared);
    let mut tasks = JoinSet::new();
    for session in crew {
        tasks.spawn(crew::work(session, Arc::clone(&shared)));
    }
    watch(leader, &mut tasks, &shared).await?;
    (work.report, work.progress) = shared.tally.so_far();
    Ok(())
}

/// Waits for the workers and tells how their index builds go. Whoever fails first ends it:
/// dropping the set gives the others up.
async fn watch(
    leader: &Session,
    tasks: &mut JoinSet<Result<Session>>,
    shared: &Shared,
) -> Result<()> {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            ended = tasks.join_next() => match ended {
                None => return Ok(()),
                Some(ended) => {
                    let session = ended.attempt(|| "restore with several workers".to_owned())??;
                    session.close().await;
                }
            },
            _ = look.tick() => {
                let builders = shared.tally.builders();
                if !builders.is_empty() {
                    shared.tally.building(&crew::index_builds(leader, &builders).await?);
                }
            }
        }
    }
}

/// Ends what the server still does for us, takes back what was lent, and adds to the error what is
/// true about the database now: found out, not concluded.
async fn given_up(
    leader: &Session,
    pids: &[i32],
    begun: &Begun,
    error: Error,
    ctx: &Context,
) -> Error {
    let beside = pg::connect_beside(leader, pg::Purpose::Cleanup, ctx)
        .await
        .ok();
    let session = beside.as_ref().unwrap_or(leader);
    let found = cleaned_up(session, pids, begun).await;
    if let Some(session) = beside {
        session.close().await;
    }
    let database = leader.target();
    match found {
        // Whatever the kind: exit codes that promise an untouched database would lie.
        Ok(Left::Unfinished) => error.with_kind(Kind::InDoubt).now(format!(
            "the database of {database} is not complete: several transactions of the restore were \
             committed; the schema {UNFINISHED_RESTORE} marks it, and a backup, a run and another \
             restore refuse it"
        )),
        Ok(Left::Untouched) => error.narrowed(Kind::Failed).now("nothing was changed"),
        Ok(Left::Complete) => error.with_kind(Kind::InDoubt).now(format!(
            "the last transaction was committed: the database of {database} is complete"
        )),
        Err(unknown) => error.with_kind(Kind::InDoubt).now(format!(
            "the database of {database} may be incomplete ({unknown}); if it has the schema \
             {UNFINISHED_RESTORE}, it is"
        )),
    }
}

/// How a restore that ended early has left the database.
enum Left {
    Untouched,
    Unfinished,
    Complete,
}

async fn cleaned_up(session: &Session, pids: &[i32], begun: &Begun) -> Result<Left> {
    // The leader's, where there is no other: it may be inside a transaction.
    session.execute(&Sql::constant("ROLLBACK")).await?;
    let remaining = crew::end(session, pids).await?;
    if remaining > 0 {
        return Err(Error::operation("end the restore's sessions")
            .because(format!("{remaining} of them still work")));
    }
    match (begun.marked, mark::is_there(session).await?) {
        (false, _) => Ok(Left::Untouched),
        (true, false) => Ok(Left::Complete),
        (true, true) => {
            // Where a schema was never made there is nothing to take back, and the rest is tried.
            for statement in begun.loans.take_back() {
                let _ = batch::run_committed(session, &[statement]).await;
            }
            Ok(Left::Unfinished)
        }
    }
}
