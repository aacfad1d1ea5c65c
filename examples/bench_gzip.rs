//! Measures gzip back ends on COPY text and prints a table in Markdown; run by
//! `scripts/bench-gzip`. The rows are made here from a fixed seed, so that everybody measures the
//! same bytes. The result that was acted on is in docs/compression.md.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for measuring, not part of the library"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Bytes of one member's text: the largest that the dump makes.
const MEMBER: usize = 4 << 20;
/// Members per kind of rows.
const MEMBERS: usize = 8;
/// Each measurement is repeated and the best kept: noise only ever slows down.
const REPEATS: usize = 3;
const LEVELS: std::ops::RangeInclusive<u32> = 1..=6;

/// SplitMix64: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let index = self.below(from.len() as u64);
        from[usize::try_from(index).unwrap()]
    }
}

const WORDS: &[&str] = &[
    "the",
    "of",
    "and",
    "database",
    "migration",
    "customer",
    "order",
    "was",
    "is",
    "in",
    "to",
    "delivered",
    "returned",
    "because",
    "warehouse",
    "price",
    "changed",
    "please",
    "invoice",
    "account",
    "never",
    "before",
    "after",
    "product",
    "quality",
    "broken",
    "great",
    "shipping",
];

/// A row of jsonb events.
fn event(random: &mut Random, id: u64, out: &mut String) {
    let _ = writeln!(
        out,
        "{id}\t2026-0{}-{:02} {:02}:{:02}:{:02}.{:06}+00\t{{\"type\": \"{}\", \"user_id\": {}, \"session\": \"{:016x}\", \
         \"properties\": {{\"path\": \"/{}/{}\", \"price\": {}.{:02}, \"tags\": [\"{}\", \"{}\"]}}}}",
        1 + random.below(9),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1_000_000),
        random.pick(&["page_view", "click", "purchase", "signup", "search"]),
        random.below(200_000),
        random.next(),
        random.pick(WORDS),
        random.below(5000),
        random.below(500),
        random.below(100),
        random.pick(WORDS),
        random.pick(WORDS),
    );
}

/// A row of pgbench_accounts.
fn account(random: &mut Random, id: u64, out: &mut String) {
    let balance = i64::try_from(random.below(20_000)).unwrap() - 10_000;
    let _ = writeln!(out, "{id}\t{}\t{balance}\t{:84}", 1 + id / 100_000, "");
}

/// A row of pgbench_accounts as pgbench makes it.
fn fresh_account(_random: &mut Random, id: u64, out: &mut String) {
    let _ = writeln!(out, "{id}\t{}\t0\t{:84}", 1 + id / 100_000, "");
}

/// A row of plain numbers: ids, foreign keys, amounts.
fn numbers(random: &mut Random, id: u64, out: &mut String) {
    let _ = writeln!(
        out,
        "{id}\t{}\t{}\t{}.{:02}\t{}\t\\N",
        random.below(1_000_000),
        random.below(5000),
        random.below(10_000),
        random.below(100),
        random.below(2),
    );
}

/// A row with two kilobytes of prose.
fn prose(random: &mut Random, id: u64, out: &mut String) {
    let _ = write!(out, "{id}\t");
    for _ in 0..300 {
        let _ = write!(out, "{} ", random.pick(WORDS));
        if random.below(5) == 0 {
            let _ = write!(out, "{:x} ", random.below(1 << 32));
        }
    }
    out.push('\n');
}

/// A row of UUIDs and hashes, which hardly compress.
fn keys(random: &mut Random, _id: u64, out: &mut String) {
    let _ = writeln!(
        out,
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}\t{:016x}{:016x}\tt",
        random.below(1 << 32),
        random.below(1 << 16),
        random.below(1 << 12),
        random.below(1 << 12),
        random.below(1 << 48),
        random.next(),
        random.next(),
    );
}

type Row = fn(&mut Random, u64, &mut String);
const KINDS: [(&str, Row); 6] = [
    ("jsonb events", event),
    ("pgbench accounts", account),
    ("fresh accounts", fresh_account),
    ("numbers", numbers),
    ("prose", prose),
    ("uuids, hashes", keys),
];

fn texts(row: Row) -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let mut id = 0;
    let mut member = || {
        let mut text = String::with_capacity(MEMBER + 4096);
        while text.len() < MEMBER {
            id += 1;
            row(&mut random, id, &mut text);
        }
        text.into_bytes()
    };
    (0..MEMBERS).map(|_| member()).collect()
}

fn libdeflate(level: u32, text: &[u8]) -> Vec<u8> {
    let level = libdeflater::CompressionLvl::new(i32::try_from(level).unwrap()).unwrap();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut out = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(text, &mut out).unwrap();
    out.truncate(length);
    out
}

fn zlib_rs(level: u32, text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// What archives are written with.
fn chosen(_level: u32, text: &[u8]) -> Vec<u8> {
    pgbelay::archive::compress(text).unwrap().bytes
}

fn inflate(member: &[u8], text: &mut [u8]) {
    libdeflater::Decompressor::new()
        .gzip_decompress(member, text)
        .unwrap();
}

fn best<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    let mut measure = || {
        let started = Instant::now();
        let made = work();
        (made, started.elapsed())
    };
    (1..REPEATS).fold(measure(), |best, _| {
        let next = measure();
        if next.1 < best.1 { next } else { best }
    })
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn per_second(bytes: usize, elapsed: Duration) -> f64 {
    bytes as f64 / 1e6 / elapsed.as_secs_f64()
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn measure(
    kind: &str,
    backend: &str,
    level: u32,
    texts: &[Vec<u8>],
    compress: fn(u32, &[u8]) -> Vec<u8>,
) {
    let bytes: usize = texts.iter().map(Vec::len).sum();
    let (members, elapsed) = best(|| {
        texts
            .iter()
            .map(|text| compress(level, text))
            .collect::<Vec<_>>()
    });
    let compressed: usize = members.iter().map(Vec::len).sum();
    let mut out = vec![0; MEMBER + 8192];
    let ((), back) = best(|| {
        for (member, text) in members.iter().zip(texts) {
            inflate(member, &mut out[..text.len()]);
        }
    });
    println!(
        "| {kind} | {backend} | {} | {:.0} | {:.2} | {:.0} |",
        if level == 0 {
            String::new()
        } else {
            level.to_string()
        },
        per_second(bytes, elapsed),
        bytes as f64 / compressed as f64,
        per_second(bytes, back),
    );
}

fn main() {
    println!("| rows | back end | level | compress MB/s | ratio | decompress MB/s |");
    println!("|---|---|---|---|---|---|");
    for (kind, row) in KINDS {
        let texts = texts(row);
        for level in LEVELS {
            measure(kind, "libdeflate", level, &texts, libdeflate);
        }
        for level in LEVELS {
            measure(kind, "flate2/zlib-rs", level, &texts, zlib_rs);
        }
        measure(kind, "**pgbelay**", 0, &texts, chosen);
    }
}
