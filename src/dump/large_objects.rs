//! Bytes of large objects → members of `lo_put` statements.
//!
//! Small objects share a member; a large one fills several, each of at most a few MiB of text, so
//! memory stays flat. Their digests go into the manifest.

use crate::archive::{self, BytesDigest, LargeObjectRecord, Manifest, MemberKind, Writer};
use crate::catalog;
use crate::context::{Context, Progress};
use crate::error::{Attempt, Result};
use crate::pg::Session;

/// A member is closed once it holds this much text.
const MEMBER_BYTES: usize = 2 << 20;

/// Reads every large object and appends its members; returns the bytes of text.
pub(super) async fn append(
    session: &Session,
    oids: &[u32],
    manifest: &mut Manifest,
    writer: &mut Writer,
    ctx: &Context,
) -> Result<u64> {
    let mut text = String::new();
    let mut written = 0;
    let mut progress = Progress {
        total_items: oids.len() as u64,
        ..Progress::default()
    };
    for &oid in oids {
        let mut digest = BytesDigest::default();
        let mut next = Some(0);
        while let Some(offset) = next {
            let piece = catalog::read_large_object(session, oid, offset).await?;
            piece.digest_into(&mut digest)?;
            text.push_str(&piece.statement(oid));
            next = piece.next();
            if text.len() >= MEMBER_BYTES {
                written += flush(writer, &mut text).await?;
            }
        }
        manifest.large_objects.push(LargeObjectRecord {
            oid,
            bytes: digest.bytes,
            digest: digest.hex(),
        });
        progress.what = catalog::large_object_identity(oid);
        progress.items += 1;
        progress.bytes += digest.bytes;
        ctx.progress(progress.clone());
    }
    written += flush(writer, &mut text).await?;
    Ok(written)
}

/// Compresses on a blocking thread and appends; nothing for no text.
async fn flush(writer: &mut Writer, text: &mut String) -> Result<u64> {
    if text.is_empty() {
        return Ok(0);
    }
    let text = std::mem::take(text);
    let compressed = tokio::task::spawn_blocking(move || archive::compress(text.as_bytes()))
        .await
        .attempt(|| "compress large objects".to_owned())??;
    let bytes = compressed.text_length;
    writer.append(MemberKind::LargeObjects, None, 0, compressed)?;
    Ok(bytes)
}
