//! The ten promises of design.md §1, one test each; the names quote them.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Database, Shop, Workplace, gunzip};

/// A migration that commits, says so by making the file `committed`, waits for the file
/// `go-on` and then fails.
const COMMITS_WAITS_FAILS: &str = "
    psql -Xq -v ON_ERROR_STOP=1 -c \"UPDATE users SET display_name = 'lost'\" -c 'DROP TABLE comps'
    touch committed
    for i in $(seq 600); do [ -e go-on ] && exit 1; sleep 0.05; done
";

/// A write of another application; its session lasts longer than the interval between two looks.
const WRITE_OF_ANOTHER: &str =
    "INSERT INTO users (email) VALUES ('new@example.org'); SELECT pg_sleep(1)";

on_servers! {
    fn p1_no_migration_starts_until_a_complete_backup_is_written_and_checked(server) {
        let shop = Shop::at_head(server);
        let check = format!("set -e; {} check backups/*.sql.gz; touch checked", env!("CARGO_BIN_EXE_pgbelay"));
        shop.run(&[], &["sh", "-c", &check]).assert_code(0);
        assert!(shop.workplace.directory().join("checked").exists());
    }

    fn p1_the_archive_is_read_back_before_the_migration(server) {
        let shop = Shop::at_head(server);
        let output = shop.run(&[], &["true"]).assert_code(0);
        let place = |heading: &str| output.stderr.find(heading).expect(heading);
        assert!(place("== Backup") < place("== Check the archive"), "{output}");
        assert!(place("== Check the archive") < place("Check the archive: "), "{output}");
        assert!(place("Check the archive: ") < place("== Migrate"), "{output}");
    }

    fn p1_no_backup_no_migration(server) {
        let shop = Shop::at_head(server);
        shop.database.sql("CREATE TABLE private(a int); REVOKE ALL ON private FROM PUBLIC");
        let output = shop.run(&[], &["touch", "started"]);
        assert!([3, 5].contains(&output.code), "{output}");
        assert!(!shop.workplace.directory().join("started").exists(), "{output}");
    }

    fn p2_if_the_failed_migration_committed_nothing_nothing_is_touched(server) {
        let shop = Shop::at_head(server);
        let touched = "SELECT string_agg(format('%s %s %s', oid, relfilenode, xmin), E'\\n' ORDER BY oid)
                       FROM pg_class WHERE relnamespace = 'public'::regnamespace";
        let before = (shop.database.dump(), shop.database.sql(touched));
        shop.run_failing("in_transaction", &[]).assert_code(1);
        assert_eq!(shop.database.sql(touched), before.1);
        shop.database.assert_is(&before.0);
        let archives = shop.workplace.archives();
        assert_eq!(archives.len(), 1, "only the backup itself: {archives:?}");
    }

    fn p3_after_a_rollback_the_database_is_what_it_was_and_that_is_proven(server) {
        let shop = Shop::at_head(server);
        // Sequences that stand elsewhere than their tables' last row, and a row that is no default.
        shop.database.sql_as_owner("SELECT setval('orders_id_seq', 90000, false); SELECT nextval('comps_id_seq')");
        let before = shop.database.dump();
        let output = shop.run_failing("half_committed", &[]).assert_code(1);
        shop.database.assert_is(&before);
        let proof = output.json()["proof"].to_string().to_lowercase();
        assert!(proof.contains("row"), "the proof says what was compared: {output}");
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }

    fn p4_what_a_rollback_removes_is_saved_first(server) {
        let shop = Shop::at_head(server);
        shop.run_failing("half_committed", &[]).assert_code(1);
        let archives = shop.workplace.archives();
        let saved = archives.iter().find(|path| path.to_string_lossy().contains("before-rollback"));
        let saved = saved.unwrap_or_else(|| panic!("no archive of what was removed: {archives:?}"));
        assert!(saved.to_string_lossy().contains("_add_sqs_metadata_before-rollback"), "the revision it stood at: {saved:?}");
        let copy = shop.database.sibling();
        copy.restore_plain(&gunzip(saved));
        assert_eq!(copy.sql("SELECT count(*) FROM search_terms"), "0");
        assert_eq!(copy.sql("SELECT count(*) FROM listings WHERE title LIKE 'LISTING%'"), "1000");
    }

    fn p5_a_committed_write_of_somebody_else_is_never_discarded(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let running = shop.call().start(&["run", "--json", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        shop.wait_for("committed");
        shop.database.sql(WRITE_OF_ANOTHER);
        shop.workplace.write("go-on", "");
        let output = running.finish().assert_code(6);
        assert_eq!(output.json()["outcome"], "withheld");
        assert_eq!(shop.database.sql("SELECT count(*) FROM users WHERE email = 'new@example.org'"), "1");
        output.assert_says("--discard-other-writes");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn p5_unless_the_operator_said_so_beforehand(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let options = ["run", "--json", "--on-other-writers", "discard", "--", "sh", "-c", COMMITS_WAITS_FAILS];
        let running = shop.call().start(&options);
        shop.wait_for("committed");
        shop.database.sql(WRITE_OF_ANOTHER);
        shop.workplace.write("go-on", "");
        running.finish().assert_code(1);
        shop.database.assert_is(&before);
    }

    fn p6_killed_while_the_migration_runs_the_next_start_puts_it_back(server) {
        // Where others commit, whoever looks meanwhile may be a writer.
        let shop = Shop::at_head(server.of_our_own());
        let before = shop.database.dump();
        let running = shop.call().start(&["run", "--json", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        shop.wait_for("committed");
        // A look of the watch.
        std::thread::sleep(Duration::from_millis(300));
        running.signal(Signal::SIGKILL);
        // The orphaned migration ends by itself; what it committed is there.
        shop.workplace.write("go-on", "");
        assert_eq!(running.finish().code, -1);
        assert_ne!(shop.database.dump(), before);
        shop.call().run(&["recover", "--json"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn p6_the_next_run_finishes_an_interrupted_one_first(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let running = shop.call().start(&["run", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        shop.wait_for("committed");
        running.signal(Signal::SIGKILL);
        shop.workplace.write("go-on", "");
        running.finish();
        shop.run(&[], &["true"]).assert_code(0).assert_says("was interrupted");
        shop.database.assert_is(&before);
    }

    fn p7_no_lock_no_snapshot_no_transaction_while_the_migration_runs(server) {
        let shop = Shop::at_head(server);
        let url = shop.database.url_as("postgres");
        // The lock's session asks who else is connected, some times a second, each time in a
        // statement of its own: a look may meet one, so there are several.
        let look = "
            for look in 1 2 3 4 5 6 7 8 9 10; do
                psql -XAt -c \"SELECT state, backend_xmin IS NULL, xact_start IS NULL,
                                      (SELECT string_agg(DISTINCT locktype, ',' ORDER BY locktype) FROM pg_locks l
                                        WHERE l.pid = a.pid AND locktype <> 'virtualxid')
                                 FROM pg_stat_activity a
                                WHERE application_name LIKE 'pgbelay%' AND datname = current_database()
                                  AND pid <> pg_backend_pid()\"
            done > seen";
        shop.call().env("DATABASE_URL", url).run(&["run", "--", "sh", "-c", look]).assert_code(0);
        let seen = std::fs::read_to_string(shop.workplace.directory().join("seen")).unwrap();
        let locks = seen.lines().filter(|line| line.ends_with("|advisory")).count();
        assert_eq!(locks, 10, "one session of ours holds the lock, whenever one looks:\n{seen}");
        assert!(seen.lines().any(|line| line == "idle|t|t|advisory"), "{seen}");
        for line in seen.lines() {
            let quiet = line == "idle|t|t|advisory" || line == "idle|t|t|";
            assert!(quiet || (line.starts_with("active|") && line.ends_with("|advisory")), "{seen}");
        }
    }

    fn p8_the_exit_code_and_the_last_line_tell_the_truth(server) {
        let shop = Shop::two_behind(server);
        let cases: [(&str, i32, &str); 4] = [
            ("alembic.ini", 0, "done"),
            ("alembic.ini", 0, "nothing to do"),
            ("failing/in_transaction.ini", 1, "nothing"),
            ("failing/half_committed.ini", 1, "put back"),
        ];
        for (ini, code, words) in cases {
            let output = shop.call().run(&["run", "--", "alembic", "-c", ini, "upgrade", "head"]);
            let output = output.assert_code(code);
            let last = output.last_line().to_lowercase();
            assert!(last.contains(words), "{words} is missing in the last line\n{output}");
            assert!(last.contains(&code.to_string()), "the exit code is missing in the last line\n{output}");
            // That all content is equal does not show that nothing was committed.
            let compared = output.stderr.contains("content: ");
            assert!(!compared || !last.contains("committed"), "more is claimed than was proven\n{output}");
        }
    }

    fn p9_a_backup_restores_with_gunzip_and_psql(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let archive = shop.workplace.directory().join("shop.sql.gz");
        shop.call().run(&["backup", "--output", "shop.sql.gz"]).assert_code(0);
        let copy = shop.database.sibling();
        copy.restore_plain(&gunzip(&archive));
        copy.assert_is(&before);
    }

    fn p10_every_object_is_carried_or_refused_by_name(server) {
        let kinds = [
            ("unusual_dictionary", "CREATE TEXT SEARCH DICTIONARY unusual_dictionary (TEMPLATE = simple)"),
            ("unusual_sum", "CREATE AGGREGATE unusual_sum(int) (SFUNC = int4pl, STYPE = int)"),
            ("unusual_cast", "CREATE TYPE unusual_cast AS (a int); CREATE CAST (unusual_cast AS text) WITH INOUT"),
            ("unusual_statistics", "CREATE TABLE t(a int, b int); CREATE STATISTICS unusual_statistics ON a, b FROM t"),
            ("unusual_collation", "CREATE COLLATION unusual_collation FROM \"C\""),
            ("4242", "SELECT lo_from_bytea(4242, 'bytes')"),
        ];
        for (name, sql) in kinds {
            let workplace = Workplace::new();
            let database = Database::create(server);
            database.sql(sql);
            let call = workplace.call(&database).env("DATABASE_URL", database.url_as("postgres"));
            let output = call.run(&["backup", "--output", "all.sql.gz"]);
            if output.code == 0 {
                let copy = database.sibling();
                copy.restore_plain(&gunzip(&workplace.directory().join("all.sql.gz")));
                copy.assert_is(&database.dump());
            } else {
                output.assert_code(3).assert_says(name);
            }
        }
    }
}
