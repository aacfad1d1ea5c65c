//! What belongs to the whole cluster: roles, tablespaces, replication slots, other databases (design.md §7, last
//! paragraph). No rollback touches it; it is recorded so that what a migration changed there can be told.
//!
//! Everything here may be read by every role. Passwords and their hashes are not.

use crate::archive::ClusterFact;
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// More facts than this are not recorded: a cluster with so many roles or databases is a host for strangers.
const MOST: usize = 20_000;

/// Reads it, sorted by name.
///
/// # Errors
/// Of the server; if there is too much of it.
pub async fn read_cluster(session: &Session) -> Result<Vec<ClusterFact>> {
    let sql = Sql::constant(include_str!("sql/cluster.sql"));
    let rows = session.query(&sql).await?;
    if rows.len() > MOST {
        return Err(
            Error::operation("read what belongs to the whole cluster").because(format!(
                "it has more than {MOST} roles, memberships and databases"
            )),
        );
    }
    let mut facts = Vec::with_capacity(rows.len());
    for row in &rows {
        facts.push(ClusterFact {
            name: row.string("name")?,
            value: row.opt_string("value")?.unwrap_or_default(),
            make: row.opt_string("make")?,
            reset: row.opt_string("reset")?,
            remove: row.opt_string("remove")?,
        });
    }
    facts.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(facts)
}
