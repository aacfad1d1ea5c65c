//! tokio-postgres's errors in our words, with the retry class.
//!
//! tokio-postgres prints its source inside its own text; here each part is taken once: SQLSTATE,
//! message, detail, hint, position. Codes: PostgreSQL documentation, appendix "PostgreSQL Error Codes".

use std::error::Error as _;

use tokio_postgres::error::ErrorPosition;

use crate::error::Error;

/// SQLSTATE classes and codes that may pass by themselves (design.md §6): connection exceptions,
/// lock_not_available, deadlock_detected, serialization_failure, operator intervention.
pub fn is_transient_code(code: &str) -> bool {
    code.starts_with("08")
        || matches!(
            code,
            "55P03" | "40P01" | "40001" | "57P01" | "57P02" | "57P03" | "53300"
        )
}

/// Turns a driver error into ours; `attempted` says what was being done and on what.
pub fn server_error(attempted: &str, error: tokio_postgres::Error) -> Error {
    let Some(database_error) = error.as_db_error() else {
        return lost(attempted, &error);
    };
    let code = database_error.code().code().to_owned();
    let mut reason = format!("{} ({code})", database_error.message());
    for part in [database_error.detail(), database_error.hint()]
        .into_iter()
        .flatten()
    {
        reason.push_str("; ");
        reason.push_str(part);
    }
    let mut ours = Error::operation(attempted)
        .because(reason)
        .with_sqlstate(&code);
    if let Some(ErrorPosition::Original(position)) = database_error.position() {
        ours = ours.at_position(*position);
    }
    if is_transient_code(&code) {
        ours.mark_transient()
    } else {
        ours
    }
}

fn lost(attempted: &str, error: &tokio_postgres::Error) -> Error {
    let reason = match error.source() {
        Some(source) => source.to_string(),
        None if error.is_closed() => "the server closed the connection".to_owned(),
        None => error.to_string(),
    };
    Error::operation(attempted).because(reason).mark_transient()
}

#[cfg(test)]
mod tests {
    use super::is_transient_code;

    #[test]
    fn only_passing_troubles_are_transient() {
        for code in ["08006", "55P03", "40P01", "40001", "57P01"] {
            assert!(is_transient_code(code), "{code}");
        }
        for code in ["42P01", "23505", "28P01", "3D000"] {
            assert!(!is_transient_code(code), "{code}");
        }
    }
}
