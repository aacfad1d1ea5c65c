//! What hangs on objects and has no object identifier of its own: comments, dependencies on
//! extensions, clones of triggers; and extensions whose data no dump reaches (spec §7.2).

use crate::catalog::address::{Address, CLASS, EXTENSION, PROC, TRIGGER};
use crate::catalog::entry::{Extension, Kind};
use crate::catalog::loss::Loss;
use crate::catalog::read::Reading;
use crate::catalog::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

/// Extensions that keep users' rows, or what makes tables theirs, in tables that are members and not
/// declared as configuration, in files, or on other servers; with the way to back them up.
const HIDDEN: [(&str, &str); 10] = [
    (
        "timescaledb",
        "its chunks and their catalog need timescaledb_pre_restore() and timescaledb_post_restore(), or its own backup",
    ),
    ("timescaledb_osm", "its rows lie in object storage"),
    (
        "citus",
        "its shards lie on other servers, and its metadata is no configuration: back up every node",
    ),
    (
        "citus_columnar",
        "its metadata about stripes is no configuration: copy such tables into ordinary ones",
    ),
    (
        "columnar",
        "its metadata about stripes is no configuration: copy such tables into ordinary ones",
    ),
    (
        "pglogical",
        "its nodes and subscriptions lie in its own tables and on other servers: set them up anew",
    ),
    (
        "bdr",
        "its nodes and replication sets lie in its own tables and on other servers: set them up anew",
    ),
    (
        "spock",
        "its nodes and subscriptions lie in its own tables and on other servers: set them up anew",
    ),
    (
        "snowflake_origin",
        "its state belongs to a replication cluster: set it up anew",
    ),
    (
        "pgactive",
        "its nodes and replication sets lie in its own tables and on other servers: set them up anew",
    ),
];

pub(super) async fn check(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    comments(reading, source).await?;
    system(reading, source).await?;
    clones(reading, source).await?;
    leaning(reading);
    pages(reading, source).await
}

/// Extensions that are known to keep data elsewhere.
pub(in crate::catalog) fn hidden_data(reading: &mut Reading, extensions: &[Extension]) {
    for extension in extensions {
        let known = HIDDEN.iter().find(|(name, _)| *name == extension.name);
        if let Some((name, what)) = known {
            let reason = format!("a dump does not reach all of its data: {what}");
            reading.refuse(
                Loss::ExtensionData,
                format!("extension {name}"),
                "pg_extension",
                reason,
            );
        }
    }
}

/// Each comment on a user's object has an entry that carries it.
async fn comments(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let sql = Sql::constant(include_str!("../sql/commented.sql"));
    for row in &source.query(&sql).await? {
        let address = (row.number("class")?, row.number("object")?);
        if !reading.is_member(address) && !is_carried(reading, address, row)? {
            reading.refuse(
                Loss::UnknownObject,
                format!("comment on {}", row.text("described")?),
                "pg_description",
                "no entry carries it",
            );
        }
    }
    Ok(())
}

/// Changes of what every fresh database has.
async fn system(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let sql = Sql::constant(include_str!("../sql/system_changes.sql"));
    for row in &source.query(&sql).await? {
        reading.refuse(
            Loss::SystemObject,
            row.string("object")?,
            row.text("catalog")?,
            row.string("reason")?,
        );
    }
    Ok(())
}

fn is_carried(reading: &Reading, address: Address, row: &Row) -> Result<bool> {
    let Some(id) = reading.graph.find(address) else {
        return Ok(false);
    };
    let node = &reading.graph.nodes[id];
    // What lies inside an extension is the extension's.
    if node.kind == Kind::Extension && address.0 != EXTENSION {
        return Ok(true);
    }
    if row.number::<i32>("part")? > 0 {
        return Ok(address.0 == CLASS && reading.relations.get(address.1).is_some());
    }
    Ok(node.comment_target.is_some() || reading.comment_targets.contains_key(&address))
}

/// Pages of large objects that have no metadata, where this role may look.
async fn pages(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let readable = Sql::constant(
        "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') AS readable",
    );
    if !source.query_one(&readable).await?.bool("readable")? {
        return Ok(());
    }
    let sql = Sql::constant(include_str!("../sql/orphan_pages.sql"));
    for row in &source.query(&sql).await? {
        reading.refuse(
            Loss::UnknownCatalog,
            format!("pages of large object {}", row.text("loid")?),
            "pg_largeobject",
            "there is no such large object: the catalogs are damaged",
        );
    }
    Ok(())
}

/// Triggers of partitions that a restore would make otherwise.
async fn clones(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let sql = Sql::constant(include_str!("../sql/clones.sql"));
    for row in &source.query(&sql).await? {
        reading.refuse(
            Loss::TriggerState,
            row.string("object")?,
            "pg_trigger",
            "it differs from the partitioned table's trigger, which a restore would make it of",
        );
    }
    Ok(())
}

/// `DEPENDS ON EXTENSION` is written for functions, indexes, materialized views and triggers.
fn leaning(reading: &mut Reading) {
    let leaning = reading.depends_on_extension.keys().copied();
    let lost: Vec<Address> = leaning
        .filter(|address| !is_leaning_kept(reading, *address))
        .collect();
    for (class, object) in lost {
        reading.refuse(
            Loss::ExtensionChange,
            format!("dependency on an extension of object {object} of catalog {class}"),
            "pg_depend",
            "no entry carries it",
        );
    }
}

fn is_leaning_kept(reading: &Reading, address: Address) -> bool {
    if reading.is_member(address) {
        return true;
    }
    let carries = match address.0 {
        PROC | TRIGGER => true,
        CLASS => {
            let relation = reading.relations.get(address.1);
            relation.is_none_or(|relation| relation.kind == 'm')
        }
        _ => false,
    };
    carries && reading.graph.find(address).is_some()
}
