//! Drills: an archive is restored into a scratch database, compared, timed, and the database is dropped again.
//!
//! Tests that leave scratch databases behind have a server of their own: the next drill of any other test would tell of them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use pgbelay::archive::{Manifest, MemberKind, Reader, Writer, compress};
use pgbelay::drill::{DrillOptions, drill};
use pgbelay::error::Kind;
use pgbelay::pg;
use serde_json::Value;

use crate::data::{Bench, wait};
use crate::support::{
    Call, CorpusFile, Database, MARKER, MARKER_IN_URL, Server, Shop, Workplace,
    server_that_is_cut_at,
};

/// A role that owns and makes databases and may nothing else.
const MAKER: &str = "drill_maker";

fn make_maker(server: &Server) {
    let password = MARKER.replace('\'', "''");
    server.psql(
        "postgres",
        &format!(
            "SELECT pg_advisory_lock(4712);
             DO $$ BEGIN IF to_regrole('{MAKER}') IS NULL THEN
               CREATE ROLE {MAKER} LOGIN CREATEDB PASSWORD '{password}';
             END IF; END $$;"
        ),
    );
}

/// Scratch databases of this database that are there now.
fn scratch_databases(database: &Database) -> Vec<String> {
    let sql = format!(
        "SELECT datname FROM pg_database WHERE datname LIKE '{}\\_pgbelay\\_drill\\_%' ORDER BY 1",
        database.name()
    );
    let names = database.server().psql("postgres", &sql);
    names.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_no_scratch(database: &Database) {
    assert_eq!(scratch_databases(database), Vec::<String>::new());
}

/// A call as the superuser.
fn call<'w>(workplace: &'w Workplace, database: &Database) -> Call<'w> {
    workplace
        .call(database)
        .env("DATABASE_URL", database.url_as("postgres"))
}

/// Writes an archive again with other members' texts or another manifest; all hashes fit.
fn rewrite(
    archive: &Path,
    mut text: impl FnMut(MemberKind, Vec<u8>) -> Vec<u8>,
    manifest: impl FnOnce(&mut Manifest),
) {
    let reader = Reader::open(archive).unwrap();
    let name = archive.file_name().unwrap().to_str().unwrap();
    std::fs::remove_file(archive).unwrap();
    let mut writer = Writer::create(archive.parent().unwrap(), name).unwrap();
    for (index, member) in (0..).zip(&reader.manifest().members) {
        let content = text(member.kind, reader.member_text(index).unwrap());
        let member_of = (member.kind, member.table, member.rows);
        writer
            .append(
                member_of.0,
                member_of.1,
                member_of.2,
                compress(&content).unwrap(),
            )
            .unwrap();
    }
    let mut changed = reader.manifest().clone();
    manifest(&mut changed);
    writer.finish(changed).unwrap();
}

fn only_archive(workplace: &Workplace) -> PathBuf {
    let archives = workplace.archives();
    assert_eq!(archives.len(), 1);
    archives[0].clone()
}

/// The record beside an archive.
fn record(archive: &Path) -> Option<Value> {
    let text = std::fs::read(format!("{}.drill.json", archive.display())).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

/// The archive's entry in `list --json`.
fn listed(workplace: &Workplace, database: &Database) -> Value {
    let output = call(workplace, database)
        .run(&["list", "--json"])
        .assert_code(0);
    output.json()["archives"][0].clone()
}

/// What a test does to a manifest.
type Change = fn(&mut Manifest);

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

on_all_servers! {
    /// Everything that the corpus' everyday database has, large objects too, and what a person is told.
    fn a_good_archive_is_proven_and_the_scratch_database_is_gone(server) {
        let database = CorpusFile::named("everyday.sql").database(server);
        database.sql("SELECT lo_from_bytea(4711, 'large object'::bytea)");
        let workplace = Workplace::new();
        let before = database.dump();
        call(&workplace, &database).run(&["backup"]).assert_code(0);
        let output = call(&workplace, &database).run(&["drill", "--json"]).assert_code(0);
        let json = output.json();
        assert_eq!(json["outcome"], "proven", "{output}");
        assert_eq!(json["drill"]["verdict"], "passed", "{output}");
        assert_eq!(json["drill"]["not_proven"], serde_json::json!([]), "{output}");
        assert!(json["drill"]["rows"].as_u64().unwrap() > 500, "{output}");
        for phase in ["create", "restore", "compare", "drop", "total"] {
            assert!(json["seconds"][phase].as_f64().unwrap() > 0.0, "{phase}: {output}");
        }
        let last = output.last_line();
        assert!(last.contains("Proven: ") && last.contains("a restore of this archive takes about"), "{last}");
        assert_no_scratch(&database);
        database.assert_is(&before);
        let archive = only_archive(&workplace);
        let record = PathBuf::from(format!("{}.drill.json", archive.display()));
        assert_eq!(record.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let listed = listed(&workplace, &database);
        assert_eq!(listed["drill"]["verdict"], "passed");
        assert!(listed["last_proven"].is_string(), "{listed}");
    }
}

on_servers! {
    /// `list` and `show` say when an archive was proven, and of whom nobody knows.
    fn list_and_show_say_what_is_proven(server) {
        let shop = Shop::at_head(server);
        let (workplace, database) = (&shop.workplace, &shop.database);
        call(workplace, database).run(&["backup"]).assert_code(0);
        let archive = only_archive(workplace).display().to_string();
        let list = || call(workplace, database).run(&["list"]).assert_code(0).stdout;
        let show = || call(workplace, database).run(&["show", &archive]).assert_code(0).stdout;
        assert!(list().contains("never drilled") && show().contains("never drilled"));
        call(workplace, database).run(&["drill"]).assert_code(0);
        assert!(!list().contains("never drilled"), "{}", list());
        assert!(show().contains("drill      proven 20"), "{}", show());
    }

    /// Digest, property, version rows: each is compared, printed as `diff` prints it, recorded, and remembered as failed. The record
    /// is about that very file: another one under its name does not inherit it.
    fn p8_a_restored_database_that_differs_is_never_proven(server) {
        let shop = Shop::at_head(server);
        let (workplace, database) = (&shop.workplace, &shop.database);
        call(workplace, database).run(&["backup"]).assert_code(0);
        let archive = only_archive(workplace);
        let original = std::fs::read(&archive).unwrap();
        call(workplace, database).run(&["drill"]).assert_code(0);
        let differences: [(Change, &str); 3] = [
            (|m| m.tables.iter_mut().find(|t| t.name == "users").unwrap().digest = "0".repeat(32),
             "table public.users: content differs"),
            (|m| _ = m.database.properties.insert("connection_limit".into(), "x".into()),
             "database property connection_limit"),
            (|m| m.version_tables[0].revisions = vec!["other".into()], "version rows of"),
        ];
        for (change, line) in differences {
            std::fs::write(&archive, &original).unwrap();
            rewrite(&archive, |_, text| text, change);
            assert_eq!(listed(workplace, database)["drill"], Value::Null, "another file inherits the record");
            let output = call(workplace, database).run(&["drill"]);
            assert_eq!(output.code, 8, "{line}\n{output}");
            assert!(output.stdout.contains(line), "{line}\n{output}");
            assert!(output.last_line().contains("NOT proven"), "{output}");
            assert_no_scratch(database);
            assert_eq!(record(&archive).unwrap()["verdict"], "different");
            assert!(listed(workplace, database)["last_proven"].is_null());
            call(workplace, database).run(&["list"]).assert_code(0).stdout
                .contains("FAILED on").then_some(()).expect("list says that it failed");
        }
        std::fs::write(&archive, &original).unwrap();
        assert_eq!(listed(workplace, database)["drill"], Value::Null);
    }

    /// What a restore does to itself: a materialized view that draws from a sequence is filled again after the sequence was set.
    fn p8_what_a_restore_changes_by_itself_is_found(server) {
        let database = Database::create(server);
        database.sql(
            "CREATE SEQUENCE s; SELECT setval('s', 41);
             CREATE MATERIALIZED VIEW drawn AS SELECT nextval('public.s') AS n",
        );
        let workplace = Workplace::new();
        call(&workplace, &database).run(&["backup"]).assert_code(0);
        let output = call(&workplace, &database).run(&["drill"]).assert_code(8);
        assert!(output.stdout.contains("sequence public.s: 42 (used)"), "{output}");
        assert_no_scratch(&database);
    }

    /// Rows and definitions that are others than the manifest says, although every hash fits.
    fn p8_other_content_under_fitting_hashes_is_found(server) {
        let shop = Shop::at_head(server);
        let (workplace, database) = (&shop.workplace, &shop.database);
        database.sql_as_owner("CREATE TABLE odd (a text); INSERT INTO odd VALUES ('original')");
        call(workplace, database).run(&["backup"]).assert_code(0);
        let archive = only_archive(workplace);
        let replace = |text: Vec<u8>| {
            String::from_utf8(text).unwrap().replace("original\n", "tampered\n").into_bytes()
        };
        rewrite(&archive, |kind, text| if kind == MemberKind::Data { replace(text) } else { text }, |_| ());
        let output = call(workplace, database).run(&["drill"]).assert_code(8);
        assert!(output.stdout.contains("table public.odd: content differs"), "{output}");
        assert_no_scratch(database);
    }

    /// What the server does not take, or whose bytes changed, is no proven archive either.
    fn an_archive_that_does_not_restore_is_not_proven(server) {
        let shop = Shop::at_head(server);
        let (workplace, database) = (&shop.workplace, &shop.database);
        database.sql_as_owner("CREATE TABLE odd (a text CHECK (a <> 'tampered')); INSERT INTO odd VALUES ('original')");
        call(workplace, database).run(&["backup"]).assert_code(0);
        let archive = only_archive(workplace);
        let original = std::fs::read(&archive).unwrap();
        let replace = |text: Vec<u8>| {
            String::from_utf8(text).unwrap().replace("original\n", "tampered\n").into_bytes()
        };
        rewrite(&archive, |kind, text| if kind == MemberKind::Data { replace(text) } else { text }, |_| ());
        let output = call(workplace, database).run(&["drill"]).assert_code(8);
        output.assert_says("could not be restored").assert_says("odd");
        assert_no_scratch(database);
        assert_eq!(record(&archive).unwrap()["verdict"], "not-restored");

        let mut damaged = original;
        let half = damaged.len() / 4;
        damaged[half] ^= 0x10;
        std::fs::write(&archive, damaged).unwrap();
        call(workplace, database).run(&["drill"]).assert_code(8);
        assert_no_scratch(database);
    }

    fn a_role_that_may_not_create_databases_is_told_what_to_do(server) {
        let shop = Shop::at_head(server);
        shop.call().run(&["backup"]).assert_code(0);
        let output = shop.call().run(&["drill"]).assert_code(3);
        let output = output
            .assert_says("the role app may not create databases")
            .assert_says("ALTER ROLE \"app\" CREATEDB;")
            .assert_says("--scratch-url");
        assert!(record(&only_archive(&shop.workplace)).is_none(), "{output}");
        assert_no_scratch(&shop.database);
    }

    /// A plain owner who may make databases; what only the server's owner could set is named, not passed over.
    fn a_plain_owner_drills_and_what_it_may_not_set_is_named(server) {
        make_maker(server);
        let database = Database::create(server);
        database.sql(&format!(
            "ALTER DATABASE {name} OWNER TO {MAKER}; ALTER SCHEMA public OWNER TO {MAKER};
             SET SESSION AUTHORIZATION {MAKER};
             CREATE TABLE t (id serial PRIMARY KEY, a text); INSERT INTO t (a) SELECT 'x' FROM generate_series(1, 100)",
            name = database.name()
        ));
        let workplace = Workplace::new();
        let maker = || workplace.call(&database).env("DATABASE_URL", database.url_as(MAKER));
        maker().run(&["backup"]).assert_code(0);
        let output = maker().run(&["drill", "--json"]).assert_code(0);
        assert_eq!(output.json()["drill"]["not_proven"], serde_json::json!([]), "{output}");
        assert_no_scratch(&database);

        database.sql(&format!("ALTER DATABASE {} OWNER TO postgres", database.name()));
        std::thread::sleep(Duration::from_millis(1100));
        maker().run(&["backup"]).assert_code(0);
        let output = maker().run(&["drill", "--json"]).assert_code(0);
        let named = output.json()["drill"]["not_proven"].to_string();
        assert!(named.contains("database property owner: this role may not set it"), "{output}");
        assert!(output.last_line().contains("Proven in part (see NOT PROVEN)"), "{output}");
        assert_no_scratch(&database);
    }

    /// Owner, grants, limits, settings, template flag and comment of the database are restored and compared; none of
    /// them keeps the scratch database from being read or dropped.
    fn properties_of_the_database_are_proven_too(server) {
        let database = Database::create(server);
        let name = database.name();
        database.sql(&format!(
            "CREATE TABLE t AS SELECT 1 AS a;
             ALTER DATABASE {name} CONNECTION LIMIT 0; ALTER DATABASE {name} SET default_transaction_read_only = on;
             ALTER DATABASE {name} SET work_mem = '5MB'; COMMENT ON DATABASE {name} IS 'ours, not a drill''s';
             REVOKE ALL ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} IS_TEMPLATE true"
        ));
        let workplace = Workplace::new();
        call(&workplace, &database).run(&["backup"]).assert_code(0);
        let output = call(&workplace, &database).run(&["drill", "--json"]).assert_code(0);
        assert_eq!(output.json()["drill"]["verdict"], "passed", "{output}");
        assert_no_scratch(&database);
        server.psql("postgres", &format!("ALTER DATABASE {name} IS_TEMPLATE false"));
    }

    fn a_scratch_database_is_kept_when_asked_for(server) {
        let server = server.of_our_own();
        let shop = Shop::at_head(server);
        let (workplace, database) = (&shop.workplace, &shop.database);
        call(workplace, database).run(&["backup"]).assert_code(0);
        let output = call(workplace, database).run(&["drill", "--keep"]).assert_code(0);
        let kept = scratch_databases(database);
        assert_eq!(kept.len(), 1, "{output}");
        let output = output.assert_says(&format!("DROP DATABASE \"{}\";", kept[0]));
        assert!(output.stderr.contains("kept"), "{output}");
        assert_eq!(server.psql(&kept[0], "SELECT count(*) > 0 FROM users"), "t");
        // The next drill tells of it and leaves it; so does doctor.
        std::thread::sleep(Duration::from_millis(1100));
        call(workplace, database).run(&["drill"]).assert_code(0).assert_says("kept it on purpose");
        assert_eq!(scratch_databases(database), kept);
        let doctor = call(workplace, database).run(&["doctor", "--", "true"]);
        doctor.assert_says(&kept[0]).assert_says("DROP DATABASE");
    }

    fn an_existing_name_is_refused(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let archive = bench.archive();
        let taken = Database::create(server);
        let options = DrillOptions { scratch: taken.name().to_owned(), ..DrillOptions::new(&archive, 1, &bench.ctx) };
        let error = wait(async {
            let session = pg::connect(&bench.target_as("postgres"), pg::Purpose::Facts, &bench.ctx).await.unwrap();
            drill(&session, &archive, &options, &bench.ctx).await.unwrap_err()
        });
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("a database of that name exists"), "{error}");
        assert_eq!(taken.sql("SELECT 1"), "1");
    }
}

/// A database whose restore hangs in a scratch database, and its workplace with a backup.
fn slow_to_restore(server: &'static Server) -> (Workplace, Database) {
    let database = Database::create(server);
    database.sql(
        "CREATE FUNCTION public.slow(a integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
         BEGIN IF current_database() LIKE '%pgbelay_drill%' THEN PERFORM pg_sleep(600); END IF; RETURN a; END $$;
         CREATE TABLE public.t AS SELECT 1 AS a; CREATE INDEX slowly ON public.t (public.slow(a))",
    );
    let workplace = Workplace::new();
    call(&workplace, &database).run(&["backup"]).assert_code(0);
    (workplace, database)
}

fn is_restoring(database: &Database) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE '%pgbelay_drill%'";
    let sleeping = database.server().psql("postgres", sql);
    sleeping != "0" && !scratch_databases(database).is_empty()
}

on_servers! {
    /// Several connections or one: a signal drops the scratch database and ends with its own code.
    fn a_signal_in_the_middle_drops_the_scratch_database(server) {
        let server = server.of_our_own();
        let (workplace, database) = slow_to_restore(server);
        for (signal, code, jobs) in [(Signal::SIGTERM, 143, "1"), (Signal::SIGINT, 130, "4")] {
            let running = call(&workplace, &database).start(&["drill", "--jobs", jobs]);
            wait_until("the restore", || is_restoring(&database));
            let before = Instant::now();
            running.signal(signal);
            let output = running.finish().assert_code(code);
            assert!(before.elapsed() < Duration::from_secs(20), "{output}");
            assert_no_scratch(&database);
            assert!(record(&only_archive(&workplace)).is_none(), "{output}");
            std::thread::sleep(Duration::from_millis(1100));
        }
    }

    /// Killed: what is left is listed while somebody is connected, and dropped once nobody is. What is not provably ours stays.
    fn p6_the_next_drill_cleans_up_after_a_killed_one(server) {
        let server = server.of_our_own();
        let (workplace, database) = slow_to_restore(server);
        let not_ours = format!("{}_pgbelay_drill_20200101_000000", database.name());
        server.psql("postgres", &format!("CREATE DATABASE \"{not_ours}\""));
        let running = call(&workplace, &database).start(&["drill", "--jobs", "1"]);
        wait_until("the restore", || is_restoring(&database));
        // A drill that is at work is neither told of nor touched.
        let other = Shop::at_head(server);
        let (its_workplace, its_database) = (&other.workplace, &other.database);
        call(its_workplace, its_database).run(&["backup"]).assert_code(0);
        let output = call(its_workplace, its_database).run(&["drill"]).assert_code(0);
        let scratch = scratch_databases(&database).pop().unwrap();
        assert_ne!(scratch, not_ours);
        assert!(!output.stderr.contains(&scratch), "{output}");
        running.signal(Signal::SIGKILL);
        running.finish();
        // Its server process sleeps on: somebody is connected.
        let in_it = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{scratch}'");
        wait_until("the lock to go", || {
            server.psql("postgres", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1885823588") == "0"
        });
        let doctor = call(&workplace, &database).run(&["doctor", "--", "true"]);
        doctor.assert_says(&scratch).assert_says("a drill that was killed left it behind; 1 session is connected to it");
        let drill = || call(its_workplace, its_database).run(&["drill"]).assert_code(0);
        drill().assert_says(&scratch).assert_says(&format!("DROP DATABASE \"{scratch}\";"));
        assert!(scratch_databases(&database).contains(&scratch));
        server.psql("postgres", &in_it);
        wait_until("the session to end", || {
            server.psql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{scratch}'")) == "0"
        });
        std::thread::sleep(Duration::from_millis(1100));
        let output = drill().assert_says(&format!("dropped the scratch database {scratch}"));
        output.assert_says(&format!("DROP DATABASE \"{not_ours}\";"));
        assert_eq!(scratch_databases(&database), [not_ours]);
    }
}

/// An archive of 15 on a server of 18: every row, and the definitions that both write alike; the password is in the URL.
#[test]
fn another_server_of_a_newer_major_proves_it_too() {
    let (Some(old), Some(new)) = (Server::of_major(15), Server::of_major(18)) else {
        return;
    };
    let shop = Shop::at_head(old);
    let (workplace, database) = (&shop.workplace, &shop.database);
    call(workplace, database).run(&["backup"]).assert_code(0);
    let url = |server: &Server| {
        format!(
            "postgresql://postgres:{MARKER_IN_URL}@127.0.0.1:{}/postgres",
            server.port
        )
    };
    let output = call(workplace, database)
        .run(&["drill", "--json", "--scratch-url", &url(new)])
        .assert_code(0);
    let json = output.json();
    assert_eq!(json["drill"]["verdict"], "passed", "{output}");
    assert!(
        json["drill"]["server_version"]
            .as_str()
            .unwrap()
            .starts_with("18"),
        "{output}"
    );
    assert!(json["drill"]["rows"].as_u64().unwrap() > 0, "{output}");
    assert_no_scratch(database);
    let left = new.psql(
        "postgres",
        &format!(
            "SELECT count(*) FROM pg_database WHERE datname LIKE '{}%'",
            database.name()
        ),
    );
    assert_eq!(left, "0");
    // The variable keeps the URL out of the process list; with a named archive the database itself is not needed.
    let archive = only_archive(workplace).display().to_string();
    Call::new(workplace)
        .env("PGBELAY_SCRATCH_URL", url(new))
        .run(&["drill", &archive])
        .assert_code(0);
    let broken = format!("postgresql://postgres:{MARKER_IN_URL}@127.0.0.1:no-port/postgres");
    Call::new(workplace)
        .env("PGBELAY_SCRATCH_URL", broken)
        .run(&["drill", &archive])
        .assert_code(2);

    // The other way round it is refused before anything is made.
    let newer = Shop::at_head(new);
    call(&newer.workplace, &newer.database)
        .run(&["backup"])
        .assert_code(0);
    let output = call(&newer.workplace, &newer.database)
        .run(&["drill", "--scratch-url", &url(old)])
        .assert_code(3);
    output
        .assert_says("it comes from PostgreSQL 18")
        .assert_says("name a server of PostgreSQL 18 or newer");
}

/// `run --json --drill-first` of a tool that leaves a file behind when it is started.
const DRILLED_RUN: [&str; 7] = [
    "run",
    "--json",
    "--drill-first",
    "--",
    "sh",
    "-c",
    "touch started",
];

fn was_started(workplace: &Workplace) -> bool {
    workplace.directory().join("started").exists()
}

fn only_journal(workplace: &Workplace) -> String {
    let entries = std::fs::read_dir(workplace.store())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut journals: Vec<PathBuf> = entries
        .filter(|path| path.to_string_lossy().ends_with(".journal"))
        .collect();
    journals.sort();
    std::fs::read_to_string(journals.last().unwrap()).unwrap()
}

on_servers! {
    /// The drill comes after the backup and before the tool; its result is reported, recorded and journalled. A failed migration
    /// after it is judged as ever.
    fn p1_a_run_that_demands_a_drill_starts_with_a_proven_backup(server) {
        let shop = Shop::two_behind(server);
        let (workplace, database) = (&shop.workplace, &shop.database);
        let before = database.dump();
        let failing = ["run", "--json", "--drill-first", "--", "sh", "-c", "exit 3"];
        let output = call(workplace, database).run(&failing).assert_code(1);
        assert_eq!(output.json()["outcome"], "unchanged", "{output}");
        assert_eq!(output.json()["drill"]["verdict"], "passed", "{output}");
        database.assert_is(&before);
        let run = ["run", "--json", "--drill-first", "--", "alembic", "upgrade", "head"];
        let output = call(workplace, database).run(&run).assert_code(0);
        let json = output.json();
        assert_eq!(json["outcome"], "migrated", "{output}");
        assert_eq!(json["drill"]["verdict"], "passed", "{output}");
        assert!(json["seconds"]["drill"].as_f64().unwrap() > 0.0, "{output}");
        assert_no_scratch(database);
        let journal = only_journal(workplace);
        let at = |text: &str| journal.find(text).unwrap_or_else(|| panic!("{text}: {journal}"));
        assert!(at("\"step\":\"backup\",\"stage\":\"outcome\"") < at("\"step\":\"drill\",\"stage\":\"intent\""));
        assert!(at("\"step\":\"drill\",\"stage\":\"outcome\"") < at("\"step\":\"migrate\",\"stage\":\"intent\""));
        let archive = json["archive"].as_str().unwrap();
        assert_eq!(record(&workplace.directory().join(archive)).unwrap()["verdict"], "passed");
    }

    /// What does not pass is not migrated: a difference, or a drill that cannot be carried out.
    fn p1_a_backup_that_is_not_proven_is_no_backup(server) {
        let database = Database::create(server);
        database.sql("CREATE SEQUENCE s; CREATE MATERIALIZED VIEW drawn AS SELECT nextval('public.s') AS n");
        let before = database.dump();
        let workplace = Workplace::new();
        let output = call(&workplace, &database).run(&DRILLED_RUN).assert_code(5);
        assert_eq!(output.json()["outcome"], "refused", "{output}");
        assert_eq!(output.json()["drill"]["verdict"], "different", "{output}");
        let last = output.last_line();
        assert!(last.contains("Drill failed: ") && last.contains("sequence public.s"), "{last}");
        assert!(last.contains("The migration was not started. Nothing was touched."), "{last}");
        assert!(!was_started(&workplace), "{output}");
        assert_no_scratch(&database);
        database.assert_is(&before);
        // Nothing is left to recover, and without the demand the run goes on.
        call(&workplace, &database).run(&["recover"]).assert_code(0).assert_says("Nothing to recover");

        let shop = Shop::at_head(server);
        let output = shop.call().run(&DRILLED_RUN).assert_code(5);
        output.assert_says("the role app may not create databases").assert_says("CREATEDB");
        assert!(!was_started(&shop.workplace));
    }

    fn p6_a_run_stopped_or_killed_in_its_drill_leaves_nothing(server) {
        let server = server.of_our_own();
        let (workplace, database) = slow_to_restore(server);
        let before = database.dump();
        let running = call(&workplace, &database).start(&DRILLED_RUN);
        wait_until("the restore", || is_restoring(&database));
        running.signal(Signal::SIGTERM);
        let output = running.finish().assert_code(143);
        assert_eq!(output.json()["outcome"], "unchanged", "{output}");
        assert_no_scratch(&database);

        std::thread::sleep(Duration::from_millis(1100));
        let running = call(&workplace, &database).start(&DRILLED_RUN);
        wait_until("the restore", || is_restoring(&database));
        running.signal(Signal::SIGKILL);
        running.finish();
        assert_eq!(scratch_databases(&database).len(), 1);
        let output = call(&workplace, &database).run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "unchanged", "{output}");
        output.assert_says("of the interrupted drill");
        assert_no_scratch(&database);
        assert!(!was_started(&workplace));
        database.assert_is(&before);
    }

    /// The server goes on making a database although whoever asked for it is dead.
    fn p6_a_drill_killed_while_its_database_is_made_leaves_none(server) {
        let server = server.of_our_own();
        let (workplace, database) = slow_to_restore(server);
        let lock = "BEGIN; LOCK TABLE pg_catalog.pg_database IN SHARE ROW EXCLUSIVE MODE; SELECT pg_sleep(600)";
        let mut holder = server.client("psql", "postgres").args(["-Xqc", lock]).spawn().expect("psql starts");
        let making = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'";
        let running = call(&workplace, &database).start(&DRILLED_RUN);
        wait_until("the database is waited for", || database.sql(making) == "1");
        running.signal(Signal::SIGKILL);
        running.finish();
        assert_eq!(database.sql(making), "1", "the server has not noticed");
        call(&workplace, &database).run(&["recover", "--json"]).assert_code(0);
        database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()");
        holder.wait().expect("psql ends");
        wait_until("nobody makes it any more", || {
            database.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%'") == "0"
        });
        assert_no_scratch(&database);
    }

    /// A statement that fails once need not fail again: nothing is left, and nothing has to be said.
    fn p6_a_scratch_database_that_could_not_be_dropped_at_once_is_dropped(server) {
        let database = CorpusFile::named("everyday.sql").database(server);
        let workplace = Workplace::new();
        call(&workplace, &database).run(&["backup"]).assert_code(0);
        let once = call(&workplace, &database).env("PGBELAY_FAULT", "drill-drop=error");
        once.run(&["drill"]).assert_code(0);
        assert_no_scratch(&database);
    }

    /// The connection is lost while the server makes the database, which it goes on with: it is taken away, and that is said.
    fn p6_a_drill_that_loses_its_connection_leaves_no_database(server) {
        let database = CorpusFile::named("everyday.sql").database(server);
        let workplace = Workplace::new();
        let port = server_that_is_cut_at(server, "CREATE DATABASE");
        let url = database.url_as("postgres").replace(&format!(":{}/", server.port), &format!(":{port}/"));
        let output = call(&workplace, &database).env("DATABASE_URL", url).run(&DRILLED_RUN).assert_code(5);
        output.assert_says("the connection was lost meanwhile").assert_says("of this drill is left");
        // It would take less to be made.
        std::thread::sleep(Duration::from_secs(3));
        assert_no_scratch(&database);
    }
}

/// Up to 14 everybody may make objects in `public`; on a newer server that has to be granted, or applications stop there.
#[test]
fn what_everybody_might_do_in_public_is_kept_on_a_newer_major() {
    let (Some(old), Some(new)) = (Server::of_major(14), Server::of_major(18)) else {
        return;
    };
    let (workplace, database) = (Workplace::new(), Database::create(old));
    database.sql("CREATE TABLE t (a int)");
    let may = "SELECT has_schema_privilege('reader', 'public', 'CREATE')";
    let restored = |archive: &str| {
        let copy = Database::to_be_made(new);
        let restore = ["restore", archive, "--into", copy.name(), "--create"];
        let url = |name: &str| {
            format!(
                "postgresql://postgres:{MARKER_IN_URL}@127.0.0.1:{}/{name}",
                new.port
            )
        };
        // The database that is configured is the one that was lost.
        let lost = Call::new(&workplace).env("DATABASE_URL", url("no_such_database"));
        lost.run(&restore).assert_code(0);
        copy.sql(may)
    };
    let backup = || call(&workplace, &database).run(&["backup"]).assert_code(0);
    assert_eq!(restored(backup().stdout.trim()), "t");
    std::thread::sleep(Duration::from_millis(1100));
    database.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    assert_eq!(restored(backup().stdout.trim()), "f");
}

/// What a new database of 18 answers, into which a backup of such a database of an older major was restored.
fn on_18(old: &'static Server, made_by: &str, by: &str, query: &str) -> Option<String> {
    let new = Server::of_major(18)?;
    let (workplace, database) = (Workplace::new(), Database::create(old));
    database.sql(made_by);
    let archive = call(&workplace, &database).run(&["backup"]).assert_code(0);
    let copy = Database::create(new);
    let into = Call::new(&workplace).env("DATABASE_URL", copy.url_as(by));
    let restore = ["restore", archive.stdout.trim(), "--into", copy.name()];
    into.run(&restore).assert_code(0);
    Some(copy.sql(query))
}

/// 18 has no unlogged partitioned tables; their partitions stay unlogged.
#[test]
fn an_unlogged_partitioned_table_is_a_logged_one_on_a_newer_major() {
    for old in [14, 17].into_iter().filter_map(Server::of_major) {
        let made_by = "SET ROLE app; CREATE UNLOGGED TABLE p (a int) PARTITION BY LIST (a);
            CREATE UNLOGGED TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1)";
        let query = "SELECT string_agg(relname || relpersistence::text, ' ' ORDER BY relname) || (SELECT count(*) FROM p)
            FROM pg_class WHERE relname LIKE 'p%' AND relnamespace = 'public'::regnamespace";
        if let Some(found) = on_18(old, made_by, "app", query) {
            assert_eq!(found, "pp p1u1");
        }
    }
}

/// An owner of the database who could not make objects in `public` up to 14 cannot on 15 either, where a superuser restores; a
/// plain owner cannot give `public` away, and nothing fails for that.
#[test]
fn what_the_owner_might_not_do_in_public_is_kept_on_a_newer_major() {
    let Some(old) = Server::of_major(14) else {
        return;
    };
    let query = "SELECT has_schema_privilege('app', 'public', 'CREATE'), nspowner::regrole FROM pg_namespace WHERE nspname = 'public'";
    let revoked = "CREATE TABLE t (a int); ALTER TABLE t OWNER TO app; REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    for (made_by, by, expected) in [
        (revoked, "postgres", "f|postgres"),
        (revoked, "app", "t|pg_database_owner"),
        ("CREATE TABLE t (a int)", "postgres", "t|pg_database_owner"),
    ] {
        if let Some(found) = on_18(old, made_by, by, query) {
            assert_eq!(found, expected, "{made_by} by {by}");
        }
    }
}

/// Who had every right on a table before 17 does not get MAINTAIN, which that version added; the owner has it.
#[test]
fn all_rights_of_an_older_major_are_no_more_on_a_newer_one() {
    for old in [14, 16].into_iter().filter_map(Server::of_major) {
        let made_by =
            "SET ROLE app; CREATE SCHEMA s; CREATE TABLE s.t (a int); GRANT ALL ON s.t TO reader;
            ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT ALL ON TABLES TO reader";
        let query = "CREATE TABLE s.u (); ALTER TABLE s.u OWNER TO app; SET ROLE app; CREATE TABLE s.v (); \
            SELECT string_agg(has_table_privilege(who, 's.' || what, may)::text, ' ' ORDER BY who, what, may)
              FROM unnest(ARRAY['app', 'reader']) who, unnest(ARRAY['t', 'v']) what, unnest(ARRAY['MAINTAIN', 'TRIGGER']) may";
        if let Some(found) = on_18(old, made_by, "app", query) {
            assert_eq!(found, "true true true true false true false true");
        }
    }
}

/// Before 17 an owner might VACUUM, REINDEX and REFRESH whatever its rights on the table: it still may, and has no more.
#[test]
fn an_owner_without_all_rights_may_maintain_on_a_newer_major() {
    let Some(old) = Server::of_major(15) else {
        return;
    };
    let made_by = "SET ROLE app; CREATE SCHEMA s; CREATE TABLE s.less (); REVOKE INSERT ON s.less FROM app;
        CREATE TABLE s.none (); REVOKE ALL ON s.none FROM app; ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM app";
    let query = "SET ROLE app; CREATE TABLE s.later (); \
        SELECT string_agg(has_table_privilege('app', 's.' || what, may)::text, ' ' ORDER BY what, may)
          FROM unnest(ARRAY['later', 'less', 'none']) what, unnest(ARRAY['DELETE', 'INSERT', 'MAINTAIN', 'SELECT']) may";
    if let Some(found) = on_18(old, made_by, "app", query) {
        assert_eq!(
            found,
            "false true true true true false true true false false true false"
        );
    }
}

/// Up to 14 there are no unlogged sequences; what counts an unlogged table's identity outlived a crash, and still does.
#[test]
fn the_identity_of_an_unlogged_table_stays_logged_on_a_newer_major() {
    let Some(old) = Server::of_major(14) else {
        return;
    };
    let made_by = "SET ROLE app; CREATE UNLOGGED TABLE u (a int GENERATED ALWAYS AS IDENTITY)";
    let query = "SELECT string_agg(relname || relpersistence::text, ' ' ORDER BY relname) FROM pg_class WHERE relname LIKE 'u%' AND relnamespace = 'public'::regnamespace";
    if let Some(found) = on_18(old, made_by, "app", query) {
        assert_eq!(found, "uu u_a_seqp");
    }
}
