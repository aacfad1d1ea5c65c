//! Where we are: working directory, environment's name, store and its free space.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::Findings;
use crate::cli::app::App;
use crate::cli::render::units;
use crate::context::Environment;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::run;
use crate::run::preflight::Finding;
use crate::store::Store;

/// Variables that frameworks use for the name of the environment.
const NAMES: [&str; 5] = ["APP_ENV", "ENVIRONMENT", "ENV", "FLASK_ENV", "DJANGO_ENV"];

/// Examines them without making anything.
pub(super) fn examine(app: &App, findings: &mut Findings) {
    let environment = &app.ctx.environment;
    findings.section("Here");
    findings.row("pgbelay", env!("CARGO_PKG_VERSION"));
    findings.row(
        "directory",
        environment.working_directory.display().to_string(),
    );
    findings.row("environment", named(environment));
    findings.row("workers", app.settings.jobs.to_string());
    findings.row("store", app.settings.store.display().to_string());
    match store(&app.settings.store) {
        Ok(facts) => {
            findings.row("", facts);
            findings.findings.extend(interrupted(&app.settings.store));
        }
        Err(error) => {
            findings.row("", error.reason().unwrap_or_default());
            findings.refused(&error, &[]);
        }
    }
}

fn named(environment: &Environment) -> String {
    let set = NAMES
        .iter()
        .find_map(|name| Some((name, environment.get(name)?)));
    match set {
        Some((name, value)) => format!("{value} ({name})"),
        None => "not named (APP_ENV, ENVIRONMENT and the like are not set)".to_owned(),
    }
}

/// What the store holds, or where it would be made.
fn store(directory: &Path) -> Result<String> {
    if !directory.exists() {
        let parent = existing_parent(directory);
        let allowed = access(&parent, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
        return if allowed {
            Ok("does not exist yet; a run makes it".to_owned())
        } else {
            Err(
                Error::refused(format!("make the store {}", directory.display()))
                    .because(format!(
                        "Permission denied: {} is not writable for this user",
                        parent.display()
                    ))
                    .hint("name another directory with --store, or make this one writable"),
            )
        };
    }
    let store = Store::open(directory)?;
    store.check_writable()?;
    let archives = units::how_many(store.archives()?.len());
    Ok(format!(
        "writable, {} free, {}",
        units::bytes(store.free_bytes()?),
        units::plural(archives, "archive", "archives")
    ))
}

/// Runs that did not say how they ended; the next run of their database finishes them first.
fn interrupted(directory: &Path) -> Vec<Finding> {
    let journals = if directory.is_dir() {
        Store::open(directory)
            .and_then(|store| store.journals())
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let unfinished = journals.into_iter().filter_map(|file| {
        let unfinished = Journal::read(&file.path).and_then(|records| run::is_unfinished(&records));
        let why = match unfinished {
            Ok(false) => return None,
            Ok(true) => "a run was interrupted, or is at work now".to_owned(),
            Err(error) => error.reason().unwrap_or_default(),
        };
        let cure = "`pgbelay recover` finishes it; the next run does so by itself";
        Some(Finding::warn(format!("journal {}", file.name), why).cured_by(cure))
    });
    unfinished.collect()
}

/// The nearest directory above that exists.
fn existing_parent(directory: &Path) -> PathBuf {
    directory
        .ancestors()
        .skip(1)
        .map(|parent| {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
        })
        .find(|parent| parent.is_dir())
        .map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}
