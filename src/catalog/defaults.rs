//! Column defaults and generation expressions (spec §1.3 TABLE, §2.3 cases 8 and 10).
//!
//! A default starts inside its table's text; it becomes an entry of its own only when a cycle asks
//! for it.

use super::address::{ATTRDEF, CLASS};
use super::entry::Kind;
use super::graph::{Body, Draft, Give, Node, NodeId};
use super::guard::regclass;
use super::read::Reading;
use super::relations::{Column, Relation};
use super::source::Source;
use crate::error::Result;
use crate::pg::{Sql, quote_literal};

/// One pg_attrdef row.
struct Default {
    oid: u32,
    relation: u32,
    number: i32,
    expression: String,
}

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/defaults.sql")))
        .await?;
    let mut defaults = Vec::with_capacity(rows.len());
    for row in rows {
        defaults.push(Default {
            oid: row.number("oid")?,
            relation: row.number("relation")?,
            number: row.number("number")?,
            expression: row.string("expression")?,
        });
    }
    for default in &defaults {
        add_one(reading, default, &defaults);
    }
    add_null_defaults(reading, &defaults);
    Ok(())
}

fn add_one(reading: &mut Reading, default: &Default, all: &[Default]) {
    let Some(relation) = reading.relations.get(default.relation).cloned() else {
        return;
    };
    let Some(column) = relation.column(default.number).cloned() else {
        return;
    };
    let mut node = node(&relation, &column, &default.expression);
    if reading.is_member((CLASS, relation.oid)) {
        return add_to_member(reading, default, &relation, &column, node);
    }
    let Some(table) = owned_table(reading, default.relation) else {
        return;
    };
    let inline = relation.kind != 'v' && relation.prints(&column);
    if column.generated.is_some()
        && (!inline || inherits_expression(reading, &relation, &column, default, all))
    {
        node.body = Body::Hidden;
        node.is_dummy = true;
        let id = reading.graph.add((ATTRDEF, default.oid), node);
        reading.graph.need(id, table);
        return;
    }
    if inline {
        node.give = if column.generated.is_some() {
            Give::Nothing
        } else {
            Give::Default
        };
        if let Body::Fixed(draft) = node.body {
            node.body = Body::Part(draft);
        }
        let id = reading.graph.add((ATTRDEF, default.oid), node);
        reading.graph.fold(id, table);
        remember(reading, table, default.number, id, &default.expression);
        return;
    }
    let id = reading.graph.add((ATTRDEF, default.oid), node);
    reading.graph.need(id, table);
}

/// A column of an extension's own table: the table's entry generates it, a default follows it.
fn add_to_member(
    reading: &mut Reading,
    default: &Default,
    relation: &Relation,
    column: &Column,
    node: Node,
) {
    let Some(table) = reading.graph.find((CLASS, relation.oid)) else {
        return;
    };
    if column.generated.is_some() {
        let place = (relation.oid, column.number);
        reading.generated.insert(place, default.expression.clone());
        reading.graph.alias((ATTRDEF, default.oid), table);
        return;
    }
    let id = reading.graph.add((ATTRDEF, default.oid), node);
    reading.graph.need(id, table);
    let probe = format!(
        "(SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
         WHERE d.adrelid = {} AND a.attname = {})",
        regclass(&relation.quoted),
        quote_literal(&column.name)
    );
    reading.guard(id, relation.oid, &probe, &default.expression);
}

/// The node of a relation that is ours.
fn owned_table(reading: &Reading, oid: u32) -> Option<NodeId> {
    if reading.is_member((CLASS, oid)) {
        return None;
    }
    reading.graph.find((CLASS, oid))
}

fn node(relation: &Relation, column: &Column, expression: &str) -> Node {
    let alter = format!(
        "ALTER TABLE ONLY {} ALTER COLUMN {}",
        relation.quoted, column.quoted
    );
    let mut node = Node::new(
        Kind::Default,
        Some(&relation.schema),
        &format!("{} {}", relation.name, column.name),
        format!("default of {}.{}", relation.quoted, column.quoted),
    );
    node.body = Body::Fixed(Draft {
        create: format!("{alter} SET DEFAULT {expression};\n"),
        drop: Some(format!("{alter} DROP DEFAULT;")),
    });
    node.tied([format!("{:05}", column.number)])
}

fn remember(reading: &mut Reading, table: NodeId, number: i32, id: NodeId, expression: &str) {
    if let Some(Body::Table(body)) = reading
        .graph
        .nodes
        .get_mut(table)
        .map(|node| &mut node.body)
    {
        body.defaults.push((number, id, expression.to_owned()));
    }
}

/// A child's generation expression equal to a parent's comes by inheritance.
fn inherits_expression(
    reading: &Reading,
    relation: &Relation,
    column: &Column,
    default: &Default,
    all: &[Default],
) -> bool {
    if relation.is_partition || !column.is_inherited {
        return false;
    }
    parent_columns(reading, relation, &column.name).any(|(parent, number)| {
        all.iter().any(|other| {
            other.relation == parent
                && other.number == number
                && other.expression == default.expression
        })
    })
}

fn parent_columns<'a>(
    reading: &'a Reading,
    relation: &'a Relation,
    name: &'a str,
) -> impl Iterator<Item = (u32, i32)> + 'a {
    relation
        .parents
        .iter()
        .filter_map(|&oid| reading.relations.get(oid))
        .filter_map(move |parent| {
            let column = parent.columns.iter().find(|column| column.name == name)?;
            Some((parent.oid, column.number))
        })
}

/// A child that dropped an inherited default has no row in pg_attrdef, but would inherit the
/// default again: it gets an explicit `DEFAULT NULL`.
fn add_null_defaults(reading: &mut Reading, defaults: &[Default]) {
    let has = |oid: u32, number: i32| {
        defaults
            .iter()
            .any(|default| default.relation == oid && default.number == number)
    };
    let mut missing = Vec::new();
    for relation in reading.relations.all() {
        if relation.kind != 'r' || relation.is_partition || relation.parents.is_empty() {
            continue;
        }
        for column in relation.columns.iter().filter(|column| column.is_inherited) {
            let plain = column.generated.is_none() && column.identity.is_none();
            if plain
                && !has(relation.oid, column.number)
                && parent_columns(reading, relation, &column.name)
                    .any(|(oid, number)| has(oid, number))
            {
                missing.push((relation.clone(), column.clone()));
            }
        }
    }
    for (relation, column) in missing {
        let Some(table) = owned_table(reading, relation.oid) else {
            continue;
        };
        let id = reading
            .graph
            .add_unaddressed(node(&relation, &column, "NULL"));
        reading.graph.need(id, table);
    }
}
