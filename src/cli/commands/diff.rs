//! `pgbelay diff`: two states, each an archive or a database; exit 8 when they differ.

use std::path::Path;

use serde_json::json;

use crate::archive::{Manifest, Reader};
use crate::catalog::{AcceptedLosses, Locking, loss_of_label};
use crate::cli::app::App;
use crate::cli::args::DiffArguments;
use crate::cli::render::{Row, units};
use crate::cli::report::Done;
use crate::cli::settings;
use crate::compare::{Change, Cluster, Difference, OutsideChange, State, compare};
use crate::context::Phase;
use crate::error::Result;
use crate::pg::Target;
use crate::restore;

/// What a side of the comparison is.
enum Side {
    Archive(Box<Reader>),
    Database(Box<Target>),
}

/// Compares them.
pub(super) async fn execute(app: &App, arguments: &DiffArguments) -> Result<Done> {
    let before = side(app, Some(&arguments.before))?;
    let after = side(app, arguments.after.as_deref())?;
    // Digests compare only when both sides read a table's columns in the same order.
    let reference = manifest_of(&before).or_else(|| manifest_of(&after));
    let locking = Locking::tables(arguments.reading.table_lock_wait);
    let before_state = state(app, &before, reference, locking).await?;
    let after_state = state(app, &after, reference, locking).await?;
    let mut difference = compare(&before_state, &after_state);
    let accepted = settings::accepted_losses(&arguments.losses);
    let not_held = match before {
        Side::Archive(_) => set_aside_not_held(&mut difference, &accepted),
        Side::Database(_) => Vec::new(),
    };
    let done = told(
        &shown(&before),
        &shown(&after),
        &difference,
        &after_state,
        &accepted,
    );
    Ok(with_not_held(done, &not_held))
}

/// What an archive names and does not hold, by consent, cannot be in a faithful copy of it (docs/losses.md): no
/// difference for whoever accepts such a loss.
fn set_aside_not_held(difference: &mut Difference, accepted: &AcceptedLosses) -> Vec<String> {
    let is_lost = |change: &mut Change| {
        change.after.is_none() && accepted.accepts(loss_of_label(&change.name))
    };
    let lost = difference.uncovered.extract_if(.., is_lost);
    lost.map(|change| change.name).collect()
}

/// Still named: it is not there.
fn with_not_held(mut done: Done, not_held: &[String]) -> Done {
    if !not_held.is_empty() {
        done.rows.push(Row::new("NOT HELD", not_held.join("\n")));
        done = done.member("not_held", not_held.to_vec());
    }
    done
}

fn side(app: &App, given: Option<&str>) -> Result<Side> {
    let database = |target: Target| Side::Database(Box::new(target));
    match given {
        None => Ok(database(app.resolve()?.target)),
        Some(name) if name.starts_with("db:") => Ok(database(
            app.resolve()?.target.with_database(&name["db:".len()..]),
        )),
        Some(url) if url.contains("://") => {
            Ok(database(app.resolve_url(Some(url.to_owned()))?.target))
        }
        Some(path) => {
            let reader = app.open_archive(Path::new(path))?;
            reader.require_whole("compare a database with")?;
            Ok(Side::Archive(Box::new(reader)))
        }
    }
}

fn manifest_of(side: &Side) -> Option<&Manifest> {
    match side {
        Side::Archive(reader) => Some(reader.manifest()),
        Side::Database(_) => None,
    }
}

fn shown(side: &Side) -> String {
    match side {
        Side::Archive(reader) => reader.path().display().to_string(),
        Side::Database(target) => target.masked(),
    }
}

async fn state(
    app: &App,
    side: &Side,
    reference: Option<&Manifest>,
    locking: Locking,
) -> Result<State> {
    let target = match side {
        // The manifest has the digests of the rows; whether the rows are there still it cannot know.
        Side::Archive(reader) => {
            restore::require_undamaged(reader, &app.ctx).await?;
            return State::of_archive(reader);
        }
        Side::Database(target) => target,
    };
    let session = app.connect(target).await?;
    let _phase = app.ctx.phase(Phase::Compare);
    let mut state = State::of_live(&session, reference, locking, &app.ctx).await;
    if let Ok(state) = &mut state {
        // Only told: whoever cannot read it still gets the difference.
        state.cluster = Cluster::read(&session).await.ok();
    }
    session.close().await;
    state
}

fn told(
    before: &str,
    after: &str,
    difference: &Difference,
    state: &State,
    accepted: &AcceptedLosses,
) -> Done {
    let lines = difference.lines();
    let mut rows = vec![Row::new("from", before), Row::new("to", after)];
    let outside: Vec<String> = difference.outside.iter().map(OutsideChange::line).collect();
    if !outside.is_empty() {
        rows.push(Row::new("outside", outside.join("\n")));
    }
    let done = |last_line: String| {
        Done::with_rows(last_line, rows.clone())
            .member("before", before)
            .member("after", after)
            .member("difference", json!(difference))
            .member("differences", lines.clone())
            .member("known_by_name_only", state.uncovered.clone())
    };
    if !difference.is_empty() {
        let text = units::plural(number(difference), "difference", "differences");
        return done(format!("Different: {text}."))
            .printing(lines.join("\n") + "\n")
            .difference();
    }
    if difference.rows_not_compared {
        return done("Definitions are equal; rows could NOT be compared.".to_owned()).difference();
    }
    let named = state.uncovered.iter();
    let refused: Vec<String> = named
        .filter(|label| !accepted.accepts(loss_of_label(label)))
        .map(|label| format!("{label}: known by name only"))
        .collect();
    if !refused.is_empty() {
        let count = units::plural(units::how_many(refused.len()), "object", "objects");
        return done(format!(
            "Equal but for {count} that could NOT be compared (--accept-loss)."
        ))
        .printing(refused.join("\n") + "\n")
        .difference();
    }
    let by_name = match units::how_many(state.uncovered.len()) {
        0 => String::new(),
        count => format!(
            "; {} known by name only",
            units::plural(count, "object", "objects")
        ),
    };
    done(format!(
        "Equal: {}, {} in {}{by_name}.",
        units::plural(
            units::how_many(state.entries.len()),
            "definition",
            "definitions"
        ),
        units::plural(state.row_count(), "row", "rows"),
        units::plural(units::how_many(state.tables.len()), "table", "tables")
    ))
}

/// Things that differ; a definition's lines count once.
pub(super) fn number(difference: &Difference) -> u64 {
    let parts = [
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len(),
        difference.tables.len(),
        difference.sequences.len(),
        difference.large_objects.len(),
        difference.version_tables.len(),
        difference.extensions.len(),
        difference.properties.len(),
        difference.uncovered.len(),
    ];
    parts.into_iter().map(units::how_many).sum()
}
