//! Proving an archive by restoring it: a scratch database, filled, compared with the manifest, dropped.
//!
//! [`drill`] makes a database that says by its name and its comment what it is ([`scratch`]), restores the archive into
//! it, compares every definition, row, sequence and property with what the archive says ([`prove`]), drops it whatever
//! happened, and writes the result beside the archive ([`record`]). The database that the archive was taken from is
//! never written to. What killed drills left behind is found again ([`leftovers`]).

mod leftovers;
mod prove;
mod record;
mod room;
mod scratch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::archive::Reader;
use crate::catalog::Locking;
use crate::compare::Difference;
use crate::context::{Context, Phase};
use crate::error::{Error, Kind, Result};
use crate::pg::Session;
use crate::restore::{self, RestoreOptions, Unfilled};

pub use leftovers::{Leftover, leftovers, remove_dead, sweep};
pub use record::{Record, path_beside, read as read_record};
pub use scratch::name as scratch_name;

use prove::Proof;
use scratch::Scratch;

/// How to drill.
#[derive(Debug, Clone)]
pub struct DrillOptions {
    /// Name of the scratch database: [`scratch_name`].
    pub scratch: String,
    /// Sessions that restore.
    pub jobs: usize,
    /// How long a table is waited for while the rows are read; nobody else should be there.
    pub table_lock_wait: Duration,
    /// Leaves the restored database for somebody to look at.
    pub keep: bool,
}

impl DrillOptions {
    /// A drill of `archive` now, dropped at its end.
    pub fn new(archive: &Reader, jobs: usize, ctx: &Context) -> Self {
        Self {
            scratch: scratch_name(&archive.manifest().database.name, ctx.now(), &ctx.run_id),
            jobs,
            table_lock_wait: Locking::DEFAULT_WAIT,
            keep: false,
        }
    }
}

/// What a drill says about its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It restores, and what it restores to is what it says.
    Passed,
    /// It restores to something else.
    Different,
    /// It does not restore: it is damaged, or the server does not take what is in it.
    NotRestored,
}

/// Seconds by phase.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, serde::Deserialize)]
pub struct Seconds {
    /// Making the scratch database.
    pub create: f64,
    /// Loading the archive into it, its owner, settings and grants included.
    pub restore: f64,
    /// Reading and comparing everything.
    pub compare: f64,
    /// Dropping it.
    pub drop: f64,
}

impl Seconds {
    /// What a real restore takes here: creating and loading.
    pub fn of_a_restore(&self) -> f64 {
        self.create + self.restore
    }
}

/// What became of the scratch database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum Fate {
    /// It is gone.
    Dropped,
    /// It is there because that was asked for.
    Kept {
        /// The statement that drops it.
        command: String,
    },
    /// It could not be dropped.
    LeftBehind {
        /// The statement that drops it.
        command: String,
        /// Why it is still there.
        why: String,
    },
}

/// The result of a drill.
#[derive(Debug, Serialize)]
pub struct DrillReport {
    /// The archive.
    pub archive: PathBuf,
    /// [`Reader::fingerprint`] of it.
    pub fingerprint: String,
    /// Masked target of the server.
    pub server: String,
    /// `server_version`.
    pub server_version: String,
    /// The scratch database.
    pub scratch: String,
    /// What became of it.
    pub scratch_now: Fate,
    /// The answer.
    pub verdict: Verdict,
    /// Why it was not restored.
    pub reason: Option<String>,
    /// What differs, for people; empty when it passed.
    pub differences: Vec<String>,
    /// The same as data.
    pub difference: Option<Difference>,
    /// What could not be compared, and so is not proven.
    pub not_proven: Vec<String>,
    /// Definitions that were compared.
    pub definitions: u64,
    /// Tables whose rows were compared.
    pub tables: u64,
    /// Rows that were compared.
    pub rows: u64,
    /// How long everything took.
    pub seconds: Seconds,
}

/// Drills `archive` on the server that `server` is connected to; the scratch database is made there.
///
/// `Ok` is an answer about the archive and is recorded beside it. Errors say nothing about it: [`Kind::Refused`] (no right,
/// no room, an older server, missing roles …), [`Kind::Interrupted`], [`Kind::Failed`] (lost connection, full disk). In
/// each case the scratch database is dropped, or the error says that it could not be.
pub async fn drill(
    server: &Session,
    archive: &Reader,
    options: &DrillOptions,
    ctx: &Context,
) -> Result<DrillReport> {
    ctx.stop.check("drill the archive")?;
    sweep(server, ctx).await;
    require_fitting_server(server, archive)?;
    require_right(server).await?;
    room::require(server, archive, ctx).await?;
    let mut seconds = Seconds::default();
    let scratch = timed(&mut seconds.create, create(server, archive, options, ctx)).await?;
    let examined = examine(&scratch, archive, options, &mut seconds, ctx).await;
    let keep = options.keep && examined.is_ok();
    let fate = timed(&mut seconds.drop, settle(scratch, keep, ctx)).await;
    let answer = match examined.or_else(|error| of_the_archive(error, ctx)) {
        Ok(answer) => answer,
        Err(error) => return Err(with_fate(error, &options.scratch, &fate)),
    };
    let report = report(server, archive, options, answer, fate, seconds);
    if let Err(error) = record::write(archive, &report, ctx) {
        ctx.warn(format!(
            "{error}; the result is not recorded, `list` will not show it"
        ));
    }
    Ok(report)
}

async fn timed<T>(spent: &mut f64, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let result = work.await;
    *spent += started.elapsed().as_secs_f64();
    result
}

/// An older server would not understand the archive's definitions.
fn require_fitting_server(server: &Session, archive: &Reader) -> Result<()> {
    let (from, here) = (prove::major_of(archive), server.version().major());
    if from <= here {
        return Ok(());
    }
    Err(
        Error::refused(format!("drill the archive {}", archive.path().display()))
            .because(format!(
                "it comes from PostgreSQL {from}, and {} is PostgreSQL {here}",
                server.target()
            ))
            .now("nothing was changed")
            .hint(format!(
                "name a server of PostgreSQL {from} or newer with --scratch-url"
            )),
    )
}

async fn require_right(server: &Session) -> Result<()> {
    use crate::pg::{Sql, quote_ident};
    let row = server
        .query_one(&Sql::constant(include_str!("sql/rights.sql")))
        .await?;
    if row.bool("may_create")? {
        return Ok(());
    }
    let role = row.text("role")?;
    Err(
        Error::refused(format!("make a scratch database on {}", server.target()))
            .because(format!("the role {role} may not create databases"))
            .now("nothing was changed")
            .hint(format!(
                "as a superuser: ALTER ROLE {} CREATEDB;",
                quote_ident(role)
            ))
            .hint("or name a server and a role that may create databases with --scratch-url"),
    )
}

async fn create(
    server: &Session,
    archive: &Reader,
    options: &DrillOptions,
    ctx: &Context,
) -> Result<Scratch> {
    let _phase = ctx.phase(Phase::Create);
    Scratch::create(server, archive, options, ctx).await
}

/// What was found out about the archive.
enum Answer {
    Compared(Box<Proof>),
    NotRestored(Error),
}

async fn examine(
    scratch: &Scratch,
    archive: &Reader,
    options: &DrillOptions,
    seconds: &mut Seconds,
    ctx: &Context,
) -> Result<Answer> {
    let (dressed, unfilled) =
        timed(&mut seconds.restore, fill(scratch, archive, options, ctx)).await?;
    timed(
        &mut seconds.compare,
        prove::prove(scratch, archive, (dressed, &unfilled), options, ctx),
    )
    .await
    .map(|proof| Answer::Compared(Box::new(proof)))
}

/// Restores, then gives the database its recorded owner, limits, settings and grants. What could not be filled is named.
async fn fill(
    scratch: &Scratch,
    archive: &Reader,
    options: &DrillOptions,
    ctx: &Context,
) -> Result<(scratch::Dressed, Vec<Unfilled>)> {
    ctx.stop.check("restore into the scratch database")?;
    let how = RestoreOptions { jobs: options.jobs };
    let restored = restore::restore(&scratch.target, archive, &how, ctx).await?;
    Ok((scratch.dress(archive, ctx).await?, restored.unfilled))
}

/// Drops the scratch database, or leaves it as asked. Signals are no reason to leave it behind.
async fn settle(scratch: Scratch, keep: bool, ctx: &Context) -> Fate {
    if keep {
        return scratch.keep().await;
    }
    let _phase = ctx.phase(Phase::Drop);
    scratch.drop(ctx).await
}

/// Whether a failed restore is an answer about the archive: it is damaged, or the server refused a statement of it. What
/// the server, the network, the disk or the operator did says nothing.
fn of_the_archive(error: Error, ctx: &Context) -> Result<Answer> {
    /// Classes of SQLSTATE that are about the server or the moment: connection, features that it was
    /// built without, resources, operator, system, conflicts.
    const OF_THE_SERVER: [&str; 6] = ["08", "0A", "53", "57", "58", "40"];
    if let Some(signal) = ctx.stop.requested() {
        return Err(error.with_kind(Kind::Interrupted(signal)));
    }
    let refused_statement = error.sqlstate().is_some_and(|code| {
        !OF_THE_SERVER
            .iter()
            .any(|class| code.get(..2) == Some(*class))
    });
    match error.kind() {
        Kind::Difference => Ok(Answer::NotRestored(error)),
        Kind::Refused => Err(error),
        Kind::Failed | Kind::InDoubt | Kind::Operation if refused_statement => {
            Ok(Answer::NotRestored(error))
        }
        _ => Err(error.with_kind(Kind::Failed)),
    }
}

/// Says in an error what became of the scratch database: nothing else was written to.
fn with_fate(error: Error, scratch: &str, fate: &Fate) -> Error {
    match fate {
        Fate::Dropped => error.now(format!(
            "the scratch database {scratch} was dropped again; nothing else was changed"
        )),
        Fate::Kept { command } => error.now(format!(
            "the scratch database {scratch} is kept; {command} drops it"
        )),
        Fate::LeftBehind { command, why } => error
            .now(format!(
                "the scratch database {scratch} is LEFT BEHIND ({why}); nothing else was changed"
            ))
            .hint(format!("drop it: {command}")),
    }
}

fn report(
    server: &Session,
    archive: &Reader,
    options: &DrillOptions,
    answer: Answer,
    scratch_now: Fate,
    seconds: Seconds,
) -> DrillReport {
    let mut report = DrillReport {
        archive: archive.path().to_owned(),
        fingerprint: archive.fingerprint().to_owned(),
        server: server.target().to_owned(),
        server_version: server.version().text.clone(),
        scratch: options.scratch.clone(),
        scratch_now,
        verdict: Verdict::Passed,
        reason: None,
        differences: Vec::new(),
        difference: None,
        not_proven: Vec::new(),
        definitions: 0,
        tables: 0,
        rows: 0,
        seconds,
    };
    match answer {
        Answer::NotRestored(error) => {
            report.verdict = Verdict::NotRestored;
            report.reason = Some(error.to_string());
        }
        Answer::Compared(proof) => {
            if !proof.is_equal() {
                report.verdict = Verdict::Different;
            }
            report.differences = proof.lines();
            report.difference = Some(proof.difference);
            report.not_proven = proof.not_proven;
            report.definitions = proof.definitions;
            report.tables = proof.tables;
            report.rows = proof.rows;
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Environment, SessionCount, SilentMonitor, Stop, SystemClock};
    use std::sync::Arc;

    fn context() -> Context {
        Context {
            clock: Arc::new(SystemClock),
            monitor: Arc::new(SilentMonitor),
            stop: Stop::never(),
            run_id: "abcd1234".to_owned(),
            sessions: SessionCount::default(),
            environment: Arc::new(Environment::default()),
        }
    }

    #[test]
    fn only_what_the_archive_did_is_an_answer_about_it() {
        let failed = |code: &str| Error::new(Kind::Failed, "restore").with_sqlstate(code);
        let answers = |error: Error| of_the_archive(error, &context()).is_ok();
        assert!(answers(failed("23505")));
        assert!(answers(failed("42883")));
        assert!(answers(
            Error::new(Kind::InDoubt, "restore").with_sqlstate("22P02")
        ));
        assert!(answers(Error::new(Kind::Difference, "read the archive")));
        for code in [
            "08006", "0A000", "53100", "57P01", "57014", "58030", "40P01",
        ] {
            assert!(!answers(failed(code)), "{code}");
        }
        assert!(!answers(Error::new(Kind::Failed, "restore")));
        let refused = of_the_archive(Error::refused("x").with_sqlstate("42501"), &context());
        assert!(matches!(refused, Err(error) if error.kind() == Kind::Refused));
        let in_doubt = of_the_archive(Error::new(Kind::InDoubt, "x"), &context());
        assert!(matches!(in_doubt, Err(error) if error.kind() == Kind::Failed));
    }

    #[test]
    fn a_scratch_database_that_stays_is_never_passed_over() {
        let fate = Fate::LeftBehind {
            command: "DROP DATABASE x;".to_owned(),
            why: "no".to_owned(),
        };
        let error = with_fate(Error::new(Kind::Failed, "restore"), "x", &fate);
        assert!(
            error
                .database_now()
                .is_some_and(|now| now.contains("LEFT BEHIND"))
        );
        assert_eq!(error.hints(), ["drop it: DROP DATABASE x;"]);
    }
}
