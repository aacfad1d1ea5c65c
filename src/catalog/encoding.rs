//! Databases that do not speak UTF-8.
//!
//! Rows come and go byte for byte (`entry::copy_options`). Names and definitions are texts in the
//! archive, so they must have a UTF-8 form; where one has none, nothing that names it could be
//! written, and the catalog it stands in is named instead.

use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// Catalogs with texts of the user's.
const CATALOGS: [&str; 31] = [
    "pg_am",
    "pg_attrdef",
    "pg_attribute",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_language",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_rewrite",
    "pg_seclabel",
    "pg_statistic_ext",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_template",
    "pg_type",
];

/// Refuses a database whose catalogs hold text without a UTF-8 form, by the catalog's name. Asks
/// nothing of a UTF-8 database.
pub(super) async fn require_utf8(session: &Session) -> Result<()> {
    let sql = Sql::constant("SELECT pg_catalog.current_setting('server_encoding') AS encoding");
    let encoding = session.query_one(&sql).await?.string("encoding")?;
    if encoding == "UTF8" {
        return Ok(());
    }
    for catalog in CATALOGS {
        let sql = Sql::constant(
            "SELECT pg_catalog.count(pg_catalog.convert_to(c::pg_catalog.text, 'UTF8')) FROM ",
        )
        .qualified("pg_catalog", catalog)
        .then(" AS c");
        session
            .execute(&sql)
            .await
            .map_err(|error| without_utf8(&format!("a text in {catalog}"), &encoding, error))?;
    }
    Ok(())
}

/// Explains a failure that comes from a definition which only exists once it is deparsed.
pub(super) fn explained(error: Error) -> Error {
    without_utf8("a definition", "its encoding", error)
}

/// Refuses where the server says that a text has no form in UTF-8; other failures stay what they are.
fn without_utf8(what: &str, encoding: &str, error: Error) -> Error {
    // character_not_in_repertoire, untranslatable_character
    if !matches!(error.sqlstate(), Some("22021" | "22P05")) {
        return error;
    }
    let reason = error.reason().unwrap_or_default();
    Error::refused("read the catalogs of the database")
        .because(format!(
            "{what} cannot be written as UTF-8, which names and definitions need ({encoding}): {reason}"
        ))
        .now("nothing was changed")
        .hint("rename the object, or correct the text, so that it is valid UTF-8; rows may hold any bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn only_trouble_with_characters_is_explained() {
        let failed = |code: &str| explained(Error::operation("x").because("y").with_sqlstate(code));
        assert_eq!(failed("22021").kind(), Kind::Refused);
        assert_eq!(failed("22P05").kind(), Kind::Refused);
        assert_eq!(failed("42501").kind(), Kind::Operation);
    }
}
