//! The client sessions that began before a change of the database's setting, and ending them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{Row, Session, Sql, is_harmless};
use crate::run::sightings;

/// How long a session may finish what it is doing before it is ended.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// After this a session that was told to end and did not is given up.
const END_WITHIN: Duration = Duration::from_secs(20);
/// How long a process may take from reading its settings to showing up.
const SHOW_UP_WITHIN: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A client session of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Client {
    /// Server process.
    pub pid: i32,
    /// Role.
    pub role: String,
    /// `application_name`.
    pub application: String,
    /// Address, or `local`.
    pub client: String,
    /// `idle`, `active` …, or `hidden`.
    pub state: String,
    /// Whether our role may end it.
    pub may_end: bool,
    /// Whether it is a superuser's, which only a superuser may end.
    pub of_superuser: bool,
    #[serde(skip)]
    started: Option<i64>,
}

impl Client {
    fn of(row: &Row) -> Result<Self> {
        Ok(Self {
            pid: row.number("pid")?,
            role: row.string("role")?,
            application: row.string("application")?,
            client: row.string("client")?,
            state: row.string("state")?,
            may_end: row.bool("may_end")?,
            of_superuser: row.bool("of_superuser")?,
            started: row.opt_number("started")?,
        })
    }

    /// One phrase for people.
    pub fn shown(&self) -> String {
        let name = match self.application.as_str() {
            "" => "no application name",
            name => name,
        };
        let (pid, role, client, state) = (self.pid, &self.role, &self.client, &self.state);
        format!("process {pid} of {role} ({name}, {client}, {state})")
    }
}

/// The client sessions of others in this database; those of pgbelay itself lift the fence anyway.
pub(super) async fn clients(session: &Session) -> Result<Vec<Client>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/sessions.sql")))
        .await?;
    let clients = rows.iter().map(Client::of).collect::<Result<Vec<_>>>()?;
    let others = clients.into_iter();
    Ok(others
        .filter(|client| !is_harmless(&client.application))
        .collect())
}

/// What came of ending sessions.
#[derive(Debug, Default)]
pub(super) struct Renewed {
    /// Whoever began after this reads the setting as it is now; microseconds, server clock.
    pub since: i64,
    /// How many are gone.
    pub ended: usize,
    /// Those that may not be ended, or did not end.
    pub left: Vec<Client>,
}

impl Renewed {
    /// The refusal of a run whose fence would not hold.
    pub fn refusal(&self, target: &str) -> Option<Error> {
        let named = names(&self.left)?;
        Some(
            Error::refused(format!("keep writes of others out of {target}"))
                .because(format!(
                    "these sessions began before and could not be ended: {named}"
                ))
                .now(format!(
                    "the fence is down again, the database was not changed; sessions that were ended: {}",
                    self.ended
                ))
                .hint("disconnect them, then start again"),
        )
    }

    /// The warning about sessions that go on reading only.
    pub fn left_read_only(&self) -> Option<String> {
        let named = names(&self.left)?;
        Some(format!(
            "these sessions began behind the fence and read only until they connect again: {named}"
        ))
    }
}

/// The first ten, and how many more; none of none.
pub(super) fn names(clients: &[Client]) -> Option<String> {
    const NAMED: usize = 10;
    let mut named: Vec<String> = clients.iter().take(NAMED).map(Client::shown).collect();
    if clients.len() > NAMED {
        named.push(format!("and {} more", clients.len() - NAMED));
    }
    (!named.is_empty()).then(|| named.join("; "))
}

/// Ends every client session that may have begun before now, so that whoever comes back reads the
/// database's setting as it is now. Idle ones at once, the others after they had time to finish.
pub(super) async fn renew(session: &Session, ctx: &Context) -> Result<Renewed> {
    wait_for_starting(session).await?;
    let now = sightings::server_time(session).await?.now;
    let first = clients(session).await?;
    // Where the begin is hidden, who is there now counts, and nobody who comes later.
    let hidden: BTreeSet<i32> = first
        .iter()
        .filter(|client| client.started.is_none())
        .map(|client| client.pid)
        .collect();
    let old = |client: &Client| match client.started {
        Some(started) => started <= now,
        None => hidden.contains(&client.pid),
    };
    let began = Instant::now();
    let mut met: BTreeSet<i32> = BTreeSet::new();
    loop {
        let mut left = clients(session).await?;
        left.retain(&old);
        met.extend(left.iter().map(|client| client.pid));
        let endable: Vec<&Client> = left.iter().filter(|client| client.may_end).collect();
        if endable.is_empty() || began.elapsed() > END_WITHIN {
            let ended = met.len().saturating_sub(left.len());
            return Ok(Renewed {
                since: now,
                ended,
                left,
            });
        }
        let impatient = began.elapsed() > FINISH_WITHIN || ctx.stop.requested().is_some();
        let due = |client: &&&Client| {
            impatient || client.state.starts_with("idle") && client.state != "idle in transaction"
        };
        let pids: Vec<i32> = endable
            .iter()
            .filter(due)
            .map(|client| client.pid)
            .collect();
        if !pids.is_empty() {
            session.query(&sightings::terminate(&pids)).await?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until every process that was being let in has shown up among the sessions or is gone.
async fn wait_for_starting(session: &Session) -> Result<()> {
    let mut waited_for = starting(session).await?;
    let began = Instant::now();
    while !waited_for.is_empty() {
        if began.elapsed() > SHOW_UP_WITHIN {
            return Err(
                Error::operation(format!("see who is connecting to {}", session.target()))
                    .because(format!("server processes {waited_for:?} are not ready yet")),
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let still = starting(session).await?;
        waited_for.retain(|pid| still.contains(pid));
    }
    Ok(())
}

async fn starting(session: &Session) -> Result<BTreeSet<i32>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/starting.sql")))
        .await?;
    rows.iter().map(|row| row.number("pid")).collect()
}
