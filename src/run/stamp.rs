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
use crate::run::driver::own_tables;
use crate::run::lock::RunLock;
use crate::run::versions;
use crate::verify::{DEFAULT_NAME, OwnTables};

/// What to stamp.
#[derive(Debug, Clone)]
pub struct StampOptions {
    /// Revisions that the version table shall hold; `base` alone for none, `head` or `heads` for
    /// the scripts' heads.
    pub revisions: Vec<String>,
    /// `SCHEMA.TABLE` or `TABLE`, where env.py and the `search_path` do not say which one is meant.
    pub version_table: Option<String>,
    /// The alembic command whose scripts know the revisions.
    pub command: Vec<String>,
    /// Variables that an env file supplies.
    pub variables: Vec<(String, Secret)>,
    /// Takes revisions that no script knows, or works without scripts.
    pub force: bool,
    /// How long another run's lock is waited for.
    pub lock_wait: Duration,
    /// How long the version table's lock is waited for.
    pub table_lock_wait: Duration,
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
    let (own, revisions) = resolve(options, ctx).await?;
    let lock = RunLock::acquire(target, options.lock_wait, ctx).await?;
    let session = pg::connect(target, pg::Purpose::Stamp, ctx).await?;
    let report = write(&session, options, &own, revisions, ctx).await;
    session.close().await;
    lock.release().await;
    report
}

/// The project's version tables, and the revisions asked for, in full and known to the scripts.
async fn resolve(options: &StampOptions, ctx: &Context) -> Result<(OwnTables, BTreeSet<String>)> {
    let asked: Vec<&str> = options.revisions.iter().map(String::as_str).collect();
    if asked.is_empty() {
        return Err(Error::usage("stamp the database").because("no revision is named"));
    }
    let project = Project::find(&options.command, &ctx.environment);
    let own = match &project {
        Ok(Some(project)) => own_tables(project),
        _ => OwnTables::default(),
    };
    if asked == ["base"] {
        return Ok((own, BTreeSet::new()));
    }
    let scripts = match scripts(project, options, ctx).await {
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
            (None, "head" | "heads") => {
                return Err(Error::refused(format!("stamp the revision {revision}"))
                    .because("the scripts cannot be read, and nobody else knows the heads")
                    .now("nothing was changed")
                    .hint("name the revision itself"));
            }
            (None, revision) => {
                found.insert(revision.to_owned());
            }
        }
    }
    if let Some(scripts) = &scripts {
        scripts.require_apart(&found)?;
    }
    Ok((own, found))
}

async fn scripts(
    project: Result<Option<Project>>,
    options: &StampOptions,
    ctx: &Context,
) -> Result<Scripts> {
    let project = project?.ok_or_else(|| {
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

/// The one table meant; none if it has to be made.
///
/// # Errors
/// [`Kind::Refused`]: nobody knows which one the tool will take.
fn choose(
    tables: &[VersionTable],
    asked: Option<&str>,
    own: &OwnTables,
) -> Result<Option<VersionTable>> {
    let mut fitting = match asked {
        Some(asked) => named(tables, asked),
        // A run may be mistaken about what is pending; rows of another tenant must not be overwritten.
        None if own.moves => {
            return Err(unclear(
                "env.py chooses by itself where the version table is (search_path, schema_translate_map, or a computed name)",
            ));
        }
        None => own.reached(tables).map_err(|why| unclear(&why))?,
    };
    match (fitting.pop(), fitting.is_empty()) {
        (found, true) => Ok(found),
        (last, false) => {
            fitting.extend(last);
            let names: Vec<String> = fitting.iter().map(shown).collect();
            let why = format!("there are several version tables: {}", names.join(", "));
            Err(unclear(&why))
        }
    }
}

fn unclear(why: &str) -> Error {
    Error::refused("stamp the database")
        .because(why)
        .now("nothing was changed")
        .hint("name one with --version-table SCHEMA.TABLE")
}

/// Those that the operator's words fit: `TABLE`, or `SCHEMA.TABLE` as we show it or with SQL's quotes.
fn named(tables: &[VersionTable], asked: &str) -> Vec<VersionTable> {
    let fits = |table: &&VersionTable| {
        let parts = parts_of(asked);
        let as_parts = match &parts[..] {
            [name] => *name == table.name,
            [schema, name] => *schema == table.schema && *name == table.name,
            _ => false,
        };
        as_parts || shown(table) == asked
    };
    tables.iter().filter(fits).cloned().collect()
}

/// The parts of a name between its dots, without quotes; a dot inside of quotes is part of the name.
fn parts_of(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            ('"', Some(part)) if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                part.push('"');
            }
            ('"', _) => is_quoted = !is_quoted,
            ('.', _) if !is_quoted => parts.push(String::new()),
            (letter, Some(part)) => part.push(letter),
            (_, None) => {}
        }
    }
    parts
}

fn shown(table: &VersionTable) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// Where the table is made that is not there yet: as asked for, as env.py says, else where plain names are made.
async fn new_table(
    session: &Session,
    asked: Option<&str>,
    own: &OwnTables,
) -> Result<VersionTable> {
    let (schema, name) = match asked.map(parts_of).as_deref() {
        Some([name]) => (None, Some(name.clone())),
        Some([schema, name]) => (Some(schema.clone()), Some(name.clone())),
        Some(_) => {
            return Err(Error::usage("read --version-table").because(
                "it is not SCHEMA.TABLE; a dot inside of a name needs quotes: '\"a.b\".table'",
            ));
        }
        None => (own.schemas.first().cloned(), own.names.first().cloned()),
    };
    let schema = match schema {
        Some(schema) => schema,
        None => place_for_names(session).await?,
    };
    Ok(VersionTable {
        schema,
        name: name.unwrap_or_else(|| DEFAULT_NAME.to_owned()),
        revisions: Vec::new(),
        place: None,
    })
}

/// The schema that plain names are made in, with the `search_path` that sessions begin with: our own is empty, so the server is
/// asked with theirs.
async fn place_for_names(session: &Session) -> Result<String> {
    let theirs = Sql::constant("RESET search_path");
    session.execute(&theirs).await?;
    let place = Sql::constant("SELECT pg_catalog.current_schema() AS schema");
    let row = session.query_one(&place).await?;
    let ours = Sql::constant("SET search_path = ''");
    session.execute(&ours).await?;
    row.opt_string("schema")?.ok_or_else(|| {
        Error::refused("find a place for the version table")
            .because("search_path names no schema that exists")
            .hint("name one with --version-table SCHEMA.TABLE")
    })
}

/// Opens the transaction, with the table locked, and reads its rows.
async fn open_transaction(
    session: &Session,
    options: &StampOptions,
    own: &OwnTables,
) -> Result<VersionTable> {
    let asked = options.version_table.as_deref();
    let wait = i64::try_from(options.table_lock_wait.as_millis()).unwrap_or(i64::MAX);
    let limit = Sql::constant("SET lock_timeout = ").number(wait.min(i64::from(i32::MAX)));
    session.execute(&limit).await?;
    let opened = async {
        let found = choose(&versions::read(session).await?, asked, own)?;
        let is_new = found.is_none();
        let mut table = match found {
            Some(table) => table,
            None => new_table(session, asked, own).await?,
        };
        session.execute(&prepare(&table, is_new)).await?;
        table.revisions = rows_of(session, &table).await?;
        Ok(table)
    };
    opened.await.map_err(locked)
}

async fn rows_of(session: &Session, table: &VersionTable) -> Result<Vec<String>> {
    let sql = Sql::constant("SELECT version_num FROM ONLY ").qualified(&table.schema, &table.name);
    let rows = session.query(&sql).await?;
    let mut rows: Vec<String> = rows
        .iter()
        .filter_map(|row| row.opt_string("version_num").transpose())
        .collect::<Result<_>>()?;
    rows.sort();
    Ok(rows)
}

async fn write(
    session: &Session,
    options: &StampOptions,
    own: &OwnTables,
    revisions: BTreeSet<String>,
    ctx: &Context,
) -> Result<StampReport> {
    // The server must not come to the rows after we are gone: it waits for the lock before it knows them.
    let opened = open_transaction(session, options, own);
    let table = ctx.stop.or_stop("lock the version table", opened).await?;
    session.execute(&set_rows(&table, &revisions)).await?;
    let to = rows_of(session, &table).await?;
    let wanted: Vec<String> = revisions.into_iter().collect();
    if to != wanted {
        return Err(Error::new(Kind::Failed, format!("stamp {}", shown(&table)))
            .because(format!("the rows read back are {to:?}, not {wanted:?}"))
            .now("nothing was changed"));
    }
    session
        .execute(&Sql::constant("COMMIT"))
        .await
        .map_err(|error| answer_lost(error, &table))?;
    Ok(StampReport {
        table: shown(&table),
        from: table.revisions,
        to: wanted,
    })
}

/// A refused COMMIT took nothing into effect; one whose answer was lost may have.
fn answer_lost(error: Error, table: &VersionTable) -> Error {
    if !error.is_loss_of_connection() {
        return error;
    }
    error
        .with_kind(Kind::InDoubt)
        .attempting(format!("stamp {}", shown(table)))
        .now("its rows are the old ones or the new ones, nothing in between; nothing else was touched")
        .hint("`pgbelay doctor` shows them; stamp again if they are the old ones")
}

fn locked(error: Error) -> Error {
    match error.sqlstate() {
        Some("55P03") => error
            .with_kind(Kind::Refused)
            .now("nothing was changed")
            .hint("another session holds a version table; --table-lock-wait waits longer"),
        _ => error,
    }
}

/// The table locked and, where there is none, made as Alembic makes it.
fn prepare(table: &VersionTable, is_new: bool) -> Sql {
    let at = |sql: Sql| sql.qualified(&table.schema, &table.name);
    let mut sql = Sql::constant("BEGIN");
    if is_new {
        sql = at(sql.then("; CREATE TABLE "))
            .then(" (version_num varchar(32) NOT NULL, CONSTRAINT ")
            .ident(&format!("{}_pkc", table.name))
            .then(" PRIMARY KEY (version_num))");
    }
    at(sql.then("; LOCK TABLE ")).then(" IN ACCESS EXCLUSIVE MODE")
}

/// Takes the rows that there are and puts in the wanted ones.
fn set_rows(table: &VersionTable, revisions: &BTreeSet<String>) -> Sql {
    let at = |sql: Sql| sql.qualified(&table.schema, &table.name);
    let mut sql = at(Sql::constant("DELETE FROM "));
    for revision in revisions {
        sql = at(sql.then("; INSERT INTO "))
            .then(" VALUES (")
            .literal(revision)
            .then(")");
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str) -> VersionTable {
        VersionTable {
            schema: schema.into(),
            name: name.into(),
            revisions: vec!["old".into()],
            place: Some(1),
        }
    }

    #[test]
    fn the_table_is_chosen_or_asked_for() {
        let two = [table("a", "alembic_version"), table("b.c", "versions")];
        let own = OwnTables::default();
        let asked = |asked| {
            choose(&two, Some(asked), &own)
                .unwrap()
                .map(|one| one.schema)
        };
        for name in [
            "b.c.versions",
            "versions",
            "\"b.c\".versions",
            "\"b.c\".\"versions\"",
        ] {
            assert_eq!(asked(name).as_deref(), Some("b.c"), "{name}");
        }
        assert_eq!(asked("c.versions"), None);
        assert_eq!(choose(&two, None, &own).unwrap_err().kind(), Kind::Refused);
        assert_eq!(choose(&[], None, &own).unwrap(), None);
    }

    #[test]
    fn another_tenants_table_is_nobodys() {
        let elsewhere = [VersionTable {
            place: None,
            ..table("tenant1", "alembic_version")
        }];
        let own = OwnTables::default();
        assert!(choose(&elsewhere, None, &own).is_err());
        let moves = OwnTables {
            moves: true,
            ..OwnTables::default()
        };
        assert!(choose(&[table("public", "alembic_version")], None, &moves).is_err());
        assert!(choose(&[], None, &moves).is_err());
        let named = OwnTables {
            names: vec!["billing".to_owned()],
            ..OwnTables::default()
        };
        assert_eq!(choose(&elsewhere, None, &named).unwrap(), None);
    }

    #[test]
    fn names_and_revisions_are_quoted() {
        let revisions = BTreeSet::from(["it's".to_owned()]);
        let sql = set_rows(&table("s", "we\"ird"), &revisions);
        assert!(
            sql.text()
                .contains("INSERT INTO \"s\".\"we\"\"ird\" VALUES ('it''s')")
        );
        assert_eq!(parts_of("\"a\"\".b\".c"), ["a\".b", "c"]);
    }
}
