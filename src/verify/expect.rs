//! `--expect FILE`: tables, columns with type and nullability, and indexes that must be there.
//!
//! Written by `schema --format expect`, and short enough to be written by hand: type, nullability
//! and index definition may be left out. What the database has besides is fine.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::error::{Attempt, Error, Kind, Result};
use crate::pg::{Row, Session, Sql};

/// The version of the file's form.
const FORMAT: u32 = 1;
/// How many differences one detail names; the rest is counted.
const SHOWN_LIMIT: usize = 20;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// 1.
    pub format: u32,
    /// Tables (or views) that must be there.
    pub tables: Vec<ExpectedTable>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedTable {
    /// Schema, raw; `public` when left out.
    #[serde(default = "public")]
    pub schema: String,
    /// Name, raw.
    pub name: String,
    /// Columns that must be there.
    #[serde(default)]
    pub columns: Vec<ExpectedColumn>,
    /// Indexes that must be there.
    #[serde(default)]
    pub indexes: Vec<ExpectedIndex>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedColumn {
    /// Name, raw.
    pub name: String,
    /// Type as the server names it (`character varying(200)`; `varchar(200)` is understood).
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    /// Whether it may be null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nullable: Option<bool>,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedIndex {
    /// Name, raw.
    pub name: String,
    /// `pg_get_indexdef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

fn public() -> String {
    "public".to_owned()
}

/// A table as it is.
struct ActualTable {
    table: ExpectedTable,
    is_own_table: bool,
}

impl Expectation {
    /// Reads a file. Errors (`Kind::Refused`): it cannot be read or is no such file.
    pub fn read(path: &Path) -> Result<Self> {
        let attempted = || format!("read the expected schema {}", path.display());
        let text = std::fs::read_to_string(path)
            .attempt(attempted)
            .map_err(|error| error.narrowed(Kind::Refused))?;
        let expectation: Self = serde_json::from_str(&text)
            .attempt(attempted)
            .map_err(|error| error.narrowed(Kind::Refused).hint(WRITE_ONE))?;
        if expectation.format != FORMAT {
            return Err(Error::refused(attempted()).because(format!(
                "its format is {}, known is {FORMAT}",
                expectation.format
            )));
        }
        Ok(expectation)
    }

    /// What the database has now: its own tables, without those of extensions.
    pub async fn of_database(session: &Session) -> Result<Self> {
        let tables = actual(session).await?;
        let own = tables.into_iter().filter(|one| one.is_own_table);
        Ok(Self {
            format: FORMAT,
            tables: own.map(|one| one.table).collect(),
        })
    }

    /// The file's text, ending with a newline.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self)
            .attempt(|| "write the expected schema as JSON".to_owned())?;
        Ok(text + "\n")
    }
}

const WRITE_ONE: &str = "`pgbelay schema --format expect > expect.json` writes one";

/// Compares the file with the database.
pub(super) async fn check(session: &Session, path: &Path) -> Result<Outcome> {
    let expectation = Expectation::read(path)?;
    Ok(judge(&expectation, &actual(session).await?))
}

async fn actual(session: &Session) -> Result<Vec<ActualTable>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/tables.sql")))
        .await?;
    rows.iter().map(table_of).collect()
}

fn table_of(row: &Row) -> Result<ActualTable> {
    Ok(ActualTable {
        table: ExpectedTable {
            schema: row.string("schema")?,
            name: row.string("name")?,
            columns: row.json("columns")?,
            indexes: row.json("indexes")?,
        },
        is_own_table: row.bool("is_own_table")?,
    })
}

fn judge(expectation: &Expectation, actual: &[ActualTable]) -> Outcome {
    let mut differences = Vec::new();
    for expected in &expectation.tables {
        let name = format!("table {}.{}", expected.schema, expected.name);
        let found = actual
            .iter()
            .find(|one| one.table.schema == expected.schema && one.table.name == expected.name);
        match found {
            None => differences.push(format!("{name} is missing")),
            Some(found) => compare(&name, expected, &found.table, &mut differences),
        }
    }
    if differences.is_empty() {
        return Outcome::Passed(counts(expectation));
    }
    let more = differences.len().saturating_sub(SHOWN_LIMIT);
    differences.truncate(SHOWN_LIMIT);
    let mut detail = differences.join("; ");
    if more > 0 {
        detail.push_str(&format!("; and {more} more"));
    }
    Outcome::Failed(detail)
}

fn counts(expectation: &Expectation) -> String {
    let columns: usize = expectation
        .tables
        .iter()
        .map(|table| table.columns.len())
        .sum();
    let indexes: usize = expectation
        .tables
        .iter()
        .map(|table| table.indexes.len())
        .sum();
    format!(
        "Tables verified: {}, columns checked: {columns}, indexes checked: {indexes}",
        expectation.tables.len()
    )
}

fn compare(
    name: &str,
    expected: &ExpectedTable,
    found: &ExpectedTable,
    differences: &mut Vec<String>,
) {
    for column in &expected.columns {
        match found.columns.iter().find(|one| one.name == column.name) {
            None => differences.push(format!("{name}: missing column {}", column.name)),
            Some(one) => compare_column(name, column, one, differences),
        }
    }
    for index in &expected.indexes {
        match found.indexes.iter().find(|one| one.name == index.name) {
            None => differences.push(format!("{name}: missing index {}", index.name)),
            Some(one) => match (&index.definition, &one.definition) {
                (Some(wanted), Some(is)) if wanted != is => differences.push(format!(
                    "{name}: index {} is `{is}`, expected `{wanted}`",
                    index.name
                )),
                _ => {}
            },
        }
    }
}

fn compare_column(
    name: &str,
    expected: &ExpectedColumn,
    found: &ExpectedColumn,
    differences: &mut Vec<String>,
) {
    let is = found.data_type.as_deref().unwrap_or_default();
    if let Some(wanted) = &expected.data_type
        && !same_type(wanted, is)
    {
        differences.push(format!(
            "{name}: column {} is {is}, expected {wanted}",
            expected.name
        ));
    }
    match (expected.nullable, found.nullable) {
        (Some(true), Some(false)) => {
            differences.push(format!(
                "{name}: column {} is NOT NULL, expected nullable",
                expected.name
            ));
        }
        (Some(false), Some(true)) => {
            differences.push(format!(
                "{name}: column {} is nullable, expected NOT NULL",
                expected.name
            ));
        }
        _ => {}
    }
}

/// Names that people write, and the server's own.
const ALIASES: [(&str, &str); 18] = [
    ("varchar", "character varying"),
    ("char varying", "character varying"),
    ("char", "character"),
    ("int", "integer"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("int2", "smallint"),
    ("bool", "boolean"),
    ("decimal", "numeric"),
    ("dec", "numeric"),
    ("float", "double precision"),
    ("float8", "double precision"),
    ("float4", "real"),
    ("varbit", "bit varying"),
    ("timestamptz", "timestamp with time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timetz", "time with time zone"),
    ("time", "time without time zone"),
];

/// Types whose names may be written in capitals and whose modifiers are known; whatever else there is comes as the server says it.
const BUILT_IN: [&str; 34] = [
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "date",
    "double precision",
    "inet",
    "integer",
    "interval",
    "json",
    "jsonb",
    "macaddr",
    "money",
    "name",
    "numeric",
    "oid",
    "point",
    "real",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "tsquery",
    "tsvector",
    "uuid",
    "xml",
    "daterange",
    "tstzrange",
];

fn same_type(wanted: &str, is: &str) -> bool {
    let wanted = wanted.trim();
    let fits =
        |name: &str| name == is || is.strip_prefix("public.").is_some_and(|bare| bare == name);
    fits(wanted) || long_name(wanted).is_some_and(|long| fits(&long))
}

/// The server's name for a built-in type as people write it: `VARCHAR (20)[]` → `character varying(20)[]`.
fn long_name(name: &str) -> Option<String> {
    let (scalar, array) = match name.split_once('[') {
        Some((scalar, _)) => (scalar, "[]"),
        None => (name, ""),
    };
    // Modifiers may stand inside: `timestamp(3) with time zone`.
    let (words, modifiers) = match scalar.split_once('(') {
        Some((before, rest)) => {
            let (inside, after) = rest.split_once(')')?;
            let inside: String = inside.chars().filter(|one| !one.is_whitespace()).collect();
            (format!("{before} {after}"), Some(inside))
        }
        None => (scalar.to_owned(), None),
    };
    let words = words.to_lowercase();
    let short = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let alias = ALIASES.iter().find(|(name, _)| *name == short);
    let long = alias.map_or(short.as_str(), |(_, long)| *long);
    if !BUILT_IN.contains(&long) {
        return None;
    }
    let modifiers = match (short.as_str(), long, modifiers) {
        // The precision of bits chooses the type.
        ("float", _, Some(bits)) => {
            let is_single = bits.parse::<u32>().ok()? <= 24;
            return Some(format!(
                "{}{array}",
                if is_single {
                    "real"
                } else {
                    "double precision"
                }
            ));
        }
        // What the standard adds where nothing is said.
        (_, "character" | "bit", None) => "(1)".to_owned(),
        (_, "numeric", Some(precision)) if !precision.contains(',') => format!("({precision},0)"),
        (_, _, Some(modifiers)) => format!("({modifiers})"),
        (_, _, None) => String::new(),
    };
    Some(match long.split_once(' ') {
        Some((word @ ("timestamp" | "time"), zone)) => format!("{word}{modifiers} {zone}{array}"),
        _ => format!("{long}{modifiers}{array}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(text: &str) -> Expectation {
        serde_json::from_str(text).unwrap()
    }

    fn actual(text: &str) -> Vec<ActualTable> {
        let own = expectation(text).tables.into_iter();
        own.map(|table| ActualTable {
            table,
            is_own_table: true,
        })
        .collect()
    }

    const DATABASE: &str = r#"{"format":1,"tables":[{"schema":"public","name":"songs","columns":[
        {"name":"id","type":"integer","nullable":false},
        {"name":"title","type":"character varying(200)","nullable":true},
        {"name":"mood","type":"public.mood","nullable":true}],
        "indexes":[{"name":"songs_pkey","definition":"CREATE UNIQUE INDEX songs_pkey ON public.songs USING btree (id)"}]}]}"#;

    fn judged(text: &str) -> Result<String, String> {
        match judge(&expectation(text), &actual(DATABASE)) {
            Outcome::Passed(detail) => Ok(detail),
            Outcome::Failed(detail) => Err(detail),
        }
    }

    #[test]
    fn what_is_expected_is_counted() {
        let short = r#"{"format":1,"tables":[{"name":"songs","columns":[{"name":"id"},
            {"name":"title","type":"varchar(200)"},{"name":"mood","type":"mood"}],"indexes":[{"name":"songs_pkey"}]}]}"#;
        assert_eq!(
            judged(short).unwrap(),
            "Tables verified: 1, columns checked: 3, indexes checked: 1"
        );
        assert!(judged(DATABASE).is_ok());
    }

    #[test]
    fn types_are_called_as_people_call_them() {
        for (written, is) in [
            ("INTEGER", "integer"),
            ("TEXT[]", "text[]"),
            ("numeric(10, 2)", "numeric(10,2)"),
            ("NUMERIC(10)", "numeric(10,0)"),
            ("CHARACTER VARYING (20)", "character varying(20)"),
            ("timestamptz(3)", "timestamp(3) with time zone"),
            ("timestamp(3) with time zone", "timestamp(3) with time zone"),
            ("timestamp(3)", "timestamp(3) without time zone"),
            ("Timestamp", "timestamp without time zone"),
            ("time", "time without time zone"),
            ("varbit(5)", "bit varying(5)"),
            ("char", "character(1)"),
            ("varchar(20)[]", "character varying(20)[]"),
            ("mood", "public.mood"),
            ("interval day to second(3)", "interval day to second(3)"),
            ("\"char\"", "\"char\""),
            ("public.geometry(Point,4326)", "public.geometry(Point,4326)"),
            ("geometry(Point,4326)", "public.geometry(Point,4326)"),
            ("FLOAT", "double precision"),
            ("float(24)", "real"),
            ("float(53)[]", "double precision[]"),
            ("s.\"Mood\"", "s.\"Mood\""),
        ] {
            assert!(
                same_type(written, is),
                "{written}: {:?}",
                long_name(written)
            );
        }
        assert!(!same_type("timestamp", "timestamp with time zone"));
        assert!(!same_type("varchar(20)", "character varying(21)"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let text = r#"{"format":1,"tables":[{"name":"songs","columns":[{"name":"sketch_id"},
            {"name":"id","type":"bigint","nullable":true}],"indexes":[{"name":"ix"}]},{"schema":"x","name":"y"}]}"#;
        assert_eq!(
            judged(text).unwrap_err(),
            "table public.songs: missing column sketch_id; \
             table public.songs: column id is integer, expected bigint; \
             table public.songs: column id is NOT NULL, expected nullable; \
             table public.songs: missing index ix; table x.y is missing"
        );
    }

    #[test]
    fn a_misspelt_member_is_refused() {
        let text = r#"{"format":1,"tables":[{"name":"songs","colums":[]}]}"#;
        assert!(serde_json::from_str::<Expectation>(text).is_err());
    }
}
