//! Reads rows to digest them, with several sessions at once.
//!
//! The caller makes sure that all sessions see the same rows: locks that keep writers out, and nothing
//! changed by the caller's own transaction yet. A large heap is read in ranges of its blocks, whose
//! digests add up.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use crate::archive::{Manifest, TableDigest, TableRecord};
use crate::catalog::{self, Blocks, Table};
use crate::context::{Context, Progress};
use crate::error::Result;
use crate::pg::{Session, Sql};

/// Heap and TOAST bytes that are read in one go.
const RANGE_BYTES: u64 = 32 << 20;

/// The table as its rows were recorded: the recorded columns, in the recorded order and encoding. None if
/// it lacks one of them.
pub fn as_recorded(table: &Table, record: &TableRecord, manifest: &Manifest) -> Option<Table> {
    let mut recorded = Table {
        copy_options: catalog::copy_options(&manifest.database.encoding),
        ..table.clone()
    };
    if record.columns == table.columns {
        return Some(recorded);
    }
    let has = |column: &String| table.columns.contains(column);
    if !record.columns.iter().all(has) {
        return None;
    }
    let mut target = Sql::default().qualified(&table.schema, &table.name);
    for (place, column) in record.columns.iter().enumerate() {
        target = target
            .then(if place == 0 { " (" } else { ", " })
            .ident(column);
    }
    let end = if record.columns.is_empty() { "" } else { ")" };
    recorded.copy_target = target.then(end).text().to_owned();
    recorded.columns.clone_from(&record.columns);
    Some(recorded)
}

/// Digests of these tables' rows, in their order.
///
/// # Errors
/// Of the server, with the table's name.
pub async fn digests(
    sessions: &[&Session],
    tables: &[Table],
    ctx: &Context,
) -> Result<Vec<TableDigest>> {
    let work = Work::of(tables, sessions.len(), ctx);
    let readers = sessions.iter().map(|&session| work.take_part(session));
    futures_util::future::try_join_all(readers).await?;
    let digests = work.digests.into_inner();
    Ok(digests.unwrap_or_else(PoisonError::into_inner))
}

/// A table or a range of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    table: usize,
    blocks: Option<Blocks>,
}

/// What is left to read, and what was found.
struct Work<'a> {
    tables: &'a [Table],
    left: Mutex<VecDeque<Piece>>,
    digests: Mutex<Vec<TableDigest>>,
    progress: Mutex<Progress>,
    ctx: &'a Context,
}

impl<'a> Work<'a> {
    fn of(tables: &'a [Table], readers: usize, ctx: &'a Context) -> Self {
        let range = if readers > 1 { RANGE_BYTES } else { u64::MAX };
        let mut order: Vec<usize> = (0..tables.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(tables[at].size_bytes));
        let pieces = order
            .into_iter()
            .flat_map(|at| pieces(at, &tables[at], range));
        let progress = Progress {
            total_bytes: tables.iter().map(|table| table.size_bytes).sum(),
            total_items: tables.len() as u64,
            ..Progress::default()
        };
        Self {
            tables,
            left: Mutex::new(pieces.collect()),
            digests: Mutex::new(vec![TableDigest::default(); tables.len()]),
            progress: Mutex::new(progress),
            ctx,
        }
    }

    async fn take_part(&self, session: &Session) -> Result<()> {
        while let Some(piece) = self.next() {
            let table = &self.tables[piece.table];
            let sql = match piece.blocks {
                None => table.copy_out(),
                Some(blocks) => table.copy_out_blocks(blocks),
            };
            let unread = |error| catalog::rows_unread(&table.identity, error);
            let digest = digest(session, &sql).await.map_err(unread)?;
            self.found(piece, &digest);
        }
        Ok(())
    }

    fn next(&self) -> Option<Piece> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.pop_front()
    }

    fn found(&self, piece: Piece, digest: &TableDigest) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests[piece.table].merge(digest);
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.what.clone_from(&self.tables[piece.table].identity);
        progress.bytes += digest.bytes;
        progress.rows += digest.rows;
        self.ctx.progress(progress.clone());
    }
}

fn pieces(at: usize, table: &Table, range: u64) -> Vec<Piece> {
    let piece = |blocks| Piece { table: at, blocks };
    match blocks(table, range) {
        ranges if ranges.is_empty() => vec![piece(None)],
        ranges => ranges.into_iter().map(|one| piece(Some(one))).collect(),
    }
}

/// A table's blocks in ranges that several sessions share; one range if it is small.
pub fn ranges(table: &Table) -> Vec<Blocks> {
    match blocks(table, RANGE_BYTES) {
        ranges if ranges.is_empty() => vec![Blocks::ALL],
        ranges => ranges,
    }
}

/// Ranges of so many bytes, the last one open; none if it is not worth it.
fn blocks(table: &Table, range: u64) -> Vec<Blocks> {
    let count = (table.size_bytes / range.max(1)).min(table.heap_blocks);
    if count < 2 || table.condition.is_some() {
        return Vec::new();
    }
    let border = |number: u64| table.heap_blocks * number / count;
    let blocks = |number: u64| Blocks {
        first: border(number),
        end: (number + 1 < count).then(|| border(number + 1)),
    };
    (0..count).map(blocks).collect()
}

async fn digest(session: &Session, sql: &Sql) -> Result<TableDigest> {
    let mut rows = session.copy_out(sql).await?;
    let mut digest = TableDigest::default();
    let take = |rows: &[u8]| {
        digest.add_rows(rows);
        ControlFlow::Continue(())
    };
    rows.rows(take).await?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(size_bytes: u64, heap_blocks: u64) -> Table {
        Table {
            oid: 1,
            schema: "public".to_owned(),
            name: "t".to_owned(),
            identity: "table public.t".to_owned(),
            columns: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            copy_target: "public.t (own)".to_owned(),
            copy_options: String::new(),
            through: None,
            condition: None,
            shifting: false,
            size_bytes,
            heap_blocks,
        }
    }

    #[test]
    fn ranges_leave_nothing_out_and_the_last_is_open() {
        let pieces = pieces(0, &table(10 * RANGE_BYTES, 1_003), RANGE_BYTES);
        let blocks: Vec<Blocks> = pieces.iter().filter_map(|piece| piece.blocks).collect();
        assert_eq!(blocks.len(), 10);
        assert_eq!(blocks[0].first, 0);
        assert_eq!(blocks[9].end, None);
        assert!(
            blocks
                .windows(2)
                .all(|pair| pair[0].end == Some(pair[1].first))
        );
    }

    #[test]
    fn small_tables_and_heaps_of_one_block_are_read_whole() {
        let whole = |size, blocks| pieces(0, &table(size, blocks), RANGE_BYTES).len() == 1;
        assert!(whole(RANGE_BYTES, 4_000));
        assert!(whole(10 * RANGE_BYTES, 1));
        assert!(whole(10 * RANGE_BYTES, 0));
    }
}
