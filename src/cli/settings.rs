//! From what was typed to what we will do: one conversion, without I/O.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use super::args::{
    Checks, DEFAULT_STORE, Fence, FenceArguments, Global, Losses, OtherWriters, ProofArgument,
    ReportArgument, RunArguments, StrategyArgument, ToolArguments,
};
use crate::catalog::AcceptedLosses;
use crate::error::{Error, Result};
use crate::rollback::{ProofMode, Rung};
use crate::run::{ChangeDetail, FenceMode, Migration, OnOtherWriters};

/// More connections than this help no backup and hurt small servers.
const MOST_JOBS: usize = 8;

/// Settings of every command.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `--database-url`.
    pub database_url: Option<String>,
    /// `--env-file`.
    pub env_file: Option<PathBuf>,
    /// `--expand-env`.
    pub expand_env: bool,
    /// The store's directory.
    pub store: PathBuf,
    /// Whether it is another one than the default.
    pub store_given: bool,
    /// Workers.
    pub jobs: usize,
    /// Whether `--jobs` was given.
    pub jobs_given: bool,
    /// How long the server is waited for.
    pub wait: Duration,
    /// `--allow-unknown-server`.
    pub allow_unknown_server: bool,
}

impl Settings {
    /// Completes the global options.
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            database_url: global.database_url.clone(),
            env_file: global.env_file.clone(),
            expand_env: global.expand_env,
            store: global.store.clone(),
            store_given: global.store != Path::new(DEFAULT_STORE),
            jobs: global.jobs.map_or_else(default_jobs, usize::from),
            jobs_given: global.jobs.is_some(),
            wait: global.wait,
            allow_unknown_server: global.allow_unknown_server,
        }
    }

    /// The path of an archive: as given when that exists, else by its name in the store.
    pub(crate) fn archive_path(&self, given: &Path) -> PathBuf {
        let in_store = self.store.join(given);
        if !given.exists() && given.components().count() == 1 && in_store.exists() {
            in_store
        } else {
            given.to_owned()
        }
    }
}

fn default_jobs() -> usize {
    available_parallelism()
        .map_or(2, usize::from)
        .min(MOST_JOBS)
}

/// What the migration is.
pub(crate) fn migration(tool: &ToolArguments) -> Migration {
    match (&tool.sql, tool.command.is_empty()) {
        (Some(directory), _) => Migration::Sql(directory.clone()),
        (None, true) => {
            Migration::Command(["alembic", "upgrade", "head"].map(str::to_owned).into())
        }
        (None, false) => Migration::Command(tool.command.clone()),
    }
}

/// A first word that begins like an option is one that is misspelt: no command is called so.
pub(crate) fn refuse_misspelt(tool: &ToolArguments) -> Result<()> {
    match tool.command.first() {
        Some(word) if word.starts_with('-') => Err(Error::usage("read the command line")
            .because(format!(
                "there is no option {word} here, and no command begins with a dash"
            ))
            .hint("options stand before the command; `pgbelay run --help` lists them")),
        _ => Ok(()),
    }
}

/// The name shown before the migration tool's lines: its file name.
pub(crate) fn child_name(migration: &Migration) -> String {
    match migration {
        Migration::Sql(_) => "sql".to_owned(),
        Migration::Command(argv) => argv
            .first()
            .and_then(|program| Path::new(program).file_name())
            .map_or_else(
                || "tool".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            ),
    }
}

/// Everything that the operator accepts to lose.
pub(crate) fn accepted_losses(typed: &Losses) -> AcceptedLosses {
    let words = typed.accepted.iter();
    words.fold(AcceptedLosses::default(), AcceptedLosses::and)
}

/// What proves a rollback.
pub(crate) fn proof(typed: ProofArgument) -> ProofMode {
    match typed {
        ProofArgument::Content => ProofMode::Content,
        ProofArgument::Counters => ProofMode::Counters,
    }
}

/// How much is told of a successful migration.
pub(crate) fn change_detail(typed: ReportArgument) -> ChangeDetail {
    match typed {
        ReportArgument::None => ChangeDetail::None,
        ReportArgument::Counts => ChangeDetail::Counts,
        ReportArgument::Rows => ChangeDetail::Rows,
    }
}

/// What a rollback does about others.
pub(crate) fn rung(typed: StrategyArgument) -> Rung {
    match typed {
        StrategyArgument::Auto => Rung::Auto,
        StrategyArgument::Repair => Rung::Repair,
        StrategyArgument::Rebuild => Rung::Rebuild,
        StrategyArgument::Swap => Rung::Swap,
    }
}

/// What a run does when others may have written.
pub(crate) fn other_writers(typed: OtherWriters) -> OnOtherWriters {
    match typed {
        OtherWriters::Withhold => OnOtherWriters::Stop,
        OtherWriters::Discard => OnOtherWriters::Discard,
    }
}

/// Whether others may write.
pub(crate) fn fence(typed: &FenceArguments) -> FenceMode {
    match typed.fence {
        Fence::None => FenceMode::None,
        Fence::Writes => FenceMode::Writes,
    }
}

/// The verification command as arguments.
pub(crate) fn verify_command(checks: &Checks) -> Result<Option<Vec<String>>> {
    checks.verify_command.as_deref().map(words).transpose()
}

/// Checks what clap cannot.
pub(crate) fn validate_run(run: &RunArguments) -> Result<()> {
    if run.timeout.is_zero() {
        return Err(
            Error::usage("read --timeout").because("0 would end the migration before it starts")
        );
    }
    Ok(())
}

/// Splits a command at blanks; single and double quotes keep blanks, a backslash the next
/// character. No shell is involved, so nothing else is special.
pub(crate) fn words(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().extend(characters.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() || words.is_empty() {
        return Err(Error::usage(format!("read the command `{text}`"))
            .because("it is empty, or a quote is not closed"));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_what_is_quoted() {
        assert_eq!(
            words("python  verify.py 'a b' \"c\\\"d\" e\\ f ''").unwrap(),
            ["python", "verify.py", "a b", "c\"d", "e f", ""]
        );
        assert!(words("  ").is_err());
        assert!(words("a 'b").is_err());
    }

    #[test]
    fn alembic_is_the_default() {
        let none = ToolArguments {
            sql: None,
            command: vec![],
        };
        assert_eq!(migration(&none).shown(), "alembic upgrade head");
        assert_eq!(child_name(&migration(&none)), "alembic");
    }

    #[test]
    fn the_child_is_named_by_its_file() {
        let command = Migration::Command(vec!["/opt/venv/bin/alembic".into(), "upgrade".into()]);
        assert_eq!(child_name(&command), "alembic");
    }
}
