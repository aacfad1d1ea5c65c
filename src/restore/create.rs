//! CREATE DATABASE with the encoding and locale that an archive's database had (spec §4).

use std::collections::BTreeMap;

use super::properties::set_properties;
use crate::archive::Manifest;
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// Creates an empty database called `name` like the one that the archive was taken from: locale,
/// settings, grants, comment. `maintenance` is connected to another database of the same server.
///
/// The recorded owner gets it where the connected role may give it away, else the connected role
/// keeps it. What exists already is refused by the server. A database whose properties could not
/// be set is removed again.
pub async fn create_database(maintenance: &Session, name: &str, manifest: &Manifest) -> Result<()> {
    let sql = creation(name, manifest);
    maintenance.execute(&sql).await.map_err(|error| {
        let reason = error.reason().unwrap_or_default();
        Error::refused(format!("create the database {name}"))
            .because(reason)
            .now("nothing was changed")
    })?;
    let result = dress(maintenance, name, manifest).await;
    if result.is_err() {
        drop_database(maintenance, name).await?;
    }
    result
}

/// Gives a new database the recorded properties.
async fn dress(maintenance: &Session, name: &str, manifest: &Manifest) -> Result<()> {
    let mut wanted = manifest.database.properties.clone();
    let row = maintenance.query_one(&owners(&wanted)).await?;
    let own = row.string("own")?;
    if !row.bool("may_give")? {
        wanted.insert("owner".to_owned(), own.clone());
        wanted.remove("acl");
    }
    let live = BTreeMap::from([
        ("owner".to_owned(), own),
        ("connection_limit".to_owned(), "-1".to_owned()),
        ("is_template".to_owned(), "f".to_owned()),
    ]);
    // A copy is no template: it could not be dropped again.
    wanted.insert("is_template".to_owned(), "f".to_owned());
    maintenance.execute(&Sql::constant("BEGIN")).await?;
    let set = set_properties(maintenance, name, &live, &wanted).await;
    let end = if set.is_ok() { "COMMIT" } else { "ROLLBACK" };
    maintenance.execute(&Sql::constant(end)).await?;
    set
}

/// Asks who we are and whether we may give a database to the recorded owner.
fn owners(wanted: &BTreeMap<String, String>) -> Sql {
    let owner = wanted.get("owner").map_or("", String::as_str);
    Sql::constant(
        "SELECT current_user::pg_catalog.text AS own, \
         EXISTS (SELECT FROM pg_catalog.pg_roles \
                  WHERE pg_catalog.pg_has_role(current_user, oid, 'MEMBER') AND rolname = ",
    )
    .literal(owner)
    .then(") AS may_give")
}

/// Removes a database made by [`create_database`], after a failed restore or a drill.
pub async fn drop_database(maintenance: &Session, name: &str) -> Result<()> {
    let sql = Sql::constant("DROP DATABASE IF EXISTS ").ident(name);
    maintenance.execute(&sql).await
}

fn creation(name: &str, manifest: &Manifest) -> Sql {
    let database = &manifest.database;
    let property = |key: &str| {
        database
            .properties
            .get(key)
            .filter(|value| !value.is_empty())
    };
    let mut sql = Sql::constant("CREATE DATABASE ")
        .ident(name)
        .then(" WITH TEMPLATE = template0 ENCODING = ")
        .literal(&database.encoding);
    for (key, clause) in [("collate", " LC_COLLATE = "), ("ctype", " LC_CTYPE = ")] {
        if let Some(value) = property(key) {
            sql = sql.then(clause).literal(value);
        }
    }
    let provider = property("locale_provider").map_or("c", String::as_str);
    let locale = property("locale");
    match (provider, locale) {
        ("i", Some(locale)) => {
            sql = sql
                .then(" LOCALE_PROVIDER = icu ICU_LOCALE = ")
                .literal(locale)
        }
        ("b", Some(locale)) => {
            sql = sql
                .then(" LOCALE_PROVIDER = builtin BUILTIN_LOCALE = ")
                .literal(locale);
        }
        _ => {}
    }
    if let Some(rules) = property("icu_rules") {
        sql = sql.then(" ICU_RULES = ").literal(rules);
    }
    sql
}
