//! A swap that an interrupted run or rollback left half way: ended before anything else, also where it left the database
//! closed, so that nobody can connect to it.

use std::path::PathBuf;

use crate::catalog;
use crate::context::{Context, Stop};
use crate::error::{Error, Kind, Result};
use crate::journal::{Journal, Stage};
use crate::pg::Target;
use crate::rollback::{self, Settled, SwapRecord};
use crate::run::RunOptions;
use crate::run::chronicle::Story;
use crate::run::keeping::OfJournal;
use crate::run::lock::RunLock;
use crate::run::preflight::Facts;
use crate::run::recover::{act, journals_of};
use crate::store::Store;

/// SQLSTATEs of a database that lets nobody in, and of one that is not there.
const CLOSED: [&str; 2] = ["55000", "3D000"];

/// Ends a swap, under its run's lock, and writes so into its journal.
pub(super) async fn end(
    target: &Target,
    stage: Stage,
    record: &SwapRecord,
    journal: &mut Journal,
    lock: &RunLock,
    ctx: &Context,
) -> Result<Settled> {
    let calm = Context {
        stop: Stop::never(),
        ..ctx.clone()
    };
    let half_way = |error| half_way(error, record);
    let keeper = rollback::maintenance(target, &calm)
        .await
        .map_err(half_way)?;
    let settled = rollback::settle(&keeper, stage, record, &mut OfJournal { journal, lock }).await;
    keeper.close().await;
    let settled = settled.map_err(half_way)?;
    ctx.note(match settled {
        Settled::Swapped => format!(
            "the swap was finished: {} is the proven database, {} the failed one",
            record.database, record.failed_name
        ),
        Settled::GivenUp => format!(
            "the swap was undone: {} is the failed database as it was, {} is gone",
            record.database, record.new_name
        ),
    });
    Ok(settled)
}

/// Nobody may read of a database that lets nobody in that nothing was touched.
fn half_way(error: Error, record: &SwapRecord) -> Error {
    if error.kind() == Kind::InDoubt {
        return error;
    }
    error
        .with_kind(Kind::InDoubt)
        .now(format!(
            "a swap is half way: the database {} may be closed, and {} may be there",
            record.database, record.new_name
        ))
        .hint("when that is put right: pgbelay recover")
}

/// Ends what runs of this database that never ended left running. Only for whoever holds the lock.
pub async fn end_left_tools(store: &Store, facts: &Facts, ctx: &Context) -> Result<()> {
    for (_, story) in journals_of(store, facts)? {
        if let (None, Some(header)) = (&story.ending, &story.header) {
            act::end_left_tool(&story, &header.run_id, ctx).await;
        }
    }
    Ok(())
}

/// Ends the swaps of this database that earlier rollbacks left half way. Only for whoever holds the lock.
pub async fn end_left_swap(
    target: &Target,
    store: &Store,
    facts: &Facts,
    lock: &RunLock,
    ctx: &Context,
) -> Result<()> {
    for (path, story) in journals_of(store, facts)? {
        if let Some((stage, record)) = story.open_swap() {
            let (mut journal, _) = Journal::resume(&path, ctx.clock.clone())?;
            end(target, stage, record, &mut journal, lock, ctx).await?;
        }
    }
    Ok(())
}

/// After `error`, with which the database could not be connected to: ends the swap that closed it. Fails with `error` if there
/// was none.
pub async fn open_again(
    target: &Target,
    options: &RunOptions,
    error: Error,
    ctx: &Context,
) -> Result<()> {
    let closed = error.sqlstate().is_some_and(|code| CLOSED.contains(&code));
    if !closed {
        return Err(error);
    }
    let store = Store::open(&options.store)?;
    let Some((path, record)) = left_closed(&store, target)? else {
        return Err(error);
    };
    let keeper = rollback::maintenance(target, ctx).await?;
    let identifier = catalog::system_identifier(&keeper).await?;
    // A swap that is at work holds this lock.
    let lock = RunLock::obtain(keeper, record.oid, options.lock_wait, ctx).await?;
    let (mut journal, records) = Journal::resume(&path, ctx.clock.clone())?;
    let story = Story::of(&records)?;
    let same = story
        .header
        .as_ref()
        .is_some_and(|header| header.system_identifier == identifier);
    let ended = match story.open_swap() {
        Some(_) if !same => Err(error),
        Some((stage, record)) => end(target, stage, record, &mut journal, &lock, ctx)
            .await
            .map(drop),
        None => Ok(()),
    };
    lock.release().await;
    ended
}

/// The newest journal whose swap of a database of this name is open.
fn left_closed(store: &Store, target: &Target) -> Result<Option<(PathBuf, SwapRecord)>> {
    for file in store.journals()?.into_iter().rev() {
        let read = Journal::read(&file.path).and_then(|records| Story::of(&records));
        let story = read.map_err(|error| error.with_kind(Kind::Refused))?;
        if let Some((_, record)) = story.open_swap()
            && record.database == target.database()
        {
            return Ok(Some((file.path, record.clone())));
        }
    }
    Ok(None)
}
