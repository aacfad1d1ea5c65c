//! What a rollback must not take for as it was although its definition and its rows are: results that code has
//! left in indexes, generated columns and materialized views, and expressions that the server writes in other words.

use pgbelay::archive::Reader;
use pgbelay::dump::DumpOptions;
use pgbelay::rollback::{RollbackOptions, Rung};

use crate::data::Bench;
use crate::support::{Database, Shop, gunzip, repository};

/// Something that is asked before and after.
struct Case {
    made: &'static str,
    asked: &'static str,
    damage: &'static str,
}

/// Code that computes what is stored, replaced by a migration that used it.
const OF_CODE: [Case; 4] = [
    Case {
        made: "CREATE FUNCTION f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
               CREATE TABLE t (id int PRIMARY KEY, v text, g text GENERATED ALWAYS AS (f(v)) STORED);
               CREATE INDEX ti ON t (f(v)); INSERT INTO t SELECT i, 'a' || i FROM generate_series(1, 3) i",
        asked: "SET enable_seqscan = off; SELECT string_agg(g, ' ' ORDER BY id) FROM t; SELECT count(*) FROM t WHERE f(v) = 'a1'",
        damage: "CREATE OR REPLACE FUNCTION f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''MIGRATED'' || $1';
                 UPDATE t SET v = 'zz' WHERE id = 1",
    },
    Case {
        made: "CREATE FUNCTION h(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
               CREATE FUNCTION f(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.h($1); END';
               CREATE TABLE t (id int PRIMARY KEY, v text, g text GENERATED ALWAYS AS (f(v)) STORED);
               CREATE INDEX ti ON t (f(v)); INSERT INTO t VALUES (1, 'a')",
        asked: "SET enable_seqscan = off; SELECT g FROM t; SELECT count(*) FROM t WHERE f(v) = 'a'",
        damage: "CREATE OR REPLACE FUNCTION h(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''MIGRATED'' || $1';
                 UPDATE t SET v = 'a'; REINDEX TABLE t",
    },
    Case {
        made: "CREATE TABLE t (v text); INSERT INTO t VALUES ('a');
               CREATE FUNCTION f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
               CREATE MATERIALIZED VIEW mv AS SELECT f(v) AS v FROM t",
        asked: "SELECT v FROM mv",
        damage: "CREATE OR REPLACE FUNCTION f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''MIGRATED'' || $1';
                 REFRESH MATERIALIZED VIEW mv",
    },
    Case {
        made: "CREATE TABLE t (v text); INSERT INTO t VALUES ('a');
               CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM public.t); END';
               CREATE MATERIALIZED VIEW mv AS SELECT f() AS many",
        asked: "SELECT many FROM mv",
        damage: "INSERT INTO t VALUES ('b'); REFRESH MATERIALIZED VIEW mv",
    },
];

/// What a materialized view shows, over partitions, children and views.
const OF_VIEWS: [Case; 5] = [
    Case {
        made: "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
               CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1, 'before');
               CREATE MATERIALIZED VIEW mv AS SELECT * FROM p",
        asked: "SELECT string_agg(v, ' ' ORDER BY id) FROM mv",
        damage: "UPDATE p SET v = 'MIGRATED'; REFRESH MATERIALIZED VIEW mv",
    },
    Case {
        made: "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
               CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
               CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1, 'a'), (11, 'b');
               CREATE MATERIALIZED VIEW mv AS SELECT * FROM p",
        asked: "SELECT string_agg(v, ' ' ORDER BY id) FROM mv",
        damage: "DROP TABLE p1; REFRESH MATERIALIZED VIEW mv",
    },
    Case {
        made: "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
               CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1, 'a');
               CREATE MATERIALIZED VIEW mv AS SELECT * FROM p",
        asked: "SELECT string_agg(v, ' ' ORDER BY id) FROM mv",
        damage: "ALTER TABLE p DETACH PARTITION p1; REFRESH MATERIALIZED VIEW mv",
    },
    Case {
        made: "CREATE TABLE p (id int PRIMARY KEY, v text); CREATE TABLE c () INHERITS (p); INSERT INTO c VALUES (1, 'before');
               CREATE MATERIALIZED VIEW mv AS SELECT * FROM p",
        asked: "SELECT v FROM mv",
        damage: "UPDATE c SET v = 'MIGRATED'; REFRESH MATERIALIZED VIEW mv",
    },
    Case {
        made: "CREATE TABLE t (v text); INSERT INTO t VALUES ('a'); CREATE VIEW w AS SELECT v FROM t;
               CREATE MATERIALIZED VIEW mv AS SELECT * FROM w",
        asked: "SELECT v FROM mv",
        damage: "CREATE OR REPLACE VIEW w AS SELECT 'A' || v AS v FROM t; REFRESH MATERIALIZED VIEW mv",
    },
];

/// Expressions that come back in other words.
const WORDS: &str = "CREATE TABLE orders (id int PRIMARY KEY, status varchar(20) CHECK (status IN ('new', 'paid')), n int);
    CREATE INDEX open ON orders (id) WHERE status IN ('new', 'late');
    CREATE DOMAIN color AS varchar(9) CHECK (value IN ('red', 'blue'));
    CREATE TABLE painted (id int, c color CHECK (c IN ('red', 'none')));
    CREATE VIEW two AS SELECT id, status IN ('new', 'x') AS is_new FROM orders WHERE EXISTS (SELECT 'x');
    INSERT INTO orders VALUES (1, 'new', 1); INSERT INTO painted VALUES (1, 'red')";

on_three_servers! {
    fn p3_what_code_has_left_behind_is_made_again(server) {
        for case in OF_CODE.iter().chain(&OF_VIEWS) {
            let bench = Bench::settled(server, case.made);
            let reader = bench.archive();
            let (before, asked) = (bench.database.dump(), bench.database.sql(case.asked));
            bench.database.sql_as_owner(case.damage);
            assert_ne!(bench.database.sql(case.asked), asked, "{}", case.damage);
            bench.roll_back(&reader).unwrap_or_else(|error| panic!("{}: {error}", case.damage));
            bench.database.assert_is(&before);
            assert_eq!(bench.database.sql(case.asked), asked, "{}", case.damage);
        }
    }

    /// What the server writes in other words once it has read its own is no difference.
    fn p3_the_servers_other_words_are_no_difference(server) {
        for damage in [
            "ALTER TABLE orders DROP COLUMN status CASCADE",
            "DROP TABLE orders, painted CASCADE; DROP DOMAIN color",
            "ALTER TABLE orders DROP CONSTRAINT orders_status_check; DROP INDEX open",
        ] {
            for rung in [Rung::Auto, Rung::Rebuild] {
                let bench = Bench::settled(server, WORDS);
                let reader = bench.archive();
                bench.database.sql_as_owner(damage);
                let options = RollbackOptions { rung, ..RollbackOptions::default() };
                bench.roll_back_with(&reader, &options).unwrap_or_else(|error| panic!("{damage}: {error}"));
                assert!(bench.difference(&reader).is_empty(), "{damage}");
                let rows = "SELECT status || c FROM orders JOIN painted USING (id)";
                assert_eq!(bench.database.sql(rows), "newred");
                let refused = "DO $$BEGIN INSERT INTO orders VALUES (2, 'other'); RAISE 'taken'; EXCEPTION WHEN check_violation THEN NULL; END$$";
                bench.database.sql(refused);
            }
        }
        let bench = Bench::settled(server, WORDS);
        let reader = bench.archive();
        let copy = bench.database.sibling();
        copy.restore_plain(&gunzip(reader.path()));
        assert_eq!(bench.difference_of(&copy, &reader), Vec::<String>::new());
    }

    /// A role that took rights from itself, as owners of logs do, can be helped all the same.
    fn an_owner_without_rights_on_its_own_table_gets_its_rollback(server) {
        let made = "CREATE TABLE audit (id int PRIMARY KEY, v text); INSERT INTO audit VALUES (1, 'a');
                    CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a');
                    REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM app; REVOKE INSERT ON t FROM app";
        for damage in ["ALTER TABLE audit ADD COLUMN x int", "UPDATE t SET v = 'b'", "DROP TABLE audit, t"] {
            for rung in [Rung::Auto, Rung::Rebuild] {
                let bench = Bench::settled(server, made);
                let reader = bench.archive();
                let before = bench.database.dump();
                bench.database.sql_as_owner(damage);
                let options = RollbackOptions { rung, ..RollbackOptions::default() };
                bench.roll_back_with(&reader, &options).unwrap_or_else(|error| panic!("{damage}: {error}"));
                bench.database.assert_is(&before);
            }
        }
    }
}

on_three_servers! {
    /// P4: what a column has that was added, and that no definition says.
    fn p4_the_moment_of_a_default_is_saved(server) {
        let bench = Bench::settled(server, "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner(
            "ALTER TABLE t ADD COLUMN seen timestamptz NOT NULL DEFAULT now(), ADD COLUMN c int DEFAULT 5;
             ALTER TABLE t ALTER c SET DEFAULT 7");
        let held = "SELECT string_agg(concat_ws(' ', id, c, seen), ',' ORDER BY id) FROM t";
        let lost = bench.database.sql(held);
        let report = bench.roll_back(&reader).expect("a rollback");
        bench.database.assert_is(&before);
        let copy = bench.database.sibling();
        copy.restore_plain(&gunzip(&report.saved.expect("P4")));
        assert_eq!(copy.sql(held), lost);
    }

    /// A trigger that forbids commands does not meet those of the restore.
    fn what_forbids_commands_comes_last(server) {
        let bench = Bench::empty(server);
        bench.database.sql(
            "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW m AS SELECT a FROM t;
             CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no %'', tg_tag; END';
             CREATE EVENT TRIGGER forbids ON ddl_command_start EXECUTE FUNCTION forbid()");
        let report = bench.backup_by("postgres", &DumpOptions::default()).expect("a backup");
        let reader = Reader::open(&report.archive).expect("an archive");
        let (by_psql, by_us, by_several) = (bench.database.sibling(), bench.database.sibling(), bench.database.sibling());
        by_psql.restore_plain(&gunzip(reader.path()));
        bench.restore_by("postgres", &by_us, &reader).expect("a restore");
        bench.restore_with("postgres", &by_several, &reader, 4).expect("a restore");
        for copy in [by_psql, by_us, by_several] {
            assert_eq!(copy.sql("SELECT a FROM m"), "1");
        }
    }
}

on_three_servers! {
    /// The server writes `TO 'Y'::text` for such a view, and does not read it: whoever restores is told which statement it was.
    fn a_statement_that_does_not_parse_is_named(server) {
        let bench = Bench::settled(
            server,
            "CREATE TABLE e (id int, parent int);
             CREATE VIEW v AS WITH RECURSIVE t AS (SELECT id, parent FROM e UNION ALL SELECT e.id, e.parent FROM e JOIN t ON e.parent = t.id)
             CYCLE id SET is_cycle TO 'Y' DEFAULT 'N' USING path SELECT id, is_cycle FROM t");
        let reader = bench.archive();
        let error = bench.restore_by("app", &bench.database.sibling(), &reader).expect_err("no such syntax");
        assert!(error.to_string().contains("create view public.v"), "{error}");
    }
}

on_servers! {
    /// What is validated below a NOT VALID key or check stays validated; pg_dump does not show it, so the catalogs are asked.
    fn validated_children_come_back_validated(server) {
        let database = Database::create(server);
        let mut facts = String::from("'online_child'");
        database.sql_as_owner("CREATE TABLE online (q int); CREATE TABLE online_child () INHERITS (online);
            ALTER TABLE online ADD CONSTRAINT later CHECK (q > 0) NOT VALID; ALTER TABLE online_child VALIDATE CONSTRAINT later");
        if server.major >= 18 {
            facts.push_str(", 'first', 'second_part'");
            let text = std::fs::read_to_string(repository().join("tests/corpus/foreign_keys_18.sql")).expect("a corpus file");
            database.sql_as_owner(&text);
        }
        let validated = format!("SELECT string_agg(conrelid::regclass::text, ' ' ORDER BY conrelid::regclass::text) \
            FROM pg_constraint WHERE convalidated AND conname IN ('fk', 'later') AND conrelid::regclass::text IN ({facts})");
        let before = database.sql(&validated);
        assert_eq!(before.split(' ').count(), facts.split(' ').count());
        let bench = Bench::on(database);
        let reader = bench.archive();
        let by_psql = bench.database.sibling();
        by_psql.restore_plain(&bench.script(&reader));
        assert_eq!(by_psql.sql(&validated), before);
        let copy = bench.database.sibling();
        bench.restore_into(&copy, &reader).expect("a restore");
        assert_eq!(copy.sql(&validated), before);
    }

    /// A plan says which rung it will be, also where there can be no repair.
    fn a_plan_knows_that_a_repair_cannot_do_it(server) {
        let shop = Shop::at_head(server);
        shop.database.sql_as_owner(
            "CREATE TABLE p (id int, t text) PARTITION BY RANGE (id);
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE INDEX pi ON ONLY p (t)");
        shop.call().run(&["backup"]).assert_code(0);
        let before = shop.database.dump();
        // A part that was attached to a whole that stays cannot be taken off again.
        shop.database.sql_as_owner("CREATE INDEX c1 ON p1 (t); ALTER INDEX pi ATTACH PARTITION c1");
        let plan = shop.call().run(&["rollback", "--plan"]).assert_code(0);
        assert!(plan.stdout.contains("strategy: rebuild"), "{plan}");
        shop.call().run(&["rollback"]).assert_code(0);
        shop.database.assert_is(&before);
    }
}

on_three_servers! {
    /// The choice of an index outlives the index, and forbids updates of published tables then: pg_dump does not show it,
    /// the catalogs do.
    fn a_table_lets_go_of_an_index_that_it_had_not_chosen(server) {
        let shop = Shop::at_head(server);
        shop.database.sql_as_owner(
            "CREATE TABLE guests (id int PRIMARY KEY, email text NOT NULL UNIQUE, n int);
             CREATE UNIQUE INDEX guests_n ON guests (n); ALTER TABLE guests CLUSTER ON guests_n;
             CREATE TABLE loud (id int PRIMARY KEY); ALTER TABLE loud REPLICA IDENTITY FULL;
             CREATE TABLE moved (id int PRIMARY KEY, k int NOT NULL UNIQUE); ALTER TABLE moved REPLICA IDENTITY USING INDEX moved_k_key");
        let chosen = "SELECT string_agg(concat_ws(' ', relname, relreplident, (SELECT string_agg(indexrelid::regclass::text, ' ')
            FROM pg_index WHERE indrelid = c.oid AND (indisreplident OR indisclustered))), ', ' ORDER BY relname)
            FROM pg_class c WHERE relname IN ('guests', 'loud', 'moved')";
        let before = (shop.database.dump(), shop.database.sql(chosen));
        shop.call().run(&["backup"]).assert_code(0);
        shop.database.sql_as_owner(
            "ALTER TABLE guests REPLICA IDENTITY USING INDEX guests_email_key, CLUSTER ON guests_pkey;
             CREATE INDEX later ON guests (email); ALTER TABLE loud REPLICA IDENTITY USING INDEX loud_pkey;
             ALTER TABLE moved REPLICA IDENTITY USING INDEX moved_pkey; ALTER TABLE moved DROP CONSTRAINT moved_k_key");
        shop.call().run(&["rollback", "--strategy", "repair"]).assert_code(0);
        shop.database.assert_is(&before.0);
        assert_eq!(shop.database.sql(chosen), before.1);
    }

    fn an_identity_whose_index_is_gone_is_nothing(server) {
        let bench = Bench::settled(
            server,
            "CREATE TABLE t (id int NOT NULL UNIQUE); ALTER TABLE t REPLICA IDENTITY USING INDEX t_id_key;
             ALTER TABLE t DROP CONSTRAINT t_id_key");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        bench.restore_into(&copy, &reader).expect("a restore");
        assert_eq!(copy.sql("SELECT relreplident FROM pg_class WHERE relname = 't'"), "n");
    }

    fn a_grant_on_a_column_goes_beside_default_privileges(server) {
        let bench = Bench::settled(
            server,
            "CREATE SCHEMA s; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO reader;
             CREATE TABLE s.u (id int, email text); GRANT SELECT, INSERT ON s.u TO pg_monitor; GRANT SELECT (id) ON s.u TO reader");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner("REVOKE ALL ON s.u FROM pg_monitor; GRANT SELECT (email) ON s.u TO reader");
        let options = RollbackOptions { rung: Rung::Repair, ..RollbackOptions::default() };
        bench.roll_back_with(&reader, &options).expect("a repair");
        bench.database.assert_is(&before);
    }
}
