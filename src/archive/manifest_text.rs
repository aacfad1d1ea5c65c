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
use crate::error::Error;

/// Starts each line.
const PREFIX: &[u8] = b"-- ";
/// JSON bytes per line; with prefix and newline under 64 KiB.
const PIECE: usize = 65_000;
/// Text bytes per gzip member, whole lines.
const MEMBER_TEXT: usize = 4 << 20;
/// The longest manifest text accepted: ten thousand tables need about 50 MB.
pub(super) const MAX_TEXT: u64 = 512 << 20;

/// Hands the manifest's text to `take`, cut into pieces of whole lines for one gzip member each. Tens of
/// thousands of tables make a long text, of which one piece is held at a time.
pub(super) fn encode(
    manifest: &Manifest,
    take: &mut dyn FnMut(&[u8]) -> crate::error::Result<()>,
) -> crate::error::Result<()> {
    let mut lines = Lines {
        line: Vec::with_capacity(PIECE),
        text: Vec::with_capacity(MEMBER_TEXT),
        take,
        failed: None,
    };
    let written = manifest
        .serialize(&mut Serializer::with_formatter(&mut lines, Ascii))
        .map_err(io::Error::from)
        .and_then(|()| lines.end());
    match (written, lines.failed) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(Error::operation("write the manifest").caused_by(error)),
    }
}

/// JSON → comment lines → members.
struct Lines<'a> {
    /// JSON of the line that is being filled.
    line: Vec<u8>,
    /// Whole lines of the member that is being filled.
    text: Vec<u8>,
    take: &'a mut dyn FnMut(&[u8]) -> crate::error::Result<()>,
    /// Why `take` refused.
    failed: Option<Error>,
}

impl Lines<'_> {
    /// Ends the line, and first the member if the line has no room in it.
    fn end_line(&mut self) -> io::Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        if self.text.len() + PREFIX.len() + self.line.len() + 1 > MEMBER_TEXT {
            self.end_member()?;
        }
        self.text.extend_from_slice(PREFIX);
        self.text.append(&mut self.line);
        self.text.push(b'\n');
        Ok(())
    }

    fn end_member(&mut self) -> io::Result<()> {
        let taken = (self.take)(&self.text);
        self.text.clear();
        taken.map_err(|error| {
            self.failed = Some(error);
            io::Error::other("the text was not taken")
        })
    }

    fn end(&mut self) -> io::Result<()> {
        self.end_line()?;
        self.end_member()
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        if self.line.len() == PIECE {
            self.end_line()?;
        }
        let now = json.len().min(PIECE - self.line.len());
        self.line.extend_from_slice(&json[..now]);
        Ok(now)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
    let mut text =
        read_exactly(MultiGzDecoder::new(compressed), text_length).map_err(Unreadable::Damaged)?;
    let json = strip(&mut text)
        .ok_or_else(|| Unreadable::Damaged("it is not made of comment lines".into()))?;
    serde_json::from_slice(json).map_err(|error| Unreadable::NotUnderstood(error.to_string()))
}

/// Reads a text of `length` bytes, and never more than one byte beyond.
fn read_exactly(from: impl Read, length: u64) -> Result<Vec<u8>, String> {
    // What is announced is plausible, and memory that is not filled costs nothing.
    let room = usize::try_from(length + 1).map_err(|error| error.to_string())?;
    let mut text = Vec::with_capacity(room);
    from.take(length + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("it cannot be decompressed: {error}"))?;
    if text.len() as u64 == length {
        return Ok(text);
    }
    Err("its length is not what the footer says".into())
}

/// Joins the lines without their prefixes and newlines, where they stand: the text may be long.
fn strip(text: &mut [u8]) -> Option<&[u8]> {
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        let line = text[from..].strip_prefix(PREFIX)?;
        let length = memchr::memchr(b'\n', line)?;
        let start = from + PREFIX.len();
        text.copy_within(start..start + length, to);
        from = start + length + 1;
        to += length;
    }
    Some(&text[..to])
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

    fn texts(manifest: &Manifest) -> Vec<Vec<u8>> {
        let mut texts = Vec::new();
        encode(manifest, &mut |text| {
            texts.push(text.to_vec());
            Ok(())
        })
        .unwrap();
        texts
    }

    /// Encodes, checks the form of every line, and decodes.
    fn round_trip(manifest: &Manifest) -> Manifest {
        let texts = texts(manifest);
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
        assert!(texts(&manifest).len() > 1);
        assert_eq!(round_trip(&manifest), manifest);
    }

    #[test]
    fn who_takes_the_text_may_refuse() {
        let refuse = &mut |_: &[u8]| Err(Error::operation("write").because("the disk is full"));
        let error = encode(&manifest_of(&[]), refuse).unwrap_err();
        assert_eq!(error.reason().unwrap(), "the disk is full");
    }

    #[test]
    fn lines_are_comments_and_nothing_else() {
        let stripped = |text: &str| {
            let mut text = text.as_bytes().to_vec();
            strip(&mut text).map(|json| String::from_utf8(json.to_vec()).unwrap())
        };
        assert_eq!(stripped("").as_deref(), Some(""));
        assert_eq!(stripped("-- {\n-- }\n").as_deref(), Some("{}"));
        assert_eq!(stripped("-- \n-- a\n-- \n").as_deref(), Some("a"));
        for wrong in ["-- a", "-- a\nb\n", "--\n", "-- a\n\n"] {
            assert_eq!(stripped(wrong), None, "{wrong:?}");
        }
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
