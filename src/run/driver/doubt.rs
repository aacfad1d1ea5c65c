//! A failed migration that was not put back for certain: how far putting it back had come decides whether the next start
//! judges the database again, and what a person reads as the next step.
//!
//! A run and a recovery ask the same type, so that the journal, the exit and the words never disagree.

use std::path::Path;

use crate::error::{Error, Kind};
use crate::rollback::Rung;
use crate::run::blockers;

/// How far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing was tried: the state could not be read.
    NotBegun,
    /// A lock was waited for in vain. Nothing was changed.
    Locked,
    /// The connection was lost, or nobody was let in; what had been begun may have taken effect.
    BrokenOff,
    /// There is nothing to put back from: the archive cannot be read. Nothing was changed.
    NoArchive,
    /// It was tried and failed, or could not be proven.
    Failed,
}

impl Doubt {
    /// Of an error before anything was tried.
    pub fn before_it_began(error: &Error) -> Self {
        if is_away(error) {
            return Self::BrokenOff;
        }
        match error.kind() == Kind::LockTimeout || is_locked(error) {
            true => Self::Locked,
            false => Self::NotBegun,
        }
    }

    /// Of an error of the rollback itself.
    pub fn of_rollback(error: &Error, rung: Rung) -> Self {
        if is_away(error) {
            return Self::BrokenOff;
        }
        // A transaction that waited for a lock in vain changed nothing. A swap is no transaction.
        match rung != Rung::Swap && is_locked(error) {
            true => Self::Locked,
            false => Self::Failed,
        }
    }

    /// Whether the journal stays open, so that the next start judges again, as after a crash. Otherwise a person has to look.
    pub fn stays_open(self) -> bool {
        self != Self::Failed
    }

    /// Whether the database is, for certain, as the migration left it, so that what others write from now on can be told.
    pub fn leaves_it_as_it_was(self) -> bool {
        matches!(self, Self::NotBegun | Self::Locked | Self::NoArchive)
    }

    /// What a person does now, the first line first.
    pub fn next_steps(self, archive: &Path) -> Vec<String> {
        let archive = archive.display();
        match self {
            Self::NotBegun => vec!["when that is put right: pgbelay recover".to_owned()],
            Self::Locked => vec![
                "when the lock is free (a run that holds it judges the database itself): pgbelay recover"
                    .to_owned(),
            ],
            // A swap may have left the database closed: then only the recovery gets in.
            Self::BrokenOff => {
                vec!["when the server can be reached again: pgbelay recover".to_owned()]
            }
            Self::NoArchive => vec![
                format!("bring a copy of the archive back as {archive}, then: pgbelay recover"),
                "or take an older one: pgbelay list, pgbelay check ARCHIVE, pgbelay rollback ARCHIVE"
                    .to_owned(),
                "if a person has put it right: pgbelay run --force".to_owned(),
            ],
            Self::Failed => vec![format!(
                "look at the database, then put it back: pgbelay rollback {archive}"
            )],
        }
    }
}

/// A session that was to prove what had been put back may find no free connection, too.
fn is_away(error: &Error) -> bool {
    error.is_loss_of_connection() || error.is_no_entry()
}

fn is_locked(error: &Error) -> bool {
    error.sqlstate() == Some(blockers::LOCK_NOT_AVAILABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_state(code: &str) -> Error {
        Error::operation("put it back").with_sqlstate(code)
    }

    #[test]
    fn only_what_was_tried_and_failed_is_left_to_a_person() {
        let locked = with_state("55P03");
        assert_eq!(Doubt::of_rollback(&locked, Rung::Repair), Doubt::Locked);
        assert_eq!(Doubt::of_rollback(&locked, Rung::Swap), Doubt::Failed);
        assert_eq!(Doubt::before_it_began(&locked), Doubt::Locked);
        let unread = with_state("42501");
        assert_eq!(Doubt::before_it_began(&unread), Doubt::NotBegun);
        assert_eq!(Doubt::of_rollback(&unread, Rung::Rebuild), Doubt::Failed);
        for away in ["53300", "28P01", "28000"].map(with_state) {
            assert_eq!(Doubt::before_it_began(&away), Doubt::BrokenOff);
            assert_eq!(Doubt::of_rollback(&away, Rung::Swap), Doubt::BrokenOff);
        }
        for open in [
            Doubt::NotBegun,
            Doubt::Locked,
            Doubt::BrokenOff,
            Doubt::NoArchive,
        ] {
            assert!(open.stays_open());
            let steps = open.next_steps(Path::new("a.sql.gz"));
            assert!(steps[0].ends_with("pgbelay recover"), "{steps:?}");
        }
        assert!(!Doubt::Failed.stays_open());
    }
}
