//! What a database holds that a fresh one does not.

use crate::archive::Manifest;
use crate::catalog::{self, Catalog, Entry, Kind};
use crate::error::{Error, Result};
use crate::pg::Session;

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
pub(super) fn is_public(entry: &Entry, catalog: &Catalog) -> bool {
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
