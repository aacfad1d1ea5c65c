//! Who is connected, and what that says of writing: the rule about other writers (P5), pure and tabled.
//!
//! A session of this database that is neither ours nor the migration's and that was active since the backup began counts as a
//! possible writer ([`judge`]). [`Window`] tells sessions apart; nothing here remembers one.

use serde::{Deserialize, Serialize};

use super::gap::Moment;
use super::outcome::OtherWriter;
use crate::error::{Error, Result};
use crate::pg::{self, Row, Session, Sql};

/// One session as `pg_stat_activity` showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Server process.
    pub pid: i32,
    /// Role.
    pub role: String,
    /// Whether it logged in with our role.
    pub same_role: bool,
    /// `application_name`.
    pub application: String,
    /// Address, or `local`.
    pub client: String,
    /// Whether our role may not see what it does.
    pub hidden: bool,
    /// Whether it is no client's session but a background worker (a subscription's, an extension's).
    pub background: bool,
    /// Begin of the session, microseconds since the epoch, server clock; none when hidden.
    pub started: Option<i64>,
    /// Its latest activity, likewise.
    pub active: Option<i64>,
    /// Begin of its last statement, for people.
    pub last_statement: String,
    /// Whether it has begun no statement yet, as far as we see.
    pub untouched: bool,
    /// Whether it has a transaction id.
    pub writing: bool,
    /// Since when a transaction or a statement of its is at work, likewise; none if none is.
    pub running: Option<i64>,
}

impl Sighting {
    fn of(row: &Row) -> Result<Self> {
        let hidden = row.bool("hidden")?;
        Ok(Self {
            pid: row.number("pid")?,
            role: row.string("role")?,
            same_role: row.opt("same_role")? == Some("t"),
            application: row.string("application")?,
            client: row.string("client")?,
            hidden,
            untouched: !hidden && row.opt("last_statement")?.is_none(),
            background: row.bool("background")?,
            started: row.opt_number("started")?,
            active: row.opt_number("active")?,
            last_statement: row
                .opt_string("last_statement")?
                .unwrap_or_else(|| "unknown".to_owned()),
            writing: row.bool("writing")?,
            running: row.opt_number("running")?,
        })
    }
}

/// The sessions of this database but the asking one.
pub async fn sight(session: &Session) -> Result<Vec<Sighting>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/sessions.sql")))
        .await?;
    rows.iter().map(Sighting::of).collect()
}

/// The same, and the moment right before.
pub(super) async fn sight_at(session: &Session) -> Result<(Moment, Vec<Sighting>)> {
    let sql = concat!(
        include_str!("sql/watch_moment.sql"),
        include_str!("sql/sessions.sql")
    );
    let rows = session.query(&Sql::constant(sql)).await?;
    let Some((moment, sightings)) = rows.split_first() else {
        return Err(Error::operation("look at other sessions")
            .because("the server did not say which moment it is"));
    };
    let sightings = sightings.iter().map(Sighting::of);
    Ok((Moment::of(moment)?, sightings.collect::<Result<_>>()?))
}

/// Cancels what these server processes are doing.
pub fn cancel(pids: &[i32]) -> Sql {
    over(
        pids,
        "SELECT pg_catalog.pg_cancel_backend(pid) FROM (VALUES ",
    )
}

/// Ends these server processes.
pub fn terminate(pids: &[i32]) -> Sql {
    over(
        pids,
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM (VALUES ",
    )
}

fn over(pids: &[i32], call: &'static str) -> Sql {
    let mut sql = Sql::constant(call);
    for (index, pid) in pids.iter().enumerate() {
        let before = if index == 0 { "(" } else { ", (" };
        sql = sql.then(before).number(*pid).then(")");
    }
    sql.then(") v(pid)")
}

/// The server's clock, and when this life of the server began; both microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTime {
    /// Now.
    pub now: i64,
    /// `pg_postmaster_start_time()`.
    pub postmaster: i64,
}

/// Asks for the server's clock.
pub async fn server_time(session: &Session) -> Result<ServerTime> {
    let row = session
        .query_one(&Sql::constant(include_str!("sql/server_time.sql")))
        .await?;
    Ok(ServerTime {
        now: row.number("now")?,
        postmaster: row.number("postmaster")?,
    })
}

/// As whom and from where somebody is connected, as [`Sighting`] shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The role that logged in.
    pub role: String,
    /// Address, or `local`.
    pub client: String,
}

impl Login {
    fn is_of(&self, seen: &Sighting) -> bool {
        self.role == seen.role && place(&self.client) == place(&seen.client)
    }
}

/// The server's own machine is reached in more than one way.
fn place(client: &str) -> &str {
    match client {
        "127.0.0.1" | "::1" => "local",
        other => other,
    }
}

/// As whom and from where the server sees us.
pub async fn own_login(session: &Session) -> Result<Login> {
    let sql = Sql::constant(
        "SELECT session_user AS role, coalesce(pg_catalog.host(pg_catalog.inet_client_addr()), 'local') AS client",
    );
    let row = session.query_one(&sql).await?;
    Ok(Login {
        role: row.string("role")?,
        client: row.string("client")?,
    })
}

/// What tells our sessions and the migration's from those of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Before the backup's snapshot, microseconds, server clock.
    pub since: i64,
    /// When this life of the server began, likewise.
    pub postmaster: i64,
    /// The run whose sessions are ours.
    pub run_id: String,
    /// Before the tool was started; none while it was not.
    pub tool_started: Option<i64>,
    /// For drivers that do not read `PGAPPNAME` (asyncpg, pg8000): sessions of our role from this
    /// address that began after the tool are taken for the tool's.
    pub unnamed_tool_from: Option<String>,
    /// Whether a pooler is in between, which connects without our names and sets them by a statement.
    pub pooled: bool,
    /// As whom and from where the tool would connect: as this run does, and a recovery of it.
    pub logins: Vec<Login>,
    /// Since when a fence keeps client sessions from writing, likewise; none without one.
    pub fenced_since: Option<i64>,
}

impl Window {
    /// The tool's `application_name`.
    pub fn tool_name(run_id: &str) -> String {
        format!("pgbelay {run_id} child")
    }

    /// Whether this is a session of the migration tool.
    pub fn is_tool(&self, seen: &Sighting) -> bool {
        if seen.application == Self::tool_name(&self.run_id) {
            return true;
        }
        let (Some(tool_started), Some(from)) = (self.tool_started, &self.unnamed_tool_from) else {
            return false;
        };
        let named = !seen.application.is_empty();
        !named
            && seen.same_role
            && &seen.client == from
            && seen.started.is_some_and(|started| started >= tool_started)
    }

    /// Whether it is one of the tool's that began before the tool: a pooler's, which others may have had before.
    pub(super) fn is_handed_down(&self, seen: &Sighting) -> bool {
        let began_before = |started| self.tool_started.is_some_and(|tool| started < tool);
        self.is_tool(seen) && seen.started.is_some_and(began_before)
    }

    /// One of a pooler's that has done nothing yet, nor is named. It is seen again, or it is nobody that was seen.
    pub(super) fn is_unborn(&self, seen: &Sighting) -> bool {
        self.pooled && seen.untouched && !seen.writing
    }

    /// Whether this may be a session of the tool that has another name.
    pub(super) fn may_be_tool(&self, seen: &Sighting) -> bool {
        let of_its_login = self.logins.iter().any(|login| login.is_of(seen));
        let Some(tool_started) = self.tool_started else {
            return false;
        };
        of_its_login
            && !seen.background
            && seen.started.is_none_or(|started| started >= tool_started)
            && !self.is_ours(seen)
            && !self.is_tool(seen)
    }

    pub(super) fn is_ours(&self, seen: &Sighting) -> bool {
        pg::is_ours(&seen.application, &self.run_id)
    }
}

/// Why the session may have written since the window opened; none if it cannot have.
pub fn judge(window: &Window, seen: &Sighting) -> Option<&'static str> {
    if window.is_handed_down(seen) {
        return Some("a pooler gave it to the migration, and may have given it to others before");
    }
    if window.is_ours(seen) || window.is_tool(seen) || window.is_unborn(seen) {
        return None;
    }
    // Whether a session has a transaction id is visible to every role.
    if seen.writing {
        return Some(match window.fenced_since {
            Some(_) => "it has a transaction that writes, in spite of the fence",
            None => "it has a transaction that writes",
        });
    }
    if let Some(since) = window.fenced_since
        && !seen.background
        && seen.started.is_none_or(|started| started > since)
    {
        return None;
    }
    if seen.hidden {
        return Some(
            "what it did cannot be seen: by this role (grant pg_read_all_stats), or because track_activities is off",
        );
    }
    match seen.active {
        Some(active) if active >= window.since => Some("it was active after the backup began"),
        _ => None,
    }
}

/// Those that may be the tool's under another name and are at work on something that they began before this moment.
pub fn at_work_since_before(
    window: &Window,
    sightings: &[Sighting],
    moment: i64,
) -> Vec<OtherWriter> {
    let why = "what it does began before the migration was stopped, and may be the migration's own";
    sightings
        .iter()
        .filter(|seen| seen.running.is_some_and(|since| since < moment))
        .filter(|seen| window.may_be_tool(seen))
        .map(|seen| writer(seen, why))
        .collect()
}

pub(super) fn writer(seen: &Sighting, why: &str) -> OtherWriter {
    OtherWriter {
        pid: seen.pid,
        user: seen.role.clone(),
        application: seen.application.clone(),
        client: seen.client.clone(),
        last_statement: seen.last_statement.clone(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn window() -> Window {
        Window {
            since: 1_000,
            postmaster: 1,
            run_id: "abcd1234".into(),
            tool_started: Some(2_000),
            unnamed_tool_from: None,
            pooled: false,
            logins: vec![Login {
                role: "app".into(),
                client: "10.0.0.1".into(),
            }],
            fenced_since: None,
        }
    }

    pub fn seen(application: &str, active: i64) -> Sighting {
        Sighting {
            pid: 7,
            role: "app".into(),
            same_role: true,
            application: application.into(),
            client: "10.0.0.1".into(),
            hidden: false,
            background: false,
            started: Some(2_500),
            active: Some(active),
            last_statement: "then".into(),
            untouched: false,
            writing: false,
            running: None,
        }
    }

    #[test]
    fn p5_activity_after_the_backup_began_counts() {
        let table = [
            (seen("app", 999), false),
            (seen("app", 1_000), true),
            (seen("pgbelay abcd1234 child", 5_000), false),
            (seen("pgbelay abcd1234 lock", 5_000), false),
            (seen("pgbelay zzzz9999 lock", 5_000), false),
            (seen("pgbelay zzzz9999 witness", 5_000), false),
            (seen("pgbelay zzzz9999 worker", 5_000), false),
            (seen("pgbelay zzzz9999 restore worker", 5_000), true),
            (seen("pgbelay zzzz9999 child", 5_000), true),
            (seen("pgbelay", 5_000), true),
            (seen("", 5_000), true),
        ];
        for (sighting, counts) in table {
            let judged = judge(&window(), &sighting);
            assert_eq!(judged.is_some(), counts, "{sighting:?}");
        }
    }

    #[test]
    fn p5_behind_a_fence_only_what_it_does_not_hold_counts() {
        let fenced = Window {
            fenced_since: Some(900),
            ..window()
        };
        let with = |change: fn(&mut Sighting)| {
            let mut sighting = seen("app", 5_000);
            change(&mut sighting);
            judge(&fenced, &sighting).is_some()
        };
        assert!(!with(|_| ()));
        assert!(with(|seen| seen.writing = true));
        assert!(with(|seen| seen.background = true));
        // One that began before the fence was closed.
        assert!(with(|seen| seen.started = Some(900)));
        assert!(!with(|seen| seen.started = Some(901)));
        let hide = |seen: &mut Sighting| {
            (seen.hidden, seen.started, seen.active) = (true, None, None);
        };
        assert!(!with(hide));
        assert!(with(|seen| {
            (seen.hidden, seen.started, seen.writing) = (true, None, true);
        }));
    }

    #[test]
    fn p5_what_cannot_be_seen_or_still_writes_counts() {
        let hidden = Sighting {
            hidden: true,
            started: None,
            active: None,
            ..seen("app", 0)
        };
        assert!(judge(&window(), &hidden).is_some());
        let writing = Sighting {
            writing: true,
            ..seen("app", 1)
        };
        assert!(judge(&window(), &writing).is_some());
    }

    #[test]
    fn drivers_that_ignore_pgappname_are_known_by_role_address_and_begin() {
        let window = Window {
            unnamed_tool_from: Some("10.0.0.1".into()),
            ..window()
        };
        assert!(window.is_tool(&seen("", 5_000)));
        for other in [
            seen("web", 5_000),
            Sighting {
                client: "10.0.0.2".into(),
                ..seen("", 5_000)
            },
            Sighting {
                same_role: false,
                ..seen("", 5_000)
            },
            Sighting {
                started: Some(1_999),
                ..seen("", 5_000)
            },
        ] {
            assert!(!window.is_tool(&other), "{other:?}");
            assert!(judge(&window, &other).is_some(), "{other:?}");
        }
    }

    #[test]
    fn p8_what_may_be_the_tools_is_at_work_since_before_it_was_stopped() {
        let found = |change: fn(&mut Sighting)| {
            let mut sighting = Sighting {
                running: Some(2_600),
                ..seen("alembic", 2_600)
            };
            change(&mut sighting);
            !at_work_since_before(&window(), &[sighting], 3_000).is_empty()
        };
        assert!(found(|_| ()));
        assert!(found(|seen| (seen.started, seen.running) = (None, Some(0))));
        assert!(!found(|seen| seen.running = None));
        assert!(!found(|seen| seen.running = Some(3_000)));
        assert!(!found(|seen| seen.started = Some(1_999)));
        assert!(!found(|seen| seen.role = "other".into()));
        assert!(!found(|seen| seen.client = "10.0.0.2".into()));
        assert!(!found(|seen| seen.background = true));
        assert!(!found(
            |seen| seen.application = "pgbelay abcd1234 child".into()
        ));
        assert!(!found(
            |seen| seen.application = "pgbelay zzzz9999 lock".into()
        ));
    }

    #[test]
    fn sessions_are_ended_by_number() {
        assert_eq!(
            cancel(&[1, 2]).text(),
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM (VALUES (1), (2)) v(pid)"
        );
    }
}
