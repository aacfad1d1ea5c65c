//! Rows below hash partitions that depend on OIDs (spec §3.1): loaded through the root, compared as
//! one whole. Enum values get new OIDs in every copy, so the rows land in other partitions there.

use pgbelay::rollback::RollbackOutcome;

use crate::data::Bench;
use crate::support::{Database, Server};

/// Trees of every shape that moves: the key is an enum, contains one, or stands deeper in the tree;
/// partitions with columns in another order, with dropped and generated ones; beside them one that
/// stays.
const TREES: &str = "
    CREATE SCHEMA t;
    CREATE TYPE t.color AS ENUM ('c0','c1','c2','c3','c4','c5','c6','c7','c8','c9','c10','c11','c12');
    CREATE DOMAIN t.paint AS t.color;
    CREATE TABLE t.events (id int, c t.color, note text, twice int GENERATED ALWAYS AS (id * 2) STORED)
        PARTITION BY HASH (c);
    CREATE TABLE t.events_0 (note text, gone int, c t.color, id int,
                             twice int GENERATED ALWAYS AS (id * 2) STORED);
    ALTER TABLE t.events_0 DROP COLUMN gone;
    ALTER TABLE t.events ATTACH PARTITION t.events_0 FOR VALUES WITH (MODULUS 3, REMAINDER 0);
    CREATE TABLE t.events_1 PARTITION OF t.events FOR VALUES WITH (MODULUS 3, REMAINDER 1);
    CREATE TABLE t.events_2 PARTITION OF t.events FOR VALUES WITH (MODULUS 3, REMAINDER 2);
    INSERT INTO t.events SELECT n, ('c' || n % 13)::t.color, 'row' || n FROM generate_series(1, 130) n;

    CREATE TABLE t.regions (id int, region text, c t.paint, colors t.color[]) PARTITION BY LIST (region);
    CREATE TABLE t.north PARTITION OF t.regions FOR VALUES IN ('north') PARTITION BY HASH (id, c);
    CREATE TABLE t.north_0 PARTITION OF t.north FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE t.north_1 PARTITION OF t.north FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE t.south PARTITION OF t.regions FOR VALUES IN ('south') PARTITION BY HASH (colors);
    CREATE TABLE t.south_0 PARTITION OF t.south FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE t.south_1 PARTITION OF t.south FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO t.regions
        SELECT n, CASE WHEN n % 2 = 0 THEN 'north' ELSE 'south' END, ('c' || n % 13)::t.color::t.paint,
               ARRAY[('c' || n % 7)::t.color, ('c' || n % 5)::t.color] FROM generate_series(1, 130) n;

    CREATE TABLE t.plain (id int, word text) PARTITION BY HASH (word);
    CREATE TABLE t.plain_0 PARTITION OF t.plain FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE t.plain_1 PARTITION OF t.plain FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO t.plain SELECT n, 'w' || n FROM generate_series(1, 50) n;";

fn bench(server: &'static Server) -> Bench {
    let bench = Bench::empty(server);
    bench.database.sql_as_owner(TREES);
    bench
}

/// Rows by tree, whatever partition they lie in.
fn content(database: &Database) -> String {
    database.sql(
        "SELECT md5(string_agg(e::text, '' ORDER BY id)) FROM t.events e UNION ALL
         SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM t.regions r UNION ALL
         SELECT md5(string_agg(p.tableoid::regclass::text || p::text, '' ORDER BY id)) FROM t.plain p",
    )
}

/// How many rows lie in which partition.
fn places(database: &Database) -> String {
    database.sql(
        "SELECT md5(string_agg(tableoid::regclass::text || id, ',' ORDER BY id)) FROM
           (SELECT tableoid, id FROM t.events UNION ALL SELECT tableoid, 1000 + id FROM t.regions) r",
    )
}

on_servers! {
    fn rows_find_their_partitions_anew_and_nothing_is_lost(server) {
        let bench = bench(server);
        let reader = bench.archive();
        let (by_us, by_psql) = (bench.database.sibling(), bench.database.sibling());
        bench.restore_into(&by_us, &reader).expect("a restore");
        by_psql.restore_plain(&bench.script(&reader));
        for copy in [&by_us, &by_psql] {
            assert_ne!(places(copy), places(&bench.database), "no row has moved: the test proves nothing");
            assert_eq!(content(copy), content(&bench.database));
            assert_eq!(bench.difference_of(copy, &reader), [] as [&str; 0]);
        }
    }

    /// What moves is loaded through the topmost table that makes it move; what stays, stays.
    fn only_what_may_move_goes_through_the_root(server) {
        let bench = bench(server);
        let reader = bench.archive();
        let through = |name: &str| {
            let tables = &reader.manifest().tables;
            tables.iter().find(|table| table.name == name).expect("a table").through.clone()
        };
        assert_eq!(through("events_0").as_deref(), Some("table t.events"));
        assert_eq!(through("north_1").as_deref(), Some("table t.north"));
        assert_eq!(through("south_0").as_deref(), Some("table t.south"));
        assert_eq!(through("plain_0"), None);
        let script = String::from_utf8(bench.script(&reader)).expect("UTF-8");
        assert!(script.contains("\nCOPY t.events (id, c, note) FROM stdin;\n"), "{script}");
        assert!(!script.contains("\nCOPY t.events_0"), "{script}");
    }

    fn a_rollback_is_proven_although_rows_move(server) {
        let bench = bench(server);
        let (reader, before) = (bench.archive(), content(&bench.database));
        for damage in [
            "UPDATE t.events SET note = 'other' WHERE id = 7",
            "DELETE FROM t.regions WHERE id = 8; DROP TABLE t.plain",
            "DROP SCHEMA t CASCADE",
            "ALTER TABLE t.events DETACH PARTITION t.events_1; DROP TABLE t.events_1",
        ] {
            bench.database.sql_as_owner(damage);
            let report = bench.roll_back(&reader).expect("a rollback");
            assert_eq!(report.outcome, RollbackOutcome::RolledBack, "{damage}");
            assert_eq!(content(&bench.database), before, "{damage}");
            assert_eq!(bench.difference_of(&bench.database, &reader), [] as [&str; 0], "{damage}");
        }
    }

    fn a_changed_row_is_seen_and_told_with_its_tree(server) {
        let bench = bench(server);
        let reader = bench.archive();
        for (change, line) in [
            ("UPDATE t.events SET note = 'x' WHERE id = 1", "table t.events: content differs (130 rows before and after)"),
            ("DELETE FROM t.events WHERE id = 2", "table t.events: 1 row fewer (130 → 129)"),
            ("UPDATE t.plain SET id = 9 WHERE id = 8", "content differs"),
        ] {
            bench.database.sql_as_owner(change);
            let lines = bench.difference_of(&bench.database, &reader).join("\n");
            assert!(lines.contains(line), "{change}: {lines}");
        }
    }

    fn a_second_backup_is_equal(server) {
        let bench = bench(server);
        let (one, two) = (bench.archive(), bench.archive());
        assert_eq!(one.manifest().tables, two.manifest().tables);
        assert!(bench.difference(&one).is_empty());
    }
}
