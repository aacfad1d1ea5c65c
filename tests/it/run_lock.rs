//! The run's lock, and what happens around it.

use crate::support::Shop;

const UPGRADE: [&str; 5] = ["run", "--json", "--lock-wait", "1s", "--"];

/// Holds the lock as another program would, until the test ends.
fn holder(shop: &Shop, file: &str) -> std::process::Child {
    let oid = shop
        .database
        .sql("SELECT oid FROM pg_database WHERE datname = current_database()");
    let ready = shop.workplace.directory().join(file);
    let script = format!(
        "SELECT pg_advisory_lock(1885823589, {oid});\n\\! touch '{}'\nSELECT pg_sleep(600);",
        ready.display()
    );
    let mut psql = shop.database.server().client("psql", shop.database.name());
    psql.env("PGAPPNAME", "somebody").args(["-XqAt", "-f"]);
    let path = shop.workplace.write("hold.sql", &script);
    let child = psql.arg(path).spawn().unwrap();
    while !ready.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child
}

on_servers! {
    fn a_held_lock_ends_with_4_and_names_its_holder(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        let mut holder = holder(&shop, "held");
        let mut arguments = UPGRADE.to_vec();
        arguments.extend(["alembic", "upgrade", "head"]);
        let output = shop.call().run(&arguments).assert_code(4);
        holder.kill().unwrap();
        holder.wait().unwrap();
        output.assert_says("somebody");
        assert!(shop.workplace.archives().is_empty());
        shop.database.assert_is(&before);
    }

    /// The lock's connection is lost, and somebody else has the lock before the migration ends: the database is theirs to put back.
    fn p8_a_lock_that_somebody_else_has_by_now_is_not_acted_without(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -c 'DROP TABLE comps' -c 'SELECT pg_sleep(0.3)'; touch half; while [ ! -e go-on ]; do sleep 0.05; done; exit 1";
        let running = shop.call().start(&["run", "--json", "--", "sh", "-c", script]);
        let half = shop.workplace.directory().join("half");
        while !half.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let name = shop.database.name();
        server.psql("postgres", &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name LIKE 'pgbelay % lock'"));
        let mut holder = holder(&shop, "held");
        shop.workplace.write("go-on", "");
        let output = running.finish().assert_code(7);
        output.assert_says("somebody").assert_says("pgbelay recover");
        assert_eq!(shop.database.sql("SELECT to_regclass('comps') IS NULL"), "t");
        // Its server process would sleep on.
        server.psql("postgres", &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'somebody'"));
        holder.wait().unwrap();
        shop.call().run(&["recover", "--on-other-writers", "discard"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn a_transient_failure_that_committed_nothing_is_tried_again(server) {
        let shop = Shop::at_head(server);
        let script = "if [ -e tried ]; then psql -Xqc 'CREATE TABLE second(a int)'; else touch tried; \
                      echo 'ERROR: canceling statement due to lock timeout' >&2; exit 1; fi";
        let output = shop.run(&[], &["sh", "-c", script]).assert_code(0);
        assert_eq!(output.json()["attempts"], 2);
        assert_eq!(shop.workplace.archives().len(), 1);
    }

    fn a_failure_that_committed_is_not_tried_again(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xqc 'CREATE TABLE half(a int)'; sleep 0.3; \
                      echo 'ERROR: canceling statement due to lock timeout' >&2; exit 1";
        let output = shop.run(&[], &["sh", "-c", script]).assert_code(1);
        assert_eq!(output.json()["attempts"], 1);
        assert_eq!(output.json()["outcome"], "rolled-back");
        shop.database.assert_is(&before);
    }
}
