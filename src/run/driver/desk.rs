//! The driver's desk: where the run stands, what it has to report, and its journal.
//!
//! Every change of state goes through the pure machine; a refused event is a defect and ends the
//! run. Times are added up per phase, so that `seconds` is complete whatever happens.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::context::{Context, Event as Told};
use crate::error::{Error, Kind, Result};
use crate::journal::{self, Journal, Stage, Step};
use crate::rollback::{Commit, Mark};
use crate::run::chronicle::{Ending, Seen};
use crate::run::heartbeat;
use crate::run::outcome::{Outcome, RunReport};
use crate::run::state::{Event, State, next};

/// State, report and journal of one run.
pub struct Desk<'a> {
    pub ctx: &'a Context,
    pub report: RunReport,
    state: State,
    journal: Option<Journal>,
    started: Instant,
    tool_started: bool,
    /// Whether putting the database back was begun, by any judgement of this run.
    pub roll_back_intended: bool,
    /// The last transaction of it that may have been committed.
    pub commit: Option<Commit>,
    /// Whether a swap is half way: the next start has to end it.
    pub swap_is_open: bool,
    /// Whether the lock's connection was lost and had to be made again.
    pub lock_was_lost: bool,
    /// Before the last attempt was judged, if another one follows; within, none if that could not be read.
    pub judged_at: Option<Option<Mark>>,
    /// Why others have, or may have, written between two attempts.
    pub wrote_between: Option<String>,
    /// What is known of writes of others.
    pub others: Option<Seen>,
    /// By what later ones are told.
    pub mark: Option<Mark>,
}

impl<'a> Desk<'a> {
    pub fn new(ctx: &'a Context) -> Self {
        Self {
            ctx,
            report: RunReport::new(&ctx.run_id),
            state: State::Idle,
            journal: None,
            started: Instant::now(),
            tool_started: false,
            roll_back_intended: false,
            commit: None,
            swap_is_open: false,
            lock_was_lost: false,
            judged_at: None,
            wrote_between: None,
            others: None,
            mark: None,
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Reports an event to the machine.
    pub fn to(&mut self, event: Event) -> Result<()> {
        let to = next(self.state, event).map_err(|defect| {
            Error::operation("take the run's next step")
                .caused_by(defect)
                .hint("this is a defect of pgbelay; please report it with the journal")
        })?;
        tracing::debug!(from = %self.state, ?event, %to, "state");
        self.state = to;
        if event == Event::MigrationIntended {
            self.tool_started = true;
        }
        Ok(())
    }

    /// Adds time to a phase.
    pub fn spend(&mut self, phase: &str, time: Duration) {
        *self.report.seconds.entry(phase.to_owned()).or_default() += time.as_secs_f64();
    }

    /// Says a fact, in the block of facts.
    pub fn fact(&self, name: &str, value: impl Into<String>) {
        self.ctx.monitor.event(Told::Fact {
            name: name.to_owned(),
            value: value.into(),
        });
    }

    /// Says something that deserves attention, and keeps it for the report.
    pub fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.ctx.warn(text.clone());
        self.report.warnings.push(text);
    }

    /// From here on, [`Desk::record`] writes into this journal.
    pub fn open_journal(&mut self, journal: Journal) {
        self.report.journal = Some(journal.path().to_owned());
        self.journal = Some(journal);
    }

    /// Appends a record; it is synced when this returns.
    pub fn record(&mut self, step: Step, stage: Stage, detail: &impl Serialize) -> Result<()> {
        match &mut self.journal {
            None => Ok(()),
            Some(journal) => journal.append(step, stage, journal::detail_of(detail)?),
        }
    }

    /// Appends a record where failing to would be worse than going on: a missing outcome only
    /// makes a later start look again.
    pub fn record_if_possible(&mut self, step: Step, stage: Stage, detail: &impl Serialize) {
        if let Err(error) = self.record(step, stage, detail) {
            self.warn(unwritten(&error));
        }
    }

    /// Leaves before the migration was started, because of an error.
    pub fn leave(&mut self, error: &Error) -> Outcome {
        let event = match error.kind() {
            Kind::LockTimeout => Event::LockNotObtained,
            Kind::BackupFailed if self.state == State::BackedUp => Event::DrillFailed,
            Kind::BackupFailed => Event::BackupFailed,
            Kind::Interrupted(_) => Event::StopRequested,
            _ => Event::Refuse,
        };
        // What an earlier run left in doubt is no event of this one.
        if next(self.state, event).is_ok() {
            // Cannot fail: it was just asked.
            let _ = self.to(event);
        }
        Outcome::of_untouched(error)
    }

    /// Writes the last record and closes the report.
    pub fn conclude(mut self, outcome: Outcome, error: Option<Error>) -> RunReport {
        let ending = Ending {
            outcome: outcome.ended_as(),
            exit_code: outcome.exit_code(),
            error: error.as_ref().map(ToString::to_string),
            migrated: self.tool_started,
            others: self.others.take(),
            mark: self.mark.take(),
        };
        self.end_journal(&ending);
        self.spend("total", self.started.elapsed());
        let mut report = self.report;
        report.conclude(outcome, error);
        report
    }

    fn end_journal(&mut self, ending: &Ending) {
        match self.record(Step::End, Stage::Outcome, ending) {
            Err(error) => self.warn(unwritten(&error)),
            Ok(()) => {
                if let Some(journal) = &self.journal {
                    heartbeat::forget(journal.path(), self.ctx);
                }
            }
        }
    }

    /// Where the journal is. Errors: there is none yet.
    pub fn journal_path(&self) -> Result<&Path> {
        let journal = self.journal.as_ref().map(Journal::path);
        journal.ok_or_else(|| Error::operation("keep the run's journal").because("none was begun"))
    }

    /// Stops writing the journal: another run has the lock and goes on with it.
    pub fn hand_over_journal(&mut self) {
        self.journal = None;
    }
}

fn unwritten(error: &Error) -> String {
    format!("{error}; the next start will look at the database again")
}
