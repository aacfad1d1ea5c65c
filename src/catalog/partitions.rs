//! TABLE ATTACH entries: partitions are created whole and attached afterwards, so that each keeps
//! its own column order and can be restored alone (spec §1.3 PARTITIONS).

use super::address::CLASS;
use super::entry::Kind;
use super::graph::Node;
use super::read::Reading;
use super::relations::Relation;

pub(super) fn add(reading: &mut Reading) {
    for relation in reading.own_relations(&['r', 'p', 'f']) {
        if relation.is_partition {
            add_one(reading, &relation);
        }
    }
}

fn add_one(reading: &mut Reading, relation: &Relation) {
    let Some(parent) = relation
        .parents
        .first()
        .and_then(|&oid| reading.relations.get(oid))
        .cloned()
    else {
        return;
    };
    let create = format!(
        "ALTER TABLE ONLY {} ATTACH PARTITION {} {};\n",
        parent.quoted,
        relation.quoted,
        relation.partition_bound.as_deref().unwrap_or_default(),
    );
    let drop = format!(
        "ALTER TABLE {} DETACH PARTITION {};",
        parent.quoted, relation.quoted
    );
    let identity = format!("attach of table {}", relation.quoted);
    let node = Node::of_relation(Kind::TableAttach, relation, identity).text(create, Some(drop));
    let attach = reading.graph.add_unaddressed(node);
    for oid in [parent.oid, relation.oid] {
        if let Some(table) = reading.graph.find((CLASS, oid)) {
            reading.graph.need(attach, table);
        }
    }
}
