//! Two states → what differs. `diff` and the proof of a rollback are this same code.
//!
//! A [`State`] is what a database is: the text of every entry, rows and digest of every table,
//! sequence values, version rows, extensions with versions, properties of the database, and what
//! no entry covers. It comes from an archive or from a live database, read under the same pinned
//! settings, so "is it the same?" compares texts and digests and nothing else. Compare only
//! states of the same server major: deparsed texts differ between majors.

mod difference;
mod outside;
mod properties;
mod reading;
mod secrets;
mod state;
mod text;
mod words;

pub use difference::{
    Amount, Change, ChangedEntry, Difference, NamedEntry, TableChange, Value, compare,
};
pub use outside::{Cluster, OutsideChange};
pub use reading::{as_recorded, digests, ranges};
pub use secrets::masked;
pub use state::{EntryState, Rows, SequenceState, State, TableState, large_objects};
pub use text::ChangedPart;
pub(crate) use words::counted;
