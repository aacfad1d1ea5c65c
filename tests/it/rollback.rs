//! Rollback: decided by evidence, proven by content, judged by real pg_dump.

use pgbelay::archive::{Reader, Writer, compress};
use pgbelay::catalog::{AcceptedLosses, Loss};
use pgbelay::dump::DumpOptions;
use pgbelay::error::Kind;
use pgbelay::rollback::{
    RollbackOptions, RollbackOutcome, RollbackReport, Rung, Strategy, roll_back,
};

use crate::data::{Bench, wait};

/// What a failed migration may leave behind, as the plain owner.
pub const DAMAGE: [&str; 13] = [
    "DROP TABLE shop.listings CASCADE",
    "ALTER TABLE shop.users ADD COLUMN queued timestamptz; UPDATE shop.users SET queued = now()",
    "TRUNCATE shop.users CASCADE",
    "CREATE TABLE public.half (a integer REFERENCES shop.users (id)); INSERT INTO public.half VALUES (1)",
    "CREATE SCHEMA made; CREATE TYPE made.t AS ENUM ('x'); CREATE TABLE made.u (a made.t); \
     CREATE FUNCTION made.f(made.t) RETURNS made.t LANGUAGE sql AS 'SELECT $1'; \
     CREATE VIEW made.v AS SELECT made.f(a) FROM made.u",
    "ALTER TYPE shop.status ADD VALUE 'new'",
    "DROP SCHEMA shop CASCADE",
    "UPDATE alembic_version SET version_num = 'half'",
    "ALTER TABLE shop.users RENAME TO people; SELECT nextval('shop.tickets')",
    "COMMENT ON SCHEMA public IS 'mine'; GRANT CREATE ON SCHEMA public TO reader",
    "ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO reader; \
     ALTER DEFAULT PRIVILEGES IN SCHEMA shop REVOKE SELECT ON TABLES FROM reader",
    "DROP SCHEMA public CASCADE",
    "DO $$ BEGIN
       EXECUTE format('ALTER DATABASE %I SET search_path = shop, \"$user\"', current_database());
       EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), 'half done');
       EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
     END $$",
];

/// Rolls back and lets real pg_dump judge.
#[track_caller]
fn proven(bench: &Bench, reader: &Reader, before: &str) -> RollbackReport {
    proven_with(bench, reader, before, &RollbackOptions::default())
}

#[track_caller]
fn proven_with(
    bench: &Bench,
    reader: &Reader,
    before: &str,
    options: &RollbackOptions,
) -> RollbackReport {
    let report = bench.roll_back_with(reader, options).expect("a rollback");
    assert_eq!(report.outcome, RollbackOutcome::RolledBack, "{report:?}");
    bench.database.assert_is(before);
    let difference = bench.difference(reader);
    assert!(difference.is_empty(), "{:?}", difference.lines());
    report
}

on_three_servers! {
    /// P3, P4: whatever was committed is undone, saved first, and proven by content.
    fn p3_rollback_is_proven(server) {
        // One database for all: what is proven to be back is good for the next failure.
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.own_public();
        let reader = bench.archive();
        let before = bench.database.dump();
        for damage in DAMAGE {
            bench.database.sql_as_owner(damage);
            let damaged = bench.database.dump();
            let options = RollbackOptions { rung: Rung::Rebuild, ..RollbackOptions::default() };
            let report = proven_with(&bench, &reader, &before, &options);
            assert_eq!(report.strategy, Strategy::Rebuild, "{damage}");
            assert!(report.proof.starts_with("content: "), "{}", report.proof);
            assert!(!report.undone.is_empty(), "{damage}");
            let saved = Reader::open(&report.saved.expect("P4")).expect("an archive");
            let copy = bench.database.sibling();
            // Before 15 only a superuser can drop a fresh database's `public`.
            let role = match server.major < 15 && damage.contains("DROP SCHEMA public") {
                true => "postgres",
                false => {
                    copy.own_public();
                    "app"
                }
            };
            bench.restore_by(role, &copy, &saved).expect("a restore of what was saved");
            copy.assert_is(&damaged);
        }
    }

    /// Owner, grants and comment of `public` come back, which has no grants at all where it was made again.
    fn p3_public_is_put_back_as_it_was(server) {
        let again = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        let owned = "ALTER SCHEMA public OWNER TO app";
        let usual_owner = if server.major < 15 { "postgres" } else { "pg_database_owner" };
        let looks_usual = format!("{again}; ALTER SCHEMA public OWNER TO {usual_owner}; \
            COMMENT ON SCHEMA public IS 'standard public schema'");
        let damages = [
            again, &looks_usual, owned, "ALTER SCHEMA public OWNER TO reader",
            "GRANT USAGE ON SCHEMA public TO PUBLIC", "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
        ];
        let before = ["SELECT 1", owned, again, &format!("{again}; {owned}")];
        for (turn, before) in before.into_iter().enumerate() {
            let bench = Bench::empty(server);
            bench.database.sql(before);
            bench.database.sql("CREATE TABLE public.t (a integer); ALTER TABLE public.t OWNER TO app");
            let dump = bench.database.dump();
            let reader = Reader::open(&bench.backup_as("postgres").expect("a backup").archive).expect("an archive");
            let target = bench.target_as("postgres");
            for (place, damage) in damages.into_iter().enumerate() {
                bench.database.sql(damage);
                if bench.database.dump() == dump {
                    continue;
                }
                let rung = if (turn + place).is_multiple_of(2) { Rung::Auto } else { Rung::Rebuild };
                let options = RollbackOptions { rung, ..RollbackOptions::default() };
                let report = wait(roll_back(&target, &reader, &bench.store, &options, &bench.ctx)).expect(damage);
                assert_eq!(report.outcome, RollbackOutcome::RolledBack, "{before} {damage}");
                bench.database.assert_is(&dump);
            }
        }
    }

    /// A function in standard SQL that calls itself, which the server only takes when there is one already (pg_dump's copy fails).
    fn p3_a_function_that_calls_itself_comes_back(server) {
        let bench = Bench::empty(server);
        bench.database.own_public();
        bench.database.sql_as_owner(
            "CREATE FUNCTION itself(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 1;
             CREATE OR REPLACE FUNCTION itself(n int) RETURNS int LANGUAGE sql IMMUTABLE
                RETURN CASE WHEN n <= 0 THEN 0 ELSE itself(n - 1) + 1 END;
             CREATE FUNCTION \"counts;down\"(n int, OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql
                BEGIN ATOMIC SELECT 1, 'x' AS b; END;
             CREATE OR REPLACE FUNCTION \"counts;down\"(n int, OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql
                BEGIN ATOMIC SELECT n, ';' AS b UNION ALL SELECT r.a, r.b FROM \"counts;down\"(n - 1) r WHERE n > 0; END;
             CREATE TABLE uses (a int GENERATED ALWAYS AS (itself(2)) STORED, b int); INSERT INTO uses (b) VALUES (1)",
        );
        let before = bench.database.dump();
        let reader = bench.archive();
        let copy = bench.database.sibling();
        copy.own_public();
        bench.restore_into(&copy, &reader).expect("a restore");
        copy.assert_is(&before);
        let by_psql = bench.database.sibling();
        by_psql.restore_plain(&crate::support::gunzip(reader.path()));
        assert_eq!(by_psql.sql("SELECT count(*) FROM \"counts;down\"(2)"), "3");
        bench.database.sql_as_owner("DROP FUNCTION itself CASCADE; DROP FUNCTION \"counts;down\"");
        proven(&bench, &reader, &before);
        assert_eq!(bench.database.sql("SELECT itself(3)"), "3");
        // What no server reads back is refused before, not found out after.
        bench.database.sql_as_owner("CREATE FUNCTION semi(text, e text) RETURNS text LANGUAGE sql RETURN $1 || e");
        let refused = bench.backup().expect_err("a refusal");
        assert!(refused.to_string().contains("semi"), "{refused}");
        // Whoever accepts that gets an archive that restores, without it.
        let accept = AcceptedLosses::of([Loss::UnknownObject]);
        let options = DumpOptions { accept: accept.clone(), ..DumpOptions::default() };
        let report = bench.backup_with(&options).expect("a backup");
        let copy = bench.database.sibling();
        copy.own_public();
        bench.restore_into(&copy, &Reader::open(&report.archive).expect("an archive")).expect("a restore");
        copy.assert_is(&before);
        // One that the migration made goes.
        proven(&bench, &reader, &before);
    }

    /// P2: a migration whose transactions all aborted leaves nothing to do, and nothing is done.
    fn p2_nothing_committed_nothing_touched(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner("BEGIN; DROP TABLE shop.listings CASCADE; ROLLBACK");
        let report = bench.roll_back(&reader).expect("a decision");
        assert_eq!(report.outcome, RollbackOutcome::Unchanged);
        assert_eq!(report.saved, None);
        bench.database.assert_is(&before);
    }

    /// Sequences move without a commit; they are set back in place.
    fn sequences_alone_are_set_back(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner(
            "BEGIN; SELECT nextval('shop.tickets'), nextval('shop.users_id_seq'); ROLLBACK",
        );
        let report = proven(&bench, &reader, &before);
        assert_eq!(report.strategy, Strategy::Sequences);
    }

    /// A table that has to be changed is used by another session: nothing happens, and the error says
    /// what is true. Readers of other tables are not in the way of a repair.
    fn a_locked_table_leaves_the_database_as_found(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        bench.database.sql_as_owner("DELETE FROM shop.fast");
        let damaged = bench.database.dump();
        let holder = crate::data::wait(async {
            let session = bench.session().await;
            let read = pgbelay::pg::Sql::constant("SELECT count(*) FROM shop.users");
            session.query(&read).await.expect("a read");
            session
        });
        drop(holder);
        let blocker = Blocker::start(&bench);
        let options = RollbackOptions {
            lock_timeout: std::time::Duration::from_millis(300),
            ..RollbackOptions::default()
        };
        let error = bench.roll_back_with(&reader, &options).expect_err("locked");
        assert_eq!(error.kind(), Kind::InDoubt);
        assert!(error.database_now().unwrap().contains("as the rollback found it"), "{error:?}");
        drop(blocker);
        bench.database.assert_is(&damaged);
    }

    /// P5: an open transaction that wrote withholds the rollback.
    fn p5_an_open_writing_transaction_withholds(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        bench.database.sql_as_owner("DELETE FROM shop.fast");
        let blocker = Blocker::with(&bench, "BEGIN; INSERT INTO shop.empty VALUES (1); SELECT pg_sleep(60)");
        let error = bench.roll_back(&reader).expect_err("withheld");
        assert_eq!(error.kind(), Kind::Withheld);
        drop(blocker);
    }

    /// Who holds a lock and has written nothing loses nothing: it is waited for. So does, for a moment, each writer whom the
    /// fence refuses.
    fn p5_a_lock_alone_withholds_nothing(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let before = bench.database.dump();
        let reader = bench.archive();
        bench.database.sql_as_owner("DELETE FROM shop.fast");
        let blocker = Blocker::with(&bench, "BEGIN; LOCK shop.empty IN ROW EXCLUSIVE MODE; SELECT pg_sleep(2)");
        bench.roll_back(&reader).expect("a rollback");
        drop(blocker);
        bench.database.assert_is(&before);
    }

    /// The archive of another database is refused unless it is asked for.
    fn another_databases_archive_is_refused(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let other = Bench::of_corpus(server, "everyday.sql");
        other.database.sql_as_owner("DELETE FROM shop.fast");
        let reader = other.archive();
        let error = bench.roll_back(&reader).expect_err("refused");
        assert_eq!(error.kind(), Kind::Refused);
        let options = RollbackOptions { other_database: true, ..RollbackOptions::default() };
        bench.roll_back_with(&reader, &options).expect("a rollback");
        bench.database.assert_is(&other.database.dump());
    }
}

/// A psql that sits in a transaction until it is dropped.
pub struct Blocker(std::process::Child);

impl Blocker {
    fn start(bench: &Bench) -> Self {
        Self::with(
            bench,
            "BEGIN; SELECT count(*) FROM shop.fast; SELECT pg_sleep(60)",
        )
    }

    pub fn with(bench: &Bench, sql: &str) -> Self {
        let mut command = bench
            .database
            .server()
            .client("psql", bench.database.name());
        let child = command
            .args(["-Xq", "-o", "/dev/null", "-c", sql])
            .spawn()
            .expect("psql starts");
        // From here on the child is waited for, whatever happens.
        let blocker = Self(child);
        for _ in 0..200 {
            let sleeping = bench.database.sql(
                "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event = 'PgSleep'",
            );
            if sleeping == "1" {
                return blocker;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the other session does not sleep");
    }
}

impl Drop for Blocker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

on_three_servers! {
    /// Other databases and autovacuum commit too: then every row decides, and still nothing is touched.
    fn p2_content_decides_where_ids_are_silent(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        bench.database.sql_as_owner("CREATE TABLE public.passing (a integer); DROP TABLE public.passing");
        let report = bench.roll_back(&reader).expect("a decision");
        assert_eq!(report.outcome, RollbackOutcome::Unchanged);
        assert!(report.proof.starts_with("content: "), "{}", report.proof);
        assert_eq!(report.saved, None);
    }

    /// Rows alone differ: the definitions cannot tell, reading every row does.
    fn p3_changed_rows_are_found_and_put_back(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner("UPDATE shop.users SET name = 'x' WHERE id = 1");
        let report = proven(&bench, &reader, &before);
        assert_eq!(report.undone, ["table shop.users: content differs (3 rows before and after)"]);
    }

    /// Objects of rarer kinds, and of kinds that no entry covers, go when the migration made them.
    fn unusual_and_uncovered_objects_of_the_migration_go(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner(
            "CREATE AGGREGATE shop.my_sum(integer) (SFUNC = int4pl, STYPE = integer);
             CREATE TYPE shop.span AS RANGE (subtype = integer);
             CREATE TABLE shop.uses (a shop.span);
             CREATE VIEW shop.sums AS SELECT shop.my_sum(n) FROM shop.fast;
             CREATE STATISTICS shop.stats ON id, owner FROM shop.listings;
             CREATE COLLATION shop.c (locale = 'C');
             SELECT lo_from_bytea(4711, 'abc');
             CREATE OPERATOR shop.=== (FUNCTION = int4eq, LEFTARG = integer, RIGHTARG = integer, NEGATOR = OPERATOR(shop.!==));
             DROP OPERATOR shop.=== (integer, integer);
             CREATE INDEX broken ON shop.users (name)",
        );
        bench.database.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.broken'::regclass");
        let report = proven(&bench, &reader, &before);
        let saved = Reader::open(&report.saved.expect("P4")).expect("an archive");
        assert!(!saved.manifest().accepted_losses.is_empty());
        let warnings = bench.recorder.0.lock().unwrap().join("\n");
        assert!(warnings.contains("index shop.broken is removed and could not be saved"), "{warnings}");
        let error = bench.roll_back(&saved).expect_err("an archive with losses");
        assert_eq!(error.kind(), Kind::Refused);
    }

    /// Large objects come back under their numbers, with owner and every byte.
    fn p3_large_objects_come_back(server) {
        let bench = Bench::of_corpus(server, "large_objects.sql");
        let reader = bench.archive();
        let before = bench.database.dump();
        bench.database.sql_as_owner(
            "SELECT lo_unlink(4711); SELECT lo_put(4712, 2000000, 'x'); SELECT lo_from_bytea(4799, 'new')",
        );
        let lines = bench.difference(&reader).lines().join("\n");
        for words in ["large object 4711", "large object 4712", "large object 4799"] {
            assert!(lines.contains(words), "{words}:\n{lines}");
        }
        proven(&bench, &reader, &before);
    }

    /// Rows that the user put into an extension's configuration table, and only those.
    fn p3_rows_of_configuration_tables_come_back(server) {
        let extension = if server.offers("citext") { "citext" } else { "vector" };
        let bench = Bench::empty(server);
        bench.database.sql(&format!(
            "CREATE EXTENSION {extension} SCHEMA public;
             CREATE TABLE public.zones (id integer PRIMARY KEY, name text);
             INSERT INTO public.zones SELECT i, 'ours ' || i FROM generate_series(1, 3) i;
             ALTER TABLE public.zones OWNER TO app;
             ALTER EXTENSION {extension} ADD TABLE public.zones;
             UPDATE pg_extension SET extconfig = ARRAY['public.zones'::regclass::oid], extcondition = ARRAY['WHERE id > 3']
              WHERE extname = '{extension}';
             INSERT INTO public.zones VALUES (4, 'theirs')"
        ));
        let reader = bench.archive();
        assert_eq!(reader.manifest().tables[0].rows, 1, "the extension's own rows are not ours");
        bench.database.sql_as_owner("UPDATE public.zones SET name = 'x' WHERE id = 4; INSERT INTO public.zones VALUES (5, 'new')");
        bench.roll_back(&reader).expect("a rollback");
        assert_eq!(bench.database.sql("SELECT string_agg(name, ',' ORDER BY id) FROM public.zones"), "ours 1,ours 2,ours 3,theirs");
    }

    /// Extensions that are the same stay, one that the migration made goes, one that it took returns.
    fn extensions_stay_go_and_return(server) {
        let (ours, theirs) = if server.offers("citext") { ("citext", "pgcrypto") } else { ("vector", "plpgsql") };
        let bench = Bench::empty(server);
        bench.database.sql(&format!(
            "CREATE SCHEMA ext AUTHORIZATION app; CREATE EXTENSION {ours} SCHEMA ext; GRANT USAGE ON SCHEMA ext TO reader"
        ));
        let column = if ours == "citext" { "ext.citext" } else { "ext.vector(3)" };
        bench.database.sql_as_owner(&format!(
            "CREATE TABLE public.t (a {column}); INSERT INTO public.t VALUES ('[1,2,3]')"
        ));
        let reader = bench.archive();
        let before = bench.database.dump();
        let oid = format!("SELECT oid FROM pg_extension WHERE extname = '{ours}'");
        let extension = bench.database.sql(&oid);
        bench.database.sql_as_owner("DROP TABLE public.t; CREATE TABLE ext.more (a integer)");
        if theirs == "pgcrypto" {
            bench.database.sql_as_owner("CREATE EXTENSION pgcrypto SCHEMA ext");
        }
        proven(&bench, &reader, &before);
        assert_eq!(bench.database.sql(&oid), extension, "it must not be dropped and made again");
    }

    /// Every bit of the way back is one transaction: a failure in it leaves the failed migration's state.
    fn a_rollback_that_cannot_be_made_changes_nothing(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        bench.database.sql_as_owner("DROP TABLE shop.listings CASCADE");
        bench.database.sql("CREATE SCHEMA theirs; GRANT USAGE ON SCHEMA theirs TO app; \
             CREATE TABLE theirs.t (a integer); GRANT ALL ON theirs.t TO app");
        let damaged = bench.database.dump();
        let error = bench.roll_back(&reader).expect_err("not ours to drop");
        assert_eq!(error.kind(), Kind::InDoubt);
        assert!(error.to_string().contains("must be owner of table t"), "{error}");
        assert!(error.database_now().unwrap().contains("did not commit"), "{error:?}");
        bench.database.assert_is(&damaged);
    }
}

/// The same archive, except that its manifest claims other rows of one table than it holds.
fn with_a_false_digest(bench: &Bench, reader: &Reader) -> Reader {
    let mut manifest = reader.manifest().clone();
    let directory = bench.store.directory();
    let mut writer = Writer::create(directory, "false.sql.gz").expect("a writer");
    for (index, member) in manifest.members.iter().enumerate() {
        let text = reader
            .member_text(u32::try_from(index).unwrap())
            .expect("a member");
        let compressed = compress(&text).expect("a member");
        writer
            .append(member.kind, member.table, member.rows, compressed)
            .expect("room");
    }
    let table = manifest.tables.iter_mut().find(|table| table.rows > 0);
    table.expect("rows").digest = "0123456789abcdef0123456789abcdef".to_owned();
    Reader::open(&writer.finish(manifest).expect("an archive")).expect("an archive")
}

on_three_servers! {
    /// "Rolled back" is never said on trust: what cannot be proven equal is not committed.
    fn p3_what_is_not_proven_is_not_committed(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = with_a_false_digest(&bench, &bench.archive());
        bench.database.sql_as_owner("DROP TABLE shop.empty");
        let damaged = bench.database.dump();
        for rung in [Rung::Repair, Rung::Rebuild] {
            let options = RollbackOptions { rung, ..RollbackOptions::default() };
            let error = bench.roll_back_with(&reader, &options).expect_err("not proven");
            assert_eq!(error.kind(), Kind::InDoubt);
            assert!(error.to_string().contains("content differs"), "{error}");
            assert!(error.database_now().unwrap().contains("did not commit"), "{error:?}");
            bench.database.assert_is(&damaged);
        }
    }

    /// An inheritance child that got its parent's column late cannot get its order of columns
    /// back: that is refused by name, or accepted, and its rows are compared in the recorded order.
    fn p3_order_of_columns_does_not_hide_or_fake_a_difference(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE public.p (a integer); CREATE TABLE public.c (b integer) INHERITS (public.p);
             ALTER TABLE public.p ADD COLUMN d integer; INSERT INTO public.c VALUES (1, 2, 3)",
        );
        let refused = bench.backup().expect_err("a loss").to_string();
        let reason = "table public.c (column-order): it inherits, and CREATE TABLE … INHERITS puts its columns (a, b, d) in another order (a, d, b)";
        assert!(refused.contains(reason), "{refused}");
        let accept = AcceptedLosses::of([Loss::ColumnOrder]);
        let dump = DumpOptions { accept: accept.clone(), ..DumpOptions::default() };
        let reader = Reader::open(&bench.backup_with(&dump).expect("a backup").archive).expect("an archive");
        bench.database.sql_as_owner("UPDATE public.c SET a = 9");
        let options = RollbackOptions { accept_losses: accept, ..RollbackOptions::default() };
        let report = bench.roll_back_with(&reader, &options).expect("a rollback");
        assert_eq!(report.outcome, RollbackOutcome::RolledBack);
        assert_eq!(bench.database.sql("SELECT a, b, d FROM public.c"), "1|2|3");
    }
}
