//! A reading of definitions that nobody changed meanwhile (spec §3.9).
//!
//! Our SELECTs see a snapshot, catalog functions see the latest committed state. So identities are
//! taken under the snapshot before reading and from a second session after it; if they differ, DDL
//! slipped in between, and the reading starts over with a new snapshot. An error of the server
//! while reading ("cache lookup failed", a name that is gone) is judged the same way. Whoever keeps
//! a table locked is waited for in slices: between them we hold nothing, because our own locks
//! make others wait, and may be what they wait for.

use std::time::{Duration, Instant};

use super::entry::Catalog;
use super::identities::Identities;
use super::lock::{self, Locking};
use super::read::Answers;
use super::source::{Plan, Source};
use super::{ahead, closed_world, encoding, read};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{self, Session, Sql};

/// Readings in a row that DDL may spoil before we give up.
const ATTEMPTS: u32 = 8;

/// SQLSTATEs of a name that stands for nothing, or for something else, any more.
const UNDEFINED_TABLE: &str = "42P01";
const INVALID_SCHEMA: &str = "3F000";
const WRONG_OBJECT: &str = "42809";

/// Pause after the first spoiled reading; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Longest wait for a table's lock before everything is let go and tried again; half of the server's
/// `deadlock_timeout` if that is less. All tables are locked within moments: whoever came to wait for one of
/// them meanwhile has waited no longer than we have, so we are gone before it looks for deadlocks.
const SLICE: Duration = Duration::from_millis(500);

/// The same once the tables are locked, at most a twentieth of `deadlock_timeout`. Deparsing locks views and
/// indexes long after the tables, so a session that changes a view and wants one of our tables may be about to
/// look for deadlocks when we come for the view, and the server would end its DDL because of a backup.
/// The less we wait, the less likely that is.
const SLICE_OF_DEPARSING: Duration = Duration::from_millis(50);

/// Pause between two slices: others get their locks.
const BETWEEN_SLICES: Duration = Duration::from_millis(100);

/// An open transaction with what was read in it, and the session that watches from outside.
#[derive(Debug)]
pub struct Steady {
    /// The definitions, all of one moment.
    pub catalog: Catalog,
    witness: Session,
    identities: Identities,
}

impl Steady {
    /// Whether rows that were read since then fit the definitions. Locks keep tables as they are,
    /// but rows show the latest committed labels of enumerated types, and a schema that was
    /// renamed makes names stand for other tables.
    pub async fn rows_fit(&self) -> Result<bool> {
        self.identities.fit_rows_of(&self.witness).await
    }

    /// Closes the watching session; the transaction stays open.
    pub async fn close(self) -> Catalog {
        self.witness.close().await;
        self.catalog
    }
}

/// Opens a read-only transaction on `session`, which must have none, and reads the definitions so
/// that all of them are of the transaction's snapshot. On success the transaction stays open,
/// with the tables locked if asked for; then every reference between catalogs was looked at, too.
///
/// # Errors
/// As [`super::read`]; as [`super::require_references`]; refused when the server has no room for the locks; transient when others
/// hold locks longer than `locking.wait` or never stop changing definitions.
pub async fn open_steady(session: &Session, locking: Locking, ctx: &Context) -> Result<Steady> {
    let witness = pg::connect_beside(session, pg::Purpose::Witness, ctx).await?;
    witness.execute(&patience(locking.wait.min(SLICE))).await?;
    let mut effort = Effort::new(locking);
    loop {
        let stumble = match attempt(session, &witness, locking).await {
            Ok((catalog, identities)) => {
                // Rows may have been read for hours when it is asked again.
                witness.execute(&patience(locking.wait)).await?;
                return Ok(Steady {
                    catalog,
                    witness,
                    identities,
                });
            }
            Err(stumble) => stumble,
        };
        // A broken connection has no transaction left to end; its own error says so.
        let _ = session.execute(&Sql::constant("ROLLBACK")).await;
        let verdict = effort.judge(stumble, session, &witness, ctx).await;
        let pause = match verdict {
            Ok(pause) => pause,
            Err(error) => {
                witness.close().await;
                return Err(error);
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Reads inside the caller's transaction: READ COMMITTED, so that each statement sees what is
/// committed. Repeated while others change definitions.
///
/// # Errors
/// As [`super::read`]; transient when others never stop changing definitions.
pub async fn read_steady(session: &Session) -> Result<Catalog> {
    let mut spoiled = Vec::new();
    for _ in 0..ATTEMPTS {
        let before = Identities::read(session).await?;
        let catalog = super::read(session).await?;
        spoiled = before.changed(&Identities::read(session).await?)?;
        if spoiled.is_empty() {
            return Ok(catalog);
        }
    }
    Err(restless(&spoiled, session).await)
}

/// As [`read_steady`], after locking every table in ACCESS SHARE.
pub async fn read_locked(session: &Session) -> Result<Catalog> {
    for _ in 0..ATTEMPTS {
        if lock::lock_tables(session, session).await?.is_some() {
            return read_steady(session).await;
        }
    }
    Err(restless(&["pg_class".to_owned()], session).await)
}

/// Forbids the transaction to read views and foreign tables of the user, where the server can.
pub async fn restrict(session: &Session) -> Result<()> {
    let sql = Sql::constant(include_str!("sql/reading.sql"));
    session.execute(&sql).await
}

/// Why an attempt did not succeed.
enum Stumble {
    /// Definitions changed: these catalogs.
    Shifted(Vec<String>),
    /// Somebody holds a lock.
    Locked(Error),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Stumble {
    fn from(error: Error) -> Self {
        match error.sqlstate() {
            Some("55P03" | "40P01") => Self::Locked(error),
            _ => Self::Failed(error),
        }
    }
}

async fn attempt(
    session: &Session,
    witness: &Session,
    locking: Locking,
) -> Result<(Catalog, Identities), Stumble> {
    session.execute(&begin(locking)).await?;
    restrict(session).await?;
    encoding::require_utf8(session).await?;
    if locking.tables {
        lock(session, witness).await?;
        session.execute(&deparsing()).await?;
    }
    let plan = ahead::plan(session.version().major());
    let (assisted, read) = match assist(session, witness, locking).await {
        true => {
            let reading = read_ahead(session, &plan, locking);
            let (read, ()) = tokio::join!(reading, plan.help(witness));
            (true, read)
        }
        false => (
            false,
            read_with(session, Source::alone(session), locking).await,
        ),
    };
    if assisted {
        witness.execute(&Sql::constant("ROLLBACK")).await?;
    }
    let (before, asked) = read?;
    if let Err(Stumble::Locked(error)) = asked {
        return Err(Stumble::Locked(error));
    }
    // The server hashes its catalogs while we put the catalog together: asked first, because that blocks this task.
    // After a failure too: what changed may be what it failed of.
    let (after, read) = tokio::join!(biased; Identities::read(witness), async {
        asked.and_then(|answers| answers.into_catalog().map_err(Stumble::from))
    });
    let changed = before.changed(&after?)?;
    match read {
        _ if !changed.is_empty() => Err(Stumble::Shifted(changed)),
        Ok(catalog) => Ok((catalog, before)),
        Err(stumble) => Err(stumble),
    }
}

/// Locks every table. A name that is gone, or stands for something else, was changed since the
/// snapshot that listed it.
async fn lock(session: &Session, witness: &Session) -> Result<(), Stumble> {
    let shifted = || Stumble::Shifted(vec!["pg_class".to_owned()]);
    match lock::lock_tables(session, witness).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(shifted()),
        Err(error) => match error.sqlstate() {
            Some(UNDEFINED_TABLE | INVALID_SCHEMA | WRONG_OBJECT) => Err(shifted()),
            _ => Err(error.into()),
        },
    }
}

/// Puts the witness on the session's snapshot until it rolls back, so that it can read along. Where
/// that cannot be (they reached different servers, say, which shows later), nobody reads along.
async fn assist(session: &Session, witness: &Session, locking: Locking) -> bool {
    let begun = async {
        let export = Sql::constant("SELECT pg_catalog.pg_export_snapshot() AS snapshot");
        let snapshot = session.query_one(&export).await?.string("snapshot")?;
        let import = pg::BEGIN_SNAPSHOT
            .then("; SET TRANSACTION SNAPSHOT ")
            .literal(&snapshot)
            .then("; ")
            .sql(&settings(locking));
        witness.execute(&import).await?;
        restrict(witness).await
    };
    let begun: Result<()> = begun.await;
    if begun.is_err() {
        // A connection that is broken says so when it is needed.
        let _ = witness.execute(&Sql::constant("ROLLBACK")).await;
    }
    begun.is_ok()
}

/// What was there before, and what was read; the first error is one that no change explains.
type Read = Result<(Identities, Result<Answers, Stumble>), Stumble>;

async fn read_ahead(session: &Session, plan: &Plan, locking: Locking) -> Read {
    let read = read_with(session, Source::with(session, plan), locking).await;
    plan.close();
    read
}

async fn read_with(session: &Session, source: Source<'_>, locking: Locking) -> Read {
    let before = Identities::read(session).await?;
    let read = async {
        if locking.tables {
            closed_world::require_references(session).await?;
        }
        read::ask(&source).await
    };
    Ok((before, read.await.map_err(Stumble::from)))
}

/// How long the witness waits for catalogs that others lock. While definitions are read, a slice: others may
/// wait for our transaction, which waits for the witness, and no server sees that; so we let go and try again.
fn patience(wait: Duration) -> Sql {
    let milliseconds = i128::try_from(wait.as_millis()).unwrap_or(i128::MAX);
    Sql::constant("SELECT pg_catalog.set_config('lock_timeout', least(")
        .number(milliseconds.max(1))
        .then(", 2147483647)::pg_catalog.text, false)")
}

/// From the tables' locks on.
fn deparsing() -> Sql {
    Sql::constant("SELECT ").sql(&lock_timeout(SLICE_OF_DEPARSING, 20))
}

fn begin(locking: Locking) -> Sql {
    pg::BEGIN_SNAPSHOT.then("; ").sql(&settings(locking))
}

/// Settings of a reading's transaction. Parallel workers would only take the processors from the other session.
fn settings(locking: Locking) -> Sql {
    let slice = locking.wait.min(SLICE).max(Duration::from_millis(1));
    Sql::constant("SELECT ")
        .sql(&lock_timeout(slice, 2))
        .then(", pg_catalog.set_config('max_parallel_workers_per_gather', '0', true)")
}

/// Sets how long the transaction waits for a lock: `most`, or that part of `deadlock_timeout` if it is less.
fn lock_timeout(most: Duration, part: i128) -> Sql {
    let milliseconds = i128::try_from(most.as_millis()).unwrap_or(i128::MAX);
    Sql::constant("pg_catalog.set_config('lock_timeout', greatest(1, least(")
        .number(milliseconds)
        .then(
            ", (SELECT s.setting::pg_catalog.int8 / ",
        )
        .number(part)
        .then(
            " FROM pg_catalog.pg_settings AS s WHERE s.name = 'deadlock_timeout')))::pg_catalog.text, true)",
        )
}

/// What has been tried so far.
struct Effort {
    wait: Duration,
    started: Instant,
    spoiled: u32,
    pause: Duration,
    announced: bool,
}

impl Effort {
    fn new(locking: Locking) -> Self {
        Self {
            wait: locking.wait,
            started: Instant::now(),
            spoiled: 0,
            pause: FIRST_PAUSE,
            announced: false,
        }
    }

    /// How long to pause before the next attempt, or the error that ends the effort.
    async fn judge(
        &mut self,
        stumble: Stumble,
        session: &Session,
        witness: &Session,
        ctx: &Context,
    ) -> Result<Duration> {
        match stumble {
            Stumble::Failed(error) => Err(error),
            Stumble::Shifted(catalogs) => {
                self.spoiled += 1;
                if self.spoiled >= ATTEMPTS {
                    return Err(restless(&catalogs, session).await);
                }
                self.pause *= 2;
                Ok(self.pause)
            }
            Stumble::Locked(error) => {
                let holders = lock::holders(witness).await?.join("\n");
                if self.started.elapsed() >= self.wait {
                    return Err(self.given_up(error, &holders));
                }
                if !std::mem::replace(&mut self.announced, true) && !holders.is_empty() {
                    ctx.note(format!(
                        "waiting up to {:.0} s to read a table: {holders}",
                        self.wait.as_secs_f64()
                    ));
                }
                Ok(BETWEEN_SLICES)
            }
        }
    }

    fn given_up(&self, error: Error, holders: &str) -> Error {
        let reason = error.reason().unwrap_or_default();
        let waited = self.started.elapsed().as_secs_f64();
        Error::operation("lock the tables for reading")
            .because(match holders {
                "" => format!("{reason} (tried for {waited:.0} s)"),
                _ => format!("{reason} (tried for {waited:.0} s)\n{holders}"),
            })
            .with_sqlstate("55P03")
            .mark_transient()
            .hint("let that session finish or end it, or wait longer with --table-lock-wait")
    }
}

/// The error of a reading that [`Steady::rows_fit`] denied again and again.
pub fn rows_unfit() -> Error {
    Error::operation("read rows and definitions of one moment")
        .because("other sessions renamed schemas or labels of enumerated types during each reading")
        .now("it was only read")
        .hint("run it again when nobody changes definitions")
        .mark_transient()
}

/// Definitions never held still: which, and who seems to be at it.
async fn restless(catalogs: &[String], session: &Session) -> Error {
    let definers = session
        .query(&Sql::constant(include_str!("sql/definers.sql")))
        .await
        .unwrap_or_default();
    let mut reason = format!(
        "other sessions changed definitions during each of {ATTEMPTS} readings (last in {})",
        catalogs.join(", ")
    );
    for row in &definers {
        let text = |column: &str| row.opt(column).ok().flatten().unwrap_or("?").to_owned();
        reason.push_str(&format!(
            "\nserver process {} (application {:?}, role {}): {:?}",
            text("pid"),
            text("application"),
            text("role"),
            text("query"),
        ));
    }
    Error::operation("read the definitions of the database")
        .because(reason)
        .now("it was only read")
        .hint("run it again when nobody creates, alters or drops objects")
        .mark_transient()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for_in_slices() {
        let text = begin(Locking::tables(Duration::from_secs(60)));
        assert!(text.text().contains("least(500,"), "{text:?}");
        let text = begin(Locking::tables(Duration::ZERO));
        assert!(text.text().contains("least(1,"), "{text:?}");
    }

    #[test]
    fn deparsing_waits_much_less_than_a_deadlock_takes_to_be_noticed() {
        let text = deparsing();
        assert!(text.text().contains("least(50, "), "{text:?}");
        assert!(text.text().contains("int8 / 20 "), "{text:?}");
    }
}
