//! The one place where meanings become exit codes (design.md §9, docs/exit-codes.md).
//!
//! A number that is not in [`Exit::ALL`] never leaves this program; a test holds the page to the table.

use crate::error::Kind;

/// What the exit code tells whoever called the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Failed, and nothing is different.
    Failed,
    /// Arguments or settings that make no sense.
    Usage,
    /// Refused before anything was touched.
    Refused,
    /// The lock was not obtained.
    LockTimeout,
    /// No backup, so no migration.
    BackupFailed,
    /// A rollback would take away, or may meet, what others committed.
    Withheld,
    /// Nobody knows how the database is.
    InDoubt,
    /// The answer of a comparison or a check.
    Difference,
    /// SIGINT, and nothing is different.
    Interrupted,
    /// SIGTERM or SIGHUP, and nothing is different.
    Terminated,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Refused,
        Self::LockTimeout,
        Self::BackupFailed,
        Self::Withheld,
        Self::InDoubt,
        Self::Difference,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// As a shell gives it for a process that this signal ended: of the two that we take, SIGHUP counts as
    /// SIGTERM.
    pub fn of_signal(signal: i32) -> Self {
        const SIGINT: i32 = 2;
        if signal == SIGINT {
            Self::Interrupted
        } else {
            Self::Terminated
        }
    }

    /// What the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::LockTimeout => 4,
            Self::BackupFailed => 5,
            Self::Withheld => 6,
            Self::InDoubt => 7,
            Self::Difference => 8,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// As the summary and docs/exit-codes.md say it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Failed => "failed; the database is proven to be as it was",
            Self::Usage => "usage: the arguments or settings make no sense; nothing was contacted",
            Self::Refused => "refused before anything was touched",
            Self::LockTimeout => "the lock was not obtained in time; nothing was touched",
            Self::BackupFailed => "backup failed; the migration was not started",
            Self::Withheld => {
                "rollback needed but withheld, because others wrote or may have written, or something may still be committed"
            }
            Self::InDoubt => {
                "in doubt: rolling back failed or could not be proven, or a restore stopped half way; a person is needed"
            }
            Self::Difference => "a difference or damage was found",
            Self::Interrupted => "interrupted by SIGINT; the database is proven to be as it was",
            Self::Terminated => "interrupted by SIGTERM; the database is proven to be as it was",
        }
    }

    /// What a code means.
    pub fn meaning_of(code: u8) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|exit| exit.code() == code)
            .map_or("unknown; treat it as a failure", Self::meaning)
    }
}

/// What an error means to the caller of the process.
///
/// [`Kind::Operation`] reaching the top means that a verb which changes nothing failed half way
/// (a broken connection in `diff`, an unreadable file in `list`): refused, nothing touched. Verbs
/// that change something narrow it themselves.
impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Failed => Self::Failed,
            Kind::Usage => Self::Usage,
            Kind::Refused | Kind::Operation => Self::Refused,
            Kind::LockTimeout => Self::LockTimeout,
            Kind::BackupFailed => Self::BackupFailed,
            Kind::Withheld => Self::Withheld,
            Kind::InDoubt => Self::InDoubt,
            Kind::Difference => Self::Difference,
            Kind::Interrupted(signal) => Self::of_signal(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_looks_like_success() {
        for kind in [
            Kind::Usage,
            Kind::Refused,
            Kind::LockTimeout,
            Kind::BackupFailed,
            Kind::Failed,
            Kind::Withheld,
            Kind::InDoubt,
            Kind::Difference,
            Kind::Interrupted(2),
            Kind::Interrupted(15),
            Kind::Operation,
        ] {
            assert_ne!(Exit::from(kind), Exit::Done, "{kind:?}");
        }
    }

    #[test]
    fn codes_are_told_apart_and_zero_is_success_only() {
        let mut codes: Vec<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        assert!(codes.is_sorted());
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
        assert_eq!(Exit::meaning_of(7), Exit::InDoubt.meaning());
        assert_eq!(Exit::meaning_of(9), "unknown; treat it as a failure");
    }

    #[test]
    fn the_page_says_what_the_table_says() {
        let page = include_str!("../docs/exit-codes.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(page.contains(&row), "docs/exit-codes.md lacks: {row}");
        }
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit());
        assert_eq!(
            rows.count(),
            Exit::ALL.len(),
            "docs/exit-codes.md has rows that the table lacks"
        );
    }
}
