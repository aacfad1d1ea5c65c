//! What refuses a run although the server is in order: a run and `doctor` ask the same functions.

use crate::catalog::VersionTable;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{Session, Target};
use crate::run::chronicle::Plan;
use crate::run::driver::tool::{Prospect, Tool, child_variables};
use crate::run::driver::verification;
use crate::run::preflight::Facts;
use crate::run::{RunOptions, hiding, recover, versions};
use crate::store::Store;

/// All that a run of these options would refuse, besides what [`crate::run::preflight`] finds and
/// besides a tool or store that is not there. `live`: the database, where it can be asked.
pub async fn refusals(
    live: Option<(&Target, &Session)>,
    options: &RunOptions,
    ctx: &Context,
) -> Vec<Error> {
    let mut found = Vec::new();
    found.extend(of_checks(options, ctx).err());
    if let Some((target, session)) = live {
        let restarts = foreseen_restarts(target, session, options, ctx).await;
        found.extend(restarts.err());
    }
    found
}

/// A mistake in the checks is better found before the migration than after it.
pub(super) fn of_checks(options: &RunOptions, ctx: &Context) -> Result<()> {
    verification::checks(options, None, None, ctx).prepare()
}

/// A container that restarts for ever must not fail for ever.
pub(super) fn of_restarts(
    store: &Store,
    facts: &Facts,
    options: &RunOptions,
    plan: &Plan,
) -> Result<()> {
    if options.force || options.max_failures == 0 {
        return Ok(());
    }
    let stories = recover::stories_of(store, facts)?;
    let failures = recover::equal_failures(&stories, plan);
    if failures < options.max_failures {
        return Ok(());
    }
    let last = stories
        .iter()
        .find_map(|story| story.ending.as_ref()?.error.clone());
    Err(Error::refused(format!("run `{}` again", plan.command))
        .because(format!(
            "it failed {failures} times in a row with the same pending revisions; the last time: {}",
            last.unwrap_or_else(|| "no reason is known".to_owned())
        ))
        .now("the database is as it was; nothing was touched")
        .hint("correct the migration (another set of pending revisions starts anew), or --force"))
}

/// What the run's journal says about its intent.
pub(super) fn plan_of(
    target: &Target,
    options: &RunOptions,
    current: &[VersionTable],
    prospect: &Prospect,
) -> Plan {
    // Hidden here already: later runs compare theirs with it.
    let hide = hiding::secrets_of(target);
    Plan {
        command: hide(&options.migration.shown()),
        pending: prospect.ids(),
        from: versions::all(current),
        expected: prospect
            .expected
            .as_ref()
            .map(|heads| heads.iter().cloned().collect()),
        checks: options.check_names(),
    }
}

async fn foreseen_restarts(
    target: &Target,
    session: &Session,
    options: &RunOptions,
    ctx: &Context,
) -> Result<()> {
    // Whoever asks says by himself that the tool or its scripts are not in order.
    let Ok(tool) = Tool::find(&options.migration, ctx) else {
        return Ok(());
    };
    let Some(store) = Store::existing(&options.store)? else {
        return Ok(());
    };
    let current = versions::read(session).await?;
    let variables = child_variables(target, options, ctx);
    match tool.prospect(&current, &variables, ctx).await {
        Ok(prospect) if !prospect.is_nothing() => {
            let plan = plan_of(target, options, &current, &prospect);
            of_restarts(&store, &Facts::read(session).await?, options, &plan)
        }
        _ => Ok(()),
    }
}
