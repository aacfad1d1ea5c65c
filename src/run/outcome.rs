//! How a run ended: the one word, the exit code, and the report (design.md §9).
//!
//! Here an outcome gets its meaning for the caller; numbers are given in `exit.rs` alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use crate::drill::DrillReport;
use crate::error::{Error, Kind};
use crate::exit::Exit;
use crate::rollback::Kept;
use crate::run::changes::ChangeReport;
use crate::run::fence::FenceReport;
use crate::run::outside::Outside;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The migration is in place and verified.
    Migrated,
    /// The database was already at the migration's heads.
    NothingToDo,
    /// The migration failed and nothing was committed: proven.
    Unchanged,
    /// The migration failed and the database was put back: proven.
    RolledBack,
    /// The arguments or settings do not make sense; nothing was touched.
    Usage,
    /// Refused before anything was touched.
    Refused,
    /// The lock was not obtained in time; nothing was touched.
    LockTimeout,
    /// No complete, checked archive; the migration was not started.
    BackupFailed,
    /// A rollback is needed but would discard writes of others.
    Withheld,
    /// A person is needed.
    InDoubt,
    /// A check of the live database failed (`verify`, `drill`, `diff`).
    Difference,
    /// `recover` finished an interrupted run; the database is proven to be as before that run.
    Recovered {
        /// Whether something had to be put back.
        rolled_back: bool,
    },
    /// `recover` finished a run that had been rolled back, and proven, before it was interrupted: what others wrote since is
    /// there.
    AlreadyRolledBack,
    /// Stopped by a signal; the database is proven to be as it was.
    Interrupted {
        /// The signal's number.
        signal: i32,
        /// Whether something had to be put back.
        rolled_back: bool,
    },
}

/// How a run ended, in the words of journals and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedAs {
    /// The migration is in place and verified.
    Migrated,
    /// The database already was where the migration leads.
    NothingToDo,
    /// It is proven to be as before; nothing was committed.
    Unchanged,
    /// It is proven to be as before; it was put back.
    RolledBack,
    /// Nothing was touched.
    Refused,
    /// A rollback is due and would discard writes of others.
    Withheld,
    /// A person is needed.
    InDoubt,
    /// A check failed, and nothing else was done.
    Difference,
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

impl EndedAs {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Migrated => "migrated",
            Self::NothingToDo => "nothing-to-do",
            Self::Unchanged => "unchanged",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
            Self::Withheld => "withheld",
            Self::InDoubt => "in-doubt",
            Self::Difference => "difference",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the database is proven to be as before.
    pub fn is_as_before(self) -> bool {
        matches!(self, Self::Unchanged | Self::RolledBack)
    }
}

impl Outcome {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        self.ended_as().name()
    }

    /// The same, for the journal.
    pub fn ended_as(self) -> EndedAs {
        match self {
            Self::Migrated => EndedAs::Migrated,
            Self::NothingToDo => EndedAs::NothingToDo,
            Self::Unchanged => EndedAs::Unchanged,
            Self::RolledBack | Self::AlreadyRolledBack => EndedAs::RolledBack,
            Self::Usage | Self::Refused | Self::LockTimeout | Self::BackupFailed => {
                EndedAs::Refused
            }
            Self::Withheld => EndedAs::Withheld,
            Self::InDoubt => EndedAs::InDoubt,
            Self::Difference => EndedAs::Difference,
            Self::Interrupted { rolled_back, .. } | Self::Recovered { rolled_back } => {
                match rolled_back {
                    true => EndedAs::RolledBack,
                    false => EndedAs::Unchanged,
                }
            }
        }
    }

    /// What the process's exit code tells.
    pub fn exit(self) -> Exit {
        match self {
            Self::Migrated
            | Self::NothingToDo
            | Self::Recovered { .. }
            | Self::AlreadyRolledBack => Exit::Done,
            Self::Unchanged | Self::RolledBack => Exit::Failed,
            Self::Usage => Exit::Usage,
            Self::Refused => Exit::Refused,
            Self::LockTimeout => Exit::LockTimeout,
            Self::BackupFailed => Exit::BackupFailed,
            Self::Withheld => Exit::Withheld,
            Self::InDoubt => Exit::InDoubt,
            Self::Difference => Exit::Difference,
            Self::Interrupted { signal, .. } => Exit::of_signal(signal),
        }
    }

    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        self.exit().code()
    }

    /// What the code means, for the summary's last line.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Migrated => "done: the migration is in place and verified",
            Self::NothingToDo => "nothing to do: the database is already there",
            Self::Unchanged => {
                "failed; the database is proven to be as it was, nothing was put back"
            }
            Self::RolledBack => "failed; the database was put back and is proven to be as it was",
            Self::Usage => "the arguments or settings do not make sense; nothing was touched",
            Self::Refused => "refused before anything was touched",
            Self::LockTimeout => "another run holds the lock; nothing was touched",
            Self::BackupFailed => "backup failed; the migration was not started",
            Self::Withheld => {
                "rollback needed but withheld: it would discard writes of other sessions"
            }
            Self::InDoubt => "in doubt: a person is needed before anything else touches it",
            Self::Difference => "a difference or damage was found",
            Self::Recovered { .. } => {
                "done: the interrupted run was finished, the database is as before it"
            }
            Self::AlreadyRolledBack => {
                "done: the interrupted run was finished, the database had been put back and proven before"
            }
            Self::Interrupted { .. } => "interrupted; the database is proven to be as it was",
        }
    }

    /// What an error means that ended a run before the migration was started: every kind that
    /// does not say otherwise is a refusal, because nothing was touched.
    pub fn of_untouched(error: &Error) -> Self {
        match error.kind() {
            Kind::Usage => Self::Usage,
            Kind::LockTimeout => Self::LockTimeout,
            Kind::BackupFailed => Self::BackupFailed,
            Kind::Withheld => Self::Withheld,
            Kind::InDoubt => Self::InDoubt,
            Kind::Difference => Self::Difference,
            Kind::Interrupted(signal) => Self::Interrupted {
                signal,
                rolled_back: false,
            },
            Kind::Refused | Kind::Failed | Kind::Operation => Self::Refused,
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One check of the database after the migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckLine {
    /// What was checked.
    pub name: String,
    /// Whether it holds.
    pub passed: bool,
    /// What was found.
    pub detail: String,
}

/// A session that may have written while the migration ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub struct OtherWriter {
    /// Server process.
    pub pid: i32,
    /// Role.
    pub user: String,
    /// `application_name`.
    pub application: String,
    /// Address, or `local`.
    pub client: String,
    /// When its last statement began, by the server's clock; never the statement itself.
    pub last_statement: String,
    /// Why it counts (`has a transaction that writes`, `its activity is hidden from this role`).
    pub why: String,
}

impl OtherWriter {
    /// One line for people.
    pub fn line(&self) -> String {
        let Self {
            pid,
            user,
            application,
            client,
            last_statement,
            why,
        } = self;
        let application = if application.is_empty() {
            "no application name"
        } else {
            application
        };
        format!(
            "process {pid}, role {user}, {application}, client {client}, \
             last statement {last_statement}: {why}"
        )
    }
}

/// Everything a run has to say; `--json` prints it.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// The run's identity.
    pub run: String,
    /// How it ended.
    pub outcome: Outcome,
    /// [`Outcome::exit_code`] of it.
    pub exit_code: u8,
    /// [`Outcome::meaning`] of it.
    pub meaning: &'static str,
    /// Database, masked target, server version.
    pub database: Option<DatabaseLine>,
    /// Version rows before, sorted; empty without a version table.
    pub from: Vec<String>,
    /// Version rows now, sorted, read by us.
    pub to: Vec<String>,
    /// Revisions that were pending, in order; empty where they cannot be known.
    pub pending: Vec<String>,
    /// The backup.
    pub archive: Option<PathBuf>,
    /// What its drill said (`--drill-first`).
    pub drill: Option<DrillReport>,
    /// What the rollback removed, saved first.
    pub saved: Option<PathBuf>,
    /// The failed database, where a swap kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// The journal.
    pub journal: Option<PathBuf>,
    /// The log with the tool's whole output.
    pub log: Option<PathBuf>,
    /// How the database was put back.
    pub strategy: Option<String>,
    /// What proves the outcome.
    pub proof: Option<String>,
    /// How often the tool was started.
    pub attempts: u32,
    /// Seconds by phase (`connect`, `preflight`, `lock`, `backup`, `drill`, `fence`, `migrate`, `verify`, `decide`, `save`,
    /// `rollback`, `proof`, `report`, `total`); of those that there were.
    pub seconds: BTreeMap<String, f64>,
    /// What the migration did, if it is in place.
    pub changes: Option<ChangeReport>,
    /// What changed outside of the database since the archive was taken; none if the tool was not started.
    pub outside: Option<Outside>,
    /// The checks after the migration.
    pub checks: Vec<CheckLine>,
    /// The fence around the database; none if nobody asked for one.
    pub fence: Option<FenceReport>,
    /// Sessions that may have written while the migration ran.
    pub other_writers: Vec<OtherWriter>,
    /// What an earlier, interrupted run needed, if there was one.
    pub recovered: Vec<String>,
    /// What the archive does not hold, as `kind: object`: accepted knowingly (`--accept-loss`).
    pub accepted_losses: Vec<String>,
    /// Of these, what was there before a rollback and is not there after it.
    pub not_brought_back: Vec<String>,
    /// What deserves attention but stopped nothing.
    pub warnings: Vec<String>,
    /// The tool's last lines, secrets masked.
    pub child_last_lines: Vec<String>,
    /// What went wrong.
    #[serde(serialize_with = "error_as_object")]
    pub error: Option<Error>,
}

/// Which database it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseLine {
    /// The masked target.
    pub target: String,
    /// `current_database()`.
    pub name: String,
    /// `server_version`.
    pub server_version: String,
    /// `current_user`.
    pub role: String,
}

impl RunReport {
    /// A report of nothing yet.
    pub fn new(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            outcome: Outcome::Refused,
            exit_code: Outcome::Refused.exit_code(),
            meaning: Outcome::Refused.meaning(),
            database: None,
            from: Vec::new(),
            to: Vec::new(),
            pending: Vec::new(),
            archive: None,
            drill: None,
            saved: None,
            kept: None,
            journal: None,
            log: None,
            strategy: None,
            proof: None,
            attempts: 0,
            seconds: BTreeMap::new(),
            changes: None,
            outside: None,
            checks: Vec::new(),
            fence: None,
            other_writers: Vec::new(),
            recovered: Vec::new(),
            accepted_losses: Vec::new(),
            not_brought_back: Vec::new(),
            warnings: Vec::new(),
            child_last_lines: Vec::new(),
            error: None,
        }
    }

    /// Sets how it ended; exit code and meaning follow.
    pub fn conclude(&mut self, outcome: Outcome, error: Option<Error>) {
        self.outcome = outcome;
        self.exit_code = outcome.exit_code();
        self.meaning = outcome.meaning();
        self.error = error;
    }
}

/// An error in JSON: the same four things that people are told.
#[derive(Serialize)]
struct ErrorObject<'a> {
    attempted: &'a str,
    reason: Option<String>,
    now: Option<&'a str>,
    hints: &'a [String],
    sqlstate: Option<&'a str>,
}

fn error_as_object<S: Serializer>(error: &Option<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    error
        .as_ref()
        .map(|error| ErrorObject {
            attempted: error.attempted(),
            reason: error.reason(),
            now: error.database_now(),
            hints: error.hints(),
            sqlstate: error.sqlstate(),
        })
        .serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_exit_codes_are_those_of_the_design() {
        let interrupted = |signal| Outcome::Interrupted {
            signal,
            rolled_back: true,
        };
        let table = [
            (Outcome::Migrated, 0, "migrated"),
            (Outcome::NothingToDo, 0, "nothing-to-do"),
            (Outcome::Unchanged, 1, "unchanged"),
            (Outcome::RolledBack, 1, "rolled-back"),
            (Outcome::Usage, 2, "refused"),
            (Outcome::Refused, 3, "refused"),
            (Outcome::LockTimeout, 4, "refused"),
            (Outcome::BackupFailed, 5, "refused"),
            (Outcome::Withheld, 6, "withheld"),
            (Outcome::InDoubt, 7, "in-doubt"),
            (Outcome::Difference, 8, "difference"),
            (Outcome::Recovered { rolled_back: true }, 0, "rolled-back"),
            (Outcome::Recovered { rolled_back: false }, 0, "unchanged"),
            (Outcome::AlreadyRolledBack, 0, "rolled-back"),
            (interrupted(2), 130, "rolled-back"),
            (interrupted(15), 143, "rolled-back"),
            (interrupted(1), 143, "rolled-back"),
        ];
        for (outcome, code, name) in table {
            assert_eq!((outcome.exit_code(), outcome.name()), (code, name));
            // Journals and reports say the same word.
            let written = serde_json::to_value(outcome.ended_as()).unwrap();
            assert_eq!(written, name);
        }
    }

    #[test]
    fn the_report_is_one_json_object() {
        let mut report = RunReport::new("abcd1234");
        let error = Error::refused("start").because("no").hint("do this");
        report.conclude(Outcome::Refused, Some(error));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["outcome"], "refused");
        assert_eq!(json["exit_code"], 3);
        assert_eq!(json["error"]["attempted"], "start");
        assert_eq!(json["error"]["hints"][0], "do this");
    }
}
