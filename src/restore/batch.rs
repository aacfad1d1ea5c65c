//! Many statements per round trip, and still an error that names the one that failed.
//!
//! A batch is one simple query between SAVEPOINT and RELEASE. When it fails, it is undone and
//! its statements run one by one until the culprit fails by itself.

use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// A batch is sent once it holds this much text.
const BATCH_BYTES: usize = 64 << 10;
/// A batch is sent once it holds this many statements: what a failure has to repeat is bounded.
const BATCH_STATEMENTS: usize = 200;

/// One thing to do, and in which words to fail.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Verb and object: `create table public.users`.
    pub what: String,
    /// What to send.
    pub sql: Sql,
}

/// Whether a batch should be sent before another statement is added.
pub(super) fn is_full(batch: &[Statement]) -> bool {
    let bytes: usize = batch
        .iter()
        .map(|statement| statement.sql.text().len())
        .sum();
    batch.len() >= BATCH_STATEMENTS || bytes >= BATCH_BYTES
}

/// Runs the statements in order inside the caller's transaction; the error names the failing one.
pub async fn run(session: &Session, batch: &[Statement]) -> Result<()> {
    match batch {
        [] => Ok(()),
        [only] => run_one(session, only).await,
        _ => run_many(session, batch).await,
    }
}

/// Runs the statements as one transaction of their own, in one round trip. When it fails, nothing
/// of it is there, and the error need not name the culprit.
pub(super) async fn at_once(session: &Session, batch: &[Statement]) -> Result<()> {
    let mut all = Sql::constant("BEGIN;\n");
    for statement in batch {
        all = all.sql(&statement.sql).then("\n;");
    }
    let Err(error) = session.execute(&all.then("COMMIT;")).await else {
        return Ok(());
    };
    if !session.is_closed() {
        session.execute(&Sql::constant("ROLLBACK")).await?;
    }
    Err(explained(error))
}

/// As [`at_once`]; when it fails, the statements run again one by one, so that the error names the
/// culprit, and are committed if the failure has passed.
pub(super) async fn run_committed(session: &Session, batch: &[Statement]) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let Err(error) = at_once(session, batch).await else {
        return Ok(());
    };
    if session.is_closed() {
        return Err(error);
    }
    session.execute(&Sql::constant("BEGIN")).await?;
    for statement in batch {
        run_one(session, statement).await?;
    }
    session.execute(&Sql::constant("COMMIT")).await
}

async fn run_many(session: &Session, batch: &[Statement]) -> Result<()> {
    // By itself: a batch that does not parse runs not at all, and would leave no savepoint to go back to.
    session
        .execute(&Sql::constant("SAVEPOINT pgbelay_batch"))
        .await?;
    let mut all = Sql::default();
    for statement in batch {
        all = all.sql(&statement.sql).then("\n;");
    }
    let all = all.then("RELEASE SAVEPOINT pgbelay_batch;");
    let Err(error) = session.execute(&all).await else {
        return Ok(());
    };
    if session.is_closed() {
        return Err(explained(error));
    }
    session
        .execute(&Sql::constant("ROLLBACK TO SAVEPOINT pgbelay_batch"))
        .await?;
    for statement in batch {
        run_one(session, statement).await?;
    }
    Ok(())
}

pub(super) async fn run_one(session: &Session, statement: &Statement) -> Result<()> {
    session
        .execute(&statement.sql)
        .await
        .map_err(|error| explained(error.attempting(statement.what.clone())))
}

/// Adds the cure for what an operator can cure.
pub(super) fn explained(error: Error) -> Error {
    match error.sqlstate() {
        Some("53200") => error.hint(
            "the server's lock table is full: each table, index and sequence of one transaction \
             needs a place in it; raise max_locks_per_transaction (needs a server restart) and \
             try again",
        ),
        Some("42501") => error.hint(
            "the role needs to own the object or to be a member of its owner; \
             a superuser can always do it",
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Statement {
        Statement {
            what: "x".to_owned(),
            sql: Sql::deparsed(text),
        }
    }

    #[test]
    fn batches_are_bounded_by_bytes_and_by_count() {
        assert!(!is_full(&[statement("SELECT 1;")]));
        assert!(is_full(&[statement(&"x".repeat(BATCH_BYTES))]));
        assert!(is_full(&vec![statement(""); BATCH_STATEMENTS]));
    }

    #[test]
    fn a_full_lock_table_is_explained() {
        let error = explained(Error::operation("x").with_sqlstate("53200"));
        assert!(error.hints()[0].contains("max_locks_per_transaction"));
    }
}
