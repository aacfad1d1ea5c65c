//! What the connected role could not do in a rollback, or in a restore of a backup.

use super::finding::Finding;
use crate::catalog::{AcceptedLosses, Catalog, Loss, Made, Objection, Rights};
use crate::error::Result;
use crate::pg::Session;
use crate::rollback;

/// What a rollback with this role would fail at (spec §5.2), and extensions that stay only as long
/// as the migration leaves them alone.
pub(super) async fn of_rollback(
    session: &Session,
    catalog: &Catalog,
    accepted: &AcceptedLosses,
) -> Result<Vec<Finding>> {
    let rights = Rights::of(session).await?;
    let found = rollback::objections(catalog, &rights);
    let accepted = accepted.accepts(Loss::Rights);
    let findings = found.into_iter().map(|one| finding(one, accepted));
    let mut findings: Vec<Finding> = findings.collect();
    findings.extend(at_risk(session, catalog, &rights).await?);
    Ok(findings)
}

fn finding(objection: Objection, accepted: bool) -> Finding {
    let why = format!("{}: a rollback could not put it back", objection.why);
    let finding = if accepted {
        let why = format!("{why}, and would fail; accepted by --accept-loss");
        Finding::warn(objection.what, why)
    } else {
        Finding::refuse(objection.what, why)
    };
    finding.cured_by(objection.cure)
}

/// What this role could not make again in another database: the archive holds it all the same.
pub async fn of_restore(session: &Session, catalog: &Catalog) -> Result<Vec<Finding>> {
    let rights = Rights::of(session).await?;
    let made = catalog.entries.iter().map(|entry| Made {
        identity: &entry.identity,
        kind: entry.kind.name(),
        schema: entry.schema.as_deref(),
        owner: entry.owner.as_deref(),
    });
    let made = made.filter(|made| made.identity != "schema public");
    let found = rights.objections(made, &catalog.needs);
    let warnings = found.into_iter().map(|objection| {
        let why = format!(
            "{}: the archive holds it, but {} could not restore it",
            objection.why, rights.role
        );
        Finding::warn(objection.what, why).cured_by(objection.cure)
    });
    Ok(warnings.collect())
}

/// Extensions that the role could not install again.
async fn at_risk(session: &Session, catalog: &Catalog, rights: &Rights) -> Result<Vec<Finding>> {
    if rights.superuser || catalog.extensions.is_empty() {
        return Ok(Vec::new());
    }
    let installable = rights.installable(session).await?;
    let lost = catalog.extensions.iter().filter(|extension| {
        let version = (extension.name.clone(), extension.version.clone());
        !installable.contains(&version)
    });
    let warnings = lost.map(|extension| {
        Finding::warn(
            format!("extension {}", extension.name),
            "this role could not install it again: if the migration drops it, or the schema it \
             is in, a rollback fails",
        )
    });
    Ok(warnings.collect())
}
