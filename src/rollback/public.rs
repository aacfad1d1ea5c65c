//! The schema `public` is never dropped; when it differs it is brought to a fresh database's
//! state, from which the archive's entries about it lead on.

use crate::error::Result;
use crate::pg::{Session, Sql};

/// Owner, grants and comment as `initdb` leaves them from PostgreSQL 15 on, which is the base that
/// the archive's entries are relative to.
pub(super) async fn reset(session: &Session) -> Result<()> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/public_grantees.sql")))
        .await?;
    let mut sql = Sql::constant("ALTER SCHEMA public OWNER TO pg_database_owner;\n");
    for row in &rows {
        sql = sql
            .then("REVOKE ALL ON SCHEMA public FROM ")
            .sql(&Sql::deparsed(row.string("grantee")?))
            .then(" CASCADE;\n");
    }
    session.execute(&sql.sql(&FRESH)).await
}

/// Makes the `public` that a fresh database has.
pub(super) async fn create(session: &Session) -> Result<()> {
    let sql =
        Sql::constant("CREATE SCHEMA public;\nALTER SCHEMA public OWNER TO pg_database_owner;\n");
    session.execute(&sql.sql(&FRESH)).await
}

/// Grants and comment of a fresh `public`.
const FRESH: Sql = Sql::constant(
    "GRANT ALL ON SCHEMA public TO pg_database_owner;\n\
     GRANT USAGE ON SCHEMA public TO PUBLIC;\n\
     COMMENT ON SCHEMA public IS 'standard public schema';\n",
);
