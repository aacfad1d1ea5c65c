//! `pgbelay rollback`: puts the database back to an archive, under the same lock as `run`.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::archive::Reader;
use crate::cli::app::App;
use crate::cli::args::RollbackArguments;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::cli::settings;
use crate::error::{Kind, Result};
use crate::rollback::{Kept, RollbackOptions, RollbackOutcome, RollbackReport};
use crate::run;
use crate::store::Store;

/// A person is waiting in front of the terminal: say soon that somebody else is at work.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Rolls back and reports the proof.
pub(super) async fn execute(app: &App, arguments: &RollbackArguments) -> Result<Done> {
    let resolved = app.resolve()?;
    let store = store_of(app, arguments.archive.as_deref())?;
    let session = app.connect(&resolved.target).await?;
    let reader = match &arguments.archive {
        Some(archive) => app.open_archive(archive)?,
        None => super::latest_of(&store, &session).await?,
    };
    session.close().await;
    app.fact("archive", &reader.path().display().to_string());
    app.fact(
        "made",
        &reader
            .manifest()
            .created
            .format("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
    );
    let options = RollbackOptions {
        rung: settings::rung(arguments.strategy),
        proof: settings::proof(arguments.proof),
        discard_other_writes: arguments.discard_other_writes,
        other_database: arguments.other_database,
        jobs: app.settings.jobs,
        accept_losses: settings::accepted_losses(&arguments.losses),
        ..RollbackOptions::default()
    };
    if arguments.plan {
        return super::rollback_plan::execute(app, &resolved.target, &reader, &store, &options)
            .await;
    }
    let report = run::roll_back(
        &resolved.target,
        &reader,
        &store,
        &options,
        LOCK_WAIT,
        &app.ctx,
    )
    .await
    .map_err(|error| error.narrowed(Kind::Refused))?;
    let outside = run::outside(&resolved.target, reader.path(), &app.ctx).await;
    let mut done = told(&reader, &report);
    let said = super::changes::outside(&outside);
    if !said.is_empty() {
        done.rows.push(Row::new("outside", said));
    }
    Ok(done.member("outside", json!(outside)))
}

/// The store, or where nobody has named one the directory of the archive, if it is a store: the journal of the run that is
/// settled lies there.
fn store_of(app: &App, archive: Option<&Path>) -> Result<Store> {
    let directory = archive.and_then(Path::parent);
    let directory = directory.filter(|one| !app.settings.store_given && holds_journals(one));
    match directory {
        Some(directory) => Store::open(directory),
        None => app.store(),
    }
}

/// By name: a directory that is no store (`/tmp`) is none of our business.
fn holds_journals(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().ends_with(".journal"))
}

fn told(reader: &Reader, report: &RollbackReport) -> Done {
    let archive = reader.path().display().to_string();
    let mut rows = vec![
        Row::new("archive", archive.as_str()),
        Row::new("strategy", word(&json!(report.strategy))),
        Row::new("proof", report.proof.as_str()),
    ];
    if !report.undone.is_empty() {
        rows.push(Row::new("undone", shortened(&report.undone)));
    }
    if let Some(kept) = &report.kept {
        rows.push(Row::new("kept", kept_line(kept)));
    }
    if let Some(saved) = &report.saved {
        rows.push(Row::new("saved", saved.display().to_string()));
    }
    if !report.not_brought_back.is_empty() {
        rows.push(Row::new("not back", shortened(&report.not_brought_back)));
    }
    let (outcome, last_line) = match report.outcome {
        RollbackOutcome::Unchanged => (
            "unchanged",
            "Nothing to roll back: the database equals the archive (proven). Nothing was touched.",
        ),
        RollbackOutcome::RolledBack if !report.not_brought_back.is_empty() => (
            "rolled-back",
            "Rolled back: the database is what the archive holds (proven), except what could not be \
             brought back, which is named above.",
        ),
        RollbackOutcome::RolledBack => (
            "rolled-back",
            "Rolled back: the database is what the archive holds (proven).",
        ),
    };
    let mut done = Done::with_rows(last_line, rows)
        .member("archive", archive)
        .member("rollback", json!(report))
        .member("strategy", json!(report.strategy))
        .member("proof", report.proof.as_str());
    done.outcome = outcome.to_owned();
    done
}

/// The failed database, and how to be rid of it.
pub(super) fn kept_line(kept: &Kept) -> String {
    let size = kept
        .bytes
        .map_or_else(String::new, |bytes| format!(", {}", units::bytes(bytes)));
    format!(
        "{} (was {}{size}) holds what the migration left; to drop it: {}",
        kept.name, kept.was, kept.to_drop
    )
}

/// The first lines; all of them are in `--json`.
fn shortened(lines: &[String]) -> String {
    const MOST: usize = 20;
    let mut shown: Vec<String> = lines.iter().take(MOST).cloned().collect();
    if lines.len() > MOST {
        shown.push(format!("… and {} more", lines.len() - MOST));
    }
    shown.join("\n")
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
