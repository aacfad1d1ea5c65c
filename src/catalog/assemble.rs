//! Ordered nodes → entries: text with the parts that stayed folded, comments behind what they
//! describe, dependencies as positions.

use std::collections::{BTreeSet, HashMap};

use super::entry::{Entry, Kind};
use super::graph::{Body, Comment, Draft, Graph, Label, Node, NodeId};
use super::{domains, order, schemas, table_ddl, views};
#[cfg(test)]
use crate::archive::Section;
use crate::pg::quote_literal;

/// Entries in restore order.
#[derive(Debug, Default)]
pub(super) struct Assembled {
    pub entries: Vec<Entry>,
}

pub(super) fn entries(graph: &Graph, order: &[NodeId]) -> Assembled {
    let parts = parts_by_owner(graph);
    let mut assembled = Assembled::default();
    let mut positions: HashMap<NodeId, usize> = HashMap::new();
    let mut emitters: Vec<Option<NodeId>> = Vec::new();
    for &id in order {
        let node = &graph.nodes[id];
        if let Some(draft) = draft(node, graph) {
            positions.insert(id, assembled.entries.len());
            emitters.push(Some(id));
            assembled.entries.push(entry(node, draft));
        }
        for carrier in std::iter::once(id).chain(parts.get(&id).into_iter().flatten().copied()) {
            for comment in graph.comments.get(&carrier).into_iter().flatten() {
                let needs = positions.get(&id).copied();
                emitters.push(None);
                assembled.entries.push(comment_entry(node, comment, needs));
            }
            for label in graph.labels.get(&carrier).into_iter().flatten() {
                let needs = positions.get(&id).copied();
                emitters.push(None);
                assembled.entries.push(label_entry(node, label, needs));
            }
        }
    }
    let mut reach = Reach {
        graph,
        positions: &positions,
        parts: &parts,
    };
    for (place, emitter) in emitters.iter().enumerate() {
        if let Some(id) = emitter {
            assembled.entries[place].depends = reach
                .depends(*id)
                .into_iter()
                .filter(|&needed| needed != place)
                .collect();
        }
    }
    assembled
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

/// The node's text; none for what is not emitted.
fn draft(node: &Node, graph: &Graph) -> Option<Draft> {
    match &node.body {
        Body::Hidden => None,
        Body::Fixed(draft) | Body::Part(draft) => Some(draft.clone()),
        Body::Table(body) => Some(table_ddl::draft(body, graph)),
        Body::View(body) => Some(views::draft(body)),
        Body::Domain(body) => Some(domains::draft(body, graph)),
        Body::Data => Some(Draft::default()),
    }
}

fn entry(node: &Node, draft: Draft) -> Entry {
    Entry {
        kind: node.kind,
        schema: node.schema.clone(),
        name: shown_name(node),
        identity: node.identity.clone(),
        owner: node.owner.clone(),
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
        schema: node.schema.clone(),
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
        schema: node.schema.clone(),
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

impl Assembled {
    /// Whether data belongs to a section that holds rows or values.
    #[cfg(test)]
    pub fn in_section(&self, section: Section) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.section == section)
            .count()
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
        let assembled = entries(&graph, &[schema, hidden, table]);
        let identities: Vec<&str> = assembled
            .entries
            .iter()
            .map(|entry| entry.identity.as_str())
            .collect();
        assert_eq!(
            identities,
            ["schema s", "table s.t", "comment on TABLE s.t"]
        );
        assert_eq!(assembled.entries[1].depends, [0]);
        assert_eq!(assembled.entries[2].depends, [1]);
        assert_eq!(assembled.in_section(Section::PreData), 3);
    }
}
