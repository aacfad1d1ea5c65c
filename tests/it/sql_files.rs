//! Every `.sql` file below `src/` runs in psql as it stands, so that a database administrator can
//! try what pgbelay asks. A fragment that needs text of ours around it says so in its first line
//! (`-- Fragment: …`) and is left out; one for some majors only says `(15 and later)` or `up to 14:`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{Database, Server, repository};

/// What the first line of a file starts with that cannot run alone.
const FRAGMENT: &str = "-- Fragment: ";

/// Where the first line says which majors a file is for.
const SINCE: (&str, &str) = ("(", " and later)");
const UNTIL: (&str, &str) = ("up to ", ":");

/// How many files there are at least: a search gone blind must turn red.
const FEWEST: usize = 50;

/// Whether a file is for this major; what its first line does not restrict is for all.
fn is_for(major: u32, text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let number = |(before, after): (&str, &str)| -> Option<u32> {
        let start = first.rfind(before)? + before.len();
        let rest = &first[start..];
        rest[..rest.find(after)?].parse().ok()
    };
    number(SINCE).is_none_or(|since| major >= since)
        && number(UNTIL).is_none_or(|until| major <= until)
}

#[test]
fn first_lines_restrict_majors() {
    assert!(is_for(14, "-- Casts."));
    assert!(is_for(15, "-- Schemas (15 and later).") && !is_for(14, "-- Schemas (15 and later)."));
    assert!(is_for(14, "-- Tables, up to 14: none.") && !is_for(15, "-- Tables, up to 14: none."));
}

on_all_servers! {
    fn every_sql_file_runs_in_psql(server) {
        let database = Database::create(server);
        let files = sql_files();
        assert!(files.len() >= FEWEST, "only {} files found", files.len());
        let failures: Vec<String> = files
            .iter()
            .filter_map(|file| failure(server, database.name(), file))
            .collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

#[test]
fn every_sql_file_starts_with_its_purpose() {
    for file in sql_files() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("-- "), "no header: {}", file.display());
    }
}

/// What psql says when the file does not run.
fn failure(server: &Server, database: &str, file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    if text.starts_with(FRAGMENT) || !is_for(server.major, &text) {
        return None;
    }
    let output = server
        .client("psql", database)
        .args(["-Xq", "-v", "ON_ERROR_STOP=1", "--single-transaction"])
        .arg("--file")
        .arg(file)
        .stdout(Stdio::null())
        .output()
        .expect("psql starts");
    let said = String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| format!("{}: {said}", file.display()))
}

fn sql_files() -> Vec<PathBuf> {
    let mut folders = vec![repository().join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
