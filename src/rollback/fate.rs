//! What became of a rollback's transaction: noted right before COMMIT is sent, asked for when its answer was lost (P5, P6).
//!
//! A rollback whose end nobody saw may have taken effect, and others may have written since. Comparing rows would take theirs
//! for the migration's. The server knows: it remembers of every id whether it was committed.
//!
//! Invariant: an id counts only in the life of the server that gave it. In a crash ids are lost that no disk held yet, and are
//! given again to others.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::image::BeforeImage;
use super::verdict::Proof;
use crate::catalog;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// How long a commit that is under way is waited for.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Time between two questions.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A proven rollback whose COMMIT is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// `pg_current_xact_id()`.
    pub transaction: u64,
    /// Of the cluster; empty where the role may not ask.
    pub system_identifier: String,
    /// Of the database.
    pub database_oid: u32,
    /// Which life of the server gave the id.
    pub life: String,
    /// What was proven inside the transaction.
    pub proof: String,
    /// What the proof leaves out because its loss was accepted.
    #[serde(default)]
    pub not_brought_back: Vec<String>,
}

/// Whoever keeps the journal of a rollback.
pub trait Ledger {
    /// Writes down what there was before the first change; synced when this returns.
    ///
    /// # Errors
    /// Of the file: nothing is changed then.
    fn changes(&self, before: &BeforeImage) -> Result<()>;

    /// Writes down what is about to be committed; synced when this returns.
    ///
    /// # Errors
    /// Of the file: nothing is committed then.
    fn commits(&self, commit: &Commit) -> Result<()>;
}

/// A rollback without a journal: whoever loses sight of it has to compare.
pub(super) struct Unkept;

impl Ledger for Unkept {
    fn changes(&self, _before: &BeforeImage) -> Result<()> {
        Ok(())
    }

    fn commits(&self, _commit: &Commit) -> Result<()> {
        Ok(())
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It took effect.
    Committed,
    /// It did not, and never will.
    NotCommitted,
    /// It has not ended.
    UnderWay,
    /// Nobody can tell, for this reason.
    Unknown(String),
}

impl Commit {
    /// Of the transaction that `session` is in.
    pub(super) async fn of(session: &Session, proof: &Proof) -> Result<Self> {
        let sql = Sql::constant(include_str!("sql/commit.sql"));
        let row = session.query_one(&sql).await?;
        Ok(Self {
            transaction: row.number("transaction")?,
            system_identifier: catalog::system_identifier(session).await?,
            database_oid: row.number("database_oid")?,
            life: row.string("life")?,
            proof: proof.text.clone(),
            not_brought_back: proof.not_brought_back.clone(),
        })
    }

    /// Asks what became of it, and waits a while where it has not ended yet.
    ///
    /// # Errors
    /// Of the server.
    pub async fn fate(&self, session: &Session) -> Result<Fate> {
        let cluster = catalog::system_identifier(session).await?;
        let begun = Instant::now();
        loop {
            let row = session.query_one(&self.question()).await?;
            let there = cluster == self.system_identifier
                && row.number::<u32>("database_oid")? == self.database_oid;
            let same_life = row.text("life")? == self.life;
            let fate = match there {
                true => judge(row.opt("status")?, same_life),
                false => Fate::Unknown("it was begun on another server".to_owned()),
            };
            if fate != Fate::UnderWay || begun.elapsed() > END_WITHIN {
                return Ok(fate);
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn question(&self) -> Sql {
        Sql::constant(include_str!("sql/fate.sql"))
            .number(self.transaction)
            .then(")) AS v(n)) AS asked")
    }
}

fn judge(status: Option<&str>, same_life: bool) -> Fate {
    match (status, same_life) {
        (Some("committed"), true) => Fate::Committed,
        (Some("in progress"), true) => Fate::UnderWay,
        // What was running when the server went down is undone; one that has the id now is another.
        (Some("aborted" | "in progress"), _) => Fate::NotCommitted,
        (Some("committed"), false) => Fate::Unknown(
            "the server was started again since, and the transaction that it knows as committed may be another one"
                .to_owned(),
        ),
        _ => Fate::Unknown("the server no longer knows its transaction".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_only_what_is_known_is_told() {
        let table = [
            (Some("committed"), true, Some(Fate::Committed)),
            (Some("aborted"), true, Some(Fate::NotCommitted)),
            (Some("in progress"), true, Some(Fate::UnderWay)),
            (None, true, None),
            (Some("committed"), false, None),
            (Some("aborted"), false, Some(Fate::NotCommitted)),
            (Some("in progress"), false, Some(Fate::NotCommitted)),
            (None, false, None),
        ];
        for (status, same_life, fate) in table {
            let judged = judge(status, same_life);
            match fate {
                Some(fate) => assert_eq!(judged, fate, "{status:?} {same_life}"),
                None => assert!(matches!(judged, Fate::Unknown(_)), "{status:?} {same_life}"),
            }
        }
    }
}
