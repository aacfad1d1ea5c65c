//! The rebuild rung: every object dropped and made again from the archive, in one transaction.
//!
//! Order inside the transaction: lock all tables, save what is there (P4: nobody can write between
//! the save and the drop), drop, load, read everything back and compare (P3), commit. Any failure
//! before the commit undoes all of it.

use std::path::PathBuf;

use super::mark::{self, Counts};
use super::transaction::{self, Ended};
use super::verdict::{self, Proof};
use super::{RollbackReport, RollbackSeconds, Rung, Scene, Strategy, clear, public, undone};
use crate::catalog::{self, Rights};
use crate::compare::{Difference, State};
use crate::context::Phase;
use crate::error::Result;
use crate::pg::Sql;
use crate::restore;

/// Rebuilds the database; commits only what is proven equal to the archive.
pub(super) async fn rebuild(scene: &Scene<'_>, difference: &Difference) -> Result<RollbackReport> {
    let Scene {
        session, reader, ..
    } = *scene;
    let mut attempt = Attempt {
        scene: *scene,
        saved: None,
        seconds: RollbackSeconds::default(),
    };
    let result = attempt.run().await;
    let Attempt { saved, seconds, .. } = attempt;
    match result {
        Ok(proof) => {
            verdict::confirm(scene).await?;
            Ok(verdict::report(
                Strategy::Rebuild,
                proof,
                saved,
                seconds,
                difference,
            ))
        }
        Err(Ended::NotCommitted(error)) => {
            // The server undoes it anyway when the connection ends.
            let _ = session.execute(&Sql::constant("ROLLBACK")).await;
            Err(undone(error, saved.as_ref()))
        }
        Err(Ended::Unknown(error)) => Err(transaction::unknown(error, reader, saved.as_ref())),
    }
}

/// One attempt, with what is known about it so far.
struct Attempt<'a> {
    scene: Scene<'a>,
    saved: Option<PathBuf>,
    seconds: RollbackSeconds,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<Proof, Ended> {
        let Scene { session, ctx, .. } = self.scene;
        self.save().await?;
        self.rebuild().await?;
        let phase = ctx.phase(Phase::Proof);
        let proof = self.prove().await?;
        transaction::commit(session).await?;
        self.seconds.proof = phase.elapsed().as_secs_f64();
        Ok(proof)
    }

    /// Opens the transaction, locks, and saves what it will remove (P4).
    async fn save(&mut self) -> Result<()> {
        let Scene { session, ctx, .. } = self.scene;
        let phase = ctx.phase(Phase::Save);
        transaction::begin(&self.scene).await?;
        transaction::lock_all(session, " IN ACCESS EXCLUSIVE MODE").await?;
        // Unless it was asked for, a repair was tried first.
        let counts = match self.scene.options.rung {
            Rung::Rebuild => Counts::OfOthers,
            _ => Counts::Mixed,
        };
        mark::refuse_later_writes(&self.scene, counts).await?;
        transaction::read_freely(session).await?;
        self.saved = Some(transaction::save(&self.scene, None, None).await?);
        self.seconds.save = phase.elapsed().as_secs_f64();
        Ok(())
    }

    async fn rebuild(&mut self) -> Result<()> {
        let Scene {
            session,
            reader,
            ctx,
            ..
        } = self.scene;
        let phase = ctx.phase(Phase::Rollback);
        transaction::silence_event_triggers(session).await?;
        let live = catalog::read_steady(session).await?;
        let archive = State::of_archive(reader)?;
        let rights = Rights::of(session).await?;
        let plan = clear::plan(&live, reader.manifest(), &archive, &rights);
        transaction::run_all(session, &plan.drops).await?;
        if plan.reset_public {
            public::reset(session).await?;
        }
        if plan.create_public {
            public::create(session).await?;
        }
        restore::load_except(session, reader, &plan.present, ctx).await?;
        transaction::set_properties(&self.scene, &live.database).await?;
        self.seconds.rollback = phase.elapsed().as_secs_f64();
        Ok(())
    }

    /// Reads everything again inside the transaction and compares (P3).
    async fn prove(&self) -> Result<Proof> {
        let Scene {
            session,
            reader,
            ctx,
            ..
        } = self.scene;
        let before = State::of_archive(reader)?;
        let after = State::of_database_like(session, Some(reader.manifest()), ctx).await?;
        verdict::verdict(&before, &after, "content", "")
    }
}
