//! What transaction ids prove, and when they cannot speak (docs/rollback.md).
//!
//! Everything that commits a change to rows or definitions has a transaction id. An id that the
//! backup's snapshot did not see committed and that is committed now is in the snapshot's list of
//! running ids or not below its upper bound. If each of those ended in an abort, nothing was
//! committed in between, in the whole cluster. Sequence values need no id: they are compared
//! always.

use crate::archive::Manifest;
use crate::catalog;
use crate::context::Context;
use crate::error::Result;
use crate::pg::{Row, Session, Sql};

/// Statuses asked for at most; beyond it, comparing content is the better question.
const MOST_TRANSACTIONS: u64 = 100_000;

/// Ids after which what rows hold of one is no longer told from another; less than 2^31.
const MOST_IDS: u64 = 1_500_000_000;

/// SQLSTATE of a function that our role may not call.
const NO_RIGHT: &str = "42501";

/// The first id that a transaction can have (`FirstNormalTransactionId`).
const FIRST_NORMAL: u32 = 3;

/// Seconds by which the clocks of client and server may differ in what they say about ages.
const CLOCK_TOLERANCE: i64 = 2;

/// What the transaction ids say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Testimony {
    /// Nothing was committed since the backup, in these words.
    NothingCommitted(String),
    /// They cannot tell, for this reason.
    Silent(String),
}

/// Examines every transaction id that may have committed since the archive's snapshot. Runs
/// inside the caller's REPEATABLE READ transaction.
pub(super) async fn by_transaction_ids(
    session: &Session,
    manifest: &Manifest,
    ctx: &Context,
) -> Result<Testimony> {
    match snapshots(session, manifest, ctx).await? {
        Ok((old, new)) => judge(session, &old, &new).await,
        Err(reason) => Ok(silent(reason)),
    }
}

/// Whether nobody on the whole server has committed since a snapshot (`pg_current_snapshot()`); false if that cannot be told.
/// What a crash or a failover takes away is no commit, and is not looked for.
pub async fn nothing_committed_since(session: &Session, snapshot: &str) -> Result<bool> {
    let row = horizon(session).await?;
    let both = Snapshot::parse(snapshot).zip(Snapshot::parse(row.text("snapshot")?));
    let Some((old, new)) = both else {
        return Ok(false);
    };
    let testimony = judge(session, &old, &new).await?;
    Ok(matches!(testimony, Testimony::NothingCommitted(_)))
}

/// Likewise, up to the crash after which the server came up again; what was committed since does not count. False also if
/// there was none, or if our role may not see it.
pub async fn nothing_committed_before_the_crash(session: &Session, snapshot: &str) -> Result<bool> {
    let sql = Sql::constant(include_str!("sql/restart.sql"));
    let row = match session.query_one(&sql).await {
        Ok(row) => row,
        Err(error) if error.sqlstate() == Some(NO_RIGHT) => return Ok(false),
        Err(error) => return Err(error),
    };
    let is_known = row.opt("of_this_life")? == Some("t");
    let both = Snapshot::parse(snapshot).zip(Snapshot::before(row.text("next_xid")?));
    let Some((old, crash)) = both.filter(|_| is_known) else {
        return Ok(false);
    };
    let testimony = judge(session, &old, &crash).await?;
    Ok(matches!(testimony, Testimony::NothingCommitted(_)))
}

/// What was running when the archive was made and what is now, or why these cannot be compared.
async fn snapshots(
    session: &Session,
    manifest: &Manifest,
    ctx: &Context,
) -> Result<std::result::Result<(Snapshot, Snapshot), String>> {
    let row = horizon(session).await?;
    if let Some(reason) = objection_of(session, &row, manifest, ctx).await? {
        return Ok(Err(reason));
    }
    let both = Snapshot::parse(&manifest.snapshot).zip(Snapshot::parse(row.text("snapshot")?));
    Ok(both.ok_or_else(|| "a snapshot is not readable".to_owned()))
}

async fn horizon(session: &Session) -> Result<Row> {
    let sql = Sql::constant(include_str!("sql/horizon.sql"));
    session.query_one(&sql).await
}

/// Why nothing that the server remembers can be compared with the archive's time: it is another one, or
/// has forgotten.
pub(super) async fn objection(
    session: &Session,
    manifest: &Manifest,
    ctx: &Context,
) -> Result<Option<String>> {
    let row = horizon(session).await?;
    objection_of(session, &row, manifest, ctx).await
}

async fn objection_of(
    session: &Session,
    row: &Row,
    manifest: &Manifest,
    ctx: &Context,
) -> Result<Option<String>> {
    let horizon = Horizon {
        in_recovery: row.bool("in_recovery")?,
        recovered: row.bool("recovered")?,
        wal_writer_seconds: row.opt_number("wal_writer_seconds")?,
        server_seconds: row.number("server_seconds")?,
        archive_seconds: match manifest.server_time {
            Some(then) => row.number::<i64>("server_time")? - then,
            None => (ctx.now() - manifest.created).num_seconds(),
        },
    };
    let cluster = catalog::system_identifier(session).await?;
    if cluster.is_empty() || cluster != manifest.database.system_identifier {
        let reason = "the archive cannot be shown to come from this cluster";
        return Ok(Some(reason.to_owned()));
    }
    if row.number::<u32>("database_oid")? != manifest.database.oid {
        return Ok(Some("the archive is of another database".to_owned()));
    }
    Ok(horizon.objection().map(str::to_owned))
}

/// The first transaction id, as rows hold it, whose rows may be newer than the archive; none where ids of then and now
/// cannot be compared.
pub(super) async fn oldest_newer(
    session: &Session,
    manifest: &Manifest,
    ctx: &Context,
) -> Result<Option<u32>> {
    let snapshots = snapshots(session, manifest, ctx).await?.ok();
    Ok(snapshots.and_then(|(old, new)| old.first_newer(&new)))
}

fn silent(reason: impl Into<String>) -> Testimony {
    Testimony::Silent(reason.into())
}

/// Ages in seconds, and the server's past. The archive's is by the server's clock where the archive tells: the client's
/// may be another client's, or have been set back.
struct Horizon {
    in_recovery: bool,
    recovered: bool,
    wal_writer_seconds: Option<i64>,
    server_seconds: i64,
    archive_seconds: i64,
}

impl Horizon {
    /// Why ids of this server's present cannot be compared with ids of the archive's time. After
    /// a crash unlogged tables are empty, after a failover commits may be missing, and neither
    /// leaves a transaction id.
    fn objection(&self) -> Option<&'static str> {
        let since_archive = self.archive_seconds + CLOCK_TOLERANCE;
        if since_archive < 0 {
            return Some("by the clock the backup is not yet taken");
        }
        if self.in_recovery {
            return Some("the server is a standby");
        }
        if self.server_seconds <= since_archive {
            return Some("the server was started after the backup or just before it");
        }
        let writer_is_older = self
            .wal_writer_seconds
            .is_some_and(|seconds| seconds > since_archive);
        if self.recovered && !writer_is_older {
            return Some("the server may have recovered from a crash since the backup");
        }
        None
    }
}

/// `pg_snapshot` text: `xmin:xmax:xip,…`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    /// All ids below it had ended.
    lower: u64,
    /// The first id that the snapshot cannot have seen.
    upper: u64,
    /// Ids below it that were running.
    running: Vec<u64>,
}

impl Snapshot {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let lower = parts.next()?.parse().ok()?;
        let upper = parts.next()?.parse().ok()?;
        let running = parts.next()?;
        let running = running
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| id.parse().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            lower,
            upper,
            running,
        })
    }

    /// When everything before an id, `epoch:id`, had ended.
    fn before(id: &str) -> Option<Self> {
        let (epoch, low) = id.split_once(':')?;
        let (epoch, low): (u32, u32) = (epoch.parse().ok()?, low.parse().ok()?);
        let upper = u64::from(epoch) << 32 | u64::from(low);
        Some(Self {
            lower: upper,
            upper,
            running: Vec::new(),
        })
    }

    /// What rows hold of the lowest id that had not ended. Rows hold the lower half of an id: none if so many were used
    /// since that another half comes close, or if it is one of the first, which are no transaction's.
    fn first_newer(&self, now: &Self) -> Option<u32> {
        // Ids that went backwards tell nothing.
        now.upper.checked_sub(self.upper)?;
        let used = now.upper.checked_sub(self.lower)?;
        let first = u32::try_from(self.lower & u64::from(u32::MAX)).ok()?;
        (used < MOST_IDS && first >= FIRST_NORMAL).then_some(first)
    }
}

async fn judge(session: &Session, old: &Snapshot, new: &Snapshot) -> Result<Testimony> {
    let Some(newer) = new.upper.checked_sub(old.upper) else {
        return Ok(silent(
            "transaction ids went backwards: this server lost commits",
        ));
    };
    let count = newer + old.running.len() as u64;
    if count == 0 {
        return Ok(Testimony::NothingCommitted(
            "no transaction has been finished on this server since the backup".to_owned(),
        ));
    }
    if count > MOST_TRANSACTIONS {
        return Ok(silent(format!(
            "{count} transactions ended since the backup"
        )));
    }
    let rows = session.query(&statuses(old, new)).await?;
    for row in &rows {
        let number: u64 = row.number("transactions")?;
        match row.opt("status")? {
            Some("aborted") => {}
            Some(other) if number == 1 => return Ok(silent(format!("1 transaction is {other}"))),
            Some(other) => return Ok(silent(format!("{number} transactions are {other}"))),
            None => return Ok(silent("the server no longer knows some transactions")),
        }
    }
    Ok(Testimony::NothingCommitted(format!(
        "every transaction since the backup was rolled back ({count} examined)"
    )))
}

/// One query: how many of the ids in question have which status.
fn statuses(old: &Snapshot, new: &Snapshot) -> Sql {
    let mut sql = Sql::constant(
        "SELECT pg_catalog.pg_xact_status(id::pg_catalog.text::pg_catalog.xid8) AS status, \
         pg_catalog.count(*) AS transactions \
         FROM (SELECT pg_catalog.generate_series(",
    )
    .number(old.upper)
    .then("::pg_catalog.int8, ")
    .number(new.upper)
    .then("::pg_catalog.int8 - 1) AS id");
    for id in &old.running {
        sql = sql.then(" UNION ALL SELECT ").number(*id);
    }
    sql.then(") AS ids GROUP BY 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Horizon {
        Horizon {
            in_recovery: false,
            recovered: false,
            wal_writer_seconds: None,
            server_seconds: 1000,
            archive_seconds: 10,
        }
    }

    #[test]
    fn snapshots_are_parsed() {
        let snapshot = Snapshot::parse("10:20:10,14,15").unwrap();
        assert_eq!(snapshot.upper, 20);
        assert_eq!(snapshot.running, [10, 14, 15]);
        assert!(Snapshot::parse("10:20:").unwrap().running.is_empty());
        assert_eq!(Snapshot::before("0:754").unwrap().upper, 754);
        assert_eq!(Snapshot::before("1:5").unwrap().upper, (1 << 32) + 5);
        assert_eq!(Snapshot::before("754"), None);
        for broken in ["", "10:20", "a:b:", "10:20:x"] {
            assert_eq!(Snapshot::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_newer_is_told_across_epochs_and_not_after_too_many_ids() {
        let first = |old: &str, new: &str| {
            let (old, new) = (Snapshot::parse(old)?, Snapshot::parse(new)?);
            old.first_newer(&new)
        };
        assert_eq!(first("700:705:701", "800:800:"), Some(700));
        assert_eq!(
            first("4294967300:4294967300:", "4294967400:4294967400:"),
            Some(4)
        );
        assert_eq!(first("700:705:", "1500000700:1500000700:"), None);
        assert_eq!(
            first("4294967296:4294967296:", "4294967400:4294967400:"),
            None
        );
        assert_eq!(first("700:700:", "600:600:"), None);
        assert_eq!(first("700:800:701", "750:750:"), None);
    }

    #[test]
    fn p2_ids_are_silent_where_they_could_mislead() {
        assert_eq!(quiet().objection(), None);
        let horizon = |change: fn(&mut Horizon)| {
            let mut horizon = quiet();
            change(&mut horizon);
            horizon.objection().is_some()
        };
        assert!(horizon(|h| h.in_recovery = true));
        assert!(horizon(|h| h.server_seconds = 9));
        assert!(horizon(|h| h.archive_seconds = -3));
        assert!(horizon(|h| h.recovered = true));
        assert!(horizon(
            |h| (h.recovered, h.wal_writer_seconds) = (true, Some(5))
        ));
        assert!(!horizon(
            |h| (h.recovered, h.wal_writer_seconds) = (true, Some(500))
        ));
    }

    #[test]
    fn running_ids_are_examined_too() {
        let old = Snapshot::parse("3:5:3").unwrap();
        let new = Snapshot::parse("9:9:").unwrap();
        let sql = statuses(&old, &new);
        assert!(
            sql.text()
                .contains("generate_series(5::pg_catalog.int8, 9::pg_catalog.int8 - 1)")
        );
        assert!(sql.text().contains("UNION ALL SELECT 3)"));
    }
}
