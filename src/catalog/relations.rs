//! Relations and their columns as facts, shared by tables, views, sequences and what hangs on them.
//!
//! Two queries, whatever the number of relations. Members of extensions are among them, because
//! others refer to them; [`super::read::Reading::own_relations`] leaves them out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

/// A relation of a user schema, extension members included.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// `schema.name`, quoted by the server.
    pub quoted: String,
    pub owner: Option<(String, String)>,
    pub kind: char,
    pub persistence: char,
    pub replica_identity: char,
    pub row_security: bool,
    pub force_row_security: bool,
    pub populated: bool,
    pub is_partition: bool,
    pub partition_key: Option<Box<str>>,
    pub partition_bound: Option<Box<str>>,
    pub of_type: Option<Box<str>>,
    pub tablespace: Option<Box<str>>,
    pub access_method: Option<Box<str>>,
    pub options: Option<Box<str>>,
    pub toast_options: Option<Box<str>>,
    pub check_option: Option<Box<str>>,
    pub view_definition: Option<Box<str>>,
    pub parents: Vec<u32>,
    pub detach_pending: bool,
    /// Foreign tables: quoted server and ready option list.
    pub server: Option<Box<str>>,
    pub foreign_options: Option<Box<str>>,
    pub size_bytes: u64,
    pub heap_blocks: u64,
    pub columns: Vec<Column>,
}

/// An undropped column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub number: i32,
    pub name: String,
    pub quoted: String,
    pub type_name: String,
    pub not_null: bool,
    pub has_default: bool,
    pub is_local: bool,
    pub is_inherited: bool,
    pub identity: Option<char>,
    pub generated: Option<char>,
    pub collation: Option<Box<str>>,
    pub statistics_target: i32,
    pub storage: char,
    /// Whether CREATE TABLE alone would not give it this storage.
    pub sets_storage: bool,
    pub compression: Option<Box<str>>,
    pub options: Option<Box<str>>,
    pub foreign_options: Option<Box<str>>,
}

/// All relations by OID, shared with what is made of them: tens of thousands of tables have many columns.
#[derive(Debug, Default)]
pub(super) struct Relations {
    by_oid: BTreeMap<u32, Arc<Relation>>,
}

impl Relations {
    /// Reads relations and columns: two queries.
    pub async fn load(source: &Source<'_>) -> Result<Self> {
        let rows = source
            .query(&Sql::constant(include_str!("sql/relations.sql")))
            .await?;
        let mut columns = load_columns(source).await?;
        let mut by_oid = BTreeMap::new();
        for row in rows {
            let oid = row.number("oid")?;
            let columns = columns.remove(&oid).unwrap_or_default();
            by_oid.insert(oid, Arc::new(relation(&row, oid, columns)?));
        }
        Ok(Self { by_oid })
    }

    /// A relation by OID.
    pub fn get(&self, oid: u32) -> Option<&Arc<Relation>> {
        self.by_oid.get(&oid)
    }

    /// All relations, in OID order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.by_oid.values()
    }
}

impl Relation {
    /// The word for it in identities, owners and comments.
    pub fn word(&self) -> &'static str {
        match self.kind {
            'v' => "VIEW",
            'm' => "MATERIALIZED VIEW",
            'S' => "SEQUENCE",
            'c' => "TYPE",
            'f' => "FOREIGN TABLE",
            _ => "TABLE",
        }
    }

    /// `table public.users`.
    pub fn identity(&self) -> String {
        format!("{} {}", self.word().to_lowercase(), self.quoted)
    }

    /// The quoted owner; empty if the role is gone, which was refused elsewhere.
    pub fn quoted_owner(&self) -> &str {
        self.owner.as_ref().map_or("", |(_, quoted)| quoted)
    }

    /// Whether CREATE TABLE lists the column (spec §1.3 TABLE): partitions list all of them.
    pub fn prints(&self, column: &Column) -> bool {
        column.is_local || self.is_partition
    }

    /// A column by attribute number.
    pub fn column(&self, number: i32) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// The owner, raw, as an entry names it.
    pub fn raw_owner(&self) -> Option<Arc<str>> {
        self.owner.as_ref().map(|(raw, _)| raw.as_str().into())
    }

    /// `ALTER TABLE s.t OWNER TO r;`
    pub fn owner_statement(&self) -> String {
        format!(
            "ALTER {} {} OWNER TO {};\n",
            self.word(),
            self.quoted,
            self.quoted_owner()
        )
    }
}

fn relation(row: &Row, oid: u32, columns: Vec<Column>) -> Result<Relation> {
    let owner = match (row.opt_string("owner")?, row.opt_string("quoted_owner")?) {
        (Some(raw), Some(quoted)) => Some((raw, quoted)),
        _ => None,
    };
    Ok(Relation {
        oid,
        schema: row.string("schema")?,
        name: row.string("name")?,
        quoted: row.string("quoted")?,
        owner,
        kind: row.letter("kind")?,
        persistence: row.letter("persistence")?,
        replica_identity: row.letter("replica_identity")?,
        row_security: row.bool("row_security")?,
        force_row_security: row.bool("force_row_security")?,
        populated: row.bool("populated")?,
        is_partition: row.bool("is_partition")?,
        partition_key: row.opt("partition_key")?.map(Box::from),
        partition_bound: row.opt("partition_bound")?.map(Box::from),
        of_type: row.opt("of_type")?.map(Box::from),
        tablespace: row.opt("tablespace")?.map(Box::from),
        access_method: row.opt("access_method")?.map(Box::from),
        options: row.opt("options")?.map(Box::from),
        toast_options: row.opt("toast_options")?.map(Box::from),
        check_option: row.opt("check_option")?.map(Box::from),
        view_definition: row.opt("view_definition")?.map(Box::from),
        parents: match row.opt("parents")? {
            None => Vec::new(),
            Some(_) => parents(row)?,
        },
        detach_pending: row.bool("detach_pending")?,
        server: row.opt("server")?.map(Box::from),
        foreign_options: row.opt("foreign_options")?.map(Box::from),
        size_bytes: row.number("size_bytes")?,
        heap_blocks: row.number("heap_blocks")?,
        columns,
    })
}

/// OIDs come as strings or numbers in JSON, depending on the major.
fn parents(row: &Row) -> Result<Vec<u32>> {
    let values: Vec<serde_json::Value> = row.json("parents")?;
    Ok(values
        .iter()
        .filter_map(|value| match value {
            serde_json::Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
        })
        .collect())
}

async fn load_columns(source: &Source<'_>) -> Result<HashMap<u32, Vec<Column>>> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/columns.sql")))
        .await?;
    let mut columns: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in rows {
        columns
            .entry(row.number("relation")?)
            .or_default()
            .push(column(&row)?);
    }
    Ok(columns)
}

fn column(row: &Row) -> Result<Column> {
    let letter = |name: &str| -> Result<Option<char>> {
        Ok(row.opt(name)?.and_then(|text| text.chars().next()))
    };
    Ok(Column {
        number: row.number("number")?,
        name: row.string("name")?,
        quoted: row.string("quoted")?,
        type_name: row.string("type")?,
        not_null: row.bool("not_null")?,
        has_default: row.bool("has_default")?,
        is_local: row.bool("is_local")?,
        is_inherited: row.bool("is_inherited")?,
        identity: letter("identity")?,
        generated: letter("generated")?,
        collation: row.opt("collation")?.map(Box::from),
        statistics_target: row.number("statistics_target")?,
        storage: row.letter("storage")?,
        sets_storage: row.bool("sets_storage")?,
        compression: row.opt("compression")?.map(Box::from),
        options: row.opt("options")?.map(Box::from),
        foreign_options: row.opt("foreign_options")?.map(Box::from),
    })
}
