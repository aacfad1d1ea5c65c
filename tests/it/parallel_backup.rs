//! Tables that several connections read in ranges of blocks: the archive holds what one connection
//! would have read, whatever the table looks like and whoever writes to it meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use pgbelay::archive::{MemberKind, Reader, TableRecord};
use pgbelay::dump::{Destination, DumpOptions, backup};
use pgbelay::error::{Kind, Result};
use pgbelay::pg::Target;

use crate::data::{Bench, wait};
use crate::locks::{Background, until};
use crate::support::{Database, gunzip, server_for_the_first};

/// Tables of a few blocks are then read in ranges of one or two.
const TINY: u64 = 16 << 10;

fn options(jobs: usize, unit_bytes: u64) -> DumpOptions {
    DumpOptions {
        jobs,
        streams: Some(u64::MAX),
        unit_bytes,
        ..DumpOptions::default()
    }
}

fn archive(bench: &Bench, file: &str, options: &DumpOptions) -> Result<Reader> {
    let destination = Destination::File(bench.path(file));
    let report = wait(backup(&bench.target(), &destination, options, &bench.ctx))?;
    Reader::open(&report.archive)
}

/// The rows of every table's COPY statements, sorted.
fn rows(archive: &Path) -> BTreeMap<String, Vec<String>> {
    let script = String::from_utf8(gunzip(archive)).expect("text");
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("COPY ") {
            let rows = lines.by_ref().take_while(|row| *row != "\\.");
            let found = tables.entry(line.to_owned()).or_default();
            found.extend(rows.map(str::to_owned));
        }
    }
    tables.values_mut().for_each(|rows| rows.sort_unstable());
    tables
}

/// Members with rows of a table.
fn members(reader: &Reader, name: &str) -> usize {
    let manifest = reader.manifest();
    let is_it = |table: &TableRecord| table.name == name;
    let table = manifest.tables.iter().position(is_it).expect("the table");
    let of_table = manifest.members.iter().filter(|member| {
        member.kind == MemberKind::Data && member.table.is_some_and(|of| of as usize == table)
    });
    of_table.count()
}

/// Heaps of every shape: holes, dead and moved rows, few blocks with much TOAST, dropped and
/// generated columns, names that need quoting, a parent with rows of its own and a child, rows with
/// escapes; and tables that have no ranges.
const SHAPES: &str = r#"
    CREATE TABLE plain (n integer, t text);
    INSERT INTO plain SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
    CREATE TABLE holes (n integer, t text);
    INSERT INTO holes SELECT n, repeat('x', 200) FROM generate_series(1, 6000) n;
    DELETE FROM holes WHERE n BETWEEN 500 AND 3000 OR n > 5500;
    UPDATE holes SET t = 'new' || n WHERE n % 7 = 0;
    CREATE TABLE emptied AS SELECT n FROM generate_series(1, 9000) n; DELETE FROM emptied;
    CREATE TABLE wide (n integer, t text, b bytea);
    ALTER TABLE wide ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
    INSERT INTO wide SELECT n, repeat(md5(n::text), 500), decode(repeat(md5(n::text), 300), 'hex')
      FROM generate_series(1, 400) n;
    CREATE TABLE "odd ""name""" ("a b" text, gone integer, "ctid ?" integer,
      twice integer GENERATED ALWAYS AS (2 * "ctid ?") STORED);
    INSERT INTO "odd ""name""" SELECT E'\\.\t\n\r\\' || n, n, n FROM generate_series(1, 5000) n;
    ALTER TABLE "odd ""name""" DROP gone;
    CREATE TABLE parent (n integer, t text);
    CREATE TABLE child (more text) INHERITS (parent);
    INSERT INTO parent SELECT n, repeat('p', 50) FROM generate_series(1, 4000) n;
    INSERT INTO child SELECT n, repeat('c', 50), 'more' FROM generate_series(1, 4000) n;
    CREATE TABLE root (n integer, t text) PARTITION BY RANGE (n);
    CREATE TABLE leaf1 PARTITION OF root FOR VALUES FROM (0) TO (5000);
    CREATE TABLE leaf2 PARTITION OF root FOR VALUES FROM (5000) TO (20000);
    INSERT INTO root SELECT n, md5(n::text) FROM generate_series(1, 9000) n;
    CREATE TABLE nothing (); INSERT INTO nothing SELECT FROM generate_series(1, 5000);
    CREATE TABLE empty (n integer);
    CREATE SCHEMA "my schema"; CREATE TABLE "my schema".t (n integer);
    INSERT INTO "my schema".t SELECT generate_series(1, 9000);
"#;

on_servers! {
    /// Read in ranges, every table has the rows, the bytes and the digest that it has when one
    /// connection reads it whole; and the archive restores to the same rows.
    fn ranges_give_what_one_stream_gives(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(SHAPES);
        let whole = archive(&bench, "whole.sql.gz", &options(1, TINY)).expect("a backup");
        let split = archive(&bench, "split.sql.gz", &options(3, TINY)).expect("a backup in ranges");
        for (one, other) in whole.manifest().tables.iter().zip(&split.manifest().tables) {
            assert_eq!(one, other);
        }
        assert_eq!(rows(whole.path()), rows(split.path()));
        for (name, more) in [("plain", 60), ("holes", 20), ("wide", 2), ("odd \"name\"", 10), ("leaf2", 10), ("t", 10)] {
            let (whole, split) = (members(&whole, name), members(&split, name));
            assert!(split >= whole + more, "{name}: {split} members instead of {whole}");
        }
        assert_eq!((members(&split, "nothing"), members(&split, "emptied")), (1, 0));
        let copy = bench.database.sibling();
        bench.restore_into(&copy, &split).expect("a restore");
        let again = Bench::on(copy);
        let again = archive(&again, "again.sql.gz", &options(1, TINY)).expect("a backup of the copy");
        assert_eq!(rows(again.path()), rows(split.path()));
    }

    /// A database in an encoding of its own: its bytes come through ranges as they are.
    fn ranges_keep_the_bytes_of_any_encoding(server) {
        let bench = Bench::on(Database::with(server, "ENCODING 'LATIN1' LOCALE 'C'"));
        bench.database.sql_as_owner(
            "CREATE TABLE t (n integer, t text);
             INSERT INTO t SELECT n, chr(160 + n % 90) || n FROM generate_series(1, 9000) n",
        );
        let whole = archive(&bench, "whole.sql.gz", &options(1, TINY)).expect("a backup");
        let split = archive(&bench, "split.sql.gz", &options(2, TINY)).expect("a backup in ranges");
        assert_eq!(whole.manifest().tables, split.manifest().tables);
        assert!(members(&split, "t") > 10);
    }

    /// Each range reads its own blocks: all ranges together read every row once, although the
    /// database forbids scans of ranges and nobody ever analyzed the table.
    fn every_row_is_read_once(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE t (n integer); INSERT INTO t SELECT generate_series(1, 50000)",
        );
        bench.database.sql(&format!("ALTER DATABASE {} SET enable_tidscan = off", bench.database.name()));
        let counted = || -> u64 {
            let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 't'";
            bench.database.sql(read).parse().expect("a number")
        };
        let split = archive(&bench, "split.sql.gz", &options(3, TINY));
        assert!(members(&split.expect("a backup"), "t") > 50);
        until(&bench.database, "(SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 't') >= 50000");
        // What sessions count arrives after they have ended.
        std::thread::sleep(Duration::from_millis(1500));
        assert!((50_000..100_000).contains(&counted()), "{}", counted());
    }

    /// Rows that land while the backup runs, far beyond the size that was read first, are in it as
    /// the snapshot says: all of a transaction or nothing.
    fn rows_beyond_the_size_first_read_are_those_of_the_snapshot(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE grows (n integer, t text); CREATE TABLE steps (n integer);
             INSERT INTO grows SELECT n, repeat('x', 500) FROM generate_series(1, 1000) n;
             INSERT INTO steps SELECT generate_series(1, 10)",
        );
        let writer = Background::start(
            &bench.database,
            "DO $$ BEGIN LOOP
               INSERT INTO grows SELECT n, repeat('y', 500) FROM generate_series(1, 100) n;
               INSERT INTO steps VALUES (0); DELETE FROM grows WHERE n = 50;
               INSERT INTO grows VALUES (50, 'z'); COMMIT;
             END LOOP; END $$",
        );
        until(&bench.database, "(SELECT count(*) > 20 FROM steps)");
        let mut found = Vec::new();
        for turn in 0..5 {
            let reader = archive(&bench, &format!("{turn}.sql.gz"), &options(3, TINY)).expect("a backup");
            let count = |place: usize| reader.manifest().tables[place].rows;
            found.push((count(0), count(1)));
            assert!(members(&reader, "grows") > 30);
        }
        drop(writer);
        // Each step leaves 99 rows of its own and one for all, until the next.
        for (grown, steps) in &found {
            let after = steps - 10;
            assert_eq!(*grown, 999 + after * 99 + 1, "{found:?}");
        }
        assert!(found[0].1 < found[4].1, "nobody wrote meanwhile: {found:?}");
    }

    /// A worker whose connection ends in the middle of a table's ranges fails the backup: the
    /// ranges of others make no archive.
    fn a_worker_that_dies_between_ranges_fails_the_backup(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE a AS SELECT n, repeat(md5(n::text), 40) AS t FROM generate_series(1, 80000) n",
        );
        let _killer = Background::start(
            &bench.database,
            "DO $$ BEGIN
               WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name LIKE 'pgbelay%worker' AND query LIKE 'COPY (%ctid%') LOOP
                 PERFORM pg_sleep(0.001); PERFORM pg_stat_clear_snapshot();
               END LOOP;
               PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'pgbelay%worker';
             END $$",
        );
        until(&bench.database, "(SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'somebody'
                 AND datname = current_database())");
        let error = archive(&bench, "a.sql.gz", &options(2, 1 << 20)).expect_err("the worker was ended");
        assert_eq!(error.kind(), Kind::BackupFailed, "{error}");
        assert!(!bench.path("a.sql.gz").exists());
    }

    /// Ranges that workers cannot lock at once go to the leader, who owns the lock, and the table
    /// is whole.
    fn ranges_of_a_wanted_table_go_to_the_leader(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE wanted (n integer, t text);
             INSERT INTO wanted SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, 50000) n",
        );
        let _queued = Background::start(
            &bench.database,
            "DO $$ BEGIN
               WHILE NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'wanted'::regclass
                                   AND mode = 'AccessShareLock' AND granted) LOOP
                 PERFORM pg_sleep(0.001); COMMIT;
               END LOOP;
               SET LOCAL lock_timeout = 0;
               LOCK TABLE wanted IN ACCESS EXCLUSIVE MODE;
             END $$",
        );
        until(&bench.database, "(SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'somebody'
                 AND datname = current_database())");
        let reader = archive(&bench, "a.sql.gz", &options(3, 64 << 10)).expect("a backup in spite of the queue");
        let record = &reader.manifest().tables[0];
        assert_eq!(record.rows, 50_000);
    }

    /// Where the server allows fewer connections, fewer read, down to the leader alone; it is told,
    /// and every range is there.
    fn fewer_connections_read_the_same(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE TABLE t (n integer); INSERT INTO t SELECT generate_series(1, 30000)");
        // The leader and the session that watches it count too.
        for (limit, reading) in [(3, 1), (2, 1), (4, 2)] {
            let name = bench.database.name();
            bench.database.sql(&format!("ALTER DATABASE {name} CONNECTION LIMIT {limit}"));
            let reader = archive(&bench, &format!("{limit}.sql.gz"), &options(4, TINY)).expect("a backup");
            assert_eq!(reader.manifest().tables[0].rows, 30_000);
            let notes = bench.recorder.0.lock().expect("notes").clone();
            let told = format!("reads with {reading} instead of 4 connections");
            assert!(notes.last().is_some_and(|note| note.contains(&told)), "{notes:?}");
        }
    }

    /// Connections that nobody answers (somebody waits for a shared catalog, say) are waited for no longer than
    /// agreed: those that are there read everything.
    fn connections_that_do_not_come_are_gone_without(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE TABLE t (n integer); INSERT INTO t SELECT generate_series(1, 30000)");
        // The leader and the session that watches it come first.
        for (served, reading) in [(2, 1), (4, 2)] {
            let port = server_for_the_first(server, served);
            let target = Target::new("127.0.0.1", port, bench.database.name(), "app");
            let options = DumpOptions { worker_wait: Duration::from_millis(1500), ..options(4, TINY) };
            let destination = Destination::File(bench.path(&format!("{served}.sql.gz")));
            let started = Instant::now();
            let report = wait(backup(&target, &destination, &options, &bench.ctx)).expect("a backup");
            let agreed = options.worker_wait..DumpOptions::default().worker_wait;
            assert!(agreed.contains(&started.elapsed()), "{:?}", started.elapsed());
            assert_eq!((report.rows, report.tables), (30_000, 1));
            let notes = bench.recorder.0.lock().expect("notes").clone();
            let told = format!("reads with {reading} instead of 4 connections: it took too long");
            assert!(notes.last().is_some_and(|note| note.contains(&told)), "{notes:?}");
        }
    }

    /// A connect_timeout shorter than that is no reason to end a backup either.
    fn connections_that_fail_are_gone_without(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE TABLE t (n integer); INSERT INTO t SELECT generate_series(1, 30000)");
        let port = server_for_the_first(server, 3);
        let mut target = Target::new("127.0.0.1", port, bench.database.name(), "app");
        target.connect_timeout = Some(Duration::from_secs(1));
        let destination = Destination::File(bench.path("one.sql.gz"));
        let report = wait(backup(&target, &destination, &options(4, TINY), &bench.ctx)).expect("a backup");
        assert_eq!(report.rows, 30_000);
        let notes = bench.recorder.0.lock().expect("notes").clone();
        assert!(notes.last().is_some_and(|note| note.contains("reads with 1 instead of 4 connections: ")), "{notes:?}");
    }
}
