//! What a run is asked to do: validated by `cli/`, without look-ups.

use std::path::PathBuf;
use std::time::Duration;

use crate::catalog::{AcceptedLosses, Locking};
use crate::migrate::child;
use crate::pg::{Secret, Target};
use crate::rollback::{ProofMode, Rung};
use crate::run::changes::ChangeDetail;

/// What brings the database to its new schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Migration {
    /// A command (`alembic upgrade head`); Alembic is recognised in it.
    Command(Vec<String>),
    /// A folder of ordered `.sql` files.
    Sql(PathBuf),
}

impl Migration {
    /// One line for people and for the journal.
    pub fn shown(&self) -> String {
        match self {
            Self::Command(argv) => child::shown(argv),
            Self::Sql(directory) => format!("--sql {}", directory.display()),
        }
    }
}

/// What happens when a rollback is needed and other sessions may have written meanwhile (P5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOtherWriters {
    /// Leave the database as the failed migration left it, say who wrote, exit 6.
    #[default]
    Stop,
    /// Roll back all the same; what they wrote is in the saved archive.
    Discard,
}

/// Whether writes of others are kept out while a run is at work (design.md §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FenceMode {
    /// Others are only watched.
    #[default]
    None,
    /// New sessions of the database read only, and those of before are ended.
    Writes,
}

/// Everything that shapes a run; the defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// What is run.
    pub migration: Migration,
    /// Where archives, journals and logs live.
    pub store: PathBuf,
    /// Connections of the backup.
    pub jobs: usize,
    /// Whether the fresh archive has to pass a drill before the tool is started.
    pub drill_first: bool,
    /// The server for scratch databases; none: the database's own.
    pub scratch: Option<Target>,
    /// How long the server is waited for.
    pub wait: Duration,
    /// How long another run's lock is waited for.
    pub lock_wait: Duration,
    /// How long others may keep a table from being read before the backup is given up.
    pub table_lock_wait: Duration,
    /// `lock_timeout` of the child's sessions; zero leaves the server's own.
    pub lock_timeout: Duration,
    /// Time limit of one attempt of the tool.
    pub timeout: Duration,
    /// How long a stop may take; the tool gets half of it before it is killed.
    pub grace: Duration,
    /// How often the tool is started again after a failure that committed nothing and may pass.
    pub retries: u32,
    /// Writes of others and a rollback.
    pub on_other_writers: OnOtherWriters,
    /// Which rungs a rollback may take.
    pub rung: Rung,
    /// What proves after a rollback that rows are equal.
    pub proof: ProofMode,
    /// How much is told of what a successful migration did.
    pub changes: ChangeDetail,
    /// Whether writes of others are kept out.
    pub fence: FenceMode,
    /// Equal failures in a row after which a run is refused.
    pub max_failures: u32,
    /// Runs in spite of [`RunOptions::max_failures`].
    pub force: bool,
    /// Tries an unknown newer server major.
    pub allow_unknown_server: bool,
    /// What the backup may lack, knowingly; it is named in the manifest and in the report.
    pub accept_losses: AcceptedLosses,
    /// Expected schema, checked after the migration.
    pub expect: Option<PathBuf>,
    /// Folder of queries that must return no row.
    pub verify_sql: Option<PathBuf>,
    /// A command that must exit with 0.
    pub verify_command: Option<Vec<String>>,
    /// Dialect of the operator's URL (`postgresql+psycopg2`), for the child's.
    pub dialect: Option<String>,
    /// Variables that an env file supplies and the environment lacks.
    pub env_file_variables: Vec<(String, Secret)>,
}

impl RunOptions {
    /// The options that name checks of this run's own.
    pub fn check_names(&self) -> Vec<String> {
        let named = [
            ("--expect", self.expect.is_some()),
            ("--verify-sql", self.verify_sql.is_some()),
            ("--verify-command", self.verify_command.is_some()),
        ];
        let named = named.into_iter().filter(|(_, given)| *given);
        named.map(|(option, _)| option.to_owned()).collect()
    }

    /// Connections of the backup when nobody said otherwise.
    pub const DEFAULT_JOBS: usize = 4;
    /// One replica's whole run: backup, migration and verification, while the others wait.
    pub const DEFAULT_LOCK_WAIT: Duration = Duration::from_secs(15 * 60);
    /// Long enough for a busy table's short transactions, short enough that the queue of readers
    /// behind a waiting `ALTER TABLE` stays an inconvenience; the attempt is repeated afterwards.
    pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(5);
    /// Time limit of one attempt.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60 * 60);
    /// Less than the 30 s that Kubernetes and ECS leave between SIGTERM and SIGKILL; Compose leaves 10.
    pub const DEFAULT_GRACE: Duration = Duration::from_secs(25);
    /// Attempts after the first.
    pub const DEFAULT_RETRIES: u32 = 3;
    /// Equal failures in a row.
    pub const DEFAULT_MAX_FAILURES: u32 = 3;

    /// The defaults for a migration and a store.
    pub fn new(migration: Migration, store: impl Into<PathBuf>) -> Self {
        Self {
            migration,
            store: store.into(),
            jobs: Self::DEFAULT_JOBS,
            drill_first: false,
            scratch: None,
            wait: Duration::from_secs(60),
            lock_wait: Self::DEFAULT_LOCK_WAIT,
            table_lock_wait: Locking::DEFAULT_WAIT,
            lock_timeout: Self::DEFAULT_LOCK_TIMEOUT,
            timeout: Self::DEFAULT_TIMEOUT,
            grace: Self::DEFAULT_GRACE,
            retries: Self::DEFAULT_RETRIES,
            on_other_writers: OnOtherWriters::Stop,
            rung: Rung::Auto,
            proof: ProofMode::Content,
            changes: ChangeDetail::default(),
            fence: FenceMode::None,
            max_failures: Self::DEFAULT_MAX_FAILURES,
            force: false,
            allow_unknown_server: false,
            accept_losses: AcceptedLosses::default(),
            expect: None,
            verify_sql: None,
            verify_command: None,
            dialect: None,
            env_file_variables: Vec::new(),
        }
    }
}
