//! CREATE TABLE and what follows it (spec §1.3 TABLE). Identity columns come with their sequence,
//! partitions are created whole and attached by an entry of their own.

use std::borrow::Cow;
use std::sync::Arc;

use super::address::CLASS;
use super::entry::Kind;
use super::graph::{Body, Draft, Graph, Node, NodeId};
use super::guard::block;
use super::loss::Loss;
use super::read::Reading;
use super::relations::{Column, Relation};
use super::table_data;
use crate::error::Result;
use crate::pg::quote_literal;

/// A table's facts plus the parts that may be folded into its text.
#[derive(Debug, Clone)]
pub(super) struct TableBody {
    pub relation: Arc<Relation>,
    /// Parents' quoted names in inheritance order; empty for partitions.
    pub inherits: Vec<String>,
    /// Inline defaults and generation expressions: column number, node and expression.
    pub defaults: Vec<(i32, NodeId, String)>,
    /// Inline constraints in name order: node and text.
    pub constraints: Vec<(NodeId, String)>,
    /// Not-null clauses: column number and text (18: with its constraint's name).
    pub not_null: Vec<(i32, Cow<'static, str>)>,
    /// Not-null constraints of columns that are not listed (18).
    pub inherited_not_null: Vec<String>,
    /// Statements after CREATE TABLE that other families add.
    pub after: Vec<String>,
}

pub(super) fn add(reading: &mut Reading) -> Result<()> {
    for mut relation in reading.own_relations(&['r', 'p', 'f']) {
        refuse_oddities(reading, &relation);
        put_columns_in_order(reading, &mut relation);
        set_what_parents_give(reading, &mut relation);
        let kind = if relation.kind == 'f' {
            Kind::ForeignTable
        } else {
            Kind::Table
        };
        let mut node = Node::of_relation(kind, &relation, relation.identity())
            .commented_as(format!("{} {}", relation.word(), relation.quoted));
        node.owner = relation.raw_owner();
        node.body = Body::Table(Box::new(TableBody {
            inherits: inherits(reading, &relation),
            defaults: Vec::new(),
            constraints: Vec::new(),
            not_null: Vec::new(),
            inherited_not_null: Vec::new(),
            after: Vec::new(),
            relation: Arc::clone(&relation),
        }));
        let table = reading.graph.add((CLASS, relation.oid), node);
        table_data::add(reading, table, &relation);
    }
    Ok(())
}

fn refuse_oddities(reading: &mut Reading, relation: &Relation) {
    reading.refuse_ownerless(relation);
    if relation.detach_pending {
        reading.refuse(
            Loss::PendingDetach,
            relation.identity(),
            "pg_inherits",
            "its DETACH PARTITION … CONCURRENTLY was never finished; finish it with ALTER TABLE … DETACH PARTITION … FINALIZE",
        );
    }
}

/// Tells the columns in the order that a restored table has them, and that it is another one.
fn put_columns_in_order(reading: &mut Reading, relation: &mut Arc<Relation>) {
    let columns = table_data::restored_columns(reading, relation, None);
    let restored: Vec<&str> = columns.iter().map(|column| &*column.quoted).collect();
    let kept = relation.columns.iter().map(|column| &*column.quoted);
    let kept: Vec<&str> = kept.collect();
    if kept == restored {
        return;
    }
    let reason = format!(
        "it inherits, and CREATE TABLE … INHERITS puts its columns ({}) in another order ({})",
        bounded(&kept),
        bounded(&restored)
    );
    let columns: Vec<Column> = columns.into_iter().cloned().collect();
    Arc::make_mut(relation).columns = columns;
    let identity = relation.identity();
    reading.refuse(Loss::ColumnOrder, identity, "pg_attribute", reason);
}

/// CREATE TABLE … INHERITS gives a column the storage and the compression of its parent's column: the type's own have to be
/// said, then.
fn set_what_parents_give(reading: &Reading, relation: &mut Arc<Relation>) {
    if relation.is_partition || relation.parents.is_empty() {
        return;
    }
    let parents = relation.parents.iter();
    let parents: Vec<&Arc<Relation>> = parents
        .filter_map(|&parent| reading.relations.get(parent))
        .collect();
    let can_compress = relation.kind != 'f';
    for column in &mut Arc::make_mut(relation).columns {
        let inherited: Vec<&Column> = parents
            .iter()
            .filter_map(|parent| parent.columns.iter().find(|one| one.name == column.name))
            .collect();
        column.sets_storage |= inherited.iter().any(|one| one.storage != column.storage);
        let is_given = inherited.iter().any(|one| one.compression.is_some());
        if column.compression.is_none() && is_given && can_compress {
            column.compression = Some("DEFAULT".into());
        }
    }
}

/// Enough names to see what is meant.
fn bounded(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}

fn inherits(reading: &Reading, relation: &Relation) -> Vec<String> {
    if relation.is_partition {
        return Vec::new();
    }
    relation
        .parents
        .iter()
        .filter_map(|&parent| reading.relations.get(parent))
        .map(|parent| parent.quoted.clone())
        .collect()
}

/// The text of a table with the parts that are folded into it.
pub(super) fn draft(body: &TableBody, graph: &Graph) -> Draft {
    let relation = &body.relation;
    let is_unlogged = relation.persistence == 'u';
    let unlogged = match is_unlogged && relation.kind != 'p' {
        true => "UNLOGGED ",
        false => "",
    };
    let mut create = format!("CREATE {unlogged}{} {}", relation.word(), relation.quoted);
    if let Some(of_type) = &relation.of_type {
        create.push_str(&format!(" OF {of_type}"));
    }
    let items = items(body, graph);
    if !items.is_empty() {
        create.push_str(&format!(" (\n    {}\n)", items.join(",\n    ")));
    } else if relation.of_type.is_none() {
        create.push_str(" (\n)");
    }
    create.push_str(&clauses(body));
    create = match is_unlogged && relation.kind == 'p' {
        true => unlogged_where_possible(&create),
        false => create + ";\n",
    };
    if !relation.quoted_owner().is_empty() {
        create.push_str(&relation.owner_statement());
    }
    for column in &relation.columns {
        column_settings(relation, column, &mut create);
    }
    create.push_str(&table_settings(relation));
    create.extend(body.after.iter().map(String::as_str));
    Draft {
        create,
        drop: Some(format!("DROP {} {};", relation.word(), relation.quoted)),
    }
}

/// A partitioned table holds no rows, yet up to 17 it may be unlogged, and only then may its foreign keys lead to unlogged
/// tables. 18 refuses that word there, and ALTER TABLE … SET UNLOGGED never had an effect: the statement is chosen where it
/// is run.
fn unlogged_where_possible(create: &str) -> String {
    let rest = create.strip_prefix("CREATE ").unwrap_or(create);
    block(&format!(
        "BEGIN\n    EXECUTE CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 180000 \
         THEN 'CREATE UNLOGGED ' ELSE 'CREATE ' END || {};\nEND\n",
        quote_literal(rest)
    ))
}

fn items(body: &TableBody, graph: &Graph) -> Vec<String> {
    let folded = |id: NodeId| {
        graph
            .nodes
            .get(id)
            .is_some_and(|node| node.folded_into.is_some())
    };
    let relation = &body.relation;
    let columns = relation
        .columns
        .iter()
        .filter(|column| relation.prints(column))
        .filter_map(|column| column_item(body, column, &folded));
    let constraints = body
        .constraints
        .iter()
        .filter(|(id, _)| folded(*id))
        .map(|(_, text)| text.clone());
    columns
        .chain(body.inherited_not_null.iter().cloned())
        .chain(constraints)
        .collect()
}

/// One line of the column list; nothing for a typed table's column that adds nothing to its type.
fn column_item(
    body: &TableBody,
    column: &Column,
    folded: &impl Fn(NodeId) -> bool,
) -> Option<String> {
    let mut tail = String::new();
    let default = |(number, ..): &&(i32, NodeId, String)| *number == column.number;
    if let Some((_, id, expression)) = body.defaults.iter().find(default)
        && folded(*id)
    {
        tail.push_str(&match column.generated {
            Some('v') => format!(" GENERATED ALWAYS AS ({expression})"),
            Some(_) => format!(" GENERATED ALWAYS AS ({expression}) STORED"),
            None => format!(" DEFAULT {expression}"),
        });
    }
    let not_null = |(number, _): &&(i32, Cow<'static, str>)| *number == column.number;
    if let Some((_, not_null)) = body.not_null.iter().find(not_null) {
        tail.push_str(not_null);
    }
    if body.relation.of_type.is_some() {
        return (!tail.is_empty()).then(|| format!("{} WITH OPTIONS{tail}", column.quoted));
    }
    let collation = column
        .collation
        .as_ref()
        .map(|name| format!(" COLLATE {name}"))
        .unwrap_or_default();
    Some(format!(
        "{} {}{collation}{tail}",
        column.quoted, column.type_name
    ))
}

fn clauses(body: &TableBody) -> String {
    let relation = &body.relation;
    let mut text = String::new();
    if !body.inherits.is_empty() {
        text.push_str(&format!("\nINHERITS ({})", body.inherits.join(", ")));
    }
    if let Some(key) = &relation.partition_key {
        text.push_str(&format!("\nPARTITION BY {key}"));
    }
    if let Some(server) = &relation.server {
        text.push_str(&format!("\nSERVER {server}"));
    }
    text.push_str(&storage_clauses(relation));
    if let Some(options) = &relation.foreign_options {
        text.push_str(&format!("\nOPTIONS ({options})"));
    }
    text
}

/// USING, WITH and TABLESPACE, in the grammar's order.
pub(super) fn storage_clauses(relation: &Relation) -> String {
    let mut text = String::new();
    if let Some(method) = &relation.access_method {
        text.push_str(&format!("\nUSING {method}"));
    }
    let options: Vec<&str> = [&relation.options, &relation.toast_options]
        .into_iter()
        .flatten()
        .map(Box::as_ref)
        .collect();
    if !options.is_empty() {
        text.push_str(&format!("\nWITH ({})", options.join(", ")));
    }
    if let Some(tablespace) = &relation.tablespace {
        text.push_str(&format!("\nTABLESPACE {tablespace}"));
    }
    text
}

/// Per-column settings that CREATE TABLE cannot carry.
pub(super) fn column_settings(relation: &Relation, column: &Column, create: &mut String) {
    let word = match relation.kind {
        'm' => "MATERIALIZED VIEW",
        'f' => "FOREIGN TABLE ONLY",
        _ => "TABLE ONLY",
    };
    let alter = format!(
        "ALTER {word} {} ALTER COLUMN {}",
        relation.quoted, column.quoted
    );
    if column.statistics_target >= 0 {
        create.push_str(&format!(
            "{alter} SET STATISTICS {};\n",
            column.statistics_target
        ));
    }
    if column.sets_storage {
        let storage = storage_word(column.storage);
        create.push_str(&format!("{alter} SET STORAGE {storage};\n"));
    }
    if let Some(compression) = &column.compression {
        create.push_str(&format!("{alter} SET COMPRESSION {compression};\n"));
    }
    if let Some(options) = &column.options {
        create.push_str(&format!("{alter} SET ({options});\n"));
    }
    if let Some(options) = &column.foreign_options {
        create.push_str(&format!("{alter} OPTIONS ({options});\n"));
    }
}

fn storage_word(letter: char) -> &'static str {
    match letter {
        'p' => "PLAIN",
        'e' => "EXTERNAL",
        'm' => "MAIN",
        _ => "EXTENDED",
    }
}

fn table_settings(relation: &Relation) -> String {
    let alter = format!("ALTER TABLE ONLY {}", relation.quoted);
    let mut text = match relation.replica_identity {
        _ if relation.kind == 'f' => String::new(),
        'n' => format!("{alter} REPLICA IDENTITY NOTHING;\n"),
        'f' => format!("{alter} REPLICA IDENTITY FULL;\n"),
        _ => String::new(),
    };
    if relation.force_row_security {
        text.push_str(&format!("{alter} FORCE ROW LEVEL SECURITY;\n"));
    }
    text
}
