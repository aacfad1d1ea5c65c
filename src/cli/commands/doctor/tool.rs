//! The migration tool: its path and version, Alembic's project, heads and what is pending.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Findings;
use super::server::Live;
use crate::cli::app::App;
use crate::cli::hints;
use crate::context::Environment;
use crate::error::{Error, Kind, Result};
use crate::migrate::alembic::{Certainty, Forecast, PendingRevision, Project, Scripts};
use crate::migrate::{child, sql};
use crate::pg::Secret;
use crate::run::Migration;
use crate::run::preflight::Finding;

/// Python with a cold cache on a small container is slow, but not slower than this.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// Examines the tool.
pub(super) async fn examine(
    app: &App,
    migration: &Migration,
    variables: &[(String, Secret)],
    live: &Live,
    findings: &mut Findings,
) {
    findings.section("Migration");
    findings.row("command", migration.shown());
    let result = match migration {
        Migration::Sql(directory) => sql_files(directory, findings),
        Migration::Command(argv) => command(app, argv, variables, live, findings).await,
    };
    if let Err(error) = result {
        findings.refused(&error.narrowed(Kind::Refused), &[]);
    }
}

/// The same reading as a run's, so that what a run would refuse is said here.
fn sql_files(directory: &Path, findings: &mut Findings) -> Result<()> {
    let plan = sql::Plan::read(directory)?;
    findings.row("files", plan.files.len().to_string());
    Ok(())
}

async fn command(
    app: &App,
    argv: &[String],
    variables: &[(String, Secret)],
    live: &Live,
    findings: &mut Findings,
) -> Result<()> {
    let environment = &app.ctx.environment;
    let program = argv.first().map(String::as_str).unwrap_or_default();
    let project = Project::find(argv, environment);
    match find_program(program, environment) {
        None => {
            findings.row("tool", "not found");
            findings.refused(&not_found(program), &[]);
        }
        Some(path) => {
            findings.row("tool", path.display().to_string());
            match matches!(project, Ok(Some(_))) && is_python(&path) {
                true => versions(app, &path, findings).await,
                false => findings.row(
                    "version",
                    "not asked: a command that is not known might migrate",
                ),
            }
        }
    }
    let Some(project) = project? else {
        findings.row(
            "pending",
            "unknown: not Alembic, so verification rests on the other checks",
        );
        return Ok(());
    };
    shown_project(&project, findings);
    let scripts = Scripts::learn(&app.ctx, &project, variables).await?;
    findings.row("files", format!("{} migrations", scripts.revisions.len()));
    findings.row("heads", joined(scripts.heads()?));
    pending(&project, &scripts, live, findings)
}

fn shown_project(project: &Project, findings: &mut Findings) {
    let paths = |paths: &[PathBuf]| {
        let shown = paths.iter().map(|path| path.display().to_string());
        shown.collect::<Vec<_>>().join("\n")
    };
    findings.row("configuration", paths(&project.configuration));
    let scripts = project.script_location.as_ref();
    findings.row(
        "scripts",
        scripts.map_or("unknown".into(), |path| path.display().to_string()),
    );
    findings.row("versions", paths(&project.version_locations));
    if let Certainty::Uncertain(why) = &project.certainty {
        findings.row("reading", format!("asked alembic itself: {why}"));
    }
}

fn pending(
    project: &Project,
    scripts: &Scripts,
    live: &Live,
    findings: &mut Findings,
) -> Result<()> {
    let Some(current) = &live.revisions else {
        findings.row(
            "pending",
            "unknown: the database's revision could not be read",
        );
        return Ok(());
    };
    match scripts.forecast(&project.command.verb, current)? {
        Forecast::Unknown(why) => findings.row("pending", format!("unknown: {why}")),
        Forecast::Known { pending, .. } if pending.is_empty() => findings.row("pending", "nothing"),
        Forecast::Known { pending, .. } => {
            let lines: Vec<String> = pending.iter().map(line).collect();
            findings.row("pending", lines.join("\n"));
            findings.findings.extend(pending.iter().filter_map(warning));
        }
    }
    Ok(())
}

fn line(revision: &PendingRevision) -> String {
    let file = revision
        .file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    format!("{}  {}  ({file})", revision.id, revision.message)
}

/// Revisions that may leave half of themselves behind when they fail.
fn warning(revision: &PendingRevision) -> Option<Finding> {
    let risks = &revision.risks;
    let parts = [
        (risks.autocommit_block, "autocommit_block"),
        (risks.concurrently, "CONCURRENTLY"),
        (
            revision.transaction_per_migration,
            "transaction_per_migration",
        ),
    ];
    let used: Vec<&str> = parts
        .iter()
        .filter(|(used, _)| *used)
        .map(|(_, name)| *name)
        .collect();
    (!used.is_empty()).then(|| {
        Finding::warn(
            format!("revision {}", revision.id),
            format!(
                "uses {}: if it fails, a rollback will be needed",
                used.join(", ")
            ),
        )
    })
}

/// Whether this is an interpreter or a script of one, as Alembic's own program is. Anything else (a wrapper that has
/// the same name) may take no notice of `--version` and do its work: doctor must not touch anything.
fn is_python(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("python") || python_of(path).is_some()
}

/// The tool's own version, and that of the Python behind it.
async fn versions(app: &App, path: &Path, findings: &mut Findings) {
    let program = path.display().to_string();
    match version(app, vec![program.clone(), "--version".into()]).await {
        Ok(text) => findings.row("version", text),
        Err(error) => {
            findings.row("version", format!("unknown: {error}"));
            findings.hints.extend(hints::for_error(&error, &[]));
        }
    }
    if let Some(mut python) = python_of(path) {
        findings.row("python", python.join(" "));
        python.push("--version".into());
        let text = version(app, python).await;
        findings.row("", text.unwrap_or_else(|error| format!("unknown: {error}")));
    }
}

/// The first line that a program prints about itself.
async fn version(app: &App, argv: Vec<String>) -> Result<String> {
    let directory = &app.ctx.environment.working_directory;
    let captured = child::capture(&app.ctx, &argv, &[], directory, VERSION_TIMEOUT).await?;
    let said = if captured.stdout.trim().is_empty() {
        captured.stderr
    } else {
        captured.stdout
    };
    if captured.code != Some(0) {
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        return Err(Error::operation(format!("run {}", child::shown(&argv)))
            .because(last.unwrap_or("it failed without a word").trim()));
    }
    Ok(said.lines().next().unwrap_or_default().trim().to_owned())
}

/// The interpreter of a Python script, from its first line.
fn python_of(path: &Path) -> Option<Vec<String>> {
    use std::io::Read;
    let mut start = [0; 256];
    let length = std::fs::File::open(path).ok()?.read(&mut start).ok()?;
    let text = String::from_utf8_lossy(&start[..length]).into_owned();
    let line = text.lines().next()?.strip_prefix("#!")?;
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    words
        .iter()
        .any(|word| word.contains("python"))
        .then_some(words)
}

fn not_found(program: &str) -> Error {
    Error::refused(format!("find the migration tool `{program}`"))
        .because("it is not in PATH")
        .hint("activate the virtual environment, or give the full path: pgbelay run -- .venv/bin/alembic upgrade head")
        .hint("in a container: is the tool installed in this image?")
}

/// As the shell finds it.
fn find_program(program: &str, environment: &Environment) -> Option<PathBuf> {
    let directory = &environment.working_directory;
    if program.contains('/') {
        return Some(directory.join(program)).filter(|path| path.is_file());
    }
    let path = environment
        .get("PATH")
        .unwrap_or("/usr/local/bin:/usr/bin:/bin");
    path.split(':')
        .map(|folder| directory.join(folder).join(program))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
}

fn joined(heads: std::collections::BTreeSet<String>) -> String {
    if heads.is_empty() {
        return "none".to_owned();
    }
    heads.into_iter().collect::<Vec<_>>().join(", ")
}
