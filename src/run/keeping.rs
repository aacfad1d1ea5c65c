//! The run's lock and journal in the hands of a rollback: what it is about to do is written first, and a swap hands the
//! lock over to the connection that outlives it.

use std::cell::{Cell, RefCell};

use crate::error::Result;
use crate::journal::{self, Journal, Stage, Step};
use crate::pg::Session;
use crate::rollback::{BeforeImage, Commit, Custody, Ledger, Mark, SwapRecord};
use crate::run::chronicle::RollBackBegun;
use crate::run::driver::Desk;
use crate::run::lock::RunLock;

/// Whoever rolls back.
pub trait Keeping: Custody {
    /// Says that the database, judged at this moment if writes of others count, is about to be changed; synced when this
    /// returns.
    fn intend(&mut self, judged: Option<&Mark>) -> Result<()>;

    /// Says what there is before the first change; synced when this returns.
    fn changes(&mut self, before: &BeforeImage) -> Result<()>;

    /// Says what is about to be committed; synced when this returns.
    fn commits(&mut self, commit: &Commit) -> Result<()>;
}

/// A rollback's way to the journal while it is at work.
pub struct Noting<'a> {
    keeping: RefCell<&'a mut dyn Keeping>,
    failed: Cell<bool>,
}

impl<'a> Noting<'a> {
    /// Into this journal.
    pub fn into_journal(keeping: &'a mut dyn Keeping) -> Self {
        Self {
            keeping: RefCell::new(keeping),
            failed: Cell::new(false),
        }
    }

    /// Whether the rollback ended because this could not be written: then it changed nothing.
    pub fn has_failed(&self) -> bool {
        self.failed.get()
    }
}

impl Ledger for Noting<'_> {
    fn changes(&self, before: &BeforeImage) -> Result<()> {
        let noted = self.keeping.borrow_mut().changes(before);
        self.failed.set(noted.is_err());
        noted
    }

    fn commits(&self, commit: &Commit) -> Result<()> {
        let noted = self.keeping.borrow_mut().commits(commit);
        self.failed.set(noted.is_err());
        noted
    }
}

/// A run that failed.
pub struct OfDesk<'a, 'b> {
    pub desk: &'a mut Desk<'b>,
    pub lock: &'a RunLock,
}

impl Keeping for OfDesk<'_, '_> {
    fn intend(&mut self, judged: Option<&Mark>) -> Result<()> {
        let begun = RollBackBegun::judged_at(judged);
        self.desk.record(Step::RollBack, Stage::Intent, &begun)?;
        self.desk.roll_back_intended = true;
        Ok(())
    }

    fn changes(&mut self, before: &BeforeImage) -> Result<()> {
        let begun = RollBackBegun::about_to_change(before);
        self.desk.record(Step::RollBack, Stage::Intent, &begun)
    }

    fn commits(&mut self, commit: &Commit) -> Result<()> {
        let begun = RollBackBegun::about_to(commit);
        self.desk.record(Step::RollBack, Stage::Intent, &begun)?;
        self.desk.commit = Some(commit.clone());
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
    fn intend(&mut self, judged: Option<&Mark>) -> Result<()> {
        let begun = journal::detail_of(&RollBackBegun::judged_at(judged))?;
        self.journal.append(Step::RollBack, Stage::Intent, begun)
    }

    fn changes(&mut self, before: &BeforeImage) -> Result<()> {
        let begun = journal::detail_of(&RollBackBegun::about_to_change(before))?;
        self.journal.append(Step::RollBack, Stage::Intent, begun)
    }

    fn commits(&mut self, commit: &Commit) -> Result<()> {
        let begun = journal::detail_of(&RollBackBegun::about_to(commit))?;
        self.journal.append(Step::RollBack, Stage::Intent, begun)
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
