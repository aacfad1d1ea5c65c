//! The failed database, which stays: what is told of it, and finding those that are still there.

use serde::Serialize;

use super::record::SwapRecord;
use crate::error::Result;
use crate::pg::{Session, Sql, quote_ident};

/// The failed database, which stays (P4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its name now.
    pub name: String,
    /// Its name before.
    pub was: String,
    /// Bytes, where this role may ask and somebody did.
    pub bytes: Option<u64>,
    /// The statement that drops it.
    pub to_drop: String,
}

impl Kept {
    fn called(name: &str, was: &str) -> Self {
        Self {
            name: name.to_owned(),
            was: was.to_owned(),
            bytes: None,
            to_drop: format!("DROP DATABASE {};", quote_ident(name)),
        }
    }

    /// The one that this swap has kept. Its size is told only where this role may ask.
    pub(super) async fn of(keeper: &Session, record: &SwapRecord) -> Self {
        let sql = Sql::constant("SELECT pg_catalog.pg_database_size(")
            .number(record.oid)
            .then("::pg_catalog.oid) AS bytes");
        let bytes = match keeper.query_one(&sql).await {
            Ok(row) => row.number("bytes").ok(),
            Err(_) => None,
        };
        Self {
            bytes,
            ..Self::called(&record.failed_name, &record.database)
        }
    }
}

/// Databases on this server that are named as those that swaps of this one have kept.
///
/// # Errors
/// Of the server.
pub async fn kept_databases(session: &Session) -> Result<Vec<Kept>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/kept.sql")))
        .await?;
    rows.iter()
        .map(|row| Ok(Kept::called(row.text("name")?, row.text("was")?)))
        .collect()
}
