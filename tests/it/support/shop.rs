//! The sample shop of `migrations/`: a database at some revision, with rows, and a workplace.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Call, Database, Output, Server, Workplace, repository};

/// Revision that the good versions lead to.
const HEAD: &str = "add_sqs_metadata";

/// A database made by the sample migrations, and the directory that its team works in.
#[derive(Debug)]
pub struct Shop {
    pub workplace: Workplace,
    pub database: Database,
}

impl Shop {
    /// An empty database: the day of the first deployment.
    pub fn empty(server: &'static Server) -> Self {
        let workplace = Workplace::with_migrations();
        Self {
            workplace,
            database: Database::create(server),
        }
    }

    /// At a revision, without rows.
    pub fn at(server: &'static Server, revision: &str) -> Self {
        Self::copied(server, revision, false)
    }

    /// At the predictions revision, two before the head, with the sample rows.
    pub fn two_behind(server: &'static Server) -> Self {
        Self::copied(server, "8e61c0d4b7f5", true)
    }

    /// At the head of the good versions, with the sample rows.
    pub fn at_head(server: &'static Server) -> Self {
        Self::copied(server, HEAD, true)
    }

    /// A copy of a database that Alembic made once; starting Alembic takes longer than most tests.
    fn copied(server: &'static Server, revision: &str, with_rows: bool) -> Self {
        static MADE: Mutex<BTreeMap<(u16, String, bool), String>> = Mutex::new(BTreeMap::new());
        let template = {
            let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (server.port, revision.to_owned(), with_rows);
            made.entry(key)
                .or_insert_with(|| make_template(server, revision, with_rows))
                .clone()
        };
        let database = Database::copy_of(server, &template);
        wait_for_counts(&database);
        Self {
            workplace: Workplace::with_migrations(),
            database,
        }
    }

    /// Waits for a file that the migration makes in the workplace.
    #[track_caller]
    pub fn wait_for(&self, file: &str) {
        let path = self.workplace.directory().join(file);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !path.exists() {
            assert!(Instant::now() < deadline, "the file {file} was never made");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A call of `pgbelay` as the owner.
    pub fn call(&self) -> Call<'_> {
        self.workplace.call(&self.database)
    }

    /// `pgbelay run --json OPTIONS -- COMMAND`, as the owner.
    pub fn run(&self, options: &[&str], command: &[&str]) -> Output {
        let mut arguments = vec!["run", "--json"];
        arguments.extend(options);
        arguments.push("--");
        arguments.extend(command);
        self.call().run(&arguments)
    }

    /// `pgbelay run` of one of the failing versions.
    pub fn run_failing(&self, case: &str, options: &[&str]) -> Output {
        let ini = format!("failing/{case}.ini");
        self.run(options, &["alembic", "-c", &ini, "upgrade", "head"])
    }
}

/// Before PostgreSQL 15 a process of its own counts what is written, and begins with a database when it
/// first hears of it: on a busy machine after the backup, whose counts nothing can be compared with then.
fn wait_for_counts(database: &Database) {
    if database.server().major >= 15 {
        return;
    }
    let begun =
        "SELECT stats_reset IS NOT NULL FROM pg_stat_database WHERE datname = current_database()";
    let deadline = Instant::now() + Duration::from_secs(60);
    while database.sql(begun).trim() != "t" {
        assert!(Instant::now() < deadline, "nothing is ever counted");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Makes a database with the real Alembic and returns its name; it goes with the server.
fn make_template(server: &'static Server, revision: &str, with_rows: bool) -> String {
    let workplace = Workplace::with_migrations();
    let database = Database::create(server);
    workplace.alembic(&database, &["upgrade", revision]);
    if with_rows {
        let rows = std::fs::read_to_string(repository().join("migrations/sample_data.sql"));
        let rows = rows.expect("the sample rows");
        database.restore_plain(format!("SET SESSION AUTHORIZATION app;\n{rows}").as_bytes());
    }
    database.keep()
}
