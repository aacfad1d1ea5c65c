//! A rollback that was begun before this judgement and whose end nobody saw: the server says what became of it. One that was
//! committed took place, whatever others have written since; nothing is put back twice (P5).

use crate::error::{Error, Kind, Result};
use crate::pg::Session;
use crate::rollback::{Commit, Fate};
use crate::run::driver::doubt::Doubt;
use crate::run::driver::judge::Verdict;

/// What is known of it.
pub(super) enum Earlier {
    /// There was none, or it was not committed: the database is judged.
    Nothing,
    /// It settles the question.
    Settled(Verdict),
    /// It may have been committed: what differs from the archive may be what others wrote since.
    Unsure(String),
}

pub(super) async fn look(session: &Session, begun: Option<&Commit>) -> Result<Earlier> {
    let Some(commit) = begun else {
        return Ok(Earlier::Nothing);
    };
    Ok(match commit.fate(session).await? {
        Fate::Committed => Earlier::Settled(Verdict::Committed(commit.clone())),
        Fate::NotCommitted => Earlier::Nothing,
        Fate::UnderWay => Earlier::Settled(under_way(commit)),
        Fate::Unknown(why) => Earlier::Unsure(format!(
            "a rollback was begun, and nobody can tell whether it took effect ({why}): what differs from the archive may \
             be what others have written since"
        )),
    })
}

fn under_way(commit: &Commit) -> Verdict {
    let error = Error::new(Kind::InDoubt, "see what became of the rollback")
        .because(format!(
            "its transaction {} is still being committed: a standby that it waits for may be away",
            commit.transaction
        ))
        .now("what was put back is proven and takes effect with this commit; nothing else was done now");
    Verdict::InDoubt {
        error,
        doubt: Doubt::BrokenOff,
        mark: None,
    }
}
