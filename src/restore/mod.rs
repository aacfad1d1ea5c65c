//! An archive → a database. One transaction: whole or not at all.
//!
//! [`restore`] fills an empty database and leaves it empty when anything fails. [`load`] does the
//! work inside a transaction of the caller's: a rollback rebuilds with it. The session settings
//! are those that `pg::connect` pins for the server that is restored to; the archive's preamble
//! is for psql only. Entries run in restore order, rows go over the COPY protocol, one member
//! after the other; a ready-queue over the dependencies comes with parallel restore.

mod batch;
mod create;
mod empty;
mod lend;
mod preflight;
mod properties;
mod rows;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::archive::{MemberKind, Reader, Section};
use crate::catalog::{self, Rights, set_sequence};
use crate::context::{Context, Phase, Progress};
use crate::error::{Attempt, Error, Kind, Result};
use crate::pg::{self, Session, Sql, Target};

use lend::Loans;

pub use batch::{Statement, run as run_statements};
pub use create::{create_database, dress_database, drop_database};
pub use empty::user_objects;
pub use properties::set_properties;

/// How to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// Members loaded at the same time; only 1 has an effect yet.
    pub jobs: usize,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { jobs: 1 }
    }
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
    /// Connecting to committing.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// Restores the archive into the target's database, which must be empty.
///
/// Refuses ([`Kind::Refused`]) what `preflight` finds, all of it at once. Fails with [`Kind::Failed`] otherwise; the
/// database is then empty as before.
pub async fn restore(
    target: &Target,
    reader: &Reader,
    _options: &RestoreOptions,
    ctx: &Context,
) -> Result<RestoreReport> {
    let _phase = ctx.phase(Phase::Restore);
    let started = std::time::Instant::now();
    let session = pg::connect(target, "restore", ctx).await?;
    let result = tokio::select! {
        biased;
        signal = ctx.stop.wait() => Err(Error::new(Kind::Interrupted(signal), attempted(target, reader))
            .because(format!("interrupted by signal {signal}"))),
        result = in_transaction(&session, reader, ctx) => result,
    };
    session.close().await;
    match result {
        Ok(report) => Ok(RestoreReport {
            elapsed: started.elapsed(),
            ..report
        }),
        Err(error) if error.kind() == Kind::Refused => Err(error),
        Err(error) => Err(error.narrowed(Kind::Failed).now(format!(
            "the database {} is empty as before: the restore was one transaction and did not commit",
            target.database()
        ))),
    }
}

fn attempted(target: &Target, reader: &Reader) -> String {
    let archive = reader.path().display();
    format!("restore {archive} into {}", target.masked())
}

async fn in_transaction(
    session: &Session,
    reader: &Reader,
    ctx: &Context,
) -> Result<RestoreReport> {
    empty::require_label_providers(session, reader.manifest()).await?;
    session.execute(&Sql::constant("BEGIN")).await?;
    let present = preflight::require(session, reader, ctx).await?;
    let report = load_except(session, reader, &present, ctx).await?;
    session.execute(&Sql::constant("COMMIT")).await?;
    Ok(report)
}

/// Executes the archive inside the caller's transaction, which the caller ends, without the entries
/// (indexes into the manifest's) that are already there.
pub async fn load_except(
    session: &Session,
    reader: &Reader,
    present: &BTreeSet<usize>,
    ctx: &Context,
) -> Result<RestoreReport> {
    let rights = Rights::of(session).await?;
    let loans = Loans::of(reader.manifest(), present, &rights);
    let mut work = Work::new(session, reader, present, &loans, ctx);
    work.lend_in_standing_schemas(&rights).await?;
    work.entries(Section::PreData).await?;
    work.entries(Section::Data).await?;
    work.rows().await?;
    work.large_objects().await?;
    work.sequences().await?;
    work.entries(Section::PostData).await?;
    batch::run(session, &loans.take_back()).await?;
    work.entries(Section::Acl).await?;
    work.entries(Section::Last).await?;
    Ok(work.report)
}

/// A restore under way.
struct Work<'a> {
    session: &'a Session,
    reader: &'a Reader,
    present: &'a BTreeSet<usize>,
    loans: &'a Loans,
    ctx: &'a Context,
    progress: Progress,
    report: RestoreReport,
}

impl<'a> Work<'a> {
    fn new(
        session: &'a Session,
        reader: &'a Reader,
        present: &'a BTreeSet<usize>,
        loans: &'a Loans,
        ctx: &'a Context,
    ) -> Self {
        let manifest = reader.manifest();
        let progress = Progress {
            total_bytes: manifest.tables.iter().map(|table| table.bytes).sum(),
            total_items: manifest.entries.len() as u64,
            ..Progress::default()
        };
        Self {
            session,
            reader,
            present,
            loans,
            ctx,
            progress,
            report: RestoreReport::default(),
        }
    }

    /// Grants in schemas that are there already; the others get theirs when they are made.
    async fn lend_in_standing_schemas(&self, rights: &Rights) -> Result<()> {
        let standing = self.loans.schemas();
        let standing = standing.filter(|schema| rights.schema_owner(schema).is_some());
        let loans: Vec<Statement> = standing.filter_map(|one| self.loans.lend(one)).collect();
        batch::run(self.session, &loans).await
    }

    /// Creates the entries of one section, in restore order.
    async fn entries(&mut self, section: Section) -> Result<()> {
        let mut batch = Vec::new();
        for (index, entry) in self.reader.manifest().entries.iter().enumerate() {
            if entry.section != section || entry.place.is_none() || self.present.contains(&index) {
                continue;
            }
            batch.push(Statement {
                what: format!("create {}", entry.identity),
                sql: Sql::deparsed(self.reader.entry_text(index)?),
            });
            if entry.kind == catalog::Kind::Schema.name() {
                batch.extend(self.loans.lend(&entry.name));
            }
            if batch::is_full(&batch) {
                self.flush(&mut batch).await?;
            }
        }
        self.flush(&mut batch).await
    }

    async fn flush(&mut self, batch: &mut Vec<Statement>) -> Result<()> {
        let Some(last) = batch.last() else {
            return Ok(());
        };
        self.progress.what.clone_from(&last.what);
        self.progress.items += batch.len() as u64;
        self.ctx.progress(self.progress.clone());
        batch::run(self.session, batch).await?;
        self.report.entries += batch.len();
        batch.clear();
        Ok(())
    }

    /// Loads every data member.
    async fn rows(&mut self) -> Result<()> {
        let manifest = self.reader.manifest();
        let members = manifest.members.iter().enumerate();
        for (index, member) in members.filter(|(_, member)| member.kind == MemberKind::Data) {
            let table = rows::table_of(manifest, member)?;
            self.progress.what.clone_from(&table.identity);
            let bytes = rows::load_member(self.session, self.reader, index, table, member).await?;
            self.progress.bytes += bytes;
            self.progress.rows += member.rows;
            self.ctx.progress(self.progress.clone());
            self.report.rows += member.rows;
            self.report.bytes += bytes;
        }
        self.report.tables = manifest
            .tables
            .iter()
            .filter(|table| table.rows > 0)
            .count();
        Ok(())
    }

    /// Runs every member of `lo_put` statements.
    async fn large_objects(&mut self) -> Result<()> {
        let members = self.reader.manifest().members.iter().enumerate();
        for (index, _) in members.filter(|(_, member)| member.kind == MemberKind::LargeObjects) {
            let attempted = || "load large objects".to_owned();
            let number = u32::try_from(index).attempt(attempted)?;
            let text = String::from_utf8(self.reader.member_text(number)?).attempt(attempted)?;
            self.progress.what = attempted();
            self.progress.bytes += text.len() as u64;
            self.session.execute(&Sql::deparsed(text)).await?;
            self.ctx.progress(self.progress.clone());
        }
        Ok(())
    }

    async fn sequences(&mut self) -> Result<()> {
        let mut batch = Vec::new();
        for sequence in &self.reader.manifest().sequences {
            batch.push(Statement {
                what: format!("set the value of {}", sequence.identity),
                sql: set_sequence(
                    &sequence.schema,
                    &sequence.name,
                    sequence.last_value,
                    sequence.is_called,
                ),
            });
            if batch::is_full(&batch) {
                batch::run(self.session, &batch).await?;
                batch.clear();
            }
        }
        batch::run(self.session, &batch).await
    }
}
