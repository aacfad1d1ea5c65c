//! The graph of revisions with alembic's own meaning of heads, ancestors and order.
//!
//! Mirrors alembic's RevisionMap: "down" edges come from `down_revision`, "all" edges also from
//! `depends_on`; a dependency that an ancestor has already is dropped ("normalized"). A graph that
//! alembic could not load is refused here in words, before anything is touched.

use std::collections::{BTreeSet, HashMap};

use super::script::Script;
use crate::error::{Error, Result};

/// A revision's place in [`Graph::scripts`].
pub(super) type Node = usize;
/// A set of revisions.
pub(super) type Nodes = BTreeSet<Node>;

/// The loaded graph.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) scripts: &'a [Script],
    ids: HashMap<&'a str, Node>,
    labels: HashMap<&'a str, Node>,
    down: Vec<Vec<Node>>,
    /// What `depends_on` names.
    dependencies: Vec<Vec<Node>>,
    /// `down` and every dependency.
    all_down: Vec<Vec<Node>>,
    /// `down` and the dependencies that no ancestor has.
    normalized: Vec<Vec<Node>>,
    next: Vec<Vec<Node>>,
    all_next: Vec<Vec<Node>>,
}

impl<'a> Graph<'a> {
    /// Builds the graph. Errors (`Kind::Refused`): duplicate ids or labels, a revision that is
    /// referred to and missing, a cycle.
    pub(super) fn build(scripts: &'a [Script]) -> Result<Self> {
        let mut graph = Self {
            scripts,
            ids: HashMap::new(),
            labels: HashMap::new(),
            down: Vec::new(),
            dependencies: Vec::new(),
            all_down: Vec::new(),
            normalized: Vec::new(),
            next: vec![Vec::new(); scripts.len()],
            all_next: vec![Vec::new(); scripts.len()],
        };
        graph.name_all()?;
        graph.link()?;
        graph.refuse_cycles()?;
        graph.normalize();
        Ok(graph)
    }

    fn name_all(&mut self) -> Result<()> {
        for (node, script) in self.scripts.iter().enumerate() {
            if let Some(first) = self.ids.insert(&script.id, node) {
                return Err(broken(format!(
                    "two scripts have the revision {}: {} and {}",
                    script.id,
                    file_name(&self.scripts[first]),
                    file_name(script)
                ))
                .hint("give one of them another revision id, or delete the copy"));
            }
        }
        for (node, script) in self.scripts.iter().enumerate() {
            for label in &script.labels {
                if self.ids.contains_key(label.as_str())
                    || self.labels.insert(label, node).is_some()
                {
                    return Err(broken(format!(
                        "the branch label {label} of {} is taken already",
                        file_name(script)
                    )));
                }
            }
        }
        Ok(())
    }

    fn link(&mut self) -> Result<()> {
        for (node, script) in self.scripts.iter().enumerate() {
            let mut down = Vec::new();
            for id in &script.down {
                let found = self.ids.get(id.as_str()).copied();
                push_new(
                    &mut down,
                    found.ok_or_else(|| missing(script, "down_revision", id))?,
                );
            }
            let mut dependencies = Vec::new();
            for id in &script.depends_on {
                let found = self.exact(id);
                push_new(
                    &mut dependencies,
                    found.ok_or_else(|| missing(script, "depends_on", id))?,
                );
            }
            let mut all = down.clone();
            for &lower in &dependencies {
                push_new(&mut all, lower);
            }
            for &lower in &down {
                self.next[lower].push(node);
            }
            for &lower in &all {
                self.all_next[lower].push(node);
            }
            self.down.push(down);
            self.dependencies.push(dependencies);
            self.all_down.push(all);
        }
        Ok(())
    }

    /// An id or a label, written out.
    pub(super) fn exact(&self, name: &str) -> Option<Node> {
        self.ids
            .get(name)
            .or_else(|| self.labels.get(name))
            .copied()
    }

    fn refuse_cycles(&self) -> Result<()> {
        let mut waiting: Vec<usize> = self.all_down.iter().map(Vec::len).collect();
        let mut ready: Vec<Node> = (0..waiting.len())
            .filter(|&node| waiting[node] == 0)
            .collect();
        let mut done = 0;
        while let Some(node) = ready.pop() {
            done += 1;
            for &upper in &self.all_next[node] {
                waiting[upper] -= 1;
                if waiting[upper] == 0 {
                    ready.push(upper);
                }
            }
        }
        if done == self.scripts.len() {
            return Ok(());
        }
        let stuck = (0..waiting.len()).filter(|&node| waiting[node] > 0);
        let names: Vec<&str> = stuck.take(10).map(|node| self.id(node)).collect();
        Err(broken(format!(
            "the revisions {} follow each other in a circle",
            names.join(", ")
        ))
        .hint("one of them has a wrong down_revision or depends_on"))
    }

    fn normalize(&mut self) {
        let mut normalized = self.down.clone();
        for (node, own) in normalized.iter_mut().enumerate() {
            let mut extra: Nodes = self.dependencies[node].iter().copied().collect();
            if extra.is_empty() {
                continue;
            }
            for ancestor in self.line_below(&[node]) {
                if ancestor != node {
                    extra.retain(|lower| !self.dependencies[ancestor].contains(lower));
                }
            }
            for lower in extra {
                push_new(own, lower);
            }
        }
        self.normalized = normalized;
    }

    /// The revision id.
    pub(super) fn id(&self, node: Node) -> &'a str {
        &self.scripts[node].id
    }

    /// Revisions that no `down_revision` names: what `alembic heads` prints.
    pub(super) fn heads(&self) -> Vec<Node> {
        (0..self.next.len())
            .filter(|&node| self.next[node].is_empty())
            .collect()
    }

    /// Heads that nobody depends on either: what `upgrade heads` aims at.
    pub(super) fn real_heads(&self) -> Vec<Node> {
        (0..self.next.len())
            .filter(|&node| self.all_next[node].is_empty())
            .collect()
    }

    /// Revisions without `down_revision`.
    pub(super) fn bases(&self) -> Vec<Node> {
        (0..self.down.len())
            .filter(|&node| self.down[node].is_empty())
            .collect()
    }

    /// What follows by `down_revision`.
    pub(super) fn next(&self, node: Node) -> &[Node] {
        &self.next[node]
    }

    /// What it follows by `down_revision`.
    pub(super) fn down(&self, node: Node) -> &[Node] {
        &self.down[node]
    }

    /// What must be applied right before it, dependencies included.
    pub(super) fn normalized(&self, node: Node) -> &[Node] {
        &self.normalized[node]
    }

    /// The nodes and everything below them, dependencies included.
    pub(super) fn ancestors(&self, nodes: &[Node]) -> Nodes {
        walk(nodes, |at| &self.normalized[at])
    }

    /// The nodes and everything below them by `down_revision`.
    pub(super) fn line_below(&self, nodes: &[Node]) -> Nodes {
        walk(nodes, |at| &self.down[at])
    }

    /// The nodes and everything above them, dependents included.
    pub(super) fn descendants(&self, nodes: &[Node]) -> Nodes {
        walk(nodes, |at| &self.all_next[at])
    }

    /// Whether two revisions are on one line of `down_revision`s.
    pub(super) fn shares_line(&self, one: Node, other: Node) -> bool {
        self.line_below(&[one]).contains(&other)
            || walk(&[one], |at| &self.next[at]).contains(&other)
    }

    /// Those of `nodes` that are on the line of `label`.
    pub(super) fn on_line(&self, nodes: &[Node], label: Node) -> Vec<Node> {
        let on = nodes.iter().copied();
        on.filter(|&node| self.shares_line(node, label)).collect()
    }

    /// A revision named in full, by label, or by its first characters.
    pub(super) fn find(&self, name: &str) -> Found {
        if let Some(node) = self.exact(name) {
            return Found::One(node);
        }
        let matching: Vec<Node> = (0..self.scripts.len())
            .filter(|&node| self.id(node).len() > 3 && self.id(node).starts_with(name))
            .collect();
        match matching.as_slice() {
            [] => Found::Nothing,
            [one] => Found::One(*one),
            _ => Found::Several(matching),
        }
    }

    /// `wanted` from the top down, exactly as alembic walks them: a branch is followed to its end
    /// before the next one, unless something else depends on it.
    pub(super) fn sorted(&self, wanted: &Nodes, heads: &[Node]) -> Vec<Node> {
        let mut todo = wanted.clone();
        let heads: Nodes = heads
            .iter()
            .copied()
            .filter(|head| todo.contains(head))
            .collect();
        let mut current: Vec<Node> = heads.into_iter().collect();
        let mut below: Vec<Nodes> = current
            .iter()
            .map(|&head| self.ancestors(&[head]))
            .collect();
        let mut output = Vec::with_capacity(todo.len());
        let mut at = 0;
        while let Some(&candidate) = current.get(at) {
            let blocking =
                (0..below.len()).find(|&other| other != at && below[other].contains(&candidate));
            if let Some(other) = blocking {
                at = other;
                continue;
            }
            if todo.remove(&candidate) {
                output.push(candidate);
            }
            let lower: Vec<Node> = self.normalized[candidate]
                .iter()
                .copied()
                .filter(|node| todo.contains(node) && !current.contains(node))
                .collect();
            let Some((&first, others)) = lower.split_first() else {
                current.remove(at);
                below.remove(at);
                at = at.saturating_sub(1);
                continue;
            };
            current[at] = first;
            if let [_] = self.normalized[candidate].as_slice() {
                // A plain step down: nothing else left the set.
                below[at].remove(&candidate);
            } else {
                below[at] = self.ancestors(&[first]);
            }
            current.extend(others);
            below.extend(others.iter().map(|&node| self.ancestors(&[node])));
        }
        output
    }
}

/// The answer to a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// This one.
    One(Node),
    /// Nobody has that name.
    Nothing,
    /// Several ids start so.
    Several(Vec<Node>),
}

fn walk<'g>(start: &[Node], edges: impl Fn(Node) -> &'g [Node]) -> Nodes {
    let mut seen = Nodes::new();
    let mut todo = start.to_vec();
    while let Some(node) = todo.pop() {
        if seen.insert(node) {
            todo.extend_from_slice(edges(node));
        }
    }
    seen
}

fn push_new(nodes: &mut Vec<Node>, node: Node) {
    if !nodes.contains(&node) {
        nodes.push(node);
    }
}

fn file_name(script: &Script) -> String {
    script
        .file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn broken(why: String) -> Error {
    Error::refused("read the migration scripts").because(why)
}

fn missing(script: &Script, option: &str, id: &str) -> Error {
    broken(format!(
        "{} names the {option} {id}, and no script has that revision",
        file_name(script)
    ))
    .hint(format!(
        "bring back the script of revision {id}, or correct the {option}"
    ))
}
