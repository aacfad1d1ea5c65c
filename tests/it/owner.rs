//! Life without a superuser: what a plain owner could not put back is told before a migration
//! starts, and everything else is put back. There is no third outcome.
//!
//! Roles belong to the whole server, which other tests use at the same time: each test makes its
//! own and drops them after its databases.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Call, CorpusFile, Database, MARKER, Server, Workplace, has_turn};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A role of one test, gone at its end. Declared before the databases, so dropped after them.
struct Role {
    server: &'static Server,
    name: String,
}

impl Role {
    fn with(server: &'static Server, attributes: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("own_{}_{number}", std::process::id());
        let password = MARKER.replace('\'', "''");
        let sql = format!("CREATE ROLE {name} LOGIN PASSWORD '{password}' {attributes}");
        server.psql("postgres", &sql);
        Self { server, name }
    }

    fn plain(server: &'static Server) -> Self {
        Self::with(server, "")
    }

    /// An empty database of this role.
    fn database(&self) -> Database {
        let database = Database::create(self.server);
        let sql = format!("ALTER DATABASE {} OWNER TO {}", database.name(), self.name);
        self.server.psql("postgres", &sql);
        database
    }

    fn call<'w>(&self, workplace: &'w Workplace, database: &Database) -> Call<'w> {
        workplace
            .call(database)
            .env("DATABASE_URL", database.url_as(&self.name))
    }

    fn sql(&self, database: &Database, sql: &str) -> String {
        database.sql(&format!("SET SESSION AUTHORIZATION {}; {sql}", self.name))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let sql = format!("DROP ROLE IF EXISTS {}", self.name);
            self.server.psql("postgres", &sql);
        }
    }
}

/// Commits something and fails: a rollback has to rebuild everything.
const COMMITS_AND_FAILS: &str =
    r#"psql -Xq -v ON_ERROR_STOP=1 -c "CREATE TABLE pgbelay_was_here(a int)" && exit 1"#;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused(String),
    RolledBack,
}

/// Runs a migration that commits and fails. Anything but a refusal that touched nothing, or a
/// rollback to the byte, fails the test.
#[track_caller]
fn run(role: &Role, workplace: &Workplace, database: &Database) -> Outcome {
    let before = database.dump();
    let doctor = role
        .call(workplace, database)
        .run(&["doctor", "--", "true"]);
    let output =
        role.call(workplace, database)
            .run(&["run", "--json", "--", "sh", "-c", COMMITS_AND_FAILS]);
    let outcome = match (output.code, output.json()["outcome"].as_str()) {
        (3, Some("refused")) => {
            assert!(workplace.archives().is_empty(), "{output}");
            Outcome::Refused(output.stderr.clone())
        }
        (1, Some("rolled-back")) => Outcome::RolledBack,
        _ => panic!("a third outcome:\n{output}"),
    };
    let expected = if outcome == Outcome::RolledBack { 0 } else { 3 };
    assert_eq!(
        doctor.code, expected,
        "doctor and run disagree:\n{doctor}\n{output}"
    );
    database.assert_is(&before);
    outcome
}

/// Takes a backup and restores it elsewhere with the same role: whole, or refused beforehand.
#[track_caller]
fn move_house(role: &Role, workplace: &Workplace, database: &Database) -> Outcome {
    let _ = std::fs::remove_file(workplace.directory().join("it.sql.gz"));
    let backup = role
        .call(workplace, database)
        .run(&["backup", "--output", "it.sql.gz"]);
    // Who may not even read a system catalog is told so by the server (rights_order.sql).
    let cannot_read = backup.code == 5 && backup.stderr.contains("permission denied for table pg_");
    if backup.code == 3 || cannot_read {
        return Outcome::Refused(backup.stderr);
    }
    backup.assert_code(0);
    let copy = role.database();
    let empty = copy.dump();
    let output = role
        .call(workplace, &copy)
        .run(&["restore", "it.sql.gz", "--into", copy.name()]);
    match output.code {
        0 => copy.assert_is(&database.dump()),
        3 => copy.assert_is(&empty),
        _ => panic!("a third outcome:\n{output}"),
    }
    match output.code {
        0 => Outcome::RolledBack,
        _ => Outcome::Refused(output.stderr),
    }
}

/// A file of the corpus in a database of a role that was a superuser while it was loaded, and is a
/// plain owner from then on: the owner of things that it could never make.
fn fallen_superuser(server: &'static Server, file: &CorpusFile) -> (Role, Database) {
    let role = Role::with(server, "SUPERUSER");
    let database = role.database();
    file.run_as(&role.name, &database);
    server.psql("postgres", &format!("ALTER ROLE {} NOSUPERUSER", role.name));
    (role, database)
}

on_all_servers! {
    /// The key to §5.2 (files are spread over the majors, see `has_turn`): no file of the corpus fails half-way, in a rollback or in a restore.
    fn every_corpus_file_is_refused_beforehand_or_put_back(server) {
        let (mut put_back, mut wrong) = (0, Vec::new());
        let files = CorpusFile::all();
        for (place, file) in files.iter().enumerate().filter(|(_, file)| file.is_for(server)) {
            if !has_turn(place, 0, server) {
                continue;
            }
            let (name, made_by_superuser) = (&file.name, file.role == "postgres");
            let tried = std::panic::catch_unwind(|| {
                let (role, database) = fallen_superuser(server, file);
                let workplace = Workplace::new();
                let outcome = run(&role, &workplace, &database);
                (outcome, move_house(&role, &workplace, &database))
            });
            match tried {
                Ok((Outcome::RolledBack, _)) => put_back += 1,
                // What a plain owner can make, he can put back.
                Ok((Outcome::Refused(said), _)) if !made_by_superuser && file.accepting.is_empty() => wrong.push(format!("{name}: {said}")),
                Ok(_) => {}
                Err(_) => wrong.push(format!("{name}: see above")),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(put_back >= 3, "only {put_back} files were put back");
    }
}

on_servers! {
    /// Objects of several owners, who may not create where their objects are, with grants that
    /// others passed on: a member of all of them puts everything back and leaves no trace.
    fn objects_of_several_owners_are_put_back_by_their_member(server) {
        let (me, other, third) = (Role::plain(server), Role::plain(server), Role::plain(server));
        let database = me.database();
        let workplace = Workplace::new();
        let (me_name, a, b) = (&me.name, &other.name, &third.name);
        database.sql(&format!(
            "GRANT {a}, {b} TO {me_name};
             CREATE SCHEMA ours AUTHORIZATION {me_name}; CREATE SCHEMA theirs AUTHORIZATION {a};
             CREATE TABLE ours.of_other(n int PRIMARY KEY); ALTER TABLE ours.of_other OWNER TO {a};
             CREATE TABLE theirs.of_third(n int REFERENCES ours.of_other); ALTER TABLE theirs.of_third OWNER TO {b};
             GRANT USAGE ON SCHEMA ours TO {a}; GRANT USAGE ON SCHEMA ours TO {b} WITH GRANT OPTION;
             INSERT INTO ours.of_other VALUES (1), (2); INSERT INTO theirs.of_third VALUES (2);
             CREATE FUNCTION public.of_third() RETURNS int LANGUAGE sql AS 'SELECT 1';
             ALTER FUNCTION public.of_third() OWNER TO {b};
             CREATE SEQUENCE ours.counter; ALTER SEQUENCE ours.counter OWNER TO {b};
             GRANT SELECT ON ours.of_other TO {b} WITH GRANT OPTION;
             SET ROLE {b}; GRANT SELECT ON ours.of_other TO PUBLIC; RESET ROLE;
             ALTER DEFAULT PRIVILEGES FOR ROLE {a} IN SCHEMA theirs GRANT SELECT ON TABLES TO {b};
             SELECT lo_from_bytea(0, 'bytes');
             DO $$ BEGIN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO {a}', (SELECT max(oid) FROM pg_largeobject_metadata)); END $$"));
        assert_eq!(run(&me, &workplace, &database), Outcome::RolledBack);
        assert_eq!(move_house(&me, &workplace, &database), Outcome::RolledBack);
        server.psql("postgres", &format!("REVOKE {b} FROM {me_name}"));
        let Outcome::Refused(said) = run(&me, &Workplace::new(), &database) else { panic!("not refused") };
        for part in ["table theirs.of_third", "function public.of_third()", "sequence ours.counter", &format!("GRANT \"{b}\" TO")] {
            assert!(said.contains(part), "{part} is missing:\n{said}");
        }
        server.psql("postgres", &format!("REVOKE {a} FROM {me_name}"));
    }

    /// §5.1: everything that a role cannot read is told at once, and the cures cure it.
    fn what_cannot_be_read_is_told_at_once_with_the_cure(server) {
        let role = Role::plain(server);
        let database = Database::create(server);
        let workplace = Workplace::new();
        database.sql_as_owner(&format!(
            "CREATE SCHEMA hidden; CREATE TABLE hidden.t(a int); CREATE TABLE open(a int); CREATE SEQUENCE counter;
             CREATE TABLE guarded(a int); GRANT SELECT ON guarded TO {0}; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
             SELECT lo_from_bytea(4711, 'bytes');
             CREATE TABLE alembic_version(version_num varchar(32) PRIMARY KEY)", role.name));
        let output = role.call(&workplace, &database).run(&["backup"]).assert_code(3);
        let doctor = role.call(&workplace, &database).run(&["doctor", "--json"]).assert_code(3);
        let refused = doctor.json()["refused"].to_string();
        for part in ["schema hidden", "table hidden.t", "table public.open", "sequence public.counter",
                     "table public.guarded", "large object 4711", "table public.alembic_version"] {
            assert!(output.stderr.contains(part), "{part} is missing:\n{output}");
            assert!(refused.contains(part), "{part} is missing:\n{doctor}");
        }
        output.assert_says("GRANT").assert_says("BYPASSRLS");
        assert!(workplace.archives().is_empty());
        server.psql("postgres", &format!("GRANT pg_read_all_data TO {0}; ALTER ROLE {0} BYPASSRLS", role.name));
        database.sql(&format!("GRANT SELECT ON LARGE OBJECT 4711 TO {}", role.name));
        let output = role.call(&workplace, &database).run(&["backup"]).assert_code(0);
        output.assert_says("could not restore it").assert_says("table public.open");
        database.sql(&format!("REVOKE ALL ON LARGE OBJECT 4711 FROM {0}; REVOKE ALL ON guarded FROM {0}", role.name));
        server.psql("postgres", &format!("REVOKE pg_read_all_data FROM {}", role.name));
    }

    /// A provider's event trigger, with its function in a schema of its own, stays where it is; a
    /// table of somebody else refuses the run.
    fn what_a_provider_installed_stays_in_a_rollback(server) {
        let role = Role::plain(server);
        let database = role.database();
        database.sql("CREATE SCHEMA provider; GRANT USAGE ON SCHEMA provider TO PUBLIC;
            CREATE FUNCTION provider.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
            CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION provider.watch()");
        role.sql(&database, "CREATE TABLE ours(a int); INSERT INTO ours VALUES (1)");
        let before = database.sql("SELECT oid FROM pg_event_trigger");
        assert_eq!(run(&role, &Workplace::new(), &database), Outcome::RolledBack);
        assert_eq!(database.sql("SELECT oid FROM pg_event_trigger"), before, "it was not made again");
        database.sql("CREATE TABLE provider.log(a int); GRANT SELECT ON provider.log TO PUBLIC");
        let Outcome::Refused(said) = run(&role, &Workplace::new(), &database) else { panic!("not refused") };
        assert!(said.contains("table provider.log"), "{said}");
    }

    /// A table whose policies bind its own owner, and a materialized view that reads it.
    fn a_view_of_a_guarded_table_is_filled_as_its_owner_filled_it(server) {
        let database = Database::create(server);
        database.sql_as_owner("CREATE TABLE guarded(a int); INSERT INTO guarded VALUES (1), (2);
            CREATE POLICY first_one ON guarded USING (a = 1);
            ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
            CREATE MATERIALIZED VIEW seen AS SELECT * FROM guarded");
        let workplace = Workplace::new();
        let call = || workplace.call(&database).env("DATABASE_URL", database.url_as("postgres"));
        call().run(&["backup", "--output", "it.sql.gz"]).assert_code(0);
        let copy = database.sibling();
        call().run(&["restore", "it.sql.gz", "--into", copy.name()]).assert_code(0);
        copy.assert_is(&database.dump());
        assert_eq!(copy.sql("SELECT count(*) FROM seen"), "1");
        workplace.call(&database).run(&["backup"]).assert_code(3).assert_says("BYPASSRLS");
    }

    /// §5.3: what another server lacks is told at once, before anything is written.
    fn what_a_target_lacks_is_told_at_once(server) {
        let (role, gone) = (Role::plain(server), Role::plain(server));
        let database = Database::create(server);
        let workplace = Workplace::new();
        database.sql(&format!(
            "CREATE TABLE of_gone(a int); ALTER TABLE of_gone OWNER TO {0};
             CREATE FUNCTION leaks() RETURNS int LEAKPROOF LANGUAGE sql AS 'SELECT 1'", gone.name));
        let call = |database: &Database, name: &str| workplace.call(database).env("DATABASE_URL", database.url_as(name));
        call(&database, "postgres").run(&["backup", "--output", "it.sql.gz"]).assert_code(0);
        database.sql("DROP TABLE of_gone");
        server.psql("postgres", &format!("DROP ROLE {}", gone.name));
        let copy = role.database();
        role.sql(&copy, "CREATE TABLE there(a int); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC");
        let before = copy.dump();
        let output = call(&copy, &role.name).run(&["restore", "it.sql.gz", "--into", copy.name()]).assert_code(3);
        let create = format!("CREATE ROLE \"{}\"", gone.name);
        for part in ["table public.there", "default privileges", &create, "function public.leaks()", "leakproof"] {
            assert!(output.stderr.contains(part), "{part} is missing:\n{output}");
        }
        copy.assert_is(&before);
        role.sql(&copy, "DROP TABLE there; ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC");
    }
}
