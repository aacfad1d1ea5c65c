//! Which tables nobody has written to since the backup, by the server's own counts (`--proof counters`).
//!
//! Sound where counts cannot be missing: not before PostgreSQL 15, whose sessions send them by datagrams;
//! not after a crash or a reset; not while another session may have commits that it has not reported;
//! and only with the table's file and its recorded columns unchanged, which no count shows, and without names of
//! other objects in its rows. What a superuser
//! does who switches counting off in his own session is not seen (docs/rollback.md).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::evidence;
use crate::archive::{CountersRecord, Manifest, TableRecord, WrittenRecord};
use crate::catalog::{self, Catalog, Counters, Table};
use crate::context::Context;
use crate::error::Result;
use crate::pg::{self, Row, Session, Sql};

/// The first major whose sessions put their counts where they cannot get lost.
pub const SINCE: u32 = 15;

/// How much later the process that collects them before [`SINCE`] has what a session wrote.
pub const COLLECTOR_DELAY: Duration = Duration::from_millis(1200);

/// What the counts say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Counts {
    /// Nothing, for this reason.
    Silent(String),
    /// Nobody wrote to these.
    Untouched {
        /// Identities of tables.
        tables: BTreeSet<String>,
        /// Whether large objects are among it.
        large_objects: bool,
    },
}

/// Asks the server. The caller's transaction holds locks that keep writers out of every table.
pub(super) async fn untouched(
    session: &Session,
    manifest: &Manifest,
    live: &Catalog,
    ctx: &Context,
) -> Result<Counts> {
    let silent = |reason: String| Ok(Counts::Silent(reason));
    if let Some(reason) = doubt(session, ctx).await? {
        return silent(reason);
    }
    let (before, now) = match comparable(session, manifest, ctx).await? {
        Ok(both) => both,
        Err(reason) => return silent(reason),
    };
    let trusted = live.tables.iter().filter(|table| !table.shifting);
    let names: BTreeMap<u32, &str> = trusted
        .map(|table| (table.oid, table.identity.as_str()))
        .collect();
    let mut tables = BTreeSet::new();
    for (record, written) in manifest.tables.iter().zip(&before.tables) {
        let is_it = names.get(&written.oid) == Some(&record.identity.as_str());
        let later = now.table(written.oid);
        if is_it
            && same_rows(written, &later)
            && (written.columns == later.columns || same_columns(session, record, written).await?)
        {
            tables.insert(record.identity.clone());
        }
    }
    Ok(Counts::Untouched {
        tables,
        large_objects: now.large_objects() == before.large_objects,
    })
}

/// The counts of then and now; or why these cannot be compared.
pub(super) async fn comparable<'a>(
    session: &Session,
    manifest: &'a Manifest,
    ctx: &Context,
) -> Result<std::result::Result<(&'a CountersRecord, Counters), String>> {
    let Some(before) = &manifest.counters else {
        return Ok(Err("the archive has no counts".to_owned()));
    };
    if let Some(reason) = evidence::objection(session, manifest, ctx).await? {
        return Ok(Err(reason));
    }
    let now = catalog::read_counters(session).await?;
    if now.reset != before.reset {
        return Ok(Err(
            "counting began or was reset since the backup".to_owned()
        ));
    }
    Ok(Ok((before, now)))
}

/// Why some of what was written up to now may be missing in the counts; none where they can be believed.
///
/// # Errors
/// Of the server.
pub async fn doubt(session: &Session, ctx: &Context) -> Result<Option<String>> {
    if session.version().major() < SINCE {
        return Ok(Some("before PostgreSQL 15 counts may get lost".to_owned()));
    }
    unreported(session, ctx).await
}

fn same_rows(before: &WrittenRecord, now: &WrittenRecord) -> bool {
    WrittenRecord {
        columns: before.columns,
        ..*now
    } == *before
}

/// Whether a row of this table that nobody has written since is as it was recorded at this place of the manifest.
pub(super) async fn keeps_rows(
    session: &Session,
    manifest: &Manifest,
    index: usize,
    table: &Table,
) -> Result<bool> {
    let before = manifest.counters.as_ref();
    let before = before.and_then(|counters| counters.tables.get(index));
    let known = before.zip(manifest.tables.get(index));
    match known.filter(|(before, _)| before.oid == table.oid && !table.shifting) {
        Some((before, record)) => same_columns(session, record, before).await,
        None => Ok(false),
    }
}

/// Whether the recorded columns are those of then: a column that was dropped and added again under its
/// name has another number, and no count and no file tells of it.
async fn same_columns(
    session: &Session,
    record: &TableRecord,
    before: &WrittenRecord,
) -> Result<bool> {
    let sql = Sql::constant(include_str!("sql/newer_columns.sql"))
        .then("\n   AND attribute.attrelid = ")
        .number(before.oid)
        .then(" AND attribute.attnum > ")
        .number(before.columns);
    let rows = session.query(&sql).await?;
    for row in &rows {
        let name = row.string("name")?;
        if record.columns.contains(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Why counts may be missing at this moment.
async fn unreported(session: &Session, ctx: &Context) -> Result<Option<String>> {
    let rows = reporting(session).await?;
    for row in &rows {
        if !row.bool("counting")? {
            return Ok(Some("track_counts is off for somebody".to_owned()));
        }
    }
    let sessions = strangers(&rows, ctx)?;
    Ok((sessions > 0)
        .then(|| format!("{sessions} other sessions may have written what is not counted yet")))
}

async fn reporting(session: &Session) -> Result<Vec<Row>> {
    session
        .query(&Sql::constant(include_str!("sql/reporting.sql")))
        .await
}

/// Sessions that may have written rows of the user: not those of this run, nor replicas that wait.
fn strangers(rows: &[Row], ctx: &Context) -> Result<usize> {
    let mut strangers = 0;
    for row in rows {
        let own = pg::is_ours(row.text("application")?, &ctx.run_id);
        let is_ours = row.bool("same_role")? && own;
        strangers += usize::from(row.opt("pid")?.is_some() && !is_ours);
    }
    Ok(strangers)
}
