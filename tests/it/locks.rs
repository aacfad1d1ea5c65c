//! One state, whatever others do meanwhile: locks, snapshots, workers, retries (spec §3.9, §3.10).

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgbelay::archive::Reader;
use pgbelay::dump::{BackupReport, Destination, DumpOptions, backup};
use pgbelay::error::{Kind, Result};

use crate::data::{Bench, wait};
use crate::support::{Database, Server, gunzip};

/// psql in the background, fed with a script; killed when dropped.
pub struct Background(Child);

impl Background {
    /// As the superuser, under the application name `somebody`.
    pub fn start(database: &Database, script: &str) -> Self {
        Self::start_as("postgres", database, script)
    }

    fn start_as(role: &str, database: &Database, script: &str) -> Self {
        use std::io::Write;
        let mut command = database.server().client("psql", database.name());
        let mut child = command
            .args(["-Xq", "--file=-"])
            .env("PGUSER", role)
            .env("PGAPPNAME", "somebody")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let script = script.to_owned();
        std::thread::spawn(move || {
            drop(pipe.write_all(script.as_bytes()));
            drop(pipe.flush());
        });
        Self(child)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Polls until the query says `t`.
#[track_caller]
pub fn until(database: &Database, condition: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while database.sql(&format!("SELECT {condition}")) != "t" {
        assert!(Instant::now() < deadline, "never true: {condition}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn back_up(bench: &Bench, jobs: usize, table_lock_wait: Duration) -> Result<BackupReport> {
    let options = DumpOptions {
        jobs,
        table_lock_wait,
        ..DumpOptions::default()
    };
    let destination = Destination::Store(&bench.store);
    wait(backup(&bench.target(), &destination, &options, &bench.ctx))
}

const AN_EXCLUSIVE_LOCK_WAITS: &str = "EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
     AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// Numbered objects whose texts come from the server's caches: each step of a loop changes all of
/// a pair in one transaction.
const PAIRS: &str = "
    CREATE TABLE pair (a integer, b text);
    INSERT INTO pair SELECT n, n::text FROM generate_series(1, 500) n;
    CREATE TYPE word AS ENUM ('v0');
    CREATE TABLE said (w word);
    INSERT INTO said VALUES ('v0');
    CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 0';
    CREATE FUNCTION g(x integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT x';
    CREATE VIEW v AS SELECT 0 AS n;
    CREATE TABLE kept (a integer CHECK (a > 0), b integer DEFAULT 0);
    CREATE TABLE extra (a integer);
    INSERT INTO extra VALUES (0);
    CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM pair;
    CREATE INDEX by_text ON pair (b);";

/// Changes the pairs from `n - 1` to `n` in one transaction.
fn step(n: u64) -> String {
    let before = n - 1;
    format!(
        "BEGIN;
         CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT {n}';
         CREATE OR REPLACE VIEW v AS SELECT {n} AS n;
         ALTER TYPE word RENAME VALUE 'v{before}' TO 'v{n}';
         ALTER TABLE kept ALTER COLUMN b SET DEFAULT {n};
         DROP TABLE extra; CREATE TABLE extra (a integer); INSERT INTO extra VALUES ({n});
         COMMENT ON TABLE pair IS '{n}';
         ALTER INDEX by_text RENAME TO by_text_; ALTER INDEX by_text_ RENAME TO by_text;
         GRANT SELECT ON kept TO reader; REVOKE SELECT ON kept FROM reader;
         COMMIT;
         REFRESH MATERIALIZED VIEW m;
         ALTER TABLE pair ADD COLUMN c integer; ALTER TABLE pair DROP COLUMN c;"
    )
}

/// The numbers that an archive's script says; all of one transaction.
fn numbers(script: &str) -> Vec<(&'static str, u64)> {
    let after = |what: &'static str, mark: &str| {
        let start = script
            .find(mark)
            .unwrap_or_else(|| panic!("no {mark:?} in\n{script}"));
        let digits: String = script[start + mark.len()..]
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        (what, digits.parse().expect("a number"))
    };
    let mut found = vec![
        after("function", "SELECT "),
        after("view", "CREATE VIEW public.v AS"),
        after("label", "CREATE TYPE public.word AS ENUM"),
        after("row with the label", "COPY public.said (w) FROM stdin;\nv"),
        after("default", "b integer DEFAULT"),
        after("row", "COPY public.extra (a) FROM stdin;\n"),
        after("comment", "COMMENT ON TABLE public.pair IS"),
    ];
    // The function's body is found by its own text.
    let body = script.find("FUNCTION public.f()").expect("the function");
    let text = &script[body..];
    let start = text.find("SELECT ").expect("a body") + "SELECT ".len();
    let digits: String = text[start..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    found[0].1 = digits.parse().expect("a number");
    found
}

on_servers! {
    /// Objects that one transaction changed together agree in every archive, although another
    /// session changes them in a loop; and every archive restores.
    fn an_archive_holds_one_state_while_definitions_change(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(PAIRS);
        bench.database.sql_as_owner("COMMENT ON TABLE pair IS '0'");
        let (stop, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let definer = {
            let (stop, steps) = (Arc::clone(&stop), Arc::clone(&steps));
            let name = bench.database.name().to_owned();
            std::thread::spawn(move || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    let sql = format!("SET SESSION AUTHORIZATION app; {}", step(n));
                    server.psql(&name, &sql);
                    steps.store(n, Ordering::Relaxed);
                    // Uneven, so that changes fall into every part of a reading.
                    std::thread::sleep(Duration::from_millis(60 + n * 37 % 400));
                }
            })
        };
        let began = Instant::now();
        let mut archives = Vec::new();
        let enough = |archives: &[PathBuf]| archives.len() > 5 && steps.load(Ordering::Relaxed) > 10;
        // Longer on a machine that is busy with something else.
        while began.elapsed() < Duration::from_secs(20)
            || !enough(&archives) && began.elapsed() < Duration::from_secs(180)
        {
            match bench.backup() {
                Ok(report) => archives.push(report.archive),
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        definer.join().expect("the loop of changes ends");
        assert!(
            enough(&archives),
            "{} archives, {} changes", archives.len(), steps.load(Ordering::Relaxed)
        );
        for (place, archive) in archives.iter().enumerate() {
            let script = String::from_utf8(gunzip(archive)).expect("text");
            let found = numbers(&script);
            assert!(
                found.iter().all(|(_, n)| *n == found[0].1),
                "not of one state: {found:?} in {}",
                archive.display()
            );
            if place % 3 == 0 {
                let copy = bench.database.sibling();
                copy.restore_plain(script.as_bytes());
                assert_eq!(copy.sql("SELECT f() = (SELECT n FROM v)"), "t");
                bench.restore_into(&bench.database.sibling(), &Reader::open(archive).expect("an archive"))
                    .expect("a restore");
            }
        }
    }

    /// Locks do not hold a type's labels: one that is renamed while rows are read makes the reading
    /// start over, so that rows and definition have the same label.
    fn a_label_renamed_while_rows_are_read_is_noticed(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TYPE word AS ENUM ('before'); CREATE TABLE b_said (w word); INSERT INTO b_said VALUES ('before');
             CREATE TABLE a_long (t text); INSERT INTO a_long SELECT repeat(md5(n::text), 30) FROM generate_series(1, 300000) n",
        );
        // Renames as soon as the first table's rows are on their way.
        let script = "DO $$ BEGIN
            LOOP
                PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();
                EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%a_long%');
            END LOOP; END $$;
            ALTER TYPE word RENAME VALUE 'before' TO 'after';";
        let _renaming = Background::start(&bench.database, script);
        until(&bench.database, "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'DO%a_long%' AND pid <> pg_backend_pid())");
        let archive = back_up(&bench, 1, Duration::from_secs(5)).expect("a backup").archive;
        assert_eq!(bench.database.sql("SELECT w FROM b_said"), "after", "renamed too late");
        let script = String::from_utf8(gunzip(&archive)).expect("text");
        let copy = bench.database.sibling();
        copy.restore_plain(script.as_bytes());
        assert_eq!(copy.sql("SELECT w FROM b_said"), "after");
    }

    /// A table that is kept locked: bounded wait, exit kind of a failed backup, and who it is.
    fn a_locked_table_is_waited_for_and_its_holder_named(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let holder = Background::start_as(
            "app",
            &bench.database,
            "BEGIN; LOCK TABLE shop.users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600);",
        );
        until(&bench.database, "EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted
                 AND relation = 'shop.users'::regclass)");
        let started = Instant::now();
        let error = back_up(&bench, 2, Duration::from_secs(1)).expect_err("locked");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!(error.kind(), Kind::BackupFailed);
        let text = error.to_string();
        for said in ["shop.users", "somebody", "pg_sleep", "server process", "started 20"] {
            assert!(text.contains(said), "{said} is missing in {text}");
        }
        assert!(error.hints().iter().any(|hint| hint.contains("--table-lock-wait")));
        drop(holder);
        bench.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'somebody' AND datname = current_database()");
        back_up(&bench, 2, Duration::from_secs(20)).expect("a backup once the lock is gone");
    }

    /// A prepared transaction has no process that could be ended.
    fn a_prepared_transaction_that_holds_a_lock_is_named_with_its_end(server) {
        let server = server.with_settings(&[("max_prepared_transactions", "5")]);
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.sql("BEGIN; LOCK TABLE shop.users; PREPARE TRANSACTION 'it''s'");
        let text = back_up(&bench, 1, Duration::from_secs(1)).expect_err("locked").to_string();
        bench.database.sql("ROLLBACK PREPARED 'it''s'");
        assert!(text.contains("the prepared transaction 'it''s' holds an exclusive lock on shop.users"), "{text}");
        assert!(text.contains("to end it: ROLLBACK PREPARED 'it''s'"), "{text}");
    }

    /// A lock that is let go within the wait only delays the backup.
    fn a_lock_that_is_let_go_only_delays_the_backup(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let _holder = Background::start(
            &bench.database,
            "BEGIN; LOCK TABLE shop.users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT;",
        );
        until(&bench.database, "EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted
                 AND relation = 'shop.users'::regclass)");
        back_up(&bench, 2, Duration::from_secs(60)).expect("a backup");
        let notes = bench.recorder.0.lock().expect("notes");
        assert!(notes.iter().any(|note| note.contains("waiting up to 60 s")), "{notes:?}");
    }

    /// The deadlock that the server cannot see: an ACCESS EXCLUSIVE that queues behind the leader
    /// would block every worker that waited. Tables that a worker cannot lock at once go to the leader.
    /// As a REINDEX of shared catalogs does: it waits for the leader, and the witness and new connections
    /// wait for it.
    fn a_queued_lock_on_a_shared_catalog_is_let_through(server) {
        let bench = Bench::empty(server.of_our_own());
        bench.database.sql_as_owner(
            "CREATE TABLE a AS SELECT generate_series(1, 1000) n; CREATE TABLE b AS TABLE a",
        );
        let queued = Background::start(
            &bench.database,
            "SET lock_timeout = 0;
             DO $$ BEGIN
               WHILE NOT EXISTS (SELECT FROM pg_locks d JOIN pg_locks t USING (pid)
                                  WHERE d.relation = 'pg_database'::regclass AND d.granted
                                    AND t.relation = 'a'::regclass AND t.granted) LOOP
                 PERFORM pg_sleep(0.001); COMMIT;
               END LOOP;
             END $$;
             BEGIN; LOCK TABLE pg_database IN ACCESS EXCLUSIVE MODE; COMMIT;",
        );
        until(&bench.database, "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'somebody')");
        let started = Instant::now();
        let report = back_up(&bench, 2, Duration::from_secs(60)).expect("a backup after it");
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        assert_eq!(report.rows, 2000);
        drop(queued);
    }

    fn a_queued_exclusive_lock_sends_the_table_to_the_leader(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE wide (n integer, t text);
             INSERT INTO wide SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 60000) n;
             CREATE TABLE wanted (a integer); INSERT INTO wanted SELECT generate_series(1, 1000);
             CREATE TABLE other (a integer); INSERT INTO other SELECT generate_series(1, 10)",
        );
        // Queues on every table but the largest as soon as the leader holds its locks.
        let queue = |table: &str| {
            Background::start(
                &bench.database,
                &format!(
                    "SET lock_timeout = 0;
                     DO $$ BEGIN
                       WHILE NOT EXISTS (SELECT FROM pg_locks WHERE relation = '{table}'::regclass
                                           AND mode = 'AccessShareLock' AND granted) LOOP
                         PERFORM pg_sleep(0.001); COMMIT;
                       END LOOP;
                     END $$;
                     LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;"
                ).replace("LOCK TABLE", "BEGIN; LOCK TABLE"),
            )
        };
        let _queued = [queue("wanted"), queue("other")];
        until(&bench.database, "(SELECT count(*) = 2 FROM pg_stat_activity WHERE application_name = 'somebody'
                 AND datname = current_database())");
        let started = Instant::now();
        let report = back_up(&bench, 3, Duration::from_secs(30)).expect("a backup in spite of the queue");
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        assert_eq!(report.rows, 61010);
    }

    /// P7: workers are gone when the backup has returned, and rows of many tables come through them.
    fn workers_read_one_snapshot_and_leave(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "DO $$ BEGIN FOR i IN 1..20 LOOP
               EXECUTE format('CREATE TABLE t%s AS SELECT n, repeat(''x'', 100) AS t FROM generate_series(1, %s) n', i, i * 500);
             END LOOP; END $$",
        );
        let writer = Background::start(
            &bench.database,
            "DO $$ BEGIN LOOP
               FOR i IN 1..20 LOOP EXECUTE format('INSERT INTO t%s VALUES (0, ''y'')', i); END LOOP;
               COMMIT; PERFORM pg_sleep(0.01);
             END LOOP; END $$",
        );
        until(&bench.database, "(SELECT count(*) > 3 FROM t20 WHERE n = 0)");
        let report = back_up(&bench, 4, Duration::from_secs(30)).expect("a backup");
        drop(writer);
        let reader = Reader::open(&report.archive).expect("an archive");
        let added = |index: usize| {
            let table = &reader.manifest().tables[index];
            let number: u64 = table.name[1..].parse().expect("a number");
            table.rows - number * 500
        };
        let first = added(0);
        assert!(first > 3);
        assert!((0..20).all(|index| added(index) == first), "tables of one snapshot");
        let left = bench.database.sql(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name LIKE 'pgbelay%'",
        );
        assert_eq!(left, "0");
    }

    /// A worker's connection that dies fails the backup, and leaves no archive.
    fn a_dying_worker_fails_the_backup(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE a AS SELECT n, repeat(md5(n::text), 40) AS t FROM generate_series(1, 80000) n;
             CREATE TABLE b AS SELECT * FROM a",
        );
        let _killer = Background::start(
            &bench.database,
            "DO $$ BEGIN
               WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name LIKE 'pgbelay%worker' AND query LIKE 'COPY%') LOOP
                 PERFORM pg_sleep(0.001); PERFORM pg_stat_clear_snapshot();
               END LOOP;
               PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'pgbelay%worker';
             END $$",
        );
        until(&bench.database, "(SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'somebody'
                 AND datname = current_database())");
        let error = back_up(&bench, 2, Duration::from_secs(30)).expect_err("the worker was ended");
        assert_eq!(error.kind(), Kind::BackupFailed, "{error}");
        assert!(bench.store.archives().expect("a list").is_empty());
        until(&bench.database, "(SELECT count(*) = 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'pgbelay%')");
    }

    /// TRUNCATE is not kept back by a snapshot: a table that is emptied between snapshot and lock
    /// must not be saved as empty.
    fn a_truncation_between_snapshot_and_lock_is_noticed(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE a (n integer); INSERT INTO a SELECT generate_series(1, 100);
             CREATE TABLE state (rows integer); INSERT INTO state VALUES (100)",
        );
        // Holds the lock while the backup takes its snapshot and waits; then empties and commits.
        let _holder = Background::start(
            &bench.database,
            "BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); TRUNCATE a;
             UPDATE state SET rows = 0; COMMIT;",
        );
        until(&bench.database, "EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted
                 AND relation = 'a'::regclass)");
        let reader = bench.archive();
        let script = String::from_utf8(gunzip(reader.path())).expect("text");
        assert!(script.contains("COPY public.state (rows) FROM stdin;\n0\n"), "{script}");
        assert_eq!(reader.manifest().tables.iter().map(|table| table.rows).sum::<u64>(), 1);
    }

    /// A table that becomes a view of the same name while its lock is awaited is never read as
    /// the table, and the view's function does not run (CVE-2024-7348).
    fn a_table_replaced_by_a_view_is_noticed(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE a (n integer); INSERT INTO a VALUES (1);
             CREATE TABLE log (what text);
             CREATE FUNCTION evil() RETURNS integer LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION 'code of the database was run'; END $$",
        );
        let _holder = Background::start(
            &bench.database,
            "SET SESSION AUTHORIZATION app;
             BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); ALTER TABLE a RENAME TO b;
             CREATE VIEW a AS SELECT evil() AS n; COMMIT;",
        );
        until(&bench.database, "EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted
                 AND relation = 'a'::regclass)");
        let reader = bench.archive();
        let names: Vec<&str> = reader.manifest().tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["b", "log"]);
    }
}

/// The server's table of locks is too small for the database: refused before the first lock.
#[test]
fn too_many_tables_for_the_lock_table_are_refused() {
    let Some(server) = Server::of_major(15) else {
        return;
    };
    let bench = Bench::empty(server.with_settings(&[
        ("max_locks_per_transaction", "20"),
        ("max_connections", "10"),
        ("max_worker_processes", "1"),
        ("max_wal_senders", "1"),
        ("autovacuum_max_workers", "1"),
    ]));
    let create = |from: u32, to: u32| {
        for start in (from..to).step_by(20) {
            let tables: String = (start..start + 20)
                .map(|n| format!("CREATE TABLE t{n} (a integer);"))
                .collect();
            bench.database.sql_as_owner(&tables);
        }
    };
    create(0, 20);
    back_up(&bench, 2, Duration::from_secs(5)).expect("a small database fits");
    create(20, 400);
    let error = back_up(&bench, 2, Duration::from_secs(5)).expect_err("no room");
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(error.to_string().contains("400 tables"), "{error}");
    let hint = error.hints().join(" ");
    assert!(hint.contains("max_locks_per_transaction"), "{hint}");
}
