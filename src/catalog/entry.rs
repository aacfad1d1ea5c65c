//! What a reading of the catalogs yields, as values.
//!
//! Nothing here asks the server. Identities are free of OIDs, so that values of two databases, or of
//! one database at two times, compare as texts.

use std::collections::BTreeMap;

use super::acl;
use super::loss::Loss;
use super::rights::Need;
use super::{spelling, usual_names};
use crate::archive::Section;
use crate::pg::Sql;

/// One database, read under one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// Entries in restore order (spec §2).
    pub entries: Vec<Entry>,
    /// Tables whose rows belong to the backup, in the order of their entries.
    pub tables: Vec<Table>,
    /// Sequences whose values belong to the backup, in the order of their entries.
    pub sequences: Vec<Sequence>,
    /// OIDs of large objects, ascending.
    pub large_objects: Vec<u32>,
    /// Tables shaped like Alembic's version table, with their rows.
    pub version_tables: Vec<VersionTable>,
    /// Extensions that the user installed.
    pub extensions: Vec<Extension>,
    /// Roles that owners, grants, policies and default privileges name, sorted.
    pub roles: Vec<String>,
    /// The database itself.
    pub database: DatabaseProperties,
    /// User objects that no entry covers: the closed world is open here (spec §7).
    pub uncovered: Vec<Uncovered>,
    /// What making the entries again takes, beyond their owners (spec §5.2).
    pub needs: Vec<Need>,
}

/// An entry's kind; priorities are those of spec §2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum Kind {
    Schema,
    Extension,
    Type,
    Domain,
    Function,
    Procedure,
    Sequence,
    Table,
    View,
    MaterializedView,
    TableAttach,
    SequenceOwnedBy,
    Default,
    TableData,
    SequenceSet,
    CheckConstraint,
    Constraint,
    Index,
    IndexAttach,
    Rule,
    Trigger,
    TriggerState,
    FkConstraint,
    Policy,
    RowSecurity,
    DefaultAcl,
    MaterializedViewData,
    Comment,
    SecurityLabel,
    Acl,
    Language,
    Collation,
    Transform,
    Cast,
    ShellType,
    Aggregate,
    AccessMethod,
    Operator,
    OperatorFamily,
    OperatorClass,
    OperatorFamilyMember,
    Conversion,
    TsParser,
    TsTemplate,
    TsDictionary,
    TsConfiguration,
    ForeignDataWrapper,
    ForeignServer,
    UserMapping,
    ForeignTable,
    LargeObject,
    LargeObjectData,
    Statistics,
    Publication,
    PublicationTable,
    PublicationSchema,
    Subscription,
    EventTrigger,
    ExtensionTable,
    Owner,
    Absence,
}

impl Kind {
    /// The kind in pg_dump's words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "SCHEMA",
            Self::Extension => "EXTENSION",
            Self::Type => "TYPE",
            Self::Domain => "DOMAIN",
            Self::Function => "FUNCTION",
            Self::Procedure => "PROCEDURE",
            Self::Sequence => "SEQUENCE",
            Self::Table => "TABLE",
            Self::View => "VIEW",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::TableAttach => "TABLE ATTACH",
            Self::SequenceOwnedBy => "SEQUENCE OWNED BY",
            Self::Default => "DEFAULT",
            Self::TableData => "TABLE DATA",
            Self::SequenceSet => "SEQUENCE SET",
            Self::CheckConstraint => "CHECK CONSTRAINT",
            Self::Constraint => "CONSTRAINT",
            Self::Index => "INDEX",
            Self::IndexAttach => "INDEX ATTACH",
            Self::Rule => "RULE",
            Self::Trigger => "TRIGGER",
            Self::TriggerState => "TRIGGER STATE",
            Self::FkConstraint => "FK CONSTRAINT",
            Self::Policy => "POLICY",
            Self::RowSecurity => "ROW SECURITY",
            Self::DefaultAcl => "DEFAULT ACL",
            Self::MaterializedViewData => "MATERIALIZED VIEW DATA",
            Self::Comment => "COMMENT",
            Self::SecurityLabel => "SECURITY LABEL",
            Self::Acl => "ACL",
            Self::Language => "PROCEDURAL LANGUAGE",
            Self::Collation => "COLLATION",
            Self::Transform => "TRANSFORM",
            Self::Cast => "CAST",
            Self::ShellType => "SHELL TYPE",
            Self::Aggregate => "AGGREGATE",
            Self::AccessMethod => "ACCESS METHOD",
            Self::Operator => "OPERATOR",
            Self::OperatorFamily => "OPERATOR FAMILY",
            Self::OperatorClass => "OPERATOR CLASS",
            Self::OperatorFamilyMember => "OPERATOR FAMILY MEMBER",
            Self::Conversion => "CONVERSION",
            Self::TsParser => "TEXT SEARCH PARSER",
            Self::TsTemplate => "TEXT SEARCH TEMPLATE",
            Self::TsDictionary => "TEXT SEARCH DICTIONARY",
            Self::TsConfiguration => "TEXT SEARCH CONFIGURATION",
            Self::ForeignDataWrapper => "FOREIGN DATA WRAPPER",
            Self::ForeignServer => "SERVER",
            Self::UserMapping => "USER MAPPING",
            Self::ForeignTable => "FOREIGN TABLE",
            Self::LargeObject => "LARGE OBJECT",
            Self::LargeObjectData => "LARGE OBJECT DATA",
            Self::Statistics => "STATISTICS",
            Self::Publication => "PUBLICATION",
            Self::PublicationTable => "PUBLICATION TABLE",
            Self::PublicationSchema => "PUBLICATION TABLES IN SCHEMA",
            Self::Subscription => "SUBSCRIPTION",
            Self::EventTrigger => "EVENT TRIGGER",
            Self::ExtensionTable => "EXTENSION TABLE",
            Self::Owner => "OWNER",
            Self::Absence => "ABSENCE",
        }
    }
}

/// One database object, or one aspect of it, ready to be created, dropped and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Schema, raw; none for objects without one.
    pub schema: Option<String>,
    /// Name for people, raw: `users`, `users users_pkey`.
    pub name: String,
    /// Unique, free of OIDs, independent of search_path: `table public.users`,
    /// `constraint users_pkey on public.users`, `acl table public.users`.
    pub identity: String,
    /// Owner, raw.
    pub owner: Option<String>,
    /// Where it belongs in restore order.
    pub section: Section,
    /// Complete SQL, each statement ended by `;` and a newline; owner included. Empty for
    /// `TABLE DATA` and `SEQUENCE SET`, whose content is in [`Table`] and [`Sequence`].
    pub create: String,
    /// SQL that removes exactly this object, without CASCADE; none if it dies with its parent.
    pub drop: Option<String>,
    /// Indexes into [`Catalog::entries`] of what must exist before it.
    pub depends: Vec<usize>,
}

/// Before a table's identity: the entry of a table that CREATE EXTENSION makes.
pub(super) const OF_EXTENSION: &str = "extension ";

impl Entry {
    /// The identity of the table that this is the definition of, as [`Table`] and the archive's records of rows have it. The
    /// entry of an extension's own table has another one.
    pub fn table(&self) -> Option<&str> {
        match self.kind {
            Kind::Table => Some(&self.identity),
            Kind::ExtensionTable => self.identity.strip_prefix(OF_EXTENSION),
            _ => None,
        }
    }

    /// The number of the large object that this is, or whose bytes it stands for.
    pub fn large_object(&self) -> Option<u32> {
        match self.kind {
            Kind::LargeObject | Kind::LargeObjectData => self.name.parse().ok(),
            _ => None,
        }
    }

    /// The text that two states are compared by. Grants mean a set: their order is free
    /// (spec §10.1), so their lines are sorted. Expressions are compared as the server writes them after it has read its own
    /// words ([`spelling`]), names that a default would give are left out ([`usual_names`]).
    pub fn canonical(&self) -> String {
        canonical_text(self.kind.name(), &self.create)
    }
}

/// As [`Entry::canonical`], for an entry read back from an archive.
pub fn canonical_text(kind: &str, create: &str) -> String {
    if kind != Kind::Acl.name() && kind != Kind::DefaultAcl.name() {
        return usual_names::left_out(&spelling::settled(create)).into_owned();
    }
    let mut lines: Vec<String> = acl::own_words(create)
        .lines()
        .map(acl::abbreviated)
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// A table whose rows belong to the backup (relkind r, partitions included).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its OID under this snapshot; never stored.
    pub oid: u32,
    /// Schema, raw.
    pub schema: String,
    /// Name, raw.
    pub name: String,
    /// Identity of its entry: `table public.users`.
    pub identity: String,
    /// Undropped, non-generated columns in attribute order, raw (spec §3.1).
    pub columns: Vec<String>,
    /// `schema.name (col, …)`, quoted; without the list when there is no such column.
    pub copy_target: String,
    /// What follows `STDOUT` and `stdin`, a blank first: see [`copy_options`].
    pub copy_options: String,
    /// Where its rows are loaded, if they may land in other tables than this one.
    pub through: Option<Through>,
    /// For an extension's configuration table: which rows are the user's (`WHERE …`, or empty).
    pub condition: Option<String>,
    /// Whether its rows may come to say something else without being written: they hold names of other objects (`regclass`
    /// and the like, `aclitem`, whatever contains one), or values of a composite type that lost an attribute.
    pub shifting: bool,
    /// Heap and TOAST bytes, an estimate of the work.
    pub size_bytes: u64,
    /// Blocks of its heap when the size was read; 0 where its access method is another.
    pub heap_blocks: u64,
}

/// A range of a heap's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// The first block.
    pub first: u64,
    /// The block after the last; none for all that follow, also those that were added since.
    pub end: Option<u64>,
}

impl Blocks {
    /// All of them.
    pub const ALL: Self = Self {
        first: 0,
        end: None,
    };

    fn condition(self) -> Sql {
        let from = Sql::constant("WHERE ctid >= '(")
            .number(self.first)
            .then(",0)'::pg_catalog.tid");
        match self.end {
            None => from,
            Some(end) => from
                .then(" AND ctid < '(")
                .number(end)
                .then(",0)'::pg_catalog.tid"),
        }
    }
}

/// A partitioned table that its partitions' rows are loaded through: which of them a row belongs to
/// is decided anew, because its hash depends on OIDs. Only the whole tree's rows can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// Identity of its entry: `table public.events`.
    pub identity: String,
    /// `schema.name (col, …)`, quoted, with the columns of the partition.
    pub copy_target: String,
}

/// Whether a row's transaction is older than an id. Ids are compared by their distance from now: they go round. What has
/// the id of no transaction is not older: nobody knows.
fn older(since: u32) -> Sql {
    // The age of no transaction is 2147483647. Asked for once per row, in millions of rows.
    Sql::constant("pg_catalog.age(xmin) % 2147483647 > (SELECT pg_catalog.age('")
        .number(since)
        .then("'::pg_catalog.xid))")
}

impl Table {
    /// Reads its rows: one COPY text line per row.
    pub fn copy_out(&self) -> Sql {
        let condition = self.condition.as_deref();
        if let Some(condition) = condition.filter(|condition| !condition.is_empty()) {
            return self.copy_where("", &Sql::deparsed(condition));
        }
        Sql::constant("COPY ")
            .sql(&Sql::deparsed(&*self.copy_target))
            .then(" TO STDOUT")
            .sql(&Sql::deparsed(&*self.copy_options))
    }

    /// Reads the rows of a range of its blocks; their text is that of [`Self::copy_out`].
    pub fn copy_out_blocks(&self, blocks: Blocks) -> Sql {
        self.copy_where("", &blocks.condition())
    }

    /// As [`Self::copy_out_blocks`], each row's place (`ctid`) before its columns.
    pub fn copy_out_places(&self, blocks: Blocks) -> Sql {
        self.copy_where("ctid", &blocks.condition())
    }

    /// As [`Self::copy_out_places`], only rows that a transaction from `since` on has written. `since` is younger
    /// than two thousand million ids.
    pub fn copy_out_newer(&self, since: u32, blocks: Blocks) -> Sql {
        let newer = blocks.condition().then(" AND NOT (").sql(&older(since));
        let newer = newer.then(")");
        self.copy_where("ctid", &newer)
    }

    /// These columns of all other rows, one COPY text line per row.
    pub fn copy_out_older(&self, since: u32, blocks: Blocks, columns: &[&str]) -> Sql {
        let older = blocks.condition().then(" AND ").sql(&older(since));
        self.copy_columns("", columns.iter().copied(), &older)
    }

    /// Counts the rows of a range of its blocks: `rows`.
    pub fn count(&self, blocks: Blocks) -> Sql {
        Sql::constant("SELECT pg_catalog.count(*) AS rows FROM ONLY ")
            .qualified(&self.schema, &self.name)
            .then(" ")
            .sql(&blocks.condition())
    }

    /// Reads the rows that the session's own transaction has written, in savepoints or not, and what others have written since
    /// it began: of these the caller has to know that there are none.
    pub fn copy_out_own(&self) -> Sql {
        // Ages count from our id, or from the next one when first asked for. A savepoint has one of its own, later than ours.
        // The other end is for rows so old that ids went round since, which look like rows of the future.
        let own = "WHERE pg_catalog.age(xmin) BETWEEN -100000000 AND 0";
        self.copy_where("", &Sql::constant(own))
    }

    /// Deletes the rows of a condition (`WHERE …`); their text is that of [`Self::copy_out`].
    pub fn copy_out_deleting(&self, condition: &Sql) -> Sql {
        let mut sql = Sql::constant("COPY (DELETE FROM ONLY ")
            .qualified(&self.schema, &self.name)
            .then(" ")
            .sql(condition)
            .then(" RETURNING ");
        for (place, column) in self.columns.iter().enumerate() {
            sql = sql.then(if place == 0 { "" } else { ", " }).ident(column);
        }
        sql.then(") TO STDOUT")
            .sql(&Sql::deparsed(&*self.copy_options))
    }

    /// Only some rows. An extension author's condition is SQL as the server keeps it.
    fn copy_where(&self, first: &'static str, condition: &Sql) -> Sql {
        let columns = self.columns.iter().map(String::as_str);
        self.copy_columns(first, columns, condition)
    }

    fn copy_columns<'a>(
        &self,
        first: &'static str,
        columns: impl Iterator<Item = &'a str>,
        condition: &Sql,
    ) -> Sql {
        let mut sql = Sql::constant("COPY (SELECT ").then(first);
        for (place, column) in columns.enumerate() {
            let is_first = place == 0 && first.is_empty();
            sql = sql.then(if is_first { "" } else { ", " }).ident(column);
        }
        sql.then(" FROM ONLY ")
            .qualified(&self.schema, &self.name)
            .then(" ")
            .sql(condition)
            .then(") TO STDOUT")
            .sql(&Sql::deparsed(&*self.copy_options))
    }

    /// The line that starts each of its data members (`COPY … FROM stdin;`), good for psql and
    /// for the COPY protocol alike.
    pub fn copy_line(&self) -> String {
        let target = match &self.through {
            None => &self.copy_target,
            Some(through) => &through.copy_target,
        };
        format!("COPY {target} FROM stdin{};", self.copy_options)
    }

    /// What its rows are compared under: its own identity, or that of the tree they may move in.
    pub fn compared_as(&self) -> &str {
        match &self.through {
            None => &self.identity,
            Some(through) => &through.identity,
        }
    }
}

/// What COPY needs to be told so that rows of a database with this encoding come and go byte for
/// byte. Sessions speak UTF-8; a conversion could fail, or give the same character for two.
pub fn copy_options(encoding: &str) -> String {
    match encoding {
        "UTF8" | "" => String::new(),
        other => format!(" WITH (ENCODING {})", crate::pg::quote_literal(other)),
    }
}

/// A sequence and its value. Not transactional: the value may be newer than the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// Schema, raw.
    pub schema: String,
    /// Name, raw.
    pub name: String,
    /// `sequence public.users_id_seq`.
    pub identity: String,
    /// `last_value`.
    pub last_value: i64,
    /// `is_called`.
    pub is_called: bool,
}

impl Sequence {
    /// The statement that sets it back.
    pub fn set(&self) -> Sql {
        set_sequence(&self.schema, &self.name, self.last_value, self.is_called)
    }
}

/// `SELECT pg_catalog.setval(…);` for a sequence.
pub fn set_sequence(schema: &str, name: &str, last_value: i64, is_called: bool) -> Sql {
    let qualified = Sql::default().qualified(schema, name);
    Sql::constant("SELECT pg_catalog.setval(")
        .literal(qualified.text())
        .then(", ")
        .number(last_value)
        .then(if is_called {
            ", true);\n"
        } else {
            ", false);\n"
        })
}

/// A table with the one column `version_num`, as Alembic makes it, and all its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionTable {
    /// Schema, raw.
    pub schema: String,
    /// Name, raw.
    pub name: String,
    /// All rows, sorted.
    pub revisions: Vec<String>,
    /// Its schema's place in the `search_path` that sessions begin with; none: its plain name does not lead to it.
    pub place: Option<u32>,
}

/// An installed extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Name.
    pub name: String,
    /// `extversion`.
    pub version: String,
    /// Schema, raw.
    pub schema: String,
}

/// Facts and properties of the database itself (spec §4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseProperties {
    /// `current_database()`.
    pub name: String,
    /// Its OID.
    pub oid: u32,
    /// `pg_control_system().system_identifier`, empty where not readable.
    pub system_identifier: String,
    /// `server_encoding`.
    pub encoding: String,
    /// Owner, locale, provider, settings, ACL, comment … by name.
    pub properties: BTreeMap<String, String>,
}

/// A user object that the backup would lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    /// What kind of loss it would be.
    pub loss: Loss,
    /// `pg_describe_object` (`aggregate public.my_sum(integer)`).
    pub description: String,
    /// The catalog it was found in (`pg_proc`).
    pub catalog: String,
    /// Why no entry covers it, for people.
    pub reason: String,
    /// SQL that would remove it, where `pg_identify_object` gives a droppable name.
    pub drop: Option<String>,
}

impl Uncovered {
    /// What manifests and comparisons call it: `invalid-index: index public.i`. One line, whatever
    /// the name holds.
    pub fn label(&self) -> String {
        format!("{}: {}", self.loss.name(), self.shown())
    }

    /// Its description on one line.
    pub fn shown(&self) -> String {
        let line = self.description.chars();
        line.flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_compared_as_a_set_and_nothing_else_is() {
        for (kind, first, second, equal) in [
            (
                Kind::Acl,
                "GRANT a;\nGRANT b;\n",
                "GRANT b;\nGRANT a;\n",
                true,
            ),
            (Kind::DefaultAcl, "x;\ny;\n", "y;\nx;\n", true),
            (Kind::Acl, "GRANT a;\n", "GRANT a;\nGRANT b;\n", false),
            (Kind::Acl, "GRANT a;\nGRANT a;\n", "GRANT a;\n", false),
            // The order of columns, of statements in a body, of lines in a comment matters.
            (Kind::Table, "a;\nb;\n", "b;\na;\n", false),
            (Kind::Function, "a\nb", "b\na", false),
        ] {
            let (first, second) = (
                canonical_text(kind.name(), first),
                canonical_text(kind.name(), second),
            );
            assert_eq!(first == second, equal, "{kind:?}");
        }
    }

    #[test]
    fn rows_are_read_from_the_partition_and_loaded_through_the_root() {
        let mut table = Table {
            oid: 1,
            schema: "s".to_owned(),
            name: "leaf".to_owned(),
            identity: "table s.leaf".to_owned(),
            columns: vec!["a".to_owned()],
            copy_target: "s.leaf (a)".to_owned(),
            copy_options: copy_options("LATIN1"),
            through: None,
            condition: None,
            shifting: false,
            size_bytes: 0,
            heap_blocks: 0,
        };
        assert_eq!(table.compared_as(), "table s.leaf");
        assert_eq!(
            table.copy_line(),
            "COPY s.leaf (a) FROM stdin WITH (ENCODING 'LATIN1');"
        );
        table.through = Some(Through {
            identity: "table s.root".to_owned(),
            copy_target: "s.root (a)".to_owned(),
        });
        table.copy_options = copy_options("UTF8");
        assert_eq!(table.copy_out().text(), "COPY s.leaf (a) TO STDOUT");
        assert_eq!(table.copy_line(), "COPY s.root (a) FROM stdin;");
        assert_eq!(table.compared_as(), "table s.root");
    }

    #[test]
    fn a_sequence_is_set_back_with_its_name_quoted_twice() {
        assert_eq!(
            set_sequence("public", "we\"ird's", 7, false).text(),
            "SELECT pg_catalog.setval('\"public\".\"we\"\"ird''s\"', 7, false);\n"
        );
    }
}
