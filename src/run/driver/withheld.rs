//! A rollback that is due and was not begun, as a person reads it in the night (P5): who may have
//! written, what is true now, and the one command that proceeds.

use std::path::Path;

use crate::error::{Error, Kind};
use crate::run::OtherWriter;

/// Sessions that are named; the report has all of them.
const NAMED: usize = 10;

/// Why it is not begun, as far as the words depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plight {
    /// Others wrote, or may have written.
    OthersWrote,
    /// The database was dropped and made again since its backup.
    MadeAgain,
    /// A rollback that was begun before may have taken effect.
    MayBeBack,
    /// What may be the migration's own is still at work.
    StillAtWork,
}

impl Plight {
    /// Options of the command that proceeds.
    fn options(self) -> &'static str {
        match self {
            Self::MadeAgain => "--other-database --discard-other-writes",
            Self::OthersWrote | Self::MayBeBack | Self::StillAtWork => "--discard-other-writes",
        }
    }

    /// What is true of a database that `what` had changed.
    fn now(self, what: &str) -> String {
        match self {
            Self::MayBeBack => "nothing was changed now; a rollback was begun before, and nobody knows whether it took \
                                effect: what others wrote is there"
                .to_owned(),
            Self::StillAtWork => "nothing was changed now, and nobody can say yet what is true: what these sessions do may still \
                                  be committed"
                .to_owned(),
            Self::OthersWrote | Self::MadeAgain => format!(
                "the database is as {what} left it; nothing was put back, and what others wrote is there"
            ),
        }
    }
}

/// The error of a rollback of `what` that would discard writes of others, for the reason `why`.
pub fn withheld(
    what: &str,
    why: &str,
    writers: &[OtherWriter],
    archive: &Path,
    failure: Option<&Error>,
) -> Error {
    of(Plight::OthersWrote, what, why, writers, archive, failure)
}

/// The same in another plight.
pub fn of(
    plight: Plight,
    what: &str,
    why: &str,
    writers: &[OtherWriter],
    archive: &Path,
    failure: Option<&Error>,
) -> Error {
    let because = match failure {
        None => why.to_owned(),
        Some(failure) => format!("{why}. The rollback is needed because: {failure}"),
    };
    if plight == Plight::StillAtWork {
        return still_at_work(what, because, writers);
    }
    let archive = archive.display();
    let mut error = Error::new(Kind::Withheld, format!("roll back {what}"))
        .because(because)
        .now(plight.now(what))
        .hint(format!(
            "to put it back all the same (what it holds now is saved first): \
             pgbelay rollback {} {archive}",
            plight.options()
        ))
        .hint(format!(
            "to see what would be lost, before that: pgbelay diff {archive}"
        ));
    for writer in writers.iter().take(NAMED) {
        error = error.hint(format!("possible writer: {}", writer.line()));
    }
    if let Some(more) = writers.len().checked_sub(NAMED).filter(|more| *more > 0) {
        error = error.hint(format!(
            "and {more} more possible writers; --json names them"
        ));
    }
    error.hint("next time: run --fence writes keeps others out while the migration runs")
}

/// The one that waits, and the one that does not. Whose the sessions are the operator knows.
fn still_at_work(what: &str, because: String, writers: &[OtherWriter]) -> Error {
    let pids: Vec<String> = writers.iter().map(|one| one.pid.to_string()).collect();
    let error = Error::new(Kind::Withheld, format!("judge what {what} did"))
        .because(because)
        .now(Plight::StillAtWork.now(what))
        .hint("when they have ended: pgbelay recover")
        .hint(format!(
            "to end them, if they are the migration's: SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{}]) AS pid",
            pids.join(", ")
        ));
    let error = writers.iter().take(NAMED).fold(error, |error, writer| {
        error.hint(format!("at work: {}", writer.line()))
    });
    error.hint("next time: let the migration's sessions have the application_name that it is given (PGAPPNAME, and in the URL)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(pid: i32) -> OtherWriter {
        OtherWriter {
            pid,
            user: "app".into(),
            application: "web".into(),
            client: "10.0.0.1".into(),
            last_statement: "then".into(),
            why: "it wrote".into(),
        }
    }

    #[test]
    fn p5_the_command_comes_first_and_the_list_ends() {
        let writers: Vec<OtherWriter> = (1..=12).map(writer).collect();
        let failure = Error::operation("run the migration").because("exit 1");
        let archive = Path::new("backups/a.sql.gz");
        let error = withheld(
            "the failed migration",
            "web wrote",
            &writers,
            archive,
            Some(&failure),
        );
        assert_eq!(error.kind(), Kind::Withheld);
        let hints = error.hints();
        assert!(hints[0].ends_with("rollback --discard-other-writes backups/a.sql.gz"));
        assert!(hints[1].ends_with("pgbelay diff backups/a.sql.gz"));
        assert_eq!(
            hints
                .iter()
                .filter(|hint| hint.contains("process "))
                .count(),
            NAMED
        );
        assert!(hints.iter().any(|hint| hint.starts_with("and 2 more")));
        assert!(error.reason().unwrap().contains("exit 1"));
    }
}
