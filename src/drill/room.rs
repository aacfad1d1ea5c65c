//! Whether the server's disk has room for the scratch database, where that can be known: the server is on this machine,
//! shown by its control file, which this user can read.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::archive::Reader;
use crate::catalog;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};
use crate::store;

/// What an empty database takes.
const EMPTY: u64 = 16 << 20;

/// Refuses a drill that would fill the server's disk. What cannot be known is no reason to refuse, and is said.
pub(super) async fn require(server: &Session, archive: &Reader, ctx: &Context) -> Result<()> {
    let Some(directory) = data_directory_here(server).await? else {
        tracing::debug!("the server's free disk space cannot be known from here");
        return Ok(());
    };
    // The file system may refuse to say; the restore would notice.
    let Ok(free) = store::free_bytes_at(&directory) else {
        return Ok(());
    };
    let needed = needed(server, archive).await?;
    if free >= needed {
        return Ok(());
    }
    ctx.stop.check("drill the archive")?;
    Err(Error::refused(format!("drill the archive {}", archive.path().display()))
        .because(format!(
            "the restored database takes about {} MB, and the server's disk ({}) has {} MB free",
            needed >> 20,
            directory.display(),
            free >> 20
        ))
        .now("nothing was changed")
        .hint("name a server with more room with --scratch-url, or free some space"))
}

/// The server's data directory, if it is on this machine.
async fn data_directory_here(server: &Session) -> Result<Option<PathBuf>> {
    let identifier = catalog::system_identifier(server).await?;
    let sql =
        Sql::constant("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'");
    let rows = server.query(&sql).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let directory = PathBuf::from(row.text("setting")?);
    let here = identifier_in(&directory);
    Ok(here.filter(|here| *here == identifier).map(|_| directory))
}

/// The system identifier that a control file begins with, in the machine's byte order.
fn identifier_in(directory: &Path) -> Option<String> {
    let mut file = std::fs::File::open(directory.join("global/pg_control")).ok()?;
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).ok()?;
    Some(u64::from_ne_bytes(bytes).to_string())
}

/// About what the restored database takes: its rows as text, or the original's size where that is known and smaller
/// (long texts are compressed).
async fn needed(server: &Session, archive: &Reader) -> Result<u64> {
    let manifest = archive.manifest();
    let rows: u64 = manifest.tables.iter().map(|table| table.bytes).sum();
    let objects: u64 = manifest.large_objects.iter().map(|one| one.bytes).sum();
    let sql = Sql::constant(
        "SELECT pg_catalog.pg_database_size(oid) AS bytes FROM pg_catalog.pg_database \
         WHERE pg_catalog.has_database_privilege(oid, 'CONNECT') AND oid = ",
    );
    let known = server
        .query(
            &sql.number(manifest.database.oid)
                .then(" AND datname = ")
                .literal(&manifest.database.name),
        )
        .await?;
    let original = match known.first() {
        Some(row) => row.number("bytes")?,
        None => u64::MAX,
    };
    Ok(rows
        .saturating_add(objects)
        .min(original)
        .saturating_add(EMPTY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_begins_with_the_identifier() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(identifier_in(directory.path()), None);
        #[expect(clippy::disallowed_methods, reason = "a file for the test")]
        {
            std::fs::create_dir(directory.path().join("global")).unwrap();
            let bytes = 7_123_456_789_u64.to_ne_bytes();
            std::fs::write(directory.path().join("global/pg_control"), bytes).unwrap();
        }
        assert_eq!(identifier_in(directory.path()).unwrap(), "7123456789");
    }
}
