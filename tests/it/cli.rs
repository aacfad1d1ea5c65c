//! What every command has in common: streams, masks, log file, signals, the final object.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Call, MARKER_IN_URL, Workplace, closed_port};

/// A URL with the marker password of a server that is not there.
fn nowhere() -> String {
    format!(
        "postgresql://app:{MARKER_IN_URL}@127.0.0.1:{}/shop",
        closed_port()
    )
}

#[test]
fn a_command_that_reads_makes_nothing() {
    let workplace = Workplace::new();
    let output = Call::new(&workplace).run(&["list"]).assert_code(0);
    assert!(output.stdout.is_empty(), "{output}");
    assert!(!workplace.store().exists(), "list made the store");
    Call::new(&workplace)
        .env("DATABASE_URL", nowhere())
        .run(&["doctor"])
        .assert_code(3);
    assert!(!workplace.store().exists(), "doctor made the store");
}

#[test]
fn a_store_that_is_a_file_is_no_empty_store() {
    let workplace = Workplace::new();
    workplace.write("file", "");
    let output = Call::new(&workplace).run(&["list", "--store", "file"]);
    output.assert_code(3).assert_says("it is not a directory");
}

#[test]
fn doctor_counts_the_files_that_a_run_would_run() {
    let workplace = Workplace::new();
    workplace.write("steps/0001_up.sql", "CREATE TABLE t (a integer);");
    workplace.write("steps/0001_up.down.sql", "DROP TABLE t;");
    let doctor = |say: &str| {
        let call = Call::new(&workplace).env("DATABASE_URL", nowhere());
        call.run(&["doctor", "--sql", "steps", "--json"])
            .assert_code(3)
            .assert_says(say)
            .json()
    };
    assert_eq!(doctor("nothing listens")["migration"]["files"], "1");
    workplace.write("steps/0001_up.sql.sql", "SELECT 1;");
    workplace.write("steps/0001_up.sql", "\\connect other\n");
    doctor("0001_up.sql");
}

#[test]
fn doctor_prints_all_it_can_without_a_server() {
    let workplace = Workplace::with_migrations();
    let call = Call::new(&workplace).env("DATABASE_URL", nowhere());
    let output = call.run(&["doctor", "--json"]).assert_code(3);
    let report = output.json();
    assert_eq!(report["outcome"], "refused", "{output}");
    assert_eq!(
        report["refused"].as_array().map(Vec::len),
        Some(1),
        "{output}"
    );
    assert_eq!(report["migration"]["heads"], "add_sqs_metadata", "{output}");
    let hints = report["hints"].as_array().map_or(0, Vec::len);
    assert!((1..=7).contains(&hints), "{output}");
    output
        .assert_says("from DATABASE_URL")
        .assert_says("alembic.ini")
        .assert_says("nothing listens");
}

#[test]
fn a_password_on_the_command_line_is_warned_about_and_masked() {
    let workplace = Workplace::new();
    let url = nowhere();
    let call = Call::new(&workplace);
    let output = call.run(&["backup", "--wait", "0s", "--database-url", &url]);
    output
        .assert_code(3)
        .assert_says("process list")
        .assert_says("app:***@");
}

#[test]
fn wrong_usage_ends_with_2_on_stderr() {
    let workplace = Workplace::new();
    for arguments in [
        &["frobnicate"][..],
        &["run", "--timeout", "soon"],
        &["stamp"],
    ] {
        let output = Call::new(&workplace).run(arguments).assert_code(2);
        assert!(output.stdout.is_empty(), "{output}");
        assert!(!output.stderr.is_empty(), "{output}");
    }
}

#[test]
fn an_empty_variable_is_not_set_and_a_wrong_one_is_named() {
    let workplace = Workplace::new();
    let call = || Call::new(&workplace).env("DATABASE_URL", nowhere());
    let run = ["run", "--wait", "0s", "--", "true"];
    let names = ["TIMEOUT", "EXPECT", "RETRIES", "JOBS", "JSON", "STRATEGY"];
    let empty = names.iter().fold(call(), |call, name| {
        call.env(&format!("PGBELAY_{name}"), "")
    });
    let output = empty.run(&run).assert_code(3);
    assert!(output.stdout.is_empty(), "{output}");
    for (name, value) in [
        ("PGBELAY_TIMEOUT", "soon"),
        ("PGBELAY_JSON", "maybe"),
        ("PGBELAY_JOBS", "100"),
        ("PGBELAY_STRATEGY", "best"),
    ] {
        let output = call().env(name, value).run(&run).assert_code(2);
        output.assert_says(&format!("the value is that of the variable {name}"));
    }
    let typed = ["run", "--timeout", "soon", "--", "true"];
    let output = call().env("PGBELAY_TIMEOUT", "soon").run(&typed);
    assert!(!output.assert_code(2).stderr.contains("variable"));
    let json = call().env("PGBELAY_JSON", "yes").run(&run).assert_code(3);
    assert_eq!(json.json()["exit_code"], 3);
}

#[test]
fn every_failure_has_its_final_object() {
    let workplace = Workplace::new();
    let output = Call::new(&workplace)
        .run(&["check", "no-such-file", "--json"])
        .assert_code(3);
    let object = output.json();
    assert_eq!(output.stdout.lines().count(), 1, "{output}");
    for member in [
        "version",
        "command",
        "run",
        "outcome",
        "exit_code",
        "seconds",
        "error",
    ] {
        assert!(!object[member].is_null(), "{member} is missing\n{output}");
    }
}

#[test]
fn the_log_file_is_a_private_copy() {
    let workplace = Workplace::new();
    let call = Call::new(&workplace).env("DATABASE_URL", nowhere());
    let arguments = [
        "backup",
        "--wait",
        "0s",
        "--log-file",
        "pgbelay.log",
        "--quiet",
    ];
    let output = call.run(&arguments).assert_code(3);
    let path = workplace.directory().join("pgbelay.log");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains("== Connect"), "{log}");
    assert!(
        !output.stderr.contains("== Connect"),
        "quiet was not\n{output}"
    );
    assert!(log.trim_end().ends_with("Exit 3."), "{log}");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let workplace = Workplace::new();
    let plain = Call::new(&workplace).run(&["check", "x"]);
    assert!(!plain.stderr.contains('\u{1b}'), "{plain}");
    let coloured = Call::new(&workplace).run(&["check", "x", "--color", "always"]);
    assert!(coloured.stderr.contains('\u{1b}'), "{coloured}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgbelay"))
        .arg("man")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_signal_while_waiting_for_the_server_ends_at_once() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let workplace = Workplace::new();
        let call = Call::new(&workplace).env("DATABASE_URL", nowhere());
        let started = Instant::now();
        let running = call.start(&["backup", "--wait", "60s", "--json"]);
        std::thread::sleep(Duration::from_millis(700));
        running.signal(signal);
        let output = running.finish().assert_code(code);
        assert!(started.elapsed() < Duration::from_secs(15), "{output}");
        assert_eq!(output.json()["exit_code"], code, "{output}");
    }
}
