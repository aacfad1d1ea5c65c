//! The live side: server, role, revision, and what preflight finds.

use super::Findings;
use crate::catalog::{self, Catalog, VersionTable};
use crate::cli::app::App;
use crate::cli::render::units;
use crate::drill;
use crate::error::{Kind, Result};
use crate::pg::settings::Resolved;
use crate::pg::{self, Session, Target};
use crate::run::preflight::{self, Facts, Finding};
use crate::run::{self, FenceMode, RunOptions, fence};
use crate::store::Store;

/// What the other parts need to know of the server.
#[derive(Default)]
pub(super) struct Live {
    /// Version rows, when the database could be asked.
    pub revisions: Option<Vec<String>>,
}

/// Asks the server; one attempt, no waiting.
pub(super) async fn examine(
    app: &App,
    resolved: &Resolved,
    options: &RunOptions,
    findings: &mut Findings,
) -> Live {
    findings.section("Server");
    let session = match pg::connect(&resolved.target, pg::Purpose::Doctor, &app.ctx).await {
        Ok(session) => session,
        Err(error) => {
            findings.row(
                "connection",
                format!("FAILED: {}", error.reason().unwrap_or_default()),
            );
            findings.refused(&error.narrowed(Kind::Refused), &resolved.provenance);
            refusals(app, None, options, findings).await;
            return Live::default();
        }
    };
    let mut live = Live::default();
    if let Err(error) = ask(app, &session, options, findings, &mut live).await {
        findings.refused(&error, &resolved.provenance);
    }
    let asked = Some((&resolved.target, &session));
    refusals(app, asked, options, findings).await;
    session.close().await;
    // A pooler would answer everything above and break the run's lock all the same.
    if let Err(error) = between(app, &resolved.target, options, findings).await {
        findings.refused(&error.narrowed(Kind::Refused), &resolved.provenance);
    }
    live
}

async fn between(
    app: &App,
    target: &Target,
    options: &RunOptions,
    findings: &mut Findings,
) -> Result<()> {
    let pooled = pg::detect_pooler(target, &app.ctx).await?;
    let found = preflight::of_pooler(pooled, target, options, &app.ctx).await?;
    findings.findings.extend(found.findings);
    Ok(())
}

/// What refuses a run although the server is in order.
async fn refusals(
    app: &App,
    live: Option<(&Target, &Session)>,
    options: &RunOptions,
    findings: &mut Findings,
) {
    for error in run::refusals(live, options, &app.ctx).await {
        findings.refused(&error.narrowed(Kind::Refused), &[]);
    }
}

async fn ask(
    app: &App,
    session: &Session,
    options: &RunOptions,
    findings: &mut Findings,
    live: &mut Live,
) -> Result<()> {
    findings.row("version", format!("PostgreSQL {}", session.version().text));
    preflight::check_server_major(session, app.settings.allow_unknown_server)?;
    let facts = Facts::read(session).await?;
    findings.row("database", database(&facts));
    findings.row("role", format!("{}: {}", facts.role, facts.rights()));
    if !facts.member_of.is_empty() {
        findings.row("member of", facts.member_of.join(", "));
    }
    let tables = catalog::read_version_tables(session).await?;
    findings.row("revision", revision(&tables));
    live.revisions = Some(
        tables
            .iter()
            .flat_map(|table| table.revisions.clone())
            .collect(),
    );
    let store = &app.settings.store;
    let store = store.is_dir().then(|| Store::open(store)).transpose()?;
    let free = store.as_ref().and_then(|store| store.free_bytes().ok());
    // A journal that cannot be read is named with the store.
    if let Some(store) = &store
        && let Ok(Some(refusal)) = run::left_to_a_person(store, &facts)
    {
        findings.refused(&refusal, &[]);
    }
    let strange = fence::unexplained(session, store.as_ref(), &facts).await?;
    findings.findings.extend(strange);
    findings.findings.extend(left_by_drills(session).await?);
    findings
        .findings
        .extend(preflight::kept_by_swaps(session).await?);
    let foreseen = fence::foresee(session, &facts).await?;
    findings.row("fence", foreseen.line());
    if options.fence == FenceMode::Writes {
        findings.findings.extend(foreseen.findings);
        findings
            .findings
            .extend(fence::of_driver(options.dialect.as_deref()));
    }
    let means = preflight::Means {
        free_bytes: free,
        accepted: &options.accept_losses,
        table_lock_wait: options.table_lock_wait,
    };
    let examined = preflight::examine(session, facts, means, &app.ctx).await?;
    findings.findings.extend(examined.findings);
    content(&examined.catalog, findings);
    Ok(())
}

/// Scratch databases that drills left on this server.
async fn left_by_drills(session: &Session) -> Result<Vec<Finding>> {
    let left = drill::leftovers(session).await?;
    let found = left.into_iter().map(|one| {
        Finding::warn(format!("database {}", one.name), one.why)
            .cured_by(format!("to drop it: {}", one.command))
    });
    Ok(found.collect())
}

/// How much there is.
fn content(catalog: &Catalog, findings: &mut Findings) {
    let entries = units::how_many(catalog.entries.len());
    let tables = units::how_many(catalog.tables.len());
    let definitions = units::plural(entries, "definition", "definitions");
    findings.row(
        "content",
        format!(
            "{definitions}, {}",
            units::plural(tables, "table", "tables")
        ),
    );
}

fn database(facts: &Facts) -> String {
    format!(
        "{}, {}, {}, owned by {}",
        facts.database,
        units::bytes(facts.size_bytes),
        facts.encoding,
        facts.owner
    )
}

fn revision(tables: &[VersionTable]) -> String {
    if tables.is_empty() {
        return "none: no version table yet".to_owned();
    }
    let lines = tables.iter().map(|table| {
        let revisions = match table.revisions.as_slice() {
            [] => "empty".to_owned(),
            revisions => revisions.join(", "),
        };
        format!("{revisions} in {}.{}", table.schema, table.name)
    });
    lines.collect::<Vec<_>>().join("\n")
}
