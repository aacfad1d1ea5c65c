//! The rebuild rung: every object dropped and made again from the archive, in one transaction.
//!
//! Order inside the transaction: lock all tables, save what is there (P4: nobody can write between
//! the save and the drop), drop, load, read everything back and compare (P3), commit. Any failure
//! before the commit undoes all of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{
    RollbackOptions, RollbackOutcome, RollbackReport, RollbackSeconds, Scene, Strategy, clear,
    public, undone,
};
use crate::archive::Reader;
use crate::catalog::{self, AcceptedLosses, Rights};
use crate::compare::{Difference, State, compare, counted};
use crate::context::{Context, Phase};
use crate::dump::{self, Destination, DumpOptions};
use crate::error::{Error, Kind, Result};
use crate::pg::{self, Session, Sql};
use crate::restore;

/// Tables named in one LOCK statement.
const LOCKED_AT_ONCE: usize = 500;

/// Lines of a failed proof that are shown.
const SHOWN_DIFFERENCES: usize = 20;

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
            confirm(scene).await?;
            Ok(report(Strategy::Rebuild, proof, saved, seconds, difference))
        }
        Err(Ended::NotCommitted(error)) => {
            // The server undoes it anyway when the connection ends.
            let _ = session.execute(&Sql::constant("ROLLBACK")).await;
            Err(undone(error, saved.as_ref()))
        }
        Err(Ended::Unknown(error)) => Err(unknown(error, reader, saved.as_ref())),
    }
}

/// What is told of a transaction that was proven and committed.
pub(super) fn report(
    strategy: Strategy,
    proof: Proof,
    saved: Option<PathBuf>,
    seconds: RollbackSeconds,
    difference: &Difference,
) -> RollbackReport {
    RollbackReport {
        strategy,
        outcome: RollbackOutcome::RolledBack,
        saved,
        kept: None,
        proof: proof.text,
        undone: difference.lines(),
        not_brought_back: proof.not_brought_back,
        seconds,
    }
}

/// How an attempt failed.
pub(super) enum Ended {
    /// Before the commit.
    NotCommitted(Error),
    /// In the commit: it may have taken effect.
    Unknown(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::NotCommitted(error)
    }
}

pub(super) fn unknown(error: Error, reader: &Reader, saved: Option<&PathBuf>) -> Error {
    let saved = saved.map(|path| path.display().to_string());
    error
        .with_kind(Kind::InDoubt)
        .now(format!(
            "the connection was lost while the proven rollback was committing: the database is \
             either as the archive or as the migration left it, nothing in between{}",
            saved
                .map(|path| format!("; the latter is saved in {path}"))
                .unwrap_or_default()
        ))
        .hint(format!(
            "`pgbelay diff {}` tells which; `pgbelay recover` finishes it",
            reader.path().display()
        ))
}

/// What was proven, and what the proof leaves out because the archive does.
pub(super) struct Proof {
    pub text: String,
    pub not_brought_back: Vec<String>,
}

/// One attempt, with what is known about it so far.
struct Attempt<'a> {
    scene: Scene<'a>,
    saved: Option<PathBuf>,
    seconds: RollbackSeconds,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<Proof, Ended> {
        self.save().await?;
        self.rebuild().await?;
        let phase = self.scene.ctx.phase(Phase::Proof);
        let proof = self.prove().await?;
        self.scene
            .session
            .execute(&Sql::constant("COMMIT"))
            .await
            .map_err(Ended::Unknown)?;
        self.seconds.proof = phase.elapsed().as_secs_f64();
        Ok(proof)
    }

    /// Opens the transaction, locks, and saves what it will remove (P4).
    async fn save(&mut self) -> Result<()> {
        let scene = self.scene;
        let phase = scene.ctx.phase(Phase::Save);
        begin(&scene).await?;
        lock_all(self.scene.session, " IN ACCESS EXCLUSIVE MODE").await?;
        read_freely(self.scene.session).await?;
        let dump = DumpOptions {
            purpose: "before-rollback".to_owned(),
            revision: None,
            jobs: scene.options.jobs,
            accept: AcceptedLosses::all(),
            table_lock_wait: scene.options.lock_timeout,
            ..DumpOptions::default()
        };
        let destination = Destination::Store(scene.store);
        let report = dump::write(self.scene.session, &destination, &dump, self.scene.ctx).await?;
        dump::check(&report.archive, self.scene.ctx).await?;
        tell_unsaved(&report.accepted_losses, self.scene.reader, self.scene.ctx);
        self.saved = Some(report.archive);
        self.seconds.save = phase.elapsed().as_secs_f64();
        Ok(())
    }

    async fn rebuild(&mut self) -> Result<()> {
        let phase = self.scene.ctx.phase(Phase::Rollback);
        silence_event_triggers(self.scene.session).await?;
        let live = catalog::read_steady(self.scene.session).await?;
        let archive = State::of_archive(self.scene.reader)?;
        let rights = Rights::of(self.scene.session).await?;
        let plan = clear::plan(&live, self.scene.reader.manifest(), &archive, &rights);
        for statements in plan.drops.chunks(100) {
            restore::run_statements(self.scene.session, statements).await?;
        }
        if plan.reset_public {
            public::reset(self.scene.session).await?;
        }
        if plan.create_public {
            public::create(self.scene.session).await?;
        }
        restore::load_except(
            self.scene.session,
            self.scene.reader,
            &plan.present,
            self.scene.ctx,
        )
        .await?;
        let (now, then) = (&live.database, &self.scene.reader.manifest().database);
        restore::set_properties(
            self.scene.session,
            &now.name,
            &now.properties,
            &then.properties,
        )
        .await?;
        self.seconds.rollback = phase.elapsed().as_secs_f64();
        Ok(())
    }

    /// Reads everything again inside the transaction and compares (P3).
    async fn prove(&self) -> Result<Proof> {
        let before = State::of_archive(self.scene.reader)?;
        let manifest = Some(self.scene.reader.manifest());
        let after = State::of_database_like(self.scene.session, manifest, self.scene.ctx).await?;
        verdict(&before, &after, "content", "")
    }
}

/// What the migration made and no archive can hold: it goes for good.
pub(super) fn tell_unsaved(losses: &[String], reader: &Reader, ctx: &Context) {
    let known = &reader.manifest().accepted_losses;
    for loss in losses.iter().filter(|loss| !known.contains(loss)) {
        ctx.warn(format!("{loss} is removed and could not be saved"));
    }
}

/// Takes off what the migration forced on us: a role that could read every row for the backup must be able
/// to read them now. The archive's own setting comes back with the table. Returns whether there was such a
/// table: until the end of the transaction no other session can read it.
pub(super) async fn read_freely(session: &Session) -> Result<bool> {
    let forced = Sql::constant(include_str!("sql/forced.sql"));
    let rows = session.query(&forced).await?;
    for row in &rows {
        let free = Sql::constant("ALTER TABLE ONLY ")
            .qualified(row.text("schema")?, row.text("name")?)
            .then(" NO FORCE ROW LEVEL SECURITY");
        session.execute(&free).await?;
    }
    Ok(!rows.is_empty())
}

/// Opens the transaction.
pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    let begin = lock_wait(scene.options, "BEGIN;\nSET LOCAL lock_timeout = ");
    scene.session.execute(&begin.then(";")).await
}

/// The statement, and how long to wait for each lock.
pub(super) fn lock_wait(options: &RollbackOptions, set: &'static str) -> Sql {
    let milliseconds = i128::try_from(options.lock_timeout.as_millis()).unwrap_or(i128::MAX);
    Sql::constant(set).number(milliseconds.min(i128::from(i32::MAX)))
}

/// The proof, if the states are equal; `mode` names it, `how` says more about the reading.
pub(super) fn verdict(before: &State, after: &State, mode: &str, how: &str) -> Result<Proof> {
    let mut difference = compare(before, after);
    let not_brought_back = take_lost(&mut difference);
    if difference.is_empty() && !difference.rows_not_compared {
        let mut text = format!("{mode}: {}{how}", covered(before));
        if !not_brought_back.is_empty() {
            text += &format!("; not brought back: {}", not_brought_back.join(", "));
        }
        return Ok(Proof {
            text,
            not_brought_back,
        });
    }
    let mut lines = difference.lines();
    let hidden = lines.len().saturating_sub(SHOWN_DIFFERENCES);
    lines.truncate(SHOWN_DIFFERENCES);
    if hidden > 0 {
        lines.push(format!("… and {hidden} more differences"));
    }
    Err(
        Error::new(Kind::InDoubt, "prove the rollback").because(format!(
            "what was put back differs from the archive:\n{}",
            lines.join("\n")
        )),
    )
}

/// Takes out of a difference what the archive does not hold and the database no longer has: the
/// operator accepted that ([`super::roll_back`] refuses otherwise), and it is reported by name.
fn take_lost(difference: &mut Difference) -> Vec<String> {
    let changes = std::mem::take(&mut difference.uncovered);
    let (lost, rest) = changes
        .into_iter()
        .partition(|change| change.before.is_some() && change.after.is_none());
    difference.uncovered = rest;
    let lost: Vec<crate::compare::Change> = lost;
    lost.into_iter().map(|change| change.name).collect()
}

/// What a content proof covers, and what it does not.
pub(super) fn proof_text(state: &State) -> String {
    format!("content: {}", covered(state))
}

fn covered(state: &State) -> String {
    let by_name = match state.uncovered.len() {
        0 => String::new(),
        count => format!(
            "; {} that the archive does not hold known by name only",
            counted(count, "object", "objects")
        ),
    };
    format!(
        "{}, {} with {}, {} equal{by_name}",
        counted(state.entries.len(), "definition", "definitions"),
        counted(state.tables.len(), "table", "tables"),
        counted(state.row_count(), "row", "rows"),
        counted(state.sequences.len(), "sequence", "sequences")
    )
}

/// Takes every table for this transaction: from here on nobody else writes, or reads either.
pub(super) async fn lock_all(session: &Session, mode: &'static str) -> Result<()> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/tables.sql")))
        .await?;
    for tables in rows.chunks(LOCKED_AT_ONCE) {
        let mut sql = Sql::constant("LOCK TABLE ONLY ");
        for (index, row) in tables.iter().enumerate() {
            sql = sql
                .then(if index == 0 { "" } else { ", ONLY " })
                .qualified(row.text("schema")?, row.text("name")?);
        }
        session
            .execute(&sql.then(mode))
            .await
            .map_err(locks_missing)?;
    }
    Ok(())
}

fn locks_missing(error: Error) -> Error {
    match error.sqlstate() {
        Some("55P03") => error.hint(
            "other sessions use these tables: stop the application or end its sessions, \
             then run `pgbelay rollback`",
        ),
        Some("53200") => error.hint(
            "the server's lock table is full: raise max_locks_per_transaction \
             (needs a server restart), then run `pgbelay rollback`",
        ),
        _ => error,
    }
}

/// Event triggers would run the user's code on our DDL. Only a superuser can make one, and only
/// a superuser can keep them quiet.
pub(super) async fn silence_event_triggers(session: &Session) -> Result<()> {
    let sql = Sql::constant(
        "SELECT pg_catalog.set_config('event_triggers', 'off', true) \
         FROM pg_catalog.pg_roles, pg_catalog.pg_settings AS known \
         WHERE rolname = current_user AND rolsuper AND known.name = 'event_triggers'",
    );
    session.execute(&sql).await
}

/// After the commit, with a connection of its own: the version rows are what the archive says.
pub(super) async fn confirm(scene: &Scene<'_>) -> Result<()> {
    let session = pg::connect(scene.target, "proof", scene.ctx).await?;
    let found = catalog::read_version_tables(&session).await;
    session.close().await;
    let recorded = scene.reader.manifest().version_tables.iter();
    let recorded = recorded.map(|table| (&table.schema, &table.name, &table.revisions));
    let found = found?;
    let found = found.iter();
    let found = found.map(|table| (&table.schema, &table.name, &table.revisions));
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (recorded.collect(), found.collect());
    if before == after {
        return Ok(());
    }
    Err(
        Error::new(Kind::InDoubt, "read the version rows after the rollback")
            .because(format!(
                "they are {after:?}, and the archive has {before:?}"
            ))
            .now("the rollback was proven and committed; somebody has written version rows since"),
    )
}
