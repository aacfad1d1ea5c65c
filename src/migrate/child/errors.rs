//! The child's own last error lines, so that nobody has to scroll.
//!
//! A Python traceback says the least at its top: what counts is the last exception's own line and
//! SQLAlchemy's `[SQL: …]`, the server's DETAIL and HINT after it.

use std::collections::VecDeque;

/// How many last lines of each stream are kept.
const LAST_LINES: usize = 15;
/// How much of each stream's end is searched for known failures.
const HAY_LINES: usize = 200;
/// Details of one exception.
const DETAIL_LIMIT: usize = 8;

/// What is remembered of the output while it passes.
#[derive(Debug, Default)]
pub(super) struct ErrorLines {
    stdout: VecDeque<String>,
    stderr: VecDeque<String>,
    hay: VecDeque<String>,
    headline: Option<String>,
    details: Vec<String>,
    traceback: Traceback,
}

/// Where in a traceback the stream is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Traceback {
    #[default]
    Outside,
    /// In the indented frames: the next line at the margin is the exception.
    Frames,
    /// After the exception line: details may follow.
    Exception,
}

impl ErrorLines {
    /// Takes one masked line.
    pub(super) fn take(&mut self, stderr: bool, line: &str) {
        let stream = if stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        };
        push(stream, line, LAST_LINES);
        push(&mut self.hay, line, HAY_LINES);
        self.follow(line.trim_end());
    }

    /// The last lines of standard error, or of standard output where there are none.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let stream = if self.stderr.is_empty() {
            &self.stdout
        } else {
            &self.stderr
        };
        stream.iter().cloned().collect()
    }

    /// The one line that says what failed.
    pub(super) fn headline(&self) -> Option<&str> {
        self.headline.as_deref()
    }

    /// What belongs to the headline.
    pub(super) fn details(&self) -> Vec<String> {
        self.details.clone()
    }

    /// The end of both streams, for the search for known failures.
    pub(super) fn hay(&self) -> impl Iterator<Item = &str> {
        self.hay.iter().map(String::as_str)
    }

    fn follow(&mut self, line: &str) {
        if line.starts_with("Traceback (most recent call last)") {
            self.traceback = Traceback::Frames;
            return;
        }
        match self.traceback {
            Traceback::Frames if is_exception(line) => {
                self.headline = Some(line.to_owned());
                self.details.clear();
                self.traceback = Traceback::Exception;
            }
            Traceback::Frames => {}
            Traceback::Exception | Traceback::Outside => self.after(line),
        }
    }

    fn after(&mut self, line: &str) {
        if is_failure(line) {
            self.headline = Some(line.trim_start().to_owned());
            self.details.clear();
        } else if self.headline.is_some()
            && self.details.len() < DETAIL_LIMIT
            && is_detail(line.trim_start())
        {
            self.details.push(line.trim_start().to_owned());
        }
    }
}

fn push(stream: &mut VecDeque<String>, line: &str, limit: usize) {
    if stream.len() == limit {
        stream.pop_front();
    }
    stream.push_back(line.to_owned());
}

/// A line at the margin that starts with a dotted Python name.
fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

/// What alembic, psql and plain interpreters print when they fail without a traceback.
fn is_failure(line: &str) -> bool {
    let line = line.trim_start();
    [
        "FAILED: ",
        "psql: error: ",
        "ERROR:  ",
        "FATAL:  ",
        "error: ",
    ]
    .iter()
    .any(|prefix| line.starts_with(prefix))
        || line.contains(": No module named ")
        || line.contains(": ERROR:  ")
}

/// `[parameters: …]` is left out on purpose: parameters are people's data.
fn is_detail(line: &str) -> bool {
    ["[SQL: ", "DETAIL:", "HINT:", "LINE ", "CONTEXT:"]
        .iter()
        .any(|prefix| line.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> ErrorLines {
        let mut lines = ErrorLines::default();
        for line in text.lines() {
            lines.take(true, line);
        }
        lines
    }

    #[test]
    fn the_last_exception_and_its_sql_are_found() {
        let lines = taken(
            "INFO  [alembic.runtime.migration] Running upgrade a -> b\n\
             Traceback (most recent call last):\n  File \"x.py\", line 1, in y\n    cursor.execute(\n\
             psycopg2.errors.DuplicateColumn: column \"x\" already exists\n\n\n\
             The above exception was the direct cause of the following exception:\n\n\
             Traceback (most recent call last):\n  File \"z.py\"\n\
             sqlalchemy.exc.ProgrammingError: (psycopg2.errors.DuplicateColumn) column \"x\" already exists\n\
             DETAIL:  Key (a)=(1).\n\n[SQL: ALTER TABLE t ADD COLUMN x INTEGER]\n[parameters: {'a': 1}]\n\
             (Background on this error at: https://sqlalche.me/e/20/f405)",
        );
        assert_eq!(
            lines.headline(),
            Some(
                "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.DuplicateColumn) column \"x\" already exists"
            )
        );
        assert_eq!(
            lines.details(),
            [
                "DETAIL:  Key (a)=(1).",
                "[SQL: ALTER TABLE t ADD COLUMN x INTEGER]"
            ]
        );
        assert_eq!(lines.last_lines().len(), LAST_LINES);
    }

    #[test]
    fn alembics_failure_line_is_found() {
        let lines = taken(
            "ERROR [alembic.util.messaging] x\n  FAILED: Multiple head revisions are present",
        );
        assert_eq!(
            lines.headline(),
            Some("FAILED: Multiple head revisions are present")
        );
    }
}
