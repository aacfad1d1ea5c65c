//! Rows at the edges: large ones, ones that the server cannot send, ones that do not come back, large
//! objects, rows of extensions; the largest ones run only when asked (docs/testing.md).

use pgbelay::error::Kind;

use crate::data::Bench;
use crate::support::{Server, Workplace};

/// One text of so many bytes with every kind of escape, one bytea of so many bytes, and small rows.
fn large(server: &'static Server, text: usize, bytes: usize) -> Bench {
    let bench = Bench::empty(server);
    bench.database.sql_as_owner(&format!(
        "CREATE TABLE large (id int, t text, b bytea);
         ALTER TABLE large ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
         INSERT INTO large VALUES (1, 'small', ''), (2, repeat(E'0123456789\\\\\\n\\t\\r \\u00e9\\u20ac', {text} / 20), NULL),
                                  (3, NULL, decode(repeat('00ff5c0a', {bytes} / 4), 'hex')), (4, '', NULL)"
    ));
    bench
}

fn there_and_back(bench: &Bench) {
    let content = |database: &crate::support::Database| {
        database.sql("SELECT string_agg(md5(coalesce(t, '?')) || length(t) || md5(coalesce(b, '?')), ' ' ORDER BY id) FROM large")
    };
    let reader = bench.archive();
    let (by_us, by_psql) = (bench.database.sibling(), bench.database.sibling());
    bench.restore_into(&by_us, &reader).expect("a restore");
    by_psql.restore_plain(&bench.script(&reader));
    assert_eq!(content(&by_us), content(&bench.database));
    assert_eq!(content(&by_psql), content(&bench.database));
    assert!(bench.difference(&reader).is_empty());
}

/// A run whose backup fails ends with 5, names the table and says what to do; nothing was migrated.
fn unsendable(server: &'static Server, bytes: u64) {
    let (workplace, bench) = (Workplace::new(), Bench::empty(server));
    bench.database.sql_as_owner(&format!(
        "CREATE TABLE too_large (b bytea);
         ALTER TABLE too_large ALTER b SET STORAGE EXTERNAL;
         INSERT INTO too_large SELECT convert_to(repeat('x', {bytes}), 'UTF8')"
    ));
    let output = workplace
        .call(&bench.database)
        .run(&["run", "--", "touch", "migrated"]);
    let output = output.assert_code(5).assert_says("table public.too_large");
    output.assert_says("large object");
    assert!(!workplace.directory().join("migrated").exists());
    assert!(workplace.archives().is_empty());
}

/// Makes one test per major that runs only when it is asked for: `--ignored`.
macro_rules! when_asked {
    ($($name:ident => $on:ident),*) => {$(
        mod $name {
            use crate::support::Server;

            #[test]
            #[ignore = "minutes and gigabytes: docs/testing.md"]
            fn pg15() {
                if let Some(server) = Server::of_major(15) {
                    super::$on(server);
                }
            }

            #[test]
            #[ignore = "minutes and gigabytes: docs/testing.md"]
            fn pg18() {
                if let Some(server) = Server::of_major(18) {
                    super::$on(server);
                }
            }
        }
    )*};
}

when_asked! {
    hundreds_of_megabytes_in_one_field => huge_fields,
    a_row_that_the_server_cannot_send => huge_row,
    a_large_object_of_a_hundred_megabytes => huge_object
}

fn huge_fields(server: &'static Server) {
    let bench = large(server, 300 << 20, 200 << 20);
    there_and_back(&bench);
}

fn huge_row(server: &'static Server) {
    unsendable(server, 600_000_000);
}

fn huge_object(server: &'static Server) {
    let bench = Bench::empty(server);
    bench
        .database
        .sql_as_owner("SELECT lo_from_bytea(77, decode(repeat('00ff5c0a', 26214400), 'hex'))");
    let reader = bench.archive();
    let copy = bench.database.sibling();
    bench.restore_into(&copy, &reader).expect("a restore");
    let content = "SELECT md5(lo_get(77))";
    assert_eq!(copy.sql(content), bench.database.sql(content));
}

on_servers! {
    fn a_row_larger_than_a_member_is_a_member(server) {
        let bench = large(server, 12 << 20, 6 << 20);
        there_and_back(&bench);
    }

    /// Owner, grants, comment, number and bytes, as the plain owner, both ways and back.
    fn large_objects_come_with_everything(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "SELECT lo_from_bytea(4711, decode(repeat('00ff5c0a', 800000), 'hex'));
             SELECT lo_create(4712); COMMENT ON LARGE OBJECT 4711 IS 'it''s';
             GRANT SELECT, UPDATE ON LARGE OBJECT 4711 TO reader WITH GRANT OPTION");
        let facts = "SELECT string_agg(m.oid || ' ' || lomowner::regrole || ' ' || coalesce(lomacl::text, '-') || ' '
                       || coalesce(obj_description(m.oid, 'pg_largeobject'), '-') || ' ' || md5(lo_get(m.oid)), ',' ORDER BY m.oid)
                     FROM pg_largeobject_metadata m";
        let before = bench.database.sql(facts);
        let reader = bench.archive();
        let (by_us, by_psql) = (bench.database.sibling(), bench.database.sibling());
        bench.restore_into(&by_us, &reader).expect("a restore");
        by_psql.restore_plain(&bench.script(&reader));
        assert_eq!((by_us.sql(facts), by_psql.sql(facts)), (before.clone(), before.clone()));
        for damage in ["SELECT lo_put(4711, 1500000, 'x')", "SELECT lo_unlink(4712)", "SELECT lo_create(99)",
                       "REVOKE ALL ON LARGE OBJECT 4711 FROM reader", "COMMENT ON LARGE OBJECT 4711 IS NULL"] {
            bench.database.sql_as_owner(damage);
            assert!(!bench.difference(&reader).is_empty(), "{damage}");
            bench.roll_back(&reader).expect("a rollback");
            assert_eq!(bench.database.sql(facts), before, "{damage}");
        }
    }

    /// What no server reads back from text is named before anything happens.
    fn values_that_cannot_come_back_are_refused_by_column(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE kept AS SELECT 1 AS id, ev_action FROM pg_rewrite LIMIT 1;
             CREATE TYPE holder AS (tree pg_node_tree); CREATE TABLE inside (a holder, b int)");
        let error = bench.backup().expect_err("refused");
        assert_eq!(error.kind(), Kind::Refused);
        let text = error.to_string();
        assert!(text.contains("values of column ev_action of table public.kept"), "{text}");
        assert!(text.contains("values of column a of table public.inside"), "{text}");
        bench.database.sql("ALTER TABLE kept ALTER ev_action TYPE text USING ev_action::text; DROP TABLE inside");
        let reader = bench.archive();
        let copy = bench.database.sibling();
        bench.restore_into(&copy, &reader).expect("a restore");
        copy.assert_is(&bench.database.dump());
    }

    /// A sequence may move while the backup reads: its value is never older than the rows.
    fn sequences_at_their_edges_are_put_back(server) {
        let bench = Bench::of_corpus(server, "data_sequences.sql");
        let (reader, before) = (bench.archive(), bench.database.dump());
        for change in ["SELECT nextval('used')", "SELECT setval('set_unused', 41, true)", "SELECT nextval('turning')",
                       "SELECT setval('lowest', -9223372036854775808, false)", "SELECT nextval('down')"] {
            bench.database.sql_as_owner(change);
            let difference = bench.difference(&reader);
            assert!(!difference.is_empty(), "{change}");
            bench.roll_back(&reader).expect("a rollback");
            bench.database.assert_is(&before);
        }
    }

    /// An extension's configuration tables refer to each other: referenced rows go first (18 can be
    /// told where to find an extension).
    fn configuration_rows_follow_their_keys(server) {
        if server.major < 18 {
            return;
        }
        let (bench, directory) = (Bench::empty(server), tempfile::tempdir().expect("a directory"));
        let folder = directory.path().join("extension");
        std::fs::create_dir(&folder).expect("a directory");
        std::fs::write(folder.join("keyed.control"), "default_version = '1'\nrelocatable = false\nschema = public\n").expect("a file");
        std::fs::write(folder.join("keyed--1.sql"),
            "CREATE TABLE z_first (id int PRIMARY KEY, self int REFERENCES z_first);
             CREATE TABLE m_second (id int PRIMARY KEY, first int REFERENCES z_first);
             CREATE TABLE a_third (second int REFERENCES m_second, own bool);
             INSERT INTO z_first VALUES (0, NULL); INSERT INTO a_third VALUES (NULL, true);
             SELECT pg_extension_config_dump('a_third', 'WHERE NOT own');
             SELECT pg_extension_config_dump('m_second', '');
             SELECT pg_extension_config_dump('z_first', 'WHERE id > 0');").expect("a file");
        use std::os::unix::fs::PermissionsExt;
        for path in [directory.path(), &folder] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
        }
        let find = |database: &crate::support::Database| {
            server.psql("postgres", &format!("ALTER DATABASE \"{}\" SET extension_control_path = '{}:$system'", database.name(), directory.path().display()))
        };
        find(&bench.database);
        bench.database.sql("CREATE EXTENSION keyed; INSERT INTO z_first VALUES (1, NULL), (2, 1);
             INSERT INTO m_second VALUES (5, 2); INSERT INTO a_third VALUES (5, false)");
        let report = bench.backup_as("postgres").expect("a backup");
        let reader = pgbelay::archive::Reader::open(&report.archive).expect("an archive");
        let by_psql = bench.database.sibling();
        find(&by_psql);
        by_psql.restore_plain(&bench.script(&reader));
        for table in ["z_first", "m_second", "a_third"] {
            let rows = format!("SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM {table} t");
            assert_eq!(by_psql.sql(&rows), bench.database.sql(&rows));
        }
    }
}
