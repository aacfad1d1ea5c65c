//! What an archive leaves to extensions and CREATE EXTENSION, told before anything relies on it (spec
//! §1.9.4, §1.9.6): rows of members that are not declared as configuration (whether somebody added
//! any to the extension's own nobody can tell, so every such table that has rows is named), and who
//! an extension belongs to.

use crate::error::Result;
use crate::pg::{Row, Session, Sql};

/// Lock not available.
const LOCKED: &str = "55P03";

/// A line for each table of an extension whose rows are in no archive, unless it is empty.
///
/// # Errors
/// Server errors.
pub async fn rows_left_to_extensions(session: &Session) -> Result<Vec<String>> {
    let sql = Sql::constant(include_str!("sql/member_tables.sql"));
    let tables = session.query(&sql).await?;
    let mut lines = Vec::new();
    let mut readable = Vec::new();
    for table in &tables {
        if table.bool("readable")? {
            readable.push(table);
        } else {
            lines.push(line(table, "rows, if there are any,")?);
        }
    }
    if readable.is_empty() {
        return Ok(lines);
    }
    match look(session, &filled(&readable)?).await {
        Ok(places) => {
            let found = places.iter().filter_map(|place| readable.get(*place));
            let found: Result<Vec<String>> = found.map(|table| line(table, "rows")).collect();
            lines.extend(found?);
        }
        Err(error) if error.sqlstate() == Some(LOCKED) => {
            for table in readable {
                lines.push(line(table, "rows, if there are any,")?);
            }
        }
        Err(error) => return Err(error),
    }
    Ok(lines)
}

/// Places of the tables that have rows; nobody's lock is waited for.
async fn look(session: &Session, query: &Sql) -> Result<Vec<usize>> {
    let begin = Sql::constant("BEGIN READ ONLY; SET LOCAL lock_timeout = '1s'");
    session.execute(&begin).await?;
    let rows = session.query(query).await;
    session.execute(&Sql::constant("ROLLBACK")).await?;
    rows?.iter().map(|row| row.number("place")).collect()
}

/// A line for each role that owns extensions and is not this session's.
///
/// # Errors
/// Server errors.
pub async fn owners_of_extensions(session: &Session) -> Result<Vec<String>> {
    let sql = Sql::constant(include_str!("sql/extension_owners.sql"));
    let rows = session.query(&sql).await?;
    let lines = rows.iter().map(|row| {
        let (owner, extensions) = (row.text("owner")?, row.text("extensions")?);
        Ok(format!(
            "extensions of {owner}: {extensions}; made again by another role they belong to that role"
        ))
    });
    lines.collect()
}

fn line(table: &Row, rows: &str) -> Result<String> {
    let (schema, name) = (table.text("schema")?, table.text("name")?);
    let extension = table.text("extension")?;
    Ok(format!(
        "{rows} of table {schema}.{name} are left to the extension {extension}, which does not call them configuration"
    ))
}

/// The places of those that have rows.
fn filled(tables: &[&Row]) -> Result<Sql> {
    let mut sql = Sql::default();
    for (place, table) in tables.iter().enumerate() {
        sql = sql
            .then(if place == 0 {
                "SELECT "
            } else {
                " UNION ALL SELECT "
            })
            .number(i64::try_from(place).unwrap_or(i64::MAX))
            .then(" AS place WHERE EXISTS (SELECT FROM ONLY ")
            .qualified(table.text("schema")?, table.text("name")?)
            .then(")");
    }
    Ok(sql.then(" ORDER BY place"))
}
