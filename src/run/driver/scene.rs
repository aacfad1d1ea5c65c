//! The first look: wait for the server, learn which database this is, open the store.

use std::time::Instant;

use crate::catalog::VersionTable;
use crate::context::{Context, Phase};
use crate::error::{Kind, Result};
use crate::pg::target::Fenced;
use crate::pg::{self, Session, Target};
use crate::run::driver::desk::Desk;
use crate::run::outcome::DatabaseLine;
use crate::run::preflight::{self, Facts};
use crate::run::recover::{self, Place};
use crate::run::{RunOptions, versions};
use crate::store::Store;

/// What every later step works with.
pub struct Scene<'a> {
    pub target: Target,
    pub options: &'a RunOptions,
    pub ctx: &'a Context,
    /// For short queries before the lock; no transaction is ever opened on it.
    pub session: Session,
    pub facts: Facts,
    pub versions: Vec<VersionTable>,
    pub store: Store,
}

impl<'a> Scene<'a> {
    /// Waits for the server, refuses unknown majors, shows the block of facts.
    pub async fn open(
        desk: &mut Desk<'_>,
        target: &'a Target,
        options: &'a RunOptions,
        ctx: &'a Context,
    ) -> Result<Self> {
        let _phase = ctx.phase(Phase::Connect);
        let started = Instant::now();
        let session = match connect(target, options, ctx).await {
            Err(error) => {
                // An interrupted swap may have left the database closed.
                recover::open_again(target, options, error, ctx).await?;
                connect(target, options, ctx).await?
            }
            Ok(session) => session,
        };
        let look = async {
            let facts = Facts::read(&session).await?;
            Ok((facts, versions::read(&session).await?))
        };
        let attempted = format!("look at {}", target.masked());
        let (facts, versions) = ctx.stop.or_stop(&attempted, look).await?;
        let store = Store::open(&options.store)?;
        tidy(&store, ctx);
        show(desk, target, &facts, &versions);
        desk.spend("connect", started.elapsed());
        let mut target = target.clone();
        target.pooled = session.is_pooled();
        Ok(Self {
            target,
            options,
            ctx,
            session,
            facts,
            versions,
            store,
        })
    }

    /// What recovery works with.
    pub fn place(&self) -> Place<'_> {
        Place {
            session: &self.session,
            target: &self.target,
            options: self.options,
            store: &self.store,
            facts: &self.facts,
            ctx: self.ctx,
        }
    }

    /// From now on whoever connects knows of the fence, or that there is none.
    pub fn set_fenced(&mut self, fenced: Option<Fenced>) {
        self.target.fenced.clone_from(&fenced);
        self.session.set_fenced(fenced);
    }

    /// Looks again after a recovery: it may have put another database in this one's place.
    pub async fn look_again(&mut self) -> Result<()> {
        let session = connect(&self.target, self.options, self.ctx).await?;
        self.facts = Facts::read(&session).await?;
        std::mem::replace(&mut self.session, session).close().await;
        self.refresh().await
    }

    /// Reads the version rows again.
    pub async fn refresh(&mut self) -> Result<()> {
        self.versions = versions::read(&self.session).await?;
        Ok(())
    }
}

/// Removes the temporary files of processes that are gone; those of a living one are locked.
pub fn tidy(store: &Store, ctx: &Context) {
    match store.remove_partial_files() {
        Ok(0) => {}
        Ok(1) => ctx.note("removed 1 partial file that an interrupted process left in the store"),
        Ok(count) => ctx.note(format!(
            "removed {count} partial files that interrupted processes left in the store"
        )),
        // What cannot be removed only takes space.
        Err(error) => ctx.warn(error.to_string()),
    }
}

/// A session on a server that this version works with, no transaction pooler in between. Whatever
/// fails here fails before anything is touched.
pub async fn connect(target: &Target, options: &RunOptions, ctx: &Context) -> Result<Session> {
    let session = pg::wait_for(target, options.wait, ctx)
        .await
        .map_err(|error| error.narrowed(Kind::Refused))?;
    preflight::check_server_major(&session, options.allow_unknown_server)?;
    Ok(session)
}

fn show(desk: &mut Desk<'_>, target: &Target, facts: &Facts, versions: &[VersionTable]) {
    let revisions = versions::all(versions);
    desk.fact("database", target.masked());
    desk.fact("server", format!("PostgreSQL {}", facts.server_version));
    desk.fact("role", format!("{} ({})", facts.role, facts.rights()));
    desk.fact("revision", versions::shown(&revisions));
    desk.report.database = Some(DatabaseLine {
        target: target.masked(),
        name: facts.database.clone(),
        server_version: facts.server_version.clone(),
        role: facts.role.clone(),
    });
    desk.report.from.clone_from(&revisions);
    desk.report.to = revisions;
}
