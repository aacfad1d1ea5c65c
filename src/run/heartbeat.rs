//! What the watch knew when it last looked, for whoever finds that pgbelay was killed (P5, P6).
//!
//! While a run lives, its watch tells who else may have written. Should it be killed, the next start has this: a file beside
//! the journal, replaced at every look from the start of the tool on, with those that were seen and a moment. From that
//! moment on nobody looked: who is still connected is judged by itself, and the server's count of sessions tells of those that came
//! and went, like a connection that is gone of those that left. They may have written, unless nothing was committed on the
//! whole server since. What cannot be known counts as a write.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chronicle::{Seen, Story};
use super::gap::{Again, Count, Moment};
use super::outcome::OtherWriter;
use super::sightings::{Sighting, Window, sight};
use super::writers;
use crate::compare::counted;
use crate::context::Context;
use crate::durable::{self, Slate};
use crate::error::{Attempt, Result};
use crate::journal::Hide;
use crate::pg::{self, Session};
use crate::rollback::{COLLECTOR_DELAY, COUNTS_SINCE, Mark, nothing_committed_since};

/// Ends its name, which begins like the journal's.
const SUFFIX: &str = "heartbeat";

/// Where nobody counted either.
const UNKNOWN: &str = "after pgbelay was killed nobody watched, and transactions were committed on the server: whose is not known";

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Right before it.
    pub moment: Moment,
    /// Of sessions since the tool was started.
    pub count: Count,
    /// Sessions that were seen to begin since, also those that have ended.
    pub seen: usize,
    /// Whether one of them was the tool's.
    pub tool_was_seen: bool,
    /// Who was connected.
    pub living: Vec<Living>,
    /// Possible writers up to now.
    pub writers: Vec<OtherWriter>,
    /// Why the watch was blind for a while, if it was.
    pub gap: Option<String>,
    /// Sessions that came and went unseen while the tool ran.
    pub unseen: u64,
    /// When a recovery has asked already: the sessions since are its own, too. What it found is in `gap`.
    #[serde(default)]
    pub asked: Option<Mark>,
}

/// A session of this database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Living {
    pid: i32,
    /// None where our role may not see it.
    begun: Option<i64>,
    /// Whether it is neither pgbelay's nor the tool's.
    other: bool,
}

impl Living {
    /// What tells it apart.
    pub fn of(window: &Window, seen: &Sighting) -> Self {
        Self {
            pid: seen.pid,
            begun: seen.started,
            other: !window.is_ours(seen) && !window.is_tool(seen),
        }
    }

    fn is(&self, seen: &Sighting) -> bool {
        (self.pid, self.begun) == (seen.pid, seen.started)
    }
}

/// What an interrupted run left of it.
#[derive(Debug, Clone, Default)]
pub enum Left {
    /// Nothing: the tool was not started, or the run is one of an older version.
    #[default]
    Nothing,
    /// It cannot be read, for this reason.
    Lost(String),
    /// The last one.
    Found(Box<Heartbeat>),
}

/// Where it is kept.
pub struct Keeper {
    slate: Slate,
    hide: Hide,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("slate", &self.slate)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// Makes the file of the run of this journal; `hide` takes the secrets out of what sessions say of themselves.
    ///
    /// # Errors
    /// Of the file.
    pub fn create(journal: &Path, hide: Hide) -> Result<Self> {
        let slate = Slate::create(&beside(journal))?;
        Ok(Self { slate, hide })
    }

    /// What it cannot write is missed by a next start, and then withholds: no reason to stop a migration.
    pub fn beat(&mut self, mut heartbeat: Heartbeat) {
        for writer in &mut heartbeat.writers {
            for said in [
                &mut writer.application,
                &mut writer.client,
                &mut writer.user,
            ] {
                *said = (self.hide)(said);
            }
        }
        let written = serde_json::to_string(&heartbeat)
            .attempt(|| "write a heartbeat".to_owned())
            .and_then(|text| self.slate.write(&text));
        match written {
            Err(error) => tracing::debug!(%error, "no heartbeat"),
            Ok(None) => {}
            // A slow disk must not keep the watch from its next look.
            Ok(Some(sync)) => drop(tokio::task::spawn_blocking(move || sync.run())),
        }
    }
}

fn beside(journal: &Path) -> PathBuf {
    journal.with_extension(SUFFIX)
}

/// Reads what the run of this journal left.
pub fn left(journal: &Path, story: &Story) -> Left {
    let started = story.started.as_ref();
    if !started.is_some_and(|started| started.heartbeat) || story.ending.is_some() {
        return Left::Nothing;
    }
    let lost = |why: &str| Left::Lost(why.to_owned());
    match Slate::read(&beside(journal)) {
        Err(error) => lost(&error.to_string()),
        Ok(None) => lost("the file is missing or empty"),
        Ok(Some(text)) => match serde_json::from_str(&text) {
            Ok(heartbeat) => Left::Found(Box::new(heartbeat)),
            Err(error) => lost(&error.to_string()),
        },
    }
}

/// The run has ended, and its journal says what there is to say.
pub fn forget(journal: &Path, ctx: &Context) {
    if let Err(error) = durable::remove(&beside(journal)) {
        ctx.warn(error.to_string());
    }
}

/// A recovery goes on from here: whoever comes after it, should it be killed in turn, cannot tell its sessions from those of
/// others, and goes by what was written since.
///
/// # Errors
/// Of the file.
pub async fn note_asked(
    journal: &Path,
    story: &Story,
    known: Option<&Seen>,
    session: &Session,
) -> Result<()> {
    let Left::Found(heartbeat) = &story.heartbeat else {
        return Ok(());
    };
    let gap = known.map(|seen| seen.why.clone());
    let asked = Heartbeat {
        asked: Mark::read_if_possible(session).await,
        gap: heartbeat.gap.clone().or(gap),
        ..Heartbeat::clone(heartbeat)
    };
    let text = serde_json::to_string(&asked).attempt(|| "write a heartbeat".to_owned())?;
    durable::write_whole(&beside(journal), format!("{text}\n").as_bytes())
}

/// Why others have, or may have, committed until now what a rollback of this interrupted run would discard; those who are
/// connected now are left to whoever asks. `session` is in no transaction.
///
/// # Errors
/// Of the server.
pub async fn objection(story: &Story, session: &Session, ctx: &Context) -> Result<Option<Seen>> {
    let is_fenced = story
        .fence
        .as_ref()
        .is_some_and(|fence| fence.since.is_some());
    let heartbeat = match &story.heartbeat {
        Left::Found(heartbeat) => heartbeat,
        Left::Lost(why) if !is_fenced => {
            let why = format!("what the interrupted run had seen of other sessions is lost: {why}");
            return Ok(Some(Seen::because(why)));
        }
        Left::Lost(_) | Left::Nothing => return Ok(None),
    };
    if let Some(seen) = Seen::of(heartbeat.writers.clone()) {
        return Ok(Some(seen));
    }
    // Behind a fence whoever connects cannot write.
    if is_fenced {
        return Ok(None);
    }
    if let Some(why) = heartbeat.of_its_time() {
        return Ok(Some(Seen::because(why)));
    }
    if story.roll_back_intended || story.begun_with.not_begun {
        return Ok(None);
    }
    let ended = story.tool_ended.as_ref();
    let ended = ended.and_then(|ended| ended.mark.as_ref());
    let found = match heartbeat.asked.as_ref().or(ended) {
        Some(mark) => {
            let found = mark.objection_now(session, ctx).await?;
            found.map(|why| format!("after pgbelay was killed {why}"))
        }
        None => heartbeat.since(session, ctx).await?,
    };
    Ok(found.map(Seen::because))
}

impl Heartbeat {
    /// What the watch itself would withhold for.
    fn of_its_time(&self) -> Option<String> {
        if self.unseen > 0 {
            return Some(unseen_then(self.unseen));
        }
        let gap = self.gap.as_ref()?;
        Some(format!(
            "nobody was watching for other writers for a while ({gap})"
        ))
    }

    /// Who came or left since.
    async fn since(&self, session: &Session, ctx: &Context) -> Result<Option<String>> {
        if nothing_committed_since(session, &self.moment.snapshot).await? {
            let unexplained = self.unexplained_then();
            return Ok((unexplained > 0).then(|| unseen_then(unexplained)));
        }
        if session.version().major() >= COUNTS_SINCE {
            writers::flush_own_count(session).await?;
        } else {
            tokio::time::sleep(COLLECTOR_DELAY).await;
        }
        let living = sight(session).await?;
        let again = Again::look(session, Some(&self.moment)).await?;
        let now = match self.count_until(&again) {
            Ok(now) => now,
            Err(why) => return Ok(Some(why)),
        };
        let ours = |seen: &&Sighting| pg::is_of_run(&seen.application, &ctx.run_id);
        let known = |seen: &&Sighting| self.living.iter().any(|one| one.is(seen));
        let come = living.iter().filter(|seen| !ours(seen) && !known(seen));
        let come = i64::try_from(come.count()).unwrap_or(i64::MAX);
        let unexplained = now.saturating_sub(come).saturating_sub(ctx.sessions.get());
        let left = self.living.iter().filter(|one| one.other);
        let left = left.filter(|one| !living.iter().any(|seen| one.is(seen)));
        let left = match again.is_quiet_until_its_crash() {
            true => 0,
            false => left.count() as u64,
        };
        let unexplained = u64::try_from(unexplained).unwrap_or(0);
        Ok((unexplained > 0 || left > 0).then(|| unseen(unexplained, left)))
    }

    /// Sessions that were counted by then, and not seen. One that lives may not be counted yet.
    fn unexplained_then(&self) -> u64 {
        let counted = self.moment.sessions.filter(|_| self.count.is_open());
        let new = counted.map_or(0, |counted| self.count.new_until(counted));
        u64::try_from(new.saturating_sub(self.explained(self.seen))).unwrap_or(0)
    }

    /// The tool has at least one, or failed before it connected.
    fn explained(&self, seen: usize) -> i64 {
        let seen = i64::try_from(seen).unwrap_or(i64::MAX);
        seen.saturating_add(i64::from(!self.tool_was_seen))
    }

    /// Sessions that were counted until now, those that were seen aside; or why that is not known.
    fn count_until(&self, again: &Again) -> std::result::Result<i64, String> {
        let now = again.tally();
        let goes_on = now.is_of_the_life_of(&self.moment);
        if !self.count.is_open() {
            // From the tool's end on pgbelay begins sessions of its own: the last look tells how many there had been.
            return match (goes_on, self.moment.sessions) {
                (true, Some(then)) => Ok(now.sessions().saturating_sub(then)),
                (true, None) => Err(UNKNOWN.to_owned()),
                (false, _) => Err(restarted(None)),
            };
        }
        if goes_on {
            let mut count = self.count.clone();
            return Ok(count.end(now).saturating_sub(self.explained(self.seen)));
        }
        let count = again.overlooked(&self.count, Some(&self.moment), self.seen);
        let mut count = count.map_err(restarted)?;
        let seen = match count.is_of_another_life(&self.count) {
            true => 0,
            false => self.seen,
        };
        Ok(count.end(now).saturating_sub(self.explained(seen)))
    }
}

fn restarted(why: Option<&'static str>) -> String {
    let why = why.unwrap_or("the server was started again, and transactions were committed on it");
    format!("after pgbelay was killed {why}")
}

fn unseen_then(came: u64) -> String {
    format!(
        "{} came and went while the migration ran, and nobody saw whose",
        counted(came, "session", "sessions")
    )
}

fn unseen(came: u64, left: u64) -> String {
    let came =
        (came > 0).then(|| format!("{} came and went", counted(came, "session", "sessions")));
    let left = (left > 0).then(|| {
        format!(
            "{} that had been connected ended",
            counted(left, "session", "sessions")
        )
    });
    let both: Vec<String> = came.into_iter().chain(left).collect();
    format!(
        "after pgbelay was killed nobody watched; until now {}, and transactions were committed on the server: whose is not known",
        both.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::chronicle::Started;
    use crate::run::gap::Tally;

    fn heartbeat(sessions: Option<i64>, seen: usize, tool_was_seen: bool) -> Heartbeat {
        Heartbeat {
            moment: Moment {
                snapshot: "1:1:".to_owned(),
                postmaster: 1,
                sessions,
            },
            count: Count::begin(Tally::default()),
            seen,
            tool_was_seen,
            living: Vec::new(),
            writers: Vec::new(),
            gap: None,
            unseen: 0,
            asked: None,
        }
    }

    #[test]
    fn p5_a_session_that_was_counted_and_not_seen_is_somebodys() {
        // Sessions counted, seen, whether one was the tool's, unexplained.
        let table = [
            (Some(1), 1, true, 0),
            (Some(2), 1, true, 1),
            // One that nobody saw is taken for the tool's if none of its was seen.
            (Some(1), 0, false, 0),
            (Some(2), 0, false, 1),
            // The living may not be counted yet.
            (Some(0), 3, true, 0),
            (None, 0, true, 0),
        ];
        for (counted, seen, tool, expected) in table {
            let found = heartbeat(counted, seen, tool).unexplained_then();
            assert_eq!(found, expected, "{counted:?} {seen} {tool}");
        }
        // After the tool's end our own sessions are counted, too.
        let mut ended = heartbeat(Some(9), 1, true);
        ended.count.end(&Tally::default());
        assert_eq!(ended.unexplained_then(), 0);
    }

    #[tokio::test]
    async fn p5_what_a_run_should_have_left_and_did_not_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("20261122_055309_shop.journal");
        let with = |kept: bool| Story {
            started: Some(Started {
                heartbeat: kept,
                ..Started::default()
            }),
            ..Story::default()
        };
        assert!(matches!(left(&journal, &Story::default()), Left::Nothing));
        assert!(matches!(left(&journal, &with(false)), Left::Nothing));
        assert!(matches!(left(&journal, &with(true)), Left::Lost(_)));
        let mut keeper = Keeper::create(&journal, std::sync::Arc::new(str::to_owned)).unwrap();
        assert!(matches!(left(&journal, &with(true)), Left::Lost(_)));
        let long = Heartbeat {
            gap: Some("a long word".repeat(9)),
            ..heartbeat(Some(7), 3, true)
        };
        for beat in [long, heartbeat(None, 1, true)] {
            keeper.beat(beat.clone());
            let Left::Found(found) = left(&journal, &with(true)) else {
                panic!("it was written");
            };
            assert_eq!(*found, beat);
        }
        durable::write_whole(&beside(&journal), b"{\"moment\":").unwrap();
        assert!(matches!(left(&journal, &with(true)), Left::Lost(_)));
    }
}
