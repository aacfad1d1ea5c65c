//! The server's counts of what was written to each table (`pg_stat_…`), and which file holds it.
//!
//! Counts arrive late: a session reports what it committed when it is idle or ends. So those of before
//! a backup are read before its snapshot is taken, where late means "seems to be written to", and
//! those of after it only when nobody is left who could still report (`rollback::counters`).

use std::collections::BTreeMap;

use crate::archive::WrittenRecord;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// OID of `pg_largeobject`, the same on every server.
const LARGE_OBJECTS: u32 = 2613;

/// All counts of one database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// When they were last reset, as the server prints it; empty for never.
    pub reset: String,
    /// By the table's OID.
    pub tables: BTreeMap<u32, WrittenRecord>,
}

impl Counters {
    /// Those of large objects.
    pub fn large_objects(&self) -> WrittenRecord {
        self.table(LARGE_OBJECTS)
    }

    /// Those of a table; nothing equals those of one that was not there.
    pub fn table(&self, oid: u32) -> WrittenRecord {
        self.tables.get(&oid).copied().unwrap_or_default()
    }
}

/// Reads them: one query, good for every role. The session's transaction must not have read any
/// before.
///
/// # Errors
/// Of the server.
pub async fn read_counters(session: &Session) -> Result<Counters> {
    let sql = Sql::constant(include_str!("sql/counters.sql"));
    let mut counters = Counters::default();
    for row in session.query(&sql).await? {
        let written = WrittenRecord {
            oid: row.number("oid")?,
            file: row.number("file")?,
            columns: row.number("columns")?,
            inserted: row.number("inserted")?,
            updated: row.number("updated")?,
            deleted: row.number("deleted")?,
        };
        counters.reset = row.string("reset")?;
        counters.tables.insert(written.oid, written);
    }
    Ok(counters)
}
