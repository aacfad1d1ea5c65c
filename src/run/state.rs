//! The state machine of a run: a pure function, no I/O, no clock (design.md §6, docs/states.md).
//!
//! Invariants, held by tables and properties below: `Done` is only reached through `Verified`;
//! `Restored` and `Unchanged` only by an event that carries a proof; `InDoubt` is terminal; before
//! `Migrating` every way out leaves the database untouched. The driver does the I/O, reports what
//! happened as an [`Event`], and may do only what the state it gets back allows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing was looked at yet.
    Idle,
    /// Preflight found nothing that refuses.
    Checked,
    /// The advisory lock is ours.
    Locked,
    /// Writes of others are kept out (`--fence writes`).
    Fenced,
    /// A complete archive was written, synced, read back and checked.
    BackedUp,
    /// The archive was restored beside the database and proven equal (`--drill-first`).
    Drilled,
    /// The migration tool may be writing.
    Migrating,
    /// The tool ended well; whether the database did is not known yet.
    Migrated,
    /// Every check passed.
    Verified,
    /// The migration is in place; terminal.
    Done,
    /// Something failed after `Migrating`; the database is being judged and put back.
    RollingBack,
    /// The database was put back, and that is proven; terminal.
    Restored,
    /// Nothing was committed, and that is proven; terminal unless a retry follows.
    Unchanged,
    /// A rollback is needed but would discard writes of others; terminal.
    Withheld,
    /// Nobody can say without a person looking; terminal.
    InDoubt,
    /// The database is already where the migration leads; terminal.
    NothingToDo,
    /// Refused before anything was touched; terminal.
    Refused,
    /// The lock was not obtained in time; terminal.
    LockTimeout,
    /// No complete, checked archive could be made; terminal.
    BackupFailed,
    /// The archive did not pass its drill; terminal.
    DrillFailed,
    /// Asked to stop before the migration was started; terminal.
    Stopped,
}

impl State {
    /// Every state, for tables and documentation.
    pub const ALL: [Self; 21] = [
        Self::Idle,
        Self::Checked,
        Self::Locked,
        Self::Fenced,
        Self::BackedUp,
        Self::Drilled,
        Self::Migrating,
        Self::Migrated,
        Self::Verified,
        Self::Done,
        Self::RollingBack,
        Self::Restored,
        Self::Unchanged,
        Self::Withheld,
        Self::InDoubt,
        Self::NothingToDo,
        Self::Refused,
        Self::LockTimeout,
        Self::BackupFailed,
        Self::DrillFailed,
        Self::Stopped,
    ];

    /// Whether the run may end here.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::Restored
                | Self::Unchanged
                | Self::Withheld
                | Self::InDoubt
                | Self::NothingToDo
                | Self::Refused
                | Self::LockTimeout
                | Self::BackupFailed
                | Self::DrillFailed
                | Self::Stopped
        )
    }

    /// Whether the migration tool cannot have been started yet, so that stopping is harmless.
    pub fn is_before_migration(self) -> bool {
        matches!(
            self,
            Self::Idle
                | Self::Checked
                | Self::Locked
                | Self::Fenced
                | Self::BackedUp
                | Self::Drilled
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Checked => "checked",
            Self::Locked => "locked",
            Self::Fenced => "fenced",
            Self::BackedUp => "backed-up",
            Self::Drilled => "drilled",
            Self::Migrating => "migrating",
            Self::Migrated => "migrated",
            Self::Verified => "verified",
            Self::Done => "done",
            Self::RollingBack => "rolling-back",
            Self::Restored => "restored",
            Self::Unchanged => "unchanged",
            Self::Withheld => "withheld",
            Self::InDoubt => "in-doubt",
            Self::NothingToDo => "nothing-to-do",
            Self::Refused => "refused",
            Self::LockTimeout => "lock-timeout",
            Self::BackupFailed => "backup-failed",
            Self::DrillFailed => "drill-failed",
            Self::Stopped => "stopped",
        })
    }
}

/// What the driver saw or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// No finding of preflight refuses the run.
    PreflightPassed,
    /// Something refuses the run before anything is touched.
    Refuse,
    /// The database is already at the migration's heads.
    NothingPending,
    /// The advisory lock is ours, and pending was computed again.
    LockObtained,
    /// The bounded wait for the lock is over.
    LockNotObtained,
    /// Writes of others are kept out.
    FenceRaised,
    /// The archive is complete and was checked.
    BackupChecked,
    /// There is no complete, checked archive.
    BackupFailed,
    /// The archive was restored and is what it says.
    DrillPassed,
    /// The archive is not proven, for whatever reason.
    DrillFailed,
    /// Somebody asked to stop.
    StopRequested,
    /// The intent to start the tool is in the journal and synced.
    MigrationIntended,
    /// The tool exited with 0.
    ToolSucceeded,
    /// The tool failed, was killed, timed out, or could not be started.
    ToolFailed,
    /// Every check passed.
    ChecksPassed,
    /// A check failed, or the checks could not be made.
    ChecksFailed,
    /// The success is in the journal and synced.
    Completed,
    /// Evidence shows that nothing was committed since the backup.
    ProvenUnchanged,
    /// The rollback committed after its state was compared with the archive and found equal.
    ProvenRestored,
    /// A rollback would discard writes of others, and nobody allowed that.
    OtherWritersSeen,
    /// The rollback failed, or could not be proven.
    RollbackFailed,
    /// The same migration is started again: nothing was committed and the failure may pass.
    Retry,
}

impl Event {
    /// Every event, for tables and documentation.
    pub const ALL: [Self; 22] = [
        Self::PreflightPassed,
        Self::Refuse,
        Self::NothingPending,
        Self::LockObtained,
        Self::LockNotObtained,
        Self::FenceRaised,
        Self::BackupChecked,
        Self::BackupFailed,
        Self::DrillPassed,
        Self::DrillFailed,
        Self::StopRequested,
        Self::MigrationIntended,
        Self::ToolSucceeded,
        Self::ToolFailed,
        Self::ChecksPassed,
        Self::ChecksFailed,
        Self::Completed,
        Self::ProvenUnchanged,
        Self::ProvenRestored,
        Self::OtherWritersSeen,
        Self::RollbackFailed,
        Self::Retry,
    ];
}

/// An event that the state does not allow: a defect of the driver, never of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} is not allowed in the state {state}")]
pub struct NotAllowed {
    /// Where the run stood.
    pub state: State,
    /// What was reported.
    pub event: Event,
}

/// The transition function: the next state, or the refusal of an event out of order.
pub fn next(state: State, event: Event) -> Result<State, NotAllowed> {
    use Event as E;
    use State as S;
    let to = match (state, event) {
        (S::Idle, E::PreflightPassed) => S::Checked,
        (S::Checked, E::LockObtained) => S::Locked,
        (S::Checked, E::LockNotObtained) => S::LockTimeout,
        (S::Locked, E::FenceRaised) => S::Fenced,
        (S::Locked | S::Fenced, E::BackupChecked) => S::BackedUp,
        (S::Locked | S::Fenced, E::BackupFailed) => S::BackupFailed,
        // Pending is asked before the lock, and again once the lock is ours.
        (S::Idle | S::Checked | S::Locked, E::NothingPending) => S::NothingToDo,
        (S::BackedUp, E::DrillPassed) => S::Drilled,
        (S::BackedUp, E::DrillFailed) => S::DrillFailed,
        (S::BackedUp | S::Drilled, E::MigrationIntended) => S::Migrating,
        // Everything that leaves before `Migrating` leaves an untouched database.
        (from, E::Refuse) if from.is_before_migration() => S::Refused,
        (from, E::StopRequested) if from.is_before_migration() => S::Stopped,
        (S::Migrating, E::ToolSucceeded) => S::Migrated,
        (S::Migrating, E::ToolFailed) => S::RollingBack,
        // Stopping now means ending the tool, judging the database and putting it back.
        (S::Migrating | S::Migrated, E::StopRequested) => S::RollingBack,
        (S::Migrated, E::ChecksPassed) => S::Verified,
        (S::Migrated, E::ChecksFailed) => S::RollingBack,
        (S::Verified, E::Completed) => S::Done,
        (S::RollingBack, E::ProvenUnchanged) => S::Unchanged,
        (S::RollingBack, E::ProvenRestored) => S::Restored,
        (S::RollingBack, E::OtherWritersSeen) => S::Withheld,
        (S::RollingBack, E::RollbackFailed) => S::InDoubt,
        // The archive is still the database's content, so no second backup is needed.
        (S::Unchanged, E::Retry) => S::BackedUp,
        (state, event) => return Err(NotAllowed { state, event }),
    };
    Ok(to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every allowed transition. A transition that is not listed here must be refused.
    const ALLOWED: &[(State, Event, State)] = &[
        (State::Idle, Event::PreflightPassed, State::Checked),
        (State::Idle, Event::Refuse, State::Refused),
        (State::Idle, Event::StopRequested, State::Stopped),
        (State::Idle, Event::NothingPending, State::NothingToDo),
        (State::Checked, Event::LockObtained, State::Locked),
        (State::Checked, Event::LockNotObtained, State::LockTimeout),
        (State::Checked, Event::NothingPending, State::NothingToDo),
        (State::Checked, Event::Refuse, State::Refused),
        (State::Checked, Event::StopRequested, State::Stopped),
        (State::Locked, Event::FenceRaised, State::Fenced),
        (State::Locked, Event::NothingPending, State::NothingToDo),
        (State::Locked, Event::BackupChecked, State::BackedUp),
        (State::Locked, Event::BackupFailed, State::BackupFailed),
        (State::Locked, Event::Refuse, State::Refused),
        (State::Locked, Event::StopRequested, State::Stopped),
        (State::Fenced, Event::BackupChecked, State::BackedUp),
        (State::Fenced, Event::BackupFailed, State::BackupFailed),
        (State::Fenced, Event::Refuse, State::Refused),
        (State::Fenced, Event::StopRequested, State::Stopped),
        (State::BackedUp, Event::MigrationIntended, State::Migrating),
        (State::BackedUp, Event::DrillPassed, State::Drilled),
        (State::BackedUp, Event::DrillFailed, State::DrillFailed),
        (State::Drilled, Event::MigrationIntended, State::Migrating),
        (State::Drilled, Event::Refuse, State::Refused),
        (State::Drilled, Event::StopRequested, State::Stopped),
        (State::BackedUp, Event::Refuse, State::Refused),
        (State::BackedUp, Event::StopRequested, State::Stopped),
        (State::Migrating, Event::ToolSucceeded, State::Migrated),
        (State::Migrating, Event::ToolFailed, State::RollingBack),
        (State::Migrating, Event::StopRequested, State::RollingBack),
        (State::Migrated, Event::ChecksPassed, State::Verified),
        (State::Migrated, Event::ChecksFailed, State::RollingBack),
        (State::Migrated, Event::StopRequested, State::RollingBack),
        (State::Verified, Event::Completed, State::Done),
        (State::RollingBack, Event::ProvenUnchanged, State::Unchanged),
        (State::RollingBack, Event::ProvenRestored, State::Restored),
        (State::RollingBack, Event::OtherWritersSeen, State::Withheld),
        (State::RollingBack, Event::RollbackFailed, State::InDoubt),
        (State::Unchanged, Event::Retry, State::BackedUp),
    ];

    #[test]
    fn every_pair_is_as_the_table_says() {
        for state in State::ALL {
            for event in Event::ALL {
                let expected = ALLOWED
                    .iter()
                    .find(|(from, by, _)| (*from, *by) == (state, event))
                    .map(|(_, _, to)| *to)
                    .ok_or(NotAllowed { state, event });
                assert_eq!(next(state, event), expected, "{state} + {event:?}");
            }
        }
    }

    #[test]
    fn final_states_are_left_by_nothing_but_a_retry() {
        for state in State::ALL.into_iter().filter(|state| state.is_final()) {
            for event in Event::ALL {
                let left = next(state, event).is_ok();
                let retry = (state, event) == (State::Unchanged, Event::Retry);
                assert_eq!(left, retry, "{state} + {event:?}");
            }
        }
    }

    #[test]
    fn every_state_that_is_not_final_can_reach_a_final_one() {
        for start in State::ALL {
            let mut seen = vec![start];
            let mut at = 0;
            while let Some(state) = seen.get(at).copied() {
                at += 1;
                for event in Event::ALL {
                    if let Ok(to) = next(state, event)
                        && !seen.contains(&to)
                    {
                        seen.push(to);
                    }
                }
            }
            assert!(seen.into_iter().any(State::is_final), "{start}");
        }
    }

    #[test]
    fn display_and_serde_agree() {
        for state in State::ALL {
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{state}\""));
        }
    }

    /// Feeds events, ignoring those that are refused, and returns the states passed through with
    /// the event that led there.
    fn walk(events: &[Event]) -> Vec<(Option<Event>, State)> {
        let mut path = vec![(None, State::Idle)];
        let mut state = State::Idle;
        for event in events {
            if let Ok(to) = next(state, *event) {
                state = to;
                path.push((Some(*event), to));
            }
        }
        path
    }

    fn index(path: &[(Option<Event>, State)], state: State) -> Option<usize> {
        path.iter().position(|(_, at)| *at == state)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn p8_no_path_reaches_an_end_without_its_evidence(
            events in proptest::collection::vec(proptest::sample::select(Event::ALL.to_vec()), 0..400)
        ) {
            let path = walk(&events);
            for (position, (event, state)) in path.iter().enumerate() {
                let before = path.get(position.wrapping_sub(1)).map(|(_, state)| *state);
                match state {
                    State::Done => prop_assert_eq!(before, Some(State::Verified)),
                    State::Verified => prop_assert_eq!(*event, Some(Event::ChecksPassed)),
                    State::Restored => prop_assert_eq!(*event, Some(Event::ProvenRestored)),
                    State::Unchanged => prop_assert_eq!(*event, Some(Event::ProvenUnchanged)),
                    State::InDoubt => prop_assert_eq!(position + 1, path.len()),
                    _ => {}
                }
            }
        }

        #[test]
        fn p1_no_path_migrates_without_a_checked_archive(
            events in proptest::collection::vec(proptest::sample::select(Event::ALL.to_vec()), 0..400)
        ) {
            let path = walk(&events);
            if let Some(migrating) = index(&path, State::Migrating) {
                let backed_up = index(&path, State::BackedUp);
                prop_assert!(backed_up.is_some_and(|backed_up| backed_up < migrating));
                let checked = path.iter().any(|(event, _)| *event == Some(Event::BackupChecked));
                prop_assert!(checked);
            }
        }
    }
}
