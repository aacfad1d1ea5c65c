//! Sequences: no transaction takes back a value that was handed out, and no lock on a table keeps anybody from taking one.
//!
//! What is set back is held first: an owner's `ALTER SEQUENCE` lets nobody take a value until the end of the transaction,
//! and gives the sequence a file of its own, so that a value set in it goes with the transaction. Values that others took
//! since the judgement are not given out again (P5).

use std::collections::BTreeSet;

use xxhash_rust::xxh3::Xxh3;

use super::scene::Scene;
use super::transaction::{self, Ended};
use super::verdict::Proof;
use super::{RollbackOutcome, RollbackReport, RollbackSeconds, Strategy, undone};
use crate::archive::SequenceRecord;
use crate::catalog::{self, set_sequence};
use crate::compare::{Difference, State, compare};
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{Session, Sql};

/// A sequence that others may take values from.
struct Live {
    schema: String,
    name: String,
    cache: i64,
    held: bool,
    oid: i64,
    last: Option<i64>,
}

async fn all(session: &Session) -> Result<Vec<Live>> {
    let sql = Sql::constant(include_str!("sql/sequences.sql"));
    let rows = session.query(&sql).await?;
    rows.iter()
        .map(|row| {
            Ok(Live {
                schema: row.string("schema")?,
                name: row.string("name")?,
                cache: row.number("cache")?,
                held: row.bool("held")?,
                oid: row.number("oid")?,
                last: row.opt_number("last")?,
            })
        })
        .collect()
}

/// The values of all sequences as one hash.
///
/// # Errors
/// Of the server.
pub(super) async fn digest(session: &Session) -> Result<String> {
    Ok(digest_of(&all(session).await?))
}

fn digest_of(sequences: &[Live]) -> String {
    let mut hash = Xxh3::new();
    for sequence in sequences {
        hash.update(&sequence.oid.to_le_bytes());
        hash.update(&[u8::from(sequence.last.is_some())]);
        hash.update(&sequence.last.unwrap_or_default().to_le_bytes());
    }
    format!("{:032x}", hash.digest128())
}

/// Which sequences a transaction is about to set or to drop.
pub(super) enum Wanted<'a> {
    /// All of them.
    All,
    /// Schema and name.
    These(BTreeSet<(&'a str, &'a str)>),
}

impl Wanted<'_> {
    fn has(&self, sequence: &Live) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => {
                names.contains(&(sequence.schema.as_str(), sequence.name.as_str()))
            }
        }
    }
}

/// Lets nobody take a value until the end of the transaction, and refuses if somebody did since the judgement. Those that
/// belong to other roles cannot be held.
///
/// # Errors
/// [`Kind::Withheld`], and those of the server.
pub(super) async fn hold(scene: &Scene<'_>, wanted: &Wanted<'_>) -> Result<()> {
    let judged_at = scene.options.judged_at.as_ref();
    let judged_at = judged_at.filter(|_| !scene.options.discard_other_writes);
    if judged_at.is_none() && matches!(wanted, Wanted::All) {
        return Ok(());
    }
    let mut holds = Sql::default();
    for sequence in all(scene.session).await? {
        if !sequence.held || !wanted.has(&sequence) {
            continue;
        }
        // What it is already: nothing but the lock and the file comes of it.
        holds = holds
            .then("ALTER SEQUENCE ")
            .qualified(&sequence.schema, &sequence.name)
            .then(" CACHE ")
            .number(sequence.cache)
            .then(";\n");
    }
    if holds.text().is_empty() {
        return Ok(());
    }
    scene.session.execute(&holds).await?;
    match judged_at {
        Some(mark) => mark.refuse_taken_values(scene).await,
        None => Ok(()),
    }
}

/// Sets back the sequences that differ, when nothing else does, and proves that definitions and values equal the archive.
/// Where others may have taken values, or are about to, they are left where they are: nothing was committed (P2).
pub(super) async fn set_back(
    scene: &Scene<'_>,
    difference: &Difference,
    evidence: String,
) -> Result<RollbackReport> {
    let started = std::time::Instant::now();
    let proof = Proof {
        text: format!(
            "{evidence}; {} sequences set back and read again",
            difference.sequences.len()
        ),
        not_brought_back: Vec::new(),
    };
    match in_transaction(scene, difference, &proof).await {
        Ok(()) => (),
        Err(Ended::Unknown(error)) => {
            return Err(transaction::unknown(error, scene.reader, None));
        }
        Err(Ended::NotCommitted(error) | Ended::NotNoted(error)) => {
            // The server undoes it anyway when the connection ends.
            let _ = scene.session.execute(&Sql::constant("ROLLBACK")).await;
            if error.kind() != Kind::Withheld && error.sqlstate() != Some("55P03") {
                return Err(undone(error, None));
            }
            scene.ctx.warn(format!(
                "sequences moved on and were left there: other sessions may use them ({})",
                error.reason().unwrap_or_default()
            ));
            return Ok(super::unchanged(evidence));
        }
    }
    Ok(RollbackReport {
        strategy: Strategy::Sequences,
        outcome: RollbackOutcome::RolledBack,
        saved: None,
        kept: None,
        proof: proof.text,
        undone: difference.lines(),
        not_brought_back: Vec::new(),
        seconds: RollbackSeconds {
            rollback: started.elapsed().as_secs_f64(),
            ..RollbackSeconds::default()
        },
    })
}

async fn in_transaction(
    scene: &Scene<'_>,
    difference: &Difference,
    proof: &Proof,
) -> Result<(), Ended> {
    let (session, reader) = (scene.session, scene.reader);
    let moved = |sequence: &&SequenceRecord| {
        let mut changes = difference.sequences.iter();
        changes.any(|change| change.name == sequence.identity)
    };
    let moved: Vec<&SequenceRecord> = reader.manifest().sequences.iter().filter(moved).collect();
    let names = moved.iter().map(|one| (&*one.schema, &*one.name)).collect();
    transaction::begin(scene).await?;
    hold(scene, &Wanted::These(names)).await?;
    let mut sql = Sql::default();
    for sequence in moved {
        sql = sql.sql(&set_sequence(
            &sequence.schema,
            &sequence.name,
            sequence.last_value,
            sequence.is_called,
        ));
    }
    faults::reach(Point::SequencesSet)?;
    session.execute(&sql).await?;
    let after = State::of_catalog(&catalog::read_steady(session).await?);
    let left = compare(&State::of_archive(reader)?.without_rows(), &after);
    if !left.is_empty() {
        return Err(Error::new(Kind::InDoubt, "set the sequences back")
            .because(format!(
                "the database still differs:\n{}",
                left.lines().join("\n")
            ))
            .into());
    }
    transaction::commit(scene, proof).await
}
