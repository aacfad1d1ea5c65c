//! gzip members, whole: text in memory ↔ one complete member in memory.
//!
//! What compresses was chosen by measuring COPY text (docs/compression.md): our own [`deflate`] for
//! long texts, which are mostly rows, libdeflate for short ones, and libdeflate again to read all of it.
//! Pure CPU work without shared state, so workers call it on their own threads.

use std::io;

use libdeflater::{CompressionLvl, Compressor, Crc, Decompressor};
use xxhash_rust::xxh3::xxh3_128;

use super::deflate::deflate;
use crate::error::{Attempt, Error, Result};

/// The longest text of one member, in bytes: a single row of PostgreSQL's largest size (1 GiB)
/// and its COPY line fit, and gzip's 32-bit length is never ambiguous.
pub const MAX_MEMBER_TEXT: u64 = 2 << 30;

/// Deflate cannot shrink more than 1032:1, so a claimed text length beyond that is a lie and is
/// refused before memory is reserved for it.
const MAX_RATIO: u64 = 1032;

/// gzip's header and trailer, the least a member can have.
pub(super) const MIN_MEMBER: u64 = 18;

/// libdeflate's level: docs/compression.md.
const LEVEL: i32 = 1;

/// RFC 1952: deflate, no flags, no time, the fastest algorithm, an unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

/// Shorter texts are libdeflate's, which chooses codes and their description with more care.
const LONG: usize = 64 << 10;

/// One gzip member, ready to be appended to an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// The whole member.
    pub bytes: Vec<u8>,
    /// Bytes of the text it holds.
    pub text_length: u64,
    /// XXH3-128 of `bytes`, 32 hex digits.
    pub hash: String,
}

/// Compresses `text` into one gzip member.
pub fn compress(text: &[u8]) -> Result<Compressed> {
    let attempted = "compress a part of the archive";
    if text.len() as u64 > MAX_MEMBER_TEXT {
        return Err(Error::refused(attempted).because(format!(
            "it has {} bytes, at most {MAX_MEMBER_TEXT} fit",
            text.len()
        )));
    }
    let mut bytes = match text.len() {
        LONG.. => by_ourselves(text),
        _ => by_libdeflate(text),
    }
    .attempt(|| attempted.to_owned())?;
    bytes.shrink_to_fit();
    Ok(Compressed {
        hash: hash_hex(&bytes),
        text_length: text.len() as u64,
        bytes,
    })
}

fn by_libdeflate(text: &[u8]) -> io::Result<Vec<u8>> {
    let level = CompressionLvl::new(LEVEL).map_err(|_| io::Error::other("no such level"))?;
    let mut compressor = Compressor::new(level);
    let mut bytes = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor
        .gzip_compress(text, &mut bytes)
        .map_err(io::Error::other)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// A gzip member around our deflate; the checksum is libdeflate's.
fn by_ourselves(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut member = Vec::with_capacity(text.len() / 4);
    member.extend_from_slice(&GZIP_HEADER);
    deflate(text, &mut member);
    let mut checksum = Crc::new();
    checksum.update(text);
    member.extend_from_slice(&checksum.sum().to_le_bytes());
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    member.extend_from_slice(&length.to_le_bytes());
    Ok(member)
}

/// Decompresses one member whose text must have exactly `text_length` bytes; gzip's own checksum
/// is verified. The error says why not, for people.
pub(super) fn decompress(member: &[u8], text_length: u64) -> Result<Vec<u8>, String> {
    plausible(member.len() as u64, text_length)?;
    let length = usize::try_from(text_length).map_err(|error| error.to_string())?;
    let mut text = vec![0; length];
    let actual = Decompressor::new()
        .gzip_decompress(member, &mut text)
        .map_err(|error| format!("it cannot be decompressed: {error}"))?;
    if actual != length {
        return Err(format!(
            "its text has {actual} bytes, {length} were expected"
        ));
    }
    Ok(text)
}

/// Says why a member of `length` bytes cannot hold a text of `text_length` bytes.
pub(super) fn plausible(length: u64, text_length: u64) -> Result<(), String> {
    if length < MIN_MEMBER {
        return Err(format!("{length} bytes are too few for a gzip member"));
    }
    if text_length > MAX_MEMBER_TEXT {
        return Err(format!(
            "its text is said to have {text_length} bytes, more than a member may hold"
        ));
    }
    if text_length / MAX_RATIO > length {
        return Err(format!(
            "{length} bytes cannot hold {text_length} bytes of text"
        ));
    }
    Ok(())
}

/// XXH3-128 as 32 hex digits.
pub(super) fn hash_hex(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in [
            &b""[..],
            b"a",
            &b"COPY t FROM stdin;\n1\n\\.\n".repeat(1000),
        ] {
            let compressed = compress(text).unwrap();
            assert_eq!(
                decompress(&compressed.bytes, text.len() as u64).unwrap(),
                text
            );
        }
    }

    #[test]
    fn short_and_long_texts_are_whole_members() {
        let numbers: Vec<u8> = (0..100_000_u64)
            .flat_map(|n| format!("{}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes())
            .collect();
        for length in [LONG - 1, LONG, LONG + 1, numbers.len()] {
            let text = &numbers[..length];
            let member = compress(text).unwrap();
            assert_eq!(decompress(&member.bytes, member.text_length).unwrap(), text);
            let mut streamed = Vec::new();
            let mut decoder = flate2::bufread::GzDecoder::new(&member.bytes[..]);
            std::io::Read::read_to_end(&mut decoder, &mut streamed).unwrap();
            assert!(streamed == text);
        }
    }

    #[test]
    fn the_best_case_of_deflate_is_plausible() {
        let text = vec![0; 64 << 20];
        let compressed = compress(&text).unwrap();
        assert!(plausible(compressed.bytes.len() as u64, text.len() as u64).is_ok());
    }

    #[test]
    fn a_lie_about_the_length_is_refused() {
        let compressed = compress(b"hello").unwrap();
        assert!(decompress(&compressed.bytes, 4).is_err());
        assert!(decompress(&compressed.bytes, 6).is_err());
        assert!(decompress(&compressed.bytes, u64::MAX).is_err());
        assert!(decompress(&compressed.bytes, MAX_MEMBER_TEXT).is_err());
        assert!(decompress(&[], 0).is_err());
    }
}
