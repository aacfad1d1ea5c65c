//! Materialized views are filled last, one by one, and none of them stands in the way of the rest.
//!
//! What a view shows is made of what is there now, and of what is elsewhere: rows that its query fails on since it was filled,
//! a function that raises, a foreign server that is away. Such a view stays without content, as `WITH NO DATA` leaves it, and is
//! told by name. What says nothing of the view (a lost connection, a signal, a full disk) fails as everywhere.

use serde::Serialize;

use super::batch::{self, Statement};
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// A materialized view that the archive has with content, and that could not be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfilled {
    /// The archive's entry: `data of materialized view public.totals`.
    #[serde(skip)]
    pub identity: String,
    /// `materialized view public.totals`.
    pub view: String,
    /// What the server said.
    pub reason: String,
    /// What fills it.
    pub command: String,
}

impl Unfilled {
    /// In one line: what is missing, why, and what to do next.
    pub fn line(&self) -> String {
        let Self {
            view,
            reason,
            command,
            ..
        } = self;
        format!("content of {view} ({reason}; then: {command};)")
    }
}

/// Classes of SQLSTATE that are about the session or the moment, not about what the view reads: transaction state, conflicts,
/// resources, operator, system.
const OF_THE_MOMENT: [&str; 5] = ["25", "40", "53", "57", "58"];
/// A lock that was waited for in vain, and what the server takes for damage of its own files.
const NOT_OF_THE_VIEW: [&str; 3] = ["55P03", "XX001", "XX002"];

fn is_of_the_view(error: &Error) -> bool {
    error.sqlstate().is_some_and(|code| {
        let moment = OF_THE_MOMENT.iter().any(|class| code.starts_with(class));
        !moment && !NOT_OF_THE_VIEW.contains(&code)
    })
}

/// Fills a view inside the caller's transaction. `identity` is the entry's, `statement` its text.
pub(super) async fn fill(
    session: &Session,
    identity: &str,
    statement: Statement,
) -> Result<Option<Unfilled>> {
    let savepoint = Sql::constant("SAVEPOINT pgbelay_refresh");
    session.execute(&savepoint).await?;
    let refresh = statement.sql.clone();
    let refresh = refresh.then("\n;RELEASE SAVEPOINT pgbelay_refresh;");
    let Err(error) = session.execute(&refresh).await else {
        return Ok(None);
    };
    let error = error.attempting(statement.what);
    let command = command(statement.sql.text()).filter(|_| is_of_the_view(&error));
    let Some(command) = command.filter(|_| !session.is_closed()) else {
        return Err(batch::explained(error));
    };
    // It may have had other content: that of what is taken back.
    let empty = Sql::constant("ROLLBACK TO SAVEPOINT pgbelay_refresh;\n")
        .sql(&Sql::deparsed(command))
        .then(" WITH NO DATA;\nRELEASE SAVEPOINT pgbelay_refresh;");
    session.execute(&empty).await?;
    Ok(Some(Unfilled {
        identity: identity.to_owned(),
        view: identity
            .strip_prefix("data of ")
            .unwrap_or(identity)
            .to_owned(),
        reason: error.reason().unwrap_or_default(),
        command: command.to_owned(),
    }))
}

/// `REFRESH MATERIALIZED VIEW …`, out of an entry's text.
fn command(text: &str) -> Option<&str> {
    let (_, rest) = text.split_at(text.find("REFRESH MATERIALIZED VIEW ")?);
    let rest = rest.trim_end();
    let rest = rest.strip_suffix("SET row_security = off;").unwrap_or(rest);
    rest.trim_end().strip_suffix(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_is_not_the_views_fault() {
        let of_the_view = |code: &str| is_of_the_view(&Error::operation("x").with_sqlstate(code));
        for code in [
            "22012", "21000", "08001", "HV000", "P0001", "42883", "55000",
        ] {
            assert!(of_the_view(code), "{code}");
        }
        for code in [
            "57014", "57P01", "53100", "53200", "40P01", "55P03", "58030", "25006",
        ] {
            assert!(!of_the_view(code), "{code}");
        }
        assert!(!is_of_the_view(&Error::operation("x")));
    }

    #[test]
    fn the_command_is_what_a_person_types() {
        let text = "SET row_security = on;\nREFRESH MATERIALIZED VIEW s.\"a;\nb\";\nSET row_security = off;\n";
        let typed = Some("REFRESH MATERIALIZED VIEW s.\"a;\nb\"");
        assert_eq!(command(text), typed);
        assert_eq!(command("REFRESH MATERIALIZED VIEW s.\"a;\nb\";\n"), typed);
        assert_eq!(command("SELECT 1;\n"), None);
    }
}
