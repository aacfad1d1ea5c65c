//! Setting sequences back in place, when nothing else changed.
//!
//! Values move outside of transactions, so a migration that committed nothing may still have used
//! some. `setval` needs no lock that others would wait for.

use super::{RollbackOutcome, RollbackReport, RollbackSeconds, Strategy, undone};
use crate::archive::{Reader, SequenceRecord};
use crate::catalog::{self, set_sequence};
use crate::compare::{Difference, State, compare};
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{Session, Sql};

/// Sets back the sequences that differ and proves that definitions and values equal the archive.
pub(super) async fn set_back(
    session: &Session,
    reader: &Reader,
    difference: &Difference,
    evidence: &str,
) -> Result<RollbackReport> {
    let started = std::time::Instant::now();
    let manifest = reader.manifest();
    let moved = |sequence: &&SequenceRecord| {
        let mut changes = difference.sequences.iter();
        changes.any(|change| change.name == sequence.identity)
    };
    let mut sql = Sql::default();
    for sequence in manifest.sequences.iter().filter(moved) {
        sql = sql.sql(&set_sequence(
            &sequence.schema,
            &sequence.name,
            sequence.last_value,
            sequence.is_called,
        ));
    }
    faults::reach(Point::SequencesSet).map_err(|error| undone(error, None))?;
    session
        .execute(&sql)
        .await
        .map_err(|error| undone(error, None))?;
    let after = State::of_catalog(&catalog::read_steady(session).await?);
    let left = compare(&State::of_archive(reader)?.without_rows(), &after);
    if !left.is_empty() {
        return Err(Error::new(Kind::InDoubt, "set the sequences back")
            .because(format!(
                "the database still differs:\n{}",
                left.lines().join("\n")
            ))
            .now("sequences were set; rows and definitions were not touched"));
    }
    Ok(RollbackReport {
        strategy: Strategy::Sequences,
        outcome: RollbackOutcome::RolledBack,
        saved: None,
        kept: None,
        proof: format!(
            "{evidence}; {} sequences set back and read again",
            difference.sequences.len()
        ),
        undone: difference.lines(),
        not_brought_back: Vec::new(),
        seconds: RollbackSeconds {
            rollback: started.elapsed().as_secs_f64(),
            ..RollbackSeconds::default()
        },
    })
}
