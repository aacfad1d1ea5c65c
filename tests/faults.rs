//! Holds the fault points to the code and to docs/states.md: every journal record and every file operation has
//! one, each is passed at one place, each has its row, and a build without the feature knows none of their names.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests read the tree and fail by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Only these steps are written once, with the outcome.
const WITHOUT_INTENT: [&str; 2] = ["Header", "End"];

/// What touches the disk; whoever does it passes a point first.
const OPERATIONS: [&str; 9] = [
    ".write_all(",
    ".sync_all()",
    ".sync_data()",
    ".set_len(",
    ".create(path)",
    ".open(path)",
    "std::fs::rename(",
    "std::fs::hard_link(",
    "std::fs::remove_file(",
];

/// Behind the point of whoever calls them.
const BEHIND_ANOTHERS: [&str; 2] = ["rename", "new_file"];
/// Its third operation syncs the second, the cut of a torn record: one act, one point.
const TWO_IN_ONE: &str = "open";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names that follow `opening`, up to the closing brace.
fn names_in(text: &str, opening: &str) -> BTreeSet<String> {
    let (_, rest) = text.split_once(opening).expect("the list begins");
    let (list, _) = rest.split_once("\n}").expect("the list ends");
    let lines = list.lines().map(str::trim);
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

fn points() -> BTreeSet<String> {
    let points = names_in(&read("src/faults.rs"), "points! {\n");
    assert!(points.len() > 60, "only {} points found", points.len());
    points
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

#[test]
fn every_point_is_passed_at_one_place() {
    let of_faults = |path: &Path| path.to_string_lossy().contains("src/faults");
    let sources = sources(&root().join("src"));
    let code: String = sources
        .iter()
        .filter(|(path, _)| !of_faults(path))
        .map(|(_, text)| text.as_str())
        .collect();
    let passed = |pattern: &str| {
        let ends = code
            .match_indices(pattern)
            .map(|(at, _)| at + pattern.len());
        ends.filter(|end| !code[*end..].starts_with(char::is_alphanumeric))
            .count()
    };
    for name in points() {
        let places = passed(&format!(" P::{name}"))
            + passed(&format!("(P::{name}"))
            + passed(&format!("Point::{name}"));
        assert_eq!(places, 1, "the point {name} belongs at exactly one place");
    }
}

#[test]
fn every_record_has_a_point_before_and_after_it() {
    let steps = names_in(&read("src/journal.rs"), "pub enum Step {\n");
    assert!(steps.len() >= 9, "{steps:?}");
    let mut wanted = BTreeSet::new();
    for step in steps {
        for stage in ["Intent", "Outcome"] {
            if stage == "Outcome" || !WITHOUT_INTENT.contains(&step.as_str()) {
                wanted
                    .extend(["Before", "After"].map(|when| format!("Journal{step}{stage}{when}")));
            }
        }
    }
    let there: BTreeSet<String> = points()
        .into_iter()
        .filter(|name| name.starts_with("Journal"))
        .collect();
    assert_eq!(there, wanted);
}

#[test]
fn every_operation_that_changes_a_file_has_a_point() {
    let text = read("src/durable.rs");
    let production = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut operating = 0;
    for function in production.split("fn ").skip(1) {
        let name = function.split(['(', '<']).next().unwrap();
        let count = |text: &str| function.matches(text).count();
        let operations: usize = OPERATIONS.iter().map(|operation| count(operation)).sum();
        if operations == 0 || BEHIND_ANOTHERS.contains(&name) {
            continue;
        }
        let points = count("faults::io(") + usize::from(name == TWO_IN_ONE);
        assert!(
            points >= operations,
            "durable.rs: {name} has {operations} operations and passes {points} fault points"
        );
        operating += 1;
    }
    assert!(
        operating >= 10,
        "only {operating} functions were found to touch the disk"
    );
}

#[test]
fn states_md_has_a_row_for_every_point() {
    let page = read("docs/states.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<String> = rows
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    let names: BTreeSet<String> = points().iter().map(|name| kebab(name)).collect();
    let (missing, unknown): (Vec<_>, Vec<_>) = (
        names.difference(&listed).collect(),
        listed.difference(&names).collect(),
    );
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing: {missing:?}; unknown: {unknown:?}"
    );
}

/// Names and environment stand in one file, which other builds leave out.
#[test]
fn only_a_test_build_obeys() {
    for (path, text) in sources(&root().join("src")) {
        let obeys = text.contains("\"PGBELAY_FAULT") || text.contains("stringify!");
        let may = path.ends_with("faults/injected.rs") || path.ends_with("src/faults.rs");
        assert!(!obeys || may, "{}", path.display());
    }
    let module = read("src/faults.rs");
    assert!(module.contains("#[cfg(feature = \"fault-injection\")]\nmod injected;"));
    assert!(module.contains("#[cfg(feature = \"fault-injection\")]\n        impl Point {"));
    let manifest = read("Cargo.toml");
    assert!(
        !manifest.contains("default ="),
        "no feature is on by itself"
    );
}
