//! The server is started again while a migration is at work: what others committed meanwhile is not pulled away (P5), and
//! where nobody came the database is put back all the same (P6).

use std::time::Duration;

use crate::support::{Call, Database, MARKER, Output, Server, Workplace};

/// Commits, long enough to be seen on a busy machine, and goes on when it is told to.
const HALF: &str = "psql -Xqc 'UPDATE t SET v = 0' -c 'SELECT pg_sleep(0.3)'; touch half; while [ ! -e go-on ]; do sleep 0.02; done";

struct Bench {
    workplace: Workplace,
    database: Database,
}

impl Bench {
    fn new(server: &'static Server) -> Self {
        let database = Database::create(server);
        database.own_public();
        database.sql_as_owner("CREATE TABLE t AS SELECT 1 AS v; CREATE TABLE orders (paid text)");
        Self {
            workplace: Workplace::new(),
            database,
        }
    }

    fn call(&self) -> Call<'_> {
        let call = self.workplace.call(&self.database);
        call.env("DATABASE_URL", self.database.url_as("postgres"))
    }

    /// A migration that commits, and after a restart of the server does the rest and fails; what it ended with.
    fn over_a_restart(&self, mode: &str, rest: &str, meanwhile: impl FnOnce()) -> Output {
        let script = format!("{HALF}; {rest}; exit 1");
        let running = self
            .call()
            .start(&["run", "--json", "--", "sh", "-c", &script]);
        let half = self.workplace.directory().join("half");
        while !half.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        // The watch sees it committed.
        std::thread::sleep(Duration::from_millis(200));
        self.database.server().restart(mode);
        meanwhile();
        self.workplace.write("go-on", "");
        running.finish()
    }
}

on_servers! {
    fn p5_who_came_and_left_after_a_restart_is_not_forgotten(server) {
        let server = server.of_our_own();
        for mode in ["immediate", "fast"] {
            let bench = Bench::new(server);
            let order = || drop(bench.database.sql_as_owner("INSERT INTO orders VALUES ('paid'); UPDATE t SET v = 2"));
            bench.over_a_restart(mode, "true", order).assert_code(6);
            assert_eq!(bench.database.sql("SELECT paid, v FROM orders, t"), "paid|2", "{mode}");
        }
    }

    fn p6_after_a_restart_in_which_nobody_came_it_is_put_back(server) {
        let server = server.of_our_own();
        for mode in ["immediate", "fast"] {
            let bench = Bench::new(server);
            let before = bench.database.dump();
            let rest = "psql -Xqc 'UPDATE t SET v = 3' -c 'SELECT pg_sleep(0.5)'";
            bench.over_a_restart(mode, rest, || ()).assert_code(1);
            bench.database.assert_is(&before);
        }
    }

    /// A login role whose sessions the role that it is given may not see.
    fn the_tool_is_known_where_its_sessions_are_hidden(server) {
        let bench = Bench::new(server);
        let before = bench.database.dump();
        let role = format!("deployer_{}", bench.database.name());
        bench.database.sql(&format!(
            "CREATE ROLE {role} LOGIN NOINHERIT IN ROLE app; ALTER ROLE {role} SET role = app;
             DO $$ BEGIN EXECUTE format('ALTER ROLE {role} PASSWORD %L', '{}'); END $$",
            MARKER.replace('\'', "''")
        ));
        let url = bench.database.url_as(&role);
        let script = "psql -Xqc 'UPDATE t SET v = 3' -c 'SELECT pg_sleep(0.5)'; exit 1";
        let call = bench.call().env("DATABASE_URL", url);
        let output = call.run(&["run", "--json", "--", "sh", "-c", script]);
        bench.database.sql(&format!("DROP ROLE {role}"));
        output.assert_code(1);
        bench.database.assert_is(&before);
    }
}
