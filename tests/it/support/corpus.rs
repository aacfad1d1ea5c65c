//! The files of `tests/corpus`: small scripts, each of which makes a database worth keeping.
//!
//! A file is run as the plain owner `app`, and backed up as such. Its first lines may say otherwise:
//! `-- as superuser`, `-- since 15` (the first major that knows what it holds), `-- until 14`,
//! `-- accepting column-order` (what its backup cannot keep: `--accept-loss`),
//! `-- needs icu` (not every build has it), `-- needs extension citext`.
//! Databases made of a file are copies of a template that is made once per test process, so that a
//! test may have many. What PostgreSQL keeps outside of a database (its grants, settings and
//! comment) is not in a copy.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use pgbelay::catalog::AcceptedLosses;

use super::{Database, MAJORS, Server, repository};

/// A script and what its first lines say about it.
#[derive(Debug, Clone)]
pub struct CorpusFile {
    /// Without folder, with ending: `views.sql`.
    pub name: String,
    /// The role that runs the script and makes the backup.
    pub role: &'static str,
    /// Kinds of losses that a backup of it has to accept; empty for none.
    pub accepting: String,
    since: u32,
    until: u32,
    needs: Vec<String>,
    text: String,
}

/// A database's name, once it is made.
type Template = Arc<OnceLock<String>>;

/// Template databases by server (its port) and file; made by the first who wants one.
static TEMPLATES: Mutex<BTreeMap<(u16, String), Template>> = Mutex::new(BTreeMap::new());

/// Whether the server was built with ICU: one collation of that provider is there in any build.
const ICU: &str = "SELECT count(*) > 0 FROM pg_collation WHERE collname = 'und-x-icu'";

/// Whether an extension can be made.
fn extension(name: &str) -> String {
    format!("SELECT count(*) > 0 FROM pg_available_extensions WHERE name = '{name}'")
}

impl CorpusFile {
    /// Every file, by name.
    pub fn all() -> Vec<Self> {
        let directory = std::fs::read_dir(folder()).expect("tests/corpus");
        let mut paths: Vec<PathBuf> = directory
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.retain(|path| path.extension().is_some_and(|kind| kind == "sql"));
        paths.sort();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        paths.iter().map(|path| Self::named(&name(path))).collect()
    }

    /// One file, such as `views.sql`.
    pub fn named(name: &str) -> Self {
        let path = folder().join(name);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parsed(name, text)
    }

    fn parsed(name: &str, text: String) -> Self {
        let mut file = Self {
            name: name.to_owned(),
            role: "app",
            accepting: String::new(),
            since: 0,
            until: u32::MAX,
            needs: Vec::new(),
            text,
        };
        for line in file.text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["--", "as", "superuser"] => file.role = "postgres",
                ["--", "since", major] => file.since = major.parse().expect("a major"),
                ["--", "until", major] => file.until = major.parse().expect("a major"),
                ["--", "accepting", kinds] => file.accepting = kinds.to_owned(),
                ["--", "needs", "icu"] => file.needs.push(ICU.to_owned()),
                ["--", "needs", "extension", name] => file.needs.push(extension(name)),
                _ => break,
            }
        }
        file
    }

    /// Whether the server knows what the file holds.
    pub fn is_for(&self, server: &Server) -> bool {
        (self.since..=self.until).contains(&server.major)
            && self
                .needs
                .iter()
                .all(|query| server.psql("postgres", query) == "t")
    }

    /// As [`has_turn`]; a file that is not for every major has its turn on each that it is for.
    pub fn has_turn(&self, place: usize, offset: usize, server: &Server) -> bool {
        let everywhere = self.since <= MAJORS[0] && MAJORS.iter().all(|major| *major <= self.until);
        !everywhere || has_turn(place, offset, server)
    }

    /// A database that the script made, owned by `app` as every database of the tests.
    pub fn database(&self, server: &'static Server) -> Database {
        let slot = {
            let mut templates = TEMPLATES
                .lock()
                .unwrap_or_else(|broken| broken.into_inner());
            let key = (server.port, self.name.clone());
            Arc::clone(templates.entry(key).or_default())
        };
        let template = slot.get_or_init(|| {
            let database = Database::create(server);
            self.run_in(&database);
            database.keep()
        });
        Database::copy_of(server, template)
    }

    /// What its backup may leave behind.
    pub fn accepted(&self) -> AcceptedLosses {
        let word = Some(self.accepting.as_str()).filter(|word| !word.is_empty());
        word.map_or_else(AcceptedLosses::default, |word| {
            word.parse().expect("a kind of loss")
        })
    }

    /// Runs the script in a database.
    pub fn run_in(&self, database: &Database) {
        self.run_as(self.role, database);
    }

    /// Runs the script in a database as another role.
    pub fn run_as(&self, role: &str, database: &Database) {
        let prefix = match role {
            "postgres" => String::new(),
            role => format!("SET SESSION AUTHORIZATION {role};\n"),
        };
        database.restore_plain(format!("{prefix}{}", self.text).as_bytes());
    }
}

/// Whether a major takes the corpus file at `place`, for tests that are too long to put every file
/// through on every major: each file has its turn on one major for each `offset`.
/// `PGBELAY_TEST_EVERYTHING=yes` gives every file a turn everywhere.
pub fn has_turn(place: usize, offset: usize, server: &Server) -> bool {
    wants_everything() || MAJORS.get((place + offset) % MAJORS.len()) == Some(&server.major)
}

/// Whether the long way was asked for.
pub fn wants_everything() -> bool {
    std::env::var("PGBELAY_TEST_EVERYTHING").is_ok_and(|word| word == "yes")
}

fn folder() -> PathBuf {
    repository().join("tests/corpus")
}

#[test]
fn first_lines_are_understood() {
    let file = CorpusFile::parsed(
        "x",
        "-- as superuser\n-- since 15\n-- until 17\n-- accepting column-order\n-- Words.\n".into(),
    );
    assert_eq!((file.role, file.since, file.until), ("postgres", 15, 17));
    assert_eq!(file.accepting, "column-order");
    let file = CorpusFile::parsed("x", "-- Words.\n-- as superuser\n".into());
    assert_eq!((file.role, file.since, file.until), ("app", 0, u32::MAX));
}
