//! What the locks of a rollback do not hold (P5): large objects, which no lock on a table of the user reaches, and tables of
//! extensions that the role may not lock.
//!
//! Large objects are read once others' writes can only come later, and those that go are compared with that directly before
//! they go. Where the role may, and nobody is using large objects at that moment, all of them are held from
//! there on; that keeps their readers out, too, so it is done late. What was written meanwhile withholds the
//! rollback.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog;
use crate::compare::{self, counted};
use crate::error::{Error, Kind, Result};
use crate::pg::{Session, Sql};

/// No such object.
const UNDEFINED: &str = "42704";
/// The role may not lock, or somebody has opened a large object in a transaction that lasts.
const NOT_NOW: [&str; 2] = ["42501", "55P03"];

/// Keeps others from writing large objects until the end of the transaction; whether that could be done.
///
/// Nobody is waited for: who has a large object open may be waiting for one of our tables.
pub(super) async fn hold_large_objects(session: &Session) -> Result<bool> {
    let hold = Sql::constant(
        "SAVEPOINT objects;\n\
         LOCK TABLE pg_catalog.pg_largeobject IN SHARE MODE NOWAIT;\n\
         RELEASE SAVEPOINT objects",
    );
    let held = session.execute(&hold).await;
    let refused = |error: &Error| NOT_NOW.iter().any(|code| error.sqlstate() == Some(*code));
    if !held.as_ref().is_err_and(refused) {
        return held.map(|()| true);
    }
    let back = Sql::constant("ROLLBACK TO SAVEPOINT objects;\nRELEASE SAVEPOINT objects");
    session.execute(&back).await?;
    Ok(false)
}

/// All large objects, for a rebuild, in which all of them go: held, or as they were read.
#[derive(Debug, Default)]
pub(super) struct LargeObjects {
    held: bool,
    /// By identity; as a state has them.
    known: BTreeMap<String, String>,
}

impl LargeObjects {
    /// Nobody reads tables any more, so large objects are held from the start.
    pub async fn take(session: &Session) -> Result<Self> {
        let held = hold_large_objects(session).await?;
        let known = match held {
            true => BTreeMap::new(),
            false => compare::large_objects(session, &numbers(session).await?).await?,
        };
        Ok(Self { held, known })
    }

    /// As [`refuse_written`], for all of them, new ones and those that somebody removed included.
    pub async fn refuse_written(&self, session: &Session) -> Result<()> {
        if self.held {
            return Ok(());
        }
        let now = numbers(session).await?;
        let identities = now.iter().map(|&oid| catalog::large_object_identity(oid));
        let identities: BTreeSet<String> = identities.collect();
        let mut known = self.known.keys();
        match known.find(|identity| !identities.contains(*identity)) {
            Some(removed) => Err(withheld(session, removed)),
            None => refuse_written(session, &now, &self.known).await,
        }
    }
}

/// Numbers of all large objects, as they are now.
async fn numbers(session: &Session) -> Result<BTreeSet<u32>> {
    let sql = Sql::constant(include_str!("sql/large_objects.sql"));
    let rows = session.query(&sql).await?;
    rows.iter().map(|row| row.number("oid")).collect()
}

/// Refuses to let large objects go that somebody has written since they were read as `known`.
///
/// # Errors
/// [`Kind::Withheld`] with the first one that is not what was read; those of the server.
pub(super) async fn refuse_written(
    session: &Session,
    going: &BTreeSet<u32>,
    known: &BTreeMap<String, String>,
) -> Result<()> {
    for oid in going {
        let identity = catalog::large_object_identity(*oid);
        let now = compare::large_objects(session, [oid]).await;
        if now
            .as_ref()
            .is_err_and(|error| error.sqlstate() == Some(UNDEFINED))
        {
            return Err(withheld(session, &identity));
        }
        if now?.get(&identity) != known.get(&identity) {
            return Err(withheld(session, &identity));
        }
    }
    Ok(())
}

fn withheld(session: &Session, identity: &str) -> Error {
    Error::new(Kind::Withheld, format!("roll back {}", session.target()))
        .because(format!(
            "others wrote {identity} after it was read: that would be lost, and it is in no archive"
        ))
        .hint(
            "stop who writes large objects, then `pgbelay rollback`; with --discard-other-writes what they hold by \
             then is saved first, and goes",
        )
}

/// What large objects are after a repair: as they were found, and those that were written as they are read now.
pub(super) async fn after(
    session: &Session,
    live: &[u32],
    written: &BTreeSet<u32>,
    found: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let is_known = |oid: &&u32| {
        !written.contains(*oid) && found.contains_key(&catalog::large_object_identity(**oid))
    };
    let (known, others): (Vec<&u32>, Vec<&u32>) = live.iter().partition(is_known);
    let mut after = compare::large_objects(session, others).await?;
    let known = known
        .into_iter()
        .map(|&oid| catalog::large_object_identity(oid));
    after.extend(known.filter_map(|identity| {
        let content = found.get(&identity)?.clone();
        Some((identity, content))
    }));
    Ok(after)
}

/// For the proof's words: what was read while others could write it. So many large objects, and the tables of extensions
/// whose rows are the user's and that this transaction has not locked.
pub(super) async fn told(session: &Session, large_objects: usize) -> Result<String> {
    let sql = Sql::constant(include_str!("sql/unheld.sql"));
    let mut parts = Vec::new();
    for row in &session.query(&sql).await? {
        parts.push(format!("table {}", row.text("quoted")?));
    }
    if large_objects > 0 {
        parts.push(counted(large_objects, "large object", "large objects"));
    }
    Ok(match parts.is_empty() {
        true => String::new(),
        false => format!("; read without a lock: {}", parts.join(", ")),
    })
}
