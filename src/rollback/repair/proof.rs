//! What of a repair is proven by what: rows that differed, rows that nobody can have touched, columns
//! whose values would be lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Found;
use super::patch::Written;
use super::plan::Plan;
use crate::archive::{Manifest, TableDigest, TableRecord};
use crate::catalog::{self, Catalog, Table};
use crate::compare;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// Tables, or trees that rows move in, that were read and differ from the archive's.
pub(super) fn differing(
    live: &Catalog,
    manifest: &Manifest,
    digests: &BTreeMap<String, TableDigest>,
) -> BTreeSet<String> {
    let recorded = sums(manifest.tables.iter().map(|record| {
        let whole = record.through.as_ref().unwrap_or(&record.identity);
        (whole.as_str(), Some(record.rows_digest()))
    }));
    let found = sums(live.tables.iter().map(|table| {
        let digest = digests.get(&table.identity);
        (table.compared_as(), digest.copied())
    }));
    let differ = found.iter().filter(|(whole, digest)| {
        digest.is_some() && recorded.get(*whole).is_some_and(|one| one != *digest)
    });
    differ.map(|(whole, _)| (*whole).to_owned()).collect()
}

/// The rows after a repair, and what they are known by.
#[derive(Default)]
pub(super) struct RowsAfter<'a> {
    /// By table identity.
    pub digests: BTreeMap<String, TableDigest>,
    /// OIDs and identities of tables that nobody could have changed.
    pub untouched: BTreeSet<(u32, &'a str)>,
    /// Tables that were read again.
    pub reread: usize,
    /// Tables whose put back rows were read.
    pub patched: usize,
    /// Tables of which only the rows that are newer than the backup were ever read.
    pub partly: usize,
}

impl RowsAfter<'_> {
    pub fn is_untouched(&self, table: &Table) -> bool {
        self.untouched
            .contains(&(table.oid, table.identity.as_str()))
    }
}

/// How rows were compared, for the proof's words.
pub(super) fn how(found: &Found, mode: &str, rows: &RowsAfter<'_>, unheld: &str) -> String {
    let (reread, patched) = (rows.reread, rows.patched);
    let unread = rows
        .untouched
        .iter()
        .filter(|(_, one)| found.unwritten.contains(*one));
    let unread = if mode == "counters" {
        unread.count()
    } else {
        0
    };
    let again = match (reread, patched) {
        (0, 0) => "none was written to by".to_owned(),
        (_, 0) => format!(
            "{} again after",
            compare::counted(reread, "table", "tables")
        ),
        (0, _) => format!(
            "what was put back into {} again after",
            compare::counted(patched, "table", "tables")
        ),
        _ => format!(
            "{}, and what was put back into {}, again after",
            compare::counted(reread, "table", "tables"),
            compare::counted(patched, "other", "others")
        ),
    };
    let mut trusted = String::new();
    if unread > 0 {
        trusted = format!(
            "; {} NOT read: the server counted no write to them since the backup",
            compare::counted(unread, "table", "tables")
        );
    }
    if rows.partly > 0 {
        trusted += &format!(
            "; of {} only rows that transactions since the backup have written were read",
            compare::counted(rows.partly, "table", "tables")
        );
    }
    trusted += unheld;
    let all = match trusted.is_empty() {
        true => "all",
        false => "the others",
    };
    let why = found.silent.as_ref();
    let why = why.map(|why| format!("; counts could not tell: {why}"));
    format!(
        "{trusted}; {all} were read under lock, {again} the repair{}",
        why.unwrap_or_default()
    )
}

/// For the proof's words: large objects that were taken for what the archive has.
pub(super) fn unread_large_objects(count: usize) -> String {
    match count {
        0 => String::new(),
        _ => format!(
            "; {} NOT read: the server counted no write to them since the backup",
            compare::counted(count, "large object", "large objects")
        ),
    }
}

/// Sums by what is compared as a whole; none where a part was not read.
fn sums<'a>(
    digests: impl Iterator<Item = (&'a str, Option<TableDigest>)>,
) -> BTreeMap<&'a str, Option<TableDigest>> {
    let mut sums: BTreeMap<&str, Option<TableDigest>> = BTreeMap::new();
    for (whole, digest) in digests {
        let sum = sums.entry(whole).or_insert(Some(TableDigest::default()));
        *sum = sum.zip(digest).map(|(mut sum, digest)| {
            sum.merge(&digest);
            sum
        });
    }
    sums
}

/// By OID, the rows that the transaction has written. None if the server does not count.
pub(super) async fn written(session: &Session) -> Result<Option<HashMap<u32, Written>>> {
    let sql = Sql::constant(include_str!("../sql/written.sql"));
    let mut written = HashMap::new();
    for row in &session.query(&sql).await? {
        if !row.bool("counts")? {
            return Ok(None);
        }
        let Some(oid) = row.opt_number::<u32>("oid")? else {
            continue;
        };
        let rows = Written {
            inserted: row.number("inserted")?,
            updated: row.number("updated")?,
            deleted: row.number("deleted")?,
        };
        written.insert(oid, rows);
    }
    Ok(Some(written))
}

/// Tables that the transaction has neither written to nor made: OID and identity. None if the server does not count.
pub(super) fn untouched<'a>(
    written: Option<&HashMap<u32, Written>>,
    before: &'a Catalog,
    plan: &Plan,
) -> BTreeSet<(u32, &'a str)> {
    let Some(written) = written else {
        return BTreeSet::new();
    };
    let tables = plan.untouched.iter().map(|&at| &before.tables[at]);
    let tables = tables.filter(|table| !written.contains_key(&table.oid));
    tables
        .map(|table| (table.oid, table.identity.as_str()))
        .collect()
}

/// The manifest's tables by identity: there may be tens of thousands.
pub(super) struct Records<'a> {
    manifest: &'a Manifest,
    places: HashMap<&'a str, usize>,
}

impl<'a> Records<'a> {
    pub fn new(manifest: &'a Manifest) -> Self {
        let tables = manifest.tables.iter().enumerate();
        Self {
            manifest,
            places: tables
                .map(|(at, record)| (record.identity.as_str(), at))
                .collect(),
        }
    }

    /// The table's place in the manifest.
    pub fn place(&self, table: &Table) -> Option<usize> {
        self.places.get(table.identity.as_str()).copied()
    }

    pub fn of(&self, table: &Table) -> Option<&'a TableRecord> {
        self.place(table).map(|at| &self.manifest.tables[at])
    }

    /// The table as it was recorded, with its record.
    pub fn with_record(&self, table: &Table) -> Option<(&'a TableRecord, Table)> {
        Some((self.of(table)?, self.as_recorded(table)?))
    }

    /// The table with the columns that its rows were recorded with; none if it lacks one of them.
    pub fn as_recorded(&self, table: &Table) -> Option<Table> {
        compare::as_recorded(table, self.of(table)?, self.manifest)
    }

    /// Columns of the table that the archive does not know.
    fn new_columns<'t>(&self, table: &'t Table) -> Vec<&'t String> {
        let Some(record) = self.of(table) else {
            return Vec::new();
        };
        let columns = table.columns.iter();
        let new = columns.filter(|column| !record.columns.contains(column));
        new.collect()
    }
}

/// Identities of tables that have columns which the archive does not know.
pub(super) fn with_new_columns<'a>(live: &'a Catalog, records: &Records<'_>) -> BTreeSet<&'a str> {
    let tables = live.tables.iter();
    let wider = tables.filter(|table| !records.new_columns(table).is_empty());
    wider.map(|table| table.identity.as_str()).collect()
}

/// Identities of tables that stay and lose columns with values in them. Nobody wrote to those that
/// are `unwritten`: their new columns hold what the definition says.
pub(super) async fn losing_columns(
    session: &Session,
    live: &Catalog,
    records: &Records<'_>,
    plan: &Plan,
    unwritten: &BTreeSet<String>,
) -> Result<Vec<String>> {
    let mut losing = Vec::new();
    for table in plan.untouched.iter().map(|&at| &live.tables[at]) {
        let written = !unwritten.contains(&table.identity);
        for column in records.new_columns(table) {
            let older = OlderRows::of(session, table, column).await?;
            let holds = match (&older, written) {
                (OlderRows::Unsaid, _) => true,
                (_, false) => false,
                (OlderRows::Null, true) => holds_values(session, table, column, None).await?,
                (OlderRows::Said(value), true) => {
                    holds_values(session, table, column, Some(value)).await?
                }
            };
            if holds {
                losing.push(table.identity.clone());
                break;
            }
        }
    }
    Ok(losing)
}

/// What rows have in a column that are older than it.
enum OlderRows {
    /// Nothing.
    Null,
    /// What the definition says: its default is this constant still.
    Said(String),
    /// What no definition says: the moment of `DEFAULT now()`, or the constant of another default.
    Unsaid,
}

impl OlderRows {
    async fn of(session: &Session, table: &Table, column: &str) -> Result<Self> {
        let find = Sql::constant(include_str!("../sql/missing_value.sql"))
            .then("\n   AND attribute.attrelid = ")
            .number(table.oid)
            .then(" AND attribute.attname = ")
            .literal(column);
        let row = session.query_one(&find).await?;
        let Some(value) = row.opt_string("value")? else {
            return Ok(Self::Null);
        };
        let Some(constant) = row.opt("constant")? else {
            return Ok(Self::Unsaid);
        };
        let same = Sql::constant("SELECT (")
            .sql(&Sql::deparsed(constant))
            .then(")::pg_catalog.text = ")
            .literal(&value)
            .then(" AS same");
        match session.query_one(&same).await?.bool("same")? {
            true => Ok(Self::Said(value)),
            false => Ok(Self::Unsaid),
        }
    }
}

/// Whether a column holds more than what the definition says: a column that was added with a default
/// has that in every row, and so does the saved definition.
async fn holds_values(
    session: &Session,
    table: &Table,
    column: &str,
    said: Option<&str>,
) -> Result<bool> {
    let mut sql = Sql::constant("SELECT EXISTS (SELECT FROM ONLY ")
        .qualified(&table.schema, &table.name)
        .then(" WHERE ")
        .ident(column)
        .then(" IS NOT NULL");
    if let Some(said) = said {
        sql = sql
            .then(" AND ")
            .ident(column)
            .then("::pg_catalog.text <> ")
            .literal(said);
    }
    let row = session.query_one(&sql.then(") AS found")).await;
    row.map_err(|error| catalog::rows_unread(&table.identity, error))?
        .bool("found")
}
