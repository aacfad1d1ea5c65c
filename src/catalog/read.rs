//! One reading of the catalogs: run the queries and build the graph ([`ask`]); order it and assemble entries
//! ([`Answers::into_catalog`]).
//!
//! Everything happens inside the caller's transaction, under the caller's snapshot and pinned
//! settings. The number of queries does not depend on the number of objects, except for the
//! sequence values, which are read in batches.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::address::{Address, CLASS};
use super::constraints::Constraint;
use super::entry::{Catalog, DatabaseProperties, Extension, Kind, Uncovered, VersionTable};
use super::graph::{Graph, NodeId};
use super::guard::Installed;
use super::loss::Loss;
use super::owners::Owners;
use super::relations::{Relation, Relations};
use super::rights::Need;
use super::source::Source;
use super::{
    acl, assemble, changed, closed_world, comments, constraints, database, defaults, domains,
    encoding, extension_tables, extensions, functions, indexes, kinds, labels, large_objects,
    partitions, policies, rights, rules, schemas, sequences, subscriptions, table_data, table_ddl,
    triggers, types, version_tables, views,
};
use crate::error::Result;
use crate::pg::{Row, Session, Sql};

/// What the families share while a reading is under way.
pub(super) struct Reading {
    pub graph: Graph,
    pub relations: Relations,
    pub uncovered: Vec<Uncovered>,
    /// Rows that belong to an extension.
    pub members: HashMap<Address, u32>,
    /// Extensions by OID.
    pub installed: HashMap<u32, Installed>,
    /// Generation expressions of extensions' own tables, by table and column number.
    pub generated: HashMap<(u32, i32), String>,
    /// `ALTER … DEPENDS ON EXTENSION`, quoted extension names by address.
    pub depends_on_extension: HashMap<Address, Vec<String>>,
    /// What follows `COMMENT ON` where it differs from the node's: indexes of constraints.
    pub comment_targets: HashMap<Address, String>,
    /// Foreign keys with the referenced index.
    pub foreign_keys: Vec<(u32, u32)>,
    /// Keys and exclusions by OID, until their indexes are read.
    pub keys: HashMap<u32, Constraint>,
    /// Index attaches: parent index, child index, node.
    pub index_attaches: Vec<(u32, u32, NodeId)>,
    /// What dies with what.
    pub owners: Owners,
    /// Which rows of an extension's configuration table are the user's, by the table's OID.
    pub conditions: HashMap<u32, String>,
    /// Configuration tables that hold nothing of the user's.
    pub unfilled: BTreeSet<u32>,
    /// How rows are read and loaded.
    pub data: table_data::Rules,
    /// Types with their shells: type, shell, the shell's text, the type's address.
    pub shells: Vec<(NodeId, NodeId, String, Address)>,
    /// What grants take to be made again; the rest is asked of the catalogs (see `rights`).
    pub needs: Vec<Need>,
}

impl Reading {
    /// Whether a row belongs to an extension and is therefore not ours.
    pub fn is_member(&self, address: Address) -> bool {
        self.members.contains_key(&address)
    }

    /// Notes something that no entry can express.
    pub fn refuse(
        &mut self,
        loss: Loss,
        description: impl Into<String>,
        catalog: &str,
        reason: impl Into<String>,
    ) {
        self.uncovered.push(Uncovered {
            loss,
            description: description.into(),
            catalog: catalog.to_owned(),
            reason: reason.into(),
            drop: None,
        });
    }

    /// Refuses a relation whose owner was dropped by force: no OWNER TO could be written for it.
    pub fn refuse_ownerless(&mut self, relation: &Relation) {
        if relation.owner.is_none() {
            let reason = "its owner is a role that no longer exists";
            self.refuse(Loss::MissingRole, relation.identity(), "pg_class", reason);
        }
    }

    /// Relations of these kinds that belong to no extension, in OID order: tables, say.
    pub fn own_relations(&self, kinds: &[char]) -> Vec<Arc<Relation>> {
        self.relations
            .all()
            .filter(|relation| kinds.contains(&relation.kind))
            .filter(|relation| !self.is_member((CLASS, relation.oid)))
            .cloned()
            .collect()
    }

    /// `ALTER <target> DEPENDS ON EXTENSION …;` lines of an object.
    pub fn extension_lines(&self, address: Address, target: &str) -> String {
        self.depends_on_extension
            .get(&address)
            .into_iter()
            .flatten()
            .map(|extension| format!("ALTER {target} DEPENDS ON EXTENSION {extension};\n"))
            .collect()
    }
}

/// Reads the database that `session` is connected to.
///
/// # Errors
/// Server errors; catalogs that are not understood, which is a refusal; a dependency cycle that cannot be broken; a catalog row that makes no sense.
/// Objects that no entry covers are not an error here: see [`Catalog::uncovered`].
pub async fn read(session: &Session) -> Result<Catalog> {
    encoding::require_utf8(session).await?;
    read_from(&Source::alone(session)).await
}

/// As [`read`], of a database whose encoding was looked at.
async fn read_from(source: &Source<'_>) -> Result<Catalog> {
    ask(source).await?.into_catalog()
}

/// Asks the server for everything that [`read`] takes from it.
///
/// # Errors
/// As [`read`]; cycles and rows that make no sense together are found by [`Answers::into_catalog`].
pub(super) async fn ask(source: &Source<'_>) -> Result<Answers> {
    closed_world::require_understood(source).await?;
    ask_all(source).await.map_err(encoding::explained)
}

/// What every family of objects looks things up in.
async fn begin(source: &Source<'_>) -> Result<Reading> {
    Ok(Reading {
        graph: Graph::default(),
        relations: Relations::load(source).await?,
        uncovered: Vec::new(),
        members: members(source).await?,
        installed: HashMap::new(),
        generated: HashMap::new(),
        depends_on_extension: depends_on_extension(source).await?,
        comment_targets: HashMap::new(),
        foreign_keys: Vec::new(),
        keys: HashMap::new(),
        index_attaches: Vec::new(),
        owners: Owners::default(),
        conditions: HashMap::new(),
        unfilled: BTreeSet::new(),
        data: table_data::Rules::load(source).await?,
        shells: Vec::new(),
        needs: Vec::new(),
    })
}

/// What the server answered; a catalog follows from it without asking again, so that the server can be asked for
/// something else meanwhile.
pub(super) struct Answers {
    reading: Reading,
    values: sequences::Values,
    extensions: Vec<Extension>,
    large_objects: Vec<u32>,
    version_tables: Vec<VersionTable>,
    roles: Vec<String>,
    database: DatabaseProperties,
}

async fn ask_all(source: &Source<'_>) -> Result<Answers> {
    let mut reading = begin(source).await?;
    let extensions = extensions::add(&mut reading, source).await?;
    extension_tables::add(&mut reading);
    schemas::add(&mut reading, source).await?;
    types::add(&mut reading, source).await?;
    domains::add(&mut reading, source).await?;
    functions::add(&mut reading, source).await?;
    table_ddl::add(&mut reading)?;
    views::add(&mut reading)?;
    sequences::add(&mut reading, source).await?;
    defaults::add(&mut reading, source).await?;
    constraints::add(&mut reading, source).await?;
    indexes::add(&mut reading, source).await?;
    partitions::add(&mut reading);
    rules::add(&mut reading, source).await?;
    triggers::add(&mut reading, source).await?;
    policies::add(&mut reading, source).await?;
    extension_tables::write(&mut reading);
    kinds::add(&mut reading, source).await?;
    subscriptions::add(&mut reading, source).await?;
    extensions::add_configuration(&mut reading, source).await?;
    let large_objects = large_objects::add(&mut reading, source).await?;
    add_edges(&mut reading, source).await?;
    kinds::lean_on_shells(&mut reading);
    views::add_refreshes(&mut reading);
    comments::add(&mut reading, source).await?;
    labels::add(&mut reading, source).await?;
    acl::add(&mut reading, source).await?;
    acl::add_defaults(&mut reading, source).await?;
    changed::add(&mut reading, source).await?;
    closed_world::check(&mut reading, source).await?;
    closed_world::hidden_data(&mut reading, &extensions);
    reading.owners = Owners::default();
    reading.graph.forget_comment_targets();
    rights::add(&mut reading, source).await?;
    let values = sequences::ask(&mut reading, source).await?;
    Ok(Answers {
        values,
        extensions,
        large_objects,
        version_tables: version_tables::read(source.session()).await?,
        roles: roles(source).await?,
        database: database::read(source.session()).await?,
        reading,
    })
}

impl Answers {
    /// Orders the objects and writes their texts: processor time, 6 µs for each object.
    ///
    /// # Errors
    /// A dependency cycle that cannot be broken; a sequence without a value.
    pub fn into_catalog(self) -> Result<Catalog> {
        let mut reading = self.reading;
        let order = super::order::order(&mut reading.graph)?;
        let tables = table_data::tables(&reading, &order);
        let sequences = sequences::values(&reading, &self.values, &order)?;
        // From here on only the tables' texts need the relations.
        reading.relations = Relations::default();
        let entries = assemble::entries(reading.graph, &order);
        let needs = rights::needed(reading.needs, &entries);
        let mut uncovered = reading.uncovered;
        uncovered.sort_by_cached_key(Uncovered::label);
        Ok(Catalog {
            entries,
            tables,
            sequences,
            large_objects: self.large_objects,
            version_tables: self.version_tables,
            extensions: self.extensions,
            roles: self.roles,
            database: self.database,
            uncovered,
            needs,
        })
    }
}

/// The owner of a row: raw and quoted. A role that no longer exists is refused by name.
pub(super) fn owner(
    reading: &mut Reading,
    row: &Row,
    what: &str,
    catalog: &str,
) -> Result<Option<(String, String)>> {
    match (row.opt("owner")?, row.opt("quoted_owner")?) {
        (Some(raw), Some(quoted)) => Ok(Some((raw.to_owned(), quoted.to_owned()))),
        _ => {
            reading.refuse(
                Loss::MissingRole,
                what,
                catalog,
                "its owner is a role that no longer exists",
            );
            Ok(None)
        }
    }
}

async fn members(source: &Source<'_>) -> Result<HashMap<Address, u32>> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/members.sql")))
        .await?;
    rows.iter()
        .map(|row| Ok((address(row)?, row.number("extension")?)))
        .collect()
}

async fn depends_on_extension(source: &Source<'_>) -> Result<HashMap<Address, Vec<String>>> {
    let sql = Sql::constant(include_str!("sql/depends_on_extension.sql"));
    let mut found: HashMap<Address, Vec<String>> = HashMap::new();
    for row in source.query(&sql).await? {
        found
            .entry(address(&row)?)
            .or_default()
            .push(row.string("extension")?);
    }
    Ok(found)
}

fn address(row: &Row) -> Result<Address> {
    Ok((row.number("classid")?, row.number("objid")?))
}

/// Edges from pg_depend (spec §2.2, rule 1). An edge whose end nobody knows leads nowhere; what an
/// extension's members own inside (row types, their indexes) stands for the extension too.
async fn add_edges(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/dependencies.sql")))
        .await?;
    let mut edges = Vec::with_capacity(rows.len());
    for row in rows {
        let from: Address = address(&row)?;
        let to: Address = (row.number("refclassid")?, row.number("refobjid")?);
        edges.push((from, to, row.letter("deptype")?));
    }
    alias_insides_of_members(&mut reading.graph, &edges);
    reading.owners = Owners::among(&edges);
    for (from, to, _) in edges {
        if let (Some(from), Some(to)) = (reading.graph.find(from), reading.graph.find(to))
            && !hangs_on(&reading.graph, to, from)
        {
            reading.graph.need(from, to);
        }
    }
    Ok(())
}

/// Whether an entry hangs on an extension's own table: an extension whose view reads its table does
/// not need what the user added to that.
fn hangs_on(graph: &Graph, part: NodeId, extension: NodeId) -> bool {
    let is_table = |node: NodeId| graph.nodes[node].kind == Kind::ExtensionTable;
    graph.nodes[extension].kind == Kind::Extension
        && (is_table(part) || graph.nodes[part].needs.iter().copied().any(is_table))
}

fn alias_insides_of_members(graph: &mut Graph, edges: &[(Address, Address, char)]) {
    loop {
        let mut added = false;
        for &(from, to, kind) in edges {
            if !matches!(kind, 'i' | 'a') || graph.find(from).is_some() {
                continue;
            }
            let Some(node) = graph.find(to) else { continue };
            if matches!(
                graph.nodes[node].kind,
                Kind::Extension | Kind::ExtensionTable
            ) {
                graph.alias(from, node);
                added = true;
            }
        }
        if !added {
            return;
        }
    }
}

async fn roles(source: &Source<'_>) -> Result<Vec<String>> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/roles.sql")))
        .await?;
    rows.iter().map(|row| row.string("name")).collect()
}
