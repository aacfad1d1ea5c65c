//! Says what a file is that has no footer: an archive cut short, or something else altogether.

use std::io::Read;

use flate2::read::GzDecoder;

use super::FIRST_LINE;

/// What a file's first bytes look like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// An archive of ours, cut short.
    Ours,
    /// Something else: what, and what to do with it.
    Foreign(&'static str, &'static str),
}

const CHECK_THE_NAME: &str = "name a file made by `pgbelay backup` or `pgbelay run`";

/// Looks at the first bytes of a file.
pub(super) fn recognise(head: &[u8]) -> Looks {
    if head.starts_with(b"PGDMP") {
        return Looks::Foreign(
            "it is in pg_dump's custom format",
            "restore it with pg_restore",
        );
    }
    if is_plain_dump(head) {
        return Looks::Foreign(
            "it is a plain SQL dump of pg_dump",
            "restore it with `psql DATABASE < FILE`",
        );
    }
    if !b"\x1f\x8b\x08".starts_with(&head[..head.len().min(3)])
        && !head.starts_with(b"\x1f\x8b\x08")
    {
        return Looks::Foreign("it is not compressed with gzip", CHECK_THE_NAME);
    }
    let text = first_text(head);
    if is_plain_dump(&text) {
        return Looks::Foreign(
            "it is a compressed SQL dump of pg_dump",
            "restore it with `gunzip -c FILE | psql DATABASE`",
        );
    }
    if text.starts_with(b"PGDMP") {
        return Looks::Foreign(
            "it is pg_dump's custom format, compressed again",
            "restore it with `gunzip -c FILE | pg_restore`",
        );
    }
    let known = text.len().min(FIRST_LINE.len());
    if text[..known] == FIRST_LINE.as_bytes()[..known] {
        return Looks::Ours;
    }
    Looks::Foreign("it is a gzip file of another kind", CHECK_THE_NAME)
}

/// pg_dump and pg_dumpall start with these comments.
fn is_plain_dump(text: &[u8]) -> bool {
    text.starts_with(b"--\n-- PostgreSQL database")
}

/// As much of the first line as can be decompressed.
fn first_text(head: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut decoder = GzDecoder::new(head).take(64);
    let mut byte = [0];
    // Byte by byte, so that what stands before the cut is kept.
    while matches!(decoder.read(&mut byte), Ok(1)) {
        text.push(byte[0]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::compress;

    fn packed(text: &str) -> Vec<u8> {
        compress(text.as_bytes()).unwrap().bytes
    }

    fn foreign(head: &[u8]) -> &'static str {
        match recognise(head) {
            Looks::Foreign(what, _) => what,
            Looks::Ours => panic!("recognised as ours"),
        }
    }

    #[test]
    fn dumps_of_pg_dump_are_called_so() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\n";
        assert!(foreign(&packed(dump)).contains("compressed SQL dump"));
        assert!(foreign(dump.as_bytes()).contains("plain SQL dump"));
        assert!(foreign(b"PGDMP\x01").contains("custom format"));
        assert!(foreign(&packed("PGDMP")).contains("custom format"));
        assert!(foreign(b"hello").contains("not compressed"));
        assert!(foreign(&packed("hello")).contains("another kind"));
    }

    #[test]
    fn an_archive_is_recognised_however_short() {
        let archive = packed("\\set ON_ERROR_STOP on\nSET x = 1;\n");
        for length in 1..=archive.len() {
            assert_eq!(recognise(&archive[..length]), Looks::Ours, "{length} bytes");
        }
    }
}
