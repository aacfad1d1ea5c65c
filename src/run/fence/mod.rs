//! Keeping writes of others out while a run is at work (`--fence writes`, design.md §7, docs/rollback.md).
//!
//! The fence is the database's own `default_transaction_read_only`: sessions that begin behind it
//! read only, ours and the migration's lift it for themselves, and those of before are ended. What
//! the setting was is synced to the journal before it is touched, and [`lower`] puts exactly that
//! back, whoever calls it: the run itself or, after a crash, the next start. Sessions that began
//! behind the fence would read only for as long as they live, so taking it down ends them too.
//!
//! No gap: [`sessions::renew`] first waits for every process that was let in while the setting
//! changed, so each session either read the new value or is ended.

mod foresee;
mod left;
mod sessions;

use std::time::Duration;

use serde::Serialize;

pub use foresee::{Foreseen, foresee, of_driver};
pub(in crate::run) use foresee::{LET_THROUGH, is_held_back};
pub use left::unexplained;
pub(in crate::run) use left::{take_down_left, the_one_left};
pub use sessions::Client;

use crate::context::{Context, Phase, Stop};
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::journal::{Stage, Step};
use crate::pg::{self, Session, Sql, Target};
use crate::run::FenceMode;
use crate::run::chronicle::FenceRecord;
use crate::run::driver::{Desk, Scene};
use crate::run::lock::RunLock;
use crate::run::state::Event;

/// What the report says about the fence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FenceReport {
    /// Whether it was up while the migration ran, or would have been.
    pub up: bool,
    /// Sessions of others that were ended when it was put up.
    pub sessions_ended: usize,
    /// The database's own setting of before; none: it had none.
    pub before: Option<String>,
    /// Whether it is down again.
    pub taken_down: bool,
    /// The statement that takes it down by hand, where it still stands.
    pub to_take_down: Option<String>,
}

/// The database's own `default_transaction_read_only`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    database: String,
    value: Option<String>,
    is_on: bool,
}

impl Setting {
    async fn read(session: &Session) -> Result<Self> {
        let row = session
            .query_one(&Sql::constant(include_str!("sql/setting.sql")))
            .await?;
        Ok(Self {
            database: row.string("name")?,
            value: row.opt_string("value")?,
            is_on: row.bool("is_on")?,
        })
    }

    /// The statement that gives the database this value, or none of its own.
    fn statement(database: &str, value: Option<&str>) -> Sql {
        let sql = Sql::constant("ALTER DATABASE ").ident(database);
        match value {
            Some(value) => sql
                .then(" SET default_transaction_read_only TO ")
                .literal(value),
            None => sql.then(" RESET default_transaction_read_only"),
        }
    }
}

/// Puts the fence up, if that was asked for; afterwards `scene` knows about it. If anything fails it
/// is taken down again and the run is refused.
pub(in crate::run) async fn raise(
    desk: &mut Desk<'_>,
    scene: &mut Scene<'_>,
    lock: &RunLock,
) -> Result<Option<FenceRecord>> {
    if scene.options.fence == FenceMode::None {
        return Ok(None);
    }
    let _phase = scene.ctx.phase(Phase::Fence);
    let begun = std::time::Instant::now();
    let foreseen = foresee(&scene.session, &scene.facts).await?;
    if let Some(refusal) = foreseen.refusal() {
        return Err(refusal);
    }
    let setting = Setting::read(&scene.session).await?;
    let mut record = FenceRecord {
        up: true,
        set: match &setting.value {
            Some(value) if setting.is_on => value.clone(),
            _ => "on".to_owned(),
        },
        before: setting.value.clone(),
        ..FenceRecord::default()
    };
    desk.record(Step::Fence, Stage::Intent, &record)?;
    let put_up = put_up(scene, &setting, &mut record).await;
    desk.spend("fence", begun.elapsed());
    let result = put_up.and_then(|()| {
        desk.record(Step::Fence, Stage::Outcome, &record)?;
        desk.to(Event::FenceRaised)
    });
    desk.report.fence = Some(FenceReport {
        up: result.is_ok(),
        sessions_ended: record.sessions_ended,
        before: record.before.clone(),
        taken_down: false,
        to_take_down: None,
    });
    if let Err(error) = result {
        take_down(desk, scene, lock, &record).await;
        return Err(error.narrowed(Kind::Refused));
    }
    scene.set_fenced(Some(record.fenced()));
    Ok(Some(record))
}

async fn put_up(scene: &Scene<'_>, setting: &Setting, record: &mut FenceRecord) -> Result<()> {
    let session = &scene.session;
    if !setting.is_on {
        faults::reach(Point::FenceUp)?;
        session
            .execute(&Setting::statement(&setting.database, Some(&record.set)))
            .await?;
        faults::reach(Point::FenceIsUp)?;
    }
    let renewed = sessions::renew(session, scene.ctx).await?;
    record.sessions_ended = renewed.ended;
    if let Some(stuck) = renewed.refusal(session.target()) {
        return Err(stuck);
    }
    record.since = Some(renewed.since);
    scene.ctx.note(format!(
        "the fence is up: other sessions of {} read only until the end of the run; ended: {}",
        setting.database, renewed.ended
    ));
    Ok(())
}

/// Takes the fence down at the end of a run, whatever came of it, and says so in journal and report.
/// False if it still stands: the report then names the statement that takes it down.
pub(in crate::run) async fn take_down(
    desk: &mut Desk<'_>,
    scene: &mut Scene<'_>,
    lock: &RunLock,
    record: &FenceRecord,
) -> bool {
    let begun = std::time::Instant::now();
    scene.set_fenced(None);
    let intent = FenceRecord {
        up: false,
        ..record.clone()
    };
    desk.record_if_possible(Step::Fence, Stage::Intent, &intent);
    let (target, wait) = (&scene.target, scene.options.wait);
    // With the renaming it was taken off the failed database, and the new one never had it.
    let lowered = match lock.is_swapped() {
        true => Ok(Vec::new()),
        false => lower_somewhere(lock, target, wait, record, scene.ctx).await,
    };
    desk.spend("fence", begun.elapsed());
    let failure = match lowered {
        Ok(warnings) => {
            desk.record_if_possible(Step::Fence, Stage::Outcome, &intent);
            warnings.into_iter().for_each(|line| desk.warn(line));
            None
        }
        Err(error) => Some(still_up(&scene.facts.database, record, &error)),
    };
    let down = failure.is_none();
    if let Some(report) = &mut desk.report.fence {
        report.taken_down = down;
        report.to_take_down = failure
            .as_ref()
            .map(|_| by_hand(&scene.facts.database, record));
    }
    if let Some(failure) = failure {
        desk.warn(failure);
    }
    down
}

/// On the lock's connection, or on a new one if that is lost. Nobody's wish to stop counts here.
async fn lower_somewhere(
    lock: &RunLock,
    target: &Target,
    wait: Duration,
    record: &FenceRecord,
    ctx: &Context,
) -> Result<Vec<String>> {
    let calm = calm(ctx);
    if !lock.session().is_closed()
        && !lock.is_elsewhere()
        && let Ok(warnings) = lower(&lock.session(), record, &calm).await
    {
        return Ok(warnings);
    }
    let session = pg::wait_for(target, wait, &calm).await?;
    let lowered = lower(&session, record, &calm).await;
    session.close().await;
    lowered
}

/// Puts the database's setting back to what it was and ends the sessions that began behind the
/// fence. What a person should know is returned.
pub(in crate::run) async fn lower(
    session: &Session,
    record: &FenceRecord,
    ctx: &Context,
) -> Result<Vec<String>> {
    let setting = Setting::read(session).await?;
    let (set, before) = (Some(&record.set), record.before.as_ref());
    let mut warnings = Vec::new();
    let ours = setting.value.as_ref() == set;
    if ours && set != before {
        let statement = Setting::statement(&setting.database, before.map(String::as_str));
        faults::reach(Point::FenceDown)?;
        session.execute(&statement).await?;
        faults::reach(Point::FenceIsDown)?;
    } else if !ours && setting.value.as_ref() != before {
        warnings.push(format!(
            "default_transaction_read_only of {} was changed to {} while the fence was up; it was left so",
            setting.database,
            setting.value.as_deref().unwrap_or("no value of its own"),
        ));
    }
    // Where the database reads only by its own will, nothing changes for whoever is connected.
    if set != before && (ours || record.since.is_some()) {
        let renewed = sessions::renew(session, ctx).await?;
        warnings.extend(renewed.left_read_only());
        ctx.note(format!(
            "the fence is down; sessions that began behind it were ended: {}",
            renewed.ended
        ));
    }
    Ok(warnings)
}

/// Whether the setting still is the fence's: nobody lifted it for everybody.
pub(in crate::run) async fn stands(session: &Session) -> Result<bool> {
    let Some(fenced) = session.fenced() else {
        return Ok(false);
    };
    Ok(Setting::read(session).await?.value.as_ref() == Some(&fenced.set))
}

/// A context that nobody's wish to stop reaches.
fn calm(ctx: &Context) -> Context {
    Context {
        stop: Stop::never(),
        ..ctx.clone()
    }
}

/// What takes the fence down by hand, also from a session that it holds back: it forbids `ALTER
/// DATABASE` too.
pub(in crate::run) fn by_hand(database: &str, record: &FenceRecord) -> String {
    let statement = Setting::statement(database, record.before.as_deref());
    format!("BEGIN READ WRITE; {}; COMMIT;", statement.text())
}

pub(in crate::run) fn still_up(database: &str, record: &FenceRecord, error: &Error) -> String {
    format!(
        "the fence still stands, other sessions of {database} cannot write: {error}; \
         `pgbelay recover` takes it down, or by hand: {}",
        by_hand(database, record)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_can_take_it_down() {
        let record = |before: Option<&str>| FenceRecord {
            before: before.map(str::to_owned),
            ..FenceRecord::default()
        };
        assert_eq!(
            by_hand("shop", &record(None)),
            "BEGIN READ WRITE; ALTER DATABASE \"shop\" RESET default_transaction_read_only; COMMIT;"
        );
        assert_eq!(
            by_hand("shop", &record(Some("o'ff"))),
            "BEGIN READ WRITE; ALTER DATABASE \"shop\" SET default_transaction_read_only TO 'o''ff'; COMMIT;"
        );
    }
}
