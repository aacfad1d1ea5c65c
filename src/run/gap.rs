//! A time in which nobody watched other writers, because the connection was lost (P5).
//!
//! The watch connects again and goes on. Whether somebody wrote meanwhile is known only where the server was started again,
//! which ended every session, and only by evidence: no transaction was committed on the whole server from the last look
//! before to the first one after; or, while the tool is at work and after a restart in peace, the server's count of sessions,
//! which goes on over it. A crash takes that count away: it begins at zero then, what it said at the last look counts for the
//! time before, and transaction ids have to say that nothing was committed between that look and the crash. Anything else is
//! a gap, and withholds a rollback.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::pg::{Row, Session, Sql};
use crate::rollback;

/// One look, before the sessions are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// `pg_current_snapshot()`.
    pub snapshot: String,
    /// When that life of the server began, microseconds.
    pub postmaster: i64,
    /// Sessions that this database had had; none where asking costs too much (before 15).
    pub sessions: Option<i64>,
}

impl Moment {
    /// Of a row of `watch_moment.sql`.
    pub fn of(row: &Row) -> Result<Self> {
        Ok(Self {
            snapshot: row.string("snapshot")?,
            postmaster: row.number("postmaster")?,
            sessions: row.opt_number("sessions")?,
        })
    }

    /// Whether no transaction that has an id ended between the two, on the whole server.
    pub fn is_same_state(&self, other: &Self) -> bool {
        (&self.snapshot, self.postmaster) == (&other.snapshot, other.postmaster)
    }
}

/// How many sessions this database has had, and since when they are counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    sessions: i64,
    postmaster: i64,
    counting_since: String,
    was_reset: bool,
}

impl Tally {
    /// Asks the server.
    pub async fn read(session: &Session) -> Result<Self> {
        let sql = Sql::constant(include_str!("sql/session_count.sql"));
        let row = session.query_one(&sql).await?;
        Ok(Self {
            sessions: row.number("sessions")?,
            postmaster: row.number("postmaster")?,
            counting_since: row.string("counting_since")?,
            was_reset: row.bool("was_reset")?,
        })
    }

    /// How many.
    pub fn sessions(&self) -> i64 {
        self.sessions
    }

    /// Whether the server was not started again since.
    pub fn is_of_the_life_of(&self, moment: &Moment) -> bool {
        self.postmaster == moment.postmaster
    }
}

/// Sessions that the server counts while the tool is at work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// What it said before.
    before: Tally,
    /// Of earlier lives of the server: counted, and never seen.
    carried: i64,
    /// Of the watch's own.
    pub own: i64,
    open: bool,
}

impl Count {
    /// The tool is about to be started.
    pub fn begin(before: Tally) -> Self {
        Self {
            before,
            open: true,
            ..Self::default()
        }
    }

    /// The tool has ended: sessions that are to be explained.
    pub fn end(&mut self, now: &Tally) -> i64 {
        self.open = false;
        self.new_until(now.sessions)
    }

    /// Likewise, where the server said so many.
    pub fn new_until(&self, sessions: i64) -> i64 {
        let new = sessions.saturating_sub(self.before.sessions);
        self.carried
            .saturating_add(new.saturating_sub(self.own).max(0))
    }

    /// Whether the tool was started, and what it ended with was not counted.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether what was seen before is accounted for in it.
    pub fn is_of_another_life(&self, other: &Self) -> bool {
        self.before.counting_since != other.before.counting_since
    }

    /// The count goes on at zero: what was counted up to the last look, less those that were seen, stays.
    fn after_a_crash(&self, counted: i64, seen: usize, now: &Tally) -> Self {
        let seen = i64::try_from(seen).unwrap_or(i64::MAX);
        let new = counted - self.before.sessions - self.own;
        Self {
            before: Tally {
                sessions: 0,
                ..now.clone()
            },
            carried: self.carried + new.saturating_sub(seen).max(0),
            own: 0,
            open: true,
        }
    }
}

/// What is known when there is a connection again.
#[derive(Debug)]
pub struct Again {
    tally: Tally,
    /// On the whole server, since the last look.
    nothing_committed: bool,
    /// From the last look to a crash.
    nothing_before_the_crash: bool,
}

impl Again {
    /// Asks the server.
    pub async fn look(session: &Session, last: Option<&Moment>) -> Result<Self> {
        let tally = Tally::read(session).await?;
        let mut again = Self {
            tally,
            nothing_committed: false,
            nothing_before_the_crash: false,
        };
        if let Some(Moment { snapshot, .. }) = last {
            again.nothing_committed = rollback::nothing_committed_since(session, snapshot).await?;
            again.nothing_before_the_crash =
                rollback::nothing_committed_before_the_crash(session, snapshot).await?;
        }
        Ok(again)
    }

    /// Whether a crash has ended every session of then, and nobody had committed anything by it.
    pub fn is_quiet_until_its_crash(&self) -> bool {
        self.nothing_before_the_crash
    }

    /// What the server says now.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The count that goes on if nobody can have written unseen since the last look; `seen` sessions had begun by then since
    /// the tool was started. Otherwise why that is not known, if there is more to say than that nobody watched.
    pub fn overlooked(
        &self,
        count: &Count,
        last: Option<&Moment>,
        seen: usize,
    ) -> std::result::Result<Count, Option<&'static str>> {
        let restarted = last.filter(|last| last.postmaster != self.tally.postmaster);
        let Some(last) = restarted else {
            return Err(None);
        };
        let goes_on = count.before.counting_since == self.tally.counting_since
            && count.before.sessions <= self.tally.sessions;
        if count.open && goes_on {
            // Whoever came and went is counted when the tool has ended.
            return Ok(count.clone());
        }
        let known = self.nothing_committed || count.open && self.nothing_before_the_crash;
        if !known {
            return Err(Some(
                "the server was started again, transactions were committed on it meanwhile, and nobody saw whose",
            ));
        }
        if !count.open {
            return Ok(count.clone());
        }
        match last.sessions {
            Some(counted) if counted >= count.before.sessions && !self.tally.was_reset => {
                Ok(count.after_a_crash(counted, seen, &self.tally))
            }
            _ => Err(Some(
                "the server was started again after a crash, which took away its count of the sessions that came and went",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(postmaster: i64, counting_since: &str, sessions: i64) -> Tally {
        Tally {
            sessions,
            postmaster,
            counting_since: counting_since.to_owned(),
            was_reset: false,
        }
    }

    fn last(sessions: Option<i64>) -> Moment {
        Moment {
            snapshot: "1:1:".to_owned(),
            postmaster: 1,
            sessions,
        }
    }

    fn again(tally: Tally, nothing_committed: bool) -> Again {
        Again {
            tally,
            nothing_committed,
            nothing_before_the_crash: false,
        }
    }

    #[test]
    fn p5_a_restart_alone_explains_nothing() {
        let count = Count::begin(tally(1, "a", 10));
        let ended = Count::default();
        let crashed = |quiet| again(tally(2, "b", 3), quiet);
        let in_peace = |quiet| again(tally(2, "a", 13), quiet);
        // The same life of the server: somebody ended the connection.
        let cut = again(tally(1, "a", 13), true).overlooked(&count, Some(&last(Some(12))), 1);
        assert_eq!(cut, Err(None));
        let table = [
            (crashed(true), &count, Some(12), true),
            (crashed(false), &count, Some(12), false),
            // Not counted at the last look (before 15), or set back by somebody.
            (crashed(true), &count, None, false),
            (crashed(true), &count, Some(9), false),
            (in_peace(false), &count, None, true),
            // The tool had ended, and nobody counts any more.
            (in_peace(false), &ended, Some(12), false),
            (in_peace(true), &ended, Some(12), true),
        ];
        for (again, count, counted, known) in table {
            let found = again.overlooked(count, Some(&last(counted)), 1);
            assert_eq!(found.is_ok(), known, "{again:?} {counted:?}");
        }
        assert!(crashed(true).overlooked(&count, None, 1).is_err());
        let mut since = crashed(false);
        since.nothing_before_the_crash = true;
        assert!(since.overlooked(&count, Some(&last(Some(12))), 1).is_ok());
        assert!(since.overlooked(&ended, Some(&last(Some(12))), 1).is_err());
        let mut reset = crashed(true);
        reset.tally.was_reset = true;
        let found = reset.overlooked(&count, Some(&last(Some(12))), 1);
        assert!(found.is_err());
    }

    #[test]
    fn p5_sessions_are_counted_over_a_crash() {
        let count = Count::begin(tally(1, "a", 10));
        let found = again(tally(2, "b", 1), true).overlooked(&count, Some(&last(Some(13))), 2);
        let mut count = found.unwrap();
        // The watch's own new one.
        count.own += 1;
        // One of three was not seen before, and two came since.
        assert_eq!(count.end(&tally(2, "b", 3)), 1 + 2);
        assert!(!count.is_open());
    }

    #[test]
    fn p5_sessions_are_counted_over_a_restart_in_peace() {
        let count = Count::begin(tally(1, "a", 10));
        let found = again(tally(2, "a", 12), false).overlooked(&count, Some(&last(None)), 1);
        let mut count = found.unwrap();
        count.own += 1;
        assert_eq!(count.end(&tally(2, "a", 14)), 3);
    }
}
