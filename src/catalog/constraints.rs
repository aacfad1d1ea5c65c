//! Constraints of tables and domains (spec §1.3 TABLE, CONSTRAINT, FOREIGN KEY; §2.3 cases 6 to 12).
//!
//! Constraints that an index implements are made by `indexes`, which knows both rows.

use std::collections::{HashMap, HashSet};

use super::address::{CLASS, CONSTRAINT, TYPE};
use super::clones;
use super::entry::Kind;
use super::graph::{Body, Draft, Give, Node, NodeId};
use super::guard::regclass;
use super::read::Reading;
use super::relations::Relation;
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql, quote_literal};

/// One pg_constraint row.
#[derive(Debug, Clone)]
pub(super) struct Constraint {
    pub oid: u32,
    pub name: String,
    pub quoted: String,
    pub kind: char,
    pub relation: u32,
    pub domain: u32,
    /// Where a foreign key leads.
    pub referenced: u32,
    pub index: u32,
    pub parent: u32,
    pub is_valid: bool,
    pub is_local: bool,
    pub no_inherit: bool,
    /// A NOT NULL whose name another constraint of the schema has: as a default it would get another one.
    pub shares_name: bool,
    pub first_column: Option<String>,
    pub definition: String,
}

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/constraints.sql")))
        .await?;
    let constraints = rows.iter().map(constraint).collect::<Result<Vec<_>>>()?;
    drop(rows);
    for constraint in &constraints {
        if constraint.domain != 0 {
            add_to_domain(reading, constraint);
        } else if let Some(relation) = reading.relations.get(constraint.relation).cloned() {
            if reading.is_member((CLASS, relation.oid)) {
                add_to_member(reading, constraint, &relation);
            } else {
                add_to_table(reading, constraint, &relation);
            }
        }
    }
    validate_children(reading, &constraints);
    link_to_parents(reading, &constraints);
    clones::keep_names(reading, &constraints);
    keep_keys(reading, constraints);
    if source.version().major() < 18 {
        add_plain_not_null(reading);
    }
    Ok(())
}

/// Keys and exclusions are made with their indexes.
fn keep_keys(reading: &mut Reading, constraints: Vec<Constraint>) {
    let keys = constraints
        .into_iter()
        .filter(|constraint| matches!(constraint.kind, 'p' | 'u' | 'x'));
    reading
        .keys
        .extend(keys.map(|constraint| (constraint.oid, constraint)));
}

/// What a child inherits is made by its parent's NOT VALID, so it would come back not valid although it was: it is validated
/// after that. A partition says of a check by itself that it is valid; a foreign key it always inherits.
fn validate_children(reading: &mut Reading, constraints: &[Constraint]) {
    let invalid: HashMap<(u32, &str), u32> = constraints
        .iter()
        .filter(|one| !one.is_valid)
        .map(|one| ((one.relation, one.name.as_str()), one.oid))
        .collect();
    let invalid_keys: HashSet<u32> = invalid.values().copied().collect();
    for child in constraints.iter().filter(|one| one.is_valid) {
        let Some(relation) = reading.relations.get(child.relation).cloned() else {
            continue;
        };
        let above = match child.kind {
            'f' => Some(child.parent).filter(|parent| invalid_keys.contains(parent)),
            'c' | 'n' if !child.is_local && !relation.is_partition => {
                let mut parents = relation.parents.iter();
                parents.find_map(|&parent| invalid.get(&(parent, &child.name)).copied())
            }
            _ => None,
        };
        if let Some(above) = above {
            add_validation(reading, child, &relation, above);
        }
    }
}

fn add_validation(reading: &mut Reading, child: &Constraint, relation: &Relation, above: u32) {
    let (what, name) = (&relation.quoted, &child.quoted);
    let kind = match child.kind {
        'f' => Kind::FkConstraint,
        _ => Kind::CheckConstraint,
    };
    let identity = format!("validation of constraint {name} on {what}");
    let node = Node::new(kind, Some(&relation.schema), &child.name, identity)
        .text(
            format!("ALTER TABLE {what} VALIDATE CONSTRAINT {name};\n"),
            None,
        )
        .tied(["1".to_owned(), relation.name.clone()]);
    let id = reading.graph.add_unaddressed(node);
    let needs = [(CONSTRAINT, above), (CLASS, relation.oid)];
    for need in needs
        .into_iter()
        .filter_map(|address| reading.graph.find(address))
        .collect::<Vec<_>>()
    {
        reading.graph.need(id, need);
    }
}

/// ADD CONSTRAINT reaches the children. What they inherit is there only then, so a comment on it has
/// to wait; what they have under the same name by themselves has to be there before, to be merged.
fn link_to_parents(reading: &mut Reading, constraints: &[Constraint]) {
    let named: HashMap<(u32, &str), u32> = constraints
        .iter()
        .map(|constraint| {
            (
                (constraint.relation, constraint.name.as_str()),
                constraint.oid,
            )
        })
        .collect();
    for constraint in constraints
        .iter()
        .filter(|one| matches!(one.kind, 'c' | 'n'))
    {
        let Some(relation) = reading.relations.get(constraint.relation) else {
            continue;
        };
        for parent in relation.parents.clone() {
            let above = named.get(&(parent, constraint.name.as_str()));
            let above = above.and_then(|&oid| reading.graph.find((CONSTRAINT, oid)));
            let below = reading.graph.find((CONSTRAINT, constraint.oid));
            let (Some(above), Some(below)) = (above, below) else {
                continue;
            };
            match (
                &reading.graph.nodes[above].body,
                &reading.graph.nodes[below].body,
            ) {
                (_, Body::Hidden) => reading.graph.need(below, above),
                (Body::Fixed(_), Body::Fixed(_)) => reading.graph.need(above, below),
                _ => {}
            }
        }
    }
}

fn constraint(row: &Row) -> Result<Constraint> {
    Ok(Constraint {
        oid: row.number("oid")?,
        name: row.string("name")?,
        quoted: row.string("quoted")?,
        kind: row.letter("kind")?,
        relation: row.number("relation")?,
        domain: row.number("domain")?,
        referenced: row.number("referenced")?,
        index: row.number("index")?,
        parent: row.number("parent")?,
        is_valid: row.bool("validated")? && row.bool("enforced")?,
        is_local: row.bool("is_local")?,
        no_inherit: row.bool("no_inherit")?,
        shares_name: row.bool("shares_name")?,
        first_column: row.opt_string("first_column")?,
        definition: row.string("definition")?,
    })
}

/// SQL for a constraint's definition in the target.
pub(super) fn constraint_probe(relation: &Relation, name: &str) -> String {
    format!(
        "(SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint \
         WHERE conrelid = {} AND conname = {})",
        regclass(&relation.quoted),
        quote_literal(name)
    )
}

/// A check or foreign key of an extension's own table, which may be the user's. NOT NULL is the
/// table's entry's affair, what is inherited is the parent's.
fn add_to_member(reading: &mut Reading, constraint: &Constraint, relation: &Relation) {
    if constraint.parent != 0 || !constraint.is_local {
        return;
    }
    let Some(table) = reading.graph.find((CLASS, relation.oid)) else {
        return;
    };
    match constraint.kind {
        'c' => {
            let add = add_statement(constraint, relation, "");
            let node = node(Kind::CheckConstraint, constraint, relation, add);
            reading.graph.add((CONSTRAINT, constraint.oid), node);
        }
        'f' => add_foreign_key(reading, constraint, relation),
        _ => return,
    }
    let Some(id) = reading.graph.find((CONSTRAINT, constraint.oid)) else {
        return;
    };
    reading.graph.need(id, table);
    let probe = constraint_probe(relation, &constraint.name);
    reading.guard(id, relation.oid, &probe, &constraint.definition);
}

/// A node for a constraint, with its ADD and DROP statements.
pub(super) fn node(kind: Kind, constraint: &Constraint, relation: &Relation, add: String) -> Node {
    let only = if kind == Kind::CheckConstraint {
        ""
    } else {
        "ONLY "
    };
    Node::new(
        kind,
        Some(&relation.schema),
        &constraint.name,
        format!("constraint {} on {}", constraint.quoted, relation.quoted),
    )
    .text(
        add,
        Some(format!(
            "ALTER TABLE {only}{} DROP CONSTRAINT {};",
            relation.quoted, constraint.quoted
        )),
    )
    .tied(["1".to_owned(), relation.name.clone()])
    .commented_as(format!(
        "CONSTRAINT {} ON {}",
        constraint.quoted, relation.quoted
    ))
}

fn add_to_table(reading: &mut Reading, constraint: &Constraint, relation: &Relation) {
    let Some(table) = reading.graph.find((CLASS, relation.oid)) else {
        return;
    };
    match constraint.kind {
        'c' => add_check(reading, constraint, relation, table),
        'n' => add_named_not_null(reading, constraint, relation, table),
        'f' => add_foreign_key(reading, constraint, relation),
        // p, u and x come with their index; what else there may be stays uncovered.
        _ => {}
    }
}

fn add_statement(constraint: &Constraint, relation: &Relation, only: &str) -> String {
    format!(
        "ALTER TABLE {only}{} ADD CONSTRAINT {} {};\n",
        relation.quoted, constraint.quoted, constraint.definition
    )
}

fn add_check(reading: &mut Reading, constraint: &Constraint, relation: &Relation, table: NodeId) {
    let add = add_statement(constraint, relation, "");
    let mut node = node(Kind::CheckConstraint, constraint, relation, add);
    if !constraint.is_valid && constraint.is_local {
        let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
        reading.graph.need(id, table);
        return;
    }
    // What is not valid comes from the parent's ADD CONSTRAINT, to partitions too.
    if constraint.is_valid && (constraint.is_local || relation.is_partition) {
        node.give = Give::Check;
        if let Body::Fixed(draft) = node.body {
            node.body = Body::Part(draft);
        }
        let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
        reading.graph.fold(id, table);
        let text = format!("CONSTRAINT {} {}", constraint.quoted, constraint.definition);
        if let Body::Table(body) = &mut reading.graph.nodes[table].body {
            body.constraints.push((id, text));
        }
        return;
    }
    add_hidden(reading, constraint, node, table);
}

/// An inherited constraint: made by its parent, yet it may carry a comment of its own.
fn add_hidden(reading: &mut Reading, constraint: &Constraint, mut node: Node, table: NodeId) {
    node.body = Body::Hidden;
    node.is_dummy = true;
    let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
    reading.graph.need(id, table);
}

/// NOT NULL as a constraint of its own, from 18 on (spec §1.3 TABLE).
fn add_named_not_null(
    reading: &mut Reading,
    constraint: &Constraint,
    relation: &Relation,
    table: NodeId,
) {
    let column = relation
        .columns
        .iter()
        .find(|column| Some(&column.name) == constraint.first_column.as_ref());
    let add = add_statement(constraint, relation, "");
    let mut node = node(Kind::CheckConstraint, constraint, relation, add);
    let Some(column) = column else { return };
    if !constraint.is_valid && constraint.is_local {
        let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
        reading.graph.need(id, table);
        return;
    }
    if !(constraint.is_local || relation.is_partition && constraint.is_valid) {
        return add_hidden(reading, constraint, node, table);
    }
    let default_name = format!("{}_{}_not_null", relation.name, column.name);
    let name = if constraint.name == default_name && !constraint.shares_name {
        String::new()
    } else {
        format!("CONSTRAINT {} ", constraint.quoted)
    };
    let no_inherit = if constraint.no_inherit {
        " NO INHERIT"
    } else {
        ""
    };
    if let Body::Table(body) = &mut reading.graph.nodes[table].body {
        if relation.prints(column) {
            let text = format!(" {name}NOT NULL{no_inherit}");
            body.not_null.push((column.number, text.into()));
        } else {
            body.inherited_not_null
                .push(format!("{name}NOT NULL {}{no_inherit}", column.quoted));
        }
    }
    node.body = Body::Part(Draft::default());
    let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
    reading.graph.fold(id, table);
}

/// NOT NULL as an attribute of the column, up to 17.
fn add_plain_not_null(reading: &mut Reading) {
    for relation in reading.own_relations(&['r', 'p', 'f']) {
        let Some(table) = reading.graph.find((CLASS, relation.oid)) else {
            continue;
        };
        for column in relation.columns.iter().filter(|column| column.not_null) {
            let inherited =
                !relation.is_partition && parent_is_not_null(reading, &relation, &column.name);
            let Body::Table(body) = &mut reading.graph.nodes[table].body else {
                continue;
            };
            if inherited {
                continue;
            }
            if relation.prints(column) {
                body.not_null.push((column.number, " NOT NULL".into()));
            } else {
                body.after.push(format!(
                    "ALTER TABLE ONLY {} ALTER COLUMN {} SET NOT NULL;\n",
                    relation.quoted, column.quoted
                ));
            }
        }
    }
}

fn parent_is_not_null(reading: &Reading, relation: &Relation, name: &str) -> bool {
    relation
        .parents
        .iter()
        .filter_map(|&oid| reading.relations.get(oid))
        .any(|parent| {
            parent
                .columns
                .iter()
                .any(|column| column.name == name && column.not_null)
        })
}

fn add_foreign_key(reading: &mut Reading, constraint: &Constraint, relation: &Relation) {
    let only = if relation.kind == 'p' { "" } else { "ONLY " };
    let add = add_statement(constraint, relation, only);
    let mut node = node(Kind::FkConstraint, constraint, relation, add);
    if constraint.parent != 0 {
        node.body = Body::Hidden;
        node.is_dummy = true;
    }
    reading.graph.add((CONSTRAINT, constraint.oid), node);
    if constraint.parent == 0 {
        reading
            .foreign_keys
            .push((constraint.oid, constraint.index));
    }
}

fn add_to_domain(reading: &mut Reading, constraint: &Constraint) {
    let Some(domain) = reading.graph.find((TYPE, constraint.domain)) else {
        return;
    };
    let Body::Domain(body) = &reading.graph.nodes[domain].body else {
        return;
    };
    let quoted = body.quoted.clone();
    let (schema, domain_name) = (
        reading.graph.nodes[domain].schema.clone(),
        reading.graph.nodes[domain].name.clone(),
    );
    let alter = format!("ALTER DOMAIN {quoted}");
    let mut node = Node::new(
        Kind::CheckConstraint,
        schema.as_deref(),
        &constraint.name,
        format!("constraint {} on domain {quoted}", constraint.quoted),
    )
    .tied(["0".to_owned(), domain_name])
    .commented_as(format!(
        "CONSTRAINT {} ON DOMAIN {quoted}",
        constraint.quoted
    ));
    let text = format!("CONSTRAINT {} {}", constraint.quoted, constraint.definition);
    let draft = Draft {
        create: format!("{alter} ADD {text};\n"),
        drop: Some(format!("{alter} DROP CONSTRAINT {};", constraint.quoted)),
    };
    if !constraint.is_valid {
        node.body = Body::Fixed(draft);
        let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
        reading.graph.need(id, domain);
        return;
    }
    node.give = Give::Check;
    node.body = Body::Part(draft);
    // Separated by a cycle, it still has to come before the tables: the server refuses to validate
    // a domain that a column uses inside an array or a composite type.
    node.early = true;
    let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
    reading.graph.fold(id, domain);
    if let Body::Domain(body) = &mut reading.graph.nodes[domain].body {
        body.constraints.push((id, text));
    }
}
