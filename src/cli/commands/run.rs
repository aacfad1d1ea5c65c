//! `pgbelay run`: the one command. The state machine below decides; this tells how it ended.

use serde_json::Value;

use crate::cli::app::App;
use crate::cli::args::{Checks, RunArguments, ToolArguments};
use crate::cli::render::{Row, error_rows, units};
use crate::cli::report::{Done, what_and_why};
use crate::cli::settings;
use crate::error::{Attempt, Error, Result};
use crate::pg::Target;
use crate::pg::settings::Resolved;
use crate::rollback::is_comparison;
use crate::run::fence::FenceReport;
use crate::run::{self, Outcome, RunOptions, RunReport};

/// Runs and reports.
pub(super) async fn execute(app: &App, arguments: &RunArguments) -> Result<Done> {
    settings::validate_run(arguments)?;
    let resolved = app.resolve()?;
    let options = RunOptions {
        lock_wait: arguments.lock_wait,
        table_lock_wait: arguments.reading.table_lock_wait,
        lock_timeout: arguments.lock_timeout,
        timeout: arguments.timeout,
        grace: arguments.grace,
        drill_first: arguments.drill_first,
        scratch: scratch(app, arguments)?,
        retries: arguments.retries,
        on_other_writers: settings::other_writers(arguments.on_other_writers),
        rung: settings::rung(arguments.strategy),
        proof: settings::proof(arguments.proof),
        changes: settings::change_detail(arguments.report),
        fence: settings::fence(&arguments.fence),
        max_failures: arguments.max_failures,
        force: arguments.force,
        accept_losses: settings::accepted_losses(&arguments.losses),
        ..options(app, &resolved, &arguments.tool, &arguments.checks)?
    };
    told(run::run(&resolved.target, &options, &app.ctx).await)
}

/// Another server for the drill. Nobody asked without one: a variable that makes no sense stops nothing.
fn scratch(app: &App, arguments: &RunArguments) -> Result<Option<Target>> {
    if !arguments.drill_first {
        return Ok(None);
    }
    app.resolve_scratch(arguments.scratch.scratch_url.as_deref())
}

/// What `run` shares with the verbs that work by hand.
pub(super) fn options(
    app: &App,
    resolved: &Resolved,
    tool: &ToolArguments,
    checks: &Checks,
) -> Result<RunOptions> {
    settings::refuse_misspelt(tool)?;
    Ok(RunOptions {
        jobs: app.settings.jobs,
        wait: app.settings.wait,
        allow_unknown_server: app.settings.allow_unknown_server,
        expect: checks.expect.clone(),
        verify_sql: checks.verify_sql.clone(),
        verify_command: settings::verify_command(checks)?,
        dialect: resolved.dialect.clone(),
        env_file_variables: resolved.env_file_variables.clone(),
        ..RunOptions::new(settings::migration(tool), &app.settings.store)
    })
}

/// The report as the end of a command; `recover` ends the same way.
pub(super) fn told(report: RunReport) -> Result<Done> {
    let json = match serde_json::to_value(&report).attempt(|| "write the report".to_owned())? {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    Ok(Done {
        code: report.exit_code,
        outcome: report.outcome.name().to_owned(),
        rows: rows(&report),
        child_lines: child_lines(&report),
        last_line: last_line(&report),
        json,
        ..Done::default()
    })
}

/// The tool's last words matter only when something went wrong.
fn child_lines(report: &RunReport) -> Vec<String> {
    if report.exit_code == 0 {
        return Vec::new();
    }
    if verification_failed(report) {
        return Vec::new();
    }
    let says_something = |line: &&String| {
        !line.trim().is_empty() && !line.starts_with("(Background on this error at:")
    };
    let words = last_words(&report.child_last_lines).iter();
    words.filter(says_something).cloned().collect()
}

/// The tool had succeeded: not it, but a check said no.
fn verification_failed(report: &RunReport) -> bool {
    report.checks.iter().any(|check| !check.passed)
}

/// What follows the last frame of a Python traceback: the error itself. All lines, when there is
/// no traceback or nothing after it.
fn last_words(lines: &[String]) -> &[String] {
    let Some(frame) = lines.iter().rposition(|line| line.starts_with("  File \"")) else {
        return lines;
    };
    let after = &lines[frame + 1..];
    let code = after
        .iter()
        .take_while(|line| line.starts_with("    "))
        .count();
    if after.len() == code {
        lines
    } else {
        &after[code..]
    }
}

fn rows(report: &RunReport) -> Vec<Row> {
    let mut rows = vec![Row::new("outcome", report.outcome.name())];
    rows.extend(
        report
            .error
            .iter()
            .flat_map(|error| error_of_run(report, error)),
    );
    let mut add = |name: &str, value: Option<String>| {
        rows.extend(
            value
                .filter(|value| !value.is_empty())
                .map(|value| Row::new(name, value)),
        );
    };
    let path =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    add("checked", checks(report));
    add(
        "database",
        report.database.as_ref().map(|line| line.target.clone()),
    );
    add("revision", revisions(report));
    add(
        "changes",
        report
            .changes
            .as_ref()
            .map(|changes| super::changes::lines(changes).join("\n")),
    );
    add("recovered", Some(report.recovered.join("\n")));
    add("fence", report.fence.as_ref().map(fence));
    add(
        "outside",
        report.outside.as_ref().map(super::changes::outside),
    );
    add("other writers", Some(other_writers(report)));
    add(
        "attempts",
        (report.attempts > 1).then(|| report.attempts.to_string()),
    );
    add("strategy", report.strategy.clone());
    add("proof", report.proof.clone());
    add("archive", path(&report.archive));
    add("drill", report.drill.as_ref().map(super::drill::last_line));
    add("saved", path(&report.saved));
    add("kept", report.kept.as_ref().map(super::rollback::kept_line));
    add("log", path(&report.log));
    add("journal", journal_when_it_matters(report));
    add("not held", Some(report.accepted_losses.join("\n")));
    add("not back", Some(report.not_brought_back.join("\n")));
    add("warnings", Some(report.warnings.join("\n")));
    rows
}

/// The error's rows; what is true now is said by the proof already, where there is one.
fn error_of_run(report: &RunReport, error: &Error) -> Vec<Row> {
    let mut rows = error_rows(error);
    rows.retain(|row| row.name != "now" || report.proof.is_none());
    rows
}

/// A journal interests whoever has to look into a run that did not end well.
fn journal_when_it_matters(report: &RunReport) -> Option<String> {
    let matters = matches!(report.outcome, Outcome::InDoubt | Outcome::Withheld);
    let journal = report.journal.as_ref().filter(|_| matters)?;
    Some(journal.display().to_string())
}

fn revisions(report: &RunReport) -> Option<String> {
    let shown = |revisions: &[String]| match revisions {
        [] => "none".to_owned(),
        revisions => revisions.join(", "),
    };
    if report.from == report.to {
        return (!report.from.is_empty()).then(|| format!("{} (as before)", shown(&report.from)));
    }
    Some(format!("{} -> {}", shown(&report.from), shown(&report.to)))
}

fn checks(report: &RunReport) -> Option<String> {
    let line = |check: &run::CheckLine| {
        let mark = if check.passed { "ok" } else { "FAILED" };
        format!("{mark}: {} ({})", check.name, check.detail)
    };
    let lines: Vec<String> = report.checks.iter().map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn fence(fence: &FenceReport) -> String {
    let ended = units::plural(units::how_many(fence.sessions_ended), "session", "sessions");
    let now = match (fence.up, &fence.to_take_down) {
        (_, Some(statement)) => format!("STILL STANDS; to take it down by hand: {statement}"),
        (true, None) => "taken down".to_owned(),
        (false, None) => "could not be put up".to_owned(),
    };
    format!("{now} ({ended} ended when it was put up)")
}

fn other_writers(report: &RunReport) -> String {
    let lines: Vec<String> = report
        .other_writers
        .iter()
        .map(run::OtherWriter::line)
        .collect();
    lines.join("\n")
}

/// What a rollback could not bring back: no proof may claim it.
fn exceptions(report: &RunReport) -> String {
    match report.not_brought_back.join(", ").as_str() {
        "" => String::new(),
        lost => format!(", except what could not be brought back: {lost}"),
    }
}

/// The truth in one line (P8), and what is worse than all the rest of it.
fn last_line(report: &RunReport) -> String {
    let line = line_of_outcome(report);
    let fence = report.fence.as_ref();
    match fence.and_then(|fence| fence.to_take_down.as_ref()) {
        Some(_) => format!("{line} THE FENCE STILL STANDS, others cannot write: pgbelay recover"),
        None => line,
    }
}

fn line_of_outcome(report: &RunReport) -> String {
    let except = exceptions(report);
    match report.outcome {
        Outcome::Migrated | Outcome::NothingToDo => line_of_success(report),
        Outcome::Usage
        | Outcome::Refused
        | Outcome::LockTimeout
        | Outcome::BackupFailed
        | Outcome::Difference => line_before_migration(report),
        Outcome::Unchanged | Outcome::RolledBack | Outcome::Withheld => {
            line_of_failure(report, &except)
        }
        Outcome::InDoubt => {
            "IN DOUBT: a person must look before anything else touches the database.".to_owned()
        }
        Outcome::Recovered { rolled_back: true } => format!(
            "Recovered: the interrupted run was rolled back, the database is as before it \
             (proven){except}."
        ),
        Outcome::Recovered { .. } => {
            "Recovered: nothing of the interrupted run had to be put back, the database is as before it."
                .to_owned()
        }
        Outcome::AlreadyRolledBack => format!(
            "Recovered: the interrupted run had been rolled back (proven){except}; what others wrote since is there."
        ),
        Outcome::Interrupted {
            rolled_back: true, ..
        } => format!("Interrupted; the database was put back and is as it was (proven){except}."),
        Outcome::Interrupted { .. } => {
            format!("Interrupted; {}, the database is as it was.", nothing(report))
        }
    }
}

fn line_of_success(report: &RunReport) -> String {
    let reached = match report.to.as_slice() {
        [] => " there".to_owned(),
        heads => format!(" at {}", heads.join(", ")),
    };
    match report.outcome {
        Outcome::NothingToDo => format!("Nothing to do: the database is already{reached}."),
        _ => format!("Done: migrated and verified, the database is{reached}."),
    }
}

/// The migration was not started, or nobody asked for one.
fn line_before_migration(report: &RunReport) -> String {
    let why = |fallback: &str| {
        let error = report.error.as_ref();
        error.map_or_else(
            || fallback.to_owned(),
            |error| format!("cannot {}", what_and_why(error)),
        )
    };
    match report.outcome {
        Outcome::Usage => format!(
            "Not started: {}. Nothing was touched.",
            why("the arguments or settings make no sense")
        ),
        Outcome::Refused => format!(
            "Refused: {}. Nothing was touched.",
            why("the migration was not started")
        ),
        Outcome::LockTimeout => "No lock: another run holds it. Nothing was touched.".to_owned(),
        // An archive that is reported was complete: its drill is what failed.
        Outcome::BackupFailed if report.archive.is_some() => format!(
            "Drill failed: {}. The migration was not started. Nothing was touched.",
            why("the backup is not proven")
        ),
        Outcome::BackupFailed => {
            "Backup failed: the migration was not started. Nothing was touched.".to_owned()
        }
        _ => "No: the database is not as it should be.".to_owned(),
    }
}

/// Equal content does not show that nobody committed anything.
fn nothing(report: &RunReport) -> &'static str {
    match report.proof.as_deref().is_some_and(is_comparison) {
        true => "nothing differs from the backup",
        false => "nothing was committed",
    }
}

/// The migration, or the checks after it, failed.
fn line_of_failure(report: &RunReport, except: &str) -> String {
    let failed = if verification_failed(report) {
        "Verification failed"
    } else {
        "Migration failed"
    };
    match report.outcome {
        Outcome::Unchanged => {
            format!(
                "{failed}; {}, the database is as it was (proven).",
                nothing(report)
            )
        }
        Outcome::RolledBack => {
            format!("{failed}; the database was put back and is as it was (proven){except}.")
        }
        _ => format!(
            "{failed}; rollback WITHHELD because others wrote or may have written, or something may still be committed. Nothing was undone now."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_the_last_line_follows_the_outcome() {
        let mut report = RunReport::new("abc");
        report.from = vec!["a".into()];
        report.to = vec!["a".into()];
        report.child_last_lines = vec!["boom".into()];
        report.conclude(
            Outcome::RolledBack,
            Some(Error::operation("run alembic").because("exit 1")),
        );
        let done = told(report).unwrap();
        assert_eq!(done.code, 1);
        assert_eq!(done.child_lines, ["boom"]);
        assert_eq!(
            done.last_line,
            "Migration failed; the database was put back and is as it was (proven)."
        );
        assert_eq!(done.json["exit_code"], 1);
        assert!(done.rows.iter().any(|row| row.value == "a (as before)"));
    }

    #[test]
    fn p8_what_could_not_be_brought_back_is_no_part_of_the_proof() {
        let rolled_back = true;
        let outcomes = [
            Outcome::RolledBack,
            Outcome::Recovered { rolled_back },
            Outcome::Interrupted {
                signal: 15,
                rolled_back,
            },
        ];
        for outcome in outcomes {
            let mut report = RunReport::new("abc");
            report.not_brought_back = vec!["index a".into(), "index b".into()];
            report.conclude(outcome, None);
            let line = told(report).unwrap().last_line;
            let end = "(proven), except what could not be brought back: index a, index b.";
            assert!(line.ends_with(end), "{line}");
        }
    }

    #[test]
    fn p8_a_refusal_says_why_in_its_last_line() {
        let mut report = RunReport::new("abc");
        let error = Error::refused("start alembic").because("there is no such command");
        report.conclude(Outcome::Refused, Some(error));
        assert_eq!(
            told(report).unwrap().last_line,
            "Refused: cannot start alembic: there is no such command. Nothing was touched."
        );
    }

    #[test]
    fn a_failed_check_is_not_blamed_on_the_tool() {
        let mut report = RunReport::new("abc");
        report.child_last_lines = vec!["INFO all went well".into()];
        report.checks = vec![run::CheckLine {
            name: "version rows".into(),
            passed: false,
            detail: "expected b, found a".into(),
        }];
        report.conclude(
            Outcome::Unchanged,
            Some(Error::operation("verify the migration")),
        );
        let done = told(report).unwrap();
        assert!(done.child_lines.is_empty());
        assert_eq!(
            done.last_line,
            "Verification failed; nothing was committed, the database is as it was (proven)."
        );
    }

    #[test]
    fn the_frames_of_a_traceback_are_left_out() {
        let lines = [
            "Traceback (most recent call last):",
            "  File \"a.py\", line 1",
            "    f()",
            "    ^^^",
            "ValueError: x",
            "DETAIL: y",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(last_words(&lines), ["ValueError: x", "DETAIL: y"]);
        assert_eq!(last_words(&lines[..4]).len(), 4);
        assert_eq!(last_words(&lines[4..]).len(), 2);
    }

    #[test]
    fn success_does_not_repeat_the_child() {
        let mut report = RunReport::new("abc");
        report.to = vec!["b".into()];
        report.child_last_lines = vec!["INFO done".into()];
        report.conclude(Outcome::Migrated, None);
        let done = told(report).unwrap();
        assert!(done.child_lines.is_empty());
        assert_eq!(
            done.last_line,
            "Done: migrated and verified, the database is at b."
        );
    }
}
