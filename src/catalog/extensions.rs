//! Extensions: created by name; their members stand for them in the graph.
//!
//! The version is pinned when it is not the one that a plain CREATE EXTENSION would take here, so
//! that the same server restores the same version and a newer server still restores (spec §1.3).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::address::{CLASS, EXTENSION};
use super::entry::{Extension, Kind};
use super::graph::{Comment, Node, NodeId};
use super::guard::Installed;
use super::read::Reading;
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<Vec<Extension>> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/extensions.sql")))
        .await?;
    let mut extensions = Vec::new();
    let mut has_plpgsql = false;
    for row in &rows {
        has_plpgsql |= row.text("name")? == "plpgsql";
        let installed = Installed {
            name: row.string("name")?,
            version: row.string("version")?,
        };
        reading.installed.insert(row.number("oid")?, installed);
        if row.bool("comes_by_itself")? {
            add_built_in(reading, row)?;
            continue;
        }
        let (oid, name, quoted) = (row.number("oid")?, row.text("name")?, row.text("quoted")?);
        let version = row.text("version")?;
        let pin = if row.opt("default_version")? == Some(version) {
            String::new()
        } else {
            format!(" VERSION {}", row.text("quoted_version")?)
        };
        let create = format!(
            "CREATE EXTENSION IF NOT EXISTS {quoted} WITH SCHEMA {}{pin};\n",
            row.text("quoted_schema")?
        );
        let node = Node::new(Kind::Extension, None, name, format!("extension {quoted}"))
            .text(create, Some(format!("DROP EXTENSION {quoted};")));
        let id = reading.graph.add((EXTENSION, oid), node);
        add_comment(reading, id, row, quoted)?;
        alias_members(reading, oid, id);
        extensions.push(Extension {
            name: name.to_owned(),
            version: version.to_owned(),
            schema: row.string("schema")?,
        });
    }
    if !has_plpgsql {
        add_absent_plpgsql(reading);
    }
    Ok(extensions)
}

/// plpgsql is in every fresh database. It keeps its comment only if that is not the usual one.
fn add_built_in(reading: &mut Reading, row: &Row) -> Result<()> {
    let quoted = row.text("quoted")?;
    let identity = format!("extension {quoted}");
    let schema = Some(row.text("schema")?);
    let mut node = Node::new(Kind::Extension, schema, row.text("name")?, identity);
    node.is_dummy = true;
    let id = reading.graph.add((EXTENSION, row.number("oid")?), node);
    add_comment(reading, id, row, quoted)
}

/// A database whose plpgsql was dropped must not get it back (pg_dump loses this, spec §1.9.9).
/// Last of all, because entries before it may be DO statements.
fn add_absent_plpgsql(reading: &mut Reading) {
    let identity = "absence of extension plpgsql";
    let node = Node::new(Kind::Absence, None, "plpgsql", identity).text(
        "DROP EXTENSION IF EXISTS plpgsql;\n".into(),
        Some("CREATE EXTENSION IF NOT EXISTS plpgsql;".into()),
    );
    reading.graph.add_unaddressed(node);
}

/// The control file's comment comes with CREATE EXTENSION; only another one is worth a statement,
/// because COMMENT ON EXTENSION needs the extension's owner. The catalogs' comment is read later;
/// here only the target is noted.
fn add_comment(reading: &mut Reading, id: usize, row: &Row, quoted: &str) -> Result<()> {
    if let Some(node) = reading.graph.nodes.get_mut(id) {
        node.comment_target = Some(format!("EXTENSION {quoted}"));
        node.tie = row.opt_string("default_comment")?.into_iter().collect();
    }
    Ok(())
}

fn alias_members(reading: &mut Reading, extension: u32, node: usize) {
    let members: Vec<_> = reading
        .members
        .iter()
        .filter(|&(_, &owner)| owner == extension)
        .map(|(&address, _)| address)
        .collect();
    for address in members {
        reading.graph.alias(address, node);
    }
}

/// Rows of configuration tables and values of configuration sequences: the only data of members
/// that belongs to the user (spec §3.6). They are deleted, not dropped, before they come back.
pub(super) async fn add_configuration(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let sql = Sql::constant(include_str!("sql/configuration.sql"));
    let mut nodes = HashMap::new();
    let rows = source.query(&sql).await?;
    reading.unfilled = unfilled(reading, source, &rows).await?;
    for row in rows {
        let extension = reading.graph.find((EXTENSION, row.number("extension")?));
        let relation = reading.relations.get(row.number("relation")?).cloned();
        let (Some(extension), Some(relation)) = (extension, relation) else {
            continue;
        };
        let (kind, word) = match relation.kind {
            'r' => (Kind::TableData, "data"),
            'S' => (Kind::SequenceSet, "value"),
            _ => continue,
        };
        let condition = row.string("condition")?;
        let identity = format!("{word} of {}", relation.identity());
        // What holds nothing of the user's needs no right to write it: it may well be the provider's.
        let is_filled = !reading.unfilled.contains(&relation.oid);
        let drop = (kind == Kind::TableData && is_filled)
            .then(|| format!("DELETE FROM ONLY {} {condition};", relation.quoted));
        let node = Node::new(kind, Some(&relation.schema), &relation.name, identity)
            .text(String::new(), drop);
        let id = reading.graph.add_unaddressed(node);
        reading.graph.need(id, extension);
        if let Some(table) = reading.graph.find((CLASS, relation.oid)) {
            reading.graph.need(id, table);
        }
        reading.conditions.insert(relation.oid, condition);
        nodes.insert(relation.oid, id);
    }
    order_by_foreign_keys(reading, source, &nodes).await
}

/// Configuration tables that hold no row of the user's: one query. One that this role may not read may hold some.
async fn unfilled(reading: &Reading, source: &Source<'_>, rows: &[Row]) -> Result<BTreeSet<u32>> {
    let mut parts = Vec::new();
    for row in rows {
        let Some(relation) = reading.relations.get(row.number("relation")?) else {
            continue;
        };
        if relation.kind != 'r' || !row.bool("is_readable")? {
            continue;
        }
        parts.push(format!(
            "SELECT {} AS relation WHERE NOT EXISTS (SELECT FROM ONLY {} {})",
            relation.oid,
            relation.quoted,
            row.text("condition")?
        ));
    }
    if parts.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = Sql::deparsed(parts.join(" UNION ALL "));
    let found = source.session().query(&sql).await?;
    found.iter().map(|row| row.number("relation")).collect()
}

/// Foreign keys of configuration tables come with CREATE EXTENSION, so they are there while rows are
/// loaded: referenced rows go first (spec section 2.2, rule 10). Of a circle one key is left out:
/// its rows go in only if the extension made the key deferrable or the values allow it.
async fn order_by_foreign_keys(
    reading: &mut Reading,
    source: &Source<'_>,
    nodes: &HashMap<u32, NodeId>,
) -> Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    let sql = Sql::constant(include_str!("sql/configuration_keys.sql"));
    let mut needs: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for row in source.query(&sql).await? {
        let node = |oid: u32| nodes.get(&oid).copied();
        let ends = (
            node(row.number("referencing")?),
            node(row.number("referenced")?),
        );
        let (Some(from), Some(to)) = ends else {
            continue;
        };
        if from != to && !reaches(&needs, to, from) {
            needs.entry(from).or_default().insert(to);
            reading.graph.need(from, to);
        }
    }
    Ok(())
}

/// Whether `to` is among what `from` needs, directly or through others.
fn reaches(needs: &BTreeMap<NodeId, BTreeSet<NodeId>>, from: NodeId, to: NodeId) -> bool {
    let mut stack = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(node) = stack.pop() {
        if node == to {
            return true;
        }
        if seen.insert(node) {
            stack.extend(needs.get(&node).into_iter().flatten());
        }
    }
    false
}

/// The text of a comment that CREATE EXTENSION brings by itself.
pub(super) fn is_default_comment(node: &Node, comment: &Comment, raw_text: &str) -> bool {
    node.kind == Kind::Extension
        && comment.target.starts_with("EXTENSION ")
        && node.tie.first().is_some_and(|default| default == raw_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_keys_is_seen_before_it_is_closed() {
        let needs = BTreeMap::from([(1, BTreeSet::from([2])), (2, BTreeSet::from([3]))]);
        assert!(reaches(&needs, 1, 3));
        assert!(!reaches(&needs, 3, 1));
        assert!(reaches(&needs, 1, 1));
    }
}
