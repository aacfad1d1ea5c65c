//! The transaction in which a rollback happens: opened, locked, saved from (P4), committed. What repair and rebuild share.

use std::path::{Path, PathBuf};

use super::fate::{Commit, Fate};
use super::image::{BeforeImage, Touched};
use super::mark::{self, Counts};
use super::verdict::Proof;
use super::{RollbackOptions, Scene};
use crate::archive::Reader;
use crate::catalog::{AcceptedLosses, Catalog, DatabaseProperties, Part};
use crate::context::Context;
use crate::dump::{self, Destination, DumpOptions};
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{self, Session, Sql};
use crate::restore::{self, Statement};

/// Tables named in one LOCK statement.
const LOCKED_AT_ONCE: usize = 500;

/// Statements sent together.
const RUN_AT_ONCE: usize = 100;

/// How an attempt failed.
pub(super) enum Ended {
    /// Before the commit.
    NotCommitted(Error),
    /// Before the commit, because it could not be written down: no other rung could write it down either.
    NotNoted(Error),
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

/// Every table held against writers, and nobody wrote between the judgement and that (P5). An attempt that fails goes back to
/// this moment, and the next one begins with the locks still held: between two transactions those who waited for a lock would
/// commit, and be pulled away unseen.
pub(super) struct Held<'a> {
    /// Where it happens.
    pub scene: Scene<'a>,
    counts: Counts,
}

impl<'a> Held<'a> {
    /// Opens the transaction, locks and judges.
    pub(super) async fn take(
        scene: &Scene<'a>,
        mode: &'static str,
        counts: Counts,
    ) -> Result<Self> {
        begin(scene).await?;
        lock_all(scene.session, mode).await?;
        mark::refuse_later_writes(scene, counts).await?;
        let savepoint = Sql::constant("SAVEPOINT attempt");
        scene.session.execute(&savepoint).await?;
        Ok(Self {
            scene: *scene,
            counts,
        })
    }

    /// Judges once more, after what no lock holds was read. What this transaction wrote is not counted before its end.
    pub(super) async fn refuse_later_writes(&self) -> Result<()> {
        mark::refuse_later_writes(&self.scene, self.counts).await
    }

    /// Undoes what an attempt did.
    pub(super) async fn start_over(&self) -> Result<()> {
        let back = Sql::constant("ROLLBACK TO SAVEPOINT attempt");
        self.scene.session.execute(&back).await
    }

    /// Keeps readers out, too. Whoever waits for us lets us pass: a holder's request goes before theirs.
    pub(super) async fn keep_everybody_out(&self) -> Result<()> {
        lock_all(self.scene.session, EVERYBODY).await
    }

    /// Nothing of it is left, which the server does anyway when the connection ends.
    pub(super) async fn let_go(&self) {
        let _ = self.scene.session.execute(&Sql::constant("ROLLBACK")).await;
    }
}

/// Keeps writers out.
pub(super) const WRITERS: &str = " IN SHARE MODE";
/// Keeps readers out, too.
pub(super) const EVERYBODY: &str = " IN ACCESS EXCLUSIVE MODE";

/// Opens the transaction, in which no event trigger is heard.
pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    let begin = lock_wait(scene.options, "BEGIN;\nSET LOCAL lock_timeout = ");
    let silence = Sql::constant(include_str!("sql/silence.sql"));
    scene
        .session
        .execute(&begin.then(";\n").sql(&silence))
        .await
}

/// The statement, and how long to wait for each lock.
pub(super) fn lock_wait(options: &RollbackOptions, set: &'static str) -> Sql {
    let milliseconds = i128::try_from(options.lock_timeout.as_millis()).unwrap_or(i128::MAX);
    Sql::constant(set).number(milliseconds.min(i128::from(i32::MAX)))
}

/// Takes every table for this transaction: from here on nobody else writes, or reads either.
pub(super) async fn lock_all(session: &Session, mode: &'static str) -> Result<()> {
    take_own_rights(session).await?;
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

/// What an owner took from itself is given back to it for this transaction. The recorded grants come back with the rest: the
/// definitions are read after it.
async fn take_own_rights(session: &Session) -> Result<()> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/own_rights.sql")))
        .await?;
    let mut grants = Sql::default();
    for row in &rows {
        grants = grants
            .then("GRANT ALL ON TABLE ")
            .qualified(row.text("schema")?, row.text("name")?)
            .then(" TO CURRENT_USER;\n");
    }
    match rows.is_empty() {
        true => Ok(()),
        false => session.execute(&grants).await,
    }
}

fn locks_missing(error: Error) -> Error {
    match error.sqlstate() {
        Some("55P03") => error.hint(
            "other sessions use these tables: stop the application or end its sessions, then try again",
        ),
        Some("53200") => error.hint(
            "the server's lock table is full: raise max_locks_per_transaction \
             (needs a server restart), then run `pgbelay rollback`",
        ),
        _ => error,
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

/// Saves what will go (P4): all that is there, or a part of what was read. The archive has been read back and checked.
pub(super) async fn save(
    scene: &Scene<'_>,
    revision: Option<String>,
    part: Option<(&Catalog, &Part)>,
) -> Result<PathBuf> {
    let Scene { session, ctx, .. } = *scene;
    let options = DumpOptions {
        purpose: "before-rollback".to_owned(),
        revision,
        jobs: scene.options.jobs,
        accept: AcceptedLosses::all(),
        table_lock_wait: scene.options.lock_timeout,
        ..DumpOptions::default()
    };
    let destination = Destination::Store(scene.store);
    let report = match part {
        Some(part) => dump::write_part(session, &destination, &options, part, ctx).await?,
        None => dump::write(session, &destination, &options, ctx).await?,
    };
    dump::check(&report.archive, ctx).await?;
    tell_unsaved(&report.accepted_losses, scene.reader, ctx);
    Ok(report.archive)
}

/// What the migration made and no archive can hold: it goes for good.
fn tell_unsaved(losses: &[String], reader: &Reader, ctx: &Context) {
    let known = &reader.manifest().accepted_losses;
    for loss in losses.iter().filter(|loss| !known.contains(loss)) {
        ctx.warn(format!("{loss} is removed and could not be saved"));
    }
}

/// Gives the database the properties that the archive recorded, where they differ from those that were found.
pub(super) async fn set_properties(scene: &Scene<'_>, now: &DatabaseProperties) -> Result<()> {
    let then = &scene.reader.manifest().database.properties;
    restore::set_properties(scene.session, &now.name, &now.properties, then).await
}

/// Runs statements a hundred at a time.
pub(super) async fn run_all(session: &Session, statements: &[Statement]) -> Result<()> {
    for statements in statements.chunks(RUN_AT_ONCE) {
        restore::run_statements(session, statements).await?;
    }
    Ok(())
}

/// Notes what there is before the first change.
pub(super) async fn note(
    scene: &Scene<'_>,
    touched: Option<Touched<'_>>,
    saved: &Path,
) -> Result<(), Ended> {
    let Some(image) = BeforeImage::take(scene, touched, saved).await? else {
        return Ok(());
    };
    scene.ledger.changes(&image).map_err(Ended::NotNoted)
}

/// Commits what is proven; its id is written down before that. Where the answer is lost the server is asked on another
/// connection; if it cannot tell either, it stays open what is true.
pub(super) async fn commit(scene: &Scene<'_>, proof: &Proof) -> Result<(), Ended> {
    let noted = Commit::of(scene.session, proof).await?;
    scene.ledger.commits(&noted).map_err(Ended::NotNoted)?;
    faults::reach(Point::RollbackCommit)?;
    let commit = Sql::constant("COMMIT");
    let committed = scene.session.execute(&commit).await;
    let answer = committed.and_then(|()| faults::reach(Point::RollbackCommitted));
    let Err(error) = answer else {
        return Ok(());
    };
    match fate_of(scene, &noted).await {
        Ok(Fate::Committed) => Ok(()),
        Ok(Fate::NotCommitted) => Err(Ended::NotCommitted(error)),
        Ok(Fate::UnderWay | Fate::Unknown(_)) | Err(_) => Err(Ended::Unknown(error)),
    }
}

async fn fate_of(scene: &Scene<'_>, noted: &Commit) -> Result<Fate> {
    let session = pg::connect(scene.target, pg::Purpose::Proof, scene.ctx).await?;
    let fate = noted.fate(&session).await;
    session.close().await;
    fate
}
