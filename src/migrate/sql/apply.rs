//! Runs SQL files on a session of our own.
//!
//! Each file starts from the role's and database's own settings (`RESET ALL`), as it would in psql:
//! the settings that are pinned for reading catalogs must not change what a migration means. Time
//! limits are the server's own (`statement_timeout`), so that nothing keeps running when we give up.

use std::time::{Duration, Instant};

use super::file::{SqlFile, Transaction, is_end};
use super::splitter::Statement;
use super::version::TABLE;
use super::{Plan, name_of};
use crate::context::{Context, Progress};
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{Session, Sql};

/// How files are run.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOptions {
    /// How long a statement may wait for a lock; zero: for ever.
    pub lock_timeout: Duration,
    /// How long all files together may take.
    pub timeout: Duration,
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Ids of the files that ran to their end, in order.
    pub files: Vec<String>,
    /// Time taken.
    pub elapsed: Duration,
}

impl Plan {
    /// Runs the files that the version rows `current` ask for, in order, and stops at the first
    /// failure. On [`Kind::Interrupted`] a statement may still run on the server: the caller ends
    /// the session's backend. Errors name the file, the line and what is committed.
    pub async fn apply(
        &self,
        session: &Session,
        current: &[String],
        options: &ApplyOptions,
        ctx: &Context,
    ) -> Result<Applied> {
        let started = Instant::now();
        let pending = self.pending(current)?;
        session.execute(&session.reset()).await?;
        let schema = version_schema(session).await?;
        let mut run = Run {
            session,
            options,
            ctx,
            started,
            version_table: Sql::default().qualified(&schema, TABLE),
        };
        let mut files = Vec::new();
        for (index, file) in pending.iter().enumerate() {
            ctx.note(format!("{} …", name_of(&file.path)));
            run.file(file)
                .await
                .map_err(|error| told(error, file, &files))?;
            files.push(file.version.clone());
            ctx.progress(Progress {
                what: name_of(&file.path),
                items: u64::try_from(index + 1).unwrap_or(u64::MAX),
                total_items: u64::try_from(pending.len()).unwrap_or(u64::MAX),
                ..Progress::default()
            });
        }
        session.execute(&session.reset()).await?;
        Ok(Applied {
            files,
            elapsed: started.elapsed(),
        })
    }
}

/// Where the version table is, or will be made, with the session's own `search_path`.
///
/// # Errors
/// Refused where the path names no schema; of the server.
pub async fn version_schema(session: &Session) -> Result<String> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/version_schema.sql")))
        .await?;
    let schema = rows
        .first()
        .map(|row| row.opt_string("schema"))
        .transpose()?
        .flatten();
    schema.ok_or_else(|| {
        Error::refused("find a place for the version table")
            .because("search_path names no schema that exists")
    })
}

/// Says on the error what is committed.
fn told(error: Error, file: &SqlFile, done: &[String]) -> Error {
    let own = match file.transaction {
        Transaction::Ours => "this file's transaction was rolled back",
        Transaction::None | Transaction::Own => "what this file committed before the failure stays",
    };
    let before = if done.is_empty() {
        "no file was committed before".to_owned()
    } else {
        format!("committed before: {}", done.join(", "))
    };
    error.now(format!("{own}; {before}"))
}

/// One execution of a plan.
struct Run<'a> {
    session: &'a Session,
    options: &'a ApplyOptions,
    ctx: &'a Context,
    started: Instant,
    version_table: Sql,
}

impl Run<'_> {
    async fn file(&mut self, file: &SqlFile) -> Result<()> {
        self.session.execute(&self.settings()).await?;
        let outcome = match file.transaction {
            Transaction::Ours => self.one_transaction(file).await,
            Transaction::None => self.without_transaction(file).await,
            Transaction::Own => self.own_transactions(file).await,
        };
        if outcome.is_err() && !self.session.is_closed() && self.ctx.stop.requested().is_none() {
            // Outside a transaction this is a warning of the server's and nothing else.
            let _ = self.session.execute(&Sql::constant("ROLLBACK")).await;
        }
        outcome
    }

    fn settings(&self) -> Sql {
        let lock = self.options.lock_timeout.as_millis();
        let lock = i64::try_from(lock).unwrap_or(i64::MAX);
        // Behind a fence the database's own settings would keep the files from writing.
        let through = match self.session.fenced() {
            Some(_) => "; SET default_transaction_read_only = off",
            None => "",
        };
        self.session
            .reset()
            .then("; SET standard_conforming_strings = on; SET lock_timeout = ")
            .number(lock.min(i64::from(i32::MAX)))
            .then(through)
    }

    async fn one_transaction(&self, file: &SqlFile) -> Result<()> {
        self.session.execute(&Sql::constant("BEGIN")).await?;
        for statement in &file.statements {
            self.statement(file, statement).await?;
        }
        self.set_version(file).await?;
        faults::reach(Point::SqlFileCommit)?;
        self.session.execute(&Sql::constant("COMMIT")).await?;
        faults::reach(Point::SqlFileCommitted)
    }

    async fn without_transaction(&self, file: &SqlFile) -> Result<()> {
        for statement in &file.statements {
            self.statement(file, statement).await?;
        }
        if !file.changes.is_empty() {
            return Ok(());
        }
        self.session.execute(&Sql::constant("BEGIN")).await?;
        self.set_version(file).await?;
        self.session.execute(&Sql::constant("COMMIT")).await
    }

    /// The version row joins the file's last transaction.
    async fn own_transactions(&self, file: &SqlFile) -> Result<()> {
        let last = file.statements.iter().rposition(is_end);
        for (index, statement) in file.statements.iter().enumerate() {
            if Some(index) == last {
                self.set_version(file).await?;
            }
            self.statement(file, statement).await?;
        }
        Ok(())
    }

    async fn set_version(&self, file: &SqlFile) -> Result<()> {
        if !file.changes.is_empty() {
            return Ok(());
        }
        let table = &self.version_table;
        let sql = Sql::constant("CREATE TABLE IF NOT EXISTS ")
            .sql(table)
            .then(" (version_num character varying(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)); DELETE FROM ")
            .sql(table)
            .then("; INSERT INTO ")
            .sql(table)
            .then(" (version_num) VALUES (")
            .literal(&file.version)
            .then(")");
        self.session.execute(&sql).await
    }

    async fn statement(&self, file: &SqlFile, statement: &Statement) -> Result<()> {
        let attempted = format!("run line {} of {}", statement.line, name_of(&file.path));
        self.ctx.stop.check(&attempted)?;
        let left = self.options.timeout.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return Err(Error::operation(attempted).because(format!(
                "the time for the migration is up ({} s)",
                self.options.timeout.as_secs()
            )));
        }
        self.limit(left).await?;
        let sql = Sql::operator(&statement.text);
        tokio::select! {
            outcome = self.session.query_first(&sql, 0) => {
                outcome.map(|found| self.show(found.count)).map_err(|error| at_line(attempted, statement, &error))
            }
            signal = self.ctx.stop.wait() => Err(Error::new(Kind::Interrupted(signal), attempted)
                .because(format!("interrupted by signal {signal}"))),
        }
    }

    /// Gives the next statement what is left of the time.
    async fn limit(&self, left: Duration) -> Result<()> {
        let milliseconds = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        let limit = Sql::constant("SET statement_timeout = ")
            .number(milliseconds.clamp(1, i64::from(i32::MAX)));
        self.session.execute(&limit).await
    }

    /// A migration's SELECT usually calls a function; its answer is only counted.
    fn show(&self, rows: u64) {
        if rows > 1 {
            self.ctx.note(format!("{rows} rows"));
        }
    }
}

/// The server's words with the file's line in front, and where in a long statement it stumbled.
fn at_line(attempted: String, statement: &Statement, error: &Error) -> Error {
    let mut ours = Error::operation(attempted);
    if let Some(reason) = error.reason() {
        ours = ours.because(match place_in(statement, error) {
            Some(line) if line != statement.line => format!("{reason}, at line {line}"),
            _ => reason,
        });
    }
    if let Some(code) = error.sqlstate() {
        ours = ours.with_sqlstate(code);
    }
    if error.is_transient() {
        ours = ours.mark_transient();
    }
    ours
}

/// The line of the file that the server names in a statement.
fn place_in(statement: &Statement, error: &Error) -> Option<usize> {
    let before = usize::try_from(error.position()?).ok()?.checked_sub(1)?;
    let lines = statement.text.chars().take(before);
    Some(statement.line + lines.filter(|character| *character == '\n').count())
}
