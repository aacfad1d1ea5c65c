//! Large objects, which no lock on a table of the user holds: what others write to them during a rollback stays (P5).

use nix::sys::signal::Signal;

use crate::support::{Database, Output, Server, Workplace};

/// A database with two large objects, of which a migration has changed the second.
struct Case {
    workplace: Workplace,
    database: Database,
}

impl Case {
    fn new(server: &'static Server) -> Self {
        let case = Self {
            workplace: Workplace::new(),
            database: Database::create(server),
        };
        case.database.sql_as_owner(
            "CREATE TABLE own (a integer);
             SELECT lo_from_bytea(4711, 'invoice'), lo_from_bytea(4712, 'logo'), lo_from_bytea(4713, 'letter')",
        );
        let backup = ["backup", "--output", "it.sql.gz"];
        case.workplace
            .call(&case.database)
            .run(&backup)
            .assert_code(0);
        case.database
            .sql_as_owner("SELECT lo_put(4712, 0, 'LOGO'); INSERT INTO own VALUES (1)");
        case
    }

    /// Rolls back; when everything was read and saved and nothing is dropped yet, somebody commits `sql`.
    fn rolled_back_while(&self, role: &str, strategy: &str, sql: &str) -> Output {
        let call = self.workplace.call(&self.database);
        let mut running = call
            .env("DATABASE_URL", self.database.url_as(role))
            .env("PGBELAY_FAULT", "file-publish=pause")
            .start(&["rollback", "it.sql.gz", "--strategy", strategy, "--json"]);
        running.wait_for_the_pause();
        self.database.sql(sql);
        running.signal(Signal::SIGCONT);
        running.finish()
    }

    fn content(&self, oid: u32) -> String {
        self.database
            .sql(&format!("SELECT convert_from(lo_get({oid}), 'UTF8')"))
    }
}

on_servers! {
    /// Only those that differ are put back.
    fn p5_a_write_to_another_large_object_stays(server) {
        for (role, unheld) in [("app", 3), ("postgres", 2)] {
            let case = Case::new(server);
            let output = case.rolled_back_while(role, "repair", "SELECT lo_put(4711, 0, 'PAID')").assert_code(0);
            assert_eq!((case.content(4711), case.content(4712)), ("PAIDice".into(), "logo".into()), "{output}");
            let proof = output.json()["proof"].to_string();
            let words = format!("read without a lock: {unheld} large objects; the others were read under lock");
            assert!(proof.contains(&words), "{output}");
        }
    }

    fn p5_a_write_to_a_large_object_that_is_put_back_withholds(server) {
        for (role, strategy, oid) in [("app", "auto", 4712), ("postgres", "auto", 4712), ("app", "rebuild", 4711)] {
            let case = Case::new(server);
            let write = format!("SELECT lo_put({oid}, 0, 'PAID')");
            case.rolled_back_while(role, strategy, &write)
                .assert_code(6)
                .assert_says(&format!("others wrote large object {oid} after it was read"));
            assert!(case.content(oid).starts_with("PAID"), "{role} {strategy}");
            let again = ["rollback", "it.sql.gz", "--discard-other-writes"];
            case.workplace.call(&case.database).run(&again).assert_code(0);
            assert_eq!((case.content(4711), case.content(4712)), ("invoice".into(), "logo".into()));
        }
    }

    fn p5_a_large_object_that_somebody_removes_meanwhile_withholds(server) {
        for (strategy, oid) in [("repair", 4712), ("rebuild", 4713)] {
            let case = Case::new(server);
            case.rolled_back_while("app", strategy, &format!("SELECT lo_unlink({oid})")).assert_code(6);
            assert_eq!(case.database.sql(&format!("SELECT count(*) FROM pg_largeobject_metadata WHERE oid = {oid}")), "0");
        }
    }
}
