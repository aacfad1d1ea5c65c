//! Tables shaped like Alembic's version table, wherever they are and whatever they are called.

use super::entry::VersionTable;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// Reads every such table that this role may read, with its rows, sorted: two queries.
pub async fn read(session: &Session) -> Result<Vec<VersionTable>> {
    let found = session
        .query(&Sql::constant(include_str!("sql/version_tables.sql")))
        .await?;
    let mut tables = Vec::with_capacity(found.len());
    for row in &found {
        tables.push(VersionTable {
            schema: row.string("schema")?,
            name: row.string("name")?,
            revisions: Vec::new(),
            place: row.opt_number("place")?,
        });
    }
    if tables.is_empty() {
        return Ok(tables);
    }
    for row in session.query(&rows_query(&tables)).await? {
        let place: usize = row.number("place")?;
        if let Some(table) = tables.get_mut(place) {
            table.revisions.push(row.string("version_num")?);
        }
    }
    // Here and not by the server, whose order depends on the database's collation.
    for table in &mut tables {
        table.revisions.sort();
    }
    Ok(tables)
}

fn rows_query(tables: &[VersionTable]) -> Sql {
    let mut sql = Sql::default();
    for (place, table) in tables.iter().enumerate() {
        if place > 0 {
            sql = sql.then(" UNION ALL ");
        }
        sql = sql
            .then("SELECT ")
            .number(i64::try_from(place).unwrap_or(i64::MAX))
            .then(" AS place, version_num FROM ONLY ")
            .qualified(&table.schema, &table.name)
            .then(" WHERE version_num IS NOT NULL");
    }
    sql
}
