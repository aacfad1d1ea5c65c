//! Fault points: named places where a test makes the program die, fail or stand still.
//!
//! One list ([`Point`]); docs/states.md has a row for each, and every point is passed at exactly one place
//! (`tests/faults.rs` holds both). Only a build with the feature `fault-injection` knows names and obeys
//! `PGBELAY_FAULT`; in every other build these functions are empty and inlined.
//!
//! Invariant: a point that fails does so through the `Result` of the operation it stands before, so
//! that what is tested is the error path of that operation.

#[cfg(feature = "fault-injection")]
mod injected;

#[cfg(feature = "fault-injection")]
pub use injected::{clock_offset, io, reach};

macro_rules! points {
    ($($(#[$meaning:meta])* $name:ident,)*) => {
        /// Where a fault can be injected. `…Before`: about to write that journal record; `…After`: it is synced.
        /// Others stand before what they name, those in the past tense (`RollbackCommitted`) after it.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "docs/states.md says what is true at each")]
        pub enum Point { $($(#[$meaning])* $name,)* }

        #[cfg(feature = "fault-injection")]
        impl Point {
            /// Every point with its name as declared.
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, stringify!($name)),)*];
        }
    };
}

points! {
    // The journal's records.
    JournalHeaderOutcomeBefore,
    JournalHeaderOutcomeAfter,
    JournalBackupIntentBefore,
    JournalBackupIntentAfter,
    JournalBackupOutcomeBefore,
    JournalBackupOutcomeAfter,
    JournalFenceIntentBefore,
    JournalFenceIntentAfter,
    JournalFenceOutcomeBefore,
    JournalFenceOutcomeAfter,
    JournalDrillIntentBefore,
    JournalDrillIntentAfter,
    JournalDrillOutcomeBefore,
    JournalDrillOutcomeAfter,
    JournalMigrateIntentBefore,
    JournalMigrateIntentAfter,
    JournalMigrateOutcomeBefore,
    JournalMigrateOutcomeAfter,
    JournalVerifyIntentBefore,
    JournalVerifyIntentAfter,
    JournalVerifyOutcomeBefore,
    JournalVerifyOutcomeAfter,
    JournalRollBackIntentBefore,
    JournalRollBackIntentAfter,
    JournalRollBackOutcomeBefore,
    JournalRollBackOutcomeAfter,
    JournalSwapIntentBefore,
    JournalSwapIntentAfter,
    JournalSwapOutcomeBefore,
    JournalSwapOutcomeAfter,
    JournalEndOutcomeBefore,
    JournalEndOutcomeAfter,
    // Operations on files.
    DirectoryMake,
    DirectorySync,
    FileOpen,
    FileCreate,
    FileWrite,
    FileSync,
    FilePublish,
    FileUnlink,
    FileReplace,
    AbandonedOpen,
    AppendCreate,
    AppendOpen,
    AppendCut,
    AppendWrite,
    AppendSync,
    AppendTakeBack,
    LogOpen,
    LogWrite,
    SlateCreate,
    SlateWrite,
    SlateSync,
    // The world outside.
    LockTaken,
    FenceUp,
    FenceIsUp,
    FenceDown,
    FenceIsDown,
    ChildStart,
    ChildStarted,
    ChildEnded,
    ToolSessionsEnd,
    Compare,
    SqlFileCommit,
    SqlFileCommitted,
    SequencesSet,
    RollbackCommit,
    RollbackCommitted,
    RestoreMarkCommit,
    RestoreLastCommit,
    RestoreCommit,
    SwapMake,
    SwapMade,
    SwapFilled,
    SwapNewClose,
    SwapNewClosed,
    SwapClose,
    SwapClosed,
    SwapEmptied,
    SwapRenameOld,
    SwapRenameNew,
    SwapReopen,
    SwapCommit,
    SwapCommitted,
    SwapUndoOpen,
    SwapUndoDrop,
    DrillMake,
    DrillDrop,
}

/// Passes a point: nothing, unless a test asked for something.
///
/// # Errors
/// In a build with `fault-injection`, the one that was asked for.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub fn reach(_point: Point) -> crate::error::Result<()> {
    Ok(())
}

/// As [`reach`], where the error is the operating system's.
///
/// # Errors
/// In a build with `fault-injection`, the one that was asked for.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub fn io(_point: Point) -> std::io::Result<()> {
    Ok(())
}

/// How far the wall clock is moved; not at all.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub fn clock_offset() -> chrono::TimeDelta {
    chrono::TimeDelta::zero()
}
