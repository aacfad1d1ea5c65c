//! Enums and stand-alone composite types as entries; row types and array types as carriers of
//! dependencies. Ranges, base types and shells are left to the closed world.

use super::address::{CLASS, TYPE};
use super::entry::Kind;
use super::graph::Node;
use super::read::{Reading, owner};
use super::relations::{Column, Relation};
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/types.sql")))
        .await?;
    for row in &rows {
        let oid = row.number("oid")?;
        if reading.is_member((TYPE, oid)) || is_inside_member(reading, row)? {
            continue;
        }
        match (row.letter("kind")?, row.opt("relation_kind")?) {
            ('e', _) => add_enum(reading, row, oid)?,
            ('c', Some("c")) => add_composite(reading, row, oid)?,
            ('c', _) => add_dummy(reading, row, oid)?,
            ('b', _) if row.bool("is_array")? => add_dummy(reading, row, oid)?,
            _ => {}
        }
    }
    Ok(())
}

/// Arrays of an extension's types and rows of its tables are no members themselves, yet stand for
/// the extension: a function of it that takes one would otherwise need what needs the extension.
fn is_inside_member(reading: &Reading, row: &Row) -> Result<bool> {
    let element = row.opt_number("inner_type")?.map(|oid| (TYPE, oid));
    let relation = row.opt_number("inner_relation")?.map(|oid| (CLASS, oid));
    Ok([element, relation]
        .into_iter()
        .flatten()
        .any(|address| reading.is_member(address)))
}

fn add_enum(reading: &mut Reading, row: &Row, oid: u32) -> Result<()> {
    let labels = row.list("labels")?;
    let list = labels
        .iter()
        .map(|label| format!("\n    {label}"))
        .collect::<Vec<_>>()
        .join(",");
    let create = format!("CREATE TYPE {} AS ENUM ({list}\n);\n", row.text("quoted")?);
    add_type(reading, row, oid, create)
}

fn add_composite(reading: &mut Reading, row: &Row, oid: u32) -> Result<()> {
    let relation = row.number("relation")?;
    let columns = reading
        .relations
        .get(relation)
        .map(|relation| attributes(relation))
        .unwrap_or_default();
    let create = format!("CREATE TYPE {} AS ({columns}\n);\n", row.text("quoted")?);
    add_type(reading, row, oid, create)?;
    // Attributes hang on the type's pg_class row, and so do their dependencies (spec §2.2.3).
    if let Some(node) = reading.graph.find((TYPE, oid)) {
        reading.graph.alias((CLASS, relation), node);
    }
    Ok(())
}

fn attributes(relation: &Relation) -> String {
    relation
        .columns
        .iter()
        .map(attribute)
        .collect::<Vec<_>>()
        .join(",")
}

fn attribute(column: &Column) -> String {
    let collation = column
        .collation
        .as_ref()
        .map(|name| format!(" COLLATE {name}"))
        .unwrap_or_default();
    format!("\n    {} {}{collation}", column.quoted, column.type_name)
}

fn add_type(reading: &mut Reading, row: &Row, oid: u32, create: String) -> Result<()> {
    let quoted = row.text("quoted")?;
    let identity = format!("type {quoted}");
    let Some((raw, quoted_owner)) = owner(reading, row, &identity, "pg_type")? else {
        return Ok(());
    };
    let create = format!("{create}ALTER TYPE {quoted} OWNER TO {quoted_owner};\n");
    let node = Node::new(Kind::Type, row.opt("schema")?, row.text("name")?, identity)
        .text(create, Some(format!("DROP TYPE {quoted};")))
        .owned_by(&raw)
        .commented_as(format!("TYPE {quoted}"));
    reading.graph.add((TYPE, oid), node);
    Ok(())
}

fn add_dummy(reading: &mut Reading, row: &Row, oid: u32) -> Result<()> {
    let identity = format!("type {}", row.text("quoted")?);
    let mut node = Node::new(Kind::Type, row.opt("schema")?, row.text("name")?, identity)
        .commented_as(format!("TYPE {}", row.text("quoted")?));
    node.is_dummy = true;
    reading.graph.add((TYPE, oid), node);
    Ok(())
}
