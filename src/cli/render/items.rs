//! What the forms render: events of the library, gathered and completed.

use std::time::Duration;

use super::units;
use crate::cli::duration;
use crate::context::{Phase, Progress};

/// One thing to show.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// The program starts.
    Banner {
        /// The command's name.
        command: &'static str,
    },
    /// A phase begins.
    Heading(Phase),
    /// A phase ended, with the work that it had done.
    Ended(Phase, Duration, Option<Progress>),
    /// Facts that belong together.
    Facts(Vec<Row>),
    /// A plain sentence.
    Note(String),
    /// Something that deserves attention.
    Warning(String),
    /// A line of the migration tool.
    Child {
        /// Whether it came on standard error.
        stderr: bool,
        /// The line.
        line: String,
    },
    /// Work done so far.
    Progress(Phase, Pace),
    /// A message for whoever debugs.
    Debug(String),
    /// A report in lines, for people.
    Report(Vec<String>),
    /// The end.
    Summary(Box<Summary>),
}

/// A name and its value, aligned with its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Left column; empty for a continuation.
    pub name: String,
    /// Right column.
    pub value: String,
}

impl Row {
    /// A row.
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// The end of a command, for people.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    /// Rows of the block.
    pub rows: Vec<Row>,
    /// The migration tool's own last lines, after a failure.
    pub child_lines: Vec<String>,
    /// The sentence that tells the truth; the very last line.
    pub last_line: String,
    /// Exit code.
    pub code: u8,
    /// One word for it, as in `--json`.
    pub outcome: String,
    /// Whether the last line alone says everything.
    pub brief: bool,
}

/// Progress with what time adds to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The work.
    pub progress: Progress,
    /// Since the phase began.
    pub elapsed: Duration,
}

impl Pace {
    /// Bytes per second so far; `None` in the first moment.
    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        let milliseconds = u64::try_from(self.elapsed.as_millis()).ok()?;
        (milliseconds >= 200 && self.progress.bytes > 0)
            .then(|| self.progress.bytes.saturating_mul(1000) / milliseconds)
    }

    /// Done and expected in the unit that says most about time: work, else bytes, else items.
    pub(crate) fn done_of_total(&self) -> Option<(u64, u64)> {
        let Progress {
            bytes,
            total_bytes,
            items,
            total_items,
            work,
            total_work,
            ..
        } = self.progress;
        [
            (work, total_work),
            (bytes, total_bytes),
            (items, total_items),
        ]
        .into_iter()
        .find(|(_, total)| *total > 0)
        .map(|(done, total)| (done.min(total), total))
    }

    /// Time left at the pace so far; `None` while a guess would be worthless.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let (done, total) = self.done_of_total()?;
        if done == 0 || self.elapsed < Duration::from_secs(1) {
            return None;
        }
        let elapsed = u64::try_from(self.elapsed.as_millis()).ok()?;
        let left = u128::from(elapsed) * u128::from(total - done) / u128::from(done);
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    /// Whole percent; `None` when the total is unknown.
    pub(crate) fn percent(&self) -> Option<u64> {
        let (done, total) = self.done_of_total()?;
        u64::try_from(u128::from(done) * 100 / u128::from(total)).ok()
    }

    /// `27 %, 6 s left, 12.3 MB of 45.0 MB, 5.1 MB/s, 10,234 rows`: what is asked first comes
    /// first, because a narrow terminal cuts the end.
    pub(crate) fn text(&self) -> String {
        let progress = &self.progress;
        let mut parts = Vec::new();
        parts.extend(self.percent().map(|percent| format!("{percent} %")));
        parts.extend(
            self.remaining()
                .map(|left| format!("{} left", duration::human(left))),
        );
        if progress.bytes > 0 {
            parts.push(of(units::bytes, progress.bytes, progress.total_bytes));
        }
        parts.extend(
            self.bytes_per_second()
                .map(|rate| format!("{}/s", units::bytes(rate))),
        );
        if progress.rows > 0 {
            parts.push(units::plural(progress.rows, "row", "rows"));
        }
        if progress.items > 0 && progress.total_items > 0 {
            let items = of(units::count, progress.items, progress.total_items);
            parts.push(format!("{items} objects"));
        }
        parts.extend((!progress.what.is_empty()).then(|| progress.what.clone()));
        parts.join(", ")
    }
}

/// What a phase has done: `470.0 MB, 2,200,001 rows in 5.5 s`.
pub(crate) fn done_text(elapsed: Duration, progress: Option<&Progress>) -> String {
    let mut parts = Vec::new();
    if let Some(progress) = progress {
        parts.extend((progress.bytes > 0).then(|| units::bytes(progress.bytes)));
        parts.extend((progress.rows > 0).then(|| units::plural(progress.rows, "row", "rows")));
    }
    let time = duration::human(elapsed);
    if parts.is_empty() {
        time
    } else {
        format!("{} in {time}", parts.join(", "))
    }
}

fn of(form: fn(u64) -> String, done: u64, total: u64) -> String {
    if total == 0 {
        return form(done);
    }
    format!("{} of {}", form(done), form(total.max(done)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(bytes: u64, total_bytes: u64, seconds: u64) -> Pace {
        Pace {
            progress: Progress {
                bytes,
                total_bytes,
                rows: 10,
                ..Progress::default()
            },
            elapsed: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn says_rate_and_time_left() {
        let half = pace(5_000_000, 10_000_000, 5);
        assert_eq!(
            half.text(),
            "50 %, 5.0 s left, 5.0 MB of 10.0 MB, 1.0 MB/s, 10 rows"
        );
        assert_eq!(half.percent(), Some(50));
    }

    #[test]
    fn a_total_that_was_too_small_does_not_frighten() {
        let over = pace(12_000_000, 10_000_000, 4);
        assert_eq!(over.percent(), Some(100));
        assert_eq!(over.remaining(), Some(Duration::ZERO));
        assert_eq!(
            over.text(),
            "100 %, 0 ms left, 12.0 MB of 12.0 MB, 3.0 MB/s, 10 rows"
        );
    }

    #[test]
    fn what_comes_after_the_rows_counts_for_the_time_left() {
        let mut loaded = pace(10_000_000, 10_000_000, 5);
        loaded.progress.work = 10_000_000;
        loaded.progress.total_work = 20_000_000;
        assert_eq!(
            loaded.text(),
            "50 %, 5.0 s left, 10.0 MB of 10.0 MB, 2.0 MB/s, 10 rows"
        );
    }

    #[test]
    fn a_phase_ends_with_what_it_did() {
        let progress = pace(5_000_000, 0, 1).progress;
        let time = Duration::from_secs(5);
        assert_eq!(done_text(time, Some(&progress)), "5.0 MB, 10 rows in 5.0 s");
        assert_eq!(done_text(time, None), "5.0 s");
    }

    #[test]
    fn guesses_nothing_from_nothing() {
        assert_eq!(pace(0, 0, 0).remaining(), None);
        assert_eq!(pace(0, 0, 0).bytes_per_second(), None);
    }
}
