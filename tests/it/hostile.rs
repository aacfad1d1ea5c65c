//! Names and values that try to become something else (spec §6): every kind of object under every
//! hostile name, there and back by psql and by our own restore, from scripts that hold no psql command.

use std::process::Stdio;

use crate::support::{Database, Workplace, gunzip, psql_commands};

/// Names of objects, columns, settings' values, labels, comments, rows.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "line\nbreak",
        "car\rriage",
        "both\r\n\\! touch pwned\n",
        "\\! touch pwned",
        "a\n\\.\nb",
        "\\.",
        "qu'ote",
        "dou\"ble",
        "back\\slash",
        ":psqlvar",
        ":'DBNAME'",
        "$$",
        "$pgbelay$",
        "$1",
        "\u{202e}right to left",
        "zero\u{200b}width",
        "\u{1b}[31mred",
        "tab\there",
        "\"; DROP TABLE x; --",
        "'; DROP TABLE x; --",
        " leading and trailing ",
        "--",
        "/*",
        "*/",
        "select",
        "COPY x FROM stdin;\nselect 1/0",
        "a=b/c",
        "{a,\"b\"}",
        "%s%n%I",
        "public.x",
        "`touch pwned`",
    ]
    .map(str::to_owned)
    .into();
    names.push(format!("{}x", "é".repeat(31)));
    assert_eq!(names.last().map(String::len), Some(63));
    names
}

/// One object of each kind, named `{n}`, with options named `{p}` (which may hold no `=`); `{l}` is the name as a literal, `{b}` a literal with a
/// SELECT of it, `{i}` a number. Each kind has a schema of its own.
const KINDS: &[(&str, &str)] = &[
    ("tables", "CREATE TABLE tables.{n} ({n} text DEFAULT {l} NOT NULL, CONSTRAINT {n} CHECK ({n} <> 'a' || {l}));
        COMMENT ON TABLE tables.{n} IS {l}; COMMENT ON COLUMN tables.{n}.{n} IS {l};
        COMMENT ON CONSTRAINT {n} ON tables.{n} IS {l};
        INSERT INTO tables.{n} VALUES ({l}), ({l} || E'\\n\\\\.\\n' || {l});
        GRANT SELECT ({n}) ON tables.{n} TO reader; GRANT INSERT ON tables.{n} TO PUBLIC"),
    ("keys", "CREATE TABLE keys.t{i} ({n} text, CONSTRAINT {n} PRIMARY KEY ({n})); CREATE TABLE keys.r{i} (a text,
        CONSTRAINT {n} FOREIGN KEY (a) REFERENCES keys.t{i})"),
    ("indexes", "CREATE TABLE indexes.t{i} (a text); CREATE INDEX {n} ON indexes.t{i} ((a || {l})) WHERE a <> {l};
        COMMENT ON INDEX indexes.{n} IS {l}"),
    ("views", "CREATE VIEW views.{n} AS SELECT {l}::text AS {n}"),
    ("matviews", "CREATE MATERIALIZED VIEW matviews.{n} AS SELECT {l}::text AS {n}"),
    ("sequences", "CREATE SEQUENCE sequences.{n}; SELECT setval({q}, 7) FROM (SELECT format('sequences.%I', {l}) AS q) AS q"),
    ("identities", "CREATE TABLE identities.{n} ({n} integer GENERATED ALWAYS AS IDENTITY, s serial)"),
    ("enums", "CREATE TYPE enums.{n} AS ENUM ({l}, 'other'); CREATE TABLE enums.t{i} (a enums.{n} DEFAULT {l});
        INSERT INTO enums.t{i} VALUES ({l})"),
    ("composites", "CREATE TYPE composites.{n} AS ({n} text); COMMENT ON COLUMN composites.{n}.{n} IS {l}"),
    ("domains", "CREATE DOMAIN domains.{n} AS text DEFAULT {l} CONSTRAINT {n} CHECK (VALUE <> 'a' || {l})"),
    ("ranges", "CREATE TYPE ranges.{n} AS RANGE (subtype = int4, multirange_type_name = ranges.m{i})"),
    ("functions", "CREATE FUNCTION functions.{n}({n} text DEFAULT {l}) RETURNS text LANGUAGE sql SET search_path TO {n} AS {b};
        COMMENT ON FUNCTION functions.{n} IS {l}; GRANT EXECUTE ON FUNCTION functions.{n} TO reader"),
    ("procedures", "CREATE PROCEDURE procedures.{n}() LANGUAGE sql BEGIN ATOMIC SELECT {l} AS {n}; END"),
    ("aggregates", "CREATE AGGREGATE aggregates.{n}(text) (SFUNC = textcat, STYPE = text, INITCOND = {l})"),
    ("triggers", "CREATE TABLE triggers.t{i} (a text); CREATE TRIGGER {n} BEFORE UPDATE ON triggers.t{i} FOR EACH ROW
        WHEN (NEW.a <> {l}) EXECUTE FUNCTION suppress_redundant_updates_trigger()"),
    ("arguments", "CREATE FUNCTION arguments.{n}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TABLE arguments.t{i} (a text);
        CREATE TRIGGER t AFTER INSERT ON arguments.t{i} FOR EACH ROW EXECUTE FUNCTION arguments.{n}({l})"),
    ("rules", "CREATE TABLE rules.t{i} (a text); CREATE RULE {n} AS ON INSERT TO rules.t{i} WHERE NEW.a = {l} DO INSTEAD NOTHING;
        COMMENT ON RULE {n} ON rules.t{i} IS {l}"),
    ("policies", "CREATE TABLE policies.t{i} (a text); CREATE POLICY {n} ON policies.t{i} TO reader USING (a = {l})"),
    ("statistics", "CREATE TABLE statistics.t{i} (a text, b text); CREATE STATISTICS statistics.{n} ON a, b FROM statistics.t{i}"),
    ("collations", "CREATE COLLATION collations.{n} (locale = 'C'); CREATE TABLE collations.t{i} (a text COLLATE collations.{n})"),
    ("conversions", "CREATE CONVERSION conversions.{n} FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8"),
    ("families", "CREATE OPERATOR FAMILY families.{n} USING btree"),
    ("configurations", "CREATE TEXT SEARCH CONFIGURATION configurations.{n} (COPY = simple)"),
    ("dictionaries", "CREATE TEXT SEARCH DICTIONARY dictionaries.{n} (TEMPLATE = simple)"),
    ("parents", "CREATE TABLE parents.{n} (a text) PARTITION BY LIST (a);
        CREATE TABLE parents.c{i} PARTITION OF parents.{n} FOR VALUES IN ({l}); INSERT INTO parents.{n} VALUES ({l})"),
    ("children", "CREATE TABLE children.t{i} (a text); CREATE TABLE children.{n} ({n} text) INHERITS (children.t{i})"),
    ("servers", "CREATE FOREIGN DATA WRAPPER {n} OPTIONS ({p} {l}); CREATE SERVER {n} TYPE {l} VERSION {l} FOREIGN DATA WRAPPER {n}
        OPTIONS ({p} {l}); CREATE USER MAPPING FOR reader SERVER {n} OPTIONS ({p} {l});
        CREATE FOREIGN TABLE servers.{n} ({n} text OPTIONS ({p} {l})) SERVER {n} OPTIONS ({p} {l})"),
    ("publications", "CREATE TABLE publications.{n} (a integer); CREATE PUBLICATION {n} FOR TABLE publications.{n}"),
    ("event_triggers", "CREATE FUNCTION event_triggers.{n}() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER {n} ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION event_triggers.{n}();
        COMMENT ON EVENT TRIGGER {n} IS {l}"),
    ("methods", "CREATE ACCESS METHOD {n} TYPE TABLE HANDLER heap_tableam_handler; COMMENT ON ACCESS METHOD {n} IS {l}"),
    ("large", "SELECT lo_create(70000 + {i}); COMMENT ON LARGE OBJECT {o} IS {l}"),
    ("schemas", "CREATE SCHEMA {n}; CREATE TABLE {n}.{n} (a integer); COMMENT ON SCHEMA {n} IS {l}; GRANT USAGE ON SCHEMA {n} TO reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA {n} GRANT SELECT ON TABLES TO reader"),
];

fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// SQL for every kind under every name.
fn script() -> String {
    let mut script = String::new();
    for (schema, template) in KINDS {
        script.push_str(&format!("CREATE SCHEMA IF NOT EXISTS {schema};\n"));
        for (number, name) in names().iter().enumerate() {
            // Placeholders first, so that what a name holds is not taken for one.
            let parts = template.split_inclusive(['{', '}']);
            let mut inside = false;
            for part in parts {
                match part.strip_suffix('}').filter(|_| inside) {
                    Some("n") => script.push_str(&ident(name)),
                    Some("p") => script.push_str(&ident(&name.replace('=', "-"))),
                    Some("l") => script.push_str(&literal(name)),
                    Some("b") => script.push_str(&literal(&format!("SELECT {}", literal(name)))),
                    Some("q") => script.push('q'),
                    Some("i") => script.push_str(&number.to_string()),
                    Some("o") => script.push_str(&(70_000 + number).to_string()),
                    _ => script.push_str(part.trim_end_matches('{')),
                }
                inside = part.ends_with('{');
            }
            script.push_str(";\n");
        }
    }
    script
}

/// Feeds psql in a directory where a planted command would leave a file.
fn by_psql(database: &Database, workplace: &Workplace, script: &[u8]) {
    use std::io::Write;
    let mut child = database
        .server()
        .client("psql", database.name())
        .args(["-Xq", "--file=-"])
        .current_dir(workplace.directory())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let script = script.to_vec();
    let writer = std::thread::spawn(move || drop(pipe.write_all(&script)));
    let output = child.wait_with_output().expect("psql ends");
    writer.join().expect("the writer ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("ERROR") && !said.contains("invalid command"),
        "{said}"
    );
}

fn files_of(workplace: &Workplace) -> Vec<String> {
    let files = std::fs::read_dir(workplace.directory()).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    };
    let mut files: Vec<String> = files.map(name).collect();
    files.sort();
    files
}

/// Functions and operators that shadow those of pg_catalog and say so when they are run, and
/// relations that shadow catalogs.
fn traps() -> String {
    let mut sql = String::from("CREATE TABLE public.trapped (what text);\n");
    let trap = |what: &str, returns: &str| {
        format!(
            "RETURNS {returns} LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trap was run: {what}'; END $$;\n"
        )
    };
    for kind in [
        "text", "name", "oid", "integer", "bigint", "\"char\"", "boolean",
    ] {
        for (symbol, word, returns) in [
            ("=", "eq", "boolean"),
            ("<>", "ne", "boolean"),
            ("~", "like", "boolean"),
            ("!~", "unlike", "boolean"),
            ("||", "cat", "text"),
            ("+", "plus", "bigint"),
            ("-", "minus", "bigint"),
        ] {
            sql.push_str(&format!(
                "CREATE FUNCTION public.trap_{word}({kind}, {kind}) "
            ));
            sql.push_str(&trap(symbol, returns));
            sql.push_str(&format!(
                "CREATE OPERATOR public.{symbol} (FUNCTION = public.trap_{word}, LEFTARG = {kind}, RIGHTARG = {kind});\n"
            ));
        }
    }
    for (call, returns) in [
        ("lower(text)", "text"),
        ("upper(text)", "text"),
        ("quote_ident(text)", "text"),
        ("quote_ident(name)", "text"),
        ("quote_literal(text)", "text"),
        ("format(text, text)", "text"),
        ("format(text, name, name)", "text"),
        ("format_type(oid, integer)", "text"),
        ("set_config(text, text, boolean)", "text"),
        ("current_setting(text)", "text"),
        ("pg_backend_pid()", "integer"),
        ("pg_get_expr(pg_node_tree, oid)", "text"),
        ("pg_get_viewdef(oid)", "text"),
        ("pg_relation_size(oid)", "bigint"),
        ("pg_describe_object(oid, oid, integer)", "text"),
        ("split_part(text, text, integer)", "text"),
        ("unnest(text[])", "text"),
        ("array_to_string(text[], text)", "text"),
        ("setval(regclass, bigint, boolean)", "bigint"),
        ("lo_put(oid, bigint, bytea)", "void"),
        ("pg_try_advisory_lock(bigint)", "boolean"),
        ("txid_current()", "bigint"),
        ("now()", "timestamptz"),
    ] {
        sql.push_str(&format!("CREATE FUNCTION public.{call} "));
        sql.push_str(&trap(call, returns));
    }
    for catalog in [
        "pg_class",
        "pg_namespace",
        "pg_proc",
        "pg_type",
        "pg_settings",
        "pg_database",
        "pg_depend",
    ] {
        sql.push_str(&format!(
            "CREATE TABLE public.{catalog} (oid oid, relname text);\n"
        ));
    }
    sql
}

on_servers! {
    /// Every kind of object under every hostile name goes there and back, by psql and by us, and
    /// nothing of it runs on the client.
    fn every_kind_under_every_hostile_name_goes_there_and_back(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.restore_plain(script().as_bytes());
        let original = database.dump();
        let call = || {
            workplace
                .call(&database)
                .env("DATABASE_URL", database.url_as("postgres"))
        };
        call().run(&["backup", "--output", "it.sql.gz"]).assert_code(0);
        let before = files_of(&workplace);
        let text = gunzip(&workplace.directory().join("it.sql.gz"));
        assert_eq!(psql_commands(&String::from_utf8(text.clone()).expect("UTF-8")), [r"\set ON_ERROR_STOP on"]);

        let copy = database.sibling();
        by_psql(&copy, &workplace, &text);
        copy.assert_is(&original);

        // Large objects keep their number, access methods are of the database.
        let copy = database.sibling();
        call().run(&["restore", "it.sql.gz", "--into", copy.name()]).assert_code(0);
        copy.assert_is(&original);
        call().run(&["diff", "it.sql.gz", &format!("db:{}", copy.name())]).assert_code(0);
        let shown = call().run(&["show", "it.sql.gz"]).assert_code(0);
        assert!(!shown.stderr.contains('\u{1b}'), "control characters of a name reach the terminal:\n{shown}");
        call().run(&["check", "it.sql.gz"]).assert_code(0);
        assert_eq!(files_of(&workplace), before, "something was run on the client");
    }
}

on_servers! {
    /// No code of the database's owner runs because of a search_path: operators, functions and
    /// relations that shadow pg_catalog's are never reached (CVE-2018-1058).
    fn a_hostile_public_is_never_reached(server) {
        let (workplace, database) = (Workplace::new(), Database::create(server));
        database.restore_plain(
            "CREATE TABLE public.goods (id serial PRIMARY KEY, name text DEFAULT 'x' CHECK (name <> ''));
             INSERT INTO goods (name) VALUES ('a'), ('b'); CREATE VIEW v AS SELECT name FROM goods;
             CREATE INDEX ON goods (name); SELECT pg_catalog.lo_create(4711);".as_bytes(),
        );
        database.restore_plain(traps().as_bytes());
        // In front of pg_catalog for everybody, then once more by the role itself.
        database.sql(&format!("ALTER DATABASE {} SET search_path = public, pg_catalog", database.name()));
        database.sql(&format!("ALTER ROLE postgres IN DATABASE {} SET search_path = public, pg_catalog", database.name()));
        let call = || workplace.call(&database).env("DATABASE_URL", database.url_as("postgres"));
        call().run(&["backup", "--output", "it.sql.gz"]).assert_code(0);
        call().run(&["diff", "it.sql.gz"]).assert_code(0);
        call().run(&["schema"]).assert_code(0);
        let copy = database.sibling();
        copy.sql(&format!("ALTER DATABASE {} SET search_path = public, pg_catalog", copy.name()));
        call().run(&["restore", "it.sql.gz", "--into", copy.name()]).assert_code(0);
        call().run(&["run", "--", "true"]).assert_code(0);
        call().run(&["rollback", "it.sql.gz"]).assert_code(0);
        let psql = database.server().programs.join("psql").display().to_string();
        call().run(&["run", "--", &psql, "-Xqc", "DROP TABLE public.goods CASCADE", "-c", "SELECT 1/0", "-v", "ON_ERROR_STOP=1"])
            .assert_code(1);
    }
}
