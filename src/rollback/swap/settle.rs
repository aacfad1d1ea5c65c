//! Ending a swap that stopped half way: finished if the new database was proven, undone otherwise. By the journal's record
//! and by what the databases with its OIDs are called now.

use super::copy;
use super::doors::{self, Patience, door};
use super::obstacles::MAINTENANCE;
use super::record::{Custody, SwapAct, SwapRecord};
use super::rename::{self, Called, Whereabouts};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::journal::Stage;
use crate::pg::{self, Session, Target};
use std::time::Duration;

/// How long sessions in the way are waited for.
const END_WITHIN: Duration = Duration::from_secs(20);

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The new database is in its place.
    Swapped,
    /// The failed database is where it was, open, and the new one is gone.
    GivenUp,
}

/// A connection to another database of the same server, from which this one can be renamed.
///
/// # Errors
/// Refused, with the reasons, if none can be reached.
pub async fn maintenance(target: &Target, ctx: &Context) -> Result<Session> {
    let mut reasons = Vec::new();
    for name in MAINTENANCE {
        if name == target.database() {
            continue;
        }
        match pg::connect(&target.with_database(name), pg::Purpose::Swap, ctx).await {
            Ok(session) => return Ok(session),
            Err(error) => reasons.push(format!("{name}: {}", error.reason().unwrap_or_default())),
        }
    }
    Err(Error::refused("connect to another database of the server")
        .because(reasons.join("; "))
        .now("nothing was changed")
        .hint("a database can only be renamed from another one: allow this role to connect to postgres"))
}

/// Ends a swap by what its last record and the server say. Only for whoever holds the run's lock: the swapping run holds it
/// as long as it lives.
///
/// # Errors
/// [`Kind::InDoubt`] if the databases are called neither as before nor as after it; of the server.
pub async fn settle(
    keeper: &Session,
    stage: Stage,
    record: &SwapRecord,
    custody: &mut dyn Custody,
) -> Result<Settled> {
    // The new database may still be in the making.
    pg::end_sessions_of(keeper, record.maker()).await?;
    let found = Whereabouts::read(keeper, record).await?;
    let proven = record.act == SwapAct::Rename;
    if proven && found.is_swapped() {
        custody.write(Stage::Outcome, record)?;
        return Ok(Settled::Swapped);
    }
    if proven && stage == Stage::Intent && found == Whereabouts::before() {
        for database in [Some(record.oid), record.new_oid].into_iter().flatten() {
            doors::show_out(keeper, database, |_| false, Patience::none(END_WITHIN)).await?;
        }
        rename::rename(keeper, record).await?;
        custody.write(Stage::Outcome, record)?;
        return Ok(Settled::Swapped);
    }
    give_up(keeper, record, custody).await?;
    Ok(Settled::GivenUp)
}

/// Lets connections into the failed database again and drops the new one.
pub(super) async fn give_up(
    keeper: &Session,
    record: &SwapRecord,
    custody: &mut dyn Custody,
) -> Result<()> {
    let found = Whereabouts::read(keeper, record).await?;
    let new_is_ours = matches!(found.new, Called::New | Called::Gone);
    if found.old != Called::Database || !new_is_ours {
        return Err(in_doubt(record, &found));
    }
    let record = SwapRecord {
        act: SwapAct::GiveUp,
        ..record.clone()
    };
    custody.write(Stage::Intent, &record)?;
    faults::reach(Point::SwapUndoOpen)?;
    keeper.execute(&door(&record.database, true)).await?;
    faults::reach(Point::SwapUndoDrop)?;
    copy::remove(keeper, &record.new_name).await?;
    custody.write(Stage::Outcome, &record)
}

fn in_doubt(record: &SwapRecord, found: &Whereabouts) -> Error {
    Error::new(
        Kind::InDoubt,
        format!("end the swap of the database {}", record.database),
    )
    .because(found.shown(record))
    .now("nothing was changed now")
    .hint(format!(
        "look at both databases; the one of before the migration has the OID {}",
        record
            .new_oid
            .map_or_else(|| "unknown".to_owned(), |oid| oid.to_string())
    ))
}
