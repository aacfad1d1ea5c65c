//! Damage to archives and what is said about it (docs/format.md §6).
//!
//! Every test changes the bytes of one small archive and asserts that opening or checking it
//! fails, with words that say where.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use pgbelay::archive::{CheckReport, Reader};
use pgbelay::error::{Error, Kind};
use proptest::prelude::*;

use crate::sample::{COPY, PREAMBLE, ROWS, SEQUENCE, TABLES, sample, sample_manifest};

fn check(path: &Path) -> Result<CheckReport, Error> {
    Reader::open(path)?.check(&mut |_, _| {})
}

/// Writes `bytes` as an archive and returns what is said about it.
fn complaint(directory: &Path, bytes: &[u8]) -> Error {
    let path = directory.join("changed.sql.gz");
    std::fs::write(&path, bytes).unwrap();
    check(&path).expect_err("the damage was not seen")
}

#[test]
fn a_whole_archive_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let mut last = (0, 0);
    let reader = Reader::open(&path).unwrap();
    let report = reader
        .check(&mut |done, total| last = (done, total))
        .unwrap();
    let bytes = path.metadata().unwrap().len();
    assert_eq!(
        (report.members, report.bytes, report.tables, report.rows),
        (5, bytes, 1, 3)
    );
    assert_eq!(last, (bytes, bytes));
    assert_eq!(
        reader.entry_text(0).unwrap() + &reader.entry_text(1).unwrap(),
        TABLES
    );
    assert_eq!(reader.entry_text(2).unwrap(), "");
    let mut expected = sample_manifest();
    expected.format = 1;
    expected.members.clone_from(&reader.manifest().members);
    assert_eq!(reader.manifest(), &expected);
}

#[test]
fn other_gzip_readers_accept_it_and_see_one_script() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            output.stderr.is_empty(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    run("gunzip", &["-t"]);
    let script = run("zcat", &[]);
    let python = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
    assert_eq!(run("python3", &["-c", python]), script);
    let rows: String = ROWS
        .iter()
        .map(|rows| format!("{COPY}\n{rows}\\.\n"))
        .collect();
    let sql = format!("{PREAMBLE}{TABLES}{rows}{SEQUENCE}");
    let (before, manifest) = script.split_at(sql.len());
    assert_eq!(before, sql);
    assert!(manifest.is_ascii() && !manifest.contains('\r'));
    assert!(manifest.lines().all(|line| line.starts_with("-- ")));
}

#[test]
fn every_flipped_bit_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(sample(directory.path())).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = complaint(directory.path(), &changed);
        assert_eq!(error.kind(), Kind::Difference, "bit {bit}: {error}");
    }
}

#[test]
fn every_truncation_is_called_incomplete() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(sample(directory.path())).unwrap();
    assert!(
        complaint(directory.path(), &[])
            .to_string()
            .contains("the file is empty")
    );
    for length in 1..bytes.len() {
        let error = complaint(directory.path(), &bytes[..length]);
        assert_eq!(error.kind(), Kind::Difference);
        let expected = format!("incomplete: no footer: the file ends at byte {length}");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn every_cut_between_members_is_called_incomplete() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let bytes = std::fs::read(&path).unwrap();
    for member in &Reader::open(&path).unwrap().manifest().members {
        let end = usize::try_from(member.offset + member.length).unwrap();
        let error = complaint(directory.path(), &bytes[..end]);
        assert!(
            error.to_string().contains("incomplete: no footer"),
            "{error}"
        );
    }
}

#[test]
fn members_swapped_doubled_or_lost_are_seen() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let bytes = std::fs::read(&path).unwrap();
    let reader = Reader::open(&path).unwrap();
    let members = &reader.manifest().members;
    let mut parts: Vec<&[u8]> = members
        .iter()
        .map(|member| {
            let start = usize::try_from(member.offset).unwrap();
            &bytes[start..start + usize::try_from(member.length).unwrap()]
        })
        .collect();
    let data: usize = parts.iter().map(|part| part.len()).sum();
    parts.push(&bytes[data..]);

    let swapped = [parts[0], parts[1], parts[3], parts[2], parts[4], parts[5]].concat();
    let error = complaint(directory.path(), &swapped).to_string();
    let place = format!(
        "damaged: member 2 (table public.users) at byte {}",
        members[2].offset
    );
    assert!(error.contains(&place), "{error}");

    let doubled = [
        parts[0], parts[1], parts[2], parts[2], parts[3], parts[4], parts[5],
    ]
    .concat();
    let error = complaint(directory.path(), &doubled).to_string();
    assert!(error.contains("bytes are missing or were added"), "{error}");

    let lost = [parts[0], parts[1], parts[2], parts[4], parts[5]].concat();
    let error = complaint(directory.path(), &lost).to_string();
    assert!(error.contains("bytes are missing or were added"), "{error}");

    let appended = [&bytes[..], b"\n"].concat();
    let error = complaint(directory.path(), &appended);
    assert_eq!(error.kind(), Kind::Difference);
    let ends = format!(
        "the archive ends at byte {}, and 1 more follow it",
        bytes.len()
    );
    assert!(error.to_string().contains(&ends), "{error}");
    let far = [&bytes[..], &[b'x'; 3 << 20]].concat();
    let error = complaint(directory.path(), &far).to_string();
    assert!(error.contains("something was appended"), "{error}");
    let twice = [&bytes[..], &bytes].concat();
    assert_eq!(complaint(directory.path(), &twice).kind(), Kind::Difference);
}

#[test]
fn a_damaged_member_is_not_handed_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let offset = Reader::open(&path).unwrap().manifest().members[1].offset;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(offset).unwrap() + 20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert!(reader.member_text(0).is_ok());
    let expected = format!("damaged: member 1 (definitions) at byte {offset}: its hash");
    for error in [
        reader.member_text(1).unwrap_err(),
        reader.entry_text(1).unwrap_err(),
    ] {
        assert!(error.to_string().contains(&expected), "{error}");
        assert_eq!(error.kind(), Kind::Difference);
    }
    assert!(reader.member_text(99).is_err() && reader.entry_text(99).is_err());
}

#[test]
fn what_was_never_an_archive_is_told_so_kindly() {
    let directory = tempfile::tempdir().unwrap();
    let dump = b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n".repeat(9);
    let packed = pgbelay::archive::compress(&dump).unwrap().bytes;
    let error = complaint(directory.path(), &packed);
    assert!(
        error
            .to_string()
            .contains("not a pgbelay archive: it is a compressed SQL dump of pg_dump")
    );
    assert_eq!(
        error.hints(),
        ["restore it with `gunzip -c FILE | psql DATABASE`"]
    );
    let missing = Reader::open(&directory.path().join("missing")).unwrap_err();
    assert_eq!(missing.kind(), Kind::Refused);
    assert_eq!(
        Reader::open(directory.path()).unwrap_err().kind(),
        Kind::Refused
    );
}

proptest! {
    /// Any bytes replaced, lost or added anywhere: seen, and without a panic.
    #[test]
    fn any_edit_is_seen(
        at in any::<prop::sample::Index>(),
        lost in 0_usize..200,
        added in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = whole();
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + lost);
        prop_assume!(bytes[at..end] != added[..]);
        let edited = [&bytes[..at], &added, &bytes[end..]].concat();
        prop_assume!(edited != *bytes);
        let error = crate::format::check(edited).unwrap_err();
        prop_assert!([Kind::Difference, Kind::Refused].contains(&error.kind()), "{}", error);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(crate::format::check(bytes).is_err());
    }
}

/// The sample's bytes, made once.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::read(sample(directory.path())).unwrap()
    })
}
