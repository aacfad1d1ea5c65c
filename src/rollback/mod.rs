//! Puts a database back to an archive, and proves it (design.md §7, docs/rollback.md).
//!
//! [`decide`] answers "did anything commit?" by evidence and touches nothing (P2). [`roll_back`]
//! decides, and where something did commit saves what it is about to remove (P4) and rebuilds
//! every object in one transaction, which commits only after the rows, definitions, sequences and
//! version rows read back inside it equal the archive (P3). Whatever fails before that commit
//! leaves the database as it was found. The caller has asked for the rollback to happen: the rule
//! about other writers' committed rows (P5) is `run`'s; here only open transactions count.

mod clear;
mod counters;
mod decide;
mod estimate;
mod evidence;
mod fate;
mod image;
mod mark;
mod preview;
mod public;
mod rebuild;
mod repair;
mod scene;
mod sequences;
mod sessions;
mod stays;
mod swap;
mod transaction;
mod unheld;
mod verdict;
mod written;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::archive::Reader;
use crate::catalog::{self, AcceptedLosses, loss_of_label};
use crate::compare::Difference;
use crate::context::Context;
use crate::dump;
use crate::error::{Error, Kind, Result};
use crate::pg::{Purpose, Sql, Target};
use crate::store::Store;

pub use counters::{COLLECTOR_DELAY, SINCE as COUNTS_SINCE};
pub use decide::{Decision, decide, unchanged_by_transaction_ids};
pub use estimate::Measured;
pub use evidence::{nothing_committed_before_the_crash, nothing_committed_since};
use fate::Unkept;
pub use fate::{Commit, Fate, Ledger};
pub use image::BeforeImage;
pub use mark::{Counts, Mark};
pub use preview::{Action, Preview, Step, preview};
use scene::Scene;
pub use sessions::{OtherSession, other_sessions};
pub use stays::objections;
pub use swap::{
    Custody, Kept, LeftFence, Settled, SwapAct, SwapRecord, kept_databases, maintenance, settle,
    swap, swap_obstacles,
};
use transaction::Held;
pub use verdict::is_comparison;
pub use written::{Written, WrittenTable, unwritten, written};

/// Which rungs may be taken, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rung {
    /// Repair, and where that does not do, rebuild.
    #[default]
    Auto,
    /// Put back what differs, or fail.
    Repair,
    /// Drop and make again everything.
    Rebuild,
    /// Make a new database and give it the name of the failed one. Only by [`swap`], which keeps a journal.
    Swap,
}

/// What proves that rows are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofMode {
    /// Every row is read and compared by digest.
    #[default]
    Content,
    /// Tables that nobody wrote to since the backup, by the server's own counts, are not read; the others
    /// are, and where the counts cannot speak all are.
    Counters,
}

/// How to roll back.
#[derive(Debug, Clone)]
pub struct RollbackOptions {
    /// Which rungs may be taken.
    pub rung: Rung,
    /// What proves that rows are equal.
    pub proof: ProofMode,
    /// Go on although other sessions have open transactions that wrote (P5).
    pub discard_other_writes: bool,
    /// When the caller judged that nobody else had written; what others commit between that and the locks withholds the
    /// rollback. None: nobody can write, or their writes are known to go.
    pub judged_at: Option<Mark>,
    /// The archive may come from another database than the one it is rolled back into.
    pub other_database: bool,
    /// How long to wait for each lock.
    pub lock_timeout: Duration,
    /// Threads that compress what is saved.
    pub jobs: usize,
    /// What the archive may lack: it is left alone where it can stay, and named where it cannot.
    pub accept_losses: AcceptedLosses,
}

impl Default for RollbackOptions {
    fn default() -> Self {
        Self {
            rung: Rung::Auto,
            proof: ProofMode::Content,
            discard_other_writes: false,
            judged_at: None,
            other_database: false,
            lock_timeout: Duration::from_secs(30),
            jobs: 2,
            accept_losses: AcceptedLosses::default(),
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Nothing had committed.
    Nothing,
    /// Only sequence values were set back.
    Sequences,
    /// What differed was put back in one transaction.
    Repair,
    /// Every object was dropped and rebuilt in one transaction.
    Rebuild,
    /// A new database took the failed one's place.
    Swap,
}

/// How it ended; both are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RollbackOutcome {
    /// The database had not changed and was not touched.
    Unchanged,
    /// The database had changed and is back.
    RolledBack,
}

/// How long each phase took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct RollbackSeconds {
    /// Finding out whether anything committed.
    pub decide: f64,
    /// Saving what is removed.
    pub save: f64,
    /// Dropping and rebuilding.
    pub rollback: f64,
    /// Reading back, comparing, committing.
    pub proof: f64,
}

/// A finished rollback.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RollbackReport {
    /// What was done.
    pub strategy: Strategy,
    /// How it ended.
    pub outcome: RollbackOutcome,
    /// The archive of what was removed.
    pub saved: Option<PathBuf>,
    /// The failed database, where a swap kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// What proves the outcome, for people.
    pub proof: String,
    /// What had changed and was put back, one statement per line.
    pub undone: Vec<String>,
    /// What the archive does not hold and the rollback could not keep, as `kind: object`, and materialized views that could
    /// not be filled.
    pub not_brought_back: Vec<String>,
    /// Time by phase.
    pub seconds: RollbackSeconds,
}

/// How often locks are asked for where the server ends a deadlock.
const LOCK_ATTEMPTS: u32 = 3;
/// SQLSTATE `deadlock_detected`.
const DEADLOCK: &str = "40P01";

/// Puts the target's database back to the archive. No journal is kept of it.
///
/// Errors: as [`roll_back_noted`].
pub async fn roll_back(
    target: &Target,
    reader: &Reader,
    store: &Store,
    options: &RollbackOptions,
    ctx: &Context,
) -> Result<RollbackReport> {
    roll_back_noted(target, reader, store, options, &Unkept, ctx).await
}

/// Puts the target's database back to the archive; what is about to be committed is in `ledger` first.
///
/// Errors: [`Kind::Refused`] before anything was looked at (another database's archive, an
/// archive with losses); [`Kind::Withheld`] when open transactions of others stand in the way;
/// [`Kind::InDoubt`] when the rollback was needed and did not happen: the database is then as it
/// was found, and the error says so.
pub async fn roll_back_noted(
    target: &Target,
    reader: &Reader,
    store: &Store,
    options: &RollbackOptions,
    ledger: &dyn Ledger,
    ctx: &Context,
) -> Result<RollbackReport> {
    refuse_losses(reader, options)?;
    let scene = (target, reader, store, options, ctx);
    Scene::enter(Purpose::Rollback, scene, async |scene| {
        decide_and_act(&scene.noted_in(ledger)).await
    })
    .await
}

/// As [`roll_back_noted`], for a caller that has just had [`decide`]'s answer: nothing is read twice.
pub async fn roll_back_decided(
    (target, reader, store, options): (&Target, &Reader, &Store, &RollbackOptions),
    decision: Decision,
    ledger: &dyn Ledger,
    ctx: &Context,
) -> Result<RollbackReport> {
    refuse_losses(reader, options)?;
    let scene = (target, reader, store, options, ctx);
    Scene::enter(Purpose::Rollback, scene, async |scene| {
        require_same_database(scene).await?;
        act_on(&scene.noted_in(ledger), decision).await
    })
    .await
}

async fn decide_and_act(scene: &Scene<'_>) -> Result<RollbackReport> {
    require_same_database(scene).await?;
    let started = std::time::Instant::now();
    let decision = decide(scene.session, scene.reader, scene.ctx).await?;
    let decision = as_asked_for(decision, scene.options);
    let decided = started.elapsed().as_secs_f64();
    let mut report = act_on(scene, decision).await?;
    report.seconds.decide += decided;
    Ok(report)
}

/// What was computed and stored is not compared ("What code has left behind" in docs/rollback.md), so who asks for a rebuild by
/// hand gets one, unless it is known that nobody has committed anything.
fn as_asked_for(decision: Decision, options: &RollbackOptions) -> Decision {
    match decision {
        Decision::Unchanged { evidence }
            if options.rung == Rung::Rebuild && is_comparison(&evidence) =>
        {
            Decision::Changed {
                difference: Box::default(),
            }
        }
        decision => decision,
    }
}

async fn act_on(scene: &Scene<'_>, decision: Decision) -> Result<RollbackReport> {
    let (session, options) = (scene.session, scene.options);
    Ok(match decision {
        Decision::Unchanged { evidence } => unchanged(evidence),
        Decision::SequencesOnly {
            difference,
            evidence,
        } => {
            sessions::refuse_open_transactions(session, options).await?;
            sequences::set_back(scene, &difference, evidence).await?
        }
        Decision::Changed { difference } => {
            sessions::refuse_open_transactions(session, options).await?;
            by_rungs(scene, &difference).await?
        }
    })
}

/// Repairs what differs; where that does not lead to the archive's state, rebuilds everything.
async fn by_rungs(scene: &Scene<'_>, difference: &Difference) -> Result<RollbackReport> {
    let rung = scene.options.rung;
    if rung == Rung::Swap {
        return Err(Error::operation("swap the database").because("nobody keeps its journal"));
    }
    let climbed = match held(scene, Counts::OfOthers).await {
        Ok(held) => {
            let climbed = climb(&held, difference).await;
            if climbed.is_err() {
                held.let_go().await;
            }
            climbed
        }
        Err(error) => Err(undone(error, None)),
    };
    match climbed {
        Err(error) if rung != Rung::Repair => Err(swap::named_as_next(scene, error).await),
        climbed => climbed,
    }
}

/// All tables, against writers first: a repair lets readers go on. Two that lock in another order are told so by the server,
/// and one tries again.
async fn held<'a>(scene: &Scene<'a>, counts: Counts) -> Result<Held<'a>> {
    let mode = match scene.options.rung {
        Rung::Rebuild => transaction::EVERYBODY,
        _ => transaction::WRITERS,
    };
    for _ in 1..LOCK_ATTEMPTS {
        match Held::take(scene, mode, counts).await {
            Err(error) if error.sqlstate() == Some(DEADLOCK) && !scene.session.is_closed() => {
                scene.session.execute(&Sql::constant("ROLLBACK")).await?;
            }
            Err(error) => {
                // The server undoes it anyway when the connection ends.
                let _ = scene.session.execute(&Sql::constant("ROLLBACK")).await;
                return Err(error);
            }
            Ok(held) => return Ok(held),
        }
    }
    Held::take(scene, mode, counts).await
}

async fn climb(held: &Held<'_>, difference: &Difference) -> Result<RollbackReport> {
    let Scene { options, ctx, .. } = held.scene;
    if options.rung == Rung::Rebuild {
        return rebuild::rebuild(held, difference).await;
    }
    match repair::repair(held, difference).await {
        Ok(report) => return Ok(report),
        Err(repair::Missed::Final(error)) => return Err(error),
        Err(repair::Missed::NextRung(why)) if options.rung == Rung::Repair => {
            return Err(not_repaired(why));
        }
        Err(repair::Missed::NextRung(why)) => ctx.note(format!(
            "repairing only what differs did not do ({why}): rebuilding everything"
        )),
    }
    // All of it is needed now.
    dump::check(held.scene.reader.path(), ctx)
        .await
        .map_err(|error| undone(error, None))?;
    match held.scene.session.is_closed() {
        false => rebuild::rebuild(held, difference).await,
        true => rebuild_anew(&held.scene, difference).await,
    }
}

/// With another connection, where the repair lost its own and the locks with it. What it wrote is counted, too: only who is
/// connected and changed definitions speak of others.
async fn rebuild_anew(lost: &Scene<'_>, difference: &Difference) -> Result<RollbackReport> {
    let task = (lost.target, lost.reader, lost.store, lost.options, lost.ctx);
    Scene::enter(Purpose::Rollback, task, async |scene| {
        let scene = &scene.noted_in(lost.ledger);
        let held = held(scene, Counts::Mixed).await;
        let held = held.map_err(|error| undone(error, None))?;
        rebuild::rebuild(&held, difference).await
    })
    .await
}

fn not_repaired(why: String) -> Error {
    Error::new(Kind::InDoubt, "repair only what differs")
        .because(why)
        .now("the repair was one transaction and did not commit: the database is as the rollback found it")
        .hint("`pgbelay rollback --strategy rebuild` makes every object again")
}

fn unchanged(evidence: String) -> RollbackReport {
    RollbackReport {
        strategy: Strategy::Nothing,
        outcome: RollbackOutcome::Unchanged,
        saved: None,
        kept: None,
        proof: evidence,
        undone: Vec::new(),
        not_brought_back: Vec::new(),
        seconds: RollbackSeconds::default(),
    }
}

/// An archive that lacks objects cannot bring them back: the operator must know which.
fn refuse_losses(reader: &Reader, options: &RollbackOptions) -> Result<()> {
    reader.require_whole("roll back to")?;
    let accepted = |label: &&String| options.accept_losses.accepts(loss_of_label(label));
    let losses = &reader.manifest().accepted_losses;
    let (_, refused): (Vec<&String>, Vec<&String>) = losses.iter().partition(accepted);
    if refused.is_empty() {
        return Ok(());
    }
    let kinds: BTreeSet<&str> = refused
        .iter()
        .map(|label| loss_of_label(label).name())
        .collect();
    let flags: Vec<String> = kinds
        .iter()
        .map(|kind| format!("--accept-loss {kind}"))
        .collect();
    Err(
        Error::refused(format!("roll back to {}", reader.path().display()))
            .because(format!(
                "it was taken although these could not be saved: {}",
                first_of(&refused)
            ))
            .now("nothing was changed")
            .hint(format!(
                "restore it into a new database instead: `pgbelay restore {} --into NAME --create`",
                reader.path().display()
            ))
            .hint(format!(
                "to roll back knowingly: {}; what the archive lacks is left alone where it can stay, \
                 and named where it cannot",
                flags.join(" ")
            )),
    )
}

/// The first ten, and how many more there are.
fn first_of(labels: &[&String]) -> String {
    const NAMED: usize = 10;
    let mut named: Vec<String> = labels.iter().take(NAMED).map(ToString::to_string).collect();
    if labels.len() > NAMED {
        named.push(format!("and {} more", labels.len() - NAMED));
    }
    named.join("; ")
}

/// A database is the same if its cluster, OID and name are; where the cluster's identifier is not
/// readable, OID and name decide.
async fn require_same_database(scene: &Scene<'_>) -> Result<()> {
    let Scene {
        session,
        reader,
        options,
        ..
    } = *scene;
    let recorded = &reader.manifest().database;
    let live = catalog::read_database(session).await?;
    let same_cluster = live.system_identifier == recorded.system_identifier
        || live.system_identifier.is_empty()
        || recorded.system_identifier.is_empty();
    if options.other_database
        || (same_cluster && live.oid == recorded.oid && live.name == recorded.name)
    {
        return Ok(());
    }
    Err(Error::refused(format!(
        "roll back {} to {}",
        session.target(),
        reader.path().display()
    ))
    .because(format!(
        "the archive is of another database: {} (OID {}, system {}), not {} (OID {}, system {})",
        recorded.name,
        recorded.oid,
        shown(&recorded.system_identifier),
        live.name,
        live.oid,
        shown(&live.system_identifier),
    ))
    .now("nothing was changed")
    .hint("to replace this database's content with the archive's, add --other-database"))
}

fn shown(identifier: &str) -> &str {
    if identifier.is_empty() {
        "unknown"
    } else {
        identifier
    }
}

/// What is true when the rebuilding transaction did not commit.
fn undone(error: Error, saved: Option<&PathBuf>) -> Error {
    let saved = match saved {
        Some(path) => format!("; what it holds now is saved in {}", path.display()),
        None => String::new(),
    };
    let kind = match error.kind() {
        Kind::Withheld => Kind::Withheld,
        _ => Kind::InDoubt,
    };
    error.with_kind(kind).now(format!(
        "the rollback was one transaction and did not commit: the database is as the rollback \
         found it, with everything that the migration committed{saved}"
    ))
}
