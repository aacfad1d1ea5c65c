//! What is about to run, in lines for people.

use super::alembic::PendingRevision;

/// Revisions shown one by one; a fresh database may have hundreds pending.
const SHOWN_LIMIT: usize = 30;

/// One line per revision, and one indented line per thing that deserves attention.
pub fn lines(pending: &[PendingRevision]) -> Vec<String> {
    let mut lines = Vec::new();
    for revision in pending.iter().take(SHOWN_LIMIT) {
        lines.push(line(revision));
        lines.extend(
            warnings(revision)
                .into_iter()
                .map(|text| format!("    {text}")),
        );
    }
    if pending.len() > SHOWN_LIMIT {
        lines.push(format!("… and {} more", pending.len() - SHOWN_LIMIT));
        let rest = &pending[SHOWN_LIMIT..];
        if rest.iter().any(commits_in_the_middle) {
            lines.push("    some of them commit in the middle".to_owned());
        }
    }
    lines
}

/// Whether a failure may leave a part of the revision behind, so that a rollback is needed.
pub fn commits_in_the_middle(revision: &PendingRevision) -> bool {
    revision.risks.autocommit_block || revision.risks.concurrently
}

fn line(revision: &PendingRevision) -> String {
    let arrow = if revision.is_downgrade { "down " } else { "" };
    let file = revision
        .file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    if revision.message.is_empty() {
        format!("{arrow}{} ({file})", revision.id)
    } else {
        format!("{arrow}{} {} ({file})", revision.id, revision.message)
    }
}

fn warnings(revision: &PendingRevision) -> Vec<String> {
    let mut warnings = Vec::new();
    if revision.risks.autocommit_block {
        warnings.push(
            "commits in the middle (autocommit_block): a failure leaves a part behind".to_owned(),
        );
    }
    if revision.risks.concurrently {
        warnings.push("works CONCURRENTLY, outside a transaction".to_owned());
    }
    warnings.extend(revision.risks.destructive.iter().cloned());
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::alembic::Risks;

    fn revision(id: &str, risks: Risks) -> PendingRevision {
        PendingRevision {
            id: id.to_owned(),
            file: "versions/1_x.py".into(),
            message: "add jobs".to_owned(),
            is_downgrade: false,
            risks,
            transaction_per_migration: false,
        }
    }

    #[test]
    fn risks_stand_below_their_revision() {
        let risks = Risks {
            autocommit_block: true,
            concurrently: false,
            destructive: vec!["drops table jobs".to_owned()],
        };
        assert_eq!(
            lines(&[revision("abc", Risks::default()), revision("def", risks)]),
            [
                "abc add jobs (1_x.py)",
                "def add jobs (1_x.py)",
                "    commits in the middle (autocommit_block): a failure leaves a part behind",
                "    drops table jobs",
            ]
        );
    }

    #[test]
    fn many_revisions_are_counted() {
        let many: Vec<PendingRevision> = (0..40)
            .map(|id| revision(&id.to_string(), Risks::default()))
            .collect();
        assert_eq!(lines(&many).last().unwrap(), "… and 10 more");
    }
}
