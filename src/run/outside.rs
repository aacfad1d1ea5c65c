//! What changed outside of the database while a migration ran: roles and the like, which no rollback brings back
//! (design.md §7). Whatever came of the migration, it is named, with the statement that undoes it.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::archive::Reader;
use crate::compare::{Cluster, OutsideChange, State, compare};
use crate::context::{Context, Stop};
use crate::error::Result;
use crate::pg::{self, Target, quote_ident};
use crate::rollback;

/// Nobody waits longer for it.
const WITHIN: Duration = Duration::from_secs(10);

/// What differs from the time of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Outside {
    /// By name.
    pub changes: Vec<OutsideChange>,
    /// Why nobody can tell.
    pub not_compared: Option<String>,
}

impl Outside {
    /// A line for each change.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.changes.iter().map(OutsideChange::line).collect();
        if let Some(reason) = &self.not_compared {
            lines.push(format!("not compared: {reason}"));
        }
        lines
    }
}

/// Compares the cluster of now with the one that the archive recorded. Never fails, and takes no longer than
/// some seconds: what is true about the database has been decided by then.
pub async fn outside(target: &Target, archive: &Path, ctx: &Context) -> Outside {
    // Whoever asked to stop wants to know, too.
    let calm = Context {
        stop: Stop::never(),
        ..ctx.clone()
    };
    let limit = || format!("it took longer than {} s", WITHIN.as_secs());
    let found = tokio::time::timeout(WITHIN, look(target, archive, &calm)).await;
    let reason = match found {
        Ok(Ok(found)) => return found,
        Ok(Err(error)) => error.to_string(),
        Err(_) => limit(),
    };
    Outside {
        not_compared: Some(reason),
        ..Outside::default()
    }
}

async fn look(target: &Target, archive: &Path, ctx: &Context) -> Result<Outside> {
    let reader = Reader::open(archive)?;
    let Some(before) = Cluster::of_manifest(reader.manifest()) else {
        return Ok(unknown("the archive does not say what there was"));
    };
    if before.system_identifier.is_empty() {
        return Ok(unknown("the cluster's identifier is not readable"));
    }
    let session = pg::connect(target, pg::Purpose::Outside, ctx).await?;
    let after = Cluster::read(&session).await;
    let kept = rollback::kept_databases(&session).await;
    session.close().await;
    let mut changes = of_clusters(before, after?);
    let kept = kept?;
    changes.retain(|change| !kept.iter().any(|kept| is_made(change, &kept.name)));
    Ok(Outside {
        changes,
        not_compared: None,
    })
}

/// Whether the change is that this database is there. Those that swaps have kept are ours, and told as that: "to undo:
/// DROP DATABASE" would have somebody throw away what a rollback kept.
fn is_made(change: &OutsideChange, database: &str) -> bool {
    let name = change.name.strip_prefix("database ");
    // The server quotes names only where they need it.
    let is_it = name.is_some_and(|name| name == database || name == quote_ident(database));
    is_it && change.before.is_none()
}

fn unknown(reason: &str) -> Outside {
    Outside {
        not_compared: Some(reason.to_owned()),
        ..Outside::default()
    }
}

fn of_clusters(before: Cluster, after: Cluster) -> Vec<OutsideChange> {
    let of = |cluster| State {
        cluster: Some(cluster),
        ..State::default()
    };
    compare(&of(before), &of(after)).outside
}
