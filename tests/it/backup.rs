//! Backup: what it holds, what it refuses, what it costs.

use pgbelay::archive::{MemberKind, Reader};
use pgbelay::error::Kind;

use crate::data::Bench;
use crate::support::{Database, gunzip};

on_all_servers! {
    /// P9: `gunzip -c FILE | psql` gives what real pg_dump calls the same database.
    fn p9_psql_restores_an_archive(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let report = bench.backup().expect("a backup");
        let copy = bench.database.sibling();
        copy.restore_plain(&gunzip(&report.archive));
        copy.assert_is(&bench.database.dump());
    }

    /// P10: one object of a kind that no entry covers refuses the whole backup, by name.
    fn p10_an_uncovered_object_refuses_the_backup(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.sql(
            "CREATE INDEX broken ON shop.users (name);
             UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.broken'::regclass",
        );
        let error = bench.backup().expect_err("refused");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("index shop.broken"), "{error}");
        assert!(bench.store.archives().expect("a list").is_empty());
    }

    /// P7: nothing of ours is connected any more when the backup has returned.
    fn p7_a_backup_leaves_no_connection(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.backup().expect("a backup");
        let left = bench.database.sql(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name LIKE 'pgbelay%'",
        );
        assert_eq!(left, "0");
    }

    /// Large tables become members of 1 to 4 MiB; empty ones none; rows and digests are recorded.
    fn rows_become_bounded_members(server) {
        let bench = Bench::empty(server);
        bench.database.sql_as_owner(
            "CREATE TABLE big (id integer, text text);
             INSERT INTO big SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 40000) n;
             CREATE TABLE giant (text text);
             INSERT INTO giant SELECT string_agg(md5(n::text), '') FROM generate_series(1, 200000) n;
             CREATE TABLE empty (a integer)",
        );
        let reader = bench.archive();
        let manifest = reader.manifest();
        let members: Vec<u64> = manifest
            .members
            .iter()
            .filter(|member| member.kind == MemberKind::Data)
            .map(|member| member.text_length)
            .collect();
        assert!(members.len() >= 6, "{members:?}");
        assert!(members.iter().filter(|length| **length > 4 << 20).count() == 1, "{members:?}");
        let rows: Vec<(String, u64)> = manifest
            .tables
            .iter()
            .map(|table| (table.name.clone(), table.rows))
            .collect();
        assert!(rows.contains(&("big".to_owned(), 40000)), "{rows:?}");
        assert!(rows.contains(&("empty".to_owned(), 0)), "{rows:?}");
    }

    /// Two backups of an unchanged database differ only in time, snapshot, and how the members of
    /// different tables interleave.
    fn backups_are_reproducible(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        let texts = |reader: &Reader| -> Vec<(Option<u32>, Vec<u8>)> {
            let members = reader.manifest().members.iter().enumerate();
            let mut texts: Vec<_> = members
                .map(|(index, member)| {
                    let index = u32::try_from(index).unwrap();
                    (member.table, reader.member_text(index).expect("a member"))
                })
                .collect();
            let data = |text: &(Option<u32>, Vec<u8>)| text.0.is_some();
            let first = texts.iter().position(data).expect("rows");
            let end = texts.iter().rposition(data).expect("rows") + 1;
            texts[first..end].sort_by_key(|(table, _)| *table);
            texts
        };
        assert_eq!(texts(&bench.archive()), texts(&bench.archive()));
    }

    /// A row that is not readable fails the backup with the server's reason and leaves no file.
    fn a_failing_read_leaves_nothing(server) {
        let bench = Bench::of_corpus(server, "everyday.sql");
        bench.database.sql("CREATE TABLE shop.secret (a integer)");
        let error = bench.backup().expect_err("no right to read");
        assert!(error.to_string().contains("permission denied"), "{error}");
        let left = std::fs::read_dir(bench.store.directory()).expect("the store").count();
        assert_eq!(left, 0);
    }
}

/// The manifest says where it came from, and which roles and version rows there were.
#[test]
fn the_manifest_knows_its_database() {
    let Some(server) = crate::support::Server::of_major(15) else {
        return;
    };
    let bench = Bench::of_corpus(server, "everyday.sql");
    let reader = bench.archive();
    let manifest = reader.manifest();
    assert_eq!(manifest.database.name, Database::name(&bench.database));
    assert_eq!(manifest.version_tables[0].revisions, ["3c4e4feca860"]);
    assert!(
        manifest.roles.iter().any(|role| role == "reader"),
        "{:?}",
        manifest.roles
    );
    let name = reader.path().file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with("_3c4e4feca860.sql.gz"), "{name}");
}

/// 100 MB at most for a database of 1 GB, backup and restore alike. The peak is this process's, so
/// it runs alone: `cargo test --test it peak_memory -- --ignored`.
#[test]
#[ignore = "takes a minute and must run alone"]
fn peak_memory_stays_flat() {
    let Some(server) = crate::support::Server::of_major(15) else {
        return;
    };
    let bench = Bench::empty(server);
    bench.database.sql_as_owner(
        "CREATE UNLOGGED TABLE big AS
         SELECT n, n % 70 AS branch, 0 AS balance, md5(n::text) || repeat(' ', 84) AS filler
           FROM generate_series(1, 7000000) AS n",
    );
    let started = std::time::Instant::now();
    let reader = bench.archive();
    eprintln!(
        "backup: {:?}, peak {} kB",
        started.elapsed(),
        peak_kilobytes()
    );
    assert!(peak_kilobytes() < 100_000);
    let copy = bench.database.sibling();
    let started = std::time::Instant::now();
    bench.restore_into(&copy, &reader).expect("a restore");
    eprintln!(
        "restore: {:?}, peak {} kB",
        started.elapsed(),
        peak_kilobytes()
    );
    assert!(peak_kilobytes() < 100_000);
}

fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.expect("a peak").split_whitespace();
    words
        .filter_map(|word| word.parse().ok())
        .next()
        .expect("a number")
}
