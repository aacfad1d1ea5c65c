//! SIGINT and SIGTERM in every state of a run: it ends soon and says truly what is there, and neither processes nor
//! sessions are left. 130 and 143 only where the database is as before, by content. Signals during a backup,
//! a drill and behind the fence are in `run_child.rs`, `drill.rs` and `fence.rs`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Call, Output, Running, Server, Shop, Workplace, closed_port};

/// From the signal to the end, on a busy machine; the default of `--grace`.
const GRACE: Duration = Duration::from_secs(25);
const BOTH: [(Signal, i32); 2] = [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)];

/// One of both, another one on the other server: SIGTERM on 15, SIGINT on 18.
fn one(server: &Server) -> (Signal, i32) {
    BOTH[usize::from(server.major % 2 == 1)]
}

/// Names every process of a test's run.
const MARK: &str = "PGBELAY_TEST_MARK";

/// Waits until the run's log holds a text.
#[track_caller]
fn wait_for_log(workplace: &Workplace, text: &str) {
    let read = || std::fs::read_to_string(workplace.directory().join("said")).unwrap_or_default();
    wait_until(text, || {
        let log = read();
        assert!(
            log.contains(text) || !log.contains("== Summary"),
            "never said: {text}\n{log}"
        );
        log.contains(text)
    });
}

#[track_caller]
fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !happened() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run whose every word is in the file `said`, and whose processes can be found.
fn start<'a>(shop: &'a Shop, options: &[&str], script: &str) -> (Running<'a>, String) {
    let call = shop
        .call()
        .env("DATABASE_URL", shop.database.url_as("postgres"));
    let mut arguments = vec!["run", "--json", "--log-file", "said"];
    arguments.extend(options);
    arguments.extend(["--", "sh", "-c", script]);
    let mark = mark();
    (call.env(MARK, &mark).start(&arguments), mark)
}

fn mark() -> String {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}

/// Processes with the mark in their environment.
fn marked(mark: &str) -> BTreeSet<PathBuf> {
    let needle = format!("{MARK}={mark}\0");
    let holds = |process: &PathBuf| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        environment
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
    };
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    processes.filter(holds).collect()
}

/// Ends in time, with nothing left behind.
#[track_caller]
fn finish(shop: &Shop, (running, mark): (Running<'_>, String)) -> Output {
    let asked = Instant::now();
    let output = running.finish();
    assert!(
        asked.elapsed() < GRACE,
        "took {:?}\n{output}",
        asked.elapsed()
    );
    assert_eq!(marked(&mark), BTreeSet::new(), "{output}");
    assert_no_sessions(shop, &output);
    output
}

#[track_caller]
fn assert_no_sessions(shop: &Shop, output: &Output) {
    // A backend notices a moment later that its client is gone.
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..40 {
        if shop.database.sql(sql) == "0" {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("sessions are left\n{output}");
}

/// Commits much, says so by the file `committed`, and goes on as `rest` says.
///
/// In one session, which lasts longer than the time between two looks: sessions that nobody saw may be another writer's.
fn committing(rest: &str) -> String {
    format!(
        "psql -Xq -v ON_ERROR_STOP=1 -c 'DROP TABLE comps' -c \"UPDATE listings SET title = title || 'x'\" \
         -c 'ALTER TABLE users ADD COLUMN half int' -c 'CREATE TABLE IF NOT EXISTS many (word text)' \
         -c \"UPDATE many SET word = 'y'\" -c 'SELECT pg_sleep(0.3)' > /dev/null; touch committed; {rest}"
    )
}

/// A shop with a table whose rows take a while to put back.
fn with_many_rows(server: &'static Server) -> Shop {
    let shop = Shop::at_head(server);
    shop.database.sql_as_owner(
        "CREATE TABLE many (id int PRIMARY KEY, word text); INSERT INTO many SELECT n, repeat('x', 100) FROM generate_series(1, 30000) n");
    shop
}

on_servers! {
    /// A server that lets nobody in is not waited for longer than a stop may take; the next start judges.
    fn a_stop_is_not_kept_waiting_by_a_server_that_lets_nobody_in(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let script = "psql -Xq -c 'DROP TABLE comps'; touch committed; while [ ! -e go-on ]; do sleep 0.05; done; exit 1";
        let options = ["run", "--json", "--log-file", "said", "--grace", "1s", "--", "sh", "-c", script];
        let running = shop.call().start(&options);
        shop.wait_for("committed");
        let limit = |count: &str| {
            server.psql("postgres", &format!("ALTER DATABASE {} CONNECTION LIMIT {count}", shop.database.name()));
        };
        limit("0");
        shop.workplace.write("go-on", "");
        wait_for_log(&shop.workplace, "waiting for");
        let asked = Instant::now();
        running.signal(Signal::SIGTERM);
        let output = running.finish().assert_code(7);
        assert!(asked.elapsed() < Duration::from_secs(15), "{:?}\n{output}", asked.elapsed());
        output.assert_says("pgbelay recover");
        limit("-1");
        shop.call().run(&["recover", "--json"]).assert_code(0);
        shop.database.assert_is(&before);
    }

    fn a_signal_while_the_lock_is_waited_for(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let oid = shop.database.sql("SELECT oid FROM pg_database WHERE datname = current_database()");
        for (signal, code) in BOTH {
            let mut psql = server.client("psql", shop.database.name());
            let held = format!("SELECT pg_advisory_lock(1885823589, {oid}), pg_sleep(60)");
            let mut holder = psql.env("PGAPPNAME", "holder").args(["-XqAt", "-c", &held]).stderr(std::process::Stdio::null()).spawn().unwrap();
            wait_until("the lock", || shop.database.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != "0");
            let run = start(&shop, &["--lock-wait", "60s"], "true");
            wait_for_log(&shop.workplace, "waiting for the lock");
            run.0.signal(signal);
            let output = run.0.finish().assert_code(code);
            assert_eq!(output.json()["outcome"], "unchanged", "{output}");
            shop.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
            holder.wait().unwrap();
            std::fs::remove_file(shop.workplace.directory().join("said")).unwrap();
        }
        shop.database.assert_is(&before);
    }

    /// Also of a second signal, and of a third: the decision is made and carried out all the same.
    fn p3_a_signal_while_the_migration_runs_and_more_of_them(server) {
        let (signal, code) = one(server);
        let shop = with_many_rows(server);
        let before = shop.database.dump();
        let run = start(&shop, &[], &committing("psql -Xqc 'SELECT pg_sleep(60)'"));
        shop.wait_for("committed");
        run.0.signal(signal);
        wait_for_log(&shop.workplace, "stopping safely");
        run.0.signal(signal);
        wait_for_log(&shop.workplace, "already stopping");
        run.0.signal(Signal::SIGTERM);
        let output = finish(&shop, run).assert_code(code);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        shop.database.assert_is(&before);
    }

    /// Without `nohup` a terminal that goes away ends the run like SIGTERM, under its own name; with it the run goes on.
    fn p3_a_hangup_ends_a_run_unless_it_was_inherited_as_ignored(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let run = start(&shop, &[], &committing("exec sleep 60"));
        shop.wait_for("committed");
        run.0.signal(Signal::SIGHUP);
        let output = finish(&shop, run).assert_code(143).assert_says("SIGHUP: stopping safely");
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        assert!(!output.last_line().contains("SIGTERM"), "{output}");
        shop.database.assert_is(&before);
        let shop = Shop::at_head(server);
        let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        let script = "touch committed; psql -Xqc 'CREATE TABLE later (x int)'; sleep 1";
        let run = call.within(&["env", "--ignore-signal=HUP,INT"]).start(&["run", "--json", "--", "sh", "-c", script]);
        shop.wait_for("committed");
        run.signal(Signal::SIGHUP);
        run.signal(Signal::SIGINT);
        let output = run.finish().assert_code(0);
        assert_eq!(output.json()["outcome"], "migrated", "{output}");
        assert!(!output.stderr.contains("stopping"), "{output}");
    }

    fn p3_a_child_that_ignores_signals_is_killed(server) {
        let (signal, code) = one(server);
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        // Another process of its group, which ignores them as well, goes with it.
        let deaf = format!("trap '' INT TERM HUP; {}", committing("(sleep 61; touch late) & while true; do sleep 1; done"));
        let run = start(&shop, &["--grace", "2s"], &deaf);
        shop.wait_for("committed");
        run.0.signal(signal);
        let output = finish(&shop, run).assert_code(code);
        output.assert_says("killing it");
        shop.database.assert_is(&before);
    }

    /// The child ends well although it was asked to stop: the migration is not called done, nor left there.
    fn p3_a_child_that_ends_well_after_a_signal_is_put_back(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let run = start(&shop, &[], &committing("trap 'exit 0' TERM; while true; do sleep 0.1; done"));
        shop.wait_for("committed");
        run.0.signal(Signal::SIGTERM);
        finish(&shop, run).assert_code(143);
        shop.database.assert_is(&before);
    }

    fn p3_a_signal_while_the_migration_is_verified(server) {
        let (signal, code) = one(server);
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        let run = start(&shop, &["--verify-command", "sh -c 'touch verifying; exec sleep 60'"], &committing("exit 0"));
        shop.wait_for("verifying");
        run.0.signal(signal);
        let output = finish(&shop, run).assert_code(code);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        shop.database.assert_is(&before);
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        shop.workplace.write("slow/a.sql", "SELECT 1 FROM pg_sleep(60) OFFSET 1");
        let run = start(&shop, &["--verify-sql", "slow"], &committing("exit 0"));
        wait_for_log(&shop.workplace, "== Verify");
        std::thread::sleep(Duration::from_millis(500));
        run.0.signal(Signal::SIGTERM);
        finish(&shop, run).assert_code(143);
        shop.database.assert_is(&before);
    }

    /// A rollback that has begun is finished, on each rung: the migration had failed by itself.
    fn p3_a_signal_while_the_database_is_put_back(server) {
        for (strategy, signal) in [("repair", Signal::SIGTERM), ("rebuild", Signal::SIGINT), ("swap", Signal::SIGTERM)] {
            let shop = with_many_rows(server);
            let before = shop.database.dump();
            let script = committing("exit 1");
            let run = start(&shop, &["--strategy", strategy], &script);
            wait_for_log(&shop.workplace, "== Roll back");
            run.0.signal(signal);
            run.0.signal(signal);
            let output = finish(&shop, run).assert_code(1);
            assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
            output.assert_says("stopping safely");
            shop.database.assert_is(&before);
            if strategy == "swap" {
                let kept = format!("SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname LIKE '{}\\_failed%'", shop.database.name());
                server.psql("postgres", &server.psql("postgres", &kept));
            }
        }
    }

    /// The statement at work is ended with its session, and what the files before it committed is put back.
    fn p3_a_signal_while_files_of_sql_are_run(server) {
        let (signal, code) = one(server);
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        shop.workplace.write("files/add_sqs_metadata.sql", "SELECT 1;");
        shop.workplace.write("files/b1.sql", "DROP TABLE comps;");
        shop.workplace.write("files/b2.sql", "SELECT pg_sleep(60) AS slow;");
        let mark = mark();
        let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres")).env(MARK, &mark);
        let run = call.start(&["run", "--json", "--log-file", "said", "--sql", "files"]);
        // From another database: whoever looks from this one may have written.
        let slow = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%AS slow%'", shop.database.name());
        wait_until("the second file", || server.psql("postgres", &slow) == "1");
        run.signal(signal);
        let output = finish(&shop, (run, mark)).assert_code(code);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        shop.database.assert_is(&before);
    }

    /// A recovery owes somebody a database as before: it finishes.
    #[cfg(feature = "fault-injection")]
    fn p3_a_signal_while_an_interrupted_run_is_recovered(server) {
        let (signal, _) = one(server);
        let shop = with_many_rows(server);
        let before = shop.database.dump();
        let call = || shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        let killed = call().env("PGBELAY_FAULT", "child-ended=kill");
        killed.run(&["run", "--", "sh", "-c", &committing("exit 1")]).assert_code(-1);
        let mark = mark();
        let recovery = call().env(MARK, &mark).start(&["recover", "--json", "--log-file", "said"]);
        wait_for_log(&shop.workplace, "== Roll back");
        recovery.signal(signal);
        recovery.signal(signal);
        let output = finish(&shop, (recovery, mark)).assert_code(0);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        shop.database.assert_is(&before);
    }

    /// The migration is verified and stays: it is not called interrupted.
    fn p8_a_signal_while_the_change_report_is_made(server) {
        let shop = with_many_rows(server);
        let script = "psql -Xqc \"UPDATE many SET word = 'y'\" -c 'CREATE TABLE new_one (a int)'";
        let run = start(&shop, &["--report", "rows"], script);
        wait_for_log(&shop.workplace, "== What changed");
        run.0.signal(Signal::SIGTERM);
        let output = finish(&shop, run).assert_code(0);
        assert_eq!(output.json()["outcome"], "migrated", "{output}");
        assert_eq!(shop.database.sql("SELECT to_regclass('new_one') IS NOT NULL"), "t");
    }

    /// As the first process of a container: signals reach the child, orphans are reaped, and the rollback is done.
    fn p3_a_signal_to_the_first_process_of_a_container(server) {
        if !may_unshare() {
            eprintln!("NOT RUN: this machine lets nobody make a process namespace (unshare --pid)");
            return;
        }
        let (signal, code) = one(server);
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        // Twenty orphans, which the first process inherits; then the child says what it is a child of.
        let script = committing(
            "for i in $(seq 20); do (sleep 0.2 &); done; grep PPid /proc/self/status > parent; \
             trap 'sleep 0.5; touch heard; exit 3' INT TERM; touch ready; while true; do sleep 0.1; done");
        let call = shop.call().env("DATABASE_URL", shop.database.url_as("postgres"));
        let running = call
            .within(&["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
            .start(&["run", "--json", "--strategy", "rebuild", "--", "sh", "-c", &script]);
        shop.wait_for("ready");
        let first = only_child_of(running.id());
        let inside = std::fs::read_to_string(format!("/proc/{first}/status")).unwrap();
        assert!(inside.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")), "{inside}");
        kill(Pid::from_raw(first), signal).unwrap();
        shop.wait_for("heard");
        // Once the child is gone nothing of its family is left, as a zombie or otherwise.
        wait_until("the child's end", || children_of(first).iter().all(|child| !is_group_of_tool(*child)));
        let output = running.finish().assert_code(code);
        assert_eq!(output.json()["outcome"], "rolled-back", "{output}");
        shop.database.assert_is(&before);
    }
}

/// Nothing answers yet: the run waits, and ends at once when it is asked to.
#[test]
fn a_signal_while_the_server_is_waited_for() {
    let workplace = Workplace::new();
    for (signal, code) in BOTH {
        let url = format!("postgresql://app@127.0.0.1:{}/shop", closed_port());
        let call = Call::new(&workplace).env("DATABASE_URL", url);
        let running = call.start(&[
            "run",
            "--json",
            "--wait",
            "60s",
            "--log-file",
            "said",
            "--",
            "true",
        ]);
        wait_for_log(&workplace, "== Connect");
        std::thread::sleep(Duration::from_millis(300));
        let asked = Instant::now();
        running.signal(signal);
        let output = running.finish().assert_code(code);
        assert!(asked.elapsed() < Duration::from_secs(5), "{output}");
        assert_eq!(output.json()["exit_code"], code, "{output}");
        std::fs::remove_file(workplace.directory().join("said")).unwrap();
    }
}

fn may_unshare() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "--kill-child", "true"])
        .stderr(std::process::Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

fn children_of(process: i32) -> Vec<i32> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(
            text.split_whitespace()
                .map(|pid| pid.parse::<i32>().unwrap()),
        );
    }
    children
}

fn only_child_of(process: u32) -> i32 {
    let children = children_of(i32::try_from(process).unwrap());
    assert_eq!(children.len(), 1);
    children[0]
}

/// Whether it is a shell or a sleep of the migration, a zombie among them.
fn is_group_of_tool(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.contains("(sh)") || stat.contains("(sleep)")
}
