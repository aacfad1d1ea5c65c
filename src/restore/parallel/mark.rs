//! The mark of a restore that is under way or was interrupted: an empty schema with a comment.
//!
//! It is committed before anything else and removed by the restore's last transaction. The server's
//! log is replayed in order, so even after a crash the database has the mark or is complete.
//! `catalog::UNFINISHED_RESTORE` is its name: reading such a database says what it is.

use crate::archive::Reader;
use crate::catalog::UNFINISHED_RESTORE;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// Sets the mark, inside the caller's transaction.
pub(super) async fn set(session: &Session, reader: &Reader, ctx: &Context) -> Result<()> {
    let archive = reader.path().file_name().unwrap_or_default();
    let comment = format!(
        "pgbelay {} began to restore {} here on {} and has not finished: \
         this database is not complete. Drop it and restore again.",
        ctx.run_id,
        archive.to_string_lossy(),
        ctx.now().format("%Y-%m-%d %H:%M:%S UTC"),
    );
    let sql = Sql::constant("CREATE SCHEMA ")
        .ident(UNFINISHED_RESTORE)
        .then("; COMMENT ON SCHEMA ")
        .ident(UNFINISHED_RESTORE)
        .then(" IS ")
        .literal(&comment);
    session.execute(&sql).await
}

/// Removes it, inside the caller's transaction.
pub(super) async fn remove(session: &Session) -> Result<()> {
    let sql = Sql::constant("DROP SCHEMA ").ident(UNFINISHED_RESTORE);
    session.execute(&sql).await
}

/// Whether this role may set it: make a schema in the database.
pub(super) async fn may_be_set(session: &Session) -> Result<bool> {
    let sql = Sql::constant(
        "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS yes",
    );
    session.query_one(&sql).await?.bool("yes")
}

/// Whether the database has it.
pub(super) async fn is_there(session: &Session) -> Result<bool> {
    let sql = Sql::constant("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ");
    let sql = sql.literal(UNFINISHED_RESTORE).then(") AS yes");
    session.query_one(&sql).await?.bool("yes")
}

/// Refuses a database that has it, with what it says.
pub(in super::super) async fn refuse(session: &Session) -> Result<()> {
    let sql = Sql::constant(
        "SELECT coalesce(pg_catalog.obj_description(oid, 'pg_namespace'), '') AS said, \
         pg_catalog.current_database() AS database \
         FROM pg_catalog.pg_namespace WHERE nspname = ",
    );
    let rows = session.query(&sql.literal(UNFINISHED_RESTORE)).await?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let database = row.text("database")?;
    Err(
        Error::refused(format!("restore into the database {database}"))
            .because(format!(
                "a restore into it did not finish (schema {UNFINISHED_RESTORE}: {})",
                row.text("said")?
            ))
            .now("nothing was changed")
            .hint("drop the database and restore again (--into NAME --create)"),
    )
}
