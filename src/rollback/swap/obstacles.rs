//! What a swap could not do, or what would not follow it: found before anything is made.

use std::io;

use super::record;
use crate::archive::Manifest;
use crate::catalog::Kind as EntryKind;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::pg::{Row, Session, Sql};
use crate::rollback::Scene;

/// Databases that tools connect to when they need some database; the first that can be reached is ours, too.
pub(super) const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// Classes of SQLSTATE whose reason a swap would meet as well: the connection, rows that a constraint refuses, the operator,
/// the system.
const MEETS_TOO: [&str; 4] = ["08", "23", "57", "58"];

/// What stands in the way of swapping the database that `session` is connected to; empty if nothing does. `manifest` is
/// that of the archive that it would be made from, where there is one already.
///
/// # Errors
/// Of the server.
pub async fn swap_obstacles(
    session: &Session,
    manifest: Option<&Manifest>,
    ctx: &Context,
) -> Result<Vec<String>> {
    let row = session
        .query_one(&Sql::constant(include_str!("sql/obstacles.sql")))
        .await?;
    let name = row.text("name")?;
    let mut found = of_rights(&row)?;
    found.extend(of_name(name, ctx));
    found.extend(of_what_hangs_on_it(&row)?);
    if let Some(manifest) = manifest {
        found.extend(of_archive(manifest));
    }
    Ok(found)
}

/// Refuses a swap that something stands in the way of.
pub(in crate::rollback) async fn require_none(
    session: &Session,
    manifest: &Manifest,
    ctx: &Context,
) -> Result<()> {
    let found = swap_obstacles(session, Some(manifest), ctx).await?;
    refusal(session, &found).map_or(Ok(()), Err)
}

/// The refusal for these obstacles; none of none.
pub(super) fn refusal(session: &Session, obstacles: &[String]) -> Option<Error> {
    if obstacles.is_empty() {
        return None;
    }
    Some(
        Error::refused(format!(
            "put another database in the place of {}",
            session.target()
        ))
        .because(obstacles.join("; "))
        .now("nothing was changed")
        .hint("`--strategy rebuild` makes every object again in the database as it stands"),
    )
}

/// Adds to the error of a rebuild that a swap could do, where it could: nothing stands in its way, and the reason was not one
/// that it would meet as well.
pub(in crate::rollback) async fn named_as_next(scene: &Scene<'_>, error: Error) -> Error {
    let code = error.sqlstate().unwrap_or_default();
    let would_meet_it = code == "53100" || MEETS_TOO.iter().any(|class| code.starts_with(class));
    // Files: a person who is told to make room is not told something else as well.
    let is_of_files =
        std::error::Error::source(&error).is_some_and(|source| source.is::<io::Error>());
    let would_meet_it = would_meet_it || is_of_files;
    if error.kind() != Kind::InDoubt || would_meet_it || scene.session.is_closed() {
        return error;
    }
    let manifest = Some(scene.reader.manifest());
    // A question that fails is no reason to lose the error.
    match swap_obstacles(scene.session, manifest, scene.ctx).await {
        Ok(obstacles) if obstacles.is_empty() => error.hint(
            "a new database could take this one's place, which needs nothing in it to be changed: \
             `pgbelay rollback --strategy swap`",
        ),
        _ => error,
    }
}

fn of_rights(row: &Row) -> Result<Vec<String>> {
    let role = row.text("role")?;
    let mut found = Vec::new();
    if !row.bool("may_create")? {
        found.push(format!(
            "the role {role} may not create databases (CREATEDB)"
        ));
    }
    if !row.bool("owns")? {
        found.push(format!(
            "the database belongs to {}, and {role} does not act as that role",
            row.text("owner")?
        ));
    }
    Ok(found)
}

fn of_name(name: &str, ctx: &Context) -> Option<String> {
    if MAINTENANCE.contains(&name) {
        return Some(format!(
            "{name} is the database that renaming others needs a connection to"
        ));
    }
    if record::failed_name(name, ctx.now()).is_none() {
        return Some(format!(
            "the name of the failed database, {name}_failed_ and a stamp, would be longer than the server's 63 bytes"
        ));
    }
    None
}

/// All of it is known by the database's OID or holds sessions in it.
fn of_what_hangs_on_it(row: &Row) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let slots: Vec<String> = row.json("slots")?;
    if !slots.is_empty() {
        let publications: Vec<String> = row.json("publications")?;
        let through = match publications.is_empty() {
            true => String::new(),
            false => format!(", whose consumers read {}", publications.join(", ")),
        };
        found.push(format!(
            "replication slots of this database would stay with the failed one: {}{through}",
            slots.join(", ")
        ));
    }
    let subscriptions: Vec<String> = row.json("subscriptions")?;
    if !subscriptions.is_empty() {
        found.push(format!(
            "subscriptions would stay with the failed database: {}",
            subscriptions.join(", ")
        ));
    }
    let prepared: Vec<String> = row.json("prepared")?;
    if !prepared.is_empty() {
        found.push(format!(
            "prepared transactions keep the database from being renamed: {}",
            prepared.join(", ")
        ));
    }
    if row.bool("is_template")? {
        found.push("the database is a template, from which others are made".to_owned());
    }
    Ok(found)
}

fn of_archive(manifest: &Manifest) -> Vec<String> {
    let mut found = Vec::new();
    let subscriptions: Vec<&str> = manifest
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Subscription.name())
        .map(|entry| entry.identity.as_str())
        .collect();
    if !subscriptions.is_empty() {
        found.push(format!(
            "the archive would make these anew, without their slots: {}",
            subscriptions.join(", ")
        ));
    }
    let template = manifest.database.properties.get("is_template");
    if template.is_some_and(|flag| flag == "t") {
        found.push("the archive's database was a template".to_owned());
    }
    found
}
