//! Row security: the switch of each table, and its policies (spec §1.3 POLICY).

use std::sync::Arc;

use super::address::{CLASS, POLICY};
use super::entry::Kind;
use super::graph::{Node, NodeId};
use super::guard::regclass;
use super::loss::Loss;
use super::read::Reading;
use super::relations::Relation;
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql, quote_literal};

/// A policy in one text, as `policies.sql` has it in its column `whole`.
const WHOLE: &str = "pg_catalog.concat_ws(' ', p.polcmd, p.polpermissive, \
     (SELECT pg_catalog.string_agg(coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ',' ORDER BY r.rolname) \
     FROM pg_catalog.unnest(p.polroles) role(oid) LEFT JOIN pg_catalog.pg_roles r ON r.oid = role.oid), \
     'USING', pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'CHECK', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))";

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    add_switches(reading);
    let rows = source
        .query(&Sql::constant(include_str!("sql/policies.sql")))
        .await?;
    for row in &rows {
        let relation_oid: u32 = row.number("relation")?;
        if reading.is_member((POLICY, row.number("oid")?)) {
            continue;
        }
        let Some(relation) = reading.relations.get(relation_oid).cloned() else {
            continue;
        };
        let Some(table) = reading.graph.find((CLASS, relation_oid)) else {
            continue;
        };
        add_policy(reading, row, &relation, table)?;
    }
    Ok(())
}

fn add_switches(reading: &mut Reading) {
    let secured: Vec<Arc<Relation>> = reading
        .relations
        .all()
        .filter(|relation| relation.row_security)
        .cloned()
        .collect();
    for relation in secured {
        let Some(table) = reading.graph.find((CLASS, relation.oid)) else {
            continue;
        };
        let alter = format!("ALTER TABLE {}", relation.quoted);
        let identity = format!("row security of {}", relation.quoted);
        let node = Node::of_relation(Kind::RowSecurity, &relation, identity).text(
            format!("{alter} ENABLE ROW LEVEL SECURITY;\n"),
            Some(format!("{alter} DISABLE ROW LEVEL SECURITY;")),
        );
        let id = reading.graph.add_unaddressed(node);
        reading.graph.need(id, table);
        let probe = format!(
            "(SELECT 'on' FROM pg_catalog.pg_class WHERE oid = {} AND relrowsecurity)",
            regclass(&relation.quoted)
        );
        reading.guard(id, relation.oid, &probe, "on");
    }
}

fn add_policy(reading: &mut Reading, row: &Row, relation: &Relation, table: NodeId) -> Result<()> {
    let quoted = row.text("quoted")?;
    let target = format!("POLICY {quoted} ON {}", relation.quoted);
    let identity = format!("policy {quoted} on {}", relation.quoted);
    if row.bool("role_missing")? {
        reading.refuse(
            Loss::MissingRole,
            &identity,
            "pg_policy",
            "it names a role that no longer exists",
        );
    }
    let node = Node::new(
        Kind::Policy,
        Some(&relation.schema),
        row.text("name")?,
        identity,
    )
    .text(create(row, &target)?, Some(format!("DROP {target};")))
    .tied([relation.name.clone()])
    .commented_as(target);
    let id = reading.graph.add((POLICY, row.number("oid")?), node);
    reading.graph.need(id, table);
    let probe = format!(
        "(SELECT {WHOLE} FROM pg_catalog.pg_policy p WHERE p.polrelid = {} AND p.polname = {})",
        regclass(&relation.quoted),
        quote_literal(row.text("name")?)
    );
    reading.guard(id, relation.oid, &probe, row.text("whole")?);
    Ok(())
}

fn create(row: &Row, target: &str) -> Result<String> {
    let mut text = format!("CREATE {target}");
    if !row.bool("permissive")? {
        text.push_str(" AS RESTRICTIVE");
    }
    text.push_str(match row.letter("command")? {
        'r' => " FOR SELECT",
        'a' => " FOR INSERT",
        'w' => " FOR UPDATE",
        'd' => " FOR DELETE",
        _ => "",
    });
    let roles = row.list("roles")?;
    if !roles.is_empty() && roles != ["PUBLIC"] {
        text.push_str(&format!(" TO {}", roles.join(", ")));
    }
    if let Some(expression) = row.opt("using_expression")? {
        text.push_str(&format!(" USING ({expression})"));
    }
    if let Some(expression) = row.opt("check_expression")? {
        text.push_str(&format!(" WITH CHECK ({expression})"));
    }
    text.push_str(";\n");
    Ok(text)
}
