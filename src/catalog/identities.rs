//! Whether definitions changed between two moments: one count and one hash per catalog.
//!
//! See `sql/identities.sql` for what is in them and why.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// What `sql/row_identities.sql` reads.
const ROWS_DEPEND_ON: [&str; 3] = ["pg_enum", "pg_namespace", "server"];

/// All definitions of the database as one digest, what is only read as rows (comments, settings …) among them: two
/// that are equal had no committed change between them.
///
/// # Errors
/// Of the server.
pub async fn definitions_digest(session: &Session) -> Result<String> {
    let mut all = Identities::read(session).await?;
    let mut sql = Sql::constant(include_str!("sql/row_definitions.sql"));
    if session.version().major() >= 15 {
        let newer = include_str!("sql/row_definitions_15.sql");
        sql = sql.then("UNION ALL\n").then(newer);
    }
    all.0.extend(Identities::of(session, &sql).await?.0);
    Ok(all.digest())
}

/// Count and hash by catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identities(BTreeMap<String, (String, String)>);

impl Identities {
    /// As `session` sees them: one query.
    pub(super) async fn read(session: &Session) -> Result<Self> {
        Self::of(session, &Sql::constant(include_str!("sql/identities.sql"))).await
    }

    /// Whether rows that `session` would read now fit definitions of the moment of `self`.
    ///
    /// # Errors
    /// Of the server; as [`Identities::changed`].
    pub(super) async fn fit_rows_of(&self, session: &Session) -> Result<bool> {
        let sql = Sql::constant(include_str!("sql/row_identities.sql"));
        let now = Self::of(session, &sql).await?;
        let part = |whole: &Self| {
            let mut part = whole.0.clone();
            part.retain(|catalog, _| ROWS_DEPEND_ON.contains(&catalog.as_str()));
            Self(part)
        };
        Ok(part(self).changed(&part(&now))?.is_empty())
    }

    /// Of all catalogs but the server's own line, which tells servers apart and not definitions.
    fn digest(&self) -> String {
        let catalogs = self.0.iter().filter(|(catalog, _)| *catalog != "server");
        let lines: Vec<String> = catalogs
            .map(|(catalog, (rows, hash))| format!("{catalog} {rows} {hash}\n"))
            .collect();
        format!(
            "{:032x}",
            xxhash_rust::xxh3::xxh3_128(lines.concat().as_bytes())
        )
    }

    async fn of(session: &Session, sql: &Sql) -> Result<Self> {
        let rows = session.query(sql).await?;
        let found = rows.iter().map(|row| {
            let value = (row.string("rows")?, row.string("hash")?);
            Ok((row.string("catalog")?, value))
        });
        Ok(Self(found.collect::<Result<_>>()?))
    }

    /// Catalogs that differ; empty if nothing was committed in between.
    ///
    /// # Errors
    /// When the two are of different servers: an address that leads to several.
    pub(super) fn changed(&self, later: &Self) -> Result<Vec<String>> {
        let all: std::collections::BTreeSet<_> = self.0.keys().chain(later.0.keys()).collect();
        let changed = all
            .into_iter()
            .filter(|catalog| self.0.get(*catalog) != later.0.get(*catalog));
        let changed: Vec<String> = changed.cloned().collect();
        if changed.iter().any(|catalog| catalog == "server") {
            return Err(
                Error::operation("read the database through two connections")
                    .because("they reached two different servers")
                    .hint("connect to one server, not to a load balancer"),
            );
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identities(pairs: &[(&str, &str)]) -> Identities {
        let value = |hash: &str| ("1".to_owned(), hash.to_owned());
        let pairs = pairs.iter();
        Identities(
            pairs
                .map(|(name, hash)| ((*name).to_owned(), value(hash)))
                .collect(),
        )
    }

    #[test]
    fn changed_vanished_and_new_catalogs_differ() {
        let before = identities(&[("pg_proc", "1"), ("pg_enum", "2"), ("pg_type", "3")]);
        let after = identities(&[("pg_proc", "1"), ("pg_enum", "9"), ("pg_cast", "4")]);
        assert_eq!(
            before.changed(&after).unwrap(),
            ["pg_cast", "pg_enum", "pg_type"]
        );
        assert!(before.changed(&before).unwrap().is_empty());
    }

    #[test]
    fn two_servers_are_an_error() {
        let (one, two) = (
            identities(&[("server", "a")]),
            identities(&[("server", "b")]),
        );
        assert!(one.changed(&two).is_err());
    }
}
