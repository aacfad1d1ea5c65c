//! What a migration changes outside of the database (roles, memberships, slots, other databases) is never rolled
//! back: it is named, with the statement that undoes it (design.md §7, docs/rollback.md §5).

use serde_json::Value;

use crate::support::{MARKER, Output, Server, Shop, gunzip};

/// A role's name that no other test has.
fn role(shop: &Shop, what: &str) -> String {
    format!("{}_{what}", shop.database.name())
}

/// Runs a psql script as the superuser, which fails at its end if it is told to.
fn run(shop: &Shop, options: &[&str], sql: &str, fails: bool) -> Output {
    shop.workplace.write("migration.sql", sql);
    let end = if fails { "exit 1" } else { "true" };
    let script = format!("psql -Xq -v ON_ERROR_STOP=1 -f migration.sql && {end}");
    let mut arguments = vec!["run", "--json"];
    arguments.extend(options);
    arguments.extend(["--", "sh", "-c", &script]);
    let call = shop
        .call()
        .env("DATABASE_URL", shop.database.url_as("postgres"));
    call.run(&arguments)
}

/// What is told about one thing.
fn told(output: &Output, name: &str) -> Value {
    let outside = &output.json()["outside"];
    assert_eq!(outside["not_compared"], Value::Null, "{output}");
    let changes = outside["changes"]
        .as_array()
        .unwrap_or_else(|| panic!("no changes\n{output}"));
    let found = changes.iter().find(|change| change["name"] == name);
    found.cloned().unwrap_or_default()
}

fn cure(change: &Value) -> &str {
    change["cure"]
        .as_str()
        .unwrap_or_else(|| panic!("no cure: {change}"))
}

fn has_role(server: &Server, role: &str) -> bool {
    server.psql(
        "postgres",
        &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'"),
    ) == "1"
}

on_all_servers! {
    /// The grants to the new role go with the rollback; the role stays, and the statement that is told drops it.
    fn a_role_that_a_failed_migration_made_stays_and_is_named(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let role = role(&shop, "reporting");
        for strategy in ["repair", "rebuild"] {
            let sql = format!("CREATE ROLE {role} LOGIN PASSWORD '{}'; GRANT USAGE ON SCHEMA public TO {role};
                GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
                ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role};
                CREATE TABLE theirs (a int); ALTER TABLE theirs OWNER TO {role};
                CREATE POLICY p ON orders TO {role} USING (true)", MARKER.replace('\'', "''"));
            let output = run(&shop, &["--strategy", strategy], &sql, true).assert_code(1);
            assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
            assert_eq!(output.json()["strategy"], strategy, "{output}");
            shop.database.assert_is(&before);
            assert!(has_role(server, &role));
            let change = told(&output, &format!("role {role}"));
            assert_eq!((&change["before"], change["after"].as_str()), (&Value::Null, Some("LOGIN")), "{output}");
            // The dependence is gone: nothing in this database needs the role any more.
            server.psql(shop.database.name(), cure(&change));
            assert!(!has_role(server, &role));
            output.assert_says(&format!("role {role}: made (LOGIN); to undo: DROP ROLE {role}"))
                .assert_says("never rolled back");
        }
    }

    /// Attributes, memberships and settings, each undone by what is told.
    fn altered_roles_are_named_and_can_be_put_back(server) {
        let shop = Shop::at_head(server);
        let (one, other) = (role(&shop, "one"), role(&shop, "Other \"x\""));
        let quoted = format!("\"{}\"", other.replace('"', "\"\""));
        server.psql("postgres", &format!("CREATE ROLE {one} LOGIN; CREATE ROLE {quoted} NOINHERIT CONNECTION LIMIT 7 VALID UNTIL '2030-01-01 12:00+02'; GRANT {quoted} TO {one} WITH ADMIN OPTION"));
        let sql = format!("ALTER ROLE {one} NOLOGIN CREATEDB; ALTER ROLE {quoted} VALID UNTIL 'infinity';
            REVOKE {quoted} FROM {one}; GRANT {one} TO app; ALTER ROLE {one} SET work_mem = '7MB'; ALTER ROLE {one} SET my.key = '{}'",
            MARKER.replace('\'', "''"));
        let roles = "SELECT string_agg((to_jsonb(r) || jsonb_build_object('rolvaliduntil', nullif(rolvaliduntil, 'infinity')))::text, E'\\n' ORDER BY rolname) FROM pg_roles r WHERE rolname LIKE '";
        let roles = format!("{roles}{}%'", shop.database.name());
        let members = format!("SELECT string_agg(roleid::regrole || ' ' || member::regrole || admin_option, ', ') FROM pg_auth_members WHERE roleid = '{one}'::regrole OR member = '{one}'::regrole");
        let (was, members_were) = (server.psql("postgres", &roles), server.psql("postgres", &members));
        let output = run(&shop, &[], &sql, false).assert_code(0);
        assert_eq!(output.json()["outcome"], "migrated");
        for name in [
            format!("role {one}"), format!("role {quoted}"), format!("membership of {one} in {quoted}"), format!("membership of app in {one}"),
            format!("setting work_mem of role {one}"), format!("setting my.key of role {one}"),
        ] {
            let change = told(&output, &name);
            server.psql("postgres", cure(&change));
        }
        assert_eq!(server.psql("postgres", &roles), was);
        assert_eq!(server.psql("postgres", &members), members_were);
        server.psql("postgres", &format!("DROP ROLE {one}; DROP ROLE {quoted}"));
    }

    /// Grants cannot be made to a role that is gone: the report says how to make it, and then the rollback goes through.
    fn a_role_that_a_failed_migration_dropped_is_named(server) {
        let shop = Shop::at_head(server);
        let role = role(&shop, "gone");
        server.psql(shop.database.name(), &format!("CREATE ROLE {role} LOGIN CREATEDB; GRANT SELECT ON orders TO {role}"));
        let before = shop.database.dump();
        let output = run(&shop, &[], &format!("DROP OWNED BY {role}; DROP ROLE {role}"), true).assert_code(7);
        let change = told(&output, &format!("role {role}"));
        assert_eq!((change["before"].as_str(), &change["after"]), (Some("LOGIN CREATEDB"), &Value::Null), "{output}");
        server.psql("postgres", cure(&change));
        let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        // Before 15 nobody can tell whether others wrote since the run had ended.
        let discard = ["--discard-other-writes"];
        let told_so = if server.major < 15 { &discard[..] } else { &[] };
        let output = call.run(&[&["rollback", "--json"], told_so].concat()).assert_code(0);
        shop.database.assert_is(&before);
        assert_eq!(told(&output, &format!("role {role}")), Value::Null, "{output}");
        server.psql(shop.database.name(), &format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

on_servers! {
    /// A plain owner sees what a superuser did meanwhile; nothing of the database changed.
    fn p2_a_role_alone_changes_nothing_in_the_database(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let role = role(&shop, "alone");
        let socket = server.socket.display();
        let script = format!("psql -Xq -h {socket} -p {} -U postgres -c 'CREATE ROLE {role}' -c 'CREATE DATABASE {role}'; exit 1", server.port);
        let output = shop.run(&["--on-other-writers", "discard"], &["sh", "-c", &script]).assert_code(1);
        assert_eq!(output.json()["outcome"], "unchanged", "{output}");
        shop.database.assert_is(&before);
        assert_eq!(told(&output, &format!("role {role}"))["after"], "no rights", "{output}");
        assert_eq!(told(&output, &format!("database {role}"))["after"], "owner postgres", "{output}");
        server.psql("postgres", &format!("DROP DATABASE {role}"));
        server.psql("postgres", &format!("DROP ROLE {role}"));
    }

    fn a_forgotten_replication_slot_is_named(server) {
        let server = server.with_settings(&[("wal_level", "logical")]);
        let shop = Shop::at_head(server);
        let slot = shop.database.name();
        let sql = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        let output = run(&shop, &[], &sql, true).assert_code(1);
        let change = told(&output, &format!("replication slot {slot}"));
        server.psql(slot, cure(&change));
        assert_eq!(server.psql(slot, "SELECT count(*) FROM pg_replication_slots"), "0");
    }

    /// The manifest says which roles there are, and nothing of their passwords.
    fn an_archive_holds_no_password(server) {
        let shop = Shop::at_head(server);
        shop.call().env("DATABASE_URL", shop.database.url_as("postgres")).run(&["backup"]).assert_code(0);
        let text = String::from_utf8_lossy(&gunzip(&shop.workplace.archives()[0])).into_owned();
        assert!(text.contains("role app"), "the manifest names roles");
        for word in ["SCRAM", "md5", "PASSWORD"] {
            assert!(!text.contains(word), "{word}");
        }
    }

    /// `diff` tells them, and they are no difference.
    fn diff_tells_what_changed_outside(server) {
        let shop = Shop::at_head(server);
        shop.call().run(&["backup"]).assert_code(0);
        let role = role(&shop, "seen");
        server.psql("postgres", &format!("CREATE ROLE {role}"));
        let archive = shop.workplace.archives()[0].display().to_string();
        let output = shop.call().run(&["diff", "--json", &archive]).assert_code(0);
        server.psql("postgres", &format!("DROP ROLE {role}"));
        let outside = output.json()["difference"]["outside"].to_string();
        assert!(outside.contains(&format!("role {role}")), "{output}");
        output.assert_says(&format!("role {role}: made (no rights)"));
    }
}
