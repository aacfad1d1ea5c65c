//! `pgbelay restore`: an archive into a new or empty database, which is named on purpose.

use serde_json::json;

use crate::archive::Reader;
use crate::cli::app::App;
use crate::cli::args::RestoreArguments;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::error::{Error, Kind, Result};
use crate::pg::{self, Purpose, Target};
use crate::restore::{self, RestoreOptions, RestoreReport};

/// Loads the archive; a database that was created for it goes again when that fails.
pub(super) async fn execute(app: &App, arguments: &RestoreArguments) -> Result<Done> {
    let reader = app.open_archive(&arguments.archive.archive)?;
    let resolved = app.resolve()?;
    restore::require_undamaged(&reader, &app.ctx).await?;
    let target = resolved.target.with_database(&arguments.into);
    let mut maintenance = resolved.target.clone();
    if arguments.create {
        maintenance = reachable(app, &resolved.target).await?;
        create(app, &maintenance, arguments, &reader).await?;
    } else {
        app.connect(&target).await?.close().await;
    }
    let options = RestoreOptions {
        jobs: jobs(app, &reader),
    };
    let filled = async {
        let report = restore::restore(&target, &reader, &options, &app.ctx).await?;
        if arguments.create {
            let dressed = dress(app, &maintenance, arguments, &reader).await;
            // By now something was touched; what became of it is for `drop_again` to say.
            dressed.map_err(|error| error.with_kind(Kind::InDoubt))?;
        }
        Ok::<_, Error>(report)
    };
    match filled.await {
        Ok(report) => Ok(told(arguments, &reader, &report)),
        Err(error) if arguments.create => {
            Err(drop_again(app, &maintenance, arguments, error).await)
        }
        Err(error) if error.kind() == Kind::InDoubt => Err(error.hint(START_OVER)),
        Err(error) => Err(error),
    }
}

/// What to do about a database that is not complete.
const START_OVER: &str = "drop the database and restore again (--into NAME --create); with --jobs 1 a restore is one transaction";

/// SQLSTATE of a database that is not there.
const NO_SUCH_DATABASE: &str = "3D000";

/// A database from which another one can be made: the configured one, or `postgres` where that is what was lost.
async fn reachable(app: &App, configured: &Target) -> Result<Target> {
    let error = match app.connect(configured).await {
        Ok(session) => {
            session.close().await;
            return Ok(configured.clone());
        }
        Err(error) if error.sqlstate() == Some(NO_SUCH_DATABASE) => error,
        Err(error) => return Err(error),
    };
    let target = configured.with_database("postgres");
    match app.connect(&target).await {
        Ok(session) => {
            session.close().await;
            Ok(target)
        }
        Err(_) => Err(error),
    }
}

async fn create(
    app: &App,
    maintenance: &Target,
    arguments: &RestoreArguments,
    reader: &Reader,
) -> Result<()> {
    let session = app.connect(maintenance).await?;
    let created = restore::create_database(&session, &arguments.into, reader.manifest()).await;
    session.close().await;
    created
}

/// The database's own properties, once its content is there.
async fn dress(
    app: &App,
    maintenance: &Target,
    arguments: &RestoreArguments,
    reader: &Reader,
) -> Result<()> {
    let session = pg::connect(maintenance, Purpose::Restore, &app.ctx).await?;
    let dressed = restore::dress_database(&session, &arguments.into, reader.manifest()).await;
    session.close().await;
    dressed
}

/// Sessions to restore with. What is small is quicker in one transaction, and safer.
pub(super) fn jobs(app: &App, reader: &Reader) -> usize {
    if restore::is_small(reader.manifest()) && !app.settings.jobs_given {
        return 1;
    }
    app.settings.jobs
}

/// Drops the database that we had created; the error says what became of it.
async fn drop_again(
    app: &App,
    maintenance: &Target,
    arguments: &RestoreArguments,
    error: Error,
) -> Error {
    let name = &arguments.into;
    let dropped = async {
        let session = pg::connect(maintenance, Purpose::Restore, &app.ctx).await?;
        let dropped = restore::drop_database(&session, name).await;
        session.close().await;
        dropped
    };
    match dropped.await {
        // What was left incomplete is gone with it.
        Ok(()) if error.kind() == Kind::InDoubt => error
            .with_kind(
                app.ctx
                    .stop
                    .requested()
                    .map_or(Kind::Failed, Kind::Interrupted),
            )
            .now(format!("the new database {name} was dropped again")),
        Ok(()) => error.now(format!("the new database {name} was dropped again")),
        Err(failure) => error
            .now(format!(
                "the new database {name} is left behind, empty or incomplete ({failure})"
            ))
            .hint(START_OVER),
    }
}

fn told(arguments: &RestoreArguments, reader: &Reader, report: &RestoreReport) -> Done {
    let archive = reader.path().display().to_string();
    // As `show`, `diff` and the proof count them: what was there already (`public`) among them.
    let definitions = units::how_many(reader.manifest().entries.len());
    let content = format!(
        "{}, {}, {}, {}",
        units::plural(definitions, "definition", "definitions"),
        units::plural(units::how_many(report.tables), "table", "tables"),
        units::plural(report.rows, "row", "rows"),
        units::bytes(report.bytes)
    );
    // What a rollback removed is a part of a database, and equal to none.
    let next = match reader.manifest().partial {
        true => format!("take from {} what is needed", arguments.into),
        false => format!("prove it: pgbelay diff {archive} db:{}", arguments.into),
    };
    let mut rows = vec![
        Row::new("archive", archive.as_str()),
        Row::new("database", arguments.into.as_str()),
        Row::new("content", content),
    ];
    let empty = report.unfilled.iter();
    rows.extend(empty.map(|view| Row::new("not back", view.line())));
    rows.push(Row::new("next", next));
    let last_line = match report.unfilled.is_empty() {
        true => format!("Restored into {}.", arguments.into),
        false => format!(
            "Restored into {}, except the content of materialized views that could not be filled, named above.",
            arguments.into
        ),
    };
    Done::with_rows(last_line, rows)
        .member("archive", archive)
        .member("database", arguments.into.as_str())
        .member("restore", json!(report))
}
