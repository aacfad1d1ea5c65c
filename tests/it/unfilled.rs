//! Materialized views that were filled once and cannot be today: they stay empty, are named with what fills them, and never
//! stand in the way of the rest.

use serde_json::Value;

use crate::support::{Call, Database, Workplace};

/// One fails on a row of today, one on what it reads, one on a server that is away; one can be filled.
const BEFORE: &str = "
CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y');
CREATE TABLE away (yes boolean); INSERT INTO away VALUES (false);
CREATE FUNCTION remote() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  IF (SELECT yes FROM public.away) THEN RAISE 'could not connect' USING ERRCODE = '08001'; END IF; RETURN 1; END $$;
CREATE MATERIALIZED VIEW ratio AS SELECT 10 / a AS r FROM t; CREATE UNIQUE INDEX ON ratio (r);
CREATE MATERIALIZED VIEW above AS SELECT r FROM ratio;
CREATE MATERIALIZED VIEW far AS SELECT remote() AS n;
CREATE MATERIALIZED VIEW fine AS SELECT count(*) AS n FROM t;
UPDATE t SET a = 0 WHERE a = 2; UPDATE away SET yes = true;";

const FILLED: &str = "SELECT string_agg(relname || ' ' || relispopulated, ', ' ORDER BY relname) FROM pg_class WHERE relkind = 'm'";
const ONLY_ONE: &str = "above false, far false, fine true, ratio false";

fn call<'a>(workplace: &'a Workplace, database: &Database) -> Call<'a> {
    let call = workplace.call(database);
    call.env("DATABASE_URL", database.url_as("postgres"))
}

/// Three views, each with its reason and its command.
#[track_caller]
fn assert_named(told: &Value) {
    let text = told.to_string();
    let count = told.as_array().map(Vec::len);
    assert_eq!(count, Some(3), "{text}");
    for part in [
        "division by zero",
        "could not connect",
        "has not been populated",
        "REFRESH MATERIALIZED VIEW public.ratio",
        "REFRESH MATERIALIZED VIEW public.far",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

on_servers! {
    /// P3, P8: proven but for their content, on every rung.
    fn what_cannot_be_filled_does_not_keep_a_rollback_from_its_end(server) {
        for strategy in ["repair", "rebuild", "swap"] {
            let (workplace, database) = (Workplace::new(), Database::create(server));
            database.sql(BEFORE);
            call(&workplace, &database).run(&["backup"]).assert_code(0);
            database.sql("UPDATE t SET b = 'half'; CREATE TABLE made ()");
            let output = call(&workplace, &database).run(&["rollback", "--strategy", strategy, "--json"]).assert_code(0);
            let json = output.json();
            assert_eq!(json["strategy"], strategy, "{output}");
            assert_named(&json["rollback"]["not_brought_back"]);
            let proof = json["proof"].as_str().expect("a proof");
            assert!(proof.contains("not brought back: content of materialized view public."), "{proof}");
            assert_eq!(database.sql(FILLED), ONLY_ONE, "{strategy}");
            assert_eq!(database.sql("SELECT string_agg(a || b, ' ' ORDER BY a), to_regclass('made') IS NULL FROM t"), "0y 1x|t");
            if strategy == "swap" {
                server.psql("postgres", json["rollback"]["kept"]["to_drop"].as_str().expect("a statement"));
            }
        }
    }

    /// Nor a restore, in one transaction or with several sessions, nor a drill, which says what it could not prove.
    fn what_cannot_be_filled_does_not_make_an_archive_unrestorable(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql(BEFORE);
        let archive = call(&workplace, &database).run(&["backup"]).assert_code(0);
        let archive = archive.stdout.trim();
        for jobs in ["1", "3"] {
            let copy = Database::to_be_made(server);
            let restore = ["restore", archive, "--into", copy.name(), "--create", "--jobs", jobs, "--json"];
            let output = call(&workplace, &database).run(&restore).assert_code(0);
            assert_named(&output.json()["restore"]["unfilled"]);
            assert_eq!(copy.sql(FILLED), ONLY_ONE, "--jobs {jobs}");
        }
        let output = call(&workplace, &database).run(&["drill", "--json"]).assert_code(0);
        assert_named(&output.json()["drill"]["not_proven"]);
    }
}
