//! Indexes, the constraints that they implement, and index attaches (spec §1.3 INDEX,
//! INDEX ATTACH, CONSTRAINT).

use super::address::{CLASS, CONSTRAINT};
use super::constraints::{Constraint, constraint_probe};
use super::entry::{Kind, Uncovered};
use super::graph::{Node, NodeId};
use super::guard::regclass;
use super::loss::Loss;
use super::read::Reading;
use super::relations::Relation;
use super::source::Source;
use crate::error::{Error, Result};
use crate::pg::{Row, Sql};

/// One pg_index row with what belongs to it.
struct Index {
    oid: u32,
    schema: String,
    name: String,
    quoted: String,
    quoted_name: String,
    kind: char,
    usable: bool,
    clustered: bool,
    replica_identity: bool,
    /// Of EXCLUDE, or of a key WITHOUT OVERLAPS.
    exclusion: bool,
    tablespace: Option<String>,
    options: Option<String>,
    parent: Option<u32>,
    quoted_parent: Option<String>,
    constraint: Option<u32>,
    /// `column number:target` pairs.
    statistics: Vec<String>,
    /// None where a constraint makes it.
    definition: Option<String>,
}

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/indexes.sql")))
        .await?;
    let keys = std::mem::take(&mut reading.keys);
    let mut attaches = Vec::new();
    for row in &rows {
        let relation_oid: u32 = row.number("relation")?;
        let is_member = reading.is_member((CLASS, relation_oid));
        if reading.is_member((CLASS, row.number("oid")?))
            || (is_member && row.opt("parent")?.is_some())
        {
            continue;
        }
        let Some(relation) = reading.relations.get(relation_oid).cloned() else {
            continue;
        };
        let index = index(row)?;
        if index.kind == 'i' && !index.usable {
            refuse_invalid(reading, &index, &relation);
            continue;
        }
        let constraint = index.constraint.and_then(|oid| keys.get(&oid));
        let id = match constraint {
            Some(constraint) => {
                let id = add_constraint(reading, &index, constraint, &relation);
                let probe = constraint_probe(&relation, &constraint.name);
                reading.guard(id, relation_oid, &probe, &constraint.definition);
                id
            }
            None => {
                let id = add_index(reading, &index, &relation)?;
                let probe = format!("pg_catalog.pg_get_indexdef({})", regclass(&index.quoted));
                reading.guard(id, relation_oid, &probe, index.definition()?);
                id
            }
        };
        reading
            .comment_targets
            .insert((CLASS, index.oid), format!("INDEX {}", index.quoted));
        if index.parent.is_some() {
            let comes_along = constraint.is_some_and(is_exclusion);
            attaches.push((id, index, relation, comes_along));
        }
    }
    for (id, index, relation, comes_along) in attaches {
        // Not for its making: it is removed with its parent, and cannot be without.
        let parent = index
            .parent
            .and_then(|oid| reading.graph.find((CLASS, oid)));
        if let Some(parent) = parent {
            reading.graph.need(id, parent);
        }
        if !comes_along {
            add_attach(reading, id, &index, &relation);
        }
    }
    wait_for_attaches(reading);
    Ok(())
}

impl Index {
    /// What the server deparses.
    fn definition(&self) -> Result<&str> {
        self.definition.as_deref().ok_or_else(|| {
            Error::operation(format!("read the index {}", self.quoted))
                .because("its constraint is not among those of its table")
        })
    }
}

fn is_exclusion(constraint: &Constraint) -> bool {
    constraint.definition.starts_with("EXCLUDE")
}

fn is_child(constraint: &Constraint) -> bool {
    constraint.parent != 0
}

fn index(row: &Row) -> Result<Index> {
    Ok(Index {
        oid: row.number("oid")?,
        schema: row.string("schema")?,
        name: row.string("name")?,
        quoted: row.string("quoted")?,
        quoted_name: row.string("quoted_name")?,
        kind: row.letter("kind")?,
        usable: row.bool("valid")? && row.bool("ready")?,
        clustered: row.bool("clustered")?,
        replica_identity: row.bool("replica_identity")?,
        tablespace: row.opt_string("tablespace")?,
        options: row.opt_string("options")?,
        exclusion: row.bool("exclusion")?,
        parent: row.opt_number("parent")?,
        quoted_parent: row.opt_string("quoted_parent")?,
        constraint: row.opt_number("constraint")?,
        statistics: row.list("statistics")?,
        definition: row.opt_string("definition")?,
    })
}

/// An invalid index is what an interrupted CREATE INDEX CONCURRENTLY leaves; pg_dump would lose it
/// without a word (spec §1.9.5).
fn refuse_invalid(reading: &mut Reading, index: &Index, relation: &Relation) {
    reading.uncovered.push(Uncovered {
        loss: Loss::InvalidIndex,
        description: format!("index {}", index.quoted),
        catalog: "pg_index".into(),
        reason: format!(
            "it is invalid: a CREATE INDEX CONCURRENTLY on {} failed or was interrupted; REINDEX or DROP it",
            relation.quoted
        ),
        drop: Some(format!("DROP INDEX IF EXISTS {};", index.quoted)),
    });
    let mut node = Node::new(
        Kind::Index,
        Some(&index.schema),
        &index.name,
        format!("index {}", index.quoted),
    );
    node.is_dummy = true;
    reading.graph.add((CLASS, index.oid), node);
    if let Some(constraint) = index.constraint
        && let Some(id) = reading.graph.find((CLASS, index.oid))
    {
        reading.graph.alias((CONSTRAINT, constraint), id);
    }
}

fn add_index(reading: &mut Reading, index: &Index, relation: &Relation) -> Result<NodeId> {
    let create = format!(
        "{}{}",
        in_tablespace(index, &format!("{};\n", index.definition()?)),
        followers(reading, index, relation)
    );
    let drop = index
        .parent
        .is_none()
        .then(|| format!("DROP INDEX {};", index.quoted));
    let node = Node::new(
        Kind::Index,
        Some(&index.schema),
        &index.name,
        format!("index {}", index.quoted),
    )
    .text(create, drop)
    .tied([relation.name.clone()])
    .commented_as(format!("INDEX {}", index.quoted));
    let id = reading.graph.add((CLASS, index.oid), node);
    need_relation(reading, id, relation);
    Ok(id)
}

fn add_constraint(
    reading: &mut Reading,
    index: &Index,
    constraint: &Constraint,
    relation: &Relation,
) -> NodeId {
    let made = match (is_exclusion(constraint), is_child(constraint)) {
        (true, true) => renamed(index, constraint, relation),
        (true, false) if relation.kind == 'p' => {
            in_tablespace(index, &addition(index, constraint, relation, ""))
        }
        _ => in_tablespace(index, &addition(index, constraint, relation, "ONLY ")),
    };
    let create = format!("{made}{}", followers(reading, index, relation));
    let drop = (!is_child(constraint)).then(|| {
        format!(
            "ALTER TABLE ONLY {} DROP CONSTRAINT {};",
            relation.quoted, constraint.quoted
        )
    });
    let node = Node::new(
        Kind::Constraint,
        Some(&relation.schema),
        &constraint.name,
        format!("constraint {} on {}", constraint.quoted, relation.quoted),
    )
    .text(create, drop)
    .tied(["1".to_owned(), relation.name.clone()])
    .commented_as(format!(
        "CONSTRAINT {} ON {}",
        constraint.quoted, relation.quoted
    ));
    let id = reading.graph.add((CONSTRAINT, constraint.oid), node);
    reading.graph.alias((CLASS, index.oid), id);
    need_relation(reading, id, relation);
    id
}

fn addition(index: &Index, constraint: &Constraint, relation: &Relation, only: &str) -> String {
    format!(
        "ALTER TABLE {only}{} ADD CONSTRAINT {} {};\n",
        relation.quoted,
        constraint.quoted,
        with_options(&constraint.definition, index.options.as_deref()),
    )
}

/// A partition's part of an exclusion constraint. The server refuses to attach an index that
/// excludes (it does not compare such indexes), so the parent's ADD CONSTRAINT has to make it, under
/// a name of the server's choosing; what is left is to give it its own. (pg_dump writes an ATTACH
/// that fails.)
fn renamed(index: &Index, constraint: &Constraint, relation: &Relation) -> String {
    let parent = index.quoted_parent.as_deref().unwrap_or_default();
    let body = Sql::constant(
        "DECLARE\n    given pg_catalog.text;\nBEGIN\n    SELECT k.conname INTO STRICT given\n      \
         FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_constraint k ON k.conindid = i.inhrelid\n     \
         WHERE i.inhparent = ",
    )
    .literal(parent)
    .then("::pg_catalog.regclass AND k.conrelid = ")
    .literal(&relation.quoted)
    .then("::pg_catalog.regclass;\n    IF given <> ")
    .literal(&constraint.name)
    .then(" THEN\n        EXECUTE pg_catalog.format('ALTER TABLE ONLY %s RENAME CONSTRAINT %I TO %I', ")
    .literal(&relation.quoted)
    .then(", given, ")
    .literal(&constraint.name)
    .then(");\n    END IF;\nEND");
    let sql = Sql::constant("DO ").literal(body.text()).then(";\n");
    let mut text = sql.text().to_owned();
    if let Some(tablespace) = &index.tablespace {
        text.push_str(&format!(
            "ALTER INDEX {} SET TABLESPACE {tablespace};\n",
            index.quoted
        ));
    }
    // A partitioned index takes its options from its parent, and no ALTER.
    if let Some(options) = index.options.as_ref().filter(|_| index.kind == 'i') {
        text.push_str(&format!("ALTER INDEX {} SET ({options});\n", index.quoted));
    }
    text
}

fn need_relation(reading: &mut Reading, id: NodeId, relation: &Relation) {
    if let Some(table) = reading.graph.find((CLASS, relation.oid)) {
        reading.graph.need(id, table);
    }
}

/// Storage parameters stand before DEFERRABLE in the grammar; pg_get_constraintdef prints them for
/// exclusion constraints only.
fn with_options(definition: &str, options: Option<&str>) -> String {
    let Some(options) = options else {
        return definition.to_owned();
    };
    if definition.starts_with("EXCLUDE") {
        return definition.to_owned();
    }
    for suffix in [" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"] {
        if let Some(head) = definition.strip_suffix(suffix) {
            return format!("{head} WITH ({options}){suffix}");
        }
    }
    format!("{definition} WITH ({options})")
}

/// Neither pg_get_indexdef nor a constraint's text names a tablespace.
fn in_tablespace(index: &Index, statement: &str) -> String {
    match &index.tablespace {
        None => statement.to_owned(),
        Some(tablespace) => format!(
            "SET default_tablespace = {tablespace};\n{statement}SET default_tablespace = '';\n"
        ),
    }
}

/// Statements about an index that only make sense once it exists.
fn followers(reading: &Reading, index: &Index, relation: &Relation) -> String {
    let mut text = String::new();
    if index.clustered {
        let word = if relation.kind == 'm' {
            "MATERIALIZED VIEW"
        } else {
            "TABLE"
        };
        text.push_str(&format!(
            "ALTER {word} {} CLUSTER ON {};\n",
            relation.quoted, index.quoted_name
        ));
    }
    for pair in &index.statistics {
        if let Some((column, target)) = pair.split_once(':') {
            text.push_str(&format!(
                "ALTER INDEX {} ALTER COLUMN {column} SET STATISTICS {target};\n",
                index.quoted
            ));
        }
    }
    if index.replica_identity {
        text.push_str(&format!(
            "ALTER TABLE ONLY {} REPLICA IDENTITY USING INDEX {};\n",
            relation.quoted, index.quoted_name
        ));
    }
    text.push_str(&reading.extension_lines((CLASS, index.oid), &format!("INDEX {}", index.quoted)));
    text
}

fn add_attach(reading: &mut Reading, child: NodeId, index: &Index, relation: &Relation) {
    let (Some(parent_oid), Some(quoted_parent)) = (index.parent, &index.quoted_parent) else {
        return;
    };
    let Some(parent) = reading.graph.find((CLASS, parent_oid)) else {
        return;
    };
    if index.exclusion {
        // No server up to 18 takes two such indexes for equal, whatever their definitions.
        reading.refuse(
            Loss::InvalidIndex,
            format!("index {}", index.quoted),
            "pg_inherits",
            "PostgreSQL cannot attach an index that excludes to the one of its partitioned table",
        );
        return;
    }
    let create = format!(
        "ALTER INDEX {quoted_parent} ATTACH PARTITION {};\n",
        index.quoted
    );
    let identity = format!("attach of index {}", index.quoted);
    let node = Node::new(
        Kind::IndexAttach,
        Some(&index.schema),
        &index.name,
        identity,
    )
    .text(create, None);
    let attach = reading.graph.add_unaddressed(node);
    reading.graph.need(attach, child);
    reading.graph.need(attach, parent);
    need_relation(reading, attach, relation);
    reading.index_attaches.push((parent_oid, index.oid, attach));
}

/// A foreign key to a partitioned table needs the referenced index complete (spec §2.2.8).
fn wait_for_attaches(reading: &mut Reading) {
    for (foreign_key, index) in reading.foreign_keys.clone() {
        let Some(foreign_key) = reading.graph.find((CONSTRAINT, foreign_key)) else {
            continue;
        };
        let mut waiting = vec![index];
        while let Some(parent) = waiting.pop() {
            for (of, child, attach) in reading.index_attaches.clone() {
                if of == parent {
                    reading.graph.need(foreign_key, attach);
                    waiting.push(child);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_options;

    #[test]
    fn storage_parameters_stand_before_deferrable() {
        assert_eq!(
            with_options(
                "UNIQUE (a) DEFERRABLE INITIALLY DEFERRED",
                Some("fillfactor='70'")
            ),
            "UNIQUE (a) WITH (fillfactor='70') DEFERRABLE INITIALLY DEFERRED"
        );
        assert_eq!(with_options("PRIMARY KEY (a)", None), "PRIMARY KEY (a)");
    }
}
