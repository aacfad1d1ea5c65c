//! Other writers and the fence (P5, `--fence writes`, docs/rollback.md): no acknowledged commit of
//! somebody else disappears unless that was said, and the fence leaves no trace.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Database, Output, Shop, Workplace, Writer, gunzip};

/// A migration that commits, makes the file `committed`, goes on for a while and fails.
const COMMITS_THEN_FAILS: &str = "
    psql -Xq -v ON_ERROR_STOP=1 -c \"UPDATE users SET display_name = 'lost'\" -c 'DROP TABLE comps' &&
    touch committed && sleep 0.7; exit 1";

/// The same, but it waits for the file `go-on`.
const COMMITS_WAITS_FAILS: &str = "
    psql -Xq -v ON_ERROR_STOP=1 -c 'DROP TABLE comps' && touch committed
    for i in $(seq 600); do [ -e go-on ] && exit 1; sleep 0.05; done";

fn failing(shop: &Shop, options: &[&str]) -> Output {
    shop.run(options, &["sh", "-c", COMMITS_THEN_FAILS])
}

/// The numbers in `ledger`.
fn ledger(database: &Database) -> BTreeSet<i64> {
    let rows = database.sql("SELECT n FROM ledger");
    rows.lines().map(|n| n.parse().expect("a number")).collect()
}

/// The numbers in `ledger` as an archive holds them.
fn ledger_of(shop: &Shop, archive: &std::path::Path) -> BTreeSet<i64> {
    let copy = shop.database.sibling();
    copy.restore_plain(&gunzip(archive));
    ledger(&copy)
}

/// What the database and its roles have set for it, exactly.
fn settings(database: &Database) -> String {
    database.sql(
        "SELECT setrole::regrole, setconfig FROM pg_db_role_setting s
           JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = current_database() ORDER BY 1",
    )
}

fn comps(database: &Database) -> String {
    database.sql("SELECT count(*) FROM comps")
}

/// A session of the owner's that reads, and stays in its transaction.
struct Reader(std::process::Child);

impl Reader {
    fn start(database: &Database) -> Self {
        let mut psql = database.server().client("psql", database.name());
        let psql = psql
            .env("PGAPPNAME", "reporting")
            .env("PGUSER", "app")
            .arg("-Xq");
        let psql = psql
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut reader = Self(psql.spawn().expect("psql"));
        let words = reader.0.stdin.as_mut().expect("it listens");
        writeln!(
            words,
            "BEGIN TRANSACTION READ ONLY; SELECT count(*) FROM users;"
        )
        .expect("words");
        let idle = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'reporting' \
             AND state = 'idle in transaction'",
            database.name()
        );
        while database.server().psql("postgres", &idle) == "0" {
            std::thread::sleep(Duration::from_millis(50));
        }
        reader
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("psql ends");
    }
}

/// A run behind a fence that is killed after its tool has committed; the tool ends, too.
fn kill_behind_the_fence(shop: &Shop) {
    let command = [
        "run",
        "--fence",
        "writes",
        "--",
        "sh",
        "-c",
        COMMITS_WAITS_FAILS,
    ];
    let running = shop.call().start(&command);
    shop.wait_for("committed");
    running.signal(Signal::SIGKILL);
    shop.workplace.write("go-on", "");
    running.finish();
}

on_all_servers! {
    fn p5_behind_the_fence_every_acknowledged_commit_survives_a_rollback(server) {
        let shop = Shop::at_head(server);
        let (comps_before, settings_before) = (comps(&shop.database), settings(&shop.database));
        let writer = Writer::start(&shop.database);
        let output = failing(&shop, &["--fence", "writes"]).assert_code(1);
        let json = output.json();
        assert_eq!(json["outcome"], "rolled-back", "{output}");
        assert_eq!(json["fence"]["up"], true, "{output}");
        assert_eq!(json["fence"]["taken_down"], true, "{output}");
        assert_eq!(json["other_writers"].as_array().map(Vec::len), Some(0), "{output}");
        assert!(writer.refused() > 5, "the writer was never held: {output}");
        // The fence is down: whoever comes back can write.
        writer.wait_for_commits(20);
        let acknowledged = writer.stop();
        let now = ledger(&shop.database);
        let lost: Vec<_> = acknowledged.difference(&now).collect();
        assert!(lost.is_empty(), "lost: {lost:?}\n{output}");
        assert_eq!((comps(&shop.database), settings(&shop.database)), (comps_before, settings_before));
        // All of before is in the backup, and nothing came between it and the end of the rollback.
        let archives = shop.workplace.archives();
        let backup = archives.iter().find(|path| !path.to_string_lossy().contains("before-rollback"));
        let text = gunzip(backup.expect("a backup"));
        let fence = "default_transaction_read_only=on";
        assert!(!String::from_utf8_lossy(&text).contains(fence), "the fence is in the archive");
        let held = ledger_of(&shop, backup.expect("a backup"));
        assert!(held.is_subset(&now) && held.len() >= 20, "{held:?}");
        let saved = archives.iter().find(|path| path.to_string_lossy().contains("before-rollback"));
        // Only what differed from the backup was saved and put back: the ledger did not.
        let saved = gunzip(saved.expect("the saved state"));
        let saved = String::from_utf8_lossy(&saved);
        assert!(saved.contains("comps") || saved.contains("users"), "{output}");
        assert!(!saved.contains("COPY public.ledger"), "{output}");
    }
}

on_servers! {
    fn p5_without_a_fence_the_rollback_is_withheld_and_every_row_stays(server) {
        let shop = Shop::at_head(server);
        let writer = Writer::start(&shop.database);
        let output = failing(&shop, &[]).assert_code(6);
        assert_eq!(output.json()["outcome"], "withheld");
        assert!(output.json()["fence"].is_null(), "{output}");
        output.assert_says("shop application");
        let acknowledged = writer.stop();
        assert!(acknowledged.is_subset(&ledger(&shop.database)));
    }

    fn p5_what_is_discarded_on_demand_is_in_the_saved_archive(server) {
        let shop = Shop::at_head(server);
        let comps_before = comps(&shop.database);
        let writer = Writer::start(&shop.database);
        let output = failing(&shop, &["--on-other-writers", "discard"]).assert_code(1);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        let acknowledged = writer.stop();
        assert_eq!(comps(&shop.database), comps_before);
        let archives = shop.workplace.archives();
        let saved = archives.iter().find(|path| path.to_string_lossy().contains("before-rollback"));
        let saved = ledger_of(&shop, saved.expect("the saved state"));
        let now = ledger(&shop.database);
        let kept: BTreeSet<i64> = saved.union(&now).copied().collect();
        let lost: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "neither here nor saved: {lost:?}\n{output}");
        assert!(acknowledged.iter().any(|n| !now.contains(n)), "nothing was discarded:\n{output}");
    }

    fn p6_a_fence_that_a_killed_run_left_is_taken_down_by_recover(server) {
        let shop = Shop::at_head(server);
        let name = shop.database.name();
        shop.database.sql(&format!(
            "ALTER DATABASE \"{name}\" SET work_mem = '5MB';
             ALTER DATABASE \"{name}\" SET default_transaction_read_only = 'FALSE';
             ALTER DATABASE \"{name}\" SET DateStyle = 'ISO, DMY'"
        ));
        let (before, settings_before) = (shop.database.dump(), settings(&shop.database));
        let running = shop.call().start(&["run", "--fence", "writes", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        shop.wait_for("committed");
        assert!(settings(&shop.database).contains("default_transaction_read_only=on"));
        running.signal(Signal::SIGKILL);
        shop.workplace.write("go-on", "");
        running.finish();
        assert!(settings(&shop.database).contains("default_transaction_read_only=on"));
        let output = shop.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        output.assert_says("the fence of run");
        assert_eq!(settings(&shop.database), settings_before);
        shop.database.assert_is(&before);
        shop.call().run(&["recover", "--json"]).assert_code(0).assert_says("Nothing to recover");
    }

    fn a_role_with_a_setting_of_its_own_defeats_the_fence_and_is_named(server) {
        let shop = Shop::at_head(server);
        let name = shop.database.name();
        let role = format!("own_mind_{name}");
        shop.database.sql(&format!(
            "CREATE ROLE {role} LOGIN;
             ALTER ROLE {role} IN DATABASE \"{name}\" SET default_transaction_read_only = off"
        ));
        let output = shop.run(&["--fence", "writes"], &["touch", "started"]).assert_code(3);
        output
            .assert_says(&format!("role {role}"))
            .assert_says("RESET default_transaction_read_only");
        assert!(!shop.workplace.directory().join("started").exists());
        // The other way round it holds that role all the same.
        shop.database.sql(&format!(
            "ALTER ROLE {role} IN DATABASE \"{name}\" SET default_transaction_read_only = on"
        ));
        shop.run(&["--fence", "writes"], &["true"]).assert_code(0);
        shop.database.sql(&format!("DROP ROLE {role}"));
    }
}

/// Somebody who connects, says that it is there by making a file, and stays.
fn connected(shop: &Shop, role: &str, file: &str, sql: &str) -> std::process::Child {
    let mark = shop.workplace.directory().join(file);
    std::process::Command::new(shop.database.server().programs.join("psql"))
        .args(["-Xq", "-v", "ON_ERROR_STOP=1"])
        .args([
            "-c",
            "SELECT 1",
            "-c",
            &format!("\\! touch {}", mark.display()),
            "-c",
            sql,
        ])
        .env("PGAPPNAME", "somebody")
        .env("PGHOST", &shop.database.server().socket)
        .env("PGPORT", shop.database.server().port.to_string())
        .env("PGUSER", role)
        .env("PGDATABASE", shop.database.name())
        .spawn()
        .expect("psql starts")
}

on_servers! {
    fn p5_who_lifts_the_fence_for_itself_and_writes_is_seen(server) {
        let shop = Shop::at_head(server);
        let running = shop.call().start(&["run", "--json", "--fence", "writes", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        shop.wait_for("committed");
        shop.database.sql(
            "BEGIN READ WRITE; SET LOCAL SESSION AUTHORIZATION app; INSERT INTO users (email) VALUES ('new@example.org'); SELECT pg_sleep(0.5); COMMIT",
        );
        shop.workplace.write("go-on", "");
        let output = running.finish().assert_code(6);
        output.assert_says("in spite of the fence");
        let count = "SELECT count(*) FROM users WHERE email = 'new@example.org'";
        assert_eq!(shop.database.sql(count), "1");
        assert_eq!(settings(&shop.database), "");
    }

    fn p5_behind_the_fence_readers_disturb_nobody(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let running = shop.call().start(&["run", "--json", "--fence", "writes", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        shop.wait_for("committed");
        for _ in 0..5 {
            shop.database.sql_as_owner("SELECT count(*) FROM users; SELECT pg_sleep(0.06)");
        }
        shop.workplace.write("go-on", "");
        running.finish().assert_code(1);
        shop.database.assert_is(&before);
    }

    fn p5_a_fence_that_somebody_lifted_for_all_is_none(server) {
        let shop = Shop::at_head(server);
        let running = shop.call().start(&["run", "--json", "--fence", "writes", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        shop.wait_for("committed");
        let name = shop.database.name();
        // As the warning about a fence that stands says it; `ALTER DATABASE` alone is held back too.
        shop.database.sql(&format!(
            "BEGIN READ WRITE; ALTER DATABASE \"{name}\" RESET default_transaction_read_only; COMMIT;"
        ));
        shop.workplace.write("go-on", "");
        running.finish().assert_code(6).assert_says("the fence did not stand to the end");
        assert_eq!(settings(&shop.database), "");
    }

    /// Whoever connects behind the fence, reads, and stays in a transaction is ended.
    fn p6_a_reader_behind_the_fence_is_ended(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let options = ["run", "--json", "--fence", "writes", "--strategy", "rebuild", "--", "sh", "-c", COMMITS_WAITS_FAILS];
        let running = shop.call().start(&options);
        shop.wait_for("committed");
        let reader = Reader::start(&shop.database);
        shop.workplace.write("go-on", "");
        running.finish().assert_code(1).assert_says("application reporting");
        reader.end();
        shop.database.assert_is(&before);
    }

    /// Without a fence it is named, nothing is changed, and the next start puts the database back.
    fn p6_a_reader_in_the_way_is_named(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let reader = Reader::start(&shop.database);
        let failing = ["run", "--json", "--strategy", "rebuild", "--", "sh", "-c", COMMITS_THEN_FAILS];
        let output = shop.call().run(&failing).assert_code(7);
        output.assert_says("application reporting").assert_says("pgbelay recover");
        reader.end();
        shop.call().run(&["recover"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    /// What others write between the run that left its rollback and the recovery that is to do it stays, also if they have gone; and
    /// `--force`, which scripts give, does not pass over what only has to wait.
    fn p5_a_rollback_that_was_left_discards_nothing_unseen(server) {
        let shop = Shop::at_head(server);
        let reader = Reader::start(&shop.database);
        let failing = ["run", "--json", "--strategy", "rebuild", "--", "sh", "-c", COMMITS_THEN_FAILS];
        shop.call().run(&failing).assert_code(7);
        // It waits in vain again, or cannot tell what the reader did where other databases' transactions hide it.
        let forced = shop.call().run(&["run", "--force", "--strategy", "rebuild", "--", "touch", "ran"]);
        assert!([6, 7].contains(&forced.code), "{forced}");
        assert!(!shop.workplace.directory().join("ran").exists());
        reader.end();
        shop.database.sql("INSERT INTO users (email) VALUES ('between@y')");
        shop.call().run(&["recover"]).assert_code(6).assert_says("left it to the next start");
        let between = "SELECT count(*) FROM users WHERE email = 'between@y'";
        assert_eq!(shop.database.sql(between), "1");
        shop.call().run(&["recover", "--on-other-writers", "discard"]).assert_code(0);
        assert_eq!(shop.database.sql(between), "0");
    }

    fn alembic_goes_through_the_fence(server) {
        let shop = Shop::two_behind(server);
        let writer = Writer::start(&shop.database);
        let output = shop.run(&["--fence", "writes"], &["alembic", "upgrade", "head"]).assert_code(0);
        assert_eq!(output.json()["fence"]["taken_down"], true, "{output}");
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
        writer.wait_for_commits(5);
        assert!(writer.stop().is_subset(&ledger(&shop.database)));
        assert_eq!(settings(&shop.database), "");
    }

    fn sql_files_go_through_the_fence(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.own_public();
        workplace.write("sql/001_more.sql", "CREATE TABLE more (a int);");
        let run = ["run", "--fence", "writes", "--sql", "sql"];
        workplace.call(&database).run(&run).assert_code(0);
        assert_eq!(database.sql("SELECT to_regclass('more') IS NOT NULL"), "t");
        assert_eq!(settings(&database), "");
    }

    fn a_driver_that_does_not_read_pgoptions_is_noticed_and_explained(server) {
        let shop = Shop::at_head(server);
        let url = shop.database.url().replacen("postgresql://", "postgresql+asyncpg://", 1);
        let script = |arguments: &str| format!(
            "import asyncio, asyncpg\nasync def main():\n    c = await asyncpg.connect({arguments})\n    \
             await c.execute('CREATE TABLE more (a int)')\n    await c.close()\nasyncio.run(main())\n"
        );
        shop.workplace.write("deaf.py", &script(""));
        let run = |file: &str| shop.call().env("DATABASE_URL", url.as_str())
            .run(&["run", "--json", "--fence", "writes", "--", "python", file]);
        let before = shop.database.dump();
        let output = run("deaf.py").assert_code(1);
        assert_eq!(output.json()["outcome"], "unchanged", "{output}");
        output.assert_says("driver asyncpg").assert_says("server_settings");
        shop.database.assert_is(&before);
        shop.workplace.write("told.py", &script("server_settings={'default_transaction_read_only': 'off'}"));
        run("told.py").assert_code(0);
        assert_eq!(shop.database.sql("SELECT to_regclass('more') IS NOT NULL"), "t");
    }

    fn a_database_that_reads_only_by_itself_stays_so(server) {
        let shop = Shop::two_behind(server);
        let name = shop.database.name();
        shop.database.sql(&format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = 'True'"));
        let (before, settings_before) = (shop.database.dump(), settings(&shop.database));
        let output = shop.run(&["--fence", "writes"], &["sh", "-c", COMMITS_THEN_FAILS]).assert_code(1);
        assert_eq!(output.json()["fence"]["before"], "True", "{output}");
        assert_eq!(settings(&shop.database), settings_before);
        shop.database.assert_is(&before);
        shop.run(&["--fence", "writes"], &["alembic", "upgrade", "head"]).assert_code(0);
        assert_eq!(settings(&shop.database), settings_before);
    }

    fn a_session_that_may_not_be_ended_refuses_the_run_by_name(server) {
        let shop = Shop::at_head(server);
        let mut guest = connected(&shop, "postgres", "there", "SELECT pg_sleep(60)");
        shop.wait_for("there");
        let output = shop.run(&["--fence", "writes"], &["touch", "started"]).assert_code(3);
        output.assert_says("of postgres (somebody").assert_says("disconnect it, or run as a superuser");
        assert!(!shop.workplace.directory().join("started").exists());
        assert!(shop.workplace.archives().is_empty());
        let doctor = shop.call().run(&["doctor", "--fence", "writes", "--", "true"]).assert_code(3);
        doctor.assert_says("of postgres (somebody");
        // Nobody asked for a fence: nobody is told what would refuse it.
        shop.call().run(&["doctor", "--", "true"]).assert_code(0).assert_says("--fence writes would be refused");
        guest.kill().expect("psql is alive");
        guest.wait().expect("psql ends");
    }

    fn a_superuser_ends_whoever_is_there_after_a_while(server) {
        let shop = Shop::at_head(server);
        let mut guest = connected(&shop, "app", "there", "BEGIN; INSERT INTO users (email) VALUES ('half'); SELECT pg_sleep(60)");
        shop.wait_for("there");
        let doctor = shop.call().run(&["doctor", "--", "true"]).assert_code(0);
        doctor.assert_says("--fence writes would end process");
        let before = shop.database.dump();
        let output = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"))
            .run(&["run", "--json", "--fence", "writes", "--", "false"]).assert_code(1);
        assert_eq!(output.json()["fence"]["sessions_ended"], 1, "{output}");
        assert!(!guest.wait().expect("psql ends").success());
        shop.database.assert_is(&before);
    }

    fn a_signal_takes_the_fence_down(server) {
        for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
            let shop = Shop::at_head(server);
            let before = shop.database.dump();
            let script = "psql -Xq -c 'DROP TABLE comps'; touch committed; exec sleep 60";
            let running = shop.call().start(&["run", "--json", "--fence", "writes", "--", "sh", "-c", script]);
            shop.wait_for("committed");
            running.signal(signal);
            running.finish().assert_code(code);
            assert_eq!(settings(&shop.database), "");
            shop.database.assert_is(&before);
        }
    }

    /// Whoever has not that run's journal is told what it looks like, and how it comes off.
    fn a_fence_of_another_store_is_named(server) {
        let shop = Shop::at_head(server);
        kill_behind_the_fence(&shop);
        let reset = format!("ALTER DATABASE \"{}\" RESET default_transaction_read_only", shop.database.name());
        let strange = "no journal of this store says why";
        let elsewhere = shop.call().run(&["doctor", "--store", "elsewhere", "--", "true"]);
        elsewhere.assert_says(strange).assert_says(&reset);
        let here = shop.call().run(&["doctor", "--", "true"]);
        assert!(!here.stderr.contains(strange), "{here}");
        let run = shop.call().run(&["run", "--store", "elsewhere", "--retries", "0", "--", "false"]);
        run.assert_code(1).assert_says(strange);
        shop.call().run(&["recover"]).assert_code(0);
        let free = shop.call().run(&["doctor", "--store", "elsewhere", "--", "true"]);
        assert!(!free.stderr.contains(strange), "{free}");
    }

    fn p6_the_next_run_takes_a_fence_down_before_it_goes_on(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        kill_behind_the_fence(&shop);
        let doctor = shop.call().run(&["doctor", "--", "true"]);
        doctor.assert_says("was interrupted");
        // Behind the fence that still stands nobody can have written.
        shop.database.sql_as_owner("SELECT count(*) FROM users");
        let output = shop.run(&["--fence", "writes"], &["true"]).assert_code(0);
        assert_eq!(output.json()["fence"]["before"], serde_json::Value::Null, "{output}");
        assert_eq!(settings(&shop.database), "");
        shop.database.assert_is(&before);
    }

    fn p6_a_rollback_by_hand_takes_a_left_fence_down(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        kill_behind_the_fence(&shop);
        shop.call().run(&["rollback"]).assert_code(0).assert_says("the fence of run");
        assert_eq!(settings(&shop.database), "");
        shop.database.assert_is(&before);
        shop.call().run(&["recover"]).assert_code(0).assert_says("Nothing to recover");
    }


    fn p6_killed_before_the_tool_starts_the_fence_goes_too(server) {
        let shop = Shop::at_head(server);
        let running = shop.call().start(&["run", "--fence", "writes", "--drill-first", "--", "touch", "started"]);
        let name = shop.database.name();
        // Asked from another database, without a pause: the backup takes a moment.
        shop.database.server().psql("postgres", &format!(
            "DO $$ BEGIN
               LOOP
                 EXIT WHEN EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                                    WHERE d.datname = '{name}');
                 PERFORM pg_sleep(0.001);
               END LOOP;
             END $$"
        ));
        running.signal(Signal::SIGKILL);
        running.finish();
        assert!(settings(&shop.database).contains("read_only=on"), "it was killed too late");
        assert!(!shop.workplace.directory().join("started").exists());
        shop.call().run(&["recover"]).assert_code(0).assert_says("the fence of run");
        assert_eq!(settings(&shop.database), "");
    }

    fn a_setting_of_a_role_everywhere_defeats_the_fence_too(server) {
        let shop = Shop::at_head(server.of_our_own());
        shop.database.sql("CREATE ROLE own_mind LOGIN; ALTER ROLE own_mind SET default_transaction_read_only = off");
        let fenced = || shop.run(&["--fence", "writes"], &["true"]);
        fenced().assert_code(3).assert_says("ALTER ROLE own_mind RESET default_transaction_read_only");
        // Nearer to this database that role says otherwise.
        let name = shop.database.name();
        shop.database.sql(&format!("ALTER ROLE own_mind IN DATABASE \"{name}\" SET default_transaction_read_only = on"));
        fenced().assert_code(0);
        shop.database.sql(&format!("ALTER ROLE own_mind IN DATABASE \"{name}\" RESET ALL; ALTER ROLE own_mind NOLOGIN"));
        fenced().assert_code(0);
    }
}
