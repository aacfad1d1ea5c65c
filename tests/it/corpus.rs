//! One file of `tests/corpus` per kind of object, each through every way there and back.
//!
//! backup → `gunzip | psql` → `pg_dump` of both agrees; backup → restore → `pg_dump` agrees;
//! archive → `diff` against the restored database finds nothing. A file is run as the plain owner
//! `app` and backed up as such, unless its first line says `-- as superuser`.

use std::path::PathBuf;

use crate::support::{Database, Server, Workplace, gunzip, repository};

fn files() -> Vec<PathBuf> {
    let directory = std::fs::read_dir(repository().join("tests/corpus")).unwrap();
    let mut files: Vec<PathBuf> = directory.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "sql"));
    files.sort();
    files
}

fn goes_there_and_back(server: &'static Server, script: &str) {
    let (role, prefix) = if script.starts_with("-- as superuser") {
        ("postgres", "")
    } else {
        ("app", "SET SESSION AUTHORIZATION app;\n")
    };
    let (workplace, database) = (Workplace::new(), Database::create(server));
    database.restore_plain(format!("{prefix}{script}").as_bytes());
    let original = database.dump();

    let call = || {
        workplace
            .call(&database)
            .env("DATABASE_URL", database.url_as(role))
    };
    call()
        .run(&["backup", "--output", "it.sql.gz"])
        .assert_code(0);
    assert!(database.dump() == original, "a backup changes nothing");

    let by_psql = database.sibling();
    by_psql.restore_plain(&gunzip(&workplace.directory().join("it.sql.gz")));
    by_psql.assert_is(&original);

    let by_us = database.sibling();
    call()
        .run(&["restore", "it.sql.gz", "--into", by_us.name()])
        .assert_code(0);
    by_us.assert_is(&original);
    call()
        .run(&["diff", "it.sql.gz", &format!("db:{}", by_us.name())])
        .assert_code(0);
}

on_servers! {
    fn every_kind_goes_there_and_back(server) {
        let mut failed = Vec::new();
        for file in files() {
            let script = std::fs::read_to_string(&file).unwrap();
            if std::panic::catch_unwind(|| goes_there_and_back(server, &script)).is_err() {
                failed.push(file.file_name().unwrap().to_owned());
            }
        }
        assert!(failed.is_empty(), "failed: {failed:?}");
    }
}
