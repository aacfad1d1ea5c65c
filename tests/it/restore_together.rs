//! Restore with several sessions: what is done together, in one transaction or at the same time.

use std::sync::{Arc, Mutex};

use pgbelay::context::{Event, Monitor};

use crate::data::Bench;
use crate::locks::{Background, until};
use crate::restore_parallel::{JOBS, assert_unfinished, fails, planted, sessions};
use crate::support::{Database, Server};

/// Small tables in a chain of foreign keys, some with names that their array types want too.
const SMALL: &str = "
    SELECT format('CREATE TABLE public.c%1$s (id serial PRIMARY KEY, a integer NOT NULL CHECK (a >= 0), other integer%2$s);
                   CREATE INDEX ON public.c%1$s (a); COMMENT ON COLUMN public.c%1$s.a IS ''%1$s'';
                   INSERT INTO public.c%1$s (a, other) SELECT n, n FROM generate_series(1, 5) n',
                  n, CASE WHEN n > 1 THEN ' REFERENCES public.c' || n - 1 END)
      FROM generate_series(1, 150) n \\gexec
    CREATE TABLE public._c7 (a integer);
    CREATE TABLE public.tree (a integer) PARTITION BY RANGE (a);
    SELECT format('CREATE TABLE public.tree_%1$s PARTITION OF public.tree FOR VALUES FROM (%1$s) TO (%2$s)', n, n + 1)
      FROM generate_series(1, 60) n \\gexec
    INSERT INTO public.tree SELECT generate_series(1, 60);";

fn small(server: &'static Server) -> Bench {
    let bench = Bench::empty(server);
    let script = format!("SET SESSION AUTHORIZATION app;\n{SMALL}");
    bench.database.restore_plain(script.as_bytes());
    bench
}

/// Transactions that were committed in a database, once our sessions have ended.
fn commits(database: &Database) -> u64 {
    until(
        database,
        "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'pgbelay %' \
         AND datname = current_database())",
    );
    let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    database.sql(sql).trim().parse().expect("a number")
}

/// Makes a table that a restore wants to make, and holds on to it until that waits. Then it is there
/// for a moment, or never was.
fn in_the_way(copy: &Database, table: &str, lock: u32, ending: &str) -> Background {
    let script = format!(
        "BEGIN; CREATE TABLE public.{table} ();
         SELECT pg_advisory_lock({lock});
         DO $$ BEGIN
           WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted
                              AND transactionid = pg_current_xact_id()::xid)
           LOOP PERFORM pg_sleep(0.02); END LOOP;
         END $$;
         {ending}\n"
    );
    let background = Background::start(copy, &script);
    let held = format!(
        "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = {lock} AND granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    );
    until(copy, &held);
    background
}

/// Keeps what progress says is being done.
#[derive(Debug, Default)]
struct Doing(Mutex<Vec<String>>);

impl Monitor for Doing {
    fn event(&self, event: Event) {
        if let Event::Progress(progress) = event {
            self.0.lock().unwrap().push(progress.what);
        }
    }
}

on_servers! {
    /// A transaction for each table, member, index and key would be hundreds of them.
    fn small_tables_are_restored_together(server) {
        let bench = small(server);
        let reader = bench.archive();
        let things = reader.manifest().entries.len();
        assert!(things > 1_000, "{things} entries");
        let copy = bench.database.sibling();
        let before = commits(&copy);
        bench.restore_with("app", &copy, &reader, JOBS).expect("a restore");
        let taken = commits(&copy) - before;
        copy.assert_is(&bench.database.dump());
        assert!((20..250).contains(&taken), "{taken} transactions for {things} entries");
    }

    /// Among many in one transaction the one that fails is still named, and nothing pretends to be
    /// complete.
    fn one_failure_among_many_is_named(server) {
        let bench = planted(server, "
            CREATE FUNCTION public.fine(a integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 2 * a';
            DO $$ BEGIN FOR n IN 1..200 LOOP
                EXECUTE format('CREATE TABLE public.t%1$s (a integer); INSERT INTO public.t%1$s VALUES (1);
                                CREATE INDEX i%1$s ON public.t%1$s (public.fine(a))', n);
            END LOOP; END $$;
            CREATE INDEX a_planted_index ON public.t137 (public.fails(a))");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        let (error, took) = fails(&bench, &copy, &reader);
        assert!(error.attempted().contains("planted_index"), "{error}");
        assert!(error.reason().unwrap_or_default().contains("planted"), "{error:?}");
        assert_unfinished(&bench, &copy, &reader, &error, took);
    }

    /// A part that one session could not make is made by the leader after everybody else.
    fn what_fails_at_the_same_time_is_made_alone_afterwards(server) {
        let bench = small(server);
        let reader = bench.archive();
        let copy = bench.database.sibling();
        let passing = in_the_way(&copy, "c50", 51, "COMMIT; SELECT pg_sleep(0.5); DROP TABLE public.c50;");
        // As long as this one waits, the leader's turn has not come.
        let lasting = in_the_way(&copy, "c120", 52, "SELECT pg_advisory_lock(51); ROLLBACK;");
        bench.restore_with("app", &copy, &reader, JOBS).expect("a restore");
        drop((passing, lasting));
        copy.assert_is(&bench.database.dump());
    }

    /// Functions lock what no catalog shows: the server ends one of two, which is tried again.
    fn what_the_server_ends_as_a_deadlock_is_tried_again(server) {
        let bench = planted(server, "
            CREATE FUNCTION public.locks(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
                IF public.elsewhere() THEN
                    PERFORM pg_catalog.pg_sleep(2);
                    EXECUTE 'LOCK TABLE ' || name || ' IN ACCESS EXCLUSIVE MODE';
                END IF; END $$;
            CREATE FUNCTION public.reaches(a integer, name text) RETURNS integer LANGUAGE plpgsql IMMUTABLE
                AS $$ BEGIN PERFORM public.locks(name); RETURN a; END $$;
            CREATE TABLE public.a (a integer); INSERT INTO public.a VALUES (1);
            CREATE TABLE public.b (a integer); INSERT INTO public.b VALUES (1);
            CREATE INDEX a_index ON public.a (public.reaches(a, 'public.b'));
            CREATE INDEX b_index ON public.b (public.reaches(a, 'public.a'))");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        bench.restore_with("app", &copy, &reader, JOBS).expect("a restore");
        let deadlocks = "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(copy.sql(deadlocks), "t", "nothing was tried again");
        assert_eq!(sessions(&copy), "0");
        copy.assert_is(&bench.database.dump());
    }

    /// The person sees what the server says about an index that takes its time.
    fn a_slow_index_says_what_it_is_doing(server) {
        let mut bench = planted(server, "
            CREATE FUNCTION public.pause(a integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
                IF a = 1 AND public.elsewhere() THEN PERFORM pg_catalog.pg_sleep(4); END IF; RETURN a; END $$;
            CREATE TABLE public.a (a integer); INSERT INTO public.a SELECT generate_series(1, 1000);
            CREATE INDEX slow_index ON public.a (public.pause(a))");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        let doing = Arc::new(Doing::default());
        bench.ctx.monitor = doing.clone();
        bench.restore_with("app", &copy, &reader, JOBS).expect("a restore");
        let said = doing.0.lock().unwrap();
        let told = said.iter().any(|what| what.contains("slow_index (building index"));
        assert!(told, "{said:?}");
    }

    /// A mark needs the right to make a schema; without it several transactions would not be safe.
    fn without_the_right_to_set_the_mark_it_is_one_transaction(server) {
        let bench = Bench::empty(server);
        let own = "ALTER SCHEMA public OWNER TO postgres; GRANT CREATE, USAGE ON SCHEMA public TO app";
        bench.database.sql(own);
        bench.database.sql_as_owner("CREATE TABLE public.a (a integer PRIMARY KEY); INSERT INTO public.a SELECT generate_series(1, 100)");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        copy.sql(&format!("{own}; ALTER DATABASE {0} OWNER TO postgres; REVOKE CREATE ON DATABASE {0} FROM app, PUBLIC", copy.name()));
        let before = commits(&copy);
        bench.restore_with("app", &copy, &reader, JOBS).expect("a restore");
        let notes = bench.recorder.0.lock().unwrap().join("\n");
        assert!(notes.contains("one transaction on one connection"), "{notes}");
        assert!(notes.contains("CREATE in the database"), "{notes}");
        assert!(commits(&copy) - before < 30);
        copy.assert_is(&bench.database.dump());
    }
}
