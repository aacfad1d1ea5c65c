//! `pgbelay list`: the archives in the store. Reads only; a store that does not exist is empty.

use serde_json::{Value, json};

use crate::archive::Reader;
use crate::cli::app::App;
use crate::cli::render::units;
use crate::cli::report::Done;
use crate::drill::{self, Record};
use crate::error::Result;
use crate::store::{ArchiveFile, Store};

/// What one line says.
struct Line {
    time: String,
    name: String,
    bytes: u64,
    database: String,
    revision: String,
    complete: String,
    /// Of the last drill of this very file.
    drill: Option<Record>,
}

/// Lists them by time.
pub(super) fn execute(app: &App) -> Result<Done> {
    let directory = &app.settings.store;
    let archives = match Store::existing(directory)? {
        Some(store) => store.archives()?,
        None => Vec::new(),
    };
    let lines: Vec<Line> = archives.iter().map(line).collect();
    let count = units::how_many(lines.len());
    let number = units::plural(count, "archive", "archives");
    let table = if lines.is_empty() {
        String::new()
    } else {
        table(&lines)
    };
    Ok(Done::brief(format!("{number} in {}", directory.display()))
        .printing(table)
        .member("store", directory.display().to_string())
        .member("archives", lines.iter().map(object).collect::<Vec<Value>>()))
}

/// An archive that cannot be opened is listed with the reason: that is what one looks for.
fn line(archive: &ArchiveFile) -> Line {
    let mut line = Line {
        time: String::new(),
        name: archive.name.clone(),
        bytes: archive.bytes,
        database: String::new(),
        revision: String::new(),
        complete: "yes".to_owned(),
        drill: None,
    };
    match Reader::open(&archive.path) {
        Err(error) => line.complete = format!("no: {}", error.reason().unwrap_or_default()),
        Ok(reader) => {
            line.drill = drill::read_record(&reader);
            let manifest = reader.manifest();
            line.time = manifest.created.format("%Y-%m-%d %H:%M:%S").to_string();
            line.database.clone_from(&manifest.database.name);
            let revisions = manifest
                .version_tables
                .iter()
                .flat_map(|table| &table.revisions);
            line.revision = revisions.cloned().collect::<Vec<_>>().join(",");
        }
    }
    line
}

fn table(lines: &[Line]) -> String {
    let header = [
        "time (UTC)",
        "name",
        "size",
        "database",
        "revision",
        "complete",
        "last proven (UTC)",
    ];
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                line.time.clone(),
                line.name.clone(),
                units::bytes(line.bytes),
                line.database.clone(),
                line.revision.clone(),
                line.complete.clone(),
                proven(line),
            ]
        })
        .collect();
    units::table(&header, &rows, &[2]).join("\n") + "\n"
}

fn proven(line: &Line) -> String {
    match &line.drill {
        Some(record) => record.shown(),
        None => "never drilled".to_owned(),
    }
}

fn object(line: &Line) -> Value {
    json!({
        "created": line.time,
        "name": line.name,
        "bytes": line.bytes,
        "database": line.database,
        "revision": line.revision,
        "complete": line.complete == "yes",
        "last_proven": line.drill.as_ref().and_then(|record| record.last_proven),
        "drill": line.drill,
        "trouble": (line.complete != "yes").then_some(&line.complete),
    })
}
