//! Names of NOT NULL constraints that say no more than the default would (PostgreSQL 18).
//!
//! The default is `<table>_<column>_not_null`, or with a number where another constraint of the schema has that name.
//! So a name is said where it is shared, and whether it is shared depends on other tables, which come and go without
//! any change to this one. For a comparison both are the same.

use std::borrow::Cow;

use super::spelling::{next_character, quoted};

const WORD: &str = "CONSTRAINT ";
const NOT_NULL: &str = " NOT NULL";

/// The text of a table without such names; any other text as it is.
pub(super) fn left_out(text: &str) -> Cow<'_, str> {
    match table_of(text) {
        Some(table) if text.contains(WORD) && text.contains("_not_null") => {
            Cow::Owned(without(text, &table))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Raw name of the table that the text makes.
fn table_of(text: &str) -> Option<String> {
    let after = [
        "CREATE TABLE ",
        "CREATE UNLOGGED TABLE ",
        "CREATE FOREIGN TABLE ",
    ]
    .iter()
    .find_map(|begin| text.strip_prefix(begin))?;
    let (_, schema) = identifier(after)?;
    let name = after.get(schema..)?.strip_prefix('.')?;
    identifier(name).map(|(raw, _)| raw)
}

fn without(text: &str, table: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut at, mut column) = (0, None);
    while at < text.len() {
        let rest = &text[at..];
        if out.ends_with("\n    ") {
            column = identifier(rest).map(|(raw, _)| raw);
        }
        if let Some(length) = usual(rest, table, column.as_deref()) {
            at += length;
            continue;
        }
        let step = quoted(rest).unwrap_or_else(|| next_character(rest));
        out.push_str(&rest[..step]);
        at += step;
    }
    out
}

/// The length of `CONSTRAINT name ` at the beginning of a text, where the name is the default one of the line's column, or
/// of the one that is named after `NOT NULL` where the line has none of its own.
fn usual(rest: &str, table: &str, column: Option<&str>) -> Option<usize> {
    let after = rest.strip_prefix(WORD)?;
    let (name, length) = identifier(after)?;
    let tail = after.get(length..)?.strip_prefix(NOT_NULL)?;
    let of_line = column.filter(|column| *column != WORD.trim_end());
    let column = match of_line {
        Some(column) => column.to_owned(),
        None => identifier(tail.strip_prefix(' ')?)?.0,
    };
    (name == format!("{table}_{column}_not_null")).then_some(WORD.len() + length + 1)
}

/// The raw name that a text begins with, and its length as written.
fn identifier(text: &str) -> Option<(String, usize)> {
    let length = quoted(text)?;
    let written = text.get(..length)?;
    match written.strip_prefix('"') {
        Some(inner) => Some((inner.strip_suffix('"')?.replace("\"\"", "\""), length)),
        None if written.starts_with(['\'', '$']) => None,
        None => Some((written.to_owned(), length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_is_left_out_and_no_other() {
        let said = "CREATE TABLE s.ids (\n    a integer CONSTRAINT ids_a_not_null NOT NULL,\n    \
                    b text DEFAULT 'CONSTRAINT ids_b_not_null NOT NULL' CONSTRAINT ids_c_not_null NOT NULL NO INHERIT,\n    \
                    CONSTRAINT ids_d_not_null NOT NULL d\n);\n";
        let left = "CREATE TABLE s.ids (\n    a integer NOT NULL,\n    \
                    b text DEFAULT 'CONSTRAINT ids_b_not_null NOT NULL' CONSTRAINT ids_c_not_null NOT NULL NO INHERIT,\n    \
                    NOT NULL d\n);\n";
        assert_eq!(left_out(said), left);
        assert_eq!(left_out(left), left);
    }

    #[test]
    fn quoted_names_are_read() {
        let said = "CREATE UNLOGGED TABLE \"S\".\"T\"\"x\" (\n    \"A b\" integer CONSTRAINT \"T\"\"x_A b_not_null\" NOT NULL\n);\n";
        let left = "CREATE UNLOGGED TABLE \"S\".\"T\"\"x\" (\n    \"A b\" integer NOT NULL\n);\n";
        assert_eq!(left_out(said), left);
    }

    #[test]
    fn what_makes_no_table_stays() {
        let view = "CREATE VIEW s.ids AS SELECT 'x\n    a CONSTRAINT ids_a_not_null NOT NULL'";
        assert_eq!(left_out(view), view);
        for broken in [
            "CREATE TABLE ",
            "CREATE TABLE s",
            "CREATE TABLE s.\"t CONSTRAINT _not_null",
        ] {
            assert_eq!(left_out(broken), broken);
        }
    }
}
