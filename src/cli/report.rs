//! What a command hands back, and how its end is told: stdout, the summary, the final object.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::render::{Mask, Row, Summary, error_json, error_rows};
use crate::context::Phase;
use crate::error::{Error, Kind};
use crate::exit::Exit;

/// The end of a command that did its work; the work's answer may still be "no".
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// Exit code.
    pub code: u8,
    /// One word for `--json`.
    pub outcome: String,
    /// Rows of the summary.
    pub rows: Vec<Row>,
    /// The migration tool's own last lines.
    pub child_lines: Vec<String>,
    /// The last line for people; tells the truth.
    pub last_line: String,
    /// Members of the final object.
    pub json: Map<String, Value>,
    /// Data for stdout; not printed with `--json`.
    pub stdout: Vec<u8>,
    /// Whether the last line alone says everything.
    pub brief: bool,
}

impl Done {
    /// Success whose last line says everything.
    pub(crate) fn brief(last_line: impl Into<String>) -> Self {
        Self {
            outcome: "done".into(),
            last_line: last_line.into(),
            brief: true,
            ..Self::default()
        }
    }

    /// Success with a block of rows.
    pub(crate) fn with_rows(last_line: impl Into<String>, rows: Vec<Row>) -> Self {
        Self {
            rows,
            brief: false,
            ..Self::brief(last_line)
        }
    }

    /// The answer "no": exit 8.
    pub(crate) fn difference(self) -> Self {
        self.ending(Kind::Difference)
    }

    /// Ends as an error of that kind would.
    pub(crate) fn ending(mut self, kind: Kind) -> Self {
        self.code = Exit::from(kind).code();
        outcome_of_kind(kind).clone_into(&mut self.outcome);
        self
    }

    /// Text for stdout.
    #[must_use]
    pub(crate) fn printing(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdout = text.into();
        self
    }

    /// A member of the final object.
    #[must_use]
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.json.insert(name.to_owned(), value.into());
        self
    }
}

/// The word for `outcome` in `--json` when a command ended with an error.
fn outcome_of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Usage | Kind::Refused => "refused",
        Kind::LockTimeout => "lock-timeout",
        Kind::BackupFailed => "backup-failed",
        Kind::Failed => "failed",
        Kind::Withheld => "withheld",
        Kind::InDoubt => "in-doubt",
        Kind::Difference => "difference",
        Kind::Interrupted(_) => "interrupted",
        Kind::Operation => "error",
    }
}

/// The end of a command that failed.
pub(crate) fn failed(error: &Error) -> Done {
    let mut done = Done {
        rows: error_rows(error),
        last_line: last_line_of(error),
        ..Done::default()
    }
    .ending(error.kind());
    done.json.insert("error".into(), error_json(error));
    done
}

/// The same end, said to be one whose report did not reach its reader.
pub(crate) fn untold(done: &Done, error: &Error) -> Done {
    Done {
        last_line: format!("{} The report was not written: {error}.", done.last_line),
        ..done.clone()
    }
}

/// The end of a backup whose archive is there although its path did not reach its reader: a failure for whoever waits
/// for the path.
pub(crate) fn unprinted(done: &Done, error: &Error) -> Done {
    let mut failed = failed(error);
    failed.last_line = format!("{} But its path was not written: {error}.", done.last_line);
    failed.rows.splice(0..0, done.rows.iter().cloned());
    failed
}

/// The sentence that tells the truth about a failure; the block above it has the details.
fn last_line_of(error: &Error) -> String {
    let attempted = error.attempted();
    match error.kind() {
        Kind::Usage => format!(
            "Not started: cannot {}. Nothing was contacted.",
            what_and_why(error)
        ),
        Kind::Refused => format!(
            "Refused: cannot {}. Nothing was touched.",
            what_and_why(error)
        ),
        Kind::Operation => format!("Failed: could not {}.", what_and_why(error)),
        Kind::LockTimeout => "No lock: another run holds it. Nothing was touched.".to_owned(),
        Kind::BackupFailed => {
            format!("Backup failed: could not {attempted}. No archive was published.")
        }
        Kind::Failed => {
            format!("Failed: could not {attempted}. The database is as it was, proven.")
        }
        Kind::Withheld => {
            "Rollback withheld: it would discard what others wrote, or may have written. Nothing was undone.".to_owned()
        }
        Kind::InDoubt => {
            format!(
                "IN DOUBT: could not {attempted}. A person must look before anything else runs."
            )
        }
        Kind::Difference => format!("No: {error}."),
        Kind::Interrupted(_) => "Interrupted. The database is as it was.".to_owned(),
    }
}

/// What was attempted and the first line of why it failed: whoever sees only the last line of a log
/// knows what to look for.
pub(crate) fn what_and_why(error: &Error) -> String {
    const MOST: usize = 200;
    let reason = error.reason().unwrap_or_default();
    let why = reason.lines().next().unwrap_or_default();
    let why = why.trim_end_matches([':', '.', ' ']);
    let mut text = match why {
        "" => error.attempted().to_owned(),
        why => format!("{}: {why}", error.attempted()),
    };
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The final object of `--json`.
pub(crate) fn final_object(
    command: &str,
    run_id: &str,
    done: &Done,
    seconds: &[(Phase, Duration)],
    total: Duration,
) -> Value {
    let mut object = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "command": command,
        "run": run_id,
        "outcome": done.outcome,
        "exit_code": done.code,
        "meaning": Exit::meaning_of(done.code),
        "message": done.last_line,
        "seconds": seconds_object(seconds, total),
        "error": null,
    });
    if let Value::Object(members) = &mut object {
        // A command that measures its own phases (`run`) has the last word.
        members.extend(done.json.clone());
    }
    object
}

fn seconds_object(seconds: &[(Phase, Duration)], total: Duration) -> Value {
    let name = |phase: &Phase| match serde_json::to_value(phase) {
        Ok(Value::String(name)) => name,
        _ => phase.title().to_owned(),
    };
    let mut object: Map<String, Value> = seconds
        .iter()
        .map(|(phase, time)| (name(phase), rounded(*time)))
        .collect();
    object.insert("total".into(), rounded(total));
    Value::Object(object)
}

fn rounded(time: Duration) -> Value {
    Value::from((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// The summary for people; `seconds` become its row "time".
pub(crate) fn summary(done: &Done, seconds: &[(Phase, Duration)], total: Duration) -> Summary {
    let mut rows = done.rows.clone();
    rows.push(Row::new("time", time_row(seconds, total)));
    Summary {
        rows,
        child_lines: done.child_lines.clone(),
        last_line: done.last_line.clone(),
        code: done.code,
        outcome: done.outcome.clone(),
        brief: done.brief,
    }
}

/// The total first, then the phases, in lines that fit a terminal.
fn time_row(seconds: &[(Phase, Duration)], total: Duration) -> String {
    const WIDTH: usize = 80;
    let mut lines = vec![format!("{} in all", super::duration::human(total))];
    let mut line = String::new();
    for (phase, time) in seconds {
        let part = format!(
            "{} {}",
            phase.title().to_lowercase(),
            super::duration::human(*time)
        );
        if !line.is_empty() && line.len() + part.len() > WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        let gap = if line.is_empty() { "" } else { ", " };
        line = format!("{line}{gap}{part}");
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines.join("\n")
}

/// What goes to stdout.
pub(crate) fn stdout_bytes(done: &Done, object: Option<Value>, mask: &Mask) -> Vec<u8> {
    match object {
        None => done.stdout.clone(),
        Some(object) => {
            let mut text = mask.apply_json(object).to_string();
            text.push('\n');
            text.into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_that_nothing_was_touched() {
        let done = failed(&Error::refused("connect to db").because("no route"));
        assert_eq!(done.code, 3);
        assert_eq!(
            done.last_line,
            "Refused: cannot connect to db: no route. Nothing was touched."
        );
    }

    #[test]
    fn the_last_line_takes_one_line_of_the_reason() {
        let said = |reason: &str| what_and_why(&Error::refused("load x").because(reason));
        assert_eq!(said("it is not empty:\ntable a"), "load x: it is not empty");
        assert_eq!(said(""), "load x");
        assert_eq!(said(&"é".repeat(500)).chars().count(), 201);
    }

    #[test]
    fn the_final_object_has_its_stable_members() {
        let done = Done::brief("ok").member("archive", "x");
        let object = final_object(
            "backup",
            "abc",
            &done,
            &[(Phase::Backup, Duration::from_millis(1234))],
            Duration::from_secs(2),
        );
        for member in [
            "version",
            "command",
            "run",
            "outcome",
            "exit_code",
            "meaning",
            "message",
            "seconds",
            "error",
            "archive",
        ] {
            assert!(object.get(member).is_some(), "{member}");
        }
        assert_eq!(object["seconds"]["backup"], 1.234);
        assert_eq!(object["seconds"]["total"], 2.0);
    }
}
