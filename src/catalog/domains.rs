//! Domains. Constraints are inline unless they are not valid or a cycle separates them.

use super::address::TYPE;
use super::entry::Kind;
use super::graph::{Body, Draft, Graph, Node, NodeId};
use super::read::{Reading, owner};
use super::source::Source;
use crate::error::Result;
use crate::pg::Sql;

/// What a domain's text is made of.
#[derive(Debug, Clone)]
pub(super) struct DomainBody {
    pub quoted: String,
    pub base: String,
    pub collation: Option<String>,
    pub default_value: Option<String>,
    pub not_null: bool,
    pub quoted_owner: String,
    /// Inline constraints: the node, and its text when folded.
    pub constraints: Vec<(NodeId, String)>,
}

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/domains.sql")))
        .await?;
    for row in &rows {
        let oid = row.number("oid")?;
        if reading.is_member((TYPE, oid)) {
            continue;
        }
        let quoted = row.text("quoted")?;
        let identity = format!("domain {quoted}");
        let Some((raw, quoted_owner)) = owner(reading, row, &identity, "pg_type")? else {
            continue;
        };
        let body = DomainBody {
            quoted: quoted.to_owned(),
            base: row.string("base")?,
            collation: row.opt_string("collation")?,
            default_value: row.opt_string("default_value")?,
            not_null: row.bool("not_null")?,
            quoted_owner,
            constraints: Vec::new(),
        };
        let node = Node::new(
            Kind::Domain,
            row.opt("schema")?,
            row.text("name")?,
            identity,
        )
        .body(Body::Domain(Box::new(body)))
        .owned_by(&raw)
        .commented_as(format!("DOMAIN {quoted}"));
        reading.graph.add((TYPE, oid), node);
    }
    Ok(())
}

pub(super) fn draft(body: &DomainBody, graph: &Graph) -> Draft {
    let DomainBody { quoted, base, .. } = body;
    let mut create = format!("CREATE DOMAIN {quoted} AS {base}");
    if let Some(collation) = &body.collation {
        create.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(value) = &body.default_value {
        create.push_str(&format!(" DEFAULT {value}"));
    }
    let folded: Vec<&String> = body
        .constraints
        .iter()
        .filter(|(id, _)| {
            graph
                .nodes
                .get(*id)
                .is_some_and(|node| node.folded_into.is_some())
        })
        .map(|(_, text)| text)
        .collect();
    // From 17 on NOT NULL is a named constraint of its own and comes with the others.
    if body.not_null && !folded.iter().any(|text| text.ends_with("NOT NULL")) {
        create.push_str(" NOT NULL");
    }
    for text in folded {
        create.push_str(&format!("\n    {text}"));
    }
    create.push_str(&format!(
        ";\nALTER DOMAIN {quoted} OWNER TO {};\n",
        body.quoted_owner
    ));
    Draft {
        create,
        drop: Some(format!("DROP DOMAIN {quoted};")),
    }
}
