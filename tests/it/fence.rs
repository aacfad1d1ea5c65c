//! Other writers and the fence (P5, `--fence writes`, docs/rollback.md): no acknowledged commit of
//! somebody else disappears unless that was said, and the fence leaves no trace.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Database, Output, Shop, Writer, gunzip};

/// A migration that commits, makes the file `committed`, goes on for a while and fails.
const COMMITS_THEN_FAILS: &str = "
    psql -Xq -v ON_ERROR_STOP=1 -c \"UPDATE users SET display_name = 'lost'\" -c 'DROP TABLE comps' &&
    touch committed && sleep 0.7; exit 1";

/// The same, but it waits for the file `go-on`.
const COMMITS_WAITS_FAILS: &str = "
    psql -Xq -v ON_ERROR_STOP=1 -c 'DROP TABLE comps' && touch committed
    for i in $(seq 600); do [ -e go-on ] && exit 1; sleep 0.05; done";

fn failing(shop: &Shop, options: &[&str]) -> Output {
    shop.run(options, &["sh", "-c", COMMITS_THEN_FAILS])
}

/// The numbers in `ledger`.
fn ledger(database: &Database) -> BTreeSet<i64> {
    let rows = database.sql("SELECT n FROM ledger");
    rows.lines().map(|n| n.parse().expect("a number")).collect()
}

/// The numbers in `ledger` as an archive holds them.
fn ledger_of(shop: &Shop, archive: &std::path::Path) -> BTreeSet<i64> {
    let copy = shop.database.sibling();
    copy.restore_plain(&gunzip(archive));
    ledger(&copy)
}

/// What the database and its roles have set for it, exactly.
fn settings(database: &Database) -> String {
    database.sql(
        "SELECT setrole::regrole, setconfig FROM pg_db_role_setting s
           JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = current_database() ORDER BY 1",
    )
}

fn comps(database: &Database) -> String {
    database.sql("SELECT count(*) FROM comps")
}

fn wait_for(shop: &Shop, file: &str) {
    let path = shop.workplace.directory().join(file);
    for _ in 0..1200 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the file {file} was never made");
}

on_all_servers! {
    fn p5_behind_the_fence_every_acknowledged_commit_survives_a_rollback(server) {
        let shop = Shop::at_head(server);
        let (comps_before, settings_before) = (comps(&shop.database), settings(&shop.database));
        let writer = Writer::start(&shop.database);
        let output = failing(&shop, &["--fence", "writes"]).assert_code(1);
        let json = output.json();
        assert_eq!(json["outcome"], "rolled-back", "{output}");
        assert_eq!(json["fence"]["up"], true, "{output}");
        assert_eq!(json["fence"]["taken_down"], true, "{output}");
        assert_eq!(json["other_writers"].as_array().map(Vec::len), Some(0), "{output}");
        assert!(writer.refused() > 5, "the writer was never held: {output}");
        // The fence is down: whoever comes back can write.
        writer.wait_for_commits(20);
        let acknowledged = writer.stop();
        let now = ledger(&shop.database);
        let lost: Vec<_> = acknowledged.difference(&now).collect();
        assert!(lost.is_empty(), "lost: {lost:?}\n{output}");
        assert_eq!((comps(&shop.database), settings(&shop.database)), (comps_before, settings_before));
        // All of before is in the backup, and nothing came between it and the end of the rollback.
        let archives = shop.workplace.archives();
        let backup = archives.iter().find(|path| !path.to_string_lossy().contains("before-rollback"));
        let held = ledger_of(&shop, backup.expect("a backup"));
        assert!(held.is_subset(&now) && held.len() >= 20, "{held:?}");
        let saved = archives.iter().find(|path| path.to_string_lossy().contains("before-rollback"));
        assert_eq!(ledger_of(&shop, saved.expect("the saved state")), held);
    }
}

on_servers! {
    fn p5_without_a_fence_the_rollback_is_withheld_and_every_row_stays(server) {
        let shop = Shop::at_head(server);
        let writer = Writer::start(&shop.database);
        let output = failing(&shop, &[]).assert_code(6);
        assert_eq!(output.json()["outcome"], "withheld");
        assert!(output.json()["fence"].is_null(), "{output}");
        output.assert_says("shop application");
        let acknowledged = writer.stop();
        assert!(acknowledged.is_subset(&ledger(&shop.database)));
    }

    fn p5_what_is_discarded_on_demand_is_in_the_saved_archive(server) {
        let shop = Shop::at_head(server);
        let comps_before = comps(&shop.database);
        let writer = Writer::start(&shop.database);
        let output = failing(&shop, &["--on-other-writers", "discard"]).assert_code(1);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        let acknowledged = writer.stop();
        assert_eq!(comps(&shop.database), comps_before);
        let archives = shop.workplace.archives();
        let saved = archives.iter().find(|path| path.to_string_lossy().contains("before-rollback"));
        let saved = ledger_of(&shop, saved.expect("the saved state"));
        let now = ledger(&shop.database);
        let kept: BTreeSet<i64> = saved.union(&now).copied().collect();
        let lost: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "neither here nor saved: {lost:?}\n{output}");
        assert!(acknowledged.iter().any(|n| !now.contains(n)), "nothing was discarded:\n{output}");
    }

    fn p6_a_fence_that_a_killed_run_left_is_taken_down_by_recover(server) {
        let shop = Shop::at_head(server);
        let name = shop.database.name();
        shop.database.sql(&format!(
            "ALTER DATABASE \"{name}\" SET work_mem = '5MB';
             ALTER DATABASE \"{name}\" SET default_transaction_read_only = 'FALSE';
             ALTER DATABASE \"{name}\" SET DateStyle = 'ISO, DMY'"
        ));
        let (before, settings_before) = (shop.database.dump(), settings(&shop.database));
        let running = shop.call().start(&["run", "--fence", "writes", "--", "sh", "-c", COMMITS_WAITS_FAILS]);
        wait_for(&shop, "committed");
        assert!(settings(&shop.database).contains("default_transaction_read_only=on"));
        running.signal(Signal::SIGKILL);
        shop.workplace.write("go-on", "");
        running.finish();
        assert!(settings(&shop.database).contains("default_transaction_read_only=on"));
        let output = shop.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        output.assert_says("the fence of run");
        assert_eq!(settings(&shop.database), settings_before);
        shop.database.assert_is(&before);
        shop.call().run(&["recover", "--json"]).assert_code(0).assert_says("Nothing to recover");
    }

    fn a_role_with_a_setting_of_its_own_defeats_the_fence_and_is_named(server) {
        let shop = Shop::at_head(server);
        let name = shop.database.name();
        let role = format!("own_mind_{name}");
        shop.database.sql(&format!(
            "CREATE ROLE {role} LOGIN;
             ALTER ROLE {role} IN DATABASE \"{name}\" SET default_transaction_read_only = off"
        ));
        let output = shop.run(&["--fence", "writes"], &["touch", "started"]).assert_code(3);
        output
            .assert_says(&format!("role {role}"))
            .assert_says("RESET default_transaction_read_only");
        assert!(!shop.workplace.directory().join("started").exists());
        // The other way round it holds that role all the same.
        shop.database.sql(&format!(
            "ALTER ROLE {role} IN DATABASE \"{name}\" SET default_transaction_read_only = on"
        ));
        shop.run(&["--fence", "writes"], &["true"]).assert_code(0);
        shop.database.sql(&format!("DROP ROLE {role}"));
    }
}
