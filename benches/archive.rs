//! What each byte of an archive costs the client: digesting rows, writing a member, checking it.
//!
//!     cargo bench --bench archive
//!
//! Rows are made here, the same for everybody; the numbers are bytes of COPY text per second on one
//! thread. docs/performance.md says what they mean for a backup.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark, not part of the library"
)]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pgbelay::archive::{
    DatabaseFacts, FIRST_LINE, Manifest, MemberKind, Reader, TableDigest, TableRecord, Writer,
    compress,
};

/// Text of one member.
const MEMBER: usize = 2 << 20;
const COPY: &str = "COPY public.t (a) FROM stdin;";

/// Rows of about 170 bytes, as of an events table.
fn events() -> String {
    rows(|id, out| {
        let hash = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let _ = writeln!(
            out,
            "{id}\t{}\tpayment\t{{\"path\": \"/shop/{}\", \"tags\": [{}, {}], \"device\": {}, \"session\": \"{hash:016x}{:016x}\"}}\t{}.{:02}\t\\N",
            id * 7919 % 4_000_000,
            id % 5000,
            id % 100,
            id % 7,
            id % 17,
            hash.rotate_left(21).wrapping_mul(0xbf58_476d_1ce4_e5b9),
            id * 31 % 10_000,
            id % 100,
        );
    })
}

/// Rows of about 100 bytes that are mostly blanks, as pgbench makes them.
fn accounts() -> String {
    rows(|id, out| {
        let _ = writeln!(out, "{id}\t1\t0\t{:84}", "");
    })
}

fn rows(row: impl Fn(u64, &mut String)) -> String {
    let mut text = String::with_capacity(MEMBER + 4096);
    let mut id = 0;
    while text.len() < MEMBER {
        id += 1;
        row(id, &mut text);
    }
    text
}

/// A statement around the rows, as a data member holds it.
fn member(rows: &str) -> String {
    format!("{COPY}\n{rows}\\.\n")
}

/// An archive of eight members with these rows, in a directory that goes away with the guard.
fn archive(rows: &str) -> (tempfile::TempDir, Reader) {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(directory.path(), "bench.sql.gz").unwrap();
    let preamble = compress(FIRST_LINE.as_bytes()).unwrap();
    writer
        .append(MemberKind::Preamble, None, 0, preamble)
        .unwrap();
    let mut digest = TableDigest::default();
    digest.add_rows(rows.as_bytes());
    let mut all = TableDigest::default();
    for _ in 0..8 {
        all.merge(&digest);
        let text = compress(member(rows).as_bytes()).unwrap();
        writer
            .append(MemberKind::Data, Some(0), digest.rows, text)
            .unwrap();
    }
    let table = TableRecord {
        identity: "table public.t".into(),
        schema: "public".into(),
        name: "t".into(),
        columns: vec!["a".into()],
        copy: COPY.into(),
        through: None,
        rows: all.rows,
        bytes: all.bytes,
        digest: all.hex(),
    };
    let manifest = Manifest {
        format: 1,
        tool: "bench".into(),
        purpose: "backup".into(),
        created: chrono::DateTime::UNIX_EPOCH,
        database: DatabaseFacts::default(),
        snapshot: String::new(),
        server_time: None,
        settings: Default::default(),
        entries: Vec::new(),
        members: Vec::new(),
        tables: vec![table],
        sequences: Vec::new(),
        large_objects: Vec::new(),
        version_tables: Vec::new(),
        roles: Vec::new(),
        extensions: Vec::new(),
        accepted_losses: Vec::new(),
        needs: Vec::new(),
        partial: false,
        counters: None,
        cluster: None,
    };
    let path = writer.finish(manifest).unwrap();
    (directory, Reader::open(&path).unwrap())
}

fn per_byte(criterion: &mut Criterion) {
    for (kind, rows) in [("events", events()), ("accounts", accounts())] {
        let mut group = criterion.benchmark_group(kind);
        group.throughput(Throughput::Bytes(rows.len() as u64));
        group.bench_function("digest", |bencher| {
            bencher.iter(|| {
                let mut digest = TableDigest::default();
                digest.add_rows(black_box(rows.as_bytes()));
                digest
            });
        });
        let text = member(&rows);
        group.bench_function("write a member", |bencher| {
            bencher.iter(|| compress(black_box(text.as_bytes())).unwrap());
        });
        group.finish();
        let (_directory, reader) = archive(&rows);
        let mut group = criterion.benchmark_group(kind);
        group.throughput(Throughput::Bytes(8 * rows.len() as u64));
        group.bench_function(
            BenchmarkId::new("check", "8 members, all threads"),
            |bencher| {
                bencher.iter(|| reader.check(&mut |_, _| {}).unwrap());
            },
        );
        group.finish();
    }
}

criterion_group!(benches, per_byte);
criterion_main!(benches);
