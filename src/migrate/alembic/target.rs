//! Targets in alembic's own language: `head`, `heads`, `base`, ids and their first characters,
//! `+2`, `-1`, `branch@head`, `branch@+1`.

use super::graph::{Found, Graph, Node, Nodes};
use crate::error::{Error, Result};

/// A target taken apart.
struct Target<'t> {
    label: Option<&'t str>,
    symbol: &'t str,
    /// The number after `+` or `-`.
    steps: Option<i64>,
}

impl<'t> Target<'t> {
    fn parse(text: &'t str) -> Self {
        let (label, rest) = match text.split_once('@') {
            Some((label, rest)) => (Some(label), rest),
            None => (None, text),
        };
        let sign = rest.find(['+', '-']);
        let steps = sign.and_then(|at| rest[at..].parse().ok());
        Self {
            label,
            symbol: match (sign, steps) {
                (Some(at), Some(_)) => &rest[..at],
                _ => rest,
            },
            steps,
        }
    }
}

/// The revisions that `upgrade target` applies, in order; `None` for forms that only alembic
/// understands.
pub(super) fn upgrade(
    graph: &Graph<'_>,
    text: &str,
    applied: &[Node],
) -> Result<Option<Vec<Node>>> {
    let target = Target::parse(text);
    let targets = match target.steps {
        None => absolute(graph, &target, text)?,
        Some(steps) if steps > 0 => {
            let Some(start) = start_of(graph, &target, text, applied)? else {
                return Ok(None);
            };
            vec![climb(graph, start, steps, &target, text)?]
        }
        Some(_) => return Ok(None),
    };
    let mut needed = graph.ancestors(&targets);
    let present = graph.ancestors(applied);
    needed.retain(|node| !present.contains(node));
    let mut order = graph.sorted(&needed, &targets);
    order.reverse();
    Ok(Some(order))
}

fn absolute(graph: &Graph<'_>, target: &Target<'_>, text: &str) -> Result<Vec<Node>> {
    let label = label_of(graph, target, text)?;
    match (target.symbol, label) {
        ("base", _) => Ok(Vec::new()),
        ("heads", None) => Ok(graph.real_heads()),
        ("heads", Some(label)) => Ok(graph.on_line(&graph.heads(), label)),
        ("head", label) => {
            let heads = match label {
                Some(label) => graph.on_line(&graph.heads(), label),
                None => graph.heads(),
            };
            if heads.len() > 1 {
                return Err(several_heads(graph, &heads, text));
            }
            Ok(heads)
        }
        (symbol, None) => Ok(vec![named(graph, symbol, text)?]),
        (symbol, Some(label)) => Ok(vec![named_on_line(graph, symbol, label, text)?]),
    }
}

fn label_of(graph: &Graph<'_>, target: &Target<'_>, text: &str) -> Result<Option<Node>> {
    target
        .label
        .map(|label| match graph.find(label) {
            Found::One(node) => Ok(node),
            _ => Err(refused(text)
                .because(format!("there is no branch {label}"))
                .hint(labels_hint(graph))),
        })
        .transpose()
}

fn labels_hint(graph: &Graph<'_>) -> String {
    let labels: Vec<&str> = graph
        .scripts
        .iter()
        .flat_map(|script| script.labels.iter().map(String::as_str))
        .collect();
    if labels.is_empty() {
        "no script sets branch_labels".to_owned()
    } else {
        format!("branch labels: {}", labels.join(", "))
    }
}

fn named(graph: &Graph<'_>, symbol: &str, text: &str) -> Result<Node> {
    match graph.find(symbol) {
        Found::One(node) => Ok(node),
        Found::Nothing => Err(refused(text)
            .because(format!("no migration script has the revision {symbol}"))
            .hint(format!(
                "heads of the scripts: {}",
                names(graph, &graph.heads())
            ))),
        Found::Several(all) => Err(refused(text).because(format!(
            "several revisions start with {symbol}: {}",
            names(graph, &all)
        ))),
    }
}

fn named_on_line(graph: &Graph<'_>, symbol: &str, label: Node, text: &str) -> Result<Node> {
    let candidates = match graph.find(symbol) {
        Found::One(node) => vec![node],
        Found::Several(all) => graph.on_line(&all, label),
        Found::Nothing => Vec::new(),
    };
    match candidates.as_slice() {
        [one] if graph.shares_line(*one, label) => Ok(*one),
        _ => Err(refused(text).because(format!("no revision {symbol} is on that branch"))),
    }
}

/// Where `+N` starts: `Some(None)` is the base.
fn start_of(
    graph: &Graph<'_>,
    target: &Target<'_>,
    text: &str,
    applied: &[Node],
) -> Result<Option<Option<Node>>> {
    if !target.symbol.is_empty() {
        // `head+1` and the like mean nothing before the heads are known to alembic.
        return match graph.find(target.symbol) {
            Found::One(node) => Ok(Some(Some(node))),
            _ => Ok(None),
        };
    }
    let start = match label_of(graph, target, text)? {
        None => applied.to_vec(),
        Some(label) => {
            let rows = graph.on_line(applied, label);
            if rows.is_empty() {
                tips_on_line(graph, applied, label)
            } else {
                rows
            }
        }
    };
    match start.as_slice() {
        [] => Ok(Some(None)),
        [one] => Ok(Some(Some(*one))),
        _ => Err(refused(text)
            .because(format!(
                "the database is at several revisions ({}), so {} is ambiguous",
                names(graph, &start),
                target.steps.unwrap_or_default()
            ))
            .hint(format!("name the branch: <branch>@{text}"))),
    }
}

/// The highest applied revisions on a branch that has no version row of its own.
fn tips_on_line(graph: &Graph<'_>, applied: &[Node], label: Node) -> Vec<Node> {
    let active: Vec<Node> = graph.ancestors(applied).into_iter().collect();
    let active = graph.on_line(&active, label);
    let below: Nodes = active
        .iter()
        .flat_map(|&node| graph.normalized(node).to_vec())
        .collect();
    active
        .into_iter()
        .filter(|node| !below.contains(node))
        .collect()
}

fn climb(
    graph: &Graph<'_>,
    start: Option<Node>,
    steps: i64,
    target: &Target<'_>,
    text: &str,
) -> Result<Node> {
    let label = label_of(graph, target, text)?;
    let mut at = start;
    for _ in 0..steps {
        let mut above = match at {
            None => graph.bases(),
            Some(node) => graph.next(node).to_vec(),
        };
        if let Some(label) = label {
            above = graph.on_line(&above, label);
        }
        at = match above.as_slice() {
            [one] => Some(*one),
            [] => return Err(too_far(text)),
            _ => {
                return Err(refused(text)
                    .because(format!("the way forks into {}", names(graph, &above)))
                    .hint("name the revision or the branch"));
            }
        };
    }
    at.ok_or_else(|| too_far(text))
}

/// The revisions that `downgrade target` takes back, in order; `None` for forms that only alembic
/// understands.
pub(super) fn downgrade(
    graph: &Graph<'_>,
    text: &str,
    applied: &[Node],
) -> Result<Option<Vec<Node>>> {
    let target = Target::parse(text);
    let (goal, label) = match (target.steps, applied) {
        (None, _) if target.symbol == "base" => (None, label_of(graph, &target, text)?),
        (None, _) if matches!(target.symbol, "head" | "heads") => return Ok(None),
        (None, _) => (
            Some(named(graph, target.symbol, text)?),
            label_of(graph, &target, text)?,
        ),
        (Some(_), []) => return Err(too_far(text)),
        (Some(steps), [one]) if steps < 0 && target.symbol.is_empty() && target.label.is_none() => {
            (descend(graph, *one, steps, text)?, Some(*one))
        }
        _ => return Ok(None),
    };
    let mut roots = match goal {
        None => graph.bases(),
        Some(node) => graph.next(node).to_vec(),
    };
    if let Some(label) = label.filter(|_| roots.len() > 1) {
        let line = graph.line_below(&[label]);
        roots.retain(|root| line.contains(root));
        if roots.is_empty() {
            return Err(refused(text).because("it is not below the current revision"));
        }
    }
    let active = graph.ancestors(applied);
    let mut dropped = graph.descendants(&roots);
    dropped.retain(|node| active.contains(node));
    if dropped.is_empty() && goal.is_some_and(|goal| !applied.contains(&goal)) {
        return Err(refused(text).because("it is not below the current revision"));
    }
    Ok(Some(graph.sorted(&dropped, applied)))
}

/// `None` is the base.
fn descend(graph: &Graph<'_>, start: Node, steps: i64, text: &str) -> Result<Option<Node>> {
    let mut at = Some(start);
    for _ in steps..0 {
        let Some(node) = at else {
            return Err(too_far(text));
        };
        at = match graph.down(node) {
            [] => None,
            [one] => Some(*one),
            several => {
                return Err(refused(text)
                    .because(format!("the way forks into {}", names(graph, several)))
                    .hint("name the revision"));
            }
        };
    }
    Ok(at)
}

fn refused(text: &str) -> Error {
    Error::refused(format!("plan the migration to {text}"))
}

fn too_far(text: &str) -> Error {
    refused(text).because("there are not that many revisions on the way")
}

fn several_heads(graph: &Graph<'_>, heads: &[Node], text: &str) -> Error {
    let files: Vec<String> = heads
        .iter()
        .map(|&node| {
            let script = &graph.scripts[node];
            let file = script
                .file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            format!("{} ({file})", script.id)
        })
        .collect();
    refused(text)
        .because(format!("the scripts have {} heads: {}", heads.len(), files.join(", ")))
        .hint("apply all of them with `alembic upgrade heads`, or merge them: alembic merge heads -m 'merge'")
}

fn names(graph: &Graph<'_>, nodes: &[Node]) -> String {
    let names: Vec<&str> = nodes.iter().map(|&node| graph.id(node)).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
