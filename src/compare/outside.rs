//! What changed outside of the database: told, never put back, and no difference between databases.

use serde::Serialize;

use super::difference::Value;
use crate::archive::{ClusterFact, Manifest};
use crate::catalog;
use crate::error::Result;
use crate::pg::{Session, Sql, quote_ident};

/// The cluster that a database is in, at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Which one it is; empty where the role may not ask.
    pub system_identifier: String,
    /// The database that was looked from: it is no part of what is outside.
    pub database: String,
    /// What it holds, sorted by name.
    pub facts: Vec<ClusterFact>,
}

/// Something outside of the database that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutsideChange {
    /// `role reporting`, `membership of reporting in app`.
    pub name: String,
    /// What it was.
    pub before: Value,
    /// What it is.
    pub after: Value,
    /// The statement that brings it back, where there is one.
    pub cure: Option<String>,
}

impl Cluster {
    /// The one that an archive was taken from; none if it was not recorded.
    pub fn of_manifest(manifest: &Manifest) -> Option<Self> {
        Some(Self {
            system_identifier: manifest.database.system_identifier.clone(),
            database: manifest.database.name.clone(),
            facts: manifest.cluster.clone()?,
        })
    }

    /// The one that the session is connected to.
    ///
    /// # Errors
    /// Of the server.
    pub async fn read(session: &Session) -> Result<Self> {
        let name = Sql::constant("SELECT pg_catalog.current_database() AS name");
        Ok(Self {
            system_identifier: catalog::system_identifier(session).await?,
            database: session.query_one(&name).await?.string("name")?,
            facts: catalog::read_cluster(session).await?,
        })
    }
}

impl OutsideChange {
    /// One line for people: `role reporting: made (LOGIN); to undo: DROP ROLE reporting`.
    pub fn line(&self) -> String {
        let what = match (&self.before, &self.after) {
            (None, Some(after)) => format!("made ({after})"),
            (Some(before), None) => format!("gone (was {before})"),
            (before, after) => {
                let side = |value: &Value| value.clone().unwrap_or_default();
                format!("changed ({} → {})", side(before), side(after))
            }
        };
        match &self.cure {
            Some(cure) => format!("{}: {what}; to undo: {cure}", self.name),
            None => format!("{}: {what}", self.name),
        }
    }
}

/// What differs; nothing between two clusters, which have nothing to do with each other.
pub(super) fn changes(before: Option<&Cluster>, after: Option<&Cluster>) -> Vec<OutsideChange> {
    let (Some(before), Some(after)) = (before, after) else {
        return Vec::new();
    };
    let known = !before.system_identifier.is_empty();
    if !known || before.system_identifier != after.system_identifier {
        return Vec::new();
    }
    let gone = before.facts.iter().filter_map(|old| {
        let new = find(&after.facts, &old.name);
        match new {
            None => Some(change(Some(old), None, old.make.as_ref())),
            Some(new) if new.value != old.value => {
                Some(change(Some(old), Some(new), old.reset.as_ref()))
            }
            Some(_) => None,
        }
    });
    let made = after.facts.iter();
    let made = made.filter(|new| find(&before.facts, &new.name).is_none());
    let made = made.map(|new| change(None, Some(new), new.remove.as_ref()));
    // Each side tells of the other's database, which is what it is compared with.
    let compared = |change: &OutsideChange| {
        [before, after]
            .iter()
            .any(|side| is_database(&change.name, &side.database))
    };
    let mut changes: Vec<OutsideChange> = gone.chain(made).filter(|one| !compared(one)).collect();
    changes.sort_by(|one, other| one.name.cmp(&other.name));
    changes
}

/// Whether a fact is about the database; the server quotes names only where they need it.
fn is_database(fact: &str, database: &str) -> bool {
    let name = fact.strip_prefix("database ");
    name.is_some_and(|name| name == database || name == quote_ident(database))
}

fn find<'a>(facts: &'a [ClusterFact], name: &str) -> Option<&'a ClusterFact> {
    let at = facts.binary_search_by(|fact| fact.name.as_str().cmp(name));
    at.ok().map(|at| &facts[at])
}

fn change(
    old: Option<&ClusterFact>,
    new: Option<&ClusterFact>,
    cure: Option<&String>,
) -> OutsideChange {
    let name = old.or(new).map(|fact| fact.name.clone());
    OutsideChange {
        name: name.unwrap_or_default(),
        before: old.map(|fact| fact.value.clone()),
        after: new.map(|fact| fact.value.clone()),
        cure: cure.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(facts: &[(&str, &str)]) -> Cluster {
        let fact = |(name, value): &(&str, &str)| ClusterFact {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            make: Some(format!("make {name}")),
            reset: Some(format!("reset {name}")),
            remove: Some(format!("remove {name}")),
        };
        Cluster {
            system_identifier: "7".to_owned(),
            database: "shop".to_owned(),
            facts: facts.iter().map(fact).collect(),
        }
    }

    #[test]
    fn each_change_has_the_statement_that_undoes_it() {
        let before = cluster(&[("role a", "LOGIN"), ("role b", "x"), ("role c", "x")]);
        let after = cluster(&[("role a", "LOGIN"), ("role b", "y"), ("role d", "x")]);
        let lines: Vec<String> = changes(Some(&before), Some(&after))
            .iter()
            .map(OutsideChange::line)
            .collect();
        assert_eq!(
            lines,
            [
                "role b: changed (x → y); to undo: reset role b",
                "role c: gone (was x); to undo: make role c",
                "role d: made (x); to undo: remove role d"
            ]
        );
    }

    #[test]
    fn what_is_compared_is_not_outside() {
        let before = cluster(&[
            ("database \"Copy 1\"", "owner a"),
            ("database x", "owner a"),
        ]);
        let mut after = cluster(&[("database shop", "owner a")]);
        after.database = "Copy 1".to_owned();
        let changes = changes(Some(&before), Some(&after));
        let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(names, ["database x"]);
    }

    #[test]
    fn two_clusters_are_not_compared() {
        let before = cluster(&[("role a", "LOGIN")]);
        let mut other = cluster(&[]);
        other.system_identifier = "8".to_owned();
        assert!(changes(Some(&before), Some(&other)).is_empty());
        let mut unknown = before.clone();
        unknown.system_identifier.clear();
        assert!(changes(Some(&unknown), Some(&unknown.clone())).is_empty());
        assert!(changes(None, Some(&before)).is_empty());
    }
}
