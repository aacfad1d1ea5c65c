//! ACCESS SHARE locks on every table, before anything about it is deparsed (spec §3.9, §3.10).
//!
//! Catalog functions show the latest committed state whatever the snapshot; a locked table cannot
//! change under them. ONLY, because LOCK would otherwise recurse to children on its own.

use crate::error::Result;
use crate::pg::{Session, Sql};

/// Bytes of SQL per LOCK statement.
const BATCH_BYTES: usize = 100_000;

/// Locks all user tables in OID order, many per statement; returns how many.
///
/// # Errors
/// `lock_timeout` of the session applies; a table that vanished meanwhile is an error, and the
/// caller starts over with a new snapshot.
pub async fn lock_tables(session: &Session) -> Result<usize> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/lockable.sql")))
        .await?;
    let mut batch = Sql::default();
    for row in &rows {
        batch = if batch.text().is_empty() {
            batch.then("LOCK TABLE ONLY ")
        } else {
            batch.then(", ONLY ")
        };
        batch = batch.qualified(row.text("schema")?, row.text("name")?);
        if batch.text().len() > BATCH_BYTES {
            session
                .execute(&batch.then(" IN ACCESS SHARE MODE"))
                .await?;
            batch = Sql::default();
        }
    }
    if !batch.text().is_empty() {
        session
            .execute(&batch.then(" IN ACCESS SHARE MODE"))
            .await?;
    }
    Ok(rows.len())
}
