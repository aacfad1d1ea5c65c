//! From the first look to a checked archive: what is pending, preflight, lock, pending again,
//! restart loop, backup. Nothing here changes the database.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::context::{Context, Phase};
use crate::error::{Kind, Result};
use crate::journal::{Header, Journal, Stage, Step};
use crate::migrate::alembic::PendingRevision;
use crate::pg::{Secret, Target};
use crate::rollback::Rung;
use crate::run::FenceMode;
use crate::run::chronicle::{FenceRecord, Plan};
use crate::run::driver::attempt::Ready;
use crate::run::driver::backup;
use crate::run::driver::desk::Desk;
use crate::run::driver::drill;
use crate::run::driver::refusals;
use crate::run::driver::scene::Scene;
use crate::run::driver::tool::{Prospect, Tool, child_variables};
use crate::run::fence;
use crate::run::hiding;
use crate::run::lock::RunLock;
use crate::run::preflight::{self, Finding};
use crate::run::sightings::{self, Window};
use crate::run::state::Event;
use crate::run::writers::Watch;
use crate::verify::InvalidObjects;

/// Makes everything ready; none if there is nothing to do.
pub async fn prepare<'a>(desk: &mut Desk<'_>, mut scene: Scene<'a>) -> Result<Option<Ready<'a>>> {
    let mut variables = child_variables(&scene.target, scene.options, scene.ctx);
    let tool = Tool::find(&scene.options.migration, scene.ctx)?;
    let first = look_ahead(desk, &tool, &scene, &variables).await?;
    if first.is_nothing() {
        return nothing_to_do(desk);
    }
    let between = look_between(&scene).await?;
    check(desk, &tool, &scene, between.findings).await?;
    if between.refuses_options {
        scene.target.refuses_options = true;
        variables = child_variables(&scene.target, scene.options, scene.ctx);
    }
    let lock = obtain_lock(desk, &scene).await?;
    scene.refresh().await?;
    desk.report.from = tool.current(&scene.versions);
    desk.report.to.clone_from(&desk.report.from);
    let prospect = look_ahead(desk, &tool, &scene, &variables).await?;
    if prospect.is_nothing() {
        scene.ctx.note("another run has done it meanwhile");
        lock.release().await;
        return nothing_to_do(desk);
    }
    announce(desk, &prospect);
    let plan = refusals::plan_of(&scene.target, scene.options, &scene.versions, &prospect);
    refusals::of_restarts(&scene.store, &scene.facts, scene.options, &plan)?;
    let log = begin_journal(desk, &scene, &plan)?;
    let fence = fence::raise(desk, &mut scene, &lock).await?;
    let secured = secure(desk, &scene, &lock, &plan, fence.as_ref()).await;
    let Secured {
        watch,
        archive,
        before,
    } = match (secured, &fence) {
        (Ok(secured), _) => secured,
        (Err(error), None) => return Err(error),
        (Err(error), Some(fence)) => {
            fence::take_down(desk, &mut scene, &lock, fence).await;
            return Err(error);
        }
    };
    Ok(Some(Ready {
        scene,
        tool,
        variables,
        prospect,
        lock,
        fence,
        watch,
        archive,
        log,
        before,
    }))
}

/// What the tool's start waits for, made behind the fence.
struct Secured {
    watch: Watch,
    archive: PathBuf,
    before: InvalidObjects,
}

async fn secure(
    desk: &mut Desk<'_>,
    scene: &Scene<'_>,
    lock: &RunLock,
    plan: &Plan,
    fence: Option<&FenceRecord>,
) -> Result<Secured> {
    let watch = watch(scene, lock, fence).await?;
    let archive = backup::back_up(desk, scene, plan).await?;
    drill::drill_first(desk, scene, &archive).await?;
    let before = InvalidObjects::read(&scene.session).await?;
    Ok(Secured {
        watch,
        archive,
        before,
    })
}

fn nothing_to_do<'a>(desk: &mut Desk<'_>) -> Result<Option<Ready<'a>>> {
    desk.to(Event::NothingPending)?;
    desk.ctx
        .note("nothing is pending: the database is already there");
    Ok(None)
}

async fn look_ahead(
    desk: &mut Desk<'_>,
    tool: &Tool,
    scene: &Scene<'_>,
    variables: &[(String, Secret)],
) -> Result<Prospect> {
    let started = Instant::now();
    let prospect = tool
        .prospect(&scene.versions, variables, scene.ctx)
        .await
        .map_err(|error| error.narrowed(Kind::Refused))?;
    desk.report.pending = prospect.ids().unwrap_or_default();
    desk.spend("preflight", started.elapsed());
    Ok(prospect)
}

/// Whether a pooler is in between, and what it does to the migration's sessions.
async fn look_between(scene: &Scene<'_>) -> Result<preflight::Between> {
    let (target, ctx) = (&scene.target, scene.ctx);
    let look = preflight::of_pooler(target.pooled, target, scene.options, ctx);
    let look = ctx.stop.or_stop("look for a pooler", look).await;
    look.map_err(|error| error.narrowed(Kind::Refused))
}

async fn check(
    desk: &mut Desk<'_>,
    tool: &Tool,
    scene: &Scene<'_>,
    between: Vec<Finding>,
) -> Result<()> {
    let _phase = scene.ctx.phase(Phase::Preflight);
    let started = Instant::now();
    scene.ctx.stop.check("start the run")?;
    tool.check_present(scene.ctx)?;
    scene.store.check_writable()?;
    // A mistake in them is better found before the migration than after it.
    refusals::of_checks(scene.options, scene.ctx)?;
    let means = preflight::Means {
        free_bytes: scene.store.free_bytes().ok(),
        accepted: &scene.options.accept_losses,
        table_lock_wait: scene.options.table_lock_wait,
    };
    let examine = preflight::examine(&scene.session, scene.facts.clone(), means, scene.ctx);
    let stop = &scene.ctx.stop;
    let mut found = stop
        .or_stop("examine the database", examine)
        .await
        .map_err(|error| error.narrowed(Kind::Refused))?;
    found.findings.extend(between);
    let strange = fence::unexplained(&scene.session, Some(&scene.store), &scene.facts).await?;
    found.findings.extend(strange);
    if scene.options.fence == FenceMode::Writes {
        let foreseen = fence::foresee(&scene.session, &scene.facts).await?;
        found.findings.extend(foreseen.findings);
        let dialect = scene.options.dialect.as_deref();
        found.findings.extend(fence::of_driver(dialect));
    }
    if scene.options.rung == Rung::Swap {
        let of_swap = preflight::of_swap(&scene.session, &scene.target, scene.ctx).await?;
        found.findings.extend(of_swap);
    }
    desk.spend("preflight", started.elapsed());
    if let Some(refusal) = preflight::refusal("start the migration", &found.findings) {
        return Err(refusal);
    }
    for line in preflight::warnings(&found.findings) {
        desk.warn(line);
    }
    desk.to(Event::PreflightPassed)
}

async fn obtain_lock(desk: &mut Desk<'_>, scene: &Scene<'_>) -> Result<RunLock> {
    let _phase = scene.ctx.phase(Phase::Lock);
    let started = Instant::now();
    let wait = scene.options.lock_wait;
    let lock = RunLock::acquire_from(&scene.session, &scene.target, wait, scene.ctx).await?;
    desk.spend("lock", started.elapsed());
    desk.to(Event::LockObtained)?;
    Ok(lock)
}

/// Says what is about to run, and what in it commits on its own.
fn announce(desk: &mut Desk<'_>, prospect: &Prospect) {
    if let Some(reason) = &prospect.unknown {
        desk.ctx
            .note(format!("what is pending cannot be known: {reason}"));
    }
    for revision in prospect.pending.iter().flatten() {
        desk.ctx.note(format!(
            "pending: {}",
            line(revision, &desk.ctx.environment.working_directory)
        ));
    }
    let commits_early = prospect
        .pending
        .iter()
        .flatten()
        .any(|revision| revision.risks.autocommit_block || revision.risks.concurrently);
    if commits_early {
        desk.warn(
            "a pending revision commits parts of itself (autocommit_block, CONCURRENTLY): \
             if it fails, the database has to be put back",
        );
    }
}

/// The file as seen from the working directory: nobody reads long paths.
fn line(revision: &PendingRevision, directory: &Path) -> String {
    let mut notes = Vec::new();
    if revision.risks.autocommit_block {
        notes.push("autocommit_block".to_owned());
    }
    if revision.risks.concurrently {
        notes.push("CONCURRENTLY".to_owned());
    }
    if revision.transaction_per_migration {
        notes.push("a transaction of its own".to_owned());
    }
    notes.extend(revision.risks.destructive.iter().cloned());
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" [{}]", notes.join(", "))
    };
    format!(
        "{} {} ({}){notes}",
        revision.id,
        revision.message,
        revision
            .file
            .strip_prefix(directory)
            .unwrap_or(&revision.file)
            .display()
    )
}

/// Creates the journal, with the intent to back up; returns where the tool's output goes.
fn begin_journal(desk: &mut Desk<'_>, scene: &Scene<'_>, plan: &Plan) -> Result<PathBuf> {
    let ctx = scene.ctx;
    let stem = scene
        .store
        .run_stem(ctx.now(), &scene.facts.database, &ctx.run_id);
    let header = header_of(&scene.target, scene, ctx);
    let mut journal = Journal::create(&scene.store, &stem, &header, ctx.clock.clone())?;
    journal.hide_with(hiding::secrets_of(&scene.target));
    desk.open_journal(journal);
    desk.record(Step::Backup, Stage::Intent, plan)?;
    let log = scene.store.beside(&stem, ".log");
    desk.report.log = Some(log.clone());
    Ok(log)
}

fn header_of(target: &Target, scene: &Scene<'_>, ctx: &Context) -> Header {
    Header {
        system_identifier: scene.facts.system_identifier.clone(),
        database_oid: scene.facts.database_oid,
        database: scene.facts.database.clone(),
        host: target.servers(),
        port: target.endpoints.first().map_or(0, |server| server.port),
        role: scene.facts.role.clone(),
        run_id: ctx.run_id.clone(),
        tool: format!("pgbelay {}", env!("CARGO_PKG_VERSION")),
    }
}

/// Starts to watch for other writers, before the backup's snapshot.
async fn watch(scene: &Scene<'_>, lock: &RunLock, fence: Option<&FenceRecord>) -> Result<Watch> {
    let time = sightings::server_time(&lock.session()).await?;
    let login = sightings::own_login(&lock.session()).await?;
    let window = Window {
        since: time.now,
        postmaster: time.postmaster,
        run_id: scene.ctx.run_id.clone(),
        tool_started: None,
        unnamed_tool_from: is_unnamed(scene).then(|| login.client.clone()),
        pooled: scene.target.pooled,
        logins: vec![login],
        fenced_since: fence.and_then(|fence| fence.since),
    };
    let (target, ctx) = (scene.target.clone(), scene.ctx.clone());
    Ok(Watch::start(lock.session(), target, window, ctx))
}

/// Drivers that do not read `PGAPPNAME`.
fn is_unnamed(scene: &Scene<'_>) -> bool {
    let dialect = scene.options.dialect.as_deref().unwrap_or_default();
    dialect.contains("asyncpg") || dialect.contains("pg8000")
}
