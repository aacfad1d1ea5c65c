//! The process's environment, read once and handed down as an input.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

use crate::context::Environment;
use crate::error::{Attempt, Result};

/// Reads variables, working directory and home. Values that are not UTF-8 lose the bytes that no
/// setting of ours can contain.
pub(crate) fn read() -> Result<Environment> {
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (lossy(&name), lossy(&value)))
        .collect();
    let working_directory =
        std::env::current_dir().attempt(|| "find the working directory".to_owned())?;
    let home = variables
        .get("HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from);
    Ok(Environment {
        variables,
        working_directory,
        home,
    })
}

fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
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
