//! Bad settings, servers, scripts and stores: each is refused before anything is touched, with its
//! exit code and its message. (Every call also searches its output for the marker password.)

use crate::support::{
    Call, Database, MARKER_IN_URL, Output, Pooler, Shop, Workplace, closed_port, not_postgresql,
    server_of_version,
};

/// The exit code, the message of the error, and nothing in the store.
#[track_caller]
fn assert_refused(workplace: &Workplace, output: Output, code: i32, message: &str) {
    let output = output.assert_code(code).assert_says(message);
    assert!(!output.stderr.contains("panicked"), "{output}");
    assert!(
        workplace.archives().is_empty(),
        "a backup was made\n{output}"
    );
    assert!(!output.last_line().is_empty());
}

/// `run` of the sample migrations with this URL and a short wait.
fn run_with_url(workplace: &Workplace, url: &str) -> Output {
    Call::new(workplace)
        .env("DATABASE_URL", url)
        .run(&["run", "--wait", "1s", "--", "alembic", "upgrade", "head"])
}

/// A URL of the database on another port of 127.0.0.1.
fn on_port(database: &Database, port: u16) -> String {
    format!(
        "postgresql://app:{MARKER_IN_URL}@127.0.0.1:{port}/{}",
        database.name()
    )
}

#[test]
fn a_malformed_url() {
    let workplace = Workplace::with_migrations();
    let output = run_with_url(
        &workplace,
        &format!("postgresql://app:{MARKER_IN_URL}@localhost:54x2/shop"),
    );
    assert_refused(&workplace, output, 2, "DATABASE_URL");
}

#[test]
fn an_unknown_dialect() {
    let workplace = Workplace::with_migrations();
    let output = run_with_url(
        &workplace,
        &format!("mysql+pymysql://app:{MARKER_IN_URL}@localhost/shop"),
    );
    assert_refused(&workplace, output, 2, "mysql+pymysql");
}

#[test]
fn a_variable_left_in_is_named_with_file_and_line() {
    let workplace = Workplace::with_migrations();
    let comments = "# a comment\n".repeat(12);
    workplace.write(
        ".env",
        &format!(
            "{comments}DATABASE_URL=postgresql://app:${{POSTGRES_PASSWORD}}@postgres:5432/shop\n"
        ),
    );
    let output = Call::new(&workplace).run(&["run", "--", "alembic", "upgrade", "head"]);
    let output = output
        .assert_says("POSTGRES_PASSWORD")
        .assert_says("line 13");
    assert_refused(&workplace, output, 2, ".env");
}

on_servers! {
    fn a_wrong_password_fails_at_once(server) {
        let workplace = Workplace::with_migrations();
        let database = Database::create(server);
        let wrong = database.url().replace(MARKER_IN_URL, &format!("{MARKER_IN_URL}-wrong"));
        let started = std::time::Instant::now();
        let call = Call::new(&workplace).env("DATABASE_URL", wrong);
        let output = call.run(&["run", "--wait", "60s", "--", "alembic", "upgrade", "head"]);
        assert!(started.elapsed().as_secs() < 10, "a wrong password was retried\n{output}");
        assert_refused(&workplace, output, 3, "password authentication failed for user \"app\"");
    }

    fn a_missing_database_fails_at_once(server) {
        let workplace = Workplace::with_migrations();
        let database = Database::create(server);
        let url = database.url().replace(database.name(), "no_such_database");
        let started = std::time::Instant::now();
        let output = Call::new(&workplace).env("DATABASE_URL", url).run(&["run", "--", "alembic", "upgrade", "head"]);
        assert!(started.elapsed().as_secs() < 10, "a missing database was waited for\n{output}");
        assert_refused(&workplace, output, 3, "database \"no_such_database\" does not exist");
    }

    fn a_server_that_is_too_old(server) {
        let shop = Shop::at_head(server);
        let output = run_with_url(&shop.workplace, &on_port(&shop.database, server_of_version(server, 130_020)));
        assert_refused(&shop.workplace, output, 3, "13");
    }

    fn a_server_that_is_newer_than_known(server) {
        let shop = Shop::at_head(server);
        let url = on_port(&shop.database, server_of_version(server, 190_001));
        let output = run_with_url(&shop.workplace, &url);
        assert_refused(&shop.workplace, output, 3, "--allow-unknown-server");
        let call = Call::new(&shop.workplace).env("DATABASE_URL", url);
        call.run(&["run", "--allow-unknown-server", "--", "alembic", "upgrade", "head"]).assert_code(0);
    }

    fn alembic_is_missing(server) {
        let shop = Shop::two_behind(server);
        let call = shop.call().env("PATH", "/usr/bin:/bin");
        let output = call.run(&["run", "--", "alembic", "upgrade", "head"]);
        assert_refused(&shop.workplace, output, 3, "alembic");
    }

    fn alembic_ini_is_missing(server) {
        let workplace = Workplace::new();
        let database = Database::create(server);
        let output = workplace.call(&database).run(&["run", "--", "alembic", "upgrade", "head"]);
        assert_refused(&workplace, output, 3, "alembic.ini");
    }

    fn two_heads_with_head(server) {
        let shop = Shop::at_head(server);
        for revision in ["left", "right"] {
            shop.workplace.write(
                &format!("versions/{revision}.py"),
                &format!("revision = '{revision}_head'\ndown_revision = 'add_sqs_metadata'\ndef upgrade(): pass\n"),
            );
        }
        let output = shop.call().run(&["run", "--", "alembic", "upgrade", "head"]);
        let output = output.assert_says("left_head").assert_says("right_head");
        assert_refused(&shop.workplace, output, 3, "head");
    }

    fn a_revision_that_the_scripts_do_not_know(server) {
        let shop = Shop::at_head(server);
        shop.database.sql("UPDATE alembic_version SET version_num = 'from_another_branch'");
        let output = shop.call().run(&["run", "--", "alembic", "upgrade", "head"]);
        assert_refused(&shop.workplace, output, 3, "from_another_branch");
    }

    fn a_store_that_cannot_be_written(server) {
        let shop = Shop::two_behind(server);
        let output = shop.call().run(&["run", "--store", "alembic.ini", "--", "alembic", "upgrade", "head"]);
        assert_refused(&shop.workplace, output, 3, "alembic.ini");
        assert_eq!(shop.database.revisions(), ["8e61c0d4b7f5"]);
    }

    fn not_enough_free_space(server) {
        let shop = Shop::two_behind(server);
        shop.database.pretend_to_be_huge();
        let output = shop.call().run(&["run", "--", "alembic", "upgrade", "head"]);
        assert_refused(&shop.workplace, output, 3, "space");
        assert_eq!(shop.database.revisions(), ["8e61c0d4b7f5"]);
    }

    fn a_transaction_pooler_in_between(server) {
        let shop = Shop::two_behind(server);
        if let Some(pooler) = Pooler::start(server) {
            let output = run_with_url(&shop.workplace, &on_port(&shop.database, pooler.port));
            assert_refused(&shop.workplace, output, 3, "pooler");
            assert_eq!(shop.database.revisions(), ["8e61c0d4b7f5"]);
        }
    }

    fn row_security_that_would_hide_rows(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql(
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY;
             CREATE POLICY own_orders ON orders USING (buyer_id = 7)",
        );
        let output = shop.call().run(&["run", "--", "alembic", "upgrade", "head"]);
        assert_refused(&shop.workplace, output, 3, "table public.orders: row security would hide rows of it from this role");
        assert_eq!(shop.database.revisions(), ["8e61c0d4b7f5"]);
    }

    fn no_right_to_read_a_table(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql("CREATE TABLE private_notes(a int)");
        let output = shop.call().run(&["run", "--", "alembic", "upgrade", "head"]);
        assert_refused(&shop.workplace, output, 3, "private_notes");
        assert_eq!(shop.database.revisions(), ["8e61c0d4b7f5"]);
    }
}

#[test]
fn an_unknown_host() {
    let workplace = Workplace::with_migrations();
    let output = run_with_url(
        &workplace,
        &format!("postgresql://app:{MARKER_IN_URL}@no-such-host.invalid/shop"),
    );
    assert_refused(&workplace, output, 3, "no-such-host.invalid");
}

#[test]
fn nothing_listens_there() {
    let workplace = Workplace::with_migrations();
    let port = closed_port();
    let output = run_with_url(
        &workplace,
        &format!("postgresql://app:{MARKER_IN_URL}@127.0.0.1:{port}/shop"),
    );
    assert_refused(&workplace, output, 3, &port.to_string());
}

#[test]
fn a_port_that_is_not_postgresql() {
    let workplace = Workplace::with_migrations();
    let port = not_postgresql();
    let output = run_with_url(
        &workplace,
        &format!("postgresql://app:{MARKER_IN_URL}@127.0.0.1:{port}/shop"),
    );
    assert_refused(&workplace, output, 3, "PostgreSQL");
}
