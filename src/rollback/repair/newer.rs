//! Rows that are newer than the backup, known by the transaction that wrote them: a few of many are put back without a
//! look at all the others.
//!
//! A row is never changed in place: who updates it writes another one. So a live row whose `xmin` had ended before the
//! backup's snapshot is a row of the archive, as it stands there, and what the archive has beyond these is what was
//! updated or deleted since. A unique key tells which that is: an older row's key is no newer row's key, and where the
//! archive has as many rows with a newer row's key as there are rows that are not older, these are all. Where it
//! has more (rows were deleted), the older rows' keys are read too.
//!
//! `xmin` outlives freezing since PostgreSQL 9.4. What makes ids of then and now incomparable (another server, a crash, a
//! failover) is [`evidence::oldest_newer`]'s matter.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use xxhash_rust::xxh3::xxh3_128;

use super::patch::{self, MOST_BYTES, MOST_CHANGES, MOST_ROWS, Patch, Place, shared, split_place};
use crate::archive::{Reader, TableDigest, TableRecord};
use crate::catalog::{self, Table};
use crate::error::{Error, Result};
use crate::pg::{Row, Session, Sql};

/// Unique keys by the OID of their table.
#[derive(Default)]
pub(super) struct Keys(HashMap<u32, Vec<String>>);

/// A table whose newer rows can be told.
pub(super) struct Candidate<'a> {
    pub table: &'a Table,
    pub record: &'a TableRecord,
    /// Its place in the manifest.
    pub index: usize,
    /// Columns of the key, and their places among those recorded, ascending.
    key: Vec<(usize, String)>,
    /// The first transaction id that may be newer than the backup.
    since: u32,
}

/// What makes the archive's rows of a table's.
pub(super) struct Replacement {
    pub patch: Patch,
    /// All rows as they are: what the newer ones say, and the archive of the others.
    pub before: TableDigest,
}

/// A live row that is not older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NewRow {
    key: u128,
    row: u128,
    place: Place,
}

/// Rows of one table.
#[derive(Debug, Default)]
struct Newer {
    rows: Vec<NewRow>,
    digest: TableDigest,
    /// All rows of the table.
    all: u64,
    /// Whether there are more of them than are put back one by one.
    too_many: bool,
}

/// Rows of the archive that are not among the older ones.
#[derive(Debug, Default)]
struct Lacking {
    /// Each with its hash.
    rows: Vec<(u128, Vec<u8>)>,
    bytes: usize,
    digest: TableDigest,
}

impl Keys {
    pub async fn read(session: &Session) -> Result<Self> {
        let sql = Sql::constant(include_str!("../sql/keys.sql"));
        let rows = session.query(&sql).await?;
        let key = |row: &Row| Ok((row.number("oid")?, row.list("columns")?));
        rows.iter().map(key).collect::<Result<_>>().map(Self)
    }

    /// The table (as it was recorded) with a key that the archive's rows have too; none if it has none.
    pub fn candidate<'a>(
        &self,
        table: &'a Table,
        (index, record): (usize, &'a TableRecord),
        since: u32,
    ) -> Option<Candidate<'a>> {
        if record.through.is_some() || table.condition.is_some() || table.heap_blocks == 0 {
            return None;
        }
        let place = |name: &String| record.columns.iter().position(|column| column == name);
        let columns = self.0.get(&table.oid)?.iter();
        let key: Option<Vec<_>> = columns
            .map(|name| Some((place(name)?, name.clone())))
            .collect();
        let mut key = key?;
        key.sort_unstable();
        Some(Candidate {
            table,
            record,
            index,
            key,
            since,
        })
    }
}

impl Candidate<'_> {
    /// Finds what was replaced since the backup; none if that is too much to put back row by row, or cannot be told.
    pub async fn replacement(
        &self,
        sessions: &[&Session],
        reader: &Reader,
    ) -> Result<Option<Replacement>> {
        let parts = shared(sessions, self.table, async |session, blocks, part| {
            self.read_newer(session, blocks, part).await
        });
        let parts = parts.await.map_err(|error| self.unread(error))?;
        let newer = parts.into_iter().reduce(Newer::with).unwrap_or_default();
        if newer.too_many {
            return Ok(None);
        }
        // Nobody writes meanwhile, or nothing is done with it.
        let Some(older) = newer.all.checked_sub(newer.rows.len() as u64) else {
            return Ok(None);
        };
        let whole = self.record.rows;
        let keys: HashSet<u128> = newer.rows.iter().map(|row| row.key).collect();
        if newer.all >= whole {
            let lacking = self.lacking(reader, &|key| keys.contains(&key))?;
            let Some(lacking) = lacking else {
                return Ok(None);
            };
            if older + lacking.digest.rows == whole {
                return Ok(Some(newer.replaced_by(lacking, self.record)));
            }
        }
        let Some(kept) = self.older_keys(sessions).await? else {
            return Ok(None);
        };
        let lacking = self.lacking(reader, &|key| kept.binary_search(&key).is_err())?;
        let lacking = lacking.filter(|lacking| older + lacking.digest.rows == whole);
        Ok(lacking.map(|lacking| newer.replaced_by(lacking, self.record)))
    }

    fn unread(&self, error: Error) -> Error {
        catalog::rows_unread(&self.table.identity, error)
    }

    async fn read_newer(
        &self,
        session: &Session,
        blocks: catalog::Blocks,
        part: &mut Newer,
    ) -> Result<ControlFlow<()>> {
        let count = self.table.count(blocks);
        part.all += session.query_one(&count).await?.number::<u64>("rows")?;
        let copy = self.table.copy_out_newer(self.since, blocks);
        let mut copy = session.copy_out(&copy).await?;
        let mut scratch = Vec::new();
        let take = |rows: &[u8]| {
            for row in rows.split_inclusive(|&byte| byte == b'\n') {
                let taken = self.take(row, part, &mut scratch);
                part.too_many |= !taken || part.rows.len() > MOST_CHANGES;
            }
            within(!part.too_many)
        };
        copy.rows(take).await?;
        Ok(within(!part.too_many))
    }

    fn take(&self, row: &[u8], part: &mut Newer, scratch: &mut Vec<u8>) -> bool {
        let Some((place, row)) = split_place(row) else {
            return false;
        };
        let Some(key) = self.key_of(row, scratch) else {
            return false;
        };
        part.digest.add_row(row);
        let row = xxh3_128(row);
        part.rows.push(NewRow { key, row, place });
        true
    }

    /// The hash of a row's key: of its fields, as COPY writes them.
    fn key_of(&self, row: &[u8], scratch: &mut Vec<u8>) -> Option<u128> {
        scratch.clear();
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let mut start = 0;
        let mut column = 0;
        for (at, (place, _)) in self.key.iter().enumerate() {
            while column < *place {
                start += memchr::memchr(b'\t', &row[start..])? + 1;
                column += 1;
            }
            let end = memchr::memchr(b'\t', &row[start..]).map_or(row.len(), |end| start + end);
            if self.key.len() == 1 {
                return Some(xxh3_128(&row[start..end]));
            }
            if at > 0 {
                scratch.push(b'\t');
            }
            scratch.extend_from_slice(&row[start..end]);
        }
        Some(xxh3_128(scratch))
    }

    /// Hashes of the older rows' keys, sorted; none if they are too many.
    async fn older_keys(&self, sessions: &[&Session]) -> Result<Option<Vec<u128>>> {
        let names: Vec<&str> = self.key.iter().map(|(_, name)| name.as_str()).collect();
        let parts = shared(
            sessions,
            self.table,
            async |session, blocks, part: &mut Vec<u128>| {
                let copy = self.table.copy_out_older(self.since, blocks, &names);
                let mut copy = session.copy_out(&copy).await?;
                copy.rows(|rows| {
                    let rows = rows.split_inclusive(|&byte| byte == b'\n');
                    part.extend(rows.map(|row| xxh3_128(row.strip_suffix(b"\n").unwrap_or(row))));
                    within(part.len() as u64 <= MOST_ROWS)
                })
                .await?;
                Ok(within(part.len() as u64 <= MOST_ROWS))
            },
        );
        let parts = parts.await.map_err(|error| self.unread(error))?;
        let mut keys = parts.concat();
        keys.sort_unstable();
        Ok((keys.len() as u64 <= MOST_ROWS).then_some(keys))
    }

    /// The archive's rows with such a key, looked for by as many threads as there are processors; none if they are too
    /// many.
    fn lacking(&self, reader: &Reader, is_wanted: &Wanted<'_>) -> Result<Option<Lacking>> {
        let members = patch::members(reader, self.index);
        let next = AtomicUsize::new(0);
        let look = || self.look_through(reader, &members, &next, is_wanted);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let found = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let others = 1..processors.min(members.len());
                let others: Vec<_> = others.map(|_| scope.spawn(look)).collect();
                let mut found = vec![look()];
                found.extend(
                    others
                        .into_iter()
                        .map(|other| other.join().unwrap_or_else(|_| Err(stopped()))),
                );
                found
            })
        });
        let found = found.into_iter().collect::<Result<Vec<_>>>()?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        // As they lie in the archive, whichever thread found them.
        found.sort_unstable_by_key(|(at, _)| *at);
        let found = found.into_iter().map(|(_, lacking)| lacking);
        let whole = found.reduce(Lacking::with).unwrap_or_default();
        Ok((!whole.is_too_much()).then_some(whole))
    }

    /// Takes member after member while there is one.
    fn look_through(
        &self,
        reader: &Reader,
        members: &[u32],
        next: &AtomicUsize,
        is_wanted: &Wanted<'_>,
    ) -> Result<Vec<(usize, Lacking)>> {
        let mut found: Vec<(usize, Lacking)> = Vec::new();
        let mut scratch = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let too_much = found.iter().any(|(_, lacking)| lacking.is_too_much());
            let Some(&member) = members.get(at).filter(|_| !too_much) else {
                return Ok(found);
            };
            let text = patch::member_rows(reader, self.record, member)?;
            let mut lacking = Lacking::default();
            for row in text.split_inclusive(|&byte| byte == b'\n') {
                let key = self
                    .key_of(row, &mut scratch)
                    .ok_or_else(|| self.no_key(member))?;
                if is_wanted(key) && !lacking.is_too_much() {
                    lacking.take(row);
                }
            }
            found.push((at, lacking));
        }
    }

    fn no_key(&self, member: u32) -> Error {
        Error::operation(format!(
            "find the keys of {} in the archive",
            self.record.identity
        ))
        .because(format!("a row of member {member} has too few fields"))
    }
}

/// Whether the archive's row with this key is looked for.
type Wanted<'a> = dyn Fn(u128) -> bool + Sync + 'a;

fn stopped() -> Error {
    Error::operation("look for rows in the archive").because("a thread of it stopped")
}

fn within(limit: bool) -> ControlFlow<()> {
    match limit {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    }
}

impl Newer {
    fn with(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self.digest.merge(&other.digest);
        self.all += other.all;
        self.too_many |= other.too_many || self.rows.len() > MOST_CHANGES;
        self
    }

    /// What is the same row again (an update that changed nothing) stays as it is.
    fn replaced_by(self, lacking: Lacking, record: &TableRecord) -> Replacement {
        let mut before = record.rows_digest();
        before.take_out(&lacking.digest);
        before.merge(&self.digest);
        let mut places: HashMap<u128, Vec<Place>> = HashMap::new();
        for row in &self.rows {
            places.entry(row.row).or_default().push(row.place);
        }
        let mut patch = Patch::default();
        for (hash, row) in &lacking.rows {
            let same = places.get_mut(hash).and_then(Vec::pop);
            if same.is_none() {
                patch.load(row);
            }
        }
        let mut deleted: Vec<Place> = places.into_values().flatten().collect();
        deleted.sort_unstable();
        patch.delete(deleted);
        Replacement { patch, before }
    }
}

impl Lacking {
    fn take(&mut self, row: &[u8]) {
        self.digest.add_row(row);
        self.bytes += row.len();
        self.rows.push((xxh3_128(row), row.to_vec()));
    }

    fn with(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self.bytes += other.bytes;
        self.digest.merge(&other.digest);
        self
    }

    fn is_too_much(&self) -> bool {
        self.rows.len() > MOST_CHANGES || self.bytes > MOST_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            oid: 0,
            schema: String::new(),
            name: String::new(),
            identity: String::new(),
            columns: Vec::new(),
            copy_target: String::new(),
            copy_options: String::new(),
            through: None,
            condition: None,
            shifting: false,
            size_bytes: 0,
            heap_blocks: 1,
        }
    }

    fn key(places: &[usize], row: &str) -> Option<u128> {
        let (table, record) = (table(), TableRecord::default());
        let candidate = Candidate {
            table: &table,
            record: &record,
            index: 0,
            key: places.iter().map(|place| (*place, String::new())).collect(),
            since: 3,
        };
        candidate.key_of(row.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn a_key_is_hashed_as_its_fields_stand_in_the_row() {
        assert_eq!(key(&[0], "a\tb\n"), Some(xxh3_128(b"a")));
        assert_eq!(key(&[1], "a\tb\n"), Some(xxh3_128(b"b")));
        assert_eq!(key(&[0, 2], "a\tb\tc\n"), Some(xxh3_128(b"a\tc")));
        assert_eq!(key(&[0, 1], "a\tb\tc\n"), Some(xxh3_128(b"a\tb")));
        assert_eq!(key(&[1, 3], "a\tb\tc\td\n"), Some(xxh3_128(b"b\td")));
        assert_eq!(key(&[0], "\n"), Some(xxh3_128(b"")));
        assert_eq!(key(&[1], "a\n"), None);
    }

    #[test]
    fn a_row_that_is_the_same_again_stays() {
        let row = |text: &[u8], block| NewRow {
            key: 0,
            row: xxh3_128(text),
            place: Place { block, tuple: 1 },
        };
        let newer = Newer {
            rows: vec![row(b"same\n", 1), row(b"new\n", 2), row(b"same\n", 3)],
            ..Newer::default()
        };
        let mut lacking = Lacking::default();
        lacking.take(b"same\n");
        lacking.take(b"old\n");
        let replacement = newer.replaced_by(lacking, &TableRecord::default());
        assert_eq!(replacement.patch.amount(), (2, 1));
    }
}
