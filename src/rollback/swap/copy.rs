//! The database that takes the failed one's place: made with the recorded properties, filled, closed, proven.
//!
//! The proof comes after the doors are shut: what was proven is what is swapped in, because nobody could connect in
//! between. Its own readers are let in before.

use std::collections::{BTreeMap, HashMap};

use super::doors::{self, Patience};
use crate::archive::{Reader, TableDigest, TableRecord};
use crate::catalog::{self, Catalog, Table};
use crate::compare::{self, State};
use crate::context::Phase;
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{self, Session, Sql};
use crate::restore::{self, RestoreOptions, Unfilled};
use crate::rollback::Scene;
use crate::rollback::verdict::{self, Proof};

/// Bytes of rows that are worth one more session to read them.
const WORTH_ANOTHER: u64 = 16 << 20;

/// A database that was made and is not in its place yet.
pub(super) struct Copy<'a> {
    pub keeper: &'a Session,
    pub scene: Scene<'a>,
    pub name: &'a str,
    pub oid: u32,
}

/// Makes it, empty, and says its OID. Nothing else changes.
pub(super) async fn make(keeper: &Session, name: &str, reader: &Reader) -> Result<u32> {
    restore::create_database(keeper, name, reader.manifest()).await?;
    let sql = Sql::constant("SELECT oid FROM pg_catalog.pg_database WHERE datname = ");
    keeper.query_one(&sql.literal(name)).await?.number("oid")
}

/// Refuses a name that is taken.
pub(super) async fn require_free(keeper: &Session, name: &str) -> Result<()> {
    let sql = Sql::constant("SELECT 1 AS one FROM pg_catalog.pg_database WHERE datname = ");
    if keeper.query(&sql.literal(name)).await?.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!("make the database {name}"))
        .because("a database of that name exists")
        .now("nothing was changed"))
}

impl Copy<'_> {
    /// Gives it its owner, settings, grants and comment and takes them back: what this role may not give is known before
    /// the long work.
    pub async fn rehearse(&self) -> Result<()> {
        self.keeper.execute(&Sql::constant("BEGIN")).await?;
        let dressed = self.dress().await;
        self.keeper.execute(&Sql::constant("ROLLBACK")).await?;
        dressed.map_err(|error| {
            error
                .with_kind(Kind::Refused)
                .hint("`--strategy rebuild` changes the properties of the database where it stands")
        })
    }

    async fn dress(&self) -> Result<()> {
        let manifest = self.scene.reader.manifest();
        let left_out = restore::dress_within(self.keeper, self.name, manifest).await?;
        if left_out.is_empty() {
            return Ok(());
        }
        let owner = manifest.database.properties.get("owner");
        let owner = owner.map_or("", String::as_str);
        Err(
            Error::operation(format!("give the new database to its owner {owner}"))
                .because(format!("this role may not set: {}", left_out.join(", "))),
        )
    }

    /// Restores the archive; what could not be filled is named.
    pub async fn fill(&self) -> Result<Vec<Unfilled>> {
        let Scene {
            session,
            reader,
            options,
            ctx,
            ..
        } = self.scene;
        let jobs = match restore::is_small(reader.manifest()) {
            true => 1,
            false => options.jobs,
        };
        let target = session.other_database(self.name);
        let restored = restore::restore(&target, reader, &RestoreOptions { jobs }, ctx).await?;
        Ok(restored.unfilled)
    }

    /// Shuts the doors behind our own readers and reads everything (P3).
    pub async fn prove(&self, unfilled: &[Unfilled]) -> Result<Proof> {
        let _phase = self.scene.ctx.phase(Phase::Proof);
        let readers = self.readers().await?;
        let proof = async {
            self.close_behind(&readers).await?;
            self.compare(&readers, unfilled).await
        }
        .await;
        for reader in readers {
            reader.close().await;
        }
        proof
    }

    async fn readers(&self) -> Result<Vec<Session>> {
        let Scene {
            session,
            reader,
            options,
            ctx,
            ..
        } = self.scene;
        let bytes: u64 = reader.manifest().tables.iter().map(|one| one.bytes).sum();
        let worth = usize::try_from(bytes / WORTH_ANOTHER).unwrap_or(usize::MAX);
        let target = session.other_database(self.name);
        let mut readers = vec![pg::connect(&target, pg::Purpose::Proof, ctx).await?];
        // Two sessions for each job: one works while the other one's rows travel.
        while readers.len() < worth.min(2 * options.jobs) {
            readers.push(pg::connect(&target, pg::Purpose::Proof, ctx).await?);
        }
        Ok(readers)
    }

    async fn close_behind(&self, readers: &[Session]) -> Result<()> {
        let keeper = self.keeper;
        keeper.execute(&Sql::constant("BEGIN")).await?;
        let dressed = async {
            self.dress().await?;
            keeper.execute(&doors::door(self.name, false)).await?;
            faults::reach(Point::SwapNewClose)
        }
        .await;
        let end = if dressed.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        keeper.execute(&Sql::constant(end)).await?;
        dressed?;
        faults::reach(Point::SwapNewClosed)?;
        let ours: Vec<i32> = readers.iter().map(Session::backend_pid).collect();
        let stays = |guest: &doors::Guest| ours.contains(&guest.pid);
        let patience = Patience::none(self.scene.options.lock_timeout);
        doors::show_out(keeper, self.oid, stays, patience).await?;
        Ok(())
    }

    async fn compare(&self, readers: &[Session], unfilled: &[Unfilled]) -> Result<Proof> {
        let Some(first) = readers.first() else {
            return Err(Error::operation("prove the new database").because("nobody reads it"));
        };
        let archive = self.scene.reader;
        first.execute(&Sql::constant("BEGIN")).await?;
        let catalog = catalog::read_steady(first).await?;
        let mut found = State::of_catalog(&catalog);
        // It is closed for the proof only.
        found.properties.remove("allow_connections");
        let digests = self.digests(&catalog, readers).await?;
        found.set_rows(&catalog, archive.manifest(), &digests);
        found.large_objects = compare::large_objects(first, &catalog.large_objects).await?;
        let expected = State::of_archive(archive)?;
        verdict::verdict(
            &expected,
            &found,
            unfilled,
            "content",
            "; read in the new database, closed to others",
        )
    }

    async fn digests(
        &self,
        catalog: &Catalog,
        readers: &[Session],
    ) -> Result<BTreeMap<String, TableDigest>> {
        let manifest = self.scene.reader.manifest();
        let records = manifest.tables.iter();
        let records: HashMap<&str, &TableRecord> = records
            .map(|record| (record.identity.as_str(), record))
            .collect();
        let tables = catalog.tables.iter();
        let recorded = |table: &Table| {
            let record = records.get(table.identity.as_str())?;
            compare::as_recorded(table, record, manifest)
        };
        let recorded = |table: &Table| recorded(table).unwrap_or_else(|| table.clone());
        let tables: Vec<Table> = tables.map(recorded).collect();
        let readers: Vec<&Session> = readers.iter().collect();
        let digests = compare::digests(&readers, &tables, self.scene.ctx).await?;
        let names = tables.iter().map(|table| table.identity.clone());
        Ok(names.zip(digests).collect())
    }
}

/// Drops it with whoever is connected; says nothing if it is not there.
pub(super) async fn remove(keeper: &Session, name: &str) -> Result<()> {
    let sql = Sql::constant("DROP DATABASE IF EXISTS ").ident(name);
    keeper.execute(&sql.then(" WITH (FORCE)")).await
}
