//! The database itself: facts and properties (spec §4). Recorded and compared, restored only by
//! `restore --create`.

use std::collections::BTreeMap;

use super::entry::DatabaseProperties;
use crate::error::{Attempt, Result};
use crate::pg::target::Fenced;
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

/// The property that holds the settings of the database and of roles in it.
const SETTINGS: &str = "settings";

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
    if let Some(fenced) = session.fenced() {
        without_fence(&mut properties, fenced)?;
    }
    Ok(DatabaseProperties {
        name: row.string("name")?,
        oid: row.number("oid")?,
        system_identifier: system_identifier(session).await?,
        encoding: row.string("encoding")?,
        properties,
    })
}

/// Shows the settings as they were before a run's fence was put up. A value that is not the fence's
/// was set by somebody since, and stays.
fn without_fence(properties: &mut BTreeMap<String, String>, fenced: &Fenced) -> Result<()> {
    let Some(text) = properties.get(SETTINGS) else {
        return Ok(());
    };
    let attempted = || "read the settings of the database".to_owned();
    let mut lines: Vec<String> = serde_json::from_str(text).attempt(attempted)?;
    let line = |value: &str| format!(": default_transaction_read_only={value}");
    let Some(place) = lines.iter().position(|found| *found == line(&fenced.set)) else {
        return Ok(());
    };
    match &fenced.before {
        Some(before) => lines[place] = line(before),
        None => drop(lines.remove(place)),
    }
    if lines.is_empty() {
        properties.remove(SETTINGS);
    } else {
        let text = serde_json::to_string(&lines).attempt(attempted)?;
        properties.insert(SETTINGS.to_owned(), text);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(settings: &str, before: Option<&str>) -> Option<String> {
        let mut properties = BTreeMap::from([(SETTINGS.to_owned(), settings.to_owned())]);
        let fenced = Fenced {
            set: "on".to_owned(),
            before: before.map(str::to_owned),
        };
        without_fence(&mut properties, &fenced).unwrap();
        properties.remove(SETTINGS)
    }

    #[test]
    fn the_fence_is_no_property_of_the_database() {
        let fence = r#"": default_transaction_read_only=on""#;
        let (other, of_role) = (
            r#"": a.b=\"x\"""#,
            r#""app: default_transaction_read_only=on""#,
        );
        assert_eq!(behind(&format!("[{fence}]"), None), None);
        assert_eq!(
            behind(&format!("[{other},{fence},{of_role}]"), None),
            Some(format!("[{other},{of_role}]"))
        );
        assert_eq!(
            behind(&format!("[{fence},{of_role}]"), Some("FALSE")),
            Some(format!(
                r#"[": default_transaction_read_only=FALSE",{of_role}]"#
            ))
        );
        // Somebody changed it since: that is a difference.
        let changed = r#"[": default_transaction_read_only=off"]"#;
        assert_eq!(behind(changed, None).as_deref(), Some(changed));
    }
}
