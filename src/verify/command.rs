//! `--verify-command CMD`: a program of the operator's own that must exit 0.

use std::path::PathBuf;
use std::time::Duration;

use super::Outcome;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::migrate::child::{self, ChildSpec, Ended};
use crate::pg::{self, Secret};

/// What the verification command gets.
#[derive(Debug, Clone)]
pub struct CommandSettings {
    /// Variables besides those of the process: `DATABASE_URL`, `PG*`.
    pub variables: Vec<(String, Secret)>,
    /// What its output must not show.
    pub secrets: Vec<Secret>,
    /// How long it may take.
    pub timeout: Duration,
    /// Time between asking it to end and killing it.
    pub grace: Duration,
    /// The run's log.
    pub log: Option<PathBuf>,
}

impl Default for CommandSettings {
    fn default() -> Self {
        Self {
            variables: Vec::new(),
            secrets: Vec::new(),
            timeout: Duration::from_secs(600),
            grace: Duration::from_secs(10),
            log: None,
        }
    }
}

pub(super) async fn check(
    argv: &[String],
    settings: &CommandSettings,
    ctx: &Context,
) -> Result<Outcome> {
    let spec = ChildSpec {
        argv: argv.to_vec(),
        environment: settings.variables.clone(),
        without: pg::shadowing(&settings.variables),
        working_directory: ctx.environment.working_directory.clone(),
        timeout: settings.timeout,
        grace: settings.grace,
        secrets: settings.secrets.clone(),
        log: settings.log.clone(),
    };
    let report = child::run(ctx, &spec).await?;
    let shown = child::shown(argv);
    match report.ended {
        Ended::Exited(0) => Ok(Outcome::Passed(format!("{shown} exited with code 0"))),
        Ended::Interrupted(signal) => Err(Error::new(
            Kind::Interrupted(signal),
            format!("run {shown}"),
        )
        .because(report.ended.describe())),
        ended => {
            let last = report
                .headline
                .or_else(|| report.last_lines.last().cloned());
            let said = last.map_or_else(String::new, |line| format!(": {line}"));
            Ok(Outcome::Failed(format!(
                "{shown} {}{said}",
                ended.describe()
            )))
        }
    }
}
