//! Damaged archives through the whole program, with a server beside: whatever would load one refuses it before it
//! touches anything. `tests/archive/every_bit.rs` has every bit, cut and order without a server.

use std::path::{Path, PathBuf};

use pgbelay::archive::{MemberKind, Reader};

use crate::support::{Database, Output, Server, Shop};

/// A way to damage an archive: its name, and what it makes of the bytes, given where members begin.
type Damage = (&'static str, fn(Vec<u8>, &[usize]) -> Vec<u8>);

const DAMAGES: [Damage; 6] = [
    ("a bit of the last member", |mut bytes, members| {
        let last = members[members.len() - 2] + 20;
        bytes[last] ^= 0x04;
        bytes
    }),
    (
        "a byte of a gzip header that gunzip ignores",
        |mut bytes, members| {
            bytes[members[members.len() / 2] + 9] ^= 1;
            bytes
        },
    ),
    ("two members swapped", |bytes, members| {
        let (a, b, c) = (members[1], members[2], members[3]);
        [&bytes[..a], &bytes[b..c], &bytes[a..b], &bytes[c..]].concat()
    }),
    ("a member doubled", |bytes, members| {
        [&bytes[..members[2]], &bytes[members[1]..]].concat()
    }),
    ("cut after its last member", |bytes, members| {
        bytes[..members[members.len() - 1]].to_vec()
    }),
    ("bytes at its end", |bytes, _| [&bytes[..], b"\n"].concat()),
];

fn places(archive: &Path) -> Vec<usize> {
    let reader = Reader::open(archive).unwrap();
    let members = &reader.manifest().members;
    let mut places: Vec<usize> = members
        .iter()
        .map(|member| usize::try_from(member.offset).unwrap())
        .collect();
    let last = members.last().unwrap();
    places.push(usize::try_from(last.offset + last.length).unwrap());
    places
}

fn archived(server: &'static Server) -> (Shop, PathBuf) {
    let shop = Shop::at_head(server);
    shop.call().run(&["backup"]).assert_code(0);
    let archive = shop.workplace.archives().remove(0);
    (shop, archive)
}

/// What changes when anything at all is written to a database's catalogs or rows.
fn trace(database: &Database) -> String {
    database.sql(
        "SELECT (SELECT string_agg(format('%s %s %s', oid, relfilenode, xmin), ' ' ORDER BY oid) FROM pg_class
                  WHERE oid >= 16384 OR xmin::text::bigint > 1000),
                shobj_description(oid, 'pg_database'), xmin FROM pg_database WHERE datname = current_database()")
}

fn databases(database: &Database) -> String {
    let sql = format!(
        "SELECT string_agg(datname, ' ' ORDER BY 1) FROM pg_database WHERE datname LIKE '{}%'",
        database.name()
    );
    database.sql(&sql)
}

#[track_caller]
fn assert_damaged(what: &str, output: Output) {
    let output = output.assert_code(8);
    let said = output.stderr.to_lowercase();
    assert!(
        said.contains("damaged") || said.contains("incomplete"),
        "{what}: {output}"
    );
    // A database that was made and dropped again was touched.
    assert!(
        !said.contains("dropped again") && !said.contains("panicked"),
        "{what}: {output}"
    );
}

on_servers! {
    fn p1_a_damaged_archive_is_refused_before_anything_is_touched(server) {
        let (shop, archive) = archived(server);
        let whole = std::fs::read(&archive).unwrap();
        let members = places(&archive);
        shop.database.sql_as_owner("UPDATE listings SET title = 'x'; DROP TABLE comps");
        let empty = shop.database.sibling();
        let before = (trace(&shop.database), trace(&empty), databases(&shop.database));
        let new = format!("{}_new", shop.database.name());
        let path = archive.display().to_string();
        let superuser = shop.database.url_as("postgres");
        for (what, damage) in DAMAGES {
            let damaged = damage(whole.clone(), &members);
            assert_ne!(damaged, whole, "{what}");
            std::fs::write(&archive, damaged).unwrap();
            let commands: [&[&str]; 9] = [
                &["check", &path],
                &["diff", &path],
                &["restore", &path, "--into", empty.name(), "--jobs", "1"],
                &["restore", &path, "--into", empty.name(), "--jobs", "2"],
                &["restore", &path, "--into", &new, "--create"],
                &["rollback", &path],
                &["rollback", &path, "--strategy", "rebuild"],
                &["rollback", &path, "--strategy", "swap"],
                &["rollback"],
            ];
            for command in commands {
                // Without a name, an archive that lacks its footer is passed over: it is no backup.
                let passed_over = command.len() == 1 && (what.starts_with("cut") || what.ends_with("its end"));
                let output = shop.call().env("DATABASE_URL", &superuser).run(command);
                match passed_over {
                    true => drop(output.assert_code(3)),
                    false => assert_damaged(&format!("{what}, {command:?}"), output),
                }
            }
            let now = (trace(&shop.database), trace(&empty), databases(&shop.database));
            assert_eq!(now, before, "{what}");
        }
    }

    /// A run does not build on an archive that was damaged since: it takes another one, and can go back to that.
    fn p1_a_damaged_archive_is_not_reused(server) {
        for (what, damage) in DAMAGES {
            let shop = Shop::at_head(server);
            let superuser = shop.database.url_as("postgres");
            let run = |script: &str| shop.call().env("DATABASE_URL", &superuser).run(&["run", "--json", "--", "sh", "-c", script]);
            run("exit 1").assert_code(1);
            let archive = shop.workplace.archives().remove(0);
            let damaged = damage(std::fs::read(&archive).unwrap(), &places(&archive));
            std::fs::write(&archive, damaged).unwrap();
            let before = shop.database.dump();
            let output = run("psql -Xqc 'DROP TABLE comps'; exit 1").assert_code(1);
            assert_eq!(output.json()["outcome"], "rolled-back", "{what}: {output}");
            assert_ne!(output.json()["archive"], archive.display().to_string(), "{what}: {output}");
            shop.database.assert_is(&before);
        }
    }

    /// The archive of the run itself is damaged while the migration is at work: nothing is put back from it, and nothing
    /// is called proven.
    fn p8_an_archive_damaged_while_the_migration_runs_is_in_doubt(server) {
        for strategy in ["auto", "rebuild", "swap"] {
            let shop = Shop::at_head(server);
            let before = shop.database.dump();
            let script = "psql -Xqc 'DROP TABLE comps' -c \"UPDATE users SET display_name = 'lost'\"; touch done; \
                          while [ ! -e go-on ]; do sleep 0.05; done; exit 1";
            let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
            let running = call.start(&["run", "--json", "--strategy", strategy, "--", "sh", "-c", script]);
            let done = shop.workplace.directory().join("done");
            while !done.exists() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            let archive = shop.workplace.archives().remove(0);
            let whole = std::fs::read(&archive).unwrap();
            let mut bytes = whole.clone();
            for member in &Reader::open(&archive).unwrap().manifest().members {
                if member.kind == MemberKind::Data {
                    bytes[usize::try_from(member.offset + member.length).unwrap() - 9] ^= 1;
                }
            }
            std::fs::write(&archive, bytes).unwrap();
            // Nobody else connects before the end: a session of ours would be another writer.
            shop.workplace.write("go-on", "");
            let output = running.finish().assert_code(7);
            output.assert_says("damaged").assert_says("bring a copy of the archive back");
            let left = "SELECT to_regclass('comps') IS NULL, (SELECT bool_and(display_name = 'lost') FROM users)";
            assert_eq!(shop.database.sql(left), "t|t", "{strategy}");
            assert_eq!(databases(&shop.database), shop.database.name(), "{strategy}");
            std::fs::write(&archive, whole).unwrap();
            let recovery = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
            recovery.run(&["recover", "--on-other-writers", "discard"]).assert_code(0);
            shop.database.assert_is(&before);
        }
    }
}
