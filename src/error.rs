//! The one error type of the library, written for the person who has to act on it.
//!
//! An error says what was attempted and on what, why it failed, what is true about the database
//! now, and what to do next. `Display` prints one level (`attempted: reason`); the renderer in
//! `cli/` adds the rest, so a failure appears once. Lower layers choose a [`Kind`]; a verb may
//! narrow [`Kind::Operation`] to what it means for its command. Exit codes live in `exit.rs`.
//! No error ever holds a secret: connection targets are named in their masked form.

use std::error::Error as StdError;
use std::fmt;

/// Result of every fallible library function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a failure means for the database and for the caller (design.md §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The arguments or settings do not make sense; nothing was contacted.
    Usage,
    /// Refused before anything was touched.
    Refused,
    /// Another run holds the lock and the wait was bounded.
    LockTimeout,
    /// No complete, checked archive could be made; the migration was not started.
    BackupFailed,
    /// The run failed and the database is proven to be as it was.
    Failed,
    /// A rollback is needed but would discard writes of others.
    Withheld,
    /// Nobody can say without a person looking.
    InDoubt,
    /// A comparison found a difference, or an archive is damaged.
    Difference,
    /// Stopped by this signal number; the database is proven to be as it was.
    Interrupted(i32),
    /// A server, network or file operation failed and no verb has said yet what that means.
    Operation,
}

/// A failure with everything a tired person needs to know about it.
#[derive(Debug)]
pub struct Error(Box<Parts>);

/// Boxed, so that every `Result` stays small.
#[derive(Debug)]
struct Parts {
    kind: Kind,
    attempted: String,
    reason: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    now: Option<String>,
    hints: Vec<String>,
    sqlstate: Option<String>,
    position: Option<u32>,
    transient: bool,
}

impl Error {
    /// An error of `kind`; `attempted` is a verb phrase, lower case, no full stop
    /// (`open the archive backups/x.sql.gz`).
    pub fn new(kind: Kind, attempted: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            attempted: attempted.into(),
            reason: None,
            source: None,
            now: None,
            hints: Vec::new(),
            sqlstate: None,
            position: None,
            transient: false,
        }))
    }

    /// Refused before anything was touched.
    pub fn refused(attempted: impl Into<String>) -> Self {
        Self::new(Kind::Refused, attempted)
    }

    /// The arguments or settings do not make sense.
    pub fn usage(attempted: impl Into<String>) -> Self {
        Self::new(Kind::Usage, attempted)
    }

    /// A server, network or file operation failed.
    pub fn operation(attempted: impl Into<String>) -> Self {
        Self::new(Kind::Operation, attempted)
    }

    /// Says in the caller's words what was attempted; everything else stays.
    #[must_use]
    pub fn attempting(mut self, attempted: impl Into<String>) -> Self {
        if self.0.reason.is_none() && self.0.source.is_none() {
            self.0.reason = Some(self.0.attempted);
        }
        self.0.attempted = attempted.into();
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// Keeps the lower error; its text is the reason unless one was given.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says what is true about the database now.
    #[must_use]
    pub fn now(mut self, fact: impl Into<String>) -> Self {
        self.0.now = Some(fact.into());
        self
    }

    /// Adds one thing to do next; shown on its own line.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Gives the error another meaning.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Narrows [`Kind::Operation`] to `kind`; every other kind already says what it means.
    #[must_use]
    pub fn narrowed(self, kind: Kind) -> Self {
        match self.0.kind {
            Kind::Operation => self.with_kind(kind),
            _ => self,
        }
    }

    /// Records the server's SQLSTATE (five characters).
    #[must_use]
    pub fn with_sqlstate(mut self, code: impl Into<String>) -> Self {
        self.0.sqlstate = Some(code.into());
        self
    }

    /// Records where in the statement the server saw it: characters, the first one is 1.
    #[must_use]
    pub fn at_position(mut self, position: u32) -> Self {
        self.0.position = Some(position);
        self
    }

    /// Marks a failure that may pass by itself (connection lost, lock timeout, deadlock,
    /// serialization): the retry class of design.md §6.
    #[must_use]
    pub fn mark_transient(mut self) -> Self {
        self.0.transient = true;
        self
    }

    /// What the failure means.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What was attempted, on what.
    pub fn attempted(&self) -> &str {
        &self.0.attempted
    }

    /// Why it failed: the given reason, else the lower error's text.
    pub fn reason(&self) -> Option<String> {
        self.0
            .reason
            .clone()
            .or_else(|| self.0.source.as_ref().map(ToString::to_string))
    }

    /// What is true about the database now, where the failing code knew.
    pub fn database_now(&self) -> Option<&str> {
        self.0.now.as_deref()
    }

    /// What to do next.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// The server's SQLSTATE, if a server raised it.
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }

    /// Where in the statement the server saw it: characters, the first one is 1.
    pub fn position(&self) -> Option<u32> {
        self.0.position
    }

    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }

    /// Whether it was broken off from outside: the connection or the server went away. What it had
    /// begun may have taken effect.
    pub fn is_loss_of_connection(&self) -> bool {
        let gone = |code: &str| code.starts_with("08") || code.starts_with("57P");
        self.0.transient && self.sqlstate().is_none_or(gone)
    }

    /// Whether the server let nobody in: no free connection, or a password or a right that no longer holds.
    /// Nothing can have been begun through such a connection.
    pub fn is_no_entry(&self) -> bool {
        let shut = |code: &str| code.starts_with("28") || code == "53300";
        self.sqlstate().is_some_and(shut)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.attempted)?;
        match self.reason() {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Objects of one cause that are named; the rest is counted.
const NAMED: usize = 8;
/// Causes that are told; nobody reads more at three in the morning.
const CAUSES: usize = 20;
/// Cures that are told.
const CURES: usize = 7;

/// What stands in the way, for people: one line per cause with the objects that it concerns, in
/// the order in which each cause is first met; long lists end in a count.
pub fn by_cause<'a>(found: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut causes: Vec<(&str, Vec<&str>)> = Vec::new();
    for (what, why) in found {
        match causes.iter_mut().find(|(cause, _)| *cause == why) {
            Some((_, objects)) => objects.push(what),
            None => causes.push((why, vec![what])),
        }
    }
    let mut lines: Vec<String> = causes
        .iter()
        .take(CAUSES)
        .map(|(why, objects)| {
            let named: Vec<&str> = objects.iter().take(NAMED).copied().collect();
            let more = match objects.len() - named.len() {
                0 => String::new(),
                rest => format!(" … and {rest} more"),
            };
            format!("{}{more}: {why}", named.join(", "))
        })
        .collect();
    if let Some(rest) = causes.len().checked_sub(CAUSES).filter(|rest| *rest > 0) {
        lines.push(format!("… and {rest} more causes"));
    }
    lines
}

/// Each cure once; where there are too many to read, the first ones and a count.
pub fn each_once<'a>(cures: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut said: Vec<&str> = Vec::new();
    for cure in cures {
        if !said.contains(&cure) {
            said.push(cure);
        }
    }
    let mut told: Vec<String> = said
        .iter()
        .take(CURES)
        .map(|cure| (*cure).to_owned())
        .collect();
    if let Some(rest) = said.len().checked_sub(CURES).filter(|rest| *rest > 0) {
        told.push(format!("… and {rest} more like these"));
    }
    told
}

/// A refusal with everything that was found, grouped by cause, and what cures it.
pub fn refused_for<'a>(
    attempted: impl Into<String>,
    found: impl IntoIterator<Item = (&'a str, &'a str, Option<&'a str>)> + Clone,
) -> Option<Error> {
    let lines = by_cause(found.clone().into_iter().map(|(what, why, _)| (what, why)));
    let count = found.clone().into_iter().count();
    let reason = match lines.as_slice() {
        [] => return None,
        [line] => line.clone(),
        lines => format!("{count} findings refuse it:\n  - {}", lines.join("\n  - ")),
    };
    let error = Error::refused(attempted).because(reason);
    let cures = each_once(found.into_iter().filter_map(|(_, _, cure)| cure));
    Some(cures.into_iter().fold(error, Error::hint))
}

/// Adds what was attempted to a lower error.
pub trait Attempt<T> {
    /// Turns the error into a [`Kind::Operation`] error; the phrase is made only on failure.
    fn attempt(self, attempted: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: StdError + Send + Sync + 'static> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, attempted: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::operation(attempted()).caused_by(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_prints_one_level() {
        let lower = std::io::Error::other("disk on fire");
        let error = Error::operation("write backups/x").caused_by(lower);
        assert_eq!(error.to_string(), "write backups/x: disk on fire");
    }

    #[test]
    fn findings_are_grouped_by_cause_and_bounded() {
        let names: Vec<String> = (0..12).map(|number| format!("table t{number}")).collect();
        let mut found: Vec<(&str, &str)> =
            names.iter().map(|name| (&**name, "no SELECT")).collect();
        found.insert(1, ("view v", "gone"));
        let lines = by_cause(found);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("table t0, table t1, "), "{lines:?}");
        assert!(
            lines[0].ends_with("table t7 … and 4 more: no SELECT"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "view v: gone");
        let many = names.iter().map(|name| ("x", name.as_str()));
        assert_eq!(by_cause(many.clone().cycle().take(12)).len(), 12);
        let cures = each_once(names.iter().map(String::as_str).chain(["table t0"]));
        assert_eq!((cures.len(), &*cures[7]), (8, "… and 5 more like these"));
        let error = refused_for("do it", [("a", "b", Some("c"))]).unwrap();
        assert_eq!(error.to_string(), "do it: a: b");
        assert_eq!(error.hints(), ["c"]);
        assert!(refused_for("do it", []).is_none());
    }

    #[test]
    fn other_words_for_what_was_attempted_lose_nothing() {
        let error = Error::operation("run COPY")
            .because("no")
            .with_sqlstate("42501");
        assert!(!error.is_loss_of_connection());
        let error = error.mark_transient().attempting("read the rows of t");
        assert_eq!(error.to_string(), "read the rows of t: no");
        assert_eq!(
            (error.sqlstate(), error.is_transient()),
            (Some("42501"), true)
        );
        let error = Error::operation("connect").attempting("back up");
        assert_eq!(error.to_string(), "back up: connect");
    }

    #[test]
    fn narrowing_keeps_a_meaning_that_was_given() {
        let refused = Error::refused("x").narrowed(Kind::BackupFailed);
        assert_eq!(refused.kind(), Kind::Refused);
        let operation = Error::operation("x").narrowed(Kind::BackupFailed);
        assert_eq!(operation.kind(), Kind::BackupFailed);
    }
}
