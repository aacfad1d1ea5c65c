//! What a swap writes into the journal, synced before each act and after it, and what it calls its databases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::journal::Stage;
use crate::pg::Session;
use crate::pg::target::Fenced;

/// PostgreSQL's longest name, in bytes.
const LONGEST: usize = 63;
/// Between the database's name and the run, in the name of the new one.
const NEW: &str = "_pgbelay_swap_";
/// Between the database's name and the stamp, in the name of the one that is kept.
const FAILED: &str = "_failed_";

/// What is about to be done, or was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwapAct {
    /// Making the new database. Until the renaming nothing but it has to go.
    Make,
    /// Refusing new connections to the failed database and ending its sessions.
    Close,
    /// Renaming both and letting connections in again, in one transaction. Written only when the new database is proven
    /// and closed.
    Rename,
    /// Dropping the new database and letting connections into the old one again.
    GiveUp,
}

/// A setting of a run's fence that stands on the failed database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftFence {
    /// Its value now.
    pub set: String,
    /// What it goes back to; none: the database had none.
    #[serde(default)]
    pub before: Option<String>,
}

impl From<&Fenced> for LeftFence {
    fn from(fenced: &Fenced) -> Self {
        Self {
            set: fenced.set.clone(),
            before: fenced.before.clone(),
        }
    }
}

/// Swap intent and outcome. Everything that finishing or undoing it takes stands in each record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapRecord {
    /// About what.
    pub act: SwapAct,
    /// The database's name, before and after.
    pub database: String,
    /// OID of the failed one.
    pub oid: u32,
    /// Name of the new one until the renaming.
    pub new_name: String,
    /// Its OID, once it is made.
    #[serde(default)]
    pub new_oid: Option<u32>,
    /// Name of the failed one from then on.
    pub failed_name: String,
    /// The fence on the failed one.
    #[serde(default)]
    pub fence: Option<LeftFence>,
    /// What is proven of the new one.
    #[serde(default)]
    pub proof: Option<String>,
    /// What the proof leaves out because its loss was accepted.
    #[serde(default)]
    pub not_brought_back: Vec<String>,
    /// Sessions that were ended.
    #[serde(default)]
    pub sessions_ended: usize,
}

impl SwapRecord {
    /// Whether nothing of the swap is left to be finished or undone.
    pub fn settles(&self, stage: Stage) -> bool {
        stage == Stage::Outcome && matches!(self.act, SwapAct::Rename | SwapAct::GiveUp)
    }

    /// The run that made the new database: the journal's own, or a recovery of it.
    pub fn maker(&self) -> &str {
        let name = self.new_name.rsplit_once(NEW);
        name.map_or("", |(_, run)| run)
    }

    /// Whether the new database is known to be in place.
    pub fn is_swapped(&self, stage: Stage) -> bool {
        stage == Stage::Outcome && self.act == SwapAct::Rename
    }
}

/// Whoever holds the run's lock and journal.
pub trait Custody {
    /// Writes and syncs a record.
    fn write(&mut self, stage: Stage, record: &SwapRecord) -> Result<()>;

    /// From now on `keeper` holds the run's lock, of the database with this OID: the new one, or after a swap that did not
    /// happen the failed one.
    fn hand_over(&mut self, keeper: Session, database: u32);
}

/// Name of the new database: what it is and which run made it.
pub(super) fn new_name(database: &str, run: &str) -> String {
    let tail = format!("{NEW}{run}");
    let mut end = database.len().min(LONGEST.saturating_sub(tail.len()));
    while !database.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &database[..end])
}

/// Name of the failed database; none if the server would cut it.
pub(super) fn failed_name(database: &str, now: DateTime<Utc>) -> Option<String> {
    let name = format!("{database}{FAILED}{}", now.format("%Y%m%d_%H%M%S"));
    (name.len() <= LONGEST).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are_and_fit() {
        assert_eq!(new_name("shop", "12ab34cd"), "shop_pgbelay_swap_12ab34cd");
        let wide = new_name(&"ü".repeat(31), "12ab34cd");
        assert!(wide.len() <= LONGEST && wide.ends_with("_pgbelay_swap_12ab34cd"));
        let now = "2026-11-21T17:54:09Z".parse().unwrap();
        let failed = failed_name("shop", now);
        assert_eq!(failed.as_deref(), Some("shop_failed_20261121_175409"));
        assert!(failed_name(&"x".repeat(40), now).is_some());
        assert_eq!(failed_name(&"x".repeat(41), now), None);
    }

    #[test]
    fn only_a_last_outcome_settles() {
        let record = |act| SwapRecord {
            act,
            database: "shop".to_owned(),
            oid: 1,
            new_name: "n".to_owned(),
            new_oid: None,
            failed_name: "f".to_owned(),
            fence: None,
            proof: None,
            not_brought_back: Vec::new(),
            sessions_ended: 0,
        };
        let mut made = record(SwapAct::Make);
        made.new_name = new_name("a_pgbelay_swap_b", "12ab34cd");
        assert_eq!(made.maker(), "12ab34cd");
        for act in [
            SwapAct::Make,
            SwapAct::Close,
            SwapAct::Rename,
            SwapAct::GiveUp,
        ] {
            assert!(!record(act).settles(Stage::Intent), "{act:?}");
        }
        assert!(!record(SwapAct::Make).settles(Stage::Outcome));
        assert!(!record(SwapAct::Close).settles(Stage::Outcome));
        assert!(record(SwapAct::Rename).settles(Stage::Outcome));
        assert!(record(SwapAct::GiveUp).settles(Stage::Outcome));
    }
}
