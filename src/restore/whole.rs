//! A restore in one transaction: whole or not at all, all of an archive or only what is missing.

use std::collections::BTreeSet;

use super::lend::Loans;
use super::work::{Ending, Work};
use super::{RestoreReport, batch, empty, preflight};
use crate::archive::{Manifest, Reader, Section};
use crate::catalog::{Kind, Rights};
use crate::context::Context;
use crate::error::Result;
use crate::faults::{self, Point};
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
    faults::reach(Point::RestoreCommit)?;
    session.execute(&Sql::constant("COMMIT")).await?;
    Ok(report)
}

/// What of an archive is loaded; the rest is there already. Numbers are indexes into the manifest's lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// Entries that are there already.
    pub present: BTreeSet<usize>,
    /// Tables whose rows are loaded.
    pub tables: BTreeSet<usize>,
    /// Sequences whose values are set.
    pub sequences: BTreeSet<usize>,
    /// Numbers of the large objects whose bytes are written.
    pub large_objects: BTreeSet<u32>,
    /// Entries that are made after indexes and keys: a partition is attached to a table that stands with
    /// its indexes, and has to bring its own, or the server makes others.
    pub late: BTreeSet<usize>,
}

impl Parts {
    /// All rows and values, and all entries but these.
    pub fn all_except(manifest: &Manifest, present: &BTreeSet<usize>) -> Self {
        Self {
            present: present.clone(),
            tables: (0..manifest.tables.len()).collect(),
            sequences: (0..manifest.sequences.len()).collect(),
            large_objects: manifest.large_objects.iter().map(|one| one.oid).collect(),
            late: BTreeSet::new(),
        }
    }
}

/// Executes the archive inside the caller's transaction, which the caller ends, without the entries
/// (indexes into the manifest's) that are already there.
pub async fn load_except(
    session: &Session,
    reader: &Reader,
    present: &BTreeSet<usize>,
    ctx: &Context,
) -> Result<RestoreReport> {
    let parts = Parts::all_except(reader.manifest(), present);
    load_parts(session, reader, &parts, ctx).await
}

/// As [`load_except`], with some rows and values only.
pub async fn load_parts(
    session: &Session,
    reader: &Reader,
    parts: &Parts,
    ctx: &Context,
) -> Result<RestoreReport> {
    let rights = Rights::of(session).await?;
    let present = &parts.present;
    let loans = Loans::of(reader.manifest(), present, &rights);
    let mut work = Work::new(session, Ending::Callers, reader, present, &loans, ctx);
    work.lend_in_standing_schemas(&rights).await?;
    let mut early = work.wanted(Section::PreData);
    early.retain(|entry| !parts.late.contains(entry));
    work.make(&early).await?;
    work.entries(Section::Data).await?;
    work.rows(&parts.tables).await?;
    work.large_objects(&parts.large_objects).await?;
    work.sequences(&parts.sequences).await?;
    let is_index = |entry: &usize| is_ready_index(reader.manifest(), &parts.late, *entry);
    let after = work.wanted(Section::PostData);
    if parts.late.is_empty() {
        work.make(&after).await?;
    } else {
        let (indexes, rest): (Vec<usize>, Vec<usize>) = after.into_iter().partition(is_index);
        let late: Vec<usize> = parts.late.iter().copied().collect();
        for entries in [indexes, late, rest] {
            work.make(&entries).await?;
        }
    }
    batch::run(session, &loans.take_back()).await?;
    work.entries(Section::Acl).await?;
    work.last().await?;
    Ok(work.report)
}

/// Whether it is of the indexes and keys that a partition brings when it is attached late. An index of a tree of partitions is
/// one only with all its parts: the server makes another one beside what is not complete.
fn is_ready_index(manifest: &Manifest, late: &BTreeSet<usize>, entry: usize) -> bool {
    let Some(record) = manifest.entries.get(entry) else {
        return false;
    };
    let kind = &*record.kind;
    if kind != Kind::IndexAttach.name() {
        return kind == Kind::Index.name() || kind == Kind::Constraint.name();
    }
    let is_late = |identity: &str| {
        let mut late = late.iter().filter_map(|&late| manifest.entries.get(late));
        late.any(|late| late.identity.strip_prefix("attach of ") == Some(identity))
    };
    let needs = record.depends.iter();
    let mut needs = needs.filter_map(|&need| manifest.entries.get(usize::try_from(need).ok()?));
    !needs.any(|need| is_late(&need.identity))
}
