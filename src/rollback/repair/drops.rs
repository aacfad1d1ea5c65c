//! The statements that remove what goes: plain ones, dependents first. What goes with its relation needs none.

use super::mend;
use super::plan::{Fate, Sides, Unfit};
use crate::catalog::{Catalog, Entry, Kind, Uncovered};
use crate::pg::Sql;
use crate::restore::Statement;

/// Every object that goes, the last in restore order first.
pub(super) fn drops(sides: &Sides<'_>, fates: &[Fate]) -> Result<Vec<Statement>, Unfit> {
    // Event triggers first: they would run the user's code on the drops that follow.
    let is_event_trigger = |object: &&Uncovered| object.catalog.ends_with("pg_event_trigger");
    let known = &sides.archive.uncovered;
    let since = sides.live.uncovered.iter();
    let since = since.filter(|object| !known.contains(&object.label()));
    let (first, rest): (Vec<_>, Vec<_>) = since.partition(is_event_trigger);
    let removed = first.into_iter().chain(rest);
    let mut drops: Vec<Statement> = removed
        .filter_map(|object| {
            Some(statement(
                "drop",
                &object.description,
                object.drop.as_deref()?,
            ))
        })
        .collect();
    for (at, entry) in sides.live.entries.iter().enumerate().rev() {
        drops.extend(let_go(entry, sides, fates, at));
        if fates[at] == Fate::Goes {
            drops.extend(drop_of(entry, sides, fates)?);
        }
    }
    Ok(drops)
}

/// What its table chose an index for, if the index changes or goes and the table stays.
fn let_go(entry: &Entry, sides: &Sides<'_>, fates: &[Fate], at: usize) -> Vec<Statement> {
    let changes = matches!(fates[at], Fate::Goes | Fate::Mended(_));
    if !is_index(entry) || !changes || goes_with_another(entry, sides.live, fates) {
        return Vec::new();
    }
    let archive = sides.archive.entries.get(&entry.identity);
    let archive = archive.map(|one| one.text.as_str());
    let released = mend::released(&entry.canonical(), archive).into_iter();
    released
        .map(|sql| statement("release", &entry.identity, &sql))
        .collect()
}

pub(super) fn statement(verb: &str, what: &str, sql: &str) -> Statement {
    let sql = sql.trim_end();
    let end = if sql.ends_with(';') { "\n" } else { ";\n" };
    Statement {
        what: format!("{verb} {what}"),
        sql: Sql::deparsed(format!("{sql}{end}")),
    }
}

/// What takes its rows from a materialized view that stays, and had none.
fn emptying(entry: &Entry, sides: &Sides<'_>, fates: &[Fate]) -> Option<String> {
    let had_rows = sides.archive.entries.contains_key(&entry.identity);
    let stays = !entry.depends.iter().any(|&need| fates[need] == Fate::Goes);
    if entry.kind != Kind::MaterializedViewData || had_rows || !stays {
        return None;
    }
    let mut lines = entry.create.lines();
    let refresh = lines.find(|line| line.starts_with("REFRESH MATERIALIZED VIEW "))?;
    Some(format!("{} WITH NO DATA;", refresh.strip_suffix(';')?))
}

/// None if it goes with its relation.
fn drop_of(entry: &Entry, sides: &Sides<'_>, fates: &[Fate]) -> Result<Option<Statement>, Unfit> {
    if goes_with_another(entry, sides.live, fates) {
        return Ok(None);
    }
    if let Some(refresh) = emptying(entry, sides, fates) {
        return Ok(Some(statement("empty", &entry.identity, &refresh)));
    }
    if let Some(drop) = entry.drop.as_deref() {
        return Ok(Some(statement("drop", &entry.identity, drop)));
    }
    let is_content = matches!(
        entry.kind,
        Kind::TableData | Kind::SequenceSet | Kind::LargeObjectData | Kind::MaterializedViewData
    );
    if entry.kind == Kind::Sequence {
        return Ok(mend::drop_identity(&entry.create)
            .filter(|_| !goes_with_table(entry, sides.live, fates))
            .map(|drop| statement("drop", &entry.identity, &drop)));
    }
    // The archive's text is run over what is there.
    if is_content || sides.archive.entries.contains_key(&entry.identity) {
        return Ok(None);
    }
    Err(Unfit(format!(
        "{} cannot be removed by itself",
        entry.identity
    )))
}

fn goes_with_another(entry: &Entry, live: &Catalog, fates: &[Fate]) -> bool {
    let goes = |need: &usize| fates[*need] == Fate::Goes;
    if entry.drop.is_none() && is_index(entry) {
        // A partition's part of an index: the server removes it with the whole one.
        let mut needs = entry.depends.iter();
        if needs.any(|need| is_index(&live.entries[*need]) && goes(need)) {
            return true;
        }
    }
    match entry.kind {
        // Grants of a column stand beside those of its table, and stay when those are made again.
        Kind::Acl => {
            let mut needs = entry.depends.iter();
            needs.any(|need| goes(need) && live.entries[*need].kind != Kind::Acl)
        }
        Kind::Comment
        | Kind::SecurityLabel
        | Kind::Owner
        | Kind::IndexAttach
        | Kind::TriggerState
        | Kind::TableData
        | Kind::ExtensionTable => entry.depends.iter().any(goes),
        // A validation, or how a partition's part of a trigger is enabled; what is its own has a statement.
        Kind::FkConstraint | Kind::Trigger if entry.drop.is_none() => {
            entry.depends.iter().any(goes)
        }
        // Not defaults: a sequence is made after its table, and goes before it.
        Kind::CheckConstraint
        | Kind::Constraint
        | Kind::Index
        | Kind::Rule
        | Kind::Trigger
        | Kind::Policy
        | Kind::RowSecurity
        | Kind::Statistics => {
            // What else it needs may go earlier than the relation.
            let (relations, others): (Vec<usize>, Vec<usize>) = entry
                .depends
                .iter()
                .partition(|&&need| has_columns(live, need));
            !relations.is_empty() && relations.iter().all(goes) && !others.iter().any(goes)
        }
        _ => false,
    }
}

fn goes_with_table(entry: &Entry, live: &Catalog, fates: &[Fate]) -> bool {
    let mut tables = entry
        .depends
        .iter()
        .filter(|&&need| has_columns(live, need));
    tables.any(|&need| fates[need] == Fate::Goes)
}

fn is_index(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Index | Kind::Constraint)
}

fn has_columns(live: &Catalog, at: usize) -> bool {
    matches!(
        live.entries[at].kind,
        Kind::Table
            | Kind::View
            | Kind::MaterializedView
            | Kind::ForeignTable
            | Kind::ExtensionTable
    )
}
