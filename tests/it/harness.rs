//! The harness itself: a harness that cannot fail proves nothing.

use crate::support::{
    Call, Database, MARKER, MARKER_CORE, Pooler, Server, Shop, Workplace, server_of_version,
};

/// What psql prints when it connects as `app` through a TCP port.
fn through(server: &Server, port: u16, database: &Database, sql: &str) -> String {
    let mut psql = server.client("psql", database.name());
    psql.env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string());
    psql.env("PGUSER", "app").env("PGPASSWORD", MARKER);
    let output = psql.args(["-XqAt", "-c", sql]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

on_servers! {
    fn a_difference_between_databases_is_seen(server) {
        let database = Database::create(server);
        database.sql_as_owner("CREATE TABLE t(a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)");
        let before = database.dump();
        database.sql("UPDATE t SET b = 'y' WHERE a = 1");
        assert_ne!(database.dump(), before);
        database.sql("UPDATE t SET b = 'x' WHERE a = 1");
        database.assert_is(&before);
    }

    fn the_pooler_and_the_false_server_work(server) {
        let database = Database::create(server);
        assert_eq!(through(server, server.port, &database, "SELECT current_user"), "app");
        let old = server_of_version(server, 130_020);
        assert_eq!(through(server, old, &database, "SHOW server_version_num"), "130020");
        if let Some(pooler) = Pooler::start(server) {
            assert_eq!(through(server, pooler.port, &database, "SELECT current_user"), "app");
        }
    }

    fn a_database_can_be_made_to_look_huge(server) {
        let database = Database::create(server);
        database.pretend_to_be_huge();
        let size: u64 = database.sql("SELECT pg_database_size(current_database())").parse().unwrap();
        assert!(size > 60 << 40);
    }

    fn the_sample_has_rows_in_every_table(server) {
        let shop = Shop::at_head(server);
        let tables = shop.database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
        for table in tables.lines() {
            assert_eq!(shop.database.sql(&format!("SELECT count(*) > 0 FROM {table}")), "t", "{table}");
        }
        assert_eq!(tables.lines().count(), 14);
    }

    fn the_server_has_the_version_it_is_asked_for(server) {
        let database = Database::create(server);
        let number: u32 = database.sql("SHOW server_version_num").parse().unwrap();
        assert_eq!(number / 10_000, server.major);
        assert_eq!(database.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"), "app");
    }
}

#[test]
fn a_password_in_a_left_file_is_found() {
    let workplace = Workplace::new();
    std::fs::write(
        workplace.directory().join("log"),
        format!("…{MARKER_CORE}…"),
    )
    .unwrap();
    let search = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        workplace.assert_no_password()
    }));
    assert!(search.is_err());
}

#[test]
fn the_program_starts() {
    let workplace = Workplace::new();
    Call::new(&workplace).run(&["--version"]).assert_code(0);
}
