//! CREATE DATABASE with the encoding and locale that an archive's database had (spec §4).

use std::collections::BTreeMap;

use super::properties::{set_properties, unknown_settings};
use crate::archive::Manifest;
use crate::error::{Error, Kind, Result};
use crate::pg::{Session, Sql};

/// The first major with a locale provider per database.
const PROVIDERS_SINCE: u32 = 15;

/// Creates an empty database called `name` with the encoding, locale and tablespace that the
/// archive's database had. `maintenance` is connected to another database of the same server, and
/// the new one belongs to its role until [`dress_database`]. What exists already is refused by the
/// server.
///
/// # Errors
/// [`Kind::Refused`] with the server's reason; a loss of the connection stays one, and leaves open whether it was made.
pub async fn create_database(maintenance: &Session, name: &str, manifest: &Manifest) -> Result<()> {
    refuse_unknown_settings(maintenance, name, manifest).await?;
    let sql = creation(name, manifest, maintenance.version().major());
    maintenance.execute(&sql).await.map_err(|error| {
        let lost = error.is_loss_of_connection() || maintenance.is_closed();
        let error = error.attempting(format!("create the database {name}"));
        match lost {
            // The server may be at it still.
            true => error.now(format!("whether {name} was made is not known")),
            false => error.with_kind(Kind::Refused).now("nothing was changed"),
        }
    })
}

/// A setting that is set at the very end and cannot be would cost the whole restore.
async fn refuse_unknown_settings(
    maintenance: &Session,
    name: &str,
    manifest: &Manifest,
) -> Result<()> {
    let unknown = unknown_settings(maintenance, &manifest.database.properties).await?;
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = unknown.into_iter().collect();
    let major = maintenance.version().major();
    Err(Error::refused(format!("create the database {name}"))
        .because(format!(
            "the archive's database has settings of its own that PostgreSQL {major} does not know: {}",
            names.join(", ")
        ))
        .now("nothing was changed")
        .hint("take them off there (ALTER DATABASE … RESET) and back up again; or make the database by hand and restore \
               without --create, which leaves a database's own settings alone"))
}

/// Gives a database made by [`create_database`] the recorded owner, limits, settings, grants and
/// comment. This comes after its content: a connection limit of 0, or a template, would stand in
/// the way of the restore.
///
/// The recorded owner gets it where the connected role may give it away, else the connected role
/// keeps it, and grants are left out, because they are the owner's.
pub async fn dress_database(maintenance: &Session, name: &str, manifest: &Manifest) -> Result<()> {
    maintenance.execute(&Sql::constant("BEGIN")).await?;
    let set = dress_within(maintenance, name, manifest).await;
    let end = if set.is_ok() { "COMMIT" } else { "ROLLBACK" };
    maintenance.execute(&Sql::constant(end)).await?;
    set.map(|_| ())
}

/// As [`dress_database`], inside the caller's transaction. Names the properties that were left out
/// because the connected role may not give them.
pub async fn dress_within(
    maintenance: &Session,
    name: &str,
    manifest: &Manifest,
) -> Result<Vec<&'static str>> {
    let mut wanted = manifest.database.properties.clone();
    let row = maintenance.query_one(&owners(&wanted)).await?;
    let own = row.string("own")?;
    let mut left_out = Vec::new();
    if !row.bool("may_give")? {
        wanted.insert("owner".to_owned(), own.clone());
        wanted.remove("acl");
        left_out = vec!["owner", "acl"];
    }
    let live = BTreeMap::from([
        ("owner".to_owned(), own),
        ("connection_limit".to_owned(), "-1".to_owned()),
        ("is_template".to_owned(), "f".to_owned()),
    ]);
    set_properties(maintenance, name, &live, &wanted).await?;
    Ok(left_out)
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
    let template = Sql::constant(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datistemplate AND datname = ",
    )
    .literal(name)
    .then(") AS yes");
    if maintenance.query_one(&template).await?.bool("yes")? {
        let sql = Sql::constant("ALTER DATABASE ").ident(name);
        maintenance.execute(&sql.then(" IS_TEMPLATE false")).await?;
    }
    let sql = Sql::constant("DROP DATABASE IF EXISTS ").ident(name);
    maintenance.execute(&sql).await
}

fn creation(name: &str, manifest: &Manifest, major: u32) -> Sql {
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
        // Else the provider would be that of the server's own template.
        _ if major >= PROVIDERS_SINCE => sql = sql.then(" LOCALE_PROVIDER = libc"),
        _ => {}
    }
    if let Some(rules) = property("icu_rules") {
        sql = sql.then(" ICU_RULES = ").literal(rules);
    }
    match property("tablespace") {
        Some(tablespace) if tablespace != "pg_default" => {
            sql.then(" TABLESPACE = ").ident(tablespace)
        }
        _ => sql,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clauses(properties: &[(&str, &str)], major: u32) -> String {
        let properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut manifest = crate::archive::tests::manifest_of(&[]);
        manifest.database.encoding = "UTF8".to_owned();
        manifest.database.properties = properties.collect();
        let sql = creation("d", &manifest, major);
        let clauses = sql
            .text()
            .strip_prefix("CREATE DATABASE \"d\" WITH TEMPLATE = template0 ENCODING = 'UTF8'");
        clauses.unwrap().to_owned()
    }

    #[test]
    fn the_provider_is_never_left_to_the_template() {
        let libc = [("collate", "C"), ("ctype", "C"), ("locale_provider", "c")];
        assert_eq!(clauses(&libc, 14), " LC_COLLATE = 'C' LC_CTYPE = 'C'");
        assert_eq!(
            clauses(&libc, 18),
            " LC_COLLATE = 'C' LC_CTYPE = 'C' LOCALE_PROVIDER = libc"
        );
        let icu = [
            ("locale_provider", "i"),
            ("locale", "de-DE"),
            ("icu_rules", "&a < b"),
        ];
        assert_eq!(
            clauses(&icu, 16),
            " LOCALE_PROVIDER = icu ICU_LOCALE = 'de-DE' ICU_RULES = '&a < b'"
        );
        let builtin = [
            ("locale_provider", "b"),
            ("locale", "C.UTF-8"),
            ("tablespace", "fast"),
        ];
        assert_eq!(
            clauses(&builtin, 17),
            " LOCALE_PROVIDER = builtin BUILTIN_LOCALE = 'C.UTF-8' TABLESPACE = \"fast\""
        );
        assert_eq!(clauses(&[("tablespace", "pg_default")], 14), "");
    }
}
