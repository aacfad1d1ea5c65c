//! Every reference between catalogs leads somewhere (spec §7.2).
//!
//! The server knows which column refers to which catalog; one query made of that list finds every
//! row whose reference leads nowhere. Such a row would be left out of every join, silently.

use std::collections::BTreeMap;

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
    let found = session.query(&dangling(&references)).await?;
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

/// One search for each key that is referred to: hundreds of joins, one for each reference, would
/// take the server longer to plan than to run.
fn dangling(references: &[Reference]) -> Sql {
    let mut by_target: BTreeMap<(&str, &[String]), Vec<Sql>> = BTreeMap::new();
    for (number, reference) in references.iter().enumerate() {
        let target = (reference.to.as_str(), reference.to_columns.as_slice());
        let queries = by_target.entry(target).or_default();
        queries.push(referring(number, reference));
    }
    let searches = by_target
        .iter()
        .map(|((to, columns), queries)| without_target(to, columns, &union_all(queries)));
    let searches: Vec<Sql> = searches.collect();
    union_all(&searches).then(" LIMIT ").number(MOST)
}

fn union_all(queries: &[Sql]) -> Sql {
    let mut sql = Sql::default();
    for (place, query) in queries.iter().enumerate() {
        sql = sql
            .then(if place == 0 { "" } else { " UNION ALL " })
            .sql(query);
    }
    sql
}

/// Rows of `referring` whose keys `to` does not have; the last key is the one to show.
fn without_target(to: &str, columns: &[String], referring: &Sql) -> Sql {
    let mut sql =
        Sql::constant("SELECT v.reference, coalesce(v.name::text, v.place::text) AS name, v.key")
            .number(columns.len().saturating_sub(1) as u64)
            .then("::text AS value FROM (")
            .sql(referring)
            .then(") v WHERE NOT EXISTS (SELECT FROM ")
            .qualified("pg_catalog", to)
            .then(" p");
    for (place, column) in columns.iter().enumerate() {
        sql = sql
            .then(if place == 0 { " WHERE p." } else { " AND p." })
            .ident(column)
            .then(" = v.key")
            .number(place as u64);
    }
    sql.then(")")
}

/// Every reference that a column makes: its number, the row's name and place, the keys. Neither becomes
/// text here: there are millions of references, and a handful at most that lead nowhere.
fn referring(number: usize, reference: &Reference) -> Sql {
    let mut sql = Sql::constant("SELECT ")
        .number(number as u64)
        .then(" AS reference, ")
        .sql(&match &reference.named {
            Some(column) => Sql::constant("f.").ident(column),
            None => Sql::constant("NULL::pg_catalog.name"),
        })
        .then(" AS name, f.ctid AS place");
    let last = reference.from_columns.len().saturating_sub(1);
    for (place, column) in reference.from_columns.iter().enumerate() {
        let key = match reference.is_array && place == last {
            true => Sql::constant("u.element"),
            false => Sql::constant("f.").ident(column),
        };
        // Keys are an OID, or an OID and the number of a column.
        sql = sql
            .then(", ")
            .sql(&key)
            .then(if place == 0 {
                "::oid AS key"
            } else {
                "::int2 AS key"
            })
            .number(place as u64);
    }
    sql = sql
        .then(" FROM ")
        .qualified("pg_catalog", &reference.from)
        .then(" f");
    let Some(column) = reference.from_columns.last() else {
        return sql;
    };
    if reference.is_array {
        sql = sql
            .then(" CROSS JOIN LATERAL unnest(f.")
            .ident(column)
            .then(") u(element)");
    }
    match (reference.may_be_zero, reference.is_array) {
        (false, _) => sql,
        (true, true) => sql.then(" WHERE u.element <> 0"),
        (true, false) => sql.then(" WHERE f.").ident(column).then(" <> 0"),
    }
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
