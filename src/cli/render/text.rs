//! The form for people: timestamps, headings, aligned blocks, the child's lines with their prefix.
//!
//! On a terminal the stamp is the time of day and a blank line precedes a heading; elsewhere each
//! line stands for itself with date and time in UTC, so that a log collector can sort it.

use chrono::{DateTime, Utc};

use super::items::{Item, Row, Summary, done_text};
use super::paint::Painter;
use crate::exit::Exit;

/// How text looks.
#[derive(Debug, Clone)]
pub(crate) struct TextForm {
    /// Colours.
    pub painter: Painter,
    /// Short stamps and room between phases.
    pub terminal: bool,
    /// Prefix of the migration tool's lines.
    pub child_name: String,
    /// Columns of the terminal; blocks are wrapped to them.
    pub width: Option<usize>,
    /// Of an end that is no failure, only the last line.
    pub quiet: bool,
}

impl TextForm {
    /// The lines of an item, without newlines.
    pub(crate) fn lines(&self, at: DateTime<Utc>, run_id: &str, item: &Item) -> Vec<String> {
        let paint = self.painter;
        match item {
            Item::Banner { command } => vec![self.stamped(at, &banner(command, run_id, at))],
            Item::Heading(phase) => self.headed(at, phase.title()),
            Item::Ended(phase, elapsed, progress) => {
                let done = done_text(*elapsed, progress.as_ref());
                let title = phase.title();
                let colon = if title.ends_with('?') { "" } else { ":" };
                let text = format!("  {title}{colon} {done}");
                vec![self.stamped(at, &paint.faint(&text))]
            }
            Item::Facts(rows) => self.block(at, rows),
            Item::Note(text) => self.sentences(at, text),
            Item::Warning(text) => self.warning(at, text),
            Item::Child { line, .. } => vec![self.child(at, line)],
            Item::Progress(phase, pace) => {
                let text = format!("  {}: {}", phase.title(), pace.text());
                vec![self.stamped(at, &paint.faint(&text))]
            }
            Item::Debug(text) => vec![self.stamped(at, &paint.faint(&format!("  debug: {text}")))],
            Item::Report(lines) => self.report(at, lines),
            Item::Summary(summary) => self.summary(at, summary),
        }
    }

    fn stamped(&self, at: DateTime<Utc>, body: &str) -> String {
        let stamp = if self.terminal {
            at.format("%H:%M:%S").to_string()
        } else {
            at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
        };
        format!("{}  {body}", self.painter.faint(&stamp))
    }

    /// A heading: with room above on a terminal, with a mark where lines stand alone.
    fn headed(&self, at: DateTime<Utc>, title: &str) -> Vec<String> {
        let title = self.painter.heading(title);
        if self.terminal {
            vec![String::new(), self.stamped(at, &title)]
        } else {
            vec![self.stamped(at, &format!("== {title}"))]
        }
    }

    /// Lines that are not indented are headings.
    fn report(&self, at: DateTime<Utc>, lines: &[String]) -> Vec<String> {
        let line = |line: &String| match line.starts_with(' ') {
            true => vec![self.stamped(at, line)],
            false => self.headed(at, line),
        };
        lines
            .iter()
            .filter(|line| !line.is_empty())
            .flat_map(line)
            .collect()
    }

    fn sentences(&self, at: DateTime<Utc>, text: &str) -> Vec<String> {
        text.lines()
            .map(|line| self.stamped(at, &format!("  {line}")))
            .collect()
    }

    fn warning(&self, at: DateTime<Utc>, text: &str) -> Vec<String> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let head = format!("  {} {first}", self.painter.warning("warning:"));
        std::iter::once(self.stamped(at, &head))
            .chain(lines.map(|line| self.stamped(at, &format!("           {line}"))))
            .collect()
    }

    fn child(&self, at: DateTime<Utc>, line: &str) -> String {
        let prefix = self.painter.faint(&format!("  {} |", self.child_name));
        self.stamped(at, format!("{prefix} {line}").trim_end())
    }

    fn block(&self, at: DateTime<Utc>, rows: &[Row]) -> Vec<String> {
        let width = rows
            .iter()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0);
        rows.iter()
            .flat_map(|row| self.value_lines(row, width))
            .map(|line| self.stamped(at, &format!("  {line}")))
            .collect()
    }

    /// A row's value may have several lines; they stand under each other.
    fn value_lines(&self, row: &Row, names: usize) -> Vec<String> {
        // Stamp, margins and the column of names.
        let used = "00:00:00    ".len() + names + 2;
        let width = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(used).max(20));
        let mut lines = row.value.lines().flat_map(|line| wrapped(line, width));
        let first = lines.next().unwrap_or_default();
        std::iter::once(format!("{:<names$}  {first}", row.name))
            .chain(lines.map(|line| format!("{:names$}  {line}", "")))
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    fn summary(&self, at: DateTime<Utc>, summary: &Summary) -> Vec<String> {
        let last = self.last_line(at, summary);
        if summary.brief || (self.quiet && summary.code == 0) {
            return vec![last];
        }
        let mut lines = self.headed(at, "Summary");
        lines.extend(self.block(at, &summary.rows));
        if !summary.child_lines.is_empty() {
            lines.push(self.stamped(at, "  the migration tool's own last lines:"));
            lines.extend(summary.child_lines.iter().map(|line| self.child(at, line)));
        }
        let meaning = format!(
            "  exit {}: {}",
            summary.code,
            Exit::meaning_of(summary.code)
        );
        lines.push(self.stamped(at, &meaning));
        lines.push(last);
        lines
    }

    fn last_line(&self, at: DateTime<Utc>, summary: &Summary) -> String {
        let text = match summary.brief {
            true => summary.last_line.clone(),
            false => format!("{} Exit {}.", summary.last_line, summary.code),
        };
        let text = text.as_str();
        let painted = match summary.code {
            0 => self.painter.good(text),
            1 | 8 | 130 | 143 => self.painter.warning(text),
            _ => self.painter.bad(text),
        };
        self.stamped(at, &painted)
    }
}

fn banner(command: &str, run_id: &str, at: DateTime<Utc>) -> String {
    format!(
        "pgbelay {} {command}, run id {run_id}, {}",
        env!("CARGO_PKG_VERSION"),
        at.format("%Y-%m-%d %H:%M:%S UTC")
    )
}

/// Breaks a line at blanks so that no piece is longer than `width`, where blanks allow it.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in line.split(' ') {
        let last = pieces.last_mut().map_or(0, |piece| piece.chars().count());
        let fits = last == 0 || last + 1 + word.chars().count() <= width;
        match pieces.last_mut() {
            Some(piece) if fits => {
                if last > 0 {
                    piece.push(' ');
                }
                piece.push_str(word);
            }
            _ => pieces.push(word.to_owned()),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Phase;
    use chrono::TimeZone;

    fn form(terminal: bool) -> TextForm {
        TextForm {
            painter: Painter::PLAIN,
            terminal,
            child_name: "alembic".into(),
            width: None,
            quiet: false,
        }
    }

    fn at() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 5, 9, 3, 4, 5).unwrap()
    }

    #[test]
    fn a_terminal_gets_room_and_a_log_gets_dates() {
        let heading = Item::Heading(Phase::Backup);
        assert_eq!(
            form(true).lines(at(), "r", &heading),
            ["", "03:04:05  Backup"]
        );
        assert_eq!(
            form(false).lines(at(), "r", &heading),
            ["2026-05-09T03:04:05Z  == Backup"]
        );
    }

    #[test]
    fn facts_stand_in_a_block() {
        let facts = Item::Facts(vec![
            Row::new("server", "15.18"),
            Row::new("role", "app\nowner"),
        ]);
        assert_eq!(
            form(true).lines(at(), "r", &facts),
            [
                "03:04:05    server  15.18",
                "03:04:05    role    app",
                "03:04:05            owner"
            ]
        );
    }

    #[test]
    fn a_long_value_is_wrapped_on_a_terminal() {
        let narrow = TextForm {
            width: Some(40),
            ..form(true)
        };
        let facts = Item::Facts(vec![Row::new(
            "because",
            "one two three four five six seven",
        )]);
        assert_eq!(
            narrow.lines(at(), "r", &facts),
            [
                "03:04:05    because  one two three four",
                "03:04:05             five six seven"
            ]
        );
    }

    #[test]
    fn the_child_has_its_own_prefix() {
        let line = Item::Child {
            stderr: true,
            line: "INFO  done".into(),
        };
        assert_eq!(
            form(true).lines(at(), "r", &line),
            ["03:04:05    alembic | INFO  done"]
        );
    }

    #[test]
    fn the_summary_ends_with_the_truth() {
        let summary = Summary {
            rows: vec![Row::new("archive", "backups/x.sql.gz")],
            child_lines: vec!["boom".into()],
            last_line: "Failed; the database is as it was.".into(),
            code: 1,
            ..Summary::default()
        };
        let lines = form(false).lines(at(), "r", &Item::Summary(Box::new(summary)));
        assert!(lines[2].ends_with("the migration tool's own last lines:"));
        assert!(lines[4].ends_with("exit 1: failed; the database is proven to be as it was"));
        assert!(
            lines
                .last()
                .unwrap()
                .ends_with("Failed; the database is as it was. Exit 1.")
        );
    }

    #[test]
    fn quiet_keeps_the_last_line_of_success_and_all_of_a_failure() {
        let quiet = TextForm {
            quiet: true,
            ..form(false)
        };
        let lines = |code| {
            let summary = Summary {
                rows: vec![Row::new("archive", "backups/x.sql.gz")],
                last_line: "Done.".into(),
                code,
                ..Summary::default()
            };
            quiet.lines(at(), "r", &Item::Summary(Box::new(summary)))
        };
        assert_eq!(lines(0), ["2026-05-09T03:04:05Z  Done. Exit 0."]);
        assert!(lines(1).len() > 1);
    }
}
