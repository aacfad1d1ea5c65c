//! Server, database and role as preflight found them.

use serde::Serialize;

use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// One row of facts, asked once per run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// `server_version`.
    pub server_version: String,
    /// The major version.
    pub server_major: u32,
    /// `pg_control_system().system_identifier`; empty where the role may not read it.
    pub system_identifier: String,
    /// The database's OID.
    pub database_oid: u32,
    /// Its name.
    pub database: String,
    /// Its owner.
    pub owner: String,
    /// `server_encoding`.
    pub encoding: String,
    /// `pg_database_size`, bytes.
    pub size_bytes: u64,
    /// Whether this is a standby.
    pub in_recovery: bool,
    /// Whether it is a template database.
    pub is_template: bool,
    /// `current_user`.
    pub role: String,
    /// Whether the role is a superuser.
    pub superuser: bool,
    /// `CREATEDB`.
    pub can_create_databases: bool,
    /// `CREATEROLE`.
    pub can_create_roles: bool,
    /// `BYPASSRLS`.
    pub bypasses_row_security: bool,
    /// Whether the role owns the database, or is a member of the owner.
    pub owns_database: bool,
    /// `CREATE` on the database.
    pub can_create_schemas: bool,
    /// Whether `pg_stat_activity` shows what others do.
    pub sees_other_sessions: bool,
    /// Roles it is a member of; empty for a superuser.
    pub member_of: Vec<String>,
    /// Locks that the server can hold at once.
    pub lock_slots: u64,
}

impl Facts {
    /// Asks the server.
    pub async fn read(session: &Session) -> Result<Self> {
        let row = session
            .query_one(&Sql::constant(include_str!("sql/facts.sql")))
            .await?;
        Ok(Self {
            server_version: session.version().text.clone(),
            server_major: session.version().major(),
            system_identifier: catalog::system_identifier(session).await?,
            database_oid: row.number("database_oid")?,
            database: row.string("database_name")?,
            owner: row.string("owner")?,
            encoding: row.string("encoding")?,
            size_bytes: row.number("size_bytes")?,
            in_recovery: row.bool("in_recovery")?,
            is_template: row.bool("is_template")?,
            role: row.string("role_name")?,
            superuser: row.bool("superuser")?,
            can_create_databases: row.bool("can_create_databases")?,
            can_create_roles: row.bool("can_create_roles")?,
            bypasses_row_security: row.bool("bypasses_row_security")?,
            owns_database: row.bool("owns_database")?,
            can_create_schemas: row.bool("can_create_schemas")?,
            sees_other_sessions: row.bool("sees_other_sessions")?,
            member_of: row.list("member_of")?,
            lock_slots: row.number("lock_slots")?,
        })
    }

    /// The role's rights in one line.
    pub fn rights(&self) -> String {
        let flags = [
            (self.superuser, "superuser"),
            (self.owns_database, "owns the database"),
            (self.can_create_databases, "CREATEDB"),
            (self.can_create_roles, "CREATEROLE"),
            (self.bypasses_row_security, "BYPASSRLS"),
            (self.sees_other_sessions, "sees other sessions"),
        ];
        let mut named: Vec<&str> = flags
            .iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, name)| *name)
            .collect();
        if named.is_empty() {
            named.push("no special right");
        }
        named.join(", ")
    }
}

/// Server majors that are tested.
pub const SUPPORTED_MAJORS: std::ops::RangeInclusive<u32> = 14..=18;

/// Refuses a server that this version does not know (design.md §1).
pub fn check_server_major(session: &Session, allow_unknown: bool) -> Result<()> {
    let version = session.version();
    let refused = |reason: &str| {
        Error::refused(format!("work with the server at {}", session.target()))
            .because(format!("it is PostgreSQL {}; {reason}", version.text))
    };
    if version.major() < *SUPPORTED_MAJORS.start() {
        return Err(refused("versions 14 to 18 are supported")
            .now("nothing was touched")
            .hint("upgrade the server; PostgreSQL 13 and older get no fixes any more"));
    }
    if version.major() > *SUPPORTED_MAJORS.end() && !allow_unknown {
        return Err(refused("this version of pgbelay knows 14 to 18")
            .now("nothing was touched")
            .hint("use a newer pgbelay, or try with --allow-unknown-server"));
    }
    Ok(())
}
