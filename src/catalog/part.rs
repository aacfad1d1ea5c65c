//! A part of a catalog that stands by itself: some objects with what they need, and the rows of some
//! tables.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Catalog, Entry, Kind, Table};

/// Which part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Identities of entries.
    pub entries: BTreeSet<String>,
    /// Identities of tables with their rows.
    pub rows: BTreeSet<String>,
    /// Of these tables, the rows that a condition (`WHERE …`) names.
    pub only: BTreeMap<String, String>,
    /// Numbers of large objects, with their bytes.
    pub large_objects: BTreeSet<u32>,
}

impl Part {
    fn has_rows(&self, entry: &Entry) -> bool {
        entry.table().is_some_and(|table| self.rows.contains(table))
    }

    fn has_all_rows(&self, table: &str) -> bool {
        self.rows.contains(table) && !self.only.contains_key(table)
    }

    fn rows_of(&self, table: &Table) -> Table {
        let condition = self.only.get(&table.identity).cloned();
        Table {
            condition: condition.or_else(|| table.condition.clone()),
            ..table.clone()
        }
    }
}

impl Catalog {
    /// The entries of the part and `public`, what they need, and for tables with rows what is defined on them. A
    /// foreign key is left out where the rows that it points to are.
    #[must_use]
    pub fn part(&self, part: &Part) -> Self {
        let mut wanted = self.wanted(part);
        self.add_needed(&mut wanted);
        self.add_hanging(&mut wanted, part);
        let kept: Vec<usize> = (0..self.entries.len()).filter(|&at| wanted[at]).collect();
        let has = |identity: &str| {
            let mut entries = kept.iter().map(|&at| &self.entries[at]);
            entries.any(|entry| entry.identity == identity)
        };
        let rows = |identity: &str| part.rows.contains(identity);
        Self {
            entries: self.renumbered(&kept),
            tables: self
                .tables
                .iter()
                .filter(|table| rows(&table.identity))
                .map(|table| part.rows_of(table))
                .collect(),
            sequences: self
                .sequences
                .iter()
                .filter(|one| has(&one.identity))
                .cloned()
                .collect(),
            large_objects: self
                .large_objects
                .iter()
                .filter(|oid| part.large_objects.contains(*oid))
                .copied()
                .collect(),
            version_tables: self
                .version_tables
                .iter()
                .filter(|one| rows(&format!("table {}.{}", one.schema, one.name)))
                .cloned()
                .collect(),
            needs: self
                .needs
                .iter()
                .filter(|need| has(&need.identity))
                .cloned()
                .collect(),
            ..self.clone()
        }
    }

    fn wanted(&self, part: &Part) -> Vec<bool> {
        let is_wanted = |entry: &Entry| match entry.kind {
            Kind::LargeObject | Kind::LargeObjectData => entry
                .large_object()
                .is_some_and(|oid| part.large_objects.contains(&oid)),
            Kind::TableData => false,
            // A restore asks whether `public` is what it should be.
            Kind::Schema if entry.name == "public" => true,
            _ => part.entries.contains(&entry.identity) || part.has_rows(entry),
        };
        self.entries.iter().map(is_wanted).collect()
    }

    /// Entries stand behind what they need, so one pass from the end finds all of it.
    fn add_needed(&self, wanted: &mut [bool]) {
        for at in (0..self.entries.len()).rev() {
            if wanted[at] {
                for &need in &self.entries[at].depends {
                    wanted[need] = true;
                }
            }
        }
    }

    /// Indexes, keys, triggers, grants, values: what needs nothing but what is wanted already, of
    /// tables with rows and of everything that is wanted.
    fn add_hanging(&self, wanted: &mut [bool], part: &Part) {
        for (at, entry) in self.entries.iter().enumerate() {
            let all_there = entry.depends.iter().all(|&need| wanted[need]);
            let on_rows = entry.depends.iter().any(|&need| {
                let relation = &self.entries[need];
                relation.kind != Kind::Table || part.has_rows(relation)
            });
            let hangs = is_part_of_another(entry.kind) && !entry.depends.is_empty();
            wanted[at] |= hangs && all_there && on_rows;
            wanted[at] &= match entry.kind {
                Kind::TableData => self.has_rows(entry, part),
                Kind::FkConstraint => self.relations_have_rows(entry, part),
                _ => true,
            };
        }
    }

    fn has_rows(&self, data: &Entry, part: &Part) -> bool {
        let mut needs = data.depends.iter().map(|&need| &self.entries[need]);
        needs.any(|entry| part.has_rows(entry))
    }

    fn relations_have_rows(&self, key: &Entry, part: &Part) -> bool {
        let needs = key.depends.iter().map(|&need| &self.entries[need]);
        let mut tables = needs.filter_map(Entry::table);
        tables.all(|table| part.has_all_rows(table))
    }

    fn renumbered(&self, kept: &[usize]) -> Vec<Entry> {
        let place = |at: &usize| kept.binary_search(at).ok();
        let entries = kept.iter().map(|&at| {
            let entry = &self.entries[at];
            Entry {
                depends: entry.depends.iter().filter_map(place).collect(),
                ..entry.clone()
            }
        });
        entries.collect()
    }
}

/// Kinds that say something about a relation or belong to it.
fn is_part_of_another(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Default
            | Kind::CheckConstraint
            | Kind::Constraint
            | Kind::FkConstraint
            | Kind::Index
            | Kind::Rule
            | Kind::Trigger
            | Kind::Policy
            | Kind::RowSecurity
            | Kind::Comment
            | Kind::Acl
            | Kind::Owner
            | Kind::SequenceOwnedBy
            | Kind::SequenceSet
            | Kind::TableData
            | Kind::Statistics
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Section;

    fn entry(kind: Kind, identity: &str, depends: &[usize]) -> Entry {
        Entry {
            kind,
            schema: None,
            name: identity.to_owned(),
            identity: identity.to_owned(),
            owner: None,
            section: Section::PreData,
            create: format!("CREATE {identity};\n"),
            drop: None,
            depends: depends.to_vec(),
        }
    }

    fn catalog() -> Catalog {
        Catalog {
            entries: vec![
                entry(Kind::Schema, "schema s", &[]),
                entry(Kind::Table, "table s.a", &[0]),
                entry(Kind::Table, "table s.b", &[0]),
                entry(Kind::TableData, "data of table s.a", &[1]),
                entry(Kind::TableData, "data of table s.b", &[2]),
                entry(Kind::Index, "index s.i", &[1]),
                entry(Kind::FkConstraint, "constraint f on s.a", &[1, 2]),
                entry(Kind::View, "view s.v", &[2]),
                entry(Kind::Function, "function s.f()", &[0]),
            ],
            ..Catalog::default()
        }
    }

    fn identities(part: &Part) -> Vec<String> {
        let part = catalog().part(part);
        part.entries
            .into_iter()
            .map(|entry| entry.identity)
            .collect()
    }

    #[test]
    fn rows_come_with_what_is_defined_on_their_table() {
        let part = Part {
            rows: BTreeSet::from(["table s.a".to_owned()]),
            ..Part::default()
        };
        let expected = ["schema s", "table s.a", "data of table s.a", "index s.i"];
        assert_eq!(identities(&part), expected);
    }

    #[test]
    fn rows_of_an_extensions_table_come_with_the_extension() {
        let catalog = Catalog {
            entries: vec![
                entry(Kind::Extension, "extension e", &[]),
                entry(Kind::ExtensionTable, "extension table s.c", &[0]),
                entry(Kind::TableData, "data of table s.c", &[0, 1]),
            ],
            ..Catalog::default()
        };
        let rows = |table: &str| {
            let rows = BTreeSet::from([table.to_owned()]);
            let part = catalog.part(&Part {
                rows,
                ..Part::default()
            });
            part.entries.len()
        };
        assert_eq!((rows("table s.c"), rows("table s.d")), (3, 0));
    }

    #[test]
    fn entries_come_with_what_they_need_and_without_rows() {
        let part = Part {
            entries: BTreeSet::from(["view s.v".to_owned()]),
            ..Part::default()
        };
        assert_eq!(identities(&part), ["schema s", "table s.b", "view s.v"]);
        assert_eq!(catalog().part(&part).entries[2].depends, [1]);
    }

    #[test]
    fn a_foreign_key_comes_if_both_tables_have_their_rows() {
        let rows = ["table s.a", "table s.b"].map(str::to_owned);
        let part = Part {
            rows: BTreeSet::from(rows),
            ..Part::default()
        };
        assert!(identities(&part).contains(&"constraint f on s.a".to_owned()));
    }
}
