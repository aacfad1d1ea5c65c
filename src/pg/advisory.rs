//! The advisory lock of whoever works on a database: class 1885823589 (`pgbe` in ASCII) and the database's OID.
//!
//! It is a session lock, so it ends with its connection. The server keeps such locks per database, but shows them to every
//! database: whoever is about to rename a database cannot be connected to it, and holds its lock from another one. So the
//! lock is obtained only if nobody holds it anywhere.

use super::{Session, Sql};
use crate::error::{Error, Result};

/// A session that holds the lock of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Server process.
    pub pid: i32,
    /// Whether it is the asking session.
    pub is_us: bool,
    /// Name, role, client and begin, as far as this role may see them, in one phrase.
    pub shown: String,
}

/// OID of the database that the session is connected to.
///
/// # Errors
/// Of the server.
pub async fn own_database(session: &Session) -> Result<u32> {
    let sql = Sql::constant(
        "SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()",
    );
    session.query_one(&sql).await?.number("oid")
}

/// Asks once for the lock of a database, without waiting. Whoever else holds it, from whatever database, keeps it.
///
/// # Errors
/// Of the server.
pub async fn try_lock(session: &Session, database: u32) -> Result<bool> {
    let sql = call(
        "SELECT pg_catalog.pg_try_advisory_lock(1885823589, ",
        database,
    );
    if !session
        .query_one(&sql.then(") AS yes"))
        .await?
        .bool("yes")?
    {
        return Ok(false);
    }
    let holders = holders(session, database).await?;
    if holders.iter().all(|holder| holder.is_us) {
        return Ok(true);
    }
    unlock(session, database).await?;
    Ok(false)
}

/// Takes the lock of a database that this process holds on another connection as well, in another database.
///
/// # Errors
/// If another connection to this database has it; of the server.
pub async fn claim(session: &Session, database: u32) -> Result<()> {
    let sql = call(
        "SELECT pg_catalog.pg_try_advisory_lock(1885823589, ",
        database,
    );
    if session
        .query_one(&sql.then(") AS yes"))
        .await?
        .bool("yes")?
    {
        return Ok(());
    }
    Err(Error::operation("take the lock of the database over")
        .because("another session is at work on it"))
}

/// Gives the lock back.
///
/// # Errors
/// Of the server.
pub async fn unlock(session: &Session, database: u32) -> Result<()> {
    let sql = call(
        "SELECT pg_catalog.pg_advisory_unlock(1885823589, ",
        database,
    );
    session.execute(&sql.then(")")).await
}

/// Who holds the lock of a database.
///
/// # Errors
/// Of the server.
pub async fn holders(session: &Session, database: u32) -> Result<Vec<Holder>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/lock_holders.sql")))
        .await?;
    let mut holders = Vec::new();
    for row in &rows {
        if row.number::<u32>("database_oid")? != database {
            continue;
        }
        let or_unknown = |column| -> Result<String> {
            Ok(row
                .opt_string(column)?
                .unwrap_or_else(|| "unknown".to_owned()))
        };
        holders.push(Holder {
            pid: row.number("pid")?,
            is_us: row.bool("ours")?,
            shown: format!(
                "{}, role {}, client {}, server process {}, since {}",
                or_unknown("application")?,
                or_unknown("role")?,
                or_unknown("client")?,
                row.text("pid")?,
                or_unknown("since")?,
            ),
        });
    }
    Ok(holders)
}

/// The OID goes into a signed integer, so large ones wrap.
fn call(function: &'static str, database: u32) -> Sql {
    Sql::constant(function).number(i32::from_ne_bytes(database.to_ne_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_oids_wrap() {
        assert_eq!(call("f(", 5).text(), "f(5");
        assert_eq!(call("f(", u32::MAX).text(), "f(-1");
    }
}
