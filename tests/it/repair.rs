//! The repair rung: only what a failed migration changed is put back, judged by real pg_dump and by content.

use pgbelay::archive::Reader;
use pgbelay::error::Kind;
use pgbelay::rollback::{ProofMode, RollbackOptions, RollbackReport, Rung, Strategy, roll_back};

use crate::data::{Bench, wait};
use crate::rollback::{Blocker, DAMAGE};
use crate::support::{Database, Workplace};

/// Stored results of functions that read by name what they need.
const SEARCHED: &str = "
CREATE TEXT SEARCH CONFIGURATION doc (COPY = simple);
CREATE DOMAIN short AS text CONSTRAINT few CHECK (length(VALUE) < 1000);
CREATE VIEW rates AS SELECT 2 AS rate;
CREATE FUNCTION words(t text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN to_tsvector(''public.doc'', t::public.short) || (SELECT to_tsvector(''simple'', rate::text) FROM public.rates); END';
CREATE TABLE art (id integer PRIMARY KEY, body text, ts tsvector GENERATED ALWAYS AS (words(body)) STORED);
CREATE TABLE note (id integer PRIMARY KEY, body text); CREATE INDEX note_words ON note USING gin (words(body));
CREATE TABLE built_in (id integer PRIMARY KEY, g integer GENERATED ALWAYS AS (id + 1) STORED); CREATE INDEX ON built_in (abs(id));
INSERT INTO art SELECT n, 'the runners running ' || n FROM generate_series(1, 500) n; INSERT INTO note SELECT id, body FROM art;
INSERT INTO built_in SELECT n FROM generate_series(1, 5000) n;
";

/// Rows of `art` that hold what the function no longer returns; what its index finds of one row of `note`.
const STALE: &str = "SET enable_seqscan = off; SELECT \
    (SELECT count(*) FROM art WHERE ts <> words(body)) || '|' || \
    (SELECT count(*) FROM note WHERE words(body) @@ to_tsquery('simple', 'running & 77 & 2'))";

/// Only the repair rung may be taken.
fn repair_only() -> RollbackOptions {
    RollbackOptions {
        rung: Rung::Repair,
        ..RollbackOptions::default()
    }
}

#[track_caller]
fn repaired(bench: &Bench, reader: &Reader, before: &str, damage: &str) -> RollbackReport {
    bench.database.sql_as_owner(damage);
    let report = bench.roll_back_with(reader, &repair_only());
    let report = report.unwrap_or_else(|error| panic!("{damage}\n{error}"));
    assert_eq!(report.strategy, Strategy::Repair, "{damage}");
    bench.database.assert_is(before);
    let difference = bench.difference(reader);
    assert!(difference.is_empty(), "{damage}\n{:?}", difference.lines());
    report
}

/// Damage that takes a rebuild: `public` itself is gone.
fn takes_a_rebuild(damage: &str) -> bool {
    damage.starts_with("DROP SCHEMA public")
}

on_three_servers! {
    /// P3: everything that a rebuild undoes a repair undoes, too, and no more than that.
    fn p3_a_repair_is_proven(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.own_public();
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in DAMAGE.into_iter().filter(|damage| !takes_a_rebuild(damage)) {
            let report = repaired(&bench, &reader, &before, damage);
            assert!(report.proof.starts_with("content: "), "{}", report.proof);
            assert!(report.saved.is_some(), "P4: {damage}");
        }
    }

    /// What a repair cannot do the next rung does; told to stay on this one it changes nothing.
    fn the_next_rung_is_taken(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.own_public();
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner("DROP SCHEMA public CASCADE");
        let damaged = bench.database.dump();
        let error = bench.roll_back_with(&reader, &repair_only()).expect_err("no repair");
        assert_eq!(error.kind(), Kind::InDoubt);
        assert!(error.database_now().expect("a state").contains("did not commit"), "{error}");
        bench.database.assert_is(&damaged);
        let report = bench.roll_back(&reader).expect("a rollback");
        assert_eq!(report.strategy, Strategy::Rebuild);
        bench.database.assert_is(&before);
    }

    /// P4: what a repair takes away is saved, and restored beside the database it is what it was; nothing is
    /// put back to such a part.
    fn p4_what_goes_is_saved_first(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        let damage = "UPDATE shop.users SET name = 'half done';
                      CREATE TABLE shop.made (a integer PRIMARY KEY, b shop.email);
                      INSERT INTO shop.made VALUES (1, 'a@b.example');
                      ALTER TABLE shop.fast ADD COLUMN note text;
                      UPDATE shop.fast SET note = 'kept' WHERE n = 2;
                      CREATE OR REPLACE VIEW shop.new AS SELECT a FROM shop.made";
        let report = repaired(&bench, &reader, &before, damage);
        let saved = Reader::open(&report.saved.expect("P4")).expect("an archive");
        assert!(saved.manifest().partial);
        let copy = bench.database.sibling();
        bench.restore_by("postgres", &copy, &saved).expect("a restore of what was saved");
        assert_eq!(copy.sql("SELECT count(DISTINCT name) FROM shop.users"), "1");
        assert_eq!(copy.sql("SELECT b FROM shop.made"), "a@b.example");
        assert_eq!(copy.sql("SELECT a FROM shop.new"), "1");
        assert_eq!(copy.sql("SELECT count(*) FROM shop.fast WHERE note = 'kept'"), "1");
        // Nothing happened to it and nothing that was saved needs it.
        assert_eq!(copy.sql("SELECT to_regclass('shop.listings') IS NULL"), "t");
        let error = bench.roll_back(&saved).expect_err("a part");
        assert_eq!(error.kind(), Kind::Refused);
    }

    /// Tables that nobody wrote to are not read where the operator asked for that, and the proof says so; before 15
    /// every row is read.
    fn counters_spare_what_nobody_wrote_to(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        let report = by_counters(&bench, &reader, &before, "ALTER TABLE shop.users ADD COLUMN queued text; \
            DELETE FROM shop.fast WHERE n = 2; CREATE INDEX more ON shop.users (name)");
        if server.major < 15 {
            assert!(report.proof.starts_with("content: "), "{}", report.proof);
            assert!(report.proof.contains("counts may get lost"), "{}", report.proof);
            return;
        }
        assert!(report.proof.starts_with("counters: "), "{}", report.proof);
        assert!(report.proof.contains(" NOT read"), "{}", report.proof);
        // Written to and unwritten again: read, and found equal.
        let report = by_counters(&bench, &reader, &before, "UPDATE shop.users SET name = 'x' WHERE false; \
            DELETE FROM shop.fast WHERE n = 2; INSERT INTO shop.fast VALUES (2); CREATE TABLE shop.more ()");
        assert!(report.proof.starts_with("counters: "), "{}", report.proof);
    }

    /// What no count shows: a column that was dropped and added again, a table that was made again, TRUNCATE.
    fn p3_counters_are_not_fooled(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.sql_as_owner("CREATE TABLE shop.notes (a integer, note text); \
            INSERT INTO shop.notes SELECT n, 'n' || n FROM generate_series(1, 100) n");
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in [
            "ALTER TABLE shop.notes DROP COLUMN note; ALTER TABLE shop.notes ADD COLUMN note text",
            "DROP TABLE shop.notes; CREATE TABLE shop.notes (a integer, note text)",
            "TRUNCATE shop.notes",
            "ALTER TABLE shop.notes ALTER COLUMN note TYPE text USING 'x'",
            "BEGIN; SAVEPOINT a; DELETE FROM shop.notes; ROLLBACK TO a; DELETE FROM shop.notes WHERE a = 1; COMMIT",
        ] {
            by_counters(&bench, &reader, &before, damage);
        }
    }

    /// Few rows of many are put back one by one, equal rows as often as they occurred: the table's file stays,
    /// and only what went is saved.
    fn rows_are_put_back_one_by_one(server) {
        if server.major < 15 {
            return;
        }
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE TABLE r (a integer, b text); CREATE INDEX ON r (a); \
            INSERT INTO r SELECT n % 1000, CASE WHEN n % 7 > 0 THEN repeat('x', n % 50) || E'\\t\\n\\\\' END FROM generate_series(1, 60000) n; \
            CREATE TABLE p (id integer PRIMARY KEY, r text); INSERT INTO p SELECT n, 'p' FROM generate_series(1, 9000) n; \
            CREATE TABLE c (id integer REFERENCES p ON UPDATE CASCADE); INSERT INTO c SELECT 1 + n % 9000 FROM generate_series(1, 9000) n");
        let reader = bench.archive();
        let before = bench.database.dump();
        let files = "SELECT string_agg(pg_relation_filenode(oid)::text, ' ' ORDER BY oid) FROM pg_class \
            WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace";
        let file = bench.database.sql(files);
        let report = repaired(&bench, &reader, &before, "DELETE FROM r WHERE a = 17; UPDATE r SET b = 'other' WHERE a = 18; \
            INSERT INTO r SELECT 19, NULL FROM generate_series(1, 30); UPDATE p SET id = id + 100000 WHERE id % 100 = 0; \
            CREATE TABLE made ()");
        assert_eq!(bench.database.sql(files), file);
        let saved = Reader::open(&report.saved.expect("P4")).expect("an archive");
        let rows: Vec<(String, u64)> = saved.manifest().tables.iter().map(|one| (one.name.clone(), one.rows)).collect();
        let rows = |table: &str| rows.iter().find(|one| one.0 == table).map(|one| one.1);
        assert_eq!((rows("r"), rows("p"), rows("c")), (Some(90), Some(90), Some(90)), "60 changed and 30 added");
        let copy = bench.database.sibling();
        bench.restore_by("postgres", &copy, &saved).expect("a restore of what was saved");
        assert_eq!(copy.sql("SELECT count(*) FROM r WHERE b = 'other'"), "60");
    }

    /// What was renamed gets its name back: no row is loaded, no index built.
    fn renamed_things_are_renamed_back(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE SCHEMA s; CREATE SCHEMA elsewhere; \
            CREATE TABLE s.one (id integer PRIMARY KEY, a text CHECK (a <> ''), b text, \
              g integer GENERATED ALWAYS AS (id + 1) STORED); CREATE INDEX one_a ON s.one (a); \
            CREATE INDEX \"Odd \"\" name\" ON s.one (b); CREATE INDEX twin_1 ON s.one (b, a); CREATE INDEX twin_2 ON s.one (b, a); \
            INSERT INTO s.one SELECT n, 'a' || n, 'b' FROM generate_series(1, 5000) n; \
            CREATE TABLE s.two (id integer REFERENCES s.one (id), c integer); INSERT INTO s.two SELECT n, n FROM generate_series(1, 100) n; \
            CREATE TABLE s.tree (k integer) PARTITION BY LIST (k); CREATE TABLE s.leaf PARTITION OF s.tree FOR VALUES IN (1); \
            INSERT INTO s.tree VALUES (1); CREATE VIEW s.seen AS SELECT a, b FROM s.one");
        let reader = bench.archive();
        let before = bench.database.dump();
        let files = "SELECT string_agg(pg_relation_filenode(oid)::text, ' ' ORDER BY oid) FROM pg_class \
            WHERE relkind IN ('r', 'i') AND relnamespace = 's'::regnamespace";
        let file = bench.database.sql(files);
        for damage in [
            "ALTER TABLE s.one RENAME TO uno; ALTER TABLE s.uno RENAME a TO first; \
             ALTER INDEX s.one_a RENAME TO other; ALTER INDEX s.\"Odd \"\" name\" RENAME TO \"on ON\"; \
             ALTER TABLE s.uno RENAME CONSTRAINT one_pkey TO uno_pkey; ALTER TABLE s.uno RENAME CONSTRAINT one_a_check TO checked",
            "ALTER TABLE s.one RENAME a TO x; ALTER TABLE s.one RENAME b TO a; ALTER TABLE s.one RENAME x TO b",
            "ALTER TABLE s.one SET SCHEMA elsewhere; ALTER TABLE elsewhere.one RENAME TO two; ALTER TABLE s.two RENAME TO one",
            "ALTER TABLE s.one RENAME TO old; ALTER TABLE s.leaf RENAME TO blade; CREATE TABLE made ()",
        ] {
            let report = repaired(&bench, &reader, &before, damage);
            assert_eq!(bench.database.sql(files), file, "{damage}");
            assert!(!report.undone.is_empty(), "{damage}");
        }
        // What only looks like it: dropped and made again under another name, or under the name of another.
        for damage in [
            "ALTER TABLE s.one DROP COLUMN b CASCADE, ADD COLUMN z text DEFAULT 'b'",
            "DROP TABLE s.two; CREATE TABLE s.three (id integer, c integer)",
            "ALTER TABLE s.one RENAME TO old; CREATE TABLE s.one (id integer)",
            "DROP INDEX s.one_a; CREATE INDEX other ON s.one (a DESC)",
            "ALTER INDEX s.twin_1 RENAME TO t; ALTER INDEX s.twin_2 RENAME TO u",
            "ALTER TABLE s.tree RENAME k TO l",
            "ALTER TABLE s.one RENAME g TO h",
        ] {
            repaired(&bench, &reader, &before, damage);
        }
    }

    /// A partition's part of a key or an index gets its name back, too, and a tree below a partition its keys: the server makes
    /// none of its own.
    fn parts_of_indexes_come_back(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE TABLE p (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE INDEX p_v ON p (v); \
            CREATE TABLE p_c PARTITION OF p FOR VALUES FROM (0) TO (10); \
            CREATE TABLE p_w PARTITION OF p FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id); \
            CREATE TABLE p_w0 PARTITION OF p_w FOR VALUES FROM (10) TO (20); ALTER TABLE p_w0 ADD UNIQUE (v); \
            CREATE TABLE p_w1 PARTITION OF p_w FOR VALUES FROM (20) TO (30) PARTITION BY LIST (id); \
            CREATE TABLE p_w10 PARTITION OF p_w1 FOR VALUES IN (20); ALTER INDEX p_w10_pkey RENAME TO \"Its own\"; \
            INSERT INTO p SELECT n, 'v' || n FROM generate_series(0, 20) n");
        let reader = bench.archive();
        let before = bench.database.dump();
        let files = "SELECT string_agg(pg_relation_filenode(oid)::text, ' ' ORDER BY oid) FROM pg_class \
            WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace";
        let file = bench.database.sql(files);
        for damage in [
            "ALTER INDEX p_c_pkey RENAME TO x; ALTER INDEX p_c_v_idx RENAME TO \"Y\"",
            "ALTER TABLE p_w RENAME CONSTRAINT p_w_pkey TO x; ALTER INDEX \"Its own\" RENAME TO p_w10_pkey",
        ] {
            repaired(&bench, &reader, &before, damage);
            assert_eq!(bench.database.sql(files), file, "{damage}");
        }
        for damage in [
            "DROP TABLE p_w",
            "DROP TABLE p_w1; DROP TABLE p_c",
            "ALTER TABLE p DETACH PARTITION p_w; DROP TABLE p_w0",
            "DROP TABLE p_w; CREATE TABLE p_w PARTITION OF p FOR VALUES FROM (10) TO (30)",
            "DROP TABLE p",
        ] {
            repaired(&bench, &reader, &before, damage);
        }
    }

    /// What a function reads by name is code, too: where it differs, what the function returned is computed again. Nothing else is.
    fn what_code_reads_is_code(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(SEARCHED);
        let reader = bench.archive();
        let before = bench.database.dump();
        let file = "SELECT pg_relation_filenode('built_in')";
        let kept = bench.database.sql(file);
        for damage in [
            "ALTER TEXT SEARCH CONFIGURATION doc ALTER MAPPING FOR asciiword WITH english_stem",
            "CREATE OR REPLACE VIEW rates AS SELECT 3 AS rate",
            "ALTER DOMAIN short DROP CONSTRAINT few",
        ] {
            let damage = format!("{damage}; UPDATE art SET body = body; REINDEX INDEX note_words; UPDATE built_in SET id = id WHERE id = 1");
            repaired(&bench, &reader, &before, &damage);
            assert_eq!(bench.database.sql(STALE), "0|1", "{damage}");
            assert_eq!(bench.database.sql(file), kept, "{damage}");
        }
    }

    /// What no comparison of content sees: an operator who asks for a rebuild by hand gets one, unless transaction ids show that
    /// nothing was committed.
    fn a_rebuild_that_is_asked_for_is_done(server) {
        let bench = Bench::settled(server, SEARCHED);
        let reader = bench.archive();
        let before = bench.database.dump();
        let rebuild = RollbackOptions { rung: Rung::Rebuild, ..RollbackOptions::default() };
        bench.database.sql_as_owner("ALTER TEXT SEARCH CONFIGURATION doc ALTER MAPPING FOR asciiword WITH english_stem; \
            UPDATE art SET body = body; ALTER TEXT SEARCH CONFIGURATION doc ALTER MAPPING FOR asciiword WITH simple");
        assert_eq!(bench.database.sql(STALE), "500|1");
        let report = bench.roll_back(&reader).expect("a rollback");
        assert_eq!(report.strategy, Strategy::Nothing);
        assert!(report.proof.starts_with("content: "), "{}", report.proof);
        let report = bench.roll_back_with(&reader, &rebuild).expect("a rebuild");
        assert_eq!(report.strategy, Strategy::Rebuild);
        assert_eq!(bench.database.sql(STALE), "0|1");
        bench.database.assert_is(&before);
    }

    /// No pg_dump tells the names of partitions' foreign keys; the comparison does.
    fn names_of_partitions_keys_come_back(server) {
        let bench = Bench::of_corpus(server, "foreign_key_names.sql");
        bench.database.own_public();
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in [
            "ALTER TABLE keyed_same RENAME CONSTRAINT main TO mine",
            "ALTER TABLE keyed_before RENAME CONSTRAINT \"own 100%\" TO main",
            "ALTER TABLE keyed_sub_own RENAME CONSTRAINT main_own TO other; COMMENT ON CONSTRAINT \"own 100%\" ON keyed_before IS 'other'",
            "ALTER TABLE keyed RENAME CONSTRAINT main TO other",
            "ALTER TABLE keyed DROP CONSTRAINT main; ALTER TABLE keyed_twins DROP CONSTRAINT y",
            "ALTER TABLE two DROP CONSTRAINT one_fk; ALTER TABLE two_swapped RENAME CONSTRAINT one_fk TO of_b",
        ] {
            repaired(&bench, &reader, &before, damage);
        }
        // What was made anew has the parent's name until everything is.
        for damage in ["DROP TABLE keyed_before", "DROP TABLE keyed_sub", "DROP TABLE target CASCADE"] {
            bench.database.sql_as_owner(damage);
            bench.roll_back(&reader).unwrap_or_else(|error| panic!("{damage}\n{error}"));
            bench.database.assert_is(&before);
            let difference = bench.difference(&reader);
            assert!(difference.is_empty(), "{damage}\n{:?}", difference.lines());
        }
    }

    /// Counts that were reset, or that a session still keeps to itself, are not asked.
    fn counters_that_cannot_speak_are_not_heard(server) {
        if server.major < 15 {
            return;
        }
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql("SELECT pg_stat_reset()");
        let report = by_counters(&bench, &reader, &before, "DELETE FROM shop.fast; CREATE TABLE shop.more ()");
        assert!(report.proof.starts_with("content: "), "{}", report.proof);
        assert!(report.proof.contains("reset"), "{}", report.proof);
        let reader = bench.archive();
        let busy = Blocker::with(&bench, "SELECT pg_sleep(60)");
        let report = by_counters(&bench, &reader, &before, "DELETE FROM shop.fast; CREATE TABLE shop.more ()");
        assert!(report.proof.contains("not counted yet"), "{}", report.proof);
        drop(busy);
    }
}

/// Old rows that only new ones would have to fulfil: a table, a parent, a partitioned table, a domain.
const NOT_VALID: &str = "
    CREATE TABLE t (id int PRIMARY KEY, a int, other int); INSERT INTO t VALUES (1, -1, NULL), (2, 5, 1);
    ALTER TABLE t ADD CONSTRAINT new_only CHECK (a > 0) NOT VALID; COMMENT ON CONSTRAINT new_only ON t IS 'for new rows';
    CREATE TABLE above (id int, a int); CREATE TABLE below () INHERITS (above); INSERT INTO below VALUES (1, -1);
    ALTER TABLE above ADD CONSTRAINT new_only CHECK (a > 0) NOT VALID;
    CREATE TABLE parted (id int, a int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9);
    INSERT INTO parted VALUES (1, -1); ALTER TABLE parted ADD CONSTRAINT new_only CHECK (a > 0) NOT VALID;
    CREATE DOMAIN positive AS int; CREATE TABLE typed (id int, a positive); INSERT INTO typed VALUES (1, -1);
    ALTER DOMAIN positive ADD CONSTRAINT new_only CHECK (VALUE > 0) NOT VALID;";

on_servers! {
    /// Grants that rest on one another: taken away in a row, made since in a row, each put back by a repair.
    fn grants_that_were_passed_on_are_put_back_in_their_order(server) {
        let bench = Bench::of_corpus(server, "grant_chains.sql");
        let (before, report) = (bench.database.dump(), bench.backup_as("postgres").expect("a backup"));
        let reader = Reader::open(&report.archive).expect("an archive");
        for damage in [
            "REVOKE ALL (a) ON s.back FROM reader CASCADE",
            "REVOKE SELECT ON s.lent, s.q FROM reader CASCADE; REVOKE INSERT ON s.older FROM reader CASCADE",
            "GRANT DELETE ON s.back TO reader WITH GRANT OPTION; SET ROLE reader; GRANT DELETE ON s.back TO app, postgres",
        ] {
            bench.database.sql(damage);
            let target = bench.target_as("postgres");
            let report = wait(roll_back(&target, &reader, &bench.store, &repair_only(), &bench.ctx));
            report.unwrap_or_else(|error| panic!("{damage}\n{error}"));
            bench.database.assert_is(&before);
        }
    }

    /// One row of many is no reason for a rebuild because it would not be let in today.
    fn rows_that_only_new_ones_have_to_be_like_are_put_back(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(NOT_VALID);
        if server.major >= 18 {
            bench.database.sql_as_owner("ALTER TABLE t ADD CONSTRAINT filled NOT NULL other NOT VALID");
        }
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in [
            "DELETE FROM t WHERE id = 1", "TRUNCATE t", "DELETE FROM below", "DELETE FROM part; CREATE TABLE made ()",
            "UPDATE typed SET a = 3", "ALTER TABLE t DROP CONSTRAINT new_only; DELETE FROM t",
        ] {
            repaired(&bench, &reader, &before, damage);
        }
    }

    /// A check that says otherwise today than when it let its rows in: nothing gets around it, and nothing else is promised.
    fn rows_that_a_check_no_longer_lets_in_are_told_with_it(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql("CREATE FUNCTION fits(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0';
            CREATE TABLE t (a int CONSTRAINT must_fit CHECK (fits(a))); INSERT INTO t VALUES (1);
            CREATE OR REPLACE FUNCTION fits(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 9'");
        let call = || workplace.call(&database).env("DATABASE_URL", database.url_as("postgres"));
        call().run(&["backup"]).assert_code(0);
        database.sql("DELETE FROM t");
        let output = call().run(&["rollback"]).assert_code(7).assert_says("must_fit");
        let output = output.assert_says("do not fulfil that check any more").assert_says("NOT VALID");
        assert!(!output.stderr.contains("strategy swap"), "{output}");
    }
}

/// A rollback that trusts counts, judged by pg_dump and by content all the same.
#[track_caller]
fn by_counters(bench: &Bench, reader: &Reader, before: &str, damage: &str) -> RollbackReport {
    bench.database.sql_as_owner(damage);
    let options = RollbackOptions {
        proof: ProofMode::Counters,
        ..repair_only()
    };
    let report = bench.roll_back_with(reader, &options);
    let report = report.unwrap_or_else(|error| panic!("{damage}\n{error}"));
    bench.database.assert_is(before);
    let difference = bench.difference(reader);
    assert!(difference.is_empty(), "{damage}\n{:?}", difference.lines());
    report
}
