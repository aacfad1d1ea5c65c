//! One block of a deflate stream: its codes, and what they are codes for (RFC 1951, 3.2.3 to 3.2.7).

use super::bits::{Bits, ROOM};
use super::huffman::{Code, codes};
use super::matches::{self, Sequence};

/// Letters, the end of the block, and lengths of repetitions.
const SYMBOLS: usize = 286;
const END: usize = 256;
const DISTANCES: usize = 30;
/// Symbols that describe codes, and the order of their own codes' lengths.
const DESCRIBING: usize = 19;
const ORDER: [usize; DESCRIBING] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The longest code of a letter: four of them fit between two flushes.
const LETTER_LIMIT: u8 = 14;
const DISTANCE_LIMIT: u8 = 15;
const DESCRIBING_LIMIT: u8 = 7;

/// Most bits that tell which of its span a length and a distance is.
const MORE_OF_LENGTH: u8 = 5;
const MORE_OF_DISTANCE: u8 = 13;

// What is put between two flushes: four letters, or a length and a distance.
const _: () = assert!(4 * (LETTER_LIMIT as u32) <= ROOM);
const _: () =
    assert!(((LETTER_LIMIT + MORE_OF_LENGTH + DISTANCE_LIMIT + MORE_OF_DISTANCE) as u32) <= ROOM);

/// The most bytes that one stored block holds.
const STORED: usize = 65_535;

/// A range of lengths or distances that share a symbol: the first, and how many bits tell which.
#[derive(Clone, Copy)]
struct Span {
    first: u16,
    bits: u8,
}

/// From `first` on; after `single` spans of one, `each` spans of two, then of four, and so on.
const fn spans<const N: usize>(mut first: u16, single: u8, each: u8) -> [Span; N] {
    let mut spans = [Span { first: 0, bits: 0 }; N];
    let mut nth = 0_u8;
    while (nth as usize) < N {
        let bits = match nth < single {
            true => 0,
            false => (nth - single) / each + 1,
        };
        spans[nth as usize] = Span { first, bits };
        first += 1 << bits;
        nth += 1;
    }
    spans
}

const LENGTH_SPANS: [Span; 29] = {
    let mut spans: [Span; 29] = spans(3, 8, 4);
    // The longest has a symbol of its own.
    spans[28] = Span {
        first: 258,
        bits: 0,
    };
    spans
};
const DISTANCE_SPANS: [Span; DISTANCES] = spans(1, 4, 2);

/// The span of each length.
const SPAN_OF_LENGTH: [u8; matches::LONGEST + 1] = {
    let mut table = [0; matches::LONGEST + 1];
    let (mut span, mut length) = (0_u8, 3);
    while length <= matches::LONGEST {
        if (span as usize) < 28 && LENGTH_SPANS[span as usize + 1].first as usize == length {
            span += 1;
        }
        table[length] = span;
        length += 1;
    }
    table
};

/// The span of each distance up to 256, then of each 128 of them.
const SPAN_OF_DISTANCE: [u8; 512] = {
    let mut table = [0; 512];
    let (mut span, mut before) = (0_u8, 0);
    while before < 32_768 {
        if (span as usize) < 29 && DISTANCE_SPANS[span as usize + 1].first as usize == before + 1 {
            span += 1;
        }
        if before < 256 {
            table[before] = span;
            before += 1;
        } else {
            table[256 + (before >> 7)] = span;
            before += 128;
        }
    }
    table
};

fn span_of_distance(distance: u16) -> usize {
    let before = usize::from(distance.wrapping_sub(1));
    let slot = match before {
        0..256 => before,
        _ => 256 + (before >> 7),
    };
    usize::from(SPAN_OF_DISTANCE[slot & 511])
}

/// Bits that are written together, and how many they are.
#[derive(Clone, Copy, Default)]
struct Written {
    bits: u32,
    count: u32,
}

impl From<Code> for Written {
    fn from(code: Code) -> Self {
        Self {
            bits: u32::from(code.bits),
            count: u32::from(code.length),
        }
    }
}

/// A part of the text, and how it is written.
pub(super) struct Block<'a> {
    text: &'a [u8],
    sequences: &'a [Sequence],
    symbols: [Code; SYMBOLS],
    distances: [Code; DISTANCES],
    /// Bits of everything behind the description of the codes.
    cost: u64,
}

impl<'a> Block<'a> {
    /// Chooses codes for the `text` that `sequences` are.
    pub(super) fn of(text: &'a [u8], sequences: &'a [Sequence]) -> Self {
        let mut symbol_counts = [0; SYMBOLS];
        let mut distance_counts = [0; DISTANCES];
        symbol_counts[..256].copy_from_slice(&count_letters(text, sequences));
        symbol_counts[END] = 1;
        for one in sequences.iter().filter(|one| one.length > 0) {
            let span = SPAN_OF_LENGTH[usize::from(one.length).min(matches::LONGEST)];
            symbol_counts[END + 1 + usize::from(span)] += 1;
            distance_counts[span_of_distance(one.distance)] += 1;
        }
        let symbols = codes(&symbol_counts, LETTER_LIMIT);
        let distances = codes(&distance_counts, DISTANCE_LIMIT);
        let no_bits = std::iter::repeat_n(0, END + 1);
        let length_bits = LENGTH_SPANS.iter().map(|span| span.bits);
        let distance_bits = DISTANCE_SPANS.iter().map(|span| span.bits);
        let cost = cost(&symbol_counts, &symbols, no_bits.chain(length_bits))
            + cost(&distance_counts, &distances, distance_bits);
        Self {
            text,
            sequences,
            symbols,
            distances,
            cost,
        }
    }

    /// Appends the block; the last one of a stream says so.
    pub(super) fn write(&self, last: bool, bits: &mut Bits<'_>) {
        let description = Description::of(&self.symbols, &self.distances);
        let bytes = (description.cost() + self.cost).div_ceil(8);
        if bytes >= self.text.len() as u64 {
            return self.store(last, bits);
        }
        bits.reserve(self.text.len() + 16);
        bits.put(u32::from(last) | 0b10 << 1, 3);
        description.write(bits);
        self.write_sequences(bits);
        let end = Written::from(self.symbols[END]);
        bits.put(end.bits, end.count);
        bits.flush();
    }

    fn write_sequences(&self, bits: &mut Bits<'_>) {
        let mut letters = [Written::default(); 256];
        for (letter, code) in letters.iter_mut().zip(self.symbols) {
            *letter = code.into();
        }
        let lengths = self.written_lengths();
        let mut rest = self.text;
        for one in self.sequences {
            let length = usize::from(one.length);
            let (run, after) = rest.split_at(one.letters as usize);
            write_letters(run, &letters, bits);
            rest = &after[length..];
            if length == 0 {
                continue;
            }
            let length = lengths[length.min(matches::LONGEST)];
            bits.put(length.bits, length.count);
            let span = span_of_distance(one.distance);
            let code = Written::from(self.distances[span]);
            bits.put(code.bits, code.count);
            let Span { first, bits: more } = DISTANCE_SPANS[span];
            bits.put(u32::from(one.distance - first), u32::from(more));
            bits.flush();
        }
    }

    /// What is written for each length: its symbol's code, and which of the span it is.
    fn written_lengths(&self) -> [Written; matches::LONGEST + 1] {
        let mut table = [Written::default(); matches::LONGEST + 1];
        for (length, written) in (0_u16..).zip(&mut table).skip(3) {
            let nth = usize::from(SPAN_OF_LENGTH[usize::from(length)]);
            let span = LENGTH_SPANS[nth];
            let code = Written::from(self.symbols[END + 1 + nth]);
            *written = Written {
                bits: code.bits | u32::from(length - span.first) << code.count,
                count: code.count + u32::from(span.bits),
            };
        }
        table
    }

    /// As it is: with codes it would be as long or longer.
    fn store(&self, last: bool, bits: &mut Bits<'_>) {
        let mut rest = self.text;
        loop {
            let (now, after) = rest.split_at(rest.len().min(STORED));
            let length = u16::try_from(now.len()).unwrap_or(u16::MAX);
            bits.put(u32::from(last && after.is_empty()), 3);
            bits.put_bytes(&length.to_le_bytes());
            bits.put_bytes(&(!length).to_le_bytes());
            bits.put_bytes(now);
            rest = after;
            if rest.is_empty() {
                return;
            }
        }
    }
}

/// How often each letter stands for itself. Equal neighbours would wait for each other's count, so
/// there are four of each.
fn count_letters(text: &[u8], sequences: &[Sequence]) -> [u32; 256] {
    let mut counts = [[0_u32; 256]; 4];
    let mut rest = text;
    for one in sequences {
        let (run, after) = rest.split_at(one.letters as usize);
        let (fours, few) = run.as_chunks::<4>();
        for four in fours {
            for (count, letter) in counts.iter_mut().zip(four) {
                count[usize::from(*letter)] += 1;
            }
        }
        for letter in few {
            counts[0][usize::from(*letter)] += 1;
        }
        rest = &after[usize::from(one.length)..];
    }
    let [mut sums, others @ ..] = counts;
    for other in others {
        for (sum, count) in sums.iter_mut().zip(other) {
            *sum += count;
        }
    }
    sums
}

fn write_letters(run: &[u8], letters: &[Written; 256], bits: &mut Bits<'_>) {
    let (fours, few) = run.as_chunks::<4>();
    for four in fours {
        for letter in four {
            let code = letters[usize::from(*letter)];
            bits.put(code.bits, code.count);
        }
        bits.flush();
    }
    for letter in few {
        let code = letters[usize::from(*letter)];
        bits.put(code.bits, code.count);
    }
    bits.flush();
}

/// Bits of all symbols that were counted, each with its code and further bits.
fn cost(counts: &[u32], codes: &[Code], further: impl Iterator<Item = u8>) -> u64 {
    let lengths = codes.iter().zip(further);
    let each = lengths.map(|(code, further)| u64::from(code.length + further));
    counts
        .iter()
        .zip(each)
        .map(|(count, bits)| u64::from(*count) * bits)
        .sum()
}

/// The lengths of a block's codes, themselves in a code (RFC 1951, 3.2.7).
struct Description {
    symbols: usize,
    distances: usize,
    /// A describing symbol, which of its span, and how many bits tell that.
    runs: Vec<(usize, u32, u32)>,
    codes: [Code; DESCRIBING],
    /// Lengths of `codes` that are written.
    described: usize,
}

impl Description {
    fn of(symbols: &[Code; SYMBOLS], distances: &[Code; DISTANCES]) -> Self {
        let used = |codes: &[Code]| {
            let last = codes.iter().rposition(|code| code.length > 0);
            last.map_or(0, |last| last + 1)
        };
        let (symbols_used, distances_used) = (used(symbols).max(END + 1), used(distances).max(1));
        let all: Vec<u8> = symbols[..symbols_used]
            .iter()
            .chain(&distances[..distances_used])
            .map(|code| code.length)
            .collect();
        let runs: Vec<_> = all.chunk_by(u8::eq).flat_map(described).collect();
        let mut counts = [0; DESCRIBING];
        for (symbol, ..) in &runs {
            counts[*symbol] += 1;
        }
        let codes = codes(&counts, DESCRIBING_LIMIT);
        let last = ORDER.iter().rposition(|symbol| codes[*symbol].length > 0);
        Self {
            symbols: symbols_used,
            distances: distances_used,
            runs,
            codes,
            described: last.map_or(4, |last| (last + 1).max(4)),
        }
    }

    /// Bits of it, those of the block's head included.
    fn cost(&self) -> u64 {
        let runs = self.runs.iter();
        let bits = runs.map(|(symbol, _, more)| u32::from(self.codes[*symbol].length) + more);
        u64::from(bits.sum::<u32>()) + 3 + 14 + 3 * self.described as u64
    }

    fn write(&self, bits: &mut Bits<'_>) {
        for (number, count) in [
            (self.symbols - END - 1, 5),
            (self.distances - 1, 5),
            (self.described - 4, 4),
        ] {
            bits.put(u32::try_from(number).unwrap_or_default(), count);
        }
        bits.flush();
        for symbol in &ORDER[..self.described] {
            bits.put(u32::from(self.codes[*symbol].length), 3);
            bits.flush();
        }
        for (symbol, which, more) in &self.runs {
            let code = Written::from(self.codes[*symbol]);
            bits.put(code.bits, code.count);
            bits.put(*which, *more);
            bits.flush();
        }
    }
}

/// A run of equal lengths, as describing symbols.
fn described(run: &[u8]) -> Vec<(usize, u32, u32)> {
    let length = run.first().copied().unwrap_or_default();
    let single = (usize::from(length), 0, 0);
    let mut left = u32::try_from(run.len()).unwrap_or_default();
    let mut symbols = Vec::new();
    if length > 0 {
        symbols.push(single);
        left -= 1;
    }
    while left >= 3 {
        let (now, symbol) = match (length, left) {
            (0, 11..) => (left.min(138), (18, left.min(138) - 11, 7)),
            (0, _) => (left, (17, left - 3, 3)),
            _ => (left.min(6), (16, left.min(6) - 3, 2)),
        };
        symbols.push(symbol);
        left -= now;
    }
    symbols.extend((0..left).map(|_| single));
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_the_standard() {
        // RFC 1951, 3.2.5.
        let lengths = LENGTH_SPANS.map(|span| (span.first, span.bits));
        assert_eq!(lengths[7..10], [(10, 0), (11, 1), (13, 1)]);
        assert_eq!(lengths[26..], [(195, 5), (227, 5), (258, 0)]);
        let distances = DISTANCE_SPANS.map(|span| (span.first, span.bits));
        assert_eq!(distances[3..6], [(4, 0), (5, 1), (7, 1)]);
        assert_eq!(distances[28..], [(16_385, 13), (24_577, 13)]);
    }

    #[test]
    fn every_length_and_distance_is_in_its_span() {
        for length in 3..=matches::LONGEST {
            let span = LENGTH_SPANS[usize::from(SPAN_OF_LENGTH[length])];
            let offset = length - usize::from(span.first);
            assert!(offset < 1 << span.bits, "length {length}");
        }
        for distance in 1..=32_768 {
            let span = DISTANCE_SPANS[span_of_distance(distance)];
            assert!(
                distance - span.first < 1 << span.bits,
                "distance {distance}"
            );
        }
    }

    #[test]
    fn runs_of_lengths_are_described() {
        let total = |run: &[u8]| -> u32 {
            let symbols = described(run).into_iter();
            let counts = symbols.map(|(symbol, which, _)| match symbol {
                16 | 17 => which + 3,
                18 => which + 11,
                _ => 1,
            });
            counts.sum()
        };
        for length in 1..=300 {
            for value in [0, 7] {
                assert_eq!(total(&vec![value; length as usize]), length);
            }
        }
        assert_eq!(described(&[0; 138]), [(18, 127, 7)]);
        assert_eq!(described(&[5; 8]), [(5, 0, 0), (16, 3, 2), (5, 0, 0)]);
    }
}
