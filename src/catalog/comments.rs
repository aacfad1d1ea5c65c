//! Comments on everything that has an entry, and on columns (spec §1.7).

use std::collections::BTreeSet;

use super::address::{CLASS, EXTENSION, NAMESPACE};
use super::entry::Kind;
use super::extensions::is_default_comment;
use super::graph::{Comment, NodeId};
use super::read::Reading;
use super::schemas::{PUBLIC_COMMENT, missing_public_comment};
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/comments.sql")))
        .await?;
    for row in &rows {
        add_one(reading, row)?;
    }
    add_missing_public(reading, &rows)?;
    add_missing_of_extensions(reading, &rows)
}

fn add_one(reading: &mut Reading, row: &Row) -> Result<()> {
    let address = (row.number("class")?, row.number("object")?);
    let Some(id) = reading.graph.find(address) else {
        return Ok(());
    };
    // An extension's script may comment on its members; on tables both are kept, theirs and ours.
    if reading.graph.nodes[id].kind == Kind::Extension && address.0 != EXTENSION {
        return Ok(());
    }
    let Some(target) = target(reading, row, address, id)? else {
        return Ok(());
    };
    let comment = Comment {
        target,
        text: row.string("text")?,
    };
    let node = &reading.graph.nodes[id];
    let raw = row.text("raw_text")?;
    let comes_by_itself = is_default_comment(node, &comment, raw)
        || (comment.target == "SCHEMA public" && raw == PUBLIC_COMMENT);
    if !comes_by_itself {
        reading.graph.comment(id, comment);
    }
    Ok(())
}

fn target(reading: &Reading, row: &Row, address: (u32, u32), id: usize) -> Result<Option<String>> {
    if row.number::<i32>("part")? > 0 {
        let relation = reading.relations.get(address.1);
        return Ok(
            match (address.0 == CLASS, relation, row.opt("quoted_column")?) {
                (true, Some(relation), Some(column)) => {
                    Some(format!("COLUMN {}.{column}", relation.quoted))
                }
                _ => None,
            },
        );
    }
    if let Some(target) = reading.comment_targets.get(&address) {
        return Ok(Some(target.clone()));
    }
    Ok(reading.graph.nodes[id].comment_target.clone())
}

fn add_missing_public(reading: &mut Reading, rows: &[Row]) -> Result<()> {
    let public = reading
        .graph
        .nodes
        .iter()
        .position(|node| node.comment_target.as_deref() == Some("SCHEMA public"));
    let Some(public) = public else { return Ok(()) };
    for row in rows {
        let address = (row.number("class")?, row.number("object")?);
        if address.0 == NAMESPACE && reading.graph.find(address) == Some(public) {
            return Ok(());
        }
    }
    reading.graph.comment(public, missing_public_comment());
    Ok(())
}

/// An extension whose comment was taken away would get the usual one back.
fn add_missing_of_extensions(reading: &mut Reading, rows: &[Row]) -> Result<()> {
    let mut commented = BTreeSet::new();
    for row in rows {
        commented.insert((row.number("class")?, row.number("object")?));
    }
    let extensions = reading.installed.keys().map(|oid| (EXTENSION, *oid));
    let bare: Vec<NodeId> = extensions
        .filter(|address| !commented.contains(address))
        .filter_map(|address| reading.graph.find(address))
        .collect();
    for id in bare {
        let node = &reading.graph.nodes[id];
        if let (Some(target), false) = (node.comment_target.clone(), node.tie.is_empty()) {
            let text = "NULL".into();
            reading.graph.comment(id, Comment { target, text });
        }
    }
    Ok(())
}
