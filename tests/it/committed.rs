//! A rollback that was committed stays committed (P5, P6): whoever lost sight of it, by a crash or a cut connection, asks the
//! server what became of its transaction, and leaves alone what others wrote afterwards.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Call, Running, Server, Shop};

/// A migration that commits a column and fails.
const FAILING: [&str; 6] = [
    "run",
    "--json",
    "--",
    "sh",
    "-c",
    "psql -Xq -c 'ALTER TABLE comps ADD COLUMN half int' -c 'SELECT pg_sleep(0.1)'; exit 1",
];

fn with_fault<'w>(shop: &'w Shop, fault: &str) -> Call<'w> {
    shop.call().env("PGBELAY_FAULT", fault)
}

fn is_put_back(shop: &Shop) -> bool {
    shop.database.sql(
        "SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'comps'::regclass AND attname = 'half')",
    ) == "t"
}

fn somebody_writes(shop: &Shop) {
    shop.database
        .sql("INSERT INTO users (email) VALUES ('other@y')");
}

fn others(shop: &Shop) -> String {
    shop.database
        .sql("SELECT count(*) FROM users WHERE email = 'other@y'")
}

/// A run that died right after its rollback was committed.
fn killed_after_the_commit(server: &'static Server) -> Shop {
    let shop = Shop::at_head(server);
    with_fault(&shop, "rollback-committed=kill")
        .run(&FAILING)
        .assert_code(-1);
    assert!(is_put_back(&shop));
    shop
}

fn wait_until_stopped(running: &mut Running<'_>) {
    let stat = format!("/proc/{}/stat", running.id());
    let begun = Instant::now();
    while !std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") T ")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no pause");
        assert!(!running.has_ended(), "it ended without a pause");
        std::thread::sleep(Duration::from_millis(10));
    }
}

on_servers! {
    fn p5_what_is_written_after_a_rollback_that_nobody_noted_is_kept(server) {
        let shop = killed_after_the_commit(server);
        somebody_writes(&shop);
        let output = shop.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        let output = output.assert_says("was proven and committed").assert_says("what others wrote since is there");
        assert!(!output.last_line().contains("is as before"), "{output}");
        assert_eq!(others(&shop), "1");
        // Nobody watched who wrote after it: a rollback by hand to that archive keeps it, too.
        shop.call().run(&["rollback"]).assert_code(6);
        assert_eq!(others(&shop), "1");
        shop.call().run(&["run", "--json", "--", "true"]).assert_code(0);
    }

    /// Who wrote after it is no reason to withhold what was done long ago; nor is a start of `run` one to undo it.
    fn p5_whoever_is_connected_after_it_is_not_in_the_way(server) {
        let shop = killed_after_the_commit(server);
        std::thread::scope(|scope| {
            let database = &shop.database;
            let script = b"INSERT INTO users (email) VALUES ('other@y');\nSELECT pg_sleep(30);\n";
            scope.spawn(|| std::panic::catch_unwind(|| database.restore_plain(script)));
            while others(&shop) == "0" {
                std::thread::sleep(Duration::from_millis(10));
            }
            let output = shop.call().run(&["run", "--json", "--", "true"]);
            database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()");
            output.assert_code(0).assert_says("was proven and committed");
        });
        assert_eq!(others(&shop), "1");
        assert!(is_put_back(&shop));
    }

    fn p5_by_hand_neither(server) {
        let shop = Shop::two_behind(server);
        let before = shop.database.sql("SELECT version_num FROM alembic_version");
        shop.run(&[], &["alembic", "upgrade", "head"]).assert_code(0);
        with_fault(&shop, "rollback-committed=kill").run(&["rollback"]).assert_code(-1);
        somebody_writes(&shop);
        shop.call().run(&["recover", "--json"]).assert_code(0).assert_says("was proven and committed");
        assert_eq!(others(&shop), "1");
        assert_eq!(shop.database.sql("SELECT version_num FROM alembic_version"), before);
    }

    /// The server is asked at once where the answer was lost, so nothing is begun again, and nobody is needed.
    fn the_lost_answer_of_a_commit_is_asked_for(server) {
        let shop = Shop::at_head(server);
        let output = with_fault(&shop, "rollback-committed=error").run(&FAILING).assert_code(1);
        assert_eq!((&output.json()["outcome"], &output.json()["strategy"]), (&"rolled-back".into(), &"repair".into()), "{output}");
        assert!(is_put_back(&shop));
    }

    /// What was noted and not committed is put back as ever.
    fn p6_a_rollback_that_was_not_committed_is_begun_again(server) {
        let shop = Shop::at_head(server);
        with_fault(&shop, "rollback-commit=kill").run(&FAILING).assert_code(-1);
        shop.call().run(&["recover", "--json"]).assert_code(0);
        assert!(is_put_back(&shop));
    }

    /// After a crash an id may be another transaction's: whoever cannot know does not undo what others may have written.
    fn p5_what_a_crash_leaves_open_is_withheld(server) {
        let shop = killed_after_the_commit(server.of_our_own());
        shop.database.server().crash_and_recover();
        somebody_writes(&shop);
        let output = shop.call().run(&["recover", "--json"]).assert_code(6);
        let output = output.assert_says("nobody can tell whether it took effect");
        assert!(!output.stderr.contains("nothing was put back"), "{output}");
        assert_eq!(others(&shop), "1");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        assert!(is_put_back(&shop));
    }

    /// Somebody who takes the version table between the commit and the last look at it holds nobody up for ever.
    fn p8_the_last_look_waits_a_while_and_says_so(server) {
        let shop = Shop::at_head(server);
        let mut running = with_fault(&shop, "rollback-committed=pause").start(&FAILING);
        wait_until_stopped(&mut running);
        let (output, took) = std::thread::scope(|scope| {
            let database = &shop.database;
            let script = b"BEGIN; LOCK TABLE alembic_version;\nSELECT pg_sleep(40);\n";
            scope.spawn(|| std::panic::catch_unwind(|| database.restore_plain(script)));
            let held = "SELECT count(*) FROM pg_locks WHERE relation = 'alembic_version'::regclass AND mode = 'AccessExclusiveLock'";
            while database.sql(held) == "0" {
                std::thread::sleep(Duration::from_millis(10));
            }
            let begun = Instant::now();
            running.signal(Signal::SIGCONT);
            let output = running.finish();
            database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(40)%' AND pid <> pg_backend_pid()");
            (output, begun.elapsed())
        });
        assert!(took < Duration::from_secs(20), "{took:?}\n{output}");
        output.assert_code(7).assert_says("its version rows were not read again after that");
        assert!(is_put_back(&shop));
    }
}
