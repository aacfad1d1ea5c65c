//! Bad archives, and good ones in the wrong place: exit code and message of each.

use std::path::{Path, PathBuf};

use crate::support::{Database, Output, Server, Shop, Workplace};

/// Length of the footer, and where its version and its own check stand (docs/format.md).
const FOOTER: usize = 90;
const VERSION_AT: usize = 24;
const CHECKED: std::ops::Range<usize> = 16..72;

/// A shop with an archive `shop.sql.gz` in its working directory.
fn archived(server: &'static Server) -> (Shop, PathBuf) {
    let shop = Shop::at_head(server);
    shop.call()
        .run(&["backup", "--output", "shop.sql.gz"])
        .assert_code(0);
    let archive = shop.workplace.directory().join("shop.sql.gz");
    (shop, archive)
}

/// Changes a file's bytes in place.
fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    edit(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Gives a footer a later format version, with a check that fits.
fn make_newer(bytes: &mut [u8]) {
    let start = bytes.len() - FOOTER;
    let footer = &mut bytes[start..];
    footer[VERSION_AT..VERSION_AT + 4].copy_from_slice(&2_u32.to_le_bytes());
    let check = xxhash_rust::xxh3::xxh3_64(&footer[CHECKED]);
    footer[CHECKED.end..CHECKED.end + 8].copy_from_slice(&check.to_be_bytes());
}

#[track_caller]
fn assert_refused(output: Output, code: i32, message: &str) {
    let output = output.assert_code(code).assert_says(message);
    assert!(!output.stderr.contains("panicked"), "{output}");
}

on_servers! {
    fn a_truncated_archive(server) {
        let (shop, archive) = archived(server);
        let before = shop.database.dump();
        change(&archive, |bytes| bytes.truncate(bytes.len() / 2));
        assert_refused(shop.call().run(&["check", "shop.sql.gz"]), 8, "incomplete");
        assert_refused(shop.call().run(&["rollback", "shop.sql.gz"]), 8, "incomplete");
        shop.database.assert_is(&before);
    }

    fn an_archive_with_a_flipped_bit(server) {
        let (shop, archive) = archived(server);
        // Something to roll back: otherwise nothing but the manifest would have to be read.
        shop.database.sql_as_owner("UPDATE listings SET title = 'x'");
        let before = shop.database.dump();
        for part in [10, 4, 2] {
            change(&archive, |bytes| { let at = bytes.len() / part; bytes[at] ^= 0x10; });
            assert_refused(shop.call().run(&["check", "shop.sql.gz"]), 8, "shop.sql.gz");
            assert_refused(shop.call().run(&["rollback", "shop.sql.gz"]), 8, "shop.sql.gz");
            change(&archive, |bytes| { let at = bytes.len() / part; bytes[at] ^= 0x10; });
        }
        shop.call().run(&["check", "shop.sql.gz"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn an_archive_of_a_newer_format(server) {
        let (shop, archive) = archived(server);
        change(&archive, |bytes| make_newer(bytes));
        let message = "it has format version 2, this pgbelay reads up to 1";
        assert_refused(shop.call().run(&["check", "shop.sql.gz"]), 3, message);
        assert_refused(shop.call().run(&["rollback", "shop.sql.gz"]), 3, message);
    }

    fn a_file_that_is_no_archive(server) {
        let shop = Shop::at_head(server);
        assert_refused(shop.call().run(&["check", "alembic.ini"]), 8, "alembic.ini");
        let missing = shop.call().run(&["check", "no-such-file.sql.gz"]);
        assert!([2, 3, 8].contains(&missing.code), "{missing}");
        missing.assert_says("no-such-file.sql.gz");
    }

    fn an_archive_of_another_database(server) {
        let (shop, archive) = archived(server);
        let other = Database::create(server);
        other.sql_as_owner("CREATE TABLE kept(a int)");
        let archive = archive.display().to_string();
        let output = shop.workplace.call(&other).run(&["rollback", &archive]);
        assert_refused(output, 3, "--other-database");
        assert_eq!(other.sql("SELECT count(*) FROM kept"), "0");
        shop.workplace.call(&other).run(&["rollback", "--other-database", &archive]).assert_code(0);
        other.assert_is(&shop.database.dump());
    }

    fn a_restore_into_a_database_that_is_not_empty(server) {
        let (shop, _) = archived(server);
        let other = Database::create(server);
        other.sql_as_owner("CREATE TABLE kept(a int)");
        let output = shop.call().run(&["restore", "shop.sql.gz", "--into", other.name()]);
        assert_refused(output, 3, "not empty");
        assert_eq!(other.sql("SELECT count(*) FROM kept"), "0");
    }

    fn a_restore_into_an_empty_database(server) {
        let (shop, _) = archived(server);
        let other = Database::create(server);
        shop.call().run(&["restore", "shop.sql.gz", "--into", other.name()]).assert_code(0);
        other.assert_is(&shop.database.dump());
    }
}

#[test]
fn check_needs_no_server() {
    let workplace = Workplace::new();
    workplace.write("empty.sql.gz", "");
    assert_refused(
        crate::support::Call::new(&workplace).run(&["check", "empty.sql.gz"]),
        8,
        "empty.sql.gz",
    );
}
