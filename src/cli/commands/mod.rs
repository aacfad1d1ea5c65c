//! One file per command: settings → library verb → report. Nothing here decides about a database.

mod backup;
mod changes;
mod check;
mod diff;
mod doctor;
mod drill;
mod list;
mod paper;
mod recover;
mod restore;
mod rollback;
mod rollback_plan;
mod run;
mod schema;
mod show;
mod stamp;
mod verify;

use super::app::App;
use super::args::Command;
use super::report::Done;
use crate::archive::Reader;
use crate::error::{Error, Result};
use crate::pg::Session;
use crate::run::preflight::Facts;
use crate::store::Store;

/// Carries out a command.
pub(crate) async fn execute(app: &App, command: &Command) -> Result<Done> {
    match command {
        Command::Run(arguments) => run::execute(app, arguments).await,
        Command::Backup(arguments) => backup::execute(app, arguments).await,
        Command::Check(arguments) => check::execute(app, arguments).await,
        Command::Restore(arguments) => restore::execute(app, arguments).await,
        Command::Rollback(arguments) => rollback::execute(app, arguments).await,
        Command::Drill(arguments) => drill::execute(app, arguments).await,
        Command::Diff(arguments) => diff::execute(app, arguments).await,
        Command::Verify(checks) => verify::execute(app, checks).await,
        Command::Recover(arguments) => recover::execute(app, arguments).await,
        Command::List => list::execute(app),
        Command::Show(arguments) => show::execute(app, arguments),
        Command::Schema(arguments) => schema::execute(app, arguments).await,
        Command::Stamp(arguments) => stamp::execute(app, arguments).await,
        Command::Doctor(arguments) => doctor::execute(app, arguments).await,
        Command::Completions { shell } => Ok(paper::completions(*shell)),
        Command::Man => paper::manual(),
    }
}

/// The newest backup of this very database; what a rollback saved does not count.
async fn latest_of(store: &Store, session: &Session) -> Result<Reader> {
    let facts = Facts::read(session).await?;
    let found = store.latest_where(|manifest| {
        let database = &manifest.database;
        database.oid == facts.database_oid
            && database.name == facts.database
            && (database.system_identifier == facts.system_identifier
                || database.system_identifier.is_empty()
                || facts.system_identifier.is_empty())
    })?;
    match found {
        Some((file, _)) => file.open(),
        None => Err(
            Error::refused(format!("find a backup of {}", session.target()))
                .because(format!(
                    "the store {} holds none of this database; a database that was dropped and made again, or renamed, is another one",
                    store.directory().display()
                ))
                .hint("`pgbelay list` shows what there is; name an archive to use it"),
        ),
    }
}
