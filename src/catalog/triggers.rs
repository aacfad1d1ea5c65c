//! Triggers. Clones on partitions come with their parent's trigger; a clone that was enabled or
//! disabled by itself gets a statement of its own (spec §1.3 TRIGGER).

use super::address::{CLASS, CONSTRAINT, TRIGGER};
use super::entry::Kind;
use super::graph::{Node, NodeId};
use super::guard::regclass;
use super::read::Reading;
use super::relations::Relation;
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql, quote_literal};

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/triggers.sql")))
        .await?;
    for row in &rows {
        let relation_oid: u32 = row.number("relation")?;
        let is_member = reading.is_member((CLASS, relation_oid));
        if reading.is_member((TRIGGER, row.number("oid")?))
            || (is_member && row.bool("is_clone")?)
        {
            continue;
        }
        let Some(relation) = reading.relations.get(relation_oid).cloned() else {
            continue;
        };
        let Some(table) = reading.graph.find((CLASS, relation_oid)) else {
            continue;
        };
        if row.bool("is_clone")? {
            add_clone(reading, row, &relation, table)?;
        } else if !row.bool("internal")? {
            add_trigger(reading, row, &relation, table)?;
        }
    }
    Ok(())
}

/// What stands before TRIGGER or RULE in ALTER TABLE when it is not enabled in the usual way.
pub(super) fn enabled_word(letter: char) -> Option<&'static str> {
    match letter {
        'D' => Some("DISABLE"),
        'R' => Some("ENABLE REPLICA"),
        'A' => Some("ENABLE ALWAYS"),
        _ => None,
    }
}

fn add_trigger(reading: &mut Reading, row: &Row, relation: &Relation, table: NodeId) -> Result<()> {
    let address = (TRIGGER, row.number("oid")?);
    let quoted = row.text("quoted")?;
    let target = format!("TRIGGER {quoted} ON {}", relation.quoted);
    let mut create = format!("{};\n", row.text("definition")?);
    if let Some(word) = enabled_word(row.letter("enabled")?) {
        create.push_str(&format!(
            "ALTER TABLE {} {word} TRIGGER {quoted};\n",
            relation.quoted
        ));
    }
    create.push_str(&reading.extension_lines(address, &target));
    let node = Node::new(
        Kind::Trigger,
        Some(&relation.schema),
        row.text("name")?,
        format!("trigger {quoted} on {}", relation.quoted),
    )
    .text(create, Some(format!("DROP {target};")))
    .tied([relation.name.clone()])
    .commented_as(target);
    let id = reading.graph.add(address, node);
    reading.graph.need(id, table);
    let probe = format!(
        "(SELECT pg_catalog.pg_get_triggerdef(oid, false) || ' ' || tgenabled::text FROM pg_catalog.pg_trigger \
         WHERE tgrelid = {} AND tgname = {} AND NOT tgisinternal)",
        regclass(&relation.quoted),
        quote_literal(row.text("name")?)
    );
    let wanted = format!("{} {}", row.text("definition")?, row.text("enabled")?);
    reading.guard(id, relation.oid, &probe, &wanted);
    // A constraint trigger has a row in pg_constraint that says nothing more.
    if let Some(constraint) = row.opt_number::<u32>("constraint")?.filter(|&oid| oid != 0) {
        reading.graph.alias((CONSTRAINT, constraint), id);
    }
    Ok(())
}

fn add_clone(reading: &mut Reading, row: &Row, relation: &Relation, table: NodeId) -> Result<()> {
    let quoted = row.text("quoted")?;
    let enabled = row.letter("enabled")?;
    let differs = row
        .opt("parent_enabled")?
        .is_some_and(|parent| !parent.starts_with(enabled));
    let identity = format!("trigger {quoted} on {}", relation.quoted);
    let mut node = Node::new(
        Kind::Trigger,
        Some(&relation.schema),
        row.text("name")?,
        identity,
    )
    .tied([relation.name.clone()])
    .commented_as(format!("TRIGGER {quoted} ON {}", relation.quoted));
    if differs {
        let word = enabled_word(enabled).unwrap_or("ENABLE");
        node = node.text(
            format!("ALTER TABLE {} {word} TRIGGER {quoted};\n", relation.quoted),
            None,
        );
    } else {
        node.is_dummy = true;
    }
    let id = reading.graph.add((TRIGGER, row.number("oid")?), node);
    reading.graph.need(id, table);
    Ok(())
}
