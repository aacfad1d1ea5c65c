//! How far a parallel restore is.
//!
//! Bytes of rows are known beforehand. What comes after them is not, so each entry counts as a part
//! of its table: without that, nothing would seem to be left while the indexes are built.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::effort::Load;
use crate::archive::Manifest;
use crate::context::{Context, Progress};
use crate::restore::RestoreReport;
use crate::restore::memory::Sizes;

/// Shared between the workers.
pub(super) struct Tally {
    ctx: Context,
    /// Of each entry: bytes of rows of its table, and what making it costs in such bytes.
    weights: Vec<(u64, u64)>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    progress: Progress,
    report: RestoreReport,
    /// What each server process does, and whether it builds an index.
    doing: BTreeMap<i32, (String, bool)>,
}

impl Tally {
    /// Goes on from what one session has done.
    pub fn new(
        manifest: &Manifest,
        planned: &[usize],
        load: &Load,
        report: RestoreReport,
        progress: Progress,
        ctx: &Context,
    ) -> Self {
        let weights = weights(manifest, planned, load);
        let progress = Progress {
            work: progress.bytes,
            total_work: progress.total_bytes + weights.iter().map(|one| one.1).sum::<u64>(),
            ..progress
        };
        Self {
            ctx: ctx.clone(),
            weights,
            inner: Mutex::new(Inner {
                progress,
                report,
                doing: BTreeMap::new(),
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server process starts something.
    pub fn begins(&self, pid: i32, what: &str, builds_index: bool) {
        let mut inner = self.inner();
        inner.doing.insert(pid, (what.to_owned(), builds_index));
        what.clone_into(&mut inner.progress.what);
        self.ctx.progress(inner.progress.clone());
    }

    /// Bytes and rows of members are in.
    pub fn loaded(&self, (bytes, rows): (u64, u64)) {
        let mut inner = self.inner();
        inner.progress.rows += rows;
        inner.report.rows += rows;
        inner.report.bytes += bytes;
        drop(inner);
        self.passed(bytes);
    }

    /// Bytes that are no rows.
    pub fn passed(&self, bytes: u64) {
        let mut inner = self.inner();
        inner.progress.bytes += bytes;
        inner.progress.work += bytes;
        self.ctx.progress(inner.progress.clone());
    }

    /// An entry exists.
    pub fn made(&self, index: usize) {
        let mut inner = self.inner();
        inner.progress.items += 1;
        inner.progress.work += self.weight(index);
        inner.report.entries += 1;
        self.ctx.progress(inner.progress.clone());
    }

    /// What making an entry costs, in bytes of rows.
    pub fn weight(&self, index: usize) -> u64 {
        self.weights.get(index).map_or(0, |(_, weight)| *weight)
    }

    /// Bytes of rows of the table that an entry is about.
    pub fn table_bytes(&self, index: usize) -> u64 {
        self.weights.get(index).map_or(0, |(table, _)| *table)
    }

    /// Server processes that build an index now.
    pub fn builders(&self) -> Vec<i32> {
        let inner = self.inner();
        let builders = inner.doing.iter().filter(|(_, (_, builds))| *builds);
        builders.map(|(pid, _)| *pid).collect()
    }

    /// Shows the index builds as the server describes them.
    pub fn building(&self, phases: &BTreeMap<i32, String>) {
        let mut inner = self.inner();
        let told: Vec<String> = phases
            .iter()
            .filter_map(|(pid, phase)| Some(format!("{} ({phase})", inner.doing.get(pid)?.0)))
            .collect();
        if !told.is_empty() {
            inner.progress.what = told.join("; ");
            self.ctx.progress(inner.progress.clone());
        }
    }

    /// What was done so far.
    pub fn so_far(&self) -> (RestoreReport, Progress) {
        let inner = self.inner();
        (inner.report.clone(), inner.progress.clone())
    }
}

fn weights(manifest: &Manifest, planned: &[usize], load: &Load) -> Vec<(u64, u64)> {
    let sizes = Sizes::of(manifest);
    let mut weights = vec![(0, 0); manifest.entries.len()];
    for &index in planned {
        let entry = &manifest.entries[index];
        let table = sizes.about(entry, manifest);
        weights[index] = (table, load.of_entry(index, &entry.kind, table));
    }
    weights
}
