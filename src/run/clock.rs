//! A clock that never is behind what lies in the store.
//!
//! Which journal is the newest decides what recovery does, and which archive is the newest what a rollback goes back to; both
//! are told by their stamps. A machine whose clock was set back would write a journal that seems to be older than one that has ended.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::context::{Clock, Context};

/// Begins every file's name in a store.
const STAMP: &str = "%Y%m%d_%H%M%S";
/// Its length: 20261122_055309.
const STAMP_LENGTH: usize = 15;

/// Another one, moved on.
struct Ahead {
    clock: Arc<dyn Clock>,
    by: TimeDelta,
}

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now() + self.by
    }
}

/// The context with a clock that is later than every file of the store; the same one where that is so anyway.
pub fn after_all(ctx: &Context, store: &Path) -> Context {
    let mut ctx = ctx.clone();
    let now = ctx.now();
    // A stamp of this very second was made by a process that still runs, or has just ended.
    let Some(newest) = newest_stamp(store).filter(|newest| *newest > now) else {
        return ctx;
    };
    let by = newest - now + TimeDelta::seconds(1);
    ctx.warn(format!(
        "the clock of this machine says {}, but {} holds files of {}: it was set back; new files are stamped after those",
        now.format("%Y-%m-%d %H:%M:%S"),
        store.display(),
        newest.format("%Y-%m-%d %H:%M:%S"),
    ));
    ctx.clock = Arc::new(Ahead {
        clock: ctx.clock.clone(),
        by,
    });
    ctx
}

/// None for a store that is not there or holds nothing of ours; whoever opens it says what is wrong with it.
fn newest_stamp(store: &Path) -> Option<DateTime<Utc>> {
    let entries = std::fs::read_dir(store).ok()?.flatten();
    let stamps = entries.filter_map(|entry| stamp_of(entry.file_name().to_str()?));
    stamps.max()
}

fn stamp_of(name: &str) -> Option<DateTime<Utc>> {
    let (stamp, rest) = name.split_at_checked(STAMP_LENGTH)?;
    rest.starts_with('_').then_some(())?;
    let stamp = NaiveDateTime::parse_from_str(stamp, STAMP).ok()?;
    Some(stamp.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Environment, SessionCount, SilentMonitor, Stop};

    struct Fixed(DateTime<Utc>);

    impl Clock for Fixed {
        fn now(&self) -> DateTime<Utc> {
            self.0
        }
    }

    #[test]
    fn only_a_clock_that_is_behind_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "20261122_055309_shop_b2.sql.gz",
            "20261122_045309_shop_x.journal",
            "20300101_notes",
            "99999999_999999_x",
        ] {
            crate::durable::write_whole(&directory.path().join(name), b"").unwrap();
        }
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let seen = |now: &str| {
            let ctx = Context {
                clock: Arc::new(Fixed(at(now))),
                monitor: Arc::new(SilentMonitor),
                stop: Stop::never(),
                run_id: "x".to_owned(),
                environment: Arc::new(Environment::default()),
                sessions: SessionCount::default(),
            };
            after_all(&ctx, directory.path()).now()
        };
        assert_eq!(seen("2026-11-22T05:53:09.5Z"), at("2026-11-22T05:53:09.5Z"));
        assert_eq!(seen("2026-11-22T03:00:00Z"), at("2026-11-22T05:53:10Z"));
    }
}
