//! One archive of every format version, read for ever (tests/frozen/README.md).

use std::path::{Path, PathBuf};

use pgbelay::archive::Reader;
use xxhash_rust::xxh3::xxh3_128;

use crate::sample::{ROWS, TABLES, sample_manifest, write_with};

/// Every file of tests/frozen with the XXH3-128 of its bytes: nothing is ever edited there.
const FROZEN: [(&str, u128); 2] = [
    ("v1-shop.sql.gz", 0x8979_006b_34a5_82a1_bbdd_f35e_d4d0_bbcf),
    ("v1.sql.gz", 0x766f_5160_a814_71e9_a02c_8f42_476f_455a),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frozen")
}

#[test]
fn nothing_frozen_is_changed_and_nothing_is_unlisted() {
    let mut found: Vec<String> = folder()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    found.sort();
    let listed: Vec<&str> = FROZEN.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        found, listed,
        "list the file in FROZEN and test what it holds"
    );
    for (name, hash) in FROZEN {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        assert_eq!(
            format!("{:032x}", xxh3_128(&bytes)),
            format!("{hash:032x}"),
            "{name} was edited"
        );
    }
}

#[test]
fn version_1_is_read() {
    let reader = Reader::open(&folder().join("v1.sql.gz")).unwrap();
    let report = reader.check(&mut |_, _| {}).unwrap();
    assert_eq!((report.members, report.tables, report.rows), (5, 1, 3));
    let manifest = reader.manifest();
    assert_eq!(manifest.format, 1);
    assert_eq!(manifest.database.name, "shop ✓");
    assert_eq!(manifest.version_tables[0].revisions, ["3c4e4feca860"]);
    assert_eq!(
        manifest.tables[0].digest,
        "402dcd5f54569a8e714f291a4ffeb9d1"
    );
    assert_eq!(
        reader.entry_text(0).unwrap() + &reader.entry_text(1).unwrap(),
        TABLES
    );
    let rows = reader.member_text(3).unwrap();
    assert!(String::from_utf8(rows).unwrap().contains(ROWS[1]));
    let mut expected = sample_manifest();
    expected.format = 1;
    expected.members.clone_from(&manifest.members);
    assert_eq!(manifest, &expected);
}

/// A backup of a real server: the sample migrations of `migrations/` at their head.
#[test]
fn version_1_of_a_real_database_is_read() {
    let reader = Reader::open(&folder().join("v1-shop.sql.gz")).unwrap();
    let report = reader.check(&mut |_, _| {}).unwrap();
    assert_eq!((report.tables, report.rows), (14, 4));
    let manifest = reader.manifest();
    assert_eq!(manifest.database.server_version_number, 150_020);
    assert_eq!(manifest.version_tables[0].revisions, ["add_sqs_metadata"]);
    let users = manifest
        .tables
        .iter()
        .find(|table| table.identity == "table public.users")
        .unwrap();
    assert_eq!((users.rows, users.bytes), (2, 101));
    let texts = (0..manifest.entries.len())
        .filter(|&index| manifest.entries[index].place.is_some())
        .map(|index| reader.entry_text(index).unwrap())
        .collect::<String>();
    assert!(texts.contains("CREATE TABLE public.users ("));
}

/// Made tests/frozen/v1.sql.gz; kept to show how, and for the next version:
/// `cargo test --test archive -- --ignored freeze`.
#[test]
#[ignore = "writes a new frozen archive"]
fn freeze() {
    write_with(&folder(), "new.sql.gz", |_| {}).unwrap();
}
