//! A child that waits for a person: it leads a group in the background of our terminal, and the system stops such a
//! group with SIGTTIN or SIGTTOU when it wants the terminal. Nobody continues it; it would wait until its time is up.

use std::time::Duration;

/// How often the child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Returns once this process was stopped because it wants the terminal; whoever stopped it by hand (SIGSTOP) means to
/// continue it. Linux only; elsewhere it never returns.
pub(super) async fn wanted_by(process: Option<u32>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if process.is_some_and(is_stopped_for_it) {
            return;
        }
    }
}

/// Looks without taking the news away from whoever waits for the child's end.
#[cfg(target_os = "linux")]
fn is_stopped_for_it(process: u32) -> bool {
    use nix::sys::signal::Signal;
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    let Ok(process) = i32::try_from(process) else {
        return false;
    };
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let id = Id::Pid(nix::unistd::Pid::from_raw(process));
    matches!(
        waitid(id, flags),
        Ok(WaitStatus::Stopped(_, Signal::SIGTTIN | Signal::SIGTTOU))
    )
}

#[cfg(not(target_os = "linux"))]
fn is_stopped_for_it(_process: u32) -> bool {
    false
}
