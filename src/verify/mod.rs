//! Checks that say yes or no about the live database and never repair (design.md §6).
//!
//! [`run_checks`] runs all of them even if one fails: the person wants the whole list. A check that
//! could not be carried out has failed, with the reason as its detail.

mod command;
mod expect;
mod heads;
mod objects;
mod queries;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Kind, Result};
use crate::pg::Session;

pub use command::CommandSettings;
pub use expect::{Expectation, ExpectedColumn, ExpectedIndex, ExpectedTable};
pub use heads::{DEFAULT_NAME, OwnTables};
pub use objects::InvalidObjects;

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct Checks<'a> {
    /// The version rows that must be there; `None`: unknown, not checked.
    pub expected_heads: Option<BTreeSet<String>>,
    /// Where they must be.
    pub own_tables: OwnTables,
    /// `--expect FILE`.
    pub expect: Option<PathBuf>,
    /// `--verify-sql DIR`.
    pub verify_sql: Option<PathBuf>,
    /// `--verify-command CMD`.
    pub verify_command: Option<Vec<String>>,
    /// What was invalid before the migration: only what is new since then fails.
    pub before: Option<&'a InvalidObjects>,
}

/// The answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct VerifyReport {
    /// In the order in which they were carried out.
    pub checks: Vec<Check>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What was checked: `version rows`.
    pub name: String,
    /// Yes or no.
    pub passed: bool,
    /// Counts when it passed, what is wrong when it did not.
    pub detail: String,
}

impl VerifyReport {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    fn take(&mut self, name: &str, outcome: Result<Outcome>) -> Result<()> {
        let (passed, detail) = match outcome {
            Ok(Outcome::Passed(detail)) => (true, detail),
            Ok(Outcome::Failed(detail)) => (false, detail),
            Err(error) if matches!(error.kind(), Kind::Interrupted(_)) => return Err(error),
            Err(error) => (false, format!("could not be checked: {error}")),
        };
        self.checks.push(Check {
            name: name.to_owned(),
            passed,
            detail,
        });
        Ok(())
    }
}

/// One check's answer, with its detail.
enum Outcome {
    Passed(String),
    Failed(String),
}

impl Checks<'_> {
    /// Reads what the checks will need, so that a mistake in it is found before the migration and
    /// not after it. Errors (`Kind::Refused`): a file cannot be read or understood.
    pub fn prepare(&self) -> Result<()> {
        if let Some(file) = &self.expect {
            Expectation::read(file)?;
        }
        if let Some(directory) = &self.verify_sql {
            queries::read(directory)?;
        }
        Ok(())
    }
}

/// Runs every check that was asked for, the verification command with nothing but the process's
/// environment. Errors: only [`Kind::Interrupted`].
pub async fn run_checks(
    session: &Session,
    checks: &Checks<'_>,
    ctx: &Context,
) -> Result<VerifyReport> {
    run_checks_with(session, checks, &CommandSettings::default(), ctx).await
}

/// As [`run_checks`], with the settings of the verification command (`DATABASE_URL` among its
/// variables).
pub async fn run_checks_with(
    session: &Session,
    checks: &Checks<'_>,
    settings: &CommandSettings,
    ctx: &Context,
) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    if let Some(expected) = &checks.expected_heads {
        report.take(
            "version rows",
            heads::check(session, expected, &checks.own_tables).await,
        )?;
    }
    match InvalidObjects::read(session).await {
        Ok(now) => {
            report.take("indexes", Ok(now.check_indexes(checks.before)))?;
            report.take("constraints", Ok(now.check_constraints(checks.before)))?;
        }
        Err(error) => report.take("indexes and constraints", Err(error))?,
    }
    if let Some(file) = &checks.expect {
        report.take("expected schema", expect::check(session, file).await)?;
    }
    if let Some(directory) = &checks.verify_sql {
        queries::check(session, directory, ctx, &mut report).await?;
    }
    if let Some(argv) = &checks.verify_command {
        report.take(
            "verification command",
            command::check(argv, settings, ctx).await,
        )?;
    }
    Ok(report)
}
