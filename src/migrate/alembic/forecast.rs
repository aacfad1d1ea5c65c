//! What an alembic command will do to a database with these version rows: the revisions that run,
//! in order, and the version rows afterwards. Mirrors alembic's upgrade and downgrade plans and
//! its HeadMaintainer.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::command::Verb;
use super::graph::{Found, Graph, Node, Nodes};
use super::risks::Risks;
use super::scripts::Scripts;
use super::target;
use crate::error::{Error, Result};

/// What is about to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forecast {
    /// Known without running anything.
    Known {
        /// The revisions that will run, in order.
        pending: Vec<PendingRevision>,
        /// The version rows afterwards.
        expected: BTreeSet<String>,
    },
    /// Not foreseeable, for this reason; verification rests on the other checks.
    Unknown(String),
}

/// One revision that is about to run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PendingRevision {
    /// The revision id.
    pub id: String,
    /// The script.
    pub file: PathBuf,
    /// First paragraph of its docstring.
    pub message: String,
    /// Whether its `downgrade()` runs, not its `upgrade()`.
    pub is_downgrade: bool,
    /// What deserves attention.
    pub risks: Risks,
    /// Whether each revision commits by itself.
    pub transaction_per_migration: bool,
}

impl Scripts {
    /// The heads, as `alembic heads` prints them. Errors (`Kind::Refused`): a broken graph.
    pub fn heads(&self) -> Result<BTreeSet<String>> {
        let graph = Graph::build(&self.revisions)?;
        Ok(ids(&graph, graph.heads()))
    }

    /// Refuses version rows of which one comes before another, as Alembic does.
    ///
    /// # Errors
    /// `Kind::Refused`: that, or a broken graph.
    pub fn require_apart(&self, revisions: &BTreeSet<String>) -> Result<()> {
        let graph = Graph::build(&self.revisions)?;
        let nodes: Vec<Node> = revisions
            .iter()
            .filter_map(|id| match graph.find(id) {
                Found::One(node) => Some(node),
                _ => None,
            })
            .collect();
        match overlap(&graph, &nodes) {
            None => Ok(()),
            Some((node, lower)) => Err(Error::refused("stamp the database").because(format!(
                "{} comes before {}: a row for the later one says both",
                graph.id(lower),
                graph.id(node)
            ))),
        }
    }

    /// What `verb` will do to a database whose version rows are `current`. Errors
    /// (`Kind::Refused`): what alembic itself would refuse, in words with a cure.
    pub fn forecast(&self, verb: &Verb, current: &[String]) -> Result<Forecast> {
        let (target, is_downgrade) = match verb {
            Verb::Upgrade(target) => (target, false),
            Verb::Downgrade(target) => (target, true),
            Verb::Other(name) => {
                return Ok(Forecast::Unknown(format!(
                    "alembic {name} runs no migration"
                )));
            }
        };
        let graph = Graph::build(&self.revisions)?;
        let applied = applied(&graph, current)?;
        let plan = if is_downgrade {
            target::downgrade(&graph, target, &applied)?
        } else {
            target::upgrade(&graph, target, &applied)?
        };
        let Some(steps) = plan else {
            return Ok(Forecast::Unknown(format!(
                "the target {target} is understood by alembic alone"
            )));
        };
        let rows = rows_after(&graph, &applied, &steps, is_downgrade);
        Ok(match rows {
            None => Forecast::Unknown("the version rows do not fit the scripts".to_owned()),
            Some(rows) => Forecast::Known {
                pending: steps
                    .iter()
                    .map(|&node| self.pending(node, is_downgrade))
                    .collect(),
                expected: ids(&graph, rows),
            },
        })
    }

    fn pending(&self, node: Node, is_downgrade: bool) -> PendingRevision {
        let script = &self.revisions[node];
        PendingRevision {
            id: script.id.clone(),
            file: script.file.clone(),
            message: script.message.clone(),
            is_downgrade,
            risks: if is_downgrade {
                script.downgrade.clone()
            } else {
                script.upgrade.clone()
            },
            transaction_per_migration: self.transaction_per_migration,
        }
    }
}

fn ids(graph: &Graph<'_>, nodes: impl IntoIterator<Item = Node>) -> BTreeSet<String> {
    nodes
        .into_iter()
        .map(|node| graph.id(node).to_owned())
        .collect()
}

/// The version rows as nodes.
fn applied(graph: &Graph<'_>, current: &[String]) -> Result<Vec<Node>> {
    let mut applied = Vec::new();
    for id in current {
        match graph.find(id) {
            Found::One(node) if graph.id(node) == id => applied.push(node),
            _ => return Err(unknown_revision(id)),
        }
    }
    if let Some((node, lower)) = overlap(graph, &applied) {
        return Err(Error::refused("plan the migration")
            .because(format!(
                "the version table holds {} and also {}, which comes before it",
                graph.id(node),
                graph.id(lower)
            ))
            .hint(format!(
                "if {0} is applied, remove the other row: alembic stamp --purge {0}",
                graph.id(node)
            )));
    }
    Ok(applied)
}

/// A node with one of the others that comes before it.
fn overlap(graph: &Graph<'_>, nodes: &[Node]) -> Option<(Node, Node)> {
    nodes.iter().find_map(|&node| {
        let below = graph.ancestors(&[node]);
        let mut others = nodes.iter().filter(|&&other| other != node);
        others
            .find(|other| below.contains(other))
            .map(|&lower| (node, lower))
    })
}

fn unknown_revision(id: &str) -> Error {
    Error::refused("plan the migration")
        .because(format!(
            "the database is at revision {id}, and no migration script has that revision"
        ))
        .hint(
            "these scripts are probably older than the ones that migrated this database: deploy \
             the newer scripts, or put the database back with `pgbelay rollback`",
        )
        .hint("another project's version table? see version_table in env.py")
}

/// The version rows after the steps; `None` where alembic itself would stumble.
fn rows_after(
    graph: &Graph<'_>,
    applied: &[Node],
    steps: &[Node],
    is_downgrade: bool,
) -> Option<Nodes> {
    let mut rows: Nodes = applied.iter().copied().collect();
    for &step in steps {
        if is_downgrade {
            take_back(graph, &mut rows, step)?;
        } else {
            take_on(graph, &mut rows, step)?;
        }
    }
    Some(rows)
}

fn take_on(graph: &Graph<'_>, rows: &mut Nodes, step: Node) -> Option<()> {
    let lower = graph.normalized(step);
    let present: Vec<Node> = lower
        .iter()
        .copied()
        .filter(|node| rows.contains(node))
        .collect();
    let replaced = if present.len() > 1 {
        let others: Vec<Node> = rows
            .iter()
            .copied()
            .filter(|row| !lower.contains(row))
            .collect();
        let covered = graph.ancestors(&others);
        lower
            .iter()
            .copied()
            .filter(|node| !covered.contains(node))
            .collect()
    } else {
        present
    };
    for node in replaced {
        // Alembic fails with a KeyError here: two parents of a merge follow one another.
        rows.remove(&node).then_some(())?;
    }
    rows.insert(step).then_some(())
}

fn take_back(graph: &Graph<'_>, rows: &mut Nodes, step: Node) -> Option<()> {
    if !rows.remove(&step) {
        return None;
    }
    let lower = graph.normalized(step);
    let others: Vec<Node> = rows.iter().copied().collect();
    let covered = if others.is_empty() {
        covered_by_each_other(graph, lower)
    } else {
        graph.ancestors(&others)
    };
    rows.extend(lower.iter().copied().filter(|node| !covered.contains(node)));
    Some(())
}

/// Those of `nodes` that are below another one of them.
fn covered_by_each_other(graph: &Graph<'_>, nodes: &[Node]) -> Nodes {
    let mut covered = Nodes::new();
    for &node in nodes {
        let mut below = graph.ancestors(&[node]);
        below.remove(&node);
        covered.extend(below);
    }
    covered
}
