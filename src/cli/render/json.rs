//! The form for log collectors: one JSON object per line.
//!
//! Every object has `timestamp` (UTC, milliseconds), `level`, `run` and `event`; fields are only
//! ever added.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::items::{Item, Pace, Row, Summary};
use super::mask::Mask;

/// The line of an item, without newline; masked inside the strings, so that it stays JSON.
pub(crate) fn line(at: DateTime<Utc>, run_id: &str, item: &Item, mask: &Mask) -> String {
    let (level, event, details) = parts(item);
    let mut object = Map::new();
    object.insert(
        "timestamp".into(),
        at.to_rfc3339_opts(SecondsFormat::Millis, true).into(),
    );
    object.insert("level".into(), level.into());
    object.insert("run".into(), run_id.into());
    object.insert("event".into(), event.into());
    if let Value::Object(details) = details {
        object.extend(details);
    }
    mask.apply_json(Value::Object(object)).to_string()
}

fn parts(item: &Item) -> (&'static str, &'static str, Value) {
    match item {
        Item::Banner { command } => {
            let version = env!("CARGO_PKG_VERSION");
            (
                "info",
                "started",
                json!({"command": command, "version": version}),
            )
        }
        Item::Heading(phase) => ("info", "phase-started", json!({"phase": phase})),
        Item::Ended(phase, elapsed, progress) => {
            let mut details = json!({"phase": phase, "seconds": seconds(elapsed.as_secs_f64())});
            if let Some(progress) = progress {
                details["bytes"] = progress.bytes.into();
                details["rows"] = progress.rows.into();
            }
            ("info", "phase-finished", details)
        }
        Item::Facts(rows) => ("info", "facts", json!({"facts": facts(rows)})),
        Item::Note(text) => ("info", "note", json!({"message": text})),
        Item::Warning(text) => ("warning", "warning", json!({"message": text})),
        Item::Child { stderr, line } => {
            let stream = if *stderr { "stderr" } else { "stdout" };
            ("info", "child", json!({"stream": stream, "message": line}))
        }
        Item::Progress(phase, pace) => ("info", "progress", progress(*phase, pace)),
        Item::Debug(text) => ("debug", "debug", json!({"message": text})),
        Item::Report(lines) => ("info", "report", json!({"lines": lines})),
        Item::Summary(summary) => (level_of(summary), "finished", end(summary)),
    }
}

/// Seconds with three places.
pub(crate) fn seconds(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn facts(rows: &[Row]) -> Map<String, Value> {
    rows.iter()
        .map(|row| (row.name.clone(), Value::from(row.value.clone())))
        .collect()
}

fn progress(phase: crate::context::Phase, pace: &Pace) -> Value {
    json!({
        "phase": phase,
        "what": pace.progress.what,
        "bytes": pace.progress.bytes,
        "total_bytes": pace.progress.total_bytes,
        "rows": pace.progress.rows,
        "items": pace.progress.items,
        "total_items": pace.progress.total_items,
        "percent": pace.percent(),
        "bytes_per_second": pace.bytes_per_second(),
        "seconds_left": pace.remaining().map(|left| left.as_secs()),
    })
}

fn level_of(summary: &Summary) -> &'static str {
    if summary.code == 0 { "info" } else { "error" }
}

fn end(summary: &Summary) -> Value {
    json!({
        "outcome": summary.outcome,
        "exit_code": summary.code,
        "message": summary.last_line,
        "summary": facts(&summary.rows),
        "child_last_lines": summary.child_lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::Secret;
    use chrono::TimeZone;

    #[test]
    fn one_object_per_line_with_its_head() {
        let at = Utc.with_ymd_and_hms(2026, 5, 9, 3, 4, 5).unwrap();
        let mask = Mask::default();
        mask.learn(&[Secret::new("pa\"ss")], &[]);
        let text = line(at, "abc", &Item::Note("two\nlines pa\"ss".into()), &mask);
        assert!(!text.contains('\n'));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["timestamp"], "2026-05-09T03:04:05.000Z");
        assert_eq!(value["level"], "info");
        assert_eq!(value["run"], "abc");
        assert_eq!(value["event"], "note");
        assert_eq!(value["message"], "two\nlines ***");
    }
}
