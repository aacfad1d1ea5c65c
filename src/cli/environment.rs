//! The process's environment, read once and handed down as an input.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

use crate::context::Environment;
use crate::error::{Attempt, Result};

/// Reads variables, working directory and home.
pub(crate) fn read() -> Result<Environment> {
    let (variables, foreign) = sorted(std::env::vars_os());
    let working_directory =
        std::env::current_dir().attempt(|| "find the working directory".to_owned())?;
    let home = variables.get("HOME").map(PathBuf::from);
    let home = home.or_else(|| foreign.get(OsStr::new("HOME")).map(PathBuf::from));
    Ok(Environment {
        variables,
        foreign,
        working_directory,
        home: home.filter(|home| !home.as_os_str().is_empty()),
    })
}

/// What is text, and what is not: the latter is nobody's setting and must not be changed on its way to the migration.
fn sorted(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> (BTreeMap<String, String>, BTreeMap<OsString, OsString>) {
    let (mut variables, mut foreign) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in all {
        match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => {
                variables.insert(name.to_owned(), value.to_owned());
            }
            _ => {
                foreign.insert(name, value);
            }
        }
    }
    (variables, foreign)
}

/// Eight characters that tell this execution from every other: `[a-z0-9]{8}`.
pub(crate) fn new_run_id() -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The standard library seeds its hasher from the operating system's randomness.
    let mut number = RandomState::new().build_hasher().finish();
    (0..8)
        .map(|_| {
            let letter = usize::try_from(number % 36).unwrap_or(0);
            number /= 36;
            char::from(LETTERS[letter])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_differ_and_fit_the_pattern() {
        let (one, two) = (new_run_id(), new_run_id());
        assert_ne!(one, two);
        assert_eq!(one.len(), 8);
        assert!(
            one.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
    }
}
