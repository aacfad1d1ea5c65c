//! What the rows are before anything is changed: which tables differ, and in which rows.
//!
//! Our own locks keep writers out, so several sessions see the same rows. What the server counted no write
//! for is not read if the operator trusts counts; what it counted writes for is read row by row.

use std::collections::{BTreeMap, BTreeSet};

use super::patch::{self, Patch, Placed};
use super::{Attempt, proof};
use crate::archive::TableDigest;
use crate::catalog::{Catalog, Table};
use crate::compare::{self, State};
use crate::context::Phase;
use crate::error::Result;
use crate::pg::{self, Session};
use crate::rollback::counters::{self, Counts};
use crate::rollback::{ProofMode, transaction};

/// What the rows were before anything was changed.
pub(super) struct Found {
    /// By table identity.
    pub digests: BTreeMap<String, TableDigest>,
    /// Identities of tables, or of trees that rows move in, whose rows differ from the archive's.
    pub differing: BTreeSet<String>,
    /// By identity; as a state has them.
    pub large_objects: BTreeMap<String, String>,
    /// Identities of tables that nobody wrote to, by the server's counts. They are read all the same
    /// unless the operator trusts counts.
    pub unwritten: BTreeSet<String>,
    /// Whether the counts spoke.
    pub counted: bool,
    /// What is put back row by row, by table identity.
    pub patches: BTreeMap<String, Patch>,
    pub patched: BTreeSet<String>,
    /// Why the counts could not be asked, if they should have been.
    pub silent: Option<String>,
}

impl Attempt<'_> {
    /// Reads the rows of all tables that could stay.
    pub(super) async fn look(
        &mut self,
        live: &Catalog,
        archive: &State,
        unmendable: &BTreeSet<String>,
    ) -> Result<Found> {
        let phase = self.scene.ctx.phase(Phase::Compare);
        let mut found = self.trust(live, archive).await?;
        let first = self.plan(live, archive, &found, unmendable)?;
        let manifest = self.scene.reader.manifest();
        let recorded = |at: &usize| self.records.as_recorded(&live.tables[*at]);
        let tables = first.untouched.iter().filter_map(recorded);
        let tables: Vec<_> = tables
            .filter(|table| !found.digests.contains_key(&table.identity))
            .collect();
        let (suspects, others) = self.suspects(tables, &found);
        let (digests, placed) = self.read(&others, &suspects).await?;
        for (table, digest) in others.iter().zip(digests) {
            found.digests.insert(table.identity.clone(), digest);
        }
        for (table, placed) in suspects.iter().zip(placed) {
            self.compare_rows(table, placed, &mut found).await?;
        }
        found.differing = proof::differing(live, manifest, &found.digests);
        self.seconds.decide += phase.elapsed().as_secs_f64();
        Ok(found)
    }

    /// What need not be read: tables that are as they were recorded because nobody wrote to them.
    async fn trust(&self, live: &Catalog, archive: &State) -> Result<Found> {
        let mut found = Found {
            digests: BTreeMap::new(),
            differing: BTreeSet::new(),
            large_objects: BTreeMap::new(),
            unwritten: BTreeSet::new(),
            counted: false,
            patches: BTreeMap::new(),
            patched: BTreeSet::new(),
            silent: None,
        };
        let manifest = self.scene.reader.manifest();
        let mut read_large_objects = true;
        let asked = self.scene.options.proof == ProofMode::Counters;
        match counters::untouched(self.scene.session, manifest, live, self.scene.ctx).await? {
            Counts::Silent(why) if asked => {
                self.scene
                    .ctx
                    .note(format!("counts cannot tell ({why}): reading every row"));
                found.silent = Some(why);
            }
            Counts::Silent(_) => {}
            Counts::Untouched {
                tables,
                large_objects,
            } => {
                if asked {
                    let records = manifest.tables.iter();
                    let records = records.filter(|record| tables.contains(&record.identity));
                    found.digests = records
                        .map(|record| (record.identity.clone(), record.rows_digest()))
                        .collect();
                    read_large_objects = !large_objects;
                }
                found.unwritten = tables;
                found.counted = true;
            }
        }
        found.large_objects = match read_large_objects {
            true => compare::large_objects(self.scene.session, live).await?,
            false => archive.large_objects.clone(),
        };
        Ok(found)
    }

    /// Tables that were written to are looked at row by row, where the counts tell which.
    fn suspects(&self, tables: Vec<Table>, found: &Found) -> (Vec<Table>, Vec<Table>) {
        let is_suspect = |table: &Table| {
            let record = self.records.of(table);
            self.in_place
                && found.counted
                && !found.unwritten.contains(&table.identity)
                && record.is_some_and(|record| patch::is_fit(table, record))
        };
        tables.into_iter().partition(is_suspect)
    }

    /// Reads tables: all of them at once where other sessions may.
    async fn read(
        &self,
        tables: &[Table],
        suspects: &[Table],
    ) -> Result<(Vec<TableDigest>, Vec<Option<Placed>>)> {
        const WORTH_ANOTHER: u64 = 16 << 20;
        let all = tables.iter().chain(suspects);
        let bytes: u64 = all.map(|table| table.size_bytes).sum();
        let wanted = usize::try_from(bytes / WORTH_ANOTHER).unwrap_or(usize::MAX);
        let mut aides = Vec::new();
        // Two sessions for each job: one works while the other one's rows travel.
        while !self.alone && aides.len() + 1 < 2 * self.scene.options.jobs && aides.len() < wanted {
            let aide = pg::connect_beside(self.scene.session, "proof", self.scene.ctx).await?;
            aide.execute(&transaction::lock_wait(
                self.scene.options,
                "SET lock_timeout = ",
            ))
            .await?;
            aides.push(aide);
        }
        let own = [self.scene.session];
        let helpers: Vec<&Session> = aides.iter().collect();
        let everybody: Vec<&Session> = own.iter().copied().chain(helpers.clone()).collect();
        let ctx = self.scene.ctx;
        let result = match (tables.is_empty(), aides.is_empty()) {
            (true, _) => placed(&everybody, suspects)
                .await
                .map(|placed| (Vec::new(), placed)),
            (false, true) => {
                let digests = compare::digests(&own, tables, ctx).await?;
                Ok((digests, placed(&own, suspects).await?))
            }
            // Our own session reads the suspects, the others read the others.
            (false, false) => {
                let digests = compare::digests(&helpers, tables, ctx);
                futures_util::future::try_join(digests, placed(&own, suspects)).await
            }
        };
        for aide in aides {
            aide.close().await;
        }
        result
    }

    /// Notes what a suspect's rows are, and what would put them back one by one.
    async fn compare_rows(
        &self,
        table: &Table,
        placed: Option<Placed>,
        found: &mut Found,
    ) -> Result<()> {
        let Some(placed) = placed else {
            let one = std::slice::from_ref(table);
            let digests = compare::digests(&[self.scene.session], one, self.scene.ctx).await?;
            let digests = digests.into_iter();
            found
                .digests
                .extend(digests.map(|one| (table.identity.clone(), one)));
            return Ok(());
        };
        found.digests.insert(table.identity.clone(), placed.digest);
        let tables = &self.scene.reader.manifest().tables;
        let index = self.records.place(table);
        let Some(index) = index.filter(|&at| tables[at].rows_digest() != placed.digest) else {
            return Ok(());
        };
        if let Some(patch) = tokio::task::block_in_place(|| placed.patch(self.scene.reader, index))?
        {
            found.patches.insert(table.identity.clone(), patch);
            found.patched.insert(table.identity.clone());
        }
        Ok(())
    }
}

/// The rows of these tables with their places.
async fn placed(sessions: &[&Session], tables: &[Table]) -> Result<Vec<Option<Placed>>> {
    let mut all = Vec::with_capacity(tables.len());
    for table in tables {
        all.push(patch::read(sessions, table).await?);
    }
    Ok(all)
}
