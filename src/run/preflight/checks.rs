//! The concerns of preflight, one function and one `.sql` file each.
//!
//! A check reads and reports, and never changes anything; all of them run, so that everything that
//! refuses is told at once.

use super::archive_estimate_bytes;
use super::facts::Facts;
use super::finding::Finding;
use crate::catalog::{self, AcceptedLosses, Catalog, Loss, Uncovered};
use crate::error::Result;
use crate::pg::{Row, Session, Sql};

/// Below this the store's file system counts as full, whatever the database's size.
const SPACE_FLOOR_BYTES: u64 = 16 << 20;

/// What the facts alone say.
pub(super) fn database(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = format!("database {}", facts.database);
    if facts.in_recovery {
        findings.push(
            Finding::refuse("server", "it is a standby: nothing can be migrated there")
                .cured_by("connect to the primary (target_session_attrs=read-write)"),
        );
    }
    if facts.is_template {
        findings.push(
            Finding::refuse(&name, "it is a template database")
                .cured_by("name the application's database"),
        );
    }
    if !facts.can_create_schemas {
        findings.push(
            Finding::refuse(
                &name,
                format!(
                    "role {} may not create schemas in it, a rollback may have to",
                    facts.role
                ),
            )
            .cured_by(format!(
                "run as {}, its owner, or GRANT CREATE ON DATABASE",
                facts.owner
            )),
        );
    }
    if !facts.sees_other_sessions {
        findings.push(
            Finding::warn(
                format!("role {}", facts.role),
                "it may not see what other roles' sessions do: while they are connected, \
                 a rollback that is needed will be withheld",
            )
            .cured_by(format!("GRANT pg_read_all_stats TO \"{}\"", facts.role)),
        );
    }
    findings
}

/// Free space of the store against what archive and saved state will need.
pub(super) fn space(facts: &Facts, free_bytes: Option<u64>) -> Option<Finding> {
    let free = free_bytes?;
    let archive = archive_estimate_bytes(facts.size_bytes).max(SPACE_FLOOR_BYTES);
    let numbers = format!(
        "{} MiB are free; the database has {} MiB, its archive may need {} MiB",
        free >> 20,
        facts.size_bytes >> 20,
        archive >> 20
    );
    if free < archive {
        return Some(
            Finding::refuse("free space of the store", numbers)
                .cured_by("remove old archives, or name another place with --store"),
        );
    }
    (free < archive.saturating_mul(2)).then(|| {
        Finding::warn(
            "free space of the store",
            format!("{numbers}, and a rollback saves the failed state beside it"),
        )
    })
}

/// Runs one concern's query and turns its rows into findings.
async fn list(
    session: &Session,
    sql: &'static str,
    finding: impl Fn(&Row) -> Result<Finding>,
) -> Result<Vec<Finding>> {
    let rows = session.query(&Sql::constant(sql)).await?;
    rows.iter().map(finding).collect()
}

/// Labels could be read but not set again.
pub(super) async fn label_providers(session: &Session) -> Result<Vec<Finding>> {
    let sql = Sql::constant(include_str!("sql/label_providers.sql"));
    let rows = session.query(&sql).await?;
    let providers = rows.iter().map(|row| row.string("quoted_provider"));
    let providers = providers.collect::<Result<Vec<_>>>()?;
    let unloaded = catalog::unloaded_providers(session, providers).await?;
    let findings = unloaded.into_iter().map(|provider| {
        Finding::refuse(
            format!("security labels of {provider}"),
            "no module of this provider is loaded, so a rollback could not set them again",
        )
        .cured_by("load it through session_preload_libraries or shared_preload_libraries")
    });
    Ok(findings.collect())
}

pub(super) async fn unreadable(session: &Session) -> Result<Vec<Finding>> {
    list(session, include_str!("sql/unreadable.sql"), |row| {
        let why = format!(
            "this role has no {} on it, so it cannot be backed up",
            row.text("lacks")?
        );
        Ok(Finding::refuse(row.text("what")?, why).cured_by(row.text("cure")?))
    })
    .await
}

pub(super) async fn row_security(session: &Session) -> Result<Vec<Finding>> {
    list(session, include_str!("sql/row_security.sql"), |row| {
        let owner = row.text("owner")?;
        let cure = if row.bool("forced")? {
            "run as a role with BYPASSRLS: the policies are forced on the owner too".to_owned()
        } else {
            format!("run as {owner}, its owner, or as a role with BYPASSRLS")
        };
        let why = "row security would hide rows of it from this role";
        Ok(Finding::refuse(row.text("what")?, why).cured_by(cure))
    })
    .await
}

pub(super) async fn large_objects(session: &Session) -> Result<Vec<Finding>> {
    list(session, include_str!("sql/large_objects.sql"), |row| {
        let oid = row.text("oid")?;
        let why = format!(
            "it belongs to {} and this role may not read it",
            row.text("owner")?
        );
        Ok(Finding::refuse(format!("large object {oid}"), why)
            .cured_by("GRANT SELECT ON LARGE OBJECT … TO this role, or run as its owner"))
    })
    .await
}

/// What no backup could hold (P10), besides what is told in a better way: `told`, and what
/// [`half_done`] says.
pub(super) fn losses(
    catalog: &Catalog,
    accepted: &AcceptedLosses,
    told: &[Finding],
) -> Vec<Finding> {
    let objects = catalog.uncovered.iter();
    let objects = objects.filter(|object| {
        !matches!(object.loss, Loss::InvalidIndex | Loss::PendingDetach)
            && !told
                .iter()
                .any(|finding| finding.what == object.description)
    });
    objects.map(|object| loss(object, accepted)).collect()
}

/// A loss that a run would refuse, or go on without.
fn loss(object: &Uncovered, accepted: &AcceptedLosses) -> Finding {
    let what = format!("{} ({})", object.shown(), object.loss.name());
    let why = format!("cannot be restored: {}", object.reason);
    if accepted.accepts(object.loss) {
        return Finding::warn(what, format!("{why}; accepted by --accept-loss"));
    }
    let refusal = Finding::refuse(what, why);
    if object.loss.is_acceptable() {
        refusal.cured_by(format!(
            "to go on knowingly: --accept-loss {}",
            object.loss.name()
        ))
    } else {
        refusal
    }
}

pub(super) async fn half_done(
    session: &Session,
    accepted: &AcceptedLosses,
) -> Result<Vec<Finding>> {
    list(session, include_str!("sql/half_done.sql"), |row| {
        let loss = row.text("loss")?.parse::<Loss>();
        let finding = match loss.is_ok_and(|loss| accepted.accepts(loss)) {
            true => Finding::warn(row.text("what")?, row.text("why")?),
            false => Finding::refuse(row.text("what")?, row.text("why")?),
        };
        Ok(finding.cured_by(row.text("cure")?))
    })
    .await
}

pub(super) async fn prepared(session: &Session) -> Result<Vec<Finding>> {
    list(session, include_str!("sql/prepared.sql"), |row| {
        let gid = row.text("gid")?;
        let why = format!(
            "prepared by {} since {}: it holds locks and may commit at any time",
            row.text("owner")?,
            row.text("since")?
        );
        let literal = crate::pg::quote_literal(gid);
        Ok(
            Finding::refuse(format!("prepared transaction {gid}"), why).cured_by(format!(
                "COMMIT PREPARED {literal} or ROLLBACK PREPARED {literal}"
            )),
        )
    })
    .await
}

pub(super) async fn busy_sessions(session: &Session) -> Result<Vec<Finding>> {
    list(session, include_str!("sql/busy_sessions.sql"), |row| {
        let what = format!(
            "session {} of {} ({}, {})",
            row.text("pid")?,
            row.text("role")?,
            row.text("application")?,
            row.text("client")?
        );
        let why = format!(
            "{}, its transaction is {} s old and it holds {} exclusive locks: \
             the migration may have to wait for it",
            row.text("state")?,
            row.text("transaction_seconds")?,
            row.text("exclusive_locks")?
        );
        Ok(Finding::warn(what, why))
    })
    .await
}

pub(super) async fn event_triggers(session: &Session) -> Result<Vec<Finding>> {
    list(session, include_str!("sql/event_triggers.sql"), |row| {
        let what = format!("event trigger {}", row.text("name")?);
        let why = format!(
            "it fires at {} and would see a rollback too",
            row.text("event")?
        );
        Ok(Finding::warn(what, why))
    })
    .await
}

/// Locks of a backup (tables) and of a rollback (everything) against what the server can hold.
pub(super) async fn lock_budget(session: &Session, slots: u64) -> Result<Option<Finding>> {
    let row = session
        .query_one(&Sql::constant(include_str!("sql/lock_budget.sql")))
        .await?;
    Ok(judge_locks(
        row.number("tables")?,
        row.number("relations")?,
        slots,
    ))
}

fn judge_locks(tables: u64, relations: u64, slots: u64) -> Option<Finding> {
    let cure = "raise max_locks_per_transaction and restart the server";
    let finding = if tables > slots {
        Finding::refuse(
            "lock table",
            format!("{tables} tables must be locked at once, the server has {slots} slots"),
        )
    } else if relations > slots {
        Finding::warn(
            "lock table",
            format!("a rollback of all {relations} relations may need more than {slots} slots"),
        )
    } else {
        return None;
    };
    Some(finding.cured_by(cure))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    fn facts() -> Facts {
        Facts {
            server_version: "15.20".into(),
            server_major: 15,
            system_identifier: "1".into(),
            database_oid: 1,
            database: "shop".into(),
            owner: "app".into(),
            encoding: "UTF8".into(),
            size_bytes: 1 << 30,
            in_recovery: false,
            is_template: false,
            role: "app".into(),
            superuser: false,
            can_create_databases: false,
            can_create_roles: false,
            bypasses_row_security: false,
            owns_database: true,
            can_create_schemas: true,
            sees_other_sessions: true,
            member_of: Vec::new(),
            lock_slots: 6400,
        }
    }

    #[test]
    fn an_owner_of_an_ordinary_database_passes() {
        assert_eq!(database(&facts()), []);
    }

    #[test]
    fn each_fact_that_refuses_is_found() {
        let broken = Facts {
            in_recovery: true,
            is_template: true,
            can_create_schemas: false,
            ..facts()
        };
        assert_eq!(database(&broken).len(), 3);
    }

    #[test]
    fn space_is_judged_with_numbers() {
        let severity = |free: u64| space(&facts(), Some(free)).map(|finding| finding.severity);
        assert_eq!(severity(100 << 20), Some(Severity::Refuse));
        assert_eq!(severity(600 << 20), Some(Severity::Warn));
        assert_eq!(severity(2 << 30), None);
        assert!(space(&facts(), None).is_none());
    }

    #[test]
    fn locks_are_judged() {
        assert!(judge_locks(10, 20, 6400).is_none());
        assert_eq!(
            judge_locks(10, 7000, 6400).unwrap().severity,
            Severity::Warn
        );
        assert_eq!(
            judge_locks(6401, 7000, 6400).unwrap().severity,
            Severity::Refuse
        );
    }
}
