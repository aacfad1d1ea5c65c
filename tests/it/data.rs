//! What the tests of backup, restore, compare and rollback share: a database, a store, and the
//! library called directly, as the plain owner unless a test says otherwise.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgbelay::archive::Reader;
use pgbelay::compare::{Difference, State, compare};
use pgbelay::context::{Context, Environment, Event, Monitor, SessionCount, Stop, SystemClock};
use pgbelay::dump::{BackupReport, Destination, DumpOptions, backup};
use pgbelay::error::Result;
use pgbelay::pg::{self, Session, Sql, Target};
use pgbelay::restore::{RestoreOptions, RestoreReport, restore};
use pgbelay::rollback::{RollbackOptions, RollbackReport, roll_back};
use pgbelay::store::Store;

use crate::support::{CorpusFile, Database, Server, gunzip};

/// After this time a future is taken to hang: a deadlock must fail a test, not stop all tests.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Runs a future to its end on a runtime of its own.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let bounded = async { tokio::time::timeout(TIME_LIMIT, future).await };
    runtime.block_on(bounded).expect("no hanging")
}

/// Keeps warnings and notes.
#[derive(Debug, Default)]
pub struct Recorder(pub Mutex<Vec<String>>);

impl Monitor for Recorder {
    fn event(&self, event: Event) {
        if let Event::Warning(text) | Event::Note(text) = event {
            self.0.lock().unwrap().push(text);
        }
    }
}

/// A database and everything needed to work on it.
pub struct Bench {
    pub database: Database,
    pub store: Store,
    pub ctx: Context,
    pub recorder: Arc<Recorder>,
    directory: tempfile::TempDir,
}

impl Bench {
    /// An empty database.
    pub fn empty(server: &'static Server) -> Self {
        Self::on(Database::create(server))
    }

    /// With what the owner makes in it, on a server that was started long enough ago to be believed what it remembers.
    pub fn settled(server: &'static Server, sql: &str) -> Self {
        let bench = Self::empty(server);
        bench.database.sql_as_owner(sql);
        bench.database.sql(
            "SELECT pg_sleep(greatest(0, 4 - extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())))",
        );
        bench
    }

    /// A database that there is.
    pub fn on(database: Database) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let recorder = Arc::new(Recorder::default());
        Self {
            database,
            store: Store::open(&directory.path().join("backups")).expect("a store"),
            ctx: Context {
                clock: Arc::new(SystemClock),
                monitor: recorder.clone(),
                stop: Stop::never(),
                run_id: "testtest".to_owned(),
                sessions: SessionCount::default(),
                environment: Arc::new(Environment::default()),
            },
            recorder,
            directory,
        }
    }

    /// A database made by a file of `tests/corpus`, as the owner `app`.
    pub fn of_corpus(server: &'static Server, name: &str) -> Self {
        Self::on(CorpusFile::named(name).database(server))
    }

    /// A place for a file of the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The database, as a role that the socket trusts.
    pub fn target_as(&self, role: &str) -> Target {
        target(&self.database, role)
    }

    pub fn target(&self) -> Target {
        self.target_as("app")
    }

    pub fn backup(&self) -> Result<BackupReport> {
        self.backup_as("app")
    }

    pub fn backup_as(&self, role: &str) -> Result<BackupReport> {
        self.backup_by(role, &DumpOptions::default())
    }

    pub fn backup_with(&self, options: &DumpOptions) -> Result<BackupReport> {
        self.backup_by("app", options)
    }

    /// A backup by a role of the test's choosing, with options of its own.
    pub fn backup_by(&self, role: &str, options: &DumpOptions) -> Result<BackupReport> {
        let destination = Destination::Store(&self.store);
        wait(backup(
            &self.target_as(role),
            &destination,
            options,
            &self.ctx,
        ))
    }

    /// An archive of the database as it is now.
    pub fn archive(&self) -> Reader {
        let report = self.backup().expect("a backup");
        Reader::open(&report.archive).expect("an archive")
    }

    pub fn restore_into(&self, database: &Database, reader: &Reader) -> Result<RestoreReport> {
        let options = RestoreOptions::default();
        wait(restore(
            &target(database, "app"),
            reader,
            &options,
            &self.ctx,
        ))
    }

    /// A restore by a role of the test's choosing.
    pub fn restore_by(
        &self,
        role: &str,
        database: &Database,
        reader: &Reader,
    ) -> Result<RestoreReport> {
        self.restore_with(role, database, reader, RestoreOptions::default().jobs)
    }

    /// The same with several sessions.
    pub fn restore_with(
        &self,
        role: &str,
        database: &Database,
        reader: &Reader,
        jobs: usize,
    ) -> Result<RestoreReport> {
        let options = RestoreOptions { jobs };
        wait(restore(
            &target(database, role),
            reader,
            &options,
            &self.ctx,
        ))
    }

    pub fn roll_back(&self, reader: &Reader) -> Result<RollbackReport> {
        self.roll_back_with(reader, &RollbackOptions::default())
    }

    pub fn roll_back_with(
        &self,
        reader: &Reader,
        options: &RollbackOptions,
    ) -> Result<RollbackReport> {
        wait(roll_back(
            &self.target(),
            reader,
            &self.store,
            options,
            &self.ctx,
        ))
    }

    /// The archive as `gunzip | psql` sees it.
    pub fn script(&self, reader: &Reader) -> Vec<u8> {
        gunzip(reader.path())
    }

    /// How another database, which the archive was restored into, differs from it.
    pub fn difference_of(&self, database: &Database, reader: &Reader) -> Vec<String> {
        wait(async {
            let session =
                pg::connect(&target(database, "app"), pg::Purpose::Facts, &self.ctx).await;
            let session = session.expect("a session");
            let begin = Sql::constant("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            session.execute(&begin).await.expect("a transaction");
            let before = State::of_archive(reader).expect("the archive's state");
            let manifest = Some(reader.manifest());
            let after = State::of_database_like(&session, manifest, &self.ctx).await;
            compare(&before, &after.expect("the database's state")).lines()
        })
    }

    /// How the database differs from the archive.
    pub fn difference(&self, reader: &Reader) -> Difference {
        wait(async {
            let session = self.session().await;
            let before = State::of_archive(reader).expect("the archive's state");
            let after = State::of_database(&session, &self.ctx).await;
            compare(&before, &after.expect("the database's state"))
        })
    }

    /// A session in a transaction.
    pub async fn session(&self) -> Session {
        let session = pg::connect(&self.target(), pg::Purpose::Facts, &self.ctx).await;
        let session = session.expect("a session");
        let begin = Sql::constant("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        session.execute(&begin).await.expect("a transaction");
        session
    }
}

/// A database, as a role that the socket trusts.
pub fn target(database: &Database, role: &str) -> Target {
    let server = database.server();
    let socket = server.socket.to_str().expect("a path");
    Target::new(socket, server.port, database.name(), role)
}
