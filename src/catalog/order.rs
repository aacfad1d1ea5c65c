//! Restore order: a total order by kind and name, then a topological sort that keeps it wherever
//! it is free, and the repair of cycles (spec §2.1 to §2.3).
//!
//! Deterministic: equal graphs give equal orders whatever the OIDs. A cycle that no rule can
//! break is an error, because the archive might not restore.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};

use super::entry::Kind;
use super::graph::{Body, Give, Graph, Node, NodeId};
use crate::archive::Section;
use crate::error::{Error, Result};

/// Cycle repair ends: every round unfolds or postpones at least one node, and no node twice.
const MAX_ROUNDS: usize = 100_000;

/// Orders the standing nodes, unfolding parts and postponing objects where cycles demand it.
pub(super) fn order(graph: &mut Graph) -> Result<Vec<NodeId>> {
    for _ in 0..MAX_ROUNDS {
        let flat = Flat::of(graph);
        match flat.topological() {
            Ok(order) => return Ok(order),
            Err(remaining) => {
                for component in flat.components(&remaining) {
                    repair(graph, &flat, &component)?;
                }
            }
        }
    }
    Err(Error::operation("order the objects of the database").because("cycle repair did not end"))
}

/// Section of a standing node.
pub(super) fn section(node: &Node) -> Section {
    if node.postponed {
        return Section::PostData;
    }
    if node.early {
        return Section::PreData;
    }
    match node.kind {
        Kind::TableData | Kind::SequenceSet | Kind::LargeObjectData => Section::Data,
        Kind::CheckConstraint
        | Kind::Constraint
        | Kind::Index
        | Kind::IndexAttach
        | Kind::Rule
        | Kind::Trigger
        | Kind::TriggerState
        | Kind::FkConstraint
        | Kind::Policy
        | Kind::RowSecurity
        | Kind::Statistics
        | Kind::Publication
        | Kind::PublicationTable
        | Kind::PublicationSchema
        | Kind::Subscription => Section::PostData,
        Kind::Acl | Kind::DefaultAcl | Kind::Owner => Section::Acl,
        Kind::EventTrigger | Kind::MaterializedViewData | Kind::Absence => Section::Last,
        _ => Section::PreData,
    }
}

/// Priority within a section (spec §2.1).
fn priority(node: &Node) -> u8 {
    if node.is_dummy {
        return 40;
    }
    if node.early {
        return 9;
    }
    match node.kind {
        Kind::Schema => 1,
        Kind::Language => 2,
        Kind::Collation => 3,
        Kind::Transform => 4,
        Kind::Extension => 5,
        Kind::Type | Kind::Domain | Kind::ShellType => 6,
        Kind::Cast => 7,
        Kind::Function | Kind::Procedure => 8,
        Kind::Aggregate => 10,
        Kind::AccessMethod => 11,
        Kind::Operator => 12,
        Kind::OperatorFamily | Kind::OperatorClass | Kind::OperatorFamilyMember => 13,
        Kind::Conversion => 14,
        Kind::TsParser => 15,
        Kind::TsTemplate => 16,
        Kind::TsDictionary => 17,
        Kind::TsConfiguration => 18,
        Kind::ForeignDataWrapper => 19,
        Kind::ForeignServer => 20,
        Kind::UserMapping => 21,
        Kind::ExtensionTable => 29,
        Kind::Table | Kind::ForeignTable | Kind::View | Kind::MaterializedView | Kind::Sequence => {
            30
        }
        Kind::SequenceOwnedBy => 31,
        Kind::TableAttach => 32,
        Kind::Default => 45,
        Kind::LargeObject => 50,
        Kind::TableData => 60,
        Kind::SequenceSet => 61,
        Kind::LargeObjectData => 62,
        Kind::CheckConstraint | Kind::Constraint => 80,
        Kind::Index => 81,
        Kind::IndexAttach => 82,
        Kind::Statistics => 83,
        Kind::Rule => 84,
        Kind::Trigger => 85,
        Kind::FkConstraint => 86,
        Kind::Policy | Kind::RowSecurity => 87,
        Kind::Publication => 88,
        Kind::PublicationTable | Kind::PublicationSchema => 89,
        Kind::Subscription | Kind::TriggerState | Kind::Owner => 90,
        Kind::DefaultAcl => 91,
        Kind::Acl => 92,
        Kind::Comment | Kind::SecurityLabel => 93,
        // A trigger that forbids commands must not meet the refreshes.
        Kind::MaterializedViewData => 94,
        Kind::EventTrigger => 95,
        Kind::Absence => 96,
    }
}

/// A total order by natural keys; objects without a schema come last among their kind.
fn sort_key(node: &Node) -> (Section, u8, bool, &str, &str, &str, &[String], &str) {
    (
        section(node),
        priority(node),
        node.schema.is_none(),
        node.schema.as_deref().unwrap_or_default(),
        &node.name,
        node.kind.name(),
        &node.tie,
        &node.identity,
    )
}

/// An edge of the flattened graph: to whom, and which node (a folded part or itself) asks for it.
type Edge = (NodeId, NodeId);

/// The graph with parts folded in and section boundaries added, over positions of the total order.
struct Flat {
    /// Standing nodes in total order.
    nodes: Vec<NodeId>,
    /// Position of each standing node.
    position: HashMap<NodeId, usize>,
    /// Edges by position, targets as positions; boundaries are behind the nodes.
    needs: Vec<Vec<Edge>>,
}

impl Flat {
    fn of(graph: &Graph) -> Self {
        let mut nodes: Vec<NodeId> = (0..graph.nodes.len())
            .filter(|&id| graph.nodes[id].stands_alone())
            .collect();
        nodes.sort_by(|&a, &b| sort_key(&graph.nodes[a]).cmp(&sort_key(&graph.nodes[b])));
        let position: HashMap<NodeId, usize> = nodes
            .iter()
            .enumerate()
            .map(|(place, &id)| (id, place))
            .collect();
        let mut flat = Self {
            needs: vec![Vec::new(); nodes.len() + 2],
            nodes,
            position,
        };
        flat.add_needs(graph);
        flat.add_boundaries(graph);
        flat
    }

    fn add_needs(&mut self, graph: &Graph) {
        for (id, node) in graph.nodes.iter().enumerate() {
            let Some(&from) = self.position.get(&graph.root(id)) else {
                continue;
            };
            for &needed in &node.needs {
                if let Some(&to) = self.position.get(&graph.root(needed))
                    && to != from
                {
                    self.needs[from].push((to, id));
                }
            }
        }
        for edges in &mut self.needs {
            edges.sort_unstable();
            edges.dedup();
        }
    }

    /// Everything before the data comes before boundary 0, everything behind it after boundary 1.
    fn add_boundaries(&mut self, graph: &Graph) {
        let (before, after) = (self.before(), self.after());
        self.needs[after].push((before, NodeId::MAX));
        for place in 0..self.nodes.len() {
            let id = self.nodes[place];
            let node = &graph.nodes[id];
            // A row type sorts with the types but exists only with its table: no boundary for it.
            if node.is_dummy {
                continue;
            }
            match section(node) {
                Section::PreData => self.needs[before].push((place, NodeId::MAX)),
                Section::Data => {
                    self.needs[place].push((before, NodeId::MAX));
                    self.needs[after].push((place, NodeId::MAX));
                }
                Section::PostData | Section::Acl | Section::Last => {
                    self.needs[place].push((after, NodeId::MAX));
                }
            }
        }
    }

    fn before(&self) -> usize {
        self.nodes.len()
    }

    fn after(&self) -> usize {
        self.nodes.len() + 1
    }

    /// A boundary's rank lies between the sections; positions of nodes are spread to make room.
    fn rank(&self, place: usize, graph_order: &BTreeMap<usize, usize>) -> usize {
        graph_order.get(&place).copied().unwrap_or(place * 4)
    }

    /// Emits from the back what nothing un-emitted needs, the largest rank first; gives the
    /// positions that are left when a cycle stops it.
    fn topological(&self) -> std::result::Result<Vec<NodeId>, Vec<usize>> {
        let total = self.needs.len();
        let mut waiting = vec![0usize; total];
        for edges in &self.needs {
            for &(to, _) in edges {
                waiting[to] += 1;
            }
        }
        let ranks = self.boundary_ranks();
        let mut heap: BinaryHeap<(usize, usize)> = (0..total)
            .filter(|&place| waiting[place] == 0)
            .map(|place| (self.rank(place, &ranks), place))
            .collect();
        let mut done = vec![false; total];
        let mut reversed = Vec::with_capacity(total);
        while let Some((_, place)) = heap.pop() {
            done[place] = true;
            reversed.push(place);
            for &(to, _) in &self.needs[place] {
                waiting[to] -= 1;
                if waiting[to] == 0 {
                    heap.push((self.rank(to, &ranks), to));
                }
            }
        }
        if reversed.len() < total {
            return Err((0..total).filter(|&place| !done[place]).collect());
        }
        Ok(reversed
            .into_iter()
            .rev()
            .filter_map(|place| self.nodes.get(place).copied())
            .collect())
    }

    fn boundary_ranks(&self) -> BTreeMap<usize, usize> {
        let last_of = |boundary: usize| {
            self.needs[boundary]
                .iter()
                .map(|&(to, _)| to)
                .filter(|&to| to < self.nodes.len())
                .max()
                .map_or(0, |place| place * 4 + 1)
        };
        let before = last_of(self.before());
        BTreeMap::from([
            (self.before(), before),
            (self.after(), last_of(self.after()).max(before) + 1),
        ])
    }

    /// Strongly connected components with more than one node, among `remaining`.
    fn components(&self, remaining: &[usize]) -> Vec<Vec<usize>> {
        let inside: BTreeSet<usize> = remaining.iter().copied().collect();
        let finished = self.finishing_order(remaining, &inside);
        let mut incoming: HashMap<usize, Vec<usize>> = HashMap::new();
        for &from in remaining {
            for &(to, _) in &self.needs[from] {
                incoming.entry(to).or_default().push(from);
            }
        }
        let mut seen = BTreeSet::new();
        let mut components = Vec::new();
        for &start in finished.iter().rev() {
            let mut component = Vec::new();
            let mut stack = vec![start];
            while let Some(place) = stack.pop() {
                if !inside.contains(&place) || !seen.insert(place) {
                    continue;
                }
                component.push(place);
                stack.extend(incoming.get(&place).into_iter().flatten());
            }
            if component.len() > 1 {
                component.sort_unstable();
                components.push(component);
            }
        }
        components.sort();
        components
    }

    /// Depth-first finishing order, without recursion.
    fn finishing_order(&self, remaining: &[usize], inside: &BTreeSet<usize>) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let mut finished = Vec::new();
        for &start in remaining {
            let mut stack = vec![(start, false)];
            while let Some((place, leaving)) = stack.pop() {
                if leaving {
                    finished.push(place);
                    continue;
                }
                if !seen.insert(place) {
                    continue;
                }
                stack.push((place, true));
                for &(to, _) in &self.needs[place] {
                    if inside.contains(&to) && !seen.contains(&to) {
                        stack.push((to, false));
                    }
                }
            }
        }
        finished
    }

    /// The shortest cycle inside a component, as (node, who asks for the next one).
    fn shortest_cycle(&self, component: &[usize]) -> Vec<(usize, NodeId)> {
        let inside: BTreeSet<usize> = component.iter().copied().collect();
        // A component of ordinary size is searched from every node; a huge one from its first few.
        component
            .iter()
            .take(64)
            .filter_map(|&start| self.cycle_through(start, &inside))
            .min_by_key(Vec::len)
            .unwrap_or_default()
    }

    fn cycle_through(
        &self,
        start: usize,
        inside: &BTreeSet<usize>,
    ) -> Option<Vec<(usize, NodeId)>> {
        let mut from: HashMap<usize, (usize, NodeId)> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(place) = queue.pop_front() {
            for &(to, origin) in &self.needs[place] {
                if to == start {
                    return Some(walk_back(start, place, origin, &from));
                }
                if inside.contains(&to) && !from.contains_key(&to) {
                    from.insert(to, (place, origin));
                    queue.push_back(to);
                }
            }
        }
        None
    }
}

fn walk_back(
    start: usize,
    last: usize,
    last_origin: NodeId,
    from: &HashMap<usize, (usize, NodeId)>,
) -> Vec<(usize, NodeId)> {
    let mut cycle = vec![(last, last_origin)];
    let mut place = last;
    while place != start {
        let Some(&(previous, origin)) = from.get(&place) else {
            break;
        };
        cycle.push((previous, origin));
        place = previous;
    }
    cycle.reverse();
    cycle
}

/// Breaks one cycle of a component by the first rule of spec §2.3 that fits.
fn repair(graph: &mut Graph, flat: &Flat, component: &[usize]) -> Result<()> {
    let cycle = flat.shortest_cycle(component);
    let over_boundary = cycle.iter().any(|&(place, _)| place == flat.before());
    let on_cycle: Vec<NodeId> = cycle
        .iter()
        .filter_map(|&(place, _)| flat.nodes.get(place).copied())
        .collect();
    let origins: Vec<NodeId> = cycle.iter().map(|&(_, origin)| origin).collect();
    for give in [Give::ViewQuery, Give::Postpone, Give::Check, Give::Default] {
        let found = if give == Give::Postpone {
            on_cycle
                .iter()
                .find(|&&id| over_boundary && can_postpone(&graph.nodes[id]))
        } else {
            origins.iter().find(|&&id| can_unfold(graph, id, give))
        };
        if let Some(&id) = found {
            give_way(graph, id, give);
            return Ok(());
        }
    }
    Err(unbreakable(graph, &on_cycle))
}

/// A part that stands alone by now may follow its objects behind the data, too.
fn can_postpone(node: &Node) -> bool {
    let is_part = matches!(node.body, Body::Part(_)) && node.folded_into.is_none();
    let can_move = node.give == Give::Postpone || is_part && node.give == Give::Default;
    can_move && section(node) == Section::PreData
}

fn can_unfold(graph: &Graph, id: NodeId, give: Give) -> bool {
    graph
        .nodes
        .get(id)
        .is_some_and(|node| node.give == give && node.folded_into.is_some())
}

fn give_way(graph: &mut Graph, id: NodeId, give: Give) {
    if give == Give::Postpone {
        graph.nodes[id].postponed = true;
        return;
    }
    let owner = graph.root(id);
    graph.nodes[id].folded_into = None;
    graph.need(id, owner);
    if let Body::View(view) = &mut graph.nodes[owner].body {
        view.is_dummy = true;
    }
}

fn unbreakable(graph: &Graph, cycle: &[NodeId]) -> Error {
    let names: Vec<&str> = cycle
        .iter()
        .map(|&id| graph.nodes[id].identity.as_str())
        .collect();
    Error::refused("order the objects of the database for a backup")
        .because(format!("these objects need each other in a circle: {}", names.join(" → ")))
        .now("nothing was touched")
        .hint("a backup in any order might not restore; break the circle, or report it as a bug with these names")
}

#[cfg(test)]
mod tests {
    use super::super::graph::Draft;
    use super::super::relations::Relation;
    use super::super::views::ViewBody;
    use super::*;

    fn node(kind: Kind, name: &str) -> Node {
        Node::new(
            kind,
            Some("public"),
            name,
            format!("{} {name}", kind.name()),
        )
        .text(String::new(), None)
    }

    /// A part, which is silent until it is unfolded.
    fn part(kind: Kind, name: &str) -> Node {
        let mut part = node(kind, name);
        part.body = Body::Part(Draft::default());
        part
    }

    fn view(name: &str) -> Node {
        let relation = Relation {
            oid: 16_384,
            schema: "public".into(),
            name: name.into(),
            quoted: format!("public.{name}"),
            kind: 'v',
            ..Relation::default()
        };
        let body = ViewBody {
            relation: relation.clone().into(),
            is_dummy: false,
        };
        Node::of_relation(Kind::View, &relation, relation.identity())
            .body(Body::View(Box::new(body)))
    }

    fn names(graph: &Graph, order: &[NodeId]) -> Vec<String> {
        order
            .iter()
            .map(|&id| graph.nodes[id].name.clone())
            .collect()
    }

    #[test]
    fn free_objects_stand_by_kind_and_name() {
        let mut graph = Graph::default();
        for (kind, name) in [
            (Kind::Index, "i"),
            (Kind::Table, "b"),
            (Kind::TableData, "a"),
            (Kind::Table, "a"),
        ] {
            graph.add_unaddressed(node(kind, name));
        }
        let order = order(&mut graph).unwrap();
        assert_eq!(names(&graph, &order), ["a", "b", "a", "i"]);
    }

    #[test]
    fn serial_default_is_unfolded() {
        let mut graph = Graph::default();
        let table = graph.add_unaddressed(node(Kind::Table, "t"));
        let sequence = graph.add_unaddressed(node(Kind::Sequence, "t_id_seq"));
        let mut part = node(Kind::Default, "t id");
        part.give = Give::Default;
        let default = graph.add_unaddressed(part);
        graph.fold(default, table);
        graph.need(default, sequence);
        graph.need(default, table);
        graph.need(sequence, table);
        let order = order(&mut graph).unwrap();
        assert_eq!(names(&graph, &order), ["t", "t_id_seq", "t id"]);
    }

    #[test]
    fn inline_check_stays_folded() {
        let mut graph = Graph::default();
        let table = graph.add_unaddressed(node(Kind::Table, "t"));
        let mut part = node(Kind::CheckConstraint, "t_check");
        part.give = Give::Check;
        let check = graph.add_unaddressed(part);
        graph.fold(check, table);
        graph.need(check, table);
        let order = order(&mut graph).unwrap();
        assert_eq!(names(&graph, &order), ["t"]);
    }

    #[test]
    fn function_in_a_cycle_over_the_boundary_is_postponed() {
        let mut graph = Graph::default();
        let mut function = node(Kind::Function, "f");
        function.give = Give::Postpone;
        let function = graph.add_unaddressed(function);
        let table = graph.add_unaddressed(node(Kind::Table, "t"));
        let key = graph.add_unaddressed(node(Kind::Constraint, "t_pkey"));
        graph.need(key, table);
        graph.need(function, key);
        let order = order(&mut graph).unwrap();
        assert_eq!(names(&graph, &order), ["t", "t_pkey", "f"]);
        assert!(graph.nodes[function].postponed);
    }

    #[test]
    fn a_view_in_a_circle_with_a_function_becomes_a_dummy_first() {
        let mut graph = Graph::default();
        let view = graph.add_unaddressed(view("v"));
        let mut query = part(Kind::Rule, "v query");
        query.give = Give::ViewQuery;
        let query = graph.add_unaddressed(query);
        graph.fold(query, view);
        // The function returns the view's row type, and the view's query calls the function.
        let function = graph.add_unaddressed(node(Kind::Function, "f"));
        graph.need(function, view);
        graph.need(query, function);
        let order = order(&mut graph).unwrap();
        assert_eq!(names(&graph, &order), ["v", "f", "v query"]);
        assert!(matches!(&graph.nodes[view].body, Body::View(body) if body.is_dummy));
    }

    /// What comes after the data pulls what needs it along, by the rule for its kind.
    #[test]
    fn what_needs_a_primary_key_goes_over_the_boundary() {
        for (kind, give, folds, expected) in [
            // GROUP BY the key makes the query depend on it.
            (
                Kind::MaterializedView,
                Give::Postpone,
                false,
                &["t", "t_pkey", "x"][..],
            ),
            (
                Kind::Function,
                Give::Postpone,
                false,
                &["t", "t_pkey", "x"][..],
            ),
            (
                Kind::CheckConstraint,
                Give::Check,
                true,
                &["d", "t", "t_pkey", "x"][..],
            ),
        ] {
            let mut graph = Graph::default();
            let table = graph.add_unaddressed(node(Kind::Table, "t"));
            let key = graph.add_unaddressed(node(Kind::Constraint, "t_pkey"));
            graph.need(key, table);
            let mut moved = node(kind, "x");
            moved.give = give;
            let moved = graph.add_unaddressed(moved);
            graph.need(moved, key);
            if folds {
                let domain = graph.add_unaddressed(node(Kind::Domain, "d"));
                graph.fold(moved, domain);
                graph.need(moved, domain);
            }
            let order = order(&mut graph).unwrap();
            assert_eq!(names(&graph, &order), expected, "{kind:?}");
            assert_eq!(graph.nodes[moved].postponed, !folds, "{kind:?}");
        }
    }

    #[test]
    fn a_materialized_view_is_not_moved_without_need() {
        let mut graph = Graph::default();
        let table = graph.add_unaddressed(node(Kind::Table, "t"));
        let mut view = node(Kind::MaterializedView, "m");
        view.give = Give::Postpone;
        let view = graph.add_unaddressed(view);
        graph.need(view, table);
        let data = graph.add_unaddressed(node(Kind::TableData, "t"));
        graph.need(data, table);
        let refresh = graph.add_unaddressed(node(Kind::MaterializedViewData, "m"));
        graph.need(refresh, view);
        let order = order(&mut graph).unwrap();
        assert_eq!(order, [table, view, data, refresh]);
        assert!(!graph.nodes[view].postponed);
    }

    #[test]
    fn a_domain_whose_check_calls_a_function_over_it_is_checked_later() {
        let mut graph = Graph::default();
        let domain = graph.add_unaddressed(node(Kind::Domain, "d"));
        let check = graph.add_unaddressed(part(Kind::CheckConstraint, "d_check"));
        graph.nodes[check].give = Give::Check;
        graph.fold(check, domain);
        graph.need(check, domain);
        let function = graph.add_unaddressed(node(Kind::Function, "f"));
        graph.need(function, domain);
        graph.need(check, function);
        let order = order(&mut graph).unwrap();
        assert_eq!(names(&graph, &order), ["d", "f", "d_check"]);
    }

    #[test]
    fn two_circles_are_broken_independently() {
        let mut graph = Graph::default();
        for name in ["a", "b"] {
            let table = graph.add_unaddressed(node(Kind::Table, name));
            let sequence = graph.add_unaddressed(node(Kind::Sequence, &format!("{name}_seq")));
            let mut default = part(Kind::Default, &format!("{name} id"));
            default.give = Give::Default;
            let default = graph.add_unaddressed(default);
            graph.fold(default, table);
            graph.need(default, sequence);
            graph.need(sequence, table);
        }
        let order = order(&mut graph).unwrap();
        assert_eq!(
            names(&graph, &order),
            ["a", "a_seq", "b", "b_seq", "a id", "b id"]
        );
    }

    #[test]
    fn equal_graphs_give_equal_orders_whatever_the_numbers() {
        let tables = ["c", "a", "b"];
        let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0]].map(|numbers| {
            let mut graph = Graph::default();
            for number in numbers {
                graph.add_unaddressed(node(Kind::Table, tables[number]));
            }
            let order = order(&mut graph).unwrap();
            names(&graph, &order)
        });
        assert_eq!(orders[0], ["a", "b", "c"]);
        assert!(orders.iter().all(|order| *order == orders[0]));
    }

    #[test]
    fn a_circle_that_nothing_breaks_is_refused_by_name() {
        let mut graph = Graph::default();
        let a = graph.add_unaddressed(node(Kind::Table, "a"));
        let b = graph.add_unaddressed(node(Kind::Table, "b"));
        graph.need(a, b);
        graph.need(b, a);
        let error = order(&mut graph).unwrap_err();
        assert!(error.to_string().contains("TABLE a"), "{error}");
    }
}
