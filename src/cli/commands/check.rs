//! `pgbelay check`: proves an archive whole, without a server.

use serde_json::json;

use crate::archive::CheckReport;
use crate::cli::app::App;
use crate::cli::args::ArchiveArgument;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::context::{Context, Phase, Progress};
use crate::error::{Attempt, Result};

/// Reads every byte on a blocking thread, so that signals are heard meanwhile.
pub(super) async fn execute(app: &App, arguments: &ArchiveArgument) -> Result<Done> {
    let _phase = app.ctx.phase(Phase::Check);
    let reader = app.open_archive(&arguments.archive)?;
    let path = reader.path().display().to_string();
    let ctx = app.ctx.clone();
    let checked = tokio::task::spawn_blocking(move || {
        reader.check(&mut |done, total| show_progress(&ctx, done, total))
    });
    let report = checked.await.attempt(|| format!("check {path}"))??;
    Ok(told(&path, &report))
}

fn show_progress(ctx: &Context, done: u64, total: u64) {
    ctx.progress(Progress {
        what: "reading".to_owned(),
        bytes: done,
        total_bytes: total,
        ..Progress::default()
    });
}

fn told(path: &str, report: &CheckReport) -> Done {
    let checked = format!(
        "{} in {}, {}, {}; every hash and digest agrees",
        units::bytes(report.bytes),
        units::plural(report.members, "member", "members"),
        units::plural(report.tables, "table", "tables"),
        units::plural(report.rows, "row", "rows")
    );
    let rows = vec![Row::new("archive", path), Row::new("checked", checked)];
    Done::with_rows(format!("Whole: {path}."), rows)
        .member("archive", path)
        .member("check", json!(report))
}
