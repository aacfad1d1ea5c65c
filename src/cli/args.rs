//! What the operator typed: commands, options and their help texts (design.md §9).
//!
//! Raw arguments only; `settings.rs` turns them into what we will do. Nothing is looked up while
//! parsing, apart from the `PGBELAY_*` variables that give options their defaults.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{
    ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint,
};

mod archive;
mod variables;

use super::duration;
use crate::catalog::{AcceptedLosses, Locking};
use crate::run::RunOptions;

pub(crate) use archive::{
    ArchiveArgument, DiffArguments, DrillArguments, ProofArgument, RecoverArguments,
    RestoreArguments, RollbackArguments, ScratchArguments, StrategyArgument,
};

/// The defaults of [`RunOptions`] as an operator would type them.
static LOCK_WAIT: LazyLock<String> =
    LazyLock::new(|| duration::typed(RunOptions::DEFAULT_LOCK_WAIT));
static TABLE_LOCK_WAIT: LazyLock<String> = LazyLock::new(|| duration::typed(Locking::DEFAULT_WAIT));
static LOCK_TIMEOUT: LazyLock<String> =
    LazyLock::new(|| duration::typed(RunOptions::DEFAULT_LOCK_TIMEOUT));

/// The end of `pgbelay --help`; docs/exit-codes.md has the long form.
const AFTER_HELP: &str = "\
Exit codes:
    0  done, or nothing to do           5  backup failed, migration not started
    1  failed, database as it was       6  rollback withheld, others wrote
    2  usage                            7  in doubt, a person is needed
    3  refused, nothing touched         8  difference or damage found
    4  lock not obtained          130 143  interrupted, database as it was

Example:
    pgbelay run -- alembic upgrade head";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "pgbelay",
    version,
    about = "Back up, migrate, verify and, when it fails, put a PostgreSQL database back and prove it",
    after_help = "Example: pgbelay run -- alembic upgrade head",
    after_long_help = AFTER_HELP,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

impl Arguments {
    /// What was typed, and what `PGBELAY_*` variables say besides.
    pub(crate) fn typed() -> Result<Self, clap::Error> {
        let typed: Vec<OsString> = std::env::args_os().collect();
        Self::read(&typed, &|name| std::env::var_os(name))
    }

    fn read(typed: &[OsString], lookup: variables::Lookup<'_>) -> Result<Self, clap::Error> {
        let mut command = variables::without_empty(Self::command(), lookup);
        let matches = command.try_get_matches_from_mut(typed);
        let matches = matches.map_err(|mut error| {
            variables::name_in(&mut error, &mut command, typed, lookup);
            error
        })?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The database: a URL (also SQLAlchemy's `postgresql+psycopg://`) or key/value string.
    /// Default: DATABASE_URL, then DB_HOST …, PG*, service file, .env. Prefer those when there
    /// is a password: other users can see a process's arguments
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// File of variables that the environment lacks (default: .env, when present)
    #[arg(long, global = true, value_name = "FILE", env = "PGBELAY_ENV_FILE", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub env_file: Option<PathBuf>,

    /// Expand ${NAME} in settings, for us and for the migration tool, instead of refusing it
    #[arg(long, global = true, env = "PGBELAY_EXPAND_ENV", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub expand_env: bool,

    /// Directory of archives, journals and logs
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_STORE, env = "PGBELAY_STORE", hide_env_values = true, value_parser = readable_path, value_hint = ValueHint::DirPath)]
    pub store: PathBuf,

    /// Connections that back up or restore, and threads that compress (default: processors, at most 8)
    #[arg(short, long, global = true, value_name = "N", env = "PGBELAY_JOBS", hide_env_values = true, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,

    /// How long to wait for the server to come up
    #[arg(long, global = true, value_name = "TIME", default_value = "60s", env = "PGBELAY_WAIT", hide_env_values = true, value_parser = duration::parse)]
    pub wait: Duration,

    /// Try a server major that this version was not tested with
    #[arg(long, global = true, env = "PGBELAY_ALLOW_UNKNOWN_SERVER", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub allow_unknown_server: bool,

    /// End with one JSON object on stdout
    #[arg(long, global = true, env = "PGBELAY_JSON", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub json: bool,

    /// Form of what is said on stderr: text for people, or one JSON object per line
    #[arg(
        long,
        global = true,
        value_name = "FORM",
        default_value = "text",
        env = "PGBELAY_LOG_FORMAT",
        hide_env_values = true
    )]
    pub log_format: LogFormat,

    /// Also write what is said to this file (mode 0600)
    #[arg(long, global = true, value_name = "FILE", env = "PGBELAY_LOG_FILE", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub log_file: Option<PathBuf>,

    /// Say more; twice for every statement
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say only warnings, errors and the last line
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// No progress bars and no progress lines
    #[arg(long, global = true, env = "PGBELAY_NO_PROGRESS", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub no_progress: bool,

    /// Colours; auto honours NO_COLOR and TERM=dumb
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "PGBELAY_COLOR",
        hide_env_values = true
    )]
    pub color: ColorWhen,
}

/// Form of what is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR or TERM=dumb.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands of design.md §9.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Back up, run the migration, verify it, and roll back when anything fails
    Run(RunArguments),
    /// Take an archive and print its path on stdout
    Backup(BackupArguments),
    /// Prove an archive whole, without a server
    Check(ArchiveArgument),
    /// Load an archive into a new or empty database
    Restore(RestoreArguments),
    /// Put the database back to an archive, with proof
    Rollback(RollbackArguments),
    /// Restore an archive into a scratch database, prove it equal, time it, drop it
    Drill(DrillArguments),
    /// Compare two states; each is an archive or a database
    Diff(DiffArguments),
    /// Run the checks on the live database; repairs nothing
    Verify(VerifyArguments),
    /// Finish an interrupted run
    Recover(RecoverArguments),
    /// List the archives in the store
    List,
    /// Show one archive's contents
    Show(ArchiveArgument),
    /// Print the database's definitions on stdout
    Schema(SchemaArguments),
    /// Set the version rows, like the runbook's UPDATE alembic_version
    Stamp(StampArguments),
    /// Check every precondition, show where each setting came from and what would be refused
    Doctor(DoctorArguments),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

impl Command {
    /// Whether it may change a database.
    pub(crate) fn acts(&self) -> bool {
        matches!(
            self,
            Self::Run(_) | Self::Restore(_) | Self::Rollback(_) | Self::Recover(_) | Self::Stamp(_)
        )
    }

    /// The name that the operator typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Backup(_) => "backup",
            Self::Check(_) => "check",
            Self::Restore(_) => "restore",
            Self::Rollback(_) => "rollback",
            Self::Drill(_) => "drill",
            Self::Diff(_) => "diff",
            Self::Verify(_) => "verify",
            Self::Recover(_) => "recover",
            Self::List => "list",
            Self::Show(_) => "show",
            Self::Schema(_) => "schema",
            Self::Stamp(_) => "stamp",
            Self::Doctor(_) => "doctor",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}

/// What the migration is and how the child is treated.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub tool: ToolArguments,

    #[command(flatten)]
    pub checks: Checks,

    #[command(flatten)]
    pub losses: Losses,

    /// Restore the fresh backup into a scratch database and compare it before the migration may
    /// start; the migration is not started unless that backup is proven (exit 5)
    #[arg(long, env = "PGBELAY_DRILL_FIRST", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub drill_first: bool,

    #[command(flatten)]
    pub scratch: ScratchArguments,

    /// How to put the database back if the migration fails
    #[arg(long, value_enum, default_value_t = StrategyArgument::Auto, env = "PGBELAY_STRATEGY", hide_env_values = true)]
    pub strategy: StrategyArgument,

    /// What proves after a rollback that rows are equal
    #[arg(long, value_enum, default_value_t = ProofArgument::Content, env = "PGBELAY_PROOF", hide_env_values = true)]
    pub proof: ProofArgument,

    /// How much to tell of what a successful migration did to definitions and rows
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = ReportArgument::Counts, env = "PGBELAY_REPORT", hide_env_values = true)]
    pub report: ReportArgument,

    /// Time for one attempt of the migration tool
    #[arg(long, value_name = "TIME", default_value = "1h", env = "PGBELAY_TIMEOUT", hide_env_values = true, value_parser = duration::parse)]
    pub timeout: Duration,

    /// Further attempts, only when nothing was committed and the failure may pass by itself
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        env = "PGBELAY_RETRIES",
        hide_env_values = true
    )]
    pub retries: u32,

    /// How long to wait for another run of the same database
    #[arg(long, value_name = "TIME", default_value = LOCK_WAIT.as_str(), env = "PGBELAY_LOCK_WAIT", hide_env_values = true, value_parser = duration::parse)]
    pub lock_wait: Duration,

    #[command(flatten)]
    pub reading: ReadingArguments,

    /// lock_timeout of the migration's own statements, which PGOPTIONS overrides; 0 for none
    #[arg(long, value_name = "TIME", default_value = LOCK_TIMEOUT.as_str(), env = "PGBELAY_LOCK_TIMEOUT", hide_env_values = true, value_parser = duration::parse)]
    pub lock_timeout: Duration,

    /// What a rollback does when others wrote meanwhile
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "withhold",
        env = "PGBELAY_ON_OTHER_WRITERS",
        hide_env_values = true
    )]
    pub on_other_writers: OtherWriters,

    #[command(flatten)]
    pub fence: FenceArguments,

    /// Refuse after this many failures in a row; 0 for never
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        env = "PGBELAY_MAX_FAILURES",
        hide_env_values = true
    )]
    pub max_failures: u32,

    /// Try again although the last runs failed too often
    #[arg(long)]
    pub force: bool,

    /// How long a stop may take: the migration tool gets half of it before it is killed
    #[arg(long, value_name = "TIME", default_value = "25s", env = "PGBELAY_GRACE", hide_env_values = true, value_parser = duration::parse)]
    pub grace: Duration,
}

/// Where archives are unless somebody says otherwise.
pub(crate) const DEFAULT_STORE: &str = "backups";

/// A path that can be shown, written into a journal, and typed again: one that is not UTF-8 is refused.
fn readable_path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

/// What the migration is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ToolArguments {
    /// Apply the .sql files of this directory, or what `alembic upgrade --sql` printed, instead
    /// of running a command
    #[arg(long, value_name = "DIR", conflicts_with = "command", value_hint = ValueHint::AnyPath)]
    pub sql: Option<PathBuf>,

    /// The migration command (default: alembic upgrade head)
    #[arg(value_name = "CMD", trailing_var_arg = true, allow_hyphen_values = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<String>,
}

/// The checks after a migration (design.md §6).
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Checks {
    /// Expected tables, columns and indexes, as `schema --format expect` prints them
    #[arg(long, value_name = "FILE", env = "PGBELAY_EXPECT", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub expect: Option<PathBuf>,

    /// Directory of .sql files; each must return no row
    #[arg(long, value_name = "DIR", env = "PGBELAY_VERIFY_SQL", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub verify_sql: Option<PathBuf>,

    /// Command that must exit 0; split at blanks, no shell
    #[arg(
        long,
        value_name = "CMD",
        env = "PGBELAY_VERIFY_COMMAND",
        hide_env_values = true
    )]
    pub verify_command: Option<String>,
}

/// What may be lost knowingly (docs/losses.md).
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Losses {
    /// Go on although objects of this kind cannot be restored; `all` for every kind that can be
    /// accepted. They are named in the archive and in the report; docs/losses.md lists the kinds
    #[arg(
        long = "accept-loss",
        value_name = "KIND",
        value_delimiter = ',',
        env = "PGBELAY_ACCEPT_LOSS",
        hide_env_values = true
    )]
    pub accepted: Vec<AcceptedLosses>,
}

/// What is verified.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub checks: Checks,

    #[command(flatten)]
    pub tool: ToolArguments,
}

/// What to do about committed writes of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OtherWriters {
    /// Do not roll back; exit 6 and say who wrote what.
    Withhold,
    /// Roll back all the same; their writes are saved first.
    Discard,
}

/// How much is told of a successful migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportArgument {
    /// Nothing.
    None,
    /// Definitions, and how many rows the server counted as written; no row is read.
    Counts,
    /// The same, with the rows read and compared of all tables that may have been written to.
    Rows,
}

/// Whether others may write while a run is at work.
#[derive(Debug, Clone, Args)]
pub(crate) struct FenceArguments {
    /// Keep writes of others out from before the backup to the end: `writes` makes new sessions of
    /// the database read only and ends those of before (docs/rollback.md says what it cannot stop)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "none",
        env = "PGBELAY_FENCE",
        hide_env_values = true
    )]
    pub fence: Fence,
}

/// What a fence keeps out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fence {
    /// Nothing; others are watched.
    None,
    /// Writes of other sessions.
    Writes,
}

/// How rows are read.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReadingArguments {
    /// How long to wait for a table that others keep locked before it is given up
    #[arg(long, value_name = "TIME", default_value = TABLE_LOCK_WAIT.as_str(), env = "PGBELAY_TABLE_LOCK_WAIT", hide_env_values = true, value_parser = duration::parse)]
    pub table_lock_wait: Duration,
}

/// Where a backup goes.
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub reading: ReadingArguments,

    /// File to write instead of a new one in the store
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub losses: Losses,
}

/// Form of the definitions.
#[derive(Debug, Clone, Args)]
pub(crate) struct SchemaArguments {
    /// sql: complete DDL; expect: a file for `--expect`
    #[arg(long, value_name = "FORM", default_value = "sql")]
    pub format: SchemaFormat,
}

/// Form of the definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// Complete DDL.
    Sql,
    /// A file for `--expect`.
    Expect,
}

/// Version rows to set.
#[derive(Debug, Clone, Args)]
pub(crate) struct StampArguments {
    /// Revisions that the version table shall hold; `base` for none
    #[arg(value_name = "REV", required = true)]
    pub revisions: Vec<String>,

    /// The version table, where env.py and the search_path do not say which one
    #[arg(long, value_name = "SCHEMA.TABLE")]
    pub version_table: Option<String>,

    #[command(flatten)]
    pub reading: ReadingArguments,

    /// Accept revisions that no script knows, or work without scripts
    #[arg(long)]
    pub force: bool,
}

/// What `doctor` examines.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub tool: ToolArguments,

    #[command(flatten)]
    pub checks: Checks,

    #[command(flatten)]
    pub losses: Losses,

    #[command(flatten)]
    pub fence: FenceArguments,

    /// A run is refused after this many failures in a row; 0 for never
    #[arg(
        long,
        value_name = "N",
        default_value_t = RunOptions::DEFAULT_MAX_FAILURES,
        env = "PGBELAY_MAX_FAILURES",
        hide_env_values = true
    )]
    pub max_failures: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let line = [
            "pgbelay",
            "run",
            "--retries",
            "1",
            "--",
            "alembic",
            "-x",
            "a=b",
            "upgrade",
            "head",
        ];
        let parsed = Arguments::try_parse_from(line).unwrap();
        let Command::Run(run) = parsed.command else {
            panic!("not run")
        };
        assert_eq!(run.retries, 1);
        assert_eq!(
            run.tool.command,
            ["alembic", "-x", "a=b", "upgrade", "head"]
        );
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let parsed = Arguments::try_parse_from(["pgbelay", "run"]).unwrap();
        let Command::Run(run) = parsed.command else {
            panic!("not run")
        };
        assert_eq!(run.timeout, RunOptions::DEFAULT_TIMEOUT);
        assert_eq!(run.retries, RunOptions::DEFAULT_RETRIES);
        assert_eq!(run.lock_wait, RunOptions::DEFAULT_LOCK_WAIT);
        assert_eq!(run.lock_timeout, RunOptions::DEFAULT_LOCK_TIMEOUT);
        assert_eq!(run.reading.table_lock_wait, Locking::DEFAULT_WAIT);
        assert_eq!(run.max_failures, RunOptions::DEFAULT_MAX_FAILURES);
        assert_eq!(run.grace, RunOptions::DEFAULT_GRACE);
    }

    #[test]
    fn sql_and_a_command_exclude_each_other() {
        assert!(Arguments::try_parse_from(["pgbelay", "run", "--sql", "d", "--", "true"]).is_err());
    }
}
