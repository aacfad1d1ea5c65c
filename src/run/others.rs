//! Writes of others around a run that has ended (P5): what was known of them at its end, and whether there were any since.
//!
//! While a run lives its watch tells who may have written. Afterwards its journal has to: it keeps why a rollback
//! would discard what others committed ([`Seen`]), and a [`Mark`] by which later writes are told. A rollback by hand asks
//! [`refuse`]. What cannot be known counts as a write: the operator decides, not a guess.

use std::path::Path;

use crate::archive::Reader;
use crate::context::Context;
use crate::error::Result;
use crate::pg::Session;
use crate::rollback::Mark;
use crate::run::chronicle::{Seen, Story};
use crate::run::driver::withheld;
use crate::run::heartbeat;
use crate::run::outcome::EndedAs;
use crate::run::sightings;
use crate::run::writers::writers_among;

/// Whether journals speak about an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// No: it is the operator's own, and so is the choice to go back to it whatever was written since.
    Not,
    /// They say that nobody has written since.
    ForTheWay,
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
) -> Result<Speaks> {
    match obstacle(session, stories, reader, ctx).await? {
        None => Ok(match known(stories, reader) {
            Known::Nothing => Speaks::Not,
            Known::Against(_) | Known::Interrupted(_) | Known::Until(_) => Speaks::ForTheWay,
        }),
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

/// What others wrote after a run had left its rollback to the next start.
///
/// # Errors
/// Of the server.
pub async fn since_left(session: &Session, story: &Story, ctx: &Context) -> Result<Option<String>> {
    if story.started.is_none() {
        return Ok(None);
    }
    let begun = &story.begun_with;
    let Some(mark) = &begun.mark else {
        let why = "after the run had left it to the next start nobody can tell who wrote";
        return Ok(begun.not_begun.then(|| why.to_owned()));
    };
    let found = mark.objection_now(session, ctx).await?;
    Ok(found.map(|why| format!("after the run had left it to the next start {why}")))
}

/// What others wrote after a rollback of this story was begun, whose end nobody saw.
///
/// # Errors
/// Of the server.
pub async fn since_begun(
    session: &Session,
    story: &Story,
    archive: &Path,
    ctx: &Context,
) -> Result<Option<String>> {
    let is_fenced = story
        .fence
        .as_ref()
        .is_some_and(|fence| fence.since.is_some());
    if !story.roll_back_intended || is_fenced {
        return Ok(None);
    }
    let found = match (&story.before, &story.judged) {
        (Some(before), _) => {
            // Without it nothing is put back; the judgement says what then.
            let Ok(reader) = Reader::open(archive) else {
                return Ok(None);
            };
            before
                .objection_now(session, reader.manifest(), ctx)
                .await?
        }
        // Nothing was changed: what is counted is others'.
        (None, Some(mark)) => mark.objection_now(session, ctx).await?,
        (None, None) => None,
    };
    Ok(found.map(|why| format!("after the rollback had been interrupted {why}")))
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
        Known::Interrupted(story) => since_interrupted(session, story, reader, ctx).await?,
        Known::Against(seen) => Some(seen),
        Known::Until(mark) => mark
            .objection_now(session, ctx)
            .await?
            .map(|why| Seen::because(format!("after it had ended {why}"))),
    };
    let run = newest.header.as_ref().map(|header| header.run_id.clone());
    Ok(found.map(|seen| (run.unwrap_or_default(), seen)))
}

/// What a recovery would ask.
async fn since_interrupted(
    session: &Session,
    story: &Story,
    reader: &Reader,
    ctx: &Context,
) -> Result<Option<Seen>> {
    if let Some(why) = since_left(session, story, ctx).await? {
        return Ok(Some(Seen::because(why)));
    }
    if let Some(seen) = heartbeat::objection(story, session, ctx).await? {
        return Ok(Some(seen));
    }
    if let Some(why) = since_begun(session, story, reader.path(), ctx).await? {
        return Ok(Some(Seen::because(why)));
    }
    let now = sightings::sight(session).await?;
    Ok(Seen::of(writers_among(&story.window(None), &now)))
}

/// What journals know about the time from an archive to the end of the newest run.
enum Known<'a> {
    /// They do not speak.
    Nothing,
    /// Others have, or may have, written.
    Against(Seen),
    /// The newest run did not end: what its watch knew has to tell.
    Interrupted(&'a Story),
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
        let Some(ending) = &story.ending else {
            // A rollback by hand says nothing of others; what came after an interrupted run has judged it.
            match story.started.is_some() {
                true if newest.is_none() => return Known::Interrupted(story),
                true => return Known::Nothing,
                false => continue,
            }
        };
        if ending.outcome == EndedAs::InDoubt && story.started.is_none() {
            continue;
        }
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

/// A refusal that says so, for `--plan`.
pub fn foreseen(run: &str, seen: &Seen) -> String {
    format!(
        "the rollback would be withheld without --discard-other-writes: the run {run}: {}",
        seen.why
    )
}
