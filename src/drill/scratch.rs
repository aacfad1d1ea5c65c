//! The scratch database: made, marked by its comment, dropped whatever happened.
//!
//! The mark is what makes it provably ours: the comment names the archive, its hash and the drill's run. It is set after
//! the drill took an advisory lock on the database's OID, which ends with its connection: a marked database whose lock
//! is free belongs to no drill that lives.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{DrillOptions, Fate};
use crate::archive::Reader;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::faults::{self, Point};
use crate::pg::{self, Session, Sql, Target, quote_ident};
use crate::restore;

/// Between the database's name and the stamp.
const INFIX: &str = "_pgbelay_drill_";
/// PostgreSQL's longest name, in bytes.
const LONGEST: usize = 63;
/// Starts the mark; nothing else starts like this.
const MARK: &str = "pgbelay drill: scratch copy of ";
/// How long the server may be away before a scratch database is left to it.
const BACK_WITHIN: Duration = Duration::from_secs(20);
/// Time between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// In the mark of one that stays on purpose.
const KEPT: &str = "kept on purpose (--keep)";

/// The name of a scratch database made now: what it is, when it was made and by whom, within the server's limit.
pub fn name(database: &str, now: DateTime<Utc>, run: &str) -> String {
    let tail = format!("{INFIX}{}_{run}", now.format("%Y%m%d_%H%M%S"));
    let mut end = database.len().min(LONGEST - tail.len());
    while !database.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &database[..end])
}

/// The comment of a scratch database.
fn mark(archive: &Reader, keep: bool, ctx: &Context) -> String {
    let name = archive.path().file_name().unwrap_or_default();
    let end = if keep {
        KEPT
    } else {
        "dropped by the next drill if nobody is connected"
    };
    format!(
        "{MARK}{} ({}), made {} by run {}; {end}",
        name.to_string_lossy(),
        archive.fingerprint(),
        ctx.now().format("%Y-%m-%d %H:%M:%S UTC"),
        ctx.run_id,
    )
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The run that made the database.
    pub run: String,
    /// Whether it was to stay.
    pub keep: bool,
}

impl Mark {
    /// Reads a comment; none if it is not ours.
    pub fn parse(comment: &str) -> Option<Self> {
        let rest = comment.strip_prefix(MARK)?;
        let (head, end) = rest.rsplit_once("; ")?;
        let (_, run) = head.rsplit_once(" by run ")?;
        Some(Self {
            run: run.to_owned(),
            keep: end == KEPT,
        })
    }
}

/// A scratch database that is there.
pub(super) struct Scratch {
    /// It as a target, on the very server that made it.
    pub target: Target,
    name: String,
    mark: String,
    /// Of the server, to another database; it holds the lock.
    keeper: Session,
}

/// What was seen when the database had its recorded properties.
pub(super) struct Dressed {
    /// A session of before, which a connection limit or a missing grant cannot keep out.
    pub reader: Session,
    /// The comment that it then had, in the place of the mark.
    pub comment: Option<String>,
    /// Properties that this role may not give.
    pub left_out: Vec<&'static str>,
}

impl Scratch {
    /// Makes it, locks it, marks it.
    pub async fn create(
        server: &Session,
        archive: &Reader,
        options: &DrillOptions,
        ctx: &Context,
    ) -> Result<Self> {
        let name = options.scratch.clone();
        let keeper = pg::connect_beside(server, pg::Purpose::Drill, ctx).await?;
        require_free(&keeper, &name).await?;
        faults::reach(Point::DrillMake)?;
        if let Err(error) = restore::create_database(&keeper, &name, archive.manifest()).await {
            return Err(match keeper.is_closed() || error.is_loss_of_connection() {
                true => not_created(error, &keeper, &name, ctx).await,
                false => error,
            });
        }
        let scratch = Self {
            target: keeper.other_database(&name),
            mark: mark(archive, options.keep, ctx),
            name,
            keeper,
        };
        match scratch.claim().await {
            Ok(()) => Ok(scratch),
            Err(error) => {
                let scratch_name = scratch.name.clone();
                let fate = scratch.drop(ctx).await;
                Err(super::with_fate(
                    error.narrowed(Kind::Failed),
                    &scratch_name,
                    &fate,
                ))
            }
        }
    }

    /// The lock first: what is marked and not locked may be dropped by anybody's drill.
    async fn claim(&self) -> Result<()> {
        let lock = Sql::constant(
            "SELECT pg_catalog.pg_advisory_lock(1885823588, (CASE WHEN oid::bigint > 2147483647 \
             THEN oid::bigint - 4294967296 ELSE oid::bigint END)::integer) \
             FROM pg_catalog.pg_database WHERE datname = ",
        );
        self.keeper.query(&lock.literal(&self.name)).await?;
        self.keeper.execute(&comment(&self.name, &self.mark)).await
    }

    /// Gives it the recorded owner, limits, settings, grants and comment, all in one transaction at whose end the comment is
    /// the mark again: nobody ever sees it unmarked.
    pub async fn dress(&self, archive: &Reader, ctx: &Context) -> Result<Dressed> {
        let reader = pg::connect(&self.target, pg::Purpose::Drill, ctx).await?;
        let keeper = &self.keeper;
        keeper.execute(&Sql::constant("BEGIN")).await?;
        let dressed = self.dressed(archive).await;
        let end = if dressed.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        keeper.execute(&Sql::constant(end)).await?;
        let (comment, left_out) = dressed?;
        Ok(Dressed {
            reader,
            comment,
            left_out,
        })
    }

    async fn dressed(&self, archive: &Reader) -> Result<(Option<String>, Vec<&'static str>)> {
        let keeper = &self.keeper;
        let bare = Sql::constant("COMMENT ON DATABASE ").ident(&self.name);
        keeper.execute(&bare.then(" IS NULL")).await?;
        let left_out = restore::dress_within(keeper, &self.name, archive.manifest()).await?;
        let said = Sql::constant(
            "SELECT pg_catalog.shobj_description(oid, 'pg_database') AS comment \
             FROM pg_catalog.pg_database WHERE datname = ",
        );
        let row = keeper.query_one(&said.literal(&self.name)).await?;
        let recorded = row.opt_string("comment")?;
        keeper.execute(&comment(&self.name, &self.mark)).await?;
        Ok((recorded, left_out))
    }

    /// Leaves it, with its mark: so that its name and comment say what it is.
    pub async fn keep(self) -> Fate {
        self.keeper.close().await;
        Fate::Kept {
            command: drop_command(&self.name, false),
        }
    }

    /// Drops it, whoever is connected. If that fails, once more on another connection.
    pub async fn drop(self, ctx: &Context) -> Fate {
        let result = match remove(&self.keeper, &self.name, ctx).await {
            Err(_) => when_it_is_back(|| self.drop_once_more(ctx)).await,
            Ok(()) => Ok(()),
        };
        self.keeper.close().await;
        match result {
            Ok(()) => Fate::Dropped,
            Err(error) => Fate::LeftBehind {
                command: drop_command(&self.name, true),
                why: error.reason().unwrap_or_default(),
            },
        }
    }

    async fn drop_once_more(&self, ctx: &Context) -> Result<()> {
        let session = pg::connect_beside(&self.keeper, pg::Purpose::Drill, ctx).await?;
        let removed = remove(&session, &self.name, ctx).await;
        session.close().await;
        removed
    }
}

/// Tries until it is no lost connection that it fails of: a network or a server that is away comes back, as a rule.
async fn when_it_is_back(attempt: impl AsyncFn() -> Result<()>) -> Result<()> {
    let lost = Instant::now();
    loop {
        match attempt().await {
            Err(error) if error.is_loss_of_connection() && lost.elapsed() < BACK_WITHIN => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            result => return result,
        }
    }
}

/// Drops a scratch database, its sessions ended first.
pub(super) async fn remove(server: &Session, name: &str, ctx: &Context) -> Result<()> {
    // A transaction of the dressing may be open.
    server.execute(&Sql::constant("ROLLBACK")).await?;
    prepare_drop(server, name, ctx).await?;
    faults::reach(Point::DrillDrop)?;
    let sql = Sql::constant("DROP DATABASE IF EXISTS ").ident(name);
    server.execute(&sql.then(" WITH (FORCE)")).await
}

/// Takes away what keeps a database from being dropped: the template flag and subscriptions.
pub(super) async fn prepare_drop(server: &Session, name: &str, ctx: &Context) -> Result<()> {
    let asked = Sql::constant(
        "SELECT d.datistemplate AS is_template, \
         EXISTS (SELECT FROM pg_catalog.pg_subscription s WHERE s.subdbid = d.oid) AS subscribed \
         FROM pg_catalog.pg_database d WHERE d.datname = ",
    );
    for row in &server.query(&asked.literal(name)).await? {
        if row.bool("subscribed")? {
            unsubscribe(server, name, ctx).await?;
        }
        if row.bool("is_template")? {
            let sql = Sql::constant("ALTER DATABASE ").ident(name);
            server.execute(&sql.then(" IS_TEMPLATE false")).await?;
        }
    }
    Ok(())
}

/// A database with subscriptions cannot be dropped. They are let go of without their slot: that one belongs to the original.
async fn unsubscribe(server: &Session, name: &str, ctx: &Context) -> Result<()> {
    let session = pg::connect(&server.other_database(name), pg::Purpose::Drill, ctx).await?;
    let rows = session
        .query(&Sql::constant(include_str!("sql/subscriptions.sql")))
        .await?;
    for row in &rows {
        let subscription = row.text("name")?;
        let alter = || Sql::constant("ALTER SUBSCRIPTION ").ident(subscription);
        session.execute(&alter().then(" DISABLE")).await?;
        session
            .execute(&alter().then(" SET (slot_name = NONE)"))
            .await?;
        let sql = Sql::constant("DROP SUBSCRIPTION ").ident(subscription);
        session.execute(&sql).await?;
    }
    session.close().await;
    Ok(())
}

/// The statements that a person drops it with.
pub(super) fn drop_command(name: &str, is_template: bool) -> String {
    let quoted = quote_ident(name);
    let drop = format!("DROP DATABASE {quoted};");
    if is_template {
        return format!("ALTER DATABASE {quoted} IS_TEMPLATE false; {drop}");
    }
    drop
}

fn comment(name: &str, text: &str) -> Sql {
    Sql::constant("COMMENT ON DATABASE ")
        .ident(name)
        .then(" IS ")
        .literal(text)
}

async fn require_free(server: &Session, name: &str) -> Result<()> {
    let sql = Sql::constant("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ");
    let taken = sql.literal(name).then(") AS yes");
    if !server.query_one(&taken).await?.bool("yes")? {
        return Ok(());
    }
    Err(Error::refused(format!("make the scratch database {name}"))
        .because("a database of that name exists")
        .now("nothing was changed")
        .hint("the name ends in this second's time: start the drill again"))
}

/// A connection that broke leaves open whether the server made it, or is still at it. The name was free a moment ago, so what
/// bears it now, and no other drill's mark, is dropped again.
async fn not_created(error: Error, keeper: &Session, name: &str, ctx: &Context) -> Error {
    let error = error.with_kind(Kind::Failed);
    match when_it_is_back(|| undo_creation(keeper, name, ctx)).await {
        Ok(()) => error.now(format!(
            "the connection was lost meanwhile; no scratch database {name} of this drill is left"
        )),
        Err(why) => error
            .now(format!(
                "the connection was lost meanwhile: the empty database {name} may exist ({})",
                why.reason().unwrap_or_default()
            ))
            .hint(format!("if it does: {}", drop_command(name, false))),
    }
}

/// Ends the session that was making it, then drops it; without FORCE, so that whoever is connected keeps it.
async fn undo_creation(keeper: &Session, name: &str, ctx: &Context) -> Result<()> {
    let session = pg::connect_beside(keeper, pg::Purpose::Drill, ctx).await?;
    let undone = async {
        pg::end_lost(&session, &ctx.run_id, keeper).await?;
        // Ours was not marked yet. One that is was made by somebody else in the same second.
        if is_described(&session, name).await? {
            return Ok(());
        }
        let drop = Sql::constant("DROP DATABASE IF EXISTS ").ident(name);
        session.execute(&drop).await
    }
    .await;
    session.close().await;
    undone
}

async fn is_described(session: &Session, name: &str) -> Result<bool> {
    let sql = Sql::constant(
        "SELECT pg_catalog.count(*) AS described FROM pg_catalog.pg_database AS d \
         WHERE pg_catalog.shobj_description(d.oid, 'pg_database') IS NOT NULL AND d.datname = ",
    );
    let row = session.query_one(&sql.literal(name)).await?;
    Ok(row.number::<u32>("described")? > 0)
}

/// Properties as the comparison must see them: with the comment that the mark stands in for.
pub(super) fn without_mark(properties: &mut BTreeMap<String, String>, comment: Option<String>) {
    match comment {
        Some(text) => properties.insert("comment".to_owned(), text),
        None => properties.remove("comment"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_name_says_what_it_is_and_fits() {
        let now = at("2026-11-21T17:54:09Z");
        assert_eq!(
            name("shop", now, "k3"),
            "shop_pgbelay_drill_20261121_175409_k3"
        );
        let long = name(&"x".repeat(63), now, "k3");
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("_pgbelay_drill_20261121_175409_k3"));
        let wide = name(&"ü".repeat(31), now, "k3");
        assert!(wide.len() <= 63 && wide.starts_with("üü"), "{wide}");
    }

    #[test]
    fn only_our_marks_are_read() {
        let text = "pgbelay drill: scratch copy of a; by run b.sql.gz (00ff), made 2026-11-21 17:54:09 UTC by run \
                    abcd1234; dropped by the next drill if nobody is connected";
        let mark = Mark::parse(text).unwrap();
        assert_eq!((mark.run.as_str(), mark.keep), ("abcd1234", false));
        let kept = text.replace("dropped by the next drill if nobody is connected", KEPT);
        assert!(Mark::parse(&kept).unwrap().keep);
        assert_eq!(Mark::parse("our nightly copy"), None);
        assert_eq!(Mark::parse(""), None);
    }
}
