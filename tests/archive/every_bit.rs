//! Whole archives of several shapes under damage: single bits, cuts, members swapped, doubled, lost,
//! emptied or moved to another archive, and bytes around them. All of it must be seen by what
//! reads an archive before it is used: by the full check, and by the quick one that a restore and a
//! rollback begin with. Nothing here is a sample unless it says so: each bit is flipped.

use std::path::Path;

use pgbelay::archive::{
    EntryRecord, MemberKind, Reader, Section, TableDigest, TextPlace, Writer, compress,
};
use pgbelay::error::Kind;

use crate::figures::note_figure;
use crate::format::open;
use crate::sample::{COPY, PREAMBLE, sample, sample_manifest};

/// An archive's bytes, and where its parts begin: members, manifest, footer, end.
struct Shape {
    name: &'static str,
    bytes: Vec<u8>,
    parts: Vec<usize>,
}

impl Shape {
    fn of(name: &'static str, path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let reader = Reader::open(path).unwrap();
        let members = &reader.manifest().members;
        let mut parts: Vec<usize> = members
            .iter()
            .map(|member| usize::try_from(member.offset).unwrap())
            .collect();
        let last = members.last().unwrap();
        parts.push(usize::try_from(last.offset + last.length).unwrap());
        parts.extend([bytes.len() - 90, bytes.len()]);
        Self { name, bytes, parts }
    }

    fn part(&self, index: usize) -> &[u8] {
        &self.bytes[self.parts[index]..self.parts[index + 1]]
    }

    /// The members alone, without manifest and footer.
    fn members(&self) -> usize {
        self.parts.len() - 3
    }

    /// Puts parts together, in any order.
    fn of_parts(&self, order: &[usize]) -> Vec<u8> {
        order
            .iter()
            .flat_map(|index| self.part(*index))
            .copied()
            .collect()
    }
}

/// Members of an archive that is written for a test.
struct Made {
    writer: Writer,
    digest: TableDigest,
    rows: u64,
}

impl Made {
    fn new(directory: &Path) -> Self {
        let mut writer = Writer::create(directory, "shape.sql.gz").unwrap();
        let preamble = compress(PREAMBLE.as_bytes()).unwrap();
        writer
            .append(MemberKind::Preamble, None, 0, preamble)
            .unwrap();
        Self {
            writer,
            digest: TableDigest::default(),
            rows: 0,
        }
    }

    /// A data member of the sample's one table.
    fn rows(&mut self, rows: &[String]) {
        rows.iter()
            .for_each(|row| self.digest.add_row(row.as_bytes()));
        let text = format!("{COPY}\n{}\\.\n", rows.concat());
        let count = rows.len() as u64;
        self.rows += count;
        let member = compress(text.as_bytes()).unwrap();
        self.writer
            .append(MemberKind::Data, Some(0), count, member)
            .unwrap();
    }

    fn finish(self, partial: bool, entries: Vec<EntryRecord>) -> std::path::PathBuf {
        let mut manifest = sample_manifest();
        manifest.tables[0].rows = self.rows;
        manifest.tables[0].bytes = self.digest.bytes;
        manifest.tables[0].digest = self.digest.hex();
        manifest.partial = partial;
        manifest.entries = entries;
        self.writer.finish(manifest).unwrap()
    }
}

/// Many small members, of which several have equal lengths and three are equal to the byte.
fn many_members(directory: &Path) -> std::path::PathBuf {
    let mut made = Made::new(directory);
    for number in 0..12 {
        made.rows(&[format!("{}\t{}\n", number % 4, "x".repeat(number % 3))]);
    }
    made.finish(false, Vec::new())
}

/// One member of text that repeats itself, packed by the other back end, so that a byte of it stands for
/// many; the archive of a repair, with an entry whose text has no byte.
fn repetitive(directory: &Path) -> std::path::PathBuf {
    let mut made = Made::new(directory);
    let rows: Vec<String> = (0..4000)
        .map(|number| format!("{number}\t{:96}\n", ""))
        .collect();
    made.rows(&rows);
    let place = TextPlace {
        member: 0,
        offset: 0,
        length: 0,
    };
    let entry = EntryRecord {
        identity: "table public.users".into(),
        kind: "TABLE".into(),
        schema: Some("public".into()),
        name: "users".into(),
        section: Section::PreData,
        owner: None,
        depends: Vec::new(),
        drop: None,
        place: Some(place),
    };
    made.finish(true, vec![entry])
}

fn shapes() -> Vec<Shape> {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frozen/v1-shop.sql.gz");
    let made = |name, make: fn(&Path) -> std::path::PathBuf| {
        let directory = tempfile::tempdir().unwrap();
        Shape::of(name, &make(directory.path()))
    };
    vec![
        made("small", sample),
        made("many members", many_members),
        made("repetitive", repetitive),
        Shape::of("of a database", &frozen),
    ]
}

/// What is wrong with these bytes, by the full check and by the quick one; they must agree that something is.
#[track_caller]
fn assert_seen(shape: &Shape, what: &str, bytes: Vec<u8>) {
    assert!(
        bytes != shape.bytes,
        "{}: {what} changes nothing",
        shape.name
    );
    let Ok(reader) = open(bytes) else { return };
    let seen = [
        ("check", reader.check(&mut |_, _| {}).err()),
        ("the quick check", reader.require_undamaged().err()),
    ];
    for (by, error) in seen {
        let kind = error.as_ref().map(pgbelay::error::Error::kind);
        assert_eq!(
            kind,
            Some(Kind::Difference),
            "{}: {what}, by {by}: {error:?}",
            shape.name
        );
    }
}

#[test]
fn every_flipped_bit_of_every_shape_is_seen() {
    let mut flipped = 0;
    for shape in shapes() {
        for bit in 0..shape.bytes.len() * 8 {
            let mut bytes = shape.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_seen(&shape, &format!("bit {bit}"), bytes);
            flipped += 1;
        }
    }
    assert!(flipped >= 10_000, "{flipped}");
    note_figure(&format!(
        "archives: {flipped} bits flipped in 4 archives, {flipped} seen"
    ));
}

#[test]
fn what_gzip_readers_ignore_is_seen_too() {
    // MTIME, XFL and OS of each member's header, and FTEXT among its flags: gunzip takes any of them.
    for shape in shapes() {
        for part in 0..=shape.members() {
            for byte in [3, 4, 5, 6, 7, 8, 9] {
                let mut bytes = shape.bytes.clone();
                bytes[shape.parts[part] + byte] ^= 1;
                assert_seen(&shape, &format!("byte {byte} of part {part}"), bytes);
            }
        }
    }
}

#[test]
fn every_cut_of_every_shape_is_seen() {
    let mut cuts = 0;
    for shape in shapes() {
        for length in 0..shape.bytes.len() {
            assert_seen(
                &shape,
                &format!("cut at {length}"),
                shape.bytes[..length].to_vec(),
            );
            cuts += 1;
        }
        // The beginning is missing, at each border and around it.
        for border in &shape.parts[1..] {
            for from in [border - 1, *border, border + 1] {
                let rest = shape.bytes.get(from..).unwrap_or_default();
                assert_seen(&shape, &format!("all before {from} lost"), rest.to_vec());
                cuts += 1;
            }
        }
    }
    note_figure(&format!("archives: {cuts} cuts, {cuts} seen"));
}

#[test]
fn parts_in_any_other_order_or_number_are_seen() {
    let mut orders = 0;
    let shapes = shapes();
    for shape in &shapes {
        let all: Vec<usize> = (0..shape.parts.len() - 1).collect();
        let mut check = |what: String, order: &[usize]| {
            let bytes = shape.of_parts(order);
            // Equal members may stand for one another.
            if bytes != shape.bytes {
                assert_seen(shape, &what, bytes);
                orders += 1;
            }
        };
        for first in 0..all.len() {
            let mut order = all.clone();
            order.remove(first);
            check(format!("part {first} lost"), &order);
            let mut order = all.clone();
            order.insert(first, first);
            check(format!("part {first} doubled"), &order);
            for second in first + 1..all.len() {
                let mut order = all.clone();
                order.swap(first, second);
                check(format!("parts {first} and {second} swapped"), &order);
                let mut order = all.clone();
                order[second] = first;
                check(format!("part {first} in the place of {second}"), &order);
            }
        }
    }
    note_figure(&format!(
        "archives: {orders} orders of parts, {orders} seen"
    ));
}

#[test]
fn parts_of_another_archive_and_bytes_around_are_seen() {
    let shapes = shapes();
    let empty = compress(b"").unwrap().bytes;
    for shape in &shapes {
        for part in 0..shape.parts.len() - 1 {
            let before = &shape.bytes[..shape.parts[part]];
            let after = &shape.bytes[shape.parts[part + 1]..];
            for other in shapes.iter().filter(|other| other.name != shape.name) {
                for place in 0..other.parts.len() - 1 {
                    let mixed = [before, other.part(place), after].concat();
                    // Every archive of the tests begins with the same preamble.
                    if mixed != shape.bytes {
                        assert_seen(
                            shape,
                            &format!("part {place} of {} as part {part}", other.name),
                            mixed,
                        );
                    }
                }
            }
            // An empty gzip member in front of each part: any gzip reader takes it.
            let more = [before, &empty, shape.part(part), after].concat();
            assert_seen(shape, &format!("an empty member before part {part}"), more);
        }
        for tail in [&b"\0"[..], b"\n", &[0; 4096], &empty, &shape.bytes] {
            assert_seen(shape, "bytes at the end", [&shape.bytes, tail].concat());
            assert_seen(
                shape,
                "bytes at the beginning",
                [tail, &shape.bytes].concat(),
            );
        }
    }
}
