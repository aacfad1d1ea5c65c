//! What has to be out of the way while rows of a table that stays are put back: whatever would act on them, refuse them, or be
//! filled row by row. It is made again from the archive.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::plan::{Fate, Sides, is_child, touched};
use crate::catalog::{Catalog, Kind};

/// From this many bytes of rows on a table's indexes are built anew rather than filled row by row.
const REBUILD_INDEXES: u64 = 1 << 20;

/// Identities of the tables that these are partitions of, over however many others. Their foreign keys (both those that lead
/// away and those that lead there) and triggers are the partitions', too, and have entries only above. Plain inheritance
/// hands neither down.
fn above<'a>(live: &'a Catalog, tables: &BTreeMap<&str, u64>, fates: &[Fate]) -> BTreeSet<&'a str> {
    let mut parents: HashMap<&str, &str> = HashMap::new();
    for (at, attach) in live.entries.iter().enumerate() {
        // What is detached comes back with its rows, and is checked as a whole then.
        if attach.kind != Kind::TableAttach || fates[at] == Fate::Goes {
            continue;
        }
        let is_parent = |need: &usize| {
            live.entries[*need].kind == Kind::Table && !is_child(live, attach, *need)
        };
        let parent = attach.depends.iter().copied().find(is_parent);
        if let Some((child, parent)) = attach.identity.strip_prefix("attach of ").zip(parent) {
            parents.insert(child, &live.entries[parent].identity);
        }
    }
    let mut above = BTreeSet::new();
    for table in tables.keys() {
        let mut next = parents.get(table);
        while let Some(parent) = next {
            next = match above.insert(*parent) {
                true => parents.get(parent),
                false => None,
            };
        }
    }
    above
}

/// Takes away what would act on rows that are put back into a table that stays.
pub(super) fn make_way(sides: &Sides<'_>, loaded: &BTreeSet<usize>, fates: &mut [Fate]) {
    let bytes = touched(sides, loaded);
    let above = above(sides.live, &bytes, fates);
    let attached: BTreeSet<usize> = sides
        .live
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::IndexAttach)
        .flat_map(|entry| entry.depends.iter().copied())
        .collect();
    for (at, entry) in sides.live.entries.iter().enumerate() {
        let needs = entry.depends.iter();
        let needs = needs.filter_map(|&need| sides.live.entries[need].table());
        let is_above = needs.clone().any(|need| above.contains(need));
        let of_loaded: Vec<u64> = needs.filter_map(|need| bytes.get(need).copied()).collect();
        let is_own = !of_loaded.is_empty();
        let many = of_loaded.iter().any(|&bytes| bytes >= REBUILD_INDEXES);
        let in_the_way = match entry.kind {
            Kind::FkConstraint | Kind::Trigger | Kind::TriggerState => is_own || is_above,
            Kind::RowSecurity => is_own,
            Kind::Index | Kind::Constraint => many && !attached.contains(&at),
            _ => false,
        };
        if in_the_way {
            fates[at] = Fate::Goes;
        }
    }
    let_old_rows_in(sides, &bytes, fates);
}

/// What is NOT VALID holds for new rows and not for the old ones that come back: it is taken off the tables, those that they
/// inherit from, and the domains of their columns, and comes back after the rows as the archive makes it.
fn let_old_rows_in(sides: &Sides<'_>, touched: &BTreeMap<&str, u64>, fates: &mut [Fate]) {
    let entries = &sides.live.entries;
    let mut checked: Vec<bool> = entries
        .iter()
        .map(|entry| touched.contains_key(entry.identity.as_str()))
        .collect();
    let checks = |at: usize| {
        matches!(
            entries[at].kind,
            Kind::Table | Kind::Domain | Kind::Type | Kind::TableAttach
        )
    };
    let mut before = Vec::new();
    while before != checked {
        before.clone_from(&checked);
        for (at, entry) in entries.iter().enumerate().filter(|(at, _)| checks(*at)) {
            let child = entry.identity.strip_prefix("attach of ");
            let needs = entry.depends.iter().filter(|&&need| checks(need));
            let attaches =
                |need: &&usize| checked[**need] && child == Some(entries[**need].identity.as_str());
            if checked[at] || needs.clone().any(|need| attaches(&need)) {
                needs.for_each(|&need| checked[need] = true);
            }
        }
    }
    for (at, entry) in entries.iter().enumerate() {
        let is_for_new_rows =
            entry.kind == Kind::CheckConstraint && entry.create.ends_with(" NOT VALID;\n");
        if is_for_new_rows && entry.depends.iter().any(|&need| checked[need]) {
            fates[at] = Fate::Goes;
        }
    }
}
