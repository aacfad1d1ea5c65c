//! The one place where meanings become exit codes (design.md §9, docs/exit-codes.md).
//!
//! A number that is not in [`CODES`] never leaves this program; a test holds the page to the table.

use crate::error::Kind;

/// Exit code and its meaning, as the summary and docs/exit-codes.md say it.
pub(crate) const CODES: [(u8, &str); 11] = [
    (0, "done, or nothing to do"),
    (1, "failed; the database is proven to be as it was"),
    (
        2,
        "usage: the arguments or settings make no sense; nothing was contacted",
    ),
    (3, "refused before anything was touched"),
    (4, "the lock was not obtained in time; nothing was touched"),
    (5, "backup failed; the migration was not started"),
    (
        6,
        "rollback needed but withheld, because others wrote or may have written, or something may still be committed",
    ),
    (
        7,
        "in doubt: rolling back failed or could not be proven, or a restore stopped half way; a person is needed",
    ),
    (8, "a difference or damage was found"),
    (
        130,
        "interrupted by SIGINT; the database is proven to be as it was",
    ),
    (
        143,
        "interrupted by SIGTERM; the database is proven to be as it was",
    ),
];

/// What an error means to the caller of the process.
///
/// [`Kind::Operation`] reaching the top means that a verb which changes nothing failed half way
/// (a broken connection in `diff`, an unreadable file in `list`): refused, nothing touched. Verbs
/// that change something narrow it themselves.
pub(crate) fn of_kind(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Refused | Kind::Operation => 3,
        Kind::LockTimeout => 4,
        Kind::BackupFailed => 5,
        Kind::Withheld => 6,
        Kind::InDoubt => 7,
        Kind::Difference => 8,
        Kind::Interrupted(signal) => of_signal(signal),
    }
}

/// 128 plus the signal's number for the two signals that we take; any other counts as SIGTERM.
fn of_signal(signal: i32) -> u8 {
    const SIGINT: i32 = 2;
    if signal == SIGINT { 130 } else { 143 }
}

/// The word for `outcome` in `--json` when a command ended with an error.
pub(crate) fn outcome_of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Usage | Kind::Refused => "refused",
        Kind::LockTimeout => "lock-timeout",
        Kind::BackupFailed => "backup-failed",
        Kind::Failed => "failed",
        Kind::Withheld => "withheld",
        Kind::InDoubt => "in-doubt",
        Kind::Difference => "difference",
        Kind::Interrupted(_) => "interrupted",
        Kind::Operation => "error",
    }
}

/// What a code means.
pub(crate) fn meaning(code: u8) -> &'static str {
    CODES
        .iter()
        .find(|(number, _)| *number == code)
        .map_or("unknown; treat it as a failure", |(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 11] = [
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
    ];

    #[test]
    fn every_code_that_we_give_is_in_the_table() {
        for kind in ALL {
            let code = of_kind(kind);
            assert_ne!(code, 0, "{kind:?} must not look like success");
            assert!(
                CODES.iter().any(|(number, _)| *number == code),
                "{kind:?} gives {code}"
            );
        }
    }

    #[test]
    fn the_page_says_what_the_table_says() {
        let page = include_str!("../../docs/exit-codes.md");
        for (code, meaning) in CODES {
            let row = format!("| {code} | {meaning} |");
            assert!(page.contains(&row), "docs/exit-codes.md lacks: {row}");
        }
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit());
        assert_eq!(
            rows.count(),
            CODES.len(),
            "docs/exit-codes.md has rows that the table lacks"
        );
    }
}
