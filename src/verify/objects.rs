//! Leftovers that nobody looks for: invalid indexes and constraints that were never validated.

use std::collections::BTreeSet;

use super::Outcome;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// What is invalid in a database, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct InvalidObjects {
    /// Indexes that the server does not use (`ix on t`), as a failed `CREATE INDEX CONCURRENTLY`
    /// leaves them.
    pub indexes: BTreeSet<String>,
    /// Constraints that are NOT VALID (`fk on t`).
    pub constraints: BTreeSet<String>,
}

impl InvalidObjects {
    /// Reads them: one query.
    pub async fn read(session: &Session) -> Result<Self> {
        let mut found = Self::default();
        let sql = Sql::constant(include_str!("sql/invalid_objects.sql"));
        for row in session.query(&sql).await? {
            let names = match row.text("kind")? {
                "index" => &mut found.indexes,
                _ => &mut found.constraints,
            };
            names.insert(row.string("name")?);
        }
        Ok(found)
    }

    pub(super) fn check_indexes(&self, before: Option<&Self>) -> Outcome {
        let new = new_since(&self.indexes, before.map(|before| &before.indexes));
        if new.is_empty() {
            return Outcome::Passed(match self.indexes.len() {
                0 => "none is invalid".to_owned(),
                old => format!("{old} invalid, as before"),
            });
        }
        Outcome::Failed(format!("invalid: {}", new.join(", ")))
    }

    /// Without a state before, NOT VALID constraints are somebody's choice and only told.
    pub(super) fn check_constraints(&self, before: Option<&Self>) -> Outcome {
        let new = match before {
            Some(before) => new_since(&self.constraints, Some(&before.constraints)),
            None => Vec::new(),
        };
        if !new.is_empty() {
            return Outcome::Failed(format!("newly NOT VALID: {}", new.join(", ")));
        }
        let names: Vec<&str> = self.constraints.iter().map(String::as_str).collect();
        Outcome::Passed(if names.is_empty() {
            "all are valid".to_owned()
        } else {
            format!("NOT VALID, not new: {}", names.join(", "))
        })
    }
}

fn new_since<'a>(now: &'a BTreeSet<String>, before: Option<&BTreeSet<String>>) -> Vec<&'a str> {
    now.iter()
        .filter(|name| before.is_none_or(|before| !before.contains(*name)))
        .map(String::as_str)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(indexes: &[&str], constraints: &[&str]) -> InvalidObjects {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        InvalidObjects {
            indexes: set(indexes),
            constraints: set(constraints),
        }
    }

    #[test]
    fn only_what_is_new_fails() {
        let before = objects(&["old on t"], &["k on t"]);
        let same = before.clone();
        assert!(matches!(
            same.check_indexes(Some(&before)),
            Outcome::Passed(_)
        ));
        assert!(matches!(same.check_indexes(None), Outcome::Failed(_)));
        assert!(matches!(same.check_constraints(None), Outcome::Passed(_)));
        let now = objects(&["old on t", "new on t"], &["k on t", "l on t"]);
        assert!(
            matches!(now.check_indexes(Some(&before)), Outcome::Failed(text) if text == "invalid: new on t")
        );
        assert!(
            matches!(now.check_constraints(Some(&before)), Outcome::Failed(text) if text == "newly NOT VALID: l on t")
        );
    }
}
