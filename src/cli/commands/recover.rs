//! `pgbelay recover`: finishes what an interrupted run left, and says what that was.

use crate::cli::app::App;
use crate::cli::args::RecoverArguments;
use crate::cli::report::Done;
use crate::cli::settings;
use crate::error::Result;
use crate::pg::Target;
use crate::run::{self, Outcome, RunOptions};

/// Recovers.
pub(super) async fn execute(app: &App, arguments: &RecoverArguments) -> Result<Done> {
    let resolved = app.resolve()?;
    let options = RunOptions {
        scratch: scratch(app),
        on_other_writers: settings::other_writers(arguments.on_other_writers),
        rung: settings::rung(arguments.strategy),
        proof: settings::proof(arguments.proof),
        ..super::run::options(app, &resolved, &arguments.tool, &arguments.checks)?
    };
    let report = run::recover(&resolved.target, &options, &app.ctx).await;
    let nothing = report.outcome == Outcome::NothingToDo;
    let mut done = super::run::told(report)?;
    if nothing {
        "Nothing to recover: no run of this database was interrupted."
            .clone_into(&mut done.last_line);
    }
    Ok(done)
}

/// Only a drill's leftover needs that server: settings that make no sense are no reason not to recover.
fn scratch(app: &App) -> Option<Target> {
    app.resolve_scratch(None).unwrap_or_else(|error| {
        app.ctx.warn(format!(
            "{error}; a scratch database of an interrupted drill on that server would stay"
        ));
        None
    })
}
