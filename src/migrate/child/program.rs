//! Finds the program in the child's own PATH, so that a missing tool is named before anything runs.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The file to execute for `argv[0]`. Errors (`Kind::Refused`): no such command, not executable.
pub(super) fn find(argv: &[String], path: Option<&OsStr>, directory: &Path) -> Result<PathBuf> {
    let Some(name) = argv.first().filter(|name| !name.is_empty()) else {
        return Err(Error::usage("start the migration").because("the command is empty"));
    };
    if name.contains('/') {
        return named(name, directory.join(name));
    }
    let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let mut not_executable = None;
    for folder in std::env::split_paths(path) {
        let candidate = directory.join(folder).join(name);
        match candidate.metadata() {
            Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {
                return Ok(candidate);
            }
            Ok(found) if found.is_file() => not_executable = Some(candidate),
            _ => {}
        }
    }
    Err(match not_executable {
        Some(file) => not_executable_file(name, &file),
        None => not_found(name, &path.to_string_lossy()),
    })
}

/// A program that is named by its path.
fn named(name: &str, program: PathBuf) -> Result<PathBuf> {
    match program.metadata() {
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => Ok(program),
        Ok(found) if found.is_file() => Err(not_executable_file(name, &program)),
        Ok(_) => Err(Error::refused(format!("start {name}"))
            .because(format!("{} is no file", program.display()))),
        Err(error) => Err(Error::refused(format!("start {name}"))
            .because(format!("{}: {error}", program.display()))),
    }
}

/// The error of a program that was found and still could not be started.
pub(super) fn cannot_start(
    argv: &[String],
    program: &Path,
    directory: &Path,
    error: &io::Error,
) -> Error {
    let name = argv.first().map_or("", String::as_str);
    if !directory.is_dir() {
        return Error::refused(format!("start {name}")).because(format!(
            "the working directory {} does not exist",
            directory.display()
        ));
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => not_executable_file(name, program),
        io::ErrorKind::NotFound if program.exists() => Error::refused(format!("start {name}"))
            .because(format!(
                "the interpreter that {} names in its first line does not exist",
                program.display()
            ))
            .hint("the virtual environment was probably moved; make it again"),
        io::ErrorKind::NotFound => Error::refused(format!("start {name}"))
            .because(format!("{} does not exist", program.display())),
        _ => Error::refused(format!("start {}", program.display())).because(error.to_string()),
    }
}

fn not_executable_file(name: &str, file: &Path) -> Error {
    Error::refused(format!("start {name}"))
        .because(format!("{} may not be executed", file.display()))
        .hint(format!("chmod +x {}", file.display()))
}

fn not_found(name: &str, path: &str) -> Error {
    let error = Error::refused(format!("start {name}"))
        .because(format!("there is no such command; PATH searched: {path}"));
    if name == "alembic" {
        error.hint(
            "activate the virtual environment, give the tool's path (.venv/bin/alembic), \
             or install it: pip install alembic",
        )
    } else {
        error.hint("is it misspelt, or not installed in this image or virtual environment?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_missing_command_names_the_path() {
        let error = find(
            &words(&["alembic"]),
            Some(OsStr::new("/nowhere:/nothing")),
            Path::new("/"),
        )
        .unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Refused);
        assert_eq!(
            error.to_string(),
            "start alembic: there is no such command; PATH searched: /nowhere:/nothing"
        );
    }

    #[test]
    fn an_empty_command_is_a_usage_error() {
        let error = find(&[], None, Path::new("/")).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
    }
}
