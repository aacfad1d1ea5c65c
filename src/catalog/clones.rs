//! Names of the foreign keys that a partition has of its parent's.
//!
//! The parent's key makes them, under its own name where that is free in the partition and else under one that each major
//! chooses in its own way. A key that was there before its table was attached, or that was renamed, has another: no name
//! leads down from the parent's, so it is found by what it hangs on, in whichever server it is made.
//!
//! Keys that lead to the partitions of a referenced table are the server's: it numbers them as partitions come and go, so
//! their names tell nothing, and a comment on one is refused (no statement would find it).

use std::collections::HashMap;

use super::address::CONSTRAINT;
use super::constraints::Constraint;
use super::graph::Body;
use super::guard::{block, regclass};
use super::read::Reading;
use crate::pg::quote_literal;

/// A partition's key on the way up to the one that somebody made.
struct PartitionsKey<'a> {
    own: &'a Constraint,
    parent: &'a Constraint,
    root: &'a Constraint,
    depth: usize,
    /// Whether it, or one above it, is called otherwise than the one at the top.
    is_renamed: bool,
    /// Whether it, or one above it, leads to a partition of what the one above leads to.
    is_numbered: bool,
}

pub(super) fn keep_names(reading: &mut Reading, constraints: &[Constraint]) {
    let keys = constraints.iter().filter(|one| one.kind == 'f');
    let keys: HashMap<u32, &Constraint> = keys.map(|one| (one.oid, one)).collect();
    let mut clones: Vec<PartitionsKey<'_>> = constraints
        .iter()
        .filter_map(|own| clone(own, &keys))
        .collect();
    let mut own: HashMap<u32, Vec<&Constraint>> = HashMap::new();
    for key in keys.values().filter(|one| one.parent == 0) {
        own.entry(key.relation).or_default().push(key);
    }
    // Who hangs on another is found by that one's name; the tables' own order is that of their OIDs.
    clones.sort_by_cached_key(|clone| {
        let table = reading.relations.get(clone.own.relation);
        (clone.depth, table.map(|one| one.quoted.clone()))
    });
    for clone in &clones {
        if clone.is_numbered {
            let own = reading.graph.find((CONSTRAINT, clone.own.oid));
            if let Some(node) = own.and_then(|id| reading.graph.nodes.get_mut(id)) {
                node.comment_target = None;
            }
        } else {
            let_twins_wait(reading, clone, own.get(&clone.own.relation));
            if clone.is_renamed {
                add_name(reading, clone);
            }
        }
    }
}

fn clone<'a>(
    own: &'a Constraint,
    keys: &HashMap<u32, &'a Constraint>,
) -> Option<PartitionsKey<'a>> {
    let parent = *keys.get(&own.parent)?;
    let (mut root, mut depth, mut is_numbered) = (own, 0, false);
    let mut names = vec![&own.name];
    while let Some(above) = keys.get(&root.parent) {
        is_numbered |= above.relation == root.relation;
        names.push(&above.name);
        (root, depth) = (*above, depth + 1);
    }
    Some(PartitionsKey {
        own,
        parent,
        root,
        depth,
        is_renamed: names.iter().any(|name| **name != root.name),
        is_numbered,
    })
}

/// A partition's own key that says the same would be taken for the parent's, if it were there before.
fn let_twins_wait(
    reading: &mut Reading,
    clone: &PartitionsKey<'_>,
    own: Option<&Vec<&Constraint>>,
) {
    let Some(root) = reading.graph.find((CONSTRAINT, clone.root.oid)) else {
        return;
    };
    let twins = own.into_iter().flatten();
    for twin in twins.filter(|one| one.definition == clone.own.definition) {
        if let Some(twin) = reading.graph.find((CONSTRAINT, twin.oid)) {
            reading.graph.need(twin, root);
        }
    }
}

/// Right after the key that makes it, so that no other key finds its name taken meanwhile.
fn add_name(reading: &mut Reading, clone: &PartitionsKey<'_>) {
    let quoted = |oid| reading.relations.get(oid).map(|one| one.quoted.clone());
    let places = [
        clone.parent.relation,
        clone.own.relation,
        clone.own.referenced,
    ];
    let [Some(above), Some(table), Some(referenced)] = places.map(quoted) else {
        return;
    };
    let root = reading.graph.find((CONSTRAINT, clone.root.oid));
    let root = root.and_then(|id| reading.graph.nodes.get_mut(id));
    if let Some(Body::Fixed(draft)) = root.map(|node| &mut node.body) {
        let renaming = renaming(clone, &above, &table, &referenced);
        draft.create.push_str(&renaming);
    }
}

fn renaming(clone: &PartitionsKey<'_>, above: &str, table: &str, referenced: &str) -> String {
    let alter = format!("ALTER TABLE ONLY {table} RENAME CONSTRAINT ");
    let name = format!(" TO {}", clone.own.quoted);
    block(&format!(
        "DECLARE\n    pgbelay_is text := (SELECT k.conname FROM pg_catalog.pg_constraint k\n        \
         JOIN pg_catalog.pg_constraint p ON p.oid = k.conparentid AND p.conrelid = {above} AND p.conname = {parent}\n        \
         WHERE k.conrelid = {table} AND k.confrelid = {referenced});\nBEGIN\n    \
         IF pgbelay_is <> {own} THEN\n        \
         EXECUTE {alter} || pg_catalog.quote_ident(pgbelay_is) || {name};\n    \
         END IF;\nEND\n",
        above = regclass(above),
        parent = quote_literal(&clone.parent.name),
        table = regclass(table),
        referenced = regclass(referenced),
        own = quote_literal(&clone.own.name),
        alter = quote_literal(&alter),
        name = quote_literal(&name),
    ))
}
