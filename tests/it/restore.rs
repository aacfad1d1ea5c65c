//! Restore into an empty database: equal to the original, or nothing at all.

use pgbelay::error::Kind;

use crate::data::Bench;
use crate::support::{Database, Server, Workplace, repository};

/// An archive of a newer major is not put into an older server.
fn refuses_a_newer_archive(server: &'static Server) {
    let (workplace, database) = (Workplace::new(), Database::create(server));
    let archive = repository().join("tests/frozen/v1-shop.sql.gz");
    let archive = archive.to_str().expect("a path");
    let output = workplace
        .call(&database)
        .env("DATABASE_URL", database.url_as("postgres"))
        .run(&["restore", archive, "--into", database.name()])
        .assert_code(3);
    output.assert_says("it comes from PostgreSQL 15, this server is 14");
}

on_three_servers! {
    /// Real pg_dump finds no difference between the original and what we restored.
    fn a_restored_database_is_the_original(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        let report = bench.restore_into(&copy, &reader).expect("a restore");
        assert!(report.rows > 500, "{report:?}");
        copy.assert_is(&bench.database.dump());
    }

    /// A backup made by the first version restores on its own major and on a newer one.
    fn a_frozen_archive_restores(server) {
        if server.major < 15 {
            return refuses_a_newer_archive(server);
        }
        let (workplace, database) = (Workplace::new(), Database::create(server));
        let archive = repository().join("tests/frozen/v1-shop.sql.gz");
        let archive = archive.to_str().expect("a path");
        let call = || workplace.call(&database).env("DATABASE_URL", database.url_as("postgres"));
        database.sql(&format!("ALTER DATABASE {} OWNER TO postgres", database.name()));
        call().run(&["restore", archive, "--into", database.name()]).assert_code(0);
        assert_eq!(database.revisions(), ["add_sqs_metadata"]);
        if server.major == 15 {
            call().run(&["diff", archive, &format!("db:{}", database.name())]).assert_code(0);
        }
    }

    /// A database with anything in it is refused, and what is in it is named.
    fn a_database_with_objects_is_refused(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let reader = bench.archive();
        let taken = bench.database.sibling();
        taken.sql_as_owner("CREATE SCHEMA mine; CREATE TABLE mine.own (a integer)");
        let before = taken.dump();
        let error = bench.restore_into(&taken, &reader).expect_err("refused");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("table mine.own"), "{error}");
        taken.assert_is(&before);
    }

    /// What would fail is refused beforehand, and a failure that nobody could foresee names what
    /// failed and leaves the database empty.
    fn a_failed_restore_leaves_nothing(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE FUNCTION public.only_then() RETURNS boolean LANGUAGE sql \
             AS 'SELECT current_setting(''my.moment'', true) IS NOT NULL';
             CREATE TABLE public.ours (a integer);
             CREATE TABLE public.picky (a integer CHECK (public.only_then()));
             SET my.moment = 'now'; INSERT INTO public.picky VALUES (1)",
        );
        let reader = bench.archive();
        let copy = bench.database.sibling();
        let before = copy.dump();
        let error = bench.restore_into(&copy, &reader).expect_err("the check says no");
        assert_eq!(error.kind(), Kind::Failed);
        assert!(error.attempted().contains("table public.picky"), "{error}");
        assert!(error.database_now().unwrap().contains("empty as before"));
        copy.assert_is(&before);

        bench.database.sql("CREATE TABLE public.theirs (a integer); GRANT SELECT ON public.theirs TO app");
        let error = bench.restore_into(&copy, &bench.archive()).expect_err("owner cannot be given away");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("table public.theirs"), "{error}");
        copy.assert_is(&before);
    }
}
