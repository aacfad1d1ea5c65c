//! The manifest as SQL comment lines: `-- ` and a piece of one JSON text per line.
//!
//! The JSON is pure ASCII on one line: control characters, everything beyond ASCII included, are
//! escaped. So no line can end early for psql (a carriage return would end a comment), no client
//! encoding can misread a byte, and pieces can be cut anywhere. Lines are bounded so that
//! `zcat FILE | tail` stays usable.

use std::io::{self, Read, Write};

use flate2::bufread::MultiGzDecoder;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::Manifest;
use super::compress::plausible;

/// Starts each line.
const PREFIX: &[u8] = b"-- ";
/// JSON bytes per line; with prefix and newline under 64 KiB.
const PIECE: usize = 65_000;
/// Text bytes per gzip member, whole lines.
const MEMBER_TEXT: usize = 4 << 20;
/// The longest manifest text accepted: ten thousand tables need about 50 MB.
pub(super) const MAX_TEXT: u64 = 512 << 20;

/// The manifest's text, cut into pieces of whole lines for one gzip member each.
pub(super) fn encode(manifest: &Manifest) -> serde_json::Result<Vec<Vec<u8>>> {
    let mut json = Vec::new();
    manifest.serialize(&mut Serializer::with_formatter(&mut json, Ascii))?;
    let mut members = vec![Vec::new()];
    for piece in json.chunks(PIECE) {
        let full = members
            .last()
            .is_some_and(|text| text.len() + piece.len() + 4 > MEMBER_TEXT);
        if full {
            members.push(Vec::new());
        }
        if let Some(text) = members.last_mut() {
            text.extend_from_slice(PREFIX);
            text.extend_from_slice(piece);
            text.push(b'\n');
        }
    }
    Ok(members)
}

/// Why a manifest cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// Its bytes are not what was written.
    Damaged(String),
    /// It is whole, but says what this version does not understand.
    NotUnderstood(String),
}

/// Reads the manifest from its compressed bytes; never holds more than `text_length` + 1 bytes
/// of text, whatever the bytes decompress to.
pub(super) fn decode(compressed: &[u8], text_length: u64) -> Result<Manifest, Unreadable> {
    if text_length > MAX_TEXT {
        return Err(Unreadable::Damaged(format!(
            "{text_length} bytes of text are too many"
        )));
    }
    plausible(compressed.len() as u64, text_length).map_err(Unreadable::Damaged)?;
    let text =
        read_exactly(MultiGzDecoder::new(compressed), text_length).map_err(Unreadable::Damaged)?;
    let json = strip(&text)
        .ok_or_else(|| Unreadable::Damaged("it is not made of comment lines".into()))?;
    serde_json::from_slice(&json).map_err(|error| Unreadable::NotUnderstood(error.to_string()))
}

/// Reads a text of `length` bytes, and never more than one byte beyond.
fn read_exactly(from: impl Read, length: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    from.take(length + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("it cannot be decompressed: {error}"))?;
    if text.len() as u64 == length {
        return Ok(text);
    }
    Err("its length is not what the footer says".into())
}

/// Joins the lines without their prefixes and newlines.
fn strip(text: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        json.extend_from_slice(line.strip_prefix(PREFIX)?.strip_suffix(b"\n")?);
    }
    Some(json)
}

/// Compact JSON without a byte beyond ASCII.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, character) in text.char_indices() {
            if matches!(character, ' '..='~') {
                continue;
            }
            out.write_all(&text.as_bytes()[plain_from..at])?;
            plain_from = at + character.len_utf8();
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        out.write_all(&text.as_bytes()[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::compress;
    use crate::archive::tests::manifest_of;
    use proptest::prelude::*;

    /// Encodes, checks the form of every line, and decodes.
    fn round_trip(manifest: &Manifest) -> Manifest {
        let texts = encode(manifest).unwrap();
        let mut compressed = Vec::new();
        for text in &texts {
            assert!(text.len() <= MEMBER_TEXT);
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                assert!(line.starts_with(PREFIX) && line.ends_with(b"\n") && line.len() < 64 << 10);
                assert!(
                    line[..line.len() - 1]
                        .iter()
                        .all(|byte| matches!(byte, b' '..=b'~'))
                );
            }
            compressed.extend(compress(text).unwrap().bytes);
        }
        let length = texts.iter().map(|text| text.len() as u64).sum();
        decode(&compressed, length).unwrap()
    }

    #[test]
    fn names_cannot_leave_their_comment() {
        let names = [
            "\n\\! rm -rf /\n",
            "\r\nDROP TABLE t;",
            "\u{2028}\u{85}\u{0}\u{7f}😀\\.\n",
            "\"*/ --",
        ];
        let manifest = manifest_of(&names.map(str::to_owned));
        assert_eq!(round_trip(&manifest), manifest);
    }

    #[test]
    fn a_long_manifest_takes_several_lines_and_members() {
        let manifest = manifest_of(&vec!["é".repeat(1000); 300]);
        assert!(encode(&manifest).unwrap().len() > 1);
        assert_eq!(round_trip(&manifest), manifest);
    }

    #[test]
    fn no_more_is_read_than_announced() {
        assert!(read_exactly(io::repeat(b' '), 10).is_err());
        assert_eq!(read_exactly(&b"0123456789"[..], 10).unwrap().len(), 10);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = compress(&vec![b' '; 8 << 20]).unwrap();
        for length in [
            0,
            10,
            (8 << 20) - 1,
            (8 << 20) + 1,
            MAX_TEXT,
            MAX_TEXT + 1,
            u64::MAX,
        ] {
            assert!(
                matches!(decode(&bomb.bytes, length), Err(Unreadable::Damaged(_))),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(names in prop::collection::vec(any::<String>(), 0..8)) {
            let manifest = manifest_of(&names);
            prop_assert_eq!(round_trip(&manifest), manifest);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_u64..300) {
            let _ = decode(&bytes, length);
            let text = compress(&bytes).unwrap();
            let _ = decode(&text.bytes, text.text_length);
        }
    }
}
