//! What was renamed gets its recorded name back, before anything else is compared: no row moves for it.
//!
//! Tables and their columns are told by what a name does not change: the OID, and the columns' places while
//! as many of them exist, and ever existed, as then. Indexes and constraints are told by the rest of
//! their definition. A wrong guess costs time and nothing else, as everything is compared afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::archive::{Manifest, TableRecord, WrittenRecord};
use crate::catalog::{Catalog, Entry, Kind, Table};
use crate::compare::State;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// Statements that belong together: all of them or none.
pub(super) type Group = Vec<Sql>;

/// By OID, how many columns each table ever had. Not by the server's counts, which a transaction reads once.
pub(super) async fn columns_ever(session: &Session) -> Result<HashMap<u32, u32>> {
    let sql = Sql::constant(include_str!("../sql/columns_ever.sql"));
    let rows = session.query(&sql).await?;
    let pairs = rows
        .iter()
        .map(|row| Ok((row.number("oid")?, row.number("columns")?)));
    pairs.collect()
}

/// Tables and columns; what need not fail together is apart.
pub(super) fn of_tables(
    manifest: &Manifest,
    live: &Catalog,
    columns_ever: &HashMap<u32, u32>,
) -> Vec<Group> {
    let Some(counters) = &manifest.counters else {
        return Vec::new();
    };
    let tables: HashMap<u32, &Table> = live.tables.iter().map(|one| (one.oid, one)).collect();
    let records = manifest.tables.iter().zip(&counters.tables);
    let known: Vec<(&TableRecord, &WrittenRecord, &Table)> = records
        .filter_map(|(record, written)| Some((record, written, *tables.get(&written.oid)?)))
        .collect();
    let mut groups = of_moved(&moved(&known, live));
    let same_columns = known
        .iter()
        .filter(|(_, written, _)| columns_ever.get(&written.oid) == Some(&written.columns));
    groups.extend(same_columns.map(|(record, _, table)| of_columns(record, table)));
    groups.retain(|group| !group.is_empty());
    groups
}

/// A table with another name than was recorded.
type Moved<'a> = (&'a TableRecord, &'a Table);

/// Tables that can have their name back: nobody else has it who keeps it.
fn moved<'a>(
    known: &[(&'a TableRecord, &WrittenRecord, &'a Table)],
    live: &Catalog,
) -> Vec<Moved<'a>> {
    let mut moved: BTreeMap<&str, Moved<'_>> = known
        .iter()
        .filter(|(record, _, table)| record.identity != table.identity)
        .map(|(record, _, table)| (table.identity.as_str(), (*record, *table)))
        .collect();
    let taken: BTreeSet<&str> = live
        .tables
        .iter()
        .map(|one| one.identity.as_str())
        .collect();
    loop {
        let keeps = |name: &str| taken.contains(name) && !moved.contains_key(name);
        let stuck = moved
            .iter()
            .find(|(_, (record, _))| keeps(&record.identity));
        let Some(stuck) = stuck.map(|(name, _)| *name) else {
            return moved.into_values().collect();
        };
        moved.remove(stuck);
    }
}

/// Names that go round are given by way of names that nobody has, all of them or none.
fn of_moved(moved: &[Moved<'_>]) -> Vec<Group> {
    let now: BTreeSet<&str> = moved
        .iter()
        .map(|(_, table)| table.identity.as_str())
        .collect();
    let clash = moved
        .iter()
        .any(|(record, _)| now.contains(record.identity.as_str()));
    if !clash {
        let groups = moved.iter();
        return groups
            .map(|(record, table)| of_table(record, table))
            .collect();
    }
    let mut group = Vec::new();
    let mut away = Vec::new();
    for (at, (_, table)) in moved.iter().enumerate() {
        let name = between(at);
        let renamed = Sql::constant("ALTER TABLE ").qualified(&table.schema, &table.name);
        group.push(renamed.then(" RENAME TO ").ident(&name));
        away.push(Table {
            name,
            ..(*table).clone()
        });
    }
    for ((record, _), table) in moved.iter().zip(&away) {
        group.extend(of_table(record, table));
    }
    vec![group]
}

/// A name for the time between two.
fn between(at: usize) -> String {
    format!("pgbelay renames {at}")
}

fn of_table(record: &TableRecord, table: &Table) -> Group {
    let alter = |schema: &str, name: &str| Sql::constant("ALTER TABLE ").qualified(schema, name);
    let mut group = Vec::new();
    if record.schema != table.schema {
        let moved = alter(&table.schema, &table.name).then(" SET SCHEMA ");
        group.push(moved.ident(&record.schema));
    }
    if record.name != table.name {
        let renamed = alter(&record.schema, &table.name).then(" RENAME TO ");
        group.push(renamed.ident(&record.name));
    }
    group
}

/// By way of names that nobody has, if a column has the name that another one had.
fn of_columns(record: &TableRecord, table: &Table) -> Group {
    if record.columns.len() != table.columns.len() {
        return Vec::new();
    }
    let pairs = table.columns.iter().zip(&record.columns);
    let pairs: Vec<(&String, &String)> = pairs.filter(|(now, then)| now != then).collect();
    let rename = |from: &str, to: &str| {
        Sql::constant("ALTER TABLE ")
            .qualified(&record.schema, &record.name)
            .then(" RENAME COLUMN ")
            .ident(from)
            .then(" TO ")
            .ident(to)
    };
    let clash = pairs.iter().any(|(_, then)| table.columns.contains(then));
    if !clash {
        return pairs.iter().map(|(now, then)| rename(now, then)).collect();
    }
    let away = pairs.iter().enumerate();
    let away = away.map(|(at, (now, _))| rename(now, &between(at)));
    let back = pairs.iter().enumerate();
    let back = back.map(|(at, (_, then))| rename(&between(at), then));
    away.chain(back).collect()
}

/// Indexes and constraints; one group for each.
pub(super) fn of_definitions(live: &Catalog, archive: &State) -> Vec<Group> {
    let known: BTreeSet<&str> = live
        .entries
        .iter()
        .map(|one| one.identity.as_str())
        .collect();
    let mut missing: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (identity, entry) in &archive.entries {
        if known.contains(identity.as_str()) {
            continue;
        }
        let Some((rest, name)) = nameless(&entry.kind, &entry.text) else {
            continue;
        };
        // Of twins nobody can tell which is which.
        let slot = missing.entry(rest).or_insert_with(|| Some(name.to_owned()));
        if slot.as_deref() != Some(name) {
            *slot = None;
        }
    }
    let added = live.entries.iter();
    let added = added.filter(|entry| !archive.entries.contains_key(&entry.identity));
    added
        .filter_map(|entry| {
            let (rest, _) = nameless(entry.kind.name(), &entry.create)?;
            let name = missing.remove(&rest)??;
            renamed(entry, &name).map(|sql| vec![sql])
        })
        .collect()
}

/// A definition without its name, and the name as it is quoted there.
fn nameless<'t>(kind: &str, text: &'t str) -> Option<(String, &'t str)> {
    let (word, end) = match kind {
        _ if kind == Kind::Index.name() => ("INDEX ", " ON "),
        _ if kind == Kind::Constraint.name() || kind == Kind::FkConstraint.name() => {
            ("ADD CONSTRAINT ", " ")
        }
        _ => return None,
    };
    let start = text.find(word)? + word.len();
    let length = match text[start..].strip_prefix('"') {
        Some(quoted) => 2 + quoted.find(&format!("\"{end}"))?,
        None => text[start..].find(end)?,
    };
    let name = &text[start..start + length];
    let rest = format!("{kind}\n{}\0{}", &text[..start], &text[start + length..]);
    Some((rest, name))
}

/// The statement that renames it; from what drops it, which has the whole name.
fn renamed(entry: &Entry, name: &str) -> Option<Sql> {
    let Some(drop) = entry.drop.as_deref() else {
        return renamed_part(entry, name);
    };
    let drop = drop.trim_end().trim_end_matches(';');
    let sql = match drop.strip_prefix("DROP INDEX ") {
        Some(index) => format!("ALTER INDEX {index} RENAME TO {name}"),
        None => {
            let (alter, old) = drop.split_once(" DROP CONSTRAINT ")?;
            // Names of constraints that are inherited change with the parent's.
            let alter = alter.replacen("ALTER TABLE ONLY ", "ALTER TABLE ", 1);
            format!("{alter} RENAME CONSTRAINT {old} TO {name}")
        }
    };
    Some(Sql::deparsed(sql))
}

/// A partition's part of an index or a key is not dropped by itself: its identity has the name.
fn renamed_part(entry: &Entry, name: &str) -> Option<Sql> {
    let (_, own) = nameless(entry.kind.name(), &entry.create)?;
    let sql = match entry.identity.strip_prefix("index ") {
        Some(index) => format!("ALTER INDEX {index} RENAME TO {name}"),
        None => {
            let constraint = format!("constraint {own} on ");
            let table = entry.identity.strip_prefix(&constraint)?;
            format!("ALTER TABLE {table} RENAME CONSTRAINT {own} TO {name}")
        }
    };
    Some(Sql::deparsed(sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_told_from_its_name() {
        let index = Kind::Index.name();
        let one = nameless(index, "CREATE UNIQUE INDEX a ON s.t USING btree (a);");
        let two = nameless(
            index,
            "CREATE UNIQUE INDEX \"b \"\" ON\" ON s.t USING btree (a);",
        );
        let (one, two) = (one.expect("an index"), two.expect("an index"));
        assert_eq!(one.0, two.0);
        assert_eq!((one.1, two.1), ("a", "\"b \"\" ON\""));
        let other = nameless(index, "CREATE INDEX a ON s.t USING btree (b);");
        assert_ne!(one.0, other.expect("an index").0);
        let key = "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT t_key UNIQUE (a);";
        let key = nameless(Kind::Constraint.name(), key);
        assert_eq!(key.expect("a constraint").1, "t_key");
        assert!(nameless(Kind::View.name(), "CREATE VIEW v AS SELECT 1;").is_none());
    }
}
