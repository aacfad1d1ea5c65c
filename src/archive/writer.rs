//! Writes an archive: members in the order in which they are finished, then manifest and footer.
//!
//! The file exists under its own name only after [`Writer::finish`]; a writer that is dropped
//! leaves nothing. What is written is validated with the reader's rules first.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3Default;

use super::compress::{Compressed, compress};
use super::footer::Footer;
use super::manifest::{Manifest, MemberKind, MemberRecord};
use super::{FORMAT_VERSION, manifest_text, validate};
use crate::durable::PendingFile;
use crate::error::{Attempt, Error, Result};

/// An archive being written.
#[derive(Debug)]
pub struct Writer {
    file: PendingFile,
    members: Vec<MemberRecord>,
    /// For error messages.
    path: PathBuf,
}

impl Writer {
    /// Starts an archive that will be called `file_name` in `directory`; refused if that exists.
    pub fn create(directory: &Path, file_name: &str) -> Result<Self> {
        Ok(Self {
            file: PendingFile::create(directory, file_name)?,
            members: Vec::new(),
            path: directory.join(file_name),
        })
    }

    /// Appends a member and returns its index. The first must be [`MemberKind::Preamble`];
    /// `table` is an index into the manifest's tables and given for data members only.
    pub fn append(
        &mut self,
        kind: MemberKind,
        table: Option<u32>,
        rows: u64,
        member: Compressed,
    ) -> Result<u32> {
        let index = u32::try_from(self.members.len()).attempt(|| self.attempted())?;
        let record = MemberRecord {
            kind,
            offset: self.file.len(),
            length: member.bytes.len() as u64,
            text_length: member.text_length,
            hash: member.hash,
            table,
            rows,
        };
        self.file.write(&member.bytes)?;
        self.members.push(record);
        Ok(index)
    }

    /// Bytes in the file so far.
    pub fn bytes_written(&self) -> u64 {
        self.file.len()
    }

    /// Completes the archive: fills in format and members, writes manifest and footer, syncs and
    /// publishes the file.
    pub fn finish(mut self, mut manifest: Manifest) -> Result<PathBuf> {
        manifest.format = FORMAT_VERSION;
        manifest.members = std::mem::take(&mut self.members);
        let manifest_offset = self.file.len();
        validate::validate(&manifest, manifest_offset).map_err(|why| {
            Error::operation(self.attempted()).because(format!("its manifest is wrong: {why}"))
        })?;
        let mut hasher = Xxh3Default::new();
        let mut manifest_text_length = 0;
        manifest_text::encode(&manifest, &mut |text| {
            let member = compress(text)?;
            manifest_text_length += member.text_length;
            hasher.update(&member.bytes);
            self.file.write(&member.bytes)
        })?;
        drop(manifest);
        if manifest_text_length > manifest_text::MAX_TEXT {
            return Err(Error::refused(self.attempted()).because(format!(
                "its manifest would have {manifest_text_length} bytes"
            )));
        }
        let footer = Footer {
            version: FORMAT_VERSION,
            manifest_offset,
            manifest_length: self.file.len() - manifest_offset,
            manifest_text_length,
            manifest_hash: hasher.digest128(),
        };
        self.file.write(&footer.encode())?;
        self.file.publish()
    }

    fn attempted(&self) -> String {
        format!("write the archive {}", self.path.display())
    }
}
