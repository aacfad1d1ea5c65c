//! Everything that refuses a run before anything is touched (spec/pg_dump.md §5.3, design.md §6).
//!
//! [`examine`] collects all findings instead of stopping at the first, so that `run` refuses with
//! the whole list and `doctor` prints the same one. Each concern is one query; their number does
//! not grow with the database. What would fail in a rollback is found here, before the migration.

mod checks;
mod facts;
mod finding;
mod pooler;
mod rights;
mod swap;

pub use facts::{Facts, SUPPORTED_MAJORS, check_server_major};
pub use finding::{Finding, Severity, refusal, warnings};
pub use pooler::{Between, of_pooler};
pub use swap::{kept_by_swaps, of_swap};

use std::time::Duration;

use crate::catalog::{self, AcceptedLosses, Catalog, Locking, Rights};
use crate::context::Context;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// What a preflight found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The database's definitions, as a backup would read them now.
    pub catalog: Catalog,
    /// Server, database and role.
    pub facts: Facts,
    /// Everything that refuses or deserves attention.
    pub findings: Vec<Finding>,
}

/// What the archive will need, bytes: COPY text compresses about three to one and indexes are not
/// in it, so half of the database's size is generous.
pub fn archive_estimate_bytes(database_bytes: u64) -> u64 {
    database_bytes / 2
}

/// What an examination takes from whoever asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// The store's free space, where known.
    pub free_bytes: Option<u64>,
    /// What the operator goes on without.
    pub accepted: &'a AcceptedLosses,
    /// How long others may keep a table from being looked at.
    pub table_lock_wait: Duration,
}

/// Examines server, role and database.
/// The server's major is checked before (see [`check_server_major`]): these queries need 14.
///
/// # Errors
/// As [`catalog::open_steady`]: whoever keeps a table locked for too long is named.
pub async fn examine(
    session: &Session,
    facts: Facts,
    means: Means<'_>,
    ctx: &Context,
) -> Result<Preflight> {
    let Means {
        free_bytes,
        accepted,
        table_lock_wait,
    } = means;
    let mut findings = checks::database(&facts);
    findings.extend(checks::space(&facts, free_bytes));
    findings.extend(unreadable(session).await?);
    let catalog = read_catalog(session, table_lock_wait, ctx).await?;
    findings.extend(rights::of_rollback(session, &catalog, accepted).await?);
    findings.extend(checks::losses(&catalog, accepted, &findings));
    findings.extend(checks::half_done(session, accepted).await?);
    findings.extend(checks::prepared(session).await?);
    findings.extend(checks::busy_sessions(session).await?);
    findings.extend(checks::event_triggers(session).await?);
    findings.extend(checks::label_providers(session).await?);
    findings.extend(checks::lock_budget(session, facts.lock_slots).await?);
    findings.sort_by_key(|finding| finding.severity == Severity::Warn);
    Ok(Preflight {
        catalog,
        facts,
        findings,
    })
}

/// Refuses transactions that were prepared since, right before the migration starts: their COMMIT PREPARED writes nothing, so
/// that no fence keeps it off, and a rollback would take away what it committed (P5).
///
/// # Errors
/// Of the server; a refusal that names them.
pub async fn refuse_prepared(session: &Session) -> Result<()> {
    let findings = checks::prepared(session).await?;
    refusal("start the migration", &findings).map_or(Ok(()), Err)
}

/// Everything that this role could not read for a backup, each with its cure (spec §5.1).
pub async fn unreadable(session: &Session) -> Result<Vec<Finding>> {
    let mut findings = checks::unreadable(session).await?;
    findings.extend(checks::row_security(session).await?);
    findings.extend(checks::large_objects(session).await?);
    Ok(findings)
}

/// What a backup with this role meets: what it could not read, which refuses it, and what it could
/// not make again, which is worth a word (the archive holds it; another role can restore it).
pub async fn before_backup(
    session: &Session,
    table_lock_wait: Duration,
    ctx: &Context,
) -> Result<Vec<Finding>> {
    let mut findings = unreadable(session).await?;
    if findings.is_empty() && !Rights::of(session).await?.superuser {
        let catalog = read_catalog(session, table_lock_wait, ctx).await?;
        findings.extend(rights::of_restore(session, &catalog).await?);
    }
    Ok(findings)
}

/// Reads under one snapshot and ends its transaction. A table that somebody keeps locked is waited for as a backup waits:
/// the size of each is looked at. Where the server itself stumbles over its catalogs, the damage is looked for and named.
async fn read_catalog(
    session: &Session,
    table_lock_wait: Duration,
    ctx: &Context,
) -> Result<Catalog> {
    let locking = Locking {
        tables: false,
        wait: table_lock_wait,
    };
    let error = match catalog::open_steady(session, locking, ctx).await {
        Ok(steady) => {
            session.execute(&Sql::constant("ROLLBACK")).await?;
            return Ok(steady.close().await);
        }
        Err(error) => error,
    };
    if error.sqlstate() == Some("XX000") {
        catalog::require_references(session).await?;
    }
    Err(error)
}
