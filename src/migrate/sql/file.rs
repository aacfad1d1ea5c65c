//! One SQL file of a plan: its id, how it wants to be run, and what is refused before anything runs.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::splitter::{Statement, split};
use super::version::Change;
use crate::error::{Attempt, Error, Kind, Result};
use crate::migrate::alembic::Risks;

/// `alembic_version.version_num` is VARCHAR(32).
const VERSION_LIMIT: usize = 32;

/// Who opens the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// We do: the whole file is one.
    Ours,
    /// Nobody: `-- pgbelay: no-transaction`.
    None,
    /// The file itself: it holds its own BEGIN and COMMIT.
    Own,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its id in the version table.
    pub version: String,
    /// Who opens the transaction.
    pub transaction: Transaction,
    /// What deserves attention.
    pub risks: Risks,
    /// Its statements, in order.
    pub(super) statements: Vec<Statement>,
    /// What it does to the version rows itself; empty: we set them.
    pub(super) changes: Vec<Change>,
}

impl SqlFile {
    /// Reads and checks one file. Errors (`Kind::Refused`): it cannot be read, split or run here.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        Self::parse(path, &text)
    }

    /// As [`SqlFile::read`], of a text.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        refuse_foreign_sections(path, text)?;
        let statements = split_text(path, text)?;
        let transaction = transaction_of(path, text, &statements)?;
        let file = Self {
            path: path.to_owned(),
            version: version_of(path),
            transaction,
            risks: Risks::of_sql(statements.iter().map(|one| one.text.as_str())),
            changes: statements.iter().filter_map(Change::of).collect(),
            statements,
        };
        file.refuse_what_cannot_run()?;
        Ok(file)
    }

    /// The rows after this file, given those before.
    pub(super) fn rows_after(&self, mut rows: BTreeSet<String>) -> BTreeSet<String> {
        if self.changes.is_empty() {
            return BTreeSet::from([self.version.clone()]);
        }
        for change in &self.changes {
            change.apply(&mut rows);
        }
        rows
    }

    fn refuse_what_cannot_run(&self) -> Result<()> {
        for statement in &self.statements {
            if let Some(why) = cannot_run(statement) {
                return Err(refused(&self.path, statement.line, why));
            }
            if self.transaction == Transaction::Ours && forbids_transaction(statement) {
                return Err(refused(
                    &self.path,
                    statement.line,
                    "this statement cannot run inside a transaction",
                )
                .hint("make `-- pgbelay: no-transaction` the file's first line, best with this statement alone in it"));
            }
        }
        Ok(())
    }
}

/// A file's text. Errors (`Kind::Refused`): it cannot be read, it is not UTF-8.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path)
        .attempt(|| format!("read {}", path.display()))
        .map_err(|error| error.narrowed(Kind::Refused))?;
    let text = String::from_utf8(bytes).map_err(|_| refused(path, 1, "it is not UTF-8"))?;
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        return Err(refused(path, line, "it holds a NUL character"));
    }
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// The statements of a text. Errors (`Kind::Refused`): the line that cannot be split.
pub(super) fn split_text(path: &Path, text: &str) -> Result<Vec<Statement>> {
    split(text).map_err(|error| refused(path, error.line, &error.why))
}

fn refused(path: &Path, line: usize, why: &str) -> Error {
    Error::refused(format!("read {}", path.display())).because(format!("line {line}: {why}"))
}

fn cannot_run(statement: &Statement) -> Option<&'static str> {
    let copies = statement.starts_with(&["copy"]);
    if copies && (statement.mentions("stdin") || statement.mentions("stdout")) {
        return Some("COPY with stdin or stdout needs psql; use INSERT here");
    }
    None
}

fn forbids_transaction(statement: &Statement) -> bool {
    let concurrently = statement.mentions("concurrently");
    let index = ["create", "drop", "reindex"]
        .iter()
        .any(|verb| statement.starts_with(&[verb]))
        && !statement.mentions("materialized");
    (concurrently && (index || statement.mentions("detach")))
        || statement.starts_with(&["vacuum"])
        || statement.starts_with(&["alter", "system"])
        || ["create", "drop"].iter().any(|verb| {
            statement.starts_with(&[verb, "database"])
                || statement.starts_with(&[verb, "tablespace"])
        })
}

fn transaction_of(path: &Path, text: &str, statements: &[Statement]) -> Result<Transaction> {
    let mut open = None;
    let mut own = false;
    for statement in statements {
        if statement.starts_with(&["begin"]) || statement.starts_with(&["start", "transaction"]) {
            own = true;
            open = Some(statement.line);
        } else if is_end(statement) {
            own = true;
            open = None;
        }
    }
    if let Some(line) = open {
        return Err(refused(
            path,
            line,
            "this transaction is not committed by the end of the file",
        ));
    }
    match (asks_for_none(path, text)?, own) {
        (_, true) => Ok(Transaction::Own),
        (true, false) => Ok(Transaction::None),
        (false, false) => Ok(Transaction::Ours),
    }
}

/// COMMIT, END, ABORT, ROLLBACK without a savepoint; not COMMIT PREPARED.
pub(super) fn is_end(statement: &Statement) -> bool {
    let ends = ["commit", "end", "abort", "rollback"]
        .iter()
        .any(|word| statement.starts_with(&[word]));
    ends && !statement.mentions("to") && !statement.mentions("prepared")
}

/// Looks for `-- pgbelay: no-transaction` among the comment lines that begin the file.
fn asks_for_none(path: &Path, text: &str) -> Result<bool> {
    let mut asked = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let Some(comment) = line.strip_prefix("--") else {
            if line.is_empty() {
                continue;
            }
            break;
        };
        match comment.trim().strip_prefix("pgbelay:").map(str::trim) {
            Some("no-transaction") => asked = true,
            Some(other) => {
                let why = format!("pgbelay knows no instruction {other:?}, only no-transaction");
                return Err(refused(path, index + 1, &why));
            }
            None => {}
        }
    }
    Ok(asked)
}

/// dbmate and goose keep the way up and the way down in one file: running both would undo the
/// migration right after it.
fn refuse_foreign_sections(path: &Path, text: &str) -> Result<()> {
    for (index, line) in text.lines().enumerate() {
        let line: String = line.to_lowercase().split_whitespace().collect();
        if line.starts_with("--migrate:down") || line.starts_with("--+goosedown") {
            return Err(refused(
                path,
                index + 1,
                "this file holds its own way back; running it whole would undo it",
            )
            .hint("run its own tool: pgbelay run -- dbmate up, pgbelay run -- goose up"));
        }
    }
    Ok(())
}

/// The leading numbers of the name (`0003` of `0003_add_jobs.sql`, `20251021_120000` of
/// `20251021_120000_x.sql`), so that a corrected description is still the same file; a name without
/// numbers stands as it is. Never longer than the column.
fn version_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".sql").unwrap_or(&name);
    let stem = stem.strip_suffix(".up").unwrap_or(stem);
    let mut end = 0;
    for piece in stem.split_inclusive(['_', '-', '.']) {
        let number = piece.trim_end_matches(['_', '-', '.']);
        let digits = if end == 0 {
            number.trim_start_matches(['V', 'v'])
        } else {
            number
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        end += piece.len();
    }
    let version = if end == 0 {
        stem
    } else {
        stem[..end].trim_end_matches(['_', '-', '.'])
    };
    let limit = (0..=VERSION_LIMIT.min(version.len()))
        .rev()
        .find(|&at| version.is_char_boundary(at));
    version[..limit.unwrap_or(0)].to_owned()
}

/// Order for people: numbers inside names by their value.
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    while !left.is_empty() && !right.is_empty() {
        let (a, rest_a) = chunk(left);
        let (b, rest_b) = chunk(right);
        let both_numbers = a.starts_with(|c: char| c.is_ascii_digit())
            && b.starts_with(|c: char| c.is_ascii_digit());
        let order = if both_numbers {
            let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        } else {
            a.cmp(b)
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest_a, rest_b);
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

fn chunk(text: &str) -> (&str, &str) {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text
        .find(|c: char| c.is_ascii_digit() != is_number)
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SqlFile> {
        SqlFile::parse(Path::new("dir/0001_x.sql"), text)
    }

    #[test]
    fn who_opens_the_transaction() {
        assert_eq!(parse("SELECT 1").unwrap().transaction, Transaction::Ours);
        let none =
            "-- adds an index\n\n-- pgbelay: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);";
        let file = parse(none).unwrap();
        assert_eq!(file.transaction, Transaction::None);
        assert!(file.risks.concurrently);
        let own = "BEGIN;\nSELECT 1;\nSAVEPOINT s; ROLLBACK TO s;\nCOMMIT;";
        assert_eq!(parse(own).unwrap().transaction, Transaction::Own);
    }

    #[test]
    fn what_cannot_run_is_refused_by_line() {
        for (text, line, word) in [
            (
                "SELECT 1;\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (a);",
                2,
                "transaction",
            ),
            ("\nVACUUM t", 2, "transaction"),
            ("\\set x 1", 1, "psql"),
            ("COPY t FROM stdin;", 1, "COPY"),
            ("\nBEGIN;\nSELECT 1;", 2, "not committed"),
            ("-- pgbelay: no-transactions", 1, "no-transactions"),
            ("SELECT 1;\n-- migrate:down\nDROP TABLE t;", 2, "way back"),
            ("-- +goose Down", 1, "way back"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Refused, "{text}");
            let shown = error.to_string();
            assert!(
                shown.contains(&format!("line {line}:")) && shown.contains(word),
                "{shown}"
            );
        }
    }

    #[test]
    fn ids_are_the_leading_numbers() {
        for (name, id) in [
            ("0003_add_jobs.sql", "0003"),
            ("20251021_120000_full.sql", "20251021_120000"),
            ("V2__users.sql", "V2"),
            ("0003_2fa.sql", "0003"),
            ("0004_x.up.sql", "0004"),
            ("1.2.sql", "1.2"),
            ("users.sql", "users"),
            (
                "a_name_that_is_longer_than_the_column_allows.sql",
                "a_name_that_is_longer_than_the_c",
            ),
        ] {
            assert_eq!(version_of(Path::new(name)), id, "{name}");
        }
    }

    #[test]
    fn numbers_sort_by_value() {
        let mut names = vec![
            "10_b.sql",
            "2_a.sql",
            "002_c.sql",
            "1.sql",
            "b.sql",
            "a.sql",
        ];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            [
                "1.sql",
                "2_a.sql",
                "002_c.sql",
                "10_b.sql",
                "a.sql",
                "b.sql"
            ]
        );
    }
}
