//! The schema `public` is never dropped; when it differs it is brought to a fresh database's
//! state, from which the archive's entries about it lead on.

use crate::error::Result;
use crate::pg::{Session, Sql};

/// Owner, grants and comment as `initdb` leaves them, which is the base that the archive's entries
/// are relative to.
pub(super) async fn reset(session: &Session) -> Result<()> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/public_grantees.sql")))
        .await?;
    let mut sql = give_to_owner(session).await?;
    for row in &rows {
        sql = sql
            .then("REVOKE ALL ON SCHEMA public FROM ")
            .sql(&Sql::deparsed(row.string("grantee")?))
            .then(" CASCADE;\n");
    }
    session.execute(&sql.sql(&fresh(session).await?)).await
}

/// Makes the `public` that a fresh database has.
pub(super) async fn create(session: &Session) -> Result<()> {
    let sql = Sql::constant("CREATE SCHEMA public;\n").sql(&give_to_owner(session).await?);
    session.execute(&sql.sql(&fresh(session).await?)).await
}

async fn give_to_owner(session: &Session) -> Result<Sql> {
    Ok(Sql::constant("ALTER SCHEMA public OWNER TO ")
        .ident(&owner(session).await?)
        .then(";\n"))
}

/// pg_database_owner; before 15 the bootstrap superuser, whatever it is called, if that is possible.
async fn owner(session: &Session) -> Result<String> {
    if session.version().major() >= 15 {
        return Ok("pg_database_owner".to_owned());
    }
    let sql = Sql::constant(include_str!("sql/public_owner.sql"));
    session.query_one(&sql).await?.string("owner")
}

/// Grants and comment of a fresh `public`; before 15 everybody may create in it.
async fn fresh(session: &Session) -> Result<Sql> {
    let for_all = if session.version().major() >= 15 {
        "GRANT USAGE ON SCHEMA public TO PUBLIC;\n"
    } else {
        "GRANT ALL ON SCHEMA public TO PUBLIC;\n"
    };
    Ok(Sql::constant("GRANT ALL ON SCHEMA public TO ")
        .ident(&owner(session).await?)
        .then(";\n")
        .then(for_all)
        .then("COMMENT ON SCHEMA public IS 'standard public schema';\n"))
}
