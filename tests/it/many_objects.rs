//! Many objects: what a reading asks of the server does not grow with their number.

use pgbelay::catalog;
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

/// The statements that one reading of the catalogs sends, from the server's log, but for those that
/// fetch values of sequences, which are data and come in batches.
fn statements(server: &'static Server, tables: usize) -> Vec<String> {
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
    let process = wait(async {
        let session = pg::connect(&bench.target(), "reading", &bench.ctx)
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
    let log = std::fs::read(log).expect("the server's log");
    let log = &log[usize::try_from(before).expect("a length")..];
    let log = String::from_utf8_lossy(log);
    let mine = format!("[{process}]");
    log.lines()
        .filter(|line| line.contains(&mine) && line.contains("statement: "))
        .filter(|line| !line.contains("last_value"))
        .map(|line| {
            line.split_once("statement: ")
                .map_or("", |(_, sql)| sql)
                .to_owned()
        })
        .collect()
}

on_servers! {
    /// A query for each object would make a database with ten thousand tables a matter of minutes.
    fn the_number_of_catalog_queries_is_constant(server) {
        let few = statements(server, 10);
        let many = statements(server, 1_000);
        assert!(few.len() > 40, "the log has only {few:?}");
        assert_eq!(few.len(), many.len(), "{:?}", many.iter().filter(|sql| !few.contains(sql)).collect::<Vec<_>>());
    }
}
