//! What must hold before a restore touches anything: an empty database, the roles that are named.

use crate::archive::Manifest;
use crate::catalog::{self, Catalog, Entry, Kind};
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// Objects named in a refusal; the rest is counted.
const NAMED: usize = 10;

/// Identities of everything that a fresh database does not have. What says something about
/// `public` itself (owner, comment, grants) is no object and does not count.
pub fn user_objects(catalog: &Catalog) -> Vec<String> {
    let entries = catalog
        .entries
        .iter()
        .filter(|entry| !is_public(entry, catalog));
    let uncovered = catalog.uncovered.iter();
    entries
        .map(|entry| entry.identity.clone())
        .chain(uncovered.map(|object| object.description.clone()))
        .collect()
}

/// `public`, its absence, its comment or its grants.
fn is_public(entry: &Entry, catalog: &Catalog) -> bool {
    match entry.kind {
        Kind::Schema => entry.name == "public",
        Kind::Comment | Kind::SecurityLabel | Kind::Acl => {
            let mut parents = entry
                .depends
                .iter()
                .filter_map(|at| catalog.entries.get(*at));
            parents.any(|parent| parent.kind == Kind::Schema && parent.name == "public")
        }
        _ => false,
    }
}

/// Refuses a database that holds anything.
pub(super) fn require_empty(catalog: &Catalog) -> Result<()> {
    let found = user_objects(catalog);
    if found.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = found
        .iter()
        .take(NAMED)
        .map(|identity| format!("  {identity}"))
        .collect();
    if found.len() > NAMED {
        lines.push(format!("  … and {} more", found.len() - NAMED));
    }
    let name = &catalog.database.name;
    Err(Error::refused(format!("restore into the database {name}"))
        .because(format!("it is not empty:\n{}", lines.join("\n")))
        .now("nothing was changed")
        .hint("restore into a new database: --into NAME --create")
        .hint("to put this database back to the archive, use `pgbelay rollback`"))
}

/// Refuses an archive that names roles which the server lacks: the first owner change would fail.
pub(super) async fn require_roles(session: &Session, manifest: &Manifest) -> Result<()> {
    let sql = Sql::constant("SELECT rolname FROM pg_catalog.pg_roles");
    let rows = session.query(&sql).await?;
    let known: Vec<&str> = rows
        .iter()
        .map(|row| row.text("rolname"))
        .collect::<Result<_>>()?;
    let missing: Vec<&str> = manifest
        .roles
        .iter()
        .map(String::as_str)
        .filter(|role| !known.contains(role))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::refused("restore the archive")
        .because(format!(
            "it names roles that this server does not have: {}",
            missing.join(", ")
        ))
        .now("nothing was changed")
        .hint("create them first; roles belong to the server, not to a database"))
}

/// Refuses an archive with security labels of a provider that no loaded module is: setting the
/// first one would fail after everything else was loaded. Asked outside of a transaction, because
/// every answer is an error.
pub(super) async fn require_label_providers(session: &Session, manifest: &Manifest) -> Result<()> {
    let labels = manifest
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::SecurityLabel.name());
    let providers: std::collections::BTreeSet<String> = labels
        .filter_map(|entry| entry.identity.strip_prefix("security label of "))
        .filter_map(|rest| {
            rest.split_once(" on ")
                .map(|(provider, _)| provider.to_owned())
        })
        .collect();
    let unloaded = catalog::unloaded_providers(session, providers).await?;
    if unloaded.is_empty() {
        return Ok(());
    }
    Err(Error::refused("restore the archive")
        .because(format!(
            "it has security labels of providers that this server has not loaded: {}",
            unloaded.join(", ")
        ))
        .now("nothing was changed")
        .hint("load their modules first (session_preload_libraries or shared_preload_libraries)"))
}
