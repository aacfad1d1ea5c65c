//! One unit's rows → pieces of COPY text, with the unit's digest.
//!
//! Each piece is a complete `COPY … FROM stdin; … \.` statement of whole rows (design.md §4), so it
//! stands alone as an archive member. Reading never runs ahead of the pipeline: the channel is
//! bounded, and what it bounds is memory.

use std::ops::ControlFlow;

use tokio::sync::mpsc;

use super::units::Unit;
use crate::archive::TableDigest;
use crate::catalog::{self, Table};
use crate::error::{Error, Result};
use crate::pg::Session;

/// A piece is closed once it holds this much text: members are 1 to 4 MiB, one giant row aside.
pub(super) const PIECE_BYTES: usize = 2 << 20;

/// Some rows of one unit, as the text of a data member.
#[derive(Debug)]
pub(super) struct Piece {
    /// The unit's number.
    pub unit: usize,
    /// Index into `Catalog::tables`.
    pub table: u32,
    /// Rows in it.
    pub rows: u64,
    /// The whole COPY statement.
    pub text: Vec<u8>,
}

impl Piece {
    /// Takes some rows; breaks off when the piece is full.
    fn add(&mut self, rows: &[u8]) -> ControlFlow<()> {
        self.text.extend_from_slice(rows);
        if self.text.len() < PIECE_BYTES {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// What reading sends.
#[derive(Debug)]
pub(super) enum Sent {
    /// Some rows.
    Piece(Piece),
    /// All rows of the unit with this number were sent; their digest.
    End(usize, TableDigest),
}

impl Sent {
    /// Bytes of text in it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Piece(piece) => piece.text.len(),
            Self::End(..) => 0,
        }
    }
}

/// Reads one unit on `session`, whose transaction holds the table's lock, into the channel.
pub(super) async fn read_unit(
    session: &Session,
    unit: &Unit,
    sender: &mpsc::Sender<Vec<Sent>>,
) -> Result<()> {
    let table = &unit.table;
    let mut rows = session
        .copy_out(&unit.copy_out())
        .await
        .map_err(|error| catalog::rows_unread(&table.identity, error))?;
    let head = format!("{}\n", copy_line(table));
    let mut digest = TableDigest::default();
    let mut piece = start(unit, &head);
    while rows
        .rows(|rows| {
            let before = digest.rows;
            digest.add_rows(rows);
            piece.rows += digest.rows - before;
            piece.add(rows)
        })
        .await
        .map_err(|error| catalog::rows_unread(&table.identity, error))?
    {
        let full = std::mem::replace(&mut piece, start(unit, &head));
        send(sender, end(full)).await?;
    }
    if piece.rows > 0 {
        send(sender, end(piece)).await?;
    }
    send(sender, Sent::End(unit.number, digest)).await
}

/// The statement that starts each of the table's members, on one line whatever its names hold.
pub(super) fn copy_line(table: &Table) -> String {
    let line = table.copy_line();
    if !line.contains(['\n', '\r']) {
        return line;
    }
    let (mut text, mut rest) = (String::new(), line.as_str());
    while let Some((before, name)) = rest.split_once('"') {
        let end = closing_quote(name);
        text.push_str(before);
        text.push_str(&on_one_line(&name[..end]));
        rest = name.get(end + 1..).unwrap_or_default();
    }
    text + rest
}

/// Where a quoted name ends: at a quote that is not doubled.
fn closing_quote(name: &str) -> usize {
    let mut from = 0;
    while let Some(at) = name[from..].find('"') {
        let at = from + at;
        if !name[at + 1..].starts_with('"') {
            return at;
        }
        from = at + 2;
    }
    name.len()
}

/// A name quoted again, its line breaks escaped; `name` is what stood between the quotes.
fn on_one_line(name: &str) -> String {
    if !name.contains(['\n', '\r']) {
        return format!("\"{name}\"");
    }
    let escaped = name
        .replace('\\', "\\\\")
        .replace('\n', "\\000a")
        .replace('\r', "\\000d");
    format!("U&\"{escaped}\"")
}

fn start(unit: &Unit, head: &str) -> Piece {
    // Room for all that will come, so that a growing piece is not copied again and again.
    let room = usize::try_from(unit.bytes).unwrap_or(PIECE_BYTES);
    let mut text = Vec::with_capacity(head.len() + room.min(PIECE_BYTES + PIECE_BYTES / 8));
    text.extend_from_slice(head.as_bytes());
    Piece {
        unit: unit.number,
        table: unit.index,
        rows: 0,
        text,
    }
}

fn end(mut piece: Piece) -> Sent {
    piece.text.extend_from_slice(b"\\.\n");
    Sent::Piece(piece)
}

async fn send(sender: &mpsc::Sender<Vec<Sent>>, sent: Sent) -> Result<()> {
    hand_over(sender, vec![sent]).await
}

/// Hands something to the writer.
pub(super) async fn hand_over(sender: &mpsc::Sender<Vec<Sent>>, sent: Vec<Sent>) -> Result<()> {
    sender.send(sent).await.map_err(|_| {
        Error::operation("hand rows to the archive's writer").because("the writer has stopped")
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A table of no size that is copied from `target`.
    pub(crate) fn table(target: &str) -> Table {
        Table {
            oid: 1,
            schema: String::new(),
            name: String::new(),
            identity: String::new(),
            columns: vec!["a".to_owned()],
            copy_target: target.to_owned(),
            copy_options: String::new(),
            through: None,
            condition: None,
            shifting: false,
            size_bytes: 0,
            heap_blocks: 0,
        }
    }

    fn line(target: &str) -> String {
        copy_line(&table(target))
    }

    #[test]
    fn names_with_line_breaks_stay_on_one_line() {
        assert_eq!(line("s.t (\"a b\")"), "COPY s.t (\"a b\") FROM stdin;");
        assert_eq!(
            line("s.\"we\"\"ird\nx\\\" (\"a\"\"b\", c)"),
            "COPY s.U&\"we\"\"ird\\000ax\\\\\" (\"a\"\"b\", c) FROM stdin;"
        );
    }
}
