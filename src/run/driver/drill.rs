//! The fresh archive is restored and compared before the migration may start (`--drill-first`).
//!
//! Whatever keeps it from being proven keeps the tool from being started: the database is untouched.

use std::path::Path;
use std::time::Instant;

use crate::archive::Reader;
use crate::drill::{self, DrillOptions, DrillReport, Verdict};
use crate::error::{Error, Kind, Result};
use crate::journal::{Stage, Step};
use crate::restore;
use crate::run::chronicle::{DrillBegun, DrillEnded};
use crate::run::driver::desk::Desk;
use crate::run::driver::scene::{Scene, connect};
use crate::run::state::Event;

/// Differences that the error names; the drill by hand prints all of them.
const NAMED: usize = 5;
/// True in every way out.
const UNTOUCHED: &str = "the migration was not started; the database was not touched";

/// Brings the run to `Drilled`, if that was demanded.
pub async fn drill_first(desk: &mut Desk<'_>, scene: &Scene<'_>, archive: &Path) -> Result<()> {
    if !scene.options.drill_first {
        return Ok(());
    }
    let started = Instant::now();
    let reader = Reader::open(archive).map_err(not_proven)?;
    let jobs = match restore::is_small(reader.manifest()) {
        true => 1,
        false => scene.options.jobs,
    };
    let options = DrillOptions::new(&reader, jobs, scene.ctx);
    let scratch = scene.options.scratch.as_ref();
    let begun = DrillBegun {
        scratch: options.scratch.clone(),
        server: scratch.unwrap_or(&scene.target).masked(),
        elsewhere: scratch.is_some(),
    };
    desk.record(Step::Drill, Stage::Intent, &begun)?;
    let drilled = on_its_server(scene, &reader, &options).await;
    desk.spend("drill", started.elapsed());
    let result = drilled.map_err(not_proven).and_then(|report| {
        let judged = judge(&report);
        desk.report.drill = Some(report);
        judged
    });
    let ended = DrillEnded {
        passed: result.is_ok(),
        reason: result.as_ref().err().map(ToString::to_string),
    };
    desk.record(Step::Drill, Stage::Outcome, &ended)?;
    result?;
    tell(desk);
    desk.to(Event::DrillPassed)
}

async fn on_its_server(
    scene: &Scene<'_>,
    archive: &Reader,
    options: &DrillOptions,
) -> Result<DrillReport> {
    let (Some(target), ctx) = (&scene.options.scratch, scene.ctx) else {
        return drill::drill(&scene.session, archive, options, scene.ctx).await;
    };
    let server = connect(target, scene.options, ctx).await?;
    let report = drill::drill(&server, archive, options, ctx).await;
    server.close().await;
    report
}

fn judge(report: &DrillReport) -> Result<()> {
    let reason = match report.verdict {
        Verdict::Passed => return Ok(()),
        Verdict::NotRestored => report.reason.clone().unwrap_or_default(),
        Verdict::Different => {
            let mut lines: Vec<&str> = report
                .differences
                .iter()
                .take(NAMED)
                .map(String::as_str)
                .collect();
            if report.differences.len() > NAMED {
                lines.push("…");
            }
            format!(
                "what was restored differs from the archive: {}",
                lines.join("; ")
            )
        }
    };
    let archive = report.archive.display();
    Err(
        Error::new(Kind::BackupFailed, "prove the fresh backup by a drill")
            .because(reason)
            .now(UNTOUCHED)
            .hint(format!("all of it: pgbelay drill {archive}")),
    )
}

/// A drill that could not be carried out has not proven the archive. Interrupted stays interrupted.
fn not_proven(error: Error) -> Error {
    if matches!(error.kind(), Kind::Interrupted(_)) {
        return error;
    }
    let said = error.database_now().map(str::to_owned);
    let now = match said.filter(|said| said != "nothing was changed") {
        Some(said) => format!("{UNTOUCHED}; {said}"),
        None => UNTOUCHED.to_owned(),
    };
    let why = error.to_string();
    error
        .with_kind(Kind::BackupFailed)
        .attempting("prove the fresh backup by a drill")
        .because(why)
        .now(now)
}

/// What deserves attention although it passed.
fn tell(desk: &mut Desk<'_>) {
    let Some(report) = &desk.report.drill else {
        return;
    };
    let seconds = report.seconds.of_a_restore();
    desk.ctx.note(format!(
        "the fresh backup is proven; restoring it took {seconds:.1} s"
    ));
    let mut warnings: Vec<String> = report
        .not_proven
        .iter()
        .map(|line| format!("not proven by the drill: {line}"))
        .collect();
    if let drill::Fate::LeftBehind { command, why } = &report.scratch_now {
        warnings.push(format!(
            "the scratch database {} could not be dropped: {why}\nto drop it: {command}",
            report.scratch
        ));
    }
    for warning in warnings {
        desk.warn(warning);
    }
}
