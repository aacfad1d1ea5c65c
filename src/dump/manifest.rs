//! What the catalog says → the archive's table of contents, before any member is written, and its script.
//!
//! Every text goes to one of the two and is gone from the catalog: tens of thousands of tables have a lot
//! of it. Places of entries, members, rows and digests are filled in while the members are appended.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::script::Script;
use crate::archive::{
    ClusterFact, CountersRecord, DatabaseFacts, EntryRecord, ExtensionRecord, Manifest, NeedRecord,
    SequenceRecord, TableDigest, TableRecord, VersionTableRecord,
};
use crate::catalog::{
    Catalog, Counters, Entry, Extension, Need, Sequence, Table, Uncovered, VersionTable,
};
use crate::error::{Attempt, Result};
use crate::pg::ServerVersion;

/// The format version that is written.
const FORMAT: u32 = 1;

/// What the catalog does not know.
pub(super) struct Facts {
    /// When the snapshot was taken.
    pub created: DateTime<Utc>,
    /// `pg_current_snapshot()`.
    pub snapshot: String,
    /// The server's clock then, seconds since 1970.
    pub server_time: i64,
    /// The pinned settings.
    pub settings: BTreeMap<String, String>,
    /// Why the archive is made.
    pub purpose: String,
    /// The server's.
    pub version: ServerVersion,
    /// Whether the catalog is a part of the database's.
    pub partial: bool,
    /// What the server had counted before the snapshot; none where nothing is compared with it.
    pub counters: Option<Counters>,
    /// What the whole cluster holds, likewise.
    pub cluster: Option<Vec<ClusterFact>>,
}

/// The manifest without members, and the text of its script.
pub(super) fn of_catalog(catalog: Catalog, facts: Facts) -> Result<(Manifest, Script)> {
    let database = database(&catalog, &facts.version);
    let counters = facts
        .counters
        .map(|counters| written(&catalog.tables, &counters));
    let mut script = Script::new(&catalog.sequences, catalog.large_objects);
    let mut records = Vec::with_capacity(catalog.entries.len());
    for (index, one) in catalog.entries.into_iter().enumerate() {
        script.add(index, &one);
        records.push(entry(one)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        tool: concat!("pgbelay ", env!("CARGO_PKG_VERSION")).to_owned(),
        purpose: facts.purpose,
        created: facts.created,
        database,
        snapshot: facts.snapshot,
        server_time: Some(facts.server_time),
        settings: facts.settings,
        entries: records,
        members: Vec::new(),
        tables: catalog.tables.into_iter().map(table).collect(),
        sequences: catalog.sequences.into_iter().map(sequence).collect(),
        large_objects: Vec::new(),
        version_tables: catalog
            .version_tables
            .into_iter()
            .map(version_table)
            .collect(),
        roles: catalog.roles,
        extensions: catalog.extensions.into_iter().map(extension).collect(),
        accepted_losses: catalog.uncovered.iter().map(Uncovered::label).collect(),
        needs: catalog.needs.into_iter().map(need).collect(),
        partial: facts.partial,
        counters,
        cluster: facts.cluster,
    };
    Ok((manifest, script))
}

fn written(tables: &[Table], counters: &Counters) -> CountersRecord {
    CountersRecord {
        reset: counters.reset.clone(),
        tables: tables
            .iter()
            .map(|table| counters.table(table.oid))
            .collect(),
        large_objects: counters.large_objects(),
    }
}

/// An index as the manifest stores it.
pub(super) fn small(index: usize) -> Result<u32> {
    u32::try_from(index).attempt(|| "number the objects of the database".to_owned())
}

fn database(catalog: &Catalog, version: &ServerVersion) -> DatabaseFacts {
    let database = &catalog.database;
    DatabaseFacts {
        name: database.name.clone(),
        oid: database.oid,
        system_identifier: database.system_identifier.clone(),
        server_version_number: version.number,
        server_version: version.text.clone(),
        encoding: database.encoding.clone(),
        properties: database.properties.clone(),
    }
}

fn entry(entry: Entry) -> Result<EntryRecord> {
    let depends = entry.depends.iter().map(|index| small(*index));
    Ok(EntryRecord {
        depends: depends.collect::<Result<_>>()?,
        identity: entry.identity,
        kind: entry.kind.name().to_owned(),
        schema: entry.schema,
        name: entry.name,
        section: entry.section,
        owner: entry.owner,
        drop: entry.drop,
        place: None,
    })
}

/// Empty tables keep these counts: they have no member.
fn table(table: Table) -> TableRecord {
    let empty = TableDigest::default();
    TableRecord {
        copy: super::rows::copy_line(&table),
        identity: table.identity,
        schema: table.schema,
        name: table.name,
        columns: table.columns,
        through: table.through.map(|through| through.identity),
        rows: empty.rows,
        bytes: empty.bytes,
        digest: empty.hex(),
    }
}

fn sequence(sequence: Sequence) -> SequenceRecord {
    SequenceRecord {
        identity: sequence.identity,
        schema: sequence.schema,
        name: sequence.name,
        last_value: sequence.last_value,
        is_called: sequence.is_called,
    }
}

fn version_table(table: VersionTable) -> VersionTableRecord {
    VersionTableRecord {
        schema: table.schema,
        name: table.name,
        revisions: table.revisions,
    }
}

fn extension(extension: Extension) -> ExtensionRecord {
    ExtensionRecord {
        name: extension.name,
        version: extension.version,
        schema: extension.schema,
    }
}

fn need(need: Need) -> NeedRecord {
    let (right, name) = need.right.words();
    NeedRecord {
        right: right.to_owned(),
        name: name.to_owned(),
        identity: need.identity,
        why: need.why,
    }
}
