//! The version rows, read by us: the migration tool's word is never taken for them.

use std::collections::BTreeSet;

use crate::catalog::VersionTable;
pub use crate::catalog::read_version_tables as read;

/// All revisions of all version tables, sorted, each once.
pub fn all(tables: &[VersionTable]) -> Vec<String> {
    let set: BTreeSet<&String> = tables.iter().flat_map(|table| &table.revisions).collect();
    set.into_iter().cloned().collect()
}

/// Revisions for people: `3c4e4feca860`, `a, b`, or `none`.
pub fn shown(revisions: &[String]) -> String {
    if revisions.is_empty() {
        return "none".to_owned();
    }
    revisions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_of_all_tables_are_one_set() {
        let table = |name: &str, revisions: &[&str]| VersionTable {
            schema: "public".into(),
            name: name.into(),
            revisions: revisions.iter().map(ToString::to_string).collect(),
            place: Some(1),
        };
        let tables = [table("a", &["r2", "r1"]), table("b", &["r1"])];
        assert_eq!(all(&tables), ["r1", "r2"]);
        assert_eq!(shown(&all(&tables)), "r1, r2");
        assert_eq!(shown(&[]), "none");
    }
}
