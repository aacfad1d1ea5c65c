//! The swap rung: a new database takes the failed one's place, which is kept; killed at any moment it is ended by the next
//! start. Judged by real pg_dump, by content and by the server's own rows about both databases.

use serde_json::Value;

use crate::support::{Call, Database, MARKER, Server, Workplace};
use crate::undo::SHOP;

/// A role that owns and makes databases and may nothing else.
const MAKER: &str = "swap_maker";

/// A database with everything, its owner, and a place to work in.
struct Bench {
    database: Database,
    workplace: Workplace,
    role: &'static str,
}

impl Bench {
    /// Owned by a plain role that may make databases, and used by it.
    fn of_maker(server: &'static Server) -> Self {
        let password = MARKER.replace('\'', "''");
        server.psql(
            "postgres",
            &format!(
                "SELECT pg_advisory_lock(4713);
                 DO $$ BEGIN IF to_regrole('{MAKER}') IS NULL THEN
                   CREATE ROLE {MAKER} LOGIN CREATEDB PASSWORD '{password}';
                 END IF; END $$;"
            ),
        );
        Self::of(server, MAKER)
    }

    fn of_superuser(server: &'static Server) -> Self {
        Self::of(server, "postgres")
    }

    fn of(server: &'static Server, role: &'static str) -> Self {
        let database = Database::create(server);
        let name = database.name().to_owned();
        database.sql(&format!("ALTER DATABASE {name} OWNER TO {role}"));
        let bench = Self {
            workplace: Workplace::new(),
            database,
            role,
        };
        bench.sql(SHOP);
        bench.sql(&format!(
            "ALTER DATABASE {name} SET work_mem = '5MB'; ALTER ROLE {role} IN DATABASE {name} SET lock_timeout = '7s';
             ALTER DATABASE {name} CONNECTION LIMIT 33; COMMENT ON DATABASE {name} IS 'the ''shop''';
             REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO reader"
        ));
        bench
    }

    /// As the role.
    fn sql(&self, sql: &str) -> String {
        let role = self.role;
        self.database
            .sql(&format!("SET SESSION AUTHORIZATION {role}; {sql}"))
    }

    fn call(&self) -> Call<'_> {
        self.workplace
            .call(&self.database)
            .env("DATABASE_URL", self.database.url_as(self.role))
    }

    /// What the server knows of the database itself, its OID left out.
    fn properties(&self) -> String {
        let name = self.database.name();
        self.database.server().psql(
            "postgres",
            &format!(
                "SELECT (to_jsonb(d) - '{{oid,datfrozenxid,datminmxid,dathasloginevt}}'::text[])::text,
                        shobj_description(d.oid, 'pg_database'),
                        (SELECT array_agg((setrole::regrole, setconfig)::text ORDER BY 1) FROM pg_db_role_setting
                          WHERE setdatabase = d.oid)
                   FROM pg_database d WHERE datname = '{name}'"
            ),
        )
    }

    /// Names of this database's relatives that are there.
    fn relatives(&self) -> Vec<String> {
        let name = self.database.name();
        let sql = format!(
            "SELECT datname FROM pg_database WHERE datname LIKE '{}\\_%' ORDER BY 1",
            name.replace('_', "\\_")
        );
        let names = self.database.server().psql("postgres", &sql);
        names.lines().map(str::to_owned).collect()
    }

    /// The one kept database, to be dropped with the test.
    fn kept(&self, json: &Value) -> Database {
        let name = json["rollback"]["kept"]["name"].as_str().expect("a name");
        assert_eq!(self.relatives(), [name]);
        Database::existing(self.database.server(), name)
    }
}

on_all_servers! {
    /// P3, P4: everything is back, the database's own properties too, and what the migration left is kept.
    fn p3_the_new_database_is_the_old_one_and_the_failed_one_is_kept(server) {
        for bench in [Bench::of_superuser(server), Bench::of_maker(server)] {
            let (before, properties) = (bench.database.dump(), bench.properties());
            bench.call().run(&["backup"]).assert_code(0);
            let name = bench.database.name();
            bench.sql(&format!(
                "DROP TABLE s.orders CASCADE; CREATE TABLE s.made (a integer); INSERT INTO s.made VALUES (7);
                 ALTER DATABASE {name} SET work_mem = '9MB'; COMMENT ON DATABASE {name} IS 'half';
                 ALTER DATABASE {name} CONNECTION LIMIT 44"
            ));
            let (damaged, damaged_properties) = (bench.database.dump(), bench.properties());
            let output = bench.call().run(&["rollback", "--strategy", "swap", "--json"]).assert_code(0);
            let json = output.json();
            assert_eq!(json["outcome"], "rolled-back", "{output}");
            assert_eq!(json["strategy"], "swap", "{output}");
            assert!(json["proof"].as_str().unwrap().contains("in the new database"), "{output}");
            bench.database.assert_is(&before);
            assert_eq!(bench.properties(), properties);
            let kept = bench.kept(&json);
            assert!(json["rollback"]["kept"]["bytes"].as_u64().unwrap() > 1_000_000, "{output}");
            kept.assert_is(&damaged);
            let of_kept = bench.database.server().psql("postgres", &format!(
                "SELECT datname, datconnlimit, datallowconn FROM pg_database WHERE datname = '{}'", kept.name()));
            assert_eq!(of_kept, format!("{}|44|t", kept.name()));
            assert!(damaged_properties.contains("half"));
            let archive = bench.workplace.archives().remove(0);
            bench.call().run(&["diff", archive.to_str().unwrap()]).assert_code(0);
        }
    }
}
