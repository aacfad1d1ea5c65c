//! Random migrations that fail: whatever they committed, aborted or half did, the database is
//! afterwards what it was before, by `pg_dump` (P2, P3, P8).
//!
//! A wrong "nothing was committed" would be the worst thing this program can say, so half of the
//! migrations take most of their work back themselves and leave one traceless change or none. The
//! seed is printed; `PGBELAY_TEST_SEED` repeats a run.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{Database, Workplace};

/// Migrations per server; each costs about a second.
const MIGRATIONS: usize = 10;

/// What the migrations find.
pub const BEFORE: &str = "
    CREATE TYPE mood AS ENUM ('calm', 'wild');
    CREATE TABLE a (id serial PRIMARY KEY, v text, n int DEFAULT 0 CHECK (n >= 0), m mood DEFAULT 'calm');
    CREATE TABLE b (id int GENERATED ALWAYS AS IDENTITY, a_id int REFERENCES a ON DELETE CASCADE, note text);
    CREATE INDEX b_note ON b (note);
    CREATE VIEW w AS SELECT a.id, b.note FROM a JOIN b ON b.a_id = a.id;
    CREATE SEQUENCE q START 7;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := coalesce(NEW.note, ''-''); RETURN NEW; END';
    CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION f();
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('before');
    INSERT INTO a (v, n) SELECT 'row ' || i, i FROM generate_series(1, 50) i;
    INSERT INTO b (a_id, note) SELECT 1 + i % 50, nullif(i % 7, 0)::text FROM generate_series(1, 200) i;
    COMMENT ON COLUMN a.v IS 'it''s a value';
    GRANT SELECT ON a TO reader;
    GRANT UPDATE (note) ON b TO reader;
";

/// What they do; a statement may fail where an earlier one took away what it needs.
pub const STATEMENTS: &[&str] = &[
    "INSERT INTO a (v) VALUES ('new')",
    "INSERT INTO a (n) VALUES (-1)",
    "INSERT INTO b (a_id) VALUES (3)",
    "UPDATE a SET v = upper(v) WHERE id % 3 = 0",
    "UPDATE b SET note = NULL WHERE note = '1'",
    "DELETE FROM a WHERE id = 5",
    "DELETE FROM b WHERE note IS NULL",
    "TRUNCATE b",
    "TRUNCATE a RESTART IDENTITY CASCADE",
    "SELECT nextval('q'), nextval('a_id_seq')",
    "SELECT setval('q', 500, false)",
    "ALTER SEQUENCE q INCREMENT 5 RESTART 1000",
    "ALTER TABLE a ADD COLUMN extra jsonb DEFAULT '{}'",
    "ALTER TABLE a DROP COLUMN n",
    "ALTER TABLE a RENAME COLUMN v TO vv",
    "ALTER TABLE b ALTER COLUMN note TYPE varchar(40)",
    "ALTER TABLE b RENAME TO bb",
    "ALTER TABLE b DROP CONSTRAINT b_a_id_fkey",
    "ALTER TABLE b DISABLE TRIGGER t",
    "ALTER TYPE mood ADD VALUE 'new'",
    "CREATE TABLE c AS SELECT * FROM a",
    "CREATE INDEX ON a (v)",
    "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE POLICY p ON a USING (n > 3)",
    "ALTER TABLE a ENABLE ROW LEVEL SECURITY",
    "CREATE SCHEMA s CREATE TABLE d (x int)",
    "DROP TABLE b CASCADE",
    "DROP VIEW w",
    "DROP INDEX b_note",
    "DROP TRIGGER t ON b",
    "COMMENT ON TABLE a IS 'changed'",
    "COMMENT ON COLUMN a.v IS NULL",
    "REVOKE SELECT ON a FROM reader",
    "GRANT INSERT (note) ON b TO reader",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader",
    "UPDATE alembic_version SET version_num = 'after'",
    "DELETE FROM alembic_version",
    "DO 'BEGIN DELETE FROM b; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN INSERT INTO a (v) VALUES (NULL); END'",
];

/// A small generator (splitmix64): the same numbers everywhere for one seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % bound as u64).unwrap()
    }

    fn statement(&mut self) -> &'static str {
        STATEMENTS[self.below(STATEMENTS.len())]
    }

    fn statements(&mut self) -> String {
        let mut sql = String::new();
        for _ in 0..=self.below(4) {
            writeln!(sql, "{};", self.statement()).unwrap();
        }
        sql
    }

    /// A piece of a psql script: one that commits, or one that takes itself back.
    fn block(&mut self, commits: bool) -> String {
        let (first, second) = (self.statements(), self.statements());
        match (commits, self.below(3)) {
            (true, 0) => first,
            (true, 1) => format!("BEGIN;\n{first}COMMIT;\n"),
            (true, _) => {
                format!("BEGIN;\n{first}SAVEPOINT x;\n{second}ROLLBACK TO x;\n{first}COMMIT;\n")
            }
            (false, 0) => format!("BEGIN;\n{first}SAVEPOINT x;\n{second}RELEASE x;\nROLLBACK;\n"),
            (false, 1) => format!("BEGIN;\n{first}SELECT 1/0;\nCOMMIT;\n"),
            // Ends with the connection, nobody says ROLLBACK.
            (false, _) => format!("BEGIN;\n{first}\\connect\n"),
        }
    }

    /// A psql script; half of the scripts commit in at most one block of several.
    fn script(&mut self) -> String {
        let mostly_aborted = self.below(2) == 0;
        let blocks = 1 + self.below(4);
        let committed = self.below(2 * blocks);
        (0..blocks)
            .map(|block| {
                self.block(if mostly_aborted {
                    block == committed
                } else {
                    true
                })
            })
            .collect()
    }
}

/// The seed of a repetition, or a new one.
fn seed() -> u64 {
    let given = std::env::var("PGBELAY_TEST_SEED").ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    given.map_or(u64::from(now.subsec_nanos()), |seed| seed.parse().unwrap())
}

on_servers! {
    fn p3_after_any_failed_migration_the_database_is_what_it_was(server) {
        let seed = seed();
        let mut random = Random(seed);
        let database = Database::create(server);
        database.sql_as_owner(BEFORE);
        let before = database.dump();
        for number in 0..MIGRATIONS {
            let workplace = Workplace::new();
            // A script that reconnects has sessions that are too short to be told from others'.
            let mut arguments = vec!["run", "--json", "--on-other-writers", "discard"];
            let shown = random.script();
            workplace.write("migration.sql", &shown);
            arguments.extend(["--", "sh", "-c", "psql -Xq -f migration.sql; exit 1"]);
            eprintln!("PGBELAY_TEST_SEED={seed}, migration {number}:\n{shown}");
            let output = workplace.call(&database).run(&arguments).assert_code(1);
            let outcome = output.json()["outcome"].as_str().unwrap().to_owned();
            eprintln!("ended {outcome}");
            assert!(["unchanged", "rolled-back"].contains(&outcome.as_str()), "{output}");
            database.assert_is(&before);
        }
    }
}
