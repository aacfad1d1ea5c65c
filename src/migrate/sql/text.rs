//! A statement of an operator's file, for those who run such files without a plan.

use std::path::Path;

use super::file::{is_end, read_text, split_text};
use super::splitter::Statement;
use crate::error::Result;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlText(Statement);

impl SqlText {
    /// The statements of a file. Errors (`Kind::Refused`): it cannot be read or split.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let statements = split_text(path, &read_text(path)?)?;
        Ok(statements.into_iter().map(Self).collect())
    }

    /// Its text without the semicolon.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The line it starts on, from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// Whether it begins, ends or prepares a transaction.
    pub fn controls_transaction(&self) -> bool {
        let first = [
            "begin",
            "start",
            "savepoint",
            "release",
            "prepare",
            "commit",
            "rollback",
        ];
        is_end(&self.0) || first.iter().any(|word| self.0.starts_with(&[word]))
    }
}
