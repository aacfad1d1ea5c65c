//! The checks of design.md §6 on real databases: each says yes, and each says no.

use std::collections::BTreeSet;

use pgbelay::pg::{self, Secret, Session, Sql};
use pgbelay::verify::{
    Check, Checks, CommandSettings, Expectation, InvalidObjects, run_checks, run_checks_with,
};

use crate::data::{Bench, wait};

const SCHEMA: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE songs (id serial PRIMARY KEY, title varchar(200), mood mood NOT NULL);
    CREATE INDEX ix_title ON songs (title);
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('abc');
    INSERT INTO songs (title, mood) VALUES ('a', 'ok'), ('a', 'ok');";

async fn session(bench: &Bench) -> Session {
    pg::connect(&bench.target(), pg::Purpose::Facts, &bench.ctx)
        .await
        .unwrap()
}

fn bench(server: &'static crate::support::Server) -> Bench {
    let bench = Bench::empty(server);
    bench.database.sql_as_owner(SCHEMA);
    bench
}

fn run(bench: &Bench, checks: &Checks<'_>) -> Vec<Check> {
    wait(async {
        let session = session(bench).await;
        run_checks(&session, checks, &bench.ctx)
            .await
            .unwrap()
            .checks
    })
}

fn one<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("{checks:?}"))
}

fn heads(ids: &[&str]) -> Option<BTreeSet<String>> {
    Some(ids.iter().map(|id| (*id).to_owned()).collect())
}

on_servers! {
    fn version_rows_are_compared(server) {
        let bench = bench(server);
        let good = Checks { expected_heads: heads(&["abc"]), ..Checks::default() };
        assert!(one(&run(&bench, &good), "version rows").passed);
        let bad = Checks { expected_heads: heads(&["def"]), ..Checks::default() };
        let answers = run(&bench, &bad);
        let check = one(&answers, "version rows");
        assert!(!check.passed);
        assert_eq!(check.detail, "expected def, found abc in public.alembic_version");
    }

    fn new_invalid_objects_fail_and_old_ones_do_not(server) {
        let bench = bench(server);
        let read = || wait(async { InvalidObjects::read(&session(&bench).await).await.unwrap() });
        let before = read();
        assert_eq!(before, InvalidObjects::default());
        bench.database.sql_as_owner("ALTER TABLE songs ADD CONSTRAINT titled CHECK (title <> '') NOT VALID");
        // Fails on the duplicates and leaves its invalid index, as on any production server.
        let broken = Sql::constant("CREATE UNIQUE INDEX CONCURRENTLY broken ON public.songs (title)");
        let failed = wait(async { session(&bench).await.execute(&broken).await });
        assert_eq!(failed.unwrap_err().sqlstate(), Some("23505"));
        let checks = Checks { before: Some(&before), ..Checks::default() };
        let answers = run(&bench, &checks);
        assert_eq!(one(&answers, "indexes").detail, "invalid: public.broken on public.songs");
        assert_eq!(one(&answers, "constraints").detail, "newly NOT VALID: titled on public.songs");
        assert!(answers.iter().all(|check| !check.passed));
        let now = read();
        let checks = Checks { before: Some(&now), ..Checks::default() };
        assert!(run(&bench, &checks).iter().all(|check| check.passed));
    }

    fn the_expected_schema_is_counted_and_what_is_missing_is_named(server) {
        let bench = bench(server);
        let file = bench.path("expect.json");
        let text = wait(async {
            let session = session(&bench).await;
            Expectation::of_database(&session).await.unwrap().to_json().unwrap()
        });
        std::fs::write(&file, &text).unwrap();
        let checks = Checks { expect: Some(file.clone()), ..Checks::default() };
        assert_eq!(
            one(&run(&bench, &checks), "expected schema").detail,
            "Tables verified: 2, columns checked: 4, indexes checked: 3"
        );
        bench.database.sql_as_owner("ALTER TABLE songs DROP COLUMN mood, ADD COLUMN extra int; DROP INDEX ix_title");
        let answers = run(&bench, &checks);
        let check = one(&answers, "expected schema");
        assert!(!check.passed);
        assert_eq!(
            check.detail,
            "table public.songs: missing column mood; table public.songs: missing index ix_title"
        );
    }

    fn verification_queries_must_return_nothing(server) {
        let bench = bench(server);
        let folder = bench.path("checks");
        std::fs::create_dir(&folder).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("1_none.sql", "SELECT id FROM songs WHERE mood = 'sad';\nSELECT 1 WHERE false;");
        write("2_twice.sql", "-- twins\nSELECT title, count(*) FROM songs GROUP BY title HAVING count(*) > 1");
        write("3_writes.sql", "DELETE FROM songs");
        write("4_missing.sql", "SELECT * FROM nowhere");
        write("4_rows.sql", "SELECT FROM songs WHERE title = 'a'");
        let checks = Checks { verify_sql: Some(folder.clone()), ..Checks::default() };
        let answers = run(&bench, &checks);
        assert!(one(&answers, "query 1_none.sql").passed);
        assert_eq!(one(&answers, "query 2_twice.sql").detail, "line 2 returned 1 row: (title=a, count=2)");
        let writes = one(&answers, "query 3_writes.sql");
        assert!(!writes.passed && writes.detail.contains("read-only transaction"), "{writes:?}");
        assert!(one(&answers, "query 4_missing.sql").detail.contains("nowhere"));
        assert_eq!(one(&answers, "query 4_rows.sql").detail, "line 1 returned 2 rows: (), ()");
        assert_eq!(bench.database.sql("SELECT count(*) FROM songs"), "2");
        write("5_escape.sql", "COMMIT; DELETE FROM songs");
        let answers = run(&bench, &checks);
        let refused = one(&answers, "verification queries");
        assert!(refused.detail.contains("may not begin or end a transaction"), "{refused:?}");
        assert!(checks.prepare().is_err());
    }

    fn a_verification_command_must_exit_with_0(server) {
        let bench = bench(server);
        let checks = |script: &str| Checks {
            verify_command: Some(vec!["/bin/sh".into(), "-c".into(), script.into()]),
            ..Checks::default()
        };
        let settings = CommandSettings {
            variables: vec![("DATABASE_URL".into(), Secret::new("secret"))],
            secrets: vec![Secret::new("secret")],
            ..CommandSettings::default()
        };
        let answer = |script: &str| {
            let checks = checks(script);
            let answers = wait(async {
                let session = session(&bench).await;
                run_checks_with(&session, &checks, &settings, &bench.ctx).await.unwrap().checks
            });
            one(&answers, "verification command").clone()
        };
        assert!(answer("test \"$DATABASE_URL\" = secret").passed);
        let failed = answer("echo \"no table: secret\" >&2; exit 3");
        assert!(!failed.passed);
        assert!(failed.detail.ends_with("exited with code 3: no table: ***"), "{failed:?}");
    }
}
