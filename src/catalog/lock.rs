//! ACCESS SHARE locks on every table, before anything about it is deparsed (spec §3.9, §3.10).
//!
//! Catalog functions show the latest committed state whatever the snapshot; a locked table cannot
//! change under them. ONLY, because LOCK would otherwise recurse to children on its own. LOCK goes
//! by name, so what a name stands for is looked up again afterwards, outside the snapshot: a table
//! may have been replaced by a view or a foreign table of the same name, whose reading would run
//! code of somebody else's (CVE-2024-7348).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::pg::{Row, Session, Sql, quote_literal};

/// Bytes of SQL per LOCK statement.
const BATCH_BYTES: usize = 100_000;

/// Locks that the reading itself takes besides those of the tables: catalogs and their indexes,
/// until its transaction ends.
const OWN_LOCKS: i64 = 200;

/// How tables are locked for a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locking {
    /// Whether tables are locked at all; without it rows must not be read.
    pub tables: bool,
    /// How long others may keep a table from being read before the reading is given up.
    pub wait: Duration,
}

impl Locking {
    /// Long enough for a busy table's `ALTER`, short enough to be noticed.
    pub const DEFAULT_WAIT: Duration = Duration::from_secs(60);

    /// Definitions only: no table is locked.
    pub const DEFINITIONS: Self = Self {
        tables: false,
        wait: Self::DEFAULT_WAIT,
    };

    /// Every table is locked until the transaction ends.
    pub fn tables(wait: Duration) -> Self {
        Self { tables: true, wait }
    }
}

/// A table as the list to lock has it.
type Named = (u32, String, String, char);

/// Locks all tables in OID order, many per statement, and returns how many.
///
/// `witness` sees what is committed now: in a READ COMMITTED transaction `session` itself, else a
/// session of its own. `None` if a table is no longer what was listed: the reading starts over.
///
/// # Errors
/// Refused when the server's table of locks cannot take so many; 55P03 when `lock_timeout` of the
/// session ran out.
pub(super) async fn lock_tables(session: &Session, witness: &Session) -> Result<Option<usize>> {
    let listed = list(session).await?;
    require_room(session, listed.len()).await?;
    let mut batch = Sql::default();
    for (_, schema, name, _) in &listed {
        let word = if batch.text().is_empty() {
            "LOCK TABLE ONLY "
        } else {
            ", ONLY "
        };
        batch = batch.then(word).qualified(schema, name);
        if batch.text().len() > BATCH_BYTES {
            lock(session, std::mem::take(&mut batch)).await?;
        }
    }
    if !batch.text().is_empty() {
        lock(session, batch).await?;
    }
    let now: BTreeSet<Named> = list(witness).await?.into_iter().collect();
    let unchanged = listed.iter().all(|table| now.contains(table));
    Ok(unchanged.then_some(listed.len()))
}

async fn lock(session: &Session, batch: Sql) -> Result<()> {
    session.execute(&batch.then(" IN ACCESS SHARE MODE")).await
}

async fn list(session: &Session) -> Result<Vec<Named>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/lockable.sql")))
        .await?;
    rows.iter()
        .map(|row| {
            let (schema, name) = (row.string("schema")?, row.string("name")?);
            Ok((row.number("oid")?, schema, name, row.letter("kind")?))
        })
        .collect()
}

/// Refuses before the first lock what would end half way with "out of shared memory", and would
/// take other sessions' locks away with it.
async fn require_room(session: &Session, tables: usize) -> Result<()> {
    let row = session
        .query_one(&Sql::constant(include_str!("sql/lock_budget.sql")))
        .await?;
    let room = Room {
        per_transaction: row.number("per_transaction")?,
        processes: row.number("processes")?,
        used: row.number("used")?,
    };
    let needed = i64::try_from(tables).unwrap_or(i64::MAX / 2) + OWN_LOCKS;
    match room.refusal(needed) {
        None => Ok(()),
        Some(reason) => Err(Error::refused(format!("lock {tables} tables for reading"))
            .because(reason)
            .now("nothing was changed")
            .hint(format!(
                "raise max_locks_per_transaction to at least {} (it is {}) and restart the server",
                room.setting_for(needed),
                room.per_transaction
            ))),
    }
}

/// The server's table of locks.
struct Room {
    per_transaction: i64,
    processes: i64,
    used: i64,
}

impl Room {
    fn capacity(&self) -> i64 {
        self.per_transaction.saturating_mul(self.processes)
    }

    /// Why so many locks do not fit, if they do not.
    fn refusal(&self, needed: i64) -> Option<String> {
        let free = self.capacity() - self.used;
        (needed > free).then(|| {
            format!(
                "it takes about {needed} locks at once, and the server's table of locks has room \
                 for {} ({} per transaction and process), of which {} are taken",
                self.capacity(),
                self.per_transaction,
                self.used
            )
        })
    }

    /// `max_locks_per_transaction` with which they fit, a quarter to spare.
    fn setting_for(&self, needed: i64) -> i64 {
        let wanted = (needed + self.used).saturating_mul(5) / 4;
        wanted / self.processes.max(1) + 1
    }
}

/// Who keeps tables from being read, in words for a person; empty if nobody does (any more).
pub(super) async fn holders(witness: &Session) -> Result<Vec<String>> {
    let rows = witness
        .query(&Sql::constant(include_str!("sql/lock_holders.sql")))
        .await?;
    rows.iter().map(holder).collect()
}

fn holder(row: &Row) -> Result<String> {
    let relation = row.text("relation")?;
    let does = match row.bool("granted")? {
        true => "holds",
        false => "waits for",
    };
    let lock = format!("{does} an exclusive lock on {relation}");
    let seconds: i64 = row.opt_number("seconds")?.unwrap_or_default();
    if let Some(prepared) = row.opt("prepared")? {
        let gid = quote_literal(prepared);
        return Ok(format!(
            "the prepared transaction {gid} {lock} (for {seconds} s); to end it: ROLLBACK PREPARED {gid}"
        ));
    }
    let Some(process) = row.opt("pid")? else {
        return Ok(format!(
            "a prepared transaction {lock}; pg_prepared_xacts names it, ROLLBACK PREPARED ends it"
        ));
    };
    let who = format!(
        "server process {process} (application {:?}, role {}",
        row.opt("application")?.unwrap_or_default(),
        row.opt("role")?.unwrap_or("?"),
    );
    // Of other roles' sessions a plain role sees no more.
    let (Some(state), Some(began)) = (row.opt("state")?, row.opt("query_start")?) else {
        return Ok(format!("{who}) {lock}"));
    };
    let query = row.opt("query")?.unwrap_or_default();
    Ok(format!(
        "{who}, {state}, in its transaction for {seconds} s) {lock}; its last statement, started {began}: {query:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_for_locks_is_counted_with_what_is_taken() {
        let room = Room {
            per_transaction: 64,
            processes: 100,
            used: 400,
        };
        assert_eq!(room.refusal(6000), None);
        let reason = room.refusal(6001).unwrap();
        assert!(
            reason.contains("6001") && reason.contains("6400"),
            "{reason}"
        );
        let enough = Room {
            per_transaction: room.setting_for(10_000),
            ..room
        };
        assert_eq!(enough.refusal(10_000), None);
    }
}
