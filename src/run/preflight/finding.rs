//! One finding of preflight, and the list that `run` refuses by and `doctor` prints.

use serde::Serialize;

use crate::error::Error;

/// Objects of one concern that are named one by one; the rest is counted.
const NAMED: usize = 20;

/// What a finding does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The run is refused before anything is touched.
    Refuse,
    /// The run goes on; the person should know.
    Warn,
}

/// One thing that stands in the way, or may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it does to a run.
    pub severity: Severity,
    /// What it is about (`table public.users`).
    pub what: String,
    /// Why it matters.
    pub why: String,
    /// What removes it.
    pub cure: Option<String>,
}

impl Finding {
    /// One that refuses.
    pub fn refuse(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            severity: Severity::Refuse,
            what: what.into(),
            why: why.into(),
            cure: None,
        }
    }

    /// One that warns.
    pub fn warn(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warn,
            ..Self::refuse(what, why)
        }
    }

    /// Says what removes it.
    #[must_use]
    pub fn cured_by(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// An error that refused something, as a finding.
    pub fn of_error(error: &Error) -> Self {
        let reason = error.reason().unwrap_or_else(|| "it failed".to_owned());
        Self {
            cure: error.hints().first().cloned(),
            ..Self::refuse(error.attempted(), reason)
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        format!("{}: {}", self.what, self.why)
    }
}

/// Names the first findings of one concern and counts the rest.
pub(super) fn shortened(mut findings: Vec<Finding>) -> Vec<Finding> {
    let Some(rest) = findings.len().checked_sub(NAMED).filter(|rest| *rest > 1) else {
        return findings;
    };
    findings.truncate(NAMED);
    if let Some(last) = findings.last().cloned() {
        findings.push(Finding {
            what: format!("and {rest} more"),
            ..last
        });
    }
    findings
}

/// The refusal that a list of findings amounts to; none if nothing in it refuses.
pub fn refusal(findings: &[Finding]) -> Option<Error> {
    let refusing: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Refuse)
        .collect();
    let lines: Vec<String> = refusing.iter().map(|finding| finding.line()).collect();
    let reason = match lines.as_slice() {
        [] => return None,
        [line] => line.clone(),
        lines => format!(
            "{} findings refuse it:\n  - {}",
            lines.len(),
            lines.join("\n  - ")
        ),
    };
    let mut error = Error::refused("start the migration")
        .because(reason)
        .now("nothing was touched");
    let mut said: Vec<&str> = Vec::new();
    for cure in refusing
        .iter()
        .filter_map(|finding| finding.cure.as_deref())
    {
        if !said.contains(&cure) {
            said.push(cure);
            error = error.hint(cure);
        }
    }
    Some(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn warnings_refuse_nothing() {
        assert!(refusal(&[Finding::warn("a", "b")]).is_none());
        assert!(refusal(&[]).is_none());
    }

    #[test]
    fn every_refusing_finding_is_named_with_its_cure_once() {
        let findings = [
            Finding::refuse("table a", "no").cured_by("GRANT"),
            Finding::warn("x", "y"),
            Finding::refuse("table b", "no").cured_by("GRANT"),
        ];
        let error = refusal(&findings).unwrap();
        assert_eq!(error.kind(), Kind::Refused);
        let reason = error.reason().unwrap();
        assert!(reason.contains("table a: no") && reason.contains("table b: no"));
        assert_eq!(error.hints(), ["GRANT"]);
    }

    #[test]
    fn long_lists_are_counted() {
        let many: Vec<Finding> = (0..100)
            .map(|number| Finding::refuse(format!("table t{number}"), "no"))
            .collect();
        let short = shortened(many);
        assert_eq!(short.len(), NAMED + 1);
        assert_eq!(short.last().unwrap().what, "and 80 more");
    }
}
