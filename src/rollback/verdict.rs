//! Whether what was put back equals the archive, and what is told of it (P3).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    RollbackOptions, RollbackOutcome, RollbackReport, RollbackSeconds, Scene, Strategy, transaction,
};
use crate::catalog::{self, VersionTable};
use crate::compare::{Difference, State, compare, counted};
use crate::error::{Error, Kind, Result};
use crate::pg::{self, Session};
use crate::restore::Unfilled;

/// Lines of a failed proof that are shown.
const SHOWN_DIFFERENCES: usize = 20;

/// How long the last look waits for each lock, at most: what was put back is committed, and whoever has taken such a lock
/// since then is at work on the version tables.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);

/// What was proven, and what the proof leaves out because the archive does.
pub(super) struct Proof {
    pub text: String,
    pub not_brought_back: Vec<String>,
}

/// The proof, if the states are equal but for what could not be filled; `mode` names it, `how` says more about the reading.
pub(super) fn verdict(
    before: &State,
    after: &State,
    unfilled: &[Unfilled],
    mode: &str,
    how: &str,
) -> Result<Proof> {
    let mut difference = compare(before, after);
    let mut not_brought_back = take_lost(&mut difference);
    let empty = take_unfilled(&mut difference, unfilled);
    if difference.is_empty() && !difference.rows_not_compared {
        let mut text = format!("{mode}: {}{how}", covered(before, empty.len()));
        not_brought_back.extend(empty);
        if !not_brought_back.is_empty() {
            text += &format!("; not brought back: {}", not_brought_back.join(", "));
        }
        return Ok(Proof {
            text,
            not_brought_back,
        });
    }
    let mut lines = difference.lines();
    let hidden = lines.len().saturating_sub(SHOWN_DIFFERENCES);
    lines.truncate(SHOWN_DIFFERENCES);
    if hidden > 0 {
        lines.push(format!("… and {hidden} more differences"));
    }
    Err(
        Error::new(Kind::InDoubt, "prove the rollback").because(format!(
            "what was put back differs from the archive:\n{}",
            lines.join("\n")
        )),
    )
}

/// Takes out of a difference what the archive does not hold and the database no longer has: the
/// operator accepted that ([`super::roll_back`] refuses otherwise), and it is reported by name.
fn take_lost(difference: &mut Difference) -> Vec<String> {
    let changes = std::mem::take(&mut difference.uncovered);
    let (lost, rest) = changes
        .into_iter()
        .partition(|change| change.before.is_some() && change.after.is_none());
    difference.uncovered = rest;
    let lost: Vec<crate::compare::Change> = lost;
    lost.into_iter().map(|change| change.name).collect()
}

/// Takes materialized views out of a difference that were filled and cannot be today; what is told of them.
fn take_unfilled(difference: &mut Difference, unfilled: &[Unfilled]) -> Vec<String> {
    let removed = &mut difference.removed;
    let empty = unfilled.iter().filter(|view| {
        let before = removed.len();
        removed.retain(|entry| entry.identity != view.identity);
        removed.len() < before
    });
    empty.map(Unfilled::line).collect()
}

/// How the words of a proof begin that compared content.
const CONTENT: &str = "content: ";

/// What a content proof covers, and what it does not.
pub(super) fn proof_text(state: &State) -> String {
    format!("{CONTENT}{}", covered(state, 0))
}

/// Whether these words of a proof tell of content that was compared, and not of transactions: that nothing differs shows not
/// that nothing was committed.
pub fn is_comparison(proof: &str) -> bool {
    proof.starts_with(CONTENT)
}

/// All of a state but so many definitions.
fn covered(state: &State, missing: usize) -> String {
    let by_name = match state.uncovered.len() {
        0 => String::new(),
        count => format!(
            "; {} that the archive does not hold known by name only",
            counted(count, "object", "objects")
        ),
    };
    format!(
        "{}, {} with {}, {} equal{by_name}",
        counted(state.entries.len() - missing, "definition", "definitions"),
        counted(state.tables.len(), "table", "tables"),
        counted(state.row_count(), "row", "rows"),
        counted(state.sequences.len(), "sequence", "sequences")
    )
}

/// After the commit, with a connection of its own: the version rows are what the archive says.
///
/// Errors: [`Kind::InDoubt`], whatever was in the way: nobody may read of a rollback that was committed that nothing was
/// touched.
pub(super) async fn confirm(scene: &Scene<'_>) -> Result<()> {
    let found = version_tables(scene).await.map_err(not_confirmed)?;
    let recorded = scene.reader.manifest().version_tables.iter();
    let recorded = recorded.map(|table| (&table.schema, &table.name, &table.revisions));
    let found = found.iter();
    let found = found.map(|table| (&table.schema, &table.name, &table.revisions));
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (recorded.collect(), found.collect());
    if before == after {
        return Ok(());
    }
    Err(
        Error::new(Kind::InDoubt, "read the version rows after the rollback")
            .because(format!(
                "they are {after:?}, and the archive has {before:?}"
            ))
            .now("the rollback was proven and committed; somebody has written version rows since"),
    )
}

/// What the server refused now (a lock that was waited for in vain) is nothing that the rollback met: only that nobody was let
/// in is told on.
fn not_confirmed(error: Error) -> Error {
    let away = error.is_loss_of_connection() || error.is_no_entry();
    let error = match away {
        true => error.attempting("read the version rows after the rollback"),
        false => {
            Error::operation("read the version rows after the rollback").because(error.to_string())
        }
    };
    error.with_kind(Kind::InDoubt).now(
        "the rollback was proven and committed; its version rows were not read again after that",
    )
}

async fn version_tables(scene: &Scene<'_>) -> Result<Vec<VersionTable>> {
    let session = pg::connect(scene.target, pg::Purpose::Proof, scene.ctx).await?;
    let found = read_in_time(&session, scene.options).await;
    session.close().await;
    found
}

async fn read_in_time(session: &Session, options: &RollbackOptions) -> Result<Vec<VersionTable>> {
    let options = RollbackOptions {
        lock_timeout: options.lock_timeout.min(CONFIRM_WITHIN),
        ..options.clone()
    };
    let wait = transaction::lock_wait(&options, "SET lock_timeout = ");
    session.execute(&wait).await?;
    catalog::read_version_tables(session).await
}

/// What is told of a transaction that was proven and committed.
pub(super) fn report(
    strategy: Strategy,
    proof: Proof,
    saved: Option<PathBuf>,
    seconds: RollbackSeconds,
    difference: &Difference,
) -> RollbackReport {
    RollbackReport {
        strategy,
        outcome: RollbackOutcome::RolledBack,
        saved,
        kept: None,
        proof: proof.text,
        undone: difference.lines(),
        not_brought_back: proof.not_brought_back,
        seconds,
    }
}
