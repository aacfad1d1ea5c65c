//! What one connection reads in one go: a table, or a range of a large table's blocks.
//!
//! Ranges are of the heap, but their number comes from the whole size: wide rows have few heap
//! blocks and much TOAST. The last range of a table has no end, so rows that landed beyond the
//! size first read are in it; what is read is decided by the snapshot alone, never by the sizes.
//!
//! A range costs the server more than the same rows of a whole table do (a sixth on set a), and pushes what it
//! had cached out of its buffers (docs/performance.md). So only a table is divided that is larger
//! than the share of a stream: one that others would have to wait for.

use std::sync::Arc;

use crate::catalog::{Blocks, Catalog, Table};
use crate::error::Result;
use crate::pg::Sql;

/// Bytes of a range at most: small enough that connections finish together, large enough that
/// starting a range costs nothing.
pub(super) const UNIT_BYTES: u64 = 16 << 20;

/// One piece of work.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Its place in the plan.
    pub number: usize,
    /// Index into the catalog's tables, and the manifest's.
    pub index: u32,
    pub table: Arc<Table>,
    /// Which part of the table; all of it when absent.
    pub blocks: Option<Blocks>,
    /// Its share of the table's heap and TOAST bytes.
    pub bytes: u64,
}

impl Unit {
    /// Reads its rows: one COPY text line per row, the same whether in ranges or not.
    pub fn copy_out(&self) -> Sql {
        match self.blocks {
            None => self.table.copy_out(),
            Some(blocks) => self.table.copy_out_blocks(blocks),
        }
    }
}

/// Every table, whole, in the catalog's order.
pub(super) fn whole(catalog: &Catalog) -> Result<Vec<Unit>> {
    in_ranges(catalog, u64::MAX)
}

/// Every table in the catalog's order, for so many streams: one of more bytes than a stream's share
/// in ranges of at most `unit_bytes`.
pub(super) fn for_streams(catalog: &Catalog, streams: u64, unit_bytes: u64) -> Result<Vec<Unit>> {
    let sizes = catalog.tables.iter().map(|table| table.size_bytes);
    let share = sizes.fold(0, u64::saturating_add) / streams.max(1);
    divided(catalog, |table| match table.size_bytes > share {
        true => ranges(table, unit_bytes),
        false => vec![(None, table.size_bytes)],
    })
}

/// Every table, those of more than `unit_bytes` in ranges, in the catalog's order.
pub(super) fn in_ranges(catalog: &Catalog, unit_bytes: u64) -> Result<Vec<Unit>> {
    divided(catalog, |table| ranges(table, unit_bytes))
}

fn divided(
    catalog: &Catalog,
    divide: impl Fn(&Table) -> Vec<(Option<Blocks>, u64)>,
) -> Result<Vec<Unit>> {
    let mut units = Vec::with_capacity(catalog.tables.len());
    for (index, table) in catalog.tables.iter().enumerate() {
        let index = super::manifest::small(index)?;
        let table = Arc::new(table.clone());
        for (blocks, bytes) in divide(&table) {
            units.push(Unit {
                number: units.len(),
                index,
                table: Arc::clone(&table),
                blocks,
                bytes,
            });
        }
    }
    Ok(units)
}

/// Parts of a table with their shares of its bytes.
fn ranges(table: &Table, unit_bytes: u64) -> Vec<(Option<Blocks>, u64)> {
    let wanted = table.size_bytes.div_ceil(unit_bytes.max(1));
    let count = wanted.min(table.heap_blocks);
    if count < 2 || !has_ranges(table) {
        return vec![(None, table.size_bytes)];
    }
    let bound = |place: u64, all: u64| {
        u64::try_from(u128::from(all) * u128::from(place) / u128::from(count)).unwrap_or(all)
    };
    (0..count)
        .map(|place| {
            let blocks = Blocks {
                first: bound(place, table.heap_blocks),
                end: (place + 1 < count).then(|| bound(place + 1, table.heap_blocks)),
            };
            let size = table.size_bytes;
            (Some(blocks), bound(place + 1, size) - bound(place, size))
        })
        .collect()
}

/// Configuration tables of extensions have their author's conditions and are read in order.
fn has_ranges(table: &Table) -> bool {
    table.condition.is_none() && !table.columns.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::rows::tests::table;

    fn sized(size_bytes: u64, heap_blocks: u64) -> Table {
        Table {
            shifting: false,
            size_bytes,
            heap_blocks,
            ..table("public.t")
        }
    }

    /// `first-end` of each range; `all` for a table that is read whole.
    fn shown(table: &Table, unit_bytes: u64) -> String {
        let parts = ranges(table, unit_bytes);
        let total: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(total, table.size_bytes, "every byte is some part's");
        let text = parts.iter().map(|(blocks, _)| match blocks {
            None => "all".to_owned(),
            Some(Blocks { first, end }) => {
                format!(
                    "{first}-{}",
                    end.map(|end| end.to_string()).unwrap_or_default()
                )
            }
        });
        text.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ranges_meet_and_the_last_has_no_end() {
        assert_eq!(shown(&sized(100, 10), 40), "0-3 3-6 6-");
        assert_eq!(shown(&sized(100, 10), 50), "0-5 5-");
        assert_eq!(shown(&sized(100, 10), 100), "all");
        assert_eq!(shown(&sized(0, 0), 100), "all");
    }

    #[test]
    fn only_a_table_that_the_others_would_wait_for_is_divided() {
        let catalog = Catalog {
            tables: [10, 50, 40].map(|size| sized(size, 10)).to_vec(),
            ..Catalog::default()
        };
        let parts = |streams| {
            let units = for_streams(&catalog, streams, 10).unwrap();
            [0, 1, 2].map(|index| units.iter().filter(|unit| unit.index == index).count())
        };
        assert_eq!(parts(1), [1, 1, 1]);
        assert_eq!(parts(2), [1, 1, 1]);
        assert_eq!(parts(3), [1, 5, 4]);
        assert_eq!(parts(u64::MAX), [1, 5, 4]);
    }

    #[test]
    fn toast_counts_but_a_range_has_a_block_at_least() {
        assert_eq!(shown(&sized(1 << 40, 3), 1), "0-1 1-2 2-");
        assert_eq!(shown(&sized(1 << 40, 1), 1), "all");
        assert_eq!(shown(&sized(u64::MAX, 4), u64::MAX / 2 + 1), "0-2 2-");
    }

    #[test]
    fn what_has_no_ranges_is_read_whole() {
        let no_heap = sized(1 << 30, 0);
        let no_columns = Table {
            columns: Vec::new(),
            ..sized(1 << 30, 100)
        };
        let configuration = Table {
            condition: Some(String::new()),
            ..sized(1 << 30, 100)
        };
        for table in [no_heap, no_columns, configuration] {
            assert_eq!(shown(&table, 1), "all");
        }
    }
}
