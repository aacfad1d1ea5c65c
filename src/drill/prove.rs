//! What the scratch database holds, against what the archive says.
//!
//! Between servers of one major every definition is compared as text. A newer server writes some definitions in other
//! words, so between majors those that differ are counted as not proven, by name; that they exist, and every row, sequence,
//! large object and property is compared all the same.

use super::scratch::{Dressed, without_mark};
use super::{DrillOptions, scratch::Scratch};
use crate::archive::Reader;
use crate::catalog::Locking;
use crate::compare::{Difference, State, compare, counted};
use crate::context::{Context, Phase};
use crate::error::{Error, Kind, Result};
use crate::restore::Unfilled;

/// Names in one line about what is not proven.
const NAMED: usize = 8;

/// What the comparison found.
pub(super) struct Proof {
    pub difference: Difference,
    pub not_proven: Vec<String>,
    pub definitions: u64,
    pub tables: u64,
    pub rows: u64,
}

impl Proof {
    /// Whether nothing that was compared differs, and the rows were compared.
    pub fn is_equal(&self) -> bool {
        self.difference.is_empty() && !self.difference.rows_not_compared
    }

    /// The differences for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.difference.lines();
        if self.difference.rows_not_compared {
            lines.push("rows could not be compared".to_owned());
        }
        lines
    }
}

/// The major that the archive was taken from.
pub(super) fn major_of(archive: &Reader) -> u32 {
    archive.manifest().database.server_version_number / 10_000
}

/// Reads the scratch database and compares it with the archive.
pub(super) async fn prove(
    scratch: &Scratch,
    archive: &Reader,
    (dressed, unfilled): (Dressed, &[Unfilled]),
    options: &DrillOptions,
    ctx: &Context,
) -> Result<Proof> {
    let _phase = ctx.phase(Phase::Compare);
    let locking = Locking::tables(options.table_lock_wait);
    let expected = State::of_archive(archive)?;
    let read = tokio::select! {
        biased;
        signal = ctx.stop.wait() => Err(Error::new(
            Kind::Interrupted(signal),
            format!("compare {} with the archive", scratch.target.masked()),
        )
        .because(format!("interrupted by signal {signal}"))),
        read = State::of_live(&dressed.reader, Some(archive.manifest()), locking, ctx) => read,
    };
    let mut found = read?;
    let majors = (major_of(archive), dressed.reader.version().major());
    dressed.reader.close().await;
    without_mark(&mut found.properties, dressed.comment);
    Ok(judge(
        expected,
        found,
        (&dressed.left_out, unfilled),
        majors,
    ))
}

/// Compares, and sets aside what this comparison cannot speak about.
fn judge(
    mut expected: State,
    found: State,
    (left_out, unfilled): (&[&str], &[Unfilled]),
    majors: (u32, u32),
) -> Proof {
    let mut not_proven = Vec::new();
    // What the archive does not hold by consent cannot be in what is restored from it.
    for label in std::mem::take(&mut expected.uncovered) {
        not_proven.push(format!("{label}: the archive does not hold it"));
    }
    let mut difference = compare(&expected, &found);
    difference.properties.retain(|change| {
        let compared = !left_out.contains(&change.name.as_str());
        if !compared {
            not_proven.push(format!(
                "database property {}: this role may not set it",
                change.name
            ));
        }
        compared
    });
    difference.removed.retain(|entry| {
        let view = unfilled.iter().find(|view| view.identity == entry.identity);
        not_proven.extend(view.map(Unfilled::line));
        view.is_none()
    });
    if majors.0 != majors.1 {
        not_proven.extend(set_aside_rewritten(&mut difference, majors));
        not_proven.extend(set_aside_newer_extensions(&mut difference));
    }
    let rewritten = expected.entries.len() - untouched(&expected, &found);
    let definitions = expected.entries.len() - if majors.0 == majors.1 { 0 } else { rewritten };
    Proof {
        definitions: definitions as u64,
        tables: expected.tables.len() as u64,
        rows: expected.row_count(),
        difference,
        not_proven,
    }
}

fn untouched(expected: &State, found: &State) -> usize {
    let same = |(identity, entry)| found.entries.get(identity) == Some(entry);
    expected.entries.iter().filter(|one| same(*one)).count()
}

/// Takes the definitions that differ in their words only out of the difference, and names them.
fn set_aside_rewritten(difference: &mut Difference, (from, to): (u32, u32)) -> Option<String> {
    let changed = std::mem::take(&mut difference.changed);
    if changed.is_empty() {
        return None;
    }
    let names: Vec<&str> = changed
        .iter()
        .take(NAMED)
        .map(|entry| entry.identity.as_str())
        .collect();
    let more = match changed.len() - names.len() {
        0 => String::new(),
        rest => format!(" … and {rest} more"),
    };
    Some(format!(
        "{} PostgreSQL {to} writes in other words than {from}: {}{more}",
        counted(changed.len(), "definition that", "definitions that"),
        names.join(", ")
    ))
}

/// Takes extensions out of the difference that only came in another version: CREATE EXTENSION takes the server's.
fn set_aside_newer_extensions(difference: &mut Difference) -> Vec<String> {
    let schema = |side: &Option<String>| {
        let text = side.as_deref()?;
        text.split_once(" in schema ")
            .map(|(_, schema)| schema.to_owned())
    };
    let mut set_aside = Vec::new();
    difference.extensions.retain(|change| {
        let place = schema(&change.before);
        let is_same_place = place.is_some() && place == schema(&change.after);
        if is_same_place {
            let side = |side: &Option<String>| side.clone().unwrap_or_default();
            let (then, now) = (side(&change.before), side(&change.after));
            set_aside.push(format!("extension {}: {then}, here {now}", change.name));
        }
        !is_same_place
    });
    set_aside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::EntryState;

    fn state(text: &str) -> State {
        let mut state = State::default();
        let entry = EntryState {
            kind: "TABLE".to_owned(),
            text: text.to_owned(),
        };
        state.entries.insert("table t".to_owned(), entry);
        let owner = ("owner".to_owned(), "app".to_owned());
        state.properties.extend([owner]);
        state
    }

    #[test]
    fn one_major_compares_every_word() {
        assert!(judge(state("a"), state("a"), (&[], &[]), (15, 15)).is_equal());
        let proof = judge(state("a"), state("b"), (&[], &[]), (15, 15));
        assert!(!proof.is_equal() && !proof.lines().is_empty());
    }

    #[test]
    fn other_words_of_a_newer_major_are_not_called_equal() {
        let proof = judge(state("a"), state("b"), (&[], &[]), (15, 18));
        assert!(proof.is_equal());
        assert_eq!(proof.definitions, 0);
        assert_eq!(
            proof.not_proven,
            ["1 definition that PostgreSQL 18 writes in other words than 15: table t"]
        );
        let proof = judge(state("a"), State::default(), (&[], &[]), (15, 18));
        assert!(!proof.is_equal(), "a missing table stays a difference");
    }

    #[test]
    fn the_version_of_an_extension_is_the_servers() {
        let with = |text: &str| {
            let mut state = state("a");
            state.extensions.insert("ltree".to_owned(), text.to_owned());
            state
        };
        let (old, new) = (
            with("version 1.2 in schema s"),
            with("version 1.3 in schema s"),
        );
        assert!(!judge(old.clone(), new.clone(), (&[], &[]), (15, 15)).is_equal());
        let proof = judge(old.clone(), new, (&[], &[]), (15, 17));
        assert!(proof.is_equal() && proof.not_proven.len() == 1);
        assert!(
            !judge(
                old.clone(),
                with("version 1.3 in schema t"),
                (&[], &[]),
                (15, 17)
            )
            .is_equal()
        );
        assert!(!judge(old, state("a"), (&[], &[]), (15, 17)).is_equal());
    }

    #[test]
    fn what_the_role_may_not_set_is_named_not_passed_over() {
        let mut found = state("a");
        found.properties.insert("owner".to_owned(), "me".to_owned());
        assert!(!judge(state("a"), found.clone(), (&[], &[]), (15, 15)).is_equal());
        let proof = judge(state("a"), found, (&["owner", "acl"], &[]), (15, 15));
        assert!(proof.is_equal());
        assert_eq!(
            proof.not_proven,
            ["database property owner: this role may not set it"]
        );
    }

    #[test]
    fn what_the_archive_does_not_hold_is_named() {
        let mut expected = state("a");
        expected.uncovered.push("cast: cast (a as b)".to_owned());
        let proof = judge(expected, state("a"), (&[], &[]), (15, 15));
        assert!(proof.is_equal());
        assert_eq!(proof.not_proven.len(), 1);
        let mut found = state("a");
        found.uncovered.push("cast: cast (a as b)".to_owned());
        assert!(!judge(state("a"), found, (&[], &[]), (15, 15)).is_equal());
    }
}
