//! The digest of a table: rows, bytes, and an order-independent hash (design.md §4).
//!
//! Each row's COPY text, its newline included, is hashed with XXH3-128; the hashes are summed
//! with wrap-around. Equal multisets of rows give equal sums in any order, so it can be computed
//! by several workers and merged. Summing, unlike XOR, does not cancel equal rows.

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Rows, bytes and hash sum of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableDigest {
    /// Number of rows.
    pub rows: u64,
    /// Bytes of COPY text, newlines included.
    pub bytes: u64,
    /// Wrapping sum of the rows' XXH3-128 hashes.
    pub sum: u128,
}

impl TableDigest {
    /// Takes one row's COPY text, its newline included.
    pub fn add_row(&mut self, row: &[u8]) {
        self.rows += 1;
        self.bytes += row.len() as u64;
        self.sum = self.sum.wrapping_add(xxh3_128(row));
    }

    /// Takes whole rows of COPY text, each ended by a newline. Inside a row a newline is escaped, in
    /// every encoding that PostgreSQL sends, so the byte says where a row ends.
    pub fn add_rows(&mut self, rows: &[u8]) {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', rows) {
            self.add_row(&rows[start..=newline]);
            start = newline + 1;
        }
        if start < rows.len() {
            self.add_row(&rows[start..]);
        }
    }

    /// Takes the rows of another digest.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Takes out the rows of another digest, which are among these.
    pub fn take_out(&mut self, other: &Self) {
        self.rows = self.rows.wrapping_sub(other.rows);
        self.bytes = self.bytes.wrapping_sub(other.bytes);
        self.sum = self.sum.wrapping_sub(other.sum);
    }

    /// The sum as 32 hex digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.sum)
    }
}

/// The digest of one run of bytes, taken in pieces: a large object's.
#[derive(Clone, Default)]
pub struct BytesDigest {
    /// Bytes so far.
    pub bytes: u64,
    hasher: Xxh3,
}

impl BytesDigest {
    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    /// XXH3-128 of all bytes, 32 hex digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.hasher.digest128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&str]) -> TableDigest {
        let mut digest = TableDigest::default();
        for row in rows {
            digest.add_row(row.as_bytes());
        }
        digest
    }

    #[test]
    fn order_does_not_matter_but_multiplicity_does() {
        assert_eq!(digest(&["a\n", "b\n"]), digest(&["b\n", "a\n"]));
        assert_ne!(digest(&["a\n", "a\n"]).sum, digest(&["b\n", "b\n"]).sum);
        assert_ne!(digest(&["a\n", "a\n"]).sum, 0);
    }

    #[test]
    fn rows_in_one_run_are_the_same_rows() {
        for (run, rows) in [
            ("", &[][..]),
            ("\n", &["\n"]),
            ("a\n\nbc\n", &["a\n", "\n", "bc\n"]),
            ("a\nb", &["a\n", "b"]),
        ] {
            let mut whole = TableDigest::default();
            whole.add_rows(run.as_bytes());
            assert_eq!(whole, digest(rows));
        }
    }

    #[test]
    fn pieces_do_not_matter_to_a_run_of_bytes() {
        let (mut whole, mut pieces) = (BytesDigest::default(), BytesDigest::default());
        whole.add(b"abcdef");
        pieces.add(b"abc");
        pieces.add(b"def");
        assert_eq!((whole.bytes, whole.hex()), (pieces.bytes, pieces.hex()));
    }

    #[test]
    fn merging_equals_adding() {
        let mut left = digest(&["a\n"]);
        left.merge(&digest(&["b\n", "c\n"]));
        assert_eq!(left, digest(&["a\n", "b\n", "c\n"]));
    }
}
