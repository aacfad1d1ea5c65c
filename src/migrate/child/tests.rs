//! Real children: `sh` is everywhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::{Arc, Mutex};

use super::*;
use crate::context::{Monitor, SessionCount, Stop, StopSender, SystemClock};
use crate::error::Kind;

#[derive(Default)]
struct Recorded(Mutex<Vec<(bool, String)>>);

impl Monitor for Recorded {
    fn event(&self, event: Event) {
        if let Event::ChildLine { stderr, line } = event {
            self.0.lock().unwrap().push((stderr, line));
        }
    }
}

fn context() -> (Context, StopSender, Arc<Recorded>) {
    let (sender, stop) = Stop::channel();
    let recorded = Arc::new(Recorded::default());
    let path = "/usr/local/bin:/usr/bin:/bin".to_owned();
    let context = Context {
        clock: Arc::new(SystemClock),
        monitor: Arc::clone(&recorded) as Arc<dyn Monitor>,
        stop,
        run_id: "test0000".to_owned(),
        sessions: SessionCount::default(),
        environment: Arc::new(Environment {
            variables: BTreeMap::from([("PATH".to_owned(), path)]),
            foreign: BTreeMap::from([("BYTES".into(), OsString::from_vec(b"caf\xe9".to_vec()))]),
            working_directory: PathBuf::from("/"),
            home: None,
        }),
    };
    (context, sender, recorded)
}

fn shell(script: &str) -> ChildSpec {
    ChildSpec {
        argv: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        environment: Vec::new(),
        without: &[],
        working_directory: PathBuf::from("/"),
        timeout: Duration::from_secs(30),
        grace: Duration::from_millis(300),
        secrets: Vec::new(),
        log: None,
    }
}

fn is_alive(process: &str) -> bool {
    let id = nix::unistd::Pid::from_raw(process.trim().parse().unwrap());
    nix::sys::signal::kill(id, None).is_ok()
}

async fn gone(process: &str) -> bool {
    for _ in 0..100 {
        // A killed orphan stays visible until the system's first process has reaped it.
        if !is_alive(process) || is_zombie(process) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

fn is_zombie(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", process.trim()))
        .is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn lines_environment_log_and_mask() {
    let (ctx, _sender, recorded) = context();
    let folder = tempfile::tempdir().unwrap();
    let mut spec = shell("echo \"url $DATABASE_URL\"; echo oops >&2; cat; exit 3");
    spec.environment = vec![(
        "DATABASE_URL".to_owned(),
        Secret::new("postgresql://a:s3cret@h/d"),
    )];
    spec.secrets = vec![Secret::new("s3cret")];
    spec.log = Some(folder.path().join("run.log"));
    let report = run(&ctx, &spec).await.unwrap();
    assert_eq!(report.ended, Ended::Exited(3));
    assert_eq!(report.last_lines, ["oops"]);
    let lines = recorded.0.lock().unwrap().clone();
    assert!(lines.contains(&(false, "url postgresql://a:***@h/d".to_owned())));
    assert!(lines.contains(&(true, "oops".to_owned())));
    let log = std::fs::read_to_string(folder.path().join("run.log")).unwrap();
    assert!(log.contains("| oops") && log.contains(":***@") && !log.contains("s3cret"));
}

#[tokio::test]
async fn what_is_not_utf_8_arrives_as_it_was() {
    let (ctx, _sender, recorded) = context();
    let script = "printf %s \"$BYTES\" | od -An -tx1";
    run(&ctx, &shell(script)).await.unwrap();
    let lines = recorded.0.lock().unwrap().clone();
    assert_eq!(lines.first().unwrap().1.trim(), "63 61 66 e9");
}

#[tokio::test]
async fn time_is_bounded_and_the_group_dies() {
    let (ctx, _sender, recorded) = context();
    let mut spec = shell("trap '' TERM; sleep 60 & echo $!; sleep 60; sleep 60");
    spec.timeout = Duration::from_millis(200);
    let report = run(&ctx, &spec).await.unwrap();
    assert_eq!(report.ended, Ended::TimedOut);
    assert!(report.elapsed < Duration::from_secs(5));
    let grandchild = recorded.0.lock().unwrap().first().unwrap().1.clone();
    assert!(gone(&grandchild).await);
}

#[tokio::test]
async fn a_signal_is_passed_on() {
    let (ctx, sender, recorded) = context();
    // Not SIGINT: it is ignored where the tests run in the background, and no shell can trap a
    // signal that was ignored when it started.
    let mut spec = shell("sleep 60 & trap 'echo got it; exit 9' TERM; echo ready; wait");
    spec.grace = Duration::from_secs(10);
    let raise = async {
        while recorded.0.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sender.raise(15);
    };
    let (report, ()) = tokio::join!(run(&ctx, &spec), raise);
    assert_eq!(report.unwrap().ended, Ended::Interrupted(15));
    let last = recorded.0.lock().unwrap().last().unwrap().1.clone();
    assert_eq!(last, "got it");
}

#[tokio::test]
async fn what_the_leader_leaves_behind_is_ended() {
    let (ctx, _sender, recorded) = context();
    let report = run(&ctx, &shell("sleep 60 & echo $!")).await.unwrap();
    assert_eq!(report.ended, Ended::Exited(0));
    assert!(report.elapsed < Duration::from_secs(5));
    let grandchild = recorded.0.lock().unwrap().first().unwrap().1.clone();
    assert!(gone(&grandchild).await);
}

#[tokio::test]
async fn dropping_the_future_kills_the_group() {
    let (ctx, _sender, recorded) = context();
    let spec = shell("sleep 60 & echo $!; wait");
    let cut = tokio::time::timeout(Duration::from_millis(300), run(&ctx, &spec)).await;
    assert!(cut.is_err());
    let grandchild = recorded.0.lock().unwrap().first().unwrap().1.clone();
    assert!(gone(&grandchild).await);
}

#[test]
fn a_shown_command_can_be_typed_again() {
    let shown = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        super::shown(&words)
    };
    assert_eq!(shown(&["alembic", "-x", "a=b"]), "alembic -x a=b");
    assert_eq!(
        shown(&["sh", "-c", "psql -c \"alter\" && false", ""]),
        "sh -c 'psql -c \"alter\" && false' ''"
    );
    assert_eq!(shown(&["echo", "it's", "a;b"]), "echo 'it'\\''s' 'a;b'");
}

#[tokio::test]
async fn whoever_is_stopped_by_hand_is_left_alone() {
    let (ctx, _sender, _recorded) = context();
    let script = "(sleep 1; kill -CONT $$) & kill -STOP $$; exit 5";
    let report = run(&ctx, &shell(script)).await.unwrap();
    assert_eq!(report.ended, Ended::Exited(5));
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn whoever_wants_the_terminal_is_ended() {
    let (ctx, _sender, _recorded) = context();
    let report = run(&ctx, &shell("kill -TTIN $$; exit 5")).await.unwrap();
    assert_eq!(report.ended, Ended::WantsTerminal);
    assert!(report.elapsed < Duration::from_secs(10));
    assert!(report.explanation.unwrap().contains("PGPASSFILE"));
}

#[tokio::test]
async fn a_missing_command_is_refused() {
    let (ctx, _sender, _recorded) = context();
    let mut spec = shell("");
    spec.argv = vec!["no-such-tool".to_owned()];
    let error = run(&ctx, &spec).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains("PATH searched: /usr/local/bin"));
    spec.argv = vec!["/etc/passwd".to_owned()];
    let error = run(&ctx, &spec).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains("may not be executed"));
}

#[tokio::test]
async fn a_wish_to_stop_starts_nothing() {
    let (ctx, sender, _recorded) = context();
    sender.raise(15);
    let error = run(&ctx, &shell("exit 0")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted(15));
}

#[tokio::test]
async fn captures_both_streams_and_bounds_the_time() {
    let (ctx, _sender, _recorded) = context();
    let script = shell("echo a; echo b >&2; exit 4").argv;
    let limit = Duration::from_secs(10);
    let captured = capture(&ctx, &script, &[], Path::new("/"), limit)
        .await
        .unwrap();
    assert_eq!((captured.code, captured.stdout.as_str()), (Some(4), "a\n"));
    assert_eq!(captured.stderr, "b\n");
    let slow = shell("sleep 60").argv;
    let late = capture(&ctx, &slow, &[], Path::new("/"), Duration::from_millis(100)).await;
    assert!(late.unwrap_err().to_string().contains("no answer within"));
}
