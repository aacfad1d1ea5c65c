//! The swap itself: both names, both doors and the fence of the failed one, in one transaction.
//!
//! The server renames inside a transaction and lets nobody connect to either database until it has ended, so the name
//! never is nobody's: whoever connects reaches the failed database before, and the proven one after.

use super::doors::door;
use super::record::SwapRecord;
use crate::error::{Error, Result};
use crate::faults::{self, Point};
use crate::pg::{Session, Sql};

/// Exchanges the names. Both databases are closed and empty of sessions.
///
/// # Errors
/// Of the server; if the connection was lost in the commit, nobody knows yet whether it took effect.
pub(super) async fn rename(keeper: &Session, record: &SwapRecord) -> Result<()> {
    keeper.execute(&Sql::constant("BEGIN")).await?;
    let renamed = statements(keeper, record).await;
    let renamed = renamed.and_then(|()| faults::reach(Point::SwapCommit));
    let end = if renamed.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    let ended = keeper.execute(&Sql::constant(end)).await;
    renamed?;
    ended?;
    faults::reach(Point::SwapCommitted)
}

async fn statements(keeper: &Session, record: &SwapRecord) -> Result<()> {
    let found = Whereabouts::read(keeper, record).await?;
    if found != Whereabouts::before() {
        return Err(
            Error::operation("exchange the names of the databases").because(found.shown(record))
        );
    }
    let (old, new, failed) = (&record.database, &record.new_name, &record.failed_name);
    faults::reach(Point::SwapRenameOld)?;
    keeper.execute(&renaming(old, failed)).await?;
    faults::reach(Point::SwapRenameNew)?;
    keeper.execute(&renaming(new, old)).await?;
    if let Some(fence) = &record.fence {
        let sql = Sql::constant("ALTER DATABASE ").ident(failed);
        let sql = match &fence.before {
            Some(before) => sql
                .then(" SET default_transaction_read_only TO ")
                .literal(before),
            None => sql.then(" RESET default_transaction_read_only"),
        };
        keeper.execute(&sql).await?;
    }
    faults::reach(Point::SwapReopen)?;
    keeper.execute(&door(failed, true)).await?;
    keeper.execute(&door(old, true)).await
}

fn renaming(from: &str, to: &str) -> Sql {
    Sql::constant("ALTER DATABASE ")
        .ident(from)
        .then(" RENAME TO ")
        .ident(to)
}

/// What one of the two databases is called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Called {
    /// By the name that the application knows.
    Database,
    /// By the name of the one to be swapped in.
    New,
    /// By the name of the one that is kept.
    Failed,
    /// By another name.
    Other(String),
    /// It is not there.
    Gone,
}

/// What both databases are called, by their OIDs, and who has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub old: Called,
    pub new: Called,
    /// Whether both are closed to everybody.
    pub closed: bool,
}

impl Whereabouts {
    /// As it has to be for the renaming.
    pub fn before() -> Self {
        Self {
            old: Called::Database,
            new: Called::New,
            closed: true,
        }
    }

    /// Whether the renaming took effect.
    pub fn is_swapped(&self) -> bool {
        self.old == Called::Failed && self.new == Called::Database
    }

    pub async fn read(keeper: &Session, record: &SwapRecord) -> Result<Self> {
        let rows = keeper
            .query(&Sql::constant(
                "SELECT oid, datname AS name, datallowconn AS open FROM pg_catalog.pg_database",
            ))
            .await?;
        let mut found = Self {
            old: Called::Gone,
            new: Called::Gone,
            closed: true,
        };
        for row in &rows {
            let oid: u32 = row.number("oid")?;
            let place = match oid {
                oid if oid == record.oid => &mut found.old,
                oid if Some(oid) == record.new_oid => &mut found.new,
                _ => continue,
            };
            *place = called(row.text("name")?, record);
            found.closed &= !row.bool("open")?;
        }
        Ok(found)
    }

    /// For people.
    pub fn shown(&self, record: &SwapRecord) -> String {
        let one = |called: &Called| match called {
            Called::Database => format!("is called {}", record.database),
            Called::New => format!("is called {}", record.new_name),
            Called::Failed => format!("is called {}", record.failed_name),
            Called::Other(name) => format!("is called {name}"),
            Called::Gone => "is gone".to_owned(),
        };
        let doors = if self.closed {
            ""
        } else {
            "; somebody may connect"
        };
        format!(
            "the failed database (OID {}) {}, the new one (OID {}) {}{doors}",
            record.oid,
            one(&self.old),
            record
                .new_oid
                .map_or_else(|| "unknown".to_owned(), |oid| oid.to_string()),
            one(&self.new)
        )
    }
}

fn called(name: &str, record: &SwapRecord) -> Called {
    match name {
        name if name == record.database => Called::Database,
        name if name == record.new_name => Called::New,
        name if name == record.failed_name => Called::Failed,
        name => Called::Other(name.to_owned()),
    }
}
