//! Scratch databases that killed drills left behind: listed with the command that drops them, and dropped only when they
//! are provably ours and nobody is connected.

use std::time::{Duration, Instant};

use super::scratch::{self, Mark};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{self, Session, Sql};

/// How long a dead run's lock may stay.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
/// Time between two looks at it.
const PAUSE: Duration = Duration::from_millis(200);

/// A scratch database that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its name.
    pub name: String,
    /// What it is and why it is still there, for people.
    pub why: String,
    /// The statements that drop it.
    pub command: String,
    /// The run that made it, if its comment says so.
    run: Option<String>,
    /// Whether it stays because that was asked for.
    kept: bool,
    /// Whether its drill lives.
    at_work: bool,
    /// Application names of who is connected.
    sessions: Vec<String>,
}

impl Leftover {
    /// Whether it may be dropped without asking anybody: marked as a scratch database that is to go, its drill is dead,
    /// and nobody is connected to it.
    fn is_free(&self) -> bool {
        self.run.is_some() && !self.kept && !self.at_work && self.sessions.is_empty()
    }

    /// Whether that run made it, is dead, and at most its own sessions are left.
    fn is_of_dead(&self, run: &str) -> bool {
        let ours = format!("pgbelay {run} ");
        let made = self.run.as_deref().is_none_or(|one| one == run);
        let mut sessions = self.sessions.iter();
        made && !self.kept && !self.at_work && sessions.all(|one| one.starts_with(&ours))
    }
}

/// What drills left on this server, those at work left out.
pub async fn leftovers(server: &Session) -> Result<Vec<Leftover>> {
    let mut found = all(server).await?;
    found.retain(|one| !one.at_work);
    Ok(found)
}

async fn all(server: &Session) -> Result<Vec<Leftover>> {
    let rows = server
        .query(&Sql::constant(include_str!("sql/leftovers.sql")))
        .await?;
    let found = rows.iter().map(|row| {
        let name = row.string("name")?;
        let mark = Mark::parse(row.text("comment")?);
        let sessions: Vec<String> = row.json("sessions")?;
        let kept = mark.as_ref().is_some_and(|mark| mark.keep);
        Ok(Leftover {
            why: why(mark.as_ref(), sessions.len()),
            command: scratch::drop_command(&name, row.bool("is_template")?),
            name,
            run: mark.map(|mark| mark.run),
            kept,
            at_work: row.bool("at_work")?,
            sessions,
        })
    });
    found.collect()
}

fn why(mark: Option<&Mark>, sessions: usize) -> String {
    let what = match mark {
        None => {
            "it is named like a drill's scratch database, but its comment does not say so: a drill \
             may have been killed while it made it"
        }
        Some(mark) if mark.keep => "a drill kept it on purpose (--keep)",
        Some(_) => "a drill that was killed left it behind",
    };
    match sessions {
        0 => what.to_owned(),
        count => format!(
            "{what}; {} connected to it",
            crate::compare::counted(count, "session is", "sessions are")
        ),
    }
}

/// Drops what is provably ours and free, and tells of the rest. What goes wrong here stops nothing.
pub async fn sweep(server: &Session, ctx: &Context) {
    let found = match leftovers(server).await {
        Ok(found) => found,
        Err(error) => return ctx.warn(error.to_string()),
    };
    for one in found {
        if !one.is_free() {
            tell(&one, None, ctx);
            continue;
        }
        match drop_idle(server, &one.name, ctx).await {
            Ok(()) => ctx.note(format!(
                "dropped the scratch database {} that a killed drill had left behind",
                one.name
            )),
            Err(error) => tell(&one, Some(&error), ctx),
        }
    }
}

/// Without FORCE: whoever connected meanwhile keeps it.
async fn drop_idle(server: &Session, name: &str, ctx: &Context) -> Result<()> {
    scratch::prepare_drop(server, name, ctx).await?;
    let sql = Sql::constant("DROP DATABASE IF EXISTS ").ident(name);
    server.execute(&sql).await
}

fn tell(one: &Leftover, error: Option<&Error>, ctx: &Context) {
    let failed = error.map_or_else(String::new, |error| {
        format!(
            "; it could not be dropped: {}",
            error.reason().unwrap_or_default()
        )
    });
    ctx.warn(format!(
        "the database {} is still there: {}{failed}\nto drop it: {}",
        one.name, one.why, one.command
    ));
}

async fn named(server: &Session, name: &str) -> Result<Option<Leftover>> {
    let found = all(server).await?;
    Ok(found.into_iter().find(|one| one.name == name))
}

/// Drops the scratch database `name` of a run that is known to be dead, with the sessions that the run left in it; one
/// without a mark too, because the run's journal names it. Says whether there is none (any more).
pub async fn remove_dead(server: &Session, name: &str, run: &str, ctx: &Context) -> Result<bool> {
    pg::end_sessions_of(server, run).await?;
    let mut found = named(server, name).await?;
    let asked = Instant::now();
    // The server needs a moment to notice that a killed process is gone.
    while found.as_ref().is_some_and(|one| one.at_work) && asked.elapsed() < NOTICED_WITHIN {
        tokio::time::sleep(PAUSE).await;
        found = named(server, name).await?;
    }
    let Some(one) = found else {
        return Ok(true);
    };
    if !one.is_of_dead(run) {
        tell(&one, None, ctx);
        return Ok(false);
    }
    scratch::remove(server, name, ctx).await?;
    ctx.note(format!(
        "dropped the scratch database {name} of the interrupted drill"
    ));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leftover() -> Leftover {
        Leftover {
            name: "x".to_owned(),
            why: String::new(),
            command: String::new(),
            run: Some("dead0000".to_owned()),
            kept: false,
            at_work: false,
            sessions: Vec::new(),
        }
    }

    #[test]
    fn only_what_is_provably_ours_and_idle_is_free() {
        assert!(leftover().is_free());
        let others: [fn(&mut Leftover); 4] = [
            |one| one.run = None,
            |one| one.kept = true,
            |one| one.at_work = true,
            |one| one.sessions.push("psql".to_owned()),
        ];
        for (place, change) in others.iter().enumerate() {
            let mut one = leftover();
            change(&mut one);
            assert!(!one.is_free(), "{place}");
        }
    }

    #[test]
    fn a_dead_run_takes_its_own_sessions_along_and_nobody_elses() {
        let mut one = leftover();
        one.sessions.push("pgbelay dead0000 restore".to_owned());
        assert!(one.is_of_dead("dead0000") && !one.is_of_dead("other000"));
        one.run = None;
        assert!(one.is_of_dead("dead0000"));
        one.sessions.push("psql".to_owned());
        assert!(!one.is_of_dead("dead0000"));
        let mut at_work = leftover();
        at_work.at_work = true;
        assert!(!at_work.is_of_dead("dead0000"));
    }
}
