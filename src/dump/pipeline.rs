//! Pieces of rows → compressed members: several at a time, appended in the order of reading.
//!
//! In flight at any moment: the channel, `jobs + 2` compressions and the piece that each connection
//! fills, each of about 2 MiB of text; so memory does not grow with the database.

use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use super::rows::{Piece, Sent};
use super::workers::Team;
use crate::archive::{self, Compressed, Manifest, MemberKind, TableDigest, Writer};
use crate::catalog::Catalog;
use crate::context::{Context, Progress};
use crate::error::{Attempt, Error, Result};

/// Pieces that may wait for a compressing thread.
const WAITING_PIECES: usize = 2;

/// What leaves the compressing threads.
enum Packed {
    Member {
        table: u32,
        rows: u64,
        compressed: Compressed,
    },
    End(u32, TableDigest),
}

/// Reads every table and appends its members; fills rows, bytes and digests of the manifest's
/// tables. Returns the bytes of text.
pub(super) async fn append_tables(
    team: Team<'_>,
    catalog: &Catalog,
    manifest: &mut Manifest,
    writer: &mut Writer,
    jobs: usize,
    ctx: &Context,
) -> Result<u64> {
    let (sender, receiver) = mpsc::channel(WAITING_PIECES);
    let read = team.read_tables(catalog, sender);
    let write = pack_and_append(receiver, catalog, manifest, writer, jobs, ctx);
    // The writer's failure closes the channel, so the reader's is then only an echo of it.
    let (read, written) = tokio::join!(read, write);
    let text_bytes = written?;
    read?;
    Ok(text_bytes)
}

async fn pack_and_append(
    receiver: mpsc::Receiver<Sent>,
    catalog: &Catalog,
    manifest: &mut Manifest,
    writer: &mut Writer,
    jobs: usize,
    ctx: &Context,
) -> Result<u64> {
    let received = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|sent| (sent, receiver))
    });
    let mut packed = Box::pin(received.map(pack).buffered(jobs + 2));
    let mut meter = Meter::new(catalog);
    while let Some(packed) = packed.next().await {
        match packed? {
            Packed::Member {
                table,
                rows,
                compressed,
            } => {
                meter.add(table, rows, compressed.text_length, catalog, ctx);
                writer.append(MemberKind::Data, Some(table), rows, compressed)?;
            }
            Packed::End(table, digest) => {
                note_digest(manifest, table, &digest)?;
                meter.end_table(ctx);
            }
        }
    }
    Ok(meter.text_bytes)
}

/// Compresses on a blocking thread.
async fn pack(sent: Sent) -> Result<Packed> {
    match sent {
        Sent::End(table, digest) => Ok(Packed::End(table, digest)),
        Sent::Piece(Piece { table, rows, text }) => {
            let compressed = tokio::task::spawn_blocking(move || archive::compress(&text))
                .await
                .attempt(|| "compress rows".to_owned())??;
            Ok(Packed::Member {
                table,
                rows,
                compressed,
            })
        }
    }
}

fn note_digest(manifest: &mut Manifest, table: u32, digest: &TableDigest) -> Result<()> {
    let record = usize::try_from(table)
        .ok()
        .and_then(|table| manifest.tables.get_mut(table))
        .ok_or_else(|| Error::operation("note a table's digest").because("no such table"))?;
    record.rows = digest.rows;
    record.bytes = digest.bytes;
    record.digest = digest.hex();
    Ok(())
}

/// Counts what was written, for the person.
struct Meter {
    text_bytes: u64,
    progress: Progress,
}

impl Meter {
    fn new(catalog: &Catalog) -> Self {
        Self {
            text_bytes: 0,
            progress: Progress {
                total_bytes: catalog.tables.iter().map(|table| table.size_bytes).sum(),
                total_items: catalog.tables.len() as u64,
                ..Progress::default()
            },
        }
    }

    fn add(&mut self, table: u32, rows: u64, bytes: u64, catalog: &Catalog, ctx: &Context) {
        self.text_bytes += bytes;
        self.progress.bytes += bytes;
        self.progress.rows += rows;
        let table = usize::try_from(table)
            .ok()
            .and_then(|table| catalog.tables.get(table));
        if let Some(table) = table {
            self.progress.what.clone_from(&table.identity);
        }
        ctx.progress(self.progress.clone());
    }

    fn end_table(&mut self, ctx: &Context) {
        self.progress.items += 1;
        ctx.progress(self.progress.clone());
    }
}
