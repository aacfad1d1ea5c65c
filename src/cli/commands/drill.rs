//! `pgbelay drill`: an archive into a scratch database, compared, timed, dropped; exit 8 when it is not what it says.

use serde_json::json;

use crate::archive::Reader;
use crate::cli::app::App;
use crate::cli::args::DrillArguments;
use crate::cli::duration;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::drill::{self, DrillOptions, DrillReport, Fate, Verdict};
use crate::error::{Kind, Result};
use crate::pg::Session;

/// Drills.
pub(super) async fn execute(app: &App, arguments: &DrillArguments) -> Result<Done> {
    let scratch = app.resolve_scratch(arguments.scratch.scratch_url.as_deref())?;
    let named = match &arguments.archive {
        Some(archive) => Some(app.open_archive(archive)?),
        None => None,
    };
    let (server, archive) = match (scratch, named) {
        (Some(target), Some(archive)) => (app.connect(&target).await?, archive),
        (scratch, named) => {
            let own = app.connect(&app.resolve()?.target).await?;
            let archive = match named {
                Some(archive) => archive,
                None => super::latest_of(&app.store()?, &own).await?,
            };
            match scratch {
                None => (own, archive),
                Some(target) => {
                    own.close().await;
                    (app.connect(&target).await?, archive)
                }
            }
        }
    };
    app.fact("archive", &archive.path().display().to_string());
    let result = drill_on(app, arguments, &server, &archive).await;
    server.close().await;
    result.map(|report| told(&report))
}

async fn drill_on(
    app: &App,
    arguments: &DrillArguments,
    server: &Session,
    archive: &Reader,
) -> Result<DrillReport> {
    crate::run::preflight::check_server_major(server, app.settings.allow_unknown_server)?;
    let jobs = super::restore::jobs(app, archive);
    let options = DrillOptions {
        keep: arguments.keep,
        ..DrillOptions::new(archive, jobs, &app.ctx)
    };
    drill::drill(server, archive, &options, &app.ctx).await
}

fn told(report: &DrillReport) -> Done {
    let mut done = Done::with_rows(last_line(report), rows(report))
        .printing(stdout(report))
        .member("archive", report.archive.display().to_string())
        .member("drill", json!(report))
        .member("restore_seconds", report.seconds.of_a_restore());
    if report.verdict != Verdict::Passed {
        done = done.difference();
    } else if matches!(report.scratch_now, Fate::LeftBehind { .. }) {
        done = done.ending(Kind::Failed);
    } else {
        "proven".clone_into(&mut done.outcome);
    }
    done
}

/// What differs, as `diff` prints it.
fn stdout(report: &DrillReport) -> String {
    report
        .differences
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

fn rows(report: &DrillReport) -> Vec<Row> {
    let mut rows = vec![
        Row::new("archive", report.archive.display().to_string()),
        Row::new("restored on", restored_on(report)),
    ];
    match report.verdict {
        Verdict::NotRestored => rows.push(Row::new(
            "NOT RESTORED",
            report.reason.clone().unwrap_or_default(),
        )),
        _ => rows.push(Row::new("compared", compared(report))),
    }
    if !report.not_proven.is_empty() {
        rows.push(Row::new("NOT PROVEN", report.not_proven.join("\n")));
    }
    rows.push(scratch_row(report));
    rows
}

fn compared(report: &DrillReport) -> String {
    format!(
        "{}, {} in {}, sequences, large objects, properties of the database",
        units::plural(report.definitions, "definition", "definitions"),
        units::plural(report.rows, "row", "rows"),
        units::plural(report.tables, "table", "tables"),
    )
}

fn restored_on(report: &DrillReport) -> String {
    format!("{} (PostgreSQL {})", report.server, report.server_version)
}

fn scratch_row(report: &DrillReport) -> Row {
    let name = &report.scratch;
    match &report.scratch_now {
        Fate::Dropped => Row::new("scratch", format!("{name}, dropped")),
        Fate::Kept { command } => {
            Row::new("scratch", format!("{name}, kept; to drop it: {command}"))
        }
        Fate::LeftBehind { command, why } => Row::new(
            "LEFT BEHIND",
            format!("{name}: {why}\nto drop it: {command}"),
        ),
    }
}

/// What was proven, and how long a real restore takes.
pub(super) fn last_line(report: &DrillReport) -> String {
    let seconds = &report.seconds;
    let restore = duration::human(std::time::Duration::from_secs_f64(seconds.of_a_restore()));
    match report.verdict {
        Verdict::Passed => format!(
            "{}: {}, {} in {} restored and equal to the archive; a restore of this archive takes about {restore} here.{}",
            if report.not_proven.is_empty() {
                "Proven"
            } else {
                "Proven in part (see NOT PROVEN)"
            },
            units::plural(report.definitions, "definition", "definitions"),
            units::plural(report.rows, "row", "rows"),
            units::plural(report.tables, "table", "tables"),
            left(report),
        ),
        Verdict::Different => format!(
            "NOT proven: what was restored differs from the archive in {} (restored in {restore}).{}",
            units::plural(number(report), "thing", "things"),
            left(report),
        ),
        Verdict::NotRestored => format!(
            "NOT proven: the archive could not be restored: {}.{}",
            first_line(report.reason.as_deref().unwrap_or_default()),
            left(report),
        ),
    }
}

/// Things that differ; a definition's lines count once.
fn number(report: &DrillReport) -> u64 {
    let counted = report.difference.as_ref().map(super::diff::number);
    counted.unwrap_or_default().max(1)
}

fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches([':', '.', ' '])
}

/// A scratch database that stays unasked is part of the truth.
fn left(report: &DrillReport) -> String {
    match &report.scratch_now {
        Fate::LeftBehind { .. } => format!(
            " The scratch database {} could NOT be dropped.",
            report.scratch
        ),
        _ => String::new(),
    }
}
