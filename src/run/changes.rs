//! What a successful migration did: the archive's state, which is the one before, against the live database
//! (docs/changes.md).
//!
//! Told after the fact and within a bounded time: the migration is in place and verified, so nothing that goes
//! wrong here changes how the run ended. What could not be told is said to be so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::archive::{Manifest, Reader, TableDigest};
use crate::catalog::{self, Catalog, Locking};
use crate::compare::{Difference, State, compare};
use crate::context::{Context, Phase};
use crate::durable::LogFile;
use crate::error::Result;
use crate::pg::{self, Session};
use crate::rollback::{self, Written};
use crate::run::driver::{Desk, Ready, Scene};

/// Whoever waits for the end of a deployment gets the report within this time or not at all.
const WITHIN: Duration = Duration::from_secs(15);

/// How long others may keep a table from being read for the report.
const TABLE_LOCK_WAIT: Duration = Duration::from_secs(5);

/// How much is told of what a successful migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangeDetail {
    /// Nothing.
    None,
    /// Definitions, sequences, version rows, and how many rows the server counted as written.
    #[default]
    Counts,
    /// The same, and the rows of every table that may have been written to are read and compared.
    Rows,
}

/// What is known of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowsKnown {
    /// Nothing.
    #[default]
    Unknown,
    /// What the server counted.
    Counted,
    /// They were read and compared, or nobody can have written to them.
    Compared,
}

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChangeReport {
    /// The archive that has the state before.
    pub before: String,
    /// The masked target.
    pub after: String,
    /// Why there is no report.
    pub not_reported: Option<String>,
    /// As `diff` gives it.
    pub difference: Option<Difference>,
    /// The difference in lines, as `diff` prints them.
    pub differences: Vec<String>,
    /// Objects that no entry covers.
    pub known_by_name_only: Vec<String>,
    /// How rows are known.
    pub rows: RowsKnown,
    /// What the server counted; none where it cannot tell.
    pub written: Option<Written>,
    /// Why the server's counts say nothing.
    pub not_counted: Option<String>,
}

/// Puts the report of a migration that is in place onto the desk, and all of it into the run's log.
pub(in crate::run) async fn report(desk: &mut Desk<'_>, ready: &Ready<'_>) {
    let scene = &ready.scene;
    if scene.options.changes == ChangeDetail::None {
        return;
    }
    let _phase = scene.ctx.phase(Phase::Report);
    let begun = std::time::Instant::now();
    let empty = ChangeReport {
        before: ready.archive.display().to_string(),
        after: scene.target.masked(),
        ..ChangeReport::default()
    };
    let report = match in_time(scene, ready).await {
        Ok(found) => ChangeReport {
            before: empty.before,
            after: empty.after,
            ..found
        },
        Err(reason) => ChangeReport {
            not_reported: Some(reason),
            ..empty
        },
    };
    if let Err(error) = write_down(&report, ready, scene.ctx) {
        scene.ctx.note(format!("{error}"));
    }
    desk.spend("report", begun.elapsed());
    desk.report.changes = Some(report);
}

/// The report, or why there is none.
async fn in_time(
    scene: &Scene<'_>,
    ready: &Ready<'_>,
) -> std::result::Result<ChangeReport, String> {
    // Reading rows is what the operator asked for; it may take as long as the migration may.
    let limit = match scene.options.changes {
        ChangeDetail::Rows => scene.options.timeout,
        _ => WITHIN,
    };
    tokio::select! {
        found = make(scene, ready) => found.map_err(|error| error.to_string()),
        () = tokio::time::sleep(limit) => Err(format!(
            "it took longer than {} s", limit.as_secs()
        )),
        _ = scene.ctx.stop.wait() => Err("somebody asked to stop".to_owned()),
    }
}

async fn make(scene: &Scene<'_>, ready: &Ready<'_>) -> Result<ChangeReport> {
    let reader = Reader::open(&ready.archive)?;
    let session = pg::connect(&scene.target, pg::Purpose::Report, scene.ctx).await?;
    let locking = match scene.options.changes {
        ChangeDetail::Rows => Locking::tables(TABLE_LOCK_WAIT),
        _ => Locking {
            wait: TABLE_LOCK_WAIT,
            ..Locking::DEFINITIONS
        },
    };
    let steady = catalog::open_steady(&session, locking, scene.ctx).await?;
    let found = look(scene, &session, &reader, &steady.catalog).await;
    steady.close().await;
    // Its transaction only read; the connection takes it along.
    session.close().await;
    found
}

async fn look(
    scene: &Scene<'_>,
    session: &Session,
    reader: &Reader,
    live: &Catalog,
) -> Result<ChangeReport> {
    let manifest = reader.manifest();
    let compares = scene.options.changes == ChangeDetail::Rows;
    // Before the counts are read for people: a transaction sees them as they were when it first asked, and a
    // session may report and leave after that.
    let known = match compares {
        true => known(session, manifest, live, scene.ctx).await?,
        false => BTreeMap::new(),
    };
    let written = rollback::written(session, manifest, live, scene.ctx).await?;
    let mut before = State::of_archive(reader)?;
    let mut after = State::of_catalog(live);
    let mut rows = RowsKnown::Unknown;
    if compares {
        let reference = Some(manifest);
        after
            .read_other_rows(session, live, reference, &known, scene.ctx)
            .await?;
        rows = RowsKnown::Compared;
    } else {
        // Only their definitions were read.
        before.large_objects.clear();
        if written.is_ok() {
            rows = RowsKnown::Counted;
        }
    }
    let difference = compare(&before, &after);
    let (written, not_counted) = match written {
        Ok(written) => (Some(written), None),
        Err(reason) => (None, Some(reason)),
    };
    Ok(ChangeReport {
        differences: difference.lines(),
        difference: Some(difference),
        known_by_name_only: after.uncovered,
        rows,
        written,
        not_counted,
        ..ChangeReport::default()
    })
}

/// Digests of tables that nobody wrote to: they need not be read.
async fn known(
    session: &Session,
    manifest: &Manifest,
    live: &Catalog,
    ctx: &Context,
) -> Result<BTreeMap<String, TableDigest>> {
    let unwritten = rollback::unwritten(session, manifest, live, ctx).await?;
    let records = manifest.tables.iter();
    let records = records.filter(|record| unwritten.contains(&record.identity));
    Ok(records
        .map(|record| (record.identity.clone(), record.rows_digest()))
        .collect())
}

impl ChangeReport {
    /// What was done to rows, a line for each table; version rows have lines of their own.
    pub fn row_lines(&self) -> Vec<String> {
        let Some(written) = self.written.as_ref().filter(|_| self.is_counted()) else {
            return Vec::new();
        };
        let versions = self.version_tables();
        let made = self.made();
        let tables = written.tables.iter();
        let tables = tables.filter(|table| {
            !versions.contains(&table.identity) && !made.contains(table.identity.as_str())
        });
        let mut lines: Vec<String> = tables.map(rollback::WrittenTable::line).collect();
        if written.large_objects {
            lines.push("large objects: written to".to_owned());
        }
        lines
    }

    /// What else differs, as `diff` prints it; new tables with how many rows were put into them.
    pub fn definition_lines(&self) -> Vec<String> {
        let counted = self.written.as_ref().filter(|_| self.is_counted());
        let written: BTreeMap<String, String> = counted
            .iter()
            .flat_map(|written| &written.tables)
            .map(|table| (format!("{}: added", table.identity), table.words()))
            .collect();
        let lines = self.differences.iter();
        lines
            .map(|line| match written.get(line) {
                Some(words) => format!("{line}, {words}"),
                None => line.clone(),
            })
            .collect()
    }

    /// How much the lines can be relied on; none where they say everything.
    pub fn caveat(&self) -> Option<String> {
        if let Some(reason) = &self.not_reported {
            return Some(format!("not reported: {reason}"));
        }
        let incomplete = self.written.as_ref();
        let incomplete = incomplete.and_then(|written| written.incomplete.as_ref());
        match (self.rows, &self.not_counted, incomplete) {
            (RowsKnown::Compared, ..) => None,
            (_, Some(reason), _) => Some(format!(
                "which rows were written cannot be told: {reason} (--report rows reads them)"
            )),
            (.., Some(reason)) => Some(format!(
                "rows are what the server counted; some may be missing: {reason}"
            )),
            _ => Some("rows are what the server counted, rolled back ones among them".to_owned()),
        }
    }

    fn is_counted(&self) -> bool {
        self.rows == RowsKnown::Counted
    }

    /// Identities of version tables.
    fn version_tables(&self) -> BTreeSet<String> {
        let difference = self.difference.iter();
        let tables = difference.flat_map(|difference| &difference.version_tables);
        tables
            .map(|table| format!("table {}", table.name))
            .collect()
    }

    /// Identities of what was made.
    fn made(&self) -> BTreeSet<&str> {
        let difference = self.difference.iter();
        let entries = difference.flat_map(|difference| &difference.added);
        entries.map(|entry| entry.identity.as_str()).collect()
    }
}

/// All of it, for whoever looks later.
fn write_down(report: &ChangeReport, ready: &Ready<'_>, ctx: &Context) -> Result<()> {
    let mut log = LogFile::create(&ready.log)?;
    let lines = report.row_lines().into_iter();
    let lines = lines.chain(report.definition_lines());
    for line in lines.chain(report.caveat()) {
        let time = ctx.now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        log.line(&format!("{time} | changes: {line}"))?;
    }
    Ok(())
}
