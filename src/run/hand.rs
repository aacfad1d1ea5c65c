//! Verbs started by hand that share the run's lock and journal: `rollback` and `verify`.

use std::path::Path;
use std::time::Duration;

use crate::archive::Reader;
use crate::context::{Context, Stop};
use crate::dump;
use crate::error::{Error, Kind, Result};
use crate::journal::{self, Header, Journal, Stage, Step};
use crate::pg::{self, Secret, Sql, Target};
use crate::restore;
use crate::rollback::{
    self, Decision, Mark, ProofMode, RollbackOptions, RollbackOutcome, RollbackReport, Rung,
};
use crate::run::chronicle::{BackedUp, Ending, Proven, PutBack, RollBackBegun};
use crate::run::driver::{Tool, child_variables, verification};
use crate::run::fence;
use crate::run::keeping::{Noting, OfJournal};
use crate::run::lock::RunLock;
use crate::run::others::Speaks;
use crate::run::outcome::Outcome;
use crate::run::preflight::Facts;
use crate::run::{RunOptions, blockers, clock, hiding, others, recover, sightings, versions};
use crate::store::Store;
use crate::verify::{self, CommandSettings, VerifyReport};

/// Puts the database back to an archive, under the run's lock. A journal records it, so that a
/// run that had ended in doubt or withheld is settled by it.
///
/// Errors: those of [`rollback::roll_back`], and [`Kind::LockTimeout`].
pub async fn roll_back(
    target: &Target,
    reader: &Reader,
    store: &Store,
    options: &RollbackOptions,
    lock_wait: Duration,
    ctx: &Context,
) -> Result<RollbackReport> {
    let ctx = &clock::after_all(ctx, store.directory());
    require_undamaged(reader, options, ctx).await?;
    let lock = RunLock::acquire(target, lock_wait, ctx).await?;
    let facts = facts_of(target, ctx).await?;
    recover::end_left_tools(store, &facts, ctx).await?;
    recover::end_left_swap(target, store, &facts, &lock, ctx).await?;
    let judged = match options.discard_other_writes {
        true => Judged::default(),
        false => refuse_writes_of_others(target, reader, store, &facts, ctx).await?,
    };
    let options = &RollbackOptions {
        judged_at: judged.at.clone(),
        ..options.clone()
    };
    // What an interrupted run left standing is no difference from the archive.
    let left = fence::the_one_left(store, &facts)?;
    let is_fenced = left.is_some();
    let target = &target.behind(left.map(|(_, record)| record.fenced()));
    let begun = RollBackBegun {
        mark: judged.settled,
        judged: judged.at,
        other_database: options.other_database,
        ..RollBackBegun::default()
    };
    let mut journal = begin(target, reader, store, &facts, &begun, ctx)?;
    // From here on the database is put back whole; the transaction decides, not a signal.
    let calm = Context {
        stop: Stop::never(),
        ..ctx.clone()
    };
    let keeping = &mut OfJournal {
        journal: &mut journal,
        lock: &lock,
    };
    let work = put_back((target, reader, store, options), keeping, &calm);
    let result = blockers::watched(target, is_fenced, work, &calm).await;
    let mark = match result.is_ok() {
        true => mark_of(target, &calm).await,
        false => None,
    };
    if let Err(error) = end(&mut journal, &result, mark) {
        // What was done is done, whatever the journal says of it: the next start looks at the database again.
        ctx.warn(format!(
            "{error}; the next start will look at the database again"
        ));
    }
    take_fence_down(&lock, target, store, &facts, &calm).await;
    lock.release().await;
    result
}

async fn put_back(
    (target, reader, store, options): (&Target, &Reader, &Store, &RollbackOptions),
    keeping: &mut OfJournal<'_>,
    ctx: &Context,
) -> Result<RollbackReport> {
    if options.rung == Rung::Swap {
        return rollback::swap(target, reader, store, options, None, keeping, ctx).await;
    }
    let ledger = Noting::into_journal(keeping);
    let done = rollback::roll_back_noted(target, reader, store, options, &ledger, ctx).await;
    let unnoted = ledger.has_failed();
    done.map_err(|error| not_begun(error, unnoted))
}

/// A transaction that waited for a lock in vain, or could not be written down, changed nothing, and leaves nothing to be looked
/// at.
fn not_begun(error: Error, unnoted: bool) -> Error {
    let waited = error.sqlstate() == Some(blockers::LOCK_NOT_AVAILABLE);
    match waited || unnoted {
        true => error.with_kind(Kind::Refused),
        false => error,
    }
}

/// The one that an interrupted run left.
async fn take_fence_down(
    lock: &RunLock,
    target: &Target,
    store: &Store,
    facts: &Facts,
    ctx: &Context,
) {
    match fence::take_down_left(lock, target, Duration::ZERO, store, facts, ctx).await {
        Ok(lines) => lines.into_iter().for_each(|line| ctx.note(line)),
        Err(error) => ctx.warn(format!(
            "the fence that an interrupted run left still stands: {error}; pgbelay recover takes it down"
        )),
    }
}

/// Damage is met here, before anything is locked or saved, and not half way through. With counters
/// nothing may take time by the size of the database: each member is checked when it is used, and
/// nothing is committed if one is damaged.
async fn require_undamaged(
    reader: &Reader,
    options: &RollbackOptions,
    ctx: &Context,
) -> Result<()> {
    match (options.rung, options.proof) {
        (Rung::Rebuild, _) => dump::check_until_stopped(reader.path(), ctx).await,
        // What a swap makes of a damaged archive is never put in anybody's place.
        (Rung::Swap, _) | (_, ProofMode::Content) => restore::require_undamaged(reader, ctx).await,
        (_, ProofMode::Counters) => Ok(()),
    }
}

async fn facts_of(target: &Target, ctx: &Context) -> Result<Facts> {
    let session = pg::connect(target, pg::Purpose::Facts, ctx).await?;
    let facts = Facts::read(&session).await;
    session.close().await;
    facts
}

async fn mark_of(target: &Target, ctx: &Context) -> Option<Mark> {
    let session = pg::connect(target, pg::Purpose::Facts, ctx).await.ok()?;
    let mark = Mark::read_if_possible(&session).await;
    session.close().await;
    mark
}

/// Up to which moment others were judged.
#[derive(Default)]
struct Judged {
    /// For the journal.
    settled: Option<Mark>,
    /// For the rollback; none where their writes are known to go.
    at: Option<Mark>,
}

/// P5: what others committed since the archive's run is not pulled away unless the operator said so.
async fn refuse_writes_of_others(
    target: &Target,
    reader: &Reader,
    store: &Store,
    facts: &Facts,
    ctx: &Context,
) -> Result<Judged> {
    let stories = recover::stories_that_tell(store, facts)?;
    let session = pg::connect(target, pg::Purpose::Facts, ctx).await?;
    let at = Mark::read(&session).await?;
    let refused = others::refuse(&session, &stories, reader, ctx).await;
    let judged = match refused {
        Ok(speaks) => Ok(Judged {
            settled: Mark::settled_if_possible(&session, ctx).await,
            at: (speaks == Speaks::ForTheWay).then_some(at),
        }),
        // Where nothing has to be put back nothing of theirs goes (P2 before P5).
        Err(refusal) => match rollback::decide(&session, reader, ctx).await {
            Ok(Decision::Unchanged { .. }) => Ok(Judged {
                settled: None,
                at: Some(at),
            }),
            _ => Err(refusal),
        },
    };
    session.close().await;
    judged
}

/// Why [`roll_back`] would be withheld now, as far as journals know; for a plan.
///
/// # Errors
/// Of the server; of a journal that cannot be read.
pub async fn foreseen_refusal(
    target: &Target,
    reader: &Reader,
    store: &Store,
    ctx: &Context,
) -> Result<Option<String>> {
    let session = pg::connect(target, pg::Purpose::Facts, ctx).await?;
    let found = async {
        let facts = Facts::read(&session).await?;
        let stories = recover::stories_that_tell(store, &facts)?;
        others::obstacle(&session, &stories, reader, ctx).await
    }
    .await;
    session.close().await;
    Ok(found?.map(|(run, seen)| others::foreseen(&run, &seen)))
}

/// The archive may lie outside the store, and the next start elsewhere.
fn absolute(archive: &Path, ctx: &Context) -> String {
    let path = ctx.environment.working_directory.join(archive);
    path.display().to_string()
}

/// The journal, with the intent to go back to this archive: recovery does so if we are killed.
fn begin(
    target: &Target,
    reader: &Reader,
    store: &Store,
    facts: &Facts,
    begun: &RollBackBegun,
    ctx: &Context,
) -> Result<Journal> {
    let header = Header {
        system_identifier: facts.system_identifier.clone(),
        database_oid: facts.database_oid,
        database: facts.database.clone(),
        host: target.servers(),
        port: target.endpoints.first().map_or(0, |server| server.port),
        role: facts.role.clone(),
        run_id: ctx.run_id.clone(),
        tool: format!("pgbelay {}", env!("CARGO_PKG_VERSION")),
    };
    let stem = store.run_stem(ctx.now(), &facts.database, &ctx.run_id);
    let mut journal = Journal::create(store, &stem, &header, ctx.clock.clone())?;
    journal.hide_with(hiding::secrets_of(target));
    let backup = BackedUp {
        archive: absolute(reader.path(), ctx),
        reused: true,
    };
    journal.append(Step::Backup, Stage::Outcome, journal::detail_of(&backup)?)?;
    journal.append(Step::RollBack, Stage::Intent, journal::detail_of(begun)?)?;
    Ok(journal)
}

fn end(journal: &mut Journal, result: &Result<RollbackReport>, mark: Option<Mark>) -> Result<()> {
    // Broken off from outside: without a last record the next start finishes it.
    if result.as_ref().is_err_and(is_broken_off) {
        return Ok(());
    }
    let (proven, proof, outcome) = match result {
        Ok(report) if report.outcome == RollbackOutcome::Unchanged => (
            Some(Proven::Unchanged),
            report.proof.clone(),
            Outcome::Unchanged,
        ),
        Ok(report) => (
            Some(Proven::Restored),
            report.proof.clone(),
            Outcome::RolledBack,
        ),
        Err(error) => (None, error.to_string(), of_error(error.kind())),
    };
    if outcome != Outcome::Refused {
        let lost = result
            .as_ref()
            .map(|report| report.not_brought_back.clone());
        let record = PutBack {
            proven,
            proof,
            not_brought_back: lost.unwrap_or_default(),
        };
        let record = journal::detail_of(&record)?;
        journal.append(Step::RollBack, Stage::Outcome, record)?;
    }
    let ending = Ending {
        outcome: outcome.ended_as(),
        exit_code: outcome.exit_code(),
        error: result.as_ref().err().map(ToString::to_string),
        migrated: false,
        others: None,
        mark,
    };
    journal.append(Step::End, Stage::Outcome, journal::detail_of(&ending)?)
}

/// Where nobody was let in any more after the rollback was committed, the next start reads again what it came to.
fn is_broken_off(error: &Error) -> bool {
    error.is_loss_of_connection() || (error.kind() == Kind::InDoubt && error.is_no_entry())
}

fn of_error(kind: Kind) -> Outcome {
    match kind {
        Kind::Withheld => Outcome::Withheld,
        Kind::InDoubt => Outcome::InDoubt,
        _ => Outcome::Refused,
    }
}

/// The checks of design §6 on the live database; they repair nothing. The expected heads are those
/// that the migration tool would lead to, where they can be known.
pub async fn verify_live(
    target: &Target,
    options: &RunOptions,
    ctx: &Context,
) -> Result<VerifyReport> {
    let session = super::driver::connect(target, options, ctx).await?;
    let wait = i64::try_from(options.table_lock_wait.as_millis()).unwrap_or(i64::MAX);
    let limit = Sql::constant("SET lock_timeout = ").number(wait.min(i64::from(i32::MAX)));
    session.execute(&limit).await?;
    let variables: Vec<(String, Secret)> = child_variables(target, options, ctx);
    let current = versions::read(&session).await?;
    let expected = match Tool::find(&options.migration, ctx) {
        Ok(tool) => {
            let prospect = tool.prospect(&current, &variables, ctx).await?;
            if let Some(unknown) = prospect.unknown {
                ctx.warn(format!("the version rows are not checked: {unknown}"));
            }
            prospect.expected
        }
        Err(error) => {
            ctx.warn(format!("the version rows are not checked: {error}"));
            None
        }
    };
    let checks = verification::checks(options, expected, None, ctx);
    let settings = CommandSettings {
        variables,
        secrets: target.secrets(),
        ..CommandSettings::default()
    };
    let report = verify::run_checks_with(&session, &checks, &settings, ctx).await;
    if let Err(error) = &report
        && matches!(error.kind(), Kind::Interrupted(_))
    {
        end_check(target, session.backend_pid(), ctx).await;
    }
    session.close().await;
    report
}

/// Ends what an interrupted check is still asking the server.
async fn end_check(target: &Target, pid: i32, ctx: &Context) {
    let ended = async {
        let session = pg::connect(target, pg::Purpose::Verify, ctx).await?;
        let ended = session
            .query(&sightings::terminate(&[pid]))
            .await
            .map(|_| ());
        session.close().await;
        ended
    };
    if let Err(error) = ended.await {
        ctx.warn(format!(
            "the server process {pid} may still be at work on a check: {error}"
        ));
    }
}
