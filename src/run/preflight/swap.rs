//! `--strategy swap`: whether another database could take this one's place, and failed databases that swaps have kept.

use super::Finding;
use crate::context::Context;
use crate::error::Result;
use crate::pg::{Session, Target};
use crate::rollback;

/// What would refuse a swap of this database.
///
/// # Errors
/// Of the server.
pub async fn of_swap(session: &Session, target: &Target, ctx: &Context) -> Result<Vec<Finding>> {
    let obstacles = rollback::swap_obstacles(session, None, ctx).await?;
    let cure = "choose another --strategy, or remove what stands in the way";
    let obstacles = obstacles.into_iter();
    let mut findings: Vec<Finding> = obstacles
        .map(|why| Finding::refuse("--strategy swap", why).cured_by(cure))
        .collect();
    match rollback::maintenance(target, ctx).await {
        Ok(keeper) => keeper.close().await,
        Err(error) => findings.push(Finding::of_error(&error)),
    }
    Ok(findings)
}

/// Failed databases that swaps of this one have kept.
///
/// # Errors
/// Of the server.
pub async fn kept_by_swaps(session: &Session) -> Result<Vec<Finding>> {
    let kept = rollback::kept_databases(session).await?;
    let kept = kept.into_iter();
    Ok(kept
        .map(|kept| {
            let why = "a rollback kept what a failed migration had left; it takes space until it is dropped";
            Finding::warn(format!("database {}", kept.name), why)
                .cured_by(format!("to drop it: {}", kept.to_drop))
        })
        .collect())
}
