//! What a backup would lose, by kind: the words of `--accept-loss`.
//!
//! A loss is either refused or accepted by name beforehand, never silent (P10, spec §1.9). Some
//! cannot be accepted at all: where the catalogs themselves are not understood, nobody can say
//! what would be lost.

/// A kind of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loss {
    /// An object that no entry covers.
    UnknownObject,
    /// A catalog, column or letter that this version has never heard of.
    UnknownCatalog,
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
    /// What this role cannot read, or could not make again.
    Rights,
}

impl Loss {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::UnknownObject,
        Self::UnknownCatalog,
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
        Self::Rights,
    ];

    /// The word that stands for it on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownObject => "unknown-object",
            Self::UnknownCatalog => "unknown-catalog",
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
            Self::Rights => "rights",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Loss::ALL.iter().map(|loss| loss.name()).collect();
        assert_eq!(words.len(), Loss::ALL.len());
    }
}
