//! What stores results of code, which no definition shows: indexes over expressions, generated columns, materialized views.
//! Where the code differs, or what it may name, they are made again.

use std::collections::BTreeSet;

use super::plan::{Fate, Sides, staying, touched};
use crate::catalog::{Catalog, Kind};

/// Kinds whose objects compute something: what they once returned may be stored elsewhere.
const COMPUTING: [Kind; 4] = [
    Kind::Function,
    Kind::Procedure,
    Kind::Aggregate,
    Kind::Operator,
];

/// Kinds of what the text of a function may name, beside [`COMPUTING`]: where one differs, the function may return something
/// else. Not tables and their rows, which differ nearly always: results of a function that reads them are not to be stored.
const READ_BY_CODE: [Kind; 20] = [
    Kind::Language,
    Kind::Transform,
    Kind::Type,
    Kind::Domain,
    Kind::Cast,
    Kind::Collation,
    Kind::Conversion,
    Kind::OperatorFamily,
    Kind::OperatorClass,
    Kind::OperatorFamilyMember,
    Kind::TsParser,
    Kind::TsTemplate,
    Kind::TsDictionary,
    Kind::TsConfiguration,
    Kind::View,
    Kind::ForeignDataWrapper,
    Kind::ForeignServer,
    Kind::UserMapping,
    Kind::ForeignTable,
    Kind::Extension,
];

/// Which entries call user code, over however many others.
fn callers(live: &Catalog) -> Vec<bool> {
    let mut calls = vec![false; live.entries.len()];
    for (at, entry) in live.entries.iter().enumerate() {
        calls[at] =
            COMPUTING.contains(&entry.kind) || entry.depends.iter().any(|&need| calls[need]);
    }
    calls
}

/// Whether code differs, or what it may read. Which code names what is not recorded for bodies that are texts.
fn code_differs(sides: &Sides<'_>, fates: &[Fate]) -> bool {
    let kinds = || COMPUTING.iter().chain(&READ_BY_CODE);
    let mut live = sides.live.entries.iter().zip(fates);
    let stays = staying(sides.live, fates);
    let mut records = sides.manifest.entries.iter();
    live.any(|(entry, fate)| *fate != Fate::Stays && kinds().any(|kind| *kind == entry.kind))
        || records.any(|record| {
            let is_code = kinds().any(|kind| kind.name() == record.kind);
            is_code && !stays.entries.contains_key(record.identity.as_str())
        })
}

/// What stores results of code is made again where code differs: an index over an expression, rows with generated columns.
/// Their definitions say the same, and the digest of the rows leaves generated columns out.
pub(super) fn renew_results(sides: &Sides<'_>, fates: &mut [Fate]) {
    if !code_differs(sides, fates) {
        return;
    }
    let calls = callers(sides.live);
    let entries = &sides.live.entries;
    for (at, entry) in entries.iter().enumerate() {
        let stores = match entry.kind {
            Kind::Index | Kind::Constraint => true,
            Kind::Table => entry.create.contains(" GENERATED ALWAYS AS ("),
            _ => false,
        };
        // An index over plain columns needs its table, which may call code for other reasons.
        let mut needs = entry
            .depends
            .iter()
            .filter(|&&need| !matches!(entries[need].kind, Kind::Table | Kind::MaterializedView));
        if stores && needs.any(|&need| calls[need]) {
            fates[at] = Fate::Goes;
        }
    }
}

/// Materialized views that show rows of these tables, over however many views, partitions and children, or are made
/// by what differs, are filled again; those that call code in any case, because nobody knows what it reads.
pub(super) fn refresh_what_reads(sides: &Sides<'_>, loaded: &BTreeSet<usize>, fates: &mut [Fate]) {
    let entries = &sides.live.entries;
    let mut reads = changed(sides, loaded, fates);
    let something = reads.contains(&true);
    let calls = callers(sides.live);
    loop {
        let before = reads.clone();
        for (at, entry) in entries.iter().enumerate() {
            reads[at] |= entry.depends.iter().any(|&need| reads[need]);
            // A parent shows what its children hold.
            let is_child = matches!(entry.kind, Kind::Table | Kind::TableAttach) && reads[at];
            for &need in entry.depends.iter().filter(|_| is_child) {
                reads[need] |= entries[need].kind == Kind::Table;
            }
        }
        if before == reads {
            break;
        }
    }
    for (at, entry) in entries.iter().enumerate() {
        let stale = reads[at] || calls[at] && something;
        if stale && entry.kind == Kind::MaterializedViewData && fates[at] == Fate::Stays {
            fates[at] = Fate::RunAgain;
        }
    }
}

/// What does not stay as it is: definitions, rows, and what the archive makes again beside or below it.
fn changed(sides: &Sides<'_>, loaded: &BTreeSet<usize>, fates: &[Fate]) -> Vec<bool> {
    let tables = touched(sides, loaded);
    let stays = staying(sides.live, fates);
    let mut changed: Vec<bool> = sides
        .live
        .entries
        .iter()
        .zip(fates)
        .map(|(entry, fate)| {
            let table = entry.table();
            *fate != Fate::Stays || table.is_some_and(|table| tables.contains_key(table))
        })
        .collect();
    let records = &sides.manifest.entries;
    for record in records
        .iter()
        .filter(|record| !stays.entries.contains_key(record.identity.as_str()))
    {
        for need in record
            .depends
            .iter()
            .filter_map(|&need| records.get(usize::try_from(need).ok()?))
        {
            let attached = matches!(&*record.kind, kind if kind == Kind::TableAttach.name() || kind == Kind::Table.name());
            let standing = stays.entries.get(need.identity.as_str());
            if let Some(&at) = standing.filter(|_| attached) {
                changed[at] = true;
            }
        }
    }
    changed
}
