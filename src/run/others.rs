//! Writes of others around a run that has ended (P5): what was known of them at its end, and whether there were any since.
//!
//! While a run lives its watch tells who may have written. Afterwards its journal has to: it keeps why a rollback
//! would discard what others committed ([`Seen`]), and a [`Mark`] by which later writes are told. A rollback by hand asks
//! [`refuse`]. What cannot be known counts as a write: the operator decides, not a guess.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::archive::Reader;
use crate::catalog;
use crate::context::Context;
use crate::error::Result;
use crate::pg::{Session, Sql};
use crate::rollback;
use crate::run::chronicle::{Mark, Seen, Story};
use crate::run::driver::withheld;
use crate::run::writers;

/// The first major whose counts of rows are not sent by datagrams, which may get lost.
const COUNTS_ARE_SURE: u32 = 15;

/// A session reports its counts when it has been idle for ten seconds, or ends.
const REPORTED_AFTER: Duration = Duration::from_millis(10_500);
/// How long such reports are waited for; whoever is at work all the time reports every second or so.
const WAIT_FOR_REPORTS: Duration = Duration::from_secs(12);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What later writes are told by. None where it cannot be read: then nothing is known later, which withholds.
pub async fn mark_if_possible(session: &Session) -> Option<Mark> {
    match mark(session).await {
        Ok(mark) => Some(mark),
        Err(error) => {
            tracing::debug!(%error, "no mark of the end");
            None
        }
    }
}

async fn mark(session: &Session) -> Result<Mark> {
    let row = session
        .query_one(&Sql::constant(include_str!("sql/rows_written.sql")))
        .await?;
    let counted = session.version().major() >= COUNTS_ARE_SURE;
    Ok(Mark {
        snapshot: row.string("snapshot")?,
        written: match counted {
            true => Some(row.string("written")?),
            false => None,
        },
        definitions: catalog::definitions_digest(session).await?,
    })
}

/// Refuses a rollback to `reader` by hand if others have, or may have, committed since the archive was taken. What
/// speaks are the journals of runs, newest first; an archive that no run took is the operator's own, and so is the choice to
/// go back to it.
///
/// # Errors
/// [`crate::error::Kind::Withheld`] with the reason and the command that proceeds; of the server.
pub async fn refuse(
    session: &Session,
    stories: &[Story],
    reader: &Reader,
    ctx: &Context,
) -> Result<()> {
    match obstacle(session, stories, reader, ctx).await? {
        None => Ok(()),
        Some((run, seen)) => {
            let what = format!("the run {run}");
            Err(withheld::withheld(
                &what,
                &seen.why,
                &seen.writers,
                reader.path(),
                None,
            ))
        }
    }
}

/// Which run speaks against it, and why.
pub async fn obstacle(
    session: &Session,
    stories: &[Story],
    reader: &Reader,
    ctx: &Context,
) -> Result<Option<(String, Seen)>> {
    let Some(newest) = stories.first() else {
        return Ok(None);
    };
    let found = match known(stories, reader) {
        Known::Nothing => None,
        Known::Against(seen) => Some(seen),
        Known::Until(mark) => since(session, mark, ctx).await?.map(Seen::because),
    };
    let run = newest.header.as_ref().map(|header| header.run_id.clone());
    Ok(found.map(|seen| (run.unwrap_or_default(), seen)))
}

/// What journals know about the time from an archive to the end of the newest run.
enum Known<'a> {
    /// They do not speak.
    Nothing,
    /// Others have, or may have, written.
    Against(Seen),
    /// Nobody has, up to here.
    Until(&'a Mark),
}

fn known<'a>(stories: &'a [Story], reader: &Reader) -> Known<'a> {
    let archive = reader.path();
    let of_a_run = |story: &Story| story.started.is_some() && is_of(story, archive);
    if !stories.iter().any(of_a_run) {
        // The operator's own; but what stands withheld is not settled by taking another archive.
        let withheld = stories.first().filter(|newest| newest.is_withheld());
        return withheld
            .and_then(Story::others)
            .map_or(Known::Nothing, Known::Against);
    }
    let (mut newest, mut later): (Option<&Mark>, Option<&Story>) = (None, None);
    for story in stories {
        if let Some(seen) = story.others() {
            return Known::Against(seen);
        }
        let Some(ending) = story
            .ending
            .as_ref()
            .filter(|ending| ending.outcome != "in-doubt")
        else {
            // Interrupted, or in doubt: a person looks at it, and what its watch knew is above.
            return Known::Nothing;
        };
        let Some(mark) = &ending.mark else {
            let why = "its journal does not tell whether others wrote after it had ended";
            return Known::Against(Seen::because(why.to_owned()));
        };
        if later.is_some_and(|later| !later.began_where(mark)) {
            let why = "between the runs since that archive others wrote, or may have written";
            return Known::Against(Seen::because(why.to_owned()));
        }
        newest = newest.or(Some(mark));
        if is_of(story, archive) {
            break;
        }
        later = Some(story);
    }
    newest.map_or(Known::Nothing, Known::Until)
}

/// Whether the run put its database back, or would, to this archive. Stores are moved: the file's name counts.
fn is_of(story: &Story, archive: &Path) -> bool {
    let backed_up = story
        .backed_up
        .as_ref()
        .map(|backup| Path::new(&backup.archive));
    let name = backed_up.and_then(Path::file_name);
    name.is_some() && name == archive.file_name()
}

/// Whether anybody has committed since the mark, or may have.
async fn since(session: &Session, mark: &Mark, ctx: &Context) -> Result<Option<String>> {
    if rollback::nothing_committed_since(session, &mark.snapshot).await? {
        return Ok(None);
    }
    if mark.written.is_some() {
        wait_for_reports(session, ctx).await?;
    }
    let now = self::mark(session).await?;
    Ok(mark.objection(&now))
}

/// Waits until whoever is connected has told the server what it wrote.
async fn wait_for_reports(session: &Session, ctx: &Context) -> Result<()> {
    let (began, mut told) = (Instant::now(), false);
    while began.elapsed() < WAIT_FOR_REPORTS {
        let now = writers::server_time(session).await?.now;
        let patience = i64::try_from(REPORTED_AFTER.as_micros()).unwrap_or(i64::MAX);
        let sessions = writers::sight(session).await?;
        let recent = sessions.iter().find(|seen| {
            let active = seen
                .active
                .is_none_or(|active| active > now.saturating_sub(patience));
            active && !seen.background && !writers::is_harmless(&seen.application)
        });
        let Some(recent) = recent else {
            return Ok(());
        };
        if !std::mem::replace(&mut told, true) {
            ctx.note(format!(
                "process {} was active a moment ago: waiting for up to {} s until the server has counted what it wrote",
                recent.pid,
                WAIT_FOR_REPORTS.as_secs()
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

impl Mark {
    /// Why others have, or may have, committed between this mark and a later one.
    pub fn objection(&self, later: &Self) -> Option<String> {
        if self.definitions != later.definitions {
            return Some("definitions were changed after it had ended".to_owned());
        }
        match (&self.written, &later.written) {
            (Some(then), Some(now)) if then == now => None,
            (Some(_), Some(_)) => Some(
                "rows were written after it had ended (or the server was started again, or its counts were reset: \
                 then nobody knows)"
                    .to_owned(),
            ),
            _ => Some(
                "transactions were committed after it had ended, and before PostgreSQL 15 nobody can tell in which database"
                    .to_owned(),
            ),
        }
    }
}

/// A refusal that says so, for `--plan`.
pub fn foreseen(run: &str, seen: &Seen) -> String {
    format!(
        "the rollback would be withheld without --discard-other-writes: the run {run}: {}",
        seen.why
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(definitions: &str, written: Option<&str>) -> Mark {
        Mark {
            snapshot: "1:1:".to_owned(),
            written: written.map(str::to_owned),
            definitions: definitions.to_owned(),
        }
    }

    #[test]
    fn p5_what_is_not_known_counts_as_a_write() {
        let then = mark("a", Some("1"));
        assert_eq!(then.objection(&then), None);
        for now in [mark("b", Some("1")), mark("a", Some("2")), mark("a", None)] {
            assert!(then.objection(&now).is_some(), "{now:?}");
        }
        let blind = mark("a", None);
        assert!(blind.objection(&blind).is_some());
    }
}
