//! What a repair would do now, found out in a transaction that can change nothing.
//!
//! The same looking and planning as in a repair, but for three things: nobody is kept from writing meanwhile,
//! no change in place is tried, so one that the server would not do is still in the plan, and nothing gets
//! its recorded name back, so what that spares is still in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::plan::Plan;
use super::{Attempt, Found, rename};
use crate::catalog::{self, Catalog, Part};
use crate::compare::State;
use crate::error::Result;
use crate::pg::Sql;
use crate::rollback::{Scene, transaction};

/// What was found, and what would be done.
pub(in crate::rollback) struct Foreseen {
    pub live: Catalog,
    pub archive: State,
    /// Or why only a rebuild does it.
    pub plan: Result<Intent, String>,
    /// Seconds of reading all definitions once.
    pub catalogs: f64,
    /// Seconds of reading the rows that a repair reads first.
    pub rows: f64,
    /// Tables, indexes and constraints that would get their recorded names back first.
    pub renamed: usize,
    /// Why the server's counts were not heard, if the operator trusts them.
    pub silent: Option<String>,
}

/// What a repair would do.
pub(in crate::rollback) struct Intent {
    /// What goes.
    pub drops: Vec<String>,
    /// Statements that change something in place.
    pub changes: Vec<String>,
    /// By table identity, how many rows are deleted and how many are loaded, one by one.
    pub patches: BTreeMap<String, (u64, u64)>,
    /// Indexes into the manifest's tables: loaded as a whole.
    pub loaded: BTreeSet<usize>,
    /// Indexes into the manifest's entries: what is there already, and stays.
    pub present: BTreeSet<usize>,
    /// Indexes into the manifest's sequences: set back.
    pub sequences: BTreeSet<usize>,
    /// Whether large objects are put back.
    pub large_objects: bool,
    /// What is saved first.
    pub saved: Part,
}

/// Looks and plans; the session must have no transaction open.
pub(in crate::rollback) async fn foresee(scene: &Scene<'_>) -> Result<Foreseen> {
    let mut attempt = Attempt::new(scene, true);
    let result = attempt.foresee().await;
    let ended = scene.session.execute(&Sql::constant("ROLLBACK")).await;
    let foreseen = result?;
    ended?;
    Ok(foreseen)
}

impl Attempt<'_> {
    async fn foresee(&mut self) -> Result<Foreseen> {
        let session = self.scene.session;
        transaction::begin(&self.scene).await?;
        let read_only = Sql::constant("SET TRANSACTION READ ONLY");
        session.execute(&read_only).await?;
        let archive = State::of_archive(self.scene.reader)?;
        let started = Instant::now();
        let live = catalog::read_locked(session).await?;
        let catalogs = started.elapsed().as_secs_f64();
        let unmendable = BTreeSet::new();
        let started = Instant::now();
        // A plan for definitions alone: where there is none, there is none whatever the rows are.
        let no_rows = Found {
            large_objects: archive.large_objects.clone(),
            ..Found::default()
        };
        if let Err(error) = self.plan(&live, &archive, &no_rows, &unmendable) {
            return Ok(Foreseen {
                live,
                archive,
                plan: Err(error.reason().unwrap_or_default()),
                catalogs,
                renamed: 0,
                rows: 0.0,
                silent: None,
            });
        }
        let found = self.look(&live, &archive, &unmendable).await?;
        let rows = started.elapsed().as_secs_f64();
        let plan = self.plan(&live, &archive, &found, &unmendable);
        let plan = match plan {
            Ok(plan) => Ok(self.intent(&live, plan, &found).await?),
            Err(error) => Err(error.reason().unwrap_or_default()),
        };
        let ever = rename::columns_ever(session).await?;
        let tables = rename::of_tables(self.scene.reader.manifest(), &live, &ever);
        let renamed = tables.len() + rename::of_definitions(&live, &archive).len();
        Ok(Foreseen {
            live,
            archive,
            plan,
            catalogs,
            renamed,
            rows,
            silent: found.silent,
        })
    }

    async fn intent(&self, live: &Catalog, plan: Plan, found: &Found) -> Result<Intent> {
        let saved = self.part_to_save(live, &plan, found).await?;
        let patches = found.patches.iter();
        let patches = patches.filter(|(table, _)| plan.patched.contains(*table));
        let changes = plan.mends.iter().flat_map(|(_, mends)| mends);
        Ok(Intent {
            drops: plan.drops.iter().map(|drop| drop.what.clone()).collect(),
            changes: changes
                .map(|one| one.sql.text().trim().to_owned())
                .collect(),
            patches: patches
                .map(|(table, patch)| (table.clone(), patch.amount()))
                .collect(),
            loaded: plan.parts.tables,
            present: plan.parts.present,
            sequences: plan.parts.sequences,
            large_objects: !plan.parts.large_objects.is_empty(),
            saved,
        })
    }
}
