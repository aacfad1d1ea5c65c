//! What our own connections are for, as `application_name` says it: `pgbelay RUN PURPOSE`.

/// Purposes of connections that never write user data: other replicas waiting for the lock show up with these, and so does a
/// session of a recovery that is just leaving the server.
const READ_ONLY: [&str; 12] = [
    "backup",
    "blockers",
    "connect",
    "doctor",
    "facts",
    "lock",
    "pooler check",
    "proof",
    "schema",
    "verify",
    "witness",
    "worker",
];

/// Run and purpose of a session that is named as ours are.
fn own_name(application: &str) -> Option<(&str, &str)> {
    let rest = application.strip_prefix("pgbelay ")?;
    Some(rest.split_once(' ').unwrap_or((rest, "")))
}

/// Whether a session of this name is one of pgbelay's own that never write user data.
pub fn is_harmless(application: &str) -> bool {
    own_name(application).is_some_and(|(_, purpose)| READ_ONLY.contains(&purpose))
}

/// Whether a session of this name belongs to this run or writes no user data.
pub fn is_ours(application: &str, run_id: &str) -> bool {
    own_name(application).is_some_and(|(run, _)| run == run_id) || is_harmless(application)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_replica_writes_nothing_and_a_restore_does() {
        assert!(is_ours("pgbelay a1 restore", "a1") && is_ours("pgbelay b2 lock", "a1"));
        assert!(is_harmless("pgbelay b2 pooler check"));
        for other in [
            "pgbelay b2 restore",
            "pgbelay b2 child",
            "pgbelay",
            "shop",
            "",
        ] {
            assert!(!is_ours(other, "a1"), "{other}");
        }
    }
}
