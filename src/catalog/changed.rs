//! What was changed in objects that come by themselves: another owner, another membership (spec
//! §1.9.3, §1.9.6). Owners are kept by a statement; memberships cannot be, and are refused where
//! they can be proven.

use super::address::Address;
use super::entry::Kind;
use super::graph::Node;
use super::loss::Loss;
use super::read::Reading;
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let owners = Sql::constant(include_str!("sql/owners.sql"));
    for row in &source.query(&owners).await? {
        add_owner(reading, row)?;
    }
    let memberships = Sql::constant(include_str!("sql/membership.sql"));
    for row in &source.query(&memberships).await? {
        let extension = row.text("extension")?;
        let reason = if row.bool("was_added")? {
            format!(
                "it was added to the extension {extension}, and CREATE EXTENSION will not make it"
            )
        } else {
            format!(
                "it was dropped from the extension {extension}, and CREATE EXTENSION makes it again"
            )
        };
        reading.refuse(
            Loss::ExtensionChange,
            row.text("what")?,
            "pg_depend",
            reason,
        );
    }
    Ok(())
}

fn add_owner(reading: &mut Reading, row: &Row) -> Result<()> {
    let target = row.text("target")?;
    let (Some(owner), Some(quoted)) = (row.opt("owner")?, row.opt("quoted_owner")?) else {
        let reason = "its owner is a role that no longer exists";
        reading.refuse(Loss::MissingRole, target, "pg_shdepend", reason);
        return Ok(());
    };
    if row.bool("is_catalog")? {
        let reason =
            format!("it belongs to {owner}, which only allow_system_table_mods can bring about");
        reading.refuse(Loss::SystemObject, target, "pg_class", reason);
        return Ok(());
    }
    let node = Node::new(Kind::Owner, None, target, format!("owner of {target}"))
        .owned_by(owner)
        .text(
            format!("ALTER {target} OWNER TO {quoted};\n"),
            Some(format!(
                "ALTER {target} OWNER TO {};",
                row.text("usual_owner")?
            )),
        );
    let address: Address = (row.number("class")?, row.number("object")?);
    let id = reading.graph.add_unaddressed(node);
    if let Some(carrier) = reading.graph.find(address) {
        reading.graph.need(id, carrier);
    }
    Ok(())
}
