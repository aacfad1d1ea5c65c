//! Few rows of many are put back by what transaction ids and a unique key tell, without a look at all the others
//! (docs/rollback.md); and whatever these cannot tell is read. Judged by `pg_dump`, and by content.

use pgbelay::rollback::{ProofMode, RollbackOptions, RollbackReport, Rung};

use crate::data::Bench;

/// Keys of one and of two columns, in and out of order, numeric and text; twins; and what has no key.
const BEFORE: &str = "
    CREATE TYPE pair AS (x int, y text); CREATE TYPE mood AS ENUM ('calm', 'wild');
    CREATE TABLE one (id int PRIMARY KEY, b text); INSERT INTO one SELECT i, CASE WHEN i % 7 > 0 THEN E'b\\t\\n\\\\' || i END FROM generate_series(1, 6000) i;
    CREATE TABLE two (a text, n int, k numeric, PRIMARY KEY (k, a)); INSERT INTO two SELECT 'a' || i % 10, i, i / 10 FROM generate_series(1, 6000) i;
    CREATE TABLE last (b text, m mood, id int UNIQUE NOT NULL); INSERT INTO last SELECT 'b' || i, 'calm', i FROM generate_series(1, 3000) i;
    CREATE TABLE twin (LIKE one INCLUDING ALL); INSERT INTO twin SELECT id, 'twin' FROM one WHERE id <= 3000;
    CREATE TABLE pairs (id int PRIMARY KEY, p pair); INSERT INTO pairs SELECT i, (i, 'y')::pair FROM generate_series(1, 100) i;
    CREATE TABLE keyless (id int UNIQUE, b text); INSERT INTO keyless SELECT i, 'b' FROM generate_series(1, 100) i;
    CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES;
";

/// Something that a repair is needed for, besides what is looked at.
const VISIBLE: &str = "CREATE TABLE made ()";

const FILES: &str = "SELECT string_agg(pg_relation_filenode(oid)::text, ' ' ORDER BY oid) FROM pg_class \
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'made'";

/// Damages, and repairs with this proof.
#[track_caller]
fn repaired(bench: &Bench, before: &str, damage: &str, proof: ProofMode) -> RollbackReport {
    let reader = bench.archive();
    for statement in damage.split(";;") {
        // VACUUM may stand in no transaction, and so alone.
        match statement.trim_start().starts_with("VACUUM") {
            true => bench.database.sql(statement),
            false => bench.database.sql_as_owner(statement),
        };
    }
    bench.database.sql_as_owner(VISIBLE);
    let options = RollbackOptions {
        proof,
        rung: Rung::Auto,
        ..RollbackOptions::default()
    };
    let report = bench.roll_back_with(&reader, &options);
    let report = report.unwrap_or_else(|error| panic!("{damage}\n{error}"));
    bench.database.assert_is(before);
    let difference = bench.difference(&reader);
    assert!(difference.is_empty(), "{damage}\n{:?}", difference.lines());
    report
}

on_three_servers! {
    /// Changed, deleted, added, given another key, written without a change: the file stays, and by counts the other
    /// rows are not even read.
    fn newer_rows_are_put_back_alone(server) {
        let bench = Bench::settled(server, BEFORE);
        let before = bench.database.dump();
        let file = bench.database.sql(FILES);
        for proof in [ProofMode::Content, ProofMode::Counters] {
            for (damage, tables) in [
                ("UPDATE one SET b = 'x' WHERE id % 100 = 0; UPDATE two SET n = 0 WHERE k = 7; UPDATE last SET b = '' WHERE id = 1", 3),
                ("DELETE FROM one WHERE id % 100 = 0; INSERT INTO one SELECT 10000 + i FROM generate_series(1, 50) i; DELETE FROM two WHERE n = 9", 2),
                ("UPDATE one SET id = id + 100000 WHERE id % 50 = 0; UPDATE two SET k = k + 0.00 WHERE n = 17", 2),
                ("UPDATE one SET id = -1 WHERE id = 1; UPDATE one SET id = 1 WHERE id = 2; UPDATE one SET id = 2 WHERE id = -1", 1),
                ("UPDATE one SET b = b WHERE id < 90; UPDATE twin SET b = 'x' WHERE id = 5", 2),
                ("BEGIN; SAVEPOINT a; DELETE FROM one; ROLLBACK TO a; DELETE FROM one WHERE id = 1; SAVEPOINT b; UPDATE one SET b = 'x' WHERE id = 3; COMMIT", 1),
            ] {
                let report = repaired(&bench, &before, damage, proof);
                assert_eq!(bench.database.sql(FILES), file, "{damage}: rows were loaded as a whole");
                let counted = proof == ProofMode::Counters && server.major >= 15;
                let words = format!("of {tables} table{} only rows", if tables == 1 { "" } else { "s" });
                assert_eq!(report.proof.contains(&words), counted, "{damage}: {}", report.proof);
            }
        }
    }

    /// What is older by its id and yet another row, or no row of this table; and ids that tell less than they seem to.
    fn p3_transaction_ids_are_not_trusted_too_far(server) {
        let bench = Bench::settled(server, BEFORE);
        let before = bench.database.dump();
        for proof in [ProofMode::Content, ProofMode::Counters] {
            for damage in [
                // Rows of another table.
                "UPDATE one SET b = 'x' WHERE id = 5; DELETE FROM one WHERE id > 3000;; \
                 ALTER TABLE one RENAME TO none; ALTER TABLE twin RENAME TO one; ALTER TABLE none RENAME TO twin",
                "DROP TABLE twin; CREATE TABLE twin (id int PRIMARY KEY, b text); INSERT INTO twin SELECT id, 'other' FROM one WHERE id <= 3000",
                "TRUNCATE twin; INSERT INTO twin SELECT i, 'other' FROM generate_series(1, 3000) i",
                // Columns that were lost and came back without their values.
                "UPDATE one SET b = 'x' WHERE id = 5;; ALTER TABLE one DROP COLUMN b;; ALTER TABLE one ADD COLUMN b text",
                "UPDATE pairs SET p = (0, '')::pair WHERE id = 5;; ALTER TYPE pair DROP ATTRIBUTE y;; ALTER TYPE pair ADD ATTRIBUTE y text",
                "ALTER TYPE pair DROP ATTRIBUTE y;; ALTER TYPE pair ADD ATTRIBUTE y text",
                // Values that are called otherwise.
                "UPDATE last SET b = 'x' WHERE id = 5;; ALTER TYPE mood RENAME VALUE 'calm' TO 'z';; \
                 ALTER TYPE mood RENAME VALUE 'wild' TO 'calm';; ALTER TYPE mood RENAME VALUE 'z' TO 'wild'",
                "UPDATE twin SET b = 'x' WHERE id = 5; ALTER TABLE twin RENAME id TO k; ALTER TABLE twin RENAME b TO id; ALTER TABLE twin RENAME k TO b",
                // Written anew as a whole.
                "UPDATE one SET b = 'x' WHERE id = 5; ALTER TABLE one ALTER COLUMN id TYPE bigint; ALTER TABLE one ALTER COLUMN id TYPE int",
                "UPDATE one SET b = 'x'", "DELETE FROM one", "DELETE FROM one WHERE id > 10",
                // No key, or another one.
                "UPDATE keyless SET b = 'x' WHERE id = 5; INSERT INTO bare DEFAULT VALUES",
                "ALTER TABLE one DROP CONSTRAINT one_pkey; UPDATE one SET id = 7 WHERE id < 9; DELETE FROM one WHERE id = 11",
                "ALTER TABLE one ADD COLUMN serial serial; UPDATE one SET b = 'x' WHERE id = 5",
                // Tidied up meanwhile.
                "UPDATE one SET b = 'x' WHERE id = 5; DELETE FROM two WHERE n = 4;; VACUUM (FREEZE) one;; VACUUM (FULL, FREEZE) two",
                "UPDATE one SET b = 'x' WHERE id % 50 = 0;; CLUSTER one USING one_pkey;; DELETE FROM one WHERE id = 9;; VACUUM FULL one",
            ] {
                repaired(&bench, &before, damage, proof);
            }
        }
    }
}

on_servers! {
    /// A transaction that ran during the backup has a lower id than others that had ended; what it wrote is newer.
    fn p3_whoever_ran_during_the_backup_is_newer(server) {
        let bench = Bench::settled(server.with_settings(&[("max_prepared_transactions", "5")]), BEFORE);
        let before = bench.database.dump();
        for proof in [ProofMode::Content, ProofMode::Counters] {
            bench.database.sql_as_owner("BEGIN; UPDATE one SET b = 'x' WHERE id = 5; \
                INSERT INTO last VALUES ('new', 'wild', 9999); PREPARE TRANSACTION 'during'");
            bench.database.sql_as_owner("INSERT INTO twin VALUES (-1, 'ended'); DELETE FROM twin WHERE id = -1");
            let reader = bench.archive();
            bench.database.sql("COMMIT PREPARED 'during'");
            bench.database.sql_as_owner(VISIBLE);
            let options = RollbackOptions { proof, ..RollbackOptions::default() };
            bench.roll_back_with(&reader, &options).unwrap_or_else(|error| panic!("{error}"));
            bench.database.assert_is(&before);
            let difference = bench.difference(&reader);
            assert!(difference.is_empty(), "{:?}", difference.lines());
        }
    }
}
