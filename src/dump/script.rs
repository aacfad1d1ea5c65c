//! Everything of an archive's script that is not rows: preamble, DDL, sequence values.
//!
//! The members, decompressed in file order, are one plain SQL script for psql (design.md §4, P9).
//! DDL of many entries shares a member; the manifest says where each entry's text stands.

use crate::archive::{self, Manifest, MemberKind, Section, TextPlace, Writer};
use crate::catalog::{Entry, Sequence};
use crate::error::{Error, Result};

/// A member of DDL is closed once it holds this much text.
const ENTRIES_BYTES: usize = 1 << 20;

/// Session settings of a restoring session (spec §3.8) that every supported major knows and every
/// role may set. What fixes the meaning of values (`IntervalStyle`, `lc_monetary` …) matches what was
/// pinned while reading.
const SETTINGS: &str = "\
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET idle_session_timeout = 0;
SET default_transaction_read_only = off;
SET default_transaction_isolation = 'read committed';
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET array_nulls = on;
SET transform_null_equals = off;
SET \"DateStyle\" = 'ISO';
SET \"IntervalStyle\" = 'postgres';
SET \"TimeZone\" = 'UTC';
SET lc_monetary = 'C';
SET default_tablespace = '';
SET default_table_access_method = 'heap';
";

/// Settings that not every server knows or not every role may set: set where it is possible. The
/// server that the script is restored on may be newer than the one it came from. A superuser is
/// one, even where the database gives every session another role.
const SETTINGS_WHERE_POSSIBLE: &str = "\
SELECT pg_catalog.set_config('role', 'none', false)
  FROM pg_catalog.pg_roles
 WHERE rolname = session_user AND rolsuper AND current_user <> session_user;
SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
  FROM (VALUES ('transaction_timeout', '0'), ('restrict_nonsystem_relation_kind', ''),
               ('session_replication_role', 'origin')) AS wanted (name, value)
  JOIN pg_catalog.pg_settings AS known ON known.name = wanted.name AND known.setting <> wanted.value
 WHERE known.context = 'user'
    OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);
";

/// One member to be: its text, and which entries stand where in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Draft {
    kind: MemberKind,
    text: String,
    /// Index of the entry, first byte, bytes.
    entries: Vec<(usize, usize, usize)>,
}

impl Draft {
    fn new(kind: MemberKind, text: String) -> Self {
        Self {
            kind,
            text,
            entries: Vec::new(),
        }
    }
}

/// First line and session settings. psql stops at the first error: a half restored database must
/// not look like a whole one.
pub(super) fn preamble() -> String {
    [
        "\\set ON_ERROR_STOP on\n",
        SETTINGS,
        SETTINGS_WHERE_POSSIBLE,
    ]
    .concat()
}

/// The members of a script but for its rows, as far as they are known.
#[derive(Debug)]
pub(super) struct Script {
    /// Up to the rows, by section.
    before: [Vec<Draft>; 3],
    /// After the rows: sequence values, then DDL by section.
    after: [Vec<Draft>; 4],
    /// Large objects, to be read.
    pub large_objects: Vec<u32>,
}

impl Script {
    /// The preamble, the values of the sequences and the large objects.
    pub fn new(sequences: &[Sequence], large_objects: Vec<u32>) -> Self {
        let values: String = sequences
            .iter()
            .map(|sequence| sequence.set().text().to_owned())
            .collect();
        let values = (!values.is_empty()).then(|| Draft::new(MemberKind::Sequences, values));
        let preamble = Draft::new(MemberKind::Preamble, preamble());
        Self {
            before: [vec![preamble], Vec::new(), Vec::new()],
            after: [
                values.into_iter().collect(),
                Vec::new(),
                Vec::new(),
                Vec::new(),
            ],
            large_objects,
        }
    }

    /// Adds the DDL of an entry; entries come in restore order.
    pub fn add(&mut self, index: usize, entry: &Entry) {
        if entry.create.is_empty() {
            return;
        }
        let [_, pre_data, data] = &mut self.before;
        let [_, post_data, acl, last] = &mut self.after;
        let drafts = match entry.section {
            Section::PreData => pre_data,
            Section::Data => data,
            Section::PostData => post_data,
            Section::Acl => acl,
            Section::Last => last,
        };
        match drafts.last_mut() {
            Some(draft) if draft.text.len() < ENTRIES_BYTES => add(draft, index, entry),
            _ => {
                let mut draft = Draft::new(MemberKind::Entries, String::new());
                add(&mut draft, index, entry);
                drafts.push(draft);
            }
        }
    }

    /// Takes the members up to the rows, in file order.
    pub fn before_data(&mut self) -> impl Iterator<Item = Draft> {
        std::mem::take(&mut self.before).into_iter().flatten()
    }

    /// The members after the rows, in file order.
    pub fn after_data(self) -> impl Iterator<Item = Draft> {
        self.after.into_iter().flatten()
    }
}

/// Appends an entry's DDL; the blank line after it belongs to nobody.
fn add(draft: &mut Draft, index: usize, entry: &Entry) {
    let place = (index, draft.text.len(), entry.create.len());
    draft.entries.push(place);
    draft.text.push_str(&entry.create);
    draft.text.push('\n');
}

/// Appends a member and records where its entries stand; returns the bytes of text.
pub(super) fn append(writer: &mut Writer, manifest: &mut Manifest, draft: Draft) -> Result<u64> {
    let compressed = archive::compress(draft.text.as_bytes())?;
    let text_length = compressed.text_length;
    let member = writer.append(draft.kind, None, 0, compressed)?;
    for (index, offset, length) in draft.entries {
        let record = manifest.entries.get_mut(index).ok_or_else(|| {
            Error::operation("note where an entry stands").because("no such entry")
        })?;
        record.place = Some(TextPlace {
            member,
            offset: offset as u64,
            length: length as u64,
        });
    }
    Ok(text_length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Kind;

    fn entry(section: Section, create: String) -> Entry {
        Entry {
            kind: Kind::Table,
            schema: None,
            name: String::new(),
            identity: String::new(),
            owner: None,
            section,
            create,
            drop: None,
            depends: Vec::new(),
        }
    }

    fn script(entries: &[Entry]) -> Script {
        let mut script = Script::new(&[], Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            script.add(index, entry);
        }
        script
    }

    #[test]
    fn sections_come_in_restore_order() {
        let sections = [
            Section::Last,
            Section::Acl,
            Section::PostData,
            Section::Data,
            Section::PreData,
        ];
        let entries = sections.map(|section| entry(section, "x".to_owned()));
        let sequence = Sequence {
            schema: "s".to_owned(),
            name: "q".to_owned(),
            identity: "sequence s.q".to_owned(),
            last_value: 1,
            is_called: false,
        };
        let mut script = Script::new(&[sequence], Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            script.add(index, entry);
        }
        let indexes = |drafts: Vec<Draft>| -> Vec<Option<usize>> {
            let first = |draft: &Draft| draft.entries.first().map(|place| place.0);
            drafts.iter().map(first).collect()
        };
        let before = indexes(script.before_data().collect());
        assert_eq!(before, [None, Some(4), Some(3)]);
        let after = indexes(script.after_data().collect());
        assert_eq!(after, [None, Some(2), Some(1), Some(0)]);
    }

    #[test]
    fn the_preamble_stops_at_errors_and_only_sets_what_every_major_knows() {
        assert!(preamble().starts_with("\\set ON_ERROR_STOP on\nSET "));
        assert!(!preamble().contains("SET transaction_timeout"));
        assert!(preamble().contains("('transaction_timeout', '0')"));
    }

    #[test]
    fn places_cut_out_exactly_the_entry() {
        let entries = [
            entry(Section::PreData, "CREATE A;\n".to_owned()),
            entry(Section::PostData, "CREATE X;\n".to_owned()),
            entry(Section::PreData, "CREATE B;\n".to_owned()),
        ];
        let mut script = script(&entries);
        let before: Vec<Draft> = script.before_data().collect();
        let after: Vec<Draft> = script.after_data().collect();
        assert_eq!((before.len(), after.len()), (2, 1));
        assert_eq!(before[0].kind, MemberKind::Preamble);
        for draft in before.iter().chain(&after) {
            for (index, offset, length) in &draft.entries {
                let text = &draft.text[*offset..*offset + *length];
                assert_eq!(text, entries[*index].create);
            }
        }
    }

    #[test]
    fn members_of_ddl_stay_near_one_mebibyte() {
        let long = format!("SELECT '{}';\n", "x".repeat(400 << 10));
        let drafts: Vec<Draft> = script(&vec![entry(Section::Acl, long); 7])
            .after_data()
            .collect();
        assert_eq!(drafts.len(), 3);
        assert!(drafts.iter().all(|draft| draft.text.len() < 2 << 20));
    }
}
