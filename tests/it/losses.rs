//! What cannot be restored: refused before anything is touched, or accepted by kind and then named
//! wherever the archive is looked at (spec §1.9, docs/losses.md).

use pgbelay::archive::Reader;
use pgbelay::catalog::{AcceptedLosses, Loss};
use pgbelay::error::Kind;
use pgbelay::rollback::RollbackOptions;

use crate::data::Bench;
use crate::support::{Call, Database, Output, Workplace};

/// A table, an index on it that a failed CREATE INDEX CONCURRENTLY left, and a function that a
/// superuser put into pg_catalog.
const LOSSES: &str = "CREATE TABLE public.t (a integer); INSERT INTO public.t VALUES (1), (2);
     ALTER TABLE public.t OWNER TO app; CREATE INDEX broken ON public.t (a);
     UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'public.broken'::regclass;
     CREATE FUNCTION pg_catalog.stowaway() RETURNS integer LANGUAGE sql AS 'SELECT 1'";

/// Names of all files below a directory.
fn files_of(directory: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => names.extend(files_of(&path)),
            false => names.push(path.display().to_string()),
        }
    }
    names
}

fn call(workplace: &Workplace, database: &Database, arguments: &[&str]) -> Output {
    Call::new(workplace)
        .env("DATABASE_URL", database.url_as("postgres"))
        .run(arguments)
}

/// What makes a backup impossible, how it is undone, and words of the refusal.
const IMPOSSIBLE: [(&str, &str, &str); 8] = [
    (
        "UPDATE pg_proc SET prorettype = 4242 WHERE proname = 'answer'",
        "UPDATE pg_proc SET prorettype = 'integer'::regtype WHERE proname = 'answer'",
        "answer in pg_proc",
    ),
    (
        "UPDATE pg_constraint SET contype = 'q' WHERE conname = 'positive'",
        "UPDATE pg_constraint SET contype = 'c' WHERE conname = 'positive'",
        "its contype is \"q\"",
    ),
    (
        "CREATE ROLE gone_grantee; GRANT SELECT ON t TO gone_grantee;
         SET allow_system_table_mods = on; DELETE FROM pg_authid WHERE rolname = 'gone_grantee'",
        "UPDATE pg_class SET relacl = NULL WHERE relname = 't'",
        "missing-role",
    ),
    (
        "UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'part'::regclass",
        "UPDATE pg_inherits SET inhdetachpending = false WHERE inhrelid = 'part'::regclass",
        "public.part",
    ),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_b'::regclass",
        "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'by_b'::regclass",
        "index public.by_b",
    ),
    (
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
         VALUES (90003, 'timescaledb', 10, 'public'::regnamespace, false, '2.1')",
        "DELETE FROM pg_extension WHERE oid = 90003",
        "extension timescaledb (extension-data): ",
    ),
    (
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
         VALUES (90004, 'citus', 10, 'public'::regnamespace, false, '12.1')",
        "DELETE FROM pg_extension WHERE oid = 90004",
        "extension citus (extension-data): ",
    ),
    // A key that leads to a partition of what somebody's key leads to: the server numbers these.
    (
        "CREATE TABLE aim (k integer PRIMARY KEY) PARTITION BY LIST (k); CREATE TABLE aim1 PARTITION OF aim DEFAULT;
         CREATE TABLE aims (k integer REFERENCES aim); DO $$BEGIN
             EXECUTE (SELECT format('COMMENT ON CONSTRAINT %I ON aims IS ''numbered''', conname)
                        FROM pg_constraint WHERE conrelid = 'aims'::regclass AND conparentid <> 0 AND contype = 'f');
         END$$",
        "DROP TABLE aims, aim",
        "on table public.aims (unknown-object): ",
    ),
];

on_all_servers! {
    /// Each by name, with exit 3, whichever verb meets it first; the migration does not start, and
    /// nothing but a log is left behind.
    fn what_cannot_be_expressed_is_refused_by_name(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql("CREATE TABLE t (a integer CONSTRAINT positive CHECK (a > 0), b text);
            CREATE INDEX by_b ON t (b); CREATE TABLE whole (k integer) PARTITION BY LIST (k);
            CREATE TABLE part PARTITION OF whole FOR VALUES IN (1);
            CREATE FUNCTION answer() RETURNS integer LANGUAGE sql AS 'SELECT 42'");
        for (damage, repair, words) in IMPOSSIBLE {
            database.sql(damage);
            for arguments in [&["backup"][..], &["run", "--", "touch", "started"]] {
                let output = call(&workplace, &database, arguments).assert_code(3).assert_says(words);
                assert!(output.last_line().contains("Refused: "), "{output}");
                let written = files_of(&workplace.directory());
                assert!(written.iter().all(|name| name.ends_with(".log")), "{written:?} {output}");
            }
            database.sql(repair);
        }
        call(&workplace, &database, &["backup"]).assert_code(0);
    }
}

on_servers! {
    /// Every kind with its objects, the flag to go on, exit 3, and no archive.
    fn what_cannot_be_restored_is_refused_by_kind(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql(LOSSES);
        workplace.write("steps/0001_more.sql", "CREATE TABLE more (a integer);");
        let run = call(&workplace, &database, &["run", "--sql", "steps"]).assert_code(3);
        let run = run.assert_says("index public.broken on t: it is invalid");
        assert!(workplace.archives().is_empty(), "{run}");
        for command in [&["backup"][..], &["run", "--accept-loss", "column-order", "--sql", "steps"]] {
            if command[0] == "run" {
                database.sql("DROP INDEX public.broken");
            }
            let output = call(&workplace, &database, command).assert_code(3)
                .assert_says("function stowaway() (system-object): ")
                .assert_says("cannot be restored: ")
                .assert_says("--accept-loss system-object");
            let index = "cannot be restored: index public.broken (invalid-index): ";
            assert_eq!(output.stderr.contains(index), command[0] == "backup", "{output}");
            assert!(output.last_line().contains("Refused: cannot "), "{output}");
            assert!(workplace.archives().is_empty(), "{output}");
        }
        assert_eq!(database.sql("SELECT to_regclass('more')"), "");
    }

    /// What is accepted is said, listed in the manifest and shown; one kind accepts one kind.
    fn an_accepted_loss_is_named_everywhere(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql(LOSSES);
        call(&workplace, &database, &["backup", "--accept-loss", "invalid-index"])
            .assert_code(3)
            .assert_says("function stowaway()");
        let output = call(&workplace, &database, &["backup", "--accept-loss=invalid-index,system-object"])
            .assert_code(0)
            .assert_says("not in the archive: invalid-index: index public.broken")
            .assert_says("NOT HELD");
        let archive = output.stdout.trim().to_owned();
        let shown = call(&workplace, &database, &["show", &archive]).assert_code(0);
        assert!(shown.stdout.contains("NOT HELD   invalid-index: index public.broken"), "{shown}");
        let json = call(&workplace, &database, &["backup", "--json", "--accept-loss", "all"]).assert_code(0).json();
        let listed = ["invalid-index: index public.broken", "system-object: function stowaway()"];
        assert_eq!(json["backup"]["accepted_losses"], serde_json::json!(listed));
        let again = call(&workplace, &database, &["diff", &archive]).assert_code(8);
        assert!(again.last_line().contains("Equal but for 2 objects that could NOT be compared"), "{again}");
        let equal = call(&workplace, &database, &["diff", &archive, "--accept-loss", "all"]).assert_code(0);
        assert!(equal.last_line().contains("2 objects known by name only"), "{equal}");
        database.sql("DROP INDEX public.broken");
        let gone = call(&workplace, &database, &["diff", &archive, "--accept-loss", "system-object"]).assert_code(8);
        assert!(gone.stdout.contains("invalid-index: index public.broken: missing"), "{gone}");
        // The archive does not hold it: who accepts that gets an equal copy without it, and is told.
        let copy = call(&workplace, &database, &["diff", &archive, "--accept-loss", "all"]).assert_code(0);
        copy.assert_says("NOT HELD");
    }

    /// The copy has its columns in the order of the definition, and nothing else differs.
    fn a_faithful_copy_is_equal_for_whoever_accepts_the_loss(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql("CREATE TABLE a (x int); CREATE TABLE c (y int) INHERITS (a); ALTER TABLE a ADD COLUMN z int; INSERT INTO c VALUES (1, 2, 3)");
        let output = call(&workplace, &database, &["backup", "--accept-loss", "column-order"]).assert_code(0);
        let archive = output.stdout.trim().to_owned();
        let copy = format!("{}_copy", database.name());
        call(&workplace, &database, &["restore", &archive, "--into", &copy, "--create"]).assert_code(0);
        let copied = Database::existing(server, &copy);
        let diff = |options: &[&str]| {
            let words = ["diff", &archive, &format!("db:{copy}")];
            call(&workplace, &database, &[&words, options].concat())
        };
        diff(&[]).assert_code(8);
        let equal = diff(&["--accept-loss", "column-order"]).assert_code(0).assert_says("NOT HELD");
        assert!(equal.last_line().contains("Equal: "), "{equal}");
        copied.sql("UPDATE c SET z = 4");
        diff(&["--accept-loss", "column-order"]).assert_code(8);
    }

    /// `doctor` says what a run would refuse, and that it was accepted.
    fn doctor_foresees_losses(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql(LOSSES);
        workplace.write("steps/0001_more.sql", "CREATE TABLE more (a integer);");
        call(&workplace, &database, &["doctor", "--sql", "steps"])
            .assert_code(3)
            .assert_says("index public.broken on t: it is invalid")
            .assert_says("function stowaway() (system-object)")
            .assert_says("to go on knowingly: --accept-loss system-object");
        call(&workplace, &database, &["doctor", "--sql", "steps", "--accept-loss", "all"])
            .assert_code(0)
            .assert_says("accepted by --accept-loss");
    }

    /// A run that fails puts back what it saved, leaves alone what it did not save, and names what
    /// could not stay.
    fn a_rollback_leaves_alone_what_was_not_saved(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql(LOSSES);
        let oid = database.sql("SELECT 'pg_catalog.stowaway()'::regprocedure::oid");
        workplace.write("steps/0001_more.sql", "CREATE TABLE more (a integer);\nDELETE FROM public.t;");
        workplace.write("steps/0002_fails.sql", "SELECT 1 / 0;");
        // A repair has no need to touch the table that it is on.
        let arguments = ["run", "--json", "--accept-loss", "all", "--sql", "steps"];
        let repaired = call(&workplace, &database, &arguments).assert_code(1);
        assert_eq!(repaired.json()["strategy"], "repair", "{repaired}");
        assert_eq!(repaired.json()["not_brought_back"], serde_json::json!([]), "{repaired}");
        assert_eq!(database.sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "1");
        assert_eq!(database.sql("SELECT count(*) FROM public.t"), "2");
        let arguments = [&arguments[..], &["--strategy", "rebuild"]].concat();
        let output = call(&workplace, &database, &arguments).assert_code(1);
        let json = output.json();
        assert_eq!(json["outcome"], "rolled-back", "{output}");
        assert_eq!(json["accepted_losses"].as_array().map(Vec::len), Some(2), "{output}");
        assert_eq!(json["not_brought_back"], serde_json::json!(["invalid-index: index public.broken"]), "{output}");
        assert!(output.last_line().contains("except what could not be brought back: invalid-index: index public.broken"), "{output}");
        assert!(json["proof"].as_str().unwrap().contains("not brought back: invalid-index"), "{output}");
        assert_eq!(database.sql("SELECT 'pg_catalog.stowaway()'::regprocedure::oid"), oid);
        assert_eq!(database.sql("SELECT count(*) FROM public.t"), "2");
    }

    /// By hand, too, an archive that lacks something is used only knowingly.
    fn a_rollback_by_hand_asks_for_the_kinds(server) {
        let bench = Bench::empty(server);
        bench.database.sql(LOSSES);
        let options = pgbelay::dump::DumpOptions { accept: AcceptedLosses::all(), ..Default::default() };
        let destination = pgbelay::dump::Destination::Store(&bench.store);
        let target = bench.target_as("postgres");
        let report = crate::data::wait(pgbelay::dump::backup(&target, &destination, &options, &bench.ctx)).expect("a backup");
        let reader = Reader::open(&report.archive).expect("an archive");
        bench.database.sql("DROP INDEX public.broken; INSERT INTO public.t VALUES (3)");
        let error = bench.roll_back(&reader).expect_err("not accepted");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.hints()[1].contains("--accept-loss invalid-index --accept-loss system-object"), "{error:?}");
        let one = RollbackOptions { accept_losses: AcceptedLosses::of([Loss::InvalidIndex]), ..RollbackOptions::default() };
        assert_eq!(bench.roll_back_with(&reader, &one).expect_err("half accepted").kind(), Kind::Refused);
        let both = RollbackOptions { accept_losses: AcceptedLosses::all(), ..RollbackOptions::default() };
        let report = bench.roll_back_with(&reader, &both).expect("a rollback");
        assert_eq!(report.not_brought_back, ["invalid-index: index public.broken"]);
        assert_eq!(bench.database.sql("SELECT count(*) FROM public.t"), "2");
        assert_eq!(bench.database.sql("SELECT pg_catalog.stowaway()"), "1");
    }
}

#[test]
fn an_unknown_kind_of_loss_is_a_mistake_of_usage() {
    let workplace = Workplace::new();
    for word in ["invalid_index", "unknown-catalog"] {
        Call::new(&workplace)
            .run(&["backup", "--accept-loss", word])
            .assert_code(2)
            .assert_says("invalid-index, pending-detach, ")
            .assert_says(" and all");
    }
}
