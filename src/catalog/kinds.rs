//! The kinds whose text does not depend on anything but their own rows: one query each.
//!
//! Every query in `sql/kinds/` gives the same columns, so one loader serves them all:
//! `oid`, `schema` and `name` (raw), `target` (what follows DROP, ALTER … OWNER TO and COMMENT ON),
//! `create_text`; and where they apply `owner` with `quoted_owner`, `drop_text` (when it is not
//! `DROP <target>`), `class` (when the rows are of several catalogs), `tie` (further sort keys), `aliases` and `needs` (`class:oid` of rows that the
//! entry stands for, or that must come first), `alias_target` (what follows COMMENT ON for those that it stands for), `relation`, `probe` and `definition` (what may hang
//! on an extension's own table, see `guard`), `shell_text` (a type that must exist as a shell
//! before its functions) and `problem` (why this role cannot read all of it).

use super::address::Address;
use super::entry::Kind;
use super::graph::{Node, NodeId};
use super::loss::Loss;
use super::read::Reading;
use super::rights::Rights;
use super::source::Source;
use super::subscriptions::SUBSCRIPTION;
use crate::error::{Error, Result};
use crate::pg::{Row, Sql};

/// A kind, the catalog its rows live in, and its query.
struct Family {
    kind: Kind,
    class: u32,
    sql: &'static str,
    /// The first major that has the catalog.
    since: u32,
    /// The last major that has it in this shape.
    until: u32,
    /// Only a superuser may read its rows; see `subscriptions`.
    read_by_superuser: bool,
}

impl Family {
    fn is_of(&self, major: u32) -> bool {
        (self.since..=self.until).contains(&major)
    }
}

const fn family(kind: Kind, class: u32, sql: &'static str) -> Family {
    Family {
        kind,
        class,
        sql,
        since: 0,
        until: u32::MAX,
        read_by_superuser: false,
    }
}

/// OIDs of the catalogs are fixed; see `address`.
const FAMILIES: [Family; 29] = [
    family(
        Kind::Language,
        2612,
        include_str!("sql/kinds/languages.sql"),
    ),
    family(
        Kind::Collation,
        3456,
        include_str!("sql/kinds/collations.sql"),
    ),
    family(Kind::Type, 1247, include_str!("sql/kinds/base_types.sql")),
    family(Kind::Type, 1247, include_str!("sql/kinds/ranges.sql")),
    family(
        Kind::Transform,
        3576,
        include_str!("sql/kinds/transforms.sql"),
    ),
    family(Kind::Cast, 2605, include_str!("sql/kinds/casts.sql")),
    family(
        Kind::Aggregate,
        1255,
        include_str!("sql/kinds/aggregates.sql"),
    ),
    family(
        Kind::AccessMethod,
        2601,
        include_str!("sql/kinds/access_methods.sql"),
    ),
    family(
        Kind::Operator,
        2617,
        include_str!("sql/kinds/shell_operators.sql"),
    ),
    family(
        Kind::Operator,
        2617,
        include_str!("sql/kinds/operators.sql"),
    ),
    family(
        Kind::OperatorFamily,
        2753,
        include_str!("sql/kinds/operator_families.sql"),
    ),
    family(
        Kind::OperatorClass,
        2616,
        include_str!("sql/kinds/operator_classes.sql"),
    ),
    family(
        Kind::OperatorFamilyMember,
        2602,
        include_str!("sql/kinds/operator_family_members.sql"),
    ),
    family(
        Kind::Conversion,
        2607,
        include_str!("sql/kinds/conversions.sql"),
    ),
    family(
        Kind::TsParser,
        3601,
        include_str!("sql/kinds/ts_parsers.sql"),
    ),
    family(
        Kind::TsTemplate,
        3764,
        include_str!("sql/kinds/ts_templates.sql"),
    ),
    family(
        Kind::TsDictionary,
        3600,
        include_str!("sql/kinds/ts_dictionaries.sql"),
    ),
    family(
        Kind::TsConfiguration,
        3602,
        include_str!("sql/kinds/ts_configurations.sql"),
    ),
    family(
        Kind::ForeignDataWrapper,
        2328,
        include_str!("sql/kinds/foreign_data_wrappers.sql"),
    ),
    family(
        Kind::ForeignServer,
        1417,
        include_str!("sql/kinds/foreign_servers.sql"),
    ),
    family(
        Kind::UserMapping,
        1418,
        include_str!("sql/kinds/user_mappings.sql"),
    ),
    family(
        Kind::Statistics,
        3381,
        include_str!("sql/kinds/statistics.sql"),
    ),
    family(
        Kind::Publication,
        6104,
        include_str!("sql/kinds/publications.sql"),
    ),
    Family {
        until: 14,
        ..family(
            Kind::PublicationTable,
            6106,
            include_str!("sql/kinds/publication_tables_14.sql"),
        )
    },
    Family {
        since: 15,
        ..family(
            Kind::PublicationTable,
            6106,
            include_str!("sql/kinds/publication_tables.sql"),
        )
    },
    Family {
        since: 15,
        ..family(
            Kind::PublicationSchema,
            6237,
            include_str!("sql/kinds/publication_schemas.sql"),
        )
    },
    Family {
        read_by_superuser: true,
        ..family(
            Kind::Subscription,
            SUBSCRIPTION,
            include_str!("sql/kinds/subscriptions.sql"),
        )
    },
    family(
        Kind::TriggerState,
        2620,
        include_str!("sql/kinds/trigger_states.sql"),
    ),
    family(
        Kind::EventTrigger,
        3466,
        include_str!("sql/kinds/event_triggers.sql"),
    ),
];

/// Queries that a server of this major answers whoever asks.
pub(super) fn asked_of_everybody(major: u32) -> impl Iterator<Item = &'static str> {
    FAMILIES
        .iter()
        .filter(move |family| family.is_of(major) && !family.read_by_superuser)
        .map(|family| family.sql)
}

/// Adds every family that this server has and this role may read.
pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let superuser = Rights::of(source.session()).await?.superuser;
    let major = source.version().major();
    for family in &FAMILIES {
        if !family.is_of(major) {
            continue;
        }
        if family.read_by_superuser && !superuser {
            continue;
        }
        for row in source.query(&Sql::constant(family.sql)).await? {
            let class = row.opt_number("class").ok().flatten();
            let address = (class.unwrap_or(family.class), row.number("oid")?);
            if !reading.is_member(address) && reading.graph.find(address).is_none() {
                add_one(reading, family, address, &row)?;
            }
        }
    }
    Ok(())
}

fn add_one(reading: &mut Reading, family: &Family, address: Address, row: &Row) -> Result<()> {
    let target = row.text("target")?;
    let identity = identity(family.kind, target);
    if let Some(reason) = optional(row, "problem") {
        reading.refuse(Loss::Unreadable, &identity, family.kind.name(), reason);
    }
    if row.has("skips") && row.bool("skips")? {
        super::subscriptions::refuse_skipping(reading, &identity);
    }
    let mut create = format!("{}\n", row.text("create_text")?);
    let mut node = Node::new(
        family.kind,
        row.opt("schema")?,
        row.text("name")?,
        &identity,
    );
    if let Some(owner) = owner(reading, row, &identity, family)? {
        create.push_str(&format!("ALTER {target} OWNER TO {};\n", owner.1));
        node = node.owned_by(&owner.0);
    }
    let drop = optional(row, "drop_text").unwrap_or_else(|| format!("DROP {target};"));
    node = node.text(create, Some(drop)).tied(list(row, "tie")?);
    if !is_membership(family.kind) {
        node = node.commented_as(target);
    }
    let id = reading.graph.add(address, node);
    if let (Some(probe), Some(definition)) = (optional(row, "probe"), optional(row, "definition")) {
        reading.guard(id, row.number("relation")?, &probe, &definition);
    }
    for alias in addresses(row, "aliases")? {
        reading.graph.alias(alias, id);
        if let Some(target) = optional(row, "alias_target") {
            reading.comment_targets.insert(alias, target);
        }
    }
    for needed in addresses(row, "needs")? {
        if let Some(needed) = reading.graph.find(needed) {
            reading.graph.need(id, needed);
        }
    }
    if let Some(shell) = optional(row, "shell_text") {
        add_shell(reading, id, address, row, shell)?;
    }
    Ok(())
}

/// `collation app.c`; memberships already come as words and carry no comment.
fn identity(kind: Kind, target: &str) -> String {
    if is_membership(kind) {
        return target.to_owned();
    }
    let words = target
        .chars()
        .take_while(|c| c.is_ascii_uppercase() || *c == ' ')
        .count();
    let (words, name) = target.split_at(words);
    format!("{}{name}", words.to_lowercase())
}

fn is_membership(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::PublicationTable
            | Kind::PublicationSchema
            | Kind::OperatorFamilyMember
            | Kind::TriggerState
    )
}

/// The owner of kinds that have one.
fn owner(
    reading: &mut Reading,
    row: &Row,
    identity: &str,
    family: &Family,
) -> Result<Option<(String, String)>> {
    if !row.has("owner") {
        return Ok(None);
    }
    super::read::owner(reading, row, identity, family.kind.name())
}

/// A column that not every query has; null and absent are the same.
fn optional(row: &Row, column: &str) -> Option<String> {
    row.opt_string(column).ok().flatten()
}

fn list(row: &Row, column: &str) -> Result<Vec<String>> {
    if row.has(column) {
        row.list(column)
    } else {
        Ok(Vec::new())
    }
}

fn addresses(row: &Row, column: &str) -> Result<Vec<Address>> {
    list(row, column)?.iter().map(|text| parse(text)).collect()
}

fn parse(text: &str) -> Result<Address> {
    text.split_once(':')
        .and_then(|(class, oid)| Some((class.parse().ok()?, oid.parse().ok()?)))
        .ok_or_else(|| {
            Error::operation("read a catalog address").because(format!("{text:?} is none"))
        })
}

/// A type whose functions take or return it exists as a shell first; see [`lean_on_shells`].
fn add_shell(
    reading: &mut Reading,
    id: NodeId,
    address: Address,
    row: &Row,
    text: String,
) -> Result<()> {
    let identity = format!("shell of {}", reading.graph.nodes[id].identity);
    let mut shell = Node::new(
        Kind::ShellType,
        row.opt("schema")?,
        row.text("name")?,
        identity,
    );
    // Hidden until a function turns out to need it.
    shell.is_dummy = false;
    let shell = reading.graph.add_unaddressed(shell);
    let schema = reading.graph.nodes[shell].schema.clone();
    if let Some(schema) = schema.and_then(|name| schema_node(reading, &name)) {
        reading.graph.need(shell, schema);
    }
    reading
        .shells
        .push((id, shell, format!("{text}\n"), address));
    Ok(())
}

fn schema_node(reading: &Reading, name: &str) -> Option<NodeId> {
    reading
        .graph
        .nodes
        .iter()
        .position(|node| node.kind == Kind::Schema && node.name == name)
}

/// Breaks the circle between a type and its own functions (spec §2.3, case 1): a function that the
/// type needs leans on the type's shell instead. Called after the edges are known.
pub(super) fn lean_on_shells(reading: &mut Reading) {
    for (id, shell, text, _) in std::mem::take(&mut reading.shells) {
        let functions: Vec<NodeId> = reading.graph.nodes[id]
            .needs
            .iter()
            .copied()
            .filter(|&function| reading.graph.nodes[function].kind == Kind::Function)
            .filter(|&function| reading.graph.nodes[function].needs.contains(&id))
            .collect();
        if functions.is_empty() {
            reading.graph.nodes[shell].is_dummy = true;
            continue;
        }
        for function in functions {
            reading.graph.nodes[function]
                .needs
                .retain(|needed| *needed != id);
            reading.graph.need(function, shell);
        }
        reading.graph.need(id, shell);
        reading.graph.nodes[shell].body = super::graph::Body::Fixed(super::graph::Draft {
            create: text,
            drop: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_lower_case_words_and_the_quoted_name() {
        assert_eq!(
            identity(Kind::Collation, "COLLATION app.\"C\""),
            "collation app.\"C\""
        );
        assert_eq!(
            identity(Kind::TsParser, "TEXT SEARCH PARSER public.p"),
            "text search parser public.p"
        );
        assert_eq!(
            identity(Kind::PublicationTable, "publication p of table public.T"),
            "publication p of table public.T"
        );
    }

    #[test]
    fn addresses_are_parsed() {
        assert_eq!(parse("1247:16384").unwrap(), (1247, 16384));
        assert!(parse("x").is_err());
    }
}
