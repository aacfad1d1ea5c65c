//! `pgbelay stamp`: sets the version rows, under the lock.

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{StampArguments, ToolArguments};
use crate::cli::render::Row;
use crate::cli::report::Done;
use crate::cli::settings;
use crate::error::{Kind, Result};
use crate::run::{self, Migration, RunOptions, StampOptions, StampReport};

/// Stamps.
pub(super) async fn execute(app: &App, arguments: &StampArguments) -> Result<Done> {
    let resolved = app.resolve()?;
    app.connect(&resolved.target).await?.close().await;
    let options = StampOptions {
        revisions: arguments.revisions.clone(),
        version_table: arguments.version_table.clone(),
        command: alembic(),
        variables: resolved.env_file_variables.clone(),
        force: arguments.force,
        lock_wait: RunOptions::DEFAULT_LOCK_WAIT,
        table_lock_wait: arguments.reading.table_lock_wait,
    };
    let report = run::stamp(&resolved.target, &options, &app.ctx)
        .await
        .map_err(|error| error.narrowed(Kind::Refused))?;
    Ok(told(&report))
}

/// The command whose scripts know the revisions.
fn alembic() -> Vec<String> {
    match settings::migration(&ToolArguments::default()) {
        Migration::Command(argv) => argv,
        Migration::Sql(_) => Vec::new(),
    }
}

fn told(report: &StampReport) -> Done {
    let shown = |revisions: &[String]| match revisions {
        [] => "none".to_owned(),
        revisions => revisions.join(", "),
    };
    let rows = vec![
        Row::new("table", report.table.as_str()),
        Row::new(
            "revision",
            format!("{} -> {}", shown(&report.from), shown(&report.to)),
        ),
    ];
    let last_line = format!("Stamped: {} holds {}.", report.table, shown(&report.to));
    Done::with_rows(last_line, rows)
        .member("table", report.table.as_str())
        .member("from", json!(report.from))
        .member("to", json!(report.to))
}
