//! What a rebuild leaves standing, and what it could therefore not do with the connected role.
//!
//! Standing stay `public`, extensions with their schemas, and what belongs to roles that the
//! connected one does not act as and cannot remove: a provider's event triggers, functions,
//! schemas. It cannot have been changed with the same role either; if it was, the proof says so.
//! Whoever owns a schema may drop what others put into it, and CASCADE asks nobody: so only what
//! hangs on nothing of ours counts. Nothing with rows ever stays.

use std::collections::BTreeSet;

use super::clear;
use crate::catalog::{Catalog, Entry, Kind, Made, Objection, Rights};

/// Identities of what could stay, if nothing about it changed; comments and grants not among them.
pub(super) fn candidates(live: &Catalog, rights: &Rights) -> BTreeSet<String> {
    let mut stays: BTreeSet<usize> = BTreeSet::new();
    for (index, entry) in live.entries.iter().enumerate() {
        let of_extension = match entry.kind {
            Kind::Extension => true,
            Kind::Schema => {
                let mut extensions = live.extensions.iter();
                !is_absence(entry)
                    && (entry.name == "public" || extensions.any(|one| one.schema == entry.name))
            }
            _ => false,
        };
        if of_extension || is_foreign(entry, live, rights) {
            stays.insert(index);
        }
    }
    without_what_hangs_on_ours(live, &mut stays);
    stays
        .into_iter()
        .filter_map(|index| Some(live.entries.get(index)?.identity.clone()))
        .collect()
}

/// Of these, what stays only because the role cannot remove it.
pub(super) fn foreign(live: &Catalog, rights: &Rights) -> BTreeSet<String> {
    let mut found = candidates(live, rights);
    let entries = live.entries.iter();
    for entry in entries.filter(|entry| !is_foreign(entry, live, rights)) {
        found.remove(&entry.identity);
    }
    found
}

/// `public` that is not there has an entry too.
fn is_absence(entry: &Entry) -> bool {
    entry.identity != format!("schema {}", entry.name) && entry.name == "public"
}

/// Whether the role can neither drop nor change it.
fn is_foreign(entry: &Entry, live: &Catalog, rights: &Rights) -> bool {
    if rights.superuser || has_rows(entry.kind) {
        return false;
    }
    let protected = match &entry.schema {
        None => true,
        Some(schema) => schema_owner(live, schema).is_some_and(|owner| !rights.acts_as(owner)),
    };
    let theirs = match (&entry.owner, entry.kind) {
        (Some(owner), _) => !rights.acts_as(owner),
        (None, Kind::AccessMethod | Kind::TsParser | Kind::TsTemplate) => true,
        _ => false,
    };
    protected && theirs
}

fn schema_owner<'a>(live: &'a Catalog, schema: &str) -> Option<&'a str> {
    let mut entries = live.entries.iter();
    let found = entries.find(|entry| entry.kind == Kind::Schema && entry.name == schema);
    found.and_then(|entry| entry.owner.as_deref())
}

fn has_rows(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Table
            | Kind::Sequence
            | Kind::MaterializedView
            | Kind::ForeignTable
            | Kind::LargeObject
    )
}

/// Takes out, again and again, what needs something that goes; what has no owner of its own
/// (a rule of a view) stays with what it hangs on.
fn without_what_hangs_on_ours(live: &Catalog, stays: &mut BTreeSet<usize>) {
    loop {
        let before = stays.len();
        for (index, entry) in live.entries.iter().enumerate() {
            let all_stay = entry.depends.iter().all(|need| stays.contains(need));
            if !all_stay {
                stays.remove(&index);
            }
        }
        if stays.len() == before {
            return;
        }
    }
}

/// What a rebuild of `live` as it is now could not do with these rights: told before a migration
/// starts, and again before a rollback does.
pub fn objections(live: &Catalog, rights: &Rights) -> Vec<Objection> {
    let standing = standing(live, rights);
    let goes = live.entries.iter();
    let goes: Vec<&Entry> = goes
        .filter(|entry| !standing.contains(entry.identity.as_str()))
        .collect();
    let made = goes.iter().map(|entry| Made {
        identity: &entry.identity,
        kind: entry.kind.name(),
        schema: entry.schema.as_deref(),
        owner: entry.owner.as_deref(),
    });
    let needs = live.needs.iter();
    let needs = needs.filter(|need| !standing.contains(need.identity.as_str()));
    rights.objections(made, needs)
}

/// What stays, with what hangs on nothing else: comments, grants, what was put on an extension's
/// own tables. Entries come in the order in which they need each other.
fn standing<'a>(live: &'a Catalog, rights: &Rights) -> BTreeSet<&'a str> {
    let stays = candidates(live, rights);
    let mut standing: BTreeSet<&str> = BTreeSet::new();
    for entry in &live.entries {
        let hangs =
            clear::is_attachment(entry.kind.name()) || clear::hangs_on_extension(entry.kind);
        let mut needs = entry.depends.iter().filter_map(|at| live.entries.get(*at));
        let on_standing =
            !clear::is_orphan(entry) && needs.all(|need| standing.contains(need.identity.as_str()));
        if stays.contains(&entry.identity) || (hangs && on_standing) {
            standing.insert(&entry.identity);
        }
    }
    standing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Section;

    fn entry(
        kind: Kind,
        schema: Option<&str>,
        name: &str,
        owner: &str,
        depends: &[usize],
    ) -> Entry {
        Entry {
            kind,
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
            identity: format!("{} {name}", kind.name().to_lowercase()),
            owner: Some(owner.to_owned()),
            section: Section::PreData,
            create: String::new(),
            drop: None,
            depends: depends.to_vec(),
        }
    }

    /// A provider's schema with a function and an event trigger; a function in our own schema.
    fn live() -> Catalog {
        let provider = Some("provider");
        Catalog {
            entries: vec![
                entry(Kind::Schema, None, "provider", "admin", &[]),
                entry(Kind::Function, provider, "watch", "admin", &[0]),
                entry(Kind::EventTrigger, None, "watching", "admin", &[1]),
                entry(Kind::Schema, None, "ours", "", &[]),
                entry(Kind::Function, Some("ours"), "theirs", "admin", &[3]),
                entry(Kind::Table, provider, "log", "admin", &[0]),
                entry(Kind::View, provider, "of_log", "admin", &[5]),
            ],
            ..Catalog::default()
        }
    }

    #[test]
    fn a_providers_objects_stay_and_those_with_rows_or_in_our_schemas_do_not() {
        // `Rights` of nobody in particular acts as no role but that of the empty name.
        let mut live = live();
        live.entries[3].owner = None;
        let stays = candidates(&live, &Rights::default());
        let expected = [
            "event trigger watching",
            "function watch",
            "schema provider",
        ];
        assert_eq!(
            stays.iter().map(String::as_str).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn for_a_superuser_nothing_is_somebody_elses() {
        let rights = Rights::of_superuser();
        assert!(candidates(&live(), &rights).is_empty());
        assert!(objections(&live(), &rights).is_empty());
    }
}
