//! Text → letters and repetitions of what stands at most 32 KiB before.

use std::ops::Range;

/// The shortest repetition that is looked for, in bytes. Deflate knows shorter ones; of rows, they
/// cost more than they save, and finding them takes most of the time.
pub(super) const SHORTEST: usize = 6;

/// The longest repetition that deflate knows.
pub(super) const LONGEST: usize = 258;

/// How far back deflate can reach.
const WINDOW: usize = 32 << 10;

/// Places that are remembered, as a power of two: they fit into a processor's nearest cache.
const PLACES_LOG: u32 = 13;

/// Bytes that are loaded at once.
const WORD: usize = 8;

/// Where fewer bytes are left, no repetition begins, so that words can be loaded without looking.
const TAIL: usize = 16;

/// Steps grow by one byte for each so many places, as a power of two, that nothing repeats.
const PATIENCE_LOG: usize = 3;

/// Spreads what is multiplied by it over the upper bits: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Some letters as they stand, then a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// How many letters.
    pub(super) letters: u32,
    /// How many bytes are repeated; none where only letters are left.
    pub(super) length: u16,
    /// How far back they stand.
    pub(super) distance: u16,
}

/// Remembers where the text had which beginnings.
pub(super) struct Finder {
    /// The lower half of the last position of each beginning. One that is older than 64 KiB looks
    /// like a newer one; as the text decides whether there is a repetition, that harms nothing.
    places: Box<[u16; 1 << PLACES_LOG]>,
    sequences: Vec<Sequence>,
}

impl Finder {
    pub(super) fn new() -> Self {
        Self {
            places: Box::new([0; 1 << PLACES_LOG]),
            sequences: Vec::new(),
        }
    }

    /// What a part of the text consists of; parts must come in order, without gaps.
    pub(super) fn find(&mut self, text: &[u8], part: Range<usize>) -> &[Sequence] {
        self.sequences.clear();
        let limit = part.end.saturating_sub(TAIL);
        let (mut told, mut at, mut misses) = (part.start, part.start, 0);
        while at < limit {
            let Some(distance) = self.look(text, at) else {
                misses += 1;
                at += 1 + (misses >> PATIENCE_LOG);
                continue;
            };
            let back = same_before(&text[told..at], &text[..at - distance]);
            let room = LONGEST.min(part.end - at + back);
            let length = back + same(&text[at..at + room - back], &text[at - distance..]);
            self.sequences.push(Sequence {
                letters: clipped(at - back - told),
                length: lower(length),
                distance: lower(distance),
            });
            told = at - back + length;
            self.remember(text, at + 1, told.min(limit));
            (at, misses) = (told, 0);
        }
        self.sequences.push(Sequence {
            letters: clipped(part.end - told),
            length: 0,
            distance: 0,
        });
        &self.sequences
    }

    /// How far back the bytes at `at` stand, if they do in the one place that is looked at.
    #[inline]
    fn look(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let word = load(text, at);
        let place = &mut self.places[index(word)];
        let distance = usize::from(lower(at).wrapping_sub(*place));
        *place = lower(at);
        // 0 is 64 KiB.
        if distance == 0 || distance >= WINDOW || distance > at {
            return None;
        }
        let same = beginning(word ^ load(text, at - distance)) == 0;
        same.then_some(distance)
    }

    /// Remembers positions inside a repetition; of long ones, fewer.
    #[inline]
    fn remember(&mut self, text: &[u8], from: usize, end: usize) {
        let step = 1 + (end.saturating_sub(from) >> 3);
        for at in (from..end).step_by(step) {
            self.places[index(load(text, at))] = lower(at);
        }
    }
}

/// Bytes that are equal in front of both.
#[inline]
fn same_before(letters: &[u8], before: &[u8]) -> usize {
    let pairs = letters.iter().rev().zip(before.iter().rev());
    pairs
        .take(LONGEST - SHORTEST)
        .take_while(|(one, other)| one == other)
        .count()
}

/// Bytes that are equal at the beginning of both.
#[inline]
fn same(text: &[u8], before: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<WORD>();
    let (words_before, _) = before.as_chunks::<WORD>();
    for (nth, (one, other)) in words.iter().zip(words_before).enumerate() {
        let differing = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if differing != 0 {
            return nth * WORD + (differing.trailing_zeros() / 8) as usize;
        }
    }
    let done = words.len().min(words_before.len()) * WORD;
    let rest = text[done..].iter().zip(&before[done..]);
    done + rest.take_while(|(one, other)| one == other).count()
}

/// The eight bytes at `at`.
#[inline]
fn load(text: &[u8], at: usize) -> u64 {
    let word = text.get(at..at + WORD).and_then(|word| word.first_chunk());
    word.map_or(0, |word| u64::from_le_bytes(*word))
}

/// The first [`SHORTEST`] bytes of a word.
#[inline]
fn beginning(word: u64) -> u64 {
    word << (8 * (WORD - SHORTEST))
}

/// Where a word's beginning is remembered.
#[inline]
fn index(word: u64) -> usize {
    (beginning(word).wrapping_mul(SPREAD) >> (u64::BITS - PLACES_LOG)) as usize
}

/// The lower 16 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn lower(number: usize) -> u16 {
    number as u16
}

/// A number of bytes of one block, which fits.
#[inline]
fn clipped(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8]) -> Vec<(u32, u16, u16)> {
        let mut finder = Finder::new();
        let found = finder.find(text, 0..text.len()).iter();
        found
            .map(|one| (one.letters, one.length, one.distance))
            .collect()
    }

    #[test]
    fn repetitions_are_found_from_their_first_byte() {
        let text = b"0123456789abcdef--0123456789abcdef..................";
        assert_eq!(found(text), [(18, 16, 18), (1, 17, 1), (0, 0, 0)]);
        // What comes after a long search is missed at first, and found from behind.
        let mut text: Vec<u8> = (0..=255).collect();
        text.extend_from_slice(&text[100..].repeat(2));
        assert_eq!(found(&text)[0], (256, 258, 156));
    }

    #[test]
    fn letters_and_repetitions_are_the_whole_text() {
        let text: Vec<u8> = (0..5000_u32)
            .flat_map(|n| format!("{}\t{}\n", n, n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect();
        let mut finder = Finder::new();
        let mut made: Vec<u8> = Vec::new();
        for start in (0..text.len()).step_by(7000) {
            let part = start..text.len().min(start + 7000);
            for one in finder.find(&text, part.clone()) {
                let at = made.len();
                made.extend_from_slice(&text[at..at + one.letters as usize]);
                for _ in 0..one.length {
                    made.push(made[made.len() - usize::from(one.distance)]);
                }
            }
            assert_eq!(made.len(), part.end, "nothing reaches over the end");
        }
        assert!(made == text);
    }

    #[test]
    fn beginnings_are_compared_whole() {
        assert_eq!(same(b"abcdefghij", b"abcdefghijk"), 10);
        assert_eq!(same(b"abcdefghij", b"abcdefghxj"), 8);
        assert_eq!(same(b"abc", b"abd"), 2);
        assert_eq!(same(b"", b"abd"), 0);
        assert_eq!(same_before(b"xbc", b"abc"), 2);
        assert_eq!(same_before(b"bc", b"abc"), 2);
    }
}
