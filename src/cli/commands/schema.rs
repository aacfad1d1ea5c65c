//! `pgbelay schema`: the database's definitions on stdout.

use crate::catalog::{self, Catalog, Locking, Uncovered};
use crate::cli::app::App;
use crate::cli::args::{SchemaArguments, SchemaFormat};
use crate::cli::render::units;
use crate::cli::report::Done;
use crate::compare::masked;
use crate::error::{Kind, Result};
use crate::pg::{self, Session};
use crate::verify::Expectation;

/// Prints them as SQL, or as a file for `--expect`.
pub(super) async fn execute(app: &App, arguments: &SchemaArguments) -> Result<Done> {
    let resolved = app.resolve()?;
    let session = crate::pg::wait_for(&resolved.target, app.settings.wait, &app.ctx)
        .await
        .map_err(|error| error.narrowed(Kind::Refused))?;
    let done = match arguments.format {
        SchemaFormat::Sql => {
            let steady = catalog::open_steady(&session, Locking::DEFINITIONS, &app.ctx).await?;
            sql(app, &steady.close().await)
        }
        SchemaFormat::Expect => {
            session.execute(&pg::BEGIN_SNAPSHOT).await?;
            expectation(&session).await?
        }
    };
    session.close().await;
    Ok(done)
}

fn sql(app: &App, catalog: &Catalog) -> Done {
    for object in &catalog.uncovered {
        app.ctx.warn(format!(
            "not in this output: {}: {}",
            object.description, object.reason
        ));
    }
    // As at the head of an archive: names are written in full, and functions come before the tables that they read.
    let head = "SET search_path = '';\nSET check_function_bodies = off;\n".to_owned();
    let texts = catalog.entries.iter();
    let text: String = std::iter::once(head)
        .chain(texts.map(|entry| masked(entry.kind.name(), &entry.create)))
        .collect();
    let left_out: Vec<String> = catalog.uncovered.iter().map(Uncovered::label).collect();
    let count = units::how_many(catalog.entries.len());
    let number = units::plural(count, "entry", "entries");
    Done::brief(format!("{number} of {}", catalog.database.name))
        .printing(text.clone())
        .member("schema", text)
        .member("left_out", left_out)
}

/// The file that `--expect` takes.
async fn expectation(session: &Session) -> Result<Done> {
    let expectation = Expectation::of_database(session).await?;
    let tables = units::how_many(expectation.tables.len());
    let text = expectation.to_json()?;
    Ok(Done::brief(format!(
        "{} expected",
        units::plural(tables, "table", "tables")
    ))
    .member("expectation", text.as_str())
    .printing(text))
}
