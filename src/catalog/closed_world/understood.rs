//! Whether the catalogs are those that this version was written for (spec §7.1, §7.2).
//!
//! Asked before anything else is read: where a column, a letter or the sum of some rows is not as it
//! must be, nobody can say what the rest of a reading would mean. So nothing found here can be
//! accepted, and a reading ends with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::entry::Uncovered;
use crate::catalog::loss::{AcceptedLosses, Loss};
use crate::catalog::source::Source;
use crate::error::Result;
use crate::pg::Sql;

/// The catalogs' columns per major, as initdb makes them; minor releases change nothing there.
const SHAPES: [(u32, &str); 5] = [
    (14, include_str!("../shape/14.txt")),
    (15, include_str!("../shape/15.txt")),
    (16, include_str!("../shape/16.txt")),
    (17, include_str!("../shape/17.txt")),
    (18, include_str!("../shape/18.txt")),
];

/// Columns with their types, by catalog.
type Shape = BTreeMap<String, BTreeSet<String>>;

/// Whether the columns of a major's catalogs are known.
pub fn knows_shape(major: u32) -> bool {
    shape_of(major).is_some()
}

/// Refuses a server or database whose catalogs are not understood, by the names of what is odd.
pub(in crate::catalog) async fn require(source: &Source<'_>) -> Result<()> {
    let mut odd = odd_shape(source).await?;
    if odd.is_empty() {
        odd = odd_letters(source).await?;
        odd.extend(odd_accounts(source).await?);
    }
    refuse(&odd)
}

/// Refuses what is odd; nothing of it can be accepted.
pub(super) fn refuse(odd: &[Uncovered]) -> Result<()> {
    let attempt = "read the database's catalogs";
    AcceptedLosses::default().require(odd, attempt)
}

/// Something that this version does not understand.
pub(super) fn unknown(
    description: impl Into<String>,
    catalog: &str,
    reason: impl Into<String>,
) -> Uncovered {
    Uncovered {
        loss: Loss::UnknownCatalog,
        description: description.into(),
        catalog: catalog.to_owned(),
        reason: reason.into(),
        drop: None,
    }
}

fn shape_of(major: u32) -> Option<&'static str> {
    let known = SHAPES.iter().find(|(known, _)| *known == major);
    known.map(|(_, text)| *text)
}

async fn odd_shape(source: &Source<'_>) -> Result<Vec<Uncovered>> {
    let Some(expected) = shape_of(source.version().major()) else {
        return Ok(Vec::new());
    };
    let sql = Sql::constant(include_str!("../sql/shape.sql"));
    let mut found = Shape::new();
    for row in source.query(&sql).await? {
        found.insert(row.string("catalog")?, columns(row.text("columns")?));
    }
    Ok(differences(&parse(expected), &found))
}

fn parse(text: &str) -> Shape {
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines
        .map(|(catalog, list)| (catalog.to_owned(), columns(list)))
        .collect()
}

fn columns(list: &str) -> BTreeSet<String> {
    list.split(", ").map(str::to_owned).collect()
}

fn differences(expected: &Shape, found: &Shape) -> Vec<Uncovered> {
    let none = BTreeSet::new();
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let mut odd = Vec::new();
    for name in names {
        let reason = match (expected.get(name), found.get(name)) {
            (None, _) => {
                "PostgreSQL of this major has no such catalog: a fork of it, or changed by hand"
            }
            (_, None) => "this server lacks a catalog that PostgreSQL of this major has",
            _ => "",
        };
        if !reason.is_empty() {
            odd.push(unknown(format!("catalog {name}"), name, reason));
            continue;
        }
        let (known, there) = (
            expected.get(name).unwrap_or(&none),
            found.get(name).unwrap_or(&none),
        );
        let extra = there.difference(known);
        odd.extend(extra.map(|column| {
            let reason = "PostgreSQL of this major has no such column";
            unknown(format!("column {name}.{column}"), name, reason)
        }));
        let missing = known.difference(there);
        odd.extend(missing.map(|column| {
            let reason = "this server lacks a column that PostgreSQL of this major has";
            unknown(format!("column {name}.{column}"), name, reason)
        }));
    }
    odd
}

async fn odd_letters(source: &Source<'_>) -> Result<Vec<Uncovered>> {
    let sql = Sql::constant(include_str!("../sql/letters.sql"));
    let rows = source.query(&sql).await?;
    rows.iter()
        .map(|row| {
            let catalog = row.text("catalog")?;
            let letter = row.opt("letter")?.unwrap_or_default();
            let reason = format!(
                "its {} is {letter:?}, which this version does not know",
                row.text("field")?
            );
            Ok(unknown(
                format!("{} in {catalog}", row.text("object")?),
                catalog,
                reason,
            ))
        })
        .collect()
}

async fn odd_accounts(source: &Source<'_>) -> Result<Vec<Uncovered>> {
    let sql = Sql::constant(include_str!("../sql/accounts.sql"));
    let rows = source.query(&sql).await?;
    rows.iter()
        .map(|row| {
            let catalog = row.text("catalog")?;
            Ok(unknown(
                row.text("object")?,
                catalog,
                format!("{}: the catalogs are damaged", row.text("reason")?),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_major_has_its_shape() {
        for (major, text) in SHAPES {
            let shape = parse(text);
            assert_eq!(shape.len(), text.lines().count(), "{major}");
            assert!(shape["pg_class"].contains("relkind \"char\""), "{major}");
            assert!(shape.contains_key("pg_authid (shared)"), "{major}");
            assert!(knows_shape(major));
        }
        assert!(!knows_shape(13) && !knows_shape(19));
        // What came with a major tells the lists apart (spec §1.4).
        let has = |major, catalog: &str, column: &str| {
            let shape = parse(shape_of(major).unwrap());
            shape
                .get(catalog)
                .is_some_and(|columns| columns.contains(column))
        };
        for major in 14..=18 {
            assert_eq!(
                has(major, "pg_index", "indnullsnotdistinct boolean"),
                major >= 15
            );
            assert_eq!(has(major, "pg_collation", "collicurules text"), major >= 16);
            assert_eq!(
                has(major, "pg_database (shared)", "datlocale text"),
                major >= 17
            );
            assert_eq!(
                has(major, "pg_constraint", "conperiod boolean"),
                major >= 18
            );
        }
    }

    #[test]
    fn what_is_more_and_what_is_less_is_named() {
        let expected = parse("pg_a: x oid, y text\npg_b: z oid\n");
        assert!(differences(&expected, &expected).is_empty());
        let found = parse("pg_a: x oid, y integer, more text\npg_c: z oid\n");
        let odd = differences(&expected, &found);
        let named: Vec<&str> = odd
            .iter()
            .map(|object| object.description.as_str())
            .collect();
        assert_eq!(
            named,
            [
                "column pg_a.more text",
                "column pg_a.y integer",
                "column pg_a.y text",
                "catalog pg_b",
                "catalog pg_c"
            ]
        );
        assert!(
            refuse(&odd)
                .unwrap_err()
                .to_string()
                .contains("catalog pg_c (unknown-catalog)")
        );
    }
}
