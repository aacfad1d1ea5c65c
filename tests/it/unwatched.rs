//! P5 while pgbelay is dead: what others commit between a SIGKILL and the next start is not pulled away, and whom the
//! watch had seen is not forgotten.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Call, Server, Shop};

/// Commits, and stays.
const SCRIPT: &str = "psql -Xq -c 'DROP TABLE comps'; touch committed; sleep 600";
/// Takes no value from a sequence.
const UPDATE: &str = "UPDATE users SET email = 'other@y' WHERE id = 2";
const INSERT: &str = "INSERT INTO users (email) VALUES ('other@y')";

fn others(shop: &Shop) -> String {
    let count = "SELECT count(*) FROM users WHERE email LIKE 'other%@y'";
    shop.database.sql(count)
}

/// Killed in the middle of its migration, after `meanwhile`.
fn killed(shop: &Shop, meanwhile: impl FnOnce()) {
    let running = shop
        .call()
        .start(&["run", "--json", "--", "sh", "-c", SCRIPT]);
    shop.wait_for("committed");
    meanwhile();
    // A look of the watch.
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::SIGKILL);
    running.finish();
}

/// A client that is connected, and listens.
fn connected(server: &Server, shop: &Shop) -> Child {
    let mut psql: Command = server.client("psql", shop.database.name());
    let psql = psql
        .env("PGAPPNAME", "till")
        .env("PGUSER", "app")
        .arg("-Xq")
        .stdin(Stdio::piped());
    let mut child = psql.spawn().expect("psql");
    say(&mut child, "SELECT 1 \\g /dev/null");
    let there = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'till' AND state = 'idle' \
         AND query LIKE '%1%'",
        shop.database.name()
    );
    for _ in 0..600 {
        if server.psql("postgres", &there) == "1" {
            return child;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("psql never came");
}

fn say(child: &mut Child, words: &str) {
    let input = child.stdin.as_mut().expect("it listens");
    writeln!(input, "{words}").expect("it hears");
}

fn with_fault<'s>(shop: &'s Shop, fault: &str) -> Call<'s> {
    shop.call().env("PGBELAY_FAULT", fault)
}

on_three_servers! {
    fn p5_what_others_write_after_a_kill_is_kept(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        killed(&shop, || ());
        shop.database.sql(INSERT);
        // By hand, by a recovery, by the next run: whoever comes first, and whoever comes then.
        for again in [&["rollback", "--json"][..], &["recover", "--json"], &["run", "--json", "--", "true"], &["rollback"]] {
            let output = shop.call().run(again).assert_code(6);
            output.assert_says("after pgbelay was killed nobody watched");
            assert_eq!(others(&shop), "1", "{again:?}");
        }
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.assert_is(&before);
        shop.call().run(&["run", "--", "true"]).assert_code(0);
    }
}

on_servers! {
    fn p5_who_was_seen_before_a_kill_is_not_forgotten(server) {
        for verb in ["recover", "rollback"] {
            let shop = Shop::at_head(server);
            killed(&shop, || {
                shop.database.sql(&format!("{INSERT}; SELECT pg_sleep(0.3)"));
            });
            shop.call().run(&[verb]).assert_code(6).assert_says("other sessions may have written").assert_says("psql");
            assert_eq!(others(&shop), "1");
        }
    }

    /// A connection of before, idle for all that anybody saw.
    fn p5_who_was_connected_at_a_kill_and_has_left_may_have_written(server) {
        let shop = Shop::at_head(server);
        let mut till = connected(server, &shop);
        killed(&shop, || ());
        say(&mut till, &format!("{INSERT};"));
        say(&mut till, "\\q");
        till.wait().expect("it ends");
        shop.call().run(&["recover"]).assert_code(6).assert_says("1 session that had been connected ended");
        assert_eq!(others(&shop), "1");
    }

    fn p5_what_others_write_while_a_killed_judgement_is_over_is_kept(server) {
        for verb in ["recover", "rollback"] {
            let shop = Shop::at_head(server);
            let failing = "psql -Xq -c 'DROP TABLE comps'; exit 1";
            with_fault(&shop, "compare=kill").run(&["run", "--", "sh", "-c", failing]).assert_code(-1);
            shop.database.sql(INSERT);
            shop.call().run(&[verb]).assert_code(6).assert_says("after pgbelay was killed rows were written");
            assert_eq!(others(&shop), "1");
        }
    }

    /// It had succeeded, so the recovery would leave it; a person goes back all the same.
    fn p5_what_others_write_after_a_kill_of_the_verification_is_kept(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let run = ["run", "--", "psql", "-Xqc", "DROP TABLE comps"];
        with_fault(&shop, "journal-verify-outcome-before=kill").run(&run).assert_code(-1);
        shop.database.sql(INSERT);
        shop.call().run(&["rollback"]).assert_code(6).assert_says("after pgbelay was killed");
        assert_eq!(others(&shop), "1");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    /// Before its first change, and before its commit: what it had written is undone, and counted all the same.
    fn p5_what_others_write_after_a_killed_rollback_is_kept(server) {
        let failing = "psql -Xq -c 'DROP TABLE comps' -c 'ALTER TABLE orders ADD COLUMN half int' -c \"UPDATE users SET email = email || '!' WHERE id = 1\" \
                       -c 'SELECT pg_sleep(0.1)'; exit 1";
        for strategy in ["repair", "rebuild"] {
            for point in ["journal-roll-back-intent-after=kill", "rollback-commit=kill"] {
                for writes in [true, false] {
                    let shop = Shop::at_head(server);
                    let before = shop.database.dump();
                    let run = ["run", "--strategy", strategy, "--", "sh", "-c", failing];
                    with_fault(&shop, point).run(&run).assert_code(-1);
                    // The whole server is not quiet: transaction ids do not speak.
                    server.psql("postgres", "SELECT pg_current_xact_id()");
                    if writes {
                        shop.database.sql(UPDATE);
                    }
                    // The volume is mounted elsewhere by now.
                    let directory = shop.workplace.directory();
                    std::fs::rename(directory.join("backups"), directory.join("moved")).expect("the store");
                    let recover = shop.call().run(&["recover", "--store", "moved"]);
                    let output = recover.assert_code(if writes { 6 } else { 0 });
                    if writes {
                        output.assert_says("after the rollback had been interrupted rows");
                    } else {
                        shop.database.assert_is(&before);
                    }
                    assert_eq!(others(&shop), if writes { "1" } else { "0" }, "{strategy} {point}");
                }
            }
        }
    }

    fn p5_what_others_write_after_a_killed_rollback_by_hand_is_kept(server) {
        for writes in [true, false] {
            let shop = Shop::at_head(server);
            let before = shop.database.dump();
            shop.call().run(&["run", "--", "psql", "-Xqc", "DROP TABLE comps"]).assert_code(0);
            with_fault(&shop, "rollback-commit=kill").run(&["rollback"]).assert_code(-1);
            server.psql("postgres", "SELECT pg_current_xact_id()");
            if writes {
                shop.database.sql(UPDATE);
                shop.call().run(&["recover"]).assert_code(6).assert_says("after the rollback had been interrupted rows");
                assert_eq!(others(&shop), "1");
                continue;
            }
            shop.call().run(&["recover"]).assert_code(0);
            shop.database.assert_is(&before);
        }
    }

    /// Between the look at what was left and the judgement.
    fn p5_what_others_write_while_a_recovery_asks_is_kept(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let stays = "psql -Xq -c 'DROP TABLE comps' -c '\\! touch committed' -c 'SELECT pg_sleep(600)'";
        let running = shop.call().start(&["run", "--json", "--", "sh", "-c", stays]);
        shop.wait_for("committed");
        std::thread::sleep(Duration::from_millis(300));
        running.signal(Signal::SIGKILL);
        running.finish();
        let mut recovery = with_fault(&shop, "file-replace=pause").start(&["recover"]);
        recovery.wait_for_the_pause();
        shop.database.sql(INSERT);
        recovery.signal(Signal::SIGCONT);
        recovery.finish().assert_code(6);
        assert_eq!(others(&shop), "1");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    /// Without its archive nothing is put back, whoever wrote.
    fn p6_a_killed_rollback_whose_archive_is_lost_is_left_to_a_person(server) {
        let shop = Shop::at_head(server);
        let failing = "psql -Xq -c 'DROP TABLE comps' -c 'SELECT pg_sleep(0.1)'; exit 1";
        with_fault(&shop, "rollback-commit=kill").run(&["run", "--", "sh", "-c", failing]).assert_code(-1);
        let lost = shop.workplace.archives().remove(0);
        std::fs::remove_file(lost).expect("it is removed");
        server.psql("postgres", "SELECT pg_current_xact_id()");
        shop.call().run(&["recover"]).assert_code(7).assert_says("bring a copy of the archive back");
    }

    /// A role that is gone: a person has to make it again first, and others go on meanwhile. Without them the rollback goes
    /// through (`outside::a_role_that_a_failed_migration_dropped_is_named`).
    fn p5_what_others_write_after_a_run_ended_in_doubt_is_kept(server) {
        let shop = Shop::at_head(server);
        let role = format!("doubt_{}", shop.database.name());
        shop.database.sql(&format!("CREATE ROLE {role}; GRANT SELECT ON orders TO {role}"));
        let call = || shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        let failing = format!("psql -Xq -c 'DROP OWNED BY {role}; DROP ROLE {role}'; exit 1");
        let doubt = call().run(&["run", "--", "sh", "-c", &failing]).assert_code(7);
        doubt.assert_says("look at the database, then put it back");
        shop.database.sql(&format!("CREATE ROLE {role}; {INSERT}"));
        call().run(&["rollback"]).assert_code(6).assert_says("after it had ended rows were written");
        assert_eq!(others(&shop), "1");
        call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }

    /// Whoever only looks is nobody's writer: nothing was committed on the whole server.
    fn p6_a_look_after_a_kill_is_not_in_the_way(server) {
        let shop = Shop::at_head(server.of_our_own());
        let before = shop.database.dump();
        let mut till = connected(shop.database.server(), &shop);
        killed(&shop, || ());
        assert_eq!(others(&shop), "0");
        say(&mut till, "\\q");
        till.wait().expect("it ends");
        let output = shop.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back");
        shop.database.assert_is(&before);
    }

    /// The whole machine: nothing was committed between the last look and the crash, and who is not back has written nothing.
    fn p6_a_crash_of_the_server_with_it_is_recovered(server) {
        for writes in [false, true] {
            let shop = Shop::at_head(server.of_our_own());
            let (server, before) = (shop.database.server(), shop.database.dump());
            let call = || shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
            let mut till = connected(server, &shop);
            let running = call().start(&["run", "--json", "--", "sh", "-c", SCRIPT]);
            shop.wait_for("committed");
            std::thread::sleep(Duration::from_millis(300));
            running.signal(Signal::SIGKILL);
            running.finish();
            if writes {
                // Else the crash may take it away, and nobody has to keep it.
                say(&mut till, &format!("SET synchronous_commit = on; {INSERT};"));
                while others(&shop) == "0" {}
            }
            server.crash_and_recover();
            till.wait().expect("it ends");
            server.psql("postgres", "SELECT pg_current_xact_id()");
            call().run(&["recover"]).assert_code(if writes { 6 } else { 0 });
            assert_eq!(others(&shop), if writes { "1" } else { "0" });
            if !writes {
                shop.database.assert_is(&before);
            }
        }
    }

    /// Replicas that wait for the recovery, and one that was killed in the middle of it.
    fn p6_sessions_of_our_own_are_not_in_the_way(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        killed(&shop, || ());
        with_fault(&shop, "compare=kill").run(&["recover"]).assert_code(-1);
        let mut first = with_fault(&shop, "compare=pause").start(&["recover", "--json"]);
        first.wait_for_the_pause();
        let second = shop.call().start(&["run", "--json", "--", "true"]);
        std::thread::sleep(Duration::from_millis(500));
        first.signal(Signal::SIGCONT);
        first.finish().assert_code(0);
        second.finish().assert_code(0);
        shop.database.assert_is(&before);
    }

    /// What is lost tells nothing, and nothing is guessed.
    fn p5_a_lost_heartbeat_withholds(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        killed(&shop, || ());
        let store = shop.workplace.directory().join("backups");
        let kept = || {
            let files = std::fs::read_dir(&store).expect("the store");
            let names = files.map(|file| file.expect("a file").path());
            names.filter(|path| path.extension().is_some_and(|end| end == "heartbeat")).collect::<Vec<_>>()
        };
        assert_eq!(kept().len(), 1);
        std::fs::write(&kept()[0], "{\"moment\"").expect("torn");
        shop.call().run(&["recover"]).assert_code(6).assert_says("had seen of other sessions is lost");
        shop.call().run(&["rollback", "--discard-other-writes"]).assert_code(0);
        shop.database.assert_is(&before);
        assert!(kept().is_empty(), "{:?}", kept());
    }
}
