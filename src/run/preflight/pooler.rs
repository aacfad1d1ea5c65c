//! What a pooler in session mode means for a run: what the migration leaves in the pool, and whether `PGOPTIONS` arrives.

use super::Finding;
use crate::context::Context;
use crate::error::Result;
use crate::pg::{self, StartupOptions, Target};
use crate::run::{FenceMode, Migration, RunOptions};

const DIRECTLY: &str = "connect to PostgreSQL itself (its own host and port)";

/// What is in between.
#[derive(Debug, Default)]
pub struct Between {
    /// What refuses a run or deserves attention.
    pub findings: Vec<Finding>,
    /// Whether whoever connects with startup options is let in.
    pub refuses_options: bool,
}

/// Tries what the migration's own sessions will do. `pooled`: whether a pooler is known to be there.
///
/// # Errors
/// Of the server.
pub async fn of_pooler(
    pooled: bool,
    target: &Target,
    options: &RunOptions,
    ctx: &Context,
) -> Result<Between> {
    let mut between = Between::default();
    // The sessions of SQL files are our own, which are ended, and set what they need.
    if matches!(options.migration, Migration::Sql(_)) {
        return Ok(between);
    }
    if pooled {
        between.findings.push(leftovers());
    }
    let mut settings = Vec::new();
    if !options.lock_timeout.is_zero() {
        // No server and no role has this value by itself.
        settings.push(("lock_timeout", "4321ms"));
    }
    if options.fence == FenceMode::Writes {
        settings.push(("default_transaction_read_only", "on"));
    }
    if settings.is_empty() {
        return Ok(between);
    }
    let found = pg::try_startup_options(target, &settings, ctx).await?;
    between.refuses_options = found == StartupOptions::Refused;
    between.findings.extend(of_options(found, options));
    Ok(between)
}

/// Between two looks somebody else may have been lent the same server process, so nobody can tell whose work it did last.
fn leftovers() -> Finding {
    Finding::warn(
        "connection pooler",
        "it keeps the server's sessions of the migration when that disconnects, and nobody can tell them from those of its \
         other clients: a rollback that is needed will be withheld (exit 6)",
    )
    .cured_by(DIRECTLY)
}

fn of_options(found: StartupOptions, options: &RunOptions) -> Option<Finding> {
    let does = match found {
        StartupOptions::Arrive => return None,
        StartupOptions::Dropped => "drops",
        StartupOptions::Refused => "refuses",
    };
    if options.fence == FenceMode::Writes {
        let why = format!(
            "a pooler {does} startup options (PGOPTIONS), by which the migration is let through the fence"
        );
        return Some(Finding::refuse("--fence writes", why).cured_by(DIRECTLY));
    }
    let limit = options.lock_timeout.as_secs_f64();
    let without = format!(
        "a pooler {does} startup options (PGOPTIONS): the migration would wait for locks longer than --lock-timeout {limit} s, without end"
    );
    // Whoever wants another value than the usual one relies on it.
    let is_asked_for = options.lock_timeout != RunOptions::DEFAULT_LOCK_TIMEOUT;
    let finding = match found == StartupOptions::Refused && is_asked_for {
        true => Finding::refuse("connection pooler", without),
        false => Finding::warn("connection pooler", without),
    };
    Some(finding.cured_by(match found {
        StartupOptions::Refused => {
            "connect to PostgreSQL itself, or give the migration its own lock_timeout, and run with --lock-timeout 0; PgBouncer \
             takes options with ignore_startup_parameters = extra_float_digits,options in pgbouncer.ini, and then drops them"
        }
        _ => "connect to PostgreSQL itself, or let the migration set lock_timeout by itself",
    }))
}
