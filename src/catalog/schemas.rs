//! Schemas. `public` exists in every fresh database and is never created (spec §1.1.1).

use super::address::NAMESPACE;
use super::entry::Kind;
use super::graph::{Comment, Node};
use super::loss::{Loss, UNFINISHED_RESTORE};
use super::read::{Reading, owner};
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

/// Owner of `public` in a fresh database: pg_database_owner, and before 15 the bootstrap superuser,
/// whatever it is called.
fn public_owner(major: u32) -> u32 {
    if major < 15 { 10 } else { 6171 }
}
/// initdb's comment on `public`.
pub(super) const PUBLIC_COMMENT: &str = "standard public schema";

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/schemas.sql")))
        .await?;
    let mut has_public = false;
    for row in &rows {
        let oid = row.number("oid")?;
        let name = row.text("name")?;
        has_public |= name == "public";
        if reading.is_member((NAMESPACE, oid)) {
            continue;
        }
        let identity = format!("schema {}", row.text("quoted")?);
        if name == UNFINISHED_RESTORE {
            let reason = "it marks a restore that is under way or did not finish: this database is \
                          not complete; drop it and restore again";
            reading.refuse(Loss::UnfinishedRestore, identity, "pg_namespace", reason);
            reading
                .graph
                .add((NAMESPACE, oid), Node::new(Kind::Schema, None, name, ""));
            continue;
        }
        let Some((raw, quoted_owner)) = owner(reading, row, &identity, "pg_namespace")? else {
            continue;
        };
        let node = node(
            row,
            name,
            &identity,
            &quoted_owner,
            source.version().major(),
        )?
        .owned_by(&raw);
        reading.graph.add((NAMESPACE, oid), node);
    }
    if !has_public {
        add_absent_public(reading);
    }
    Ok(())
}

fn node(row: &Row, name: &str, identity: &str, quoted_owner: &str, major: u32) -> Result<Node> {
    let quoted = row.text("quoted")?;
    let alter = format!("ALTER SCHEMA {quoted} OWNER TO {quoted_owner};\n");
    let (create, drop) = if name == "public" {
        let untouched = row.number::<u32>("owner_oid")? == public_owner(major);
        (if untouched { String::new() } else { alter }, None)
    } else {
        (
            format!("CREATE SCHEMA {quoted};\n{alter}"),
            Some(format!("DROP SCHEMA {quoted};")),
        )
    };
    Ok(Node::new(Kind::Schema, None, name, identity)
        .text(create, drop)
        .commented_as(format!("SCHEMA {quoted}")))
}

/// A database whose `public` was dropped must not get it back (pg_dump loses this, spec §1.9.9).
fn add_absent_public(reading: &mut Reading) {
    let node = Node::new(Kind::Schema, None, "public", "absence of schema public")
        .text("DROP SCHEMA IF EXISTS public;\n".into(), None);
    reading.graph.add_unaddressed(node);
}

/// `public` without a comment differs from a fresh database and needs `IS NULL`.
pub(super) fn missing_public_comment() -> Comment {
    Comment {
        target: "SCHEMA public".into(),
        text: "NULL".into(),
    }
}
