//! A manifest → the schedule of what several sessions do at once (spec §2.6).
//!
//! Everything before the data exists by then. An index or a key starts as soon as the rows of its
//! table are in, provided that nothing but its table can matter to it: what calls functions of
//! somebody else's may read other tables, so it waits for all rows, as everything else does.
//! Foreign keys and what needs them come last.
//!
//! Locks: an index shares its table with other indexes; a key and an attach have their tables to
//! themselves; everything else has the whole trees of its tables, because it may go down to
//! partitions and children. A COPY into a partition looks at its parents, so whatever touches a
//! table with children waits for the rows of the whole tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::effort::Load;
use super::schedule::{Effort, Job, Key, Lock, NodeId, Schedule};
use crate::archive::{EntryRecord, Manifest, MemberKind, MemberRecord, Section};
use crate::catalog::Kind;

/// What is done at once, and what one session has to do before.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Members of extensions' configuration tables: their foreign keys exist already, and the
    /// archive holds them in an order that suits these.
    pub first: Vec<usize>,
    /// Entries that the schedule makes.
    pub entries: Vec<usize>,
    /// The rest.
    pub schedule: Schedule,
}

impl Plan {
    /// Of everything that is not there already.
    pub fn of(manifest: &Manifest, present: &BTreeSet<usize>, load: &Load) -> Self {
        let tables = Tables::of(manifest);
        let mut planner = Planner::new(manifest, tables, load);
        planner.add_data();
        planner.add_entries(present);
        planner.plan.schedule.open();
        planner.plan
    }
}

fn is_kind(entry: &EntryRecord, kinds: &[Kind]) -> bool {
    kinds.iter().any(|kind| kind.name() == entry.kind)
}

/// Relations that statements after the data name.
const RELATIONS: [Kind; 5] = [
    Kind::Table,
    Kind::ForeignTable,
    Kind::View,
    Kind::MaterializedView,
    Kind::ExtensionTable,
];

/// What an index or a key may need and still depend on the rows of its table alone.
const HARMLESS: [Kind; 5] = [
    Kind::Table,
    Kind::Schema,
    Kind::Collation,
    Kind::TableAttach,
    Kind::MaterializedView,
];

/// Who is whose partition or child, by index of entry.
#[derive(Debug)]
struct Tables {
    /// Towards the root of the tree; a tree's root is any one of its tables.
    towards: Vec<usize>,
    has_children: BTreeSet<usize>,
    by_name: HashMap<(String, String), usize>,
}

impl Tables {
    fn of(manifest: &Manifest) -> Self {
        let mut tables = Self {
            towards: (0..manifest.entries.len()).collect(),
            has_children: BTreeSet::new(),
            by_name: HashMap::new(),
        };
        for (index, entry) in manifest.entries.iter().enumerate() {
            if is_kind(entry, &RELATIONS) {
                let schema = entry.schema.clone().unwrap_or_default();
                tables.by_name.insert((schema, entry.name.clone()), index);
            }
        }
        for (index, entry) in manifest.entries.iter().enumerate() {
            let child = match is_kind(entry, &[Kind::TableAttach]) {
                true => tables.named(entry.schema.as_deref().unwrap_or_default(), &entry.name),
                false => is_kind(entry, &[Kind::Table, Kind::ForeignTable]).then_some(index),
            };
            let Some(child) = child else { continue };
            let parents = needs(entry).filter(|&at| {
                at != child && is_kind(&manifest.entries[at], &[Kind::Table, Kind::ForeignTable])
            });
            for parent in parents {
                tables.has_children.insert(parent);
                tables.join(parent, child);
            }
        }
        tables
    }

    fn named(&self, schema: &str, name: &str) -> Option<usize> {
        self.by_name
            .get(&(schema.to_owned(), name.to_owned()))
            .copied()
    }

    fn tree(&self, mut table: usize) -> usize {
        while self.towards[table] != table {
            table = self.towards[table];
        }
        table
    }

    fn join(&mut self, parent: usize, child: usize) {
        let (root, below) = (self.tree(parent), self.tree(child));
        self.towards[below] = root;
        // Short ways: trees of inheritance may be deep.
        self.towards[child] = root;
    }
}

fn needs(entry: &EntryRecord) -> impl Iterator<Item = usize> + '_ {
    entry
        .depends
        .iter()
        .filter_map(|at| usize::try_from(*at).ok())
}

struct Planner<'a> {
    manifest: &'a Manifest,
    load: &'a Load,
    tables: Tables,
    plan: Plan,
    all_loaded: NodeId,
    /// Gates by table, for the rows that its own members bring.
    loaded: BTreeMap<usize, NodeId>,
    /// Gates by tree.
    trees_loaded: BTreeMap<usize, NodeId>,
    /// Trees whose rows find their partitions anew: any member may fill any table of it.
    moving: BTreeSet<usize>,
    bytes: BTreeMap<usize, u64>,
}

impl<'a> Planner<'a> {
    fn new(manifest: &'a Manifest, tables: Tables, load: &'a Load) -> Self {
        let mut plan = Plan::default();
        let all_loaded = plan.schedule.gate();
        Self {
            manifest,
            load,
            tables,
            plan,
            all_loaded,
            loaded: BTreeMap::new(),
            trees_loaded: BTreeMap::new(),
            moving: BTreeSet::new(),
            bytes: BTreeMap::new(),
        }
    }

    fn gate_of(gates: &mut BTreeMap<usize, NodeId>, schedule: &mut Schedule, at: usize) -> NodeId {
        *gates.entry(at).or_insert_with(|| schedule.gate())
    }

    fn add_data(&mut self) {
        let mut large_objects = false;
        for (index, member) in self.manifest.members.iter().enumerate() {
            match member.kind {
                MemberKind::Data => self.add_member(index, member),
                MemberKind::LargeObjects => large_objects = true,
                MemberKind::Preamble | MemberKind::Entries | MemberKind::Sequences => {}
            }
        }
        if large_objects {
            let objects = self.manifest.large_objects.iter();
            let bytes = objects.map(|object| object.bytes).sum();
            let effort = Effort { bytes, time: bytes };
            let job = self
                .plan
                .schedule
                .job(Job::LargeObjects, effort, Vec::new());
            self.plan.schedule.order(job, self.all_loaded);
        }
    }

    fn add_member(&mut self, index: usize, member: &MemberRecord) {
        let table = member.table.and_then(|table| usize::try_from(table).ok());
        let record = table.and_then(|table| self.manifest.tables.get(table));
        let at = record.and_then(|record| self.tables.named(&record.schema, &record.name));
        let (Some(record), Some(at)) = (record, at) else {
            self.plan.first.push(index);
            return;
        };
        if !is_kind(&self.manifest.entries[at], &[Kind::Table]) {
            self.plan.first.push(index);
            return;
        }
        let tree = self.tables.tree(at);
        self.bytes.insert(at, record.bytes);
        if record.through.is_some() {
            self.moving.insert(tree);
        }
        let schedule = &mut self.plan.schedule;
        let effort = Effort {
            bytes: member.text_length,
            time: self.load.of_rows(record.bytes),
        };
        let job = schedule.job(Job::Member(index), effort, Vec::new());
        for gate in [
            Self::gate_of(&mut self.loaded, schedule, at),
            Self::gate_of(&mut self.trees_loaded, schedule, tree),
            self.all_loaded,
        ] {
            schedule.order(job, gate);
        }
    }

    fn add_entries(&mut self, present: &BTreeSet<usize>) {
        let early = self.plan.schedule.gate();
        self.plan.schedule.order(self.all_loaded, early);
        let mut nodes: HashMap<usize, NodeId> = HashMap::new();
        let mut last: BTreeSet<usize> = BTreeSet::new();
        let relations = relations(self.manifest);
        for (index, entry) in self.manifest.entries.iter().enumerate() {
            if entry.section != Section::PostData {
                continue;
            }
            let about = &relations[index];
            let node = match entry.place.is_none() || present.contains(&index) {
                true => self.plan.schedule.gate(),
                false => self.add_entry(index, entry, about),
            };
            nodes.insert(index, node);
            if is_kind(entry, &[Kind::FkConstraint]) || needs(entry).any(|at| last.contains(&at)) {
                last.insert(index);
                self.plan.schedule.order(early, node);
                continue;
            }
            self.plan.schedule.order(node, early);
            for gate in self.rows_before(entry, about) {
                self.plan.schedule.order(gate, node);
            }
        }
        for (index, node) in &nodes {
            for needed in needs(&self.manifest.entries[*index]) {
                if let Some(needed) = nodes.get(&needed) {
                    self.plan.schedule.order(*needed, *node);
                }
            }
        }
    }

    fn add_entry(&mut self, index: usize, entry: &EntryRecord, about: &BTreeSet<usize>) -> NodeId {
        let bytes = about.iter().filter_map(|table| self.bytes.get(table));
        let bytes = bytes.copied().max().unwrap_or(0);
        let locks = about.iter().flat_map(|&table| {
            let tree = Key::Tree(self.tables.tree(table));
            let lock = |key, exclusive| Lock { key, exclusive };
            match OwnLocks::of(entry) {
                OwnLocks::Shared => {
                    vec![lock(Key::Table(table), false), lock(tree, false)]
                }
                OwnLocks::Table => vec![lock(Key::Table(table), true), lock(tree, false)],
                OwnLocks::Tree => vec![lock(tree, true)],
            }
        });
        let locks = locks.collect();
        self.plan.entries.push(index);
        let effort = Effort {
            bytes,
            time: self.load.of_entry(index, &entry.kind, bytes),
        };
        self.plan.schedule.job(Job::Entry(index), effort, locks)
    }

    /// The gates that stand for the rows that an entry waits for.
    fn rows_before(&mut self, entry: &EntryRecord, about: &BTreeSet<usize>) -> Vec<NodeId> {
        let alone = is_kind(entry, &[Kind::Index, Kind::Constraint, Kind::IndexAttach])
            && !about.is_empty()
            && needs(entry).all(|at| {
                let needed = &self.manifest.entries[at];
                needed.section == Section::PostData || is_kind(needed, &HARMLESS)
            });
        if !alone {
            return vec![self.all_loaded];
        }
        let gates = about.iter().filter_map(|table| {
            let tree = self.tables.tree(*table);
            let whole = self.tables.has_children.contains(table) || self.moving.contains(&tree);
            match whole {
                true => self.trees_loaded.get(&tree),
                false => self.loaded.get(table),
            }
        });
        gates.copied().collect()
    }
}

/// What an entry has to itself while it is made.
enum OwnLocks {
    Shared,
    Table,
    Tree,
}

impl OwnLocks {
    fn of(entry: &EntryRecord) -> Self {
        match () {
            () if is_kind(entry, &[Kind::Index]) => Self::Shared,
            () if is_kind(entry, &[Kind::Constraint, Kind::IndexAttach]) => Self::Table,
            () => Self::Tree,
        }
    }
}

/// The relations that each entry after the data is about, through what it needs.
fn relations(manifest: &Manifest) -> Vec<BTreeSet<usize>> {
    let mut relations: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); manifest.entries.len()];
    for (index, entry) in manifest.entries.iter().enumerate() {
        if entry.section != Section::PostData && !is_kind(entry, &[Kind::TableAttach]) {
            continue;
        }
        let mut about = BTreeSet::new();
        for at in needs(entry) {
            match is_kind(&manifest.entries[at], &RELATIONS) {
                true => _ = about.insert(at),
                // Restore order: what is needed stands before.
                false => about.extend(&relations[at]),
            }
        }
        relations[index] = about;
    }
    relations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::manifest_of;
    use crate::archive::{TableRecord, TextPlace};
    use crate::restore::parallel::schedule::Next;

    /// A manifest of `(kind, name, needed entries)`; tables get as many members as their place says.
    fn manifest(entries: &[(Kind, &str, &[u32])], members: &[(&str, usize)]) -> Manifest {
        let names: Vec<String> = entries
            .iter()
            .map(|(_, name, _)| (*name).to_owned())
            .collect();
        let mut manifest = manifest_of(&names);
        for (entry, (kind, _, depends)) in manifest.entries.iter_mut().zip(entries) {
            kind.name().clone_into(&mut entry.kind);
            entry.schema = Some("s".to_owned());
            entry.depends = depends.to_vec();
            entry.place = Some(TextPlace {
                member: 0,
                offset: 0,
                length: 1,
            });
            entry.section = match kind {
                Kind::Table | Kind::TableAttach | Kind::Function => Section::PreData,
                _ => Section::PostData,
            };
        }
        for (number, (name, count)) in members.iter().enumerate() {
            manifest.tables.push(table(name));
            let table = u32::try_from(number).unwrap();
            manifest
                .members
                .extend(std::iter::repeat_n(member(table), *count));
        }
        manifest
    }

    fn table(name: &str) -> TableRecord {
        TableRecord {
            identity: format!("table s.{name}"),
            schema: "s".to_owned(),
            name: name.to_owned(),
            columns: Vec::new(),
            copy: String::new(),
            through: None,
            rows: 1,
            bytes: 10,
            digest: String::new(),
        }
    }

    fn member(table: u32) -> MemberRecord {
        MemberRecord {
            kind: MemberKind::Data,
            offset: 0,
            length: 1,
            text_length: 1,
            hash: String::new(),
            table: Some(table),
            rows: 1,
        }
    }

    /// What starts, step by step, if everything that can run does: members as `m0`, entries by name.
    fn steps(manifest: &Manifest) -> Vec<Vec<String>> {
        let mut schedule = Plan::of(manifest, &BTreeSet::new(), &Load::default()).schedule;
        let mut steps = Vec::new();
        loop {
            let (mut names, mut running) = (Vec::new(), Vec::new());
            while let Next::Start(node, job) = schedule.next() {
                running.push(node);
                names.push(match job {
                    Job::Member(index) => format!("m{index}"),
                    Job::LargeObjects => "large objects".to_owned(),
                    Job::Entry(index) => manifest.entries[index].name.clone(),
                });
            }
            if running.is_empty() {
                assert_eq!(schedule.next(), Next::Finished);
                return steps;
            }
            for node in running {
                schedule.done(node);
            }
            names.sort();
            steps.push(names);
        }
    }

    #[test]
    fn keys_after_rows_and_foreign_keys_last() {
        let manifest = manifest(
            &[
                (Kind::Table, "a", &[]),
                (Kind::Table, "b", &[]),
                (Kind::Constraint, "a_key", &[0]),
                (Kind::Index, "a_index", &[0]),
                (Kind::Index, "b_index", &[1]),
                (Kind::FkConstraint, "fk", &[0, 1, 2]),
                (Kind::Comment, "comment on fk", &[5]),
            ],
            &[("a", 2), ("b", 1)],
        );
        assert_eq!(
            steps(&manifest),
            [
                vec!["m0", "m1", "m2"],
                vec!["a_key", "b_index"],
                vec!["a_index"],
                vec!["fk"],
                vec!["comment on fk"],
            ]
        );
    }

    #[test]
    fn what_calls_functions_waits_for_all_rows() {
        let manifest = manifest(
            &[
                (Kind::Function, "f", &[]),
                (Kind::Table, "a", &[]),
                (Kind::Table, "b", &[]),
                (Kind::Index, "calls", &[0, 1]),
            ],
            &[("b", 1)],
        );
        assert_eq!(steps(&manifest), [["m0"], ["calls"]]);
    }

    #[test]
    fn an_index_of_an_empty_table_waits_for_nothing_and_a_parent_for_its_partitions() {
        let entries: &[(Kind, &str, &[u32])] = &[
            (Kind::Table, "parent", &[]),
            (Kind::Table, "part", &[]),
            (Kind::Table, "empty", &[]),
            (Kind::TableAttach, "part", &[0, 1]),
            (Kind::Index, "on_parent", &[0]),
            (Kind::Index, "on_part", &[1]),
            (Kind::Index, "on_empty", &[2]),
            (Kind::IndexAttach, "attach", &[4, 5]),
        ];
        let manifest = manifest(entries, &[("part", 1)]);
        assert_eq!(
            steps(&manifest),
            [
                vec!["m0", "on_empty"],
                vec!["on_parent", "on_part"],
                vec!["attach"]
            ]
        );
    }

    #[test]
    fn rows_that_find_their_partitions_anew_fill_the_whole_tree() {
        let entries: &[(Kind, &str, &[u32])] = &[
            (Kind::Table, "parent", &[]),
            (Kind::Table, "part", &[]),
            (Kind::Table, "other", &[]),
            (Kind::TableAttach, "part", &[0, 1]),
            (Kind::TableAttach, "other", &[0, 2]),
            (Kind::Index, "on_other", &[2]),
        ];
        let mut manifest = manifest(entries, &[("part", 1)]);
        manifest.tables[0].through = Some("table s.parent".to_owned());
        assert_eq!(steps(&manifest), [["m0"], ["on_other"]]);
    }

    #[test]
    fn tables_that_are_no_entries_of_their_own_are_loaded_first() {
        let manifest = manifest(&[], &[("settings_of_an_extension", 2)]);
        assert_eq!(
            Plan::of(&manifest, &BTreeSet::new(), &Load::default()).first,
            [0, 1]
        );
    }
}
