//! `--verify-sql DIR`: each file asks for what must not be there, so a returned row is a failure.
//!
//! Each file runs in a READ ONLY transaction of its own that is rolled back, under the role's own
//! settings, as it would in psql.

use std::path::{Path, PathBuf};

use super::{Outcome, VerifyReport};
use crate::context::Context;
use crate::error::{Attempt, Error, Kind, Result};
use crate::migrate::sql::{SqlText, natural_order};
use crate::pg::{Row, Session, Sql};

/// How many of the returned rows are shown.
const SHOWN_ROWS: usize = 3;
/// How much of one value is shown, in characters.
const SHOWN_VALUE: usize = 80;

/// A query file.
pub(super) struct QueryFile {
    name: String,
    statements: Vec<SqlText>,
}

/// Reads and splits every file. Errors (`Kind::Refused`): no file, a file that cannot run here.
pub(super) fn read(directory: &Path) -> Result<Vec<QueryFile>> {
    let attempted = || format!("read the verification queries in {}", directory.display());
    let entries = std::fs::read_dir(directory)
        .attempt(attempted)
        .map_err(|error| error.narrowed(Kind::Refused))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.attempt(attempted)?.path();
        let hidden = name_of(&path).starts_with('.');
        if !hidden && path.is_file() && path.extension().is_some_and(|found| found == "sql") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Error::refused(attempted()).because("it holds no .sql file"));
    }
    paths.sort_by(|a, b| natural_order(&name_of(a), &name_of(b)));
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Result<QueryFile> {
    let statements = SqlText::read(path)?;
    if statements.is_empty() {
        return Err(Error::refused(format!("read {}", path.display()))
            .because("it holds no statement, so it would check nothing"));
    }
    if let Some(control) = statements.iter().find(|one| one.controls_transaction()) {
        return Err(
            Error::refused(format!("read {}", path.display())).because(format!(
                "line {}: a verification query may not begin or end a transaction",
                control.line()
            )),
        );
    }
    Ok(QueryFile {
        name: name_of(path),
        statements,
    })
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// One check per file.
pub(super) async fn check(
    session: &Session,
    directory: &Path,
    ctx: &Context,
    report: &mut VerifyReport,
) -> Result<()> {
    let files = match read(directory) {
        Ok(files) => files,
        Err(error) => return report.take("verification queries", Err(error)),
    };
    for file in &files {
        let outcome = run(session, file, ctx).await;
        if matches!(&outcome, Err(error) if matches!(error.kind(), Kind::Interrupted(_))) {
            // The statement is still at work: a ROLLBACK would wait for it. The caller ends the session.
            return outcome.map(|_| ());
        }
        // Rolled back whatever happened; a lost connection shows in the next check.
        let _ = session.execute(&Sql::constant("ROLLBACK")).await;
        report.take(&format!("query {}", file.name), outcome)?;
    }
    Ok(())
}

async fn run(session: &Session, file: &QueryFile, ctx: &Context) -> Result<Outcome> {
    // The first query fixes the transaction as read-only: no later statement can change that.
    session
        .execute(
            &Sql::constant("BEGIN TRANSACTION READ ONLY; ")
                .sql(&session.reset())
                .then("; SET LOCAL standard_conforming_strings = on; SELECT 1"),
        )
        .await?;
    for statement in &file.statements {
        let attempted = format!("run line {} of {}", statement.line(), file.name);
        let sql = Sql::operator(statement.text());
        let found = tokio::select! {
            found = session.query_first(&sql, SHOWN_ROWS) => found?,
            signal = ctx.stop.wait() => {
                return Err(Error::new(Kind::Interrupted(signal), attempted)
                    .because(format!("interrupted by signal {signal}")));
            }
        };
        if found.count > 0 {
            return Ok(Outcome::Failed(format!(
                "line {} returned {}: {}",
                statement.line(),
                counted(found.count),
                shown(&found.rows)
            )));
        }
    }
    Ok(Outcome::Passed("no row".to_owned()))
}

fn counted(rows: u64) -> String {
    if rows == 1 {
        "1 row".to_owned()
    } else {
        format!("{rows} rows")
    }
}

fn shown(rows: &[Row]) -> String {
    let first = rows.iter().map(|row| {
        let values = row
            .pairs()
            .map(|(name, value)| format!("{name}={}", short(value)));
        format!("({})", values.collect::<Vec<_>>().join(", "))
    });
    first.collect::<Vec<_>>().join(", ")
}

fn short(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "NULL".to_owned();
    };
    match value.char_indices().nth(SHOWN_VALUE) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shown_short() {
        let rows = [
            Row::from_pairs(&[("id", Some("1")), ("email", None)]),
            Row::from_pairs(&[("id", Some(&"x".repeat(100))), ("email", Some("b"))]),
        ];
        let text = shown(&rows);
        assert!(text.starts_with("(id=1, email=NULL), (id=xxx"));
        assert!(text.contains("x…, email=b)"));
    }
}
