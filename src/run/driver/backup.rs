//! A complete, checked archive before anything runs (P1): a new one, or the last one where the
//! database is provably unchanged since.

use std::path::PathBuf;
use std::time::Instant;

use crate::archive::Reader;
use crate::compare::counted;
use crate::dump::{self, Destination, DumpOptions};
use crate::error::{Kind, Result};
use crate::journal::{Stage, Step};
use crate::pg::{Session, Sql};
use crate::rollback::{self, Decision};
use crate::run::chronicle::{BackedUp, Plan};
use crate::run::driver::desk::Desk;
use crate::run::driver::scene::Scene;
use crate::run::recover;
use crate::run::state::Event;
use crate::run::versions;
use crate::store;

/// Brings the run to `BackedUp` and returns the archive.
pub async fn back_up(desk: &mut Desk<'_>, scene: &Scene<'_>, plan: &Plan) -> Result<PathBuf> {
    let started = Instant::now();
    let (archive, reused) = match unchanged_archive(desk, scene, plan).await {
        Some(archive) => (archive, true),
        None => (take(desk, scene).await?, false),
    };
    let record = BackedUp {
        archive: file_name(&archive),
        reused,
    };
    desk.record(Step::Backup, Stage::Outcome, &record)?;
    desk.to(Event::BackupChecked)?;
    desk.spend("backup", started.elapsed());
    desk.report.archive = Some(archive.clone());
    Ok(archive)
}

async fn take(desk: &mut Desk<'_>, scene: &Scene<'_>) -> Result<PathBuf> {
    let revisions = versions::all(&scene.versions);
    let options = DumpOptions {
        purpose: "backup".to_owned(),
        revision: store::revision_label(&revisions),
        jobs: scene.options.jobs,
        accept: scene.options.accept_losses.clone(),
        table_lock_wait: scene.options.table_lock_wait,
        ..DumpOptions::default()
    };
    let destination = Destination::Store(&scene.store);
    let report = dump::backup(&scene.target, &destination, &options, scene.ctx)
        .await
        .map_err(|error| error.narrowed(Kind::BackupFailed))?;
    scene.ctx.note(format!(
        "archive {} ({}, {})",
        report.archive.display(),
        counted(report.tables, "table", "tables"),
        counted(report.rows, "row", "rows"),
    ));
    desk.report.accepted_losses = report.accepted_losses;
    Ok(report.archive)
}

/// The newest archive of this database, if nothing was committed since and it is still whole.
/// Any doubt, an error among it, means another backup.
async fn unchanged_archive(desk: &Desk<'_>, scene: &Scene<'_>, plan: &Plan) -> Option<PathBuf> {
    let facts = &scene.facts;
    let found = scene.store.latest_where(|manifest| {
        manifest.database.system_identifier == facts.system_identifier
            && !facts.system_identifier.is_empty()
            && manifest.database.oid == facts.database_oid
            && manifest.accepted_losses.is_empty()
    });
    let (file, reader) = found.ok()??;
    let mut evidence = cheap_evidence(&scene.session, &reader, scene).await;
    if evidence.is_none() && is_repetition(scene, plan) {
        evidence = full_evidence(&scene.session, &reader, scene).await;
    }
    let evidence = evidence?;
    dump::check_until_stopped(&file.path, scene.ctx)
        .await
        .ok()?;
    desk.ctx.note(format!(
        "the archive {} still is what the database holds: {evidence}",
        file.path.display()
    ));
    Some(file.path)
}

/// Whether the last run failed at the same work: a service that restarts for ever must not fill
/// the disk, so comparing everything is worth more than another equal archive.
fn is_repetition(scene: &Scene<'_>, plan: &Plan) -> bool {
    recover::stories_of(&scene.store, &scene.facts)
        .is_ok_and(|stories| recover::equal_failures(&stories, plan) > 0)
}

async fn full_evidence(session: &Session, reader: &Reader, scene: &Scene<'_>) -> Option<String> {
    match rollback::decide(session, reader, scene.ctx).await {
        Ok(Decision::Unchanged { evidence }) => Some(evidence),
        _ => None,
    }
}

/// Only evidence that costs less than the backup it would save.
async fn cheap_evidence(session: &Session, reader: &Reader, scene: &Scene<'_>) -> Option<String> {
    let row = session
        .query_one(&Sql::constant(
            "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text AS next",
        ))
        .await
        .ok()?;
    let next: u64 = row.number("next").ok()?;
    let then: u64 = reader.manifest().snapshot.split(':').nth(1)?.parse().ok()?;
    // A failed attempt leaves a few ids; a database in use leaves more than are worth asking for.
    (next.checked_sub(then)? <= FEW_TRANSACTIONS).then_some(())?;
    rollback::unchanged_by_transaction_ids(session, reader, scene.ctx)
        .await
        .ok()?
}

/// Transactions since the archive up to which asking is cheaper than reading.
const FEW_TRANSACTIONS: u64 = 1000;

/// The archive's name in the store.
pub fn file_name(archive: &std::path::Path) -> String {
    archive
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
