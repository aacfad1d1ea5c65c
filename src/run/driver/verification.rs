//! After the tool exited with 0: is the database what it should be now? (design.md §6)

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::context::{Context, Phase};
use crate::error::{Error, Kind, Result};
use crate::journal::{Stage, Step};
use crate::pg::{self, Secret, Target};
use crate::run::chronicle::Verified;
use crate::run::driver::attempt::{self, Failure, Ready};
use crate::run::driver::desk::Desk;
use crate::run::driver::tool::Tool;
use crate::run::sightings;
use crate::run::state::Event;
use crate::run::versions;
use crate::run::{CheckLine, RunOptions};
use crate::verify::{self, Checks, CommandSettings, InvalidObjects, VerifyReport};

/// Verifies; none if every check passed and the success is in the journal.
pub async fn verify(desk: &mut Desk<'_>, ready: &Ready<'_>) -> Result<Option<Failure>> {
    desk.record_if_possible(Step::Verify, Stage::Intent, &json!({}));
    let started = Instant::now();
    let failure = check(desk, ready).await.err();
    desk.spend("verify", started.elapsed());
    let passed = failure.is_none();
    match failure {
        None => {
            desk.to(Event::ChecksPassed)?;
            // Without this record the next start verifies again; the database is the same.
            desk.record_if_possible(Step::Verify, Stage::Outcome, &Verified { passed });
            desk.to(Event::Completed)?;
            Ok(None)
        }
        Some(error) => {
            desk.record_if_possible(Step::Verify, Stage::Outcome, &Verified { passed });
            desk.to(Event::ChecksFailed)?;
            Ok(Some(Failure {
                transient: false,
                by_itself: true,
                mark: None,
                error: error.narrowed(Kind::Failed),
            }))
        }
    }
}

async fn check(desk: &mut Desk<'_>, ready: &Ready<'_>) -> Result<()> {
    let scene = &ready.scene;
    let _phase = scene.ctx.phase(Phase::Verify);
    scene.ctx.stop.check("verify the migration")?;
    let current = attempt::read_versions(desk, ready).await?;
    let session = pg::connect(&scene.target, pg::Purpose::Verify, scene.ctx).await?;
    let expected = ready.prospect.expected.clone();
    let checks = checks(scene.options, expected, Some(&ready.before), scene.ctx);
    let settings = command_settings(&scene.target, scene.options, &ready.variables, &ready.log);
    let report = verify::run_checks_with(&session, &checks, &settings, scene.ctx).await;
    if let Err(error) = &report
        && matches!(error.kind(), Kind::Interrupted(_))
    {
        end_statement(desk, ready, session.backend_pid()).await;
    }
    session.close().await;
    let report = report?;
    desk.report.checks = lines(&report);
    nothing_written(desk, &current)?;
    failed(&report)
}

/// Ends what an interrupted check is still asking the server: it holds locks that a rollback would wait for.
async fn end_statement(desk: &mut Desk<'_>, ready: &Ready<'_>, pid: i32) {
    let (lock, terminate) = (ready.lock.session(), sightings::terminate(&[pid]));
    if let Err(error) = lock.query(&terminate).await {
        desk.warn(format!(
            "the server process {pid} may still be at work on a check: {error}"
        ));
    }
}

/// Exit 0 of the tool with nothing written although revisions were pending: the commonest silent
/// failure, named as such.
fn nothing_written(desk: &Desk<'_>, current: &[String]) -> Result<()> {
    let pending = &desk.report.pending;
    if pending.is_empty() || current != desk.report.from {
        return Ok(());
    }
    Err(Error::new(Kind::Failed, "verify the migration").because(format!(
        "the tool exited with 0 but wrote nothing: {} was pending and the version rows still are {}",
        pending.join(", "),
        versions::shown(current)
    )))
}

/// The checks that the operator asked for.
pub fn checks<'a>(
    options: &RunOptions,
    expected_heads: Option<BTreeSet<String>>,
    before: Option<&'a InvalidObjects>,
    ctx: &Context,
) -> Checks<'a> {
    Checks {
        expected_heads,
        // A tool that cannot be found is refused elsewhere; here nothing would be known of it.
        own_tables: Tool::find(&options.migration, ctx)
            .map(|tool| tool.own_tables())
            .unwrap_or_default(),
        expect: options.expect.clone(),
        verify_sql: options.verify_sql.clone(),
        verify_command: options.verify_command.clone(),
        before,
    }
}

/// The verification command gets what the migration got, and its output goes to the same log.
pub fn command_settings(
    target: &Target,
    options: &RunOptions,
    variables: &[(String, Secret)],
    log: &Path,
) -> CommandSettings {
    CommandSettings {
        variables: variables.to_vec(),
        secrets: target.secrets(),
        timeout: options.timeout,
        grace: options.grace / 2,
        log: Some(log.to_owned()),
    }
}

/// The report's checks for the run's report.
pub fn lines(report: &VerifyReport) -> Vec<CheckLine> {
    report
        .checks
        .iter()
        .map(|check| CheckLine {
            name: check.name.clone(),
            passed: check.passed,
            detail: check.detail.clone(),
        })
        .collect()
}

/// An error that names every failed check.
pub fn failed(report: &VerifyReport) -> Result<()> {
    let failed: Vec<String> = report
        .checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::Failed, "verify the migration").because(failed.join("; ")))
}
