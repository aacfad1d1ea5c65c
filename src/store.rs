//! The store: the directory where archives, journals and logs live, beside each other.
//!
//! Names sort by time and tell a person what they hold; the truth is in the manifest, which is
//! read on demand. A store that others may write to is refused: what they plant there would be
//! restored.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use nix::sys::statvfs::statvfs;
use nix::unistd::{Gid, Uid};
use xxhash_rust::xxh3::xxh3_64;

use crate::archive::{Manifest, Reader};
use crate::durable::{self, PendingFile};
use crate::error::{Attempt, Error, Kind, Result};

/// Starts every name: sorts by time.
const STAMP: &str = "%Y%m%d_%H%M%S";
/// Characters of a stamp.
const STAMP_LENGTH: usize = 15;
/// Ends the name of an archive.
const ARCHIVE_SUFFIX: &str = ".sql.gz";
/// Ends the name of a journal.
const JOURNAL_SUFFIX: &str = ".journal";
/// The suffix of archives that hold what a rollback removed.
pub const BEFORE_ROLLBACK: &str = "before-rollback";
/// Stands for the revision of a database without version table.
const NO_REVISION: &str = "norev";
/// PostgreSQL's longest name, in bytes.
const MAX_DATABASE: usize = 63;
/// Longest revision part: five of Alembic's ids; a name must stay under 255 bytes in all.
const MAX_REVISION: usize = 64;
/// Numeric suffixes tried when names collide.
const MAX_COLLISIONS: u32 = 1000;
/// Written by others of the group, written by everybody.
const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// A directory that is fit to hold backups.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// An archive in the store, known by its name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its file name.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// When it was made, from its name.
    pub created: DateTime<Utc>,
    /// Whether it holds what a rollback removed, from its name.
    pub before_rollback: bool,
    /// Tells archives of one second apart, from its name.
    sequence: u32,
}

impl ArchiveFile {
    /// Opens it; see [`Reader::open`].
    pub fn open(&self) -> Result<Reader> {
        Reader::open(&self.path)
    }

    /// Its name without `.sql.gz`; journals and logs of the same run share it.
    pub fn stem(&self) -> &str {
        self.name.strip_suffix(ARCHIVE_SUFFIX).unwrap_or(&self.name)
    }
}

/// A journal in the store, known by its name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its file name.
    pub name: String,
    /// When the run started, from its name.
    pub created: DateTime<Utc>,
}

impl Store {
    /// Opens the store, making the directory (mode 0700) if it is missing.
    ///
    /// Refused if others may write there or if it is somebody else's symbolic link.
    pub fn open(directory: &Path) -> Result<Self> {
        durable::ensure_directory(directory).map_err(|error| error.narrowed(Kind::Refused))?;
        Self::trusted(directory)
    }

    /// Opens the store if its directory exists; for commands that only read.
    pub fn existing(directory: &Path) -> Result<Option<Self>> {
        match directory.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            _ => Self::trusted(directory).map(Some),
        }
    }

    fn trusted(directory: &Path) -> Result<Self> {
        let facts = directory
            .symlink_metadata()
            .and_then(|link| Ok((link, directory.metadata()?)))
            .attempt(|| attempted(directory));
        let (link, target) = facts.map_err(|error| error.narrowed(Kind::Refused))?;
        own_link(directory, &link)?;
        if !target.is_dir() {
            return Err(Error::refused(attempted(directory)).because("it is not a directory"));
        }
        private(directory, &target)?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Refused unless a file can be made here now.
    pub fn check_writable(&self) -> Result<()> {
        let probe = PendingFile::create(&self.directory, "write-test");
        probe.map(drop).map_err(|error| {
            Error::refused(attempted(&self.directory))
                .because(
                    error
                        .reason()
                        .unwrap_or_else(|| "it is not writable".into()),
                )
                .hint("make it writable for this user, or name another directory with --store")
        })
    }

    /// Bytes that this user may still write to the store's file system.
    pub fn free_bytes(&self) -> Result<u64> {
        free_bytes_at(&self.directory)
    }

    /// A free name for an archive: `YYYYMMDD_HHMMSS_<database>_<revision>[_<suffix>].sql.gz`.
    ///
    /// `revision` is `None` without a version table; see [`revision_label`] for several.
    pub fn archive_name(
        &self,
        now: DateTime<Utc>,
        database: &str,
        revision: Option<&str>,
        suffix: Option<&str>,
    ) -> String {
        let mut stem = format!(
            "{}_{}_{}",
            now.format(STAMP),
            safe(database, MAX_DATABASE),
            revision.map_or_else(|| NO_REVISION.into(), |text| safe(text, MAX_REVISION)),
        );
        if let Some(suffix) = suffix {
            let _ = write!(stem, "_{suffix}");
        }
        self.free_name(&stem, ARCHIVE_SUFFIX)
    }

    /// A free stem for what belongs to a run that has no archive yet:
    /// `YYYYMMDD_HHMMSS_<database>_<run id>`.
    pub fn run_stem(&self, now: DateTime<Utc>, database: &str, run_id: &str) -> String {
        let database = safe(database, MAX_DATABASE);
        format!(
            "{}_{database}_{}",
            now.format(STAMP),
            safe(run_id, MAX_REVISION)
        )
    }

    /// The path of a file of this store with the given stem and suffix (`.log`).
    pub fn beside(&self, stem: &str, suffix: &str) -> PathBuf {
        self.directory.join(format!("{stem}{suffix}"))
    }

    /// All archives by time, oldest first; nothing is opened.
    pub fn archives(&self) -> Result<Vec<ArchiveFile>> {
        let mut archives = Vec::new();
        for (path, name) in self.names()? {
            let Some(parsed) = ParsedName::of(&name, ARCHIVE_SUFFIX) else {
                continue;
            };
            // A file that vanished since is not in the store.
            let Ok(metadata) = path.metadata() else {
                continue;
            };
            archives.push(ArchiveFile {
                path,
                bytes: metadata.len(),
                created: parsed.created,
                before_rollback: parsed.before_rollback,
                sequence: parsed.sequence,
                name,
            });
        }
        archives.sort_by(|a, b| {
            (a.created, a.sequence, &a.name).cmp(&(b.created, b.sequence, &b.name))
        });
        Ok(archives)
    }

    /// The newest complete backup; what a rollback saved is none, nor is what lacks its footer.
    ///
    /// Fails if one that comes before in time is damaged or of a newer format: silently taking an
    /// older one would roll back too far.
    /// `accept` chooses among manifests: those of the same database, say.
    pub fn latest_where(
        &self,
        accept: impl Fn(&Manifest) -> bool,
    ) -> Result<Option<(ArchiveFile, Reader)>> {
        for file in self.archives()?.into_iter().rev() {
            if file.before_rollback {
                continue;
            }
            let Some(reader) = Reader::open_complete(&file.path)? else {
                continue;
            };
            let manifest = reader.manifest();
            if manifest.purpose != BEFORE_ROLLBACK && accept(manifest) {
                return Ok(Some((file, reader)));
            }
        }
        Ok(None)
    }

    /// All journals by time, oldest first; nothing is opened. Of those that began in the same second the one that was
    /// written last is the newer: a database's runs follow one another.
    pub fn journals(&self) -> Result<Vec<JournalFile>> {
        let mut journals: Vec<JournalFile> = self
            .names()?
            .into_iter()
            .filter_map(|(path, name)| {
                let created = ParsedName::of(&name, JOURNAL_SUFFIX)?.created;
                Some(JournalFile {
                    path,
                    name,
                    created,
                })
            })
            .collect();
        let written = |journal: &JournalFile| {
            let metadata = journal.path.symlink_metadata();
            metadata.and_then(|metadata| metadata.modified()).ok()
        };
        journals.sort_by_cached_key(|one| (one.created, written(one), one.name.clone()));
        Ok(journals)
    }

    /// Removes what interrupted backups left and nobody is writing any more; returns how many.
    pub fn remove_partial_files(&self) -> Result<usize> {
        let mut removed = 0;
        for (path, name) in self.names()? {
            if durable::is_partial(&name) && durable::remove_abandoned(&path)? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// `stem`, or `stem-2` … where it is taken by a file that is complete or being written.
    fn free_name(&self, stem: &str, suffix: &str) -> String {
        let name = |number: u32| match number {
            1 => format!("{stem}{suffix}"),
            _ => format!("{stem}-{number}{suffix}"),
        };
        let free = |name: &String| {
            let partial = self.directory.join(durable::partial_name(name));
            !self.directory.join(name).exists() && !partial.exists()
        };
        // If all are taken, creating the file will say so.
        (1..MAX_COLLISIONS)
            .map(name)
            .find(free)
            .unwrap_or_else(|| name(1))
    }

    /// Names that are text; ours all are.
    fn names(&self) -> Result<Vec<(PathBuf, String)>> {
        let attempted = || format!("list the store {}", self.directory.display());
        let mut names = Vec::new();
        for entry in self.directory.read_dir().attempt(attempted)? {
            let entry = entry.attempt(attempted)?;
            if let Ok(name) = entry.file_name().into_string() {
                own_entry(&entry, &name)?;
                names.push((entry.path(), name));
            }
        }
        Ok(names)
    }
}

/// Bytes that this user may still write to the file system of a directory.
pub fn free_bytes_at(directory: &Path) -> Result<u64> {
    let facts = statvfs(directory)
        .attempt(|| format!("ask for the free space of {}", directory.display()))?;
    #[allow(
        clippy::useless_conversion,
        reason = "the types differ between platforms"
    )]
    let (blocks, size) = (
        u64::from(facts.blocks_available()),
        u64::from(facts.fragment_size()),
    );
    Ok(blocks.saturating_mul(size))
}

/// Several heads as one label: `a+b`, sorted; none for no revision.
pub fn revision_label(revisions: &[String]) -> Option<String> {
    let mut sorted: Vec<&str> = revisions.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    (!sorted.is_empty()).then(|| sorted.join("+"))
}

/// What a file name says.
struct ParsedName {
    created: DateTime<Utc>,
    before_rollback: bool,
    sequence: u32,
}

impl ParsedName {
    fn of(name: &str, suffix: &str) -> Option<Self> {
        let stem = name.strip_suffix(suffix)?;
        let created = NaiveDateTime::parse_from_str(stem.get(..STAMP_LENGTH)?, STAMP).ok()?;
        let rest = stem.get(STAMP_LENGTH..)?.strip_prefix('_')?;
        let (base, sequence) = match rest.rsplit_once('-') {
            Some((base, digits)) => match digits.parse() {
                Ok(number) => (base, number),
                Err(_) => (rest, 1),
            },
            None => (rest, 1),
        };
        let before_rollback = base
            .strip_suffix(BEFORE_ROLLBACK)
            .is_some_and(|rest| rest.ends_with('_'));
        Some(Self {
            created: created.and_utc(),
            before_rollback,
            sequence,
        })
    }
}

/// A text as part of a file name: letters and digits of ASCII, `.`, `+`, `-` and `_` stay, the
/// rest becomes `-`; what is too long is cut and ended by a hash, so that two stay two.
fn safe(text: &str, longest: usize) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_');
    let mut safe: String = text
        .chars()
        .map(|c| if keep(c) { c } else { '-' })
        .collect();
    if safe.len() > longest {
        safe.truncate(longest - 9);
        let _ = write!(safe, "-{:08x}", xxh3_64(text.as_bytes()) >> 32);
    }
    safe
}

/// An archive or a journal that is a symbolic link must be ours or root's: whose link it is decides what is
/// restored. Others may have planted it before the directory was private.
fn own_entry(entry: &std::fs::DirEntry, name: &str) -> Result<()> {
    let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
    let is_used = [ARCHIVE_SUFFIX, JOURNAL_SUFFIX]
        .iter()
        .any(|suffix| name.ends_with(suffix));
    if !is_link || !is_used {
        return Ok(());
    }
    match entry.path().symlink_metadata() {
        Ok(link) => own_link(&entry.path(), &link),
        // A link that vanished since is not in the store.
        Err(_) => Ok(()),
    }
}

fn attempted(directory: &Path) -> String {
    format!("use the store {}", directory.display())
}

/// A symbolic link may be ours or root's.
fn own_link(path: &Path, link: &std::fs::Metadata) -> Result<()> {
    let trusted = [Uid::effective().as_raw(), 0].contains(&link.uid());
    if !link.is_symlink() || trusted {
        return Ok(());
    }
    Err(Error::refused(attempted(path))
        .because("it is a symbolic link of another user")
        .hint("look where it leads and who made it; then take it away, or name a directory itself with --store"))
}

/// Only we may write: what others plant here would be restored.
fn private(directory: &Path, metadata: &std::fs::Metadata) -> Result<()> {
    let who = if metadata.mode() & OTHERS_WRITE != 0 {
        "everybody"
    } else if metadata.mode() & GROUP_WRITE != 0 && !own_group(metadata) {
        "its group"
    } else {
        return Ok(());
    };
    Err(Error::refused(attempted(directory))
        .because(format!("{who} may write there, and what is planted in a store is restored later"))
        .hint(format!(
            "run `chmod go-w {0}`, or name a directory inside it (`--store {0}/pgbelay`), which is made private",
            directory.display()
        )))
}

/// Whether the group is this user's alone, by the usual convention of equal numbers; such users
/// have a umask of 002.
fn own_group(metadata: &std::fs::Metadata) -> bool {
    let group = metadata.gid();
    group == Gid::effective().as_raw() && group == Uid::effective().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn at(second: u32) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + i64::from(second), 0).unwrap()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("backups")).unwrap();
        (directory, store)
    }

    fn touch(store: &Store, name: &str) {
        let pending = PendingFile::create(store.directory(), name).unwrap();
        pending.publish().unwrap();
    }

    fn names(store: &Store) -> Vec<String> {
        store
            .archives()
            .unwrap()
            .into_iter()
            .map(|file| file.name)
            .collect()
    }

    #[test]
    fn names_say_what_they_hold() {
        let (_directory, store) = store();
        let name =
            |database, revision, suffix| store.archive_name(at(0), database, revision, suffix);
        assert_eq!(
            name("shop", Some("3c4e4feca860"), None),
            "20231114_221320_shop_3c4e4feca860.sql.gz"
        );
        assert_eq!(
            name("shop", None, None),
            "20231114_221320_shop_norev.sql.gz"
        );
        assert_eq!(
            name("shop", None, Some(BEFORE_ROLLBACK)),
            "20231114_221320_shop_norev_before-rollback.sql.gz"
        );
    }

    #[test]
    fn hostile_names_stay_inside_the_store() {
        let (_directory, store) = store();
        for database in [
            "../../etc/passwd",
            "a b\n\"'$(x)",
            "é✓",
            &"x".repeat(300),
            "..",
            "",
        ] {
            let name = store.archive_name(at(0), database, Some(&"r/".repeat(200)), None);
            assert!(
                name.len() < 200 && !name.contains('/') && name.is_ascii(),
                "{name}"
            );
            assert!(name.chars().all(|c| c.is_ascii_graphic()), "{name}");
            touch(&store, &name);
            assert!(names(&store).contains(&name));
        }
    }

    #[test]
    fn long_revisions_that_differ_give_names_that_differ() {
        let (_directory, store) = store();
        let many = |last: &str| {
            let revisions: Vec<String> = (0..9)
                .map(|i| format!("{i:012}"))
                .chain([last.into()])
                .collect();
            store.archive_name(at(0), "shop", revision_label(&revisions).as_deref(), None)
        };
        assert_ne!(many("a"), many("b"));
        assert_eq!(revision_label(&[]), None);
        assert_eq!(
            revision_label(&["b".into(), "a".into()]).as_deref(),
            Some("a+b")
        );
    }

    #[test]
    fn collisions_get_a_number_and_sort_after() {
        let (_directory, store) = store();
        for _ in 0..11 {
            let name = store.archive_name(at(0), "shop", None, None);
            touch(&store, &name);
        }
        touch(&store, &store.archive_name(at(1), "a", None, None));
        let names = names(&store);
        assert_eq!(names.len(), 12);
        assert_eq!(names[0], "20231114_221320_shop_norev.sql.gz");
        assert_eq!(names[1], "20231114_221320_shop_norev-2.sql.gz");
        assert_eq!(names[10], "20231114_221320_shop_norev-11.sql.gz");
        assert_eq!(names[11], "20231114_221321_a_norev.sql.gz");
    }

    #[test]
    fn what_is_not_an_archive_is_not_listed() {
        let (_directory, store) = store();
        touch(&store, "notes.sql.gz");
        touch(&store, "20231114_221320_shop_x.journal");
        let pending =
            PendingFile::create(store.directory(), "20231114_221320_shop_x.sql.gz").unwrap();
        assert!(names(&store).is_empty());
        assert_eq!(store.journals().unwrap().len(), 1);
        assert_eq!(
            store.archive_name(at(0), "shop", Some("x"), None),
            "20231114_221320_shop_x-2.sql.gz",
            "one that is being written holds its name"
        );
        assert_eq!(store.remove_partial_files().unwrap(), 0);
        drop(pending);
    }

    #[test]
    fn latest_ignores_what_is_incomplete_but_not_damage() {
        let (_directory, store) = store();
        let latest = || store.latest_where(|_| true);
        assert!(latest().unwrap().is_none());
        let make = |second, suffix, purpose: &str| {
            let name = store.archive_name(at(second), "shop", None, suffix);
            crate::archive::tests::write_empty(store.directory(), &name, purpose);
            name
        };
        let first = make(0, None, "backup");
        let second = make(1, None, "backup");
        make(2, Some(BEFORE_ROLLBACK), BEFORE_ROLLBACK);
        make(3, None, BEFORE_ROLLBACK);
        touch(&store, &store.archive_name(at(4), "shop", None, None));
        assert_eq!(store.archives().unwrap().len(), 5);
        assert_eq!(latest().unwrap().unwrap().0.name, second);
        let older = store
            .latest_where(|manifest| manifest.tool == "other")
            .unwrap();
        assert!(older.is_none());

        let newest = store.directory().join(&second);
        let mut bytes = std::fs::read(&newest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        durable::write_whole(&newest, &bytes).unwrap();
        let error = latest().unwrap_err();
        assert!(
            error.to_string().contains("damaged"),
            "older than {second} is {first}: {error}"
        );
    }

    #[test]
    fn a_command_that_reads_makes_no_store() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backups");
        assert!(Store::existing(&path).unwrap().is_none());
        assert!(!path.exists());
        Store::open(&path).unwrap();
        assert!(Store::existing(&path).unwrap().is_some());
    }

    #[test]
    fn a_store_that_others_may_write_to_is_refused() {
        let (directory, store) = store();
        store.check_writable().unwrap();
        assert!(store.free_bytes().unwrap() > 0);
        let path = store.directory();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = Store::open(path).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(
            error.to_string().contains("everybody may write there"),
            "{error}"
        );
        let file = directory.path().join("file");
        touch(
            &Store {
                directory: directory.path().into(),
            },
            "file",
        );
        assert_eq!(Store::open(&file).unwrap_err().kind(), Kind::Refused);
    }
}
