//! What a killed run left running: processes of the migration tool that lost their pgbelay, which would go on to their
//! next statement after the database was put back.
//!
//! They are known by the name that the run gave its tool's sessions, `PGAPPNAME`, in their environment: all that the tool
//! started has inherited it, whatever process group it moved to. Linux only; elsewhere only their sessions are ended.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long they may take to end by themselves once they were asked to.
const END_BY_THEMSELVES: Duration = Duration::from_secs(2);
/// After this what still is there cannot be ended by us.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ends every process of this machine whose sessions would be called `application`; says how many there were. Only for
/// whoever knows that the run of that name is dead.
pub async fn end_left(application: &str) -> usize {
    let marker = format!("PGAPPNAME={application}");
    let spared = own_family();
    let mut met = BTreeSet::new();
    let started = Instant::now();
    while started.elapsed() < GIVE_UP_AFTER {
        let found = marked(Path::new("/proc"), marker.as_bytes(), &spared);
        if found.is_empty() {
            break;
        }
        for process in found {
            let first = met.insert(process);
            let signal = match started.elapsed() < END_BY_THEMSELVES {
                true if first => Signal::SIGTERM,
                true => continue,
                false => Signal::SIGKILL,
            };
            // One that is gone, or another user's, is not ours to end.
            let _ = kill(Pid::from_raw(process), signal);
            let _ = kill(Pid::from_raw(process), Signal::SIGCONT);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    met.len()
}

/// Living processes with this variable in their environment.
fn marked(proc: &Path, marker: &[u8], spared: &BTreeSet<i32>) -> Vec<i32> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes
        .filter(|process| *process > 1 && !spared.contains(process))
        .filter(|process| {
            // Empty for one that has ended and waits to be reaped.
            let environment = std::fs::read(proc.join(process.to_string()).join("environ"));
            environment.is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|one| one == marker))
        })
        .collect()
}

/// Ourselves and whoever started us: a migration may call pgbelay.
fn own_family() -> BTreeSet<i32> {
    let mut family = BTreeSet::new();
    let mut process = Pid::this().as_raw();
    while process > 1 && family.insert(process) {
        process = parent_of(process).unwrap_or(0);
    }
    family
}

/// The fourth field of `stat`; the second one, the name, may hold spaces and parentheses.
fn parent_of(process: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whoever_has_the_very_name_is_marked() {
        let directory = tempfile::tempdir().unwrap();
        for (process, environment) in [
            ("100", &b"A=1\0PGAPPNAME=pgbelay x child\0B=2\0"[..]),
            ("101", b"PGAPPNAME=pgbelay x child more\0"),
            ("102", b"OLD_PGAPPNAME=pgbelay x child\0"),
            ("103", b"PGAPPNAME=pgbelay x child"),
            ("104", b""),
            ("self", b"PGAPPNAME=pgbelay x child"),
        ] {
            let folder = directory.path().join(process);
            crate::durable::ensure_directory(&folder).unwrap();
            crate::durable::write_whole(&folder.join("environ"), environment).unwrap();
        }
        let mut found = marked(
            directory.path(),
            b"PGAPPNAME=pgbelay x child",
            &[103].into(),
        );
        found.sort_unstable();
        assert_eq!(found, [100]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn we_are_of_our_own_family() {
        let family = own_family();
        assert!(family.contains(&Pid::this().as_raw()) && family.len() > 1);
    }
}
