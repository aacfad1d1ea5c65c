//! A small archive made with the library, the same bytes each time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use pgbelay::archive::{
    DatabaseFacts, EntryRecord, Manifest, MemberKind, Section, SequenceRecord, TableDigest,
    TableRecord, TextPlace, VersionTableRecord, Writer, compress,
};
use pgbelay::error::Error;

pub const PREAMBLE: &str = "\\set ON_ERROR_STOP on\nSET client_encoding = 'UTF8';\n\n";
pub const TABLES: &str = "CREATE TABLE public.users (\n    id integer,\n    name text\n);\nCREATE TABLE public.\"empty\r\n✓\" (\n);\n";
pub const COPY: &str = "COPY public.users (id, name) FROM stdin;";
pub const ROWS: [&str; 2] = ["1\tAda\n2\t\\N\n", "3\tGrace ✓\n"];
pub const SEQUENCE: &str = "SELECT pg_catalog.setval('public.users_id_seq', 3, true);\n";

pub fn sample_manifest() -> Manifest {
    let mut digest = TableDigest::default();
    for row in ROWS.concat().split_inclusive('\n') {
        digest.add_row(row.as_bytes());
    }
    let first = TABLES.find("CREATE TABLE public.\"").unwrap() as u64;
    Manifest {
        partial: false,
        counters: None,
        cluster: None,
        format: 0,
        tool: "pgbelay 0.1.0".into(),
        purpose: "backup".into(),
        created: DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap(),
        database: DatabaseFacts {
            name: "shop ✓".into(),
            oid: 16384,
            ..DatabaseFacts::default()
        },
        snapshot: "700:700:".into(),
        server_time: None,
        settings: BTreeMap::from([("TimeZone".into(), "UTC".into())]),
        entries: vec![
            entry(
                "table public.users",
                vec![],
                Some(TextPlace {
                    member: 1,
                    offset: 0,
                    length: first,
                }),
            ),
            entry(
                "table public.empty\r\n✓",
                vec![0],
                Some(TextPlace {
                    member: 1,
                    offset: first,
                    length: TABLES.len() as u64 - first,
                }),
            ),
            entry("data of public.users", vec![0], None),
        ],
        members: vec![],
        tables: vec![TableRecord {
            identity: "table public.users".into(),
            schema: "public".into(),
            name: "users".into(),
            columns: vec!["id".into(), "name".into()],
            copy: COPY.into(),
            through: None,
            rows: digest.rows,
            bytes: digest.bytes,
            digest: digest.hex(),
        }],
        sequences: vec![SequenceRecord {
            identity: "sequence public.users_id_seq".into(),
            schema: "public".into(),
            name: "users_id_seq".into(),
            last_value: 3,
            is_called: true,
        }],
        large_objects: vec![],
        version_tables: vec![VersionTableRecord {
            schema: "public".into(),
            name: "alembic_version".into(),
            revisions: vec!["3c4e4feca860".into()],
        }],
        roles: vec!["app".into()],
        extensions: vec![],
        accepted_losses: vec![],
        needs: vec![],
    }
}

pub fn entry(identity: &str, depends: Vec<u32>, place: Option<TextPlace>) -> EntryRecord {
    EntryRecord {
        identity: identity.into(),
        kind: "TABLE".into(),
        schema: Some("public".into()),
        name: identity.into(),
        section: Section::PreData,
        owner: Some("app".into()),
        depends,
        drop: None,
        place,
    }
}

/// Writes the sample with a changed manifest.
pub fn write_with(
    directory: &Path,
    name: &str,
    change: impl FnOnce(&mut Manifest),
) -> Result<PathBuf, Error> {
    let mut writer = Writer::create(directory, name)?;
    let mut append = |kind, table, rows, text: &str| {
        writer.append(kind, table, rows, compress(text.as_bytes())?)
    };
    append(MemberKind::Preamble, None, 0, PREAMBLE)?;
    append(MemberKind::Entries, None, 0, TABLES)?;
    append(
        MemberKind::Data,
        Some(0),
        2,
        &format!("{COPY}\n{}\\.\n", ROWS[0]),
    )?;
    append(
        MemberKind::Data,
        Some(0),
        1,
        &format!("{COPY}\n{}\\.\n", ROWS[1]),
    )?;
    append(MemberKind::Sequences, None, 0, SEQUENCE)?;
    let mut manifest = sample_manifest();
    change(&mut manifest);
    writer.finish(manifest)
}

pub fn sample(directory: &Path) -> PathBuf {
    write_with(directory, "sample.sql.gz", |_| {}).unwrap()
}
