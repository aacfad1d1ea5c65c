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
    let copy = format!("db:{}", by_us.name());
    let found = call().run(&["diff", "it.sql.gz", &copy, "--json"]);
    if file.accepting.is_empty() {
        found.assert_code(0);
    } else {
        only_the_accepted_is_lost(&found.assert_code(8).json(), &file.accepting);
    }
}

/// A copy does not have what was accepted to be lost; nothing else differs.
fn only_the_accepted_is_lost(said: &serde_json::Value, kind: &str) {
    for (part, found) in said["difference"].as_object().expect("a difference") {
        for one in found.as_array().into_iter().flatten() {
            let name = one["name"].as_str().unwrap_or_default();
            let is_accepted = part == "uncovered" && name.starts_with(&format!("{kind}: "));
            assert!(is_accepted, "{part}: {one}");
        }
    }
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
