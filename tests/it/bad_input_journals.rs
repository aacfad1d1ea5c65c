//! Journals that no recovery may act upon: of a later version, damaged, without their archive or with a damaged one, of a
//! database that was made again since. Each is refused with the reason and what can be done, and nothing is touched.

use std::io::Write;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use pgbelay::archive::Reader;

use crate::support::{Call, Database, Server, Shop};

fn as_superuser(shop: &Shop) -> Call<'_> {
    shop.call()
        .env("DATABASE_URL", shop.database.url_as("postgres"))
}

/// A run killed after its migration has committed; what the database was, and the journal.
fn interrupted(server: &'static Server) -> (Shop, String, PathBuf) {
    let shop = Shop::at_head(server);
    let before = shop.database.dump();
    let script = "psql -Xqc 'DROP TABLE comps' -c \"UPDATE users SET display_name = 'lost'\" -c 'SELECT pg_sleep(0.3)'; \
                  touch committed; while [ ! -e go-on ]; do sleep 0.05; done";
    let running = as_superuser(&shop).start(&["run", "--", "sh", "-c", script]);
    let committed = shop.workplace.directory().join("committed");
    while !committed.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running.signal(Signal::SIGKILL);
    running.finish();
    shop.workplace.write("go-on", "");
    let journal = shop.workplace.journals().remove(0);
    (shop, before, journal)
}

/// Adds a record with a checksum that fits (docs/format.md §7).
fn add_record(journal: &Path, record: &str) {
    let text = std::fs::read_to_string(journal).unwrap();
    let last = text.trim_end().strip_suffix("\"}").unwrap();
    let previous = u64::from_str_radix(&last[last.len() - 16..], 16).unwrap();
    let check = xxhash_rust::xxh3::xxh3_64_with_seed(record.as_bytes(), previous);
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(journal)
        .unwrap();
    file.write_all(format!("{record},\"check\":\"{check:016x}\"}}\n").as_bytes())
        .unwrap();
}

const LEFT: &str =
    "SELECT to_regclass('comps') IS NULL, (SELECT bool_and(display_name = 'lost') FROM users)";

/// `run` and `recover` end with this code and these words, and leave the database as the migration left it.
#[track_caller]
fn assert_refused(shop: &Shop, code: i32, words: &[&str]) {
    for command in [
        &["recover", "--json"][..],
        &["run", "--json", "--", "touch", "started"],
    ] {
        let mut output = as_superuser(shop).run(command).assert_code(code);
        for word in words {
            output = output.assert_says(word);
        }
        assert!(
            output.json()["error"]["hints"]
                .as_array()
                .is_some_and(|hints| !hints.is_empty()),
            "{output}"
        );
        assert!(!output.stderr.contains("panicked"), "{output}");
        assert_eq!(shop.database.sql(LEFT), "t|t", "{output}");
        assert!(
            !shop.workplace.directory().join("started").exists(),
            "{output}"
        );
    }
}

on_servers! {
    fn a_journal_of_a_later_version_is_refused(server) {
        let (shop, _, journal) = interrupted(server);
        let lines = std::fs::read_to_string(&journal).unwrap().lines().count();
        add_record(&journal, &format!(
            "{{\"version\":2,\"sequence\":{lines},\"time\":\"2030-01-01T00:00:00Z\",\"step\":\"teleport\",\"stage\":\"intent\",\"detail\":{{}}"));
        assert_refused(&shop, 3, &["it has version 2, this pgbelay reads up to 1", "a later one"]);
    }

    fn a_damaged_journal_is_refused(server) {
        let (shop, _, journal) = interrupted(server);
        let mut bytes = std::fs::read(&journal).unwrap();
        let half = bytes.len() / 2;
        bytes[half] ^= 1;
        std::fs::write(&journal, bytes).unwrap();
        assert_refused(&shop, 3, &["damaged: line", "move the journal away"]);
    }

    /// Once the archive is back, recovery goes on: nothing was given up.
    fn p6_a_journal_without_its_archive_is_in_doubt(server) {
        let (shop, before, _) = interrupted(server);
        let archive = shop.workplace.archives().remove(0);
        let aside = archive.with_extension("aside");
        std::fs::rename(&archive, &aside).unwrap();
        assert_refused(&shop, 7, &[&archive.file_name().unwrap().to_string_lossy()]);
        std::fs::rename(&aside, &archive).unwrap();
        as_superuser(&shop).run(&["recover"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn p8_a_journal_whose_archive_is_damaged_is_in_doubt(server) {
        let (shop, before, _) = interrupted(server);
        let archive = shop.workplace.archives().remove(0);
        let whole = std::fs::read(&archive).unwrap();
        let mut bytes = whole.clone();
        for member in &Reader::open(&archive).unwrap().manifest().members {
            bytes[usize::try_from(member.offset + member.length).unwrap() - 9] ^= 1;
        }
        std::fs::write(&archive, bytes).unwrap();
        assert_refused(&shop, 7, &["damaged", "bring a copy of the archive back", "pgbelay recover"]);
        std::fs::write(&archive, whole).unwrap();
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    /// Whatever is wrong with them, and however many: newer than the one that counts, in the same store.
    fn p6_journals_of_other_databases_are_left_alone(server) {
        let (shop, before, _) = interrupted(server);
        let other = Database::create(server);
        shop.workplace.call(&other).run(&["run", "--json", "--", "true"]).assert_code(0);
        let journals = shop.workplace.journals();
        let foreign = journals.iter().find(|path| path.to_string_lossy().contains(other.name())).unwrap();
        let whole = std::fs::read(foreign).unwrap();
        let mut damaged = whole.clone();
        let last = damaged.len() - 40;
        damaged[last] ^= 1;
        let (stamp, rest) = foreign.file_name().unwrap().to_str().unwrap().split_at("20260101".len());
        let copies: Vec<PathBuf> = (0..60).map(|number| {
            let later = format!("{}{rest}", stamp.parse::<u32>().unwrap() + 10_000 + number);
            let path = foreign.with_file_name(later);
            std::fs::write(&path, if number == 59 { &damaged } else { &whole }).unwrap();
            path
        }).collect();
        as_superuser(&shop).run(&["recover"]).assert_code(0);
        shop.database.assert_is(&before);
        for path in &copies[..59] {
            assert_eq!(std::fs::read(path).unwrap(), whole, "{path:?}");
        }
        assert_eq!(std::fs::read(&copies[59]).unwrap(), damaged);
    }

    /// The journal is found by the database's number; whether the renamed one is still what was meant, a person says.
    fn p8_a_renamed_database_is_in_doubt(server) {
        let (shop, before, _) = interrupted(server);
        let (old, new) = (shop.database.name().to_owned(), format!("{}_renamed", shop.database.name()));
        server.psql("postgres", &format!("ALTER DATABASE {old} RENAME TO {new}"));
        let url = shop.database.url_as("postgres").replace(&old, &new);
        let output = shop.call().env("DATABASE_URL", url).run(&["recover", "--json"]).assert_code(7);
        let output = output.assert_says("the archive is of another database");
        assert!(output.json()["error"]["hints"].as_array().is_some_and(|hints| !hints.is_empty()), "{output}");
        let run = ["run", "--json", "--", "touch", "started"];
        let url = shop.database.url_as("postgres").replace(&old, &new);
        shop.call().env("DATABASE_URL", url).run(&run).assert_code(7);
        assert!(!shop.workplace.directory().join("started").exists());
        assert_eq!(server.psql(&new, LEFT), "t|t");
        server.psql("postgres", &format!("ALTER DATABASE {new} RENAME TO {old}"));
        let archive = shop.workplace.archives().remove(0).display().to_string();
        as_superuser(&shop).run(&["rollback", "--discard-other-writes", &archive]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn p8_a_database_that_was_made_again_is_not_taken_for_the_old_one(server) {
        let (shop, before, journal) = interrupted(server);
        let name = shop.database.name();
        server.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        server.psql("postgres", &format!("CREATE DATABASE {name} OWNER app TEMPLATE template0"));
        shop.database.sql_as_owner("CREATE TABLE users (display_name text); INSERT INTO users VALUES ('lost')");
        let journal = journal.file_name().unwrap().to_string_lossy().into_owned();
        assert_refused(&shop, 3, &["was dropped and made again since", "--other-database", "--force", &journal]);
        // What it offers does what it says, and settles it.
        let archive = shop.workplace.archives().remove(0).display().to_string();
        as_superuser(&shop).run(&["rollback", "--other-database", &archive]).assert_code(0);
        shop.database.assert_is(&before);
        as_superuser(&shop).run(&["run", "--json", "--", "true"]).assert_code(0);
    }
}
