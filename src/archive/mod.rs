//! The archive file format, version 1 (design.md §4, docs/format.md). Knows nothing of PostgreSQL.
//!
//! [`Writer`] appends members that [`compress`] made and publishes the file complete or not at
//! all; [`Reader`] reads any part of it, each byte checked before it is used.

mod check;
mod compress;
mod damage;
mod deflate;
mod digest;
mod footer;
mod foreign;
mod manifest;
mod manifest_text;
mod reader;
mod source;
mod validate;
mod writer;

pub use check::CheckReport;
pub use compress::{Compressed, MAX_MEMBER_TEXT, compress};
pub use digest::{BytesDigest, TableDigest};
pub use manifest::{
    ClusterFact, CountersRecord, DatabaseFacts, EntryRecord, ExtensionRecord, LargeObjectRecord,
    Manifest, MemberKind, MemberRecord, NeedRecord, Section, SequenceRecord, TableRecord,
    TextPlace, VersionTableRecord, WrittenRecord,
};
pub use reader::{Reader, copy_rows};
pub use source::{FileSource, Source};
pub use writer::Writer;

/// The version of the format that this library writes.
pub const FORMAT_VERSION: u32 = 1;

/// The first line of every archive's text, newline included.
pub const FIRST_LINE: &str = "\\set ON_ERROR_STOP on\n";

/// Ends each data member.
pub const COPY_END: &[u8] = b"\\.\n";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::Path;

    /// A manifest with an entry and a role for each name, and nothing else.
    pub(crate) fn manifest_of(names: &[String]) -> Manifest {
        let entry = |name: &String| EntryRecord {
            identity: name.clone(),
            kind: "TABLE".into(),
            schema: None,
            name: name.clone(),
            section: Section::PreData,
            owner: Some(name.clone()),
            depends: Vec::new(),
            drop: Some(name.clone()),
            place: None,
        };
        Manifest {
            format: 1,
            tool: "test".into(),
            purpose: "backup".into(),
            created: chrono::DateTime::UNIX_EPOCH,
            database: DatabaseFacts::default(),
            snapshot: String::new(),
            server_time: None,
            settings: [("a".to_owned(), names.concat())].into(),
            entries: names.iter().map(entry).collect(),
            members: Vec::new(),
            tables: Vec::new(),
            sequences: Vec::new(),
            large_objects: Vec::new(),
            version_tables: Vec::new(),
            roles: names.to_vec(),
            extensions: Vec::new(),
            accepted_losses: Vec::new(),
            needs: Vec::new(),
            partial: false,
            counters: None,
            cluster: None,
        }
    }

    /// Writes an archive of nothing.
    pub(crate) fn write_empty(directory: &Path, name: &str, purpose: &str) {
        let mut writer = Writer::create(directory, name).unwrap();
        let preamble = compress(FIRST_LINE.as_bytes()).unwrap();
        writer
            .append(MemberKind::Preamble, None, 0, preamble)
            .unwrap();
        let mut manifest = manifest_of(&[]);
        purpose.clone_into(&mut manifest.purpose);
        writer.finish(manifest).unwrap();
    }

    #[test]
    fn what_is_not_finished_leaves_nothing_and_what_is_wrong_is_not_published() {
        let directory = tempfile::tempdir().unwrap();
        let begin = || Writer::create(directory.path(), "a.sql.gz").unwrap();
        let mut writer = begin();
        writer
            .append(MemberKind::Data, Some(0), 1, compress(b"x").unwrap())
            .unwrap();
        assert!(writer.bytes_written() > 0);
        let error = writer.finish(manifest_of(&[])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("its manifest is wrong: member 0"),
            "{error}"
        );
        drop(begin());
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }
}
