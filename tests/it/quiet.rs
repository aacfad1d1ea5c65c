//! A repair runs nothing that is the user's: no trigger of a partitioned table, no rule, no event trigger. Foreign keys between
//! partitioned tables neither take rows away nor stand in its way.

use pgbelay::archive::Reader;
use pgbelay::dump::DumpOptions;
use pgbelay::rollback::{RollbackOptions, RollbackReport, Rung, Strategy, roll_back};

use crate::data::{Bench, wait};

/// Partitions of partitions, with keys that lead to them and from them, and triggers that fail when something wakes them.
const TREES: &str = "
CREATE TABLE who (id integer PRIMARY KEY);
CREATE TABLE ev (id integer, at date, v text, who integer REFERENCES who ON UPDATE CASCADE, PRIMARY KEY (id, at))
  PARTITION BY RANGE (at);
CREATE TABLE ev_a PARTITION OF ev FOR VALUES FROM ('2024-01-01') TO ('2027-01-01') PARTITION BY RANGE (id);
CREATE TABLE ev_a0 PARTITION OF ev_a FOR VALUES FROM (0) TO (5000);
CREATE TABLE ev_b PARTITION OF ev FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
CREATE TABLE note (id integer PRIMARY KEY, e integer, at date, FOREIGN KEY (e, at) REFERENCES ev ON DELETE CASCADE);
INSERT INTO who SELECT n FROM generate_series(1, 9) n;
INSERT INTO ev SELECT n, date '2024-01-01' + n, 'x', 1 + n % 9 FROM generate_series(1, 600) n;
INSERT INTO ev SELECT n, date '2027-01-01' + n, 'x', 1 FROM generate_series(1, 60) n;
INSERT INTO note SELECT id, id, at FROM ev WHERE at < '2027-01-01';
CREATE FUNCTION awake() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''awake''; END';
CREATE TRIGGER awake AFTER INSERT OR DELETE ON ev FOR EACH ROW EXECUTE FUNCTION awake();
CREATE TRIGGER awake_b AFTER INSERT OR DELETE ON ev_a FOR EACH ROW EXECUTE FUNCTION awake();
";

/// Few changed rows, many, none left; a clone of a trigger that is enabled otherwise than its parent's.
const TREE_DAMAGE: [&str; 5] = [
    "DELETE FROM ev WHERE id < 4; INSERT INTO ev VALUES (1000, '2024-02-02', 'new', 1)",
    "UPDATE ev SET v = 'y' WHERE id < 10 AND at < '2027-01-01'",
    "UPDATE ev SET v = 'y'; DELETE FROM note; UPDATE who SET id = id + 100",
    "DELETE FROM ev_b; ALTER TABLE ev_b DISABLE TRIGGER awake",
    "ALTER TABLE ev DETACH PARTITION ev_b; DROP TABLE ev_b; INSERT INTO who VALUES (1000)",
];

/// Quiet while the damage is done.
fn in_silence(damage: &str) -> String {
    format!(
        "ALTER TABLE ev DISABLE TRIGGER awake; ALTER TABLE ev_a DISABLE TRIGGER awake_b; {damage}; \
         ALTER TABLE ev ENABLE TRIGGER awake; ALTER TABLE ev_a ENABLE TRIGGER awake_b"
    )
}

/// Rows that a rule keeps, and published rows that nothing identifies.
const HINDERED: &str = "
CREATE TABLE kept (id integer PRIMARY KEY, v text); CREATE TABLE gone (id integer);
INSERT INTO kept SELECT n, 'x' FROM generate_series(1, 600) n;
CREATE RULE keep AS ON DELETE TO kept DO INSTEAD INSERT INTO gone VALUES (OLD.id) RETURNING id, NULL::text;
CREATE RULE tell AS ON INSERT TO kept DO ALSO INSERT INTO gone VALUES (NEW.id);
CREATE TABLE nameless (a integer, b text) PARTITION BY LIST (a); CREATE TABLE nameless_1 PARTITION OF nameless FOR VALUES IN (1);
INSERT INTO nameless SELECT 1, 'b' || n FROM generate_series(1, 600) n;
CREATE PUBLICATION told FOR TABLE nameless WITH (publish_via_partition_root = true);
";

/// A log of what is defined, as many keep it; of ENABLE ALWAYS no server before 17 can be relieved.
const LOGGED: &str = "
CREATE TABLE ddl_log (id serial PRIMARY KEY, tag text);
CREATE FUNCTION ddl() RETURNS event_trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO public.ddl_log (tag) VALUES (tg_tag); END';
CREATE EVENT TRIGGER ddl_end ON ddl_command_end EXECUTE FUNCTION ddl();
CREATE EVENT TRIGGER ddl_drop ON sql_drop EXECUTE FUNCTION ddl();
CREATE EVENT TRIGGER off ON ddl_command_start EXECUTE FUNCTION ddl();
ALTER EVENT TRIGGER off DISABLE;
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TABLE a (id integer PRIMARY KEY, v text UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO a SELECT n, 'x' || n FROM generate_series(1, 500) n;
CREATE TABLE b (id integer REFERENCES a); INSERT INTO b SELECT id FROM a;
";

const LOGGED_DAMAGE: [&str; 4] = [
    "ALTER TABLE a ADD COLUMN c integer; CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2'",
    "ALTER TABLE a RENAME TO c; UPDATE c SET v = 'y' || v WHERE id < 9",
    "ALTER EVENT TRIGGER ddl_end DISABLE; ALTER EVENT TRIGGER off ENABLE; CREATE VIEW v AS SELECT * FROM a",
    "DROP EVENT TRIGGER ddl_end; DROP TABLE b",
];

/// What kept the first attempt from leading back.
fn second_attempts(bench: &Bench) -> Vec<String> {
    let notes = bench.recorder.0.lock().expect("notes");
    let second = notes.iter().filter(|note| note.contains("trying without"));
    second.cloned().collect()
}

#[track_caller]
fn roll_back_as(bench: &Bench, role: &str, reader: &Reader, rung: Rung) -> RollbackReport {
    let options = RollbackOptions {
        rung,
        ..RollbackOptions::default()
    };
    let target = bench.target_as(role);
    let report = wait(roll_back(
        &target,
        reader,
        &bench.store,
        &options,
        &bench.ctx,
    ));
    report.unwrap_or_else(|error| panic!("{rung:?}\n{error}"))
}

/// Puts back what a migration did, by the first attempt of a repair.
fn repaired_at_once(bench: &Bench, reader: &Reader, before: &str, damage: &str) {
    bench.database.sql_as_owner(damage);
    let report = roll_back_as(bench, "app", reader, Rung::Repair);
    assert_eq!(report.strategy, Strategy::Repair, "{damage}");
    assert_eq!(second_attempts(bench), [""; 0], "{damage}");
    bench.database.assert_is(before);
    let difference = bench.difference(reader);
    assert!(difference.is_empty(), "{damage}\n{:?}", difference.lines());
}

on_servers! {
    /// P3, P4: what a partition has of its parent's acts on no row that is put back, and takes no other table's rows.
    fn what_partitions_have_of_their_parents_stays_quiet(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(TREES);
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in TREE_DAMAGE {
            repaired_at_once(&bench, &reader, &before, &in_silence(damage));
        }
    }

    /// A rule would run the user's statement instead of a deletion, and the server deletes no published row that nothing
    /// identifies: such tables are loaded as a whole from the start.
    fn rules_and_publications_are_foreseen(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(HINDERED);
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in ["UPDATE kept SET v = 'y' WHERE id < 9", "INSERT INTO nameless SELECT 1, 'new' FROM generate_series(1, 9)"] {
            repaired_at_once(&bench, &reader, &before, damage);
        }
    }

    /// A superuser's rollback is not written into a log of definitions, on any major.
    fn event_triggers_stay_quiet(server) {
        let bench = Bench::empty(server);
        bench.database.sql(LOGGED);
        let report = bench.backup_by("postgres", &DumpOptions::default()).expect("a backup");
        let reader = Reader::open(&report.archive).expect("an archive");
        let before = bench.database.dump();
        for damage in LOGGED_DAMAGE {
            for (rung, strategy) in [(Rung::Repair, Strategy::Repair), (Rung::Rebuild, Strategy::Rebuild)] {
                bench.database.sql(damage);
                let report = roll_back_as(&bench, "postgres", &reader, rung);
                assert_eq!(report.strategy, strategy, "{damage}");
                assert_eq!(second_attempts(&bench), [""; 0], "{damage}");
                bench.database.assert_is(&before);
                assert_eq!(bench.database.sql("SHOW session_replication_role"), "origin");
            }
        }
    }
}
