//! The only way SQL text comes into being.
//!
//! [`Sql`] is made from constants, from quoted names and literals, and from text that the server
//! itself deparsed or quoted ([`Sql::deparsed`]). Nothing formats a bare string into a statement.
//! Names are always quoted here; names in entries come quoted by the server's `quote_ident`,
//! whose keyword list fits its major.

use std::borrow::Cow;
use std::fmt;

/// One or more SQL statements that are safe to send.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Sql(Cow<'static, str>);

impl Sql {
    /// Text known at compile time, `include_str!` of a `.sql` file among it.
    pub const fn constant(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Text that the server produced under the pinned settings (`pg_get_viewdef`,
    /// `quote_ident` …) or that was assembled from such pieces by `catalog/` and kept in an
    /// archive whose hashes were checked.
    pub fn deparsed(text: impl Into<String>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// SQL that the operator wrote and asked us to run: migration files, verification queries.
    pub fn operator(text: &str) -> Self {
        Self(Cow::Owned(text.to_owned()))
    }

    /// The text to send.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Appends constant text.
    #[must_use]
    pub fn then(mut self, text: &'static str) -> Self {
        self.0.to_mut().push_str(text);
        self
    }

    /// Appends an identifier, quoted.
    #[must_use]
    pub fn ident(mut self, name: &str) -> Self {
        self.0.to_mut().push_str(&quote_ident(name));
        self
    }

    /// Appends `schema.name`, both quoted.
    #[must_use]
    pub fn qualified(self, schema: &str, name: &str) -> Self {
        self.ident(schema).then(".").ident(name)
    }

    /// Appends a string literal.
    #[must_use]
    pub fn literal(mut self, value: &str) -> Self {
        self.0.to_mut().push_str(&quote_literal(value));
        self
    }

    /// Appends a number.
    #[must_use]
    pub fn number(mut self, value: impl Into<i128>) -> Self {
        let value: i128 = value.into();
        self.0.to_mut().push_str(&value.to_string());
        self
    }

    /// Appends other safe text.
    #[must_use]
    pub fn sql(mut self, other: &Sql) -> Self {
        self.0.to_mut().push_str(&other.0);
        self
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Quotes a name always: keyword lists differ between majors, quotes do not.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a string for `standard_conforming_strings` on or off: with a backslash inside it
/// becomes an `E''` string.
pub fn quote_literal(value: &str) -> String {
    let doubled = value.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_are_quoted() {
        let sql = Sql::constant("DROP TABLE ").qualified("we\"ird", "a b");
        assert_eq!(sql.text(), "DROP TABLE \"we\"\"ird\".\"a b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b'"), "E'a\\\\b'''");
    }
}
