//! `--proof counters` is not fooled: what the server forgot, never counted, has not been told yet, or cannot count is
//! read instead (docs/rollback.md §3). Judged by `pg_dump`, and by content, which counts know nothing of.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use pgbelay::archive::Reader;
use pgbelay::context::{Clock, SystemClock};
use pgbelay::pg::{self, Sql};
use pgbelay::rollback::{ProofMode, RollbackOptions, RollbackReport};

use crate::data::{Bench, wait};

/// Two tables that look the same and hold other rows, and names of them.
const BEFORE: &str = "
    CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, 't' || i FROM generate_series(1, 200) i;
    CREATE TABLE one (k int); CREATE TABLE two (k int); INSERT INTO one VALUES (7); INSERT INTO two VALUES (7);
    CREATE TYPE named AS (relation regclass, n int); CREATE DOMAIN calls AS regproc[];
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 2';
    CREATE TABLE names (relation regclass, call regproc); INSERT INTO names VALUES ('one', 'f');
    CREATE TABLE deep (pair named, list calls); INSERT INTO deep VALUES (ROW('one', 1), '{f,g}');
    CREATE TABLE twins (x text, y text); CREATE TABLE child (z int) INHERITS (twins);
    INSERT INTO twins VALUES ('x', 'y'); INSERT INTO child VALUES ('cx', 'cy', 1);
    CREATE TYPE mood AS ENUM ('calm', 'wild'); CREATE TABLE moods (m mood); INSERT INTO moods VALUES ('calm');
";

/// A client's clock that was set back by a day.
struct Behind;

impl Clock for Behind {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() - TimeDelta::days(1)
    }
}

/// A rollback that trusts counts.
#[track_caller]
fn rolled_back(bench: &Bench, reader: &Reader, before: &str) -> RollbackReport {
    let options = RollbackOptions {
        proof: ProofMode::Counters,
        ..RollbackOptions::default()
    };
    let report = bench.roll_back_with(reader, &options);
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    bench.database.assert_is(before);
    let difference = bench.difference(reader);
    assert!(
        difference.is_empty(),
        "{report:?}\n{:?}",
        difference.lines()
    );
    report
}

/// Every row was read, and the proof says why.
#[track_caller]
fn assert_read(report: &RollbackReport, why: &str) {
    assert!(report.proof.starts_with("content: "), "{}", report.proof);
    assert!(report.proof.contains(why), "{}", report.proof);
}

/// Something that a repair is needed for, besides what is looked at.
const VISIBLE: &str = "CREATE TABLE made ()";

on_all_servers! {
    /// Names of objects in rows change with the objects' names; nothing is written for that.
    fn p3_rows_that_hold_names_are_read(server) {
        let bench = Bench::settled(server, BEFORE);
        let before = bench.database.dump();
        for swap in [
            "ALTER TABLE one RENAME TO none; ALTER TABLE two RENAME TO one; ALTER TABLE none RENAME TO two",
            "ALTER FUNCTION f RENAME TO h; ALTER FUNCTION g RENAME TO f; ALTER FUNCTION h RENAME TO g",
            "ALTER TABLE twins RENAME x TO t; ALTER TABLE twins RENAME y TO x; ALTER TABLE twins RENAME t TO y",
            "ALTER TYPE mood RENAME VALUE 'calm' TO 'x'; ALTER TYPE mood RENAME VALUE 'wild' TO 'calm'; ALTER TYPE mood RENAME VALUE 'x' TO 'wild'",
        ] {
            let reader = bench.archive();
            bench.database.sql_as_owner(&format!("{swap}; {VISIBLE}"));
            let report = rolled_back(&bench, &reader, &before);
            let word = if server.major < 15 { "content: " } else { "counters: " };
            assert!(report.proof.starts_with(word), "{}", report.proof);
        }
    }
}

on_all_servers! {
    /// A table that a repair makes again is another one for whoever holds its name as `regclass`: those rows are
    /// not written to, and are put back all the same.
    fn p3_names_in_rows_follow_what_a_repair_makes_again(server) {
        let bench = Bench::settled(server, BEFORE);
        let before = bench.database.dump();
        for proof in [ProofMode::Content, ProofMode::Counters] {
            let reader = bench.archive();
            bench.database.sql_as_owner("ALTER TABLE one ALTER COLUMN k TYPE bigint; DROP FUNCTION g; \
                CREATE FUNCTION g() RETURNS bigint LANGUAGE sql AS 'SELECT 2::bigint'");
            let options = RollbackOptions { proof, ..RollbackOptions::default() };
            bench.roll_back_with(&reader, &options).expect("a rollback");
            bench.database.assert_is(&before);
        }
    }
}

on_servers! {
    fn p3_a_crash_loses_counts(server) {
        let bench = Bench::settled(server.of_our_own(), BEFORE);
        let before = bench.database.dump();
        let reader = bench.archive();
        bench.database.sql_as_owner(&format!("UPDATE t SET b = 'x' WHERE a = 1; {VISIBLE}"));
        // What is committed without waiting for the disk may be lost as well.
        bench.database.sql("CHECKPOINT");
        bench.database.server().crash_and_recover();
        let report = rolled_back(&bench, &reader, &before);
        assert_read(&report, "started after the backup");
    }

    /// The server's own clock tells that it was started since the backup, whatever a client's says.
    fn p3_a_clock_that_was_set_back_hides_no_crash(server) {
        let mut bench = Bench::settled(server.of_our_own(), BEFORE);
        let before = bench.database.dump();
        let reader = bench.archive();
        bench.database.sql_as_owner(&format!("UPDATE t SET b = 'x' WHERE a = 1; {VISIBLE}"));
        bench.database.sql("CHECKPOINT");
        bench.database.server().crash_and_recover();
        bench.ctx.clock = Arc::new(Behind);
        let report = rolled_back(&bench, &reader, &before);
        assert_read(&report, "started after the backup");
    }

    fn p3_a_server_that_does_not_count_is_not_asked(server) {
        let bench = Bench::settled(server.with_settings(&[("track_counts", "off")]), BEFORE);
        let before = bench.database.dump();
        let reader = bench.archive();
        bench.database.sql_as_owner(&format!("UPDATE t SET b = 'x' WHERE a = 1; {VISIBLE}"));
        assert_read(&rolled_back(&bench, &reader, &before), "track_counts is off");
    }

    fn p3_nor_one_that_does_not_count_for_somebody(server) {
        let bench = Bench::settled(server.of_our_own(), BEFORE);
        bench.database.sql("CREATE ROLE uncounted; ALTER ROLE uncounted SET track_counts = off");
        let before = bench.database.dump();
        let reader = bench.archive();
        bench.database.sql_as_owner(&format!("UPDATE t SET b = 'x' WHERE a = 1; {VISIBLE}"));
        assert_read(&rolled_back(&bench, &reader, &before), "track_counts is off");
    }

    fn p3_one_table_whose_counts_were_reset_is_enough(server) {
        let bench = Bench::settled(server, BEFORE);
        let before = bench.database.dump();
        let reader = bench.archive();
        bench.database.sql("DELETE FROM t");
        bench.database.sql("SELECT pg_stat_reset_single_table_counters('t'::regclass)");
        bench.database.sql_as_owner(&format!("INSERT INTO t SELECT i, 'other' || i FROM generate_series(1, 200) i; {VISIBLE}"));
        assert_read(&rolled_back(&bench, &reader, &before), "reset");
    }

    /// A session that committed and then idles keeps its counts to itself for seconds.
    fn p3_a_session_that_did_not_report_yet_is_waited_for_by_nobody(server) {
        let bench = Bench::settled(server, BEFORE);
        let before = bench.database.dump();
        let reader = bench.archive();
        let quiet = wait(async {
            let session = pg::connect(&bench.target(), pg::Purpose::Facts, &bench.ctx).await.expect("a session");
            for sql in ["SET application_name = 'other'", "CREATE TABLE public.made ()", "SELECT pg_sleep(1.2)", "UPDATE public.t SET b = 'x' WHERE a = 1"] {
                session.execute(&Sql::deparsed(sql.to_owned())).await.expect("a statement");
            }
            let options = RollbackOptions { proof: ProofMode::Counters, ..RollbackOptions::default() };
            let report = pgbelay::rollback::roll_back(&bench.target(), &reader, &bench.store, &options, &bench.ctx).await;
            session.close().await;
            report.expect("a rollback")
        });
        bench.database.assert_is(&before);
        assert_read(&quiet, "not counted yet");
    }

    /// What is prepared is counted when somebody else commits it.
    fn p3_a_prepared_transaction_is_counted(server) {
        let bench = Bench::settled(server.with_settings(&[("max_prepared_transactions", "5")]), BEFORE);
        let before = bench.database.dump();
        let reader = bench.archive();
        bench.database.sql_as_owner("BEGIN; DELETE FROM t WHERE a < 9; PREPARE TRANSACTION 'p'");
        bench.database.sql_as_owner("CREATE TABLE made ()");
        // As the role that prepared it, or a superuser; in no transaction.
        bench.database.sql("COMMIT PREPARED 'p'");
        let report = rolled_back(&bench, &reader, &before);
        assert!(report.proof.starts_with("counters: "), "{}", report.proof);
    }
}
