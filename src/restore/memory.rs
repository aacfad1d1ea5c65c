//! Memory of index builds: faster, and nothing for the result.

use std::collections::HashMap;

use super::batch::Statement;
use crate::archive::{EntryRecord, Manifest};
use crate::error::Result;
use crate::pg::{Session, Sql};

/// Memory of one index build is never raised beyond this many kilobytes.
const MOST_KB: u64 = 1 << 20;

/// Memory of all index builds together, where shared buffers (usually a quarter of the machine's
/// memory) are no larger.
const LEAST_SUM_KB: u64 = 256 << 10;

/// Memory for a GIN build whose index stays in shared buffers, in kilobytes. The build gathers entries in a tree
/// until its memory is full; a larger one misses the processor's caches more often than the index costs to
/// look into again (docs/performance.md). Where that would be read from disk, each time counts.
const GIN_KB: u64 = 16 << 10;

/// How deparsed definitions name GIN.
pub(super) const GIN: &str = " USING gin (";

/// Whether a statement builds a GIN index. A name that looks like it costs nothing but memory.
pub(super) fn builds_gin(statement: &Statement) -> bool {
    statement.sql.text().contains(GIN)
}

/// What a session has and what the server caches, in kilobytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    usual: u64,
    shared: u64,
}

impl Memory {
    pub async fn of(session: &Session) -> Result<Self> {
        let sql = Sql::constant(include_str!("sql/memory.sql"));
        let row = session.query_one(&sql).await?;
        Ok(Self {
            usual: row.number("maintenance_kb")?,
            shared: row.number("shared_kb")?,
        })
    }

    /// More memory for each of so many sessions that build; what the server or the role allows already is not lowered.
    pub fn shared_by(self, workers: usize) -> Option<u64> {
        let sum = self.shared.max(LEAST_SUM_KB);
        let workers = u64::try_from(workers).unwrap_or(u64::MAX).max(1);
        let share = (sum / workers).min(MOST_KB);
        (share > self.usual).then_some(share)
    }

    /// Less memory for a GIN build of a table of about so many bytes, where that is faster: what to set and
    /// what to put back.
    pub fn for_gin(self, bytes: u64) -> Option<(u64, u64)> {
        let spared = self.usual > GIN_KB && bytes >> 10 <= self.shared;
        spared.then_some((GIN_KB, self.usual))
    }
}

/// Sets it for the session.
pub(super) async fn set(session: &Session, kilobytes: u64) -> Result<()> {
    let sql = Sql::constant("SET maintenance_work_mem = ").number(kilobytes);
    session.execute(&sql).await
}

/// A GIN build with what it is spared, as statements of a transaction that others own.
pub(super) fn spared(build: Statement, (less, usual): (u64, u64)) -> [Statement; 3] {
    let set = |kilobytes: u64| Statement {
        what: "set the memory of an index build".to_owned(),
        sql: Sql::constant("SET LOCAL maintenance_work_mem = ").number(kilobytes),
    };
    [set(less), build, set(usual)]
}

/// Bytes of rows by the name of their table.
pub(super) struct Sizes<'a>(HashMap<(&'a str, &'a str), u64>);

impl<'a> Sizes<'a> {
    pub fn of(manifest: &'a Manifest) -> Self {
        let tables = manifest.tables.iter();
        let named = tables.map(|table| ((&*table.schema, &*table.name), table.bytes));
        Self(named.collect())
    }

    /// Of the largest table that an entry needs; 0 if it needs none.
    pub fn about(&self, entry: &EntryRecord, manifest: &Manifest) -> u64 {
        let needed = entry.depends.iter();
        let needed = needed.filter_map(|at| manifest.entries.get(usize::try_from(*at).ok()?));
        let sizes = needed.filter_map(|one| self.0.get(&(one.schema.as_deref()?, &*one.name)));
        sizes.copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(usual_mb: u64, shared_mb: u64) -> Memory {
        Memory {
            usual: usual_mb << 10,
            shared: shared_mb << 10,
        }
    }

    #[test]
    fn gin_is_spared_memory_where_its_index_stays_in_buffers() {
        let spared = Some((GIN_KB, 256 << 10));
        assert_eq!(memory(256, 512).for_gin(300 << 20), spared);
        assert_eq!(memory(256, 512).for_gin(600 << 20), None);
        assert_eq!(memory(16, 512).for_gin(300 << 20), None);
        assert_eq!(memory(8, 512).for_gin(300 << 20), None);
    }

    #[test]
    fn memory_is_shared_and_never_lowered() {
        let mb = |megabytes: u64| Some(megabytes << 10);
        assert_eq!(memory(64, 128).shared_by(2), mb(128));
        assert_eq!(memory(64, 128).shared_by(8), None);
        assert_eq!(memory(64, 16_384).shared_by(2), mb(1_024));
        assert_eq!(memory(2_048, 16_384).shared_by(2), None);
    }

    #[test]
    fn a_spared_build_leaves_the_memory_as_it_was() {
        let build = Statement {
            what: "create index i".to_owned(),
            sql: Sql::constant("CREATE INDEX i ON t USING gin (a);"),
        };
        assert!(builds_gin(&build));
        let statements = spared(build, (16, 64));
        let texts = statements.each_ref().map(|one| one.sql.text());
        assert_eq!(texts[0], "SET LOCAL maintenance_work_mem = 16");
        assert_eq!(texts[1], "CREATE INDEX i ON t USING gin (a);");
        assert_eq!(texts[2], "SET LOCAL maintenance_work_mem = 64");
    }
}
