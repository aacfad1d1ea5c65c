//! What has been written of each unit: digests merged by table, and progress that tells the truth.
//!
//! A table is ended when all its units are. The bytes of the progress are those of the relations,
//! because only their total is known before: text moves it on, up to the unit's share, and the
//! unit's end completes the share. So it never runs back and ends at the total.

use super::units::Unit;
use crate::archive::{TableDigest, TableRecord};
use crate::context::Progress;
use crate::error::{Error, Result};

/// The units of a plan and the tables they belong to.
pub(super) struct Tally {
    /// By the unit's number.
    units: Vec<Share>,
    /// By the table's index.
    tables: Vec<Open>,
    text_bytes: u64,
    progress: Progress,
}

/// A unit's part of the work.
struct Share {
    /// The table's index.
    table: usize,
    bytes: u64,
    /// How many of the bytes the progress has.
    counted: u64,
}

/// A table whose units are not all ended.
#[derive(Clone, Default)]
struct Open {
    units_left: usize,
    digest: TableDigest,
}

impl Tally {
    /// Nothing of `units`, which cover so many tables, is written.
    pub(super) fn of(units: &[Unit], tables: usize) -> Result<Self> {
        let mut tally = Self {
            units: Vec::with_capacity(units.len()),
            tables: vec![Open::default(); tables],
            text_bytes: 0,
            progress: Progress {
                total_bytes: units.iter().map(|unit| unit.bytes).sum(),
                total_items: tables as u64,
                ..Progress::default()
            },
        };
        for unit in units {
            let table = usize::try_from(unit.index).unwrap_or(usize::MAX);
            let open = tally.tables.get_mut(table);
            open.ok_or_else(|| wrong("an unknown part"))?.units_left += 1;
            tally.units.push(Share {
                table,
                bytes: unit.bytes,
                counted: 0,
            });
        }
        Ok(tally)
    }

    /// A member with so much of the unit is in the archive.
    pub(super) fn add(&mut self, unit: usize, rows: u64, text_bytes: u64, tables: &[TableRecord]) {
        self.text_bytes += text_bytes;
        self.progress.rows += rows;
        let table = self.count(unit, text_bytes);
        if let Some(table) = table.and_then(|table| tables.get(table)) {
            self.progress.what.clone_from(&table.identity);
        }
    }

    /// All members of the unit are in the archive. Gives the table's index and digest when that
    /// was its last unit.
    pub(super) fn end(
        &mut self,
        unit: usize,
        digest: &TableDigest,
    ) -> Result<Option<(usize, TableDigest)>> {
        let table = self.count(unit, u64::MAX);
        let table = table.ok_or_else(|| wrong("an unknown part"))?;
        let open = self.tables.get_mut(table);
        let open = open.filter(|open| open.units_left > 0);
        let open = open.ok_or_else(|| wrong("more parts of a table than there are"))?;
        open.digest.merge(digest);
        open.units_left -= 1;
        if open.units_left > 0 {
            return Ok(None);
        }
        self.progress.items += 1;
        Ok(Some((table, open.digest)))
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Bytes of text in the archive's data members; an error if a part of a table is missing.
    pub(super) fn finish(self) -> Result<u64> {
        if self.tables.iter().any(|open| open.units_left > 0) {
            return Err(wrong("fewer parts of a table than there are"));
        }
        Ok(self.text_bytes)
    }

    /// Moves the progress on, to the unit's share at most; its table.
    fn count(&mut self, unit: usize, bytes: u64) -> Option<usize> {
        let share = self.units.get_mut(unit)?;
        let more = bytes.min(share.bytes - share.counted);
        share.counted += more;
        self.progress.bytes += more;
        Some(share.table)
    }
}

fn wrong(what: &str) -> Error {
    Error::operation("put the parts of tables together").because(format!("{what} came"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Table};
    use crate::dump::rows::tests::table;
    use crate::dump::units;

    fn digest(row: &[u8]) -> TableDigest {
        let mut digest = TableDigest::default();
        digest.add_row(row);
        digest
    }

    /// A table in three units of 10 bytes and one that is whole.
    fn catalog() -> Catalog {
        let sized = |size_bytes| Table {
            size_bytes,
            heap_blocks: 3,
            ..table("t")
        };
        Catalog {
            tables: vec![sized(30), sized(10)],
            ..Catalog::default()
        }
    }

    fn tally(catalog: &Catalog) -> Tally {
        let units = units::in_ranges(catalog, 10).unwrap();
        Tally::of(&units, catalog.tables.len()).unwrap()
    }

    #[test]
    fn a_table_ends_with_its_last_unit_and_has_the_digest_of_all() {
        let catalog = catalog();
        let mut tally = tally(&catalog);
        assert_eq!(tally.end(2, &digest(b"c\n")).unwrap(), None);
        assert_eq!(tally.end(0, &digest(b"a\n")).unwrap(), None);
        assert_eq!(
            tally.end(3, &digest(b"x\n")).unwrap(),
            Some((1, digest(b"x\n")))
        );
        let mut all = digest(b"a\n");
        all.merge(&digest(b"b\n"));
        all.merge(&digest(b"c\n"));
        assert_eq!(tally.end(1, &digest(b"b\n")).unwrap(), Some((0, all)));
        tally.finish().unwrap();
    }

    #[test]
    fn a_missing_unit_and_one_too_many_are_errors() {
        let catalog = catalog();
        let mut tally = tally(&catalog);
        for unit in [0, 1, 3] {
            tally.end(unit, &TableDigest::default()).unwrap();
        }
        assert!(tally.end(3, &TableDigest::default()).is_err());
        assert!(tally.end(4, &TableDigest::default()).is_err());
        assert!(tally.finish().is_err());
    }

    #[test]
    fn progress_never_runs_back_and_ends_at_the_total() {
        let catalog = catalog();
        let mut tally = tally(&catalog);
        let mut last = 0;
        let mut grown = |tally: &Tally| {
            let progress = tally.progress();
            assert!(last <= progress.bytes && progress.bytes <= progress.total_bytes);
            last = progress.bytes;
            last
        };
        tally.add(0, 1, 4, &[]);
        assert_eq!(grown(&tally), 4);
        tally.add(0, 1, 1000, &[]);
        assert_eq!(grown(&tally), 10);
        for unit in 0..4 {
            tally.end(unit, &TableDigest::default()).unwrap();
            grown(&tally);
        }
        assert_eq!((last, tally.progress().items), (40, 2));
        assert_eq!(tally.finish().unwrap(), 1004);
    }
}
