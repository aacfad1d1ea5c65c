//! The migration tool: what it will do, and running it once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::catalog::VersionTable;
use crate::context::Context;
use crate::error::{Kind, Result};
use crate::migrate::alembic::{Forecast, PendingRevision, Project, Scripts};
use crate::migrate::child::{self, ChildSpec, Ended};
use crate::migrate::sql::{self, ApplyOptions, Plan};
use crate::pg::{self, Secret, Target};
use crate::run::driver::scene::Scene;
use crate::run::sightings::Window;
use crate::run::{FenceMode, Migration, RunOptions, versions};
use crate::verify::{DEFAULT_NAME, OwnTables};

/// What is run.
#[derive(Debug, Clone)]
pub enum Tool {
    /// Alembic, whose scripts can be read.
    Alembic {
        argv: Vec<String>,
        project: Box<Project>,
    },
    /// Any other command: what is pending is unknown.
    Command(Vec<String>),
    /// Plain SQL files.
    Sql(PathBuf),
}

/// What the tool would do to the database as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prospect {
    /// Revisions that will run; none where they cannot be known.
    pub pending: Option<Vec<PendingRevision>>,
    /// Version rows afterwards; none where they cannot be known.
    pub expected: Option<BTreeSet<String>>,
    /// Why they cannot be known.
    pub unknown: Option<String>,
}

impl Prospect {
    /// Whether the database is known to be there already.
    pub fn is_nothing(&self) -> bool {
        self.pending.as_ref().is_some_and(Vec::is_empty)
    }

    /// The pending revisions' ids.
    pub fn ids(&self) -> Option<Vec<String>> {
        let ids = |pending: &Vec<PendingRevision>| pending.iter().map(|r| r.id.clone()).collect();
        self.pending.as_ref().map(ids)
    }
}

/// How one attempt ended.
#[derive(Debug, Clone)]
pub struct ToolReport {
    /// In words: `exited with code 1`.
    pub ended: String,
    /// Whether it exited with 0.
    pub succeeded: bool,
    /// Whether it ended by itself, not by a signal or by us.
    pub by_itself: bool,
    /// The signal that asked us to stop, if that ended it.
    pub interrupted: Option<i32>,
    /// Its last lines, secrets masked.
    pub last_lines: Vec<String>,
    /// The line that says what failed.
    pub headline: Option<String>,
    /// The cure of a known failure.
    pub explanation: Option<String>,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Tool {
    /// Recognises the tool. Errors (`Kind::Refused`): no configuration, no script folder.
    pub fn find(migration: &Migration, ctx: &Context) -> Result<Self> {
        match migration {
            Migration::Sql(directory) => Ok(Self::Sql(directory.clone())),
            Migration::Command(argv) => match Project::find(argv, &ctx.environment)? {
                Some(project) => Ok(Self::Alembic {
                    argv: argv.clone(),
                    project: Box::new(project),
                }),
                None => Ok(Self::Command(argv.clone())),
            },
        }
    }

    /// What it would do to a database with these version rows.
    pub async fn prospect(
        &self,
        versions: &[VersionTable],
        variables: &[(String, Secret)],
        ctx: &Context,
    ) -> Result<Prospect> {
        match self {
            Self::Alembic { project, .. } => {
                let current = match own_tables(project).reached(versions) {
                    Ok(tables) => versions::all(&tables),
                    Err(unknown) => {
                        return Ok(Prospect {
                            unknown: Some(unknown),
                            ..Prospect::default()
                        });
                    }
                };
                let scripts = Scripts::learn(ctx, project, variables).await?;
                let forecast = scripts.forecast(&project.command.verb, &current)?;
                Ok(of_forecast(forecast))
            }
            Self::Command(_) => Ok(Prospect {
                unknown: Some("the command is not known to pgbelay".to_owned()),
                ..Prospect::default()
            }),
            Self::Sql(directory) => {
                let plan = Plan::read(directory)?;
                Ok(Prospect {
                    pending: Some(plan.pending_revisions(&self.current(versions))?),
                    expected: Some(plan.expected()),
                    unknown: None,
                })
            }
        }
    }

    /// Refuses when the command does not exist.
    pub fn check_present(&self, ctx: &Context) -> Result<()> {
        match self {
            Self::Alembic { argv, .. } | Self::Command(argv) => {
                child::locate(argv, &ctx.environment).map(|_| ())
            }
            Self::Sql(_) => Ok(()),
        }
    }

    /// Which version tables are this tool's.
    pub fn own_tables(&self) -> OwnTables {
        match self {
            Self::Alembic { project, .. } => own_tables(project),
            Self::Command(_) => OwnTables::default(),
            Self::Sql(_) => of_sql_files(),
        }
    }

    /// The version rows that belong to this tool.
    pub fn current(&self, versions: &[VersionTable]) -> Vec<String> {
        let own = match self {
            // Whatever it calls, for whichever tenant.
            Self::Command(_) => return versions::all(versions),
            Self::Alembic { .. } | Self::Sql(_) => self.own_tables(),
        };
        let reached = own.reached(versions);
        versions::all(&reached.unwrap_or_else(|_| own.among(versions)))
    }
}

/// What [`Plan::apply`] writes to: `alembic_version` where the plain name leads.
fn of_sql_files() -> OwnTables {
    OwnTables {
        names: vec![DEFAULT_NAME.to_owned()],
        leading: true,
        ..OwnTables::default()
    }
}

/// The version tables that env.py names; all of them where it computes the name.
pub fn own_tables(project: &Project) -> OwnTables {
    let script = &project.environment;
    if script.computed {
        return OwnTables {
            moves: true,
            repeats: script.repeats,
            ..OwnTables::default()
        };
    }
    OwnTables {
        names: script.version_tables.clone(),
        schemas: script.version_table_schemas.clone(),
        by_default: script.version_tables.is_empty(),
        moves: script.moves,
        repeats: script.repeats,
        leading: false,
    }
}

fn of_forecast(forecast: Forecast) -> Prospect {
    match forecast {
        Forecast::Known { pending, expected } => Prospect {
            pending: Some(pending),
            expected: Some(expected),
            unknown: None,
        },
        Forecast::Unknown(reason) => Prospect {
            unknown: Some(reason),
            ..Prospect::default()
        },
    }
}

/// The child's environment: the resolved target in every form that tools read, the variables of
/// the env file (ours win over them), a `lock_timeout` that the operator's own options override, and the name by which
/// its sessions are known.
pub fn child_variables(
    target: &Target,
    options: &RunOptions,
    ctx: &Context,
) -> Vec<(String, Secret)> {
    let mut named = target.with_application_name(&Window::tool_name(&ctx.run_id));
    named.options = match target.refuses_options {
        true => None,
        false => child_options(options, target.options()),
    };
    let mut variables = options.env_file_variables.clone();
    variables.retain(|(name, _)| !pg::SHADOWING_VARIABLES.contains(&name.as_str()));
    for (name, value) in named.child_environment(options.dialect.as_deref()) {
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value));
    }
    variables
}

/// `PGOPTIONS`: ours first, because the last one of two equal settings wins.
fn child_options(options: &RunOptions, given: Option<&str>) -> Option<String> {
    let mut parts = Vec::new();
    if !options.lock_timeout.is_zero() {
        let milliseconds = options.lock_timeout.as_millis();
        parts.push(format!("-c lock_timeout={milliseconds}ms"));
    }
    if options.fence == FenceMode::Writes {
        parts.push("-c default_transaction_read_only=off".to_owned());
    }
    parts.extend(given.map(str::to_owned));
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// One attempt of a command.
pub async fn run_command(
    argv: &[String],
    variables: Vec<(String, Secret)>,
    target: &Target,
    options: &RunOptions,
    log: &Path,
    ctx: &Context,
) -> Result<ToolReport> {
    let started = Instant::now();
    let spec = ChildSpec {
        argv: argv.to_vec(),
        without: pg::shadowing(&variables),
        environment: variables,
        working_directory: ctx.environment.working_directory.clone(),
        timeout: options.timeout,
        // The other half belongs to judging the database and putting it back.
        grace: options.grace / 2,
        secrets: target.secrets(),
        log: Some(log.to_owned()),
    };
    let report = child::run(ctx, &spec).await?;
    Ok(ToolReport {
        ended: report.ended.describe(),
        succeeded: report.ended.succeeded(),
        by_itself: matches!(report.ended, Ended::Exited(_)),
        interrupted: match report.ended {
            Ended::Interrupted(signal) => Some(signal),
            _ => None,
        },
        last_lines: report.last_lines,
        headline: report.headline,
        explanation: report.explanation,
        elapsed: started.elapsed(),
    })
}

/// One attempt of plain SQL files, on a session of the tool's name.
pub async fn run_sql(directory: &Path, scene: &Scene<'_>) -> Result<ToolReport> {
    let started = Instant::now();
    let plan = Plan::read(directory)?;
    let session = pg::connect(&scene.target, pg::Purpose::Child, scene.ctx).await?;
    let tables = versions::read(&session).await?;
    // The server says which one is written to: what is read must be that.
    session.execute(&session.reset()).await?;
    let schema = sql::version_schema(&session).await?;
    let written = |table: &&VersionTable| table.schema == schema && table.name == DEFAULT_NAME;
    let current: Vec<VersionTable> = tables.iter().filter(written).cloned().collect();
    let current = versions::all(&current);
    let options = ApplyOptions {
        lock_timeout: scene.options.lock_timeout,
        timeout: scene.options.timeout,
    };
    let applied = plan.apply(&session, &current, &options, scene.ctx).await;
    session.close().await;
    let mut report = ToolReport {
        ended: "ran every file".to_owned(),
        succeeded: true,
        by_itself: true,
        interrupted: None,
        last_lines: Vec::new(),
        headline: None,
        explanation: None,
        elapsed: started.elapsed(),
    };
    if let Err(error) = applied {
        report.ended = "failed".to_owned();
        report.succeeded = false;
        report.headline = Some(error.to_string());
        report.last_lines = vec![error.to_string()];
        report.explanation = error.hints().first().cloned();
        if let Kind::Interrupted(signal) = error.kind() {
            report.interrupted = Some(signal);
            report.by_itself = false;
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_options_win_over_ours() {
        let shown = |seconds: u64, fence, given| {
            let options = RunOptions {
                lock_timeout: Duration::from_secs(seconds),
                fence,
                ..RunOptions::new(Migration::Command(Vec::new()), "backups")
            };
            child_options(&options, given).unwrap_or_default()
        };
        let (none, writes) = (FenceMode::None, FenceMode::Writes);
        assert_eq!(shown(0, none, None), "");
        assert_eq!(shown(0, none, Some("-c a=b")), "-c a=b");
        assert_eq!(shown(5, none, None), "-c lock_timeout=5000ms");
        assert_eq!(
            shown(5, writes, Some("-c lock_timeout=1s")),
            "-c lock_timeout=5000ms -c default_transaction_read_only=off -c lock_timeout=1s"
        );
    }

    #[test]
    fn nothing_is_pending_only_when_that_is_known() {
        assert!(!Prospect::default().is_nothing());
        let known = of_forecast(Forecast::Known {
            pending: Vec::new(),
            expected: BTreeSet::new(),
        });
        assert!(known.is_nothing());
        let unknown = of_forecast(Forecast::Unknown("x".into()));
        assert!(!unknown.is_nothing() && unknown.ids().is_none());
    }
}
