//! Migrations as plain SQL files: `run --sql DIR`, and what `alembic upgrade --sql` prints.
//!
//! [`Plan::read`] reads and checks every file before anything runs, [`Plan::pending`] says which of
//! them the version rows ask for, [`apply`](Plan::apply) runs them in this process. A file that
//! changes the version rows itself is believed; for any other we set one row, in the file's own
//! transaction: its id (docs/alembic.md).

mod apply;
mod file;
mod splitter;
mod text;
mod version;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use apply::{Applied, ApplyOptions, version_schema};
pub use file::{SqlFile, Transaction, natural_order};
pub use text::SqlText;

use crate::error::{Attempt, Error, Kind, Result};
use crate::migrate::alembic::PendingRevision;

/// All files of a folder, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The folder.
    pub directory: PathBuf,
    /// Its files, in the order in which they run.
    pub files: Vec<SqlFile>,
}

impl Plan {
    /// Reads every `.sql` file of `directory` (not of folders in it; hidden files and `.down.sql`
    /// are left out). Errors (`Kind::Refused`): no such folder, no file, a file that cannot run
    /// here, two files with one id.
    pub fn read(directory: &Path) -> Result<Self> {
        let mut paths = sql_files(directory)?;
        paths.sort_by(|a, b| file::natural_order(&name_of(a), &name_of(b)));
        let files: Vec<SqlFile> = paths
            .iter()
            .map(|path| SqlFile::read(path))
            .collect::<Result<_>>()?;
        if files.is_empty() {
            return Err(refused(directory).because("it holds no .sql file"));
        }
        let plan = Self {
            directory: directory.to_owned(),
            files,
        };
        plan.refuse_duplicates()?;
        Ok(plan)
    }

    fn refuse_duplicates(&self) -> Result<()> {
        let mut seen: Vec<&SqlFile> = Vec::new();
        for file in self.files.iter().filter(|file| file.changes.is_empty()) {
            if let Some(other) = seen.iter().find(|other| other.version == file.version) {
                return Err(refused(&self.directory).because(format!(
                    "{} and {} have the same id {} in the version table",
                    name_of(&other.path),
                    name_of(&file.path),
                    file.version
                )));
            }
            seen.push(file);
        }
        Ok(())
    }

    /// The version rows when all files have run.
    pub fn expected(&self) -> BTreeSet<String> {
        self.states().pop().unwrap_or_default()
    }

    /// The files that still have to run on a database with these version rows. Errors
    /// (`Kind::Refused`): rows that no file leads to.
    pub fn pending(&self, current: &[String]) -> Result<&[SqlFile]> {
        let rows: BTreeSet<String> = current.iter().cloned().collect();
        let states = self.states();
        match states.iter().rposition(|state| *state == rows) {
            Some(done) => Ok(&self.files[done..]),
            None => Err(self.unknown_rows(&rows)),
        }
    }

    /// As [`Plan::pending`], for the screen.
    pub fn pending_revisions(&self, current: &[String]) -> Result<Vec<PendingRevision>> {
        let pending = self.pending(current)?.iter().map(|file| PendingRevision {
            id: file.version.clone(),
            file: file.path.clone(),
            message: String::new(),
            is_downgrade: false,
            risks: file.risks.clone(),
            transaction_per_migration: true,
        });
        Ok(pending.collect())
    }

    /// The version rows before the first file, after it, after the second …
    fn states(&self) -> Vec<BTreeSet<String>> {
        let first = self.files.first().and_then(|file| file.changes.first());
        // `alembic upgrade a:b --sql` starts from a database that is at a.
        let mut rows: BTreeSet<String> = first
            .and_then(version::Change::needs)
            .map(str::to_owned)
            .into_iter()
            .collect();
        let mut states = vec![rows.clone()];
        for file in &self.files {
            rows = file.rows_after(rows);
            states.push(rows.clone());
        }
        states
    }

    fn unknown_rows(&self, rows: &BTreeSet<String>) -> Error {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let known: Vec<&str> = self
            .files
            .iter()
            .map(|file| file.version.as_str())
            .collect();
        let at = if rows.is_empty() {
            "has no version yet".to_owned()
        } else {
            format!("is at {}", rows.join(", "))
        };
        refused(&self.directory)
            .because(format!("the database {at}, and none of these files starts there"))
            .hint(format!("files by id: {}", known.join(", ")))
            .hint("set the right one with `pgbelay stamp`, or name the folder that migrated this database")
    }
}

fn refused(directory: &Path) -> Error {
    Error::refused(format!("read the SQL files in {}", directory.display()))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn sql_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let attempted = || format!("read the folder {}", directory.display());
    let entries = std::fs::read_dir(directory)
        .attempt(attempted)
        .map_err(|error| error.narrowed(Kind::Refused))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.attempt(attempted)?.path();
        let name = name_of(&path);
        let counts =
            name.ends_with(".sql") && !name.starts_with('.') && !name.ends_with(".down.sql");
        if counts && path.is_file() {
            paths.push(path);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(files: &[(&str, &str)]) -> Plan {
        Plan {
            directory: PathBuf::from("dir"),
            files: files
                .iter()
                .map(|(name, text)| SqlFile::parse(Path::new(name), text).unwrap())
                .collect(),
        }
    }

    fn pending(plan: &Plan, current: &[&str]) -> Option<usize> {
        let current: Vec<String> = current.iter().map(|row| (*row).to_owned()).collect();
        plan.pending(&current).ok().map(<[SqlFile]>::len)
    }

    #[test]
    fn plain_files_are_followed_by_their_ids() {
        let plan = plan(&[("01_a.sql", "SELECT 1"), ("02_b.sql", "SELECT 2")]);
        assert_eq!(pending(&plan, &[]), Some(2));
        assert_eq!(pending(&plan, &["01"]), Some(1));
        assert_eq!(pending(&plan, &["02"]), Some(0));
        assert_eq!(pending(&plan, &["zz"]), None);
        assert_eq!(plan.expected(), BTreeSet::from(["02".to_owned()]));
    }

    #[test]
    fn alembics_own_version_statements_are_believed() {
        let insert = "BEGIN;\nINSERT INTO alembic_version (version_num) VALUES ('a');\n\
                      UPDATE alembic_version SET version_num='b' WHERE alembic_version.version_num = 'a';\nCOMMIT;";
        let update = "BEGIN; UPDATE alembic_version SET version_num='c' WHERE alembic_version.version_num = 'b'; COMMIT;";
        let whole = plan(&[("1.sql", insert), ("2.sql", update)]);
        assert_eq!(pending(&whole, &[]), Some(2));
        assert_eq!(pending(&whole, &["b"]), Some(1));
        assert_eq!(pending(&whole, &["c"]), Some(0));
        assert_eq!(pending(&whole, &["a"]), None);
        let tail = plan(&[("2.sql", update)]);
        assert_eq!(pending(&tail, &["b"]), Some(1));
        assert_eq!(pending(&tail, &[]), None);
    }
}
