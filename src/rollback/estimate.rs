//! How long the parts of a rollback take, roughly: for the plan that a person reads before deciding.
//!
//! Rates of one session on a machine of two ordinary cores, measured with set a of `scripts/bench`
//! (docs/rollback.md §7). Where a drill has restored the archive on such a server, its time corrects what
//! the server does. Nothing is decided by these numbers that could lose anything.

use crate::archive::Manifest;
use crate::catalog::Kind;
use crate::compare::State;

/// COPY text read and digested, bytes per second.
const READ: f64 = 110e6;
/// COPY text of a table whose rows are looked at for one mark, and few of them sent, bytes per second.
const SCAN: f64 = 1.2e9;
/// COPY text read, compressed and written, bytes per second.
const SAVE: f64 = 90e6;
/// COPY text loaded into a table without indexes, bytes per second.
const LOAD: f64 = 60e6;
/// Text of a table that one index or key over it takes, bytes per second.
const INDEX: f64 = 250e6;
/// The same for an index of many keys in a row.
const GIN: f64 = 40e6;
/// Rows deleted or loaded one by one, indexes included, per second.
const ROWS: f64 = 60e3;
/// Definitions made, per second.
const DEFINITIONS: f64 = 2_000.0;
/// How much several sessions of a restore gain on one.
const TOGETHER: f64 = 1.7;

/// What a drill measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Seconds of restoring the whole archive.
    pub restore_seconds: f64,
}

/// The rates, corrected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// What the server takes, as a multiple of what it takes by the rates above.
    slower: f64,
}

impl Rates {
    /// By what a drill took, if there was one that took long enough to tell.
    pub fn new(manifest: &Manifest, archive: &State, measured: Option<Measured>) -> Self {
        const TELLING: f64 = 0.5;
        let plain = Self { slower: 1.0 };
        let measured = measured.filter(|one| one.restore_seconds >= TELLING);
        let Some(measured) = measured else {
            return plain;
        };
        let expected = plain.restore(manifest, archive);
        let slower = measured.restore_seconds / expected.max(TELLING / 10.0);
        Self {
            slower: slower.clamp(0.1, 10.0),
        }
    }

    /// Reading rows back for the proof with one session.
    pub fn read(self, bytes: u64) -> f64 {
        self.slower * to_f64(bytes) / READ
    }

    /// Finding few rows among those of a table.
    pub fn scan(self, bytes: u64) -> f64 {
        self.slower * to_f64(bytes) / SCAN
    }

    /// Saving rows first.
    pub fn save(self, bytes: u64) -> f64 {
        self.slower * to_f64(bytes) / SAVE
    }

    /// Loading a table.
    pub fn load(self, bytes: u64) -> f64 {
        self.slower * to_f64(bytes) / LOAD
    }

    /// Deleting and loading rows one by one.
    pub fn rows(self, rows: u64) -> f64 {
        self.slower * to_f64(rows) / ROWS
    }

    /// Making a definition; `rows` are the bytes of text of the table that it reads, if any.
    pub fn make(self, kind: &str, text: &str, rows: u64) -> f64 {
        let is_gin = text.contains(" USING gin ");
        let reads = [Kind::Index, Kind::Constraint, Kind::FkConstraint].map(Kind::name);
        let build = match (reads.contains(&kind), is_gin) {
            (false, _) => 0.0,
            (true, false) => to_f64(rows) / INDEX,
            (true, true) => to_f64(rows) / GIN,
        };
        self.slower * (1.0 / DEFINITIONS + build)
    }

    /// Restoring everything with several sessions.
    pub fn restore(self, manifest: &Manifest, archive: &State) -> f64 {
        self.all(manifest, archive) / TOGETHER
    }

    /// Saving what there is now, as much as before, dropping it, making everything again, and reading it back.
    pub fn rebuild(self, manifest: &Manifest, archive: &State) -> f64 {
        let bytes = manifest.tables.iter().map(|table| table.bytes).sum();
        self.save(bytes) + self.all(manifest, archive) + self.read(bytes)
    }

    fn all(self, manifest: &Manifest, archive: &State) -> f64 {
        let sizes = super::preview::Sizes::new(manifest);
        let load: f64 = manifest.tables.iter().map(|one| self.load(one.bytes)).sum();
        let entries = manifest.entries.iter().enumerate();
        let make = entries.map(|(at, record)| {
            let entry = archive.entries.get(&record.identity);
            let text = entry.map_or("", |entry| entry.text.as_str());
            self.make(&record.kind, text, sizes.below(at))
        });
        load + make.sum::<f64>()
    }
}

/// Numbers of rows and bytes are far below 2^52.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Rates = Rates { slower: 1.0 };

    #[test]
    fn an_index_takes_time_by_its_table_and_by_its_kind() {
        let rows = 400_000_000;
        let btree = PLAIN.make("INDEX", "CREATE INDEX a ON public.t USING btree (a);", rows);
        let gin = PLAIN.make("INDEX", "CREATE INDEX a ON public.t USING gin (a);", rows);
        let view = PLAIN.make("VIEW", "CREATE VIEW v AS SELECT 1;", rows);
        assert!(
            btree > 1.0 && gin > 5.0 * btree && view < 0.01,
            "{btree} {gin} {view}"
        );
    }

    #[test]
    fn a_slower_server_takes_longer_for_everything() {
        let slow = Rates { slower: 3.0 };
        let more = slow.load(1 << 30) / PLAIN.load(1 << 30);
        assert!((more - 3.0).abs() < 1e-9);
    }
}
