//! `pgbelay backup`: an archive, and its path on stdout.

use std::path::Path;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::BackupArguments;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::cli::settings;
use crate::dump::{self, BackupReport, Destination, DumpOptions};
use crate::error::{Error, Kind, Result};
use crate::run::{self, preflight};

/// Takes the archive.
pub(super) async fn execute(app: &App, arguments: &BackupArguments) -> Result<Done> {
    let resolved = app.resolve()?;
    if let Some(output) = &arguments.output {
        refuse_existing(output)?;
    }
    let session = app.connect(&resolved.target).await?;
    let wait = arguments.reading.table_lock_wait;
    let found = preflight::before_backup(&session, wait, &app.ctx).await;
    session.close().await;
    let found = found.map_err(|error| error.narrowed(Kind::BackupFailed))?;
    let attempt = format!("back up the database {}", resolved.target.database());
    if let Some(refusal) = preflight::refusal(&attempt, &found) {
        return Err(refusal);
    }
    for line in preflight::warnings(&found) {
        app.ctx.warn(line);
    }
    let options = DumpOptions {
        jobs: app.settings.jobs,
        accept: settings::accepted_losses(&arguments.losses),
        table_lock_wait: wait,
        ..DumpOptions::default()
    };
    let store;
    let ctx = &run::after_all(&app.ctx, &app.settings.store);
    let destination = match &arguments.output {
        Some(file) => Destination::File(file.clone()),
        None => {
            store = app.store()?;
            run::tidy(&store, &app.ctx);
            Destination::Store(&store)
        }
    };
    let report = dump::backup(&resolved.target, &destination, &options, ctx)
        .await
        .map_err(|error| error.narrowed(Kind::BackupFailed))?;
    Ok(told(&report))
}

fn refuse_existing(output: &Path) -> Result<()> {
    if !output.exists() {
        return Ok(());
    }
    Err(Error::refused(format!("write {}", output.display()))
        .because("it exists, and an archive is never overwritten")
        .hint("choose another name, or remove the file first"))
}

fn told(report: &BackupReport) -> Done {
    let archive = report.archive.display().to_string();
    let mut rows = vec![
        Row::new("archive", archive.as_str()),
        Row::new("size", size(report)),
        Row::new("content", content(report)),
    ];
    if !report.accepted_losses.is_empty() {
        rows.push(Row::new("NOT HELD", report.accepted_losses.join("\n")));
    }
    Done::with_rows(format!("Backed up and checked: {archive}."), rows)
        .printing(format!("{archive}\n"))
        .member("archive", archive)
        .member("backup", json!(report))
}

fn size(report: &BackupReport) -> String {
    format!(
        "{} compressed, {} of SQL",
        units::bytes(report.archive_bytes),
        units::bytes(report.text_bytes)
    )
}

fn content(report: &BackupReport) -> String {
    format!(
        "{}, {}, {}",
        units::plural(units::how_many(report.entries), "definition", "definitions"),
        units::plural(units::how_many(report.tables), "table", "tables"),
        units::plural(report.rows, "row", "rows")
    )
}
