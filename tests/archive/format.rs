//! The bytes that docs/format.md describes, made by hand here without the library's writer, and
//! what a reader says to well-formed bytes that lie.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pgbelay::archive::{Manifest, Reader, Source, TableDigest, compress};
use pgbelay::error::{Error, Kind};
use serde_json::{Value, json};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The texts of the members of a hand-made archive; the last two are rows.
pub const TEXTS: [&str; 4] = [
    "\\set ON_ERROR_STOP on\n",
    "CREATE TABLE public.t (a integer);\n",
    "COPY public.t (a) FROM stdin;\n1\n2\n\\.\n",
    "COPY public.t (a) FROM stdin;\n3\n\\.\n",
];

/// §5 "Footer", byte by byte.
fn footer(version: u32, offset: u64, length: u64, text_length: u64, hash: u128) -> Vec<u8> {
    let mut subfield = b"PGBELAY\0".to_vec();
    subfield.extend(version.to_le_bytes());
    subfield.extend([0; 4]);
    subfield.extend(offset.to_le_bytes());
    subfield.extend(length.to_le_bytes());
    subfield.extend(text_length.to_le_bytes());
    subfield.extend(hash.to_be_bytes());
    let check = xxh3_64(&subfield);
    subfield.extend(check.to_be_bytes());
    let mut bytes = vec![
        0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 68, 0, b'P', b'B', 64, 0,
    ];
    bytes.extend(subfield);
    bytes.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes.len(), 90);
    bytes
}

/// §4 "Manifest": members and what a format 1 manifest must have.
pub fn manifest(texts: &[&str]) -> (Vec<u8>, Value) {
    let kinds = ["preamble", "entries", "data", "data"];
    let mut bytes = Vec::new();
    let mut members = Vec::new();
    for (text, kind) in texts.iter().zip(kinds) {
        let member = compress(text.as_bytes()).unwrap().bytes;
        let data = kind == "data";
        members.push(json!({
            "kind": kind, "offset": bytes.len(), "length": member.len(), "text_length": text.len(),
            "hash": format!("{:032x}", xxh3_128(&member)),
            "table": if data { Some(0) } else { None },
            "rows": if data { text.lines().count() - 2 } else { 0 },
        }));
        bytes.extend(member);
    }
    let sum = ["1\n", "2\n", "3\n"].iter().fold(0_u128, |sum, row| {
        sum.wrapping_add(xxh3_128(row.as_bytes()))
    });
    let entry = |identity: &str, depends: &[u32], place: Value| {
        json!({"identity": identity, "kind": "TABLE", "schema": "public", "name": "t", "section": "pre-data",
               "owner": "app", "depends": depends, "drop": "DROP TABLE public.t;", "place": place})
    };
    let manifest = json!({
        "format": 1, "tool": "by hand", "purpose": "backup", "created": "2026-01-02T03:04:05Z",
        "database": {"name": "d", "oid": 5, "system_identifier": "", "server_version_number": 180000,
                     "server_version": "18.0", "encoding": "UTF8", "properties": {}},
        "snapshot": "1:1:", "settings": {},
        "entries": [
            entry("table public.t", &[], json!({"member": 1, "offset": 0, "length": TEXTS[1].len()})),
            entry("table data public.t", &[0], Value::Null),
        ],
        "members": members,
        "tables": [{"identity": "table public.t", "schema": "public", "name": "t", "columns": ["a"],
                    "copy": "COPY public.t (a) FROM stdin;", "rows": 3, "bytes": 6, "digest": format!("{sum:032x}")}],
        "sequences": [], "large_objects": [], "version_tables": [], "roles": [], "extensions": [],
        "a field of a later version": {"is": "ignored"},
    });
    (bytes, manifest)
}

/// Members, manifest and footer put together.
pub fn assemble(bytes: Vec<u8>, manifest: &Value) -> Vec<u8> {
    assemble_text(bytes, &format!("-- {manifest}\n"))
}

/// The same with any text for a manifest.
pub fn assemble_text(bytes: Vec<u8>, text: &str) -> Vec<u8> {
    let packed = compress(text.as_bytes()).unwrap().bytes;
    with_footer(bytes, &packed, text.len() as u64)
}

/// The same with any bytes for a manifest, and a footer that says so much of its text.
pub fn with_footer(mut bytes: Vec<u8>, packed: &[u8], text_length: u64) -> Vec<u8> {
    let offset = bytes.len() as u64;
    bytes.extend(packed);
    bytes.extend(footer(
        1,
        offset,
        packed.len() as u64,
        text_length,
        xxh3_128(packed),
    ));
    bytes
}

fn by_hand(texts: &[&str], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (bytes, mut manifest) = manifest(texts);
    change(&mut manifest);
    assemble(bytes, &manifest)
}

/// An archive in memory that counts what is read of it.
#[derive(Clone, Default)]
struct Memory {
    bytes: Arc<Vec<u8>>,
    reads: Arc<AtomicU64>,
    read_bytes: Arc<AtomicU64>,
}

impl Source for Memory {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read_bytes
            .fetch_add(buffer.len() as u64, Ordering::Relaxed);
        let start = usize::try_from(offset).unwrap();
        let found = self.bytes.get(start..start + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

pub fn open(bytes: Vec<u8>) -> Result<Reader, Error> {
    let memory = Memory {
        bytes: Arc::new(bytes),
        ..Memory::default()
    };
    Reader::from_source(Box::new(memory), Path::new("by hand"))
}

pub fn check(bytes: Vec<u8>) -> Result<(), Error> {
    open(bytes)?.check(&mut |_, _| {}).map(drop)
}

#[test]
fn an_archive_made_by_hand_is_read() {
    let reader = open(by_hand(&TEXTS, |_| {})).unwrap();
    let report = reader.check(&mut |_, _| {}).unwrap();
    assert_eq!((report.members, report.tables, report.rows), (4, 1, 3));
    assert_eq!(reader.entry_text(0).unwrap(), TEXTS[1]);
    assert_eq!(reader.member_text(3).unwrap(), TEXTS[3].as_bytes());
}

#[test]
fn a_manifest_may_be_cut_into_lines_and_members_anywhere() {
    let (mut bytes, manifest) = manifest(&TEXTS);
    let json = manifest.to_string();
    let offset = bytes.len() as u64;
    let mut packed = Vec::new();
    let mut length = 0;
    for piece in json.as_bytes().chunks(100) {
        let text = format!("-- {}\n", std::str::from_utf8(piece).unwrap());
        length += text.len() as u64;
        packed.extend(compress(text.as_bytes()).unwrap().bytes);
    }
    bytes.extend(&packed);
    bytes.extend(footer(
        1,
        offset,
        packed.len() as u64,
        length,
        xxh3_128(&packed),
    ));
    check(bytes).unwrap();
}

#[test]
fn a_table_may_have_a_newline_in_its_name() {
    let copy = "COPY public.\"t\n\\.\n\" (a) FROM stdin;";
    let texts = TEXTS.map(|text| text.replace("COPY public.t (a) FROM stdin;", copy));
    let texts = texts.each_ref().map(String::as_str);
    let bytes = by_hand(&texts, |manifest| {
        manifest["tables"][0]["copy"] = json!(copy);
        manifest["members"][2]["rows"] = json!(2);
        manifest["members"][3]["rows"] = json!(1);
    });
    check(bytes).unwrap();
}

#[test]
fn only_what_is_needed_is_read() {
    let memory = Memory {
        bytes: Arc::new(by_hand(&TEXTS, |_| {})),
        ..Memory::default()
    };
    let reader = Reader::from_source(Box::new(memory.clone()), Path::new("by hand")).unwrap();
    assert_eq!(
        memory.reads.load(Ordering::Relaxed),
        2,
        "footer and manifest"
    );
    let members: u64 = reader
        .manifest()
        .members
        .iter()
        .map(|member| member.length)
        .sum();
    assert_eq!(
        memory.read_bytes.load(Ordering::Relaxed),
        reader.length() - members
    );
    reader.member_text(2).unwrap();
    assert_eq!(memory.reads.load(Ordering::Relaxed), 3);
    reader.entry_text(0).unwrap();
    reader.entry_text(0).unwrap();
    assert_eq!(
        memory.reads.load(Ordering::Relaxed),
        4,
        "the last member is kept"
    );
}

#[test]
fn a_newer_format_is_refused_whatever_it_holds() {
    let mut bytes = b"anything".to_vec();
    bytes.extend(footer(2, u64::MAX, 7, 7, 7));
    let error = open(bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(
        error
            .to_string()
            .contains("format version 2, this pgbelay reads up to 1"),
        "{error}"
    );
    let error = open(by_hand(&TEXTS, |manifest| {
        manifest["members"][0]["kind"] = json!("hologram")
    }))
    .unwrap_err();
    assert_eq!(
        error.kind(),
        Kind::Refused,
        "a whole manifest that is not understood: {error}"
    );
}

#[test]
fn a_footer_that_claims_too_much_is_damage() {
    for (offset, length, text_length) in [
        (0, u64::MAX, 10),
        (u64::MAX, 1, 10),
        (u64::MAX, u64::MAX, u64::MAX),
        (4, 4, u64::MAX),
        (4, 4, 1 << 30),
        (0, 8, 1 << 40),
    ] {
        let mut bytes = b"12345678".to_vec();
        let hash = xxh3_128(&bytes[usize::try_from(offset).unwrap_or(0).min(8)..]);
        bytes.extend(footer(1, offset, length, text_length, hash));
        let error = open(bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::Difference, "{offset} {length}: {error}");
    }
}

#[test]
fn a_manifest_that_lies_is_damage() {
    type Lie = (&'static str, fn(&mut Value));
    let lies: [Lie; 17] = [
        ("reaches beyond", |m| {
            m["members"][3]["length"] = json!(u64::MAX)
        }),
        ("reaches beyond", |m| {
            m["members"][3]["length"] = json!(1 << 30)
        }),
        ("cannot hold", |m| {
            m["members"][3]["text_length"] = json!(1 << 30)
        }),
        ("more than a member may hold", |m| {
            m["members"][3]["text_length"] = json!(u64::MAX)
        }),
        ("starts at byte", |m| m["members"][1]["offset"] = json!(0)),
        ("too few for a gzip member", |m| {
            m["members"][1]["length"] = json!(0)
        }),
        ("not 32 hex digits", |m| {
            m["members"][1]["hash"] = json!("f")
        }),
        ("names no table", |m| m["members"][2]["table"] = json!(1)),
        ("names no table", |m| m["members"][2]["table"] = Value::Null),
        ("only data members have", |m| {
            m["members"][1]["table"] = json!(0)
        }),
        ("its members 3", |m| m["tables"][0]["rows"] = json!(4)),
        ("has no COPY statement", |m| {
            m["tables"][0]["copy"] = json!("")
        }),
        ("does not exist", |m| {
            m["entries"][0]["depends"] = json!([2])
        }),
        ("depends on itself", |m| {
            m["entries"][0]["depends"] = json!([1])
        }),
        ("two entries are called", |m| {
            m["entries"][1]["identity"] = json!("table public.t")
        }),
        ("lies outside its member", |m| {
            m["entries"][0]["place"]["offset"] = json!(u64::MAX)
        }),
        ("it says format 2", |m| m["format"] = json!(2)),
    ];
    for (expected, lie) in lies {
        let error = open(by_hand(&TEXTS, lie)).unwrap_err();
        assert_eq!(error.kind(), Kind::Difference, "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    let error = open(by_hand(&TEXTS[1..], |_| {})).unwrap_err();
    assert!(
        error.to_string().contains("damaged: manifest at byte"),
        "{error}"
    );
}

#[test]
fn members_that_are_not_what_the_manifest_says_are_damage() {
    let cases = [
        (
            [TEXTS[1], TEXTS[1], TEXTS[2], TEXTS[3]],
            "member 0 (preamble) at byte 0: the script does not start",
        ),
        (
            [
                TEXTS[0],
                TEXTS[1],
                "COPY public.t (b) FROM stdin;\n1\n2\n\\.\n",
                TEXTS[3],
            ],
            "member 2 (table public.t)",
        ),
        (
            [
                TEXTS[0],
                TEXTS[1],
                "COPY public.t (a) FROM stdin;\n1\n2\n3",
                TEXTS[3],
            ],
            "not a whole COPY statement",
        ),
        (
            [
                TEXTS[0],
                TEXTS[1],
                TEXTS[2],
                "COPY public.t (a) FROM stdin;\n4\n\\.\n",
            ],
            "table public.t: its rows are not",
        ),
        (
            [
                TEXTS[0],
                TEXTS[1],
                "COPY public.t (a) FROM stdin;\n\\.\n2\n\\.\n",
                TEXTS[3],
            ],
            "ends early, after 0 rows",
        ),
    ];
    for (texts, expected) in cases {
        let error = check(by_hand(&texts, |_| {})).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    let wrong_count = by_hand(&TEXTS, |m| {
        m["members"][2]["rows"] = json!(1);
        m["members"][3]["rows"] = json!(2);
    });
    assert!(
        check(wrong_count)
            .unwrap_err()
            .to_string()
            .contains("it has 2 rows, the manifest says 1")
    );
    let wrong_length = by_hand(&TEXTS, |m| m["members"][1]["text_length"] = json!(100));
    assert!(
        check(wrong_length)
            .unwrap_err()
            .to_string()
            .contains("its text has 35 bytes")
    );
    let not_text = by_hand(&TEXTS, |m| m["entries"][0]["place"]["length"] = json!(1));
    check(not_text).unwrap();
}

#[test]
fn a_manifest_of_ten_thousand_tables_is_fine() {
    let directory = tempfile::tempdir().unwrap();
    let path = crate::sample::write_with(directory.path(), "large.sql.gz", |manifest| {
        let (entry, table) = (manifest.entries[0].clone(), manifest.tables[0].clone());
        for number in 0..10_000 {
            let mut table = table.clone();
            table.identity = format!("table public.{}_{number}", "many".repeat(10));
            table.digest = TableDigest::default().hex();
            (table.rows, table.bytes) = (0, 0);
            for aspect in ["", "constraint ", "index ", "comment "] {
                let mut entry = entry.clone();
                entry.identity = format!("{aspect}{}", table.identity);
                manifest.entries.push(entry);
            }
            manifest.tables.push(table);
        }
    })
    .unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.check(&mut |_, _| {}).unwrap().tables, 10_001);
    let script = gunzip(&path);
    let longest = script.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
    assert!(longest < Some(64 << 10), "lines stay readable: {longest:?}");
}

fn gunzip(path: &Path) -> Vec<u8> {
    let output = std::process::Command::new("gunzip")
        .arg("-c")
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

/// docs/format.md quotes the constants; a change of either shows here.
#[test]
fn the_page_says_what_the_bytes_are() {
    let page = include_str!("../../docs/format.md");
    let hex: Vec<String> = footer(1, 0x1122, 0x33, 0x44, 0x55)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(page.contains(&hex[..16].join(" ")), "the footer's head");
    assert!(page.contains(&hex[80..].join(" ")), "the footer's tail");
    assert!(page.contains("`PGBELAY\\0`") && page.contains("90 bytes"));
    let (_, manifest) = manifest(&TEXTS);
    let read: Manifest = serde_json::from_value(manifest).unwrap();
    let Value::Object(fields) = serde_json::to_value(&read).unwrap() else {
        panic!("not an object")
    };
    for parent in ["members", "entries", "tables", "database"] {
        let part = match &fields[parent] {
            Value::Array(items) => &items[0],
            other => other,
        };
        for field in part.as_object().unwrap().keys().chain(fields.keys()) {
            assert!(
                page.contains(&format!("`{field}`")),
                "docs/format.md does not name {parent}.{field}"
            );
        }
    }
}
