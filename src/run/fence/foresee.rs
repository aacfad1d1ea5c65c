//! What a fence would do here, and what would defeat it: asked before anything is touched.

use super::sessions::{self, Client};
use crate::error::{Error, Result};
use crate::pg::{Row, Session, Sql};
use crate::run::preflight::{self, Facts, Finding};

/// What a fence would find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// The sessions that would be ended.
    pub ended: Vec<Client>,
    /// What refuses a run that asks for a fence.
    pub findings: Vec<Finding>,
}

impl Foreseen {
    /// The refusal that the findings amount to.
    pub fn refusal(&self) -> Option<Error> {
        preflight::refusal("keep writes of others out", &self.findings)
    }

    /// One line for `doctor`.
    pub fn line(&self) -> String {
        if !self.findings.is_empty() {
            return "--fence writes would be refused".to_owned();
        }
        match sessions::names(&self.ended) {
            None => "--fence writes would end no session".to_owned(),
            Some(named) => format!("--fence writes would end {named}"),
        }
    }
}

/// Looks at rights, sessions, settings of roles and subscriptions; changes nothing.
pub async fn foresee(session: &Session, facts: &Facts) -> Result<Foreseen> {
    let mut findings = Vec::new();
    if !facts.superuser && !facts.owns_database {
        findings.push(not_the_owner(facts));
    }
    findings.extend(each(session, include_str!("sql/overrides.sql"), overriding).await?);
    findings.extend(each(session, include_str!("sql/subscriptions.sql"), subscribed).await?);
    let (ended, kept): (Vec<Client>, Vec<Client>) = sessions::clients(session)
        .await?
        .into_iter()
        .partition(|client| client.may_end);
    findings.extend(kept.iter().map(|client| cannot_end(client, facts)));
    Ok(Foreseen { ended, findings })
}

/// A driver that is known not to read `PGOPTIONS`: the fence would keep the migration out too, unless
/// it lifts it by itself.
pub fn of_driver(dialect: Option<&str>) -> Option<Finding> {
    let (_, driver) = dialect?.split_once('+')?;
    let driver = DEAF_DRIVERS.into_iter().find(|known| *known == driver)?;
    let why = "it does not read PGOPTIONS, by which the migration is let through the fence";
    Some(Finding::warn(format!("driver {driver}"), why).cured_by(LET_THROUGH))
}

/// What a tool is told that met the fence itself.
pub const LET_THROUGH: &str = "if the migration's own sessions are kept from writing, let it set \
    default_transaction_read_only=off when it connects (asyncpg: server_settings={...}; pg8000: run \
    that SET first; libpq: options), or use postgresql+psycopg:// or postgresql+psycopg2://, \
    which read PGOPTIONS";

/// Drivers that read no `PGOPTIONS`.
const DEAF_DRIVERS: [&str; 2] = ["asyncpg", "pg8000"];

/// Whether a tool's words say that it may only read (SQLSTATE 25006).
pub fn is_held_back(lines: &[String]) -> bool {
    let signs = ["read-only transaction", "25006", "readonlysqltransaction"];
    lines.iter().any(|line| {
        let line = line.to_lowercase();
        signs.iter().any(|sign| line.contains(sign))
    })
}

async fn each(
    session: &Session,
    sql: &'static str,
    finding: impl Fn(&Row) -> Result<Finding>,
) -> Result<Vec<Finding>> {
    let rows = session.query(&Sql::constant(sql)).await?;
    rows.iter().map(finding).collect()
}

fn not_the_owner(facts: &Facts) -> Finding {
    Finding::refuse(
        format!("database {}", facts.database),
        format!(
            "a fence is a setting of the database, which {} may not change",
            facts.role
        ),
    )
    .cured_by(format!(
        "run as {}, its owner, or without --fence",
        facts.owner
    ))
}

fn overriding(row: &Row) -> Result<Finding> {
    let why = "it has a default_transaction_read_only of its own, so a fence around the database \
               would not keep its sessions from writing";
    Ok(Finding::refuse(format!("role {}", row.text("role")?), why).cured_by(row.text("cure")?))
}

fn subscribed(row: &Row) -> Result<Finding> {
    let why = "it is enabled, and a fence does not hold back the rows that it brings";
    Ok(
        Finding::refuse(format!("subscription {}", row.text("name")?), why)
            .cured_by(row.text("cure")?),
    )
}

fn cannot_end(client: &Client, facts: &Facts) -> Finding {
    let why = format!(
        "a fence has to end the sessions of before, and {} may not end this one",
        facts.role
    );
    let cure = match client.of_superuser {
        true => "disconnect it, or run as a superuser".to_owned(),
        false => format!(
            "disconnect it, or {}",
            Sql::constant("GRANT pg_signal_backend TO ")
                .ident(&facts.role)
                .text()
        ),
    };
    Finding::refuse(client.shown(), why).cured_by(cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_that_read_no_options_are_known() {
        let named = |dialect| of_driver(Some(dialect)).map(|finding| finding.what);
        let asyncpg = named("postgresql+asyncpg");
        assert_eq!(asyncpg.as_deref(), Some("driver asyncpg"));
        assert!(named("postgresql+pg8000").is_some());
        for known in ["postgresql+psycopg2", "postgresql+psycopg", "postgresql"] {
            assert_eq!(named(known), None);
        }
        assert!(of_driver(None).is_none());
    }

    #[test]
    fn a_tool_that_met_the_fence_is_recognised() {
        let said = |line: &str| is_held_back(&[line.to_owned()]);
        assert!(said(
            "ERROR:  cannot execute CREATE TABLE in a read-only transaction"
        ));
        assert!(said(
            "asyncpg.exceptions.ReadOnlySQLTransactionError: unmöglich"
        ));
        assert!(said("{'S': 'ERROR', 'C': '25006'}"));
        assert!(!said("relation does not exist"));
    }
}
