//! Who may connect to a database, and ending those who are connected.
//!
//! `ALLOW_CONNECTIONS false` keeps everybody out, superusers too, and its owner may set it; a connection limit would let
//! superusers in. The server's autovacuum is still let in, and gives way to a renaming by itself.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// How sessions are ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long a session may finish what it is doing before it is ended.
    pub finish: Duration,
    /// How long its end is waited for.
    pub end: Duration,
}

impl Patience {
    /// For sessions of others in a database that is theirs, too.
    pub fn with_others(end: Duration) -> Self {
        Self {
            finish: FINISH_WITHIN.min(end / 2),
            end,
        }
    }

    /// For our own, and for who has no business in a database.
    pub fn none(end: Duration) -> Self {
        Self {
            finish: Duration::ZERO,
            end,
        }
    }
}

/// How long a session may finish what it is doing before it is ended.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Lets connections into a database, or keeps them out.
pub(super) fn door(database: &str, open: bool) -> Sql {
    let sql = Sql::constant("ALTER DATABASE ").ident(database);
    sql.then(if open {
        " ALLOW_CONNECTIONS true"
    } else {
        " ALLOW_CONNECTIONS false"
    })
}

/// A session of somebody.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub pid: i32,
    pub shown: String,
    application: String,
    is_idle: bool,
    may_end: bool,
}

impl Guest {
    /// Whether this very run of pgbelay opened it.
    pub fn is_of(&self, run: &str) -> bool {
        self.application.starts_with(&format!("pgbelay {run} "))
    }
}

/// Who is connected to a database.
pub(super) async fn guests(keeper: &Session, database: u32) -> Result<Vec<Guest>> {
    let rows = keeper
        .query(&Sql::constant(include_str!("sql/sessions.sql")))
        .await?;
    let mut guests = Vec::new();
    for row in &rows {
        if row.number::<u32>("database_oid")? != database {
            continue;
        }
        let pid = row.number("pid")?;
        let application = row.string("application")?;
        let state = row.text("state")?;
        let name = match application.as_str() {
            "" => "no application name",
            name => name,
        };
        guests.push(Guest {
            pid,
            shown: format!(
                "process {pid} of {} ({name}, {}, {state})",
                row.text("role")?,
                row.text("client")?
            ),
            is_idle: state == "idle",
            may_end: row.bool("may_end")?,
            application,
        });
    }
    Ok(guests)
}

/// Ends every session of a database that `stays` does not speak for; idle ones at once, the others after they had time to
/// finish. Says how many were ended. After the patience's end those that are left are named.
pub(super) async fn show_out(
    keeper: &Session,
    database: u32,
    stays: impl Fn(&Guest) -> bool,
    patience: Patience,
) -> Result<usize> {
    let began = Instant::now();
    let mut met = std::collections::BTreeSet::new();
    loop {
        let mut left = guests(keeper, database).await?;
        left.retain(|guest| !stays(guest));
        met.extend(left.iter().map(|guest| guest.pid));
        if left.is_empty() {
            return Ok(met.len());
        }
        if began.elapsed() > patience.end {
            return Err(stuck(&left, patience.end));
        }
        let impatient = began.elapsed() >= patience.finish;
        let due: Vec<i32> = left
            .iter()
            .filter(|guest| guest.may_end && (guest.is_idle || impatient))
            .map(|guest| guest.pid)
            .collect();
        for pid in due {
            let sql = Sql::constant("SELECT pg_catalog.pg_terminate_backend(");
            keeper.execute(&sql.number(pid).then(")")).await?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The first ten, and how many more.
pub(super) fn names(guests: &[Guest]) -> String {
    const NAMED: usize = 10;
    let mut named: Vec<String> = guests
        .iter()
        .take(NAMED)
        .map(|guest| match guest.may_end {
            true => guest.shown.clone(),
            false => format!("{}, which this role may not end", guest.shown),
        })
        .collect();
    if guests.len() > NAMED {
        named.push(format!("and {} more", guests.len() - NAMED));
    }
    named.join("; ")
}

/// Those whom this role cannot end.
pub(super) fn unendable(guests: Vec<Guest>) -> Vec<Guest> {
    guests.into_iter().filter(|guest| !guest.may_end).collect()
}

fn stuck(left: &[Guest], wait: Duration) -> Error {
    Error::operation("end the sessions of the failed database")
        .because(format!(
            "after {} s these are still there: {}",
            wait.as_secs(),
            names(left)
        ))
        .hint("disconnect them, then roll back again")
}
