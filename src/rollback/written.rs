//! What was written to which table since the backup, by the server's own counts: for people who want to
//! know what a migration did without reading every row. Nothing is proven by it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::counters::{self, Counts};
use crate::archive::{Manifest, WrittenRecord};
use crate::catalog::{Catalog, Counters};
use crate::context::Context;
use crate::error::Result;
use crate::pg::Session;

/// A table that was written to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WrittenTable {
    /// `table public.users`.
    pub identity: String,
    /// Its rows when the backup was taken; none for a table that the archive does not know.
    pub rows_before: Option<u64>,
    /// Rows inserted since, those of transactions that were rolled back too.
    pub inserted: u64,
    /// Rows updated since.
    pub updated: u64,
    /// Rows deleted since; TRUNCATE counts none.
    pub deleted: u64,
    /// Whether it has another file: it was rewritten or emptied.
    pub new_file: bool,
    /// Whether the archive's table was dropped, and this one made under its name.
    pub made_again: bool,
}

/// What the counts say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Written {
    /// In the order that the catalogs list them.
    pub tables: Vec<WrittenTable>,
    /// Whether large objects were written to.
    pub large_objects: bool,
    /// Why some of it may be missing.
    pub incomplete: Option<String>,
}

impl WrittenTable {
    /// One line for people: `table public.users: 3 rows inserted, 1 deleted (12 before)`.
    pub fn line(&self) -> String {
        format!("{}: {}", self.identity, self.words())
    }

    /// What was done to it.
    pub fn words(&self) -> String {
        let counts = [
            (self.inserted, "inserted"),
            (self.updated, "updated"),
            (self.deleted, "deleted"),
        ];
        let counts = counts.iter().filter(|(number, _)| *number > 0);
        let mut said: Vec<String> = counts
            .map(|(number, verb)| format!("{number} {verb}"))
            .collect();
        if let Some(first) = said.first_mut() {
            first.insert_str(first.find(' ').unwrap_or(0), " rows");
        }
        if self.made_again {
            said.insert(0, "dropped and made again".to_owned());
        }
        if self.new_file {
            said.insert(0, "rewritten or emptied".to_owned());
        }
        let before = self.rows_before;
        let before = before.map(|rows| format!(" ({rows} before)"));
        said.join(", ") + &before.unwrap_or_default()
    }
}

/// Identities of tables that nobody wrote to since the backup, where that is certain. `live` was read in
/// the session's transaction.
///
/// # Errors
/// Of the server.
pub async fn unwritten(
    session: &Session,
    manifest: &Manifest,
    live: &Catalog,
    ctx: &Context,
) -> Result<BTreeSet<String>> {
    Ok(
        match counters::untouched(session, manifest, live, ctx).await? {
            Counts::Untouched { tables, .. } => tables,
            Counts::Silent(_) => BTreeSet::new(),
        },
    )
}

/// Asks the server; or says why it cannot tell. `live` was read in the session's transaction.
///
/// # Errors
/// Of the server.
pub async fn written(
    session: &Session,
    manifest: &Manifest,
    live: &Catalog,
    ctx: &Context,
) -> Result<std::result::Result<Written, String>> {
    let (before, now) = match counters::comparable(session, manifest, ctx).await? {
        Ok(both) => both,
        Err(reason) => return Ok(Err(reason)),
    };
    let incomplete = counters::doubt(session, ctx).await?;
    let records = manifest.tables.iter().zip(&before.tables);
    let records: BTreeMap<&str, _> = records
        .map(|(record, counted)| (record.identity.as_str(), (record.rows, counted)))
        .collect();
    let tables = live.tables.iter().filter_map(|table| {
        let record = records.get(table.identity.as_str()).copied();
        of_table(&table.identity, record, &at(&now, table.oid))
    });
    Ok(Ok(Written {
        tables: tables.collect(),
        large_objects: now.large_objects() != before.large_objects,
        incomplete,
    }))
}

/// The counts of a table that there is; without any its OID alone is known.
fn at(now: &Counters, oid: u32) -> WrittenRecord {
    WrittenRecord {
        oid,
        ..now.table(oid)
    }
}

/// None if nothing was written.
fn of_table(
    identity: &str,
    recorded: Option<(u64, &WrittenRecord)>,
    now: &WrittenRecord,
) -> Option<WrittenTable> {
    let same = recorded.filter(|(_, before)| before.oid == now.oid);
    let nothing = WrittenRecord::default();
    let since = same.map_or(&nothing, |(_, before)| before);
    let table = WrittenTable {
        identity: identity.to_owned(),
        rows_before: recorded.map(|(rows, _)| rows),
        inserted: now.inserted.saturating_sub(since.inserted),
        updated: now.updated.saturating_sub(since.updated),
        deleted: now.deleted.saturating_sub(since.deleted),
        new_file: same.is_some() && since.file != now.file,
        made_again: recorded.is_some() && same.is_none(),
    };
    let quiet = table.inserted + table.updated + table.deleted == 0;
    (!quiet || table.new_file || table.made_again).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(oid: u32, file: u32, inserted: u64) -> WrittenRecord {
        WrittenRecord {
            oid,
            file,
            inserted,
            ..WrittenRecord::default()
        }
    }

    #[test]
    fn counts_are_those_since_the_backup() {
        let before = record(1, 1, 10);
        let of = |now| of_table("table t", Some((7, &before)), &now);
        assert_eq!(of(record(1, 1, 10)), None);
        let more = of(record(1, 1, 12)).unwrap();
        assert_eq!((more.inserted, more.rows_before), (2, Some(7)));
        assert!(!more.new_file && !more.made_again);
        assert!(of(record(1, 2, 10)).unwrap().new_file);
        let again = of(record(2, 2, 3)).unwrap();
        assert_eq!((again.inserted, again.made_again), (3, true));
    }

    #[test]
    fn lines_say_what_was_done() {
        let table = WrittenTable {
            identity: "table t".to_owned(),
            rows_before: Some(7),
            inserted: 12,
            deleted: 1,
            ..WrittenTable::default()
        };
        assert_eq!(
            table.line(),
            "table t: 12 rows inserted, 1 deleted (7 before)"
        );
        let emptied = WrittenTable {
            inserted: 0,
            deleted: 0,
            new_file: true,
            ..table
        };
        assert_eq!(emptied.line(), "table t: rewritten or emptied (7 before)");
    }

    #[test]
    fn a_new_table_is_told_once_it_has_rows() {
        assert_eq!(of_table("table t", None, &record(1, 1, 0)), None);
        let new = of_table("table t", None, &record(1, 1, 4)).unwrap();
        assert_eq!((new.inserted, new.rows_before), (4, None));
    }
}
