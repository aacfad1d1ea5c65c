//! Restore with several sessions: equal to the original, or marked as incomplete.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use pgbelay::archive::Reader;
use pgbelay::dump::DumpOptions;
use pgbelay::error::{Error, Kind};

use crate::data::Bench;
use crate::support::{Database, Running, Server, Workplace};

pub const JOBS: usize = 4;

pub fn is_marked(database: &Database) -> bool {
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgbelay_unfinished_restore'";
    database.sql(sql).trim() == "1"
}

/// Sessions of ours in the database, whatever they do.
pub fn sessions(database: &Database) -> String {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name LIKE 'pgbelay %'";
    database.sql(sql).trim().to_owned()
}

/// Tables with several members each, a tree, inheritance, identity, keys between them.
const MANY: &str = "
    CREATE SCHEMA s;
    CREATE TABLE s.parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text NOT NULL);
    CREATE TABLE s.child (id serial PRIMARY KEY, parent bigint NOT NULL REFERENCES s.parent, pad text);
    CREATE INDEX ON s.child (parent);
    CREATE INDEX ON s.child (lower(pad));
    CREATE TABLE s.tree (at integer NOT NULL, parent bigint REFERENCES s.parent, note text) PARTITION BY RANGE (at);
    CREATE TABLE s.tree_1 PARTITION OF s.tree FOR VALUES FROM (0) TO (1000);
    CREATE TABLE s.tree_2 PARTITION OF s.tree FOR VALUES FROM (1000) TO (100000);
    ALTER TABLE s.tree ADD PRIMARY KEY (at);
    CREATE INDEX ON s.tree (note);
    CREATE TABLE s.leaf (at integer REFERENCES s.tree, id serial UNIQUE);
    CREATE TABLE s.base (a integer, CONSTRAINT positive CHECK (a >= 0));
    CREATE TABLE s.heir (b integer) INHERITS (s.base);
    CREATE INDEX ON s.heir (a);
    INSERT INTO s.parent (word) SELECT 'word ' || n FROM generate_series(1, 40000) n;
    INSERT INTO s.child (parent, pad) SELECT 1 + n % 40000, repeat(md5(n::text), 6) FROM generate_series(1, 60000) n;
    INSERT INTO s.tree SELECT n, 1 + n % 100, 'note ' || n FROM generate_series(0, 20000) n;
    INSERT INTO s.leaf (at) SELECT n FROM generate_series(0, 20000) n;
    INSERT INTO s.heir SELECT n, n FROM generate_series(1, 100) n;
    CREATE MATERIALIZED VIEW s.seen AS SELECT count(*) AS n FROM s.child;
    CREATE UNIQUE INDEX ON s.seen (n);
    SELECT lo_from_bytea(4711, decode(repeat('00ff', 300000), 'hex'));";

fn many(server: &'static Server) -> Bench {
    let bench = Bench::empty(server);
    bench.database.sql_as_owner(MANY);
    bench
}

/// Functions that are quick here and slow, or fail, where nobody said `SET my.moment`: in a restore.
const ELSEWHERE: &str = "
    CREATE FUNCTION public.elsewhere() RETURNS boolean LANGUAGE sql
        AS $$ SELECT coalesce(pg_catalog.current_setting('my.moment', true), '') = '' $$;
    CREATE FUNCTION public.slow(a integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        IF a = 1 AND public.elsewhere() THEN PERFORM pg_catalog.pg_sleep(60); END IF; RETURN a; END $$;
    CREATE FUNCTION public.nap(a integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        IF a = 1 AND public.elsewhere() THEN PERFORM pg_catalog.pg_sleep(4); END IF; RETURN true; END $$;
    CREATE FUNCTION public.fails(a integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        IF public.elsewhere() THEN PERFORM pg_catalog.pg_sleep(1); RAISE 'planted'; END IF; RETURN a; END $$;
    SET my.moment = 'now';";

/// A table whose index takes a minute in a restore.
const SLOW: &str = "
    CREATE TABLE public.a (a integer); INSERT INTO public.a VALUES (1);
    CREATE INDEX slow_index ON public.a (public.slow(a))";

/// Whether that index is being built.
const ASLEEP: &str = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() \
    AND query LIKE 'CREATE INDEX slow_index%' AND wait_event = 'PgSleep'";

fn restore_into(copy: &Database) -> [&str; 6] {
    ["restore", "a.sql.gz", "--into", copy.name(), "--jobs", "4"]
}

/// A restore of the database's backup into another that has come to the slow index, and that other.
fn in_the_middle<'w>(workplace: &'w Workplace, bench: &Bench) -> (Database, Running<'w>) {
    workplace
        .call(&bench.database)
        .run(&["backup", "--output", "a.sql.gz"])
        .assert_code(0);
    let copy = bench.database.sibling();
    let running = workplace.call(&copy).start(&restore_into(&copy));
    wait_until(&copy, ASLEEP);
    (copy, running)
}

/// Everything that would take an incomplete database for a complete one refuses it.
#[track_caller]
fn assert_refused(workplace: &Workplace, copy: &Database) {
    assert!(is_marked(copy));
    for arguments in [
        &restore_into(copy)[..],
        &["backup"],
        &["run", "--", "true"],
        &["doctor", "--", "true"],
        &["backup", "--accept-loss", "all"],
    ] {
        let said = workplace.call(copy).run(arguments).assert_code(3);
        let says = |words: &str| said.stderr.contains(words) || said.stdout.contains(words);
        assert!(says("pgbelay_unfinished_restore"), "{said}");
        assert!(says("finish"), "{said}");
    }
}

/// A database in which a restore is slow at one place and perhaps fails at another.
pub fn planted(server: &'static Server, sql: &str) -> Bench {
    let bench = Bench::empty(server);
    bench.database.sql_as_owner(&format!("{ELSEWHERE} {sql}"));
    bench
}

/// Waits until a query of the database says `t`.
#[track_caller]
pub fn wait_until(database: &Database, sql: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while database.sql(sql).trim() != "t" {
        assert!(Instant::now() < deadline, "never: {sql}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a restore that ended early must leave.
#[track_caller]
pub fn assert_unfinished(
    bench: &Bench,
    copy: &Database,
    reader: &Reader,
    error: &Error,
    took: Duration,
) {
    assert_eq!(error.kind(), Kind::InDoubt, "{error:?}");
    let now = error.database_now().expect("what is true now");
    assert!(now.contains("is not complete"), "{now}");
    assert!(is_marked(copy));
    assert_eq!(sessions(copy), "0", "somebody still works");
    assert!(
        took < Duration::from_secs(30),
        "the others were waited for: {took:?}"
    );
    for jobs in [1, JOBS] {
        let again = bench
            .restore_with("app", copy, reader, jobs)
            .expect_err("refused");
        assert_eq!(again.kind(), Kind::Refused);
        let reason = again.reason().unwrap_or_default();
        assert!(reason.contains("did not finish"), "{reason}");
    }
}

/// Restores and expects a failure.
pub fn fails(bench: &Bench, copy: &Database, reader: &Reader) -> (Error, Duration) {
    let started = Instant::now();
    let error = bench
        .restore_with("app", copy, reader, JOBS)
        .expect_err("it fails");
    (error, started.elapsed())
}

on_servers! {
    /// Everything that several sessions can get wrong about order is in it.
    fn several_sessions_restore_the_original(server) {
        let bench = many(server);
        let reader = bench.archive();
        let members = reader.manifest().members.iter().filter(|one| one.rows > 0).count();
        assert!(members > reader.manifest().tables.len(), "no table has several members");
        let copy = bench.database.sibling();
        let report = bench.restore_with("app", &copy, &reader, JOBS).expect("a restore");
        assert_eq!(report.rows, reader.manifest().tables.iter().map(|table| table.rows).sum::<u64>());
        assert!(!is_marked(&copy));
        copy.assert_is(&bench.database.dump());
        assert_eq!(sessions(&copy), "0");
        let again = bench.restore_with("app", &copy, &reader, JOBS).expect_err("it is full");
        assert_eq!(again.kind(), Kind::Refused);
        copy.assert_is(&bench.database.dump());
    }

    /// A check that rows pass through while they are loaded moves a sequence.
    fn sequences_stand_where_they_stood_although_loading_moves_them(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE SEQUENCE moved;
            CREATE FUNCTION public.bump(a integer) RETURNS boolean LANGUAGE sql AS $$ SELECT nextval('public.moved') > 0 $$;
            CREATE TABLE checked (a integer CHECK (public.bump(a))); INSERT INTO checked SELECT generate_series(1, 7);
            SELECT setval('moved', 100)");
        let reader = bench.archive();
        for jobs in [1, JOBS] {
            let copy = bench.database.sibling();
            bench.restore_with("app", &copy, &reader, jobs).expect("a restore");
            assert_eq!(copy.sql("SELECT last_value FROM moved"), "100", "with {jobs} jobs");
        }
    }

    /// A statement fails while another one is far from its end.
    fn a_failed_index_stops_everybody_and_leaves_the_mark(server) {
        let bench = planted(server, "
            CREATE TABLE public.a (a integer); INSERT INTO public.a VALUES (1);
            CREATE INDEX slow_index ON public.a (public.slow(a));
            CREATE TABLE public.b (a integer); INSERT INTO public.b VALUES (1);
            CREATE INDEX planted_index ON public.b (public.fails(a))");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        let (error, took) = fails(&bench, &copy, &reader);
        assert!(error.attempted().contains("planted_index"), "{error}");
        assert_unfinished(&bench, &copy, &reader, &error, took);
    }

    fn a_failed_member_stops_everybody_and_leaves_the_mark(server) {
        let bench = planted(server, "
            CREATE TABLE public.a (a integer CHECK (public.fails(a) > 0)); INSERT INTO public.a VALUES (1);
            CREATE TABLE public.b (a integer CHECK (public.slow(a) > 0)); INSERT INTO public.b VALUES (1)");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        let (error, took) = fails(&bench, &copy, &reader);
        assert!(error.attempted().contains("table public.a"), "{error}");
        assert_unfinished(&bench, &copy, &reader, &error, took);
        // In one transaction the same failure leaves an empty database; without the slow table, whose
        // rows one session might come to first.
        bench.database.sql("DROP TABLE public.b");
        let reader = bench.archive();
        let other = bench.database.sibling();
        let error = bench.restore_with("app", &other, &reader, 1).expect_err("it fails");
        assert_eq!(error.kind(), Kind::Failed);
        assert!(error.database_now().expect("a fact").contains("empty as before"));
        assert!(!is_marked(&other));
    }

    /// Keys and indexes of a table start only after all its members are in, those of another table
    /// as soon as theirs are.
    fn constraints_start_after_all_members_of_their_table(server) {
        let bench = planted(server, "
            CREATE TABLE public.big (a integer CHECK (public.nap(a)), pad text);
            INSERT INTO public.big SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 40000) n;
            ALTER TABLE public.big ADD CONSTRAINT big_key PRIMARY KEY (a);
            CREATE INDEX big_pad ON public.big (pad);
            CREATE TABLE public.small (a integer CONSTRAINT small_key PRIMARY KEY);
            INSERT INTO public.small SELECT generate_series(1, 10);
            CREATE INDEX small_index ON public.small (a)");
        let reader = bench.archive();
        let members = reader.manifest().members.iter().filter(|one| one.rows > 1000).count();
        assert!(members > 2, "the table has {members} members");
        let copy = bench.database.sibling();
        let report = std::thread::scope(|scope| {
            let restoring = scope.spawn(|| bench.restore_with("app", &copy, &reader, JOBS));
            // One member sleeps; the others are in, and so is everything about the other table.
            wait_until(&copy, "SELECT count(*) = 2 FROM pg_indexes WHERE tablename = 'small'");
            std::thread::sleep(Duration::from_millis(500));
            let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                          AND wait_event = 'PgSleep' AND query LIKE 'COPY public.big%'";
            let started = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                           AND pid <> pg_backend_pid() AND query ~ 'big_key|big_pad'";
            assert_eq!(copy.sql(started).trim(), "0", "a constraint did not wait for the rows");
            assert_eq!(copy.sql(sleeps).trim(), "1", "the member was no longer being loaded");
            assert_eq!(copy.sql("SELECT count(*) FROM pg_indexes WHERE tablename = 'big'").trim(), "0");
            restoring.join().expect("no panic")
        });
        assert_eq!(report.expect("a restore").rows, 40_010);
        copy.assert_is(&bench.database.dump());
    }

    /// Killed in the middle: the database says so to whoever comes next.
    fn a_killed_restore_leaves_a_database_that_says_so(server) {
        let bench = planted(server, SLOW);
        let workplace = Workplace::new();
        let (copy, running) = in_the_middle(&workplace, &bench);
        running.signal(Signal::SIGKILL);
        running.finish().assert_code(-1);
        assert_refused(&workplace, &copy);
    }

    /// The server dies in the middle. After it has recovered, the database says so to whoever comes
    /// next: the mark was committed before everything else.
    fn a_crashed_server_leaves_a_database_that_says_so(server) {
        let bench = planted(server.of_our_own(), SLOW);
        let workplace = Workplace::new();
        let (copy, running) = in_the_middle(&workplace, &bench);
        // Nobody waits for the disk here, and what is lost would be the whole restore.
        copy.sql("CHECKPOINT");
        copy.server().crash_and_recover();
        running.finish().assert_code(7).assert_says("complete");
        assert_eq!(sessions(&copy), "0");
        assert_eq!(copy.sql("SELECT count(*) FROM public.a").trim(), "1");
        assert_refused(&workplace, &copy);
    }

    /// Interrupted: no session stays behind, and the code does not promise an untouched database.
    fn an_interrupted_restore_ends_its_sessions(server) {
        let bench = planted(server, SLOW);
        let workplace = Workplace::new();
        let (copy, running) = in_the_middle(&workplace, &bench);
        running.signal(Signal::SIGTERM);
        let output = running.finish().assert_code(7).assert_says("is not complete");
        output.assert_says("drop the database and restore again");
        assert!(is_marked(&copy));
        assert_eq!(sessions(&copy), "0");
    }

    /// A database made for the restore goes again, and the code says so.
    fn a_new_database_is_dropped_when_its_restore_fails(server) {
        let bench = planted(server, "
            CREATE TABLE public.b (a integer); INSERT INTO public.b VALUES (1);
            CREATE INDEX planted_index ON public.b (public.fails(a))");
        let workplace = Workplace::new();
        let call = || workplace.call(&bench.database).env("DATABASE_URL", bench.database.url_as("postgres"));
        call().run(&["backup", "--output", "a.sql.gz"]).assert_code(0);
        let made = Database::to_be_made(server);
        let output = call()
            .run(&["restore", "a.sql.gz", "--into", made.name(), "--create", "--jobs", "4"])
            .assert_code(1)
            .assert_says("was dropped again");
        assert!(!output.stderr.contains("drop the database"), "{output}");
        let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", made.name());
        assert_eq!(bench.database.sql(&there).trim(), "0");
    }

    /// Fewer connections than jobs: fewer workers, or one transaction; both say so.
    fn fewer_connections_than_jobs_are_enough(server) {
        let bench = many(server);
        let reader = bench.archive();
        let expected = bench.database.dump();
        let role = format!("few_{}_{}", std::process::id(), server.major);
        server.psql("postgres", &format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 3 IN ROLE app"));
        for (limit, note) in [(3, "works with 2 instead of 4 connections"), (2, "one transaction on one connection")] {
            let copy = bench.database.sibling();
            server.psql("postgres", &format!("ALTER ROLE {role} CONNECTION LIMIT {limit};
                GRANT CREATE ON DATABASE {} TO {role}", copy.name()));
            bench.restore_with(&role, &copy, &reader, JOBS).expect("a restore");
            copy.assert_is(&expected);
            let notes = bench.recorder.0.lock().unwrap().join("\n");
            assert!(notes.contains(note), "{notes}");
        }
        server.psql("postgres", &format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }

    /// What is lent to the owners of objects is taken back, also when the restore fails.
    fn what_was_lent_is_taken_back(server) {
        let bench = planted(server, "CREATE TABLE public.mine (a integer); INSERT INTO public.mine VALUES (1);
            CREATE INDEX planted_index ON public.mine (public.fails(a)); CREATE SCHEMA s");
        let role = format!("lent_{}_{}", std::process::id(), server.major);
        server.psql("postgres", &format!("CREATE ROLE {role}; GRANT {role} TO app"));
        bench.database.sql(&format!("CREATE TABLE s.other (a integer); ALTER TABLE s.other OWNER TO {role}"));
        let grants = "SELECT coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname = 's'";
        {
            let options = DumpOptions::default();
            let failing = Reader::open(&bench.backup_by("postgres", &options).expect("a backup").archive).expect("an archive");
            let copy = bench.database.sibling();
            let (error, took) = fails(&bench, &copy, &failing);
            assert_unfinished(&bench, &copy, &failing, &error, took);
            assert!(!copy.sql(grants).contains(&role), "{}", copy.sql(grants));

            bench.database.sql("DROP INDEX planted_index");
            let whole = Reader::open(&bench.backup_by("postgres", &options).expect("a backup").archive).expect("an archive");
            let copy = bench.database.sibling();
            bench.restore_with("app", &copy, &whole, JOBS).expect("a restore");
            copy.assert_is(&bench.database.dump());
        }
        drop(bench);
        server.psql("postgres", &format!("DROP ROLE {role}"));
    }
}
