//! P5 after a run has ended: what others committed is not pulled away by the next start, nor by a rollback by hand, unless
//! the operator says so.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Output, Running, Server, Shop};

/// A migration that commits a column and fails; somebody else's write comes and goes while it is at work.
const FAILING: &str = "psql -Xq -c 'ALTER TABLE comps ADD COLUMN half int'; touch half; \
                       while [ ! -e go-on ]; do sleep 0.05; done; exit 1";

fn others(shop: &Shop) -> String {
    shop.database
        .sql("SELECT count(*) FROM users WHERE email LIKE 'other%@y'")
}

fn somebody_writes(shop: &Shop, who: u32) {
    shop.database.sql(&format!(
        "INSERT INTO users (email) VALUES ('other{who}@y')"
    ));
}

/// A run that failed, was withheld, and after whose end somebody wrote again.
fn withheld(server: &'static Server) -> Shop {
    let shop = Shop::at_head(server);
    let running = shop
        .call()
        .start(&["run", "--json", "--", "sh", "-c", FAILING]);
    let half = shop.workplace.directory().join("half");
    while !half.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Whoever watched is gone: nobody is known by name who could be looked for later.
    let ended = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = '{}' AND application_name LIKE 'pgbelay % lock'",
        shop.database.name()
    );
    assert_eq!(server.psql("postgres", &ended), "1");
    somebody_writes(&shop, 1);
    shop.workplace.write("go-on", "");
    running.finish().assert_code(6);
    somebody_writes(&shop, 2);
    shop
}

on_servers! {
    fn p5_a_writer_who_has_left_is_not_forgotten(server) {
        let shop = withheld(server);
        for again in [&["recover", "--json"][..], &["run", "--json", "--", "true"], &["rollback", "--json"]] {
            shop.call().run(again).assert_code(6);
            assert_eq!(others(&shop), "2", "{again:?}");
        }
        shop.call().run(&["doctor", "--", "true"]).assert_code(3).assert_says("its rollback was withheld");
        let plan = shop.call().run(&["rollback", "--plan"]).assert_code(0);
        plan.assert_says("withheld without --discard-other-writes");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        assert_eq!(others(&shop), "0");
        // Settled: nothing is left to be put back.
        shop.call().run(&["rollback"]).assert_code(0);
        shop.call().run(&["run", "--", "true"]).assert_code(0);
    }

    fn p5_a_rollback_by_hand_keeps_what_was_written_after_the_run(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        somebody_writes(&shop, 1);
        let refused = shop.call().run(&["rollback"]).assert_code(6);
        refused.assert_says("after it had ended rows were written").assert_says("--discard-other-writes");
        assert_eq!(others(&shop), "1");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    /// A release back, and one more: between them only pgbelay wrote.
    fn p5_one_rollback_by_hand_follows_another(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        shop.run(&[], &["alembic", "upgrade", "+1"]).assert_code(0);
        let between = shop.database.dump();
        shop.run(&[], &["alembic", "upgrade", "+1"]).assert_code(0);
        let archives = shop.workplace.archives();
        shop.call().run(&["rollback"]).assert_code(0);
        shop.database.assert_is(&between);
        let first = archives[0].display().to_string();
        shop.call().run(&["rollback", &first]).assert_code(0);
        shop.database.assert_is(&before);
    }

    /// What somebody wrote before the first rollback by hand, and it discarded, is no reason later; what was written between two is.
    fn p5_writes_between_two_rollbacks_by_hand_are_kept(server) {
        let shop = Shop::two_behind(server);
        shop.run(&[], &["alembic", "upgrade", "+1"]).assert_code(0);
        shop.run(&[], &["alembic", "upgrade", "+1"]).assert_code(0);
        let archives = shop.workplace.archives();
        shop.call().run(&["rollback"]).assert_code(0);
        somebody_writes(&shop, 1);
        let first = archives[0].display().to_string();
        shop.call().run(&["rollback", &first]).assert_code(6);
        assert_eq!(others(&shop), "1");
    }

    /// A migration that makes the database again: what it made is somebody's, and the command that is told works.
    fn p5_a_database_that_was_made_again_is_another_one(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let name = shop.database.name();
        let script = format!(
            "psql -Xq -d postgres -c 'DROP DATABASE {name} WITH (FORCE)' -c 'CREATE DATABASE {name}'; exit 1"
        );
        let call = || shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        let output = call().run(&["run", "--json", "--", "sh", "-c", &script]).assert_code(6);
        output.assert_says("dropped and made again since it was backed up")
            .assert_says("pgbelay rollback --other-database --discard-other-writes");
        call().run(&["run", "--json", "--", "true"]).assert_code(3).assert_says("its rollback was withheld");
        let archive = shop.workplace.archives()[0].display().to_string();
        call().run(&["rollback", "--other-database", "--discard-other-writes", &archive]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn p5_a_rollback_by_hand_keeps_what_was_defined_after_the_run(server) {
        let shop = Shop::two_behind(server);
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        shop.database.sql_as_owner("CREATE INDEX by_hand ON users (email)");
        shop.call().run(&["rollback"]).assert_code(6).assert_says("definitions were changed");
    }

    /// Others may read, the rest of the server may write: neither is in the way.
    fn a_rollback_by_hand_goes_ahead_where_nobody_wrote(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        assert_eq!(others(&shop), "0");
        server.psql("postgres", "CREATE TEMPORARY TABLE elsewhere (a int); INSERT INTO elsewhere VALUES (1)");
        shop.call().run(&["rollback"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn a_rollback_by_hand_goes_back_over_two_runs(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        shop.run(&[], &["alembic", "upgrade", "+1"]).assert_code(0);
        let first = shop.workplace.archives().remove(0);
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        let archive = first.to_str().unwrap();
        shop.call().run(&["rollback", archive]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn p5_what_was_written_between_two_runs_is_kept(server) {
        let shop = Shop::two_behind(server);
        shop.run(&[], &["alembic", "upgrade", "+1"]).assert_code(0);
        let first = shop.workplace.archives().remove(0);
        somebody_writes(&shop, 1);
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        let archive = first.to_str().unwrap();
        shop.call().run(&["rollback", archive]).assert_code(6).assert_says("between the runs");
        assert_eq!(others(&shop), "1");
    }

    /// What `backup` took is the operator's own, as often as he goes back to it.
    fn an_archive_of_no_run_is_the_operators_own(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        shop.call().run(&["backup", "--output", "own.sql.gz"]).assert_code(0);
        shop.run(&[], &["true"]).assert_code(0);
        for who in 1..3 {
            somebody_writes(&shop, who);
            shop.call().run(&["rollback", "own.sql.gz"]).assert_code(0);
            shop.database.assert_is(&before);
        }
    }

    /// Who wrote and is at work on something long has not told the server yet what it wrote.
    fn p5_what_is_not_counted_yet_counts(server) {
        let shop = Shop::two_behind(server);
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        std::thread::scope(|scope| {
            let database = &shop.database;
            // The first statement's end reports; what follows within a second of it is told later.
            let script = b"SELECT 1;\nINSERT INTO users (email) VALUES ('other1@y');\nSELECT pg_sleep(45);\n";
            scope.spawn(|| std::panic::catch_unwind(|| database.restore_plain(script)));
            while others(&shop) == "0" {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            let refused = shop.call().run(&["rollback"]);
            database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(45)%' AND pid <> pg_backend_pid()");
            refused.assert_code(6);
        });
        assert_eq!(others(&shop), "1");
    }

    fn the_archives_own_store_is_used_and_no_other_directory(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.dump();
        shop.run(&["--store", "elsewhere"], &["alembic", "upgrade", "head"]).assert_code(0);
        let elsewhere = shop.workplace.directory().join("elsewhere");
        let files = || std::fs::read_dir(&elsewhere).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
        let archive = files().find(|name| name.ends_with(".sql.gz")).unwrap();
        shop.call().run(&["rollback", &format!("elsewhere/{archive}")]).assert_code(0);
        shop.database.assert_is(&before);
        assert!(!shop.workplace.store().exists());
        assert!(files().any(|name| name.ends_with("_before-rollback.sql.gz")));
        // A directory that everybody may write to is no store, and an archive may lie there.
        let open = shop.workplace.directory().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        std::fs::copy(elsewhere.join(&archive), open.join("own.sql.gz")).unwrap();
        somebody_writes(&shop, 1);
        shop.call().run(&["rollback", "open/own.sql.gz"]).assert_code(0);
        shop.database.assert_is(&before);
    }
}

/// Lets a run go on that a fault point has stopped, after somebody has written meanwhile.
fn writes_at_the_pause(shop: &Shop, running: Running<'_>) -> Output {
    at_the_pause(shop, running, || somebody_writes(shop, 1))
}

/// As [`writes_at_the_pause`], with something else done meanwhile.
fn at_the_pause(shop: &Shop, mut running: Running<'_>, meanwhile: impl FnOnce()) -> Output {
    let stat = format!("/proc/{}/stat", running.id());
    let is_stopped = || std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") T "));
    let begun = Instant::now();
    while !is_stopped() {
        if running.has_ended() {
            return running.finish();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no pause");
        std::thread::sleep(Duration::from_millis(10));
    }
    meanwhile();
    // A session that is still leaving would be seen by the watch, and this is about those that nobody saw.
    let leaving = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'psql'",
        shop.database.name()
    );
    while shop.database.server().psql("postgres", &leaving) != "0" {
        std::thread::sleep(Duration::from_millis(10));
    }
    if shop.database.server().major < 15 {
        // Another process collects the counts there.
        std::thread::sleep(Duration::from_millis(1_500));
    }
    running.signal(Signal::SIGCONT);
    running.finish()
}

const PAUSE: &str = "journal-roll-back-intent-after=pause";

on_all_servers! {
    /// Between the judgement and the locks lies time: whoever commits then is not pulled away.
    fn p5_what_is_written_before_the_locks_are_had_is_kept(server) {
        for strategy in ["auto", "rebuild"] {
            let shop = Shop::at_head(server);
            let script = "psql -Xq -c 'ALTER TABLE comps ADD COLUMN half int' -c 'SELECT pg_sleep(0.1)'; exit 1";
            let run = ["run", "--json", "--strategy", strategy, "--", "sh", "-c", script];
            let running = shop.call().env("PGBELAY_FAULT", PAUSE).start(&run);
            writes_at_the_pause(&shop, running).assert_code(6).assert_says("before it had its locks");
            assert_eq!(others(&shop), "1", "{strategy}");
            shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
            assert_eq!(others(&shop), "0", "{strategy}");
        }
    }
}

const COMPARE: &str = "compare=pause";

/// The tool's own use of a sequence and a committed change.
const MOVES_AND_ALTERS: &str = "psql -Xq -c \"SELECT nextval('users_id_seq')\" -c 'ALTER TABLE comps ADD COLUMN half int' \
     -c 'SELECT pg_sleep(0.1)' >&2; exit 1";

on_servers! {
    fn p5_what_is_written_while_the_database_is_compared_is_kept(server) {
        let shop = Shop::at_head(server);
        let run = ["run", "--json", "--", "sh", "-c", MOVES_AND_ALTERS];
        let running = shop.call().env("PGBELAY_FAULT", COMPARE).start(&run);
        writes_at_the_pause(&shop, running).assert_code(6);
        assert_eq!(others(&shop), "1");
    }

    /// What others define after the definitions were read is no migration's doing for the next try, which reads them again.
    fn p5_what_is_defined_while_the_rollback_is_at_work_is_kept(server) {
        let shop = Shop::at_head(server);
        let faults = "journal-roll-back-intent-before@3=pause,rollback-commit=error";
        let running = shop.call().env("PGBELAY_FAULT", faults).start(&["run", "--json", "--", "sh", "-c", MOVES_AND_ALTERS]);
        let theirs = "CREATE TABLE theirs AS SELECT 42 AS a";
        at_the_pause(&shop, running, || drop(shop.database.sql(theirs))).assert_code(6).assert_says("definitions were changed");
        assert_eq!(shop.database.sql("SELECT a FROM theirs"), "42");
    }

    /// A pool that retires a connection: it was idle, writes, and is gone before anybody looks again.
    fn p5_who_was_connected_and_leaves_may_have_written(server) {
        let shop = Shop::at_head(server);
        let mut idle = server.client("psql", shop.database.name());
        let mut idle = idle.args(["-Xq", "-d", &shop.database.url()]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("psql");
        let connected = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'psql'";
        let begun = Instant::now();
        while shop.database.sql(connected) != "2" {
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody connects");
        }
        let script = format!("touch at_work; while ! test -e written; do sleep 0.05; done; {MOVES_AND_ALTERS}");
        let running = shop.call().start(&["run", "--json", "--", "sh", "-c", &script]);
        shop.wait_for("at_work");
        let mut input = idle.stdin.take().expect("a pipe");
        input.write_all(b"INSERT INTO users (email) VALUES ('other1@y');\n\\q\n").expect("it reads");
        drop(input);
        assert!(idle.wait().expect("psql ends").success());
        shop.workplace.write("written", "");
        running.finish().assert_code(6);
        assert_eq!(others(&shop), "1");
    }

    /// Comments, settings, default privileges, large objects: nothing of it is counted, and no lock holds it.
    fn p5_what_no_count_tells_is_kept_by_a_rollback_by_hand(server) {
        for change in [
            "COMMENT ON TABLE comps IS 'theirs'",
            "SELECT lo_create(4242)",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader",
            "ALTER DATABASE here SET work_mem = '9MB'",
            "REVOKE CONNECT ON DATABASE here FROM PUBLIC",
            "COMMENT ON DATABASE here IS 'theirs'",
        ] {
            let shop = Shop::two_behind(server);
            shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
            shop.database.sql(&change.replace("here", shop.database.name()));
            let before = shop.database.dump();
            shop.call().run(&["rollback"]).assert_code(6);
            shop.database.assert_is(&before);
        }
    }

    /// What cannot be seen is not taken for nothing.
    fn p5_who_does_not_tell_what_it_does_counts(server) {
        let shop = Shop::at_head(server);
        let script = format!(
            "env PGAPPNAME=web PGOPTIONS='-c track_activities=off' PGUSER=postgres PGHOST={} psql -Xq \
             -c \"INSERT INTO users (email) VALUES ('other1@y')\" -c 'SELECT pg_sleep(0.5)' >&2; {MOVES_AND_ALTERS}",
            server.socket.display()
        );
        // Who sees what all sessions do.
        let url = format!("postgresql://postgres@/{}?host={}&port={}", shop.database.name(), server.socket.display(), server.port);
        let run = ["run", "--json", "--", "sh", "-c", &script];
        let output = shop.call().env("DATABASE_URL", url).run(&run).assert_code(6);
        assert_eq!(others(&shop), "1", "{output}");
    }

    /// `timeout` exits, and the statement of its tool goes on in the server and commits.
    fn p8_a_wrapper_that_gives_up_leaves_a_statement_at_work(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let late = "timeout 1 env PGAPPNAME=own psql -Xq -c 'SELECT pg_sleep(4); CREATE TABLE late (a int)'";
        let output = shop.run(&[], &["sh", "-c", late]);
        let after = shop.database.dump();
        std::thread::sleep(Duration::from_secs(4));
        assert_eq!(shop.database.dump(), after, "{output}");
        if output.code == 1 {
            shop.database.assert_is(&before);
        }
    }

    /// Its commit writes nothing, so that no fence keeps it off.
    fn p5_what_is_prepared_before_the_migration_is_a_persons_affair(server) {
        let server = server.with_settings(&[("max_prepared_transactions", "5")]);
        let shop = Shop::at_head(server);
        let writer = "BEGIN; INSERT INTO users (email) VALUES ('other1@y'); SELECT pg_sleep(4); PREPARE TRANSACTION 'theirs'";
        let mut psql = server.client("psql", shop.database.name());
        let mut psql = psql.args(["-Xq", "-d", &shop.database.url()]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("psql");
        let mut input = psql.stdin.take().expect("a pipe");
        input.write_all(format!("{writer};\n").as_bytes()).expect("it reads");
        drop(input);
        let output = shop.run(&["--fence", "writes"], &["sh", "-c", MOVES_AND_ALTERS]);
        psql.wait().expect("psql ends");
        shop.database.sql("ROLLBACK PREPARED 'theirs'");
        output.assert_code(3).assert_says("prepared transaction theirs");
    }

    /// Whoever waits for a table goes on after the rollback, not between its tries.
    fn p5_who_waits_for_a_table_commits_after_the_rollback(server) {
        let shop = Shop::at_head(server);
        let name = shop.database.name().to_owned();
        let waiting = format!("SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
            WHERE datname = '{name}' AND NOT granted AND locktype = 'relation'");
        let faults = "journal-roll-back-intent-before@3=pause,rollback-commit=error";
        let mut running = shop.call().env("PGBELAY_FAULT", faults).start(&["run", "--json", "--", "sh", "-c", MOVES_AND_ALTERS]);
        running.wait_for_the_pause();
        let insert = "INSERT INTO users (email) VALUES ('other1@y')";
        let mut writer = server.client("psql", &name);
        let mut writer = writer.args(["-Xq", "-c", insert]).spawn().expect("psql");
        let begun = Instant::now();
        while server.psql("postgres", &waiting) == "0" {
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits");
        }
        running.signal(Signal::SIGCONT);
        let output = running.finish().assert_code(1);
        assert!(writer.wait().expect("it ends").success());
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        output.assert_says("trying without changes in place");
        assert_eq!(others(&shop), "1");
    }

    /// Numbers that somebody has are not given out again.
    fn p5_values_that_others_took_from_a_sequence_are_kept(server) {
        let takes = |shop: &Shop| shop.database.sql("SELECT nextval('users_id_seq')");
        // Only sequences moved.
        let shop = Shop::at_head(server);
        let moves = "psql -Xq -c \"SELECT nextval('users_id_seq')\" -c 'SELECT pg_sleep(0.1)' >&2; exit 1";
        let running = shop.call().env("PGBELAY_FAULT", COMPARE).start(&["run", "--json", "--", "sh", "-c", moves]);
        let mut taken = String::new();
        let output = at_the_pause(&shop, running, || taken = takes(&shop)).assert_code(1);
        assert_eq!(output.json()["outcome"], "unchanged", "{output}");
        output.assert_says("sequences moved on and were left there");
        assert_ne!(takes(&shop), taken);
        // Between the judgement and the locks.
        let run = ["run", "--json", "--", "sh", "-c", MOVES_AND_ALTERS];
        let running = shop.call().env("PGBELAY_FAULT", PAUSE).start(&run);
        let output = at_the_pause(&shop, running, || taken = takes(&shop)).assert_code(6);
        output.assert_says("values were taken from sequences");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        // Nobody takes one while the rollback is at work.
        for strategy in ["repair", "rebuild"] {
            let mut run = run.to_vec();
            run.splice(1..1, ["--strategy", strategy]);
            let running = shop.call().env("PGBELAY_FAULT", "rollback-commit=pause").start(&run);
            let waits = || {
                let mut psql = server.client("psql", shop.database.name());
                let output = psql.args(["-Xc", "SELECT nextval('users_id_seq')"]).env("PGOPTIONS", "-c lock_timeout=200ms").output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(said.contains("lock timeout"), "{strategy}: {said}");
            };
            let output = at_the_pause(&shop, running, waits).assert_code(1);
            assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        }
    }

    fn p5_by_hand_neither(server) {
        let shop = Shop::two_behind(server);
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        let running = shop.call().env("PGBELAY_FAULT", PAUSE).start(&["rollback", "--json"]);
        writes_at_the_pause(&shop, running).assert_code(6).assert_says("before it had its locks");
        assert_eq!(others(&shop), "1");
    }

    fn p5_what_is_written_between_two_attempts_is_kept(server) {
        let shop = Shop::at_head(server);
        let script = "if [ ! -e first ]; then touch first; echo 'ERROR: deadlock detected' >&2; exit 1; fi
            psql -Xq -c 'ALTER TABLE comps ADD COLUMN half int' -c 'SELECT pg_sleep(0.1)'; exit 1";
        let running = shop.call().start(&["run", "--json", "--", "sh", "-c", script]);
        while !shop.workplace.directory().join("first").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Judged, and waiting for the second attempt.
        std::thread::sleep(Duration::from_millis(450));
        somebody_writes(&shop, 1);
        running.finish().assert_code(6);
        assert_eq!(others(&shop), "1");
    }

    /// Nobody watches others any more: another attempt would have to be withheld whatever it does.
    fn a_run_that_lost_its_lock_does_not_try_again(server) {
        let shop = Shop::at_head(server);
        let script = "psql -Xqc \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name LIKE 'pgbelay % lock'\" -c 'SELECT pg_sleep(0.1)';
            echo 'ERROR: deadlock detected' >&2; exit 1";
        let output = shop.call().run(&["run", "--json", "--", "sh", "-c", script]).assert_code(1);
        let json = output.json();
        assert_eq!((&json["outcome"], &json["attempts"]), (&"unchanged".into(), &1.into()), "{output}");
    }
}
