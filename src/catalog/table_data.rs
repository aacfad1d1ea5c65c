//! Which rows belong to the backup, how they are read, and how they are loaded again (spec §3.1 to
//! §3.3).
//!
//! Rows go back into the table they came from, with one exception: below a partitioned table whose
//! hashes depend on OIDs they are loaded through that table, and may land in other partitions than
//! before. Such a tree's rows are therefore read in one order of columns and compared as a whole.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::entry::{Kind, Table, Through, copy_options};
use super::graph::{Body, Node, NodeId};
use super::loss::Loss;
use super::read::Reading;
use super::relations::{Column, Relation};
use super::source::Source;
use crate::error::{Error, Result};
use crate::pg::{Row, Sql};

/// What applies to the data of the whole database.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// A standby: unlogged relations have no content there.
    pub in_recovery: bool,
    /// `server_encoding`.
    encoding: String,
    /// Partitioned tables whose rows may move between partitions when they are loaded again.
    moving: HashSet<u32>,
    /// Tables whose rows come to say something else without being written.
    shifting: HashSet<u32>,
    /// Columns whose values no server reads back, by relation and number, with the type's name.
    unloadable: HashMap<(u32, i32), String>,
}

impl Rules {
    /// Reads them: one query.
    pub async fn load(source: &Source<'_>) -> Result<Self> {
        let row = source
            .query_one(&Sql::constant(include_str!("sql/data_rules.sql")))
            .await?;
        let unloadable = row.list("unloadable")?;
        let broken =
            || Error::operation("read how rows are loaded").because("a fact makes no sense");
        Ok(Self {
            in_recovery: row.bool("in_recovery")?,
            encoding: row.string("encoding")?,
            moving: oids(&row, "moving")?.ok_or_else(broken)?,
            shifting: oids(&row, "shifting")?.ok_or_else(broken)?,
            unloadable: unloadable
                .iter()
                .map(|text| unloadable_column(text))
                .collect::<Option<_>>()
                .ok_or_else(broken)?,
        })
    }
}

fn oids(row: &Row, fact: &str) -> Result<Option<HashSet<u32>>> {
    let list = row.list(fact)?;
    Ok(list.iter().map(|oid| oid.parse().ok()).collect())
}

/// `16384 3 pg_node_tree`.
fn unloadable_column(text: &str) -> Option<((u32, i32), String)> {
    let mut words = text.split(' ');
    let place = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((place, words.next()?.to_owned()))
}

/// Adds the data of a table that has any, and says what of it cannot be kept.
pub(super) fn add(reading: &mut Reading, table: NodeId, relation: &Relation) {
    if relation.kind != 'r' || is_unreadable(reading, relation) {
        return;
    }
    refuse_unloadable(reading, relation);
    let identity = format!("data of {}", relation.identity());
    let node = Node::of_relation(Kind::TableData, relation, identity).body(Body::Data);
    let data = reading.graph.add_unaddressed(node);
    reading.graph.need(data, table);
}

/// Whether it has no content that could be read: unlogged, on a standby. It is refused by name.
pub(super) fn is_unreadable(reading: &mut Reading, relation: &Relation) -> bool {
    if relation.persistence != 'u' || !reading.data.in_recovery {
        return false;
    }
    let content = if relation.kind == 'S' {
        "its value"
    } else {
        "its rows"
    };
    reading.refuse(
        Loss::UnloggedData,
        format!("content of {}", relation.identity()),
        "pg_class",
        format!(
            "it is unlogged, and this server is a standby, which does not have {content}: take the backup from the primary"
        ),
    );
    true
}

fn refuse_unloadable(reading: &mut Reading, relation: &Relation) {
    for column in &relation.columns {
        let place = (relation.oid, column.number);
        let Some(type_name) = reading.data.unloadable.get(&place).cloned() else {
            continue;
        };
        reading.refuse(
            Loss::UnloadableValues,
            format!("values of column {} of {}", column.quoted, relation.identity()),
            "pg_attribute",
            format!("no server reads a {type_name} back from text: drop the column, or convert it to text"),
        );
    }
}

/// The tables with rows, in the order of their data entries.
pub(super) fn tables(reading: &Reading, order: &[NodeId]) -> Vec<Table> {
    let mut by_identity: BTreeMap<String, &Relation> = BTreeMap::new();
    for relation in reading.relations.all().filter(|one| one.kind == 'r') {
        by_identity.insert(format!("data of {}", relation.identity()), relation);
    }
    reading
        .graph
        .emitted(order, Kind::TableData)
        .filter_map(|identity| by_identity.get(identity))
        .map(|relation| table(reading, relation))
        .collect()
}

fn table(reading: &Reading, relation: &Relation) -> Table {
    let root = moving_root(reading, relation);
    let unloadable = &reading.data.unloadable;
    let columns: Vec<&Column> = restored_columns(reading, relation, root)
        .into_iter()
        .filter(|column| column.generated.is_none())
        .filter(|column| !unloadable.contains_key(&(relation.oid, column.number)))
        .collect();
    let quoted: Vec<&str> = columns
        .iter()
        .map(|column| column.quoted.as_str())
        .collect();
    let target = |relation: &Relation| match quoted.is_empty() {
        true => relation.quoted.clone(),
        false => format!("{} ({})", relation.quoted, quoted.join(", ")),
    };
    Table {
        oid: relation.oid,
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        identity: relation.identity(),
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        copy_target: target(relation),
        copy_options: copy_options(&reading.data.encoding),
        through: root.map(|root| Through {
            identity: root.identity(),
            copy_target: target(root),
        }),
        condition: reading.conditions.get(&relation.oid).cloned(),
        shifting: reading.data.shifting.contains(&relation.oid),
        size_bytes: relation.size_bytes,
        heap_blocks: relation.heap_blocks,
    }
}

/// The topmost ancestor below which the relation's rows may move.
fn moving_root<'a>(reading: &'a Reading, relation: &'a Relation) -> Option<&'a Relation> {
    let mut child = relation;
    let mut root = None;
    while child.is_partition {
        child = reading.relations.get(*child.parents.first()?)?;
        if reading.data.moving.contains(&child.oid) {
            root = Some(child);
        }
    }
    root
}

/// Columns in the order that a restored table has them. An inheritance child made before its
/// parent gained columns has another order (spec §1.9.7); definition and rows are read in the order
/// that both the original and its copy agree on, so that texts and digests do too. Partitions that
/// exchange rows are read in the order of their common root.
pub(super) fn restored_columns<'a>(
    reading: &Reading,
    relation: &'a Relation,
    root: Option<&Relation>,
) -> Vec<&'a Column> {
    let names = restored_names(reading, root.unwrap_or(relation));
    let mut columns: Vec<&Column> = relation.columns.iter().collect();
    columns.sort_by_key(|column| names.iter().position(|name| *name == column.name));
    columns
}

/// Parents' columns first, parent by parent, then what the table adds itself.
fn restored_names(reading: &Reading, relation: &Relation) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if !relation.is_partition {
        for parent in relation
            .parents
            .iter()
            .filter_map(|&oid| reading.relations.get(oid))
        {
            for name in restored_names(reading, parent) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    for column in &relation.columns {
        if !names.contains(&column.name) {
            names.push(column.name.clone());
        }
    }
    names
}

/// Names the table in a failure to read its rows, with the cure where there is one.
pub fn rows_unread(identity: &str, error: Error) -> Error {
    let reason = error.reason().unwrap_or_default();
    let too_long = error.sqlstate() == Some("54000")
        || (error.sqlstate() == Some("XX000") && reason.contains("alloc request size"));
    let error = error.attempting(format!("read the rows of {identity}"));
    if !too_long {
        return error;
    }
    error.hint(
        "a row's text is longer than the 1 GiB that the server can send, and bytea takes two \
         digits a byte: split the value, or keep it as a large object; the longest rows: \
         SELECT ctid, pg_column_size(t.*) FROM the table AS t ORDER BY 2 DESC LIMIT 5",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_the_server_cannot_send_is_explained() {
        let failed = |code: &str, reason: &str| {
            let error = Error::operation("COPY").because(reason).with_sqlstate(code);
            rows_unread("table s.t", error)
        };
        let error = failed(
            "XX000",
            "invalid memory alloc request size 1258291203 (XX000)",
        );
        assert!(
            error
                .to_string()
                .starts_with("read the rows of table s.t: invalid memory")
        );
        assert!(error.hints()[0].contains("large object"));
        assert!(!failed("54000", "string buffer exceeds").hints().is_empty());
        assert!(
            failed("XX001", "invalid page in block 7")
                .hints()
                .is_empty()
        );
    }

    #[test]
    fn an_unloadable_column_is_read_from_three_words() {
        assert_eq!(
            unloadable_column("16384 3 pg_node_tree"),
            Some(((16384, 3), "pg_node_tree".to_owned()))
        );
        assert_eq!(unloadable_column("16384 pg_node_tree"), None);
    }
}
