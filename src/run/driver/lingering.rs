//! Sessions that may be the migration's own although they do not have its name: a tool may give them another one, and when
//! it is killed its statement goes on in the server, and commits (P8).
//!
//! By a guess nobody's session is ended. What was at work when the tool was stopped is waited for; nothing is called proven
//! while one of these goes on. Whoever begins something new meanwhile lives, and is somebody else.

use std::time::{Duration, Instant};

use crate::compare::counted;
use crate::context::Context;
use crate::error::Result;
use crate::pg::Session;
use crate::run::OtherWriter;
use crate::run::driver::judge::Verdict;
use crate::run::driver::withheld::Plight;
use crate::run::sightings::{self, Window};

/// How long they are waited for.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits for them; the verdict if one stays.
pub(super) async fn wait(
    session: &Session,
    window: &Window,
    ctx: &Context,
) -> Result<Option<Verdict>> {
    let begun = Instant::now();
    let stopped = sightings::server_time(session).await?.now;
    let mut told = false;
    loop {
        let sightings = sightings::sight(session).await?;
        let at_work = sightings::at_work_since_before(window, &sightings, stopped);
        let Some(first) = at_work.first() else {
            return Ok(None);
        };
        if begun.elapsed() > END_WITHIN {
            return Ok(Some(withheld(at_work)));
        }
        if !std::mem::replace(&mut told, true) {
            ctx.note(format!(
                "waiting for up to {} s for what may be the migration's own: {}",
                END_WITHIN.as_secs(),
                first.line()
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn withheld(at_work: Vec<OtherWriter>) -> Verdict {
    let sessions = counted(at_work.len() as u64, "session is", "sessions are");
    let first = at_work.first().map_or_else(String::new, OtherWriter::line);
    Verdict::Withheld {
        why: format!(
            "no session had the name that the migration was given, and {sessions} still at work that may be its own: {first}"
        ),
        writers: at_work,
        plight: Plight::StillAtWork,
    }
}
