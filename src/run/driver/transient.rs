//! Whether a tool's failure may pass by itself, told from its own words (design.md §6).
//!
//! Only used after nothing is proven to have been committed: then another attempt is harmless,
//! so a wrong yes costs a few seconds and a wrong no costs a person's attention.

/// What drivers print for connection failures, lock timeouts, deadlocks, serialization failures
/// and servers that start or stop; lower case.
const WORDS: [&str; 22] = [
    "lock timeout",
    "locknotavailable",
    "55p03",
    "deadlock detected",
    "deadlockdetected",
    "40p01",
    "could not serialize access",
    "serializationfailure",
    "40001",
    "server closed the connection",
    "connection refused",
    "connection reset",
    "connection was closed",
    "connection timed out",
    "connectiondoesnotexisterror",
    "terminating connection",
    "could not connect to server",
    "the database system is",
    "too many clients",
    "remaining connection slots",
    "consuming input failed",
    "ssl connection has been closed",
];

/// The word in the tool's last lines that says so.
pub fn reason(lines: &[String]) -> Option<&'static str> {
    lines.iter().rev().find_map(|line| {
        let line = line.to_lowercase();
        WORDS.into_iter().find(|word| line.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn what_drivers_print_is_recognised() {
        let table = [
            "psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout",
            "sqlalchemy.exc.OperationalError: (psycopg.errors.DeadlockDetected) deadlock detected",
            "psycopg2.OperationalError: server closed the connection unexpectedly",
            "connection to server at \"db\", port 5432 failed: Connection refused",
            "FATAL:  the database system is starting up",
            "FATAL: terminating connection due to administrator command",
        ];
        for line in table {
            assert!(reason(&[line.to_owned()]).is_some(), "{line}");
        }
    }

    #[test]
    fn lasting_failures_are_not() {
        let table = [
            "psycopg2.errors.DuplicateColumn: column \"x\" of relation \"t\" already exists",
            "FATAL:  password authentication failed for user \"app\"",
            "ModuleNotFoundError: No module named 'psycopg2'",
        ];
        for line in table {
            assert!(reason(&[line.to_owned()]).is_none(), "{line}");
        }
    }
}
