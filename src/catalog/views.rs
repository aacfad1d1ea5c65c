//! Views, materialized views and their refreshes.
//!
//! A view whose query cannot come before the data (spec §2.3, case 3) is created as a dummy with
//! the right columns; its query follows as a rule entry. A materialized view is created empty and
//! refreshed at the very end, after everything it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::address::CLASS;
use super::entry::Kind;
use super::graph::{Body, Draft, Give, Node, NodeId};
use super::read::Reading;
use super::relations::Relation;
use super::table_ddl::{column_settings, storage_clauses};
use crate::error::Result;

/// What a view's text is made of.
#[derive(Debug, Clone)]
pub(super) struct ViewBody {
    pub relation: Arc<Relation>,
    /// Whether the query was moved behind the data.
    pub is_dummy: bool,
}

pub(super) fn add(reading: &mut Reading) -> Result<()> {
    for relation in reading.own_relations(&['v', 'm']) {
        reading.refuse_ownerless(&relation);
        let node = if relation.kind == 'v' {
            view(&relation)
        } else {
            materialized(reading, &relation)
        };
        let node = node.commented_as(format!("{} {}", relation.word(), relation.quoted));
        reading.graph.add((CLASS, relation.oid), node);
    }
    Ok(())
}

fn named(kind: Kind, relation: &Relation) -> Node {
    let mut node = Node::of_relation(kind, relation, relation.identity());
    node.owner = relation.raw_owner();
    node
}

fn view(relation: &Arc<Relation>) -> Node {
    named(Kind::View, relation).body(Body::View(Box::new(ViewBody {
        relation: Arc::clone(relation),
        is_dummy: false,
    })))
}

fn materialized(reading: &Reading, relation: &Relation) -> Node {
    let target = format!("MATERIALIZED VIEW {}", relation.quoted);
    let mut create = format!(
        "CREATE {target}{} AS\n{}\nWITH NO DATA;\n{}",
        storage_clauses(relation),
        query(relation),
        relation.owner_statement(),
    );
    for column in &relation.columns {
        column_settings(relation, column, &mut create);
    }
    create.push_str(&reading.extension_lines((CLASS, relation.oid), &target));
    let mut node =
        named(Kind::MaterializedView, relation).text(create, Some(format!("DROP {target};")));
    node.give = Give::Postpone;
    node
}

fn query(relation: &Relation) -> &str {
    relation
        .view_definition
        .as_deref()
        .unwrap_or_default()
        .trim_end()
        .trim_end_matches(';')
}

/// The view as it is created: whole, or as a dummy.
pub(super) fn draft(body: &ViewBody) -> Draft {
    let relation = &body.relation;
    let create = if body.is_dummy {
        dummy("CREATE VIEW", relation)
    } else {
        whole("CREATE VIEW", relation)
    };
    Draft {
        create: format!("{create}{}", relation.owner_statement()),
        drop: Some(format!("DROP VIEW {};", relation.quoted)),
    }
}

/// The query of a view that was created as a dummy.
pub(super) fn late_query(relation: &Relation) -> Draft {
    Draft {
        create: whole("CREATE OR REPLACE VIEW", relation),
        drop: Some(
            dummy("CREATE OR REPLACE VIEW", relation)
                .trim_end()
                .to_owned(),
        ),
    }
}

fn whole(verb: &str, relation: &Relation) -> String {
    let options = relation
        .options
        .as_ref()
        .map(|text| format!(" WITH ({text})"))
        .unwrap_or_default();
    let check = relation
        .check_option
        .as_ref()
        .map(|text| format!("\nWITH {text} CHECK OPTION"))
        .unwrap_or_default();
    format!(
        "{verb} {}{options} AS\n{}{check};\n",
        relation.quoted,
        query(relation)
    )
}

fn dummy(verb: &str, relation: &Relation) -> String {
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| {
            let collation = column
                .collation
                .as_ref()
                .map(|name| format!(" COLLATE {name}"))
                .unwrap_or_default();
            format!(
                "\n    NULL::{}{collation} AS {}",
                column.type_name, column.quoted
            )
        })
        .collect();
    format!(
        "{verb} {} AS\nSELECT{};\n",
        relation.quoted,
        columns.join(",")
    )
}

/// REFRESH entries, after the edges are known: each waits for the refreshes of what it reads, and
/// is left out when something it reads is not populated (spec §1.3 MATVIEW).
pub(super) fn add_refreshes(reading: &mut Reading) {
    let views: BTreeMap<NodeId, Arc<Relation>> = reading
        .relations
        .all()
        .filter(|relation| relation.kind == 'm')
        .filter_map(|relation| {
            reading
                .graph
                .find((CLASS, relation.oid))
                .map(|id| (id, relation.clone()))
        })
        .filter(|(id, _)| reading.graph.nodes[*id].kind == Kind::MaterializedView)
        .collect();
    let parts = parts_by_owner(reading);
    let mut reads: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for &id in views.keys() {
        reads.insert(id, materialized_views_read_by(reading, id, &parts));
    }
    let populated = |id: &NodeId| views.get(id).is_some_and(|relation| relation.populated);
    let mut refreshes: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for (&id, relation) in &views {
        if populated(&id) && reads[&id].iter().all(populated) {
            let identity = format!("data of {}", relation.identity());
            let mut node = Node::of_relation(Kind::MaterializedViewData, relation, identity).text(
                // As whoever filled it did: its owner sees what the policies show him (spec §5.2).
                format!(
                    "SET row_security = on;\nREFRESH MATERIALIZED VIEW {};\nSET row_security = off;\n",
                    relation.quoted
                ),
                None,
            );
            node.needs.push(id);
            refreshes.insert(id, reading.graph.add_unaddressed(node));
        }
    }
    for (id, &refresh) in &refreshes {
        for needed in &reads[id] {
            if let Some(&first) = refreshes.get(needed) {
                reading.graph.need(refresh, first);
            }
        }
    }
}

fn parts_by_owner(reading: &Reading) -> BTreeMap<NodeId, Vec<NodeId>> {
    let mut parts: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for (id, node) in reading.graph.nodes.iter().enumerate() {
        if let Some(owner) = node.folded_into {
            parts.entry(owner).or_default().push(id);
        }
    }
    parts
}

/// Materialized views that `start` reads, directly or through views.
fn materialized_views_read_by(
    reading: &Reading,
    start: NodeId,
    parts: &BTreeMap<NodeId, Vec<NodeId>>,
) -> BTreeSet<NodeId> {
    let nodes = &reading.graph.nodes;
    let mut seen = BTreeSet::from([start]);
    let mut stack = vec![start];
    let mut found = BTreeSet::new();
    while let Some(id) = stack.pop() {
        let own = std::iter::once(&id).chain(parts.get(&id).into_iter().flatten());
        for &needed in own.flat_map(|&part| &nodes[part].needs) {
            let needed = reading.graph.root(needed);
            if !matches!(nodes[needed].kind, Kind::View | Kind::MaterializedView)
                || !seen.insert(needed)
            {
                continue;
            }
            if nodes[needed].kind == Kind::MaterializedView {
                found.insert(needed);
            }
            stack.push(needed);
        }
    }
    found
}
