//! Databases that do not speak UTF-8: rows come back byte for byte, whatever they hold.

use pgbelay::error::Kind;

use crate::data::Bench;
use crate::support::{Database, Server, Workplace};

fn create(server: &'static Server, encoding: &str) -> Database {
    Database::with(
        server,
        &format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"),
    )
}

/// Runs a script whose bytes the server takes as they are.
fn fill(database: &Database, encoding: &str, script: &[u8]) {
    let head = format!("SET SESSION AUTHORIZATION app; SET client_encoding = '{encoding}';\n");
    database.restore_plain(&[head.as_bytes(), script].concat());
}

/// The bytes of every row.
fn bytes(database: &Database) -> String {
    database.sql(
        "SELECT string_agg(id || ':' || encode(convert_to(word, getdatabaseencoding()), 'hex'), ' ' ORDER BY id) FROM words",
    )
}

/// A table `words` with one row for each byte string.
fn words(rows: &[&[u8]]) -> Vec<u8> {
    let mut script = b"CREATE TABLE words (id int, word text);\nCOPY words FROM stdin;\n".to_vec();
    for (id, row) in rows.iter().enumerate() {
        script.extend_from_slice(format!("{id}\t").as_bytes());
        script.extend_from_slice(row);
        script.push(b'\n');
    }
    script.extend_from_slice(b"\\.\n");
    script
}

/// Both ways there, rows compared byte for byte, then the difference and a rollback.
fn goes_there_and_back(bench: &Bench, encoding: &str) {
    let server = bench.database.server();
    let (reader, before) = (bench.archive(), bytes(&bench.database));
    assert!(reader.manifest().tables[0].copy.contains(encoding));
    let (by_us, by_psql) = (create(server, encoding), create(server, encoding));
    bench.restore_into(&by_us, &reader).expect("a restore");
    by_psql.restore_plain(&bench.script(&reader));
    for copy in [&by_us, &by_psql] {
        assert_eq!(bytes(copy), before);
        let difference = bench.difference_of(copy, &reader);
        let without_locale: Vec<_> = difference
            .iter()
            .filter(|line| !line.contains("database property"))
            .collect();
        assert!(without_locale.is_empty(), "{without_locale:?}");
    }
    bench
        .database
        .sql_as_owner("UPDATE words SET word = 'x' WHERE id = 0; CREATE TABLE more (a int)");
    assert!(!bench.difference(&reader).is_empty());
    bench.roll_back(&reader).expect("a rollback");
    assert_eq!(bytes(&bench.database), before);
    assert!(bench.difference(&reader).is_empty());
}

on_servers! {
    /// Bytes without any meaning, what looks like UTF-8 and is not, what looks like the end of a COPY.
    fn sql_ascii_rows_are_bytes(server) {
        let bench = Bench::on(create(server, "SQL_ASCII"));
        let rows: [&[u8]; 8] = [b"\xe9t\xe9", b"\xff\xfe\x80", "é✓".as_bytes(), b"\xc3", b"\\\\.", b"a\\tb\\rc\\nd\\\\", b"\\N", b""];
        fill(&bench.database, "SQL_ASCII", &words(&rows));
        fill(&bench.database, "UTF8", "CREATE TABLE \"été\" (\"größe\" int); COMMENT ON TABLE \"été\" IS 'ça va ✓'".as_bytes());
        goes_there_and_back(&bench, "SQL_ASCII");
    }

    fn latin1_rows_and_names(server) {
        let bench = Bench::on(create(server, "LATIN1"));
        let every: Vec<u8> = (0x80..=0xff).collect();
        fill(&bench.database, "LATIN1", &words(&[b"\xe9t\xe9", &every]));
        fill(&bench.database, "LATIN1",
            b"CREATE TABLE \"\xe9t\xe9\" (a text DEFAULT '\xe7'); COMMENT ON TABLE \"\xe9t\xe9\" IS '\xe7a'; INSERT INTO \"\xe9t\xe9\" DEFAULT VALUES");
        goes_there_and_back(&bench, "LATIN1");
    }

    /// Bytes that the character set leaves open have no form in UTF-8; they are kept all the same.
    fn bytes_without_a_character_are_kept(server) {
        for (encoding, odd) in [("WIN1252", &b"\x81\x8d"[..]), ("EUC_JP", b"\xa9\xa1\xb4\xc1")] {
            let bench = Bench::on(create(server, encoding));
            fill(&bench.database, encoding, &words(&[odd, b"plain"]));
            let hex = bytes(&bench.database);
            assert!(hex.contains("81") || hex.contains("a9a1"), "{hex}");
            goes_there_and_back(&bench, encoding);
        }
    }

    /// The server converts where both sides have characters; the rows still compare.
    fn latin1_becomes_utf8(server) {
        let bench = Bench::on(create(server, "LATIN1"));
        fill(&bench.database, "LATIN1", &words(&[b"\xe9t\xe9", b"\xfc"]));
        let reader = bench.archive();
        let (by_us, by_psql) = (Database::create(server), Database::create(server));
        bench.restore_into(&by_us, &reader).expect("a restore");
        by_psql.restore_plain(&bench.script(&reader));
        for copy in [&by_us, &by_psql] {
            assert_eq!(copy.sql("SELECT string_agg(word, ' ' ORDER BY id) FROM words"), "été ü");
            let lines = bench.difference_of(copy, &reader);
            assert!(lines.iter().all(|line| line.contains("database property")), "{lines:?}");
        }
    }

    fn bytes_without_characters_never_change_their_meaning(server) {
        let (ascii, unicode) = (Bench::on(create(server, "SQL_ASCII")), Bench::empty(server));
        for (bench, other) in [(&ascii, Database::create(server)), (&unicode, create(server, "SQL_ASCII"))] {
            let error = bench.restore_into(&other, &bench.archive()).expect_err("refused");
            assert_eq!(error.kind(), Kind::Refused);
            assert!(error.to_string().contains("SQL_ASCII"), "{error}");
            assert!(error.hints()[0].contains("--create"), "{error:?}");
        }
    }

    fn a_name_that_is_not_utf8_is_refused_by_its_catalog(server) {
        let bench = Bench::on(create(server, "SQL_ASCII"));
        fill(&bench.database, "SQL_ASCII", b"CREATE TABLE \"\xe9t\xe9\" (a int)");
        let error = bench.backup().expect_err("refused");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("a text in pg_class"), "{error}");

        let bench = Bench::on(create(server, "SQL_ASCII"));
        fill(&bench.database, "SQL_ASCII", b"CREATE VIEW v AS SELECT '\xe9'::text AS a");
        let error = bench.backup().expect_err("refused");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("a definition"), "{error}");
    }

    /// The whole run: nothing about such a database is special.
    fn a_run_on_sql_ascii_rolls_back(server) {
        let (workplace, database) = (Workplace::new(), create(server, "SQL_ASCII"));
        fill(&database, "SQL_ASCII", &words(&[b"\xe9\xff"]));
        let before = bytes(&database);
        let script = r#"psql -Xq "$DATABASE_URL" -c "UPDATE words SET word = 'lost'"; exit 1"#;
        let output = workplace.call(&database).run(&["run", "--json", "--", "sh", "-c", script]);
        assert_eq!(output.assert_code(1).json()["outcome"], "rolled-back");
        assert_eq!(bytes(&database), before);
    }

    fn create_makes_the_encoding_anew(server) {
        for encoding in ["SQL_ASCII", "LATIN1", "EUC_JP"] {
            let (workplace, database) = (Workplace::new(), create(server, encoding));
            fill(&database, encoding, &words(&[b"plain"]));
            let call = || workplace.call(&database).env("DATABASE_URL", database.url_as("postgres"));
            call().run(&["backup", "--output", "a.sql.gz"]).assert_code(0);
            let made = Database::to_be_made(server);
            call().run(&["restore", "a.sql.gz", "--into", made.name(), "--create"]).assert_code(0);
            assert_eq!(made.sql("SHOW server_encoding"), encoding);
            call().run(&["diff", "a.sql.gz", &format!("db:{}", made.name())]).assert_code(0);
        }
    }
}
