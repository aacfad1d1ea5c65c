//! Security labels (spec §1.7): behind what they are set on, members of extensions and built-in
//! objects included, which pg_dump leaves out.
//!
//! A label can be set again only while a module of its provider is loaded; [`unloaded_providers`]
//! asks for that without touching anything.

use super::entry::Kind;
use super::graph::{Label, Node};
use super::loss::Loss;
use super::read::Reading;
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Session, Sql};

/// What the server says when no loaded module is the provider (invalid_parameter_value).
const NOT_LOADED: &str = "22023";

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/security_labels.sql")))
        .await?;
    for row in &rows {
        add_one(reading, row)?;
    }
    Ok(())
}

fn add_one(reading: &mut Reading, row: &Row) -> Result<()> {
    let provider = row.string("quoted_provider")?;
    let Some(target) = row.opt_string("target")? else {
        let description = format!(
            "security label of {provider} on {}",
            row.text("description")?
        );
        let reason = "no statement is known that sets a label on an object of this kind";
        reading.refuse(Loss::SecurityLabel, description, "pg_seclabel", reason);
        return Ok(());
    };
    let label = Label {
        target,
        provider,
        text: row.string("text")?,
    };
    match reading
        .graph
        .find((row.number("class")?, row.number("object")?))
    {
        Some(node) => reading.graph.label(node, label),
        None => add_unattached(reading, &label),
    }
    Ok(())
}

/// A label on a built-in object, which has no entry that the label could follow.
fn add_unattached(reading: &mut Reading, label: &Label) {
    let node = Node::new(Kind::SecurityLabel, None, &label.target, label.identity())
        .text(label.set(), Some(label.unset()));
    reading.graph.add_unaddressed(node);
}

/// Which of these providers (quoted) have no module loaded in `session`, so that no label of theirs
/// can be set. Asked with an object that does not exist: the server looks for the provider first.
/// Needs a transaction that may write, or none; inside one, it leaves a savepoint's trace only.
///
/// # Errors
/// Server errors other than the two expected answers.
pub async fn unloaded_providers(
    session: &Session,
    providers: impl IntoIterator<Item = String>,
) -> Result<Vec<String>> {
    let mut unloaded = Vec::new();
    for provider in providers {
        // A block of its own, so that the error that is always the answer ends nothing else.
        let probe = Sql::constant("SECURITY LABEL FOR ")
            .sql(&Sql::deparsed(provider.clone()))
            .then(" ON TABLE pg_catalog.\"pgbelay: no such table\" IS NULL");
        match session.execute(&probe).await {
            Err(error) if error.sqlstate() == Some(NOT_LOADED) => unloaded.push(provider),
            Err(error) if error.sqlstate() == Some("42P01") => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
    }
    Ok(unloaded)
}
