//! A restore in one transaction: whole or not at all.

use std::collections::BTreeSet;

use super::lend::Loans;
use super::work::{Ending, Work};
use super::{RestoreReport, batch, empty, preflight};
use crate::archive::{Reader, Section};
use crate::catalog::Rights;
use crate::context::Context;
use crate::error::Result;
use crate::pg::{Session, Sql};

pub(super) async fn in_transaction(
    session: &Session,
    reader: &Reader,
    ctx: &Context,
) -> Result<RestoreReport> {
    empty::require_label_providers(session, reader.manifest()).await?;
    session.execute(&Sql::constant("BEGIN")).await?;
    let present = preflight::require(session, reader, ctx).await?;
    let report = load_except(session, reader, &present, ctx).await?;
    session.execute(&Sql::constant("COMMIT")).await?;
    Ok(report)
}

/// Executes the archive inside the caller's transaction, which the caller ends, without the entries
/// (indexes into the manifest's) that are already there.
pub async fn load_except(
    session: &Session,
    reader: &Reader,
    present: &BTreeSet<usize>,
    ctx: &Context,
) -> Result<RestoreReport> {
    let rights = Rights::of(session).await?;
    let loans = Loans::of(reader.manifest(), present, &rights);
    let mut work = Work::new(session, Ending::Callers, reader, present, &loans, ctx);
    work.lend_in_standing_schemas(&rights).await?;
    work.entries(Section::PreData).await?;
    work.entries(Section::Data).await?;
    work.rows().await?;
    work.large_objects().await?;
    work.sequences().await?;
    work.entries(Section::PostData).await?;
    batch::run(session, &loans.take_back()).await?;
    work.entries(Section::Acl).await?;
    work.entries(Section::Last).await?;
    Ok(work.report)
}
