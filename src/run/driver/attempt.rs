//! One attempt of the migration tool: intent, run, outcome, and the version rows read by us.

use std::path::PathBuf;

use crate::compare::counted;
use crate::context::{Context, Phase};
use crate::error::{Error, Kind, Result};
use crate::journal::{Stage, Step};
use crate::migrate::child;
use crate::pg::{self, Secret, Session, Sql};
use crate::rollback::{Counts, Mark};
use crate::run::chronicle::{FenceRecord, Seen, Started, ToolEnded};
use crate::run::driver::desk::Desk;
use crate::run::driver::judge;
use crate::run::driver::scene::Scene;
use crate::run::driver::tool::{self, Prospect, Tool, ToolReport};
use crate::run::driver::transient;
use crate::run::driver::verification;
use crate::run::fence;
use crate::run::heartbeat::Keeper;
use crate::run::hiding;
use crate::run::lock::RunLock;
use crate::run::preflight;
use crate::run::reach;
use crate::run::sightings::Window;
use crate::run::state::Event;
use crate::run::versions;
use crate::run::writers::{self, Watch};
use crate::verify::InvalidObjects;

/// Everything that was made ready before the tool may start.
pub struct Ready<'a> {
    pub scene: Scene<'a>,
    pub tool: Tool,
    pub variables: Vec<(String, Secret)>,
    pub prospect: Prospect,
    pub lock: RunLock,
    /// The fence, if one is up.
    pub fence: Option<FenceRecord>,
    pub watch: Watch,
    pub archive: PathBuf,
    pub log: PathBuf,
    pub before: InvalidObjects,
}

/// Why an attempt failed.
#[derive(Debug)]
pub struct Failure {
    pub error: Error,
    /// Whether another attempt may help, if nothing was committed.
    pub transient: bool,
    /// Whether the tool ended by itself.
    pub by_itself: bool,
    /// The moment of its end, where the tool failed and left no session: what commits later is not its own.
    pub mark: Option<Mark>,
}

/// Starts the tool and verifies what it did. `Err` before it was started: nothing was touched.
/// `Ok(Some)`: it failed and the database has to be judged.
pub async fn attempt(
    desk: &mut Desk<'_>,
    ready: &Ready<'_>,
    number: u32,
) -> Result<Option<Failure>> {
    begin(desk, ready, number).await?;
    let ran = run_tool(ready).await;
    let mark = quiet_down(desk, ready, &ran).await;
    let report = match ran {
        Ok(report) => report,
        Err(error) => return Ok(Some(not_run(desk, error, mark)?)),
    };
    desk.spend("migrate", report.elapsed);
    desk.report.child_last_lines.clone_from(&report.last_lines);
    let ended = ToolEnded {
        ended: report.ended.clone(),
        succeeded: report.succeeded,
        other_writers: ready.watch.seen(),
        tool_was_seen: ready.watch.tool_was_seen(),
        mark: mark.clone(),
    };
    desk.record_if_possible(Step::Migrate, Stage::Outcome, &ended);
    if !report.succeeded {
        desk.to(Event::ToolFailed)?;
        return Ok(Some(of_tool(ready, report, mark)));
    }
    desk.to(Event::ToolSucceeded)?;
    let failure = verification::verify(desk, ready).await?;
    if failure.is_some() {
        end_left(ready.scene.ctx).await;
    }
    Ok(failure)
}

/// Ends what the tool left running outside its process group (`setsid`, a daemon): it would go on to its next statement
/// after the database was put back. After a success nothing is put back, and a tool may keep its daemon.
async fn end_left(ctx: &Context) {
    let ended = child::end_left(&Window::tool_name(&ctx.run_id)).await;
    if ended > 0 {
        ctx.warn(format!(
            "ended what the migration had left running in a session of its own: {}",
            counted(ended as u64, "process", "processes")
        ));
    }
}

/// The intent, synced: from here on the database may change.
async fn begin(desk: &mut Desk<'_>, ready: &Ready<'_>, number: u32) -> Result<()> {
    desk.ctx.stop.check("start the migration")?;
    let session = &ready.scene.session;
    writers::flush_own_count(session).await?;
    if number == 1 {
        preflight::refuse_prepared(session).await?;
        let hide = hiding::secrets_of(&ready.scene.target);
        ready
            .watch
            .keep(Keeper::create(desk.journal_path()?, hide)?);
    }
    let tool_started = ready
        .watch
        .tool_starts(&ready.lock.session(), &[session.backend_pid()])
        .await?;
    if let Some(mark) = desk.judged_at.take() {
        let between = between_attempts(ready, mark, desk.ctx).await;
        desk.wrote_between = desk.wrote_between.take().or(between);
    }
    let window = ready.watch.window();
    let started = Started {
        heartbeat: true,
        attempt: number,
        window_since: window.since,
        postmaster: window.postmaster,
        tool_started,
        unnamed_tool_from: window.unnamed_tool_from,
        login: window.logins.into_iter().next(),
        mark: Mark::settled_if_possible(&ready.lock.session(), desk.ctx).await,
        others: match number {
            1 => None,
            _ => desk
                .wrote_between
                .clone()
                .map(Seen::because)
                .or_else(|| Seen::of(ready.watch.seen())),
        },
    };
    desk.ctx.stop.check("start the migration")?;
    desk.record(Step::Migrate, Stage::Intent, &started)?;
    desk.report.attempts = number;
    desk.to(Event::MigrationIntended)
}

/// Nobody counted between the end of the last attempt and now: what was committed meanwhile must not go with this one (P5).
async fn between_attempts(ready: &Ready<'_>, mark: Option<Mark>, ctx: &Context) -> Option<String> {
    // Behind a fence nobody could write.
    if ready.fence.is_some() {
        return None;
    }
    let found = match mark {
        Some(mark) => {
            let session = ready.lock.session();
            mark.objection_at_once(&session, Counts::OfOthers, ctx)
                .await
        }
        None => Ok(Some("nobody can tell who wrote".to_owned())),
    };
    let why = found.unwrap_or_else(|error| Some(error.to_string()));
    why.map(|why| format!("between two attempts {why}"))
}

async fn run_tool(ready: &Ready<'_>) -> Result<ToolReport> {
    let scene = &ready.scene;
    let _phase = scene.ctx.phase(Phase::Migrate);
    match &ready.tool {
        Tool::Alembic { argv, .. } | Tool::Command(argv) => {
            let variables = ready.variables.clone();
            ready.watch.expect_sessions();
            tool::run_command(
                argv,
                variables,
                &scene.target,
                scene.options,
                &ready.log,
                scene.ctx,
            )
            .await
        }
        Tool::Sql(directory) => tool::run_sql(directory, scene).await,
    }
}

/// Ends the tool's sessions and counts, before any session of ours but the watch's is opened. The judge looks at
/// the sessions again; what was not counted it takes for a gap. The moment of the end, if it failed.
async fn quiet_down(
    desk: &mut Desk<'_>,
    ready: &Ready<'_>,
    ran: &Result<ToolReport>,
) -> Option<Mark> {
    let by_itself = ran.as_ref().is_ok_and(|report| report.by_itself);
    let succeeded = ran.as_ref().is_ok_and(|report| report.succeeded);
    if !succeeded {
        end_left(ready.scene.ctx).await;
    }
    let mut result = count_to_the_end(ready, by_itself, succeeded).await;
    if result
        .as_ref()
        .is_err_and(|error| error.is_loss_of_connection())
    {
        // A server that is started again as the tool ends: the watch connects again.
        result = count_to_the_end(ready, by_itself, succeeded).await;
    }
    warn_of_other_names(desk, ready);
    result.unwrap_or_else(|error| {
        desk.warn(format!(
            "other sessions could not be watched to the end: {error}"
        ));
        None
    })
}

async fn count_to_the_end(
    ready: &Ready<'_>,
    by_itself: bool,
    succeeded: bool,
) -> Result<Option<Mark>> {
    let (scene, watch) = (&ready.scene, &ready.watch);
    let session = watch.session(scene.options.wait);
    let session = reach::in_time(scene.options, &scene.ctx.stop, session).await;
    let Some(session) = session.flatten() else {
        return Err(
            Error::operation(format!("look at the sessions of {}", scene.target.masked()))
                .because("the connection was lost, and there is no new one"),
        );
    };
    judge::end_tool_sessions(&session, &watch.window(), by_itself, scene.ctx).await?;
    watch.tool_ended(&session).await?;
    Ok(match succeeded {
        true => None,
        false => Mark::read_if_possible(&session).await,
    })
}

/// A tool that gives its sessions a name of its own is not known when it has to be ended.
fn warn_of_other_names(desk: &mut Desk<'_>, ready: &Ready<'_>) {
    let names = ready.watch.other_names();
    if names.is_empty() {
        return;
    }
    let warning = format!(
        "no session had the name {:?} that the migration was given (PGAPPNAME, and application_name in the URL), while others of \
         its role and address were called {}: if these are its own, let them have that name (docs/operations.md)",
        Window::tool_name(&desk.ctx.run_id),
        names.join(", ")
    );
    if !desk.report.warnings.contains(&warning) {
        desk.warn(warning);
    }
}

/// The tool could not be started or watched; whether it did anything is for the judge.
fn not_run(desk: &mut Desk<'_>, error: Error, mark: Option<Mark>) -> Result<Failure> {
    let ended = ToolEnded {
        ended: error.to_string(),
        succeeded: false,
        other_writers: Vec::new(),
        tool_was_seen: false,
        mark: mark.clone(),
    };
    desk.record_if_possible(Step::Migrate, Stage::Outcome, &ended);
    desk.to(Event::ToolFailed)?;
    Ok(Failure {
        transient: error.is_transient(),
        error: error.narrowed(Kind::Failed),
        by_itself: true,
        mark,
    })
}

fn of_tool(ready: &Ready<'_>, report: ToolReport, mark: Option<Mark>) -> Failure {
    let word = transient::reason(&report.last_lines);
    let kind = match report.interrupted {
        Some(signal) => Kind::Interrupted(signal),
        None => Kind::Failed,
    };
    let said = report
        .headline
        .or_else(|| report.last_lines.last().cloned());
    let reason = match said {
        Some(line) => format!("it {}: {line}", report.ended),
        None => format!("it {}", report.ended),
    };
    let what = ready.scene.options.migration.shown();
    let mut error = Error::new(kind, format!("run the migration `{what}`")).because(reason);
    let held_back = ready.fence.is_some() && fence::is_held_back(&report.last_lines);
    if held_back {
        error = error.hint(fence::LET_THROUGH);
    } else if let Some(cure) = report.explanation {
        error = error.hint(cure);
    }
    Failure {
        transient: report.interrupted.is_none() && word.is_some(),
        by_itself: report.by_itself,
        error,
        mark,
    }
}

/// Reads the version rows into the report.
pub async fn read_versions(desk: &mut Desk<'_>, ready: &Ready<'_>) -> Result<Vec<String>> {
    let scene = &ready.scene;
    let session = pg::wait_for(&scene.target, scene.options.wait, scene.ctx).await?;
    let current = read_versions_on(&session, desk, ready).await;
    session.close().await;
    current
}

/// The same once the database was judged: nobody is held up for the report by a lock.
pub async fn read_versions_in_time(desk: &mut Desk<'_>, ready: &Ready<'_>) -> Result<Vec<String>> {
    let scene = &ready.scene;
    let session = pg::wait_for(&scene.target, scene.options.wait, scene.ctx).await?;
    let limit = Sql::constant("SET lock_timeout = '1s'");
    let current = match session.execute(&limit).await {
        Ok(()) => read_versions_on(&session, desk, ready).await,
        Err(error) => Err(error),
    };
    session.close().await;
    current
}

async fn read_versions_on(
    session: &Session,
    desk: &mut Desk<'_>,
    ready: &Ready<'_>,
) -> Result<Vec<String>> {
    let tables = versions::read(session).await?;
    let current = ready.tool.current(&tables);
    desk.report.to.clone_from(&current);
    Ok(current)
}
