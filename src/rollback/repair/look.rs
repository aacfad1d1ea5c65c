//! What the rows are before anything is changed: which tables differ, and in which rows.
//!
//! Our own locks keep writers out, so several sessions see the same rows. What the server counted no write
//! for is not read if the operator trusts counts; what it counted writes for is read row by row.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::newer::{Candidate, Keys, Replacement};
use super::patch::{self, Patch, Placed};
use super::{Attempt, proof};
use crate::archive::TableDigest;
use crate::catalog::{self, Catalog, Table};
use crate::compare::{self, State};
use crate::context::Phase;
use crate::error::Result;
use crate::pg::{self, Session, Sql};
use crate::rollback::counters::{self, Counts};
use crate::rollback::mark;
use crate::rollback::{ProofMode, Scene, evidence, transaction};

/// What the rows were before anything was changed.
#[derive(Default)]
pub(super) struct Found {
    /// By table identity.
    pub digests: BTreeMap<String, TableDigest>,
    /// Identities of tables, or of trees that rows move in, whose rows differ from the archive's.
    pub differing: BTreeSet<String>,
    /// By identity; as a state has them.
    pub large_objects: BTreeMap<String, String>,
    /// Whether they were read, not taken from the archive because the server counted no write.
    pub large_objects_read: bool,
    /// Identities of tables that nobody wrote to, by the server's counts. They are read all the same
    /// unless the operator trusts counts.
    pub unwritten: BTreeSet<String>,
    /// Whether the counts spoke.
    pub counted: bool,
    /// What is put back row by row, by table identity.
    pub patches: BTreeMap<String, Patch>,
    pub patched: BTreeSet<String>,
    /// Tables of which only the rows that are newer than the backup were read.
    pub partly: BTreeSet<String>,
    /// Why the counts could not be asked, if they should have been.
    pub silent: Option<String>,
}

impl Found {
    /// Numbers of large objects that are there and are not what the archive has.
    pub fn differing_large_objects(&self, live: &Catalog, archive: &State) -> BTreeSet<u32> {
        let differs = |oid: &&u32| {
            let identity = catalog::large_object_identity(**oid);
            self.large_objects.get(&identity) != archive.large_objects.get(&identity)
        };
        live.large_objects.iter().filter(differs).copied().collect()
    }
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
        let reading = self.reading(tables, &found).await?;
        let aides = self.aides(&reading).await?;
        let read = self.read(reading, &aides, &mut found).await;
        for aide in aides {
            aide.close().await;
        }
        read?;
        found.differing = proof::differing(live, manifest, &found.digests);
        self.seconds.decide += phase.elapsed().as_secs_f64();
        Ok(found)
    }

    /// What need not be read: tables that are as they were recorded because nobody wrote to them.
    async fn trust(&self, live: &Catalog, archive: &State) -> Result<Found> {
        let mut found = Found::default();
        let manifest = self.scene.reader.manifest();
        found.large_objects_read = true;
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
                    found.large_objects_read = !large_objects;
                }
                found.unwritten = tables;
                found.counted = true;
            }
        }
        self.read_large_objects(live, archive, &mut found).await?;
        Ok(found)
    }

    /// Reads large objects, which no lock holds. Where some differ it must be the migration's doing: whoever else wrote may have
    /// done so up to here.
    async fn read_large_objects(
        &self,
        live: &Catalog,
        archive: &State,
        found: &mut Found,
    ) -> Result<()> {
        if !found.large_objects_read {
            found.large_objects = archive.large_objects.clone();
        }
        let is_new = |oid: &&u32| {
            let identity = catalog::large_object_identity(**oid);
            !found.large_objects.contains_key(&identity)
        };
        let unknown: Vec<&u32> = live.large_objects.iter().filter(is_new).collect();
        let read = compare::large_objects(self.scene.session, unknown).await?;
        found.large_objects.extend(read);
        match found.large_objects == archive.large_objects {
            true => Ok(()),
            // What an attempt before this one wrote is not counted before the transaction's end.
            false => mark::refuse_later_writes(&self.scene, mark::Counts::OfOthers).await,
        }
    }

    /// How each table is read. What was written to, by the counts, is looked at row by row; where a key and
    /// transaction ids tell which rows are newer, only at these.
    async fn reading(&self, tables: Vec<Table>, found: &Found) -> Result<Reading> {
        let mut reading = Reading::default();
        if !self.in_place {
            reading.whole = tables;
            return Ok(reading);
        }
        let Scene {
            session,
            reader,
            ctx,
            ..
        } = self.scene;
        reading.since = evidence::oldest_newer(session, reader.manifest(), ctx).await?;
        reading.keys = Keys::read(session).await?;
        reading.undeletable = undeletable(session).await?;
        for table in tables {
            let suspect = found.counted && !found.unwritten.contains(&table.identity);
            let keyed = suspect && self.candidate(&table, &reading).await?.is_some();
            match suspect {
                true if keyed && self.mode(found) == "counters" => reading.newer.push(table),
                true if !keyed && self.is_fit(&table, &reading) => reading.placed.push(table),
                _ => reading.whole.push(table),
            }
        }
        Ok(reading)
    }

    fn is_fit(&self, table: &Table, reading: &Reading) -> bool {
        let record = self.records.of(table);
        !reading.undeletable.contains(&table.oid)
            && record.is_some_and(|record| patch::is_fit(table, record))
    }

    /// The table, if its newer rows can be told from the others.
    async fn candidate<'t>(
        &'t self,
        table: &'t Table,
        reading: &Reading,
    ) -> Result<Option<Candidate<'t>>> {
        let manifest = self.scene.reader.manifest();
        let known = self.records.place(table).zip(self.records.of(table));
        let known = known.filter(|_| !reading.undeletable.contains(&table.oid));
        let Some((known, since)) = known.zip(reading.since) else {
            return Ok(None);
        };
        let Some(candidate) = reading.keys.candidate(table, known, since) else {
            return Ok(None);
        };
        let same = counters::keeps_rows(self.scene.session, manifest, known.0, table).await?;
        Ok(same.then_some(candidate))
    }

    /// Other sessions that read, as many as are worth it.
    async fn aides(&self, reading: &Reading) -> Result<Vec<Session>> {
        const WORTH_ANOTHER: u64 = 16 << 20;
        let Scene {
            session,
            options,
            ctx,
            ..
        } = self.scene;
        let bytes: u64 = reading.all().map(|table| table.size_bytes).sum();
        let wanted = usize::try_from(bytes / WORTH_ANOTHER).unwrap_or(usize::MAX);
        let mut aides = Vec::new();
        // Two sessions for each job: one works while the other one's rows travel.
        while !self.alone && aides.len() + 1 < 2 * options.jobs && aides.len() < wanted {
            let aide = pg::connect_beside(session, pg::Purpose::Proof, ctx).await?;
            let wait = transaction::lock_wait(options, "SET lock_timeout = ");
            aide.execute(&wait).await?;
            aides.push(aide);
        }
        Ok(aides)
    }

    /// Reads the tables, and finds out what would put back their rows one by one.
    async fn read(&self, mut reading: Reading, aides: &[Session], found: &mut Found) -> Result<()> {
        let aides: Vec<&Session> = aides.iter().collect();
        let everybody: Vec<&Session> = std::iter::once(self.scene.session)
            .chain(aides.iter().copied())
            .collect();
        for table in std::mem::take(&mut reading.newer) {
            if self
                .replace_newer(&table, &reading, &everybody, found)
                .await?
            {
                found.partly.insert(table.identity);
            } else if self.is_fit(&table, &reading) {
                reading.placed.push(table);
            } else {
                reading.whole.push(table);
            }
        }
        let (digests, placed) = self.read_rows(&reading, &everybody, &aides).await?;
        for (table, placed) in reading.placed.iter().zip(placed) {
            self.compare_rows(table, placed, found).await?;
        }
        for (table, digest) in reading.whole.iter().zip(digests) {
            found.digests.insert(table.identity.clone(), digest);
            let record = self.records.of(table);
            if self.in_place && record.is_some_and(|record| record.rows_digest() != digest) {
                self.replace_newer(table, &reading, &everybody, found)
                    .await?;
            }
        }
        Ok(())
    }

    /// Digests of whole tables, and placed rows.
    async fn read_rows(
        &self,
        reading: &Reading,
        everybody: &[&Session],
        aides: &[&Session],
    ) -> Result<(Vec<TableDigest>, Vec<Option<Placed>>)> {
        let ctx = self.scene.ctx;
        let own = [self.scene.session];
        let (whole, suspects) = (&reading.whole, &reading.placed);
        if whole.is_empty() || suspects.is_empty() || aides.is_empty() {
            let digests = compare::digests(everybody, whole, ctx).await?;
            return Ok((digests, placed(everybody, suspects).await?));
        }
        // Our own session reads the suspects, the others read the others.
        let digests = compare::digests(aides, whole, ctx);
        futures_util::future::try_join(digests, placed(&own, suspects)).await
    }

    /// Notes what would put back a table's newer rows; says whether that can be told.
    async fn replace_newer(
        &self,
        table: &Table,
        reading: &Reading,
        sessions: &[&Session],
        found: &mut Found,
    ) -> Result<bool> {
        let Some(candidate) = self.candidate(table, reading).await? else {
            return Ok(false);
        };
        let replacement = candidate.replacement(sessions, self.scene.reader).await?;
        let Some(Replacement { patch, before }) = replacement else {
            return Ok(false);
        };
        // Whoever has read all rows knows better.
        if *found
            .digests
            .entry(table.identity.clone())
            .or_insert(before)
            != before
        {
            return Ok(false);
        }
        if candidate.record.rows_digest() != before {
            found.patches.insert(table.identity.clone(), patch);
            found.patched.insert(table.identity.clone());
        }
        Ok(true)
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

/// What is read in which way.
#[derive(Default)]
struct Reading {
    /// Every row, for the digest.
    whole: Vec<Table>,
    /// Every row, with its place.
    placed: Vec<Table>,
    /// Only rows that are newer than the backup.
    newer: Vec<Table>,
    /// The first transaction id that may be newer.
    since: Option<u32>,
    keys: Keys,
    /// OIDs of tables that are loaded as a whole if they differ.
    undeletable: HashSet<u32>,
}

impl Reading {
    fn all(&self) -> impl Iterator<Item = &Table> {
        self.whole.iter().chain(&self.placed).chain(&self.newer)
    }
}

/// OIDs of tables whose rows the server would not delete one by one, or not without running a rule.
async fn undeletable(session: &Session) -> Result<HashSet<u32>> {
    let sql = Sql::constant(include_str!("../sql/undeletable.sql"));
    let rows = session.query(&sql).await?;
    rows.iter().map(|row| row.number("oid")).collect()
}

/// The rows of these tables with their places.
async fn placed(sessions: &[&Session], tables: &[Table]) -> Result<Vec<Option<Placed>>> {
    let mut all = Vec::with_capacity(tables.len());
    for table in tables {
        all.push(patch::read(sessions, table).await?);
    }
    Ok(all)
}
