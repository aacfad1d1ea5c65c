//! Did anything commit? (design.md §7.1) Nothing is touched and no lock is kept.

use crate::archive::Reader;
use crate::catalog::{self, Catalog, Locking};
use crate::compare::{Difference, State, compare};
use crate::context::{Context, Phase};
use crate::error::Result;
use crate::pg::{self, Session, Sql};

use super::evidence::{Testimony, by_transaction_ids};
use super::sessions;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing differs from the archive.
    Unchanged {
        /// What shows it, for people.
        evidence: String,
    },
    /// Only sequences moved, which no transaction takes back.
    SequencesOnly {
        /// Which.
        difference: Box<Difference>,
        /// What shows that nothing else changed.
        evidence: String,
    },
    /// Something was committed. Rows are compared only where the definitions are equal:
    /// [`Difference::rows_not_compared`] says so.
    Changed {
        /// What differs.
        difference: Box<Difference>,
    },
}

/// Decides by the cheapest sound evidence: transaction ids, then definitions, then every row.
/// The session must have no transaction open.
pub async fn decide(session: &Session, reader: &Reader, ctx: &Context) -> Result<Decision> {
    let _phase = ctx.phase(Phase::Decide);
    let steady = catalog::open_steady(session, Locking::DEFINITIONS, ctx).await?;
    let decision = by_definitions(session, &steady.catalog, reader, ctx).await;
    steady.close().await;
    match finish(session, decision).await? {
        Some(decision) => Ok(decision),
        None => by_rows(session, reader, ctx).await,
    }
}

/// Whether transaction ids alone show that the database still is what the archive holds, and in
/// which words; no row is read. None if they cannot tell or if anything differs. The session must
/// have no transaction open.
pub async fn unchanged_by_transaction_ids(
    session: &Session,
    reader: &Reader,
    ctx: &Context,
) -> Result<Option<String>> {
    session.execute(&pg::BEGIN_SNAPSHOT).await?;
    let evidence = testify(session, reader, ctx).await;
    finish(session, evidence).await
}

/// Ends the reading transaction; what was found wrong in it counts more than a failure to end it.
async fn finish<T>(session: &Session, found: Result<T>) -> Result<T> {
    let ended = session.execute(&Sql::constant("ROLLBACK")).await;
    let found = found?;
    ended?;
    Ok(found)
}

async fn testify(session: &Session, reader: &Reader, ctx: &Context) -> Result<Option<String>> {
    let testimony = by_transaction_ids(session, reader.manifest(), ctx).await?;
    let Testimony::NothingCommitted(evidence) = testimony else {
        return Ok(None);
    };
    let after = State::of_catalog(&catalog::read(session).await?);
    let difference = compare(&State::of_archive(reader)?.without_rows(), &after);
    Ok(match of_known_rows(difference, evidence) {
        Decision::Unchanged { evidence } => Some(evidence),
        _ => None,
    })
}

/// None if only the rows can tell.
async fn by_definitions(
    session: &Session,
    catalog: &Catalog,
    reader: &Reader,
    ctx: &Context,
) -> Result<Option<Decision>> {
    sessions::warn_of_prepared(session, ctx).await?;
    let testimony = by_transaction_ids(session, reader.manifest(), ctx).await?;
    let before = State::of_archive(reader)?.without_rows();
    let definitions = compare(&before, &State::of_catalog(catalog));
    Ok(match testimony {
        Testimony::NothingCommitted(evidence) => Some(of_known_rows(definitions, evidence)),
        Testimony::Silent(_) if !is_empty_or_sequences(&definitions) => Some(Decision::Changed {
            difference: Box::new(definitions),
        }),
        Testimony::Silent(reason) => {
            ctx.note(format!(
                "transaction ids cannot tell ({reason}): comparing every row"
            ));
            None
        }
    })
}

/// Reads everything under locks: rows of a table that was rewritten since the snapshot would seem
/// to be missing.
async fn by_rows(session: &Session, reader: &Reader, ctx: &Context) -> Result<Decision> {
    let before = State::of_archive(reader)?;
    let locking = Locking::tables(Locking::DEFAULT_WAIT);
    let after = State::of_live(session, Some(reader.manifest()), locking, ctx).await?;
    let evidence = super::verdict::proof_text(&before);
    Ok(of_all(compare(&before, &after), evidence))
}

/// Rows are known to be equal because nothing was committed.
fn of_known_rows(mut difference: Difference, evidence: String) -> Decision {
    difference.rows_not_compared = false;
    of_all(difference, evidence)
}

fn of_all(difference: Difference, evidence: String) -> Decision {
    if difference.is_empty() {
        return Decision::Unchanged { evidence };
    }
    let difference = Box::new(difference);
    if difference.is_only_sequences() {
        return Decision::SequencesOnly {
            difference,
            evidence,
        };
    }
    Decision::Changed { difference }
}

fn is_empty_or_sequences(definitions: &Difference) -> bool {
    let known = Difference {
        rows_not_compared: false,
        ..definitions.clone()
    };
    known.is_empty() || known.is_only_sequences()
}
