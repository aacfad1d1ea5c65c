//! Proves an archive whole without a server: every byte is read, hashed and decompressed, and
//! rows and digests of every table are computed again from the text.
//!
//! Members are independent and digests merge in any order, so several threads share the work.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::damage::damaged;
use super::manifest::{MemberKind, MemberRecord};
use super::reader::{Failure, Reader, copy_rows};
use super::{COPY_END, FIRST_LINE, TableDigest};
use crate::error::Result;

/// Threads at most: each holds one member's text, and disks are busy sooner.
const MAX_THREADS: usize = 4;
/// A thread for less than this costs more than it saves.
const BYTES_PER_THREAD: u64 = 4 << 20;
/// The same for members, however small.
const MEMBERS_PER_THREAD: usize = 1_000;

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct CheckReport {
    /// Members.
    pub members: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
}

/// What the threads share.
struct Work {
    /// The next member to take.
    next: AtomicUsize,
    /// Compressed bytes done.
    done: AtomicU64,
    /// Somebody found damage: take no more.
    failed: AtomicBool,
    found: Mutex<Found>,
}

/// What has been found so far.
struct Found {
    /// By table.
    digests: Vec<TableDigest>,
    /// Damage of the first damaged member.
    damage: Option<(usize, Failure)>,
}

impl Reader {
    /// Reads the whole file and compares everything in it with the manifest.
    ///
    /// `progress` is called with bytes done and bytes in all. Damage is reported for the first
    /// damaged member.
    pub fn check(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<CheckReport> {
        let members = self.manifest().members.len();
        self.check_on(threads_for(self.length(), members), progress)
    }

    /// As [`Self::check`], on so many threads, this one included.
    fn check_on(&self, threads: usize, progress: &mut dyn FnMut(u64, u64)) -> Result<CheckReport> {
        let tables = self.manifest().tables.len();
        let work = Work {
            next: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            found: Mutex::new(Found {
                digests: vec![TableDigest::default(); tables],
                damage: None,
            }),
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // One that cannot be started leaves its work to the others.
                let _ = std::thread::Builder::new()
                    .spawn_scoped(scope, || self.check_members(&work, &mut |_| {}));
            }
            self.check_members(&work, &mut |done| progress(done, self.length()));
        });
        let found = work
            .found
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((index, failure)) = found.damage {
            return Err(self.member_failed(index, failure));
        }
        self.check_digests(&found.digests)?;
        self.check_entries()?;
        progress(self.length(), self.length());
        Ok(self.report())
    }

    /// Takes members until none is left or somebody found damage. Members are taken in file
    /// order, so all before a damaged one have been taken too, and the first damage wins.
    fn check_members(&self, work: &Work, progress: &mut dyn FnMut(u64)) {
        while !work.failed.load(Ordering::Relaxed) {
            let index = work.next.fetch_add(1, Ordering::Relaxed);
            let Some(member) = self.manifest().members.get(index) else {
                return;
            };
            let checked = self.check_member(member);
            let mut found = work.found.lock().unwrap_or_else(PoisonError::into_inner);
            match checked {
                Ok(digest) => found.add(member, &digest),
                Err(failure) => {
                    work.failed.store(true, Ordering::Relaxed);
                    found.damaged(index, failure);
                }
            }
            drop(found);
            let done = work.done.fetch_add(member.length, Ordering::Relaxed) + member.length;
            progress(done);
        }
    }

    /// Checks one member, and digests its rows.
    fn check_member(&self, member: &MemberRecord) -> Result<TableDigest, Failure> {
        let text = self.checked_text(member)?;
        if member.offset == 0 && !text.starts_with(FIRST_LINE.as_bytes()) {
            return Err(Failure::Damage(
                "the script does not start with its first line".into(),
            ));
        }
        if member.kind != MemberKind::Data {
            return Ok(TableDigest::default());
        }
        self.check_rows(member, &text).map_err(Failure::Damage)
    }

    /// A data member is one COPY statement of its table, with as many rows as were counted.
    fn check_rows(&self, member: &MemberRecord, text: &[u8]) -> Result<TableDigest, String> {
        let table = member.table.and_then(|table| usize::try_from(table).ok());
        let record = table
            .and_then(|table| self.manifest().tables.get(table))
            .ok_or("it names no table of the manifest")?;
        let rows =
            copy_rows(text, &record.copy).ok_or("it is not a whole COPY statement of its table")?;
        let digest = digest_of(rows)?;
        if digest.rows == member.rows {
            return Ok(digest);
        }
        Err(format!(
            "it has {} rows, the manifest says {}",
            digest.rows, member.rows
        ))
    }

    /// Compares the digests of the texts with those computed while dumping.
    fn check_digests(&self, digests: &[TableDigest]) -> Result<()> {
        for (table, digest) in self.manifest().tables.iter().zip(digests) {
            let sum = digest.hex();
            if (table.rows, table.bytes, &table.digest) == (digest.rows, digest.bytes, &sum) {
                continue;
            }
            let why = format!(
                "its rows are not those that were read: the archive holds {} rows, {} bytes, digest {sum}; \
                 the manifest says {} rows, {} bytes, digest {}",
                digest.rows, digest.bytes, table.rows, table.bytes, table.digest
            );
            return Err(damaged(self.path(), &table.identity, &why));
        }
        Ok(())
    }

    /// Every entry's text can be read.
    fn check_entries(&self) -> Result<()> {
        (0..self.manifest().entries.len()).try_for_each(|index| self.entry_text(index).map(drop))
    }

    fn report(&self) -> CheckReport {
        let manifest = self.manifest();
        CheckReport {
            members: manifest.members.len() as u64,
            bytes: self.length(),
            tables: manifest.tables.len() as u64,
            rows: manifest.tables.iter().map(|table| table.rows).sum(),
        }
    }
}

impl Found {
    /// Keeps the damage of the first member.
    fn damaged(&mut self, index: usize, failure: Failure) {
        if self.damage.as_ref().is_none_or(|(first, _)| index < *first) {
            self.damage = Some((index, failure));
        }
    }

    fn add(&mut self, member: &MemberRecord, digest: &TableDigest) {
        let table = member.table.and_then(|table| usize::try_from(table).ok());
        if let Some(sum) = table.and_then(|table| self.digests.get_mut(table)) {
            sum.merge(digest);
        }
    }
}

/// Threads that are worth starting for a file of `length` bytes and so many members.
fn threads_for(length: u64, members: usize) -> usize {
    let useful = usize::try_from(length / BYTES_PER_THREAD).unwrap_or(MAX_THREADS);
    let useful = useful.max(members / MEMBERS_PER_THREAD);
    let available = std::thread::available_parallelism().map_or(1, NonZero::get);
    available.min(useful).clamp(1, MAX_THREADS)
}

/// The digest of a member's rows, each ended by a newline.
fn digest_of(rows: &[u8]) -> Result<TableDigest, String> {
    let early = memchr::memmem::find_iter(rows, COPY_END)
        .find(|at| *at == 0 || rows.get(at - 1) == Some(&b'\n'));
    let mut digest = TableDigest::default();
    digest.add_rows(&rows[..early.unwrap_or(rows.len())]);
    match early {
        None => Ok(digest),
        Some(_) => Err(format!(
            "its COPY statement ends early, after {} rows",
            digest.rows
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Manifest, TableRecord, Writer, compress};
    use std::path::{Path, PathBuf};

    const COPY: &str = "COPY public.t (a) FROM stdin;";
    const MEMBERS: u64 = 200;

    /// Many small members of one table.
    fn archive(directory: &Path) -> PathBuf {
        let mut writer = Writer::create(directory, "many.sql.gz").unwrap();
        let preamble = compress(FIRST_LINE.as_bytes()).unwrap();
        writer
            .append(MemberKind::Preamble, None, 0, preamble)
            .unwrap();
        let mut digest = TableDigest::default();
        for row in 0..MEMBERS {
            let row = format!("{row}\n");
            digest.add_row(row.as_bytes());
            let text = format!("{COPY}\n{row}\\.\n");
            let member = compress(text.as_bytes()).unwrap();
            writer.append(MemberKind::Data, Some(0), 1, member).unwrap();
        }
        let mut manifest: Manifest = crate::archive::tests::manifest_of(&[]);
        manifest.tables.push(TableRecord {
            identity: "table public.t".into(),
            schema: "public".into(),
            name: "t".into(),
            columns: vec!["a".into()],
            copy: COPY.into(),
            through: None,
            rows: digest.rows,
            bytes: digest.bytes,
            digest: digest.hex(),
        });
        writer.finish(manifest).unwrap()
    }

    #[test]
    fn threads_share_the_work_and_agree() {
        let directory = tempfile::tempdir().unwrap();
        let reader = Reader::open(&archive(directory.path())).unwrap();
        for threads in [1, 2, 8] {
            let mut last = 0;
            let report = reader.check_on(threads, &mut |done, total| {
                assert!(last <= done && done <= total);
                last = done;
            });
            assert_eq!(report.unwrap().rows, MEMBERS);
            assert_eq!(last, reader.length());
        }
    }

    #[test]
    fn the_first_damage_is_reported_however_many_threads() {
        let directory = tempfile::tempdir().unwrap();
        let path = archive(directory.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let reader = Reader::open(&path).unwrap();
        for member in &reader.manifest().members[50..60] {
            bytes[usize::try_from(member.offset).unwrap() + 12] ^= 1;
        }
        let mut pending = crate::durable::PendingFile::create(directory.path(), "damaged").unwrap();
        pending.write(&bytes).unwrap();
        let reader = Reader::open(&pending.publish().unwrap()).unwrap();
        for threads in [1, 2, 8] {
            let error = reader.check_on(threads, &mut |_, _| {}).unwrap_err();
            assert!(
                error.to_string().contains("member 50 (table public.t)"),
                "{error}"
            );
        }
    }

    #[test]
    fn of_several_damaged_members_the_first_is_kept() {
        let mut found = Found {
            digests: Vec::new(),
            damage: None,
        };
        for index in [7, 3, 5] {
            found.damaged(index, Failure::Damage("x".into()));
        }
        assert_eq!(found.damage.map(|(index, _)| index), Some(3));
    }

    #[test]
    fn a_copy_ends_where_a_line_says_so_and_nowhere_else() {
        assert_eq!(digest_of(b"a\nb\\\\.\n").unwrap().rows, 2);
        assert_eq!(digest_of(b"").unwrap().rows, 0);
        for (rows, before) in [(&b"\\.\n"[..], 0), (b"a\n\\.\nb\n", 1)] {
            let why = digest_of(rows).unwrap_err();
            assert!(why.ends_with(&format!("after {before} rows")), "{why}");
        }
    }

    #[test]
    fn small_files_need_no_threads() {
        assert_eq!(threads_for(0, 0), 1);
        let several = threads_for(u64::MAX, 0);
        assert!((1..=MAX_THREADS).contains(&several));
        assert_eq!(threads_for(0, usize::MAX), several);
    }
}
