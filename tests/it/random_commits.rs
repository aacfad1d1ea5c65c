//! Random migrations over several sessions, each asked afterwards: did anything commit? Whatever the answer, the
//! database is what it was before, by `pg_dump` and by content, with both proofs (P2, P3).
//!
//! A wrong "nothing was committed" is the worst thing this program can say. So the server is one of our own, on
//! which nobody else uses transaction ids and they can speak; half of the migrations take nearly all of their work
//! back; and they use what leaves no obvious trace: two-phase commit, savepoints, sequences, TRUNCATE,
//! swapped names, sessions that end in the middle, counts that were reset or not reported yet.
//!
//! `PGBELAY_TEST_CASES` (how many) and `PGBELAY_TEST_SEED` (the first) make a longer search; each case prints its
//! seed, which repeats it.

use std::fmt::Write as _;

use pgbelay::archive::Reader;
use pgbelay::error::{Kind, Result};
use pgbelay::pg::{self, Session, Sql};
use pgbelay::rollback::{
    ProofMode, RollbackOptions, RollbackOutcome, RollbackReport, Rung, Strategy,
};

use crate::data::{Bench, wait};
use crate::random_migrations::{BEFORE, Random, STATEMENTS};
use crate::support::{Database, Server};

/// What every run of the tests tries. With committed transaction ids taken for aborted ones 17, 116 and 204 turn red.
const SEEDS: [u64; 8] = [17, 116, 200, 201, 202, 203, 204, 205];

/// Sessions of a migration.
const SESSIONS: usize = 3;

/// What the migrations find besides [`BEFORE`].
const MORE: &str = "
    CREATE UNLOGGED TABLE u (id int PRIMARY KEY, v text);
    INSERT INTO u SELECT i, 'u' || i FROM generate_series(1, 40) i;
    CREATE TABLE d1 (k int, v text); CREATE TABLE d2 (k int, v text);
    INSERT INTO d1 SELECT i, 'one' FROM generate_series(1, 30) i; INSERT INTO d2 SELECT i, 'two' FROM generate_series(1, 30) i;
    CREATE TABLE twins (x text, y text); CREATE TABLE child (z int) INHERITS (twins);
    INSERT INTO twins SELECT 'x' || i, 'y' || i FROM generate_series(1, 20) i;
    INSERT INTO child SELECT 'cx' || i, 'cy' || i, i FROM generate_series(1, 20) i;
    CREATE TABLE p (k int, v text) PARTITION BY LIST (k);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2, 3);
    INSERT INTO p SELECT 1 + i % 3, 'p' || i FROM generate_series(1, 60) i;
    CREATE MATERIALIZED VIEW mv AS SELECT k, count(*) FROM d1 GROUP BY k;
    SELECT lo_from_bytea(4800, 'a large object');
";

/// What they do besides [`STATEMENTS`].
const INSIDE: &[&str] = &[
    "INSERT INTO d1 SELECT * FROM d2",
    "DELETE FROM d1 WHERE k = 3",
    "UPDATE d2 SET v = v",
    "UPDATE p SET k = 1 WHERE k = 3",
    "TRUNCATE p1",
    "TRUNCATE d1, u",
    "INSERT INTO u SELECT i, 'more' FROM generate_series(100, 110) i",
    "UPDATE u SET v = 'x' WHERE id < 5",
    "ALTER TABLE u SET LOGGED",
    "ALTER TABLE d1 SET UNLOGGED",
    "DO 'BEGIN ALTER TABLE d1 RENAME TO dx; ALTER TABLE d2 RENAME TO d1; ALTER TABLE dx RENAME TO d2; END'",
    "DO 'BEGIN ALTER TABLE twins RENAME x TO t; ALTER TABLE twins RENAME y TO x; ALTER TABLE twins RENAME t TO y; END'",
    "DO 'BEGIN ALTER TABLE d2 DROP COLUMN v; ALTER TABLE d2 ADD COLUMN v text; END'",
    "DO 'BEGIN ALTER TABLE d2 DROP COLUMN v; ALTER TABLE d2 ADD COLUMN v text DEFAULT ''two''; END'",
    "DO 'BEGIN CREATE TABLE dx AS TABLE d1; DROP TABLE d1 CASCADE; ALTER TABLE dx RENAME TO d1; END'",
    "DO 'BEGIN ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p1 RENAME TO px; END'",
    "ALTER TABLE d1 ALTER COLUMN v TYPE varchar(30)",
    "ALTER TABLE child NO INHERIT twins",
    "CLUSTER a USING a_pkey",
    "SELECT lo_put(4800, 2, 'XX')",
    "SELECT lo_unlink(4800)",
    "SELECT lo_from_bytea(0, 'new')",
    "SELECT nextval('q') FROM generate_series(1, 40)",
    "CREATE TEMP TABLE scratch AS TABLE d1",
    "CREATE TEMP TABLE brief ON COMMIT DROP AS SELECT 1 AS one",
    "SET LOCAL search_path = pg_catalog",
    "SET LOCAL statement_timeout = '2s'",
    "REFRESH MATERIALIZED VIEW mv",
    "DO 'BEGIN INSERT INTO d1 VALUES (99, ''n''); DELETE FROM d1 WHERE k = 99; END'",
    "SELECT pg_stat_reset_single_table_counters('d1'::regclass)",
    "SELECT pg_stat_reset()",
    "SELECT pg_export_snapshot()",
];

/// What commits on its own, and cannot be in a transaction.
const ALONE: &[&str] = &[
    "CREATE INDEX CONCURRENTLY d1_v ON d1 (v)",
    "CREATE UNIQUE INDEX CONCURRENTLY d1_half ON d1 (v)",
    "DROP INDEX CONCURRENTLY b_note",
    "REINDEX TABLE CONCURRENTLY a",
    "VACUUM FULL d2",
    "VACUUM a",
    "DO 'BEGIN DELETE FROM d1 WHERE k = 1; COMMIT; DELETE FROM d1; ROLLBACK; END'",
    "ALTER TABLE p DETACH PARTITION p2 CONCURRENTLY",
];

/// A session and whether it has a transaction open, and one that only has the locks of DML.
#[derive(Default)]
struct Work {
    session: Option<Session>,
    open: bool,
    heavy: bool,
}

/// A migration under way.
struct Migration<'a> {
    bench: &'a Bench,
    random: Random,
    works: [Work; SESSIONS],
    /// Prepared transactions, and whether each keeps readers out.
    prepared: Vec<(String, bool)>,
    /// How much may still be committed.
    commits: usize,
    log: String,
}

/// What a migration left, besides what it committed.
#[derive(Default)]
struct Left {
    prepared: Vec<String>,
    sessions: Vec<Session>,
    transactions: usize,
}

impl<'a> Migration<'a> {
    fn new(bench: &'a Bench, seed: u64) -> Self {
        let mut random = Random(seed);
        let sparing = random.below(2) == 0;
        let commits = if sparing { random.below(2) } else { usize::MAX };
        Self {
            bench,
            commits,
            random,
            works: Default::default(),
            prepared: Vec::new(),
            log: String::new(),
        }
    }

    async fn execute(&mut self, number: usize, sql: &str) {
        let work = &mut self.works[number];
        if work.session.is_none() {
            let session =
                pg::connect(&self.bench.target(), pg::Purpose::Facts, &self.bench.ctx).await;
            let session = session.expect("a session");
            let settings = "SET application_name = 'migration'; SET search_path = public; \
                SET lock_timeout = '100ms'; SET statement_timeout = '1s'";
            session
                .execute(&Sql::deparsed(settings.to_owned()))
                .await
                .expect("settings");
            work.session = Some(session);
        }
        let session = work.session.as_ref().expect("a session");
        let done = session.execute(&Sql::deparsed(sql.to_owned())).await;
        let shown = match &done {
            Ok(()) => String::new(),
            Err(error) => format!(
                "  -- {}",
                error
                    .reason()
                    .unwrap_or_default()
                    .lines()
                    .next()
                    .unwrap_or_default()
            ),
        };
        writeln!(self.log, "{number}: {sql}{shown}").expect("a line");
    }

    async fn step(&mut self) {
        let number = self.random.below(SESSIONS);
        match self.random.below(20) {
            0..=10 => self.statement(number).await,
            11 | 12 => self.begin(number).await,
            13 => self.end(number).await,
            14 => self.execute(number, "SAVEPOINT x").await,
            15 => self.execute(number, "ROLLBACK TO x").await,
            16 => self.prepare(number).await,
            17 => self.finish_prepared().await,
            18 => self.leave(number),
            _ if self.commits > 0 && !self.works[number].open => {
                self.commits -= 1;
                let sql = ALONE[self.random.below(ALONE.len())];
                self.execute(number, sql).await;
            }
            _ => {}
        }
    }

    async fn statement(&mut self, number: usize) {
        let all = STATEMENTS.len() + INSIDE.len();
        let at = self.random.below(all);
        let sql = STATEMENTS
            .get(at)
            .copied()
            .unwrap_or_else(|| INSIDE[at - STATEMENTS.len()]);
        if !self.works[number].open {
            if self.commits == 0 {
                self.begin(number).await;
            } else {
                self.commits -= 1;
            }
        }
        let is_dml = [
            "INSERT",
            "UPDATE",
            "DELETE FROM",
            "SELECT nextval",
            "SELECT lo_",
        ];
        self.works[number].heavy |= !is_dml.iter().any(|word| sql.starts_with(word));
        self.execute(number, sql).await;
    }

    async fn begin(&mut self, number: usize) {
        if self.works[number].open {
            return;
        }
        let levels = [
            "",
            " ISOLATION LEVEL REPEATABLE READ",
            " ISOLATION LEVEL SERIALIZABLE",
        ];
        let sql = format!("BEGIN{}", levels[self.random.below(levels.len())]);
        self.execute(number, &sql).await;
        (self.works[number].open, self.works[number].heavy) = (true, false);
    }

    async fn end(&mut self, number: usize) {
        if !self.works[number].open {
            return;
        }
        let commits = self.commits > 0 && self.random.below(3) > 0;
        if commits {
            self.commits -= 1;
        }
        self.execute(number, if commits { "COMMIT" } else { "ROLLBACK" })
            .await;
        self.works[number].open = false;
    }

    async fn prepare(&mut self, number: usize) {
        if !self.works[number].open {
            return;
        }
        let name = format!("{}_{}", self.bench.database.name(), self.log.len());
        self.execute(number, &format!("PREPARE TRANSACTION '{name}'"))
            .await;
        // A transaction that had failed is rolled back without a word.
        let sql = format!("SELECT count(*) FROM pg_prepared_xacts WHERE gid = '{name}'");
        if self.bench.database.sql(&sql) == "1" {
            self.prepared.push((name, self.works[number].heavy));
        }
        self.works[number].open = false;
    }

    async fn finish_prepared(&mut self) {
        let Some((name, _)) = self.prepared.pop() else {
            return;
        };
        let free = self.works.iter().position(|work| !work.open);
        let commits = self.commits > 0 && self.random.below(2) == 0;
        if commits {
            self.commits -= 1;
        }
        let verb = if commits { "COMMIT" } else { "ROLLBACK" };
        let number = free.unwrap_or(0);
        if free.is_none() {
            self.leave(number);
        }
        self.execute(number, &format!("{verb} PREPARED '{name}'"))
            .await;
    }

    /// The connection is gone, whatever it was doing.
    fn leave(&mut self, number: usize) {
        writeln!(self.log, "{number}: (leaves)").expect("a line");
        self.works[number] = Work::default();
    }

    /// Ends what is open, and leaves something now and then.
    async fn finish(mut self) -> (Left, String) {
        let leaves_prepared = self.random.below(8) == 0;
        let leaves_session = self.random.below(8) == 0;
        let mut left = Left::default();
        while let Some((name, heavy)) = self.prepared.pop() {
            if leaves_prepared && !heavy {
                left.prepared.push(name);
            } else {
                self.prepared.push((name, heavy));
                self.finish_prepared().await;
            }
        }
        for number in 0..SESSIONS {
            let light = !self.works[number].heavy;
            let (has, open) = (
                self.works[number].session.is_some(),
                self.works[number].open,
            );
            if leaves_session && has && (light || !open) {
                left.transactions += usize::from(open);
                left.sessions.extend(self.works[number].session.take());
            } else if open && self.random.below(2) == 0 {
                self.end(number).await;
            } else {
                self.leave(number);
            }
        }
        writeln!(
            self.log,
            "left: {:?}, {} sessions, {} in a transaction",
            left.prepared,
            left.sessions.len(),
            left.transactions
        )
        .expect("a line");
        (left, self.log)
    }
}

async fn migrate(bench: &Bench, seed: u64) -> (Left, String) {
    let mut migration = Migration::new(bench, seed);
    for _ in 0..4 + migration.random.below(16) {
        migration.step().await;
    }
    migration.finish().await
}

/// Sessions that were dropped end on the server a moment later.
async fn settled(bench: &Bench, left: &Left) {
    let kept = left.sessions.len();
    for _ in 0..200 {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'migration'",
            bench.database.name()
        );
        if bench.database.server().psql("postgres", &sql) == kept.to_string() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("sessions of the migration do not end");
}

/// One case: the database is afterwards what it was, or nothing happened to it and the error says why.
async fn case(bench: &Bench, reader: &Reader, before: &str, seed: u64) -> &'static str {
    let (left, log) = migrate(bench, seed).await;
    settled(bench, &left).await;
    let mut options = options(seed);
    let in_the_way = !left.prepared.is_empty() || left.transactions > 0;
    let found = in_the_way.then(|| bench.database.dump());
    let shown = |what: &str| format!("PGBELAY_TEST_SEED={seed}: {what}\n{log}");
    let mut result = roll_back(bench, reader, &options).await;
    if let (Err(error), Some(found)) = (&result, found) {
        assert!(
            [Kind::Withheld, Kind::InDoubt].contains(&error.kind()),
            "{}",
            shown(&error.to_string())
        );
        assert!(
            bench.database.dump() == found,
            "{}",
            shown("a rollback that failed changed something")
        );
        for name in &left.prepared {
            bench.database.sql(&format!("ROLLBACK PREPARED '{name}'"));
        }
        let none = Left::default();
        drop(left.sessions);
        settled(bench, &none).await;
        options.rung = Rung::Auto;
        result = roll_back(bench, reader, &options).await;
    } else {
        for name in &left.prepared {
            bench.database.sql(&format!("ROLLBACK PREPARED '{name}'"));
        }
    }
    let report = result.unwrap_or_else(|error| panic!("{}", shown(&error.to_string())));
    let now = bench.database.dump();
    assert!(
        now == *before,
        "{}",
        shown(&format!("{report:?}: the database is not what it was"))
    );
    match report.outcome {
        RollbackOutcome::Unchanged => "unchanged",
        RollbackOutcome::RolledBack if report.strategy == Strategy::Sequences => "sequences",
        RollbackOutcome::RolledBack if report.proof.starts_with("counters") => "by counters",
        RollbackOutcome::RolledBack => "rolled back",
    }
}

fn options(seed: u64) -> RollbackOptions {
    RollbackOptions {
        proof: if seed.is_multiple_of(2) {
            ProofMode::Counters
        } else {
            ProofMode::Content
        },
        rung: if seed.is_multiple_of(5) {
            Rung::Rebuild
        } else {
            Rung::Auto
        },
        lock_timeout: std::time::Duration::from_millis(300),
        ..RollbackOptions::default()
    }
}

async fn roll_back(
    bench: &Bench,
    reader: &Reader,
    options: &RollbackOptions,
) -> Result<RollbackReport> {
    let target = bench.target();
    pgbelay::rollback::roll_back(&target, reader, &bench.store, options, &bench.ctx).await
}

/// The fixed ones, or as many as somebody asked for.
fn seeds() -> Vec<u64> {
    let number = |name: &str| {
        let given = std::env::var(name).ok();
        given.map(|text| text.parse::<u64>().expect("a number"))
    };
    let (first, cases) = (number("PGBELAY_TEST_SEED"), number("PGBELAY_TEST_CASES"));
    match (first, cases) {
        (None, None) => SEEDS.to_vec(),
        (first, cases) => {
            let first = first.unwrap_or(1);
            (first..first + cases.unwrap_or(1)).collect()
        }
    }
}

/// A server on which transaction ids and counts can speak.
fn quiet(server: &'static Server) -> Bench {
    let server =
        server.with_settings(&[("max_prepared_transactions", "10"), ("autovacuum", "off")]);
    let database = Database::create(server);
    database.sql_as_owner(BEFORE);
    database.sql_as_owner(MORE);
    database.sql("GRANT EXECUTE ON FUNCTION pg_stat_reset(), pg_stat_reset_single_table_counters(oid) TO app");
    // Neither is believed while the server is younger than an archive of it.
    database.sql("SELECT pg_sleep(4)");
    Bench::on(database)
}

on_all_servers! {
    fn p2_nothing_committed_is_never_said_wrongly(server) {
        let bench = quiet(server);
        let before = bench.database.dump();
        let seeds = seeds();
        let mut ended = std::collections::BTreeMap::new();
        for (number, &seed) in seeds.iter().enumerate() {
            // Counts are those of the archive's time: each case has its own.
            let reader = bench.archive();
            let how = wait(case(&bench, &reader, &before, seed));
            let difference = bench.difference(&reader);
            assert!(difference.is_empty(), "PGBELAY_TEST_SEED={seed}: {:?}", difference.lines());
            *ended.entry(how).or_insert(0) += 1;
            if number % 50 == 49 {
                eprintln!("PostgreSQL {}, up to seed {seed}: {ended:?}", server.major);
            }
            for archive in bench.store.archives().expect("archives") {
                std::fs::remove_file(archive.path).expect("a file");
            }
        }
        eprintln!("PostgreSQL {}: {ended:?}", server.major);
assert!(seeds.len() < SEEDS.len() || ended.len() > 1, "always the same: {ended:?}");
    }
}
