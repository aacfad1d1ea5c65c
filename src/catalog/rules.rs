//! Rewrite rules. A view's `_RETURN` rule carries the dependencies of its query and stays folded
//! into the view unless a cycle separates them (spec §2.2.5, §2.3).

use super::address::{CLASS, REWRITE};
use super::entry::Kind;
use super::graph::{Body, Give, Node, NodeId};
use super::guard::regclass;
use super::read::Reading;
use super::relations::Relation;
use super::source::Source;
use super::triggers::enabled_word;
use super::views::late_query;
use crate::error::Result;
use crate::pg::{Row, Sql, quote_literal};

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/rules.sql")))
        .await?;
    for row in &rows {
        let relation_oid: u32 = row.number("relation")?;
        let is_member = reading.is_member((CLASS, relation_oid));
        if reading.is_member((REWRITE, row.number("oid")?)) || (is_member && row.bool("is_view")?) {
            continue;
        }
        let Some(relation) = reading.relations.get(relation_oid).cloned() else {
            continue;
        };
        let Some(owner) = reading.graph.find((CLASS, relation_oid)) else {
            continue;
        };
        if row.bool("is_view")? {
            add_query(reading, row, &relation, owner)?;
        } else {
            add_rule(reading, row, &relation, owner)?;
        }
    }
    Ok(())
}

fn add_query(reading: &mut Reading, row: &Row, relation: &Relation, view: NodeId) -> Result<()> {
    let identity = format!("rule _RETURN on {}", relation.quoted);
    let mut node = Node::new(Kind::Rule, Some(&relation.schema), "_RETURN", identity)
        .tied([relation.name.clone()])
        .body(Body::Part(late_query(relation)));
    // A materialized view moves as a whole; only a plain view can be a dummy first.
    node.give = if relation.kind == 'v' {
        Give::ViewQuery
    } else {
        Give::Nothing
    };
    let id = reading.graph.add((REWRITE, row.number("oid")?), node);
    reading.graph.fold(id, view);
    Ok(())
}

fn add_rule(reading: &mut Reading, row: &Row, relation: &Relation, table: NodeId) -> Result<()> {
    let quoted = row.text("quoted")?;
    let mut create = format!("{}\n", row.text("definition")?.trim_end());
    if let Some(word) = enabled_word(row.letter("enabled")?) {
        create.push_str(&format!(
            "ALTER TABLE {} {word} RULE {quoted};\n",
            relation.quoted
        ));
    }
    let node = Node::new(
        Kind::Rule,
        Some(&relation.schema),
        row.text("name")?,
        format!("rule {quoted} on {}", relation.quoted),
    )
    .text(
        create,
        Some(format!("DROP RULE {quoted} ON {};", relation.quoted)),
    )
    .tied([relation.name.clone()])
    .commented_as(format!("RULE {quoted} ON {}", relation.quoted));
    let id = reading.graph.add((REWRITE, row.number("oid")?), node);
    reading.graph.need(id, table);
    let probe = format!(
        "(SELECT pg_catalog.pg_get_ruledef(oid) || ' ' || ev_enabled::text FROM pg_catalog.pg_rewrite \
         WHERE ev_class = {} AND rulename = {})",
        regclass(&relation.quoted),
        quote_literal(row.text("name")?)
    );
    let wanted = format!("{} {}", row.text("definition")?, row.text("enabled")?);
    reading.guard(id, relation.oid, &probe, &wanted);
    Ok(())
}
