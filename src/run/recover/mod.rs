//! Finishing what an interrupted run left (P6, design.md §8, docs/states.md).
//!
//! The newest journal of the same database (system identifier and OID, not the name) decides, by
//! the pure function [`decide`]. Acting needs the run's lock: an unfinished journal whose run is
//! still alive is not interrupted. Journals of other databases are left alone.

mod act;
mod another;
mod left;
mod replay;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::context::{Context, Phase};
use crate::error::{Error, Kind, Result};
use crate::journal::{Journal, Record, Step};
use crate::pg::{Session, Target};
use crate::run::RunOptions;
use crate::run::chronicle::{FenceRecord, Seen, Story};
use crate::run::clock;
use crate::run::driver::{self, Desk};
use crate::run::fence;
use crate::run::hiding;
use crate::run::lock::RunLock;
use crate::run::outcome::{Outcome, RunReport};
use crate::run::preflight::Facts;
use crate::store::Store;

pub use left::{end_left_swap, end_left_tools, open_again};
pub use replay::{Action, decide, equal_failures};

/// Journals looked at for the restart-loop breaker.
const MOST_STORIES: usize = 50;

/// What recovery works with.
pub struct Place<'a> {
    /// For looking on while the lock is waited for.
    pub session: &'a Session,
    pub target: &'a Target,
    pub options: &'a RunOptions,
    pub store: &'a Store,
    pub facts: &'a Facts,
    pub ctx: &'a Context,
}

/// What an interrupted run came to.
pub struct Recovered {
    /// How it ended in the end.
    pub outcome: Outcome,
    /// What is wrong, unless all is well.
    pub error: Option<Error>,
    /// What was done, for people.
    pub lines: Vec<String>,
    /// What a rollback could not bring back because its loss was accepted.
    pub not_brought_back: Vec<String>,
    /// Whether that had been done, and proven, before it was interrupted: others may have written since.
    pub already: bool,
    /// What becomes of its journal.
    pub after: After,
    /// What is known of writes of others, for a rollback by hand later.
    pub others: Option<Seen>,
}

/// What becomes of an interrupted run's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It ends here.
    Ended,
    /// The next start looks again: the question was not answered, or the answer could not be written down.
    Open,
    /// It ends here, although nobody knows what is true: its archive is lost, and `--force` says that a person has put the
    /// database right.
    PassedOver,
}

impl Recovered {
    /// A run that ended so and leaves nothing to be told but this.
    fn ended(outcome: Outcome, lines: Vec<String>) -> Self {
        Self {
            outcome,
            error: None,
            lines,
            not_brought_back: Vec::new(),
            already: false,
            after: After::Ended,
            others: None,
        }
    }
}

/// Finishes the newest run of this database if it was interrupted; what was done, or nothing.
///
/// Errors: [`Kind::InDoubt`] and [`Kind::Withheld`] as the interrupted run deserves them, and
/// [`Kind::LockTimeout`] if that run is still at work.
pub async fn before_a_run(place: &Place<'_>) -> Result<Vec<String>> {
    match finish_newest(place).await? {
        None => Ok(Vec::new()),
        Some(Recovered {
            error: Some(error),
            outcome: Outcome::InDoubt | Outcome::Withheld,
            after,
            mut lines,
            ..
        }) => {
            if after != After::PassedOver {
                return Err(error);
            }
            lines.push("passed over, because a person has put it right (--force)".to_owned());
            Ok(lines)
        }
        Some(recovered) => Ok(recovered.lines),
    }
}

/// The verb `recover`: the same, with a report of its own.
pub async fn recover(target: &Target, options: &RunOptions, ctx: &Context) -> RunReport {
    let ctx = &clock::after_all(ctx, &options.store);
    let mut desk = Desk::new(ctx);
    let (outcome, error) = match recover_at(&mut desk, target, options, ctx).await {
        Ok(Some(recovered)) => {
            desk.report.recovered = recovered.lines;
            desk.report.not_brought_back = recovered.not_brought_back;
            let outcome = of_the_verb(recovered.outcome, recovered.already);
            (outcome, recovered.error)
        }
        Ok(None) => (Outcome::NothingToDo, None),
        Err(error) => (Outcome::of_untouched(&error), Some(error)),
    };
    desk.conclude(outcome, error)
}

/// The interrupted run failed; finishing it did not.
fn of_the_verb(outcome: Outcome, already: bool) -> Outcome {
    match outcome {
        Outcome::RolledBack if already => Outcome::AlreadyRolledBack,
        Outcome::Unchanged => Outcome::Recovered { rolled_back: false },
        Outcome::RolledBack => Outcome::Recovered { rolled_back: true },
        other => other,
    }
}

async fn recover_at(
    desk: &mut Desk<'_>,
    target: &Target,
    options: &RunOptions,
    ctx: &Context,
) -> Result<Option<Recovered>> {
    let scene = driver::Scene::open(desk, target, options, ctx).await?;
    finish_newest(&scene.place()).await
}

async fn finish_newest(place: &Place<'_>) -> Result<Option<Recovered>> {
    another::refuse_if_made_again(place)?;
    let due = match newest(place)? {
        Some((path, story)) if needs_attention(place, &story)? => Some(path),
        _ => None,
    };
    let left = fence::the_one_left(place.store, place.facts)?;
    if due.is_none() && left.is_none() {
        return Ok(None);
    }
    let _phase = place.ctx.phase(Phase::Recovery);
    let wait = place.options.lock_wait;
    let lock = RunLock::acquire_from(place.session, place.target, wait, place.ctx).await?;
    let recovered = under_lock(place, &lock, due).await;
    lock.release().await;
    recovered
}

/// The fence that an interrupted run left stands until its database was judged: whatever is put
/// back is put back behind it.
async fn under_lock(
    place: &Place<'_>,
    lock: &RunLock,
    due: Option<PathBuf>,
) -> Result<Option<Recovered>> {
    // The run may have taken it down while the lock was waited for.
    let left = fence::the_one_left(place.store, place.facts)?;
    let behind = place
        .target
        .behind(left.as_ref().map(|(_, record)| record.fenced()));
    let place = Place {
        target: &behind,
        ..*place
    };
    let recovered = match due {
        Some(path) => with_lock(&place, lock, path).await?,
        None => None,
    };
    let (target, wait) = (place.target, place.options.wait);
    let taken = fence::take_down_left(lock, target, wait, place.store, place.facts, place.ctx);
    let lines = match taken.await {
        Ok(lines) => lines,
        Err(error) => return untaken(&place, recovered, error, left.map(|(_, record)| record)),
    };
    if lines.is_empty() {
        return Ok(recovered);
    }
    lines.iter().for_each(|line| place.ctx.note(line.clone()));
    // Without a journal that was due the run had ended, and only its fence was left.
    let mut recovered =
        recovered.unwrap_or_else(|| Recovered::ended(Outcome::Unchanged, Vec::new()));
    recovered.lines.extend(lines);
    Ok(Some(recovered))
}

/// What was done is told, whatever became of the fence.
fn untaken(
    place: &Place<'_>,
    recovered: Option<Recovered>,
    error: Error,
    left: Option<FenceRecord>,
) -> Result<Option<Recovered>> {
    match (left, recovered) {
        (Some(record), recovered) => Ok(Some(with_its_fence(place, recovered, &error, &record))),
        // None is known: a journal could not be read again.
        (None, None) => Err(error),
        (None, Some(mut recovered)) => {
            let line = format!("whether a fence was left could not be seen again: {error}");
            place.ctx.warn(line.clone());
            recovered.lines.push(line);
            Ok(Some(recovered))
        }
    }
}

/// While it stands nobody may read that all is well.
fn with_its_fence(
    place: &Place<'_>,
    recovered: Option<Recovered>,
    error: &Error,
    record: &FenceRecord,
) -> Recovered {
    let database = &place.facts.database;
    let recovered = recovered.unwrap_or_else(|| Recovered::ended(Outcome::Unchanged, Vec::new()));
    let still_up = fence::still_up(database, record, error);
    place.ctx.warn(still_up.clone());
    let done = recovered.lines.first().cloned().unwrap_or_default();
    let error = recovered.error.unwrap_or_else(|| {
        Error::new(Kind::InDoubt, "take the fence of the interrupted run down")
            .because(error.to_string())
            .now(format!(
                "other sessions of {database} cannot write; besides that: {done}"
            ))
            .hint("when that is put right: pgbelay recover")
    });
    let mut lines = recovered.lines;
    lines.push(still_up);
    Recovered {
        outcome: match recovered.outcome {
            Outcome::Withheld => Outcome::Withheld,
            _ => Outcome::InDoubt,
        },
        error: Some(error.hint(format!(
            "the fence still stands; by hand: {}",
            fence::by_hand(database, record)
        ))),
        lines,
        // Nothing goes on behind a fence that is not its own.
        after: After::Open,
        ..recovered
    }
}

/// The journal may have grown while the lock was waited for: it is read again.
async fn with_lock(place: &Place<'_>, lock: &RunLock, path: PathBuf) -> Result<Option<Recovered>> {
    let (mut journal, records) = Journal::resume(&path, place.ctx.clock.clone())?;
    journal.hide_with(hiding::secrets_of(place.target));
    let story = Story::beside(&path, &records)?;
    if !needs_attention(place, &story)? {
        return Ok(None);
    }
    act::act(place, lock, &mut journal, &story).await.map(Some)
}

/// `--force` says that a person looked at what had ended in doubt or withheld.
fn needs_attention(place: &Place<'_>, story: &Story) -> Result<bool> {
    let forced = place.options.force;
    Ok(match decide(story)? {
        Action::Nothing => false,
        Action::InDoubt | Action::Withheld => !forced,
        _ => true,
    })
}

/// The newest journal of this database that says something about its state.
fn newest(place: &Place<'_>) -> Result<Option<(PathBuf, Story)>> {
    let journals = journals_of(place.store, place.facts)?;
    let mut telling = journals
        .into_iter()
        .filter(|(_, story)| !story.settles_nothing());
    Ok(telling.next())
}

/// What the newest runs of this database did, newest first.
pub fn stories_of(store: &Store, facts: &Facts) -> Result<Vec<Story>> {
    let journals = journals_of(store, facts)?;
    Ok(journals.into_iter().map(|(_, story)| story).collect())
}

/// What the newest run of this database left to a person, as a run would refuse because of it; none if it would not.
///
/// # Errors
/// Of a journal that cannot be read.
pub fn left_to_a_person(store: &Store, facts: &Facts) -> Result<Option<Error>> {
    let stories = stories_that_tell(store, facts)?;
    let Some(newest) = stories.first() else {
        return Ok(None);
    };
    let said = match decide(newest)? {
        Action::InDoubt => "it ended in doubt: a person has to look at the database",
        Action::Withheld => "its rollback was withheld, and what it committed is still there",
        _ => return Ok(None),
    };
    let run = newest
        .header
        .as_ref()
        .map_or("?", |header| header.run_id.as_str());
    let archive = newest.backed_up.as_ref().map(|backup| {
        let path = store.directory().join(&backup.archive);
        path.display().to_string()
    });
    let archive = archive.unwrap_or_else(|| "ARCHIVE".to_owned());
    Ok(Some(
        Error::refused(format!("go on after the run {run}"))
            .because(said)
            .hint(format!("to put it back: pgbelay rollback {archive}"))
            .hint("if a person has put it right: pgbelay run --force"),
    ))
}

/// Whether a journal's run is at work or was interrupted: it did not say how it ended, or left a fence or half a swap. One
/// that has no record yet had not begun.
///
/// # Errors
/// Of records that cannot be understood.
pub fn is_unfinished(records: &[Record]) -> Result<bool> {
    let story = Story::of(records)?;
    let ended = story
        .last
        .as_ref()
        .is_none_or(|last| last.step == Step::End);
    Ok(!ended || story.fence.is_some() || story.open_swap().is_some())
}

/// Of these, those that say something about its state.
pub fn stories_that_tell(store: &Store, facts: &Facts) -> Result<Vec<Story>> {
    let mut stories = stories_of(store, facts)?;
    stories.retain(|story| !story.settles_nothing());
    Ok(stories)
}

/// The newest journals of this database, newest first.
pub fn journals_of(store: &Store, facts: &Facts) -> Result<Vec<(PathBuf, Story)>> {
    let mut found = Vec::new();
    // A swap puts a database with another OID in the place of the one that the run was about.
    let mut oids = BTreeSet::from([facts.database_oid]);
    for file in store.journals()?.into_iter().rev() {
        if found.len() == MOST_STORIES {
            break;
        }
        let read = Journal::read(&file.path)
            .and_then(|records: Vec<Record>| Story::beside(&file.path, &records));
        match read {
            Ok(story) if story.is_about_any(&facts.system_identifier, &oids) => {
                oids.extend(story.header.as_ref().map(|header| header.database_oid));
                found.push((file.path, story));
            }
            Ok(_) => {}
            Err(_) if is_of_others(&file.path, facts, &oids) => {}
            // It may be the newest of this database, and unfinished: guessing is not allowed.
            Err(error) if found.is_empty() => return Err(error.with_kind(Kind::Refused)),
            Err(_) => {}
        }
    }
    // Names tell seconds; two of one second are told apart by their first records.
    found.sort_by_key(|(_, story)| std::cmp::Reverse(story.begun));
    Ok(found)
}

/// Whether a journal that cannot be read as a whole is about another database: by number, and by name, because a
/// swap changes the number.
fn is_of_others(path: &Path, facts: &Facts, oids: &BTreeSet<u32>) -> bool {
    let Some(header) = Journal::read_header(path) else {
        return false;
    };
    let other_server = !header.system_identifier.is_empty()
        && !facts.system_identifier.is_empty()
        && header.system_identifier != facts.system_identifier;
    let other_database = !oids.contains(&header.database_oid) && header.database != facts.database;
    other_server || other_database
}
