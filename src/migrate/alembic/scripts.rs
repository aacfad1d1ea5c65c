//! All migration scripts of a project, read from the folder or told by alembic itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::project::Project;
use super::script::{self, Script};
use crate::error::{Attempt, Kind, Result};

/// Whether something was understood without running Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certainty {
    /// Yes; alembic would say the same.
    Certain,
    /// No, for this reason: ask the command line.
    Uncertain(String),
}

impl Certainty {
    /// Keeps the first doubt.
    pub(super) fn doubt(&mut self, why: String) {
        if *self == Self::Certain {
            *self = Self::Uncertain(why);
        }
    }

    /// Whether it is certain.
    pub fn is_certain(&self) -> bool {
        *self == Self::Certain
    }
}

/// The scripts in the order in which alembic reads them.
#[derive(Debug, Clone)]
pub struct Scripts {
    /// Each script once.
    pub revisions: Vec<Script>,
    /// Whether the reading can be trusted.
    pub certain: Certainty,
    /// Whether each revision commits by itself (`transaction_per_migration` in env.py).
    pub transaction_per_migration: bool,
}

impl Scripts {
    /// Reads the version folders, offline. A folder that does not exist counts as empty, as it
    /// does for alembic. Errors (`Kind::Refused`): a folder or file cannot be read.
    pub fn read(project: &Project) -> Result<Self> {
        let mut scripts = Self {
            revisions: Vec::new(),
            certain: project.certainty.clone(),
            transaction_per_migration: project.environment.transaction_per_migration,
        };
        let mut seen = BTreeSet::new();
        for location in &project.version_locations {
            for file in python_files(location, project.recursive)? {
                let real = file.canonicalize().unwrap_or_else(|_| file.clone());
                if seen.insert(real.clone()) {
                    scripts.take(script::read(&real, &read_text(&real)?));
                }
            }
        }
        Ok(scripts)
    }

    fn take(&mut self, script: Script) {
        if let Some(doubt) = script.doubts.first() {
            self.certain.doubt(doubt.clone());
        }
        self.revisions.push(script);
    }
}

/// A script's text; Python's own default is UTF-8, and another encoding cannot change an id.
pub(super) fn read_text(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file)
        .attempt(|| format!("read the migration script {}", file.display()))
        .map_err(|error| error.narrowed(Kind::Refused))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files that alembic would load: sorted by name, a folder before the folders in it.
fn python_files(location: &Path, recursive: bool) -> Result<Vec<PathBuf>> {
    if !location.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    let mut folders = Vec::new();
    let entries = std::fs::read_dir(location)
        .attempt(|| format!("read the folder {}", location.display()))
        .map_err(|error| error.narrowed(Kind::Refused))?;
    for entry in entries {
        let path = entry
            .attempt(|| format!("read the folder {}", location.display()))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if recursive && !name.ends_with("__pycache__") {
                folders.push(path);
            }
        } else if name.ends_with(".py") && !name.starts_with(".#") && !name.starts_with("__init__")
        {
            files.push(path);
        }
    }
    files.sort();
    folders.sort();
    for folder in folders {
        files.extend(python_files(&folder, recursive)?);
    }
    Ok(files)
}
