//! Archives whose hashes are right and whose manifest lies: what whoever writes an archive by hand can do.
//! The reader answers or refuses; it never panics, never goes on for ever, and never takes more
//! memory than the file's own size allows.
//!
//! These are properties over changed inputs and not fuzz targets: those need a nightly toolchain. proptest
//! writes the seeds of failures to a folder `proptest-regressions`, which belongs into git;
//! `PROPTEST_CASES=100000` makes a longer search.

use std::process::Command;
use std::time::{Duration, Instant};

use pgbelay::archive::compress;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::format::{TEXTS, assemble, check, manifest, open};

/// Values that a number, a text or a list may be replaced by.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            0,
            1,
            2,
            7,
            u64::from(u32::MAX),
            1 << 30,
            1 << 31,
            1 << 40,
            u64::MAX - 1,
            u64::MAX
        ])
        .prop_map(|number| json!(number)),
        Just(json!(-1)),
        Just(json!(1.5)),
        Just(json!(null)),
        Just(json!(true)),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([0, 0, 1])),
        "[a-f0-9]{32}".prop_map(|text| json!(text)),
        any::<String>().prop_map(|text| json!(text)),
    ]
}

/// Every place in a JSON value, as a pointer.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{here}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                places(field, &format!("{here}/{}", name.replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

/// Opens, checks and reads everything that can be asked for.
fn use_all_of(bytes: Vec<u8>) {
    let _ = check(bytes.clone());
    let Ok(reader) = open(bytes) else { return };
    let _ = reader.require_undamaged();
    for index in 0..reader.manifest().entries.len() + 1 {
        let _ = reader.entry_text(index);
    }
    for index in 0..u32::try_from(reader.manifest().members.len() + 1).unwrap() {
        let _ = reader.member_text(index);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Any fields of the manifest replaced, removed or repeated: an answer or a refusal, soon.
    #[test]
    fn a_manifest_with_any_odd_values_is_answered(
        edits in prop::collection::vec((any::<prop::sample::Index>(), odd_value(), 0_u8..3), 1..5)
    ) {
        let (bytes, mut manifest) = manifest(&TEXTS);
        for (at, value, how) in edits {
            let mut found = Vec::new();
            places(&manifest, "", &mut found);
            let place = &found[at.index(found.len())];
            match (manifest.pointer_mut(place), how) {
                (Some(Value::Array(items)), 1) if !items.is_empty() => items.extend(items.clone()),
                (Some(Value::Array(items)), 2) => { items.pop(); }
                (Some(field), _) => *field = value,
                (None, _) => {}
            }
        }
        let started = Instant::now();
        use_all_of(assemble(bytes, &manifest));
        prop_assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
    }

    /// Any bytes of the manifest's text changed, with hashes that fit.
    #[test]
    fn a_manifest_of_any_text_is_answered(
        at in any::<prop::sample::Index>(), lost in 0_usize..40, added in "[\\[\\]{}\",:0-9a-z\\\\]{0,40}",
    ) {
        let (bytes, manifest) = manifest(&TEXTS);
        let mut text = manifest.to_string();
        let at = at.index(text.len());
        prop_assume!(text.is_char_boundary(at) && text.is_char_boundary((at + lost).min(text.len())));
        text.replace_range(at..(at + lost).min(text.len()), &added);
        use_all_of(crate::format::assemble_text(bytes, &format!("-- {text}\n")));
    }
}

/// Lists within lists: no stack is deep enough for a reader that follows them.
#[test]
fn a_manifest_that_nests_without_end_is_refused() {
    let (bytes, _) = manifest(&TEXTS);
    for text in ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 18)] {
        let lines: String = text
            .as_bytes()
            .chunks(60_000)
            .map(|piece| format!("-- {}\n", std::str::from_utf8(piece).unwrap()))
            .collect();
        assert!(check(crate::format::assemble_text(bytes.clone(), &lines)).is_err());
    }
}

/// Runs `pgbelay check` on these bytes with so much address space, and returns what it says.
fn check_within(megabytes: u64, bytes: &[u8]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bomb.sql.gz");
    std::fs::write(&path, bytes).unwrap();
    let script = format!("ulimit -v {}; exec \"$0\" check \"$1\"", megabytes * 1024);
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_pgbelay")])
        .arg(&path)
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// What a small file can make the reader hold is bounded: lengths that the file cannot hold take no memory at
/// all, and the largest manifest allowed is all that a manifest can take.
#[test]
fn lies_about_lengths_take_no_memory() {
    let (bytes, honest) = manifest(&TEXTS);
    let whole = assemble(bytes.clone(), &honest);
    // Enough for the program and its threads; a reader that believed any of the lengths would need gigabytes.
    let room = 700;
    assert_eq!(
        check_within(room, &whole).0,
        Some(0),
        "{}",
        check_within(room, &whole).1
    );
    for (field, value) in [
        ("/members/3/text_length", 2_u64 << 30),
        ("/members/3/text_length", u64::MAX),
        ("/members/3/length", u64::MAX),
        ("/members/2/rows", u64::MAX),
        ("/tables/0/rows", u64::MAX),
        ("/entries/0/place/length", u64::MAX),
    ] {
        let mut lying = honest.clone();
        *lying.pointer_mut(field).unwrap() = json!(value);
        let (code, said) = check_within(room, &assemble(bytes.clone(), &lying));
        assert_eq!(code, Some(8), "{field} = {value}: {said}");
    }
    // A manifest that decompresses to half a gigabyte, as its footer says, and to more than it says.
    let zeros = compress(&vec![b' '; 300 << 20]).unwrap().bytes;
    for said in [300_u64 << 20, 1 << 20, 4 << 30] {
        let bomb = crate::format::with_footer(bytes.clone(), &zeros, said);
        let (code, text) = check_within(room, &bomb);
        assert_eq!(code, Some(8), "{said}: {text}");
    }
}
