//! Who keeps a rollback from its locks. Behind a fence they are ended: they began behind it and only read; otherwise they are
//! named when the wait is over, because a person has to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{self, Session, Sql, Target};
use crate::run::sightings;

/// SQLSTATE of a lock that was waited for in vain.
pub const LOCK_NOT_AVAILABLE: &str = "55P03";
/// How long a session behind the fence may finish what it is doing before it is ended.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// When it is looked first: most rollbacks are over by then.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long ago whoever was in the way may have been seen: a look after the wait has ended in vain finds nobody.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// Carries out `work`, which waits for locks in sessions of this run, and looks who holds them.
///
/// # Errors
/// Of the work; one about a lock names its holders.
pub async fn watched<T>(
    target: &Target,
    may_end: bool,
    work: impl Future<Output = Result<T>>,
    ctx: &Context,
) -> Result<T> {
    tokio::pin!(work);
    // What is quick needs nobody who looks, nor the connection that takes.
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = tokio::time::sleep(FIRST_LOOK) => {}
    }
    // Without it the work goes on: nobody is named then.
    let connected = tokio::select! {
        biased;
        result = &mut work => return result,
        connected = pg::connect(target, pg::Purpose::Blockers, ctx) => connected,
    };
    let Ok(session) = connected else {
        return work.await;
    };
    let mut watch = Watch {
        session: &session,
        may_end,
        since: BTreeMap::new(),
        last: None,
        told: BTreeSet::new(),
        ctx,
    };
    let result = loop {
        tokio::select! {
            biased;
            result = &mut work => break result,
            () = watch.look() => {}
        }
        tokio::select! {
            biased;
            result = &mut work => break result,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    };
    let last = watch
        .last
        .take()
        .filter(|(at, _)| at.elapsed() < SEEN_WITHIN);
    session.close().await;
    match last {
        Some((_, holders)) => result.map_err(|error| named(error, &holders)),
        None => result,
    }
}

struct Watch<'a> {
    session: &'a Session,
    may_end: bool,
    /// When each process was first seen in the way.
    since: BTreeMap<i32, Instant>,
    /// When somebody was last seen in the way, and who, in words.
    last: Option<(Instant, Vec<String>)>,
    /// Processes that were ended, and told.
    told: BTreeSet<i32>,
    ctx: &'a Context,
}

impl Watch<'_> {
    /// A failure to look is no failure of the rollback.
    async fn look(&mut self) {
        let sql = Sql::constant(include_str!("sql/blockers.sql"));
        let Ok(rows) = self.session.query(&sql).await else {
            return;
        };
        let mut found: BTreeMap<i32, String> = BTreeMap::new();
        let mut may_go = BTreeSet::new();
        for row in &rows {
            let (Ok(pid), Ok(who)) = (row.number("pid"), row.string("who")) else {
                continue;
            };
            if row.bool("is_client").unwrap_or(false) {
                may_go.insert(pid);
            }
            found.insert(pid, who);
        }
        self.since.retain(|pid, _| found.contains_key(pid));
        let now = Instant::now();
        if !found.is_empty() {
            self.last = Some((now, found.values().cloned().collect()));
        }
        let mut due = Vec::new();
        for pid in found.keys() {
            let since = *self.since.entry(*pid).or_insert(now);
            if self.may_end && may_go.contains(pid) && now - since >= FINISH_WITHIN {
                due.push(*pid);
            }
        }
        for pid in due {
            // One that this role may not end is none that keeps it from ending the others.
            let ended = self.session.query(&sightings::terminate(&[pid])).await;
            let ended = ended.is_ok_and(|rows| {
                let answer = rows.first().map(|row| row.bool("pg_terminate_backend"));
                matches!(answer, Some(Ok(true)))
            });
            if ended && self.told.insert(pid) {
                self.ctx.note(format!(
                    "ended a session that kept the rollback from its locks: {}",
                    found.get(&pid).map_or("", String::as_str)
                ));
            }
        }
    }
}

fn named(error: Error, holders: &[String]) -> Error {
    if error.sqlstate() != Some(LOCK_NOT_AVAILABLE) {
        return error;
    }
    let reason = error.reason().unwrap_or_default();
    error.because(format!("{reason}; in the way: {}", holders.join("; ")))
}
