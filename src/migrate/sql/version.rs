//! What a SQL file does to the version rows, read from its own statements.

use std::collections::BTreeSet;

use super::splitter::{Statement, Word};

/// The table that Alembic keeps its revisions in, and we the files' ids.
pub(super) const TABLE: &str = "alembic_version";

/// One change of the version rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Insert(String),
    Update { from: Option<String>, to: String },
    Delete(Option<String>),
}

impl Change {
    /// The change that a statement makes, in the forms that `alembic upgrade --sql` prints and
    /// people write; `None` for any other statement.
    pub(super) fn of(statement: &Statement) -> Option<Self> {
        let words = &statement.words;
        if !words.iter().any(is_table) {
            return None;
        }
        let texts: Vec<&String> = words
            .iter()
            .filter_map(|word| match word {
                Word::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        if statement.starts_with(&["insert", "into"]) {
            return texts.first().map(|to| Self::Insert((*to).clone()));
        }
        if statement.starts_with(&["update"]) {
            return texts.first().map(|to| Self::Update {
                from: texts.get(1).map(|from| (*from).clone()),
                to: (*to).clone(),
            });
        }
        if statement.starts_with(&["delete", "from"]) {
            return Some(Self::Delete(texts.first().map(|from| (*from).clone())));
        }
        None
    }

    /// Makes the change to `rows`.
    pub(super) fn apply(&self, rows: &mut BTreeSet<String>) {
        match self {
            Self::Insert(to) => {
                rows.insert(to.clone());
            }
            Self::Update {
                from: Some(from),
                to,
            } => {
                rows.remove(from);
                rows.insert(to.clone());
            }
            Self::Update { from: None, to } => {
                rows.clear();
                rows.insert(to.clone());
            }
            Self::Delete(Some(from)) => {
                rows.remove(from);
            }
            Self::Delete(None) => rows.clear(),
        }
    }

    /// The row that must be there beforehand.
    pub(super) fn needs(&self) -> Option<&str> {
        match self {
            Self::Update { from, .. } | Self::Delete(from) => from.as_deref(),
            Self::Insert(_) => None,
        }
    }
}

fn is_table(word: &Word) -> bool {
    matches!(word, Word::Name(name) | Word::Quoted(name) if name == TABLE)
}

#[cfg(test)]
mod tests {
    use super::super::splitter::split;
    use super::*;

    #[test]
    fn what_alembic_prints_is_understood() {
        let text = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);\n\
            INSERT INTO alembic_version (version_num) VALUES ('a') RETURNING alembic_version.version_num;\n\
            UPDATE app.alembic_version SET version_num='b' WHERE app.alembic_version.version_num = 'a';\n\
            DELETE FROM alembic_version WHERE alembic_version.version_num = 'b';\nINSERT INTO other VALUES ('x');";
        let changes: Vec<Option<Change>> = split(text).unwrap().iter().map(Change::of).collect();
        assert_eq!(
            changes,
            [
                None,
                Some(Change::Insert("a".into())),
                Some(Change::Update {
                    from: Some("a".into()),
                    to: "b".into()
                }),
                Some(Change::Delete(Some("b".into()))),
                None,
            ]
        );
    }
}
