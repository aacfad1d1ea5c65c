//! A migration whose sessions have another name than the one that they were given (`connect_args={"application_name": …}`,
//! drivers that set their own): when it is killed its statement may go on in the server, and commit after everything was
//! judged. Nothing is called proven before it has ended (P8), and nobody's session is ended by a guess.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Output, Running, Shop};

/// What the tool calls its sessions.
const NAME: &str = "shop-migrations";
/// What it does: a statement that goes on without it, and writes at the end.
const LATE: &str = "psql -Xqc \"DO 'BEGIN PERFORM pg_sleep(SECONDS); \
                    CREATE TABLE late (); END'\" & wait";

fn tool(seconds: u32) -> String {
    let script = LATE.replace("SECONDS", &seconds.to_string());
    format!("export PGAPPNAME={NAME}; {script}")
}

fn is_late(shop: &Shop) -> bool {
    shop.database.sql("SELECT to_regclass('late') IS NOT NULL") == "t"
}

fn sessions(shop: &Shop) -> String {
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{NAME}' \
         AND state = 'active'"
    );
    shop.database.sql(&count)
}

fn end_it(shop: &Shop) {
    let end = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{NAME}' \
         AND datname = current_database()"
    );
    shop.database.sql(&end);
}

fn wait_for(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it does not come"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A run whose tool is at work in the server.
fn started<'w>(shop: &'w Shop, script: &str) -> Running<'w> {
    let running = shop.call().start(&[
        "run",
        "--json",
        "--grace",
        "1s",
        "--retries",
        "0",
        "--",
        "sh",
        "-c",
        script,
    ]);
    wait_for(|| sessions(shop) == "1");
    running
}

/// It said what is true, and named the session, which was not touched.
#[track_caller]
fn assert_withheld(shop: &Shop, output: Output) {
    let output = output
        .assert_code(6)
        .assert_says(NAME)
        .assert_says("pgbelay recover");
    assert!(!output.stderr.contains("as it was (proven)"), "{output}");
    assert!(output.stderr.contains("pg_terminate_backend"), "{output}");
    assert_eq!(sessions(shop), "1", "{output}");
}

on_servers! {
    fn p8_a_statement_that_outlives_its_tool_is_waited_for(server) {
        let shop = Shop::at_head(server);
        let running = started(&shop, &tool(4));
        running.signal(Signal::SIGTERM);
        let output = running.finish();
        // It has committed by then, under a name that is not the tool's: it is told, and not undone unseen.
        assert!(is_late(&shop), "{output}");
        output.assert_code(6).assert_says(NAME);
    }

    fn p8_a_statement_that_stays_withholds_the_verdict(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let running = started(&shop, &tool(60));
        running.signal(Signal::SIGTERM);
        assert_withheld(&shop, running.finish());
        end_it(&shop);
        shop.call().run(&["recover", "--json"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    /// An application of the same role at the same address, whose transactions come and go.
    fn p2_a_busy_application_is_not_in_the_way(server) {
        let shop = Shop::at_head(server);
        let script = "touch connected; sleep 30";
        let running = shop.call().start(&["run", "--json", "--grace", "1s", "--retries", "0", "--", "sh", "-c", script]);
        wait_for(|| shop.workplace.directory().join("connected").exists());
        let (url, ends) = (shop.database.url(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let busy = scope.spawn(|| read_busily(&url, &ends));
            wait_for(|| busy_sessions(&shop) != "0");
            running.signal(Signal::SIGTERM);
            let output = running.finish();
            ends.store(true, Ordering::Relaxed);
            output.assert_code(143);
            busy.join().expect("it reads on");
        });
    }

    /// The name can be mended before anything fails.
    fn a_tool_with_a_name_of_its_own_is_told_of(server) {
        let shop = Shop::at_head(server);
        let script = format!("PGAPPNAME={NAME} psql -Xqc 'SELECT pg_sleep(1.5)'");
        let output = shop.run(&[], &["sh", "-c", &script]).assert_code(0);
        output.assert_says("PGAPPNAME").assert_says(NAME);
        let named = shop.run(&[], &["psql", "-Xqc", "SELECT pg_sleep(1)"]).assert_code(0);
        assert!(!named.stderr.contains("PGAPPNAME"), "{named}");
    }
}

tests_of_majors! { [pg18 18]
    fn p8_so_it_does_when_pgbelay_was_killed(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let running = started(&shop, &tool(60));
        running.signal(Signal::SIGKILL);
        running.finish();
        assert_withheld(&shop, shop.call().run(&["recover", "--json"]));
        end_it(&shop);
        shop.call().run(&["recover", "--json"]).assert_code(0);
        shop.database.assert_is(&before);
    }
}

fn busy_sessions(shop: &Shop) -> String {
    shop.database
        .sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'busy'")
}

/// Transactions of a tenth of a second, one after another, on one connection.
fn read_busily(url: &str, ends: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let url = format!("{url}?application_name=busy");
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        while !ends.load(Ordering::Relaxed) {
            client
                .batch_execute("SELECT pg_sleep(0.1)")
                .await
                .expect("an answer");
        }
    });
}
