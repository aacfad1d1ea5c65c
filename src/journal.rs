//! The journal of a run: what was about to be done and what came of it (design.md §6, §8).
//!
//! One JSON line per record, added and synced before the call returns. Each line ends with a
//! checksum that covers the line and the checksum before it, so a changed, lost, swapped or
//! repeated line is detected. A crash can tear the last line only; a torn line was never
//! acknowledged, so what it announced had not begun. docs/format.md §7 gives the bytes.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::context::Clock;
use crate::durable::{self, AppendFile};
use crate::error::{Attempt, Error, Kind, Result};
use crate::faults::{self, Point};
use crate::store::Store;

/// The version this library writes.
const VERSION: u32 = 1;
/// Stands between a record and its checksum.
const CHECK_KEY: &[u8] = b",\"check\":\"";
/// Ends a record, newline not included.
const CHECK_END: &[u8] = b"\"}";
/// Hex digits of a checksum.
const CHECK_DIGITS: usize = 16;
/// So many NULs in a row are a block that a crash kept from being written; one is a changed byte.
const UNWRITTEN: usize = 8;
/// The longest journal that is read: some ten thousand records.
const MAX_LENGTH: u64 = 64 << 20;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The first record: which database, which run. Its detail is a [`Header`].
    Header,
    /// Taking the archive.
    Backup,
    /// Restoring the archive into a scratch database and comparing it.
    Drill,
    /// Running the migration tool.
    Migrate,
    /// The checks after it.
    Verify,
    /// Deciding and putting the database back.
    RollBack,
    /// Keeping writes of others out.
    Fence,
    /// Renaming databases.
    Swap,
    /// The last record: how the run ended.
    End,
}

/// Before or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It is about to be done; nothing of it was done before this record was synced.
    Intent,
    /// It was done, or it failed; the detail says which.
    Outcome,
}

/// Which database and which run a journal is about; never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Header {
    /// `pg_control_system().system_identifier`, empty where not readable.
    pub system_identifier: String,
    /// OID of the database.
    pub database_oid: u32,
    /// Its name.
    pub database: String,
    /// Host or socket directory.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role.
    pub role: String,
    /// The run.
    pub run_id: String,
    /// The tool and its version (`pgbelay 0.1.0`).
    pub tool: String,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the journal's format; stands first in each line, now and later.
    pub version: u32,
    /// 0, 1, 2 …
    pub sequence: u64,
    /// When, by the client's clock, UTC.
    pub time: DateTime<Utc>,
    /// About what.
    pub step: Step,
    /// Before or after.
    pub stage: Stage,
    /// Whatever belongs to the step.
    pub detail: Map<String, Value>,
}

/// Members of a record's detail that people write or tools print: a secret may stand in them.
const FREE_TEXTS: [&str; 6] = ["command", "ended", "error", "proof", "reason", "why"];

/// Takes secrets out of a text.
pub type Hide = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A journal being written.
pub struct Journal {
    file: AppendFile,
    clock: Arc<dyn Clock>,
    hide: Option<Hide>,
    next: u64,
    /// Checksum of the last record.
    previous: u64,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Starts the journal `<stem>.journal` in the store with its header record.
    pub fn create(
        store: &Store,
        stem: &str,
        header: &Header,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let file = AppendFile::create(&store.beside(stem, ".journal"))?;
        let mut journal = Self {
            file,
            clock,
            hide: None,
            next: 0,
            previous: 0,
        };
        journal.append(Step::Header, Stage::Outcome, detail_of(header)?)?;
        Ok(journal)
    }

    /// Goes on with an existing journal; a torn last line is cut off.
    pub fn resume(path: &Path, clock: Arc<dyn Clock>) -> Result<(Self, Vec<Record>)> {
        let parsed = Parsed::of(&load(path)?).map_err(|wrong| wrong.on(path))?;
        let file = AppendFile::open(path, parsed.length)?;
        let mut journal = Self {
            file,
            clock,
            hide: None,
            next: parsed.records.len() as u64,
            previous: parsed.previous,
        };
        if parsed.lacks_newline {
            journal.file.append(b"\n")?;
        }
        Ok((journal, parsed.records))
    }

    /// What is written from now on has no secrets in its free texts; names and paths stay as they are, or a password
    /// that is part of one would make it another.
    pub fn hide_with(&mut self, hide: Hide) {
        self.hide = Some(hide);
    }

    /// Adds a record; it is on disk when this returns.
    pub fn append(
        &mut self,
        step: Step,
        stage: Stage,
        mut detail: Map<String, Value>,
    ) -> Result<()> {
        if let Some(hide) = &self.hide {
            hide_in(&mut detail, hide);
        }
        let record = Record {
            version: VERSION,
            sequence: self.next,
            time: self.clock.now(),
            step,
            stage,
            detail,
        };
        let (line, check) = encode(&record, self.previous)
            .attempt(|| format!("write the journal {}", self.path().display()))?;
        let (before, after) = points_of(step, stage);
        faults::reach(before)?;
        self.file.append(&line)?;
        self.next += 1;
        self.previous = check;
        faults::reach(after)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The header alone, whatever is wrong after it; none if it cannot be read itself.
    pub fn read_header(path: &Path) -> Option<Header> {
        let bytes = load(path).ok()?;
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let (record, _) = decode(line, 0, 0).ok()?;
        header(&[record]).ok()?
    }

    /// Reads a journal.
    ///
    /// [`Kind::Difference`] if a line other than a torn last one is not what was written;
    /// [`Kind::Refused`] if a later version wrote it. Empty if the crash came before the header.
    pub fn read(path: &Path) -> Result<Vec<Record>> {
        Ok(Parsed::of(&load(path)?)
            .map_err(|wrong| wrong.on(path))?
            .records)
    }
}

/// Any serializable value as a record's detail; values that are no JSON object are refused.
pub fn detail_of(value: &impl Serialize) -> Result<Map<String, Value>> {
    let attempted = || "write a journal record".to_owned();
    match serde_json::to_value(value).attempt(attempted)? {
        Value::Object(map) => Ok(map),
        _ => Err(Error::operation(attempted()).because("its detail is not an object")),
    }
}

fn hide_in(detail: &mut Map<String, Value>, hide: &Hide) {
    for (name, value) in detail {
        match value {
            Value::String(text) if FREE_TEXTS.contains(&name.as_str()) => *text = hide(text),
            Value::Object(inner) => hide_in(inner, hide),
            _ => {}
        }
    }
}

/// The header, if the journal has one.
pub fn header(records: &[Record]) -> Result<Option<Header>> {
    let Some(first) = records.first().filter(|record| record.step == Step::Header) else {
        return Ok(None);
    };
    serde_json::from_value(Value::Object(first.detail.clone()))
        .map(Some)
        .attempt(|| "read a journal's header".to_owned())
}

/// The fault points before and after a record.
fn points_of(step: Step, stage: Stage) -> (Point, Point) {
    use Point as P;
    match (step, stage) {
        (Step::Header, _) => (P::JournalHeaderOutcomeBefore, P::JournalHeaderOutcomeAfter),
        (Step::Backup, Stage::Intent) => {
            (P::JournalBackupIntentBefore, P::JournalBackupIntentAfter)
        }
        (Step::Backup, Stage::Outcome) => {
            (P::JournalBackupOutcomeBefore, P::JournalBackupOutcomeAfter)
        }
        (Step::Fence, Stage::Intent) => (P::JournalFenceIntentBefore, P::JournalFenceIntentAfter),
        (Step::Fence, Stage::Outcome) => {
            (P::JournalFenceOutcomeBefore, P::JournalFenceOutcomeAfter)
        }
        (Step::Drill, Stage::Intent) => (P::JournalDrillIntentBefore, P::JournalDrillIntentAfter),
        (Step::Drill, Stage::Outcome) => {
            (P::JournalDrillOutcomeBefore, P::JournalDrillOutcomeAfter)
        }
        (Step::Migrate, Stage::Intent) => {
            (P::JournalMigrateIntentBefore, P::JournalMigrateIntentAfter)
        }
        (Step::Migrate, Stage::Outcome) => (
            P::JournalMigrateOutcomeBefore,
            P::JournalMigrateOutcomeAfter,
        ),
        (Step::Verify, Stage::Intent) => {
            (P::JournalVerifyIntentBefore, P::JournalVerifyIntentAfter)
        }
        (Step::Verify, Stage::Outcome) => {
            (P::JournalVerifyOutcomeBefore, P::JournalVerifyOutcomeAfter)
        }
        (Step::RollBack, Stage::Intent) => (
            P::JournalRollBackIntentBefore,
            P::JournalRollBackIntentAfter,
        ),
        (Step::RollBack, Stage::Outcome) => (
            P::JournalRollBackOutcomeBefore,
            P::JournalRollBackOutcomeAfter,
        ),
        (Step::Swap, Stage::Intent) => (P::JournalSwapIntentBefore, P::JournalSwapIntentAfter),
        (Step::Swap, Stage::Outcome) => (P::JournalSwapOutcomeBefore, P::JournalSwapOutcomeAfter),
        (Step::End, _) => (P::JournalEndOutcomeBefore, P::JournalEndOutcomeAfter),
    }
}

/// The bytes of a journal, bounded.
fn load(path: &Path) -> Result<Vec<u8>> {
    let attempted = || format!("read the journal {}", path.display());
    let file = durable::open_regular(path).attempt(attempted)?;
    let length = file.metadata().attempt(attempted)?.len();
    if length > MAX_LENGTH {
        return Err(Error::new(Kind::Difference, attempted())
            .because(format!("{length} bytes are too many")));
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    file.take(MAX_LENGTH)
        .read_to_end(&mut bytes)
        .attempt(attempted)?;
    Ok(bytes)
}

/// A record's line and its checksum.
fn encode(record: &Record, previous: u64) -> serde_json::Result<(Vec<u8>, u64)> {
    let mut line = serde_json::to_vec(record)?;
    // The closing brace comes back after the checksum.
    line.pop();
    let check = xxh3_64_with_seed(&line, previous);
    line.extend_from_slice(CHECK_KEY);
    line.extend_from_slice(format!("{check:016x}").as_bytes());
    line.extend_from_slice(CHECK_END);
    line.push(b'\n');
    Ok((line, check))
}

/// What a journal's bytes hold.
#[derive(Debug, Default)]
struct Parsed {
    records: Vec<Record>,
    /// Bytes of the whole records.
    length: u64,
    /// Checksum of the last record.
    previous: u64,
    /// The last record is whole but for its newline.
    lacks_newline: bool,
}

/// Why a journal cannot be read.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// A line is not what was written.
    Damaged(usize, String),
    /// A later version wrote it.
    Newer(u32),
}

impl Parsed {
    fn of(bytes: &[u8]) -> Result<Self, Wrong> {
        let mut parsed = Self::default();
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let (body, ended) = match line.strip_suffix(b"\n") {
                Some(body) => (body, true),
                None => (line, false),
            };
            match decode(body, parsed.previous, parsed.records.len() as u64) {
                Ok((record, check)) => {
                    parsed.records.push(record);
                    parsed.previous = check;
                    parsed.length += line.len() as u64;
                    parsed.lacks_newline = !ended;
                }
                Err(Bad::Newer(version)) => return Err(Wrong::Newer(version)),
                Err(Bad::Line(why)) if !torn(body, ended, &parsed) => {
                    return Err(Wrong::Damaged(index + 1, why));
                }
                Err(Bad::Line(_)) if parsed.length + line.len() as u64 == bytes.len() as u64 => {
                    break;
                }
                Err(Bad::Line(why)) => return Err(Wrong::Damaged(index + 1, why)),
            }
        }
        Ok(parsed)
    }
}

/// Whether a bad line looks like an addition that a crash cut short: no newline, or blocks that
/// were never written. A whole last line that is merely wrong was acknowledged, and must not be
/// taken for one that was not.
fn torn(body: &[u8], ended: bool, before: &Parsed) -> bool {
    if ended {
        return body.windows(UNWRITTEN).any(|bytes| bytes == [0; UNWRITTEN]);
    }
    let only_newline_changed = body.split_last().is_some_and(|(_, rest)| {
        decode(rest, before.previous, before.records.len() as u64).is_ok()
    });
    !only_newline_changed
}

/// Why one line is not the record expected.
enum Bad {
    Newer(u32),
    Line(String),
}

fn decode(line: &[u8], previous: u64, sequence: u64) -> Result<(Record, u64), Bad> {
    let (content, check) =
        split_check(line).ok_or_else(|| Bad::Line("it has no checksum".into()))?;
    if xxh3_64_with_seed(content, previous) != check {
        return Err(Bad::Line("its checksum is wrong".into()));
    }
    let json = [content, b"}"].concat();
    if let Some(version) = version_of(&json).filter(|version| *version > VERSION) {
        return Err(Bad::Newer(version));
    }
    let record: Record =
        serde_json::from_slice(&json).map_err(|error| Bad::Line(error.to_string()))?;
    if record.sequence != sequence {
        return Err(Bad::Line(format!(
            "it has number {}, not {sequence}",
            record.sequence
        )));
    }
    Ok((record, check))
}

/// The line before its checksum, and the checksum.
fn split_check(line: &[u8]) -> Option<(&[u8], u64)> {
    let rest = line.strip_suffix(CHECK_END)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(CHECK_DIGITS)?)?;
    let lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !digits.iter().all(lower_hex) {
        return None;
    }
    let check = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((rest.strip_suffix(CHECK_KEY)?, check))
}

fn version_of(json: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    serde_json::from_slice::<Versioned>(json)
        .ok()
        .map(|found| found.version)
}

impl Wrong {
    fn on(self, path: &Path) -> Error {
        let attempted = format!("read the journal {}", path.display());
        match self {
            Self::Damaged(line, why) => Error::new(Kind::Difference, attempted)
                .because(format!("damaged: line {line}: {why}"))
                .hint("look at the database and at the journal; when all is well, move the journal away"),
            Self::Newer(version) => Error::refused(attempted)
                .because(format!("it has version {version}, this pgbelay reads up to {VERSION}"))
                .hint("use the version of pgbelay that wrote it, or a later one"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::SystemClock;
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn record(sequence: u64, step: Step, stage: Stage, detail: Value) -> Record {
        let time = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        Record {
            version: VERSION,
            sequence,
            time,
            step,
            stage,
            detail: object(detail),
        }
    }

    fn sample() -> Vec<Record> {
        vec![
            record(
                0,
                Step::Header,
                Stage::Outcome,
                json!({"database": "shop ✓\r\n"}),
            ),
            record(
                1,
                Step::Backup,
                Stage::Intent,
                json!({"archive": "x.sql.gz"}),
            ),
            record(2, Step::Backup, Stage::Outcome, json!({"rows": 12})),
            record(
                3,
                Step::Migrate,
                Stage::Intent,
                json!({"argv": ["alembic", "\",\"check\":\""]}),
            ),
        ]
    }

    fn bytes_of(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut previous = 0;
        for record in records {
            let (line, check) = encode(record, previous).unwrap();
            bytes.extend_from_slice(&line);
            previous = check;
        }
        bytes
    }

    #[test]
    fn a_journal_torn_anywhere_replays_to_a_prefix() {
        let records = sample();
        let bytes = bytes_of(&records);
        for length in 0..=bytes.len() {
            let parsed = Parsed::of(&bytes[..length]).unwrap();
            let whole = bytes[..length]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            assert!(
                parsed.records.len() == whole || parsed.lacks_newline,
                "{length}"
            );
            assert!(parsed.records.len() <= whole + 1);
            assert_eq!(parsed.records, records[..parsed.records.len()], "{length}");
        }
    }

    #[test]
    fn blocks_that_were_never_written_are_a_torn_tail() {
        let records = sample();
        let mut bytes = bytes_of(&records[..3]);
        let whole = bytes.len();
        bytes.extend_from_slice(&[0; 40]);
        bytes.extend_from_slice(b"...\"}\n");
        assert_eq!(Parsed::of(&bytes).unwrap().records, records[..3]);
        bytes.extend_from_slice(b"more\n");
        assert!(
            Parsed::of(&bytes).is_err(),
            "torn in the middle at byte {whole}"
        );
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let bytes = bytes_of(&sample());
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Parsed::of(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn lines_lost_swapped_or_repeated_are_seen() {
        let bytes = bytes_of(&sample());
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for order in [
            &[0, 2, 3][..],
            &[1, 2, 3],
            &[0, 2, 1, 3],
            &[0, 1, 1, 2, 3],
            &[0, 1, 2, 3, 3],
        ] {
            let changed: Vec<u8> = order
                .iter()
                .flat_map(|index| lines[*index].iter().copied())
                .collect();
            assert!(
                matches!(Parsed::of(&changed), Err(Wrong::Damaged(..))),
                "{order:?}"
            );
        }
    }

    #[test]
    fn records_are_numbered_without_a_gap() {
        let mut records = sample();
        records[2].sequence = 7;
        let wrong = Parsed::of(&bytes_of(&records)).unwrap_err();
        assert_eq!(wrong, Wrong::Damaged(3, "it has number 7, not 2".into()));
    }

    #[test]
    fn a_newer_version_is_refused() {
        let mut newer = sample();
        newer[1].version = 2;
        assert_eq!(Parsed::of(&bytes_of(&newer)).unwrap_err(), Wrong::Newer(2));
    }

    #[test]
    fn a_run_is_resumed_where_it_was_cut() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let about = Header {
            database: "shop".into(),
            port: 5432,
            ..Header::default()
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut journal = Journal::create(&store, "x", &about, Arc::clone(&clock)).unwrap();
        journal
            .append(Step::Backup, Stage::Intent, Map::new())
            .unwrap();
        let path = journal.path().to_owned();
        let whole = std::fs::read(&path).unwrap();
        for torn in [&b""[..], b"{\"version\":1,", b"\0\0\0\0\0\0\0\0\0\n"] {
            let mut file = AppendFile::open(&path, whole.len() as u64).unwrap();
            file.append(torn).unwrap();
            let (mut journal, records) = Journal::resume(&path, Arc::clone(&clock)).unwrap();
            assert_eq!(records.len(), 2);
            journal
                .append(Step::End, Stage::Outcome, Map::new())
                .unwrap();
            let records = Journal::read(&path).unwrap();
            assert_eq!(records.len(), 3);
            assert_eq!(header(&records).unwrap(), Some(about.clone()));
        }
        let mut file = AppendFile::open(&path, whole.len() as u64 - 1).unwrap();
        file.append(b"").unwrap();
        let (mut journal, _) = Journal::resume(&path, clock).unwrap();
        journal
            .append(Step::End, Stage::Outcome, Map::new())
            .unwrap();
        assert_eq!(Journal::read(&path).unwrap().len(), 3);
    }

    fn any_record() -> impl Strategy<Value = (Step, Stage, String, i64)> {
        let step =
            prop::sample::select(vec![Step::Backup, Step::Migrate, Step::RollBack, Step::End]);
        let stage = prop::sample::select(vec![Stage::Intent, Stage::Outcome]);
        (step, stage, any::<String>(), any::<i64>())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(input in prop::collection::vec(any_record(), 0..8)) {
            let records: Vec<Record> = (0..).zip(input)
                .map(|(sequence, (step, stage, text, number))| {
                    record(sequence, step, stage, json!({ text.clone(): number, "text": text }))
                })
                .collect();
            prop_assert_eq!(Parsed::of(&bytes_of(&records)).unwrap().records, records);
        }

        /// Any bytes replaced, lost or added anywhere: what is read is a beginning of what was written, or an error.
        /// A record that was acknowledged, its newline among it, is lost only with all that follows it.
        #[test]
        fn any_edit_is_seen_or_is_a_torn_tail(
            at in any::<prop::sample::Index>(),
            lost in 0_usize..300,
            added in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                prop::collection::vec(Just(0_u8), 0..60),
                prop::collection::vec(prop::sample::select(b"\n{}\",:0".to_vec()), 0..20),
            ],
        ) {
            let records = sample();
            let bytes = bytes_of(&records);
            let at = at.index(bytes.len() + 1);
            let end = bytes.len().min(at + lost);
            let edited = [&bytes[..at], &added, &bytes[end..]].concat();
            let untouched = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            if let Ok(parsed) = Parsed::of(&edited) {
                prop_assert!(parsed.records.len() >= untouched);
                prop_assert_eq!(&parsed.records, &records[..parsed.records.len()]);
                let torn = edited.len() as u64 - parsed.length;
                prop_assert!(torn == 0 || !edited.ends_with(b"\n") || edited.windows(UNWRITTEN).any(|w| w == [0; UNWRITTEN]));
            }
        }

        /// Lines in any order and number are the journal, a beginning of it, or damage.
        #[test]
        fn lines_in_any_order_are_a_beginning_or_damage(order in prop::collection::vec(0_usize..4, 0..7)) {
            let records = sample();
            let bytes = bytes_of(&records);
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let mixed: Vec<u8> = order.iter().flat_map(|line| lines[*line].iter().copied()).collect();
            match Parsed::of(&mixed) {
                Ok(parsed) => prop_assert_eq!(&parsed.records, &records[..order.len()]),
                Err(wrong) => prop_assert!(matches!(wrong, Wrong::Damaged(..))),
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Parsed::of(&bytes);
        }
    }
}
