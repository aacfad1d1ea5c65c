//! What differs between two states.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outside::{self, OutsideChange};
use super::secrets::masked;
use super::state::{State, TableState};
use super::text::{self, ChangedPart};
use super::words;

/// Everything that differs; nothing in it means that the states are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// Entries that only the later state has.
    pub added: Vec<NamedEntry>,
    /// Entries that only the earlier state has.
    pub removed: Vec<NamedEntry>,
    /// Entries whose text differs.
    pub changed: Vec<ChangedEntry>,
    /// Tables whose rows or columns differ; one that only one state has is in it with its entry.
    pub tables: Vec<TableChange>,
    /// Sequences whose value differs, or that only one state has.
    pub sequences: Vec<Change>,
    /// Large objects whose bytes differ, or that only one state has.
    pub large_objects: Vec<Change>,
    /// Version tables whose rows differ.
    pub version_tables: Vec<Change>,
    /// Extensions whose version or schema differs, or that only one state has.
    pub extensions: Vec<Change>,
    /// Properties of the database that differ.
    pub properties: Vec<Change>,
    /// Objects that no entry covers and that only one state has.
    pub uncovered: Vec<Change>,
    /// What differs in the whole cluster, where both sides are of the same one: told, and no difference of the
    /// databases.
    pub outside: Vec<OutsideChange>,
    /// Whether the rows of some table were not read on one side, so that nothing is said of them.
    pub rows_not_compared: bool,
}

/// An entry of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedEntry {
    /// `table public.users`.
    pub identity: String,
    /// Its text, secrets masked.
    pub text: String,
    /// Its rows, for a table.
    pub rows: Option<u64>,
}

/// An entry of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedEntry {
    /// `table public.users`.
    pub identity: String,
    /// Text in the earlier state.
    pub before: String,
    /// Text in the later state.
    pub after: String,
    /// Which lines of it changed; none where only a masked secret did.
    pub parts: Vec<ChangedPart>,
}

impl ChangedEntry {
    pub(super) fn new(identity: &str, before: String, after: String) -> Self {
        Self {
            identity: identity.to_owned(),
            parts: text::parts(&before, &after),
            before,
            after,
        }
    }
}

/// A table of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableChange {
    /// `table public.users`.
    pub identity: String,
    /// The earlier side.
    pub before: Amount,
    /// The later side.
    pub after: Amount,
    /// Columns that only the earlier side has.
    pub columns_removed: Vec<String>,
    /// Columns that only the later side has.
    pub columns_added: Vec<String>,
}

/// How much a table holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Amount {
    /// Rows, 0 where there is no table; none if nobody read them.
    pub rows: Option<u64>,
    /// Their digest, 32 hex digits; none without rows that were read.
    pub digest: Option<String>,
}

/// Something with a name whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is.
    pub name: String,
    /// In the earlier state.
    pub before: Value,
    /// In the later state.
    pub after: Value,
}

/// A value, or that there is none.
pub type Value = Option<String>;

impl Difference {
    /// Whether the states are equal in everything that was compared.
    pub fn is_empty(&self) -> bool {
        let Self {
            added,
            removed,
            changed,
            tables,
            sequences,
            large_objects,
            version_tables,
            extensions,
            properties,
            uncovered,
            outside: _,
            rows_not_compared: _,
        } = self;
        added.is_empty()
            && removed.is_empty()
            && changed.is_empty()
            && tables.is_empty()
            && version_tables.is_empty()
            && sequences.is_empty()
            && large_objects.is_empty()
            && extensions.is_empty()
            && properties.is_empty()
            && uncovered.is_empty()
    }

    /// Whether nothing but sequence values differs, so that setting them back is all there is to do.
    pub fn is_only_sequences(&self) -> bool {
        let rest = Self {
            sequences: Vec::new(),
            ..self.clone()
        };
        let in_both = |change: &Change| change.before.is_some() && change.after.is_some();
        !self.sequences.is_empty()
            && self.sequences.iter().all(in_both)
            && rest.is_empty()
            && !self.rows_not_compared
    }

    /// One statement per line for people; empty when equal.
    pub fn lines(&self) -> Vec<String> {
        words::lines(self)
    }
}

/// Compares two states; `before` is the one that things are measured against.
pub fn compare(before: &State, after: &State) -> Difference {
    let mut difference = Difference {
        version_tables: changes(
            &texts(&before.version_tables, |revisions| revisions.join(", ")),
            &texts(&after.version_tables, |revisions| revisions.join(", ")),
        ),
        sequences: changes(&sequence_texts(before), &sequence_texts(after)),
        large_objects: changes(&before.large_objects, &after.large_objects),
        extensions: changes(&before.extensions, &after.extensions),
        properties: changes(&before.properties, &after.properties),
        uncovered: changes(&uncovered(before), &uncovered(after)),
        outside: outside::changes(before.cluster.as_ref(), after.cluster.as_ref()),
        ..Difference::default()
    };
    compare_entries(&mut difference, before, after);
    compare_tables(&mut difference, before, after);
    difference
}

fn compare_entries(difference: &mut Difference, before: &State, after: &State) {
    for (identity, old) in &before.entries {
        match after.entries.get(identity) {
            None => difference
                .removed
                .push(named(before, identity, &masked(&old.kind, &old.text))),
            Some(new) if new.text != old.text => difference.changed.push(ChangedEntry::new(
                identity,
                masked(&old.kind, &old.text),
                masked(&new.kind, &new.text),
            )),
            Some(_) => {}
        }
    }
    for (identity, new) in &after.entries {
        if !before.entries.contains_key(identity) {
            difference
                .added
                .push(named(after, identity, &masked(&new.kind, &new.text)));
        }
    }
}

fn named(state: &State, identity: &str, text: &str) -> NamedEntry {
    let rows = state
        .tables
        .get(identity)
        .and_then(|table| table.rows.as_ref());
    NamedEntry {
        identity: identity.to_owned(),
        text: text.to_owned(),
        rows: rows.map(|rows| rows.count),
    }
}

/// A table of one side only counts as empty on the other.
fn compare_tables(difference: &mut Difference, before: &State, after: &State) {
    let mut identities: Vec<&String> = before.tables.keys().chain(after.tables.keys()).collect();
    identities.sort_unstable();
    identities.dedup();
    for identity in identities {
        let (old, new) = (before.tables.get(identity), after.tables.get(identity));
        if let (Some(old), Some(new)) = (old, new)
            && (old.rows.is_none() || new.rows.is_none())
        {
            difference.rows_not_compared = true;
            continue;
        }
        if old != new {
            difference.tables.push(table_change(identity, old, new));
        }
    }
}

fn table_change(identity: &str, old: Option<&TableState>, new: Option<&TableState>) -> TableChange {
    TableChange {
        identity: identity.to_owned(),
        before: amount(old),
        after: amount(new),
        columns_removed: missing(old, new),
        columns_added: missing(new, old),
    }
}

fn amount(table: Option<&TableState>) -> Amount {
    let Some(table) = table else {
        return Amount {
            rows: Some(0),
            digest: None,
        };
    };
    Amount {
        rows: table.rows.as_ref().map(|rows| rows.count),
        digest: table.rows.as_ref().map(|rows| rows.digest.clone()),
    }
}

/// Columns of `left` that `right` lacks.
fn missing(left: Option<&TableState>, right: Option<&TableState>) -> Vec<String> {
    let columns = |table: Option<&TableState>| table.map(|table| table.columns.clone());
    let right = columns(right).unwrap_or_default();
    let mut left = columns(left).unwrap_or_default();
    left.retain(|column| !right.contains(column));
    left
}

fn texts<T>(values: &BTreeMap<String, T>, text: impl Fn(&T) -> String) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn sequence_texts(state: &State) -> BTreeMap<String, String> {
    texts(&state.sequences, |value| {
        let next = if value.is_called { "used" } else { "not used" };
        format!("{} ({next})", value.last_value)
    })
}

fn uncovered(state: &State) -> BTreeMap<String, String> {
    let names = state.uncovered.iter();
    names.map(|name| (name.clone(), String::new())).collect()
}

/// Names whose values differ, absence included.
fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| Change {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::state::{EntryState, Rows, SequenceState};
    use super::*;

    fn state() -> State {
        let mut state = State::default();
        let entry = EntryState {
            kind: "TABLE".to_owned(),
            text: "CREATE TABLE public.users (\n    id integer\n);\n".to_owned(),
        };
        let table = TableState {
            columns: vec!["id".to_owned()],
            rows: Some(Rows {
                count: 12,
                bytes: 24,
                digest: "aa".to_owned(),
            }),
        };
        let value = SequenceState {
            last_value: 12,
            is_called: true,
        };
        state.entries.insert("table public.users".to_owned(), entry);
        state.tables.insert("table public.users".to_owned(), table);
        state
            .sequences
            .insert("sequence public.s".to_owned(), value);
        state
            .version_tables
            .insert("public.alembic_version".to_owned(), vec!["a".to_owned()]);
        state
    }

    #[test]
    fn a_state_equals_itself() {
        let difference = compare(&state(), &state());
        assert!(difference.is_empty(), "{difference:?}");
        assert!(difference.lines().is_empty());
    }

    #[test]
    fn every_part_of_a_state_is_compared() {
        let damages: [fn(&mut State); 9] = [
            |s| s.entries.clear(),
            |s| s.entries.values_mut().for_each(|e| e.text.push('x')),
            |s| s.tables.values_mut().for_each(|t| t.columns.clear()),
            |s| {
                let rows = s.tables.values_mut().filter_map(|t| t.rows.as_mut());
                rows.for_each(|rows| rows.digest.push('b'));
            },
            |s| s.sequences.values_mut().for_each(|v| v.is_called = false),
            |s| s.version_tables.clear(),
            |s| drop(s.properties.insert("owner".to_owned(), "x".to_owned())),
            |s| s.uncovered.push("cast (text as x)".to_owned()),
            |s| {
                let rows = s.tables.values_mut().filter_map(|t| t.rows.as_mut());
                rows.for_each(|rows| rows.count = 9);
            },
        ];
        for (index, damage) in damages.iter().enumerate() {
            let mut after = state();
            damage(&mut after);
            for difference in [compare(&state(), &after), compare(&after, &state())] {
                assert!(!difference.is_empty(), "damage {index}");
                assert!(!difference.lines().is_empty(), "damage {index}");
            }
        }
    }

    #[test]
    fn rows_that_nobody_read_are_no_empty_table() {
        let difference = compare(&State::default(), &state().without_rows());
        let change = &difference.tables[0];
        assert_eq!((change.before.rows, change.after.rows), (Some(0), None));
        assert_eq!(difference.added[0].rows, None);
    }

    #[test]
    fn rows_that_nobody_read_are_never_called_equal() {
        let difference = compare(&state(), &state().without_rows());
        assert!(difference.rows_not_compared);
        assert!(!difference.is_only_sequences());
    }

    #[test]
    fn sequences_alone_are_told_apart() {
        let mut after = state();
        after.sequences.values_mut().for_each(|v| v.last_value = 13);
        assert!(compare(&state(), &after).is_only_sequences());
        after.version_tables.clear();
        assert!(!compare(&state(), &after).is_only_sequences());
    }
}
