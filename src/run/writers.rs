//! Who else may have written while the migration ran (P5), without a lock or a snapshot (P7).
//!
//! [`judge`] is the rule, pure and tabled: a session of this database that is neither ours nor the
//! migration's and that was active since the backup began counts as a possible writer. [`Watch`]
//! samples `pg_stat_activity` on the lock's connection. Sessions that outlive the window are judged
//! exactly, because the server remembers their last activity. Those that come and leave between
//! two samples while the tool runs are counted by the server ([`unseen`]), and withhold a rollback
//! too; before and after the tool only the samples speak. A watch that loses its connection goes on with one of its own
//! ([`gap`](super::gap) says what is known of the time between).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::gap::{Again, Count, Moment, Tally};
use super::outcome::OtherWriter;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{self, Purpose, Row, Session, Sql, Target};
use crate::rollback::{COLLECTOR_DELAY, COUNTS_SINCE};

/// Time between two samples. Each costs the server well under a millisecond.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// Time between two samples while the tool has no session, or one that has just begun: those of psql in a shell script live for
/// some milliseconds, and what was never seen counts as somebody else's.
const EXPECT_EVERY: Duration = Duration::from_millis(2);
/// Likewise after [`EXPECT_FOR`].
const EXPECT_LATER: Duration = Duration::from_millis(10);
/// How long a tool that has no session is expected to begin one at once, and how long soon.
const EXPECT_FOR: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];
/// So many looks of the shortest pause are taken in an attempt; a server may log each.
const MOST_LOOKS: u32 = 10_000;
/// After this a session of the tool has not just begun any more.
const SETTLED_AFTER: Duration = Duration::from_millis(200);
/// A pause is at least so many times as long as a sample took: where hundreds are connected it takes longer.
const PAUSES_PER_SAMPLE: u32 = 3;
/// Pause before the watch tries to connect again: a server that is started again is there soon, and what is done before we
/// are is not seen.
const CONNECT_EVERY: Duration = Duration::from_millis(50);
/// The same once it has been away for [`AWAY_FOR`].
const CONNECT_LATER: Duration = Duration::from_secs(1);
/// See there.
const AWAY_FOR: Duration = Duration::from_secs(10);
/// How long our own closed sessions may take to leave the server before the tool is started.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

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
async fn sight_at(session: &Session) -> Result<(Moment, Vec<Sighting>)> {
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
    fn is_handed_down(&self, seen: &Sighting) -> bool {
        let began_before = |started| self.tool_started.is_some_and(|tool| started < tool);
        self.is_tool(seen) && seen.started.is_some_and(began_before)
    }

    /// One of a pooler's that has done nothing yet, nor is named. It is seen again, or it is nobody that was seen.
    fn is_unborn(&self, seen: &Sighting) -> bool {
        self.pooled && seen.untouched && !seen.writing
    }

    /// Whether this may be a session of the tool that has another name.
    fn may_be_tool(&self, seen: &Sighting) -> bool {
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

    fn is_ours(&self, seen: &Sighting) -> bool {
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
        return Some("this role may not see what it did (grant pg_read_all_stats)");
    }
    match seen.active {
        Some(active) if active >= window.since => Some("it was active after the backup began"),
        _ => None,
    }
}

/// Asks how many sessions this database has had, our own among them up to now.
async fn session_count(session: &Session) -> Result<Tally> {
    if session.version().major() >= COUNTS_SINCE {
        flush_own_count(session).await?;
    } else {
        tokio::time::sleep(COLLECTOR_DELAY).await;
    }
    Tally::read(session).await
}

/// Makes the server count this session now and not some seconds later (15+).
pub async fn flush_own_count(session: &Session) -> Result<()> {
    if session.version().major() < COUNTS_SINCE {
        return Ok(());
    }
    session
        .execute(&Sql::constant(
            "SELECT pg_catalog.pg_stat_force_next_flush()",
        ))
        .await
}

/// Waits until our sessions that were closed have left the server, so that none of them is
/// counted later. `open` are those that stay.
async fn own_sessions_left(session: &Session, run_id: &str, open: &[i32]) -> Result<()> {
    let ours = format!("pgbelay {run_id} ");
    let started = Instant::now();
    while started.elapsed() < LEAVE_WITHIN {
        let leaving = sight(session)
            .await?
            .iter()
            .any(|seen| seen.application.starts_with(&ours) && !open.contains(&seen.pid));
        if !leaving {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Sessions that were counted while the tool ran but never seen, the tool's own aside: a tool
/// that was never seen had at least one, or failed before it connected. In the latter case one of somebody else that
/// was not seen either would be taken for it, which is why [`EXPECT_EVERY`] is short.
fn unseen(counted: i64, seen_and_gone: usize, tool_was_seen: bool) -> u64 {
    let explained = i64::try_from(seen_and_gone).unwrap_or(i64::MAX);
    let tool = i64::from(!tool_was_seen);
    let unseen = counted.saturating_sub(explained).saturating_sub(tool);
    u64::try_from(unseen).unwrap_or(0)
}

/// What was seen in a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Possible writers, once each.
    pub writers: Vec<OtherWriter>,
    /// Why the watch was blind for a while, if it was.
    pub gap: Option<String>,
    /// Sessions that came and went unseen while the tool ran.
    pub unseen: u64,
    /// Whether the fence was lifted for everybody before its time.
    pub lifted: bool,
}

/// By what a session is told from an earlier one of the same process number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Begun {
    /// When it began.
    At(i64),
    /// Our role may not see that: the number of its first sighting.
    Sighted(u64),
}

/// Collects sightings; a session is known by its process and its begin.
#[derive(Debug, Default)]
struct Collected {
    writers: BTreeMap<(i32, Option<i64>), OtherWriter>,
    /// Why something may have been overlooked.
    gap: Option<String>,
    /// Why nobody watches at present, if so.
    lost: Option<String>,
    /// The last look.
    last: Option<Moment>,
    /// The connection that is looked through.
    line: Weak<Session>,
    /// Whether the database is being judged: who comes later is told by a mark, and a swap wants nobody to connect.
    judged: bool,
    /// Of sessions while the tool runs.
    count: Count,
    /// Sessions seen that began after it was started.
    new: BTreeSet<(i32, Begun)>,
    /// Living sessions whose begin is hidden, and the numbers of their first sightings.
    hidden: BTreeMap<i32, u64>,
    /// The last number that was given.
    numbered: u64,
    /// The last one before the tool was started.
    numbered_before: u64,
    /// While the tool is at work: since when it has had no session, or a young one only.
    expecting: Option<Instant>,
    /// When each session of the tool that lives was first seen.
    of_tool: BTreeMap<(i32, Option<i64>), Instant>,
    /// In this attempt.
    tool_was_seen: bool,
    /// Names of sessions that may be the tool's, likewise.
    other_names: BTreeSet<String>,
    /// Looks of the shortest pause that are left in this attempt.
    looks_left: u32,
    unseen: u64,
}

impl Collected {
    fn take(&mut self, window: &Window, sightings: &[Sighting]) {
        self.of_tool.retain(|key, _| {
            let mut keys = sightings.iter().map(|seen| (seen.pid, seen.started));
            keys.any(|seen| seen == *key)
        });
        self.hidden.retain(|pid, _| {
            let mut hidden = sightings.iter().filter(|seen| seen.started.is_none());
            hidden.any(|seen| seen.pid == *pid)
        });
        for seen in sightings {
            self.note(window, seen);
            let Some(why) = judge(window, seen) else {
                continue;
            };
            self.writers
                .insert((seen.pid, seen.started), writer(seen, why));
        }
    }
}

impl Collected {
    fn note(&mut self, window: &Window, seen: &Sighting) {
        if window.is_tool(seen) {
            let key = (seen.pid, seen.started);
            if !window.is_handed_down(seen) {
                self.writers.remove(&key);
            }
            self.tool_was_seen = true;
            self.of_tool.entry(key).or_insert_with(Instant::now);
        } else if window.may_be_tool(seen) && !seen.application.is_empty() {
            self.other_names.insert(seen.application.clone());
        }
        let begun = self.begun(seen);
        let is_new = match (begun, window.tool_started) {
            (_, None) => false,
            (Begun::At(started), Some(tool_started)) => started >= tool_started,
            (Begun::Sighted(number), Some(_)) => number > self.numbered_before,
        };
        if is_new && !window.is_unborn(seen) {
            self.new.insert((seen.pid, begun));
        }
    }

    fn begun(&mut self, seen: &Sighting) -> Begun {
        if let Some(started) = seen.started {
            return Begun::At(started);
        }
        let number = self.hidden.entry(seen.pid).or_insert_with(|| {
            self.numbered += 1;
            self.numbered
        });
        Begun::Sighted(*number)
    }

    fn shortest(&mut self) -> Duration {
        match self.looks_left.checked_sub(1) {
            Some(left) => {
                self.looks_left = left;
                EXPECT_EVERY
            }
            None => EXPECT_LATER,
        }
    }

    /// Time until the next sample.
    fn pause(&mut self) -> Duration {
        let Some(since) = self.expecting else {
            return SAMPLE_EVERY;
        };
        let mut first_seen = self.of_tool.values();
        let begun = first_seen.any(|seen| seen.elapsed() < SETTLED_AFTER);
        if begun {
            self.expecting = Some(Instant::now());
            return self.shortest();
        }
        if !self.of_tool.is_empty() {
            // It is expected again once this session is gone.
            self.expecting = Some(Instant::now());
            return SAMPLE_EVERY;
        }
        match since.elapsed() {
            waited if waited < EXPECT_FOR[0] => self.shortest(),
            waited if waited < EXPECT_FOR[1] => EXPECT_LATER,
            _ => SAMPLE_EVERY,
        }
    }

    /// Those of `new` that are gone: a living one may not be counted yet, and is judged anyway.
    fn seen_and_gone(&self, living: &[Sighting]) -> usize {
        let lives = |(pid, begun): &&(i32, Begun)| match begun {
            Begun::Sighted(number) => self.hidden.get(pid) == Some(number),
            Begun::At(started) => living
                .iter()
                .any(|seen| seen.pid == *pid && seen.started == Some(*started)),
        };
        self.new.iter().filter(|key| !lives(key)).count()
    }

    /// The connection is gone, for this reason.
    fn lose(&mut self, why: String) {
        self.lost.get_or_insert(why);
    }

    /// There is a connection again: `own` of the watch's own, which the server counts.
    fn resume(&mut self, again: &Again, own: i64) {
        let Some(why) = self.lost.take() else {
            return;
        };
        let last = self.last.as_ref();
        match again.overlooked(&self.count, last, self.new.len()) {
            Ok(count) => {
                if count.is_of_another_life(&self.count) {
                    self.new.clear();
                }
                self.count = count;
            }
            Err(objection) => {
                let reason = objection.map(|objection| format!("{why}; {objection}"));
                self.gap.get_or_insert(reason.unwrap_or(why));
            }
        }
        self.count.own += own;
    }
}

fn writer(seen: &Sighting, why: &str) -> OtherWriter {
    OtherWriter {
        pid: seen.pid,
        user: seen.role.clone(),
        application: seen.application.clone(),
        client: seen.client.clone(),
        last_statement: seen.last_statement.clone(),
        why: why.to_owned(),
    }
}

/// The possible writers among sightings, for recovery, where no watch was kept.
pub fn writers_among(window: &Window, sightings: &[Sighting]) -> Vec<OtherWriter> {
    let mut collected = Collected::default();
    collected.take(window, sightings);
    collected.writers.into_values().collect()
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

/// Samples the sessions in the background until it is finished.
#[derive(Debug)]
pub struct Watch {
    collected: Arc<Mutex<Collected>>,
    window: watch::Sender<Window>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Starts sampling on the lock's connection, and on one of its own should that be lost.
    pub fn start(session: Arc<Session>, target: Target, window: Window, ctx: Context) -> Self {
        let collected = Arc::new(Mutex::new(Collected::default()));
        let (window, receiver) = watch::channel(window);
        let sampler = Sampler {
            target,
            ctx,
            window: receiver,
            collected: Arc::clone(&collected),
        };
        let task = tokio::spawn(sampler.sample(session));
        Self {
            collected,
            window,
            task,
        }
    }

    /// The tool is about to be started: counts the sessions until now and returns the server's
    /// time. `session` is the lock's, `open` are the processes of our other open sessions.
    pub async fn tool_starts(&self, session: &Session, open: &[i32]) -> Result<i64> {
        own_sessions_left(session, &self.window().run_id, open).await?;
        let counted = session_count(session).await?;
        let at = server_time(session).await?.now;
        let living = sight(session).await?;
        let window = self.window();
        {
            let mut collected = lock(&self.collected);
            collected.take(&window, &living);
            collected.numbered_before = collected.numbered;
            collected.count = Count::begin(counted);
            collected.new.clear();
            collected.tool_was_seen = false;
            collected.other_names.clear();
            collected.looks_left = MOST_LOOKS;
        }
        self.window
            .send_modify(|window| window.tool_started = Some(at));
        Ok(at)
    }

    /// The tool is a program that connects by itself: its sessions are looked for closely.
    pub fn expect_sessions(&self) {
        lock(&self.collected).expecting = Some(Instant::now());
    }

    /// The connection that is looked through; after a loss it is waited for.
    pub async fn session(&self, wait: Duration) -> Option<Arc<Session>> {
        let began = Instant::now();
        loop {
            let line = lock(&self.collected).line.upgrade();
            let living = line.filter(|session| !session.is_closed());
            if living.is_some() || began.elapsed() >= wait {
                return living;
            }
            tokio::time::sleep(CONNECT_EVERY).await;
        }
    }

    /// The tool has ended and its sessions are gone: counts again, before we open any. `session` is the watch's.
    pub async fn tool_ended(&self, session: &Session) -> Result<()> {
        let living = sight(session).await?;
        let counted = session_count(session).await?;
        let window = self.window();
        let mut collected = lock(&self.collected);
        collected.take(&window, &living);
        let gone = collected.seen_and_gone(&living);
        let new = collected.count.end(&counted);
        // Of all attempts.
        collected.unseen += unseen(new, gone, collected.tool_was_seen);
        collected.expecting = None;
        Ok(())
    }

    /// What tells sessions apart.
    pub fn window(&self) -> Window {
        self.window.borrow().clone()
    }

    /// Whether the tool had a session by its name, in this attempt.
    pub fn tool_was_seen(&self) -> bool {
        lock(&self.collected).tool_was_seen
    }

    /// If it had none: what sessions were called that may be its own.
    pub fn other_names(&self) -> Vec<String> {
        let collected = lock(&self.collected);
        match collected.tool_was_seen {
            true => Vec::new(),
            false => collected.other_names.iter().cloned().collect(),
        }
    }

    /// The possible writers seen so far.
    pub fn seen(&self) -> Vec<OtherWriter> {
        lock(&self.collected).writers.values().cloned().collect()
    }

    /// Takes one more sample, on any session, and returns everything seen so far. From now on a lost connection is not made
    /// again.
    pub async fn observe(&self, session: &Session) -> Result<Observed> {
        lock(&self.collected).judged = true;
        resume(&self.collected, session, 0).await?;
        let last = sight(session).await?;
        let window = self.window();
        let mut collected = lock(&self.collected);
        collected.take(&window, &last);
        let uncounted = collected.count.is_open().then(|| {
            "the sessions that came and went while the migration ran could not be counted"
                .to_owned()
        });
        Ok(Observed {
            writers: collected.writers.values().cloned().collect(),
            gap: collected.gap.clone().or(uncounted),
            unseen: collected.unseen,
            lifted: false,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Judges the time without a connection, if there was one.
async fn resume(collected: &Mutex<Collected>, session: &Session, own: i64) -> Result<()> {
    let last = {
        let collected = lock(collected);
        if collected.lost.is_none() {
            return Ok(());
        }
        collected.last.clone()
    };
    flush_own_count(session).await?;
    let again = Again::look(session, last.as_ref()).await?;
    lock(collected).resume(&again, own);
    Ok(())
}

/// What looks.
struct Sampler {
    target: Target,
    ctx: Context,
    window: watch::Receiver<Window>,
    collected: Arc<Mutex<Collected>>,
}

impl Sampler {
    async fn sample(self, session: Arc<Session>) {
        let mut session = Some(session);
        while let Some(line) = session.take() {
            lock(&self.collected).line = Arc::downgrade(&line);
            let error = self.until_lost(&line).await;
            lock(&self.collected).lose(error.to_string());
            drop(line);
            session = self.connect_again().await;
        }
    }

    async fn until_lost(&self, session: &Session) -> Error {
        loop {
            let begun = Instant::now();
            let (moment, sightings) = match sight_at(session).await {
                Ok(seen) => seen,
                Err(error) => return error,
            };
            let least = begun.elapsed() * PAUSES_PER_SAMPLE;
            let window = self.window.borrow().clone();
            let pause = {
                let mut collected = lock(&self.collected);
                collected.take(&window, &sightings);
                collected.last = Some(moment);
                collected.pause()
            };
            tokio::time::sleep(pause.max(least)).await;
        }
    }

    /// None once the database is being judged.
    async fn connect_again(&self) -> Option<Arc<Session>> {
        let lost = Instant::now();
        loop {
            if lock(&self.collected).judged {
                return None;
            }
            if let Ok(session) = pg::connect(&self.target, Purpose::Witness, &self.ctx).await
                && resume(&self.collected, &session, 1).await.is_ok()
            {
                return Some(Arc::new(session));
            }
            let pause = match lost.elapsed() < AWAY_FOR {
                true => CONNECT_EVERY,
                false => CONNECT_LATER,
            };
            tokio::time::sleep(pause).await;
        }
    }
}

/// A panic of another holder cannot leave the map half-changed in a way that matters here.
fn lock(collected: &Mutex<Collected>) -> std::sync::MutexGuard<'_, Collected> {
    collected.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
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

    fn seen(application: &str, active: i64) -> Sighting {
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
    fn p5_sessions_that_nobody_saw_are_counted() {
        // Sessions counted, seen and gone, whether the tool was seen, unseen ones.
        let table = [
            (1, 0, false, 0),
            (1, 1, true, 0),
            (1, 0, true, 1),
            (2, 0, false, 1),
            (2, 1, true, 1),
            (5, 5, true, 0),
            (0, 1, true, 0),
            (0, 0, false, 0),
        ];
        for (counted, gone, tool, expected) in table {
            let found = unseen(counted, gone, tool);
            assert_eq!(found, expected, "{counted} {gone} {tool}");
        }
    }

    #[test]
    fn a_tool_without_a_session_is_expected_to_begin_one() {
        let window = window();
        let tool = |started| Sighting {
            started: Some(started),
            ..seen("pgbelay abcd1234 child", 3_000)
        };
        let mut collected = Collected {
            looks_left: 6,
            ..Collected::default()
        };
        assert_eq!(collected.pause(), SAMPLE_EVERY);
        collected.expecting = Some(Instant::now());
        assert_eq!(collected.pause(), EXPECT_EVERY);
        collected.take(&window, &[tool(2_500)]);
        assert_eq!(collected.pause(), EXPECT_EVERY);
        let old = Instant::now().checked_sub(SETTLED_AFTER);
        collected.of_tool.insert((7, Some(2_500)), old.unwrap());
        assert_eq!(collected.pause(), SAMPLE_EVERY);
        // Another one under the same process number.
        collected.take(&window, &[tool(2_600)]);
        assert_eq!(collected.pause(), EXPECT_EVERY);
        collected.take(&window, &[]);
        assert_eq!(collected.pause(), EXPECT_EVERY);
    }

    #[test]
    fn a_session_that_was_seen_before_it_had_its_name_is_no_writer() {
        let window = window();
        let mut collected = Collected::default();
        collected.take(&window, &[seen("", 3_000)]);
        assert_eq!(collected.writers.len(), 1);
        collected.take(&window, &[seen("pgbelay abcd1234 child", 3_100)]);
        assert!(collected.writers.is_empty());
    }

    #[test]
    fn sessions_are_ended_by_number() {
        assert_eq!(
            cancel(&[1, 2]).text(),
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM (VALUES (1), (2)) v(pid)"
        );
    }

    #[test]
    fn p5_a_connection_that_a_pooler_hands_on_is_not_the_tools_alone() {
        let window = window();
        let handed_down = Sighting {
            started: Some(1_999),
            ..seen("pgbelay abcd1234 child", 3_000)
        };
        let mut collected = Collected::default();
        collected.take(&window, &[handed_down]);
        assert_eq!(collected.writers.len(), 1);
        // Its process was ended; what others did through it before was done.
        collected.take(&window, &[]);
        assert_eq!(collected.writers.len(), 1);
    }

    #[test]
    fn p5_a_poolers_connection_counts_once_it_has_done_something() {
        let pooled = Window {
            pooled: true,
            ..window()
        };
        let fresh = Sighting {
            untouched: true,
            ..seen("", 3_000)
        };
        assert!(judge(&window(), &fresh).is_some());
        let mut collected = Collected::default();
        collected.take(&pooled, std::slice::from_ref(&fresh));
        // Gone before it was seen again, it explains no session that was counted.
        assert!(collected.writers.is_empty() && collected.new.is_empty());
        for touched in [
            seen("", 3_000),
            Sighting {
                writing: true,
                ..fresh
            },
        ] {
            assert!(judge(&pooled, &touched).is_some());
        }
    }

    #[test]
    fn p5_hidden_sessions_are_told_apart_by_their_first_sightings() {
        let window = window();
        let hidden = |pid, application: &str| Sighting {
            pid,
            hidden: true,
            started: None,
            active: None,
            ..seen(application, 0)
        };
        let mut collected = Collected::default();
        // One of before the tool, and two of the tool one after the other under one process number.
        let before = hidden(1, "app");
        collected.take(&window, std::slice::from_ref(&before));
        collected.numbered_before = collected.numbered;
        collected.new.clear();
        for _ in 0..2 {
            let tool = hidden(2, "pgbelay abcd1234 child");
            collected.take(&window, &[before.clone(), tool]);
            collected.take(&window, std::slice::from_ref(&before));
        }
        assert_eq!(collected.seen_and_gone(&[before]), 2);
        assert!(collected.tool_was_seen);
    }

    #[test]
    fn a_session_is_listed_once() {
        let twice = [seen("app", 3_000), seen("app", 4_000)];
        assert_eq!(writers_among(&window(), &twice).len(), 1);
    }
}
