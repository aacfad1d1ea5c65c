//! An unfinished journal of a database of the same name that is not this one: it was dropped and made again since.
//! Nothing in it can be finished, and nobody but the operator knows whether what is there now is what should be.

use crate::error::{Error, Result};
use crate::journal::{Header, Journal};
use crate::run::chronicle::Story;
use crate::run::recover::{Action, Place, decide};

/// Refuses to go on where the newest that the store knows of this name is an unfinished run of another database; a later
/// journal of this database, or `--force`, says that somebody looked.
///
/// # Errors
/// [`crate::error::Kind::Refused`].
pub(super) fn refuse_if_made_again(place: &Place<'_>) -> Result<()> {
    if place.options.force {
        return Ok(());
    }
    for file in place.store.journals()?.into_iter().rev() {
        // What cannot be read is met, and named, where the newest journal is looked for.
        let Ok(story) = Journal::read(&file.path).and_then(|records| Story::of(&records)) else {
            continue;
        };
        let Some(header) = &story.header else {
            continue;
        };
        if header.database != place.facts.database || !same_server(place, header) {
            continue;
        }
        if header.database_oid == place.facts.database_oid {
            return Ok(());
        }
        let action = decide(&story)?;
        let unfinished = !matches!(&action, Action::Nothing | Action::StartAfresh);
        return match unfinished && !swapped_to(place, &story) {
            true => Err(refusal(place, &file.path, header, &story, &action)),
            false => Ok(()),
        };
    }
    Ok(())
}

/// A role that may not read the system identifier knows the server by its address only.
fn same_server(place: &Place<'_>, header: &Header) -> bool {
    header.system_identifier == place.facts.system_identifier
        && (!header.system_identifier.is_empty() || header.host == place.target.servers())
}

/// Whether this database is the one that the run's own swap put there.
fn swapped_to(place: &Place<'_>, story: &Story) -> bool {
    story.swapped_in() == Some(place.facts.database_oid)
}

fn refusal(
    place: &Place<'_>,
    path: &std::path::Path,
    header: &Header,
    story: &Story,
    action: &Action,
) -> Error {
    let ended = match action {
        Action::Withheld => "its rollback was withheld",
        Action::InDoubt => "it ended in doubt",
        _ => "it was interrupted",
    };
    let error = Error::refused(format!("go on after the run {}", header.run_id))
        .because(format!(
            "{ended} ({}), and the database {} was dropped and made again since: it had OID {}, now it has {}",
            path.display(),
            header.database,
            header.database_oid,
            place.facts.database_oid
        ))
        .now("nothing was touched");
    let error = match &story.backed_up {
        Some(backup) => error.hint(format!(
            "to put what that run had backed up into this database: pgbelay rollback --other-database {}",
            place.store.directory().join(&backup.archive).display()
        )),
        None => error,
    };
    error.hint("if the database is as it should be: pgbelay run --force, once")
}
