//! The swap rung: the archive is restored into a new database, proven there, and takes the failed one's name
//! (docs/rollback.md).
//!
//! Order: obstacles; SHARE locks in the failed database, so that nobody writes what would be lost (P5) while readers go
//! on; the new database is made, filled, closed and proven (P3); the failed one is closed and its sessions are ended; both
//! are renamed in one transaction. The failed database stays: it is what P4 asks for. Each act is in the journal before it
//! is done ([`Custody`]), and what stopped half way is ended by [`settle`]. The one connection that does it is to another
//! database and holds the run's lock from before the renaming on.

mod copy;
mod doors;
mod kept;
mod obstacles;
mod record;
mod rename;
mod settle;

use std::time::Instant;

pub use kept::{Kept, kept_databases};
pub use obstacles::swap_obstacles;
pub(super) use obstacles::{named_as_next, require_none};
pub use record::{Custody, LeftFence, SwapAct, SwapRecord};
pub use settle::{Settled, maintenance, settle};

use super::mark::{self, Counts};
use super::verdict::{self, Proof};
use super::{
    Decision, RollbackOptions, RollbackOutcome, RollbackReport, RollbackSeconds, Scene, Strategy,
    act_on, refuse_losses, require_same_database, sessions, transaction,
};
use crate::archive::Reader;
use crate::catalog;
use crate::compare::{Difference, State, compare};
use crate::context::{Context, Phase};
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::journal::Stage;
use crate::pg::{Purpose, Session, Target, advisory};
use crate::restore::Unfilled;
use crate::store::Store;
use copy::Copy;
use doors::Patience;

/// Puts the target's database back by a swap, if it has changed at all; sequences that only moved on are set back in place.
/// `decision` is [`super::decide`]'s answer, if the caller has one.
///
/// # Errors
/// [`Kind::Refused`] with the names of what stands in the way, before anything is made; [`Kind::Withheld`] when others have
/// open transactions; [`Kind::InDoubt`] when the rollback did not happen: the error says what is true.
pub async fn swap(
    target: &Target,
    reader: &Reader,
    store: &Store,
    options: &RollbackOptions,
    decision: Option<Decision>,
    custody: &mut dyn Custody,
    ctx: &Context,
) -> Result<RollbackReport> {
    refuse_losses(reader, options)?;
    let scene = (target, reader, store, options, ctx);
    Scene::enter(Purpose::Rollback, scene, async |scene| {
        require_same_database(scene).await?;
        let started = Instant::now();
        let decision = match decision {
            Some(decision) => decision,
            None => super::decide(scene.session, reader, ctx).await?,
        };
        let decided = started.elapsed().as_secs_f64();
        let mut report = match &decision {
            Decision::Changed { difference } => {
                sessions::refuse_open_transactions(scene.session, options).await?;
                by_swap(scene, difference, custody).await?
            }
            _ => act_on(scene, decision).await?,
        };
        report.seconds.decide += decided;
        Ok(report)
    })
    .await
}

async fn by_swap(
    scene: &Scene<'_>,
    difference: &Difference,
    custody: &mut dyn Custody,
) -> Result<RollbackReport> {
    let Scene {
        session,
        reader,
        ctx,
        ..
    } = *scene;
    require_none(session, reader.manifest(), ctx).await?;
    let keeper = maintenance(scene.target, ctx).await?;
    let record = match prepare(scene, &keeper).await {
        Ok(record) => record,
        Err(error) => {
            keeper.close().await;
            return Err(error);
        }
    };
    let mut attempt = Attempt {
        scene: *scene,
        keeper: &keeper,
        record,
        seconds: RollbackSeconds::default(),
        closed: false,
    };
    let result = attempt.run(custody).await;
    let Attempt {
        record,
        seconds,
        closed,
        ..
    } = attempt;
    match result {
        Ok(proof) => {
            let kept = Kept::of(&keeper, &record).await;
            if let Some(oid) = record.new_oid {
                custody.hand_over(keeper, oid);
            }
            verdict::confirm(scene).await?;
            Ok(report(proof, kept, seconds, difference))
        }
        Err(error) => {
            let error = undone(error, &keeper, &record, custody).await;
            // Once the sessions in the failed database are gone it is the keeper that holds the lock.
            match closed {
                true => custody.hand_over(keeper, record.oid),
                false => keeper.close().await,
            }
            Err(error)
        }
    }
}

/// Names, and the lock on the maintenance connection; nothing is made yet.
async fn prepare(scene: &Scene<'_>, keeper: &Session) -> Result<SwapRecord> {
    let Scene { session, ctx, .. } = *scene;
    let live = catalog::read_database(session).await?;
    let Some(failed_name) = record::failed_name(&live.name, ctx.now()) else {
        return Err(Error::refused("name the failed database").because("its name is too long"));
    };
    let new_name = record::new_name(&live.name, &ctx.run_id);
    copy::require_free(keeper, &new_name).await?;
    copy::require_free(keeper, &failed_name).await?;
    let unendable = doors::unendable(doors::guests(keeper, live.oid).await?);
    if !unendable.is_empty() {
        ctx.warn(format!(
            "the swap has to end these sessions and cannot; unless they disconnect, nothing will be swapped: {}",
            doors::names(&unendable)
        ));
    }
    Ok(SwapRecord {
        act: SwapAct::Make,
        database: live.name,
        oid: live.oid,
        new_name,
        new_oid: None,
        failed_name,
        fence: session.fenced().map(LeftFence::from),
        proof: None,
        not_brought_back: Vec::new(),
        sessions_ended: 0,
    })
}

/// One attempt, with what is known about it so far.
struct Attempt<'a> {
    scene: Scene<'a>,
    keeper: &'a Session,
    record: SwapRecord,
    seconds: RollbackSeconds,
    /// Whether our own sessions of the failed database are gone.
    closed: bool,
}

impl Attempt<'_> {
    async fn run(&mut self, custody: &mut dyn Custody) -> Result<Proof> {
        let phase = self.scene.ctx.phase(Phase::Rollback);
        let before = self.hold_writers().await?;
        let unfilled = self.make(custody).await?;
        self.seconds.rollback = phase.elapsed().as_secs_f64();
        drop(phase);
        let started = Instant::now();
        let proof = self.copy()?.prove(&unfilled).await?;
        self.seconds.proof = started.elapsed().as_secs_f64();
        self.record.proof = Some(proof.text.clone());
        self.record
            .not_brought_back
            .clone_from(&proof.not_brought_back);
        let started = Instant::now();
        self.close(before, custody).await?;
        self.act(SwapAct::Rename, Stage::Intent, custody)?;
        rename::rename(self.keeper, &self.record).await?;
        self.act(SwapAct::Rename, Stage::Outcome, custody)?;
        self.seconds.rollback += started.elapsed().as_secs_f64();
        Ok(proof)
    }

    fn act(&mut self, act: SwapAct, stage: Stage, custody: &mut dyn Custody) -> Result<()> {
        self.record.act = act;
        custody.write(stage, &self.record)
    }

    fn copy(&self) -> Result<Copy<'_>> {
        let oid = self.record.new_oid;
        Ok(Copy {
            keeper: self.keeper,
            scene: self.scene,
            name: &self.record.new_name,
            oid: oid.ok_or_else(|| Error::operation("find the new database"))?,
        })
    }

    /// P5: until the failed database is closed nobody writes into it what would be lost. Readers go on. Where losing it was
    /// allowed nobody is held up.
    async fn hold_writers(&self) -> Result<Option<State>> {
        let Scene {
            session, options, ..
        } = self.scene;
        if options.discard_other_writes {
            return Ok(None);
        }
        transaction::begin(&self.scene).await?;
        transaction::lock_all(session, transaction::WRITERS).await?;
        mark::refuse_later_writes(&self.scene, Counts::OfOthers).await?;
        self.definitions().await.map(Some)
    }

    /// What locks on tables do not hold: definitions, and values of sequences.
    async fn definitions(&self) -> Result<State> {
        let catalog = catalog::read_steady(self.scene.session).await?;
        let mut state = State::of_catalog(&catalog).without_rows();
        state.properties.remove("allow_connections");
        Ok(state)
    }

    async fn make(&mut self, custody: &mut dyn Custody) -> Result<Vec<Unfilled>> {
        self.act(SwapAct::Make, Stage::Intent, custody)?;
        let name = self.record.new_name.clone();
        faults::reach(Point::SwapMake)?;
        let oid = copy::make(self.keeper, &name, self.scene.reader).await?;
        self.record.new_oid = Some(oid);
        faults::reach(Point::SwapMade)?;
        self.act(SwapAct::Make, Stage::Outcome, custody)?;
        for database in [self.record.oid, oid] {
            // The run's lock, as others see it: nobody can be connected to a database that is renamed.
            advisory::claim(self.keeper, database).await?;
        }
        let copy = self.copy()?;
        copy.rehearse().await?;
        let unfilled = copy.fill().await?;
        faults::reach(Point::SwapFilled)?;
        Ok(unfilled)
    }

    /// Closes the failed database and ends its sessions: first those of others, then, if nobody defined anything
    /// meanwhile, our own.
    async fn close(&mut self, before: Option<State>, custody: &mut dyn Custody) -> Result<()> {
        let Scene {
            session,
            options,
            ctx,
            ..
        } = self.scene;
        self.act(SwapAct::Close, Stage::Intent, custody)?;
        faults::reach(Point::SwapClose)?;
        self.keeper
            .execute(&doors::door(&self.record.database, false))
            .await?;
        faults::reach(Point::SwapClosed)?;
        let (oid, wait) = (self.record.oid, options.lock_timeout);
        let ours = |guest: &doors::Guest| guest.is_of(&ctx.run_id);
        let ended = doors::show_out(self.keeper, oid, ours, Patience::with_others(wait)).await?;
        if let Some(before) = before {
            refuse_changes(session, &before, &self.definitions().await?)?;
        }
        self.closed = true;
        doors::show_out(self.keeper, oid, |_| false, Patience::none(wait)).await?;
        self.record.sessions_ended = ended;
        faults::reach(Point::SwapEmptied)?;
        ctx.note(format!(
            "{} is closed; sessions of others that were ended: {ended}",
            self.record.database
        ));
        self.act(SwapAct::Close, Stage::Outcome, custody)
    }
}

fn refuse_changes(session: &Session, before: &State, now: &State) -> Result<()> {
    let difference = compare(before, now);
    if difference.is_empty() {
        return Ok(());
    }
    Err(
        Error::new(Kind::Withheld, format!("roll back {}", session.target()))
            .because(format!(
                "others have changed definitions, or taken values from sequences, meanwhile:\n{}",
                difference.lines().join("\n")
            ))
            .hint("`pgbelay rollback --discard-other-writes` leaves them to the failed database"),
    )
}

/// Undoes what was begun and says what is true.
async fn undone(
    error: Error,
    keeper: &Session,
    record: &SwapRecord,
    custody: &mut dyn Custody,
) -> Error {
    let kind = match error.kind() {
        Kind::Withheld => Kind::Withheld,
        // The failed database was not touched.
        Kind::Refused => Kind::Refused,
        _ => Kind::InDoubt,
    };
    let error = error.with_kind(kind);
    match settle::give_up(keeper, record, custody).await {
        Ok(()) => error.now(
            "nothing was swapped: the database is as the rollback found it, with everything that the migration \
             committed, and open; the new database was dropped",
        ),
        Err(also) => error
            .with_kind(Kind::InDoubt)
            .now(format!(
                "the swap stopped half way, and undoing it did not work ({also}): the database {} may be closed, \
                 and {} may be there",
                record.database, record.new_name
            ))
            .hint("`pgbelay recover` ends it"),
    }
}

fn report(
    proof: Proof,
    kept: Kept,
    seconds: RollbackSeconds,
    difference: &Difference,
) -> RollbackReport {
    RollbackReport {
        strategy: Strategy::Swap,
        outcome: RollbackOutcome::RolledBack,
        saved: None,
        kept: Some(kept),
        proof: proof.text,
        undone: difference.lines(),
        not_brought_back: proof.not_brought_back,
        seconds,
    }
}
