//! How long things take, in bytes of rows that could be loaded meanwhile.
//!
//! Measured on PostgreSQL 15 with the tables of `scripts/lib/bench`; it decides what comes first and
//! what the person is told is left, never what is right.

use std::collections::{BTreeSet, HashMap};

use crate::catalog::Kind;
use crate::restore::batch::Statement;
use crate::restore::memory::GIN;

/// Any entry, whatever its table.
const ENTRY_BYTES: u64 = 16 << 10;

/// A btree or a key takes about a quarter of the time that loading its table took.
const INDEX_PERCENT: u64 = 25;

/// Other indexes are sorted by nobody: entry after entry finds its place.
const SLOW_INDEX_PERCENT: u64 = 130;

/// A foreign key reads its table once.
const FOREIGN_KEY_PERCENT: u64 = 12;

/// Access methods whose builds are slow, as deparsed definitions name them.
const SLOW_METHODS: [&str; 3] = [GIN, " USING gist (", " USING spgist ("];

/// What estimates need to know beside the manifest.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Sessions that load one table together.
    pub workers: u64,
    /// Entries that build an index of a slow access method.
    pub slow: BTreeSet<usize>,
}

impl Load {
    /// Of statements by index of entry. A name that looks like a method costs nothing but order.
    pub fn of(workers: usize, statements: &HashMap<usize, Statement>) -> Self {
        let is_slow = |text: &str| SLOW_METHODS.iter().any(|method| text.contains(method));
        let slow = statements
            .iter()
            .filter(|(_, statement)| is_slow(statement.sql.text()))
            .map(|(index, _)| *index);
        Self {
            workers: u64::try_from(workers).unwrap_or(u64::MAX),
            slow: slow.collect(),
        }
    }

    /// Until all rows of a table of so many bytes are in, if all workers load it.
    pub fn of_rows(&self, bytes: u64) -> u64 {
        bytes / self.workers.max(1)
    }

    /// Making an entry about a table of so many bytes.
    pub fn of_entry(&self, index: usize, kind: &str, bytes: u64) -> u64 {
        let percent = match () {
            () if self.slow.contains(&index) => SLOW_INDEX_PERCENT,
            () if [Kind::Index, Kind::Constraint]
                .map(Kind::name)
                .contains(&kind) =>
            {
                INDEX_PERCENT
            }
            () if kind == Kind::FkConstraint.name() => FOREIGN_KEY_PERCENT,
            () => 0,
        };
        ENTRY_BYTES.saturating_add(bytes.saturating_mul(percent) / 100)
    }
}
