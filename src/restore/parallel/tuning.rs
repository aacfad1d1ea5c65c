//! Session settings that make a restore faster and mean nothing for its result.

use crate::error::Result;
use crate::pg::{Session, Sql};
use crate::restore::memory::{self, Memory};

/// Commits no longer wait for the disk: the last one does, for all of them.
pub(super) async fn of_leader(session: &Session) -> Result<()> {
    let sql = Sql::constant("SET synchronous_commit = off");
    session.execute(&sql).await
}

/// As [`of_leader`], and each index build gets its share of memory.
pub(super) async fn of_worker(session: &Session, workers: usize) -> Result<()> {
    of_leader(session).await?;
    match Memory::of(session).await?.shared_by(workers) {
        Some(memory) => memory::set(session, memory).await,
        None => Ok(()),
    }
}

/// The last transaction's commit waits for the disk, and with it for everything before.
pub(super) async fn sync_at_commit(session: &Session) -> Result<()> {
    let sql = Sql::constant(include_str!("../sql/sync_at_commit.sql"));
    session.query(&sql).await.map(|_| ())
}

/// How many processes may help an index build: those of workers that have nothing to do.
pub(super) async fn set_helpers(session: &Session, helpers: usize) -> Result<()> {
    let helpers = i128::try_from(helpers).unwrap_or(0);
    let sql = Sql::constant("SET max_parallel_maintenance_workers = ").number(helpers);
    session.execute(&sql).await
}
