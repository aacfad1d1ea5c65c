//! Pieces of rows → compressed members: several at a time, appended in the order of reading.
//!
//! In flight at any moment: the channel, `jobs + 2` compressions and the piece that each connection
//! fills, each of about 2 MiB of text, one piece or those of many small tables; so memory does not grow
//! with the database.

use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use super::rows::Sent;
use super::tally::Tally;
use super::workers::Team;
use crate::archive::{self, Compressed, Manifest, MemberKind, TableDigest, Writer};
use crate::context::Context;
use crate::error::{Attempt, Error, Result};

/// Pieces that may wait for a compressing thread.
const WAITING_PIECES: usize = 2;

/// What leaves the compressing threads.
enum Packed {
    Member {
        unit: usize,
        table: u32,
        rows: u64,
        compressed: Compressed,
    },
    End(usize, TableDigest),
}

/// Reads every table and appends its members; fills rows, bytes and digests of the manifest's
/// tables. Returns the bytes of text.
pub(super) async fn append_tables(
    team: Team<'_>,
    manifest: &mut Manifest,
    writer: &mut Writer,
    jobs: usize,
    ctx: &Context,
) -> Result<u64> {
    let (sender, receiver) = mpsc::channel(WAITING_PIECES);
    let tally = Tally::of(team.units(), manifest.tables.len())?;
    let read = team.read_tables(sender);
    let write = pack_and_append(receiver, tally, manifest, writer, jobs, ctx);
    // The writer's failure closes the channel, so the reader's is then only an echo of it.
    let (read, written) = tokio::join!(read, write);
    let tally = written?;
    read?;
    tally.finish()
}

async fn pack_and_append(
    receiver: mpsc::Receiver<Vec<Sent>>,
    mut tally: Tally,
    manifest: &mut Manifest,
    writer: &mut Writer,
    jobs: usize,
    ctx: &Context,
) -> Result<Tally> {
    let received = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|sent| (sent, receiver))
    });
    let mut packed = Box::pin(received.map(pack).buffered(jobs + 2));
    while let Some(packed) = packed.next().await {
        for packed in packed? {
            match packed {
                Packed::Member {
                    unit,
                    table,
                    rows,
                    compressed,
                } => {
                    tally.add(unit, rows, compressed.text_length, &manifest.tables);
                    writer.append(MemberKind::Data, Some(table), rows, compressed)?;
                }
                Packed::End(unit, digest) => {
                    if let Some((table, digest)) = tally.end(unit, &digest)? {
                        note_digest(manifest, table, &digest)?;
                    }
                }
            }
        }
        ctx.progress(tally.progress());
    }
    Ok(tally)
}

/// Compresses on a blocking thread, unless there is nothing to compress.
async fn pack(sent: Vec<Sent>) -> Result<Vec<Packed>> {
    if sent.iter().all(|one| one.bytes() == 0) {
        return sent.into_iter().map(pack_one).collect();
    }
    tokio::task::spawn_blocking(move || sent.into_iter().map(pack_one).collect())
        .await
        .attempt(|| "compress rows".to_owned())?
}

fn pack_one(sent: Sent) -> Result<Packed> {
    match sent {
        Sent::End(unit, digest) => Ok(Packed::End(unit, digest)),
        Sent::Piece(piece) => Ok(Packed::Member {
            unit: piece.unit,
            table: piece.table,
            rows: piece.rows,
            compressed: archive::compress(&piece.text)?,
        }),
    }
}

fn note_digest(manifest: &mut Manifest, table: usize, digest: &TableDigest) -> Result<()> {
    let record = manifest
        .tables
        .get_mut(table)
        .ok_or_else(|| Error::operation("note a table's digest").because("no such table"))?;
    record.rows = digest.rows;
    record.bytes = digest.bytes;
    record.digest = digest.hex();
    Ok(())
}
