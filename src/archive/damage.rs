//! What can be wrong with an archive, as errors that say where.

use std::path::Path;

use super::manifest::{Manifest, MemberKind};
use crate::error::{Error, Kind};

/// A member or the manifest is not what was written: `place` says which part, `why` what is wrong.
pub(super) fn damaged(path: &Path, place: &str, why: &str) -> Error {
    Error::new(
        Kind::Difference,
        format!("read the archive {}", path.display()),
    )
    .because(format!("damaged: {place}: {why}"))
    .hint("use another copy or an older archive; what is damaged is never restored")
}

/// The file ends before its footer.
pub(super) fn incomplete(path: &Path, length: u64) -> Error {
    Error::new(
        Kind::Difference,
        format!("read the archive {}", path.display()),
    )
    .because(format!(
        "incomplete: no footer: the file ends at byte {length}; the backup was interrupted or \
             the file truncated"
    ))
    .hint("use another copy or an older archive")
}

/// The archive is whole and the file goes on after it.
pub(super) fn followed(path: &Path, end: u64, length: u64) -> Error {
    Error::new(
        Kind::Difference,
        format!("read the archive {}", path.display()),
    )
    .because(format!(
        "damaged: the archive ends at byte {end}, and {} more follow it: something was appended",
        length - end
    ))
    .hint(format!(
        "`head -c {end} {} > COPY` cuts the archive out; `pgbelay check COPY` tells whether it is whole",
        path.display()
    ))
}

/// The file was never an archive.
pub(super) fn foreign(path: &Path, why: &str) -> Error {
    Error::new(
        Kind::Difference,
        format!("read the archive {}", path.display()),
    )
    .because(format!("not a pgbelay archive: {why}"))
}

/// A later version of the tool wrote it.
pub(super) fn newer(path: &Path, why: &str) -> Error {
    Error::refused(format!("read the archive {}", path.display()))
        .because(why)
        .hint("use the version of pgbelay that wrote it, or a later one")
}

/// `member 17 (table public.users) at byte 123456`.
pub(super) fn member_place(manifest: &Manifest, index: usize) -> String {
    let Some(member) = manifest.members.get(index) else {
        return format!("member {index}");
    };
    let table = member
        .table
        .and_then(|table| manifest.tables.get(usize::try_from(table).ok()?));
    let what = match (member.kind, table) {
        (MemberKind::Data, Some(table)) => table.identity.as_str(),
        (MemberKind::Data, None) => "rows",
        (MemberKind::Preamble, _) => "preamble",
        (MemberKind::Entries, _) => "definitions",
        (MemberKind::Sequences, _) => "sequence values",
        (MemberKind::LargeObjects, _) => "large objects",
    };
    format!("member {index} ({what}) at byte {}", member.offset)
}
