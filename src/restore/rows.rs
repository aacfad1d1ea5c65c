//! A data member → `COPY … FROM STDIN`.

use bytes::Bytes;

use crate::archive::{Manifest, MemberRecord, Reader, TableRecord, copy_rows};
use crate::error::{Error, Kind, Result};
use crate::pg::{CopyIn, Session, Sql, quote_ident};

/// Bytes per message: large enough to be cheap, small enough to keep the sockets' buffers small.
const CHUNK_BYTES: usize = 128 << 10;

/// The table that a data member belongs to.
pub(super) fn table_of<'a>(
    manifest: &'a Manifest,
    member: &MemberRecord,
) -> Result<&'a TableRecord> {
    member
        .table
        .and_then(|table| usize::try_from(table).ok())
        .and_then(|table| manifest.tables.get(table))
        .ok_or_else(|| {
            Error::new(Kind::Difference, "load rows").because("a data member names no table")
        })
}

/// Reads and sends one member's rows; returns their bytes.
pub(super) async fn load_member(
    session: &Session,
    reader: &Reader,
    index: usize,
    table: &TableRecord,
    member: &MemberRecord,
) -> Result<u64> {
    let rows = read_member(reader, index, table)?;
    let mut loading = Loading::begin(session, table).await?;
    loading.send(index, member, &rows).await;
    loading.finish().await.map(|(bytes, _)| bytes)
}

/// One member's rows, checked and decompressed: work for a thread that may block.
pub(super) fn read_member(reader: &Reader, index: usize, table: &TableRecord) -> Result<Bytes> {
    let number = u32::try_from(index)
        .map_err(|error| Error::operation(attempted(table)).caused_by(error))?;
    let text = Bytes::from(reader.member_text(number)?);
    rows_within(&text, &table.copy).ok_or_else(|| {
        Error::new(Kind::Difference, attempted(table))
            .because(format!("member {index} of the archive is no COPY of it"))
    })
}

fn attempted(table: &TableRecord) -> String {
    format!("load the rows of {}", table.identity)
}

/// A COPY under way, of one member or of several of one table.
pub(super) struct Loading<'a> {
    copy: CopyIn,
    table: &'a TableRecord,
    /// The first member and the last one so far.
    members: Option<(usize, usize)>,
    rows: u64,
    bytes: u64,
    failed: bool,
}

impl<'a> Loading<'a> {
    pub async fn begin(session: &Session, table: &'a TableRecord) -> Result<Self> {
        let copy = session.copy_in(&Sql::deparsed(table.copy.clone())).await;
        Ok(Self {
            copy: copy.map_err(|error| error.attempting(attempted(table)))?,
            table,
            members: None,
            rows: 0,
            bytes: 0,
            failed: false,
        })
    }

    /// Whether this table is being loaded.
    pub fn is_of(&self, table: &TableRecord) -> bool {
        std::ptr::eq(self.table, table)
    }

    /// Sends one member's rows. A failed COPY shows here or at the end; only the end has the
    /// server's words, so nothing more is sent.
    pub async fn send(&mut self, index: usize, member: &MemberRecord, rows: &Bytes) {
        let first = self.members.map_or(index, |(first, _)| first);
        self.members = Some((first, index));
        self.rows += member.rows;
        self.bytes += rows.len() as u64;
        let mut sent = 0;
        while sent < rows.len() && !self.failed {
            let end = rows.len().min(sent + CHUNK_BYTES);
            self.failed = self.copy.send(rows.slice(sent..end)).await.is_err();
            sent = end;
        }
    }

    /// Ends the COPY; returns bytes and rows. The server must take as many rows as were recorded.
    pub async fn finish(self) -> Result<(u64, u64)> {
        let table = self.table;
        let taken = self.copy.finish().await;
        let taken = taken.map_err(|error| unfit(error, table).attempting(attempted(table)))?;
        if taken == self.rows {
            return Ok((self.bytes, self.rows));
        }
        let members = match self.members {
            Some((first, last)) if first < last => format!("the members {first} to {last}"),
            Some((only, _)) => format!("member {only}"),
            None => "no member".to_owned(),
        };
        Err(Error::operation(attempted(table)).because(format!(
            "the server took {taken} rows of {} in {members}",
            self.rows
        )))
    }
}

/// A check that holds for rows that it once let in no longer does: no way of loading them gets around that, and nothing but a
/// scan of the rows makes a check valid again.
fn unfit(error: Error, table: &TableRecord) -> Error {
    if error.sqlstate() != Some("23514") {
        return error;
    }
    let (schema, name) = (quote_ident(&table.schema), quote_ident(&table.name));
    error
        .hint(format!(
            "rows that the archive holds of {} do not fulfil that check any more: a function that it calls has changed since \
             they were written, or it depends on time, on settings or on other tables; every way of putting them back meets it",
            table.identity
        ))
        .hint(format!(
            "make the check hold again (the function as it was), or load the archive beside the database by hand without that \
             line: `pgbelay show` names what it holds, `gunzip -c` prints it; for later backups: ALTER TABLE {schema}.{name} DROP CONSTRAINT …, \
             and ADD it again as NOT VALID, which asks nothing of old rows"
        ))
}

/// The rows as a slice that shares the member's memory.
fn rows_within(text: &Bytes, copy_line: &str) -> Option<Bytes> {
    copy_rows(text, copy_line).map(|rows| text.slice_ref(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_between_the_copy_line_and_the_end() {
        let text = Bytes::from_static(b"COPY t (a) FROM stdin;\n1\n2\n\\.\n");
        let rows = rows_within(&text, "COPY t (a) FROM stdin;").unwrap();
        assert_eq!(&rows[..], b"1\n2\n");
        assert_eq!(rows_within(&text, "COPY u (a) FROM stdin;"), None);
    }
}
