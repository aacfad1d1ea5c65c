//! One file of `tests/corpus` per kind of object, each through every way there and back.
//!
//! backup → `gunzip | psql` → `pg_dump` of both agrees; backup → restore → `pg_dump` agrees;
//! archive → `diff` against the restored database finds nothing. What the first lines of a file
//! may say stands in `support/corpus.rs`.

use crate::support::{CorpusFile, Database, Server, Workplace, gunzip};

fn goes_there_and_back(server: &'static Server, file: &CorpusFile) {
    let (workplace, database) = (Workplace::new(), Database::create(server));
    file.run_in(&database);
    let original = database.dump();

    let call = || {
        let call = workplace.call(&database);
        let call = call.env("DATABASE_URL", database.url_as(file.role));
        match file.accepting.as_str() {
            "" => call,
            kinds => call.env("PGBELAY_ACCEPT_LOSS", kinds),
        }
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

on_all_servers! {
    fn every_kind_goes_there_and_back(server) {
        let mut failed = Vec::new();
        for file in CorpusFile::all().iter().filter(|file| file.is_for(server)) {
            if std::panic::catch_unwind(|| goes_there_and_back(server, file)).is_err() {
                failed.push(file.name.clone());
            }
        }
        assert!(failed.is_empty(), "failed: {failed:?}");
    }
}
