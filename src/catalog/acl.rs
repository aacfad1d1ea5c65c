//! Grants and default privileges (spec §1.6).
//!
//! The difference between an ACL and its base, item by item: what the base has and the ACL lacks
//! is revoked, what the ACL has and the base lacks is granted, the owner's own grants to itself first,
//! nothing before its grantor may grant it, and else in array order. The drop statement goes
//! the other way, back to the base.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::address::{Address, DEFAULT_ACL};
use super::entry::Kind;
use super::graph::Node;
use super::loss::Loss;
use super::read::Reading;
use super::rights::{Need, Right};
use super::source::Source;
use crate::error::Result;
use crate::pg::{Row, Sql};

/// One privilege of an exploded ACL; names are quoted, PUBLIC is `PUBLIC`, a lost role is null.
#[derive(Debug, Clone, Deserialize)]
struct Privilege {
    grantee: Option<String>,
    grantor: Option<String>,
    privilege: String,
    grantable: bool,
}

/// What one grantor gave one grantee.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    grantee: String,
    grantor: String,
    /// Privilege and whether it may be passed on.
    privileges: Vec<(String, bool)>,
}

/// Where grants go: `TABLE public.users`, perhaps one of its columns.
struct Object<'a> {
    /// `ON TABLE public.users` or `ON TABLES`.
    on: String,
    /// Put before GRANT and REVOKE (`ALTER DEFAULT PRIVILEGES FOR ROLE r `).
    prefix: String,
    column: Option<&'a str>,
    owner: &'a str,
    /// All privileges that this kind of object knows on this major.
    all: Vec<String>,
    /// Whether a newer major knows one more, and ALL would give it.
    is_short: bool,
}

/// What ALL means for tables before 17, which added MAINTAIN: who got everything from an older server must not get more from a
/// newer one. No server tells them in this order (the first two are the other way round), so [`abbreviated`] knows
/// these words from the seven rights without MAINTAIN that somebody has on 17.
const BEFORE_MAINTAIN: &str = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER";

/// A line of grants as archives have it that were written before this rule: ALL.
pub(super) fn abbreviated(line: &str) -> String {
    let long = format!("GRANT {BEFORE_MAINTAIN} ON TABLE");
    line.replacen(&long, "GRANT ALL ON TABLE", 1)
}

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/acls.sql")))
        .await?;
    let mut tables = std::collections::HashMap::new();
    for row in &rows {
        let address: Address = (row.number("class")?, row.number("object")?);
        let column = row.opt("quoted_column")?;
        let target = format!("{} {}", row.text("keyword")?, row.text("target")?);
        let identity = match column {
            None => format!("acl {}", lower_keyword(&target)),
            Some(column) => format!("acl column {}.{column}", row.text("target")?),
        };
        let (Some(items), Some(base)) = (items(row, "items")?, items(row, "base_items")?) else {
            reading.refuse(
                Loss::MissingRole,
                identity,
                "pg_shdepend",
                "a grant names a role that no longer exists",
            );
            continue;
        };
        let object = Object {
            on: format!("ON {target}"),
            prefix: String::new(),
            column,
            owner: row.opt("quoted_owner")?.unwrap_or_default(),
            all: row.list("all_privileges")?,
            is_short: row.text("keyword")? == "TABLE" && source.version().major() < 17,
        };
        let undo = statements(&object, &items, &base);
        let mut create = statements(&object, &base, &items);
        if source.version().major() < 15 && target == "SCHEMA public" {
            if items.iter().any(lets_all_create) {
                create.push_str(KEEP_CREATE);
            } else if row.bool("of_bootstrap")? {
                create.insert_str(0, KEEP_OWNER);
            }
        }
        if create.is_empty() {
            // The same grants in another order, as GRANT and REVOKE of one privilege leave them.
            continue;
        }
        let node = Node::new(Kind::Acl, row.opt("schema")?, row.text("target")?, identity)
            .text(create, Some(undo).filter(|undo| !undo.is_empty()))
            .tied([format!("{:06}", row.number::<i32>("part")?)]);
        note_needs(
            reading,
            address,
            &node.identity,
            object.owner,
            &[&items, &base],
        );
        let id = reading.graph.add_unaddressed(node);
        if let Some(carrier) = reading.graph.find(address) {
            reading.graph.need(id, carrier);
        }
        // A table-wide REVOKE takes column grants along, so the table's entry goes first.
        match column {
            None => _ = tables.insert(address, id),
            Some(_) => {
                if let Some(&table) = tables.get(&address) {
                    reading.graph.need(id, table);
                }
            }
        }
    }
    Ok(())
}

/// Up to 14 everybody may make objects in `public` from the start, so nothing grants it; a newer server's `public` is
/// closed, and applications would be refused there.
const KEEP_CREATE: &str = "DO $keep$BEGIN\n    IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000 THEN\n        \
     GRANT CREATE ON SCHEMA public TO PUBLIC;\n    END IF;\nEND$keep$;\n";

/// From 15 on a fresh `public` is the database owner's, who may make objects in it; before it was the bootstrap superuser's,
/// and where the right was taken from everybody the database's owner had lost it, too. Only a superuser can give it back.
const KEEP_OWNER: &str = "DO $keep$BEGIN\n    IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000\n        \
     AND (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) THEN\n        \
     EXECUTE (SELECT pg_catalog.format('ALTER SCHEMA public OWNER TO %I', rolname) FROM pg_catalog.pg_roles WHERE oid = 10);\n    \
     END IF;\nEND$keep$;\n";

/// The grants without what follows from them for a newer server; archives written before this rule have it not.
pub(super) fn own_words(create: &str) -> &str {
    create.strip_prefix(KEEP_OWNER).unwrap_or(create)
}

/// Whether a text about `public` says no more than that it is as in a fresh database.
pub fn is_usual_of_public(text: &str) -> bool {
    text.is_empty() || text == KEEP_CREATE
}

fn lets_all_create(item: &Item) -> bool {
    item.grantee == "PUBLIC" && item.privileges.iter().any(|(name, _)| name == "CREATE")
}

/// Grants are made by the object's owner, or by who made them: the role must be able to be both.
/// The owner of an entry is known anyway; that of an extension's or the system's object is not.
fn note_needs(
    reading: &mut Reading,
    address: Address,
    identity: &str,
    owner: &str,
    items: &[&[Item]],
) {
    let carrier = reading.graph.find(address);
    let carrier = carrier.and_then(|id| reading.graph.nodes.get(id)?.owner.clone());
    let mut need = |right, why: &str| {
        reading.needs.push(Need {
            identity: identity.to_owned(),
            right,
            why: why.to_owned(),
        });
    };
    let raw = unquoted(owner);
    if carrier.as_deref() != Some(raw.as_str()) {
        need(Right::Role(raw), "it grants on an object of another role");
    }
    let grantors: BTreeSet<&str> = items
        .iter()
        .copied()
        .flatten()
        .map(|item| item.grantor.as_str())
        .collect();
    for grantor in grantors.into_iter().filter(|grantor| *grantor != owner) {
        need(
            Right::Become(unquoted(grantor)),
            "it was granted by another role",
        );
    }
}

/// A name as the catalogs hold it, from `quote_ident`'s text.
fn unquoted(name: &str) -> String {
    match name
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// `FOREIGN SERVER s` → `foreign server s`; names stay as they are.
fn lower_keyword(target: &str) -> String {
    let words = target
        .chars()
        .take_while(|c| c.is_ascii_uppercase() || *c == ' ')
        .count();
    let (words, name) = target.split_at(words);
    format!("{}{name}", words.to_lowercase())
}

pub(super) async fn add_defaults(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/default_acls.sql")))
        .await?;
    for row in &rows {
        let kinds = match row.letter("object_type")? {
            'r' => "TABLES",
            'S' => "SEQUENCES",
            'f' => "FUNCTIONS",
            'T' => "TYPES",
            'n' => "SCHEMAS",
            'L' => "LARGE OBJECTS",
            // An unknown letter stays uncovered: the closed world names the row.
            _ => continue,
        };
        let Some(role) = row.opt("quoted_role")? else {
            continue;
        };
        let place = row
            .opt("quoted_schema")?
            .map(|schema| format!(" IN SCHEMA {schema}"))
            .unwrap_or_default();
        let identity = format!(
            "default privileges of {role}{} on {}",
            place.replacen(" IN SCHEMA", " in schema", 1),
            kinds.to_lowercase()
        );
        let (Some(items), Some(base)) = (items(row, "items")?, items(row, "base_items")?) else {
            reading.refuse(
                Loss::MissingRole,
                identity,
                "pg_default_acl",
                "a grant names a role that no longer exists",
            );
            continue;
        };
        let object = Object {
            on: format!("ON {kinds}"),
            prefix: format!("ALTER DEFAULT PRIVILEGES FOR ROLE {role}{place} "),
            column: None,
            owner: role,
            all: row.list("all_privileges")?,
            is_short: kinds == "TABLES" && source.version().major() < 17,
        };
        let node = Node::new(Kind::DefaultAcl, row.opt("schema")?, kinds, identity)
            .text(
                statements(&object, &base, &items),
                Some(statements(&object, &items, &base)),
            )
            .tied([role.to_owned()]);
        reading.needs.push(Need {
            identity: node.identity.clone(),
            right: Right::Role(unquoted(role)),
            why: format!("they are the default privileges of {role}"),
        });
        let id = reading.graph.add((DEFAULT_ACL, row.number("oid")?), node);
        need_schema(reading, id, row.opt("schema")?);
    }
    Ok(())
}

fn need_schema(reading: &mut Reading, id: usize, schema: Option<&str>) {
    let Some(name) = schema else { return };
    let found = reading
        .graph
        .nodes
        .iter()
        .position(|node| node.kind == Kind::Schema && node.name == name);
    if let Some(schema) = found {
        reading.graph.need(id, schema);
    }
}

/// Groups an exploded ACL back into items; none if a role is gone.
fn items(row: &Row, column: &str) -> Result<Option<Vec<Item>>> {
    let privileges = match row.opt(column)? {
        None => Vec::new(),
        Some(_) => row.json(column)?,
    };
    Ok(grouped(privileges))
}

fn grouped(privileges: Vec<Privilege>) -> Option<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    for one in privileges {
        let (grantee, grantor) = (one.grantee?, one.grantor?);
        let privilege = (one.privilege, one.grantable);
        match items
            .iter_mut()
            .find(|item| item.grantee == grantee && item.grantor == grantor)
        {
            Some(item) => item.privileges.push(privilege),
            None => items.push(Item {
                grantee,
                grantor,
                privileges: vec![privilege],
            }),
        }
    }
    Some(items)
}

/// Statements that lead from one ACL to another.
fn statements(object: &Object<'_>, from: &[Item], to: &[Item]) -> String {
    let mut text = String::new();
    for item in revoked(object, without(object, from, to)) {
        text.push_str(&revoke(object, &item));
    }
    let mut missing = without(object, to, from);
    missing.sort_by_key(|item| !is_own(object, item));
    let standing: Vec<Item> = to
        .iter()
        .filter(|item| from.contains(item))
        .cloned()
        .collect();
    for item in granted(object, missing, standing) {
        for grantable in [false, true] {
            text.push_str(&grant(object, &item, grantable));
        }
    }
    text
}

/// What the owner has from itself, as it has everything from the start.
fn is_own(object: &Object<'_>, item: &Item) -> bool {
    item.grantee == object.owner && item.grantor == object.owner
}

/// The items that the others lack, or have otherwise. Of the owner's own rights on a table of before 17 only those that
/// differ: what REVOKE ALL takes from it on a newer server, where that is more, nothing would give back.
fn without(object: &Object<'_>, items: &[Item], others: &[Item]) -> Vec<Item> {
    let differing = items.iter().filter(|item| !others.contains(item)).cloned();
    let parts = differing.map(|mut item| {
        if object.is_short && is_own(object, &item) {
            let same = others.iter().find(|other| is_own(object, other));
            let same = same.map(|other| &other.privileges);
            item.privileges
                .retain(|one| !same.is_some_and(|same| same.contains(one)));
        }
        item
    });
    parts.filter(|item| !item.privileges.is_empty()).collect()
}

/// Grants in an order in which each grantor may make them when its turn comes. An option that nobody here gives comes from
/// elsewhere: a column's from its table.
fn granted(object: &Object<'_>, mut missing: Vec<Item>, standing: Vec<Item>) -> Vec<Item> {
    let kept = standing.len();
    let mut made = standing;
    while let Some((place, now)) = next_grant(object, &missing, &made) {
        let item = &mut missing[place];
        item.privileges.retain(|one| !now.privileges.contains(one));
        if item.privileges.is_empty() {
            missing.remove(place);
        }
        made.push(now);
    }
    made.drain(..kept);
    made.extend(missing);
    made
}

/// The first item that can be granted by now; where none can be as a whole, the first one of which a part can, and that part.
fn next_grant(object: &Object<'_>, missing: &[Item], made: &[Item]) -> Option<(usize, Item)> {
    let possible = || {
        let items = missing.iter().enumerate();
        items.map(|(place, item)| (place, possible_part(object, item, missing, made)))
    };
    let is_whole = |(place, part): &(usize, Item)| *part == missing[*place];
    let has_any = |(_, part): &(usize, Item)| !part.privileges.is_empty();
    possible()
        .find(is_whole)
        .or_else(|| possible().find(has_any))
}

/// What of an item its grantor may grant once `made` is there.
fn possible_part(object: &Object<'_>, item: &Item, missing: &[Item], made: &[Item]) -> Item {
    let may = |items: &[Item], name: &str| {
        let mut items = items.iter().filter(|one| one.grantee == item.grantor);
        items.any(|one| one.privileges.iter().any(|(own, may)| own == name && *may))
    };
    let is_possible =
        |name: &str| item.grantor == object.owner || may(made, name) || !may(missing, name);
    let privileges = item.privileges.iter().filter(|(name, _)| is_possible(name));
    Item {
        privileges: privileges.cloned().collect(),
        ..item.clone()
    }
}

/// The other way round: what was passed on goes before the option that it was passed on by.
fn revoked(object: &Object<'_>, gone: Vec<Item>) -> Vec<Item> {
    let (by_owner, passed_on): (Vec<Item>, Vec<Item>) = granted(object, gone, Vec::new())
        .into_iter()
        .partition(|item| item.grantor == object.owner);
    passed_on.into_iter().rev().chain(by_owner).collect()
}

fn revoke(object: &Object<'_>, item: &Item) -> String {
    let privileges: Vec<&str> = item
        .privileges
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut rights = list(object, &privileges);
    if object.is_short && rights == "ALL" && is_own(object, item) {
        rights = BEFORE_MAINTAIN.to_owned();
    }
    let statement = format!(
        "{}REVOKE {rights} {} FROM {};\n",
        object.prefix, object.on, item.grantee
    );
    as_grantor(object, item, &statement)
}

fn grant(object: &Object<'_>, item: &Item, grantable: bool) -> String {
    let privileges: Vec<&str> = item
        .privileges
        .iter()
        .filter(|(_, may_grant)| *may_grant == grantable)
        .map(|(name, _)| name.as_str())
        .collect();
    if privileges.is_empty() {
        return String::new();
    }
    let mut rights = list(object, &privileges);
    // The owner of a new table has MAINTAIN by itself.
    if object.is_short && rights == "ALL" && item.grantee != object.owner {
        rights = BEFORE_MAINTAIN.to_owned();
    }
    let option = if grantable { " WITH GRANT OPTION" } else { "" };
    let statement = format!(
        "{}GRANT {rights} {} TO {}{option};\n",
        object.prefix, object.on, item.grantee
    );
    as_grantor(object, item, &statement)
}

/// A grant made by somebody else than the owner is made as that role again.
fn as_grantor(object: &Object<'_>, item: &Item, statement: &str) -> String {
    if item.grantor == object.owner || !object.prefix.is_empty() {
        return statement.to_owned();
    }
    format!("SET ROLE {};\n{statement}RESET ROLE;\n", item.grantor)
}

fn list(object: &Object<'_>, privileges: &[&str]) -> String {
    if let Some(column) = object.column {
        return privileges
            .iter()
            .map(|privilege| format!("{privilege}({column})"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let is_all = object.all.len() > 1
        && object
            .all
            .iter()
            .all(|one| privileges.contains(&one.as_str()));
    if is_all {
        "ALL".to_owned()
    } else {
        privileges.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(grantee: &str, privileges: &[(&str, bool)]) -> Item {
        Item {
            grantee: grantee.into(),
            grantor: "owner".into(),
            privileges: privileges
                .iter()
                .map(|(name, option)| ((*name).to_owned(), *option))
                .collect(),
        }
    }

    fn table() -> Object<'static> {
        Object {
            on: "ON TABLE public.t".into(),
            prefix: String::new(),
            column: None,
            owner: "owner",
            all: vec!["SELECT".into(), "INSERT".into()],
            is_short: false,
        }
    }

    #[test]
    fn only_differences_become_statements() {
        let base = [item("owner", &[("SELECT", false), ("INSERT", false)])];
        let now = [
            base[0].clone(),
            item("app", &[("SELECT", false), ("INSERT", true)]),
        ];
        assert_eq!(
            statements(&table(), &base, &now),
            "GRANT SELECT ON TABLE public.t TO app;\nGRANT INSERT ON TABLE public.t TO app WITH GRANT OPTION;\n"
        );
        assert_eq!(
            statements(&table(), &now, &base),
            "REVOKE ALL ON TABLE public.t FROM app;\n"
        );
    }

    fn exploded(rows: &[(&str, &str, &str, bool)]) -> Vec<Privilege> {
        let some = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        rows.iter()
            .map(|(grantee, grantor, privilege, grantable)| Privilege {
                grantee: some(grantee),
                grantor: some(grantor),
                privilege: (*privilege).to_owned(),
                grantable: *grantable,
            })
            .collect()
    }

    #[test]
    fn privileges_of_one_grantor_to_one_grantee_are_one_item() {
        let rows = exploded(&[
            ("owner", "owner", "SELECT", false),
            ("app", "owner", "SELECT", true),
            ("owner", "owner", "INSERT", false),
            ("reader", "app", "SELECT", false),
            ("app", "owner", "INSERT", false),
        ]);
        let items = grouped(rows).unwrap();
        let shown: Vec<(&str, &str, usize)> = items
            .iter()
            .map(|item| {
                (
                    item.grantee.as_str(),
                    item.grantor.as_str(),
                    item.privileges.len(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("owner", "owner", 2),
                ("app", "owner", 2),
                ("reader", "app", 1)
            ]
        );
    }

    #[test]
    fn a_lost_role_makes_the_whole_list_unreadable() {
        assert!(grouped(exploded(&[("", "owner", "SELECT", false)])).is_none());
        assert!(grouped(exploded(&[("app", "", "SELECT", false)])).is_none());
        assert_eq!(grouped(Vec::new()), Some(Vec::new()));
    }

    #[test]
    fn grants_of_others_are_made_as_they_were() {
        let mut passed_on = item("reader", &[("SELECT", false)]);
        passed_on.grantor = "app".into();
        assert_eq!(
            statements(&table(), &[], &[passed_on.clone()]),
            "SET ROLE app;\nGRANT SELECT ON TABLE public.t TO reader;\nRESET ROLE;\n"
        );
        let defaults = Object {
            on: "ON TABLES".into(),
            prefix: "ALTER DEFAULT PRIVILEGES FOR ROLE owner ".into(),
            ..table()
        };
        assert_eq!(
            statements(&defaults, &[], &[passed_on]),
            "ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT ON TABLES TO reader;\n"
        );
    }

    /// The owner has it from somebody else, who has it from the owner; and an option may come from an item further behind.
    #[test]
    fn nothing_is_granted_before_its_grantor_may_and_nothing_revoked_too_late() {
        let by = |grantor: &str, one: Item| Item {
            grantor: grantor.to_owned(),
            ..one
        };
        let base = [item("owner", &[("SELECT", false), ("INSERT", false)])];
        let now = [
            by("b", item("owner", &[("SELECT", false)])),
            by("b", item("c", &[("SELECT", false), ("INSERT", false)])),
            item("a", &[("SELECT", true)]),
            by("a", item("b", &[("SELECT", true)])),
            item("b", &[("INSERT", true)]),
        ];
        let on = "ON TABLE public.t";
        let as_role =
            |role: &str, statement: &str| format!("SET ROLE {role};\n{statement};\nRESET ROLE;\n");
        let expected = [
            format!("REVOKE ALL {on} FROM owner;\n"),
            format!("GRANT SELECT {on} TO a WITH GRANT OPTION;\n"),
            as_role("a", &format!("GRANT SELECT {on} TO b WITH GRANT OPTION")),
            as_role("b", &format!("GRANT SELECT {on} TO owner")),
            format!("GRANT INSERT {on} TO b WITH GRANT OPTION;\n"),
            as_role("b", &format!("GRANT ALL {on} TO c")),
        ];
        assert_eq!(statements(&table(), &base, &now), expected.concat());
        let back = statements(&table(), &now, &base);
        let place = |text: &str| {
            back.find(text)
                .unwrap_or_else(|| panic!("{text} in {back}"))
        };
        assert!(place("FROM owner;") < place("FROM b;"), "{back}");
        assert!(
            place("REVOKE ALL ON TABLE public.t FROM c")
                < place("REVOKE INSERT ON TABLE public.t FROM b"),
            "{back}"
        );
        assert!(
            place("REVOKE SELECT ON TABLE public.t FROM b") < place("FROM a;"),
            "{back}"
        );
        assert!(
            back.ends_with(&format!("GRANT ALL {on} TO owner;\n")),
            "{back}"
        );
    }

    /// What a newer server adds stays the owner's: MAINTAIN was in no list before 17, and the owner could do it all the same.
    #[test]
    fn an_owner_of_before_17_loses_only_what_it_had_lost() {
        let older = Object {
            is_short: true,
            ..table()
        };
        let base = [item("owner", &[("SELECT", false), ("INSERT", false)])];
        let less = [item("owner", &[("SELECT", false)])];
        let revoke = "REVOKE INSERT ON TABLE public.t FROM owner;\n";
        assert_eq!(statements(&older, &base, &less), revoke);
        let grant = "GRANT INSERT ON TABLE public.t TO owner;\n";
        assert_eq!(statements(&older, &less, &base), grant);
        let all = format!("REVOKE {BEFORE_MAINTAIN} ON TABLE public.t FROM owner;\n");
        assert_eq!(statements(&older, &base, &[]), all);
    }

    #[test]
    fn a_column_is_named_with_each_privilege_and_all_is_never_said() {
        let column = Object {
            column: Some("\"e mail\""),
            ..table()
        };
        let now = [item("app", &[("SELECT", false), ("INSERT", false)])];
        assert_eq!(
            statements(&column, &[], &now),
            "GRANT SELECT(\"e mail\"), INSERT(\"e mail\") ON TABLE public.t TO app;\n"
        );
    }

    /// Seven of eight rights on 17 are told in the server's order, and stay another thing than all of them.
    #[test]
    fn all_of_an_older_server_is_not_all_of_a_newer_one() {
        let older = Object {
            is_short: true,
            ..table()
        };
        let rights = [("SELECT", false), ("INSERT", false)];
        let now = [item("owner", &rights), item("app", &rights)];
        let text = statements(&older, &[], &now);
        let written = format!(
            "GRANT ALL ON TABLE public.t TO owner;\nGRANT {BEFORE_MAINTAIN} ON TABLE public.t TO app;\n"
        );
        assert_eq!(text, written);
        let lines: Vec<String> = text.lines().map(abbreviated).collect();
        assert_eq!(lines[1], "GRANT ALL ON TABLE public.t TO app;");
        let seven = "GRANT INSERT, SELECT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE t TO app;";
        assert_eq!(abbreviated(seven), seven);
    }

    #[test]
    fn revoked_default_is_revoked() {
        let base = [item("owner", &[("SELECT", false), ("INSERT", false)])];
        assert_eq!(
            statements(&table(), &base, &[]),
            "REVOKE ALL ON TABLE public.t FROM owner;\n"
        );
    }
}
