//! The child's process group: signalled as one, gone as one.
//!
//! A group id is not reused while a member lives, and an empty group answers ESRCH; so signals
//! reach our child's family only. Dropping the guard kills what is left.

use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::{Error, Result};

/// How often a group that was asked to end is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The process group that a child leads.
#[derive(Debug)]
pub(super) struct Group {
    id: Option<Pid>,
}

impl Group {
    /// The group of the just spawned leader with this process id.
    pub(super) fn led_by(process: Option<u32>, what: &str) -> Result<Self> {
        let id = process.and_then(|id| i32::try_from(id).ok());
        match id {
            // 0 and 1 would address our own group or everybody.
            Some(id) if id > 1 => Ok(Self {
                id: Some(Pid::from_raw(id)),
            }),
            _ => Err(Error::operation(format!("start {what}"))
                .because("it ended before it had a process id")),
        }
    }

    /// Sends `signal` to every member; a stopped member is continued so that it can end.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // ESRCH: the group is gone, which is what was wanted.
            let _ = killpg(id, signal);
            let _ = killpg(id, Signal::SIGCONT);
        }
    }

    /// Kills every member.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Ends what the leader, already waited for, left behind: SIGTERM, then SIGKILL.
    pub(super) async fn clear(&mut self, grace: Duration) {
        if !self.has_members() {
            self.id = None;
            return;
        }
        self.signal(Signal::SIGTERM);
        let deadline = tokio::time::Instant::now() + grace;
        while self.has_members() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.kill();
        self.id = None;
    }

    fn has_members(&self) -> bool {
        self.reap();
        self.id.is_some_and(|id| killpg(id, None).is_ok())
    }

    /// As a container's first process we inherit the orphans of the group; elsewhere there is
    /// nothing to wait for. Called only after the leader was waited for.
    fn reap(&self) {
        let Some(id) = self.id else { return };
        let members = Pid::from_raw(-id.as_raw());
        while let Ok(status) = waitpid(members, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                return;
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
