//! Which rows of a table differ, row by row: so that a few of many are put back without the others.
//!
//! Rows are told by the hash of their text, as digests are made of. What the live table has beyond the
//! archive goes by its place in the file (`ctid`), which stays what it is under our lock; what it
//! lacks is loaded. Equal rows count as often as they occur.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::archive::{MemberKind, Reader, TableDigest, TableRecord, copy_rows};
use crate::catalog::{self, Blocks, Table};
use crate::compare;
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// Rows up to which a table is looked at row by row: some 40 bytes of memory each.
pub(super) const MOST_ROWS: u64 = 4_000_000;
/// Rows that are put back one by one; beyond it the table is loaded as a whole.
pub(super) const MOST_CHANGES: usize = 100_000;
/// Text of rows that is kept until it is loaded.
pub(super) const MOST_BYTES: usize = 32 << 20;
/// Decompressed members that wait to be looked at.
const MEMBERS_AHEAD: usize = 4;
/// Rows deleted with one statement.
const DELETED_AT_ONCE: usize = 5_000;

/// Rows that the transaction has written so far, by the server's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

/// A row's place in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub block: u32,
    pub tuple: u16,
}

/// A table's rows as they are: their digest, and for each its hash and place.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub digest: TableDigest,
    rows: Vec<(u128, Place)>,
    /// Whether they are too many, or one has no place.
    unfit: bool,
    /// Leading bits of a hash that tell its range.
    bits: u32,
    /// For each range of hashes the place of its first row, when sorted; one more at the end.
    starts: Vec<usize>,
}

/// What to do to a table that stays.
#[derive(Debug, Default)]
pub(super) struct Patch {
    deleted: Vec<Place>,
    /// COPY text.
    inserted: Vec<u8>,
    loaded: u64,
}

/// Whether the table can be looked at row by row.
pub(super) fn is_fit(table: &Table, record: &TableRecord) -> bool {
    record.through.is_none()
        && table.condition.is_none()
        && record.rows <= MOST_ROWS
        && table.heap_blocks > 0
}

/// Reads a table (as it was recorded) with the places of its rows, a range at a time by whichever session is
/// free. Too many rows end the reading: none.
pub(super) async fn read(sessions: &[&Session], table: &Table) -> Result<Option<Placed>> {
    let parts = shared(sessions, table, async |session, blocks, part| {
        read_range(session, table, blocks, part).await
    });
    let mut whole = Placed::default();
    for part in parts.await? {
        whole.digest.merge(&part.digest);
        whole.rows.extend(part.rows);
        whole.unfit |= part.unfit;
    }
    Ok((!whole.unfit && whole.digest.rows <= MOST_ROWS).then_some(whole))
}

/// Lets sessions work through a table's ranges, whoever is free taking the next; each gathers its own. A break ends
/// a session's work.
pub(super) async fn shared<T: Default>(
    sessions: &[&Session],
    table: &Table,
    work: impl AsyncFn(&Session, Blocks, &mut T) -> Result<ControlFlow<()>>,
) -> Result<Vec<T>> {
    let ranges = match sessions.len() {
        0 | 1 => vec![Blocks::ALL],
        _ => compare::ranges(table),
    };
    let left = Mutex::new(VecDeque::from(ranges));
    let next = || {
        left.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let workers = sessions.iter().map(async |&session| {
        let mut gathered = T::default();
        while let Some(blocks) = next() {
            if work(session, blocks, &mut gathered).await?.is_break() {
                break;
            }
        }
        Ok(gathered)
    });
    futures_util::future::try_join_all(workers).await
}

async fn read_range(
    session: &Session,
    table: &Table,
    blocks: Blocks,
    placed: &mut Placed,
) -> Result<ControlFlow<()>> {
    let unread = |error| catalog::rows_unread(&table.identity, error);
    let copy = session.copy_out(&table.copy_out_places(blocks)).await;
    let mut copy = copy.map_err(unread)?;
    let mut end = ControlFlow::Continue(());
    let take = |rows: &[u8]| {
        for row in rows.split_inclusive(|&byte| byte == b'\n') {
            if !placed.take(row) {
                placed.unfit = true;
                end = ControlFlow::Break(());
            }
        }
        end
    };
    copy.rows(take).await.map_err(unread)?;
    Ok(end)
}

impl Placed {
    /// Takes a row whose first field is its place; false if that cannot be.
    fn take(&mut self, row: &[u8]) -> bool {
        let Some((place, rest)) = split_place(row) else {
            return false;
        };
        self.digest.add_row(rest);
        self.rows.push((xxh3_128(rest), place));
        self.digest.rows <= MOST_ROWS
    }

    /// What makes the archive's rows of these; none if it is too much to do row by row.
    ///
    /// # Errors
    /// When a member of the archive is damaged.
    pub fn patch(mut self, reader: &Reader, index: usize) -> Result<Option<Patch>> {
        self.sort();
        // For the first of equal rows, how many of them the archive has.
        let mut known = vec![0_u32; self.rows.len()];
        let mut patch = Patch::default();
        let Some(record) = reader.manifest().tables.get(index) else {
            return Ok(None);
        };
        let members = members(reader, index);
        // One thread decompresses while this one looks rows up.
        let fits = std::thread::scope(|scope| {
            let (send, texts_of_members) = std::sync::mpsc::sync_channel(MEMBERS_AHEAD);
            scope.spawn(move || {
                for member in members {
                    if send.send(member_rows(reader, record, member)).is_err() {
                        return;
                    }
                }
            });
            for text in texts_of_members {
                for row in text?.split_inclusive(|&byte| byte == b'\n') {
                    if !self.knows(row, &mut known) && !patch.insert(row) {
                        return Ok(false);
                    }
                }
            }
            Ok::<bool, Error>(true)
        })?;
        if !fits {
            return Ok(None);
        }
        let mut start = 0;
        while start < self.rows.len() {
            let hash = self.rows[start].0;
            let run = self.rows[start..]
                .iter()
                .take_while(|row| row.0 == hash)
                .count();
            let kept = usize::try_from(known[start]).unwrap_or(run).min(run);
            let extra = &self.rows[start + kept..start + run];
            patch.deleted.extend(extra.iter().map(|(_, place)| *place));
            start += run;
        }
        Ok((patch.deleted.len() <= MOST_CHANGES).then_some(patch))
    }

    /// Sorts by hash, and notes where each range of hashes begins: as many ranges as rows, so a row is found
    /// in a step or two instead of the twenty of a search in millions.
    fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|(hash, _)| *hash);
        self.bits = self.rows.len().max(1).ilog2();
        let ranges = 1_usize << self.bits;
        self.starts = vec![0; ranges + 1];
        for at in 0..self.rows.len() {
            let range = self.range(self.rows[at].0);
            self.starts[range + 1] += 1;
        }
        for at in 0..ranges {
            self.starts[at + 1] += self.starts[at];
        }
    }

    fn range(&self, hash: u128) -> usize {
        let upper = hash.checked_shr(u128::BITS - self.bits).unwrap_or(0);
        usize::try_from(upper).unwrap_or(0)
    }

    /// Whether the row is there once more than it was asked for.
    fn knows(&self, row: &[u8], known: &mut [u32]) -> bool {
        let hash = xxh3_128(row);
        let range = self.range(hash);
        let (first, end) = (self.starts[range], self.starts[range + 1]);
        let start = first + self.rows[first..end].partition_point(|(one, _)| *one < hash);
        let Some(count) = known.get_mut(start) else {
            return false;
        };
        let next = usize::try_from(*count)
            .ok()
            .and_then(|count| self.rows.get(start + count));
        let there = next.is_some_and(|(one, _)| *one == hash);
        *count += u32::from(there);
        there
    }
}

/// A row whose first field is its place: that, and the rest.
pub(super) fn split_place(row: &[u8]) -> Option<(Place, &[u8])> {
    let (place, rest): (&[u8], &[u8]) = match memchr::memchr(b'\t', row) {
        Some(end) => (&row[..end], &row[end + 1..]),
        None => (row.trim_ascii_end(), b"\n"),
    };
    Some((Place::parse(place)?, rest))
}

/// Numbers of the members with a table's rows.
pub(super) fn members(reader: &Reader, index: usize) -> Vec<u32> {
    let of_table =
        |member: Option<u32>| member.and_then(|table| usize::try_from(table).ok()) == Some(index);
    let members = reader.manifest().members.iter().zip(0_u32..);
    let data =
        members.filter(|(member, _)| member.kind == MemberKind::Data && of_table(member.table));
    data.map(|(_, number)| number).collect()
}

/// A member's rows, checked.
pub(super) fn member_rows(reader: &Reader, table: &TableRecord, number: u32) -> Result<Bytes> {
    let text = Bytes::from(reader.member_text(number)?);
    let rows = copy_rows(&text, &table.copy).map(|rows| text.slice_ref(rows));
    rows.ok_or_else(|| {
        Error::operation(format!(
            "read the rows of {} in the archive",
            table.identity
        ))
        .because(format!("member {number} is no COPY of it"))
    })
}

impl Place {
    /// `(12,7)`.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (block, tuple) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
        Some(Self {
            block: block.parse().ok()?,
            tuple: tuple.parse().ok()?,
        })
    }
}

impl Patch {
    /// Adds a row that is loaded.
    pub fn load(&mut self, row: &[u8]) {
        self.inserted.extend_from_slice(row);
        self.loaded += 1;
    }

    /// Says which rows go.
    pub fn delete(&mut self, places: Vec<Place>) {
        self.deleted = places;
    }

    /// Whether there is still room.
    fn insert(&mut self, row: &[u8]) -> bool {
        self.load(row);
        self.inserted.len() <= MOST_BYTES
            && usize::try_from(self.loaded).is_ok_and(|loaded| loaded <= MOST_CHANGES)
    }

    /// Rows that are deleted, and rows that are loaded.
    pub fn amount(&self) -> (u64, u64) {
        (self.deleted.len() as u64, self.loaded)
    }

    /// Which rows go: what follows `FROM ONLY table`.
    pub fn condition(&self) -> Sql {
        Self::places(&self.deleted)
    }

    fn places(places: &[Place]) -> Sql {
        let mut sql = Sql::constant("WHERE ctid = ANY ('{");
        for (at, place) in places.iter().enumerate() {
            sql = sql
                .then(if at == 0 { "\"(" } else { ",\"(" })
                .number(place.block)
                .then(",")
                .number(place.tuple)
                .then(")\"");
        }
        sql.then("}'::pg_catalog.tid[])")
    }

    /// Deletes and loads. No trigger, foreign key or policy is in the way any more. Gives the rows that the server
    /// has deleted, as it shows them.
    pub async fn apply(
        &self,
        session: &Session,
        table: &Table,
        record: &TableRecord,
    ) -> Result<TableDigest> {
        let attempt = || format!("put back rows of {}", record.identity);
        let mut gone = TableDigest::default();
        for places in self.deleted.chunks(DELETED_AT_ONCE) {
            let delete = table.copy_out_deleting(&Self::places(places));
            let deleted = digest(session, &delete).await;
            gone.merge(&deleted.map_err(|error| error.attempting(attempt()))?);
        }
        if self.loaded == 0 {
            return Ok(gone);
        }
        let copy = session.copy_in(&Sql::deparsed(record.copy.clone())).await;
        let mut copy = copy.map_err(|error| error.attempting(attempt()))?;
        // The end has the server's words about what failed here.
        let _ = copy.send(Bytes::from(self.inserted.clone())).await;
        let taken = copy
            .finish()
            .await
            .map_err(|error| error.attempting(attempt()))?;
        if taken == self.loaded {
            return Ok(gone);
        }
        let why = format!("the server took {taken} rows of {}", self.loaded);
        Err(Error::operation(attempt()).because(why))
    }
}

/// A table's rows after a patch: those that were read under lock, without what the server deleted since,
/// with what this transaction has written, read back. None if the server counts anything else written to it, and
/// all of its rows must be read.
pub(super) async fn after(
    session: &Session,
    table: &Table,
    before: &TableDigest,
    gone: &TableDigest,
    written: Option<&Written>,
) -> Result<Option<TableDigest>> {
    let own = digest(session, &table.copy_out_own()).await;
    let own = own.map_err(|error| catalog::rows_unread(&table.identity, error))?;
    let expected = Written {
        inserted: own.rows,
        updated: 0,
        deleted: gone.rows,
    };
    if written != Some(&expected) {
        return Ok(None);
    }
    let mut after = *before;
    after.take_out(gone);
    after.merge(&own);
    Ok(Some(after))
}

async fn digest(session: &Session, sql: &Sql) -> Result<TableDigest> {
    let mut digest = TableDigest::default();
    let mut rows = session.copy_out(sql).await?;
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

    fn placed(rows: &[&str]) -> Placed {
        let mut placed = Placed::default();
        for (at, row) in rows.iter().enumerate() {
            assert!(placed.take(format!("({at},1)\t{row}\n").as_bytes()));
        }
        placed.sort();
        placed
    }

    #[test]
    fn equal_rows_count_as_often_as_they_occur() {
        let placed = placed(&["a", "b", "a"]);
        let mut known = vec![0; 3];
        let mut knows = |row: &str| placed.knows(format!("{row}\n").as_bytes(), &mut known);
        assert!(knows("a") && knows("a") && !knows("a"));
        assert!(knows("b") && !knows("b") && !knows("c"));
    }

    #[test]
    fn a_digest_does_not_hold_the_places() {
        let mut digest = TableDigest::default();
        digest.add_row(b"x\ty\n");
        digest.add_row(b"\n");
        let mut placed = Placed::default();
        assert!(placed.take(b"(3,4)\tx\ty\n") && placed.take(b"(3,5)\n"));
        assert_eq!(placed.digest, digest);
        assert!(!placed.take(b"x\ty\n"));
    }

    #[test]
    fn places_are_written_as_an_array() {
        let place = |tuple| Place { block: 12, tuple };
        assert_eq!(
            Patch::places(&[place(1), place(2)]).text(),
            "WHERE ctid = ANY ('{\"(12,1)\",\"(12,2)\"}'::pg_catalog.tid[])"
        );
    }
}
