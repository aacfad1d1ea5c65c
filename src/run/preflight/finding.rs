//! One finding of preflight, and the list that `run` refuses by and `doctor` prints.

use serde::Serialize;

use crate::error::{Error, by_cause, refused_for};

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

/// The refusal of `attempt` that a list of findings amounts to; none if nothing in it refuses.
pub fn refusal(attempt: &str, findings: &[Finding]) -> Option<Error> {
    let refusing = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Refuse)
        .map(|finding| (&*finding.what, &*finding.why, finding.cure.as_deref()));
    let error = refused_for(attempt, refusing)?.now("nothing was touched");
    Some(error.hint("`pgbelay doctor` shows everything that it found, with --json every object"))
}

/// What deserves attention without refusing, one line per cause.
pub fn warnings(findings: &[Finding]) -> Vec<String> {
    let warning = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warn);
    by_cause(warning.map(|finding| (&*finding.what, &*finding.why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn warnings_refuse_nothing() {
        assert!(refusal("x", &[Finding::warn("a", "b")]).is_none());
        assert!(refusal("x", &[]).is_none());
    }

    #[test]
    fn every_refusing_finding_is_named_with_its_cure_once() {
        let findings = [
            Finding::refuse("table a", "no").cured_by("GRANT"),
            Finding::warn("x", "y"),
            Finding::refuse("table b", "no").cured_by("GRANT"),
        ];
        let error = refusal("start the migration", &findings).unwrap();
        assert_eq!(error.kind(), Kind::Refused);
        let reason = error.reason().unwrap();
        assert_eq!(reason, "table a, table b: no");
        assert_eq!(error.hints()[0], "GRANT");
        assert_eq!(warnings(&findings), ["x: y"]);
    }
}
