//! Functions, procedures and window functions, as pg_get_functiondef prints them.

use super::address::PROC;
use super::entry::Kind;
use super::graph::{Give, Node};
use super::read::{Reading, owner};
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/functions.sql")))
        .await?;
    for row in &rows {
        add_one(reading, row)?;
    }
    Ok(())
}

fn add_one(reading: &mut Reading, row: &Row) -> Result<()> {
    let address = (PROC, row.number("oid")?);
    let (kind, word) = match row.letter("kind")? {
        'p' => (Kind::Procedure, "PROCEDURE"),
        _ => (Kind::Function, "FUNCTION"),
    };
    let signature = row.text("signature")?;
    let identity = format!("{} {signature}", word.to_lowercase());
    let Some((raw, quoted_owner)) = owner(reading, row, &identity, "pg_proc")? else {
        return Ok(());
    };
    let target = format!("{word} {signature}");
    let create = format!(
        "{};\nALTER {target} OWNER TO {quoted_owner};\n{}",
        row.text("definition")?.trim_end_matches('\n'),
        reading.extension_lines(address, &target),
    );
    let mut node = Node::new(kind, row.opt("schema")?, row.text("name")?, identity)
        .text(create, Some(format!("DROP {target};")))
        .owned_by(&raw)
        .commented_as(target)
        .tied([format!("{:05}", row.number::<u32>("arguments")?)])
        .tied(row.list("argument_types")?);
    node.give = Give::Postpone;
    reading.graph.add(address, node);
    Ok(())
}
