//! An error, shown once: attempted on what, why, what is true about the database now, what next.

use serde_json::{Value, json};

use super::items::Row;
use crate::error::Error;

/// The rows of the summary that an error fills.
pub(crate) fn error_rows(error: &Error) -> Vec<Row> {
    let mut rows = vec![Row::new("failed", error.attempted())];
    rows.extend(error.reason().map(|reason| Row::new("because", reason)));
    rows.extend(error.database_now().map(|now| Row::new("now", now)));
    for (place, hint) in error.hints().iter().enumerate() {
        let name = if place == 0 { "next" } else { "" };
        rows.push(Row::new(name, hint.as_str()));
    }
    rows
}

/// The member `error` of the final object.
pub(crate) fn error_json(error: &Error) -> Value {
    json!({
        "attempted": error.attempted(),
        "reason": error.reason(),
        "now": error.database_now(),
        "hints": error.hints(),
        "sqlstate": error.sqlstate(),
        "transient": error.is_transient(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_an_error_knows_is_shown_once() {
        let error = Error::refused("connect to postgresql://app:***@db/shop")
            .because("password authentication failed")
            .now("nothing was touched")
            .hint("check POSTGRES_PASSWORD")
            .hint("run pgbelay doctor");
        let rows = error_rows(&error);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["failed", "because", "now", "next", ""]);
        assert_eq!(error_json(&error)["hints"][1], "run pgbelay doctor");
    }
}
