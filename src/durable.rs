//! Crash-safe file writes: the only module that creates, renames or removes files.
//!
//! Invariants: a file appears under its final name complete and synced, or not at all; nothing is
//! ever overwritten except by [`write_whole`], which replaces atomically, and a [`Slate`]; files are made with mode
//! 0600 and directories with 0700, because backups hold everything the database holds. After a
//! crash a temporary file (`.NAME.partial`) may be left; [`remove_abandoned`] tells it from one
//! that is still being written by the lock its writer holds.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{Attempt, Error, Result};
use crate::faults::{self, Point};

/// Mode of every file: backups hold everything the database holds.
const FILE_MODE: u32 = 0o600;
/// Mode of every directory.
const DIRECTORY_MODE: u32 = 0o700;
/// Ends the name of a file that is not complete.
const PARTIAL_SUFFIX: &str = ".partial";
/// Attempts to find a free temporary name; each taken one is a leftover of a crash.
const TEMPORARY_NAMES: u32 = 100;

/// Makes a directory and its missing parents (mode 0700); one that exists is left as it is.
pub fn ensure_directory(path: &Path) -> Result<()> {
    let made: Vec<&Path> = path
        .ancestors()
        .take_while(|path| is_missing(path))
        .collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(DIRECTORY_MODE);
    faults::io(Point::DirectoryMake)
        .and_then(|()| builder.create(path))
        .attempt(|| format!("make the directory {}", path.display()))?;
    made.into_iter()
        .try_for_each(|path| sync_directory(parent_of(path)))
}

fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.exists()
}

/// Removes a file and syncs its directory; one that does not exist is fine.
pub fn remove(path: &Path) -> Result<()> {
    match unlink(path) {
        Ok(()) => sync_directory(parent_of(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).attempt(|| format!("remove {}", path.display())),
    }
}

/// Replaces a file's content atomically: a reader sees the old or the new, never a mixture.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().ok_or_else(|| {
        Error::usage(format!("write {}", path.display())).because("it names no file")
    })?;
    let mut pending = PendingFile::create_named(parent_of(path), name.to_owned())?;
    pending.write(content)?;
    pending.replace()
}

/// Opens a file for reading; a named pipe, which would be waited at for ever, and a device are refused.
pub fn open_regular(path: &Path) -> io::Result<File> {
    faults::io(Point::FileOpen)?;
    let file = OpenOptions::new()
        .read(true)
        // Without it, opening a pipe waits for its writer. Regular files do not know the difference.
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Whether a file name is that of a file that was never completed.
pub fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(PARTIAL_SUFFIX)
}

/// The name that a file has until it is complete (unless a crash left one of that name).
pub fn partial_name(name: &str) -> String {
    format!(".{name}{PARTIAL_SUFFIX}")
}

/// Removes an incomplete file unless somebody is still writing it; says whether it is gone.
pub fn remove_abandoned(path: &Path) -> Result<bool> {
    // What is not a file of ours is neither followed nor waited at.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let open = |()| {
        OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(path)
    };
    let file = match faults::io(Point::AbandonedOpen).and_then(open) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error).attempt(|| format!("open {}", path.display())),
    };
    let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Some(lock),
        Err((_, Errno::EWOULDBLOCK)) => return Ok(false),
        // A file system without locks: nobody can tell, and its writer would have told no one.
        Err(_) => None,
    };
    let removed = remove(path).map(|()| true);
    release(lock);
    removed
}

/// A file being written under a temporary name; it exists for others once published.
#[derive(Debug)]
pub struct PendingFile {
    directory: PathBuf,
    final_name: OsString,
    temporary: PathBuf,
    file: File,
    /// Held while it is written, so that a leftover of a crash can be told apart; none on file
    /// systems without locks.
    lock: Option<Flock<File>>,
    length: u64,
    published: bool,
}

impl PendingFile {
    /// Starts a file that will be called `final_name` in `directory`.
    ///
    /// Refused if that name is taken: nothing is overwritten.
    pub fn create(directory: &Path, final_name: &str) -> Result<Self> {
        let target = directory.join(final_name);
        if target.symlink_metadata().is_ok() {
            return Err(taken(&target));
        }
        Self::create_named(directory, final_name.into())
    }

    fn create_named(directory: &Path, final_name: OsString) -> Result<Self> {
        let (temporary, file, lock) = faults::io(Point::FileCreate)
            .and_then(|()| create_temporary(directory, &final_name))
            .attempt(|| format!("create a file in {}", directory.display()))?;
        Ok(Self {
            directory: directory.to_owned(),
            final_name,
            temporary,
            file,
            lock,
            length: 0,
            published: false,
        })
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = faults::io(Point::FileWrite).and_then(|()| self.file.write_all(bytes));
        written.map_err(|error| write_failed(&self.target(), error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Syncs the file, gives it its final name without overwriting, and syncs the directory.
    ///
    /// On failure the temporary file is removed.
    pub fn publish(mut self) -> Result<PathBuf> {
        self.sync()?;
        forget_cached(&self.file);
        let target = self.target();
        match rename_new(&self.temporary, &target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(taken(&target));
            }
            Err(error) => return Err(error).attempt(|| format!("publish {}", target.display())),
        }
        self.published = true;
        sync_directory(&self.directory)?;
        Ok(target)
    }

    /// As [`Self::publish`], over a file of that name if there is one.
    fn replace(mut self) -> Result<()> {
        self.sync()?;
        let target = self.target();
        faults::io(Point::FileReplace)
            .and_then(|()| rename(&self.temporary, &target))
            .attempt(|| format!("replace {}", target.display()))?;
        self.published = true;
        sync_directory(&self.directory)
    }

    /// Makes the content durable and compares its length with what was written: a second writer
    /// or a file system that lies shows here.
    fn sync(&mut self) -> Result<()> {
        let synced = faults::io(Point::FileSync)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| self.file.metadata());
        let metadata = synced.map_err(|error| write_failed(&self.target(), error))?;
        if metadata.len() == self.length {
            return Ok(());
        }
        Err(
            Error::operation(format!("write {}", self.target().display())).because(format!(
                "{} bytes were written but the file has {}",
                self.length,
                metadata.len()
            )),
        )
    }

    fn target(&self) -> PathBuf {
        self.directory.join(&self.final_name)
    }
}

impl Drop for PendingFile {
    /// Removes what was not published; a failure leaves a `.partial` file, which is harmless.
    fn drop(&mut self) {
        if !self.published {
            let _ = unlink(&self.temporary);
        }
        release(self.lock.take());
    }
}

/// A file that only grows, each addition durable before the call returns.
#[derive(Debug)]
pub struct AppendFile {
    path: PathBuf,
    file: File,
    length: u64,
    /// An addition failed and could not be taken back: what follows would be unreadable.
    broken: bool,
}

impl AppendFile {
    /// Makes a new, empty file; refused if the name is taken.
    pub fn create(path: &Path) -> Result<Self> {
        let file = match faults::io(Point::AppendCreate).and_then(|()| new_file(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken(path)),
            other => other.attempt(|| format!("create {}", path.display()))?,
        };
        sync_directory(parent_of(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length: 0,
            broken: false,
        })
    }

    /// Opens an existing file to go on after its first `length` bytes; what follows them (a torn
    /// addition) is cut off.
    pub fn open(path: &Path, length: u64) -> Result<Self> {
        let attempted = || format!("open {} for appending", path.display());
        let mut options = OpenOptions::new();
        options.append(true).custom_flags(nix::libc::O_NOFOLLOW);
        let file = faults::io(Point::AppendOpen)
            .and_then(|()| options.open(path))
            .attempt(attempted)?;
        let present = file.metadata().attempt(attempted)?.len();
        if present < length {
            return Err(Error::operation(attempted())
                .because(format!("it has {present} bytes, {length} were expected")));
        }
        if present > length {
            faults::io(Point::AppendCut)
                .and_then(|()| file.set_len(length))
                .and_then(|()| file.sync_all())
                .attempt(attempted)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            broken: false,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes and syncs them. A failed addition is taken back, so that the file stays readable.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.broken {
            return Err(
                Error::operation(format!("append to {}", self.path.display()))
                    .because("an earlier addition failed half-way"),
            );
        }
        let result = faults::io(Point::AppendWrite)
            .and_then(|()| self.file.write_all(bytes))
            .and_then(|()| faults::io(Point::AppendSync))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = result {
            let taken_back = faults::io(Point::AppendTakeBack);
            let taken_back = taken_back.and_then(|()| self.file.set_len(self.length));
            self.broken = taken_back.is_err();
            return Err(write_failed(&self.path, error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// A log for people: appended line by line, not synced, so that it costs nothing.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Opens a log for appending, making it if it is missing.
    pub fn create(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(FILE_MODE);
        options.custom_flags(nix::libc::O_NOFOLLOW);
        let file = faults::io(Point::LogOpen)
            .and_then(|()| options.open(path))
            .attempt(|| format!("open the log {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line; in one write, so that lines of several writers do not mix.
    pub fn line(&mut self, text: &str) -> Result<()> {
        let line = format!("{text}\n");
        let written =
            faults::io(Point::LogWrite).and_then(|()| self.file.write_all(line.as_bytes()));
        written.map_err(|error| write_failed(&self.path, error))
    }
}

/// One short text that is replaced again and again: what a process knows while it lives, for whoever finds that it was
/// killed. Nothing waits for the disk; now and then it is synced beside: only a machine that goes down may take the newest
/// text with it.
#[derive(Debug)]
pub struct Slate {
    path: PathBuf,
    file: Arc<File>,
    length: u64,
    synced: Option<Instant>,
}

/// What brings a [`Slate`]'s text to the disk, which may take a while.
#[derive(Debug)]
pub struct SlateSync {
    path: PathBuf,
    file: Arc<File>,
}

impl SlateSync {
    /// Waits for the disk.
    pub fn run(&self) -> Result<()> {
        let synced = faults::io(Point::SlateSync).and_then(|()| self.file.sync_data());
        synced.map_err(|error| write_failed(&self.path, error))
    }
}

impl Slate {
    /// Time between two syncs.
    const SYNC_EVERY: Duration = Duration::from_secs(1);

    /// Makes a new, empty one; refused if the name is taken.
    pub fn create(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let file = faults::io(Point::SlateCreate).and_then(|()| options.open(path));
        let file = file.attempt(|| format!("create {}", path.display()))?;
        sync_directory(parent_of(path))?;
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(file),
            length: 0,
            synced: None,
        })
    }

    /// Replaces the text, which is one line; whoever is killed meanwhile leaves the old one or the new one. Where a sync is due, it
    /// is returned: the caller chooses who waits for it.
    pub fn write(&mut self, text: &str) -> Result<Option<SlateSync>> {
        let line = format!("{text}\n");
        let length = line.len() as u64;
        faults::io(Point::SlateWrite)
            .and_then(|()| self.file.write_all_at(line.as_bytes(), 0))
            // What a longer one left behind follows the line, and is only in the way.
            .and_then(|()| match length < self.length {
                true => self.file.set_len(length),
                false => Ok(()),
            })
            .map_err(|error| write_failed(&self.path, error))?;
        self.length = length;
        let is_due = |last: Instant| last.elapsed() >= Self::SYNC_EVERY;
        if !self.synced.is_none_or(is_due) {
            return Ok(None);
        }
        self.synced = Some(Instant::now());
        Ok(Some(SlateSync {
            path: self.path.clone(),
            file: Arc::clone(&self.file),
        }))
    }

    /// The text that a dead process left; none if there is none.
    pub fn read(path: &Path) -> Result<Option<String>> {
        let text = match open_regular(path).and_then(io::read_to_string) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.attempt(|| format!("read {}", path.display()))?,
        };
        // What an interrupted replacement left of a longer one follows the first line.
        Ok(text.split_once('\n').map(|(line, _)| line.to_owned()))
    }
}

/// Drops a synced file's pages from memory, so that who reads it back reads the disk (P1); only a
/// wish, and Linux only.
fn forget_cached(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = nix::fcntl::posix_fadvise(
        file,
        0,
        0,
        nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED,
    );
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// Gives a lock back. nix panics when that fails in `drop`; here the closed file takes it along.
fn release(lock: Option<Flock<File>>) {
    if let Some(Err((lock, _))) = lock.map(Flock::unlock) {
        std::mem::forget(lock);
    }
}

/// The directory of a path; `.` for a bare name.
fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in a directory durable.
fn sync_directory(path: &Path) -> Result<()> {
    let synced = faults::io(Point::DirectorySync)
        .and_then(|()| File::open(path))
        .and_then(|directory| directory.sync_all());
    match synced {
        // Some network and container file systems cannot sync a directory and say so.
        Err(error) if error.raw_os_error() == Some(nix::libc::EINVAL) => Ok(()),
        other => other.attempt(|| format!("sync the directory {}", path.display())),
    }
}

/// Makes a new file that only its owner may read.
fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
}

/// Makes and locks `.NAME.partial`, or `.NAME.1.partial` … where a crash left one.
fn create_temporary(
    directory: &Path,
    name: &OsString,
) -> io::Result<(PathBuf, File, Option<Flock<File>>)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for attempt in 0..TEMPORARY_NAMES {
        let mut temporary = OsString::from(".");
        temporary.push(name);
        if attempt > 0 {
            temporary.push(format!(".{attempt}"));
        }
        temporary.push(PARTIAL_SUFFIX);
        let path = directory.join(temporary);
        match new_file(&path) {
            Ok(file) => {
                let lock = Flock::lock(file.try_clone()?, FlockArg::LockExclusiveNonblock).ok();
                // Somebody may have taken it for a leftover before it was locked.
                if file.metadata()?.nlink() > 0 {
                    return Ok((path, file, lock));
                }
                release(lock);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Renames without overwriting. A hard link fails atomically when the name is taken; file systems
/// without hard links get a check and a rename.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match faults::io(Point::FilePublish).and_then(|()| std::fs::hard_link(from, to)) {
        Ok(()) => unlink(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if to.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => rename(from, to),
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
fn unlink(path: &Path) -> io::Result<()> {
    faults::io(Point::FileUnlink)?;
    std::fs::remove_file(path)
}

fn taken(path: &Path) -> Error {
    Error::refused(format!("create {}", path.display()))
        .because("a file of that name exists, and nothing is overwritten")
}

/// A failed write, with what to do when it was the disk that is full.
fn write_failed(path: &Path, error: io::Error) -> Error {
    let full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let failed = Error::operation(format!("write {}", path.display())).caused_by(error);
    if full {
        return failed.hint("free some space, or use --store to name a directory that has more");
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use std::os::unix::fs::PermissionsExt;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_appears_only_when_published() {
        let directory = tempfile::tempdir().unwrap();
        let mut pending = PendingFile::create(directory.path(), "a").unwrap();
        pending.write(b"hello").unwrap();
        assert_eq!(names(directory.path()), [".a.partial"]);
        let path = pending.publish().unwrap();
        assert_eq!(names(directory.path()), ["a"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_pipe_is_not_waited_at() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("x.journal");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&pipe, directory.path()] {
            let error = open_regular(path).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file");
        }
        write_whole(&directory.path().join("f"), b"1").unwrap();
        assert!(open_regular(&directory.path().join("f")).is_ok());
    }

    #[test]
    fn an_abandoned_file_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        drop(PendingFile::create(directory.path(), "a").unwrap());
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn nothing_is_overwritten_even_when_the_name_is_taken_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let first = PendingFile::create(directory.path(), "a").unwrap();
        let second = PendingFile::create(directory.path(), "a").unwrap();
        first.publish().unwrap();
        assert_eq!(second.publish().unwrap_err().kind(), Kind::Refused);
        let third = PendingFile::create(directory.path(), "a").unwrap_err();
        assert_eq!(third.kind(), Kind::Refused);
        assert_eq!(names(directory.path()), ["a"]);
    }

    #[test]
    fn a_partial_file_in_use_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let pending = PendingFile::create(directory.path(), "a").unwrap();
        let partial = directory.path().join(".a.partial");
        assert!(is_partial(".a.partial") && !is_partial("a"));
        assert!(!remove_abandoned(&partial).unwrap());
        std::mem::forget(pending.publish().unwrap());
        std::fs::copy(directory.path().join("a"), &partial).unwrap();
        assert!(remove_abandoned(&partial).unwrap());
        assert_eq!(names(directory.path()), ["a"]);
    }

    #[test]
    fn a_slate_holds_the_newest_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("slate");
        assert_eq!(Slate::read(&path).unwrap(), None);
        let mut slate = Slate::create(&path).unwrap();
        assert_eq!(Slate::read(&path).unwrap(), None);
        assert_eq!(mode(&path), FILE_MODE);
        for text in ["a longer one", "short"] {
            if let Some(sync) = slate.write(text).unwrap() {
                sync.run().unwrap();
            }
            assert_eq!(Slate::read(&path).unwrap().as_deref(), Some(text));
        }
        Slate::create(&path).unwrap_err();
        // Killed between the new text and the new end.
        write_whole(&path, b"short\nr one\n").unwrap();
        assert_eq!(Slate::read(&path).unwrap().as_deref(), Some("short"));
        // Or a text that was never whole.
        write_whole(&path, b"{\"mom").unwrap();
        assert_eq!(Slate::read(&path).unwrap(), None);
    }

    #[test]
    fn appending_goes_on_after_the_last_whole_record() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut file = AppendFile::create(&path).unwrap();
        file.append(b"one\n").unwrap();
        file.append(b"tw").unwrap();
        let mut file = AppendFile::open(&path, 4).unwrap();
        file.append(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        assert_eq!(AppendFile::create(&path).unwrap_err().kind(), Kind::Refused);
        assert!(AppendFile::open(&path, 9).is_err());
    }

    #[test]
    fn a_log_is_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        LogFile::create(&path).unwrap().line("a").unwrap();
        LogFile::create(&path).unwrap().line("b").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"a\nb\n");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn replacing_and_removing() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("x/y");
        ensure_directory(&nested).unwrap();
        ensure_directory(&nested).unwrap();
        assert_eq!(mode(&nested), 0o700);
        let path = nested.join("f");
        write_whole(&path, b"1").unwrap();
        write_whole(&path, b"2").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(names(&nested).is_empty());
    }

    #[test]
    fn a_full_disk_is_named_with_what_to_do() {
        // A character device that is always full; absent on macOS.
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
            return;
        };
        let mut log = LogFile {
            path: "log".into(),
            file: full,
        };
        let error = log.line("x").unwrap_err();
        assert_eq!(error.hints().len(), 1);
    }
}
