//! A row of text values, read by column name.
//!
//! Catalog queries go over the simple protocol, so every value is text or null; the accessors
//! parse and name the column and the query when a value is not what the query promised.
//! Arrays come as JSON (`to_json(array)`), so no array parser is needed.

use std::sync::Arc;

use crate::error::{Error, Result};

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row {
    pub(super) columns: Arc<[String]>,
    pub(super) values: Vec<Option<String>>,
}

impl Row {
    /// A row made by hand, for tests of code that reads rows.
    pub fn from_pairs(pairs: &[(&str, Option<&str>)]) -> Self {
        Self {
            columns: pairs.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: pairs
                .iter()
                .map(|(_, value)| value.map(str::to_owned))
                .collect(),
        }
    }

    /// All values with their columns' names, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let names = self.columns.iter().map(String::as_str);
        names.zip(self.values.iter().map(Option::as_deref))
    }

    /// Whether the query gives this column at all.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    /// The value, null as `None`.
    pub fn opt(&self, column: &str) -> Result<Option<&str>> {
        let index = self
            .columns
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| broken(column, "there is no such column"))?;
        Ok(self.values.get(index).and_then(Option::as_deref))
    }

    /// The value as text.
    pub fn text(&self, column: &str) -> Result<&str> {
        self.opt(column)?
            .ok_or_else(|| broken(column, "it is null"))
    }

    /// The value as owned text.
    pub fn string(&self, column: &str) -> Result<String> {
        self.text(column).map(str::to_owned)
    }

    /// The value as owned text, null as `None`.
    pub fn opt_string(&self, column: &str) -> Result<Option<String>> {
        Ok(self.opt(column)?.map(str::to_owned))
    }

    /// A boolean (`t` or `f`).
    pub fn bool(&self, column: &str) -> Result<bool> {
        match self.text(column)? {
            "t" | "true" => Ok(true),
            "f" | "false" => Ok(false),
            other => Err(broken(column, &format!("{other:?} is no boolean"))),
        }
    }

    /// A one-character code (`"char"` columns).
    pub fn letter(&self, column: &str) -> Result<char> {
        let text = self.text(column)?;
        text.chars()
            .next()
            .ok_or_else(|| broken(column, "it is empty"))
    }

    /// A number of any parsable type: `row.number::<u32>("oid")`.
    pub fn number<T: std::str::FromStr>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        text.parse()
            .map_err(|_| broken(column, &format!("{text:?} is not the number expected")))
    }

    /// A number, null as `None`.
    pub fn opt_number<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>> {
        match self.opt(column)? {
            None => Ok(None),
            Some(_) => self.number(column).map(Some),
        }
    }

    /// A JSON value: arrays and records that the query wrapped with `to_json`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        serde_json::from_str(text).map_err(|error| broken(column, &error.to_string()))
    }

    /// A JSON array of strings; null is the empty list.
    pub fn list(&self, column: &str) -> Result<Vec<String>> {
        match self.opt(column)? {
            None => Ok(Vec::new()),
            Some(_) => self.json(column),
        }
    }
}

fn broken(column: &str, why: &str) -> Error {
    Error::operation(format!("read the column {column:?} of a query's result")).because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_by_name() {
        let row = Row::from_pairs(&[
            ("oid", Some("16384")),
            ("acl", Some("[\"a=r/b\"]")),
            ("x", None),
        ]);
        assert_eq!(row.number::<u32>("oid").unwrap(), 16384);
        assert_eq!(row.list("acl").unwrap(), ["a=r/b"]);
        assert_eq!(row.opt("x").unwrap(), None);
        assert!(row.text("x").is_err());
        assert!(row.text("missing").is_err());
    }
}
