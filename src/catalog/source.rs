//! Where the families of one reading get their rows from.
//!
//! A [`Source`] is a session and, where there is an aide, results that the aide fetches meanwhile: a
//! second session on the same snapshot. The families ask from the front of [`Plan`], the aide works from
//! its back, so that neither waits for the other before they meet, and nothing is asked twice. What
//! the aide cannot fetch (a lock that others wait for, a broken connection) the session itself asks again: its
//! answer, or its error, is the one that counts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::pg::{Row, ServerVersion, Session, Sql};

/// Queries of the aide that the server has at a time: it must not wait while we work on results.
const AHEAD: usize = 2;

/// What a reading asks, and what of it an aide has taken over.
#[derive(Default)]
pub(super) struct Plan(Mutex<State>);

#[derive(Default)]
struct State {
    /// In the order of need; nobody has asked these yet.
    open: Vec<Sql>,
    /// The aide has asked these.
    taken: HashMap<Sql, oneshot::Receiver<Vec<Row>>>,
}

/// A session to read from, perhaps with help.
pub(super) struct Source<'a> {
    session: &'a Session,
    plan: Option<&'a Plan>,
}

impl<'a> Source<'a> {
    /// Everything is asked on `session`.
    pub fn alone(session: &'a Session) -> Self {
        Self {
            session,
            plan: None,
        }
    }

    /// An aide works on `plan` while `session` is read from.
    pub fn with(session: &'a Session, plan: &'a Plan) -> Self {
        Self {
            session,
            plan: Some(plan),
        }
    }

    /// The session itself, for what must not be asked ahead.
    pub fn session(&self) -> &'a Session {
        self.session
    }

    /// What the server says it is.
    pub fn version(&self) -> &'a ServerVersion {
        self.session.version()
    }

    /// The rows of a query, whoever asks it.
    pub async fn query(&self, sql: &Sql) -> Result<Vec<Row>> {
        if let Some(taken) = self.plan.and_then(|plan| plan.claim(sql))
            && let Ok(rows) = taken.await
        {
            return Ok(rows);
        }
        self.session.query(sql).await
    }

    /// The rows of a query that only an aide may ask; none if it has not.
    pub async fn aided(&self, sql: &Sql) -> Option<Vec<Row>> {
        self.plan?.claim(sql)?.await.ok()
    }

    /// The row of a query that has exactly one.
    pub async fn query_one(&self, sql: &Sql) -> Result<Row> {
        let mut rows = self.query(sql).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => Err(Error::operation("read the catalogs")
                .because("the server did not return exactly one row")),
        }
    }
}

impl Plan {
    /// Queries in the order in which a reading needs them.
    pub fn of(queries: Vec<Sql>) -> Self {
        Self(Mutex::new(State {
            open: queries,
            taken: HashMap::new(),
        }))
    }

    /// Fetches from the back until nothing is open, on a session in a transaction of the same snapshot.
    pub async fn help(&self, aide: &Session) {
        let queries = std::iter::from_fn(|| self.take_last());
        stream::iter(queries)
            .map(|(sql, give)| async move {
                match aide.query(&sql).await {
                    // Nobody waits for it any more: the reading has failed.
                    Ok(rows) => _ = give.send(rows),
                    // The aide's transaction is broken: the session does the rest.
                    Err(_) => self.close(),
                }
            })
            .buffer_unordered(AHEAD)
            .collect::<()>()
            .await;
    }

    /// Leaves nothing to the aide.
    pub fn close(&self) {
        self.state().open.clear();
    }

    /// The answer that the aide is fetching; none if it is for the caller to ask.
    fn claim(&self, sql: &Sql) -> Option<oneshot::Receiver<Vec<Row>>> {
        let mut state = self.state();
        if let Some(taken) = state.taken.remove(sql) {
            return Some(taken);
        }
        state.open.retain(|open| open != sql);
        None
    }

    fn take_last(&self) -> Option<(Sql, oneshot::Sender<Vec<Row>>)> {
        let mut state = self.state();
        let sql = state.open.pop()?;
        let (give, taken) = oneshot::channel();
        state.taken.insert(sql.clone(), taken);
        Some((sql, give))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let queries = ["SELECT 1", "SELECT 2", "SELECT 3"];
        Plan::of(queries.map(Sql::constant).to_vec())
    }

    #[test]
    fn the_aide_takes_from_the_back_and_nothing_is_asked_twice() {
        let plan = plan();
        assert!(plan.claim(&Sql::constant("SELECT 1")).is_none());
        let (last, give) = plan.take_last().unwrap();
        assert_eq!(last.text(), "SELECT 3");
        let mut taken = plan.claim(&last).unwrap();
        give.send(vec![Row::from_pairs(&[("a", Some("b"))])])
            .unwrap();
        assert_eq!(taken.try_recv().unwrap()[0].text("a").unwrap(), "b");
        assert_eq!(plan.take_last().unwrap().0.text(), "SELECT 2");
        assert!(plan.take_last().is_none(), "the first was asked already");
    }

    #[test]
    fn what_the_aide_gives_up_is_for_the_session() {
        let plan = plan();
        let (last, give) = plan.take_last().unwrap();
        drop(give);
        plan.close();
        assert!(plan.claim(&last).unwrap().try_recv().is_err());
        assert!(plan.take_last().is_none());
    }
}
