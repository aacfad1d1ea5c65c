//! A run: back up, migrate, verify and, when it fails, put the database back (design.md §6 to §8).
//!
//! [`State`] and [`next`] are the pure state machine.

mod blockers;
mod changes;
mod chronicle;
mod clock;
mod driver;
pub mod fence;
mod gap;
mod hand;
mod heartbeat;
mod hiding;
mod keeping;
mod lock;
mod options;
mod others;
mod outcome;
mod outside;
pub mod preflight;
mod reach;
mod recover;
mod sightings;
mod stamp;
mod state;
mod versions;
mod writers;

pub use changes::{ChangeDetail, ChangeReport, RowsKnown};
pub use clock::after_all;
pub use driver::{child_variables, refusals, run, tidy};
pub use hand::{foreseen_refusal, roll_back, verify_live};
pub use lock::RunLock;
pub use options::{FenceMode, Migration, OnOtherWriters, RunOptions};
pub use outcome::{CheckLine, DatabaseLine, OtherWriter, Outcome, RunReport};
pub use outside::{Outside, outside};
pub use recover::{is_unfinished, left_to_a_person, recover};
pub use stamp::{StampOptions, StampReport, stamp};
pub use state::{Event, NotAllowed, State, next};
