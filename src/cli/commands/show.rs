//! `pgbelay show`: what an archive says about itself. Reads footer and manifest only.

use std::collections::BTreeMap;

use serde_json::json;

use crate::archive::{Manifest, Reader, VersionTableRecord};
use crate::cli::app::App;
use crate::cli::args::ArchiveArgument;
use crate::cli::render::units;
use crate::cli::report::Done;
use crate::drill;
use crate::error::Result;

/// Prints the contents.
pub(super) fn execute(app: &App, arguments: &ArchiveArgument) -> Result<Done> {
    let reader = app.open_archive(&arguments.archive)?;
    let manifest = reader.manifest();
    let path = reader.path().display().to_string();
    let mut lines = head(&reader, manifest);
    lines.push(String::new());
    lines.extend(kinds(manifest));
    lines.push(String::new());
    lines.extend(tables(manifest));
    Ok(Done::brief(format!(
        "{path}: complete; `pgbelay check` proves every byte"
    ))
    .printing(lines.join("\n") + "\n")
    .member("archive", path)
    .member("drill", json!(drill::read_record(&reader)))
    .member("manifest", summary(manifest)))
}

fn head(reader: &Reader, manifest: &Manifest) -> Vec<String> {
    let mut rows = vec![
        ("archive", reader.path().display().to_string()),
        ("size", units::bytes(reader.length())),
        ("made", made(manifest)),
        ("purpose", purpose(manifest)),
        ("database", database(manifest)),
        ("server", server(manifest)),
        ("encoding", manifest.database.encoding.clone()),
        ("snapshot", manifest.snapshot.clone()),
        ("roles", manifest.roles.join(", ")),
        ("extensions", extensions(manifest)),
    ];
    rows.extend(
        manifest
            .version_tables
            .iter()
            .map(|table| ("revision", revision(table))),
    );
    let losses = manifest.accepted_losses.iter().cloned();
    rows.extend(losses.map(|loss| ("NOT HELD", loss)));
    rows.push(("drill", drilled(reader)));
    rows.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<11}{value}"))
        .collect()
}

fn drilled(reader: &Reader) -> String {
    match drill::read_record(reader) {
        Some(record) => record.told(),
        None => "never drilled: `pgbelay drill` restores it and proves it equal".to_owned(),
    }
}

fn made(manifest: &Manifest) -> String {
    let at = manifest.created.format("%Y-%m-%d %H:%M:%S UTC");
    format!("{at} by {}", manifest.tool)
}

fn database(manifest: &Manifest) -> String {
    format!("{} (oid {})", manifest.database.name, manifest.database.oid)
}

fn server(manifest: &Manifest) -> String {
    let database = &manifest.database;
    format!(
        "PostgreSQL {}, system identifier {}",
        database.server_version, database.system_identifier
    )
}

fn revision(table: &VersionTableRecord) -> String {
    let revisions = match table.revisions.as_slice() {
        [] => "none".to_owned(),
        revisions => revisions.join(", "),
    };
    format!("{revisions} in {}.{}", table.schema, table.name)
}

fn extensions(manifest: &Manifest) -> String {
    let texts = manifest
        .extensions
        .iter()
        .map(|e| format!("{} {}", e.name, e.version));
    texts.collect::<Vec<_>>().join(", ")
}

/// Entries by kind, the most numerous first.
fn kinds(manifest: &Manifest) -> Vec<String> {
    let mut rows: Vec<(u64, String)> = counted(manifest)
        .into_iter()
        .map(|(kind, count)| (count, kind.to_owned()))
        .collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let cells: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(count, kind)| vec![kind, units::count(count)])
        .collect();
    units::table(&["kind", "entries"], &cells, &[1])
}

fn counted(manifest: &Manifest) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for entry in &manifest.entries {
        *counts.entry(entry.kind.as_str()).or_insert(0) += 1;
    }
    counts
}

fn tables(manifest: &Manifest) -> Vec<String> {
    let cells: Vec<Vec<String>> = manifest
        .tables
        .iter()
        .map(|table| {
            vec![
                format!("{}.{}", table.schema, table.name),
                units::count(table.rows),
                units::bytes(table.bytes),
                table.digest.clone(),
            ]
        })
        .collect();
    units::table(&["table", "rows", "bytes", "digest"], &cells, &[1, 2])
}

/// The manifest without what only a reader of bytes needs.
fn summary(manifest: &Manifest) -> serde_json::Value {
    let tables: Vec<_> = manifest
        .tables
        .iter()
        .map(|table| json!({"schema": table.schema, "name": table.name, "rows": table.rows, "bytes": table.bytes, "digest": table.digest}))
        .collect();
    json!({
        "format": manifest.format,
        "tool": manifest.tool,
        "purpose": manifest.purpose,
        "partial": manifest.partial,
        "created": manifest.created,
        "database": manifest.database,
        "snapshot": manifest.snapshot,
        "entries": counted(manifest),
        "tables": tables,
        "sequences": manifest.sequences,
        "version_tables": manifest.version_tables,
        "roles": manifest.roles,
        "extensions": manifest.extensions,
        "accepted_losses": manifest.accepted_losses,
    })
}
/// What a repair saved is a part of the database, and must not be taken for more.
fn purpose(manifest: &Manifest) -> String {
    match manifest.partial {
        true => format!("{}: only what was about to change", manifest.purpose),
        false => manifest.purpose.clone(),
    }
}
