//! The run's lock and journal in the hands of a rollback: what it is about to do is written first, and a swap hands the
//! lock over to the connection that outlives it.

use serde_json::json;

use crate::error::Result;
use crate::journal::{self, Journal, Stage, Step};
use crate::pg::Session;
use crate::rollback::{Custody, SwapRecord};
use crate::run::driver::Desk;
use crate::run::lock::RunLock;

/// Whoever rolls back.
pub trait Keeping: Custody {
    /// Says that the database is about to be changed; synced when this returns.
    fn intend(&mut self) -> Result<()>;
}

/// A run that failed.
pub struct OfDesk<'a, 'b> {
    pub desk: &'a mut Desk<'b>,
    pub lock: &'a RunLock,
}

impl Keeping for OfDesk<'_, '_> {
    fn intend(&mut self) -> Result<()> {
        self.desk
            .record(Step::RollBack, Stage::Intent, &json!({}))?;
        self.desk.roll_back_intended = true;
        Ok(())
    }
}

impl Custody for OfDesk<'_, '_> {
    fn write(&mut self, stage: Stage, record: &SwapRecord) -> Result<()> {
        self.desk.record(Step::Swap, stage, record)?;
        self.desk.swap_is_open = !record.settles(stage);
        Ok(())
    }

    fn hand_over(&mut self, keeper: Session, database: u32) {
        self.lock.hand_over(keeper, database);
    }
}

/// Recovery, and a rollback by hand.
pub struct OfJournal<'a> {
    pub journal: &'a mut Journal,
    pub lock: &'a RunLock,
}

impl Keeping for OfJournal<'_> {
    fn intend(&mut self) -> Result<()> {
        let nothing = journal::detail_of(&json!({}))?;
        self.journal.append(Step::RollBack, Stage::Intent, nothing)
    }
}

impl Custody for OfJournal<'_> {
    fn write(&mut self, stage: Stage, record: &SwapRecord) -> Result<()> {
        let detail = journal::detail_of(record)?;
        self.journal.append(Step::Swap, stage, detail)
    }

    fn hand_over(&mut self, keeper: Session, database: u32) {
        self.lock.hand_over(keeper, database);
    }
}
