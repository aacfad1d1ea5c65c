//! The archive's table of contents, as data.
//!
//! The manifest is what `check`, `show`, `diff`, `restore` and the proof trust; it is covered by
//! the footer's hash. Fields are only ever added (with a default), never given another meaning:
//! later versions must read version 1 for ever.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::TableDigest;

/// Everything an archive says about itself and about the database it was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version, 1.
    pub format: u32,
    /// The tool and its version (`pgbelay 0.1.0`).
    pub tool: String,
    /// Why it was made: `backup` or `before-rollback`.
    pub purpose: String,
    /// When the snapshot was taken, by the client's clock, UTC.
    pub created: DateTime<Utc>,
    /// Where it came from.
    pub database: DatabaseFacts,
    /// `pg_current_snapshot()` of the dump's transaction: `xmin:xmax:xip,…`.
    pub snapshot: String,
    /// The server's own clock at that moment, seconds since 1970: whatever the client's says later, it tells
    /// whether the server was started since. None in archives of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_time: Option<i64>,
    /// The settings pinned while reading (spec §3.8).
    pub settings: BTreeMap<String, String>,
    /// Entries in restore order.
    pub entries: Vec<EntryRecord>,
    /// Members in file order.
    pub members: Vec<MemberRecord>,
    /// Tables with data, in restore order.
    pub tables: Vec<TableRecord>,
    /// Sequence values.
    pub sequences: Vec<SequenceRecord>,
    /// Large objects with their data digests.
    pub large_objects: Vec<LargeObjectRecord>,
    /// Every table shaped like Alembic's version table, with all its rows.
    pub version_tables: Vec<VersionTableRecord>,
    /// Roles that owners, grants and policies name.
    pub roles: Vec<String>,
    /// Extensions relied on.
    pub extensions: Vec<ExtensionRecord>,
    /// What it does not hold although it existed, as `kind: object` (`invalid-index: index
    /// public.i`); the operator accepted that knowingly.
    #[serde(default)]
    pub accepted_losses: Vec<String>,
    /// Rights that making the entries again takes, beyond those of their owners.
    #[serde(default)]
    pub needs: Vec<NeedRecord>,
    /// Whether it holds some objects of the database only: what a repair was about to change. Such
    /// an archive can be restored beside the database; no database is compared with it or put back
    /// to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub partial: bool,
    /// What the server had counted before the snapshot was taken; rollbacks with `--proof counters`
    /// compare it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<CountersRecord>,
    /// What the whole cluster held, sorted by name: told when it differs, never put back. None if it could
    /// not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Vec<ClusterFact>>,
}

/// Something that belongs to the whole cluster: a role, a membership, a tablespace, a replication slot,
/// another database. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClusterFact {
    /// `role app`, `membership of app in readers`; unique.
    pub name: String,
    /// What it is, for people.
    pub value: String,
    /// The statement that makes it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub make: Option<String>,
    /// The statement that puts it back to `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<String>,
    /// The statement that removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
}

/// The server's counts of rows written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersRecord {
    /// When this database's counts were last reset, as the server prints it; empty for never.
    pub reset: String,
    /// One for each of [`Manifest::tables`], in their order.
    pub tables: Vec<WrittenRecord>,
    /// Those of large objects.
    pub large_objects: WrittenRecord,
}

/// Where a table is stored and how much was written to it, as the server counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WrittenRecord {
    /// Its OID.
    pub oid: u32,
    /// `pg_relation_filenode`: another one after every rewrite and TRUNCATE.
    pub file: u32,
    /// `relnatts`: columns that it ever had.
    pub columns: u32,
    /// Rows inserted, rolled back ones too.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// One object and one right that making it again takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedRecord {
    /// Identity of the entry, or the server's words for what no entry stands for.
    pub identity: String,
    /// `superuser`, `role`, `become`, `language`, `parameter`, `tablespace`, `wrapper`,
    /// `database`, `rows` or `library`.
    pub right: String,
    /// The role, setting or object that the right is about; empty for `superuser`.
    #[serde(default)]
    pub name: String,
    /// Why, for people.
    pub why: String,
}

/// The database an archive was taken from; never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct DatabaseFacts {
    /// `current_database()`.
    pub name: String,
    /// Its OID in `pg_database`.
    pub oid: u32,
    /// `pg_control_system().system_identifier`, or empty where the role may not read it.
    pub system_identifier: String,
    /// `server_version_num`.
    pub server_version_number: u32,
    /// `server_version`.
    pub server_version: String,
    /// `server_encoding`.
    pub encoding: String,
    /// Database-level properties by name (spec §4): owner, locale, settings, ACL, comment.
    pub properties: BTreeMap<String, String>,
}

/// Where an entry belongs in restore order (spec §2.4, §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// Structure that data needs.
    PreData,
    /// Rows, sequence values, large objects.
    Data,
    /// Indexes, constraints, triggers, policies.
    PostData,
    /// Grants and default privileges, after everything they talk about.
    Acl,
    /// What must come last: event triggers, refreshes of materialized views.
    Last,
}

/// One database object or one aspect of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// Unique, free of OIDs, independent of search_path: `table public.users`.
    pub identity: String,
    /// The kind in pg_dump's words: `TABLE`, `FK CONSTRAINT`, `COMMENT`.
    pub kind: String,
    /// Schema, raw.
    pub schema: Option<String>,
    /// Name, raw, for people.
    pub name: String,
    /// Where it belongs.
    pub section: Section,
    /// Owner, raw.
    pub owner: Option<String>,
    /// Indexes into `entries` of what must exist before it.
    pub depends: Vec<u32>,
    /// DDL that removes it; none if it dies with its parent.
    pub drop: Option<String>,
    /// Where its DDL stands; none for entries whose content is data (`TABLE DATA`).
    pub place: Option<TextPlace>,
}

/// A piece of a member's decompressed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPlace {
    /// Index into `members`.
    pub member: u32,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberKind {
    /// First line and session settings.
    Preamble,
    /// DDL of entries.
    Entries,
    /// One complete `COPY … FROM stdin; … \.` statement.
    Data,
    /// `setval` statements.
    Sequences,
    /// Statements that load large objects.
    LargeObjects,
}

/// One gzip member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// What it holds.
    pub kind: MemberKind,
    /// First byte in the file.
    pub offset: u64,
    /// Compressed bytes, gzip header and trailer included.
    pub length: u64,
    /// Decompressed bytes.
    pub text_length: u64,
    /// XXH3-128 of the compressed bytes, 32 hex digits.
    pub hash: String,
    /// Index into `tables` for data members.
    pub table: Option<u32>,
    /// Rows in a data member.
    pub rows: u64,
}

/// One table's data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Identity of the table's entry: `table public.users`.
    pub identity: String,
    /// Schema, raw.
    pub schema: String,
    /// Name, raw.
    pub name: String,
    /// Columns in COPY order, raw.
    pub columns: Vec<String>,
    /// The statement that starts each of its data members, without its newline:
    /// `COPY public.users (id, email) FROM stdin;`. Quoted names in it may contain newlines.
    pub copy: String,
    /// Identity of the partitioned table that `copy` loads through, where a row may land in another
    /// partition than before: only the whole tree's rows can be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Bytes of COPY text, newlines included.
    pub bytes: u64,
    /// [`super::TableDigest`] as 32 hex digits.
    pub digest: String,
}

impl TableRecord {
    /// The digest of its rows as they were recorded.
    pub fn rows_digest(&self) -> TableDigest {
        TableDigest {
            rows: self.rows,
            bytes: self.bytes,
            // The manifest's reader has checked that it is one.
            sum: u128::from_str_radix(&self.digest, 16).unwrap_or_default(),
        }
    }
}

/// One sequence's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceRecord {
    /// `sequence public.users_id_seq`.
    pub identity: String,
    /// Schema, raw.
    pub schema: String,
    /// Name, raw.
    pub name: String,
    /// `last_value`.
    pub last_value: i64,
    /// `is_called`.
    pub is_called: bool,
}

/// One large object's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjectRecord {
    /// Its OID, kept on restore.
    pub oid: u32,
    /// Bytes.
    pub bytes: u64,
    /// XXH3-128 of its bytes, 32 hex digits.
    pub digest: String,
}

/// A table shaped like Alembic's version table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionTableRecord {
    /// Schema, raw.
    pub schema: String,
    /// Name, raw.
    pub name: String,
    /// All rows, sorted.
    pub revisions: Vec<String>,
}

/// An extension relied on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionRecord {
    /// Name.
    pub name: String,
    /// `extversion`.
    pub version: String,
    /// Schema, raw.
    pub schema: String,
}
