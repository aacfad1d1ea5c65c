//! Do the version rows equal what the scripts lead to?

use std::collections::BTreeSet;

use super::Outcome;
use crate::catalog::{self, VersionTable};
use crate::error::Result;
use crate::pg::Session;

/// Alembic's own name for its table, and that of SQL files.
pub const DEFAULT_NAME: &str = "alembic_version";

/// The version tables that are the project's own; others may stand beside them, one per service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnTables {
    /// Names; empty: any.
    pub names: Vec<String>,
    /// Schemas; empty: any.
    pub schemas: Vec<String>,
    /// Alembic's default name goes before all others, because the project gives none.
    pub by_default: bool,
    /// env.py chooses by itself where plain names lead (`search_path`, `schema_translate_map`), or computes name or schema.
    pub moves: bool,
    /// env.py goes through several of something, or asks an argument which one it is: with [`OwnTables::moves`], tenants.
    pub repeats: bool,
    /// Only the one that a plain name leads to: SQL files are ours, and so is their table.
    pub leading: bool,
}

impl OwnTables {
    /// Those among `tables` that are the project's.
    pub fn among(&self, tables: &[VersionTable]) -> Vec<VersionTable> {
        let fits = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        let is_own = |table: &&VersionTable| {
            fits(&self.names, &table.name) && fits(&self.schemas, &table.schema)
        };
        let mut own: Vec<VersionTable> = tables.iter().filter(is_own).cloned().collect();
        if self.leading {
            own.retain(|table| table.place.is_some());
            own.sort_by_key(|table| table.place);
            own.truncate(1);
        }
        let is_default = |table: &VersionTable| table.name == DEFAULT_NAME;
        if !self.by_default || !own.iter().any(is_default) {
            return own;
        }
        own.into_iter().filter(is_default).collect()
    }

    /// Of these, those that plain names lead to. To find another one at head would be a false "nothing to do".
    ///
    /// # Errors
    /// Why nobody knows which one the tool will take.
    pub fn reached(
        &self,
        tables: &[VersionTable],
    ) -> std::result::Result<Vec<VersionTable>, String> {
        let own = self.among(tables);
        if !self.schemas.is_empty() || own.is_empty() {
            return Ok(own);
        }
        // One that is alone, where plain names lead anyway, is the one that is meant; but not where tenants come and go,
        // the next of which has none yet.
        let alone = matches!(&own[..], [only] if only.place.is_some());
        if self.moves && (self.repeats || !alone) {
            let how = match self.repeats {
                true => ", for several tenants as it seems",
                false => "",
            };
            return Err(format!(
                "env.py chooses by itself (search_path, schema_translate_map, or a computed name){how}, and there is {}",
                places(&own)
            ));
        }
        let reached: Vec<VersionTable> = own
            .iter()
            .filter(|table| table.place.is_some())
            .cloned()
            .collect();
        let alike = |table: &VersionTable| {
            let same = reached.iter().filter(|other| other.name == table.name);
            same.count() > 1
        };
        if reached.is_empty() || reached.iter().any(alike) {
            return Err(format!(
                "no version_table_schema is named, and the plain name does not lead to one of {}",
                places(&own)
            ));
        }
        Ok(reached)
    }
}

fn places(tables: &[VersionTable]) -> String {
    let names = tables
        .iter()
        .map(|table| format!("{}.{}", table.schema, table.name));
    names.collect::<Vec<_>>().join(", ")
}

/// One of the project's own version tables must hold exactly the expected rows.
pub(super) async fn check(
    session: &Session,
    expected: &BTreeSet<String>,
    own: &OwnTables,
) -> Result<Outcome> {
    let tables = catalog::read_version_tables(session).await?;
    Ok(judge(&tables, expected, own))
}

fn judge(all: &[VersionTable], expected: &BTreeSet<String>, own: &OwnTables) -> Outcome {
    // Where that is not known a table that fits may be another's, but to fail for it would undo what is right.
    let tables = own.reached(all).unwrap_or_else(|_| own.among(all));
    if expected.is_empty() && tables.iter().any(|table| table.revisions.is_empty()) {
        return Outcome::Passed("no revision, as expected".to_owned());
    }
    match tables.iter().find(|table| rows(table) == *expected) {
        Some(table) => Outcome::Passed(format!(
            "{}{}",
            found(std::slice::from_ref(table)),
            beside(all, table)
        )),
        None if tables.is_empty() && expected.is_empty() => {
            Outcome::Passed("no version table, as expected".to_owned())
        }
        None => Outcome::Failed(format!(
            "expected {}, found {}",
            shown(expected),
            found(all)
        )),
    }
}

/// The other version tables, for the person who did not know that there are several.
fn beside(all: &[VersionTable], taken: &VersionTable) -> String {
    let others: Vec<VersionTable> = all.iter().filter(|t| *t != taken).cloned().collect();
    if others.is_empty() {
        return String::new();
    }
    format!(" (other version tables: {})", found(&others))
}

fn rows(table: &VersionTable) -> BTreeSet<String> {
    table.revisions.iter().cloned().collect()
}

fn found(tables: &[VersionTable]) -> String {
    let each = tables
        .iter()
        .map(|table| format!("{} in {}.{}", shown(&rows(table)), table.schema, table.name));
    match tables.len() {
        0 => "no version table".to_owned(),
        _ => each.collect::<Vec<_>>().join("; "),
    }
}

fn shown(revisions: &BTreeSet<String>) -> String {
    if revisions.is_empty() {
        return "no revision".to_owned();
    }
    revisions
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, revisions: &[&str]) -> VersionTable {
        VersionTable {
            schema: "public".to_owned(),
            name: name.to_owned(),
            revisions: revisions.iter().map(|id| (*id).to_owned()).collect(),
            place: Some(1),
        }
    }

    fn expected(revisions: &[&str]) -> BTreeSet<String> {
        revisions.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn rows_must_be_equal_as_sets() {
        let tables = [
            table("alembic_version", &["b", "a"]),
            table("other", &["x"]),
        ];
        let any = OwnTables::default();
        let Outcome::Passed(detail) = judge(&tables, &expected(&["a", "b"]), &any) else {
            panic!("equal sets");
        };
        assert_eq!(
            detail,
            "a, b in public.alembic_version (other version tables: x in public.other)"
        );
        let Outcome::Failed(detail) = judge(&tables, &expected(&["a"]), &any) else {
            panic!("a set is not its part");
        };
        assert_eq!(
            detail,
            "expected a, found a, b in public.alembic_version; x in public.other"
        );
    }

    #[test]
    fn the_first_tenants_table_is_not_every_tenants() {
        let tables = [table("alembic_version", &["a"])];
        let moves = OwnTables {
            moves: true,
            ..OwnTables::default()
        };
        assert_eq!(moves.reached(&tables).unwrap(), tables);
        let repeats = OwnTables {
            repeats: true,
            ..moves
        };
        assert!(repeats.reached(&tables).unwrap_err().contains("tenants"));
        let named = OwnTables {
            schemas: vec!["public".to_owned()],
            ..repeats
        };
        assert_eq!(named.reached(&tables).unwrap(), tables);
    }

    #[test]
    fn another_services_version_table_is_no_proof() {
        let tables = [table("alembic_version", &["old"]), table("billing", &["x"])];
        let passes = |own: &OwnTables, id: &str| {
            matches!(judge(&tables, &expected(&[id]), own), Outcome::Passed(_))
        };
        assert!(passes(&OwnTables::default(), "x"));
        let by_default = OwnTables {
            by_default: true,
            ..OwnTables::default()
        };
        assert!(passes(&by_default, "old") && !passes(&by_default, "x"));
        let named = OwnTables {
            names: vec!["billing".to_owned()],
            ..OwnTables::default()
        };
        assert!(passes(&named, "x") && !passes(&named, "old"));
        let elsewhere = OwnTables {
            schemas: vec!["audit".to_owned()],
            ..OwnTables::default()
        };
        assert!(!passes(&elsewhere, "x") && !passes(&elsewhere, "old"));
    }
}
