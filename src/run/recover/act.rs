//! Doing what the replay decided, and saying in the old journal how that run ended.

use std::path::Path;

use serde_json::json;

use crate::compare::counted;
use crate::context::Context;
use crate::drill;
use crate::error::{Error, Kind, Result};
use crate::journal::{self, Journal, Stage, Step};
use crate::migrate::child;
use crate::pg;
use crate::rollback::{Commit, Mark, Settled, is_comparison};
use crate::run::chronicle::{Ending, Proven, PutBack, RollBackBegun, Seen, Story, Verified};
use crate::run::driver::withheld::{self, Plight};
use crate::run::driver::{
    Case, Doubt, Verdict, child_variables, end_tool_sessions, judge, verification,
};
use crate::run::heartbeat;
use crate::run::keeping::OfJournal;
use crate::run::lock::RunLock;
use crate::run::others;
use crate::run::outcome::{OtherWriter, Outcome};
use crate::run::outside;
use crate::run::recover::{Action, After, Place, Recovered, decide, left};
use crate::run::sightings::{self, Window};
use crate::verify::{self, CommandSettings};

/// Acts and appends the last record.
pub async fn act(
    place: &Place<'_>,
    lock: &RunLock,
    journal: &mut Journal,
    story: &Story,
) -> Result<Recovered> {
    let run = story
        .header
        .as_ref()
        .map_or("?", |header| header.run_id.as_str())
        .to_owned();
    place.ctx.note(format!(
        "the run {run} was interrupted ({})",
        journal.path().display()
    ));
    let action = decide(story)?;
    if matches!(
        action,
        Action::Verify | Action::RollBack | Action::Withheld | Action::EndSwap
    ) {
        end_left_tool(story, &run, place.ctx).await;
    }
    let recovered = match action {
        Action::Nothing | Action::StartAfresh => {
            remove_scratch(place, story, &run).await;
            never_started(&run)
        }
        Action::ConcludeMigrated => migrated(&run),
        Action::ConcludeAsBefore(proven, lost) => {
            let proof = match lost.join(", ").as_str() {
                "" => "proven by that run".to_owned(),
                names => format!("proven by that run; not brought back: {names}"),
            };
            Recovered {
                already: true,
                ..as_before(&run, proven, &proof, lost)
            }
        }
        Action::Verify => verify_or_put_back(place, lock, journal, story, &run).await?,
        Action::RollBack | Action::Withheld => put_back(place, lock, journal, story, &run).await?,
        Action::EndSwap => end_swap(place, lock, journal, story, &run).await?,
        // The journal says so already.
        Action::InDoubt => return Ok(still_in_doubt(journal, story, &run)),
    };
    if recovered.after == After::Open {
        return Ok(recovered);
    }
    let ending = Ending {
        outcome: recovered.outcome.ended_as(),
        exit_code: recovered.outcome.exit_code(),
        error: Some(
            recovered
                .error
                .as_ref()
                .map_or_else(|| "it was interrupted".to_owned(), ToString::to_string),
        ),
        migrated: story.started.is_some(),
        others: recovered.others.clone().or_else(|| unwatched(&recovered)),
        mark: Mark::read_if_possible(place.session).await,
    };
    for line in &recovered.lines {
        place.ctx.note(line.clone());
    }
    let written = journal.append(Step::End, Stage::Outcome, journal::detail_of(&ending)?);
    if written.is_ok() {
        heartbeat::forget(journal.path(), place.ctx);
    }
    Ok(with_what_was_written(recovered, written, place.ctx))
}

/// What was done to the database is true whether or not it can be written down.
fn with_what_was_written(recovered: Recovered, written: Result<()>, ctx: &Context) -> Recovered {
    let Err(error) = written else {
        return recovered;
    };
    let line = format!("{error}: the next start looks at the database again");
    ctx.warn(line.clone());
    let mut lines = recovered.lines;
    lines.push(line);
    Recovered {
        lines,
        after: After::Open,
        ..recovered
    }
}

/// Ends what a dead run's tool left running on this machine: it would go on after the database was judged.
pub async fn end_left_tool(story: &Story, run: &str, ctx: &Context) {
    if story.started.is_none() {
        return;
    }
    let ended = child::end_left(&Window::tool_name(run)).await;
    if ended > 0 {
        ctx.note(format!(
            "ended what the migration of the run {run} had left running: {}",
            counted(ended as u64, "process", "processes")
        ));
    }
}

/// Drops what the run's drill had made. What stays is told with the statement that drops it; it is no
/// reason not to start.
async fn remove_scratch(place: &Place<'_>, story: &Story, run: &str) {
    let Some(begun) = &story.drill else {
        return;
    };
    let own = (!begun.elsewhere).then_some(place.target);
    let named = place.options.scratch.as_ref();
    let target = own.or(named.filter(|target| target.masked() == begun.server));
    let removed = match target {
        None => Err(Error::operation("drop it").because(
            "name that server with PGBELAY_SCRATCH_URL; the next drill there drops it too",
        )),
        Some(target) => remove_scratch_at(place, target, &begun.scratch, run).await,
    };
    if let Err(error) = removed {
        place.ctx.warn(format!(
            "the scratch database {} of the interrupted drill may be left on {}: {}",
            begun.scratch,
            begun.server,
            error.reason().unwrap_or_default()
        ));
    }
}

async fn remove_scratch_at(
    place: &Place<'_>,
    target: &pg::Target,
    scratch: &str,
    run: &str,
) -> Result<()> {
    let server = pg::connect(target, pg::Purpose::Recover, place.ctx).await?;
    let removed = drill::remove_dead(&server, scratch, run, place.ctx).await;
    server.close().await;
    removed.map(|_| ())
}

fn never_started(run: &str) -> Recovered {
    let line =
        format!("run {run} was interrupted before it started the migration; nothing was changed");
    Recovered::ended(Outcome::Unchanged, vec![line])
}

fn migrated(run: &str) -> Recovered {
    let line = format!("run {run} had migrated; every check passed, the migration stays");
    Recovered::ended(Outcome::Migrated, vec![line])
}

fn as_before(run: &str, proven: Proven, proof: &str, lost: Vec<String>) -> Recovered {
    let (outcome, what) = match proven {
        Proven::Unchanged if is_comparison(proof) => (
            Outcome::Unchanged,
            "left nothing that differs from its backup",
        ),
        Proven::Unchanged => (Outcome::Unchanged, "had committed nothing"),
        Proven::Restored => (Outcome::RolledBack, "was rolled back"),
    };
    let line = format!("run {run} {what}; the database is as before it: {proof}");
    Recovered {
        not_brought_back: lost,
        ..Recovered::ended(outcome, vec![line])
    }
}

/// Its rollback was committed before it was interrupted: nothing was looked at now, and nothing has to be.
fn had_been_put_back(run: &str, commit: Commit) -> Recovered {
    let Commit {
        transaction, proof, ..
    } = commit;
    let line = format!(
        "run {run} was rolled back before it was interrupted: that was proven and committed (transaction {transaction}; \
         {proof}); nothing was changed now, and what others wrote since is there"
    );
    let why = "it was interrupted after its rollback, and until it was recovered nobody watched who wrote";
    Recovered {
        not_brought_back: commit.not_brought_back,
        already: true,
        others: Some(Seen::because(why.to_owned())),
        ..Recovered::ended(Outcome::RolledBack, vec![line])
    }
}

fn kept_line(name: &str) -> String {
    format!("what the migration had left is kept in the database {name}")
}

fn still_in_doubt(journal: &Journal, story: &Story, run: &str) -> Recovered {
    let said = story
        .ending
        .as_ref()
        .and_then(|ending| ending.error.clone())
        .unwrap_or_else(|| "its rollback could not be proven".to_owned());
    // Its store is where its journal is.
    let archive = story.backed_up.as_ref().map(|backup| {
        let path = journal.path().with_file_name(&backup.archive);
        path.display().to_string()
    });
    let archive = archive.unwrap_or_else(|| "ARCHIVE".to_owned());
    let error = Error::new(Kind::InDoubt, format!("go on after the run {run}"))
        .because(said)
        .now("the database was not touched now; a person has to look at it")
        .hint(format!("its journal is {}", journal.path().display()))
        .hint(format!("to put it back: pgbelay rollback {archive}"))
        .hint("if a person has put it right: pgbelay run --force");
    Recovered {
        error: Some(error),
        ..Recovered::ended(Outcome::InDoubt, vec![format!("run {run} ended in doubt")])
    }
}

async fn verify_or_put_back(
    place: &Place<'_>,
    lock: &RunLock,
    journal: &mut Journal,
    story: &Story,
    run: &str,
) -> Result<Recovered> {
    let missing = story.checks_beyond(&place.options.check_names());
    if !missing.is_empty() {
        return Ok(unchecked(run, &missing));
    }
    journal.append(Step::Verify, Stage::Intent, journal::detail_of(&json!({}))?)?;
    let verified = check(place, story).await;
    if let Err(error) = &verified
        && matches!(error.kind(), Kind::Interrupted(_))
    {
        // That is no answer to the question: the next start asks it again.
        return verified.map(|()| migrated(run)).map_err(|error| {
            error.now("the migration of the interrupted run is in place and not verified; the next start verifies it")
        });
    }
    let passed = verified.is_ok();
    let record = journal::detail_of(&Verified { passed })?;
    journal.append(Step::Verify, Stage::Outcome, record)?;
    match verified {
        Ok(()) => Ok(migrated(run)),
        Err(error) => {
            place.ctx.warn(error.to_string());
            put_back(place, lock, journal, story, run).await
        }
    }
}

/// P8: what the run was told to check is not taken for checked because the recovery was not told.
fn unchecked(run: &str, missing: &[String]) -> Recovered {
    let options = missing.join(", ");
    let error = Error::new(
        Kind::InDoubt,
        format!("verify the migration of the interrupted run {run}"),
    )
    .because(format!(
        "it was started with {options}, and this recovery was not"
    ))
    .now("the migration is in place and was not verified; nothing was touched now")
    .hint("repeat `pgbelay recover` with the same options (or variables) as the run had");
    let line = format!("run {run} was not verified: {options} missing");
    Recovered {
        error: Some(error),
        after: After::Open,
        ..Recovered::ended(Outcome::InDoubt, vec![line])
    }
}

async fn check(place: &Place<'_>, story: &Story) -> Result<()> {
    let session = pg::connect(place.target, pg::Purpose::Verify, place.ctx).await?;
    let expected = story.plan.as_ref().and_then(|plan| plan.expected.clone());
    let expected = expected.map(|heads| heads.into_iter().collect());
    let checks = verification::checks(place.options, expected, None, place.ctx);
    let settings = CommandSettings {
        variables: child_variables(place.target, place.options, place.ctx),
        secrets: place.target.secrets(),
        ..CommandSettings::default()
    };
    let report = verify::run_checks_with(&session, &checks, &settings, place.ctx).await;
    if let Err(error) = &report
        && matches!(error.kind(), Kind::Interrupted(_))
    {
        // It may be at work on a check, and holds locks that a rollback would wait for.
        let terminate = sightings::terminate(&[session.backend_pid()]);
        if let Err(error) = place.session.query(&terminate).await {
            place
                .ctx
                .warn(format!("a check may still be at work: {error}"));
        }
    }
    session.close().await;
    verification::failed(&report?)
}

/// Ends a swap; where it did not take place the database still has to be put back.
async fn end_swap(
    place: &Place<'_>,
    lock: &RunLock,
    journal: &mut Journal,
    story: &Story,
    run: &str,
) -> Result<Recovered> {
    let Some((stage, record)) = story.open_swap() else {
        return Ok(still_in_doubt(journal, story, run));
    };
    match left::end(place.target, stage, record, journal, lock, place.ctx).await? {
        Settled::Swapped => {
            let proof = record.proof.clone().unwrap_or_default();
            let lost = record.not_brought_back.clone();
            let mut recovered = as_before(run, Proven::Restored, &proof, lost);
            recovered.lines.push(kept_line(&record.failed_name));
            Ok(recovered)
        }
        Settled::GivenUp => put_back(place, lock, journal, story, run).await,
    }
}

async fn put_back(
    place: &Place<'_>,
    lock: &RunLock,
    journal: &mut Journal,
    story: &Story,
    run: &str,
) -> Result<Recovered> {
    let Some(backup) = &story.backed_up else {
        return Ok(still_in_doubt(journal, story, run));
    };
    let archive = place.store.directory().join(&backup.archive);
    let login = sightings::own_login(place.session).await?;
    let window = Window {
        pooled: place.target.pooled,
        ..story.window(Some(login))
    };
    let ended_at = ended_at(place, &window, story).await;
    let (seen_before, withheld_before) = known_of_others(place, journal, story, &archive).await?;
    let case = Case {
        target: place.target,
        options: place.options,
        store: place.store,
        archive: &archive,
        window,
        watch: None,
        seen_before,
        withheld_before,
        ended_at,
        begun: story.commit.clone(),
        tool_was_seen: story.had_no_unknown_tool(),
        by_itself: false,
        other_database: story.begun_with.other_database,
    };
    let verdict = judge(&case, place.ctx, &mut OfJournal { journal, lock }).await;
    let (doubt, mark) = match &verdict {
        Verdict::InDoubt { doubt, mark, .. } => (Some(*doubt), mark.clone()),
        _ => (None, None),
    };
    let (record, mut recovered) = of_verdict(verdict, story, run, &archive);
    if doubt == Some(Doubt::NoArchive) && place.options.force {
        // Told in the journal: it is not judged again should the archive come back.
        recovered.after = After::PassedOver;
    }
    let outside = outside(place.target, &archive, place.ctx).await;
    let lines = outside.lines().into_iter();
    recovered
        .lines
        .extend(lines.map(|line| format!("outside of the database: {line}")));
    let Some(record) = record else {
        if doubt.is_some_and(Doubt::leaves_it_as_it_was) {
            note_where_left(place, journal, mark).await;
        }
        return Ok(recovered);
    };
    let written = journal.append(Step::RollBack, Stage::Outcome, journal::detail_of(&record)?);
    Ok(with_what_was_written(recovered, written, place.ctx))
}

/// As a run does that leaves its rollback to the next start.
async fn note_where_left(place: &Place<'_>, journal: &mut Journal, mark: Option<Mark>) {
    let mark = match mark {
        Some(mark) => Some(mark),
        None => Mark::read_if_possible(place.session).await,
    };
    let left = RollBackBegun::left_at(mark);
    let noted = journal::detail_of(&left)
        .and_then(|left| journal.append(Step::RollBack, Stage::Intent, left));
    if let Err(error) = noted {
        place.ctx.warn(error.to_string());
    }
}

/// A migration that a recovery found in place: between the end of pgbelay and now nobody watched.
fn unwatched(recovered: &Recovered) -> Option<Seen> {
    let why = "it was interrupted, and until it was recovered nobody watched who wrote";
    (recovered.outcome == Outcome::Migrated).then(|| Seen::because(why.to_owned()))
}

/// Why the run withheld its rollback.
fn withheld_before(story: &Story) -> Option<Seen> {
    story.others().filter(|_| story.is_withheld())
}

/// Before anybody is asked for: whoever commits after that is told by the judgement, whoever did before it by what is asked. None
/// where something of the tool may still be at work, which would look like a write of others.
async fn ended_at(place: &Place<'_>, window: &Window, story: &Story) -> Option<Mark> {
    if !story.had_no_unknown_tool() {
        return None;
    }
    let ended = end_tool_sessions(place.session, window, false, place.ctx).await;
    ended.ok()?;
    Mark::read_if_possible(place.session).await
}

/// Possible writers that were seen; and why it is withheld whoever is seen now.
async fn known_of_others(
    place: &Place<'_>,
    journal: &Journal,
    story: &Story,
    archive: &Path,
) -> Result<(Vec<OtherWriter>, Option<String>)> {
    let (session, ctx) = (place.session, place.ctx);
    let since_left = match others::since_left(session, story, ctx).await? {
        Some(why) => Some(why),
        None => others::since_begun(session, story, archive, ctx).await?,
    };
    let unwatched = heartbeat::objection(story, session, ctx).await?;
    let noted = heartbeat::note_asked(journal.path(), story, unwatched.as_ref(), session).await;
    if let Err(error) = noted {
        // Only whoever comes after a recovery that was killed, too, would miss it, and withhold.
        ctx.warn(error.to_string());
    }
    let (writers, why) = match unwatched {
        Some(seen) if seen.writers.is_empty() => (Vec::new(), Some(seen.why)),
        Some(seen) => (seen.writers, None),
        None => (Vec::new(), None),
    };
    let before = withheld_before(story).or_else(|| story.seen_before_the_attempt());
    let before = before.map(|seen| seen.why);
    let known = known_writers(story).into_iter().chain(writers);
    Ok((known.collect(), before.or(since_left).or(why)))
}

/// Possible writers that the run had seen.
fn known_writers(story: &Story) -> Vec<OtherWriter> {
    if let Some(seen) = withheld_before(story) {
        return seen.writers;
    }
    let ended = story.tool_ended.as_ref();
    ended.map_or_else(Vec::new, |ended| ended.other_writers.clone())
}

fn of_verdict(
    verdict: Verdict,
    story: &Story,
    run: &str,
    archive: &Path,
) -> (Option<PutBack>, Recovered) {
    let put_back = |proven, proof: &str, lost: Vec<String>| {
        Some(PutBack {
            proven,
            proof: proof.to_owned(),
            not_brought_back: lost,
        })
    };
    match verdict {
        Verdict::Unchanged { evidence } => {
            // Equal now, although putting it back was begun: its transaction had committed.
            let proven = if story.roll_back_intended {
                Proven::Restored
            } else {
                Proven::Unchanged
            };
            let record = put_back(Some(proven), &evidence, Vec::new());
            (record, as_before(run, proven, &evidence, Vec::new()))
        }
        Verdict::Restored(report) => {
            let lost = report.not_brought_back;
            let kept = report.kept.as_ref().map(|kept| kept_line(&kept.name));
            let record = put_back(Some(Proven::Restored), &report.proof, lost.clone());
            let mut recovered = as_before(run, Proven::Restored, &report.proof, lost);
            recovered.lines.extend(kept);
            (record, recovered)
        }
        Verdict::Committed(commit) => {
            let lost = commit.not_brought_back.clone();
            let record = put_back(Some(Proven::Restored), &commit.proof, lost);
            (record, had_been_put_back(run, commit))
        }
        Verdict::Withheld {
            writers,
            why,
            plight,
        } => {
            let recovered = recovery_withheld(run, archive, &why, &writers, plight);
            (None, recovered)
        }
        Verdict::InDoubt { error, doubt, .. } => {
            let record = put_back(None, &error.to_string(), Vec::new());
            let recovered = not_put_back(run, error, doubt, archive);
            (record.filter(|_| !doubt.stays_open()), recovered)
        }
    }
}

fn not_put_back(run: &str, error: Error, doubt: Doubt, archive: &Path) -> Recovered {
    let line = format!("run {run} could not be rolled back: {error}");
    let steps = doubt.next_steps(archive).into_iter();
    let after = match doubt.stays_open() {
        true => After::Open,
        false => After::Ended,
    };
    Recovered {
        error: Some(steps.fold(error.with_kind(Kind::InDoubt), Error::hint)),
        after,
        ..Recovered::ended(Outcome::InDoubt, vec![line])
    }
}

fn recovery_withheld(
    run: &str,
    archive: &Path,
    why: &str,
    writers: &[OtherWriter],
    plight: Plight,
) -> Recovered {
    let what = format!("the interrupted run {run}");
    let error = withheld::of(plight, &what, why, writers, archive, None);
    let line = format!("the rollback of run {run} was withheld");
    Recovered {
        error: Some(error),
        others: Some(Seen {
            why: why.to_owned(),
            writers: writers.to_vec(),
        }),
        ..Recovered::ended(Outcome::Withheld, vec![line])
    }
}
