//! The dependency graph between objects while the catalogs are being read.
//!
//! A [`Node`] is one catalog object, emitted or not. A part (inline CHECK, inline default, domain
//! constraint, a view's query) starts folded into its owner: its needs count as the owner's. When
//! that makes a cycle, [`super::order`] unfolds it, and it becomes an entry of its own
//! (spec §2.3). Invariants: folding is one level deep; addresses are unique; an alias points to
//! the node that stands for the row.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::address::Address;
use super::entry::Kind;
use super::relations::Relation;

/// Index of a node in its graph.
pub(super) type NodeId = usize;

/// SQL that makes and removes one object.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// Statements, each ended by `;` and a newline.
    pub create: String,
    /// One statement; none if the object dies with its parent.
    pub drop: Option<String>,
}

/// What a node contributes to the script.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Carries dependencies only: row and array types, inherited constraints, boundaries.
    Hidden,
    /// Its text does not depend on how cycles are broken.
    Fixed(Draft),
    /// A table; its text holds the parts that stay folded.
    Table(Box<super::table_ddl::TableBody>),
    /// A view; a dummy when its query is unfolded.
    View(Box<super::views::ViewBody>),
    /// A domain; its text holds the constraints that stay folded.
    Domain(Box<super::domains::DomainBody>),
    /// Emitted only when unfolded.
    Part(Draft),
    /// Rows of a table or a sequence's value: content, not text.
    Data,
}

/// How far a node may be moved to break a cycle (spec §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Give {
    /// Stays where it is.
    Nothing,
    /// A view's query: becomes CREATE OR REPLACE VIEW after the data.
    ViewQuery,
    /// A CHECK of a table or domain: becomes ADD CONSTRAINT after the data.
    Check,
    /// A column default: becomes ALTER COLUMN SET DEFAULT.
    Default,
    /// A function or materialized view: moves after the data as a whole.
    Postpone,
}

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub kind: Kind,
    pub schema: Option<Arc<str>>,
    /// Raw name; the second sort key.
    pub name: String,
    /// Natural keys that tell equal names apart (spec §2.1).
    pub tie: Vec<String>,
    pub identity: String,
    pub owner: Option<Arc<str>>,
    pub body: Body,
    pub folded_into: Option<NodeId>,
    pub give: Give,
    /// Moved behind the data to break a cycle.
    pub postponed: bool,
    /// Comes before the tables although its kind usually follows the data.
    pub early: bool,
    /// Belongs to no section of its own: a dummy that sorts with types.
    pub is_dummy: bool,
    /// Ascending, each once.
    pub needs: Vec<NodeId>,
    /// What follows `COMMENT ON`, if it can carry a comment.
    pub comment_target: Option<String>,
}

impl Node {
    /// A node with nothing but its names.
    pub fn new(kind: Kind, schema: Option<&str>, name: &str, identity: impl Into<String>) -> Self {
        Self {
            kind,
            schema: schema.map(Arc::from),
            name: name.to_owned(),
            tie: Vec::new(),
            identity: identity.into(),
            owner: None,
            body: Body::Hidden,
            folded_into: None,
            give: Give::Nothing,
            postponed: false,
            early: false,
            is_dummy: false,
            needs: Vec::new(),
            comment_target: None,
        }
    }

    /// A node that bears a relation's name: the relation itself, its rows, its value.
    pub fn of_relation(kind: Kind, relation: &Relation, identity: impl Into<String>) -> Self {
        Self::new(kind, Some(&relation.schema), &relation.name, identity)
    }

    /// Sets what it contributes.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Sets fixed text.
    #[must_use]
    pub fn text(self, create: String, drop: Option<String>) -> Self {
        self.body(Body::Fixed(Draft { create, drop }))
    }

    /// Sets the owner, raw.
    #[must_use]
    pub fn owned_by(mut self, owner: &str) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Sets what follows `COMMENT ON`.
    #[must_use]
    pub fn commented_as(mut self, target: impl Into<String>) -> Self {
        self.comment_target = Some(target.into());
        self
    }

    /// Adds sort keys.
    #[must_use]
    pub fn tied(mut self, tie: impl IntoIterator<Item = String>) -> Self {
        let tie = tie.into_iter();
        self.tie.reserve_exact(tie.size_hint().0);
        self.tie.extend(tie);
        self
    }

    /// Whether it is a part that has been unfolded, or a whole object.
    pub fn stands_alone(&self) -> bool {
        self.folded_into.is_none()
    }
}

/// All nodes and where they come from.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    addresses: HashMap<Address, NodeId>,
    /// Comments by node: (identity suffix, COMMENT ON target, quoted text).
    pub comments: BTreeMap<NodeId, Vec<Comment>>,
    /// Security labels by node.
    pub labels: BTreeMap<NodeId, Vec<Label>>,
    /// Names that many nodes have: of schemas and owners.
    shared: HashSet<Arc<str>>,
}

/// A security label on an object or one of its columns.
#[derive(Debug, Clone)]
pub(super) struct Label {
    /// What follows `ON`.
    pub target: String,
    /// Who gives it a meaning, quoted.
    pub provider: String,
    /// The quoted text.
    pub text: String,
}

impl Label {
    /// `security label of dummy on TABLE app.users`.
    pub fn identity(&self) -> String {
        format!("security label of {} on {}", self.provider, self.target)
    }

    /// The statement that sets it.
    pub fn set(&self) -> String {
        let (provider, target) = (&self.provider, &self.target);
        format!(
            "SECURITY LABEL FOR {provider} ON {target} IS {};\n",
            self.text
        )
    }

    /// The statement that takes it away.
    pub fn unset(&self) -> String {
        let (provider, target) = (&self.provider, &self.target);
        format!("SECURITY LABEL FOR {provider} ON {target} IS NULL;")
    }
}

/// A comment on an object or one of its columns.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    /// What follows `COMMENT ON`.
    pub target: String,
    /// The quoted text, or NULL.
    pub text: String,
}

impl Graph {
    /// Adds an object that has an address.
    pub fn add(&mut self, address: Address, node: Node) -> NodeId {
        let id = self.add_unaddressed(node);
        self.addresses.insert(address, id);
        id
    }

    /// Adds something that no catalog row stands for (table data, attach).
    pub fn add_unaddressed(&mut self, mut node: Node) -> NodeId {
        node.schema = node.schema.map(|name| self.share(name));
        node.owner = node.owner.map(|name| self.share(name));
        if let Body::Fixed(draft) | Body::Part(draft) = &mut node.body {
            draft.create.shrink_to_fit();
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The one copy of a name.
    fn share(&mut self, name: Arc<str>) -> Arc<str> {
        if let Some(shared) = self.shared.get(&name) {
            return Arc::clone(shared);
        }
        self.shared.insert(Arc::clone(&name));
        name
    }

    /// Identities of the entries of a kind, in restore order.
    pub fn emitted<'a>(
        &'a self,
        order: &'a [NodeId],
        kind: Kind,
    ) -> impl Iterator<Item = &'a str> + 'a {
        let nodes = order.iter().map(|&id| &self.nodes[id]);
        nodes
            .filter(move |node| node.kind == kind && !matches!(node.body, Body::Hidden))
            .map(|node| node.identity.as_str())
    }

    /// Drops what only comments ask for.
    pub fn forget_comment_targets(&mut self) {
        for node in &mut self.nodes {
            node.comment_target = None;
        }
    }

    /// Lets another row stand for a node: an extension's members, a composite's pg_class row.
    pub fn alias(&mut self, address: Address, node: NodeId) {
        self.addresses.entry(address).or_insert(node);
    }

    /// The node that stands for a row.
    pub fn find(&self, address: Address) -> Option<NodeId> {
        self.addresses.get(&address).copied()
    }

    /// `node` must come after `needed`.
    pub fn need(&mut self, node: NodeId, needed: NodeId) {
        if node != needed
            && let Some(node) = self.nodes.get_mut(node)
            && let Err(place) = node.needs.binary_search(&needed)
        {
            node.needs.insert(place, needed);
        }
    }

    /// Folds a part into its owner until a cycle asks otherwise.
    pub fn fold(&mut self, part: NodeId, owner: NodeId) {
        if let Some(node) = self.nodes.get_mut(part) {
            node.folded_into = Some(owner);
        }
    }

    /// The node a folded part is part of, or the node itself.
    pub fn root(&self, node: NodeId) -> NodeId {
        self.nodes
            .get(node)
            .and_then(|node| node.folded_into)
            .unwrap_or(node)
    }

    /// Remembers a comment.
    pub fn comment(&mut self, node: NodeId, comment: Comment) {
        self.comments.entry(node).or_default().push(comment);
    }

    /// Remembers a security label.
    pub fn label(&mut self, node: NodeId, label: Label) {
        self.labels.entry(node).or_default().push(label);
    }
}
