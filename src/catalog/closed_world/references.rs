//! Every reference between catalogs leads somewhere (spec §7.2).
//!
//! The server knows which column refers to which catalog; one query made of that list finds every
//! row whose reference leads nowhere. Such a row would be left out of every join, silently.

use super::understood::{refuse, unknown};
use crate::catalog::entry::Uncovered;
use crate::error::Result;
use crate::pg::{Row, Session, Sql};

/// Rows that are named; a database that has more is hopeless anyway.
const MOST: u32 = 100;

/// One column that refers to another catalog.
struct Reference {
    from: String,
    from_columns: Vec<String>,
    to: String,
    to_columns: Vec<String>,
    is_array: bool,
    may_be_zero: bool,
    named: Option<String>,
}

/// Refuses a database in which a catalog's row refers to one that does not exist. Roles are left to
/// the families: an object without owner has a name and a kind of loss of its own.
///
/// # Errors
/// Server errors; a refusal that names the rows.
pub async fn require_references(session: &Session) -> Result<()> {
    let sql = Sql::constant(include_str!("../sql/references.sql"));
    let rows = session.query(&sql).await?;
    let references: Vec<Reference> = rows.iter().map(reference).collect::<Result<_>>()?;
    let mut query = Sql::default();
    for (number, reference) in references.iter().enumerate() {
        query = query
            .then(if number == 0 { "" } else { " UNION ALL " })
            .sql(&dangling(number, reference));
    }
    let query = query.then(" LIMIT ").number(MOST);
    let found = session.query(&query).await?;
    let odd = found.iter().map(|row| lost(row, &references));
    refuse(&odd.collect::<Result<Vec<Uncovered>>>()?)
}

fn reference(row: &Row) -> Result<Reference> {
    let list = |name: &str| -> Result<Vec<String>> {
        let text = row.text(name)?;
        Ok(text.split(',').map(str::to_owned).collect())
    };
    Ok(Reference {
        from: row.string("from_catalog")?,
        from_columns: list("from_columns")?,
        to: row.string("to_catalog")?,
        to_columns: list("to_columns")?,
        is_array: row.bool("is_array")?,
        may_be_zero: row.bool("is_opt")?,
        named: row.opt_string("named")?,
    })
}

/// `SELECT number, name, value FROM from f WHERE NOT EXISTS (SELECT FROM to p WHERE …)`.
fn dangling(number: usize, reference: &Reference) -> Sql {
    let name = match &reference.named {
        Some(column) => Sql::constant("f.").ident(column),
        None => Sql::constant("f.ctid"),
    };
    let value = value(reference);
    let mut sql = Sql::constant("SELECT ")
        .number(number as u64)
        .then("::integer AS reference, ")
        .sql(&name)
        .then("::text AS name, ")
        .sql(&value)
        .then("::text AS value FROM ")
        .qualified("pg_catalog", &reference.from)
        .then(" f");
    if reference.is_array {
        let array = reference.from_columns.last().map_or("", String::as_str);
        sql = sql
            .then(" CROSS JOIN LATERAL unnest(f.")
            .ident(array)
            .then(") u(element)");
    }
    sql = sql.then(" WHERE ");
    if reference.may_be_zero {
        sql = sql.sql(&value).then(" <> 0 AND ");
    }
    sql.sql(&absent(reference, &value))
}

/// What refers: the last column of the key, or an element of it.
fn value(reference: &Reference) -> Sql {
    match reference.from_columns.last() {
        Some(column) if !reference.is_array => Sql::constant("f.").ident(column),
        _ => Sql::constant("u.element"),
    }
}

fn absent(reference: &Reference, value: &Sql) -> Sql {
    let mut sql = Sql::constant("NOT EXISTS (SELECT FROM ")
        .qualified("pg_catalog", &reference.to)
        .then(" p WHERE ");
    let last = reference.from_columns.len().saturating_sub(1);
    let pairs = reference.to_columns.iter().zip(&reference.from_columns);
    for (place, (to, from)) in pairs.enumerate() {
        sql = sql
            .then(if place == 0 { "p." } else { " AND p." })
            .ident(to)
            .then(" = ");
        sql = if place == last {
            sql.sql(value)
        } else {
            sql.then("f.").ident(from)
        };
    }
    sql.then(")")
}

fn lost(row: &Row, references: &[Reference]) -> Result<Uncovered> {
    let reference = references.get(row.number::<usize>("reference")?);
    let (catalog, columns, to) = reference.map_or(("", String::new(), ""), |reference| {
        (
            reference.from.as_str(),
            reference.from_columns.join(", "),
            reference.to.as_str(),
        )
    });
    let name = row.opt("name")?.unwrap_or_default();
    let value = row.opt("value")?.unwrap_or_default();
    let reason =
        format!("its {columns} says {value}, and {to} has no such row: the catalogs are damaged");
    Ok(unknown(format!("{name} in {catalog}"), catalog, reason))
}
