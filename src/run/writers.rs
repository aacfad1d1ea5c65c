//! Who else may have written while the migration ran (P5), without a lock or a snapshot (P7).
//!
//! [`judge`] is the rule. [`Watch`] samples `pg_stat_activity` on the lock's connection. Sessions that outlive the window are judged
//! exactly, because the server remembers their last activity. Those that come and leave between
//! two samples while the tool runs are counted by the server ([`unseen`]), and withhold a rollback
//! too; before and after the tool only the samples speak. A watch that loses its connection goes on with one of its own
//! ([`gap`](super::gap) says what is known of the time between).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::gap::{Again, Count, Moment, Tally};
use super::heartbeat::{Heartbeat, Keeper, Living};
use super::outcome::OtherWriter;
use super::sightings::{Sighting, Window, judge, server_time, sight, sight_at, writer};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{self, Purpose, Session, Sql, Target};
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
/// Why one that was connected may have written.
const LEFT: &str = "it was connected and left meanwhile, and what it did last nobody saw";
/// How long our own closed sessions may take to leave the server before the tool is started.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

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
    /// Sessions of others at the last look: one that is gone at the next may have written in between, and said so to nobody.
    others: BTreeMap<(i32, Option<i64>), Sighting>,
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
        self.note_departures(window, sightings);
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
    /// A pool that retires a connection looks like this, too; but what it did since the last look nobody knows.
    fn note_departures(&mut self, window: &Window, sightings: &[Sighting]) {
        let is_other = |seen: &&Sighting| {
            !seen.background
                && !window.is_ours(seen)
                && !window.is_tool(seen)
                && !window.is_unborn(seen)
        };
        let present: BTreeMap<_, _> = sightings
            .iter()
            .map(|seen| ((seen.pid, seen.started), seen))
            .collect();
        let before = std::mem::take(&mut self.others);
        let gone = before
            .into_iter()
            .filter(|(key, _)| !present.contains_key(key));
        // Behind a fence they could not write.
        for (key, seen) in gone.filter(|_| window.fenced_since.is_none()) {
            self.writers
                .entry(key)
                .or_insert_with(|| writer(&seen, LEFT));
        }
        let others = present.into_iter().filter(|(_, seen)| is_other(seen));
        self.others = others.map(|(key, seen)| (key, seen.clone())).collect();
    }

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

    /// What there is to be known if this look is the last one.
    fn heartbeat(&self, window: &Window, moment: &Moment, living: &[Sighting]) -> Heartbeat {
        Heartbeat {
            moment: moment.clone(),
            count: self.count.clone(),
            seen: self.new.len(),
            tool_was_seen: self.tool_was_seen,
            living: living.iter().map(|seen| Living::of(window, seen)).collect(),
            writers: self.writers.values().cloned().collect(),
            gap: self.gap.clone(),
            unseen: self.unseen,
            asked: None,
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
                    // The server's end disconnected them.
                    self.others.clear();
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

/// The possible writers among sightings, for recovery, where no watch was kept.
pub fn writers_among(window: &Window, sightings: &[Sighting]) -> Vec<OtherWriter> {
    let mut collected = Collected::default();
    collected.take(window, sightings);
    collected.writers.into_values().collect()
}

/// Samples the sessions in the background until it is finished.
#[derive(Debug)]
pub struct Watch {
    collected: Arc<Mutex<Collected>>,
    keeper: Arc<Mutex<Option<Keeper>>>,
    window: watch::Sender<Window>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Starts sampling on the lock's connection, and on one of its own should that be lost.
    pub fn start(session: Arc<Session>, target: Target, window: Window, ctx: Context) -> Self {
        let collected = Arc::new(Mutex::new(Collected::default()));
        let keeper = Arc::new(Mutex::new(None));
        let (window, receiver) = watch::channel(window);
        let sampler = Sampler {
            target,
            ctx,
            window: receiver,
            collected: Arc::clone(&collected),
            keeper: Arc::clone(&keeper),
        };
        let task = tokio::spawn(sampler.sample(session));
        Self {
            collected,
            keeper,
            window,
            task,
        }
    }

    /// From the start of the tool on, what every look says is kept there.
    pub fn keep(&self, keeper: Keeper) {
        lock(&self.keeper).get_or_insert(keeper);
    }

    /// The tool is about to be started: counts the sessions until now and returns the server's
    /// time. `session` is the lock's, `open` are the processes of our other open sessions.
    pub async fn tool_starts(&self, session: &Session, open: &[i32]) -> Result<i64> {
        own_sessions_left(session, &self.window().run_id, open).await?;
        let counted = session_count(session).await?;
        let at = server_time(session).await?.now;
        let (moment, living) = sight_at(session).await?;
        let window = self.window();
        let heartbeat = {
            let mut collected = lock(&self.collected);
            collected.take(&window, &living);
            collected.numbered_before = collected.numbered;
            collected.count = Count::begin(counted);
            collected.new.clear();
            collected.tool_was_seen = false;
            // Another attempt: a connection that is lost from now on is made again.
            collected.judged = false;
            collected.other_names.clear();
            collected.looks_left = MOST_LOOKS;
            collected.heartbeat(&window, &moment, &living)
        };
        beat(&self.keeper, heartbeat);
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
    keeper: Arc<Mutex<Option<Keeper>>>,
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
            let (pause, heartbeat) = {
                let mut collected = lock(&self.collected);
                if collected
                    .last
                    .as_ref()
                    .is_some_and(|last| last.is_same_state(&moment))
                {
                    // Nothing was committed since the last look: who left has not written.
                    collected.others.clear();
                }
                collected.take(&window, &sightings);
                let is_due = window.tool_started.is_some();
                let heartbeat = is_due.then(|| collected.heartbeat(&window, &moment, &sightings));
                collected.last = Some(moment);
                (collected.pause(), heartbeat)
            };
            if let Some(heartbeat) = heartbeat {
                beat(&self.keeper, heartbeat);
            }
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

fn beat(keeper: &Mutex<Option<Keeper>>, heartbeat: Heartbeat) {
    if let Some(keeper) = lock(keeper).as_mut() {
        keeper.beat(heartbeat);
    }
}

/// A panic of another holder cannot leave what it guards half-changed in a way that matters here.
fn lock<T>(guarded: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::sightings::tests::{seen, window};
    use super::*;

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
    fn p5_one_that_was_connected_and_is_gone_may_have_written() {
        let idle = |pid, application| Sighting {
            pid,
            started: Some(500),
            ..seen(application, 600)
        };
        let there = [
            idle(7, "web"),
            idle(8, "pgbelay abcd1234 lock"),
            idle(9, "cron"),
        ];
        let mut collected = Collected::default();
        collected.take(&window(), &there);
        assert!(collected.writers.is_empty());
        collected.take(&window(), &there[2..]);
        let gone: Vec<i32> = collected.writers.values().map(|one| one.pid).collect();
        assert_eq!(gone, [7]);
        // Behind a fence it could not write.
        let fenced = Window {
            fenced_since: Some(400),
            ..window()
        };
        let mut collected = Collected::default();
        collected.take(&fenced, &there);
        collected.take(&fenced, &[]);
        assert!(collected.writers.is_empty());
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
