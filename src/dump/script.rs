//! Everything of an archive's script that is not rows: preamble, DDL, sequence values.
//!
//! The members, decompressed in file order, are one plain SQL script for psql (design.md §4, P9).
//! DDL of many entries shares a member; the manifest says where each entry's text stands.

use crate::archive::{self, Manifest, MemberKind, Section, TextPlace, Writer};
use crate::catalog::{Catalog, Entry};
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

/// Preamble and DDL up to the rows.
pub(super) fn before_data(preamble: &str, catalog: &Catalog) -> Vec<Draft> {
    let mut drafts = vec![Draft::new(MemberKind::Preamble, preamble.to_owned())];
    drafts.extend(entries(catalog, Section::PreData));
    drafts.extend(entries(catalog, Section::Data));
    drafts
}

/// Sequence values, then DDL in the order of the sections.
pub(super) fn after_data(catalog: &Catalog) -> Vec<Draft> {
    let mut drafts = Vec::new();
    if !catalog.sequences.is_empty() {
        let values: String = catalog
            .sequences
            .iter()
            .map(|sequence| sequence.set().text().to_owned())
            .collect();
        drafts.push(Draft::new(MemberKind::Sequences, values));
    }
    for section in [Section::PostData, Section::Acl, Section::Last] {
        drafts.extend(entries(catalog, section));
    }
    drafts
}

/// The DDL of one section, in restore order.
fn entries(catalog: &Catalog, section: Section) -> Vec<Draft> {
    let wanted = catalog
        .entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.section == section && !entry.create.is_empty());
    let mut drafts: Vec<Draft> = Vec::new();
    for (index, entry) in wanted {
        match drafts.last_mut() {
            Some(draft) if draft.text.len() < ENTRIES_BYTES => add(draft, index, entry),
            _ => {
                let mut draft = Draft::new(MemberKind::Entries, String::new());
                add(&mut draft, index, entry);
                drafts.push(draft);
            }
        }
    }
    drafts
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

    #[test]
    fn the_preamble_stops_at_errors_and_only_sets_what_every_major_knows() {
        assert!(preamble().starts_with("\\set ON_ERROR_STOP on\nSET "));
        assert!(!preamble().contains("SET transaction_timeout"));
        assert!(preamble().contains("('transaction_timeout', '0')"));
    }

    #[test]
    fn places_cut_out_exactly_the_entry() {
        let catalog = Catalog {
            entries: vec![
                entry(Section::PreData, "CREATE A;\n".to_owned()),
                entry(Section::PostData, "CREATE X;\n".to_owned()),
                entry(Section::PreData, "CREATE B;\n".to_owned()),
            ],
            ..Catalog::default()
        };
        let drafts = entries(&catalog, Section::PreData);
        assert_eq!(drafts.len(), 1);
        for (index, offset, length) in &drafts[0].entries {
            let text = &drafts[0].text[*offset..*offset + *length];
            assert_eq!(text, catalog.entries[*index].create);
        }
    }

    #[test]
    fn members_of_ddl_stay_near_one_mebibyte() {
        let long = format!("SELECT '{}';\n", "x".repeat(400 << 10));
        let catalog = Catalog {
            entries: vec![entry(Section::Acl, long); 7],
            ..Catalog::default()
        };
        let drafts = entries(&catalog, Section::Acl);
        assert_eq!(drafts.len(), 3);
        assert!(drafts.iter().all(|draft| draft.text.len() < 2 << 20));
    }
}
