//! Many objects: what a reading asks of the server does not grow with their number.

use std::path::PathBuf;

use pgbelay::catalog;
use pgbelay::dump::{Destination, DumpOptions, backup};
use pgbelay::pg::{self, Sql};

use crate::data::{Bench, wait};
use crate::support::Server;

/// Tables with everything that most tables have, a function and a view for each.
const TABLES: &str = "
    CREATE TABLE parent (id integer PRIMARY KEY);
    SELECT format('CREATE TABLE t%1$s (id serial PRIMARY KEY, parent integer REFERENCES parent, name text DEFAULT ''x'' CHECK (name <> ''''));
                   CREATE INDEX ON t%1$s (name); COMMENT ON TABLE t%1$s IS ''%1$s''; GRANT SELECT ON t%1$s TO reader;
                   CREATE VIEW v%1$s AS SELECT id FROM t%1$s;
                   CREATE FUNCTION f%1$s() RETURNS integer LANGUAGE sql AS ''SELECT %1$s'';
                   CREATE POLICY p ON t%1$s USING (id > %1$s);', n)
      FROM generate_series(1, $NUMBER) n \\gexec";

/// What was logged of a session that did something: its statements, and its errors.
struct Logged {
    statements: Vec<String>,
    errors: Vec<String>,
}

/// A database with so many tables, read by a role whose statements are logged.
struct Watched {
    bench: Bench,
    log: PathBuf,
    from: usize,
}

impl Watched {
    fn with_tables(server: &'static Server, tables: usize) -> Self {
        let bench = Bench::empty(server);
        let script = TABLES.replace("$NUMBER", &tables.to_string());
        bench
            .database
            .restore_plain(format!("SET SESSION AUTHORIZATION app;\n{script}").as_bytes());
        let name = bench.database.name();
        bench.database.sql(&format!(
            "ALTER ROLE app IN DATABASE \"{name}\" SET log_statement = 'all'"
        ));
        let log = server
            .socket
            .parent()
            .expect("the server's directory")
            .join("log");
        // Only what comes now: process ids are used again in the course of a long test.
        let before = std::fs::metadata(&log).expect("the server's log").len();
        let from = usize::try_from(before).expect("a length");
        Self { bench, log, from }
    }

    /// What sessions whose lines contain `mark` did since.
    fn logged(&self, mark: &str) -> Logged {
        let log = std::fs::read(&self.log).expect("the server's log");
        let log = String::from_utf8_lossy(&log[self.from..]).into_owned();
        let after = |word: &str| -> Vec<String> {
            log.lines()
                .filter(|line| line.contains(mark))
                .filter_map(|line| Some(line.split_once(word)?.1.to_owned()))
                .collect()
        };
        Logged {
            statements: [after("statement: "), after("execute ")].concat(),
            errors: after("ERROR: "),
        }
    }
}

/// The statements that one reading of the catalogs sends, but for those that fetch values of
/// sequences, which are data and come in batches.
fn statements(server: &'static Server, tables: usize) -> Vec<String> {
    let watched = Watched::with_tables(server, tables);
    let bench = &watched.bench;
    let process = wait(async {
        let session = pg::connect(&bench.target(), pg::Purpose::Facts, &bench.ctx)
            .await
            .expect("a session");
        session
            .execute(&pg::BEGIN_SNAPSHOT)
            .await
            .expect("a transaction");
        let catalog = catalog::read(&session).await.expect("a catalog");
        assert!(catalog.tables.len() > tables, "{}", catalog.tables.len());
        session
            .execute(&Sql::constant("ROLLBACK"))
            .await
            .expect("an end");
        let process = session.backend_pid();
        session.close().await;
        process
    });
    let mut statements = watched.logged(&format!("[{process}]")).statements;
    statements.retain(|sql| !sql.contains("last_value"));
    statements
}

/// A backup with two workers of a database with so many tables.
fn backed_up(server: &'static Server, tables: usize) -> Watched {
    let watched = Watched::with_tables(server, tables);
    let bench = &watched.bench;
    let destination = Destination::File(bench.path("many.sql.gz"));
    let options = DumpOptions {
        jobs: 2,
        ..DumpOptions::default()
    };
    let made = wait(backup(&bench.target(), &destination, &options, &bench.ctx));
    assert_eq!(made.expect("a backup").tables, tables + 1);
    watched
}

/// What the witness asks for itself.
const ITS_OWN: [&str; 8] = [
    "SET statement_timeout",
    "-- Sets what every session",
    "-- Who answers",
    "-- What the server's caches",
    "-- The part of identities",
    "-- Tables to lock",
    "-- For the transaction of a reading",
    "-- Values of sequences",
];

on_servers! {
    /// A query for each object would make a database with ten thousand tables a matter of minutes.
    fn the_number_of_catalog_queries_is_constant(server) {
        let few = statements(server, 10);
        let many = statements(server, 1_000);
        assert!(few.len() > 40, "the log has only {few:?}");
        assert_eq!(few.len(), many.len(), "{:?}", many.iter().filter(|sql| !few.contains(sql)).collect::<Vec<_>>());
    }

    /// A second session reads along: it takes a good part, nothing fails on it, and it asks nothing that
    /// the reading does not need.
    fn an_aide_takes_its_part_of_the_reading(server) {
        let needed = statements(server, 10);
        let watched = backed_up(server, 10);
        let aide = watched.logged(" witness");
        assert_eq!(aide.errors, Vec::<String>::new());
        let asked = aide.statements.iter().filter(|sql| sql.starts_with("-- "));
        let for_others: Vec<&String> = asked.filter(|sql| !ITS_OWN.iter().any(|own| sql.starts_with(own))).collect();
        assert!(for_others.len() >= 10, "{for_others:?}");
        let in_vain: Vec<_> = for_others.iter().filter(|sql| !needed.contains(sql)).collect();
        assert!(in_vain.is_empty(), "{in_vain:?}");
        let leader = watched.logged(" backup LOG:");
        let twice: Vec<_> = for_others.iter().filter(|sql| leader.statements.contains(sql)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    /// Small tables are locked and let go in batches: the COPYs are what is left.
    fn a_small_table_costs_one_statement(server) {
        let watched = backed_up(server, 1_000);
        let workers = watched.logged(" worker LOG:").statements;
        let copies = workers.iter().filter(|sql| sql.contains("COPY ")).count();
        assert_eq!(copies, 1_001);
        let others = workers.len() - copies;
        assert!(others < 200, "{others} statements besides the COPYs");
    }
}
