//! After a failure: did anything commit, did others write, put it back, prove it (design.md §7).
//!
//! Used by a run that failed and by recovery alike. Once the server is reached nothing here looks at the wish to stop: once
//! the tool was started, only a judged database may be left behind.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::archive::Reader;
use crate::catalog::AcceptedLosses;
use crate::compare::counted;
use crate::context::{Context, Stop};
use crate::error::{Attempt, Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{Session, Target};
use crate::rollback::{
    self, Commit, Decision, Mark, RollbackOptions, RollbackReport, Rung, Strategy,
};
use crate::run::blockers;
use crate::run::chronicle::Seen;
use crate::run::driver::doubt::Doubt;
use crate::run::driver::earlier::{self, Earlier};
use crate::run::driver::lingering;
use crate::run::driver::withheld::Plight;
use crate::run::fence;
use crate::run::keeping::{Keeping, Noting};
use crate::run::preflight::Facts;
use crate::run::reach;
use crate::run::sightings::{self, Window};
use crate::run::writers::{self, Observed, Watch};
use crate::run::{OnOtherWriters, OtherWriter, RunOptions};
use crate::store::Store;

/// How long a tool that exited by itself may take to disconnect.
const LEAVE_BY_ITSELF: Duration = Duration::from_secs(2);
/// After this much cancelling the tool's sessions are terminated.
const CANCEL_FOR: Duration = Duration::from_secs(1);
/// After this a session that cannot be ended leaves the database in doubt.
const END_WITHIN: Duration = Duration::from_secs(20);
/// Time between two looks at the tool's sessions.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is judged.
pub struct Case<'a> {
    pub target: &'a Target,
    pub options: &'a RunOptions,
    pub store: &'a Store,
    pub archive: &'a Path,
    pub window: Window,
    /// The watch of this run; recovery has none.
    pub watch: Option<&'a Watch>,
    /// Possible writers that an interrupted run had seen.
    pub seen_before: Vec<OtherWriter>,
    /// Why a run withheld the rollback that is due. That a writer has left since makes nothing undone.
    pub withheld_before: Option<String>,
    /// When the tool had ended, if nobody has written for us since; else the moment is now.
    pub ended_at: Option<Mark>,
    /// A rollback that was begun before, and may have been committed.
    pub begun: Option<Commit>,
    /// Whether the tool had a session by its name.
    pub tool_was_seen: bool,
    /// Whether the tool ended by itself: its sessions then get a moment to disconnect.
    pub by_itself: bool,
    /// Whether the archive may be of another database: a rollback by hand said so.
    pub other_database: bool,
}

/// The verdict.
pub enum Verdict {
    /// Nothing was committed, for this reason.
    Unchanged { evidence: String },
    /// It was put back, and that is proven.
    Restored(Box<RollbackReport>),
    /// It had been put back before, and that was proven; others may have written since.
    Committed(Commit),
    /// It should be put back, but others may have written.
    Withheld {
        writers: Vec<OtherWriter>,
        why: String,
        /// What the words depend on.
        plight: Plight,
    },
    /// Nobody knows what is true.
    InDoubt {
        error: Error,
        doubt: Doubt,
        /// The moment of the look at others, if it came to that.
        mark: Option<Mark>,
    },
}

/// Judges the database and puts it back if it has to be; `keeping` is told right before the
/// first statement that changes something, and what it records is synced by then.
pub async fn judge(case: &Case<'_>, ctx: &Context, keeping: &mut dyn Keeping) -> Verdict {
    // Whoever asked to stop is owed a database that is as before.
    let calm = Context {
        stop: Stop::never(),
        ..ctx.clone()
    };
    let (error, doubt, mark) = match verdict(case, &calm, &ctx.stop, keeping).await {
        Ok(Verdict::InDoubt { error, doubt, mark }) => (error, doubt, mark),
        Err(error) => {
            let doubt = Doubt::before_it_began(&error);
            (error, doubt, None)
        }
        Ok(verdict) => return verdict,
    };
    if doubt == Doubt::BrokenOff {
        return Verdict::InDoubt { error, doubt, mark };
    }
    match require_archive(case.archive).await {
        Err(why) => Verdict::InDoubt {
            error: without_archive(&why, case.begun.is_some()),
            doubt: Doubt::NoArchive,
            mark,
        },
        Ok(()) => Verdict::InDoubt { error, doubt, mark },
    }
}

/// Whether there is something to put back from: nothing is changed before every member was compared with its hash.
async fn require_archive(archive: &Path) -> Result<()> {
    let archive = archive.to_owned();
    let read = move || Reader::open(&archive).and_then(|reader| reader.require_undamaged());
    tokio::task::spawn_blocking(read)
        .await
        .attempt(|| "read the run's archive".to_owned())?
}

fn without_archive(why: &Error, begun: bool) -> Error {
    Error::new(Kind::InDoubt, "put back what the failed migration did")
        .because(why.to_string())
        .now(match begun {
            false => "nothing was put back: what the migration committed is still there",
            true => "nothing was done now; a rollback was begun before, and nobody knows whether it took effect",
        })
}

/// What was found where something has to be put back.
struct Judged {
    decision: Decision,
    /// How long that took.
    took: Duration,
    /// What others commit after this moment is told from it.
    mark: Mark,
    observed: Observed,
}

/// What a look at the database comes to.
enum Look {
    Settled(Verdict),
    Due(Box<Judged>),
}

/// Errors: nothing was tried.
async fn verdict(
    case: &Case<'_>,
    ctx: &Context,
    stop: &Stop,
    keeping: &mut dyn Keeping,
) -> Result<Verdict> {
    let session = reach::reach(case.target, case.options, stop, ctx).await?;
    let unsure = match earlier::look(&session, case.begun.as_ref()).await? {
        Earlier::Settled(verdict) => return Ok(verdict),
        Earlier::Unsure(why) => Some(why),
        Earlier::Nothing => None,
    };
    if let Some(verdict) = still_at_work(case, &session, ctx).await? {
        return Ok(verdict);
    }
    let reader = Reader::open(case.archive)?;
    let judged = match look(case, &session, &reader, ctx).await? {
        Look::Settled(verdict) => return Ok(verdict),
        Look::Due(judged) => *judged,
    };
    session.close().await;
    let plight = match unsure {
        Some(_) => Plight::MayBeBack,
        None => Plight::OthersWrote,
    };
    let known = unsure.or_else(|| case.withheld_before.clone());
    let why = known.or_else(|| obstacle(&judged.observed));
    match why.filter(|_| case.options.on_other_writers != OnOtherWriters::Discard) {
        Some(why) => Ok(withheld(judged, why, plight, ctx)),
        None => put_back(case, &reader, judged, keeping, ctx).await,
    }
}

/// Ends the tool's sessions; the verdict if others that may be its own do not end.
async fn still_at_work(
    case: &Case<'_>,
    session: &Session,
    ctx: &Context,
) -> Result<Option<Verdict>> {
    let found = end_tool_sessions(session, &case.window, case.by_itself, ctx).await?;
    // One that exited may have been a wrapper (`timeout 60 …`), whose tool has a statement at work in the server. Behind a fence
    // it has a transaction id when it writes, and is ended with the fence.
    let behind_the_fence = case.by_itself && case.window.fenced_since.is_some();
    match case.tool_was_seen || found || behind_the_fence {
        true => Ok(None),
        false => lingering::wait(session, &case.window, ctx).await,
    }
}

async fn look(case: &Case<'_>, session: &Session, reader: &Reader, ctx: &Context) -> Result<Look> {
    let started = Instant::now();
    let evidence = rollback::unchanged_by_transaction_ids(session, reader, ctx).await?;
    if let Some(evidence) = evidence {
        return Ok(Look::Settled(Verdict::Unchanged { evidence }));
    }
    // Before anything is compared: what others commit meanwhile is told from this moment.
    let mark = moment(case, session).await?;
    faults::reach(Point::Compare)?;
    let decision = rollback::decide(session, reader, ctx).await?;
    let took = started.elapsed();
    if let Decision::Unchanged { evidence } = decision {
        return Ok(Look::Settled(Verdict::Unchanged { evidence }));
    }
    if !case.other_database
        && let Some(why) = another_database(session, reader).await?
    {
        return Ok(Look::Settled(Verdict::Withheld {
            writers: Vec::new(),
            why,
            plight: Plight::MadeAgain,
        }));
    }
    let observed = observe(case, session).await?;
    Ok(Look::Due(Box::new(Judged {
        decision,
        took,
        mark,
        observed,
    })))
}

async fn put_back(
    case: &Case<'_>,
    reader: &Reader,
    judged: Judged,
    keeping: &mut dyn Keeping,
    ctx: &Context,
) -> Result<Verdict> {
    let Judged {
        decision,
        took,
        mark,
        observed,
    } = judged;
    let is_fenced = case.window.fenced_since.is_some() && !observed.lifted;
    let options = RollbackOptions {
        rung: case.options.rung,
        proof: case.options.proof,
        discard_other_writes: case.options.on_other_writers == OnOtherWriters::Discard,
        // Behind a fence nobody can write.
        judged_at: (!is_fenced).then(|| mark.clone()),
        jobs: case.options.jobs,
        other_database: case.other_database,
        // Accepted when the archive was taken: without it this run would not have started.
        accept_losses: AcceptedLosses::all(),
        ..RollbackOptions::default()
    };
    let judged_at = options.judged_at.as_ref();
    keeping.intend(judged_at.filter(|_| !options.discard_other_writes))?;
    let (target, store, rung) = (case.target, case.store, options.rung);
    let mut unnoted = false;
    let work = async {
        match rung {
            Rung::Swap => {
                let decided = Some(decision);
                rollback::swap(target, reader, store, &options, decided, keeping, ctx).await
            }
            _ => {
                let ledger = Noting::into_journal(keeping);
                let task = (target, reader, store, &options);
                let done = rollback::roll_back_decided(task, decision, &ledger, ctx).await;
                unnoted = ledger.has_failed();
                done
            }
        }
    };
    // Whoever connected behind the fence was told to expect to be ended.
    let mut result = blockers::watched(target, is_fenced, work, ctx).await;
    if let Ok(report) = &mut result {
        report.seconds.decide += took.as_secs_f64();
    }
    Ok(match of_rollback(result, rung, mark) {
        // What could not be written down was not done.
        Verdict::InDoubt { error, mark, .. } if unnoted => Verdict::InDoubt {
            error,
            doubt: Doubt::NotBegun,
            mark,
        },
        verdict => verdict,
    })
}

/// By what later writes are told: the end of the tool, or now.
async fn moment(case: &Case<'_>, session: &Session) -> Result<Mark> {
    if session.version().major() >= rollback::COUNTS_SINCE {
        if let Some(mark) = &case.ended_at {
            return Ok(mark.clone());
        }
        return Mark::read(session).await;
    }
    // The tool's sessions were ended just now, and what they wrote is counted by another process there.
    tokio::time::sleep(rollback::COLLECTOR_DELAY).await;
    Mark::read(session).await
}

/// Sequences that a failed migration moved on are set back, but that is no committed change: the
/// verdict is that nothing was committed (P2).
fn of_rollback(result: Result<RollbackReport>, rung: Rung, mark: Mark) -> Verdict {
    match result {
        Ok(report) if matches!(report.strategy, Strategy::Nothing | Strategy::Sequences) => {
            Verdict::Unchanged {
                evidence: report.proof,
            }
        }
        Ok(report) => Verdict::Restored(Box::new(report)),
        Err(error) if error.kind() == Kind::Withheld => Verdict::Withheld {
            writers: Vec::new(),
            why: error.to_string(),
            plight: Plight::OthersWrote,
        },
        Err(error) => Verdict::InDoubt {
            doubt: Doubt::of_rollback(&error, rung),
            mark: Some(mark),
            error,
        },
    }
}

/// P2 goes before P5: where nothing was committed nothing is withheld. Sequences that only moved
/// on are left alone then, because somebody else may have taken values from them.
fn withheld(judged: Judged, why: String, plight: Plight, ctx: &Context) -> Verdict {
    match judged.decision {
        Decision::SequencesOnly { evidence, .. } => {
            ctx.warn("sequences moved on and were left there: other sessions may use them");
            Verdict::Unchanged { evidence }
        }
        _ => Verdict::Withheld {
            writers: judged.observed.writers,
            why,
            plight,
        },
    }
}

/// Why the database is not the one that was backed up: dropped, and made again under the name.
async fn another_database(session: &Session, reader: &Reader) -> Result<Option<String>> {
    let then = reader.manifest().database.oid;
    let now = Facts::read(session).await?.database_oid;
    Ok((then != now).then(|| {
        format!("the database was dropped and made again since it was backed up: it had OID {then}, now it has {now}")
    }))
}

/// What was seen of others up to now, if a rollback would, or may, discard what they committed.
pub async fn seen(case: &Case<'_>, session: &Session) -> Result<Option<Seen>> {
    let observed = observe(case, session).await?;
    Ok(obstacle(&observed).map(|why| Seen {
        why,
        writers: observed.writers,
    }))
}

async fn observe(case: &Case<'_>, session: &Session) -> Result<Observed> {
    let mut observed = match case.watch {
        Some(watch) => watch.observe(session).await?,
        None => Observed {
            writers: writers::writers_among(&case.window, &sightings::sight(session).await?),
            ..Observed::default()
        },
    };
    if case.window.fenced_since.is_some() {
        // Behind a fence nobody has to be watched: a session that lifts it for itself is all that
        // the watch looks for.
        (observed.gap, observed.unseen) = (None, 0);
        observed.lifted = !fence::stands(session).await?;
    }
    for writer in &case.seen_before {
        if !observed.writers.iter().any(|seen| seen.pid == writer.pid) {
            observed.writers.push(writer.clone());
        }
    }
    Ok(observed)
}

/// Why a rollback could discard committed writes of others.
fn obstacle(observed: &Observed) -> Option<String> {
    if let Some(first) = observed.writers.first() {
        let more = match observed.writers.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        return Some(format!(
            "other sessions may have written since the backup: {}{more}",
            first.line()
        ));
    }
    if observed.lifted {
        return Some(
            "the fence did not stand to the end: somebody changed the database's \
             default_transaction_read_only meanwhile, so others may have written"
                .to_owned(),
        );
    }
    if observed.unseen > 0 {
        return Some(format!(
            "{} came and went while the migration ran, too quickly to see whose: short ones of the command itself, \
             or others, who may have written (--fence writes tells them apart)",
            counted(observed.unseen, "session", "sessions")
        ));
    }
    let gap = observed.gap.as_ref()?;
    // Terminated: by the migration itself, for all that is known.
    let hint = match gap.contains("57P01") {
        true => {
            "; a migration that ends all other sessions has to spare those whose application_name begins with 'pgbelay'"
        }
        false => "",
    };
    Some(format!(
        "nobody was watching for other writers for a while ({gap}){hint}"
    ))
}

/// Waits until the tool has no session left, and ends those that stay: a statement can outlive
/// the process that sent it, and commit. Returns whether there was one.
pub async fn end_tool_sessions(
    session: &Session,
    window: &Window,
    by_itself: bool,
    ctx: &Context,
) -> Result<bool> {
    let mut found = false;
    let started = Instant::now();
    let mut told = Vec::new();
    let patience = if by_itself {
        LEAVE_BY_ITSELF
    } else {
        Duration::ZERO
    };
    loop {
        let sightings = sightings::sight(session).await?;
        let pids: Vec<i32> = sightings
            .iter()
            .filter(|seen| window.is_tool(seen))
            .map(|seen| seen.pid)
            .collect();
        if pids.is_empty() {
            return Ok(found);
        }
        found = true;
        let elapsed = started.elapsed();
        if elapsed > END_WITHIN {
            return Err(stuck(session, &pids));
        }
        if let Some(ending) = elapsed.checked_sub(patience) {
            faults::reach(Point::ToolSessionsEnd)?;
            let end = if ending < CANCEL_FOR {
                sightings::cancel
            } else {
                sightings::terminate
            };
            if told != pids {
                ctx.note(format!("ending the migration's sessions {pids:?}"));
                told.clone_from(&pids);
            }
            session.query(&end(&pids)).await?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn stuck(session: &Session, pids: &[i32]) -> Error {
    Error::operation(format!(
        "end the migration's sessions on {}",
        session.target()
    ))
    .because(format!("server processes {pids:?} do not end"))
    .hint("end them with pg_terminate_backend, then run `pgbelay recover`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p5_a_blind_watch_is_an_obstacle() {
        assert!(obstacle(&Observed::default()).is_none());
        let blind = Observed {
            gap: Some("connection lost".into()),
            ..Observed::default()
        };
        assert!(obstacle(&blind).unwrap().contains("connection lost"));
    }
}
