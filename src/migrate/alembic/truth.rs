//! Alembic's own word, where the scripts cannot be understood offline.
//!
//! `alembic history --verbose` tells every revision with its parents, dependencies, labels and
//! file; it loads the scripts and neither env.py nor the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::project::Project;
use super::risks::{Direction, scan};
use super::script::Script;
use super::scripts::{Certainty, Scripts, read_text};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::migrate::child::{self, Captured, Mask};
use crate::pg::Secret;

/// Loading all scripts may import a whole application; this is not the migration.
const ASK_LIMIT: Duration = Duration::from_secs(120);

impl Scripts {
    /// The folder's reading where it is certain, else alembic's own word. `variables` are those of
    /// the migration itself; no secret among them reaches an error.
    pub async fn learn(
        ctx: &Context,
        project: &Project,
        variables: &[(String, Secret)],
    ) -> Result<Self> {
        let offline = Self::read(project)?;
        if offline.certain.is_certain() {
            return Ok(offline);
        }
        Self::ask(ctx, project, variables).await
    }

    /// Asks the command line. Errors (`Kind::Refused`): alembic cannot be started or refuses.
    pub async fn ask(
        ctx: &Context,
        project: &Project,
        variables: &[(String, Secret)],
    ) -> Result<Self> {
        let answer = run(ctx, project, variables, &["history", "--verbose"]).await?;
        Ok(Self {
            revisions: parse_history(&answer.stdout),
            certain: Certainty::Certain,
            transaction_per_migration: project.environment.transaction_per_migration,
        })
    }
}

/// Runs alembic with another verb: same words before it, same environment.
async fn run(
    ctx: &Context,
    project: &Project,
    variables: &[(String, Secret)],
    words: &[&str],
) -> Result<Captured> {
    let mut argv = project.command.prefix.clone();
    argv.extend(words.iter().map(|word| (*word).to_owned()));
    let directory = &project.working_directory;
    let answer = child::capture(ctx, &argv, variables, directory, ASK_LIMIT).await?;
    if answer.code == Some(0) {
        return Ok(answer);
    }
    let secrets: Vec<Secret> = variables.iter().map(|(_, value)| value.clone()).collect();
    let said = [answer.stderr.as_str(), answer.stdout.as_str()].join("\n");
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let error = Error::refused(format!("ask alembic: {}", child::shown(&argv)))
        .because(Mask::new(&secrets).apply(last.unwrap_or("it failed without a word").trim()));
    Err(match child::explanation(&argv, &said) {
        Some(cure) => error.hint(cure),
        None => error,
    })
}

/// The revisions of `alembic history --verbose`, lowest first.
fn parse_history(text: &str) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Rev: ") {
            scripts.push(Script {
                id: rest
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                ..Script::default()
            });
        }
        if let Some(script) = scripts.last_mut() {
            take_line(script, line);
        }
    }
    scripts.reverse();
    keep_first_labels(&mut scripts);
    scripts
}

fn take_line(script: &mut Script, line: &str) {
    if let Some(parents) = line
        .strip_prefix("Parent: ")
        .or_else(|| line.strip_prefix("Merges: "))
    {
        script.down = list(parents);
        script.down.retain(|parent| parent != "<base>");
    } else if let Some(names) = line.strip_prefix("Also depends on: ") {
        script.depends_on = list(names);
    } else if let Some(names) = line.strip_prefix("Branch names: ") {
        script.labels = list(names);
    } else if let Some(path) = line.strip_prefix("Path: ") {
        script.file = PathBuf::from(path);
        read_risks(script);
    } else if let Some(text) = line
        .strip_prefix("    ")
        .filter(|_| script.message.is_empty())
    {
        text.trim().clone_into(&mut script.message);
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Hints only: a script in a container cannot be read, and then there are none.
fn read_risks(script: &mut Script) {
    if let Ok(text) = read_text(Path::new(&script.file)) {
        let statements = super::lexer::statements(&text);
        script.upgrade = scan(&statements, Direction::Upgrade);
        script.downgrade = scan(&statements, Direction::Downgrade);
    }
}

/// Alembic hands a label on to every revision of its branch; the lowest one stands for it here.
fn keep_first_labels(scripts: &mut [Script]) {
    let mut seen = std::collections::BTreeSet::new();
    for script in scripts {
        script.labels.retain(|label| seen.insert(label.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_understood() {
        let text = "Rev: c (head) (mergepoint)\nMerges: a, b\nPath: /nowhere/c.py\n\n    merge them\n    \n    Revision ID: c\n\n\
                    Rev: b\nParent: <base>\nAlso depends on: a\nBranch names: x\nPath: /nowhere/b.py\n\n    b\n\n\
                    Rev: a (current)\nParent: <base>\nPath: /nowhere/a.py\n\n    \n";
        let scripts = parse_history(text);
        let ids: Vec<&str> = scripts.iter().map(|script| script.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(scripts[2].down, ["a", "b"]);
        assert_eq!(scripts[1].depends_on, ["a"]);
        assert_eq!(scripts[2].message, "merge them");
        assert!(scripts[0].down.is_empty());
    }
}
