//! Reads an archive by ranges: footer and manifest when it is opened, members on demand.
//!
//! Nothing is believed before its hash is checked, and no length from the file is used before it
//! is bounded by what the file can hold. Safe to share between threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::compress::{decompress, hash_hex};
use super::damage::{damaged, followed, foreign, incomplete, member_place, newer};
use super::footer::{self, Footer, NotAFooter};
use super::manifest::{Manifest, MemberRecord};
use super::manifest_text::{self, Unreadable};
use super::source::{FileSource, Source};
use super::{COPY_END, FORMAT_VERSION, validate};
use crate::error::{Attempt, Error, Kind, Result};

/// The longest compressed manifest accepted; see [`manifest_text::MAX_TEXT`].
const MAX_MANIFEST: u64 = 256 << 20;
/// Bytes looked at to say what a file without footer is.
const HEAD: u64 = 64 << 10;

/// A complete archive whose manifest is whole; cheap to clone, for tasks of their own.
#[derive(Clone)]
pub struct Reader {
    source: Arc<dyn Source>,
    path: PathBuf,
    length: u64,
    fingerprint: String,
    manifest: Arc<Manifest>,
    /// The member that [`Self::entry_text`] used last: entries of one member are read in a row.
    last: Arc<Mutex<Option<LastText>>>,
}

/// A member and its text.
type LastText = (u32, Arc<Vec<u8>>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a local archive and reads its footer and manifest.
    ///
    /// [`Kind::Difference`] if it is damaged, incomplete or no archive; [`Kind::Refused`] if a
    /// later version wrote it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_source(Box::new(open_file(path)?), path)
    }

    /// As [`Self::open`]; `None` if the file has no footer, so is incomplete or no archive.
    pub fn open_complete(path: &Path) -> Result<Option<Self>> {
        let source = open_file(path)?;
        let length = source
            .length()
            .attempt(|| format!("read the archive {}", path.display()))?;
        match read_footer(&source, path, length)? {
            Some(_) => Self::from_source(Box::new(source), path).map(Some),
            None => Ok(None),
        }
    }

    /// As [`Self::open`] for an archive that lives elsewhere; `path` names it in messages.
    pub fn from_source(source: Box<dyn Source>, path: &Path) -> Result<Self> {
        let attempted = || format!("read the archive {}", path.display());
        let length = source.length().attempt(attempted)?;
        let footer = read_footer(&*source, path, length)?
            .ok_or_else(|| without_footer(&*source, path, length))?;
        let compressed = read_range(
            &*source,
            path,
            footer.manifest_offset,
            footer.manifest_length,
        )?;
        let place = format!("manifest at byte {}", footer.manifest_offset);
        if hash_hex(&compressed) != format!("{:032x}", footer.manifest_hash) {
            return Err(damaged(
                path,
                &place,
                "its hash is not what the footer says",
            ));
        }
        let manifest =
            manifest_text::decode(&compressed, footer.manifest_text_length).map_err(|error| {
                match error {
                    Unreadable::Damaged(why) => damaged(path, &place, &why),
                    Unreadable::NotUnderstood(why) => newer(
                        path,
                        &format!("its manifest is whole but not understood: {why}"),
                    ),
                }
            })?;
        validate::validate(&manifest, footer.manifest_offset)
            .map_err(|why| damaged(path, &place, &why))?;
        Ok(Self {
            source: source.into(),
            path: path.to_owned(),
            length,
            fingerprint: format!("{:032x}", footer.manifest_hash),
            manifest: Arc::new(manifest),
            last: Arc::default(),
        })
    }

    /// The table of contents.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Refuses an archive of some objects only, which no database can be compared with.
    ///
    /// # Errors
    /// [`crate::error::Kind::Refused`].
    pub fn require_whole(&self, attempted: &str) -> Result<()> {
        if !self.manifest.partial {
            return Ok(());
        }
        Err(
            Error::refused(format!("{attempted} {}", self.path.display()))
                .because("it holds only what a repair was about to change, not the whole database")
                .now("nothing was changed")
                .hint(format!(
                    "`pgbelay restore {} --into NAME --create` puts what it holds beside the database",
                    self.path.display()
                ))
                .hint("`pgbelay list` shows the backups"),
        )
    }

    /// Where the archive is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the whole file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What tells this archive from every other one, whatever its name: XXH3-128 of its manifest,
    /// which holds the hash of every member. 32 hex digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The decompressed text of a member; hash, gzip checksum and length are verified.
    pub fn member_text(&self, index: u32) -> Result<Vec<u8>> {
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        let member = self.manifest.members.get(position).ok_or_else(|| {
            Error::operation(format!("read the archive {}", self.path.display()))
                .because(format!("it has no member {index}"))
        })?;
        self.checked_text(member)
            .map_err(|failure| self.member_failed(position, failure))
    }

    /// The DDL text of an entry; empty for entries whose content is data.
    pub fn entry_text(&self, index: usize) -> Result<String> {
        let entry = self.manifest.entries.get(index).ok_or_else(|| {
            Error::operation(format!("read the archive {}", self.path.display()))
                .because(format!("it has no entry {index}"))
        })?;
        let Some(place) = entry.place else {
            return Ok(String::new());
        };
        let member = self.shared_text(place.member)?;
        let text = usize::try_from(place.offset)
            .ok()
            .zip(usize::try_from(place.length).ok())
            .and_then(|(offset, length)| member.get(offset..offset.checked_add(length)?))
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.map(str::to_owned).ok_or_else(|| {
            let position = usize::try_from(place.member).unwrap_or(usize::MAX);
            let why = format!("the text of {} is not UTF-8", entry.identity);
            damaged(&self.path, &member_place(&self.manifest, position), &why)
        })
    }

    /// A member's text, kept for the next entry of the same member.
    fn shared_text(&self, index: u32) -> Result<Arc<Vec<u8>>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((member, text)) = &*last
            && *member == index
        {
            return Ok(Arc::clone(text));
        }
        let text = Arc::new(self.member_text(index)?);
        *last = Some((index, Arc::clone(&text)));
        Ok(text)
    }

    /// Reads the whole file and compares each member's hash: what was once proven whole still is what it was.
    /// Nothing is decompressed; [`Reader::check`] does that.
    ///
    /// # Errors
    /// For the first damaged member.
    pub fn require_undamaged(&self) -> Result<()> {
        for (index, member) in self.manifest.members.iter().enumerate() {
            self.checked_bytes(member)
                .map_err(|failure| self.member_failed(index, failure))?;
        }
        Ok(())
    }

    /// Reads and verifies one member.
    pub(super) fn checked_text(&self, member: &MemberRecord) -> Result<Vec<u8>, Failure> {
        let bytes = self.checked_bytes(member)?;
        decompress(&bytes, member.text_length).map_err(Failure::Damage)
    }

    fn checked_bytes(&self, member: &MemberRecord) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![
            0;
            usize::try_from(member.length)
                .map_err(|error| Failure::Damage(error.to_string()))?
        ];
        self.source
            .read_at(member.offset, &mut bytes)
            .map_err(Failure::Io)?;
        if hash_hex(&bytes) != member.hash {
            return Err(Failure::Damage(
                "its hash is not what the manifest says".into(),
            ));
        }
        Ok(bytes)
    }

    /// Turns a member's failure into an error that says where.
    pub(super) fn member_failed(&self, index: usize, failure: Failure) -> Error {
        let place = member_place(&self.manifest, index);
        match failure {
            Failure::Damage(why) => damaged(&self.path, &place, &why),
            Failure::Io(error) => {
                Error::operation(format!("read the archive {}, {place}", self.path.display()))
                    .caused_by(error)
            }
        }
    }
}

/// Why a member cannot be used.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is not what was written.
    Damage(String),
    /// It could not be read.
    Io(std::io::Error),
}

/// The rows within a data member's text: what stands between its COPY line and the final `\.`.
/// None if the text is not such a statement.
pub fn copy_rows<'a>(text: &'a [u8], copy_line: &str) -> Option<&'a [u8]> {
    let rows = text
        .strip_prefix(copy_line.as_bytes())?
        .strip_prefix(b"\n")?
        .strip_suffix(COPY_END)?;
    (rows.is_empty() || rows.ends_with(b"\n")).then_some(rows)
}

fn open_file(path: &Path) -> Result<FileSource> {
    FileSource::open(path)
        .attempt(|| format!("open the archive {}", path.display()))
        .map_err(|error| error.narrowed(Kind::Refused))
}

/// Reads the footer and bounds what it says by the file's length; none if there is none.
fn read_footer(source: &dyn Source, path: &Path, length: u64) -> Result<Option<Footer>> {
    let Some(offset) = length.checked_sub(footer::LENGTH as u64) else {
        return Ok(None);
    };
    let mut bytes = [0; footer::LENGTH];
    source
        .read_at(offset, &mut bytes)
        .attempt(|| format!("read the archive {}", path.display()))?;
    let footer = match Footer::decode(&bytes) {
        Ok(footer) => footer,
        Err(NotAFooter::Absent) => return Ok(None),
        Err(NotAFooter::Damaged) => {
            return Err(damaged(
                path,
                &format!("footer at byte {offset}"),
                "its bytes were changed",
            ));
        }
    };
    if footer.version != FORMAT_VERSION {
        return Err(newer(
            path,
            &format!(
                "it has format version {}, this pgbelay reads up to {FORMAT_VERSION}",
                footer.version
            ),
        ));
    }
    let end = footer.manifest_offset.checked_add(footer.manifest_length);
    if end != Some(offset) || footer.manifest_length > MAX_MANIFEST {
        return Err(damaged(
            path,
            &format!("footer at byte {offset}"),
            "the manifest it describes does not end where the footer begins: bytes are missing or were added",
        ));
    }
    Ok(Some(footer))
}

/// Reads a range that lies within the file.
fn read_range(source: &dyn Source, path: &Path, offset: u64, length: u64) -> Result<Vec<u8>> {
    let attempted = || format!("read the archive {}", path.display());
    let mut bytes = vec![0; usize::try_from(length).attempt(attempted)?];
    source.read_at(offset, &mut bytes).attempt(attempted)?;
    Ok(bytes)
}

/// Where the last footer ends that is not at the end of the file; none if there is none near it. It is looked for backwards in
/// pieces that overlap, and is one only if its manifest ends where it begins.
fn last_footer(source: &dyn Source, path: &Path, length: u64) -> Result<Option<u64>> {
    const PIECE: u64 = 1 << 20;
    // Of a large file that was cut off not all has to be read to say so.
    const FAR: u64 = 64 << 20;
    let mut end = length;
    while end >= footer::LENGTH as u64 && length - end < FAR {
        let start = end.saturating_sub(PIECE);
        let piece = read_range(source, path, start, end - start)?;
        let found = piece.windows(footer::LENGTH).enumerate().rev();
        let found = found.filter(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b]));
        let found = found
            .filter_map(|(at, bytes)| {
                Some((at as u64, Footer::decode(bytes.try_into().ok()?).ok()?))
            })
            .find(|(at, footer)| {
                footer.manifest_offset.checked_add(footer.manifest_length) == Some(start + at)
            });
        if let Some((at, _)) = found {
            return Ok(Some(start + at + footer::LENGTH as u64));
        }
        if start == 0 {
            return Ok(None);
        }
        end = start + footer::LENGTH as u64 - 1;
    }
    Ok(None)
}

/// Says what a file without a footer is, by its first bytes.
fn without_footer(source: &dyn Source, path: &Path, length: u64) -> Error {
    if length == 0 {
        return foreign(path, "the file is empty");
    }
    let head = match read_range(source, path, 0, length.min(HEAD)) {
        Ok(head) => head,
        Err(error) => return error,
    };
    match super::foreign::recognise(&head) {
        super::foreign::Looks::Ours => match last_footer(source, path, length) {
            Ok(Some(end)) => followed(path, end, length),
            Ok(None) => incomplete(path, length),
            Err(error) => error,
        },
        super::foreign::Looks::Foreign(what, hint) => foreign(path, what).hint(hint),
    }
}
