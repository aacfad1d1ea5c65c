//! Which lines of a definition changed.

use serde::Serialize;

/// Texts longer than this are not searched for their common lines, only trimmed at both ends.
const SEARCHED_LINES: usize = 400;

/// Neighbouring lines of a text that differ: what stood there, and what stands there now. Blanks around a line do not
/// count as its part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChangedPart {
    /// Lines of the earlier text.
    pub before: Vec<String>,
    /// Lines of the later one.
    pub after: Vec<String>,
}

/// What is not common to both texts.
pub(super) fn parts(before: &str, after: &str) -> Vec<ChangedPart> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = common(old.iter().zip(&new));
    let (old, new) = (&old[head..], &new[head..]);
    let tail = common(old.iter().rev().zip(new.iter().rev()));
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let kept = match old.len().max(new.len()) <= SEARCHED_LINES {
        true => longest_common(old, new),
        false => Vec::new(),
    };
    between(old, new, &kept)
}

fn common<'a>(pairs: impl Iterator<Item = (&'a &'a str, &'a &'a str)>) -> usize {
    pairs.take_while(|(left, right)| left == right).count()
}

/// Pairs of indexes of a longest common subsequence, ascending.
fn longest_common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let mut lengths = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i][j] = if old[i] == new[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// What stands between the kept pairs.
fn between(old: &[&str], new: &[&str], kept: &[(usize, usize)]) -> Vec<ChangedPart> {
    let mut parts = Vec::new();
    let (mut i, mut j) = (0, 0);
    let end = (old.len(), new.len());
    for &(next_old, next_new) in kept.iter().chain(std::iter::once(&end)) {
        let part = ChangedPart {
            before: trimmed(&old[i..next_old]),
            after: trimmed(&new[j..next_new]),
        };
        if part != ChangedPart::default() {
            parts.push(part);
        }
        (i, j) = (next_old + 1, next_new + 1);
    }
    parts
}

fn trimmed(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| line.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(before: &[&str], after: &[&str]) -> ChangedPart {
        ChangedPart {
            before: trimmed(before),
            after: trimmed(after),
        }
    }

    #[test]
    fn only_changed_lines_are_parts() {
        let before = "CREATE TABLE t (\n    id integer,\n    email text,\n    n integer\n);\n";
        let after =
            "CREATE TABLE t (\n    id bigint,\n    email text,\n    n integer,\n    x text\n);\n";
        assert_eq!(
            parts(before, after),
            [
                part(&["id integer,"], &["id bigint,"]),
                part(&["n integer"], &["n integer,", "x text"]),
            ]
        );
        assert!(parts(before, before).is_empty());
        assert_eq!(parts("", "a\n"), [part(&[], &["a"])]);
    }
}
