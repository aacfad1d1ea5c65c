//! `pgbelay verify`: the checks of a run on the live database; repairs nothing, exit 8 on a "no".

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::VerifyArguments;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::context::Phase;
use crate::error::{Kind, Result};
use crate::run;
use crate::verify::{Check, VerifyReport};

/// Verifies.
pub(super) async fn execute(app: &App, arguments: &VerifyArguments) -> Result<Done> {
    let resolved = app.resolve()?;
    let options = super::run::options(app, &resolved, &arguments.tool, &arguments.checks)?;
    app.connect(&resolved.target).await?.close().await;
    let phase = app.ctx.phase(Phase::Verify);
    let report = run::verify_live(&resolved.target, &options, &app.ctx)
        .await
        .map_err(|error| error.narrowed(Kind::Refused))?;
    drop(phase);
    Ok(told(&report))
}

fn told(report: &VerifyReport) -> Done {
    let rows = report.checks.iter().map(row).collect();
    let failed = units::how_many(report.checks.iter().filter(|check| !check.passed).count());
    let all = units::how_many(report.checks.len());
    let last_line = if report.passed() {
        format!(
            "Verified: {} passed.",
            units::plural(all, "check", "checks")
        )
    } else {
        format!(
            "No: {failed} of {} failed ({}).",
            units::plural(all, "check", "checks"),
            names_of_failed(report)
        )
    };
    let done = Done::with_rows(last_line, rows).member("checks", json!(report.checks));
    if report.passed() {
        done
    } else {
        done.difference()
    }
}

fn names_of_failed(report: &VerifyReport) -> String {
    let failed = report.checks.iter().filter(|check| !check.passed);
    let names: Vec<&str> = failed.map(|check| check.name.as_str()).collect();
    names.join(", ")
}

fn row(check: &Check) -> Row {
    let mark = if check.passed { "ok" } else { "FAILED" };
    Row::new(check.name.as_str(), format!("{mark}: {}", check.detail))
}
