//! The verb `stamp`: sets the version rows, as the runbook's `UPDATE alembic_version` does, but in
//! one transaction, under the run's lock, and only to revisions that the scripts know.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::catalog::VersionTable;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::migrate::alembic::{Project, Scripts};
use crate::pg::{self, Secret, Session, Sql, Target};
use crate::run::lock::RunLock;
use crate::run::versions;

/// Alembic's own name for its table.
const DEFAULT_TABLE: (&str, &str) = ("public", "alembic_version");

/// What to stamp.
#[derive(Debug, Clone)]
pub struct StampOptions {
    /// Revisions that the version table shall hold; `base` alone for none, `head` or `heads` for
    /// the scripts' heads.
    pub revisions: Vec<String>,
    /// `SCHEMA.TABLE` or `TABLE`, when there are several version tables.
    pub version_table: Option<String>,
    /// The alembic command whose scripts know the revisions.
    pub command: Vec<String>,
    /// Variables that an env file supplies.
    pub variables: Vec<(String, Secret)>,
    /// Takes revisions that no script knows, or works without scripts.
    pub force: bool,
    /// How long another run's lock is waited for.
    pub lock_wait: Duration,
}

/// What was stamped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StampReport {
    /// `schema.table`.
    pub table: String,
    /// Rows before, sorted.
    pub from: Vec<String>,
    /// Rows now, sorted.
    pub to: Vec<String>,
}

/// Sets the version rows.
///
/// Errors: [`Kind::Refused`] for unknown revisions or an unclear table, [`Kind::LockTimeout`].
pub async fn stamp(target: &Target, options: &StampOptions, ctx: &Context) -> Result<StampReport> {
    let revisions = resolve(options, ctx).await?;
    let lock = RunLock::acquire(target, options.lock_wait, ctx).await?;
    let session = pg::connect(target, "stamp", ctx).await?;
    let report = write(&session, options, revisions).await;
    session.close().await;
    lock.release().await;
    report
}

/// The revisions asked for, in full and known to the scripts.
async fn resolve(options: &StampOptions, ctx: &Context) -> Result<BTreeSet<String>> {
    let asked: Vec<&str> = options.revisions.iter().map(String::as_str).collect();
    if asked.is_empty() {
        return Err(Error::usage("stamp the database").because("no revision is named"));
    }
    if asked == ["base"] {
        return Ok(BTreeSet::new());
    }
    let scripts = match scripts(options, ctx).await {
        Ok(scripts) => Some(scripts),
        Err(_) if options.force => None,
        Err(error) => return Err(error.hint("--force stamps without looking at the scripts")),
    };
    let mut found = BTreeSet::new();
    for revision in asked {
        match (&scripts, revision) {
            (Some(scripts), "head" | "heads") => found.extend(scripts.heads()?),
            (Some(scripts), revision) => {
                found.insert(known(scripts, revision, options.force)?);
            }
            (None, revision) => {
                found.insert(revision.to_owned());
            }
        }
    }
    Ok(found)
}

async fn scripts(options: &StampOptions, ctx: &Context) -> Result<Scripts> {
    let project = Project::find(&options.command, &ctx.environment)?.ok_or_else(|| {
        Error::refused("read the migration scripts").because("the command is not alembic's")
    })?;
    Scripts::learn(ctx, &project, &options.variables).await
}

/// A revision by its id or by the unique beginning of one.
fn known(scripts: &Scripts, revision: &str, force: bool) -> Result<String> {
    let ids = scripts.revisions.iter().map(|script| &script.id);
    let exact = ids.clone().find(|id| *id == revision);
    let mut beginning: Vec<&String> = ids.filter(|id| id.starts_with(revision)).collect();
    beginning.dedup();
    match (exact, beginning.as_slice()) {
        (Some(id), _) => Ok(id.clone()),
        (None, [id]) => Ok((*id).clone()),
        _ if force => Ok(revision.to_owned()),
        (None, []) => Err(unknown(revision, "no migration script has this revision")),
        (None, _) => Err(unknown(revision, "several revisions begin like this")),
    }
}

fn unknown(revision: &str, why: &str) -> Error {
    Error::refused(format!("stamp the revision {revision}"))
        .because(why)
        .now("nothing was changed")
        .hint("--force stamps it all the same")
}

/// The one table meant; made as Alembic makes it when there is none.
fn choose(tables: Vec<VersionTable>, asked: Option<&str>) -> Result<VersionTable> {
    let (schema, name) = match asked.map(|asked| asked.split_once('.').unwrap_or(("", asked))) {
        Some((schema, name)) => (Some(schema).filter(|schema| !schema.is_empty()), Some(name)),
        None => (None, None),
    };
    let mut fitting: Vec<VersionTable> = tables
        .into_iter()
        .filter(|table| schema.is_none_or(|schema| schema == table.schema))
        .filter(|table| name.is_none_or(|name| name == table.name))
        .collect();
    match (fitting.pop(), fitting.is_empty()) {
        (Some(table), true) => Ok(table),
        (None, _) => Ok(VersionTable {
            schema: schema.unwrap_or(DEFAULT_TABLE.0).to_owned(),
            name: name.unwrap_or(DEFAULT_TABLE.1).to_owned(),
            revisions: Vec::new(),
            off_path: false,
        }),
        (Some(last), false) => {
            fitting.push(last);
            let names: Vec<String> = fitting.iter().map(shown).collect();
            Err(Error::refused("stamp the database")
                .because(format!(
                    "there are several version tables: {}",
                    names.join(", ")
                ))
                .now("nothing was changed")
                .hint("name one with --version-table SCHEMA.TABLE"))
        }
    }
}

fn shown(table: &VersionTable) -> String {
    format!("{}.{}", table.schema, table.name)
}

async fn write(
    session: &Session,
    options: &StampOptions,
    revisions: BTreeSet<String>,
) -> Result<StampReport> {
    let table = choose(
        versions::read(session).await?,
        options.version_table.as_deref(),
    )?;
    session.execute(&statements(&table, &revisions)).await?;
    let now = versions::read(session).await?;
    let same = |found: &&VersionTable| found.schema == table.schema && found.name == table.name;
    let to = now.iter().find(same).map(|found| found.revisions.clone());
    let wanted: Vec<String> = revisions.into_iter().collect();
    if to.as_ref() != Some(&wanted) {
        return Err(Error::new(Kind::Failed, format!("stamp {}", shown(&table)))
            .because(format!("the rows read back are {to:?}, not {wanted:?}")));
    }
    Ok(StampReport {
        table: shown(&table),
        from: table.revisions,
        to: wanted,
    })
}

/// All in one simple query: the server runs it as one transaction.
fn statements(table: &VersionTable, revisions: &BTreeSet<String>) -> Sql {
    let at = |sql: Sql| sql.qualified(&table.schema, &table.name);
    let mut sql = at(Sql::constant("BEGIN; CREATE TABLE IF NOT EXISTS "))
        .then(" (version_num varchar(32) NOT NULL, CONSTRAINT ")
        .ident(&format!("{}_pkc", table.name))
        .then(" PRIMARY KEY (version_num)); LOCK TABLE ");
    sql = at(sql).then(" IN ACCESS EXCLUSIVE MODE; DELETE FROM ");
    sql = at(sql).then("; ");
    for revision in revisions {
        sql = at(sql.then("INSERT INTO "))
            .then(" VALUES (")
            .literal(revision)
            .then("); ");
    }
    sql.then("COMMIT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str) -> VersionTable {
        VersionTable {
            schema: schema.into(),
            name: name.into(),
            revisions: vec!["old".into()],
            off_path: false,
        }
    }

    #[test]
    fn the_table_is_chosen_or_asked_for() {
        let two = || vec![table("a", "alembic_version"), table("b", "versions")];
        assert_eq!(choose(two(), Some("b.versions")).unwrap().schema, "b");
        assert_eq!(choose(two(), Some("versions")).unwrap().schema, "b");
        assert_eq!(choose(two(), None).unwrap_err().kind(), Kind::Refused);
        let made = choose(Vec::new(), None).unwrap();
        assert_eq!(shown(&made), "public.alembic_version");
    }

    #[test]
    fn names_and_revisions_are_quoted() {
        let revisions = BTreeSet::from(["it's".to_owned()]);
        let sql = statements(&table("s", "we\"ird"), &revisions);
        assert!(
            sql.text()
                .contains("INSERT INTO \"s\".\"we\"\"ird\" VALUES ('it''s')")
        );
    }
}
