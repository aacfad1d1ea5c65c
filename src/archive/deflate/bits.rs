//! Bits → bytes, the lowest bit first (RFC 1951, 3.1.1).

/// Bits that all calls of [`Bits::put`] between two of [`Bits::flush`] may add.
pub(super) const ROOM: u32 = 56;

/// Bytes that are written at once.
const WORD: usize = 8;

/// A stream of bits that is appended to bytes.
pub(super) struct Bits<'a> {
    out: &'a mut Vec<u8>,
    /// Bytes of `out` that are written; the rest is room.
    written: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Appends to `out`.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let written = out.len();
        Self {
            out,
            written,
            held: 0,
            count: 0,
        }
    }

    /// Makes sure that `bytes` more can be written without looking.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let needed = self.written + bytes + WORD;
        if self.out.len() < needed {
            self.out.resize(needed, 0);
        }
    }

    /// Adds the `count` lowest bits of `value`, which has no others. Together at most [`ROOM`] between
    /// two flushes.
    #[inline]
    pub(super) fn put(&mut self, value: u32, count: u32) {
        debug_assert!(self.count + count < ROOM + 8, "somebody did not flush");
        self.held |= u64::from(value) << self.count;
        self.count += count;
    }

    /// Writes the whole bytes that are held. Whoever did not [`reserve`](Self::reserve) room for them panics: an archive
    /// that lacks bytes is worse than none.
    #[inline]
    pub(super) fn flush(&mut self) {
        let room = &mut self.out[self.written..self.written + WORD];
        room.copy_from_slice(&self.held.to_le_bytes());
        let whole = self.count & !7;
        self.written += usize::try_from(whole / 8).unwrap_or(WORD);
        self.held >>= whole;
        self.count -= whole;
    }

    /// Fills the last byte with zeroes, writes it, and appends bytes as they are.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        self.reserve(WORD);
        self.flush();
        if self.count > 0 {
            self.count = 8;
            self.flush();
        }
        self.out.truncate(self.written);
        self.out.extend_from_slice(bytes);
        self.written = self.out.len();
    }

    /// Writes what is held; the last byte is filled with zeroes.
    pub(super) fn finish(mut self) {
        self.put_bytes(&[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_comes_first() {
        let mut out = vec![7];
        let mut bits = Bits::new(&mut out);
        bits.reserve(8);
        bits.put(0b1, 1);
        bits.put(0b01, 2);
        bits.put(0b1_0000_0001, 9);
        bits.flush();
        bits.put_bytes(b"ab");
        bits.put(0b11, 2);
        bits.finish();
        assert_eq!(out, [7, 0b0000_1011, 0b0000_1000, b'a', b'b', 0b11]);
    }

    #[test]
    fn as_many_as_there_is_room_for() {
        let mut out = Vec::new();
        let mut bits = Bits::new(&mut out);
        bits.reserve(16);
        bits.put(0x7f, 7);
        bits.put(u32::MAX, 32);
        bits.put(0xff_ffff, ROOM - 32);
        bits.flush();
        bits.finish();
        assert_eq!(out, [&[0xff; 7][..], &[0x7f]].concat());
    }
}
