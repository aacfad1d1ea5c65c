//! `pgbelay rollback --plan`: what a rollback would do now and about how long it would take, on stdout.

use serde_json::json;

use crate::archive::Reader;
use crate::cli::app::App;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::drill;
use crate::error::Result;
use crate::pg::Target;
use crate::rollback::{self, Action, Measured, Preview, RollbackOptions, Step, Strategy};
use crate::run;
use crate::store::Store;

/// Steps of one kind that are named; `--json` has all.
const NAMED: usize = 12;

/// Plans and tells.
pub(super) async fn execute(
    app: &App,
    target: &Target,
    reader: &Reader,
    store: &Store,
    options: &RollbackOptions,
) -> Result<Done> {
    let record = drill::read_record(reader);
    let measured = record.filter(|one| one.verdict == drill::Verdict::Passed);
    let measured = measured.map(|one| Measured {
        restore_seconds: one.seconds.restore,
    });
    if !options.discard_other_writes
        && let Some(refusal) = run::foreseen_refusal(target, reader, store, &app.ctx).await?
    {
        app.ctx.warn(refusal);
    }
    let preview = rollback::preview(target, reader, store, options, measured, &app.ctx).await?;
    Ok(told(reader, &preview))
}

fn told(reader: &Reader, preview: &Preview) -> Done {
    let archive = reader.path().display().to_string();
    let rows = vec![Row::new("archive", archive.as_str())];
    let last_line = match preview.strategy {
        Strategy::Nothing => {
            "Nothing to roll back: the database equals the archive. Nothing was touched.".to_owned()
        }
        _ => format!(
            "Plan only: a rollback would take about {}. Nothing was touched.",
            duration(preview.seconds)
        ),
    };
    let mut done = Done::with_rows(last_line, rows)
        .member("archive", archive)
        .member("plan", json!(preview))
        .printing(text(preview));
    done.outcome = "planned".to_owned();
    done
}

/// One line for each kind of step, and the names below it.
fn text(preview: &Preview) -> String {
    let strategy = json!(preview.strategy);
    let strategy = strategy.as_str().unwrap_or_default();
    let mut lines = vec![format!("strategy: {strategy} ({})", preview.why)];
    lines.extend(titled("what differs", &preview.differences));
    let mut steps = preview.steps.as_slice();
    while let Some(first) = steps.first() {
        let same = steps.iter().take_while(|one| one.action == first.action);
        let (group, rest) = steps.split_at(same.count());
        lines.push(headline(first.action, group));
        let names: Vec<String> = group.iter().map(named).collect();
        lines.extend(indented(&names));
        steps = rest;
    }
    if !preview.steps.is_empty() {
        lines.push(format!("all together: about {}", duration(preview.seconds)));
        if preview.strategy == Strategy::Repair {
            let rebuild = duration(preview.rebuild_seconds);
            lines.push(format!("a rebuild of everything instead: about {rebuild}"));
        }
        lines.push(format!("estimated from {}", preview.basis));
    }
    lines.join("\n") + "\n"
}

fn titled(title: &str, names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{title}:")];
    lines.extend(indented(names));
    lines
}

fn indented(names: &[String]) -> Vec<String> {
    let shown = names.iter().take(NAMED);
    let mut lines: Vec<String> = shown
        .map(|name| format!("    {}", name.replace('\n', "\n    ")))
        .collect();
    if names.len() > NAMED {
        lines.push(format!("    … and {} more", names.len() - NAMED));
    }
    lines
}

fn headline(action: Action, group: &[Step]) -> String {
    let seconds: f64 = group.iter().map(|step| step.seconds).sum();
    let verb = match action {
        Action::Look => "look",
        Action::Save => "save first",
        Action::Drop => "drop",
        Action::Change => "change in place",
        Action::PutBackRows => "put back row by row",
        Action::Load => "load",
        Action::Make => "make",
        Action::Set => "set",
        Action::Prove => "prove",
    };
    format!("{verb}: about {}", duration(seconds))
}

fn named(step: &Step) -> String {
    let rows = match step.action {
        Action::Load if step.rows > 0 => {
            format!(
                ", {} ({})",
                units::plural(step.rows, "row", "rows"),
                units::bytes(step.bytes)
            )
        }
        Action::Save if step.bytes > 0 => format!(" ({})", units::bytes(step.bytes)),
        _ => String::new(),
    };
    format!("{}{rows}", step.what)
}

/// An estimate has no more digits than it deserves.
fn duration(seconds: f64) -> String {
    if seconds < 0.1 {
        return "0.1 s".to_owned();
    }
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    if seconds < 600.0 {
        return format!("{seconds:.0} s");
    }
    format!("{:.0} min", seconds / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_not_more_precise_than_it_can_be() {
        assert_eq!(duration(0.01), "0.1 s");
        assert_eq!(duration(2.345), "2.3 s");
        assert_eq!(duration(95.6), "96 s");
        assert_eq!(duration(1_234.0), "21 min");
    }

    #[test]
    fn many_names_are_cut() {
        let names: Vec<String> = (0..20).map(|n| format!("table t{n}")).collect();
        let lines = indented(&names);
        assert_eq!(lines.len(), NAMED + 1);
        assert_eq!(lines[NAMED], "    … and 8 more");
    }
}
