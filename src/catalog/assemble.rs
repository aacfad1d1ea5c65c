//! Ordered nodes → entries: text with the parts that stayed folded, comments behind what they
//! describe, dependencies as positions.
//!
//! Texts move from the graph into the entries: tens of thousands of objects are not held twice.

use std::collections::{BTreeSet, HashMap};

use super::entry::{Entry, Kind};
use super::graph::{Body, Comment, Draft, Graph, Label, Node, NodeId};
use super::{domains, order, schemas, table_ddl, views};
use crate::pg::quote_literal;

/// Entries in restore order.
pub(super) fn entries(mut graph: Graph, order: &[NodeId]) -> Vec<Entry> {
    let parts = parts_by_owner(&graph);
    let mut entries = Vec::with_capacity(order.len());
    let mut positions: HashMap<NodeId, usize> = HashMap::with_capacity(order.len());
    // Whose dependencies an entry has; none: they are known.
    let mut emitters: Vec<Option<NodeId>> = Vec::with_capacity(order.len());
    for &id in order {
        let body = std::mem::replace(&mut graph.nodes[id].body, Body::Hidden);
        if let Some(draft) = draft(body, &graph) {
            positions.insert(id, entries.len());
            emitters.push(Some(id));
            entries.push(entry(&mut graph.nodes[id], draft));
        }
        let node = &graph.nodes[id];
        // What is said about something that others bring with them needs those.
        let bearer = (!positions.contains_key(&id)).then_some(id);
        for carrier in std::iter::once(id).chain(parts.get(&id).into_iter().flatten().copied()) {
            for comment in graph.comments.get(&carrier).into_iter().flatten() {
                let needs = positions.get(&id).copied();
                emitters.push(bearer);
                entries.push(comment_entry(node, comment, needs));
            }
            for label in graph.labels.get(&carrier).into_iter().flatten() {
                let needs = positions.get(&id).copied();
                emitters.push(bearer);
                entries.push(label_entry(node, label, needs));
            }
        }
    }
    let mut reach = Reach {
        graph: &graph,
        positions: &positions,
        parts: &parts,
    };
    for (place, emitter) in emitters.iter().enumerate() {
        if let Some(id) = emitter {
            entries[place].depends = reach
                .depends(*id)
                .into_iter()
                .filter(|&needed| needed != place)
                .collect();
        }
    }
    entries
}

fn parts_by_owner(graph: &Graph) -> HashMap<NodeId, Vec<NodeId>> {
    let mut parts: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        if let Some(owner) = node.folded_into {
            parts.entry(owner).or_default().push(id);
        }
    }
    parts
}

/// A node's text; none for what is not emitted.
fn draft(body: Body, graph: &Graph) -> Option<Draft> {
    match body {
        Body::Hidden => None,
        Body::Fixed(draft) | Body::Part(draft) => Some(draft),
        Body::Table(body) => Some(table_ddl::draft(&body, graph)),
        Body::View(body) => Some(views::draft(&body)),
        Body::Domain(body) => Some(domains::draft(&body, graph)),
        Body::Data => Some(Draft::default()),
    }
}

/// What comments on it need stays with the node: its kind, its schema and its sort keys.
fn entry(node: &mut Node, mut draft: Draft) -> Entry {
    draft.create.shrink_to_fit();
    Entry {
        kind: node.kind,
        schema: node.schema.as_deref().map(str::to_owned),
        name: shown_name(node),
        identity: std::mem::take(&mut node.identity),
        owner: node.owner.as_deref().map(str::to_owned),
        section: order::section(node),
        create: draft.create,
        drop: draft.drop,
        depends: Vec::new(),
    }
}

/// Things that live on a table are shown with it, as pg_dump's table of contents does.
fn shown_name(node: &Node) -> String {
    match node.kind {
        Kind::Constraint
        | Kind::CheckConstraint
        | Kind::FkConstraint
        | Kind::Trigger
        | Kind::Policy
        | Kind::Rule => match node.tie.last() {
            Some(table) => format!("{table} {}", node.name),
            None => node.name.clone(),
        },
        _ => node.name.clone(),
    }
}

fn comment_entry(node: &Node, comment: &Comment, needs: Option<usize>) -> Entry {
    Entry {
        kind: Kind::Comment,
        schema: node.schema.as_deref().map(str::to_owned),
        name: comment.target.clone(),
        identity: format!("comment on {}", comment.target),
        owner: None,
        section: order::section(node),
        create: format!("COMMENT ON {} IS {};\n", comment.target, comment.text),
        drop: Some(format!("COMMENT ON {} IS {};", comment.target, base(node))),
        depends: needs.into_iter().collect(),
    }
}

/// The comment that was there before: an extension comes with one, and so does `public`.
fn base(node: &Node) -> String {
    match node.tie.first() {
        Some(usual) if node.kind == Kind::Extension => quote_literal(usual),
        _ if node.kind == Kind::Schema && node.name == "public" => {
            quote_literal(schemas::PUBLIC_COMMENT)
        }
        _ => "NULL".to_owned(),
    }
}

fn label_entry(node: &Node, label: &Label, needs: Option<usize>) -> Entry {
    Entry {
        kind: Kind::SecurityLabel,
        schema: node.schema.as_deref().map(str::to_owned),
        name: label.target.clone(),
        identity: label.identity(),
        owner: None,
        section: order::section(node),
        create: label.set(),
        drop: Some(label.unset()),
        depends: needs.into_iter().collect(),
    }
}

/// Dependencies over nodes that are not emitted.
struct Reach<'a> {
    graph: &'a Graph,
    positions: &'a HashMap<NodeId, usize>,
    parts: &'a HashMap<NodeId, Vec<NodeId>>,
}

impl Reach<'_> {
    fn depends(&mut self, start: NodeId) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([start]);
        let mut stack = vec![start];
        while let Some(id) = stack.pop() {
            let own = std::iter::once(&id).chain(self.parts.get(&id).into_iter().flatten());
            for &needed in own.flat_map(|&part| &self.graph.nodes[part].needs) {
                let needed = self.graph.root(needed);
                if !seen.insert(needed) {
                    continue;
                }
                match self.positions.get(&needed) {
                    Some(&place) => _ = found.insert(place),
                    None => stack.push(needed),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_follow_and_hidden_nodes_pass_dependencies_on() {
        let mut graph = Graph::default();
        let schema = graph.add_unaddressed(
            Node::new(Kind::Schema, None, "s", "schema s").text("x;\n".into(), None),
        );
        let mut hidden = Node::new(Kind::Type, Some("s"), "t", "type s.t");
        hidden.is_dummy = true;
        let hidden = graph.add_unaddressed(hidden);
        let table = graph.add_unaddressed(
            Node::new(Kind::Table, Some("s"), "t", "table s.t").text("y;\n".into(), None),
        );
        graph.need(hidden, schema);
        graph.need(table, hidden);
        graph.comment(
            table,
            Comment {
                target: "TABLE s.t".into(),
                text: "'c'".into(),
            },
        );
        let entries = entries(graph, &[schema, hidden, table]);
        let identities: Vec<&str> = entries
            .iter()
            .map(|entry| entry.identity.as_str())
            .collect();
        assert_eq!(
            identities,
            ["schema s", "table s.t", "comment on TABLE s.t"]
        );
        assert_eq!(entries[1].depends, [0]);
        assert_eq!(entries[2].depends, [1]);
        let sections = entries.iter().map(|entry| entry.section);
        assert!(sections.eq([crate::archive::Section::PreData; 3]));
    }
}
