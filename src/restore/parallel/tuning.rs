//! Session settings that make a restore faster and mean nothing for its result.

use crate::error::Result;
use crate::pg::{Session, Sql};

/// Memory of one index build is never raised beyond this many kilobytes.
const MOST_MEMORY_KB: u64 = 1 << 20;

/// Memory of all index builds together, where shared buffers (usually a quarter of the machine's
/// memory) are no larger.
const LEAST_SUM_KB: u64 = 256 << 10;

/// Commits no longer wait for the disk: the last one does, for all of them.
pub(super) async fn of_leader(session: &Session) -> Result<()> {
    let sql = Sql::constant("SET synchronous_commit = off");
    session.execute(&sql).await
}

/// As [`of_leader`], and each index build gets its share of memory; what the server or the role
/// allows already is not lowered, but for what [`spare_gin`] says.
pub(super) async fn of_worker(session: &Session, workers: usize) -> Result<()> {
    of_leader(session).await?;
    let sql = Sql::constant(include_str!("../sql/memory.sql"));
    let row = session.query_one(&sql).await?;
    let (usual, shared) = (row.number("maintenance_kb")?, row.number("shared_kb")?);
    let memory = share(usual, shared, workers);
    if memory > usual {
        set_memory(session, memory).await?;
    }
    Ok(())
}

/// Memory for a GIN build whose index stays in shared buffers, in kilobytes. The build gathers entries in a tree
/// until its memory is full; a larger one misses the processor's caches more often than the index costs to
/// look into again (docs/performance.md). Where that would be read from disk, each time counts.
const GIN_MEMORY_KB: u64 = 32 << 10;

/// Takes memory away from a GIN build that is faster with less: of a table of about so many bytes. Gives what
/// [`set_memory`] puts back, if anything.
pub(super) async fn spare_gin(session: &Session, bytes: u64) -> Result<Option<u64>> {
    let sql = Sql::constant(include_str!("../sql/memory.sql"));
    let row = session.query_one(&sql).await?;
    let (has, shared) = (row.number("maintenance_kb")?, row.number("shared_kb")?);
    if !is_spared(has, shared, bytes) {
        return Ok(None);
    }
    set_memory(session, GIN_MEMORY_KB).await?;
    Ok(Some(has))
}

fn is_spared(has: u64, shared: u64, bytes: u64) -> bool {
    has > GIN_MEMORY_KB && bytes >> 10 <= shared
}

/// How many kilobytes an index build may use.
pub(super) async fn set_memory(session: &Session, kilobytes: u64) -> Result<()> {
    let sql = Sql::constant("SET maintenance_work_mem = ").number(kilobytes);
    session.execute(&sql).await
}

fn share(usual: u64, shared: u64, workers: usize) -> u64 {
    let sum = shared.max(LEAST_SUM_KB);
    let workers = u64::try_from(workers).unwrap_or(u64::MAX).max(1);
    (sum / workers).min(MOST_MEMORY_KB).max(usual)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gin_is_spared_memory_where_its_index_stays_in_buffers() {
        let mb = |megabytes: u64| megabytes << 10;
        assert!(is_spared(mb(256), mb(512), 300 << 20));
        assert!(!is_spared(mb(256), mb(512), 600 << 20));
        assert!(!is_spared(mb(32), mb(512), 300 << 20));
        assert!(!is_spared(mb(16), mb(512), 300 << 20));
    }

    #[test]
    fn memory_is_shared_and_never_lowered() {
        let mb = |megabytes: u64| megabytes << 10;
        assert_eq!(share(mb(64), mb(128), 2), mb(128));
        assert_eq!(share(mb(64), mb(128), 8), mb(64));
        assert_eq!(share(mb(64), mb(16_384), 2), mb(1_024));
        assert_eq!(share(mb(2_048), mb(16_384), 2), mb(2_048));
    }
}
