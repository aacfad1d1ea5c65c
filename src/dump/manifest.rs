//! What the catalog says → the archive's table of contents, before any member is written.
//!
//! Places of entries, members, rows and digests are filled in while the members are appended.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::archive::{
    DatabaseFacts, EntryRecord, ExtensionRecord, Manifest, NeedRecord, SequenceRecord, TableDigest,
    TableRecord, VersionTableRecord,
};
use crate::catalog::{Catalog, Entry, Extension, Need, Sequence, Table, Uncovered, VersionTable};
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
    /// The pinned settings.
    pub settings: BTreeMap<String, String>,
    /// Why the archive is made.
    pub purpose: String,
    /// The server's.
    pub version: ServerVersion,
    /// Whether the catalog is a part of the database's.
    pub partial: bool,
}

/// The manifest without members.
pub(super) fn of_catalog(catalog: &Catalog, facts: Facts) -> Result<Manifest> {
    Ok(Manifest {
        format: FORMAT,
        tool: concat!("pgbelay ", env!("CARGO_PKG_VERSION")).to_owned(),
        purpose: facts.purpose,
        created: facts.created,
        database: database(catalog, &facts.version),
        snapshot: facts.snapshot,
        settings: facts.settings,
        entries: catalog.entries.iter().map(entry).collect::<Result<_>>()?,
        members: Vec::new(),
        tables: catalog.tables.iter().map(table).collect(),
        sequences: catalog.sequences.iter().map(sequence).collect(),
        large_objects: Vec::new(),
        version_tables: catalog.version_tables.iter().map(version_table).collect(),
        roles: catalog.roles.clone(),
        extensions: catalog.extensions.iter().map(extension).collect(),
        accepted_losses: catalog.uncovered.iter().map(Uncovered::label).collect(),
        needs: catalog.needs.iter().map(need).collect(),
        partial: facts.partial,
    })
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

fn entry(entry: &Entry) -> Result<EntryRecord> {
    Ok(EntryRecord {
        identity: entry.identity.clone(),
        kind: entry.kind.name().to_owned(),
        schema: entry.schema.clone(),
        name: entry.name.clone(),
        section: entry.section,
        owner: entry.owner.clone(),
        depends: entry
            .depends
            .iter()
            .map(|index| small(*index))
            .collect::<Result<_>>()?,
        drop: entry.drop.clone(),
        place: None,
    })
}

/// Empty tables keep these counts: they have no member.
fn table(table: &Table) -> TableRecord {
    let empty = TableDigest::default();
    TableRecord {
        identity: table.identity.clone(),
        schema: table.schema.clone(),
        name: table.name.clone(),
        columns: table.columns.clone(),
        copy: super::rows::copy_line(table),
        through: table
            .through
            .as_ref()
            .map(|through| through.identity.clone()),
        rows: empty.rows,
        bytes: empty.bytes,
        digest: empty.hex(),
    }
}

fn sequence(sequence: &Sequence) -> SequenceRecord {
    SequenceRecord {
        identity: sequence.identity.clone(),
        schema: sequence.schema.clone(),
        name: sequence.name.clone(),
        last_value: sequence.last_value,
        is_called: sequence.is_called,
    }
}

fn version_table(table: &VersionTable) -> VersionTableRecord {
    VersionTableRecord {
        schema: table.schema.clone(),
        name: table.name.clone(),
        revisions: table.revisions.clone(),
    }
}

fn extension(extension: &Extension) -> ExtensionRecord {
    ExtensionRecord {
        name: extension.name.clone(),
        version: extension.version.clone(),
        schema: extension.schema.clone(),
    }
}

fn need(need: &Need) -> NeedRecord {
    let (right, name) = need.right.words();
    NeedRecord {
        identity: need.identity.clone(),
        right: right.to_owned(),
        name: name.to_owned(),
        why: need.why.clone(),
    }
}
