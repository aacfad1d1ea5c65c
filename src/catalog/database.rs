//! The database itself: facts and properties (spec §4). Recorded and compared, restored only by
//! `restore --create`.

use std::collections::BTreeMap;

use super::entry::DatabaseProperties;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// Properties that are text in the catalog and stand in the manifest under the same name.
const PROPERTIES: [&str; 15] = [
    "owner",
    "collate",
    "ctype",
    "locale_provider",
    "locale",
    "icu_rules",
    "collation_version",
    "connection_limit",
    "is_template",
    "allow_connections",
    "tablespace",
    "acl",
    "comment",
    "settings",
    "security_labels",
];

/// Reads the database's own row. An absent value is left out.
pub async fn read(session: &Session) -> Result<DatabaseProperties> {
    let row = session
        .query_one(&Sql::constant(include_str!("sql/database.sql")))
        .await?;
    let mut properties = BTreeMap::new();
    for name in PROPERTIES {
        if let Some(value) = row.opt(name)? {
            properties.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(DatabaseProperties {
        name: row.string("name")?,
        oid: row.number("oid")?,
        system_identifier: system_identifier(session).await?,
        encoding: row.string("encoding")?,
        properties,
    })
}

/// Which cluster this is; empty where the role may not ask. Two questions, because the server
/// checks the right before it evaluates any condition in the same query.
pub async fn system_identifier(session: &Session) -> Result<String> {
    let allowed = Sql::constant(
        "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS yes",
    );
    if !session.query_one(&allowed).await?.bool("yes")? {
        return Ok(String::new());
    }
    let sql = Sql::constant("SELECT system_identifier::text FROM pg_catalog.pg_control_system()");
    session.query_one(&sql).await?.string("system_identifier")
}
