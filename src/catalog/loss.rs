//! What a backup would lose, by kind: the words of `--accept-loss`.
//!
//! A loss is either refused or accepted by name beforehand, never silent (P10, spec §1.9). Some
//! cannot be accepted at all: where the catalogs themselves are not understood, nobody can say
//! what would be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::entry::Uncovered;
use crate::error::Error;

/// The schema that marks a database which several sessions are restoring, until the last
/// transaction of the restore removes it.
pub const UNFINISHED_RESTORE: &str = "pgbelay_unfinished_restore";

/// A kind of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loss {
    /// An object that no entry covers.
    UnknownObject,
    /// A catalog, column or letter that this version has never heard of.
    UnknownCatalog,
    /// What a restore that did not finish has not brought.
    UnfinishedRestore,
    /// An owner or grantee that no longer exists.
    MissingRole,
    /// What an interrupted `CREATE INDEX CONCURRENTLY` leaves.
    InvalidIndex,
    /// What an interrupted `DETACH PARTITION … CONCURRENTLY` leaves.
    PendingDetach,
    /// What was put into, or changed in, `pg_catalog` and `information_schema`.
    SystemObject,
    /// What was changed in an extension's own objects.
    ExtensionChange,
    /// Rows that an extension keeps where a backup does not reach.
    ExtensionData,
    /// An operator that was only ever referred to.
    ShellOperator,
    /// How far a subscription had come, and whether it was enabled.
    SubscriptionState,
    /// A security label that cannot be set again.
    SecurityLabel,
    /// The enabled state of a trigger that enforces a constraint.
    TriggerState,
    /// The order of an inheritance child's columns.
    ColumnOrder,
    /// Rows of unlogged tables, which a standby does not have.
    UnloggedData,
    /// Values of a type that no server reads back from text.
    UnloadableValues,
    /// What this role may not read.
    Unreadable,
    /// What this role could not make again.
    Rights,
}

impl Loss {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::UnknownObject,
        Self::UnknownCatalog,
        Self::UnfinishedRestore,
        Self::MissingRole,
        Self::InvalidIndex,
        Self::PendingDetach,
        Self::SystemObject,
        Self::ExtensionChange,
        Self::ExtensionData,
        Self::ShellOperator,
        Self::SubscriptionState,
        Self::SecurityLabel,
        Self::TriggerState,
        Self::ColumnOrder,
        Self::UnloggedData,
        Self::UnloadableValues,
        Self::Unreadable,
        Self::Rights,
    ];

    /// The word that stands for it on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownObject => "unknown-object",
            Self::UnknownCatalog => "unknown-catalog",
            Self::UnfinishedRestore => "unfinished-restore",
            Self::MissingRole => "missing-role",
            Self::InvalidIndex => "invalid-index",
            Self::PendingDetach => "pending-detach",
            Self::SystemObject => "system-object",
            Self::ExtensionChange => "extension-change",
            Self::ExtensionData => "extension-data",
            Self::ShellOperator => "shell-operator",
            Self::SubscriptionState => "subscription-state",
            Self::SecurityLabel => "security-label",
            Self::TriggerState => "trigger-state",
            Self::ColumnOrder => "column-order",
            Self::UnloggedData => "unlogged-data",
            Self::UnloadableValues => "unloadable-values",
            Self::Unreadable => "unreadable",
            Self::Rights => "rights",
        }
    }

    /// Whether an operator may go on knowingly: not where nobody can say what would be lost.
    pub fn is_acceptable(self) -> bool {
        !matches!(self, Self::UnknownCatalog | Self::UnfinishedRestore)
    }
}

impl FromStr for Loss {
    type Err = String;

    /// The word of [`Loss::name`]; the error lists the words there are.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|loss| loss.name() == word);
        known.ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!(
                "`{word}` is no kind of loss; there are {}",
                words.join(", ")
            )
        })
    }
}

/// The kind that a manifest's or comparison's `kind: object` names. Archives of the first days
/// hold the object alone.
pub fn loss_of_label(label: &str) -> Loss {
    let word = label.split_once(": ").map(|(word, _)| word);
    word.and_then(|word| word.parse().ok())
        .unwrap_or(Loss::UnknownObject)
}

/// The losses that the operator accepted beforehand (`--accept-loss`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcceptedLosses(BTreeSet<Loss>);

impl AcceptedLosses {
    /// Every kind that can be accepted.
    pub fn all() -> Self {
        Self::of(Loss::ALL)
    }

    /// These kinds; what cannot be accepted is left out.
    pub fn of(losses: impl IntoIterator<Item = Loss>) -> Self {
        Self(
            losses
                .into_iter()
                .filter(|loss| loss.is_acceptable())
                .collect(),
        )
    }

    /// What either accepts.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend(&other.0);
        self
    }

    /// Whether the operator goes on without it.
    pub fn accepts(&self, loss: Loss) -> bool {
        self.0.contains(&loss)
    }

    /// What refuses an archive, in the given order.
    pub fn refused<'a>(&self, uncovered: &'a [Uncovered]) -> Vec<&'a Uncovered> {
        let refused = uncovered.iter();
        refused
            .filter(|object| !self.accepts(object.loss))
            .collect()
    }

    /// Refuses to `attempt` something that would lose what was not accepted: exit 3, every kind
    /// with its first objects, and the flag to go on knowingly.
    pub fn require(
        &self,
        uncovered: &[Uncovered],
        attempt: impl Into<String>,
    ) -> Result<(), Error> {
        let refused = self.refused(uncovered);
        if refused.is_empty() {
            return Ok(());
        }
        let error = Error::refused(attempt)
            .because(lines_by_kind(&refused).join("\n"))
            .now("nothing was changed");
        Err(hints(&refused).into_iter().fold(error, Error::hint))
    }
}

impl FromStr for AcceptedLosses {
    type Err = String;

    /// One kind's word, or `all`; the error lists the words that can be accepted.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word == "all" {
            return Ok(Self::all());
        }
        match word.parse::<Loss>() {
            Ok(loss) if loss.is_acceptable() => Ok(Self::of([loss])),
            found => {
                let known = Loss::ALL.into_iter().filter(|loss| loss.is_acceptable());
                let words: Vec<&str> = known.map(Loss::name).collect();
                let why = match found {
                    Ok(_) => "can never be accepted, because nobody can say what would be lost",
                    Err(_) => "is no kind of loss",
                };
                Err(format!(
                    "`{word}` {why}; there are {} and all",
                    words.join(", ")
                ))
            }
        }
    }
}

/// Objects of one kind that are named; the rest is counted.
const NAMED: usize = 10;

/// `cannot be restored: table public.t (column-order): why; …`, one line per kind.
fn lines_by_kind(refused: &[&Uncovered]) -> Vec<String> {
    let mut kinds: BTreeMap<Loss, Vec<&Uncovered>> = BTreeMap::new();
    for &object in refused {
        kinds.entry(object.loss).or_default().push(object);
    }
    kinds
        .iter()
        .map(|(loss, objects)| line_of_kind(*loss, objects))
        .collect()
}

fn line_of_kind(loss: Loss, objects: &[&Uncovered]) -> String {
    let named = objects
        .iter()
        .take(NAMED)
        .map(|object| match &*object.reason {
            "" => format!("{} ({})", object.shown(), loss.name()),
            reason => format!("{} ({}): {reason}", object.shown(), loss.name()),
        });
    let mut parts: Vec<String> = named.collect();
    if objects.len() > NAMED {
        parts.push(format!(
            "and {} more ({})",
            objects.len() - NAMED,
            loss.name()
        ));
    }
    format!("cannot be restored: {}", parts.join("; "))
}

/// How to go on, where that is possible at all.
fn hints(refused: &[&Uncovered]) -> Vec<String> {
    let kinds: BTreeSet<Loss> = refused.iter().map(|object| object.loss).collect();
    if let Some(loss) = kinds.iter().find(|loss| !loss.is_acceptable()) {
        return vec![format!(
            "{} cannot be accepted: nobody can say what would be lost; docs/losses.md says what to do",
            loss.name()
        )];
    }
    let flags: Vec<String> = kinds
        .iter()
        .map(|loss| format!("--accept-loss {}", loss.name()))
        .collect();
    vec![
        format!("to go on knowingly without them: {}", flags.join(" ")),
        "docs/losses.md says for each kind why, and what to do instead".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Loss::ALL.iter().map(|loss| loss.name()).collect();
        assert_eq!(words.len(), Loss::ALL.len());
        for loss in Loss::ALL {
            assert_eq!(loss.name().parse(), Ok(loss));
        }
        let error = "invalid_index".parse::<Loss>().unwrap_err();
        assert!(
            error.contains("invalid-index") && error.contains("rights"),
            "{error}"
        );
        assert_eq!(
            loss_of_label("invalid-index: index a: b"),
            Loss::InvalidIndex
        );
        assert_eq!(
            loss_of_label("operator public.!==(integer,integer)"),
            Loss::UnknownObject
        );
    }

    #[test]
    fn words_are_accepted_one_by_one_or_all() {
        let accepted: AcceptedLosses = "column-order".parse().unwrap();
        assert_eq!(accepted, AcceptedLosses::of([Loss::ColumnOrder]));
        assert_eq!("all".parse(), Ok(AcceptedLosses::all()));
        for (word, why) in [
            ("unknown-catalog", "never be accepted"),
            ("invalid_index", "no kind"),
        ] {
            let error = word.parse::<AcceptedLosses>().unwrap_err();
            assert!(
                error.contains(why) && error.contains("invalid-index, "),
                "{error}"
            );
            assert!(
                error.ends_with(" and all") && !error.contains(", unknown-catalog"),
                "{error}"
            );
        }
    }

    fn object(loss: Loss, number: usize) -> Uncovered {
        Uncovered {
            loss,
            description: format!("thing {number}"),
            catalog: "pg_class".to_owned(),
            reason: "no way".to_owned(),
            drop: None,
        }
    }

    #[test]
    fn what_nobody_understands_is_never_accepted() {
        let unknown = [object(Loss::UnknownCatalog, 1)];
        for accepted in [
            AcceptedLosses::all(),
            AcceptedLosses::of([Loss::UnknownCatalog]),
        ] {
            let error = accepted.require(&unknown, "back up").unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Refused);
            assert!(error.hints()[0].contains("cannot be accepted"), "{error:?}");
        }
    }

    #[test]
    fn each_kind_is_accepted_by_its_own_word_alone() {
        for loss in Loss::ALL.into_iter().filter(|loss| loss.is_acceptable()) {
            let found = [object(loss, 1)];
            let others = Loss::ALL.into_iter().filter(|other| *other != loss);
            let others = AcceptedLosses::of(others);
            assert!(others.require(&found, "back up").is_err(), "{loss:?}");
            for accepted in [AcceptedLosses::of([loss]), AcceptedLosses::all()] {
                assert!(accepted.require(&found, "back up").is_ok(), "{loss:?}");
            }
        }
    }

    #[test]
    fn a_refusal_is_grouped_bounded_and_says_how_to_go_on() {
        let mut found: Vec<Uncovered> = (0..13).map(|n| object(Loss::InvalidIndex, n)).collect();
        found.insert(3, object(Loss::ColumnOrder, 99));
        let error = AcceptedLosses::default()
            .require(&found, "back up x")
            .unwrap_err();
        let reason = error.reason().unwrap();
        let lines: Vec<&str> = reason.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with("cannot be restored: thing 0 (invalid-index): no way; thing 1 "),
            "{reason}"
        );
        assert!(
            lines[0].ends_with("; and 3 more (invalid-index)"),
            "{reason}"
        );
        assert_eq!(
            lines[1],
            "cannot be restored: thing 99 (column-order): no way"
        );
        assert_eq!(
            error.hints()[0],
            "to go on knowingly without them: --accept-loss invalid-index --accept-loss column-order"
        );
    }
}
