//! What a rebuild drops, and what it keeps.
//!
//! Everything that the user (or the failed migration) made goes: the archive brings back what
//! belongs there. Kept are `public` and extensions that are the same in both states, with the
//! schema they live in: dropping an extension may be impossible to undo (files, superuser) and
//! its objects are not ours. [`plan`] is pure; nothing is dropped that it does not list, except
//! through CASCADE among objects that are listed anyway.

use std::collections::{BTreeMap, BTreeSet};

use super::stays;
use crate::archive::{EntryRecord, Manifest};
use crate::catalog::{Catalog, Entry, Kind, Loss, Rights, Uncovered};
use crate::compare::State;
use crate::pg::Sql;
use crate::restore::Statement;

/// The schema that is reset rather than dropped.
const PUBLIC: &str = "schema public";

/// The plan of a rebuild's first half.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Statements in order.
    pub drops: Vec<Statement>,
    /// Indexes into the manifest's entries that stay and must not be created again.
    pub present: BTreeSet<usize>,
    /// Whether `public` stays but is not what the archive says.
    pub reset_public: bool,
    /// Whether the archive needs a `public` that is missing.
    pub create_public: bool,
}

/// Plans how to get from `live` to what the archive can be loaded into.
pub(super) fn plan(live: &Catalog, manifest: &Manifest, archive: &State, rights: &Rights) -> Plan {
    let kept = kept_identities(live, manifest, archive, rights);
    let live_public = live.entries.iter().any(|entry| entry.identity == PUBLIC);
    let wanted_public = archive.entries.contains_key(PUBLIC);
    let public_same = same_attachments(PUBLIC, live, manifest, archive);
    let mut plan = Plan {
        reset_public: live_public && wanted_public && !public_same,
        create_public: !live_public && wanted_public,
        ..Plan::default()
    };
    for (index, record) in manifest.entries.iter().enumerate() {
        // `public` stays where it differs, too, and its owner is given again after it was reset.
        let is_kept = match record.identity == PUBLIC {
            true => public_same,
            false => {
                kept.contains(record.identity.as_str())
                    || (public_same && attached_to(PUBLIC, record, &manifest.entries))
            }
        };
        if is_kept {
            plan.present.insert(index);
        }
    }
    // Event triggers first: they would run the user's code on the drops that follow.
    let is_event_trigger = |object: &&Uncovered| object.catalog.ends_with("pg_event_trigger");
    let (first, rest): (Vec<_>, Vec<_>) = made_since(live, archive).partition(is_event_trigger);
    plan.drops
        .extend(first.into_iter().chain(rest).filter_map(removal));
    if plan.reset_public {
        plan.drops.extend(labels_of(PUBLIC, live));
    }
    let gone = goes(live, &kept);
    for (index, entry) in live.entries.iter().enumerate().rev() {
        if let Some(statement) = drop_of(entry, index, &gone) {
            plan.drops.push(statement);
        }
    }
    plan
}

/// What no entry covers and the archive does not name. What it names was there before and could
/// not be saved: it is left alone.
fn made_since<'a>(live: &'a Catalog, archive: &State) -> impl Iterator<Item = &'a Uncovered> {
    let uncovered = live.uncovered.iter();
    uncovered.filter(|object| !archive.uncovered.contains(&object.label()))
}

/// Takes the security labels off an object that stays.
fn labels_of(identity: &str, live: &Catalog) -> Vec<Statement> {
    let on_it = |entry: &&Entry| {
        let mut parents = entry.depends.iter().filter_map(|at| live.entries.get(*at));
        entry.kind == Kind::SecurityLabel && parents.any(|parent| parent.identity == identity)
    };
    let labels = live.entries.iter().filter(on_it);
    labels
        .filter_map(|entry| {
            Some(Statement {
                what: format!("remove {}", entry.identity),
                sql: Sql::deparsed(ended(entry.drop.as_deref()?)),
            })
        })
        .collect()
}

/// How an object goes that no entry covers.
fn removal(object: &Uncovered) -> Option<Statement> {
    Some(Statement {
        what: format!("drop {}", object.description),
        sql: Sql::deparsed(ended(object.drop.as_deref()?)),
    })
}

/// Identities of extensions, their schemas, what the role cannot remove either, and what is
/// attached to these, equal on both sides.
fn kept_identities(
    live: &Catalog,
    manifest: &Manifest,
    archive: &State,
    rights: &Rights,
) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    for extension in live.extensions.iter() {
        let same = manifest.extensions.iter().any(|recorded| {
            recorded.name == extension.name
                && recorded.version == extension.version
                && recorded.schema == extension.schema
        });
        let identity = identity_of(live, Kind::Extension, &extension.name);
        let schema = identity_of(live, Kind::Schema, &extension.schema);
        let parts: Vec<&str> = [identity, schema].into_iter().flatten().collect();
        let parts_same = parts.iter().all(|part| {
            *part == PUBLIC
                || same_text(part, live, archive) && same_own_comment(part, live, archive)
        });
        if same && identity.is_some() && parts_same {
            kept.extend(parts.into_iter().map(str::to_owned));
        }
    }
    if let Some(public) = identity_of(live, Kind::Schema, "public")
        && archive.entries.contains_key(public)
    {
        kept.insert(public.to_owned());
    }
    let foreign = stays::foreign(live, rights);
    kept.extend(
        foreign
            .into_iter()
            .filter(|one| same_text(one, live, archive)),
    );
    drop_dependents(live, &mut kept);
    keep_subscriptions(live, manifest, archive, &mut kept);
    keep_what_hangs_on_the_kept(live, archive, &mut kept);
    kept
}

/// A subscription that is as it was stays: dropping it would stop replication for good, and what
/// it knows of its tables is nowhere else. One that was enabled, disabled or changed goes.
fn keep_subscriptions(
    live: &Catalog,
    manifest: &Manifest,
    archive: &State,
    kept: &mut BTreeSet<String>,
) {
    let subscriptions = live
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::Subscription);
    for subscription in subscriptions {
        let identity = subscription.identity.as_str();
        let state = format!("{}: state of {identity}", Loss::SubscriptionState.name());
        let had_state = archive.uncovered.contains(&state);
        let has_state = live.uncovered.iter().any(|object| object.label() == state);
        if had_state == has_state && same_attachments(identity, live, manifest, archive) {
            kept.insert(identity.to_owned());
            kept.extend(attachments(identity, live).into_keys());
        }
    }
}

/// Grants, comments and owners, also those of built-in objects, and what hangs on an extension's
/// own tables stay if they are the same and everything they need stays. `public` is its own affair.
fn keep_what_hangs_on_the_kept(live: &Catalog, archive: &State, kept: &mut BTreeSet<String>) {
    let mut changed: BTreeSet<&str> = BTreeSet::new();
    for entry in &live.entries {
        let mut needs = entry.depends.iter().filter_map(|at| live.entries.get(*at));
        let of_kept = (is_attachment(entry.kind.name()) || hangs_on_extension(entry.kind))
            && !is_orphan(entry)
            && needs.all(|need| {
                let identity = need.identity.as_str();
                identity != PUBLIC && (kept.contains(identity) || changed.contains(identity))
            });
        if of_kept && same_text(&entry.identity, live, archive) {
            kept.insert(entry.identity.clone());
        } else if entry.kind == Kind::ExtensionTable && is_of_kept_extension(entry, live, kept) {
            // It is never dropped: its text changes it in place.
            changed.insert(&entry.identity);
        }
    }
}

fn is_of_kept_extension(entry: &Entry, live: &Catalog, kept: &BTreeSet<String>) -> bool {
    let mut needs = entry.depends.iter().filter_map(|at| live.entries.get(*at));
    needs.any(|need| need.kind == Kind::Extension && kept.contains(&need.identity))
}

/// A comment on what has no entry (an inherited constraint) goes with it and comes with it.
pub(super) fn is_orphan(entry: &Entry) -> bool {
    let is_built_in = matches!(
        entry.schema.as_deref(),
        Some("pg_catalog" | "information_schema")
    );
    entry.kind == Kind::Comment && entry.depends.is_empty() && !is_built_in
}

/// Kinds that an extension's own table can have. One that needs nothing but kept entries belongs
/// to such a table: the user's tables are never kept.
pub(super) fn hangs_on_extension(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ExtensionTable
            | Kind::Default
            | Kind::CheckConstraint
            | Kind::Constraint
            | Kind::FkConstraint
            | Kind::Index
            | Kind::Statistics
            | Kind::Rule
            | Kind::Trigger
            | Kind::Policy
            | Kind::RowSecurity
    )
}

fn same_text(identity: &str, live: &Catalog, archive: &State) -> bool {
    let mut entries = live.entries.iter();
    let found = entries.find(|entry| entry.identity == identity);
    match (found, archive.entries.get(identity)) {
        (Some(live), Some(archive)) => live.canonical() == archive.text,
        (None, None) => true,
        _ => false,
    }
}

/// An extension's comment comes with it, and nothing but making it again brings it back.
fn same_own_comment(identity: &str, live: &Catalog, archive: &State) -> bool {
    let own = format!(
        "comment on {}",
        identity.replacen("extension ", "EXTENSION ", 1)
    );
    !identity.starts_with("extension ") || same_text(&own, live, archive)
}

/// Nothing stays when something that it needs goes.
fn drop_dependents(live: &Catalog, kept: &mut BTreeSet<String>) {
    loop {
        let lost: Vec<&str> = live
            .entries
            .iter()
            .filter(|entry| kept.contains(&entry.identity))
            .filter(|entry| {
                let mut needs = entry.depends.iter().filter_map(|at| live.entries.get(*at));
                needs.any(|need| !kept.contains(&need.identity))
            })
            .map(|entry| entry.identity.as_str())
            .collect();
        if lost.is_empty() {
            return;
        }
        for identity in lost {
            kept.remove(identity);
        }
    }
}

fn identity_of<'a>(live: &'a Catalog, kind: Kind, name: &str) -> Option<&'a str> {
    let mut entries = live.entries.iter();
    let found = entries.find(|entry| entry.kind == kind && entry.name == name);
    found.map(|entry| entry.identity.as_str())
}

/// The object and what says something about it (comment, grants), with texts: the live side.
fn attachments(identity: &str, live: &Catalog) -> BTreeMap<String, String> {
    let attached = live.entries.iter().filter(|entry| {
        let mut parents = entry.depends.iter().filter_map(|at| live.entries.get(*at));
        entry.identity == identity
            || (is_attachment(entry.kind.name()) && parents.any(|p| p.identity == identity))
    });
    attached
        .map(|entry| (entry.identity.clone(), entry.canonical()))
        .collect()
}

/// Whether an object and what is attached to it are the same on both sides.
fn same_attachments(identity: &str, live: &Catalog, manifest: &Manifest, archive: &State) -> bool {
    let recorded: BTreeMap<String, String> = manifest
        .entries
        .iter()
        .filter(|record| attached_to(identity, record, &manifest.entries))
        .filter_map(|record| archive.entries.get_key_value(&record.identity))
        .map(|(identity, entry)| (identity.clone(), entry.text.clone()))
        .collect();
    !recorded.is_empty() && recorded == attachments(identity, live)
}

fn attached_to(identity: &str, record: &EntryRecord, all: &[EntryRecord]) -> bool {
    let mut parents = record
        .depends
        .iter()
        .filter_map(|at| all.get(usize::try_from(*at).ok()?));
    record.identity == identity
        || (is_attachment(&record.kind) && parents.any(|parent| parent.identity == identity))
}

pub(super) fn is_attachment(kind: &str) -> bool {
    [Kind::Comment, Kind::SecurityLabel, Kind::Acl, Kind::Owner]
        .map(Kind::name)
        .contains(&kind)
}

/// Which live entries go, by index: all but the kept and what hangs on the kept alone.
fn goes(live: &Catalog, kept: &BTreeSet<String>) -> Vec<bool> {
    let mut gone = vec![false; live.entries.len()];
    for (index, entry) in live.entries.iter().enumerate() {
        let mut needs = entry.depends.iter().filter_map(|at| live.entries.get(*at));
        let of_public =
            is_attachment(entry.kind.name()) && needs.any(|need| need.identity == PUBLIC);
        let lives_on =
            entry.kind == Kind::ExtensionTable && is_of_kept_extension(entry, live, kept);
        gone[index] =
            !kept.contains(&entry.identity) && !of_public && !is_orphan(entry) && !lives_on;
    }
    gone
}

/// Kinds that go with the relation they belong to.
fn dies_with_parent(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TableAttach
            | Kind::SequenceOwnedBy
            | Kind::Default
            | Kind::TableData
            | Kind::SequenceSet
            | Kind::CheckConstraint
            | Kind::Constraint
            | Kind::Index
            | Kind::IndexAttach
            | Kind::Rule
            | Kind::Trigger
            | Kind::TriggerState
            | Kind::FkConstraint
            | Kind::Policy
            | Kind::RowSecurity
            | Kind::MaterializedViewData
            | Kind::Comment
            | Kind::SecurityLabel
            | Kind::Acl
            | Kind::Owner
    )
}

/// How an entry goes, if it does not go with another one.
fn drop_of(entry: &Entry, index: usize, gone: &[bool]) -> Option<Statement> {
    if !gone.get(index).copied().unwrap_or(false) {
        return None;
    }
    let drop = entry.drop.as_deref()?;
    let parent_goes = entry
        .depends
        .iter()
        .any(|at| gone.get(*at).copied().unwrap_or(false));
    if dies_with_parent(entry.kind) && parent_goes {
        return None;
    }
    let sql = cascading(drop).or_else(|| (!parent_goes).then(|| part_of_kept(entry.kind, drop)))?;
    Some(Statement {
        what: format!("drop {}", entry.identity),
        sql: Sql::deparsed(sql),
    })
}

/// `DROP TABLE public.users;` → `DROP TABLE IF EXISTS public.users CASCADE;`: an earlier CASCADE
/// may have taken it. Statements that drop a part (`ALTER TABLE …`) have no such form.
fn cascading(drop: &str) -> Option<String> {
    let rest = drop.trim_end().strip_prefix("DROP ")?;
    let rest = rest.trim_end_matches(';').trim_end_matches(" CASCADE");
    let words = rest
        .chars()
        .take_while(|c| c.is_ascii_uppercase() || *c == ' ')
        .count();
    let (words, name) = rest.split_at(words);
    let words = words.trim_end();
    let (words, between) = match words.strip_suffix(" FOR") {
        Some(words) => (words, "FOR "),
        None => (words, ""),
    };
    // The only kind whose DROP knows no CASCADE; nothing can depend on it.
    let cascade = if words == "USER MAPPING" {
        ""
    } else {
        " CASCADE"
    };
    Some(format!(
        "DROP {words} IF EXISTS {between}{name}{cascade};\n"
    ))
}

/// Only what goes anyway can depend on a key that the user put on an extension's own table.
fn part_of_kept(kind: Kind, drop: &str) -> String {
    let ended = ended(drop);
    match (kind, ended.strip_suffix(";\n")) {
        (Kind::Constraint, Some(statement)) => format!("{statement} CASCADE;\n"),
        _ => ended,
    }
}

fn ended(sql: &str) -> String {
    let sql = sql.trim_end();
    if sql.ends_with(';') {
        format!("{sql}\n")
    } else {
        format!("{sql};\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Section;

    fn entry(kind: Kind, identity: &str, drop: Option<&str>, depends: &[usize]) -> Entry {
        Entry {
            kind,
            schema: None,
            name: identity.rsplit(' ').next().unwrap().to_owned(),
            identity: identity.to_owned(),
            owner: None,
            section: Section::PreData,
            create: format!("CREATE {identity};\n"),
            drop: drop.map(str::to_owned),
            depends: depends.to_vec(),
        }
    }

    #[test]
    fn drops_cascade_and_tolerate_what_is_gone() {
        assert_eq!(
            cascading("DROP TABLE public.users;").unwrap(),
            "DROP TABLE IF EXISTS public.users CASCADE;\n"
        );
        assert_eq!(cascading("ALTER TABLE x;"), None);
        for (drop, cascaded) in [
            (
                "DROP TYPE k.bt CASCADE;",
                "DROP TYPE IF EXISTS k.bt CASCADE;\n",
            ),
            (
                "DROP CAST (k.a AS text);",
                "DROP CAST IF EXISTS (k.a AS text) CASCADE;\n",
            ),
            (
                "DROP TRANSFORM FOR k.a LANGUAGE l;",
                "DROP TRANSFORM IF EXISTS FOR k.a LANGUAGE l CASCADE;\n",
            ),
            (
                "DROP USER MAPPING FOR \"Al ice\" SERVER s;",
                "DROP USER MAPPING IF EXISTS FOR \"Al ice\" SERVER s;\n",
            ),
        ] {
            assert_eq!(cascading(drop).unwrap(), cascaded);
        }
    }

    #[test]
    fn parts_go_with_their_table_and_order_is_reversed() {
        let live = Catalog {
            entries: vec![
                entry(Kind::Schema, "schema public", None, &[]),
                entry(
                    Kind::Table,
                    "table public.t",
                    Some("DROP TABLE public.t;"),
                    &[0],
                ),
                entry(
                    Kind::View,
                    "view public.v",
                    Some("DROP VIEW public.v;"),
                    &[1],
                ),
                entry(
                    Kind::Index,
                    "index public.i",
                    Some("DROP INDEX public.i;"),
                    &[1],
                ),
            ],
            ..Catalog::default()
        };
        let kept = BTreeSet::from(["schema public".to_owned()]);
        let gone = goes(&live, &kept);
        let drops: Vec<String> = live
            .entries
            .iter()
            .enumerate()
            .rev()
            .filter_map(|(index, entry)| drop_of(entry, index, &gone))
            .map(|statement| statement.what)
            .collect();
        assert_eq!(drops, ["drop view public.v", "drop table public.t"]);
    }
}
