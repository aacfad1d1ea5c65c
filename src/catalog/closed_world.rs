//! The closed world (P10, spec §7.2): whatever a catalog holds and no entry covers is named.
//!
//! Default is refusal: a kind that nobody here has heard of is found because nobody claimed it.

mod loose_ends;
mod references;
mod understood;

use std::collections::BTreeSet;

use super::address::{Address, TRIGGER};
use super::entry::Uncovered;
use super::loss::Loss;
use super::owners::Owners;
use super::read::Reading;
use super::source::Source;
use crate::error::Result;
use crate::pg::Sql;

/// How many uncovered objects are described; a database that has more is hopeless anyway.
const DESCRIBED: usize = 1_000;

pub(super) use loose_ends::hidden_data;
pub use references::require_references;
pub use understood::knows_shape;
pub(super) use understood::require as require_understood;

pub(super) async fn check(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/user_objects.sql")))
        .await?;
    let mut left: BTreeSet<Address> = BTreeSet::new();
    for row in rows {
        let address = (row.number("class")?, row.number("object")?);
        if !reading.is_member(address)
            && reading.graph.find(address).is_none()
            && !comes_with_another(reading, address)
        {
            left.insert(address);
        }
    }
    let roots: Vec<Address> = left
        .iter()
        .copied()
        .filter(|address| !belongs_to_another(*address, &left, &reading.owners))
        .collect();
    describe(reading, source, &roots).await?;
    loose_ends::check(reading, source).await
}

/// An array type or a constructor function goes without saying when its type is named.
fn belongs_to_another(address: Address, left: &BTreeSet<Address>, owners: &Owners) -> bool {
    owners.of(address).any(|(owner, _)| left.contains(&owner))
}

/// What the server makes together with a covered object (a range's constructors, a multirange's
/// array) needs no entry. Triggers do: those listed here were changed by the user.
fn comes_with_another(reading: &Reading, address: Address) -> bool {
    let mut owners = reading.owners.of(address);
    address.0 != TRIGGER
        && owners.any(|(owner, kind)| kind == 'i' && reading.graph.find(owner).is_some())
}

async fn describe(reading: &mut Reading, source: &Source<'_>, objects: &[Address]) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let rows = source.query(&describe_query(objects)).await?;
    for row in &rows {
        reading.uncovered.push(Uncovered {
            loss: row.text("loss")?.parse().unwrap_or(Loss::UnknownObject),
            description: row.string("description")?,
            catalog: row.string("catalog")?,
            reason: row.string("reason")?,
            drop: row.opt_string("removal")?,
        });
    }
    if objects.len() > DESCRIBED {
        reading.refuse(
            Loss::UnknownObject,
            format!("… and {} more objects", objects.len() - DESCRIBED),
            "several catalogs",
            "this kind of object is not covered yet",
        );
    }
    Ok(())
}

fn describe_query(objects: &[Address]) -> Sql {
    let mut sql = Sql::constant(include_str!("sql/describe_head.sql"));
    for (place, (class, object)) in objects.iter().take(DESCRIBED).enumerate() {
        if place > 0 {
            sql = sql.then(", ");
        }
        sql = sql
            .then("(")
            .number(*class)
            .then("::oid, ")
            .number(*object)
            .then("::oid)");
    }
    sql.then(include_str!("sql/describe_tail.sql"))
}
