//! The driver: does the I/O that the state machine allows, phase by phase (design.md §6).
//!
//! [`run`] always returns a report. Before `Migrating` every error leaves an untouched database
//! and names why; afterwards every way out goes through [`judge`], so no error can leave a
//! database that nobody looked at.

mod attempt;
mod backup;
mod desk;
mod doubt;
mod drill;
mod earlier;
mod judge;
mod lingering;
mod prepare;
mod refusals;
mod scene;
mod tool;
mod transient;
pub(in crate::run) mod verification;
pub(in crate::run) mod withheld;

use std::time::Duration;

use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::journal::{Stage, Step};
use crate::pg::{self, Purpose, Target};
use crate::rollback::{Mark, is_comparison};
use crate::run::chronicle::{FenceRecord, Proven, PutBack, RollBackBegun, Seen};
use crate::run::fence;
use crate::run::keeping::OfDesk;
use crate::run::lock::RunLock;
use crate::run::outcome::{Outcome, RunReport};
use crate::run::state::Event;
use crate::run::{RunOptions, changes, clock, outside, recover};

use attempt::Failure;
pub(in crate::run) use attempt::Ready;
pub(in crate::run) use desk::Desk;
pub(in crate::run) use doubt::Doubt;
pub(in crate::run) use judge::{Case, Verdict, end_tool_sessions, judge};
pub use refusals::refusals;
pub use scene::tidy;
pub(in crate::run) use scene::{Scene, connect};
pub(in crate::run) use tool::Tool;
pub use tool::{child_variables, own_tables};
use withheld::Plight;

/// First pause before another attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often a judgement is tried that the loss of a connection broke off.
const JUDGED_AT_MOST: u32 = 4;
/// How long the last look at the database may take.
const MARK_WITHIN: Duration = Duration::from_secs(5);
/// Bound of the pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Backs up, migrates, verifies, and rolls back when anything fails.
pub async fn run(target: &Target, options: &RunOptions, ctx: &Context) -> RunReport {
    let ctx = &clock::after_all(ctx, &options.store);
    let mut desk = Desk::new(ctx);
    let (outcome, error) = match untouched(&mut desk, target, options, ctx).await {
        Ok(Some(ready)) => migrate(&mut desk, ready).await,
        Ok(None) => (Outcome::NothingToDo, None),
        Err(error) => (desk.leave(&error), Some(error)),
    };
    desk.conclude(outcome, error)
}

/// Everything before the tool is started; none if there is nothing to do.
async fn untouched<'a>(
    desk: &mut Desk<'_>,
    target: &'a Target,
    options: &'a RunOptions,
    ctx: &'a Context,
) -> Result<Option<Ready<'a>>> {
    let mut scene = Scene::open(desk, target, options, ctx).await?;
    let recovered = recover::before_a_run(&scene.place()).await?;
    if !recovered.is_empty() {
        desk.report.recovered = recovered;
        scene.look_again().await?;
    }
    prepare::prepare(desk, scene).await
}

/// Attempts until the migration is in place or the database was judged.
async fn migrate(desk: &mut Desk<'_>, ready: Ready<'_>) -> (Outcome, Option<Error>) {
    let mut number = 1;
    loop {
        let failure = match attempt::attempt(desk, &ready, number).await {
            Ok(None) => {
                warn_if_alone_no_more(desk, &ready).await;
                changes::report(desk, &ready).await;
                break finish(desk, ready, Outcome::Migrated, None).await;
            }
            Ok(Some(failure)) => failure,
            Err(error) if desk.state().is_before_migration() => {
                let outcome = desk.leave(&error);
                break finish(desk, ready, outcome, Some(error)).await;
            }
            // A defect or a lost journal: the database is judged all the same.
            Err(error) => Failure {
                error,
                transient: false,
                by_itself: false,
                mark: None,
            },
        };
        let again = number <= ready.scene.options.retries && failure.transient;
        let mut mark = match (again, &failure.mark) {
            (true, None) => Mark::read_if_possible(&ready.lock.session()).await,
            (_, mark) => mark.clone(),
        };
        let (outcome, error) = settle(desk, &ready, failure).await;
        if again && desk.roll_back_intended {
            // Sequences that were set back are our own doing.
            mark = Mark::read_if_possible(&ready.lock.session()).await;
        }
        if !(again && outcome == Outcome::Unchanged && retry(desk, &ready, number, &error).await) {
            let outcome = or_interrupted(outcome, desk.ctx);
            break finish(desk, ready, outcome, error).await;
        }
        number += 1;
        desk.judged_at = Some(mark);
    }
}

/// Nothing is committed, and somebody asked to stop before the next attempt.
fn or_interrupted(outcome: Outcome, ctx: &Context) -> Outcome {
    match (outcome, ctx.stop.requested()) {
        (Outcome::Unchanged, Some(signal)) => Outcome::Interrupted {
            signal,
            rolled_back: false,
        },
        (outcome, _) => outcome,
    }
}

/// A migration in place stays in place, but whoever reads the report must know that another run
/// could have started beside it (P8).
async fn warn_if_alone_no_more(desk: &mut Desk<'_>, ready: &Ready<'_>) {
    if !ready.lock.is_held().await {
        desk.warn("the connection that held the lock was lost while the migration ran: another run may have started beside this one");
    }
}

/// Judges the database after a failure and says what that means.
async fn settle(
    desk: &mut Desk<'_>,
    ready: &Ready<'_>,
    failure: Failure,
) -> (Outcome, Option<Error>) {
    let started = std::time::Instant::now();
    let mut tried = 1;
    // Whether a judgement that was broken off may have put it back.
    let mut begun = false;
    let verdict = loop {
        // A judgement that was broken off may have written itself.
        let mark = failure.mark.clone().filter(|_| tried == 1);
        let verdict = match judged(desk, ready, &failure, mark).await {
            Ok(verdict) => verdict,
            Err(error) => {
                let doubt = Doubt::before_it_began(&error);
                return in_doubt(desk, &failure.error, error, doubt);
            }
        };
        let overdue = desk.ctx.stop.is_overdue(ready.scene.options.grace);
        match verdict {
            Verdict::InDoubt {
                error,
                doubt: Doubt::BrokenOff,
                ..
            } if tried < JUDGED_AT_MOST && !desk.swap_is_open && !overdue => {
                desk.warn(format!("{error}; judging the database again"));
            }
            verdict => break verdict,
        }
        begun |= desk.roll_back_intended;
        tokio::time::sleep(FIRST_PAUSE).await;
        tried += 1;
    };
    if let Verdict::InDoubt { doubt, mark, .. } = &verdict
        && doubt.leaves_it_as_it_was()
    {
        note_where_left(desk, ready, mark.clone()).await;
    }
    let concluded = conclude(desk, verdict, begun, failure.error, started.elapsed());
    // What is true now, for the report; a failure to read it changes nothing.
    let _ = attempt::read_versions_in_time(desk, ready).await;
    concluded
}

/// The next start puts back what could not be put back now. What others write until then it must not discard unseen: they are
/// told from what was there when we left.
async fn note_where_left(desk: &mut Desk<'_>, ready: &Ready<'_>, mark: Option<Mark>) {
    let scene = &ready.scene;
    let mark = match mark {
        Some(mark) => Some(mark),
        None => match pg::connect(&scene.target, Purpose::Facts, scene.ctx).await {
            Ok(session) => {
                // What is not counted yet is taken for a later write: the cautious side.
                let mark = Mark::read_if_possible(&session).await;
                session.close().await;
                mark
            }
            Err(_) => None,
        },
    };
    let left = RollBackBegun::left_at(mark);
    desk.record_if_possible(Step::RollBack, Stage::Intent, &left);
}

/// Judges once, under the lock. Errors: another run may have begun.
async fn judged(
    desk: &mut Desk<'_>,
    ready: &Ready<'_>,
    failure: &Failure,
    mark: Option<Mark>,
) -> Result<Verdict> {
    let (scene, lock) = (&ready.scene, &ready.lock);
    let regained = lock.keep(&scene.target, scene.options, scene.ctx).await?;
    desk.lock_was_lost |= regained;
    let mut case = case(ready, failure.by_itself);
    case.withheld_before.clone_from(&desk.wrote_between);
    case.ended_at = mark;
    case.begun.clone_from(&desk.commit);
    Ok(judge(&case, scene.ctx, &mut OfDesk { desk, lock }).await)
}

fn case<'a>(ready: &'a Ready<'_>, by_itself: bool) -> Case<'a> {
    let scene = &ready.scene;
    Case {
        target: &scene.target,
        options: scene.options,
        store: &scene.store,
        archive: &ready.archive,
        window: ready.watch.window(),
        watch: Some(&ready.watch),
        seen_before: Vec::new(),
        withheld_before: None,
        ended_at: None,
        begun: None,
        tool_was_seen: ready.watch.tool_was_seen(),
        by_itself,
        other_database: false,
    }
}

/// For a rollback by hand, later: what is known of others now, and by what their later writes are told (P5).
async fn remember_others(desk: &mut Desk<'_>, ready: &Ready<'_>, outcome: Outcome) {
    if desk.report.attempts == 0 {
        return;
    }
    let session = &ready.scene.session;
    // Whatever left it in doubt may still be in the way; nothing is waited for without end.
    let mark = tokio::time::timeout(MARK_WITHIN, Mark::read_if_possible(session)).await;
    desk.mark = mark.ok().flatten();
    if outcome != Outcome::Migrated {
        return;
    }
    let between = desk.wrote_between.clone().map(Seen::because);
    desk.others = match judge::seen(&case(ready, true), session).await {
        Ok(None) => between,
        Ok(seen) => seen,
        Err(error) => Some(Seen::because(format!(
            "nobody could see who wrote while it was at work ({error})"
        ))),
    };
}

fn conclude(
    desk: &mut Desk<'_>,
    verdict: Verdict,
    begun: bool,
    failure: Error,
    judged: Duration,
) -> (Outcome, Option<Error>) {
    match verdict {
        // Equal now: the commit whose answer was lost had taken effect.
        Verdict::Unchanged { evidence } if begun => {
            desk.spend("decide", judged);
            proven(
                desk,
                Proven::Restored,
                Event::ProvenRestored,
                evidence,
                failure,
            )
        }
        Verdict::Unchanged { evidence } => {
            desk.spend("decide", judged);
            proven(
                desk,
                Proven::Unchanged,
                Event::ProvenUnchanged,
                evidence,
                failure,
            )
        }
        Verdict::Restored(report) => {
            let seconds = report.seconds;
            for (phase, spent) in [
                ("decide", seconds.decide),
                ("save", seconds.save),
                ("rollback", seconds.rollback),
                ("proof", seconds.proof),
            ] {
                desk.spend(phase, Duration::from_secs_f64(spent.max(0.0)));
            }
            desk.report.strategy = Some(format!("{:?}", report.strategy).to_lowercase());
            desk.report.saved.clone_from(&report.saved);
            desk.report.kept = report.kept;
            desk.report.not_brought_back = report.not_brought_back;
            proven(
                desk,
                Proven::Restored,
                Event::ProvenRestored,
                report.proof,
                failure,
            )
        }
        Verdict::Committed(commit) => {
            desk.spend("decide", judged);
            desk.report.not_brought_back = commit.not_brought_back;
            proven(
                desk,
                Proven::Restored,
                Event::ProvenRestored,
                commit.proof,
                failure,
            )
        }
        Verdict::Withheld {
            writers,
            why,
            plight,
        } => withheld(desk, writers, why, plight, &failure),
        Verdict::InDoubt { error, doubt, .. } => in_doubt(desk, &failure, error, doubt),
    }
}

fn proven(
    desk: &mut Desk<'_>,
    what: Proven,
    event: Event,
    proof: String,
    failure: Error,
) -> (Outcome, Option<Error>) {
    let record = PutBack {
        proven: Some(what),
        proof: proof.clone(),
        not_brought_back: desk.report.not_brought_back.clone(),
    };
    desk.record_if_possible(Step::RollBack, Stage::Outcome, &record);
    if let Err(defect) = desk.to(event) {
        return (Outcome::InDoubt, Some(defect));
    }
    let rolled_back = what == Proven::Restored;
    let now = if rolled_back {
        format!("the database was put back: {proof}")
    } else if is_comparison(&proof) {
        format!("nothing differs from the backup, the database is as it was: {proof}")
    } else {
        format!("nothing was committed, the database is as it was: {proof}")
    };
    desk.report.proof = Some(proof);
    let outcome = match (failure.kind(), rolled_back) {
        (Kind::Interrupted(signal), rolled_back) => Outcome::Interrupted {
            signal,
            rolled_back,
        },
        (_, true) => Outcome::RolledBack,
        (_, false) => Outcome::Unchanged,
    };
    (outcome, Some(failure.now(now)))
}

fn withheld(
    desk: &mut Desk<'_>,
    writers: Vec<crate::run::OtherWriter>,
    why: String,
    plight: Plight,
    failure: &Error,
) -> (Outcome, Option<Error>) {
    let archive = desk.report.archive.clone().unwrap_or_default();
    let what = "the failed migration";
    let error = withheld::of(plight, what, &why, &writers, &archive, Some(failure));
    desk.others = Some(Seen {
        why,
        writers: writers.clone(),
    });
    desk.report.other_writers = writers;
    match desk.to(Event::OtherWritersSeen) {
        Ok(()) => (Outcome::Withheld, Some(error)),
        Err(defect) => (Outcome::InDoubt, Some(defect)),
    }
}

fn in_doubt(
    desk: &mut Desk<'_>,
    failure: &Error,
    error: Error,
    doubt: Doubt,
) -> (Outcome, Option<Error>) {
    let record = PutBack {
        proven: None,
        proof: error.to_string(),
        not_brought_back: Vec::new(),
    };
    match doubt.stays_open() {
        true => desk.hand_over_journal(),
        false => desk.record_if_possible(Step::RollBack, Stage::Outcome, &record),
    }
    if desk.to(Event::RollbackFailed).is_err() {
        desk.warn("the run ended in a state that the machine does not know");
    }
    let archive = desk.report.archive.clone().unwrap_or_default();
    let said = format!(
        "{}. The migration had failed: {failure}",
        error.reason().unwrap_or_default()
    );
    let told = error.kind() == Kind::InDoubt && error.database_now().is_some();
    let mut error = error.with_kind(Kind::InDoubt).because(said);
    if !told {
        error = error.now("nobody knows yet: it may hold what the failed migration committed");
    }
    let steps = doubt.next_steps(&archive).into_iter();
    (Outcome::InDoubt, Some(steps.fold(error, Error::hint)))
}

/// Waits a little and brings the machine back to where the tool may start; false if somebody
/// asked to stop.
async fn retry(desk: &mut Desk<'_>, ready: &Ready<'_>, number: u32, error: &Option<Error>) -> bool {
    let ctx = ready.scene.ctx;
    let pause = pause_before(number, ctx);
    let reason = error.as_ref().map(ToString::to_string).unwrap_or_default();
    desk.warn(format!(
        "attempt {number} failed and committed nothing ({reason}); trying again in {:.1} s",
        pause.as_secs_f64()
    ));
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        _ = ctx.stop.wait() => return false,
    }
    // The watch ended with the connection that was lost: another attempt would have nobody who looks at others.
    if desk.lock_was_lost || !ready.lock.is_held().await {
        return false;
    }
    // Settled: what the next attempt does is judged by itself.
    desk.roll_back_intended = false;
    desk.commit = None;
    desk.to(Event::Retry).is_ok()
}

/// Doubles, with up to half of it taken off, so that several runs do not meet again.
fn pause_before(number: u32, ctx: &Context) -> Duration {
    let full = FIRST_PAUSE
        .saturating_mul(1 << number.saturating_sub(1).min(10))
        .min(LONGEST_PAUSE);
    let jitter = f64::from(ctx.now().timestamp_subsec_micros() % 1000) / 2000.0;
    full.mul_f64(1.0 - jitter)
}

async fn finish(
    desk: &mut Desk<'_>,
    ready: Ready<'_>,
    outcome: Outcome,
    error: Option<Error>,
) -> (Outcome, Option<Error>) {
    remember_others(desk, &ready, outcome).await;
    let Ready {
        lock,
        watch,
        mut scene,
        fence,
        archive,
        ..
    } = ready;
    drop(watch);
    if desk.report.attempts > 0 {
        desk.report.outside = Some(outside(&scene.target, &archive, scene.ctx).await);
    }
    let concluded = match &fence {
        None => (outcome, error),
        Some(fence) => without_fence(desk, &mut scene, &lock, fence, (outcome, error)).await,
    };
    scene.session.close().await;
    lock.release().await;
    concluded
}

/// Takes the fence down under the lock. Whoever is told that all is well must be able to write.
async fn without_fence(
    desk: &mut Desk<'_>,
    scene: &mut Scene<'_>,
    lock: &RunLock,
    fence: &FenceRecord,
    concluded: (Outcome, Option<Error>),
) -> (Outcome, Option<Error>) {
    let kept = lock.keep(&scene.target, scene.options, scene.ctx).await;
    if let Err(error) = kept {
        desk.warn(format!(
            "the fence was left to the run that holds the lock now: {error}"
        ));
        desk.hand_over_journal();
        return concluded;
    }
    if fence::take_down(desk, scene, lock, fence).await {
        return concluded;
    }
    // Without a last record the next start takes the fence down and concludes this run.
    desk.hand_over_journal();
    match concluded {
        (Outcome::Migrated, _) => {
            let by_hand = desk.report.fence.as_ref();
            let by_hand = by_hand.and_then(|report| report.to_take_down.clone());
            let error = Error::new(Kind::InDoubt, "take the fence down")
                .because("it still stands: the warnings say why")
                .now("the migration is in place and verified, but other sessions cannot write")
                .hint("pgbelay recover")
                .hint(by_hand.unwrap_or_default());
            (Outcome::InDoubt, Some(error))
        }
        other => other,
    }
}
