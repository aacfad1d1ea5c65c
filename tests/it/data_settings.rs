//! Settings of database and role that would change what is read or break what is loaded: backup,
//! restore and script are immune.

use crate::data::Bench;
use crate::support::{Database, Server, repository};

/// Settings that somebody has in some database, each of which damages an unprepared session.
const HOSTILE: [(&str, &str); 20] = [
    ("DateStyle", "German, DMY"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "Asia/Kathmandu"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-10"),
    ("xmloption", "document"),
    ("array_nulls", "off"),
    ("quote_all_identifiers", "on"),
    ("standard_conforming_strings", "off"),
    ("transform_null_equals", "on"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("search_path", "nowhere"),
    ("row_security", "on"),
    ("check_function_bodies", "on"),
    ("client_encoding", "LATIN1"),
    ("default_table_access_method", "nowhere"),
    ("idle_in_transaction_session_timeout", "400ms"),
    ("synchronize_seqscans", "on"),
];

/// Settings that only a superuser sets, or only newer servers know.
const HOSTILE_TOO: [(&str, &str); 5] = [
    ("session_replication_role", "replica"),
    ("exit_on_error", "on"),
    ("transaction_timeout", "400ms"),
    ("restrict_nonsystem_relation_kind", "view"),
    ("event_triggers", "off"),
];

/// Makes a database as hostile as it can be, to every session or to the role `app` alone.
fn set(database: &Database, role: Option<&str>) {
    let server = database.server();
    let name = database.name();
    let whom = match role {
        None => format!("DATABASE \"{name}\""),
        Some(role) => format!("ROLE {role} IN DATABASE \"{name}\""),
    };
    for (setting, value) in HOSTILE.iter().chain(&HOSTILE_TOO) {
        let known = format!("SELECT count(*) FROM pg_settings WHERE name = '{setting}'");
        if server.psql("postgres", &known) == "0" {
            continue;
        }
        let value = match *setting {
            // A method that does not exist is refused; another one would need an extension.
            "default_table_access_method" => "heap",
            _ => value,
        };
        server.psql(
            "postgres",
            &format!(
                "ALTER {whom} SET \"{setting}\" = {}",
                quoted(setting, value)
            ),
        );
    }
}

fn quoted(setting: &str, value: &str) -> String {
    match setting {
        "DateStyle" => value.to_owned(),
        _ => format!("'{value}'"),
    }
}

fn reset(database: &Database) {
    let name = database.name();
    database.server().psql(
        "postgres",
        &format!(
            "ALTER DATABASE \"{name}\" RESET ALL; ALTER ROLE app IN DATABASE \"{name}\" RESET ALL"
        ),
    );
}

fn filled(server: &'static Server) -> Bench {
    let bench = Bench::empty(server);
    for file in ["values.sql", "data_values.sql", "data_columns.sql"] {
        let text =
            std::fs::read_to_string(repository().join("tests/corpus").join(file)).expect("a file");
        // Both files of values say `numbers` and the like in schemas of their own.
        let schema = file.replace(".sql", "");
        let script = format!(
            "SET SESSION AUTHORIZATION app; CREATE SCHEMA {schema}; SET search_path = {schema};\n{text}"
        );
        bench.database.restore_plain(script.as_bytes());
    }
    bench.database.sql_as_owner(
        "CREATE VIEW data_values.nulls AS SELECT id = NULL AS never FROM data_values.letters;
         CREATE MATERIALIZED VIEW data_values.seen AS SELECT count(*) FROM data_values.nulls WHERE never IS NULL;
         CREATE FUNCTION data_values.later() RETURNS int LANGUAGE sql AS 'SELECT a FROM data_values.not_yet';
         CREATE TABLE data_values.not_yet (a int)".replace("CREATE FUNCTION", "SET check_function_bodies = off; CREATE FUNCTION").as_str(),
    );
    bench
}

on_servers! {
    fn hostile_settings_change_nothing(server) {
        let bench = filled(server);
        let before = bench.database.dump();
        for role in [None, Some("app")] {
            set(&bench.database, role);
            let reader = bench.archive();
            let (by_us, by_psql) = (bench.database.sibling(), bench.database.sibling());
            set(&by_us, role);
            set(&by_psql, role);
            bench.restore_into(&by_us, &reader).expect("a restore");
            assert_eq!(bench.difference_of(&by_us, &reader), [] as [&str; 0]);
            let script = match role {
                None => bench.script(&reader),
                Some(_) => [b"\\connect - app\n".as_slice(), &bench.script(&reader)].concat(),
            };
            by_psql.restore_plain(&script);
            for database in [&bench.database, &by_us, &by_psql] {
                reset(database);
                database.assert_is(&before);
            }
        }
    }

    /// A superuser stays one where the database gives every session another role.
    fn a_role_given_by_the_database_does_not_bind_a_superuser(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let before = bench.database.dump();
        let give = |database: &Database| server.psql("postgres", &format!("ALTER DATABASE \"{}\" SET role = 'reader'", database.name()));
        give(&bench.database);
        let report = bench.backup_as("postgres").expect("a backup");
        let reader = pgbelay::archive::Reader::open(&report.archive).expect("an archive");
        let by_psql = bench.database.sibling();
        give(&by_psql);
        by_psql.restore_plain(&bench.script(&reader));
        reset(&by_psql);
        by_psql.assert_is(&before);
    }
}
