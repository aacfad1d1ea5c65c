//! `pgbelay doctor`: every precondition, where each setting came from, what a run would refuse.
//!
//! Touches nothing, waits for nothing, and prints all it can: each part is examined although
//! another one failed. The report is said to a person, so it goes to stderr; `--json` puts the
//! same facts on stdout. Exit 3 when a run would be refused.

mod place;
mod server;
mod tool;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cli::app::App;
use crate::cli::args::DoctorArguments;
use crate::cli::render::{Item, Row, units};
use crate::cli::report::Done;
use crate::cli::{hints, settings};
use crate::error::{Error, Kind, Result, by_cause, each_once};
use crate::pg::settings::{Provenance, Resolved};
use crate::run::preflight::{Finding, Severity};
use crate::run::{self, RunOptions};

/// More hints would not be read.
const MOST_HINTS: usize = 7;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    sections: Vec<Section>,
    findings: Vec<Finding>,
    hints: Vec<String>,
}

/// A heading and its block.
struct Section {
    title: &'static str,
    rows: Vec<Row>,
}

impl Findings {
    /// Opens a section; rows go to the last one.
    fn section(&mut self, title: &'static str) {
        self.sections.push(Section {
            title,
            rows: Vec::new(),
        });
    }

    /// Adds a row.
    fn row(&mut self, name: &str, value: impl Into<String>) {
        if let Some(section) = self.sections.last_mut() {
            section.rows.push(Row::new(name, value));
        }
    }

    /// Notes a failure that a run would be refused by, with the hints that fit it.
    fn refused(&mut self, error: &Error, provenance: &[Provenance]) {
        self.findings.push(Finding::of_error(error));
        self.hints.extend(hints::for_error(error, provenance));
    }

    fn of(&self, severity: Severity) -> Vec<&Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .collect()
    }
}

/// Examines everything.
pub(super) async fn execute(app: &App, arguments: &DoctorArguments) -> Result<Done> {
    let mut findings = Findings::default();
    let migration = settings::migration(&arguments.tool);
    let resolved = connection(app, &mut findings);
    place::examine(app, &mut findings);
    let asked = match &resolved {
        Some(resolved) => Some((resolved, options(app, resolved, arguments)?)),
        None => None,
    };
    let live = match &asked {
        Some((resolved, options)) => server::examine(app, resolved, options, &mut findings).await,
        None => server::Live::default(),
    };
    let variables = asked
        .as_ref()
        .map(|(resolved, options)| run::child_variables(&resolved.target, options, &app.ctx));
    let variables = variables.unwrap_or_default();
    tool::examine(app, &migration, &variables, &live, &mut findings).await;
    app.ctx.stop.check("examine the preconditions")?;
    Ok(told(app, &findings))
}

/// What a run with the same arguments would be asked to do.
fn options(app: &App, resolved: &Resolved, arguments: &DoctorArguments) -> Result<RunOptions> {
    Ok(RunOptions {
        fence: settings::fence(&arguments.fence),
        max_failures: arguments.max_failures,
        accept_losses: settings::accepted_losses(&arguments.losses),
        ..super::run::options(app, resolved, &arguments.tool, &arguments.checks)?
    })
}

/// Where each setting came from.
fn connection(app: &App, findings: &mut Findings) -> Option<Resolved> {
    findings.section("Connection");
    match app.resolve() {
        Ok(resolved) => {
            findings.row("url", resolved.target.masked());
            for part in &resolved.provenance {
                findings.row(
                    part.setting,
                    format!("{:<24} from {}", part.shown, part.source),
                );
            }
            findings.row(
                "dialect",
                resolved
                    .dialect
                    .clone()
                    .unwrap_or_else(|| "none given".into()),
            );
            for warning in &resolved.warnings {
                findings
                    .findings
                    .push(Finding::warn("settings", warning.as_str()));
            }
            Some(resolved)
        }
        Err(error) => {
            findings.row("url", "unknown: the settings make no sense");
            findings.refused(&error, &[]);
            None
        }
    }
}

fn told(app: &App, findings: &Findings) -> Done {
    let refusing = findings.of(Severity::Refuse);
    let hints = hints_to_show(findings);
    let count = units::how_many(refusing.len());
    let last_line = if refusing.is_empty() {
        "Ready: a run would not be refused.".to_owned()
    } else {
        let reasons = units::plural(count, "reason", "reasons");
        format!("A run would be refused, for {reasons}. Nothing was touched.")
    };
    app.reporter.show(&Item::Report(text(findings, &hints)));
    let mut done = Done::brief(last_line);
    done.json = object(findings, &hints);
    match refusing.is_empty() {
        true => done,
        false => done.ending(Kind::Refused),
    }
}

/// Each hint once, and none that stands below its finding already.
fn hints_to_show(findings: &Findings) -> Vec<String> {
    let cures = findings
        .findings
        .iter()
        .filter_map(|finding| finding.cure.clone());
    let mut seen: BTreeSet<String> = cures.collect();
    let mut hints = findings.hints.clone();
    hints.retain(|hint| seen.insert(hint.clone()));
    hints.truncate(MOST_HINTS);
    hints
}

fn text(findings: &Findings, hints: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for section in &findings.sections {
        lines.push(section.title.to_owned());
        let width = section
            .rows
            .iter()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0);
        for row in &section.rows {
            let mut values = row.value.lines();
            let first = values.next().unwrap_or_default();
            lines.push(
                format!("  {:<width$}  {first}", row.name)
                    .trim_end()
                    .to_owned(),
            );
            lines.extend(values.map(|value| format!("  {:width$}  {value}", "")));
        }
        lines.push(String::new());
    }
    lines.extend(listed(
        "What refuses a run",
        &findings.of(Severity::Refuse),
        "nothing",
    ));
    lines.push(String::new());
    lines.extend(listed(
        "Deserves attention",
        &findings.of(Severity::Warn),
        "nothing",
    ));
    if !hints.is_empty() {
        lines.push(String::new());
        lines.push("What to try".to_owned());
        let numbered = hints.iter().enumerate();
        lines.extend(numbered.map(|(place, hint)| format!("  {}. {hint}", place + 1)));
    }
    lines
}

fn listed(title: &str, findings: &[&Finding], none: &str) -> Vec<String> {
    let mut lines = vec![title.to_owned()];
    if findings.is_empty() {
        lines.push(format!("  {none}"));
    }
    // One block per cause, in the order in which they were found.
    let mut causes: Vec<&str> = Vec::new();
    for finding in findings {
        if !causes.contains(&finding.why.as_str()) {
            causes.push(&finding.why);
        }
    }
    for cause in causes {
        let same = || findings.iter().filter(|finding| finding.why == cause);
        for line in by_cause(same().map(|finding| (&*finding.what, cause))) {
            let mut parts = line.lines();
            lines.push(format!("  - {}", parts.next().unwrap_or_default()));
            lines.extend(parts.map(|part| format!("    {part}")));
        }
        let cures = each_once(same().filter_map(|finding| finding.cure.as_deref()));
        lines.extend(cures.iter().map(|cure| format!("    -> {cure}")));
    }
    lines
}

/// A value without the spaces that make columns on the screen.
fn without_columns(value: &str) -> String {
    let lines = value.lines();
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join("\n")
}

fn object(findings: &Findings, hints: &[String]) -> Map<String, Value> {
    let mut object = Map::new();
    for section in &findings.sections {
        let mut rows: Map<String, Value> = Map::new();
        let mut last = "";
        for row in &section.rows {
            // On the screen a second line of the row above.
            let name = match row.name.is_empty() {
                true => format!("{last}_state"),
                false => row.name.clone(),
            };
            last = &row.name;
            rows.insert(name, Value::from(without_columns(&row.value)));
        }
        let name = section.title.to_lowercase().replace(' ', "_");
        object.insert(name, Value::Object(rows));
    }
    object.insert("refused".into(), json!(findings.of(Severity::Refuse)));
    object.insert("warnings".into(), json!(findings.of(Severity::Warn)));
    object.insert("hints".into(), json!(hints));
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_shows_blocks_refusals_and_fitting_hints() {
        let mut findings = Findings::default();
        findings.section("Connection");
        findings.row("host", "db");
        findings.row("database", "one\ntwo");
        let error = Error::refused("connect to db").because("Connection refused (os error 111)");
        findings.refused(&error, &[]);
        let lines = text(&findings, &findings.hints);
        assert_eq!(
            lines[..5],
            [
                "Connection",
                "  host      db",
                "  database  one",
                "            two",
                ""
            ]
        );
        assert!(lines.contains(&"  - connect to db: Connection refused (os error 111)".to_owned()));
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("  1. the host answered but nothing listens"))
        );
    }
}
