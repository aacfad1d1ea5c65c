//! `diff` must report every single change.
//!
//! For each file of `tests/corpus` two lists of changes: what a person thought of
//! (`tests/corpus/mutations/<file>`), and one change of every property of every object in it, made
//! by the queries in `tests/corpus/mutations/generated/`. Each change is made, looked for and taken
//! back in a transaction of its own, by the engine that `diff` uses.
//!
//! A written change that cannot be made is an error. A generated one may be impossible (a column
//! that a view uses cannot be renamed away): it is counted, and too many are an error as well.
//! Files are spread over the majors (the written list on two of them, a sample of the generated one
//! on one) unless `PGBELAY_TEST_EVERYTHING=yes` asks for everything everywhere, which takes hours.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pgbelay::archive::Reader;
use pgbelay::compare::{State, compare};
use pgbelay::dump::DumpOptions;
use pgbelay::pg::{self, Session, Sql};

use crate::data::{Bench, wait};
use crate::support::{CorpusFile, Server, has_turn, note_figure, repository, wants_everything};

/// What starts a change in a written list; the rest of the line describes it.
const CHANGE: &str = "-- change: ";

/// How many generated changes of one file are tried, unless `PGBELAY_TEST_EVERYTHING=yes`.
const GENERATED: usize = 24;

/// Of the generated changes at least this share can be made, in percent.
const FEASIBLE: usize = 60;

/// One change: what it is, and the SQL that makes it.
#[derive(Debug, Clone)]
struct Change {
    what: String,
    sql: String,
}

/// How the changes of one file went.
#[derive(Debug, Default)]
struct Tally {
    detected: usize,
    impossible: Vec<String>,
    missed: Vec<String>,
}

impl Tally {
    fn made(&self) -> usize {
        self.detected + self.missed.len()
    }

    fn add(&mut self, other: Self) {
        self.detected += other.detected;
        self.impossible.extend(other.impossible);
        self.missed.extend(other.missed);
    }
}

fn sql_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "sql"));
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn mutations() -> PathBuf {
    repository().join("tests/corpus/mutations")
}

/// The changes somebody wrote down for a corpus file.
fn written(file: &CorpusFile, major: u32) -> Vec<Change> {
    let path = mutations().join(&file.name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut changes: Vec<Change> = Vec::new();
    for line in text.lines() {
        if let Some(what) = line.strip_prefix(CHANGE) {
            changes.push(Change {
                what: what.to_owned(),
                sql: String::new(),
            });
        } else if let Some(change) = changes.last_mut() {
            change.sql.push_str(line);
            change.sql.push('\n');
        }
    }
    changes.retain(|change| since(&change.what) <= major);
    changes
}

/// `… (since 15)`: the first major that knows the change.
fn since(what: &str) -> u32 {
    let version = what
        .rsplit_once("(since ")
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    version.map_or(0, |version| version.parse().expect("a major"))
}

/// One change of every property of every object, from the catalogs of this very database.
async fn generated(session: &Session) -> Vec<Change> {
    let mut changes = Vec::new();
    for file in sql_files(&mutations().join("generated")) {
        let sql = std::fs::read_to_string(&file).unwrap();
        let rows = session.query(&Sql::deparsed(sql)).await;
        for row in rows.unwrap_or_else(|error| panic!("{}: {error}", name(&file))) {
            changes.push(Change {
                what: row.string("what").unwrap(),
                sql: row.string("change").unwrap(),
            });
        }
    }
    changes
}

/// Makes each change, asks whether it is seen, and takes it back.
async fn try_all(session: &Session, before: &State, changes: Vec<Change>, bench: &Bench) -> Tally {
    let mut tally = Tally::default();
    for change in changes {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL allow_system_table_mods = on; \
                     SET LOCAL session_replication_role = replica; SET LOCAL search_path = public; ";
        let made = session
            .execute(&Sql::deparsed(format!("{begin}{}", change.sql)))
            .await;
        if let Err(error) = made {
            tally.impossible.push(format!("{}: {error}", change.what));
        } else {
            let reset = Sql::constant(
                "SET LOCAL session_replication_role = origin; SET LOCAL allow_system_table_mods = off; SET LOCAL search_path = ''",
            );
            session.execute(&reset).await.expect("a statement");
            match State::of_database(session, &bench.ctx).await {
                Ok(after) if compare(before, &after).is_empty() => {
                    tally
                        .missed
                        .push(format!("{}\n    {}", change.what, change.sql.trim()))
                }
                Ok(_) => tally.detected += 1,
                Err(error) => tally
                    .impossible
                    .push(format!("{}: the reading ends with {error}", change.what)),
            }
        }
        session
            .execute(&Sql::constant("ROLLBACK"))
            .await
            .expect("a rollback");
    }
    tally
}

/// Before the first change nothing differs, and after the last one nothing is left of them:
/// otherwise what was left would be found again and again, and every change with it.
async fn assert_unchanged(session: &Session, before: &State, bench: &Bench) {
    session
        .execute(&pg::BEGIN_SNAPSHOT)
        .await
        .expect("a transaction");
    let now = State::of_database(session, &bench.ctx)
        .await
        .expect("a state");
    let end = Sql::constant("COMMIT");
    session.execute(&end).await.expect("an end");
    let difference = compare(before, &now);
    assert!(
        difference.is_empty(),
        "unchanged, and yet: {:?}",
        difference.lines()
    );
}

/// Both lists of one corpus file on one server.
fn of_file(server: &'static Server, file: &CorpusFile, with_generated: bool) -> (Tally, Tally) {
    let bench = Bench::of_corpus(server, &file.name);
    let options = DumpOptions {
        accept: file.accepted(),
        ..DumpOptions::default()
    };
    let report = bench.backup_by("postgres", &options).expect("a backup");
    let reader = Reader::open(&report.archive).expect("an archive");
    let before = State::of_archive(&reader).expect("the archive's state");
    wait(async {
        let session = pg::connect(&bench.target_as("postgres"), pg::Purpose::Facts, &bench.ctx)
            .await
            .expect("a session");
        assert_unchanged(&session, &before, &bench).await;
        let more = if with_generated {
            some_of(generated(&session).await)
        } else {
            Vec::new()
        };
        let written = try_all(&session, &before, written(file, server.major), &bench).await;
        let generated = try_all(&session, &before, more, &bench).await;
        assert_unchanged(&session, &before, &bench).await;
        (written, generated)
    })
}

/// At most [`GENERATED`] of them, spread evenly over the whole list.
fn some_of(changes: Vec<Change>) -> Vec<Change> {
    let step = changes.len().div_ceil(GENERATED).max(1);
    let step = if wants_everything() { 1 } else { step };
    changes.into_iter().step_by(step).collect()
}

on_all_servers! {
    fn every_single_change_is_reported(server) {
        let mut written = Tally::default();
        let mut generated = Tally::default();
        let mut report = String::new();
        let files = CorpusFile::all();
        for (place, file) in files.iter().enumerate().filter(|(_, file)| file.is_for(server)) {
            let with_generated = has_turn(place, 0, server);
            if !with_generated && !has_turn(place, 2, server) {
                continue;
            }
            let tried = std::panic::catch_unwind(|| of_file(server, file, with_generated));
            let Ok((by_hand, by_query)) = tried else {
                writeln!(report, "{}: no changes were tried, see above", file.name).unwrap();
                continue;
            };
            for missed in by_hand.missed.iter().chain(&by_query.missed) {
                writeln!(report, "{}: missed: {missed}", file.name).unwrap();
            }
            for impossible in &by_hand.impossible {
                writeln!(report, "{}: cannot be made: {impossible}", file.name).unwrap();
            }
            written.add(by_hand);
            generated.add(by_query);
        }
        note_figure(&format!(
            "mutations on PostgreSQL {}: {} detected of {} made ({} written, {} generated; {} generated ones could not be made)",
            server.major,
            written.detected + generated.detected,
            written.made() + generated.made(),
            written.made(),
            generated.made(),
            generated.impossible.len(),
        ));
        assert!(report.is_empty(), "{report}");
        let all = generated.made() + generated.impossible.len();
        assert!(
            generated.made() * 100 >= all * FEASIBLE,
            "only {} of {all} generated changes could be made: {:#?}",
            generated.made(),
            generated.impossible,
        );
    }
}
