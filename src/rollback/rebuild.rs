//! The rebuild rung: every object dropped and made again from the archive, in one transaction.
//!
//! Order inside the transaction, which holds all tables: keep readers out, save what is there (P4: nobody can write between
//! the save and the drop), drop, load, read everything back and compare (P3), commit. Any failure
//! before the commit undoes all of it.

use std::path::PathBuf;

use super::mark;
use super::sequences::{self, Wanted};
use super::transaction::{self, Ended, Held};
use super::unheld::LargeObjects;
use super::verdict::{self, Proof};
use super::{RollbackReport, RollbackSeconds, Scene, Strategy, clear, public, undone};
use crate::catalog::{self, Rights};
use crate::compare::{Difference, State};
use crate::context::Phase;
use crate::error::Result;
use crate::restore::{self, Unfilled};

/// Rebuilds the database; commits only what is proven equal to the archive.
pub(super) async fn rebuild(held: &Held<'_>, difference: &Difference) -> Result<RollbackReport> {
    let scene = &held.scene;
    let mut attempt = Attempt {
        held,
        objects: LargeObjects::default(),
        saved: None,
        unfilled: Vec::new(),
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
        Err(Ended::NotCommitted(error) | Ended::NotNoted(error)) => {
            Err(undone(error, saved.as_ref()))
        }
        Err(Ended::Unknown(error)) => {
            Err(transaction::unknown(error, scene.reader, saved.as_ref()))
        }
    }
}

/// One attempt, with what is known about it so far.
struct Attempt<'a> {
    held: &'a Held<'a>,
    /// As they were before they were saved.
    objects: LargeObjects,
    saved: Option<PathBuf>,
    unfilled: Vec<Unfilled>,
    seconds: RollbackSeconds,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<Proof, Ended> {
        let ctx = self.held.scene.ctx;
        let saved = self.save().await?;
        transaction::note(&self.held.scene, None, &saved).await?;
        self.rebuild().await?;
        let phase = ctx.phase(Phase::Proof);
        let proof = self.prove().await?;
        transaction::commit(&self.held.scene, &proof).await?;
        self.seconds.proof = phase.elapsed().as_secs_f64();
        Ok(proof)
    }

    /// Keeps everybody out, and saves what it will remove (P4).
    async fn save(&mut self) -> Result<PathBuf> {
        let scene = &self.held.scene;
        let phase = scene.ctx.phase(Phase::Save);
        self.held.keep_everybody_out().await?;
        self.objects = LargeObjects::take(scene.session).await?;
        self.held.refuse_later_writes().await?;
        transaction::read_freely(scene.session).await?;
        let saved = transaction::save(scene, None, None).await?;
        self.saved = Some(saved.clone());
        self.seconds.save = phase.elapsed().as_secs_f64();
        Ok(saved)
    }

    async fn rebuild(&mut self) -> Result<()> {
        let Scene {
            session,
            reader,
            ctx,
            ..
        } = self.held.scene;
        let phase = ctx.phase(Phase::Rollback);
        sequences::hold(&self.held.scene, &Wanted::All).await?;
        let live = catalog::read_steady(session).await?;
        mark::refuse_later_definitions(&self.held.scene).await?;
        let archive = State::of_archive(reader)?;
        let rights = Rights::of(session).await?;
        self.objects.refuse_written(session).await?;
        let plan = clear::plan(&live, reader.manifest(), &archive, &rights);
        transaction::run_all(session, &plan.drops).await?;
        if plan.reset_public {
            public::reset(session).await?;
        }
        if plan.create_public {
            public::create(session).await?;
        }
        let loaded = restore::load_except(session, reader, &plan.present, ctx).await?;
        self.unfilled = loaded.unfilled;
        transaction::set_properties(&self.held.scene, &live.database).await?;
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
        } = self.held.scene;
        let before = State::of_archive(reader)?;
        let after = State::of_database_like(session, Some(reader.manifest()), ctx).await?;
        verdict::verdict(&before, &after, &self.unfilled, "content", "")
    }
}
