//! What a database is, as a value that can be compared.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::outside::Cluster;
use super::properties;
use crate::archive::{BytesDigest, LargeObjectRecord, Manifest, Reader, TableDigest, TableRecord};
use crate::catalog::{self, Catalog, Entry, Locking, Table, canonical_text};
use crate::context::{Context, Progress};
use crate::error::Result;
use crate::pg::{Session, Sql};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryState {
    /// The kind in pg_dump's words.
    pub kind: String,
    /// Canonical text: equal texts mean equal objects.
    pub text: String,
}

/// A table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
    /// Columns in the order that the digest was computed in, raw.
    pub columns: Vec<String>,
    /// Its rows; none if only definitions were read.
    pub rows: Option<Rows>,
}

/// Count and content of some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Rows.
    pub count: u64,
    /// Bytes of COPY text.
    pub bytes: u64,
    /// Order-independent hash, 32 hex digits.
    pub digest: String,
}

/// A sequence's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceState {
    /// `last_value`.
    pub last_value: i64,
    /// `is_called`.
    pub is_called: bool,
}

/// Whole readings that renamed labels or schemas may spoil before we give up.
const ATTEMPTS: usize = 3;

/// Everything that makes a database what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Where it was read, for messages (`archive x.sql.gz`, `database shop`).
    pub source: String,
    /// Entries by identity.
    pub entries: BTreeMap<String, EntryState>,
    /// Tables by identity.
    pub tables: BTreeMap<String, TableState>,
    /// Sequences by identity.
    pub sequences: BTreeMap<String, SequenceState>,
    /// Bytes and digest of large objects, by identity; empty if only definitions were read.
    pub large_objects: BTreeMap<String, String>,
    /// Rows of version tables, by `schema.name`.
    pub version_tables: BTreeMap<String, Vec<String>>,
    /// Version and schema of extensions, by name.
    pub extensions: BTreeMap<String, String>,
    /// Properties of the database itself.
    pub properties: BTreeMap<String, String>,
    /// What no entry covers, as `kind: object`; known by name only.
    pub uncovered: Vec<String>,
    /// What the whole cluster holds, where that was read.
    pub cluster: Option<Cluster>,
}

impl State {
    /// The state that an archive holds. Reads the definitions, not the rows: their digests are
    /// in the manifest, which the footer's hash covers.
    pub fn of_archive(reader: &Reader) -> Result<Self> {
        let manifest = reader.manifest();
        let mut state = Self::of_manifest(manifest);
        state.source = format!("archive {}", reader.path().display());
        for (index, record) in manifest.entries.iter().enumerate() {
            let text = match record.place {
                Some(_) => reader.entry_text(index)?,
                None => String::new(),
            };
            let entry = EntryState {
                text: canonical_text(&record.kind, &text),
                kind: record.kind.clone(),
            };
            state.entries.insert(record.identity.clone(), entry);
        }
        Ok(state)
    }

    fn of_manifest(manifest: &Manifest) -> Self {
        let sequences = manifest.sequences.iter().map(|sequence| {
            let value = SequenceState {
                last_value: sequence.last_value,
                is_called: sequence.is_called,
            };
            (sequence.identity.clone(), value)
        });
        let versions = manifest.version_tables.iter().map(|table| {
            let name = format!("{}.{}", table.schema, table.name);
            (name, table.revisions.clone())
        });
        let extensions = manifest.extensions.iter().map(|extension| {
            let text = extension_text(&extension.version, &extension.schema);
            (extension.name.clone(), text)
        });
        Self {
            tables: recorded_tables(manifest),
            sequences: sequences.collect(),
            large_objects: manifest.large_objects.iter().map(recorded_object).collect(),
            version_tables: versions.collect(),
            extensions: extensions.collect(),
            properties: properties::normal(
                &manifest.database.properties,
                &manifest.database.encoding,
            ),
            uncovered: sorted(manifest.accepted_losses.iter().cloned()),
            cluster: Cluster::of_manifest(manifest),
            ..Self::default()
        }
    }

    /// The state of a live database, read inside the caller's transaction, every row included.
    pub async fn of_database(session: &Session, ctx: &Context) -> Result<Self> {
        Self::of_database_like(session, None, ctx).await
    }

    /// As [`State::of_database`], with each table's columns in the order that `reference` has
    /// them in, where it has the same columns: digests then compare although the order of
    /// columns does not survive every restore (spec §8.3 a).
    pub async fn of_database_like(
        session: &Session,
        reference: Option<&Manifest>,
        ctx: &Context,
    ) -> Result<Self> {
        let catalog = catalog::read_steady(session).await?;
        let mut state = Self::of_catalog(&catalog);
        state.read_rows(session, &catalog, reference, ctx).await?;
        Ok(state)
    }

    /// As [`State::of_database_like`], in a transaction of its own, with every table locked and
    /// all of it of one moment whatever others define meanwhile. `session` has no transaction
    /// open, and none afterwards.
    pub async fn of_live(
        session: &Session,
        reference: Option<&Manifest>,
        locking: Locking,
        ctx: &Context,
    ) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            let steady = catalog::open_steady(session, locking, ctx).await?;
            let mut state = Self::of_catalog(&steady.catalog);
            state
                .read_rows(session, &steady.catalog, reference, ctx)
                .await?;
            let fit = steady.rows_fit().await?;
            steady.close().await;
            session.execute(&Sql::constant("ROLLBACK")).await?;
            if fit {
                return Ok(state);
            }
        }
        Err(catalog::rows_unfit())
    }

    /// Reads every row of the tables that `catalog` (what this state was made of) lists.
    pub async fn read_rows(
        &mut self,
        session: &Session,
        catalog: &Catalog,
        reference: Option<&Manifest>,
        ctx: &Context,
    ) -> Result<()> {
        let known = BTreeMap::new();
        self.read_other_rows(session, catalog, reference, &known, ctx)
            .await
    }

    /// As [`State::read_rows`], but for the tables whose digests are known.
    pub async fn read_other_rows(
        &mut self,
        session: &Session,
        catalog: &Catalog,
        reference: Option<&Manifest>,
        known: &BTreeMap<String, TableDigest>,
        ctx: &Context,
    ) -> Result<()> {
        let unknown = |table: &&Table| !known.contains_key(&table.identity);
        let unread: Vec<&Table> = catalog.tables.iter().filter(unknown).collect();
        let mut progress = Progress {
            total_bytes: unread.iter().map(|table| table.size_bytes).sum(),
            total_items: unread.len() as u64,
            ..Progress::default()
        };
        let mut digests = Digests::default();
        for table in &catalog.tables {
            let order = ColumnOrder::of(table, reference);
            let digest = match known.get(&table.identity) {
                Some(digest) => *digest,
                None => {
                    progress.what.clone_from(&table.identity);
                    let read = digest_table(session, table, &order.copy_out, &mut progress, ctx);
                    let digest = read.await?;
                    progress.items += 1;
                    digest
                }
            };
            digests.add(table.compared_as(), order.columns, Some(digest));
        }
        self.tables = digests.tables();
        self.large_objects = large_objects(session, &catalog.large_objects).await?;
        ctx.progress(progress);
        Ok(())
    }

    /// Takes the digests of rows that were read with the recorded columns where the table has them.
    pub fn set_rows(
        &mut self,
        catalog: &Catalog,
        reference: &Manifest,
        digests: &BTreeMap<String, TableDigest>,
    ) {
        let mut sums = Digests::default();
        for table in &catalog.tables {
            let order = ColumnOrder::of(table, Some(reference));
            let digest = digests.get(&table.identity).copied();
            sums.add(table.compared_as(), order.columns, digest);
        }
        self.tables = sums.tables();
    }

    /// The state that a reading of the catalogs gives: everything but the rows.
    pub fn of_catalog(catalog: &Catalog) -> Self {
        let sequences = catalog.sequences.iter().map(|sequence| {
            let value = SequenceState {
                last_value: sequence.last_value,
                is_called: sequence.is_called,
            };
            (sequence.identity.clone(), value)
        });
        let versions = catalog.version_tables.iter().map(|table| {
            let name = format!("{}.{}", table.schema, table.name);
            (name, table.revisions.clone())
        });
        let extensions = catalog.extensions.iter().map(|extension| {
            let text = extension_text(&extension.version, &extension.schema);
            (extension.name.clone(), text)
        });
        let uncovered = catalog.uncovered.iter();
        Self {
            source: format!("database {}", catalog.database.name),
            entries: catalog.entries.iter().map(live_entry).collect(),
            tables: unread_tables(catalog),
            sequences: sequences.collect(),
            large_objects: BTreeMap::new(),
            version_tables: versions.collect(),
            extensions: extensions.collect(),
            properties: properties::normal(
                &catalog.database.properties,
                &catalog.database.encoding,
            ),
            uncovered: sorted(uncovered.map(catalog::Uncovered::label)),
            cluster: None,
        }
    }

    /// The same without rows, to be compared with a state whose rows were not read.
    #[must_use]
    pub fn without_rows(mut self) -> Self {
        for table in self.tables.values_mut() {
            table.rows = None;
        }
        self.large_objects.clear();
        self
    }

    /// Rows of all tables.
    pub fn row_count(&self) -> u64 {
        let rows = self.tables.values().filter_map(|table| table.rows.as_ref());
        rows.map(|rows| rows.count).sum()
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

fn extension_text(version: &str, schema: &str) -> String {
    format!("version {version} in schema {schema}")
}

fn live_entry(entry: &Entry) -> (String, EntryState) {
    let state = EntryState {
        kind: entry.kind.name().to_owned(),
        text: entry.canonical(),
    };
    (entry.identity.clone(), state)
}

fn unread_tables(catalog: &Catalog) -> BTreeMap<String, TableState> {
    let mut digests = Digests::default();
    for table in &catalog.tables {
        digests.add(table.compared_as(), table.columns.clone(), None);
    }
    digests.tables()
}

fn recorded_object(object: &LargeObjectRecord) -> (String, String) {
    let identity = catalog::large_object_identity(object.oid);
    (identity, content_text(object.bytes, &object.digest))
}

fn content_text(bytes: u64, digest: &str) -> String {
    format!("{bytes} bytes, digest {digest}")
}

/// Bytes and digest of these large objects, by identity.
///
/// # Errors
/// Of the server.
pub async fn large_objects<'o>(
    session: &Session,
    oids: impl IntoIterator<Item = &'o u32>,
) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for &oid in oids {
        let content = large_object(session, oid).await?;
        found.insert(catalog::large_object_identity(oid), content);
    }
    Ok(found)
}

/// Reads one large object to its end.
async fn large_object(session: &Session, oid: u32) -> Result<String> {
    let mut digest = BytesDigest::default();
    let mut next = Some(0);
    while let Some(offset) = next {
        let piece = catalog::read_large_object(session, oid, offset).await?;
        piece.digest_into(&mut digest)?;
        next = piece.next();
    }
    Ok(content_text(digest.bytes, &digest.hex()))
}

fn recorded_tables(manifest: &Manifest) -> BTreeMap<String, TableState> {
    let mut digests = Digests::default();
    for table in &manifest.tables {
        let whole = table.through.as_ref().unwrap_or(&table.identity);
        digests.add(whole, table.columns.clone(), Some(table.rows_digest()));
    }
    digests.tables()
}

/// Digests by what is compared as a whole: a table, or a tree of partitions that rows may move in.
#[derive(Default)]
struct Digests(BTreeMap<String, (Vec<String>, Option<TableDigest>)>);

impl Digests {
    /// Adds a table's digest, if its rows were read.
    fn add(&mut self, whole: &str, columns: Vec<String>, digest: Option<TableDigest>) {
        match self.0.get_mut(whole) {
            None => _ = self.0.insert(whole.to_owned(), (columns, digest)),
            Some((_, sum)) => {
                *sum = sum.zip(digest).map(|(mut sum, digest)| {
                    sum.merge(&digest);
                    sum
                });
            }
        }
    }

    fn tables(self) -> BTreeMap<String, TableState> {
        let tables = self.0.into_iter();
        tables
            .map(|(whole, (columns, digest))| {
                let rows = digest.map(|digest| Rows {
                    count: digest.rows,
                    bytes: digest.bytes,
                    digest: digest.hex(),
                });
                (whole, TableState { columns, rows })
            })
            .collect()
    }
}

/// Which columns to read in which order.
struct ColumnOrder {
    columns: Vec<String>,
    copy_out: Sql,
}

impl ColumnOrder {
    /// The reference's order where it names the same columns, else the table's own.
    fn of(table: &Table, reference: Option<&Manifest>) -> Self {
        let own = |table: &Table| Self {
            columns: table.columns.clone(),
            copy_out: table.copy_out(),
        };
        let Some(reference) = reference else {
            return own(table);
        };
        // Bytes compare only in one encoding: the one that the digests were made in.
        let options = catalog::copy_options(&reference.database.encoding);
        if table.condition.is_some() {
            return own(&Table {
                copy_options: options,
                ..table.clone()
            });
        }
        let recorded = reference
            .tables
            .iter()
            .find(|record| record.identity == table.identity);
        match recorded {
            Some(record) if record.columns != table.columns && same_set(record, table) => Self {
                copy_out: recorded_copy(record).sql(&Sql::deparsed(options)),
                columns: record.columns.clone(),
            },
            _ => own(&Table {
                copy_options: options,
                ..table.clone()
            }),
        }
    }
}

fn same_set(record: &TableRecord, table: &Table) -> bool {
    let theirs = sorted(record.columns.iter().cloned());
    theirs == sorted(table.columns.iter().cloned())
}

fn recorded_copy(record: &TableRecord) -> Sql {
    let mut sql = Sql::constant("COPY ").qualified(&record.schema, &record.name);
    for (index, column) in record.columns.iter().enumerate() {
        sql = sql.then(if index == 0 { " (" } else { ", " }).ident(column);
    }
    sql.then(") TO STDOUT")
}

/// Bytes of rows between two progress reports.
const REPORT_BYTES: usize = 4 << 20;

async fn digest_table(
    session: &Session,
    table: &Table,
    copy_out: &Sql,
    progress: &mut Progress,
    ctx: &Context,
) -> Result<TableDigest> {
    let unread = |error| catalog::rows_unread(&table.identity, error);
    let mut rows = session.copy_out(copy_out).await.map_err(unread)?;
    let mut digest = TableDigest::default();
    let (bytes_before, rows_before) = (progress.bytes, progress.rows);
    let mut more = true;
    while more {
        let mut since = 0;
        let taken = rows.rows(|rows| {
            digest.add_rows(rows);
            since += rows.len();
            match since < REPORT_BYTES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        more = taken.await.map_err(unread)?;
        progress.bytes = bytes_before + digest.bytes;
        progress.rows = rows_before + digest.rows;
        ctx.progress(progress.clone());
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(columns: &[&str]) -> TableRecord {
        TableRecord {
            identity: "table public.t".to_owned(),
            schema: "public".to_owned(),
            name: "t".to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            copy: String::new(),
            through: None,
            rows: 0,
            bytes: 0,
            digest: String::new(),
        }
    }

    fn table(columns: &[&str]) -> Table {
        Table {
            oid: 1,
            schema: "public".to_owned(),
            name: "t".to_owned(),
            identity: "table public.t".to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            copy_target: "public.t (own)".to_owned(),
            copy_options: String::new(),
            through: None,
            condition: None,
            shifting: false,
            size_bytes: 0,
            heap_blocks: 0,
        }
    }

    #[test]
    fn partitions_that_exchange_rows_are_one_thing_to_compare() {
        let digest = |row: &[u8]| {
            let mut digest = TableDigest::default();
            digest.add_row(row);
            Some(digest)
        };
        let of = |rows: [&[u8]; 2]| {
            let mut digests = Digests::default();
            for row in rows {
                digests.add("table t", Vec::new(), digest(row));
            }
            digests.tables()
        };
        assert_eq!(of([b"1\n", b"2\n"]), of([b"2\n", b"1\n"]));
        assert_ne!(of([b"1\n", b"2\n"]), of([b"1\n", b"3\n"]));
        let rows = of([b"1\n", b"2\n"])["table t"].rows.clone();
        assert_eq!(rows.map(|rows| rows.count), Some(2));
        let mut unread = Digests::default();
        unread.add("table t", Vec::new(), digest(b"1\n"));
        unread.add("table t", Vec::new(), None);
        assert_eq!(unread.tables()["table t"].rows, None);
    }

    #[test]
    fn columns_are_read_in_the_recorded_order_when_they_are_the_same() {
        let recorded = recorded_copy(&record(&["b", "a\"x"]));
        assert_eq!(
            recorded.text(),
            "COPY \"public\".\"t\" (\"b\", \"a\"\"x\") TO STDOUT"
        );
        assert!(same_set(&record(&["b", "a"]), &table(&["a", "b"])));
        assert!(!same_set(&record(&["b", "c"]), &table(&["a", "b"])));
        let own = ColumnOrder::of(&table(&["a"]), None);
        assert_eq!(own.copy_out.text(), "COPY public.t (own) TO STDOUT");
    }
}
