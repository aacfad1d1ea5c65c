//! Counts of symbols → Huffman codes of limited length, as deflate has them (RFC 1951, 3.2.2).

/// A symbol's code, reversed as it is written, and its length in bits; no bits, no code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) length: u8,
}

/// The longest code that deflate knows.
const LONGEST: usize = 15;

/// The shortest codes for symbols of these counts, none longer than `limit` bits. There are always
/// two codes, because some readers expect a complete set.
pub(super) fn codes<const N: usize>(counts: &[u32; N], limit: u8) -> [Code; N] {
    let symbols = by_count(counts);
    let limit = usize::from(limit).min(LONGEST);
    let mut numbers = [0; LONGEST + 1];
    for depth in depths(&symbols) {
        numbers[depth.min(limit)] += 1;
    }
    shorten(&mut numbers, limit);
    let mut codes = [Code::default(); N];
    let mut rare_first = symbols.iter();
    for length in (1..=limit).rev() {
        for (_, symbol) in rare_first.by_ref().take(numbers[length]) {
            codes[*symbol].length = u8::try_from(length).unwrap_or_default();
        }
    }
    number(&mut codes);
    codes
}

/// Symbols that occur, the rarest first, with their counts; at least two.
fn by_count<const N: usize>(counts: &[u32; N]) -> Vec<(u32, usize)> {
    let numbered = counts.iter().enumerate();
    let mut symbols: Vec<_> = numbered
        .filter(|(_, count)| **count > 0)
        .map(|(symbol, count)| (*count, symbol))
        .collect();
    let unused = counts.iter().zip(0..).filter(|(count, _)| **count == 0);
    let missing = 2_usize.saturating_sub(symbols.len());
    symbols.extend(unused.map(|(_, symbol)| (1, symbol)).take(missing));
    symbols.sort_unstable();
    symbols
}

/// How deep each symbol stands in Huffman's tree; symbols come rarest first.
///
/// Two queues: symbols, and nodes in the order in which they are made, which is that of their
/// counts too. The two rarest of both become the next node.
fn depths(symbols: &[(u32, usize)]) -> impl Iterator<Item = usize> {
    let nodes = symbols.len().saturating_sub(1);
    let mut counts: Vec<u32> = Vec::with_capacity(nodes);
    let mut above_symbol = vec![0; symbols.len()];
    let mut above_node = vec![0; nodes];
    let (mut symbol, mut node) = (0, 0);
    for parent in 0..nodes {
        let mut sum = 0;
        for _ in 0..2 {
            let next_node = counts.get(node).copied();
            match symbols.get(symbol) {
                Some((count, _)) if next_node.is_none_or(|other| *count <= other) => {
                    sum += count;
                    above_symbol[symbol] = parent;
                    symbol += 1;
                }
                _ => {
                    sum += next_node.unwrap_or_default();
                    above_node[node] = parent;
                    node += 1;
                }
            }
        }
        counts.push(sum);
    }
    let mut depth = vec![0; nodes];
    for node in (0..nodes.saturating_sub(1)).rev() {
        depth[node] = depth[above_node[node]] + 1;
    }
    above_symbol
        .into_iter()
        .map(move |parent| depth.get(parent).copied().unwrap_or(0) + 1)
}

/// Codes that were cut to `limit` bits no longer fit beside the others: a shorter one becomes two
/// that are one bit longer, one for itself and one for a cut one, until they do.
fn shorten(numbers: &mut [usize; LONGEST + 1], limit: usize) {
    let space = |numbers: &[usize]| -> usize {
        (1..=limit)
            .map(|length| numbers[length] << (limit - length))
            .sum()
    };
    let mut over = space(numbers).saturating_sub(1 << limit);
    while over > 0 {
        let Some(length) = (1..limit).rev().find(|length| numbers[*length] > 0) else {
            return;
        };
        numbers[length] -= 1;
        numbers[length + 1] += 2;
        numbers[limit] -= 1;
        over -= 1;
    }
}

/// Gives codes to lengths, in the one order that deflate allows.
fn number<const N: usize>(codes: &mut [Code; N]) {
    let mut next = [0_u16; LONGEST + 2];
    for code in codes.iter() {
        next[usize::from(code.length) + 1] += 1;
    }
    next[1] = 0;
    for length in 1..=LONGEST {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    // `next[n]` is now the first code of length n.
    for code in codes.iter_mut().filter(|code| code.length > 0) {
        let value = &mut next[usize::from(code.length)];
        code.bits = value.reverse_bits() >> (16 - u32::from(code.length));
        *value += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the codes leave no room and none begins with another.
    fn is_complete(codes: &[Code]) -> bool {
        let space: u32 = codes
            .iter()
            .filter(|code| code.length > 0)
            .map(|code| 1 << (15 - code.length))
            .sum();
        space == 1 << 15
    }

    #[test]
    fn the_example_of_the_standard() {
        // RFC 1951, 3.2.2: lengths 3, 3, 3, 3, 3, 2, 4, 4 for A to H.
        let lengths = [3, 3, 3, 3, 3, 2, 4, 4];
        let mut codes = lengths.map(|length| Code { bits: 0, length });
        number(&mut codes);
        let shown = codes.map(|code| code.bits.reverse_bits() >> (16 - u16::from(code.length)));
        assert_eq!(
            shown,
            [0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111]
        );
    }

    #[test]
    fn frequent_symbols_have_short_codes() {
        let codes = codes(&[1, 0, 100, 10, 5, 0], 15);
        assert_eq!(codes.map(|code| code.length), [3, 0, 1, 2, 3, 0]);
        assert!(is_complete(&codes));
    }

    #[test]
    fn there_are_two_codes_at_least() {
        for counts in [[0; 4], [0, 7, 0, 0], [7, 0, 0, 0], [0, 0, 0, 7]] {
            let codes = codes(&counts, 15);
            assert!(is_complete(&codes), "{codes:?}");
            assert_eq!(codes.iter().filter(|code| code.length > 0).count(), 2);
        }
    }

    #[test]
    fn no_code_is_longer_than_the_limit() {
        let mut counts = [0_u32; 40];
        let (mut count, mut before) = (1, 0);
        for slot in &mut counts {
            *slot = count;
            (count, before) = (count + before, count);
        }
        for limit in 6..=15 {
            let codes = codes(&counts, limit);
            assert!(codes.iter().all(|code| (1..=limit).contains(&code.length)));
            assert!(is_complete(&codes), "limit {limit}");
        }
    }
}
