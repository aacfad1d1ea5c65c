//! `run --sql DIR`: plain SQL files and `alembic upgrade --sql` output on real servers.

use std::path::Path;
use std::time::Duration;

use pgbelay::error::{Error, Kind, Result};
use pgbelay::migrate::sql::{Applied, ApplyOptions, Plan};
use pgbelay::pg::{self, Session};

use crate::data::{Bench, wait};

const OPTIONS: ApplyOptions = ApplyOptions {
    lock_timeout: Duration::from_millis(300),
    timeout: Duration::from_secs(60),
};

async fn session(bench: &Bench) -> Session {
    pg::connect(&bench.target(), pg::Purpose::Facts, &bench.ctx)
        .await
        .unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn apply_with(
    bench: &Bench,
    directory: &Path,
    current: &[&str],
    options: &ApplyOptions,
) -> Result<Applied> {
    let current: Vec<String> = current.iter().map(|row| (*row).to_owned()).collect();
    wait(async {
        let session = session(bench).await;
        let plan = Plan::read(directory)?;
        plan.apply(&session, &current, options, &bench.ctx).await
    })
}

fn apply(bench: &Bench, directory: &Path, current: &[&str]) -> Result<Applied> {
    apply_with(bench, directory, current, &OPTIONS)
}

fn versions(bench: &Bench) -> String {
    bench
        .database
        .sql("SELECT string_agg(version_num, ',' ORDER BY 1) FROM alembic_version")
}

fn refused(outcome: Result<Applied>) -> Error {
    outcome.expect_err("a failure")
}

on_servers! {
    fn files_run_in_order_with_their_version(server) {
        let bench = Bench::empty(server);
        let files = folder(&[
            ("10_rows.sql", "INSERT INTO jobs VALUES (1, 'a;b'), (2, $$it's; fine$$);"),
            ("2_jobs.sql", "-- first\nCREATE TABLE jobs (id int PRIMARY KEY, what text);\n\
              CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN 1; END; $f$;"),
            ("20_index.sql", "-- pgbelay: no-transaction\nCREATE INDEX CONCURRENTLY ix ON jobs (what);"),
            ("2_jobs.down.sql", "DROP TABLE jobs;"),
        ]);
        let applied = apply(&bench, files.path(), &[]).unwrap();
        assert_eq!(applied.files, ["2", "10", "20"]);
        assert_eq!(versions(&bench), "20");
        assert_eq!(bench.database.sql("SELECT count(*) FROM jobs"), "2");
        assert_eq!(apply(&bench, files.path(), &["20"]).unwrap().files, Vec::<String>::new());
        assert_eq!(apply(&bench, files.path(), &["30"]).unwrap_err().kind(), Kind::Refused);
    }

    fn a_failing_file_leaves_the_one_before(server) {
        let bench = Bench::empty(server);
        let files = folder(&[
            ("1.sql", "CREATE TABLE a (id int);"),
            ("2.sql", "CREATE TABLE b (id int);\n\nCREATE TABLE a (id int);"),
        ]);
        let error = refused(apply(&bench, files.path(), &[]));
        assert!(error.to_string().starts_with("run line 3 of 2.sql: relation \"a\" already exists"), "{error}");
        assert_eq!(error.sqlstate(), Some("42P07"));
        assert_eq!(
            error.database_now(),
            Some("this file's transaction was rolled back; committed before: 1")
        );
        assert_eq!(versions(&bench), "1");
        assert_eq!(bench.database.sql("SELECT to_regclass('b') IS NULL"), "t");
    }

    fn an_error_says_the_line_inside_a_long_statement(server) {
        let bench = Bench::empty(server);
        let files = folder(&[("1.sql", "-- long\nCREATE VIEW v AS\nSELECT 1 AS \"ä\",\n       nowhere\n  FROM pg_class;")]);
        let error = refused(apply(&bench, files.path(), &[]));
        assert!(error.to_string().starts_with("run line 2 of 1.sql: column \"nowhere\" does not exist"), "{error}");
        assert!(error.to_string().ends_with(", at line 4"), "{error}");
    }

    fn alembics_printed_sql_keeps_its_own_versions(server) {
        let bench = Bench::empty(server);
        let printed = "BEGIN;\n\nCREATE TABLE alembic_version (\n    version_num VARCHAR(32) NOT NULL, \n    \
            CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n);\n\n-- Running upgrade  -> aaa\n\n\
            CREATE TABLE users (id SERIAL NOT NULL, PRIMARY KEY (id));\n\n\
            INSERT INTO alembic_version (version_num) VALUES ('aaa') RETURNING alembic_version.version_num;\n\n\
            -- Running upgrade aaa -> bbb\n\nALTER TABLE users ADD COLUMN email TEXT;\n\n\
            UPDATE alembic_version SET version_num='bbb' WHERE alembic_version.version_num = 'aaa';\n\nCOMMIT;\n";
        let files = folder(&[("upgrade.sql", printed)]);
        let plan = Plan::read(files.path()).unwrap();
        assert_eq!(plan.expected().into_iter().collect::<Vec<_>>(), ["bbb"]);
        apply(&bench, files.path(), &[]).unwrap();
        assert_eq!(versions(&bench), "bbb");
        assert!(plan.pending(&["bbb".to_owned()]).unwrap().is_empty());
    }

    fn own_transactions_take_the_version_along(server) {
        let bench = Bench::empty(server);
        let files = folder(&[("1.sql", "BEGIN;\nCREATE TABLE a (id int);\nCOMMIT;")]);
        apply(&bench, files.path(), &[]).unwrap();
        assert_eq!(versions(&bench), "1");
    }

    fn waiting_for_a_lock_is_bounded(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner("CREATE TABLE a (id int)");
        let files = folder(&[("1.sql", "ALTER TABLE a ADD COLUMN b int;")]);
        let error = wait(async {
            let holder = session(&bench).await;
            let lock = pgbelay::pg::Sql::constant("BEGIN; LOCK TABLE public.a");
            holder.execute(&lock).await.unwrap();
            let session = session(&bench).await;
            let plan = Plan::read(files.path()).unwrap();
            plan.apply(&session, &[], &OPTIONS, &bench.ctx).await.unwrap_err()
        });
        assert_eq!(error.sqlstate(), Some("55P03"));
        assert!(error.is_transient());
    }

    fn the_time_is_bounded(server) {
        let bench = Bench::empty(server);
        let files = folder(&[("1.sql", "SELECT pg_sleep(30);")]);
        let options = ApplyOptions { timeout: Duration::from_millis(300), ..OPTIONS };
        let error = refused(apply_with(&bench, files.path(), &[], &options));
        assert_eq!(error.sqlstate(), Some("57014"));
    }
}

#[test]
fn a_folder_without_files_is_refused() {
    let empty = folder(&[("readme.txt", "x")]);
    let error = Plan::read(empty.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().ends_with("it holds no .sql file"));
    assert_eq!(
        Plan::read(Path::new("/no/such/folder")).unwrap_err().kind(),
        Kind::Refused
    );
    let twice = folder(&[("1_a.sql", "SELECT 1"), ("1_b.sql", "SELECT 1")]);
    let error = Plan::read(twice.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("1_a.sql and 1_b.sql have the same id 1"),
        "{error}"
    );
}
