//! Several version tables in one database, a schema per tenant or per service: only the tool's own one counts, for runs of SQL
//! files, for `verify` and for `stamp`.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Call, Database, Shop, Workplace};

/// Two tenants' schemas of the owner; `of` is where plain names lead.
fn tenants(database: &Database) {
    database.sql_as_owner("CREATE SCHEMA ten1; CREATE SCHEMA ten2");
}

fn of<'w>(workplace: &'w Workplace, database: &Database, tenant: &str) -> Call<'w> {
    let call = workplace.call(database);
    call.env("PGOPTIONS", format!("-c search_path={tenant}"))
}

fn tables(database: &Database, schema: &str) -> String {
    database.sql(&format!(
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = '{schema}'::regnamespace"
    ))
}

on_servers! {
    /// A second tenant's "nothing to do" was a lie.
    fn p8_sql_files_run_for_each_tenant(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        tenants(&database);
        workplace.write("sql/1_a.sql", "CREATE TABLE app_t (a int);");
        workplace.write("sql/2_b.sql", "CREATE TABLE app_u (a int);");
        for tenant in ["ten1", "ten2"] {
            let missing = of(&workplace, &database, tenant).run(&["verify", "--sql", "sql"]).assert_code(8);
            missing.assert_says("version rows");
            let run = of(&workplace, &database, tenant).run(&["run", "--json", "--sql", "sql"]).assert_code(0);
            assert_eq!(run.json()["outcome"], "migrated", "{run}");
            assert_eq!(run.json()["to"], serde_json::json!(["2"]), "{run}");
            assert_eq!(tables(&database, tenant), "alembic_version app_t app_u");
            of(&workplace, &database, tenant).run(&["verify", "--sql", "sql"]).assert_code(0);
        }
        let again = of(&workplace, &database, "ten1").run(&["run", "--json", "--sql", "sql"]).assert_code(0);
        assert_eq!(again.json()["outcome"], "nothing-to-do", "{again}");
    }

    /// The server folds what is not quoted, and so do we.
    fn names_of_the_path_are_read_as_the_server_reads_them(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.sql_as_owner("CREATE SCHEMA ten1; CREATE SCHEMA \"Ten2\"");
        workplace.write("sql/1_a.sql", "CREATE TABLE app_t (a int);");
        for path in ["Ten1", "\"Ten2\""] {
            let run = || of(&workplace, &database, path).run(&["run", "--json", "--sql", "sql"]).assert_code(0);
            assert_eq!(run().json()["outcome"], "migrated", "{path}");
            assert_eq!(run().json()["outcome"], "nothing-to-do", "{path}");
        }
        assert_eq!(tables(&database, "\"Ten2\""), "alembic_version app_t");
    }

    /// Where env.py computes the schema nobody knows it: neither a check nor a stamp goes by a table that happens to be there.
    fn p8_a_computed_schema_is_nobodys_guess(server) {
        let shop = Shop::at_head(server);
        shop.database.sql_as_owner(
            "CREATE SCHEMA ten1; CREATE TABLE ten1.alembic_version (version_num varchar(32) PRIMARY KEY);
             INSERT INTO ten1.alembic_version VALUES ('add_user_fk_constraint')",
        );
        let script = shop.workplace.directory().join("env.py");
        let text = std::fs::read_to_string(&script).expect("env.py");
        let computed = text.replace("context.configure(", "context.configure(version_table_schema=os.environ.get('TENANT'), ");
        assert_ne!(text, computed);
        std::fs::write(&script, format!("import os\n{computed}")).expect("env.py");
        let upgrade = ["run", "--json", "--", "alembic", "upgrade", "head"];
        let tenant = || shop.call().env("TENANT", "ten1");
        let run = tenant().run(&upgrade);
        assert_ne!(run.json()["outcome"], "nothing-to-do", "{run}");
        tenant().run(&["verify"]).assert_says("the version rows are not checked");
        tenant().run(&["stamp", "head"]).assert_code(3).assert_says("--version-table");
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }

    /// The rows of a table that Alembic does not reach say nothing.
    fn p8_another_tenants_rows_verify_nothing(server) {
        let shop = Shop::at(server, "add_user_fk_constraint");
        shop.database.sql_as_owner(
            "CREATE SCHEMA ten1; CREATE TABLE ten1.alembic_version (version_num varchar(32) PRIMARY KEY);
             INSERT INTO ten1.alembic_version VALUES ('add_sqs_metadata')",
        );
        let no = shop.call().run(&["verify"]).assert_code(8);
        no.assert_says("expected add_sqs_metadata");
        let elsewhere = shop.call().env("PGOPTIONS", "-c search_path=other").run(&["verify"]).assert_code(0);
        elsewhere.assert_says("the version rows are not checked");
    }

    fn stamp_writes_where_alembic_reads(server) {
        let shop = Shop::at_head(server);
        shop.database.sql_as_owner("CREATE SCHEMA ten2");
        let of_ten2 = || shop.call().env("PGOPTIONS", "-c search_path=ten2");
        let unclear = of_ten2().run(&["stamp", "add_user_fk_constraint"]).assert_code(3);
        unclear.assert_says("public.alembic_version").assert_says("--version-table SCHEMA.TABLE");
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
        let named = ["stamp", "add_user_fk_constraint", "--version-table", "\"ten2\".alembic_version"];
        of_ten2().run(&named).assert_code(0);
        assert_eq!(shop.database.sql("SELECT version_num FROM ten2.alembic_version"), "add_user_fk_constraint");
        of_ten2().run(&["stamp", "head"]).assert_code(0);
        assert_eq!(shop.database.sql("SELECT version_num FROM ten2.alembic_version"), "add_sqs_metadata");
        shop.database.sql("DROP TABLE ten2.alembic_version; DROP TABLE public.alembic_version");
        of_ten2().run(&["stamp", "head"]).assert_code(0);
        assert_eq!(shop.database.sql("SELECT version_num FROM ten2.alembic_version"), "add_sqs_metadata");
        let both = of_ten2().run(&["stamp", "add_sqs_metadata", "add_user_fk_constraint"]).assert_code(3);
        both.assert_says("add_user_fk_constraint comes before add_sqs_metadata");
    }

    /// An owner of the table needs no right to make others.
    fn stamp_needs_the_table_alone(server) {
        let shop = Shop::at_head(server);
        shop.database.sql(&format!(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM app; ALTER SCHEMA public OWNER TO postgres;
             GRANT USAGE ON SCHEMA public TO app; ALTER DATABASE \"{}\" OWNER TO postgres",
            shop.database.name()
        ));
        shop.call().run(&["stamp", "add_user_fk_constraint"]).assert_code(0);
        assert_eq!(shop.database.revisions(), ["add_user_fk_constraint"]);
    }

    /// Whoever holds the table is waited for, not for ever, and nothing is written after we were asked to stop.
    fn stamp_stops_when_it_is_asked_to(server) {
        let shop = Shop::at_head(server);
        let mut holder = server.client("psql", shop.database.name())
            .args(["-Xq"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("psql");
        let mut words = holder.stdin.take().expect("stdin");
        writeln!(words, "BEGIN; LOCK TABLE alembic_version;").expect("psql listens");
        let held = format!(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE datname = '{}' \
             AND mode = 'AccessExclusiveLock' AND granted", shop.database.name());
        while server.psql("postgres", &held) == "0" {
            std::thread::sleep(Duration::from_millis(50));
        }
        let late = shop.call().run(&["stamp", "add_user_fk_constraint", "--table-lock-wait", "1s"]).assert_code(3);
        late.assert_says("nothing was changed");
        let running = shop.call().start(&["stamp", "add_user_fk_constraint"]);
        std::thread::sleep(Duration::from_secs(2));
        let asked = Instant::now();
        running.signal(Signal::SIGTERM);
        running.finish().assert_code(143);
        assert!(asked.elapsed() < Duration::from_secs(8));
        writeln!(words, "COMMIT;").expect("psql listens");
        drop(words);
        holder.wait().expect("psql ends");
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(shop.database.revisions(), ["add_sqs_metadata"]);
    }
}
