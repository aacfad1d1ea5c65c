//! Interrupted, withheld and repeated runs (docs/states.md).

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Call, Shop};

/// As a superuser, who sees what other sessions do.
fn as_superuser(shop: &Shop) -> Call<'_> {
    shop.call()
        .env("DATABASE_URL", shop.database.url_as("postgres"))
}

on_servers! {
    fn p6_a_statement_that_outlives_its_killed_run_is_ended_first(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "touch started; psql -Xq -c 'DROP TABLE comps' -c 'SELECT pg_sleep(600)'";
        let running = as_superuser(&shop).start(&["run", "--json", "--", "sh", "-c", script]);
        shop.wait_for("started");
        std::thread::sleep(Duration::from_secs(1));
        running.signal(Signal::SIGKILL);
        running.finish();
        let output = as_superuser(&shop).run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back");
        shop.database.assert_is(&before);
        let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name LIKE 'pgbelay%'";
        assert_eq!(shop.database.sql(left), "0");
    }

    fn p6_a_migration_that_outlives_its_killed_run_does_not_go_on(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        // Between two statements: no session of it is there to be ended.
        let script = "psql -Xq -c 'DROP TABLE comps'; touch committed; sleep 2; psql -Xq -c 'DROP TABLE users CASCADE'";
        let running = as_superuser(&shop).start(&["run", "--json", "--", "setsid", "--wait", "sh", "-c", script]);
        shop.wait_for("committed");
        running.signal(Signal::SIGKILL);
        running.finish();
        as_superuser(&shop).run(&["recover", "--json"]).assert_code(0).assert_says("had left running");
        shop.database.assert_is(&before);
        std::thread::sleep(Duration::from_secs(3));
        shop.database.assert_is(&before);
    }

    fn p6_a_rollback_whose_connection_was_lost_is_finished(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        // All sessions of the rollback are ended again and again, whatever it tries.
        let script = "psql -Xq -c 'DROP TABLE comps'; touch committed; exit 1";
        let cut = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'pgbelay% rollback'",
            shop.database.name()
        );
        let running = as_superuser(&shop).start(&["run", "--json", "--", "sh", "-c", script]);
        shop.wait_for("committed");
        let mut running = running;
        while !running.has_ended() {
            server.psql("postgres", &cut);
        }
        let first = running.finish();
        // It came through between two cuts, or it is the next start that finishes it; nobody has to look.
        assert!([1, 7].contains(&first.code), "{first}");
        as_superuser(&shop).run(&["recover", "--json"]).assert_code(0);
        shop.database.assert_is(&before);
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(0);
    }

    #[cfg(feature = "fault-injection")]
    fn p6_a_clock_that_was_set_back_hides_no_interrupted_run(server) {
        let shop = Shop::at_head(server);
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(0);
        let before = shop.database.dump();
        // Nobody looks in between: on a server where others commit that is a session that may have written.
        let an_hour_ago = || as_superuser(&shop).env("PGBELAY_FAULT_CLOCK", "-3600");
        let killed = an_hour_ago().env("PGBELAY_FAULT", "child-ended=kill");
        let killed = killed.run(&["run", "--json", "--", "psql", "-Xqc", "DROP TABLE comps"]);
        assert_eq!(killed.code, -1, "{killed}");
        killed.assert_says("it was set back");
        let output = an_hour_ago().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back");
        shop.database.assert_is(&before);
    }

    /// The fourth record is the migration's intent: as long as it is not synced, nothing is started.
    #[cfg(feature = "fault-injection")]
    fn p6_nothing_is_started_before_its_intent_is_on_disk(server) {
        for record in 1..=5 {
            let shop = Shop::at_head(server);
            let before = shop.database.dump();
            let unsynced = as_superuser(&shop).env("PGBELAY_FAULT", format!("append-sync@{record}=error"));
            let output = unsynced.run(&["run", "--json", "--", "touch", "started"]);
            let started = shop.workplace.directory().join("started").exists();
            assert_eq!((started, output.code == 0), (record == 5, record == 5), "record {record}\n{output}");
            shop.database.assert_is(&before);
            as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(0);
        }
    }

    fn p6_killed_before_the_tool_starts_nothing_is_asked_for(server) {
        let shop = Shop::two_behind(server);
        // The run is stopped by the missing command of its second look; its journal says so.
        as_superuser(&shop).run(&["run", "--", "no-such-tool"]).assert_code(3);
        as_superuser(&shop).run(&["recover", "--json"]).assert_code(0);
        as_superuser(&shop).run(&["run", "--json", "--", "alembic", "upgrade", "head"]).assert_code(0);
    }

    /// Nobody was let in to judge: nothing was tried, so nobody has to look before the next start does.
    fn p6_where_nobody_is_let_in_the_next_start_judges(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -c 'DROP TABLE comps'; touch committed; while [ ! -e go-on ]; do sleep 0.05; done; exit 1";
        let running = shop.call().start(&["run", "--json", "--wait", "1s", "--", "sh", "-c", script]);
        shop.wait_for("committed");
        let limit = |count: &str| {
            server.psql("postgres", &format!("ALTER DATABASE {} CONNECTION LIMIT {count}", shop.database.name()));
        };
        limit("0");
        shop.workplace.write("go-on", "");
        let output = running.finish().assert_code(7);
        output.assert_says("too many connections").assert_says("pgbelay recover");
        limit("-1");
        shop.call().run(&["recover", "--json"]).assert_code(0);
        shop.database.assert_is(&before);
        shop.call().run(&["run", "--json", "--", "true"]).assert_code(0);
    }

    /// Where the archive is gone for good a person puts it right, and says so; it is not judged again when the archive comes back.
    fn p6_a_run_whose_archive_is_lost_is_passed_over_by_force(server) {
        let shop = Shop::at_head(server);
        let aside = shop.workplace.directory().join("aside");
        let script = format!("mv {}/*.sql.gz {}; psql -Xq -c 'DROP TABLE comps'; exit 1", shop.workplace.store().display(), aside.display());
        as_superuser(&shop).run(&["run", "--json", "--", "sh", "-c", &script]).assert_code(7);
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(7);
        as_superuser(&shop).run(&["recover", "--json"]).assert_code(7).assert_says("pgbelay run --force");
        let put_right = shop.database.dump();
        let forced = ["run", "--json", "--force", "--", "alembic", "upgrade", "head"];
        let forced = as_superuser(&shop).run(&forced).assert_code(0).assert_says("passed over");
        assert_eq!(forced.json()["outcome"], "nothing-to-do", "{forced}");
        let name = aside.display().to_string();
        let reader = pgbelay::archive::Reader::open(&aside).expect("an archive");
        let back = reader.manifest().created.format("%Y%m%d_%H%M%S");
        let back = shop.workplace.store().join(format!("{back}_{}_add_sqs_metadata.sql.gz", shop.database.name()));
        std::fs::rename(&name, back).expect("it comes back");
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(7).assert_says("--force");
        shop.database.assert_is(&put_right);
        as_superuser(&shop).run(&["run", "--json", "--force", "--", "true"]).assert_code(0);
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(0);
    }

    /// A rollback by hand to another database's archive is ended as what it was.
    #[cfg(feature = "fault-injection")]
    fn p6_a_killed_rollback_to_another_databases_archive_is_ended(server) {
        let shop = Shop::at_head(server);
        let wanted = shop.database.dump();
        let archive = as_superuser(&shop).run(&["backup"]).assert_code(0).stdout;
        let other = shop.database.sibling();
        let of_other = || as_superuser(&shop).env("DATABASE_URL", other.url_as("postgres"));
        let hand = ["rollback", archive.trim(), "--other-database"];
        of_other().env("PGBELAY_FAULT", "rollback-commit=kill").run(&hand).assert_code(-1);
        of_other().run(&["recover", "--json"]).assert_code(0);
        other.assert_is(&wanted);
    }

    /// Whatever a recovery could not write down: what it says of the database is true.
    #[cfg(feature = "fault-injection")]
    fn p6_a_recovery_that_cannot_write_down_what_it_did_says_what_it_did(server) {
        let mut told = 0;
        // Its intent, what there was, its commit, its outcome, its end.
        for record in 1..=5 {
            let shop = Shop::at_head(server);
            let before = shop.database.dump();
            let killed = as_superuser(&shop).env("PGBELAY_FAULT", "child-ended=kill");
            killed.run(&["run", "--json", "--", "psql", "-Xqc", "DROP TABLE comps"]).assert_code(-1);
            let unwritten = as_superuser(&shop).env("PGBELAY_FAULT", format!("append-sync@{record}=error"));
            let output = unwritten.run(&["recover", "--json"]);
            let is_back = shop.database.dump() == before;
            assert_eq!(output.code == 0, is_back, "record {record}\n{output}");
            if is_back {
                output.assert_says("looks at the database again");
                told += 1;
            }
            as_superuser(&shop).run(&["recover", "--json"]).assert_code(0);
            shop.database.assert_is(&before);
        }
        assert_eq!(told, 2);
    }

    fn p5_a_withheld_rollback_stays_due_until_it_is_settled(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -c 'DROP TABLE comps'; touch committed; \
                      while [ ! -e go-on ]; do sleep 0.05; done; exit 1";
        let running = as_superuser(&shop).start(&["run", "--json", "--", "sh", "-c", script]);
        shop.wait_for("committed");
        shop.database.sql("INSERT INTO users (email) VALUES ('new@example.org'); SELECT pg_sleep(0.2)");
        shop.workplace.write("go-on", "");
        let output = running.finish().assert_code(6);
        assert!(output.json()["saved"].is_null());
        // The next start does not migrate on top of it; the writer is gone, what was seen is not.
        let again = as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(6);
        assert_eq!(again.json()["outcome"], "withheld");
        as_superuser(&shop).run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.assert_is(&before);
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(0);
    }

    fn equal_failures_in_a_row_are_refused_and_take_one_backup(server) {
        let shop = Shop::at_head(server);
        let failing = ["run", "--json", "--max-failures", "2", "--", "false"];
        as_superuser(&shop).run(&failing).assert_code(1);
        as_superuser(&shop).run(&failing).assert_code(1);
        let refused = as_superuser(&shop).run(&failing).assert_code(3);
        refused.assert_says("2 times in a row");
        let forced = ["run", "--json", "--max-failures", "2", "--force", "--", "false"];
        as_superuser(&shop).run(&forced).assert_code(1);
    }

    /// P8: what a run was told to check is not called checked by a recovery that was not told; a signal is no answer; and what
    /// others wrote while nobody watched is not thrown away later.
    fn p8_a_recovery_checks_what_the_run_was_told_to_check(server) {
        let shop = Shop::at_head(server);
        shop.database.sql_as_owner("CREATE TABLE slow (seconds int); INSERT INTO slow VALUES (600)");
        shop.workplace.write("checks/slow.sql", "SELECT pg_sleep(seconds) FROM slow OFFSET 1");
        let checking = || {
            let asked = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND state = 'active' AND query LIKE '%FROM slow%' AND application_name LIKE 'pgbelay%'", shop.database.name());
            (0..1200).any(|_| {
                std::thread::sleep(Duration::from_millis(50));
                server.psql("postgres", &asked) != "0"
            })
        };
        let end = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}'", shop.database.name());
        let running = as_superuser(&shop).start(&["run", "--verify-sql", "checks", "--", "psql", "-Xqc", "DROP TABLE comps"]);
        assert!(checking());
        running.signal(Signal::SIGKILL);
        running.finish();
        server.psql("postgres", &end);
        as_superuser(&shop).run(&["recover"]).assert_code(7).assert_says("it was started with --verify-sql");
        let running = as_superuser(&shop).start(&["recover", "--verify-sql", "checks"]);
        assert!(checking());
        running.signal(Signal::SIGTERM);
        running.finish().assert_code(143);
        assert_eq!(shop.database.sql("SELECT to_regclass('comps') IS NULL"), "t");
        shop.database.sql("UPDATE slow SET seconds = 0");
        as_superuser(&shop).run(&["recover", "--verify-sql", "checks"]).assert_code(0).assert_says("the migration stays");
        assert_eq!(shop.database.sql("SELECT to_regclass('comps') IS NULL"), "t");
        as_superuser(&shop).run(&["rollback"]).assert_code(6).assert_says("nobody watched");
    }
}
