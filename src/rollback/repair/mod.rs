//! The repair rung: only what differs is put back, in one transaction (design.md §7.4).
//!
//! Order inside the transaction: lock all tables against writers, read the definitions, read the rows
//! (with several sessions: locks and not a snapshot keep them equal), plan, save what will go
//! (P4), drop, empty, change in place, load, read again and compare (P3), commit. What is proven
//! before the repair stays proven where the transaction counts no row of its own. A repair that
//! guessed wrong is not committed, and the next rung is taken.

mod mend;
mod plan;
mod proof;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::counters::{self, Counts};
use super::rebuild::{Ended, Proof, silence_event_triggers};
use super::{ProofMode, RollbackOptions, RollbackReport, RollbackSeconds, rebuild};
use crate::archive::{Reader, TableDigest};
use crate::catalog::{self, AcceptedLosses, Catalog};
use crate::compare::{self, Difference, State};
use crate::context::{Context, Phase};
use crate::dump::{self, Destination, DumpOptions};
use crate::error::{Error, Kind, Result};
use crate::pg::{self, Session, Sql, Target};
use crate::restore;
use crate::store::Store;

use plan::{Plan, Sides, Unfit};

/// How a repair ended that did not go through.
pub(super) enum Missed {
    /// Nothing was committed, and the next rung may do it; why, for people.
    NextRung(String),
    /// Nothing more should be tried.
    Final(Error),
}

/// Puts back what differs; commits only what is proven equal to the archive.
pub(super) async fn repair(
    session: &Session,
    target: &Target,
    reader: &Reader,
    store: &Store,
    options: &RollbackOptions,
    difference: &Difference,
    ctx: &Context,
) -> Result<RollbackReport, Missed> {
    let mut in_place = true;
    loop {
        let mut attempt = Attempt::new(session, reader, options, ctx);
        let result = attempt.run(store, in_place).await;
        let Attempt { saved, seconds, .. } = attempt;
        let error = match result {
            Ok(proof) => {
                let confirmed = rebuild::confirm(target, reader, ctx).await;
                return confirmed
                    .map(|()| {
                        rebuild::report(super::Strategy::Repair, proof, saved, seconds, difference)
                    })
                    .map_err(Missed::Final);
            }
            Err(Ended::Unknown(error)) => {
                return Err(Missed::Final(rebuild::unknown(
                    error,
                    reader,
                    saved.as_ref(),
                )));
            }
            Err(Ended::NotCommitted(error)) => error,
        };
        // The server undoes it anyway when the connection ends.
        let _ = session.execute(&Sql::constant("ROLLBACK")).await;
        if is_final(&error, session) {
            return Err(Missed::Final(super::undone(error, saved.as_ref())));
        }
        if !in_place {
            return Err(Missed::NextRung(error.reason().unwrap_or_default()));
        }
        ctx.note(format!(
            "repair in place: {error}; trying without changes in place"
        ));
        in_place = false;
    }
}

/// Whether the next rung would fail in the same way.
fn is_final(error: &Error, session: &Session) -> bool {
    session.is_closed() || error.kind() == Kind::Withheld || error.sqlstate() == Some("55P03")
}

/// What the rows were before anything was changed.
struct Found {
    /// By table identity.
    digests: BTreeMap<String, TableDigest>,
    /// Identities of tables, or of trees that rows move in, whose rows differ from the archive's.
    differing: BTreeSet<String>,
    /// By identity; as a state has them.
    large_objects: BTreeMap<String, String>,
    /// Identities of tables that nobody wrote to, by the server's counts. They are read all the same
    /// unless the operator trusts counts.
    unwritten: BTreeSet<String>,
    /// Why the counts could not be asked, if they should have been.
    silent: Option<String>,
}

/// One transaction.
struct Attempt<'a> {
    session: &'a Session,
    reader: &'a Reader,
    options: &'a RollbackOptions,
    ctx: &'a Context,
    /// Whether no other session could read what this transaction has locked.
    alone: bool,
    saved: Option<PathBuf>,
    seconds: RollbackSeconds,
}

impl<'a> Attempt<'a> {
    fn new(
        session: &'a Session,
        reader: &'a Reader,
        options: &'a RollbackOptions,
        ctx: &'a Context,
    ) -> Self {
        Self {
            session,
            reader,
            options,
            ctx,
            alone: false,
            saved: None,
            seconds: RollbackSeconds::default(),
        }
    }

    async fn run(&mut self, store: &Store, in_place: bool) -> Result<Proof, Ended> {
        rebuild::begin(self.session, self.options).await?;
        rebuild::lock_all(self.session, " IN SHARE MODE").await?;
        self.alone = rebuild::read_freely(self.session).await?;
        let archive = State::of_archive(self.reader)?;
        let live = catalog::read_steady(self.session).await?;
        let unmendable = self.unmendable(&live, &archive, in_place).await?;
        let found = self.look(&live, &archive, &unmendable).await?;
        let plan = self.plan(&live, &archive, &found, &unmendable)?;
        self.save(store, &live, &plan, &found.unwritten).await?;
        self.put_back(&live, &plan).await?;
        let phase = self.ctx.phase(Phase::Proof);
        let proof = self.prove(&live, &archive, &plan, &found).await?;
        self.session
            .execute(&Sql::constant("COMMIT"))
            .await
            .map_err(Ended::Unknown)?;
        self.seconds.proof += phase.elapsed().as_secs_f64();
        Ok(proof)
    }

    /// What changing in place does not do: tried and taken back, so that what is saved is as it was.
    async fn unmendable(
        &self,
        live: &Catalog,
        archive: &State,
        in_place: bool,
    ) -> Result<BTreeSet<String>> {
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
            let Some(mends) = mends.filter(|_| in_place) else {
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
        let session = self.session;
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

    /// Reads the rows of all tables that could stay.
    async fn look(
        &mut self,
        live: &Catalog,
        archive: &State,
        unmendable: &BTreeSet<String>,
    ) -> Result<Found> {
        let phase = self.ctx.phase(Phase::Proof);
        let mut found = self.trust(live, archive).await?;
        let first = self.plan(live, archive, &found, unmendable)?;
        let manifest = self.reader.manifest();
        let recorded = |at: &usize| {
            let table = &live.tables[*at];
            let record = proof::record_of(table, manifest)?;
            compare::as_recorded(table, record, manifest)
        };
        let tables = first.untouched.iter().filter_map(recorded);
        let tables: Vec<_> = tables
            .filter(|table| !found.digests.contains_key(&table.identity))
            .collect();
        let digests = self.digests(&tables).await?;
        for (table, digest) in tables.iter().zip(digests) {
            found.digests.insert(table.identity.clone(), digest);
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
            silent: None,
        };
        let manifest = self.reader.manifest();
        let mut read_large_objects = true;
        let asked = self.options.proof == ProofMode::Counters;
        match counters::untouched(self.session, manifest, live, self.ctx).await? {
            Counts::Silent(why) if asked => {
                self.ctx
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
                        .map(|record| (record.identity.clone(), proof::recorded(record)))
                        .collect();
                    read_large_objects = !large_objects;
                }
                found.unwritten = tables;
            }
        }
        found.large_objects = match read_large_objects {
            true => compare::large_objects(self.session, live).await?,
            false => archive.large_objects.clone(),
        };
        Ok(found)
    }

    async fn digests(&self, tables: &[catalog::Table]) -> Result<Vec<TableDigest>> {
        const WORTH_ANOTHER: u64 = 16 << 20;
        let bytes: u64 = tables.iter().map(|table| table.size_bytes).sum();
        let wanted = usize::try_from(bytes / WORTH_ANOTHER).unwrap_or(usize::MAX);
        let mut aides = Vec::new();
        // Two sessions for each job: one works while the other one's rows travel.
        while !self.alone && aides.len() + 1 < 2 * self.options.jobs && aides.len() < wanted {
            let aide = pg::connect_beside(self.session, "proof", self.ctx).await?;
            aide.execute(&rebuild::lock_wait(self.options, "SET lock_timeout = "))
                .await?;
            aides.push(aide);
        }
        let mut sessions = vec![self.session];
        sessions.extend(&aides);
        let digests = compare::digests(&sessions, tables, self.ctx).await;
        for aide in aides {
            aide.close().await;
        }
        digests
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
            manifest: self.reader.manifest(),
            archive,
            differing: &found.differing,
            large_objects: found.large_objects != archive.large_objects,
            unmendable,
        };
        plan::plan(&sides).map_err(|Unfit(why)| {
            Error::new(Kind::InDoubt, "repair only what differs").because(why)
        })
    }

    /// Saves what will go (P4).
    async fn save(
        &mut self,
        store: &Store,
        live: &Catalog,
        plan: &Plan,
        unwritten: &BTreeSet<String>,
    ) -> Result<()> {
        let phase = self.ctx.phase(Phase::Save);
        let mut part = plan.saved.clone();
        for table in
            proof::losing_columns(self.session, live, self.reader.manifest(), plan, unwritten)
                .await?
        {
            part.rows.insert(table);
        }
        let dump = DumpOptions {
            purpose: "before-rollback".to_owned(),
            jobs: self.options.jobs,
            accept: AcceptedLosses::all(),
            table_lock_wait: self.options.lock_timeout,
            ..DumpOptions::default()
        };
        let destination = Destination::Store(store);
        let what = (live, &part);
        let report = dump::write_part(self.session, &destination, &dump, what, self.ctx).await?;
        dump::check(&report.archive, self.ctx).await?;
        rebuild::tell_unsaved(&report.accepted_losses, self.reader, self.ctx);
        self.saved = Some(report.archive);
        self.seconds.save = phase.elapsed().as_secs_f64();
        Ok(())
    }

    async fn put_back(&mut self, live: &Catalog, plan: &Plan) -> Result<()> {
        let phase = self.ctx.phase(Phase::Rollback);
        silence_event_triggers(self.session).await?;
        let all = plan.drops.iter().chain(&plan.emptied);
        let mut statements: Vec<_> = all.cloned().collect();
        statements.extend(
            plan.mends
                .iter()
                .flat_map(|(_, mends)| mends.iter().cloned()),
        );
        for statements in statements.chunks(100) {
            restore::run_statements(self.session, statements).await?;
        }
        restore::load_parts(self.session, self.reader, &plan.parts, self.ctx).await?;
        let (now, then) = (&live.database, &self.reader.manifest().database);
        restore::set_properties(self.session, &now.name, &now.properties, &then.properties).await?;
        self.seconds.rollback = phase.elapsed().as_secs_f64();
        Ok(())
    }

    /// Reads everything again inside the transaction but the rows that nobody could have changed (P3).
    async fn prove(
        &self,
        before: &Catalog,
        archive: &State,
        plan: &Plan,
        found: &Found,
    ) -> Result<Proof> {
        let manifest = self.reader.manifest();
        let live = catalog::read_steady(self.session).await?;
        let untouched = proof::untouched(self.session, before, plan).await?;
        let mut digests = BTreeMap::new();
        let mut again = Vec::new();
        for table in &live.tables {
            let known = found.digests.get(&table.identity);
            match known.filter(|_| untouched.contains(&(table.oid, table.identity.as_str()))) {
                Some(digest) => _ = digests.insert(table.identity.clone(), *digest),
                None => again.push(proof::as_proven(table, manifest)),
            }
        }
        let read = compare::digests(&[self.session], &again, self.ctx).await?;
        let reread = again.len();
        for (table, digest) in again.iter().zip(read) {
            digests.insert(table.identity.clone(), digest);
        }
        let mut after = State::of_catalog(&live);
        after.set_rows(&live, manifest, &digests);
        after.large_objects = match plan.parts.large_objects {
            true => compare::large_objects(self.session, &live).await?,
            false => found.large_objects.clone(),
        };
        let how = proof::how(found, self.mode(found), &untouched, reread);
        rebuild::verdict(archive, &after, self.mode(found), &how)
    }

    /// How rows are proven in the end.
    fn mode(&self, found: &Found) -> &'static str {
        match self.options.proof == ProofMode::Counters && found.silent.is_none() {
            true => "counters",
            false => "content",
        }
    }
}
