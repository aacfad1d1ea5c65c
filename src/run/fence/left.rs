//! A fence that an earlier run left standing: known from its journal, taken down under the lock.

use std::path::PathBuf;
use std::time::Duration;

use crate::context::Context;
use crate::error::Result;
use crate::journal::{self, Journal, Stage, Step};
use crate::pg::{Session, Target};
use crate::run::chronicle::{FenceRecord, Story};
use crate::run::fence::{self, Setting};
use crate::run::lock::RunLock;
use crate::run::preflight::{Facts, Finding};
use crate::run::recover;
use crate::store::Store;

/// The newest journal of this database whose fence is not known to be down.
pub(in crate::run) fn the_one_left(
    store: &Store,
    facts: &Facts,
) -> Result<Option<(PathBuf, FenceRecord)>> {
    let journals = recover::journals_of(store, facts)?;
    Ok(journals
        .into_iter()
        .find_map(|(path, story)| Some((path, story.fence?))))
}

/// A setting that looks like a fence and that no journal of this store explains: the run that put it up may have its
/// journal elsewhere (another machine's store), and nobody takes it down.
///
/// # Errors
/// Of the server.
pub async fn unexplained(
    session: &Session,
    store: Option<&Store>,
    facts: &Facts,
) -> Result<Option<Finding>> {
    let setting = Setting::read(session).await?;
    // A journal that cannot be read is told by whoever needs it.
    let is_ours = store.is_some_and(|store| !matches!(the_one_left(store, facts), Ok(None)));
    if !setting.is_on || is_ours {
        return Ok(None);
    }
    let why = "its own default_transaction_read_only is on, and no journal of this store says why: its owner wants \
               that, or it is the fence of a run that was interrupted and has its journal in another store";
    let by_hand = fence::by_hand(&setting.database, &FenceRecord::default());
    Ok(Some(
        Finding::warn(format!("database {}", setting.database), why).cured_by(format!(
            "look for that journal: pgbelay recover --store DIR; by hand: {by_hand}"
        )),
    ))
}

/// Takes every fence down that earlier runs of this database left. Only for whoever holds the lock:
/// a run that is still at work holds it too. What was done is returned, for people.
pub(in crate::run) async fn take_down_left(
    lock: &RunLock,
    target: &Target,
    wait: Duration,
    store: &Store,
    facts: &Facts,
    ctx: &Context,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    while let Some((path, _)) = the_one_left(store, facts)? {
        let (mut journal, records) = Journal::resume(&path, ctx.clock.clone())?;
        let story = Story::of(&records)?;
        let Some(record) = story.fence else {
            continue;
        };
        let down = FenceRecord {
            up: false,
            ..record.clone()
        };
        journal.append(Step::Fence, Stage::Intent, journal::detail_of(&down)?)?;
        // The fence of a database that was swapped away was taken down with the renaming.
        let own = story.header.as_ref().map(|header| header.database_oid);
        if !lock.is_swapped() && own == Some(facts.database_oid) {
            let warnings = fence::lower_somewhere(lock, target, wait, &record, ctx).await?;
            warnings.into_iter().for_each(|line| ctx.warn(line));
        }
        journal.append(Step::Fence, Stage::Outcome, journal::detail_of(&down)?)?;
        let run = story
            .header
            .map_or_else(String::new, |header| header.run_id);
        lines.push(format!("the fence of run {run} was taken down"));
    }
    Ok(lines)
}
