//! Who else is connected, as far as a rollback has to know.

use serde::Serialize;

use super::RollbackOptions;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::pg::{Session, Sql};

/// Another session of this database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherSession {
    /// Server process.
    pub pid: i32,
    /// Role.
    pub role: String,
    /// `application_name`.
    pub application: String,
    /// Whether it has an open transaction that wrote.
    pub writing: bool,
}

impl OtherSession {
    /// `process 4711 (role app, application psql)`.
    pub fn shown(&self) -> String {
        format!(
            "process {} (role {}, application {})",
            self.pid, self.role, self.application
        )
    }
}

/// Every other session of the database that `session` is connected to.
pub async fn other_sessions(session: &Session) -> Result<Vec<OtherSession>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/sessions.sql")))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(OtherSession {
                pid: row.number("pid")?,
                role: row.string("role")?,
                application: row.string("application")?,
                writing: row.bool("writing")?,
            })
        })
        .collect()
}

/// P5: what others have written and not yet committed must not be pulled away from under them.
pub(super) async fn refuse_open_transactions(
    session: &Session,
    options: &RollbackOptions,
) -> Result<()> {
    if options.discard_other_writes {
        return Ok(());
    }
    let mut others = other_sessions(session).await?;
    others.retain(|other| other.writing);
    if others.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = others.iter().map(OtherSession::shown).collect();
    Err(
        Error::new(Kind::Withheld, format!("roll back {}", session.target()))
            .because(format!(
                "other sessions have open transactions that wrote: {}",
                names.join(", ")
            ))
            .now("the rollback has not begun; the database is as it was found")
            .hint(
                "end them and run `pgbelay rollback`, or `pgbelay rollback --discard-other-writes`",
            ),
    )
}

/// A prepared transaction may commit at any time, whatever is decided now.
pub(super) async fn warn_of_prepared(session: &Session, ctx: &Context) -> Result<()> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/prepared.sql")))
        .await?;
    for row in &rows {
        ctx.warn(format!(
            "the prepared transaction {} of {} (since {}) is still open and may commit later",
            row.text("gid")?,
            row.text("owner")?,
            row.text("prepared")?
        ));
    }
    Ok(())
}
