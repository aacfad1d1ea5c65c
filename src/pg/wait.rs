//! Waiting for a server: back-off while it may still come up, an end at once where it cannot help.

use std::time::{Duration, Instant};

use super::connect::{CONNECT_TIMEOUT, open_any, pin};
use super::diagnosis::{Failure, Pending};
use super::pooler;
use super::purpose::Purpose;
use super::session::Session;
use super::target::Target;
use crate::context::Context;
use crate::error::{Error, Kind, Result};

/// First pause between attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest pause: a server that came up is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// While waiting one attempt may always take this long.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

/// Connects as soon as the server lets us, at most `wait` long, rules out a transaction pooler and
/// pins the settings. A wrong password, a missing database and everything else that time does not
/// cure fails at once. Whatever fails here is [`Kind::Refused`]: nothing was touched.
pub async fn wait_for(target: &Target, wait: Duration, ctx: &Context) -> Result<Session> {
    let mut session = open_in_time(target, wait, ctx).await?;
    let prepare = async {
        let pooled = pooler::refuse(&session, target, ctx).await?;
        pin(&session).await.map_err(refused)?;
        Ok(pooled)
    };
    let attempted = format!("wait for {}", target.servers());
    let pooled = ctx.stop.or_stop(&attempted, prepare).await?;
    session.set_pooled(pooled);
    Ok(session)
}

async fn open_in_time(target: &Target, wait: Duration, ctx: &Context) -> Result<Session> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut announced = None;
    loop {
        let left = wait.saturating_sub(started.elapsed());
        let limit = attempt_limit(target, wait, left);
        let opened = tokio::select! {
            opened = open_any(target, Purpose::Connect, limit, ctx) => opened,
            signal = ctx.stop.wait() => return Err(interrupted(target, signal)),
        };
        let failure = match opened {
            Ok(session) => return Ok(session),
            Err(failure) => failure,
        };
        let left = wait.saturating_sub(started.elapsed());
        let Some(pending) = failure.pending.filter(|_| !left.is_zero()) else {
            return Err(given_up(failure, wait));
        };
        announce(target, left, pending, &mut announced, ctx);
        tokio::select! {
            () = tokio::time::sleep(pause.min(left)) => {}
            signal = ctx.stop.wait() => return Err(interrupted(target, signal)),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// An attempt ends with the wait, but is never too short to succeed.
fn attempt_limit(target: &Target, wait: Duration, left: Duration) -> Duration {
    let limit = target.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
    match wait.is_zero() {
        true => limit,
        false => limit.min(left.max(SHORTEST_ATTEMPT)),
    }
}

/// One note for each reason to wait, not one for each attempt.
fn announce(
    target: &Target,
    left: Duration,
    pending: Pending,
    announced: &mut Option<Pending>,
    ctx: &Context,
) {
    if announced.replace(pending) != Some(pending) {
        ctx.note(format!(
            "waiting for {} (up to {:.0} s): {}",
            target.servers(),
            left.as_secs_f64(),
            pending.shown()
        ));
    }
}

fn given_up(failure: Failure, wait: Duration) -> Error {
    let pending = failure.pending.is_some();
    let error = refused(failure.error);
    if !pending {
        return error;
    }
    let reason = error.reason().unwrap_or_default();
    match wait.is_zero() {
        true => error.hint("--wait 60s waits for a server that is still starting"),
        false => error.because(format!("{reason} (waited {:.0} s)", wait.as_secs_f64())),
    }
}

/// Nothing was touched yet; a setting that is wrong keeps its own kind.
fn refused(error: Error) -> Error {
    error.narrowed(Kind::Refused).now("nothing was touched")
}

fn interrupted(target: &Target, signal: i32) -> Error {
    Error::new(
        Kind::Interrupted(signal),
        format!("wait for {}", target.servers()),
    )
    .because(format!("interrupted by signal {signal}"))
    .now("nothing was touched")
}
