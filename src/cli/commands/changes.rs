//! What a migration did, in a few lines: all of them are in the run's log, in `--json` and in `pgbelay diff`.

use crate::cli::render::units;
use crate::run::{ChangeReport, Outside};

/// Lines about rows that are shown.
const ROW_LINES: usize = 8;

/// Lines about everything else that are shown.
const OTHER_LINES: usize = 12;

/// Rows first: what was done to data matters most.
pub(super) fn lines(changes: &ChangeReport) -> Vec<String> {
    let (rows, others) = (changes.row_lines(), changes.definition_lines());
    let nothing = rows.is_empty() && others.is_empty() && changes.not_reported.is_none();
    let hidden = rows.len().saturating_sub(ROW_LINES) + others.len().saturating_sub(OTHER_LINES);
    let mut lines: Vec<String> = rows.into_iter().take(ROW_LINES).collect();
    lines.extend(others.into_iter().take(OTHER_LINES));
    if nothing {
        lines.push("none".to_owned());
    }
    if hidden > 0 {
        let more = units::plural(units::how_many(hidden), "more line", "more lines");
        lines.push(format!(
            "… {more} in the log; or: pgbelay diff {}",
            changes.before
        ));
    }
    lines.extend(changes.caveat().map(|caveat| format!("({caveat})")));
    lines
}

/// What no rollback brings back.
pub(super) fn outside(outside: &Outside) -> String {
    let mut lines = outside.lines();
    let hidden = lines.len().saturating_sub(OTHER_LINES);
    lines.truncate(OTHER_LINES);
    if hidden > 0 {
        let more = units::plural(units::how_many(hidden), "more change", "more changes");
        lines.push(format!("… {more} (--json has them)"));
    }
    if !outside.changes.is_empty() {
        lines.push("(of the whole cluster, whoever changed it; never rolled back)".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RowsKnown;

    fn report(lines: usize) -> ChangeReport {
        ChangeReport {
            before: "x.sql.gz".to_owned(),
            differences: (0..lines).map(|n| format!("table t{n}: added")).collect(),
            rows: RowsKnown::Compared,
            ..ChangeReport::default()
        }
    }

    #[test]
    fn long_reports_say_where_the_rest_is() {
        let shown = lines(&report(40));
        assert_eq!(shown.len(), OTHER_LINES + 1);
        assert_eq!(
            shown.last().unwrap(),
            "… 28 more lines in the log; or: pgbelay diff x.sql.gz"
        );
        assert_eq!(lines(&report(2)).len(), 2);
    }

    #[test]
    fn p8_no_report_is_not_no_change() {
        assert_eq!(lines(&report(0)), ["none"]);
        let mut silent = report(0);
        silent.not_reported = Some("it took longer than 15 s".to_owned());
        assert_eq!(lines(&silent), ["(not reported: it took longer than 15 s)"]);
    }
}
