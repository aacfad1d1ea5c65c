//! The repair rung: only what differs is put back, in one transaction (design.md §7.4).
//!
//! Order inside the transaction, which holds all tables against writers: read the definitions, read the rows
//! (with several sessions: locks and not a snapshot keep them equal), plan, save what will go
//! (P4), drop, empty, change in place, load, read again and compare (P3), commit. What is proven
//! before the repair stays proven where the transaction counts no row of its own. A repair that
//! guessed wrong is undone, and the next rung is taken, under the same locks.

mod drops;
mod foresee;
mod look;
mod mend;
mod newer;
mod patch;
mod plan;
mod proof;
mod rename;
mod results;
mod way;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use super::image::Touched;
use super::mark;
use super::sequences::{self, Wanted};
use super::transaction::{self, Ended, Held};
use super::verdict::{self, Proof};
use super::{ProofMode, RollbackReport, RollbackSeconds, Scene, unheld};
use crate::archive::TableDigest;
use crate::catalog::{self, Catalog, Part, Table};
use crate::compare::{self, Difference, State};
use crate::context::Phase;
use crate::error::{Error, Kind, Result};
use crate::pg::{Session, Sql};
use crate::restore::{self, Statement, Unfilled};
use crate::store::revision_label;

pub(super) use foresee::{Foreseen, Intent, foresee};

use look::Found;
use plan::{Plan, Sides, Unfit};
use proof::{Records, RowsAfter};

/// How a repair ended that did not go through.
pub(super) enum Missed {
    /// Nothing was committed, and the next rung may do it; why, for people.
    NextRung(String),
    /// Nothing more should be tried.
    Final(Error),
}

/// Puts back what differs; commits only what is proven equal to the archive.
pub(super) async fn repair(
    held: &Held<'_>,
    difference: &Difference,
) -> Result<RollbackReport, Missed> {
    let scene = &held.scene;
    let Scene {
        session, reader, ..
    } = *scene;
    let mut in_place = true;
    loop {
        let mut attempt = Attempt::new(scene, in_place);
        let result = attempt.run().await;
        let Attempt { saved, seconds, .. } = attempt;
        let error = match result {
            Ok(proof) => {
                let confirmed = verdict::confirm(scene).await;
                return confirmed
                    .map(|()| {
                        verdict::report(super::Strategy::Repair, proof, saved, seconds, difference)
                    })
                    .map_err(Missed::Final);
            }
            Err(Ended::Unknown(error)) => {
                return Err(Missed::Final(transaction::unknown(
                    error,
                    reader,
                    saved.as_ref(),
                )));
            }
            Err(Ended::NotNoted(error)) => {
                return Err(Missed::Final(super::undone(error, saved.as_ref())));
            }
            Err(Ended::NotCommitted(error)) => error,
        };
        let started_over = held.start_over().await;
        // A COPY that the server refuses at once takes the driver's connection with it: that is no loss of one.
        if session.is_closed() && error.sqlstate().is_some() && !error.is_loss_of_connection() {
            return Err(Missed::NextRung(error.reason().unwrap_or_default()));
        }
        if is_final(&error, session) || started_over.is_err() {
            return Err(Missed::Final(super::undone(error, saved.as_ref())));
        }
        if !in_place {
            return Err(Missed::NextRung(error.reason().unwrap_or_default()));
        }
        scene.ctx.note(format!(
            "repair in place: {error}; trying without changes in place"
        ));
        in_place = false;
    }
}

/// Whether the next rung would fail in the same way.
fn is_final(error: &Error, session: &Session) -> bool {
    session.is_closed() || error.kind() == Kind::Withheld || error.sqlstate() == Some("55P03")
}

/// One transaction.
struct Attempt<'a> {
    scene: Scene<'a>,
    records: Records<'a>,
    /// Whether objects are changed in place, and tables row by row.
    in_place: bool,
    /// Whether no other session could read what this transaction has locked.
    alone: bool,
    /// Whether something was given its recorded name back.
    renamed: bool,
    /// Whether large objects that go were held before they went.
    objects_held: bool,
    /// By table identity, the rows that were deleted one by one.
    gone: BTreeMap<String, TableDigest>,
    saved: Option<PathBuf>,
    unfilled: Vec<Unfilled>,
    seconds: RollbackSeconds,
}

impl<'a> Attempt<'a> {
    fn new(scene: &Scene<'a>, in_place: bool) -> Self {
        Self {
            scene: *scene,
            records: Records::new(scene.reader.manifest()),
            in_place,
            alone: false,
            renamed: false,
            objects_held: false,
            gone: BTreeMap::new(),
            saved: None,
            unfilled: Vec::new(),
            seconds: RollbackSeconds::default(),
        }
    }

    async fn run(&mut self) -> Result<Proof, Ended> {
        self.alone = transaction::read_freely(self.scene.session).await?;
        let archive = State::of_archive(self.scene.reader)?;
        let live = self.with_names_back(&archive).await?;
        let unmendable = self.unmendable(&live, &archive).await?;
        let found = self.look(&live, &archive, &unmendable).await?;
        let plan = self.plan(&live, &archive, &found, &unmendable)?;
        let part = self.part_to_save(&live, &plan, &found).await?;
        let saved = self.save(&live, &part).await?;
        let touched = Touched {
            renamed: self.renamed,
            ..touched(&live, &plan, &part, &found)
        };
        transaction::note(&self.scene, Some(touched), &saved).await?;
        self.put_back(&live, &plan, &found).await?;
        let phase = self.scene.ctx.phase(Phase::Proof);
        let proof = self.prove(&live, &archive, &plan, &found).await?;
        transaction::commit(&self.scene, &proof).await?;
        self.seconds.proof += phase.elapsed().as_secs_f64();
        Ok(proof)
    }

    /// The definitions, after what was renamed has its recorded name again.
    async fn with_names_back(&mut self, archive: &State) -> Result<Catalog> {
        let session = self.scene.session;
        let live = catalog::read_steady(session).await?;
        mark::refuse_later_definitions(&self.scene).await?;
        if !self.in_place {
            return Ok(live);
        }
        let manifest = self.scene.reader.manifest();
        let ever = match self.scene.options.other_database {
            true => HashMap::new(),
            false => rename::columns_ever(session).await?,
        };
        let groups = rename::of_tables(manifest, &live, &ever);
        let live = self.read_renamed(live, groups).await?;
        let groups = rename::of_definitions(&live, archive);
        self.read_renamed(live, groups).await
    }

    /// Renames what the server lets us rename. Others cannot read such a table until the end.
    async fn read_renamed(&mut self, live: Catalog, groups: Vec<rename::Group>) -> Result<Catalog> {
        let session = self.scene.session;
        let mut renamed = false;
        for group in groups {
            session.execute(&Sql::constant("SAVEPOINT name")).await?;
            let group = group
                .iter()
                .fold(Sql::default(), |all, one| all.sql(one).then(";\n"));
            let tried = session.execute(&group).await;
            if tried.is_err() && !session.is_closed() {
                let back = Sql::constant("ROLLBACK TO SAVEPOINT name");
                session.execute(&back).await?;
                continue;
            }
            tried?;
            renamed = true;
        }
        if !renamed {
            return Ok(live);
        }
        (self.alone, self.renamed) = (true, true);
        let live = catalog::read_steady(session).await?;
        mark::refuse_later_definitions(&self.scene).await?;
        Ok(live)
    }

    /// What changing in place does not do: tried and taken back, so that what is saved is as it was.
    async fn unmendable(&self, live: &Catalog, archive: &State) -> Result<BTreeSet<String>> {
        let mut failed = BTreeSet::new();
        for entry in &live.entries {
            let Some(wanted) = archive.entries.get(&entry.identity) else {
                continue;
            };
            let text = entry.canonical();
            if text == wanted.text {
                continue;
            }
            let drop = entry.drop.as_deref();
            let mends = mend::in_place(entry.kind, &text, &wanted.text, drop);
            let Some(mends) = mends.filter(|_| self.in_place) else {
                failed.insert(entry.identity.clone());
                continue;
            };
            if mend::is_quick_to_try(entry.kind) && !self.would_do(&mends).await? {
                failed.insert(entry.identity.clone());
            }
        }
        Ok(failed)
    }

    async fn would_do(&self, statements: &[String]) -> Result<bool> {
        let session = self.scene.session;
        session.execute(&Sql::constant("SAVEPOINT trial")).await?;
        let mut all = Sql::default();
        for statement in statements {
            all = all.sql(&Sql::deparsed(statement.clone())).then("\n");
        }
        let tried = session.execute(&all).await;
        if session.is_closed() {
            return tried.map(|()| false);
        }
        session
            .execute(&Sql::constant("ROLLBACK TO SAVEPOINT trial"))
            .await?;
        Ok(tried.is_ok())
    }

    fn plan(
        &self,
        live: &Catalog,
        archive: &State,
        found: &Found,
        unmendable: &BTreeSet<String>,
    ) -> Result<Plan> {
        let sides = Sides {
            live,
            manifest: self.scene.reader.manifest(),
            archive,
            differing: &found.differing,
            patched: &found.patched,
            large_objects: &found.differing_large_objects(live, archive),
            unmendable,
        };
        plan::plan(&sides).map_err(|Unfit(why)| {
            Error::new(Kind::InDoubt, "repair only what differs").because(why)
        })
    }

    /// What goes, with the rows that go.
    async fn part_to_save(&self, live: &Catalog, plan: &Plan, found: &Found) -> Result<Part> {
        let mut part = plan.saved.clone();
        for table in proof::losing_columns(
            self.scene.session,
            live,
            &self.records,
            plan,
            &found.unwritten,
        )
        .await?
        {
            part.rows.insert(table);
        }
        let wider = proof::with_new_columns(live, &self.records);
        for (table, patch) in &found.patches {
            // One that loses columns is saved as a whole: they may hold something in any row.
            if plan.patched.contains(table) && !wider.contains(table.as_str()) {
                part.only
                    .insert(table.clone(), patch.condition().text().to_owned());
            }
        }
        Ok(part)
    }

    /// Saves what will go (P4).
    async fn save(&mut self, live: &Catalog, part: &Part) -> Result<PathBuf> {
        let phase = self.scene.ctx.phase(Phase::Save);
        // The version rows themselves may be as they were, and no part of what goes.
        let versions = live.version_tables.iter();
        let revisions = versions.map(|table| &table.revisions);
        let mut revisions = revisions.filter(|revisions| !revisions.is_empty());
        let revision = revisions.next().and_then(|one| revision_label(one));
        let saved = transaction::save(&self.scene, revision, Some((live, part))).await?;
        self.saved = Some(saved.clone());
        self.seconds.save = phase.elapsed().as_secs_f64();
        Ok(saved)
    }

    async fn put_back(&mut self, live: &Catalog, plan: &Plan, found: &Found) -> Result<()> {
        let Scene {
            session,
            reader,
            ctx,
            ..
        } = self.scene;
        let phase = ctx.phase(Phase::Rollback);
        self.hold_sequences(plan).await?;
        let going = &plan.saved.large_objects;
        if !going.is_empty() {
            self.objects_held = unheld::hold_large_objects(session).await?;
            unheld::refuse_written(session, going, &found.large_objects).await?;
        }
        let mends = plan.mends.iter().flat_map(|(_, mends)| mends);
        // Columns that the archive's rows know nothing of go before these rows come; what its rows have
        // to fulfil comes after.
        let (removals, others): (Vec<&Statement>, Vec<&Statement>) =
            mends.partition(|mend| mend.sql.text().contains(" DROP COLUMN "));
        let first = plan.drops.iter().chain(&plan.emptied).chain(removals);
        transaction::run_all(session, &first.cloned().collect::<Vec<_>>()).await?;
        for table in &live.tables {
            let patch = found.patches.get(&table.identity);
            let Some(patch) = patch.filter(|_| plan.patched.contains(&table.identity)) else {
                continue;
            };
            if let Some((record, table)) = self.records.with_record(table) {
                let gone = patch.apply(session, &table, record).await?;
                self.gone.insert(table.identity, gone);
            }
        }
        let others: Vec<Statement> = others.into_iter().cloned().collect();
        transaction::run_all(session, &others).await?;
        let loaded = restore::load_parts(session, reader, &plan.parts, ctx).await?;
        self.unfilled = loaded.unfilled;
        transaction::set_properties(&self.scene, &live.database).await?;
        self.seconds.rollback = phase.elapsed().as_secs_f64();
        Ok(())
    }

    /// Nobody may take a value from a sequence that is set back (P5).
    async fn hold_sequences(&self, plan: &Plan) -> Result<()> {
        let records = &self.scene.reader.manifest().sequences;
        let set = plan.parts.sequences.iter().map(|&at| &records[at]);
        let names: BTreeSet<(&str, &str)> = set.map(|one| (&*one.schema, &*one.name)).collect();
        match names.is_empty() {
            true => Ok(()),
            false => sequences::hold(&self.scene, &Wanted::These(names)).await,
        }
    }

    /// Reads everything again inside the transaction but the rows that nobody could have changed (P3).
    async fn prove(
        &self,
        before: &Catalog,
        archive: &State,
        plan: &Plan,
        found: &Found,
    ) -> Result<Proof> {
        let manifest = self.scene.reader.manifest();
        let live = catalog::read_steady(self.scene.session).await?;
        let rows = self.rows_after(before, &live, plan, found).await?;
        let mut after = State::of_catalog(&live);
        after.set_rows(&live, manifest, &rows.digests);
        let objects = &live.large_objects;
        let (written, read) = (&plan.parts.large_objects, &found.large_objects);
        after.large_objects = unheld::after(self.scene.session, objects, written, read).await?;
        let unheld = self.unheld(&live, plan, found).await?;
        let how = proof::how(found, self.mode(found), &rows, &unheld);
        verdict::verdict(archive, &after, &self.unfilled, self.mode(found), &how)
    }

    /// What of it was read while others could write it, for the proof's words.
    async fn unheld(&self, live: &Catalog, plan: &Plan, found: &Found) -> Result<String> {
        let mut objects = live.large_objects.len();
        if self.objects_held {
            objects = objects.saturating_sub(plan.parts.large_objects.len());
        }
        if found.large_objects_read {
            return unheld::told(self.scene.session, objects).await;
        }
        let tables = unheld::told(self.scene.session, 0).await?;
        Ok(proof::unread_large_objects(objects) + &tables)
    }

    /// Every table's rows after the repair: those that nobody could have changed as they were found, of a table
    /// that was put back row by row what was written, all others as they are read now.
    async fn rows_after<'c>(
        &self,
        before: &'c Catalog,
        live: &Catalog,
        plan: &Plan,
        found: &Found,
    ) -> Result<RowsAfter<'c>> {
        let session = self.scene.session;
        let written = proof::written(session).await?;
        let mut rows = RowsAfter {
            untouched: proof::untouched(written.as_ref(), before, plan),
            ..RowsAfter::default()
        };
        let written = written.unwrap_or_default();
        let mut again = Vec::new();
        for table in &live.tables {
            let identity = &table.identity;
            let as_recorded = self.records.as_recorded(table);
            let as_recorded = as_recorded.unwrap_or_else(|| table.clone());
            let known = found.digests.get(identity);
            // Names in rows follow the definitions that were put back, for one.
            let known = known.filter(|_| !table.shifting);
            let partly = usize::from(found.partly.contains(identity));
            if let Some(digest) = known.filter(|_| rows.is_untouched(table)) {
                rows.partly += partly;
                rows.digests.insert(identity.clone(), *digest);
                continue;
            }
            if let Some((before, gone)) = known.zip(self.gone.get(identity)) {
                let written = written.get(&table.oid);
                let after = patch::after(session, &as_recorded, before, gone, written).await?;
                if let Some(digest) = after {
                    rows.digests.insert(identity.clone(), digest);
                    rows.patched += 1;
                    rows.partly += partly;
                    continue;
                }
            }
            again.push(as_recorded);
        }
        rows.reread = again.len();
        let read = compare::digests(&[session], &again, self.scene.ctx).await?;
        let read = again.into_iter().zip(read);
        rows.digests
            .extend(read.map(|(table, digest)| (table.identity, digest)));
        Ok(rows)
    }

    /// How rows are proven in the end.
    fn mode(&self, found: &Found) -> &'static str {
        match self.scene.options.proof == ProofMode::Counters && found.silent.is_none() {
            true => "counters",
            false => "content",
        }
    }
}

/// Tables that the repair is about to write rows to.
fn touched<'a>(live: &Catalog, plan: &Plan, part: &'a Part, found: &Found) -> Touched<'a> {
    let stays = |at: usize, table: &Table| {
        plan.untouched.contains(&at) && !plan.patched.contains(&table.identity)
    };
    let tables = live.tables.iter().enumerate();
    let touched = tables.filter(|(at, table)| !stays(*at, table));
    let in_part = part.only.keys().filter_map(|identity| {
        let rows = found.digests.get(identity)?;
        Some((identity.as_str(), *rows))
    });
    Touched {
        tables: touched.map(|(_, table)| table.oid).collect(),
        in_part: in_part.collect(),
        renamed: false,
    }
}
