//! Deflate (RFC 1951) for rows: text in memory → a complete deflate stream.
//!
//! A backup on the machine of its server spends most of its processor time here, so this part is
//! ours (docs/compression.md has the figures): rows repeat the row before in long runs, or are
//! digits and hashes that nothing repeats, and the search for repetitions is made for just that.
//! It looks for each repetition in one place, takes none of fewer than [`matches::SHORTEST`] bytes, because shorter
//! ones far away cost more bits than the letters they replace, and takes larger and larger steps
//! where nothing repeats. Every block has Huffman codes of its own, or is stored as it is.
//!
//! Nothing here is trusted: what is written is decompressed again by another library before a
//! migration starts (P1). The output depends on the text alone.

mod bits;
mod block;
mod huffman;
mod matches;

use self::bits::Bits;
use self::block::Block;
use self::matches::Finder;

/// Text of one block, in bytes: long enough that describing its codes costs nothing, short enough that codes fit the rows of
/// one place, and that what was found stays in the processor's cache.
const BLOCK: usize = 128 << 10;

/// Appends `text` to `out` as a deflate stream of its own.
pub(super) fn deflate(text: &[u8], out: &mut Vec<u8>) {
    let mut finder = Finder::new();
    let mut bits = Bits::new(out);
    let mut start = 0;
    loop {
        let end = text.len().min(start + BLOCK);
        let last = end == text.len();
        let found = finder.find(text, start..end);
        Block::of(&text[start..end], found).write(last, &mut bits);
        if last {
            break;
        }
        start = end;
    }
    bits.finish();
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;
    use crate::archive::deflate::matches::Sequence;

    /// What two other implementations make of it.
    fn inflated(stream: &[u8], length: usize) -> [Vec<u8>; 2] {
        let mut first = vec![0; length + 1];
        let actual = libdeflater::Decompressor::new()
            .deflate_decompress(stream, &mut first)
            .unwrap();
        first.truncate(actual);
        let mut second = Vec::new();
        let mut decoder = flate2::bufread::DeflateDecoder::new(stream);
        decoder.read_to_end(&mut second).unwrap();
        assert!(
            decoder.into_inner().is_empty(),
            "nothing follows the stream"
        );
        [first, second]
    }

    fn round_trip(text: &[u8]) -> usize {
        let mut stream = Vec::new();
        deflate(text, &mut stream);
        for inflated in inflated(&stream, text.len()) {
            assert!(inflated == text, "of {} bytes", text.len());
        }
        stream.len()
    }

    /// Bytes that nothing repeats.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn short_texts() {
        for length in 0..300 {
            round_trip(&noise(length));
            round_trip(&vec![b'a'; length]);
        }
    }

    #[test]
    fn the_ends_of_blocks() {
        for length in [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 17] {
            assert!(round_trip(&vec![b'a'; length]) < length / 200);
            assert!(round_trip(&noise(length)) <= length + 5 * (length / 60_000 + 4));
        }
    }

    /// Repetitions that the search may find, at distances around its window and lengths around what it takes.
    #[test]
    fn repetitions_near_the_limits() {
        let noise = noise(40_000);
        for distance in [
            1, 2, 3, 7, 8, 9, 255, 256, 257, 511, 8193, 32_767, 32_768, 32_769,
        ] {
            for length in [6, 7, 8, 9, 15, 16, 17, 257, 258, 259, 260, 515, 1000] {
                let mut text = noise[..distance].to_vec();
                for at in 0..length {
                    text.push(text[at]);
                }
                text.extend_from_slice(&noise[..40]);
                round_trip(&text);
            }
        }
    }

    /// A block with this repetition, whether the search would have taken it or not.
    fn write_repetition(length: u16, distance: u16) {
        // Of four letters, so that codes are always shorter than the text as it is.
        let letters = usize::from(distance).max(1000);
        let mut text: Vec<u8> = noise(letters).iter().map(|byte| b'a' + byte % 4).collect();
        for at in 0..usize::from(length) {
            text.push(text[letters - usize::from(distance) + at]);
        }
        text.extend_from_slice(b"abcd");
        let sequences = [
            Sequence {
                letters: u32::try_from(letters).unwrap(),
                length,
                distance,
            },
            Sequence {
                letters: 4,
                length: 0,
                distance: 0,
            },
        ];
        let mut stream = Vec::new();
        let mut bits = Bits::new(&mut stream);
        Block::of(&text, &sequences).write(true, &mut bits);
        bits.finish();
        assert_eq!(stream[0] & 0b111, 0b101, "the last block, with codes");
        for inflated in inflated(&stream, text.len()) {
            assert!(inflated == text, "{length} from {distance} back");
        }
    }

    #[test]
    fn every_length_can_be_written() {
        for length in 3..=258 {
            write_repetition(length, 1);
            write_repetition(length, 777);
        }
    }

    /// First and last of each span of RFC 1951, 3.2.5.
    #[test]
    fn every_span_of_distances_can_be_written() {
        let mut firsts = vec![1_u16, 2, 3];
        for more in 0..=13 {
            firsts.extend([1 + (2 << more), 1 + (3 << more)]);
        }
        firsts.dedup();
        for pair in firsts.windows(2) {
            for length in [3, 258] {
                write_repetition(length, pair[0]);
                write_repetition(length, pair[1] - 1);
            }
        }
        write_repetition(258, 24_577);
        write_repetition(258, 32_768);
    }

    #[test]
    fn codes_as_uneven_as_they_come() {
        // Counts that grow as the Fibonacci numbers make the longest codes there can be.
        let (mut text, mut count, mut before) = (Vec::new(), 1, 1);
        for letter in 0..24_u8 {
            text.extend(std::iter::repeat_n(letter, count));
            (count, before) = (count + before, count);
        }
        let mut mixed = text.clone();
        let noise = noise(4 * text.len());
        for (at, pair) in noise.as_chunks::<4>().0.iter().enumerate() {
            let other = usize::try_from(u32::from_le_bytes(*pair)).unwrap() % text.len();
            mixed.swap(at, other);
        }
        round_trip(&text);
        round_trip(&mixed);
    }

    #[test]
    fn rows_shrink_at_least_as_much_as_by_zlib_at_its_fastest() {
        let rows: String = (0..20_000_u64)
            .map(|n| {
                let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                format!(
                    "{n}\t{hash:016x}\tpayment\t{{\"path\": \"/shop/{}\"}}\t{}.{:02}\n",
                    n % 5000,
                    n * 31 % 10_000,
                    n % 100
                )
            })
            .collect();
        let mut zlib = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(1));
        std::io::Write::write_all(&mut zlib, rows.as_bytes()).unwrap();
        assert!(round_trip(rows.as_bytes()) < zlib.finish().unwrap().len());
    }

    proptest! {
        #[test]
        fn any_text(text in prop::collection::vec(any::<u8>(), 0..5000)) {
            round_trip(&text);
        }

        /// Pieces said again and again, in any order: many repetitions of all lengths.
        #[test]
        fn any_repetitions(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..20),
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..3000),
        ) {
            let text: Vec<u8> = order.iter().flat_map(|index| index.get(&pieces).clone()).collect();
            round_trip(&text);
        }
    }
}
