//! Somebody else's application: it commits a row every few milliseconds, connects again whenever it
//! is thrown out, and remembers every commit that the server acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Database, MARKER};

/// Time between two commits.
const PAUSE: Duration = Duration::from_millis(10);
/// Bound of every wait for the writer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the writer has come to.
#[derive(Debug, Default, Clone)]
struct Log {
    acknowledged: BTreeSet<i64>,
    refused: u64,
    other_failures: BTreeSet<String>,
}

/// A writer at work; [`Writer::stop`] ends it.
#[derive(Debug)]
pub struct Writer {
    log: Arc<Mutex<Log>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Makes the table `ledger` of role `app` and starts to write, as that role.
    pub fn start(database: &Database) -> Self {
        database.sql_as_owner("CREATE TABLE ledger (n bigint PRIMARY KEY)");
        let password = MARKER.replace('\\', r"\\").replace('\'', r"\'");
        let address = format!(
            "host=127.0.0.1 port={} user=app password='{password}' dbname={} \
             application_name='shop application'",
            database.server().port,
            database.name()
        );
        let (log, ends) = (Arc::<Mutex<Log>>::default(), Arc::<AtomicBool>::default());
        let (of_thread, until) = (Arc::clone(&log), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(write(&address, &of_thread, &until));
        });
        let writer = Self {
            log,
            ends,
            thread: Some(thread),
        };
        writer.wait_for_commits(20);
        writer
    }

    /// Waits until this many more commits were acknowledged.
    pub fn wait_for_commits(&self, more: usize) {
        let (begun, before) = (Instant::now(), self.acknowledged().len());
        while self.acknowledged().len() < before + more {
            assert!(
                begun.elapsed() < PATIENCE,
                "{:?}",
                self.log.lock().expect("the log")
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// The rows whose commit was acknowledged so far.
    pub fn acknowledged(&self) -> BTreeSet<i64> {
        self.log.lock().expect("the log").acknowledged.clone()
    }

    /// How many writes were refused because the transaction is read only.
    pub fn refused(&self) -> u64 {
        self.log.lock().expect("the log").refused
    }

    /// Ends it; fails if it met anything but being thrown out, kept from writing or rebuilt under.
    pub fn stop(mut self) -> BTreeSet<i64> {
        self.ends.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("a thread");
        thread.join().expect("the writer ends");
        let log = self.log.lock().expect("the log").clone();
        assert!(log.other_failures.is_empty(), "{:?}", log.other_failures);
        log.acknowledged
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

async fn write(address: &str, log: &Mutex<Log>, ends: &AtomicBool) {
    let mut n = 0;
    while !ends.load(Ordering::Relaxed) {
        let connected = tokio_postgres::connect(address, tokio_postgres::NoTls).await;
        let Ok((client, connection)) = connected else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        tokio::spawn(connection);
        while !ends.load(Ordering::Relaxed) && !client.is_closed() {
            n += 1;
            let sql = format!("INSERT INTO ledger VALUES ({n})");
            let result = client.batch_execute(&sql).await;
            note(&mut log.lock().expect("the log"), n, result);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn note(log: &mut Log, n: i64, result: Result<(), tokio_postgres::Error>) {
    let Err(error) = result else {
        log.acknowledged.insert(n);
        return;
    };
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("25006") => log.refused += 1,
        // Thrown out (57P01), or the table was dropped and made again (42P01, 40001 and internal ones).
        None | Some("57P01" | "42P01" | "40P01" | "XX000") => {}
        Some(_) => drop(log.other_failures.insert(error.to_string())),
    }
}
