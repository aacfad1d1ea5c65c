//! A database → an archive: one snapshot, every row read once, memory flat.
//!
//! [`backup`] is the whole operation of design.md §5: it opens its own connection, reads under one
//! REPEATABLE READ snapshot, publishes, closes every connection (P7) and proves the archive whole
//! by reading it back (P1). [`write`] does the reading and writing inside a transaction that the
//! caller has open: a rollback saves with it what it is about to remove, under its own locks (P4).
//!
//! Rows flow table → [`rows`] (digest, pieces of about 2 MiB) → [`pipeline`] (compression on
//! blocking threads, a bounded number at a time) → the single writer, in the order of reading.
//! Several connections on one exported snapshot feed the pipeline ([`workers`]), each with a table
//! or a range of a large table's blocks ([`units`]), so members of different tables, and of ranges
//! of one table, interleave. Entries, tables of the manifest and digests are the same in two backups
//! of an unchanged database; the order of a large table's members is not, unless one connection
//! reads.

mod large_objects;
mod manifest;
mod pipeline;
mod rows;
mod script;
mod tally;
mod units;
mod workers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::runtime::{Handle, RuntimeFlavor};

use self::script::Script;
use self::workers::Team;
use crate::archive::{ClusterFact, Manifest, Reader, Writer};
use crate::catalog::{self, AcceptedLosses, Catalog, Counters, Locking, Part};
use crate::context::{Context, Phase, Progress};
use crate::error::{Attempt, Error, Kind, Result};
use crate::pg::{self, Session, Sql, Target};
use crate::store::{Store, revision_label};

/// Where an archive goes.
#[derive(Debug, Clone)]
pub enum Destination<'a> {
    /// Into the store, named after time, database and revision.
    Store(&'a Store),
    /// To exactly this file, which must not exist.
    File(PathBuf),
}

/// Why and how an archive is made.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    /// Kept in the manifest and, unless it is `backup`, added to the name: `before-rollback`.
    pub purpose: String,
    /// The revision for the name; read from the version tables when absent.
    pub revision: Option<String>,
    /// Connections that read tables, and threads that compress.
    pub jobs: usize,
    /// What may be missing from it; the manifest lists it. Everything that can be accepted for
    /// P4, where refusing would save nothing.
    pub accept: AcceptedLosses,
    /// How long others may keep a table from being read before the backup is given up.
    pub table_lock_wait: Duration,
    /// How long a further connection may take: those that are there go on without it.
    pub worker_wait: Duration,
    /// Streams of rows that keep everybody busy: where several connections read, a table of more bytes
    /// than such a share of the database is read in ranges of its blocks. Absent: as many as `jobs`, or half
    /// of them where the server's processes and ours share the processors.
    pub streams: Option<u64>,
    /// Bytes of such a range at most.
    pub unit_bytes: u64,
}

impl Default for DumpOptions {
    fn default() -> Self {
        Self {
            purpose: "backup".to_owned(),
            revision: None,
            jobs: 2,
            accept: AcceptedLosses::default(),
            table_lock_wait: Locking::DEFAULT_WAIT,
            worker_wait: workers::WORKER_WAIT,
            streams: None,
            unit_bytes: units::UNIT_BYTES,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// The archive.
    pub archive: PathBuf,
    /// Its size in bytes.
    pub archive_bytes: u64,
    /// Bytes of SQL text in it.
    pub text_bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Tables with data.
    pub tables: usize,
    /// Entries.
    pub entries: usize,
    /// Reading, writing and checking.
    #[serde(skip)]
    pub elapsed: Duration,
    /// What is not in it: `kind: object`; empty unless accepted.
    pub accepted_losses: Vec<String>,
}

/// Takes a complete, published and checked archive of the target's database.
///
/// Fails with [`Kind::Refused`] when an object is of a kind that no entry covers (P10), and with
/// [`Kind::BackupFailed`] otherwise; the database is only read.
pub async fn backup(
    target: &Target,
    destination: &Destination<'_>,
    options: &DumpOptions,
    ctx: &Context,
) -> Result<BackupReport> {
    let started = std::time::Instant::now();
    let result = async {
        let mut report = until_stopped(ctx, read_out(target, destination, options, ctx)).await?;
        check_until_stopped(&report.archive, ctx).await?;
        report.elapsed = started.elapsed();
        tell_losses(&report, ctx);
        Ok(report)
    };
    result
        .await
        .map_err(|error: Error| error.narrowed(Kind::BackupFailed))
}

async fn read_out(
    target: &Target,
    destination: &Destination<'_>,
    options: &DumpOptions,
    ctx: &Context,
) -> Result<BackupReport> {
    let _phase = ctx.phase(Phase::Backup);
    let session = pg::connect(target, pg::Purpose::Backup, ctx).await?;
    tell_unknown_shape(&session, ctx);
    let report = async {
        tell_what_extensions_keep(&session, ctx).await?;
        read_steadily(&session, destination, options, ctx).await
    }
    .await;
    session.close().await;
    report
}

/// What CREATE EXTENSION decides, and no archive.
async fn tell_what_extensions_keep(session: &Session, ctx: &Context) -> Result<()> {
    for line in catalog::rows_left_to_extensions(session).await? {
        ctx.warn(line);
    }
    for line in catalog::owners_of_extensions(session).await? {
        ctx.note(line);
    }
    Ok(())
}

/// Whole readings that renamed labels or schemas may spoil before we give up.
const ATTEMPTS: usize = 3;

/// One state of the database, definitions and rows, whatever others define meanwhile.
async fn read_steadily(
    session: &Session,
    destination: &Destination<'_>,
    options: &DumpOptions,
    ctx: &Context,
) -> Result<BackupReport> {
    for _ in 0..ATTEMPTS {
        let moment = Moment {
            created: ctx.now(),
            // Before the snapshot: a count that comes late must not hide a later write.
            counters: Some(catalog::read_counters(session).await?),
            // Only told later, never needed: a backup does not fail of it.
            cluster: catalog::read_cluster(session).await.ok(),
            partial: false,
        };
        let locking = Locking::tables(options.table_lock_wait);
        let mut steady = catalog::open_steady(session, locking, ctx).await?;
        let catalog = std::mem::take(&mut steady.catalog);
        let team = Team::gather(session, &catalog, options, ctx).await?;
        let draft = draft(session, team, catalog, moment, destination, options, ctx).await?;
        let fit = steady.rows_fit().await?;
        steady.close().await;
        session.execute(&Sql::constant("ROLLBACK")).await?;
        if fit {
            return publish(draft).await;
        }
    }
    Err(catalog::rows_unfit())
}

/// A server that is newer than this version was let in by `--allow-unknown-server`.
fn tell_unknown_shape(session: &Session, ctx: &Context) {
    let version = session.version();
    if !catalog::knows_shape(version.major()) {
        ctx.warn(format!(
            "PostgreSQL {} is not known: whether its catalogs hold more than is read was NOT checked",
            version.text
        ));
    }
}

/// Reads the database inside the caller's transaction and publishes an archive of it.
///
/// The transaction must be READ COMMITTED and hold locks that keep writers out.
/// The archive is complete when this returns; nothing has read it back yet ([`check`]).
pub async fn write(
    session: &Session,
    destination: &Destination<'_>,
    options: &DumpOptions,
    ctx: &Context,
) -> Result<BackupReport> {
    let moment = Moment::unobserved(ctx);
    let catalog = catalog::read_locked(session).await?;
    let team = Team::alone(session, &catalog)?;
    let draft = draft(session, team, catalog, moment, destination, options, ctx).await?;
    publish(draft).await
}

/// As [`write`], of a part of the `catalog` that was read in the same transaction.
pub async fn write_part(
    session: &Session,
    destination: &Destination<'_>,
    options: &DumpOptions,
    (catalog, part): (&Catalog, &Part),
    ctx: &Context,
) -> Result<BackupReport> {
    let moment = Moment {
        partial: true,
        ..Moment::unobserved(ctx)
    };
    let catalog = catalog.part(part);
    let team = Team::alone(session, &catalog)?;
    let draft = draft(session, team, catalog, moment, destination, options, ctx).await?;
    publish(draft).await
}

/// When a reading begins, and what it is about to read.
struct Moment {
    created: DateTime<Utc>,
    /// What the server had counted by then.
    counters: Option<Counters>,
    /// What the whole cluster held.
    cluster: Option<Vec<ClusterFact>>,
    /// Whether the catalog is a part of the database's.
    partial: bool,
}

impl Moment {
    /// Of a reading that nothing will be compared with.
    fn unobserved(ctx: &Context) -> Self {
        Self {
            created: ctx.now(),
            counters: None,
            cluster: None,
            partial: false,
        }
    }
}

/// An archive that lacks its manifest; dropping it removes the file.
struct Draft {
    writer: Writer,
    manifest: Manifest,
    text_bytes: u64,
}

/// Appends everything that `catalog` lists and that the leading session's transaction shows.
async fn draft(
    session: &Session,
    team: Team<'_>,
    catalog: Catalog,
    moment: Moment,
    destination: &Destination<'_>,
    options: &DumpOptions,
    ctx: &Context,
) -> Result<Draft> {
    let moment_sql = Sql::constant(include_str!("sql/moment.sql"));
    let now = session.query_one(&moment_sql).await?;
    require_covered(&catalog, options)?;
    let settings = pg::pinned_settings(session).await?;
    let facts = manifest::Facts {
        created: moment.created,
        counters: moment.counters,
        cluster: moment.cluster,
        snapshot: now.string("snapshot")?,
        server_time: now.number("server_time")?,
        settings,
        purpose: options.purpose.clone(),
        version: session.version().clone(),
        partial: moment.partial,
    };
    let (mut manifest, script) = manifest::of_catalog(catalog, facts)?;
    let (directory, name) = place(destination, options, &manifest)?;
    let mut writer = Writer::create(&directory, &name)?;
    let text_bytes = fill(
        session,
        team,
        script,
        &mut manifest,
        &mut writer,
        options.jobs,
        ctx,
    )
    .await?;
    Ok(Draft {
        writer,
        manifest,
        text_bytes,
    })
}

/// Appends every member in restore order; returns the bytes of text.
async fn fill(
    session: &Session,
    team: Team<'_>,
    mut script: Script,
    manifest: &mut Manifest,
    writer: &mut Writer,
    jobs: usize,
    ctx: &Context,
) -> Result<u64> {
    let mut text_bytes = 0;
    for member in script.before_data() {
        text_bytes += script::append(writer, manifest, member)?;
    }
    text_bytes += pipeline::append_tables(team, manifest, writer, jobs, ctx).await?;
    text_bytes +=
        large_objects::append(session, &script.large_objects, manifest, writer, ctx).await?;
    for member in script.after_data() {
        text_bytes += script::append(writer, manifest, member)?;
    }
    Ok(text_bytes)
}

/// Finishing syncs the file, which may take long: not on the runtime's threads.
async fn publish(draft: Draft) -> Result<BackupReport> {
    let Draft {
        writer,
        manifest,
        text_bytes,
    } = draft;
    let report = BackupReport {
        archive: PathBuf::new(),
        archive_bytes: 0,
        text_bytes,
        rows: manifest.tables.iter().map(|table| table.rows).sum(),
        tables: manifest.tables.len(),
        entries: manifest.entries.len(),
        elapsed: Duration::ZERO,
        accepted_losses: manifest.accepted_losses.clone(),
    };
    let archive = tokio::task::spawn_blocking(move || writer.finish(manifest))
        .await
        .attempt(|| "finish the archive".to_owned())??;
    let archive_bytes = std::fs::metadata(&archive)
        .attempt(|| format!("look at the archive {}", archive.display()))?
        .len();
    Ok(BackupReport {
        archive,
        archive_bytes,
        ..report
    })
}

/// Opens the archive again and checks every byte, row count and digest (P1).
pub async fn check(archive: &Path, ctx: &Context) -> Result<()> {
    let _phase = ctx.phase(Phase::Check);
    let reader = in_place(|| Reader::open(archive))?;
    let watcher = ctx.clone();
    let checked = tokio::task::spawn_blocking(move || {
        reader.check(&mut |done, total| {
            watcher.progress(Progress {
                what: "reading the archive back".to_owned(),
                bytes: done,
                total_bytes: total,
                ..Progress::default()
            });
        })
    });
    checked
        .await
        .attempt(|| format!("check the archive {}", archive.display()))??;
    Ok(())
}

/// As [`check`], until somebody asks to stop: nothing waits for the answer then.
///
/// # Errors
/// As [`check`]; [`Kind::Interrupted`].
pub async fn check_until_stopped(archive: &Path, ctx: &Context) -> Result<()> {
    tokio::select! {
        biased;
        signal = ctx.stop.wait() => Err(Error::new(
            Kind::Interrupted(signal),
            format!("check the archive {}", archive.display()),
        )
        .because(format!("interrupted by signal {signal}"))
        .now("the archive is complete, and was not read back")),
        checked = check(archive, ctx) => checked,
    }
}

/// Runs what takes moments and much memory on this thread, where memory was freed before: the allocator keeps that
/// for the thread, and another one would take as much again.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => work(),
        _ => tokio::task::block_in_place(work),
    }
}

/// Directory and file name of the archive.
fn place(
    destination: &Destination<'_>,
    options: &DumpOptions,
    manifest: &Manifest,
) -> Result<(PathBuf, String)> {
    match destination {
        Destination::Store(store) => {
            let revision = options.revision.clone().or_else(|| revision(manifest));
            let suffix = Some(options.purpose.as_str()).filter(|purpose| *purpose != "backup");
            let name = store.archive_name(
                manifest.created,
                &manifest.database.name,
                revision.as_deref(),
                suffix,
            );
            Ok((store.directory().to_path_buf(), name))
        }
        Destination::File(path) => split(path),
    }
}

fn split(path: &Path) -> Result<(PathBuf, String)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Error::usage(format!("write an archive to {}", path.display())).because("it names no file")
    })?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    Ok((directory, name.to_owned()))
}

/// The heads of the first version table that has any.
fn revision(manifest: &Manifest) -> Option<String> {
    let tables = &manifest.version_tables;
    revision_label(
        &tables
            .iter()
            .find(|table| !table.revisions.is_empty())?
            .revisions,
    )
}

/// P10: what no entry covers would be lost, so the backup is refused with the objects' names,
/// unless the operator accepted that.
fn require_covered(catalog: &Catalog, options: &DumpOptions) -> Result<()> {
    let attempt = format!("back up the database {}", catalog.database.name);
    let accept = &options.accept;
    accept.require(&catalog.uncovered, attempt)
}

/// Accepted losses that are said one by one; the manifest has all.
const TOLD: usize = 20;

/// What is missing is said each time, however knowingly it was accepted.
fn tell_losses(report: &BackupReport, ctx: &Context) {
    for label in report.accepted_losses.iter().take(TOLD) {
        ctx.warn(format!("not in the archive: {label}"));
    }
    if report.accepted_losses.len() > TOLD {
        let more = report.accepted_losses.len() - TOLD;
        ctx.warn(format!(
            "not in the archive: {more} more; `pgbelay show` lists them"
        ));
    }
}

/// Runs `work` until somebody asks to stop; dropping it closes its connections, and the server
/// ends their transactions.
async fn until_stopped<T>(ctx: &Context, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        signal = ctx.stop.wait() => Err(Error::new(Kind::Interrupted(signal), "take a backup")
            .because(format!("interrupted by signal {signal}"))
            .now("the database was only read; no archive was made")),
        result = work => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_file_is_split_into_directory_and_name() {
        let (directory, name) = split(Path::new("a/b.sql.gz")).unwrap();
        assert_eq!((directory, name.as_str()), ("a".into(), "b.sql.gz"));
        let (directory, _) = split(Path::new("b.sql.gz")).unwrap();
        assert_eq!(directory, Path::new("."));
        assert_eq!(split(Path::new("..")).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn p10_uncovered_objects_refuse_the_backup_by_name() {
        let mut catalog = Catalog::default();
        catalog.uncovered.push(catalog::Uncovered {
            loss: catalog::Loss::UnknownObject,
            description: "aggregate public.my_sum(integer)".to_owned(),
            catalog: "pg_proc".to_owned(),
            reason: String::new(),
            drop: None,
        });
        let mut options = DumpOptions::default();
        let error = require_covered(&catalog, &options).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        let text = error.to_string();
        assert!(
            text.contains("cannot be restored: aggregate public.my_sum(integer)"),
            "{text}"
        );
        options.accept = AcceptedLosses::all();
        assert!(require_covered(&catalog, &options).is_ok());
    }
}
