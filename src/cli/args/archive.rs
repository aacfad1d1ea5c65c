//! Options of the commands that work with an archive: restore, rollback, drill, diff, recover.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Checks, Losses, OtherWriters, ReadingArguments, ToolArguments};

/// One archive.
#[derive(Debug, Clone, Args)]
pub(crate) struct ArchiveArgument {
    /// Archive file, or its name in the store
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
}

/// Where to restore to.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    pub archive: ArchiveArgument,

    /// Database to load into; it must be empty
    #[arg(long, value_name = "NAME")]
    pub into: String,

    /// Create that database first, with the properties of the archived one
    #[arg(long)]
    pub create: bool,
}

/// What to roll back to.
#[derive(Debug, Clone, Args)]
pub(crate) struct RollbackArguments {
    /// Archive file, or its name in the store (default: the latest of this database)
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    pub archive: Option<PathBuf>,

    /// Say what would be done and how long it would take; change nothing and keep nobody out
    #[arg(long)]
    pub plan: bool,

    /// Accept an archive of another database
    #[arg(long)]
    pub other_database: bool,

    /// Also undo what others wrote since the archive was made; it is saved first
    #[arg(long)]
    pub discard_other_writes: bool,

    /// How to put the database back
    #[arg(long, value_enum, default_value_t = StrategyArgument::Auto)]
    pub strategy: StrategyArgument,

    /// What proves that rows are equal
    #[arg(long, value_enum, default_value_t = ProofArgument::Content)]
    pub proof: ProofArgument,

    #[command(flatten)]
    pub losses: Losses,
}

/// What proves that rows are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProofArgument {
    /// Every row is read
    Content,
    /// Tables that the server counted no write for are not read; needs PostgreSQL 15 and no crash since
    Counters,
}

/// How a database is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArgument {
    /// Repair what differs; where that does not do, rebuild everything
    Auto,
    /// Only what differs is put back, or nothing
    Repair,
    /// Every object is dropped and made again
    Rebuild,
    /// A new database is made and takes the name; the failed one stays under another
    Swap,
}

/// What to drill, and where.
#[derive(Debug, Clone, Args)]
pub(crate) struct DrillArguments {
    /// Archive file, or its name in the store (default: the latest of this database)
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    pub archive: Option<PathBuf>,

    #[command(flatten)]
    pub scratch: ScratchArguments,

    /// Do not drop the restored database at the end: somebody wants to look at it
    #[arg(long)]
    pub keep: bool,
}

/// Where scratch databases are made.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ScratchArguments {
    /// Server for the scratch database, as a URL, of the same or a newer major (default: the
    /// database's own server). With a password, better in PGBELAY_SCRATCH_URL: other users can
    /// see a process's arguments
    #[arg(long, value_name = "URL")]
    pub scratch_url: Option<String>,
}

/// What to compare.
#[derive(Debug, Clone, Args)]
pub(crate) struct DiffArguments {
    #[command(flatten)]
    pub reading: ReadingArguments,

    /// Archive, URL, or db:NAME for a database on the same server
    #[arg(value_name = "A")]
    pub before: String,

    /// The same; default: the live database
    #[arg(value_name = "B")]
    pub after: Option<String>,

    #[command(flatten)]
    pub losses: Losses,
}

/// Options of `recover`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RecoverArguments {
    #[command(flatten)]
    pub checks: Checks,

    #[command(flatten)]
    pub tool: ToolArguments,

    /// What a rollback does when others wrote meanwhile
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "withhold",
        env = "PGBELAY_ON_OTHER_WRITERS",
        hide_env_values = true
    )]
    pub on_other_writers: OtherWriters,

    /// How to put the database back if the interrupted run has to be undone
    #[arg(long, value_enum, default_value_t = StrategyArgument::Auto, env = "PGBELAY_STRATEGY", hide_env_values = true)]
    pub strategy: StrategyArgument,

    /// What proves after a rollback that rows are equal
    #[arg(long, value_enum, default_value_t = ProofArgument::Content, env = "PGBELAY_PROOF", hide_env_values = true)]
    pub proof: ProofArgument,
}
