//! One file of `tests/corpus` per kind of object, each through every way there and back.
//!
//! Three copies are made of what a file makes: by `gunzip | psql`, by our own restore in one
//! transaction, and by one with several sessions. Real
//! `pg_dump` of original and copies must agree, and so must their backups: the same entries with the
//! same bytes in the same order, the same rows by digest. A second backup of the original is equal
//! too, and `diff` finds nothing. Some of it is done on two majors for each file, unless
//! `PGBELAY_TEST_EVERYTHING=yes`. What the first lines of a file may say stands in
//! `support/corpus.rs`. Figures go to the file that `PGBELAY_TEST_FIGURES` names; `scripts/test`
//! shows them.

use std::collections::VecDeque;
use std::sync::Mutex;

use pgbelay::archive::{Manifest, Reader};
use pgbelay::dump::DumpOptions;

use crate::data::Bench;
use crate::support::{CorpusFile, Database, Server, Workplace, gunzip, note_figure, psql_commands};

/// How many files there are at least: a search gone blind must turn red.
const FEWEST: usize = 60;

/// Files that are worked on at the same time, per major: most of the time is waiting.
const AT_ONCE: usize = 3;

/// Sessions of the parallel restore.
const SEVERAL: usize = 4;

/// What went through.
#[derive(Debug, Default, Clone, Copy)]
struct Amount {
    files: usize,
    entries: usize,
    rows: u64,
}

/// Everything an archive says about the database, in order: equal accounts, equal databases.
fn account(reader: &Reader) -> Vec<String> {
    let manifest = reader.manifest();
    let mut lines: Vec<String> = Vec::new();
    for (index, entry) in manifest.entries.iter().enumerate() {
        let text = reader.entry_text(index).expect("an entry's text");
        let (identity, owner) = (&entry.identity, &entry.owner);
        lines.push(format!(
            "{identity} {:?} {owner:?} {:?} {:?}",
            entry.section, entry.drop, entry.depends
        ));
        lines.extend(text.lines().map(|line| format!("{identity}: {line}")));
    }
    lines.extend(contents(manifest));
    lines
}

/// Rows, values and bytes, by digest.
fn contents(manifest: &Manifest) -> Vec<String> {
    let tables = manifest.tables.iter().map(|table| format!("{table:?}"));
    let sequences = manifest
        .sequences
        .iter()
        .map(|sequence| format!("{sequence:?}"));
    let objects = manifest
        .large_objects
        .iter()
        .map(|object| format!("{object:?}"));
    let extensions = manifest
        .extensions
        .iter()
        .map(|extension| format!("{extension:?}"));
    tables
        .chain(sequences)
        .chain(objects)
        .chain(extensions)
        .collect()
}

/// A backup of a database, by the role that the file wants.
fn backed_up(bench: &Bench, file: &CorpusFile, options: &DumpOptions) -> Reader {
    let options = DumpOptions {
        accept: file.accepted(),
        ..options.clone()
    };
    let report = bench
        .backup_by(file.role, &options)
        .unwrap_or_else(|error| panic!("{}: a backup: {error:?}", file.name));
    Reader::open(&report.archive).expect("an archive")
}

#[track_caller]
fn assert_equal(file: &CorpusFile, what: &str, left: &[String], right: &[String]) {
    if left == right {
        return;
    }
    let first = left
        .iter()
        .zip(right)
        .position(|(left, right)| left != right);
    let at = first.unwrap_or(left.len().min(right.len()));
    let shown = |lines: &[String]| lines[at..lines.len().min(at + 8)].join("\n    ");
    panic!(
        "{}: {what} differ from line {at}:\n  - {}\n  + {}",
        file.name,
        shown(left),
        shown(right)
    );
}

/// The copy says the same as the original, to `pg_dump` and to us.
fn assert_copy(file: &CorpusFile, what: &str, copy: Database, original: &str, expected: &[String]) {
    copy.assert_is(original);
    if file.accepting.is_empty() {
        assert_backup(file, what, copy, expected);
    }
    // Else what was not kept is another thing in the copy.
}

fn assert_backup(file: &CorpusFile, what: &str, copy: Database, expected: &[String]) {
    let bench = Bench::on(copy);
    let reader = backed_up(&bench, file, &DumpOptions::default());
    assert_equal(file, what, expected, &account(&reader));
}

/// On every major each file is restored by psql and by us, and `pg_dump` judges both; on two majors for each file a second
/// backup, our own look at psql's copy, and a restore with several sessions, which take as long as all the rest.
fn goes_there_and_back(server: &'static Server, place: usize, file: &CorpusFile) -> Amount {
    let bench = Bench::on(Database::create(server));
    file.run_in(&bench.database);
    let original = bench.database.dump();
    let reader = backed_up(&bench, file, &DumpOptions::default());
    let expected = account(&reader);
    let has_turn = file.has_turn(place, 1, server) || file.has_turn(place, 3, server);
    if has_turn {
        let alone = DumpOptions {
            jobs: 1,
            ..DumpOptions::default()
        };
        let second = backed_up(&bench, file, &alone);
        assert_equal(file, "two backups", &expected, &account(&second));
    }

    let script = gunzip(reader.path());
    let text = String::from_utf8_lossy(&script);
    let commands = psql_commands(&text);
    assert_eq!(commands, [r"\set ON_ERROR_STOP on"], "{}", file.name);

    let by_psql = bench.database.sibling();
    by_psql.restore_plain(&script);
    by_psql.assert_is(&original);
    if has_turn && file.accepting.is_empty() {
        assert_backup(file, "original and psql's copy", by_psql, &expected);
    }

    let (workplace, by_us) = (Workplace::new(), bench.database.sibling());
    bench
        .restore_by(file.role, &by_us, &reader)
        .unwrap_or_else(|error| panic!("{}: a restore: {error:?}", file.name));
    let archive = reader.path().to_str().expect("a path");
    let call = workplace
        .call(&by_us)
        .env("DATABASE_URL", by_us.url_as(file.role));
    let call = match file.accepting.as_str() {
        "" => call,
        kind => call.env("PGBELAY_ACCEPT_LOSS", kind),
    };
    let copy = format!("db:{}", by_us.name());
    let found = call.run(&["diff", archive, &copy, "--json"]);
    only_the_accepted_is_lost(&found.assert_code(0).json(), &file.accepting);
    assert_copy(file, "original and our copy", by_us, &original, &expected);

    if has_turn {
        let by_several = bench.database.sibling();
        bench
            .restore_with(file.role, &by_several, &reader, SEVERAL)
            .unwrap_or_else(|error| panic!("{}: a parallel restore: {error:?}", file.name));
        assert_copy(
            file,
            "original and the copy of several sessions",
            by_several,
            &original,
            &expected,
        );
    }
    Amount {
        files: 1,
        entries: reader.manifest().entries.len(),
        rows: rows(reader.manifest()),
    }
}

/// A copy does not have what was accepted to be lost, and that is told.
fn only_the_accepted_is_lost(said: &serde_json::Value, kind: &str) {
    let lost = said["not_held"].as_array().into_iter().flatten();
    let mut count = 0;
    for one in lost {
        let is_accepted = one
            .as_str()
            .is_some_and(|name| name.starts_with(&format!("{kind}: ")));
        assert!(is_accepted, "{one}");
        count += 1;
    }
    assert_eq!(count > 0, !kind.is_empty(), "{said}");
}

fn rows(manifest: &Manifest) -> u64 {
    manifest.tables.iter().map(|table| table.rows).sum()
}

/// Takes files from the queue until it is empty; what went through, and the names of what did not.
fn work(
    server: &'static Server,
    queue: &Mutex<VecDeque<(usize, CorpusFile)>>,
) -> (Amount, Vec<String>) {
    let (mut sum, mut failed) = (Amount::default(), Vec::new());
    loop {
        let next = queue.lock().unwrap().pop_front();
        let Some((place, file)) = next else {
            return (sum, failed);
        };
        match std::panic::catch_unwind(|| goes_there_and_back(server, place, &file)) {
            Ok(amount) => {
                sum.files += amount.files;
                sum.entries += amount.entries;
                sum.rows += amount.rows;
            }
            Err(_) => failed.push(file.name.clone()),
        }
    }
}

on_all_servers! {
    fn every_kind_goes_there_and_back(server) {
        let all = CorpusFile::all();
        assert!(all.len() >= FEWEST, "only {} files found", all.len());
        let numbered = all.into_iter().enumerate();
        let queue: VecDeque<(usize, CorpusFile)> = numbered.filter(|(_, file)| file.is_for(server)).collect();
        let queue = Mutex::new(queue);
        let mut sum = Amount::default();
        let mut failed = Vec::new();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| work(server, &queue))).collect();
            for worker in workers {
                let (amount, names) = worker.join().expect("a worker");
                sum.files += amount.files;
                sum.entries += amount.entries;
                sum.rows += amount.rows;
                failed.extend(names);
            }
        });
        failed.sort();
        let verdict = if failed.is_empty() { "all equal".to_owned() } else { format!("NOT EQUAL: {failed:?}") };
        note_figure(&format!(
            "corpus on PostgreSQL {}: {} files, {} entries, {} rows: {verdict}",
            server.major, sum.files, sum.entries, sum.rows
        ));
        assert!(failed.is_empty(), "failed: {failed:?}");
    }
}
