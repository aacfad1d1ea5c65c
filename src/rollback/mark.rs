//! A moment of a database by which later commits of others are told (P5).
//!
//! Transaction ids speak first: if none committed on the whole server since, nobody wrote. Otherwise the server's own counts
//! of written rows and a digest of the definitions are compared. What cannot be known counts as a write: the operator
//! decides, not a guess.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::counters;
use super::evidence::nothing_committed_since;
use super::scene::Scene;
use super::sequences;
use crate::catalog::{self, Counters};
use crate::compare::counted;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::pg::{self, Session, Sql};

/// How long sessions that may have written what is not counted yet are waited for: an idle one reports after ten
/// seconds, and is believed after fifteen.
const WAIT_FOR_COUNTS: Duration = Duration::from_secs(17);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

const DEFINITIONS: &str = "definitions were changed";
const VALUES: &str = "values were taken from sequences";

/// By what later writes of others are told (P5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// `pg_current_snapshot()`.
    pub snapshot: String,
    /// When, by the server's clock, microseconds since the epoch.
    #[serde(default)]
    pub at: i64,
    /// What the server had counted as written to this database's tables, and when that life of it began, as one hash; none
    /// where counts may have been missing.
    #[serde(default)]
    pub written: Option<String>,
    /// [`catalog::definitions_digest`].
    pub definitions: String,
    /// Values of all sequences as one hash; marks of older versions have none.
    #[serde(default)]
    pub sequences: Option<String>,
}

impl Mark {
    /// The moment first: whatever commits after it is looked for. Counts may lack what is not reported yet, which then looks
    /// like a later write: the cautious side.
    ///
    /// # Errors
    /// Of the server.
    pub async fn read(session: &Session) -> Result<Self> {
        let moment = Sql::constant(include_str!("sql/moment.sql"));
        let moment = session.query_one(&moment).await?;
        let written = catalog::read_counters(session).await?;
        Ok(Self {
            snapshot: moment.string("snapshot")?,
            at: moment.number("at")?,
            written: Some(hash(moment.number("began")?, &written)),
            definitions: catalog::definitions_digest(session).await?,
            sequences: Some(sequences::digest(session).await?),
        })
    }

    /// As [`Mark::read`], none where it cannot be read: then nothing is known later, which withholds.
    pub async fn read_if_possible(session: &Session) -> Option<Self> {
        match Self::read(session).await {
            Ok(mark) => Some(mark),
            Err(error) => {
                tracing::debug!(%error, "no mark");
                None
            }
        }
    }

    /// By what writes before this moment are told, too: without counts where somebody may have written what is not counted yet.
    pub async fn settled_if_possible(session: &Session, ctx: &Context) -> Option<Self> {
        let certain = matches!(counters::doubt(session, ctx).await, Ok(None));
        let mark = Self::read_if_possible(session).await?;
        Some(Self {
            written: mark.written.filter(|_| certain),
            ..mark
        })
    }

    /// Why others have, or may have, committed between this mark and a later one. What is not known counts as a write.
    pub fn objection(&self, later: &Self) -> Option<String> {
        if self.definitions != later.definitions {
            return Some(DEFINITIONS.to_owned());
        }
        match (&self.written, &later.written) {
            (Some(then), Some(now)) if then == now => {
                self.moved_until(later).then(|| VALUES.to_owned())
            }
            (Some(_), Some(_)) => Some(
                "rows were written (or the server was started again, or its counts were reset: \
                 then nobody knows)"
                    .to_owned(),
            ),
            _ => Some("the server may not have counted all that was written".to_owned()),
        }
    }

    /// Whether anybody has committed since, or may have, for a mark of a moment ago: nothing is waited for, and what was not
    /// reported by then is no later write. `session` is in no transaction, which would see who is connected only once.
    ///
    /// # Errors
    /// Of the server.
    pub async fn objection_at_once(
        &self,
        session: &Session,
        counts: Counts,
        ctx: &Context,
    ) -> Result<Option<String>> {
        if nothing_committed_since(session, &self.snapshot).await? {
            return self.values_taken(session).await;
        }
        let active = active_since(session, self.at, ctx).await?;
        if active > 0 {
            let sessions = counted(active, "other session was", "other sessions were");
            return Ok(Some(format!("{sessions} at work meanwhile")));
        }
        if session.version().major() < counters::SINCE {
            tokio::time::sleep(counters::COLLECTOR_DELAY).await;
        }
        // Who came and left reported when leaving.
        let now = Self::read(session).await?;
        let changed = counts == Counts::OfOthers && now.written != self.written;
        if changed || now.definitions != self.definitions {
            return Ok(self.objection(&now));
        }
        Ok(self.moved_until(&now).then(|| VALUES.to_owned()))
    }

    /// Whether sequences moved on until then; marks of older versions do not know.
    fn moved_until(&self, later: &Self) -> bool {
        let both = self.sequences.as_ref().zip(later.sequences.as_ref());
        both.is_some_and(|(then, now)| then != now)
    }

    /// Whether sequences moved on since: most values are taken without a transaction id, and no transaction gives one back.
    async fn values_taken(&self, session: &Session) -> Result<Option<String>> {
        let Some(then) = &self.sequences else {
            return Ok(None);
        };
        let now = sequences::digest(session).await?;
        Ok((*then != now).then(|| VALUES.to_owned()))
    }

    /// As [`refuse_later_writes`], of values of sequences that are held by now.
    pub(super) async fn refuse_taken_values(&self, scene: &Scene<'_>) -> Result<()> {
        match self.values_taken(scene.session).await? {
            Some(why) => Err(withheld(scene, &why)),
            None => Ok(()),
        }
    }

    /// Whether anybody has committed since, or may have; `session` is in no transaction.
    ///
    /// # Errors
    /// Of the server.
    pub async fn objection_now(&self, session: &Session, ctx: &Context) -> Result<Option<String>> {
        if nothing_committed_since(session, &self.snapshot).await? {
            return self.values_taken(session).await;
        }
        if let Some(doubt) = settled(session, ctx).await? {
            return Ok(Some(doubt));
        }
        let now = Self::read(session).await?;
        Ok(self.objection(&now))
    }

    /// The same, where `written` tells what was counted and no hash over all tables does.
    pub(super) async fn objection_counted(
        &self,
        session: &Session,
        written: impl AsyncFnOnce(&Session) -> Result<Option<String>>,
        ctx: &Context,
    ) -> Result<Option<String>> {
        if nothing_committed_since(session, &self.snapshot).await? {
            return self.values_taken(session).await;
        }
        if let Some(doubt) = settled(session, ctx).await? {
            return Ok(Some(doubt));
        }
        let now = Self {
            written: written(session).await?,
            ..Self::read(session).await?
        };
        Ok(self.objection(&now))
    }

    /// What was counted as written to all tables but these.
    pub(super) async fn written_to_others(
        session: &Session,
        but: &BTreeSet<u32>,
    ) -> Result<String> {
        let moment = Sql::constant(include_str!("sql/moment.sql"));
        let began = session.query_one(&moment).await?.number("began")?;
        let mut written = catalog::read_counters(session).await?;
        written.tables.retain(|oid, _| !but.contains(oid));
        Ok(hash(began, &written))
    }
}

/// Named numbers in a fixed order: a mark is compared with one that another version wrote.
fn hash(life: i64, written: &Counters) -> String {
    let mut hash = Xxh3::new();
    hash.update(&life.to_le_bytes());
    hash.update(written.reset.as_bytes());
    for (oid, table) in &written.tables {
        for number in [*oid, table.file, table.columns] {
            hash.update(&number.to_le_bytes());
        }
        for number in [table.inserted, table.updated, table.deleted] {
            hash.update(&number.to_le_bytes());
        }
    }
    format!("{:032x}", hash.digest128())
}

/// Why nobody can tell from counts, once those who are connected had time to report.
async fn settled(session: &Session, ctx: &Context) -> Result<Option<String>> {
    let doubt = lasting_doubt(session, ctx).await?;
    Ok(doubt.map(|doubt| {
        format!("transactions were committed on the server, and nobody can tell whether they wrote here: {doubt}")
    }))
}

/// Waits until the server has counted what those who are connected wrote; why it has not, if it does not come to that.
async fn lasting_doubt(session: &Session, ctx: &Context) -> Result<Option<String>> {
    let (began, mut told) = (Instant::now(), false);
    loop {
        let doubt = counters::doubt(session, ctx).await?;
        let lasts = session.version().major() < counters::SINCE;
        if doubt.is_none() || lasts || began.elapsed() > WAIT_FOR_COUNTS {
            return Ok(doubt);
        }
        if !std::mem::replace(&mut told, true) {
            ctx.note(format!(
                "waiting for up to {} s: {}",
                WAIT_FOR_COUNTS.as_secs(),
                doubt.unwrap_or_default()
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether the server's counts of written rows can be those of others alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Nobody of this rollback has written.
    OfOthers,
    /// An attempt before this one has: what was taken back is counted, too.
    Mixed,
}

/// Once the locks are held: what others committed between the judgement and the locks must not be pulled away (P5). Nothing
/// was changed yet.
pub(super) async fn refuse_later_writes(scene: &Scene<'_>, counts: Counts) -> Result<()> {
    let options = scene.options;
    let Some(mark) = &options.judged_at else {
        return Ok(());
    };
    if options.discard_other_writes {
        return Ok(());
    }
    if nothing_committed_since(scene.session, &mark.snapshot).await? {
        return mark.refuse_taken_values(scene).await;
    }
    // A transaction sees who is connected only once.
    let session = pg::connect(scene.target, pg::Purpose::Witness, scene.ctx).await?;
    let found = mark.objection_at_once(&session, counts, scene.ctx).await;
    session.close().await;
    match found? {
        None => Ok(()),
        Some(why) => Err(withheld(scene, &why)),
    }
}

/// Behind each reading of definitions that the rollback goes by: locks hold tables that there were, and nothing else. What somebody
/// made, changed or dropped since the judgement would be taken for the migration's doing (P5). Those who only wait for
/// our locks are in nobody's way.
pub(super) async fn refuse_later_definitions(scene: &Scene<'_>) -> Result<()> {
    let options = scene.options;
    let mark = options.judged_at.as_ref();
    let Some(mark) = mark.filter(|_| !options.discard_other_writes) else {
        return Ok(());
    };
    if nothing_committed_since(scene.session, &mark.snapshot).await? {
        return Ok(());
    }
    // What this transaction did itself is not seen from there.
    let session = pg::connect(scene.target, pg::Purpose::Witness, scene.ctx).await?;
    let now = catalog::definitions_digest(&session).await;
    session.close().await;
    match now? == mark.definitions {
        true => Ok(()),
        false => Err(withheld(scene, DEFINITIONS)),
    }
}

/// Sessions that may have written rows of the user and were at work since.
async fn active_since(session: &Session, at: i64, ctx: &Context) -> Result<usize> {
    let sql = Sql::constant(include_str!("sql/active_since.sql"));
    let mut active = 0;
    for row in session.query(&sql).await? {
        let ours = row.bool("same_role")? && pg::is_ours(row.text("application")?, &ctx.run_id);
        let last: Option<i64> = row.opt_number("active")?;
        let was_active = row.bool("hidden")? || last.is_some_and(|last| last >= at);
        active += usize::from(!ours && was_active);
    }
    Ok(active)
}

fn withheld(scene: &Scene<'_>, why: &str) -> Error {
    Error::new(
        Kind::Withheld,
        format!("roll back {}", scene.session.target()),
    )
    .because(format!(
        "others wrote, or may have written, before it had its locks: {why}"
    ))
    .now("the rollback has changed nothing; the database is as it was found")
    .hint("to put it back all the same (what it holds now is saved first): `pgbelay rollback --discard-other-writes`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p5_what_is_not_known_counts_as_a_write() {
        let mark = |definitions: &str, written: Option<&str>| Mark {
            snapshot: "1:1:".to_owned(),
            at: 0,
            written: written.map(str::to_owned),
            definitions: definitions.to_owned(),
            sequences: Some("1".to_owned()),
        };
        let then = mark("a", Some("1"));
        assert_eq!(then.objection(&then), None);
        for now in [mark("b", Some("1")), mark("a", Some("2")), mark("a", None)] {
            assert!(then.objection(&now).is_some(), "{now:?}");
        }
        let moved = Mark {
            sequences: Some("2".to_owned()),
            ..then.clone()
        };
        assert!(then.objection(&moved).is_some());
        // A mark of an older version knows nothing of sequences.
        let old = Mark {
            sequences: None,
            ..then.clone()
        };
        assert_eq!(old.objection(&then), None);
        let blind = mark("a", None);
        assert!(blind.objection(&blind).is_some());
    }
}
