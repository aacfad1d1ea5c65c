//! An archive → a database.
//!
//! [`restore`] fills an empty database: with one session in one transaction, whole or not at all
//! ([`whole`]), or with several sessions and a mark while it is not complete ([`parallel`]).
//! [`load_except`] does the work inside a transaction of the caller's: a rollback rebuilds with it.
//! The session settings are those that `pg::connect` pins for the server that is restored to; the
//! archive's preamble is for psql only.

mod batch;
mod create;
mod empty;
mod lend;
mod memory;
mod parallel;
mod preflight;
mod properties;
mod refresh;
mod rows;
mod whole;
mod work;

use std::time::Duration;

use serde::Serialize;

use crate::archive::{Manifest, Reader};
use crate::context::{Context, Phase};
use crate::error::{Attempt, Error, Kind, Result};
use crate::pg::{self, Session, Target};

pub use batch::{Statement, run as run_statements};
pub use create::{create_database, dress_database, dress_within, drop_database};
pub use empty::user_objects;
pub use properties::set_properties;
pub use refresh::Unfilled;
pub use whole::{Parts, load_except, load_parts};

/// How to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// Sessions that load and build at the same time. With 1 the restore is one transaction.
    pub jobs: usize,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { jobs: 1 }
    }
}

/// Rows and entries up to which a restore is one transaction unless somebody says otherwise.
const SMALL_BYTES: u64 = 16 << 20;
const SMALL_ENTRIES: usize = 1_000;

/// Whether an archive is so small that one transaction is quicker than several sessions, and safer.
pub fn is_small(manifest: &Manifest) -> bool {
    let bytes: u64 = manifest.tables.iter().map(|table| table.bytes).sum();
    bytes <= SMALL_BYTES && manifest.entries.len() <= SMALL_ENTRIES
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct RestoreReport {
    /// Entries created.
    pub entries: usize,
    /// Tables that got rows.
    pub tables: usize,
    /// Rows.
    pub rows: u64,
    /// Bytes of COPY text.
    pub bytes: u64,
    /// Materialized views that could not be filled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unfilled: Vec<Unfilled>,
    /// Connecting to committing.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// Restores the archive into the target's database, which must be empty.
///
/// Refuses ([`Kind::Refused`]) what `preflight` finds, all of it at once. Fails with
/// [`Kind::Failed`] if the database is as it was before: always with one job. With several,
/// [`Kind::InDoubt`] says that it was left incomplete, and marked so.
pub async fn restore(
    target: &Target,
    reader: &Reader,
    options: &RestoreOptions,
    ctx: &Context,
) -> Result<RestoreReport> {
    let _phase = ctx.phase(Phase::Restore);
    let started = std::time::Instant::now();
    let session = pg::connect(target, pg::Purpose::Restore, ctx).await?;
    let result = match parallel::gather(&session, options.jobs, ctx).await {
        Ok(crew) if crew.is_empty() => at_once_or_not_at_all(&session, target, reader, ctx).await,
        Ok(crew) => parallel::restore(&session, crew, reader, ctx).await,
        Err(error) => Err(error.narrowed(Kind::Failed).now("nothing was changed")),
    };
    session.close().await;
    let report = result?;
    Ok(RestoreReport {
        elapsed: started.elapsed(),
        ..report
    })
}

/// Reads the archive and compares every hash before anything is made of it: damage is no reason to leave a
/// database half filled. Signals are heard meanwhile.
///
/// # Errors
/// [`Kind::Difference`] for the first damaged member, [`Kind::Interrupted`].
pub async fn require_undamaged(reader: &Reader, ctx: &Context) -> Result<()> {
    let _phase = ctx.phase(Phase::Check);
    let attempted = || format!("read the archive {}", reader.path().display());
    let own = reader.clone();
    let read = tokio::task::spawn_blocking(move || own.require_undamaged());
    tokio::select! {
        read = read => read.attempt(attempted)?,
        signal = ctx.stop.wait() => Err(Error::new(Kind::Interrupted(signal), attempted())
            .because(format!("interrupted by signal {signal}"))
            .now("nothing was touched")),
    }
}

async fn at_once_or_not_at_all(
    session: &Session,
    target: &Target,
    reader: &Reader,
    ctx: &Context,
) -> Result<RestoreReport> {
    let result = tokio::select! {
        biased;
        signal = ctx.stop.wait() => Err(Error::new(Kind::Interrupted(signal), attempted(target, reader))
            .because(format!("interrupted by signal {signal}"))),
        result = whole::in_transaction(session, reader, ctx) => result,
    };
    match result {
        Err(error) if error.kind() != Kind::Refused => Err(error.narrowed(Kind::Failed).now(format!(
            "the database {} is empty as before: the restore was one transaction and did not commit",
            target.database()
        ))),
        result => result,
    }
}

fn attempted(target: &Target, reader: &Reader) -> String {
    let archive = reader.path().display();
    format!("restore {archive} into {}", target.masked())
}
