//! From the live state to the archive's with as little as possible: what is changed in place, what is
//! dropped and made again, which rows are loaded again.
//!
//! Pure. An entry stays if it is the same on both sides, or can be changed in place, and nothing that
//! it needs goes. So dependents are computed from the live graph, and every drop is a plain one: a
//! dependent that we do not know of makes the server refuse it. Rows of a table that stays are
//! put back without what would act on them: foreign keys, triggers, row security, and for many
//! rows its indexes; of the tables that it is a partition of, foreign keys and triggers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::results::{refresh_what_reads, renew_results};
use super::way::make_way;
use super::{drops, mend};
use crate::archive::{Manifest, TableRecord};
use crate::catalog::{self, Catalog, Entry, Kind, Part};
use crate::compare::State;
use crate::pg::Sql;
use crate::restore::{Parts, Statement};

/// Kinds that get grants when they are made (ALTER DEFAULT PRIVILEGES).
const GRANTED_BY_DEFAULT: [Kind; 13] = [
    Kind::Schema,
    Kind::Type,
    Kind::Domain,
    Kind::Function,
    Kind::Procedure,
    Kind::Aggregate,
    Kind::Sequence,
    Kind::Table,
    Kind::ForeignTable,
    Kind::View,
    Kind::MaterializedView,
    Kind::LargeObject,
    Kind::Extension,
];

/// What is planned from.
pub(super) struct Sides<'a> {
    pub live: &'a Catalog,
    pub manifest: &'a Manifest,
    pub archive: &'a State,
    /// Identities of tables (or of trees that rows move in) whose rows differ.
    pub differing: &'a BTreeSet<String>,
    /// Of these, identities of tables that are put back row by row.
    pub patched: &'a BTreeSet<String>,
    /// Numbers of large objects whose bytes differ.
    pub large_objects: &'a BTreeSet<u32>,
    /// Identities that cannot be changed in place.
    pub unmendable: &'a BTreeSet<String>,
}

/// What to do, in this order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Objects that go.
    pub drops: Vec<Statement>,
    /// Tables that stay and are loaded again.
    pub emptied: Vec<Statement>,
    /// Objects that are changed in place: identity and statements.
    pub mends: Vec<(String, Vec<Statement>)>,
    /// What the archive brings.
    pub parts: Parts,
    /// What is saved first (P4).
    pub saved: Part,
    /// Identities of tables that are put back row by row.
    pub patched: BTreeSet<String>,
    /// Indexes into the live tables: what is left as it is.
    pub untouched: BTreeSet<usize>,
}

/// Why there is no plan: the next rung is needed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub String);

/// What happens to a live entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Mended(Vec<String>),
    /// Stays, and the archive's text is run again: it changes what is there.
    RunAgain,
    Goes,
}

/// Plans the repair.
pub(super) fn plan(sides: &Sides<'_>) -> Result<Plan, Unfit> {
    is_fit(sides.live, sides.manifest, sides.archive)?;
    let mut fates: Vec<Fate> = sides
        .live
        .entries
        .iter()
        .map(|one| fate(one, sides))
        .collect();
    let mut loaded = BTreeSet::new();
    make_way(sides, &loaded, &mut fates);
    renew_results(sides, &mut fates);
    loop {
        spread(sides.live, &mut fates);
        let now = tables_to_load(sides, &fates);
        if now == loaded {
            break;
        }
        make_way(sides, &now, &mut fates);
        loaded = now;
    }
    refresh_what_reads(sides, &loaded, &mut fates);
    suspend_default_privileges(sides, &mut fates);
    let mut plan = Plan {
        drops: drops::drops(sides, &fates)?,
        emptied: emptied(sides, &loaded, &fates),
        mends: mends(sides.live, &fates),
        saved: saved(sides, &loaded, &fates),
        patched: patched(sides, &loaded, &fates),
        untouched: untouched(sides, &loaded, &fates),
        ..Plan::default()
    };
    plan.parts = parts(sides, loaded, &fates);
    Ok(plan)
}

/// Whether no difference is of those that only a rebuild knows how to treat.
fn is_fit(live: &Catalog, manifest: &Manifest, archive: &State) -> Result<(), Unfit> {
    let special = |kind: &str| {
        let kinds = [Kind::Subscription, Kind::Absence, Kind::Extension];
        kinds.map(Kind::name).contains(&kind)
    };
    let mut entries: HashMap<&str, &Entry> = HashMap::new();
    entries.extend(live.entries.iter().map(|one| (one.identity.as_str(), one)));
    for (identity, entry) in &archive.entries {
        if !special(&entry.kind) && identity != "schema public" {
            continue;
        }
        let found = entries.get(identity.as_str());
        if found.is_none_or(|live| live.canonical() != entry.text) {
            return Err(Unfit(format!("{identity} was removed or changed")));
        }
    }
    for entry in &live.entries {
        let known = archive.entries.contains_key(&entry.identity);
        let fit = entry.kind == Kind::Extension || !special(entry.kind.name());
        if !known && (!fit || entry.identity == "schema public") {
            return Err(Unfit(format!("{} was made since", entry.identity)));
        }
    }
    for extension in &live.extensions {
        let mut recorded = manifest.extensions.iter();
        let changed = recorded.any(|one| {
            one.name == extension.name
                && (one.version != extension.version || one.schema != extension.schema)
        });
        if changed {
            return Err(Unfit(format!(
                "extension {} was updated or moved",
                extension.name
            )));
        }
    }
    Ok(())
}

fn fate(entry: &Entry, sides: &Sides<'_>) -> Fate {
    let large_object = entry.large_object();
    if large_object.is_some_and(|oid| sides.large_objects.contains(&oid)) {
        return Fate::Goes;
    }
    let Some(archive) = sides.archive.entries.get(&entry.identity) else {
        return Fate::Goes;
    };
    let live = entry.canonical();
    if live == archive.text {
        return Fate::Stays;
    }
    if entry.kind == Kind::ExtensionTable {
        return Fate::RunAgain;
    }
    if sides.unmendable.contains(&entry.identity) {
        return Fate::Goes;
    }
    match mend::in_place(entry.kind, &live, &archive.text, entry.drop.as_deref()) {
        Some(statements) => Fate::Mended(statements),
        None => Fate::Goes,
    }
}

/// What needs something that goes, goes.
fn spread(live: &Catalog, fates: &mut [Fate]) {
    let mut changed = true;
    while changed {
        changed = false;
        for (at, entry) in live.entries.iter().enumerate() {
            let loses = entry.depends.iter().any(|&need| fates[need] == Fate::Goes);
            if loses && fates[at] != Fate::Goes {
                fates[at] = Fate::Goes;
                changed = true;
            }
        }
    }
}

/// The record's own identity, or that of the tree that its rows move in.
fn whole(record: &TableRecord) -> &str {
    record.through.as_ref().unwrap_or(&record.identity)
}

/// Indexes into the manifest's tables: rows differ, or the table is not there.
fn tables_to_load(sides: &Sides<'_>, fates: &[Fate]) -> BTreeSet<usize> {
    let stays = staying(sides.live, fates);
    let tables = &sides.manifest.tables;
    let mut wholes: BTreeSet<&str> = sides.differing.iter().map(String::as_str).collect();
    let missing = tables
        .iter()
        .filter(|one| !stays.tables.contains(one.identity.as_str()));
    wholes.extend(missing.map(whole));
    // Names in their rows stand for numbers, and what is made again has another one.
    if makes_named_again(sides, fates) {
        let shifting = sides.live.tables.iter().filter(|table| table.shifting);
        wholes.extend(shifting.map(|table| table.identity.as_str()));
    }
    let numbered = tables.iter().enumerate();
    let is_patched = |record: &TableRecord| {
        let identity = record.identity.as_str();
        sides.patched.contains(identity) && stays.tables.contains(identity)
    };
    let wanted = numbered.filter(|(_, one)| wholes.contains(whole(one)) && !is_patched(one));
    wanted.map(|(at, _)| at).collect()
}

/// Whether something goes and comes back that rows may name (`regclass` and the like).
fn makes_named_again(sides: &Sides<'_>, fates: &[Fate]) -> bool {
    // Not indexes: hardly any row names one, and what is changed most often would take long. The proof notices.
    const NAMED: [Kind; 15] = [
        Kind::Table,
        Kind::ForeignTable,
        Kind::View,
        Kind::MaterializedView,
        Kind::Sequence,
        Kind::Function,
        Kind::Procedure,
        Kind::Aggregate,
        Kind::Operator,
        Kind::Type,
        Kind::Domain,
        Kind::Schema,
        Kind::Collation,
        Kind::TsConfiguration,
        Kind::TsDictionary,
    ];
    let mut entries = sides.live.entries.iter().zip(fates);
    entries.any(|(entry, fate)| {
        *fate == Fate::Goes
            && NAMED.contains(&entry.kind)
            && sides.archive.entries.contains_key(&entry.identity)
    })
}

/// What stays.
pub(super) struct Standing<'a> {
    /// Places of live entries, by their identities.
    pub entries: HashMap<&'a str, usize>,
    /// Tables, by the identities that records of rows have.
    pub tables: BTreeSet<&'a str>,
}

pub(super) fn staying<'a>(live: &'a Catalog, fates: &[Fate]) -> Standing<'a> {
    let entries = live.entries.iter().enumerate();
    let staying = entries.filter(|(at, _)| fates[*at] != Fate::Goes);
    Standing {
        entries: staying
            .clone()
            .map(|(at, entry)| (entry.identity.as_str(), at))
            .collect(),
        tables: staying.filter_map(|(_, entry)| entry.table()).collect(),
    }
}

/// Tables whose rows are put back, with the bytes that are loaded as a whole.
pub(super) fn touched<'a>(sides: &Sides<'a>, loaded: &BTreeSet<usize>) -> BTreeMap<&'a str, u64> {
    let patched = sides.patched.iter().map(|identity| (identity.as_str(), 0));
    let loaded = loaded.iter().map(|&at| &sides.manifest.tables[at]);
    let loaded = loaded.map(|record| (record.identity.as_str(), record.bytes));
    patched.chain(loaded).collect()
}

/// What is made again must not get grants that it did not have.
fn suspend_default_privileges(sides: &Sides<'_>, fates: &mut [Fate]) {
    let stays = staying(sides.live, fates);
    let mut records = sides.manifest.entries.iter();
    let makes = records.any(|record| {
        let has_grants = GRANTED_BY_DEFAULT.map(Kind::name).contains(&&*record.kind);
        has_grants && !stays.entries.contains_key(record.identity.as_str())
    });
    if !makes {
        return;
    }
    for (at, entry) in sides.live.entries.iter().enumerate() {
        if entry.kind == Kind::DefaultAcl {
            fates[at] = Fate::Goes;
        }
    }
}

fn emptied(sides: &Sides<'_>, loaded: &BTreeSet<usize>, fates: &[Fate]) -> Vec<Statement> {
    let stays = staying(sides.live, fates);
    let records = loaded.iter().map(|&at| &sides.manifest.tables[at]);
    let standing = records.filter(|record| stays.tables.contains(record.identity.as_str()));
    let tables = sides.live.tables.iter();
    let conditions: HashMap<&str, &str> = tables
        .filter_map(|table| Some((table.identity.as_str(), table.condition.as_deref()?)))
        .collect();
    standing
        .map(|record| Statement {
            what: format!("empty {}", record.identity),
            sql: match conditions.get(record.identity.as_str()) {
                None => Sql::constant("TRUNCATE ONLY ").qualified(&record.schema, &record.name),
                // The extension's own rows are in no archive.
                Some(&condition) => Sql::constant("DELETE FROM ONLY ")
                    .qualified(&record.schema, &record.name)
                    .then(" ")
                    .sql(&Sql::deparsed(condition)),
            }
            .then(";\n"),
        })
        .collect()
}

/// Trees of tables are changed at their top first: what a partition inherits goes with it.
fn mends(live: &Catalog, fates: &[Fate]) -> Vec<(String, Vec<Statement>)> {
    let below: BTreeSet<usize> = live
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::TableAttach)
        .filter_map(|entry| {
            entry
                .depends
                .iter()
                .copied()
                .find(|&need| is_child(live, entry, need))
        })
        .collect();
    let mut found = Vec::new();
    for (at, entry) in live.entries.iter().enumerate() {
        if let Fate::Mended(statements) = &fates[at] {
            let statements = statements.iter();
            let statements = statements.map(|sql| drops::statement("change", &entry.identity, sql));
            found.push((
                below.contains(&at),
                entry.identity.clone(),
                statements.collect(),
            ));
        }
    }
    found.sort_by_key(|(is_below, _, _): &(bool, String, Vec<Statement>)| *is_below);
    found
        .into_iter()
        .map(|(_, identity, mends)| (identity, mends))
        .collect()
}

pub(super) fn is_child(live: &Catalog, attach: &Entry, need: usize) -> bool {
    let table = &live.entries[need].identity;
    attach.identity.strip_prefix("attach of ") == Some(table)
}

/// Rows that go, and every definition that does not stay as it is.
fn saved(sides: &Sides<'_>, loaded: &BTreeSet<usize>, fates: &[Fate]) -> Part {
    let stays = staying(sides.live, fates);
    let touched = touched(sides, loaded);
    let tables = sides.live.tables.iter();
    let rows = tables.filter(|table| {
        let identity = table.identity.as_str();
        !stays.tables.contains(identity) || touched.contains_key(identity)
    });
    let differs = |entry: &&Entry| {
        let archive = sides.archive.entries.get(&entry.identity);
        archive.is_none_or(|archive| archive.text != entry.canonical())
    };
    Part {
        rows: rows.map(|table| table.identity.clone()).collect(),
        entries: sides
            .live
            .entries
            .iter()
            .filter(differs)
            .map(|entry| entry.identity.clone())
            .collect(),
        large_objects: large_objects_that_go(sides.live, fates),
        ..Part::default()
    }
}

/// Tables that stay, and are not loaded as a whole.
fn patched(sides: &Sides<'_>, loaded: &BTreeSet<usize>, fates: &[Fate]) -> BTreeSet<String> {
    let stays = staying(sides.live, fates);
    let is_loaded = |identity: &String| {
        let mut loaded = loaded.iter().map(|&at| &sides.manifest.tables[at].identity);
        loaded.any(|one| one == identity)
    };
    let wanted = sides.patched.iter();
    let wanted = wanted.filter(|one| stays.tables.contains(one.as_str()) && !is_loaded(one));
    wanted.cloned().collect()
}

fn untouched(sides: &Sides<'_>, loaded: &BTreeSet<usize>, fates: &[Fate]) -> BTreeSet<usize> {
    let stays = staying(sides.live, fates);
    let touched = touched(sides, loaded);
    let tables = sides.live.tables.iter().enumerate();
    tables
        .filter(|(_, table)| {
            let identity = table.identity.as_str();
            stays.tables.contains(identity) && !touched.contains_key(identity)
        })
        .map(|(at, _)| at)
        .collect()
}

fn parts(sides: &Sides<'_>, loaded: BTreeSet<usize>, fates: &[Fate]) -> Parts {
    let places = staying(sides.live, fates).entries;
    let entries = sides.manifest.entries.iter().enumerate();
    let present = entries.filter(|(_, record)| {
        let place = places.get(record.identity.as_str());
        place.is_some_and(|&at| matches!(fates[at], Fate::Stays | Fate::Mended(_)))
    });
    let values: HashMap<&str, (i64, bool)> = sides
        .live
        .sequences
        .iter()
        .map(|one| (one.identity.as_str(), (one.last_value, one.is_called)))
        .collect();
    let sequences = sides.manifest.sequences.iter().enumerate();
    let moved = sequences.filter(|(_, one)| {
        let value = values.get(one.identity.as_str());
        value != Some(&(one.last_value, one.is_called))
            || !places.contains_key(one.identity.as_str())
    });
    Parts {
        present: present.map(|(at, _)| at).collect(),
        sequences: moved.map(|(at, _)| at).collect(),
        late: attached_to_standing(sides, &places),
        tables: loaded,
        large_objects: large_objects_to_load(sides.manifest, &places),
    }
}

fn large_objects_that_go(live: &Catalog, fates: &[Fate]) -> BTreeSet<u32> {
    let entries = live.entries.iter().zip(fates);
    let gone =
        entries.filter(|(entry, fate)| **fate == Fate::Goes && entry.kind == Kind::LargeObject);
    gone.filter_map(|(entry, _)| entry.large_object()).collect()
}

/// Those that are made again, or for the first time.
fn large_objects_to_load(manifest: &Manifest, places: &HashMap<&str, usize>) -> BTreeSet<u32> {
    let oids = manifest.large_objects.iter().map(|record| record.oid);
    oids.filter(|&oid| !places.contains_key(&*catalog::large_object_identity(oid)))
        .collect()
}

/// Partitions that are attached again to tables that stay.
fn attached_to_standing(sides: &Sides<'_>, places: &HashMap<&str, usize>) -> BTreeSet<usize> {
    let records = sides.manifest.entries.iter().enumerate();
    let late = records.filter(|(_, record)| {
        let child = record.identity.strip_prefix("attach of ");
        let needs = record
            .depends
            .iter()
            .filter_map(|&need| usize::try_from(need).ok());
        let mut needs = needs.filter_map(|need| sides.manifest.entries.get(need));
        record.kind == Kind::TableAttach.name()
            && !places.contains_key(record.identity.as_str())
            && needs.any(|one| {
                Some(one.identity.as_str()) != child && places.contains_key(one.identity.as_str())
            })
    });
    late.map(|(at, _)| at).collect()
}
