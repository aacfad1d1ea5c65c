//! Sequences: definition, owning column, value. An identity column's sequence comes with
//! `ADD GENERATED … AS IDENTITY`, after its table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::address::CLASS;
use super::entry::{Kind, Sequence};
use super::graph::{Body, Node, NodeId};
use super::guard::block;
use super::loss::Loss;
use super::read::Reading;
use super::relations::Relation;
use super::source::Source;
use super::table_data;
use crate::error::{Error, Result};
use crate::pg::{Row, Sql, quote_literal};

/// Sequences whose values are read with one statement.
const VALUES_BATCH: usize = 500;

/// The first major with `pg_get_sequence_data`.
const VALUES_AT_ONCE_SINCE: u32 = 18;

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/sequences.sql")))
        .await?;
    for row in &rows {
        let oid = row.number("oid")?;
        let address = (CLASS, oid);
        let Some(relation) = reading.relations.get(oid).cloned() else {
            continue;
        };
        if reading.is_member(address) || reading.graph.find(address).is_some() {
            continue;
        }
        add_one(reading, row, &relation)?;
    }
    Ok(())
}

fn add_one(reading: &mut Reading, row: &Row, relation: &Relation) -> Result<()> {
    let owner = row
        .opt_number::<u32>("owner_relation")?
        .and_then(|oid| reading.relations.get(oid))
        .cloned();
    let is_identity = row.opt("ownership")? == Some("i");
    reading.refuse_ownerless(relation);
    let mut node = Node::of_relation(Kind::Sequence, relation, relation.identity())
        .commented_as(format!("SEQUENCE {}", relation.quoted));
    node = match (&owner, is_identity) {
        (Some(table), true) => node.text(identity_column(row, relation, table)?, None),
        _ => {
            node.owner = relation.raw_owner();
            node.text(
                standalone(row, relation)?,
                Some(format!("DROP SEQUENCE {};", relation.quoted)),
            )
        }
    };
    let id = reading.graph.add((CLASS, relation.oid), node);
    if !table_data::is_unreadable(reading, relation) {
        add_value(reading, id, relation);
    }
    if let (Some(table), false) = (owner, is_identity) {
        add_ownership(reading, id, row, relation, &table)?;
    }
    Ok(())
}

fn standalone(row: &Row, relation: &Relation) -> Result<String> {
    let unlogged = if relation.persistence == 'u' {
        "UNLOGGED "
    } else {
        ""
    };
    Ok(format!(
        "CREATE {unlogged}SEQUENCE {}\n    AS {}{};\n{}",
        relation.quoted,
        row.text("type")?,
        parameters(row)?,
        relation.owner_statement(),
    ))
}

fn identity_column(row: &Row, relation: &Relation, table: &Relation) -> Result<String> {
    let how = if row.opt("identity")? == Some("a") {
        "ALWAYS"
    } else {
        "BY DEFAULT"
    };
    let mut create = format!(
        "ALTER TABLE {} ALTER COLUMN {} ADD GENERATED {how} AS IDENTITY (\n    SEQUENCE NAME {}{}\n);\n",
        table.quoted,
        row.text("quoted_owner_column")?,
        relation.quoted,
        parameters(row)?,
    );
    if relation.persistence == table.persistence {
        return Ok(create);
    }
    let to = match relation.persistence {
        'u' => "UNLOGGED",
        _ => "LOGGED",
    };
    let alter = format!("ALTER SEQUENCE {} SET {to}", relation.quoted);
    create.push_str(&match row.bool("can_be_unlogged")? {
        true => format!("{alter};\n"),
        false => where_known(&alter),
    });
    Ok(create)
}

/// Up to 14 every sequence is logged, and no statement says so; a newer server takes an identity's from its table.
fn where_known(alter: &str) -> String {
    block(&format!(
        "BEGIN\n    IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000 THEN\n        \
         EXECUTE {};\n    END IF;\nEND\n",
        quote_literal(alter)
    ))
}

fn parameters(row: &Row) -> Result<String> {
    let cycle = if row.bool("cycle")? {
        "\n    CYCLE"
    } else {
        ""
    };
    Ok(format!(
        "\n    START WITH {}\n    INCREMENT BY {}\n    MINVALUE {}\n    MAXVALUE {}\n    CACHE {}{cycle}",
        row.number::<i64>("start_value")?,
        row.number::<i64>("increment_by")?,
        row.number::<i64>("min_value")?,
        row.number::<i64>("max_value")?,
        row.number::<i64>("cache_size")?,
    ))
}

fn add_value(reading: &mut Reading, sequence: NodeId, relation: &Relation) {
    let identity = format!("value of {}", relation.identity());
    let node = Node::of_relation(Kind::SequenceSet, relation, identity).body(Body::Data);
    let value = reading.graph.add_unaddressed(node);
    reading.graph.need(value, sequence);
}

fn add_ownership(
    reading: &mut Reading,
    sequence: NodeId,
    row: &Row,
    relation: &Relation,
    table: &Relation,
) -> Result<()> {
    let create = format!(
        "ALTER SEQUENCE {} OWNED BY {}.{};\n",
        relation.quoted,
        table.quoted,
        row.text("quoted_owner_column")?,
    );
    let identity = format!("owner of {}", relation.identity());
    let node = Node::of_relation(Kind::SequenceOwnedBy, relation, identity).text(
        create,
        Some(format!("ALTER SEQUENCE {} OWNED BY NONE;", relation.quoted)),
    );
    let owned = reading.graph.add_unaddressed(node);
    reading.graph.need(owned, sequence);
    if let Some(table) = reading.graph.find((CLASS, table.oid)) {
        reading.graph.need(owned, table);
    }
    Ok(())
}

/// What the server said of the sequences' values.
pub(super) struct Values {
    /// By OID.
    found: Found,
    /// Those that this role may not read.
    hidden: HashSet<u32>,
}

/// Asks for the values.
///
/// One that this role may not read is refused by name instead of failing the whole reading:
/// `doctor` tells everything at once.
pub(super) async fn ask(reading: &mut Reading, source: &Source<'_>) -> Result<Values> {
    let hidden = unreadable(reading, source).await?;
    let everything: Vec<NodeId> = (0..reading.graph.nodes.len()).collect();
    let found = known_values(source, &valued(reading, &hidden, &everything)).await?;
    Ok(Values { found, hidden })
}

/// The values in the order of their entries.
pub(super) fn values(
    reading: &Reading,
    values: &Values,
    order: &[NodeId],
) -> Result<Vec<Sequence>> {
    let relations = valued(reading, &values.hidden, order);
    let sequences = relations.iter().map(|relation| {
        let (last_value, is_called) = *values.found.get(&relation.oid).ok_or_else(|| {
            Error::operation(format!("read the value of {}", relation.identity()))
                .because("this role has no SELECT on it, or it was dropped just now")
        })?;
        Ok(Sequence {
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            identity: relation.identity(),
            last_value,
            is_called,
        })
    });
    sequences.collect()
}

/// The sequences among these nodes whose values are set, in their order.
fn valued<'a>(reading: &'a Reading, hidden: &HashSet<u32>, nodes: &[NodeId]) -> Vec<&'a Relation> {
    let sequences = reading.relations.all().map(Arc::as_ref);
    let sequences: HashMap<String, &Relation> = sequences
        .filter(|relation| relation.kind == 'S' && !hidden.contains(&relation.oid))
        .map(|relation| (format!("value of {}", relation.identity()), relation))
        .collect();
    let emitted = reading.graph.emitted(nodes, Kind::SequenceSet);
    emitted
        .filter_map(|identity| sequences.get(identity).copied())
        .collect()
}

/// What a server of this major is asked for the values of all sequences.
pub(super) fn values_text(major: u32) -> &'static str {
    match major >= VALUES_AT_ONCE_SINCE {
        true => include_str!("sql/sequence_values.sql"),
        false => include_str!("sql/sequence_values_called.sql"),
    }
}

/// Last value and whether it was given, by OID.
type Found = HashMap<u32, (i64, bool)>;

/// All values with one query where the server has one that takes no lock. Elsewhere an aide, whose
/// locks go soon, tells those that were called, and the others are read each by itself, in batches.
async fn known_values(source: &Source<'_>, relations: &[&Relation]) -> Result<Found> {
    let major = source.version().major();
    let sql = Sql::constant(values_text(major));
    let rows = match major >= VALUES_AT_ONCE_SINCE {
        true => source.query(&sql).await?,
        false => source.aided(&sql).await.unwrap_or_default(),
    };
    let mut found = Found::new();
    for row in &rows {
        let is_called = !row.has("is_called") || row.opt("is_called")? == Some("t");
        if let Some(value) = row.opt_number("last_value")? {
            found.insert(row.number("oid")?, (value, is_called));
        }
    }
    if major >= VALUES_AT_ONCE_SINCE {
        return Ok(found);
    }
    let left = relations.iter().copied();
    let left: Vec<&Relation> = left.filter(|one| !found.contains_key(&one.oid)).collect();
    for batch in left.chunks(VALUES_BATCH) {
        for row in source.query(&values_query(batch)).await? {
            let value = (row.number("last_value")?, row.bool("is_called")?);
            found.insert(row.number("oid")?, value);
        }
    }
    Ok(found)
}

async fn unreadable(reading: &mut Reading, source: &Source<'_>) -> Result<HashSet<u32>> {
    let sql = Sql::constant(include_str!("sql/sequences_unreadable.sql"));
    let mut hidden = HashSet::new();
    for row in source.query(&sql).await? {
        let oid = row.number("oid")?;
        hidden.insert(oid);
        let relation = reading.relations.get(oid);
        if let Some(identity) = relation.map(|relation| relation.identity()) {
            let reason = "this role may not read its value";
            reading.refuse(Loss::Unreadable, identity, "pg_sequence", reason);
        }
    }
    Ok(hidden)
}

fn values_query(batch: &[&Relation]) -> Sql {
    let mut sql = Sql::default();
    for (place, relation) in batch.iter().enumerate() {
        if place > 0 {
            sql = sql.then(" UNION ALL ");
        }
        sql = sql
            .then("SELECT ")
            .number(relation.oid)
            .then(" AS oid, last_value, is_called FROM ")
            .sql(&Sql::deparsed(relation.quoted.clone()));
    }
    sql
}
