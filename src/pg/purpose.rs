//! What our own connections are for, as `application_name` says it: `pgbelay RUN PURPOSE`.
//!
//! People read it in `pg_stat_activity`, and so do we: other replicas wait for the lock while a run
//! looks for writers, and their sessions must not be taken for some.

use std::fmt;

/// What a connection is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reads what is backed up, and holds its snapshot.
    Backup,
    /// Looks who holds what the migration waits for.
    Blockers,
    /// Runs the SQL files of a migration.
    Child,
    /// Removes what a restore that failed left.
    Cleanup,
    /// The first connection of a command, while it waits for the server.
    Connect,
    /// Looks at the server for `doctor`.
    Doctor,
    /// Makes, restores and drops a scratch database.
    Drill,
    /// Reads what is recorded beside a run: version tables, counters, positions.
    Facts,
    /// Holds the advisory lock.
    Lock,
    /// Looks at the cluster beyond this database.
    Outside,
    /// Looks what a rollback would do.
    Plan,
    /// Asks whether a pooler is in between.
    PoolerCheck,
    /// Reads what must be as it was.
    Proof,
    /// Ends what a dead run left.
    Recover,
    /// Reads what a migration did.
    Report,
    /// Restores an archive.
    Restore,
    /// Restores beside others.
    RestoreWorker,
    /// Puts the database back.
    Rollback,
    /// Writes the version table.
    Stamp,
    /// Renames databases.
    Swap,
    /// Runs the checks after a migration.
    Verify,
    /// Sees what a snapshot hides.
    Witness,
    /// Reads a part of a backup.
    Worker,
}

impl Purpose {
    const ALL: [Self; 23] = [
        Self::Backup,
        Self::Blockers,
        Self::Child,
        Self::Cleanup,
        Self::Connect,
        Self::Doctor,
        Self::Drill,
        Self::Facts,
        Self::Lock,
        Self::Outside,
        Self::Plan,
        Self::PoolerCheck,
        Self::Proof,
        Self::Recover,
        Self::Report,
        Self::Restore,
        Self::RestoreWorker,
        Self::Rollback,
        Self::Stamp,
        Self::Swap,
        Self::Verify,
        Self::Witness,
        Self::Worker,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Blockers => "blockers",
            Self::Child => "child",
            Self::Cleanup => "cleanup",
            Self::Connect => "connect",
            Self::Doctor => "doctor",
            Self::Drill => "drill",
            Self::Facts => "facts",
            Self::Lock => "lock",
            Self::Outside => "outside",
            Self::Plan => "plan",
            Self::PoolerCheck => "pooler check",
            Self::Proof => "proof",
            Self::Recover => "recover",
            Self::Report => "report",
            Self::Restore => "restore",
            Self::RestoreWorker => "restore worker",
            Self::Rollback => "rollback",
            Self::Stamp => "stamp",
            Self::Swap => "swap",
            Self::Verify => "verify",
            Self::Witness => "witness",
            Self::Worker => "worker",
        }
    }

    /// Whether connections of this purpose may write user data.
    fn writes(self) -> bool {
        match self {
            Self::Child
            | Self::Cleanup
            | Self::Drill
            | Self::Recover
            | Self::Restore
            | Self::RestoreWorker
            | Self::Rollback
            | Self::Stamp
            | Self::Swap => true,
            Self::Backup
            | Self::Blockers
            | Self::Connect
            | Self::Doctor
            | Self::Facts
            | Self::Lock
            | Self::Outside
            | Self::Plan
            | Self::PoolerCheck
            | Self::Proof
            | Self::Report
            | Self::Verify
            | Self::Witness
            | Self::Worker => false,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Run and purpose of a session that is named as ours are.
fn own_name(application: &str) -> Option<(&str, &str)> {
    let rest = application.strip_prefix("pgbelay ")?;
    Some(rest.split_once(' ').unwrap_or((rest, "")))
}

/// Whether a session of this name is one of pgbelay's own that never write user data.
pub fn is_harmless(application: &str) -> bool {
    own_name(application)
        .and_then(|(_, purpose)| Purpose::of_name(purpose))
        .is_some_and(|purpose| !purpose.writes())
}

/// Whether a session of this name belongs to this run.
pub fn is_of_run(application: &str, run_id: &str) -> bool {
    own_name(application).is_some_and(|(run, _)| run == run_id)
}

/// Whether a session of this name belongs to this run or writes no user data.
pub fn is_ours(application: &str, run_id: &str) -> bool {
    is_of_run(application, run_id) || is_harmless(application)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_replica_writes_nothing_and_a_restore_does() {
        assert!(is_ours("pgbelay a1 restore", "a1") && is_ours("pgbelay b2 lock", "a1"));
        assert!(is_harmless("pgbelay b2 pooler check"));
        for other in [
            "pgbelay b2 restore",
            "pgbelay b2 restore worker",
            "pgbelay b2 child",
            "pgbelay b2 of another build",
            "pgbelay",
            "shop",
            "",
        ] {
            assert!(!is_ours(other, "a1"), "{other}");
        }
    }

    #[test]
    fn each_purpose_is_read_back_by_its_name() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::of_name(&purpose.to_string()), Some(purpose));
        }
    }
}
