//! What a run owes its child, and what it does when something happens while the child is at work:
//! signals, a lost lock connection, a commit that views stand upon.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::Shop;

/// Waits until a query of the superuser answers `t`.
fn wait_until(shop: &Shop, query: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while shop.database.sql(query) != "t" {
        assert!(Instant::now() < deadline, "never true: {query}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

on_servers! {
    fn an_inherited_service_does_not_lead_the_child_elsewhere(server) {
        let shop = Shop::at_head(server);
        shop.workplace.write("services.conf", "[elsewhere]\nhost=no-such-host.invalid\ndbname=other\n");
        shop.workplace.write(".env", "PGSERVICE=elsewhere\nPGSERVICEFILE=services.conf\n");
        let script = "test -z \"${PGSERVICE+set}${PGSERVICEFILE+set}\" && psql -Xq -c 'CREATE TABLE made(a int)'";
        let call = shop.call().env("PGSERVICE", "elsewhere").env("PGSERVICEFILE", "services.conf");
        call.run(&["run", "--", "sh", "-c", script]).assert_code(0);
        assert_eq!(shop.database.sql("SELECT count(*) FROM made"), "0");
    }

    fn the_operators_own_options_stay_with_the_lock_timeout(server) {
        let shop = Shop::at_head(server);
        let script = "psql -XqAt -c 'SHOW lock_timeout' -c 'SHOW work_mem' | tr '\\n' ' ' > shown";
        let call = shop.call().env("PGOPTIONS", "-c work_mem=7MB");
        call.run(&["run", "--", "sh", "-c", script]).assert_code(0);
        let shown = std::fs::read_to_string(shop.workplace.directory().join("shown")).unwrap();
        assert_eq!(shown, "5s 7MB ");
    }

    fn sigterm_during_the_backup_leaves_no_archive(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let name = shop.database.name().to_owned();
        let held = std::thread::spawn(move || server.psql(&name, "BEGIN; LOCK TABLE comps; SELECT pg_sleep(4)"));
        wait_until(&shop, "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
                           AND granted AND relation = 'comps'::regclass)");
        let running = shop.call().start(&["run", "--json", "--", "true"]);
        wait_until(&shop, "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessShareLock' \
                           AND NOT granted AND relation = 'comps'::regclass)");
        running.signal(Signal::SIGTERM);
        running.finish().assert_code(143);
        held.join().unwrap();
        assert!(shop.workplace.archives().is_empty());
        shop.database.assert_is(&before);
    }

    fn a_lost_lock_connection_does_not_make_a_failed_run_lie(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -c 'DROP TABLE comps'; touch half; while [ ! -e go-on ]; do sleep 0.05; done; exit 1";
        let running = shop.call().start(&["run", "--json", "--", "sh", "-c", script]);
        shop.wait_for("half");
        // From another database: whoever does it from this one may have written.
        let ended = server.psql("postgres", &format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{}' AND application_name LIKE 'pgbelay % lock'", shop.database.name()));
        assert_eq!(ended, "1");
        shop.workplace.write("go-on", "");
        // Nobody watched for other writers from then on.
        let output = running.finish().assert_code(6);
        output.assert_says("nobody was watching for other writers");
        assert_eq!(shop.database.sql("SELECT to_regclass('comps') IS NULL"), "t");
        shop.call().run(&["recover", "--on-other-writers", "discard"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn views_of_whole_rows_come_back_without_the_new_column(server) {
        let shop = Shop::at_head(server);
        shop.database.sql_as_owner(
            "CREATE VIEW all_of_them AS SELECT * FROM users;
             CREATE VIEW whole_rows AS SELECT u FROM users u;
             CREATE VIEW as_json AS SELECT to_json(u) AS j FROM users u");
        let before = shop.database.dump();
        let script = "psql -Xq -c 'ALTER TABLE users ADD COLUMN extra int' \
                      -c 'CREATE OR REPLACE VIEW all_of_them AS SELECT * FROM users'; exit 1";
        let output = shop.run(&[], &["sh", "-c", script]).assert_code(1);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        shop.database.assert_is(&before);
    }

    fn partial_files_of_dead_processes_are_removed(server) {
        let shop = Shop::at_head(server);
        shop.call().run(&["backup"]).assert_code(0);
        let leftover = shop.workplace.store().join(".20200101_000000_shop_norev.sql.gz.partial");
        for command in [&["backup"][..], &["run", "--", "true"], &["recover"]] {
            std::fs::write(&leftover, "half").unwrap();
            let output = shop.call().run(command).assert_code(0);
            output.assert_says("removed 1 partial file that an interrupted process left");
            assert!(!leftover.exists());
        }
    }

    fn doctor_says_what_a_run_would_refuse(server) {
        let shop = Shop::at_head(server);
        for _ in 0..2 {
            shop.call().run(&["run", "--max-failures", "2", "--", "false"]).assert_code(1);
        }
        let loops = shop.call().run(&["doctor", "--max-failures", "2", "--", "false"]).assert_code(3);
        loops.assert_says("it failed 2 times in a row with the same pending revisions");
        shop.call().run(&["doctor", "--", "false"]).assert_code(0);
        shop.workplace.write("expected.json", "{ not json");
        for verb in ["doctor", "run"] {
            let output = shop.call().run(&[verb, "--expect", "expected.json", "--", "true"]);
            output.assert_code(3).assert_says("expected.json");
        }
        let output = shop.call().run(&["doctor", "--verify-sql", "no-such-folder", "--", "true"]);
        output.assert_code(3).assert_says("no-such-folder");
    }

    fn doctor_starts_nothing_that_it_does_not_know(server) {
        let shop = Shop::at_head(server);
        for name in ["migrate.sh", "alembic"] {
            let script = shop.workplace.write(name, "#!/bin/sh\ntouch touched\n");
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
            let command = format!("./{name}");
            let output = shop.call().run(&["doctor", "--", &command, "upgrade", "head"]);
            output.assert_code(0).assert_says("not asked");
            assert!(!shop.workplace.directory().join("touched").exists(), "{name} was started");
        }
    }

    fn a_program_that_is_not_there_costs_no_backup(server) {
        let shop = Shop::at_head(server);
        shop.workplace.write("notes", "not to be executed");
        for name in ["./nothing", "./notes"] {
            shop.call().run(&["run", "--", name]).assert_code(3).assert_says(name);
        }
        assert!(shop.workplace.archives().is_empty());
    }

    /// What was done is the outcome, whether anybody hears of it or not; an answer that nobody hears is none.
    fn a_report_that_cannot_be_written_makes_no_refusal_of_a_run(server) {
        let shop = Shop::two_behind(server);
        let unheard = || shop.call().within(&["sh", "-c", "exec \"$@\" >/dev/full", "sh"]);
        let output = unheard().run(&["run", "--json", "--", "alembic", "upgrade", "head"]).assert_code(0);
        output.assert_says("The report was not written");
        assert_ne!(unheard().run(&["list"]).code, 0);
        let output = unheard().run(&["backup"]).assert_code(3).assert_says("But its path was not written");
        let names = shop.workplace.archives().into_iter().map(|path| path.file_name().unwrap().display().to_string());
        assert!(names.filter(|name| output.last_line().contains(name)).count() == 1, "{output}");
    }

    /// A child in the background of the terminal that wants it is stopped by the system: nobody would ever answer.
    fn a_migration_that_asks_at_the_terminal_is_ended_at_once(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let call = shop.call().within(&["python", "-c", terminal]);
        let script = "psql -Xqc 'CREATE TABLE asked (x int)'; read answer < /dev/tty; touch answered";
        let began = Instant::now();
        call.run(&["run", "--log-file", "said", "--", "sh", "-c", script]).assert_code(1);
        assert!(began.elapsed() < Duration::from_secs(60));
        let said = std::fs::read_to_string(shop.workplace.directory().join("said")).unwrap();
        assert!(said.contains("it wants to read from the terminal") && said.contains("PGPASSFILE"), "{said}");
        assert!(!shop.workplace.directory().join("answered").exists());
        shop.database.assert_is(&before);
    }

    /// What went to a session of its own would go on to its next statement after the database was put back.
    fn p3_what_left_the_process_group_is_ended_before_the_rollback(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xqc 'CREATE TABLE step1 (x int)'; touch step1; sleep 12; psql -Xqc 'CREATE TABLE step2 (x int)'; touch step2";
        let run = ["run", "--timeout", "6s", "--json", "--", "setsid", "-w", "sh", "-c", script];
        let output = shop.call().run(&run).assert_code(1).assert_says("in a session of its own: ");
        assert!(shop.workplace.directory().join("step1").exists(), "{output}");
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        std::thread::sleep(Duration::from_secs(8));
        assert!(!shop.workplace.directory().join("step2").exists(), "{output}");
        shop.database.assert_is(&before);
    }

    fn a_store_that_nobody_could_type_again_is_refused_at_once(server) {
        let shop = Shop::at_head(server);
        let odd = shop.call().within(&["sh", "-c", "PGBELAY_STORE=$(printf 'st\\377') exec \"$@\"", "sh"]);
        odd.run(&["run", "--", "touch", "touched"]).assert_code(2);
        assert!(!shop.workplace.directory().join("touched").exists());
    }

    fn a_misspelt_option_is_no_command(server) {
        let shop = Shop::at_head(server);
        for verb in ["run", "doctor"] {
            let output = shop.call().run(&[verb, "--drill-frist"]).assert_code(2);
            output.assert_says("there is no option --drill-frist");
        }
    }

    fn another_services_version_table_does_not_prove_ours(server) {
        let shop = Shop::at_head(server);
        shop.database.sql_as_owner(
            "CREATE TABLE billing_version (version_num varchar(32) PRIMARY KEY);
             INSERT INTO billing_version VALUES ('add_sqs_metadata')");
        let good = shop.call().run(&["verify"]).assert_code(0);
        good.assert_says("other version tables: add_sqs_metadata in public.billing_version");
        shop.database.sql("UPDATE alembic_version SET version_num = '8e61c0d4b7f5'");
        shop.call().run(&["verify"]).assert_code(8).assert_says("8e61c0d4b7f5 in public.alembic_version");
    }
}
