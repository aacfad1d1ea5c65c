//! Owner, grants, settings, comment and limits of a database itself (spec §4).
//!
//! Statements for what differs between two sets of properties, as `catalog::read_database` names
//! them. What cannot be altered (encoding, locale, tablespace) is left: a comparison shows it.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{self, Statement};
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// Properties by name.
type Properties = BTreeMap<String, String>;

/// Settings whose value is a list of names, each of which is quoted by itself.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Brings the properties of the database `name` from `live` to `wanted`, inside the caller's
/// transaction. `session` may be connected to any database of the server.
pub async fn set_properties(
    session: &Session,
    name: &str,
    live: &Properties,
    wanted: &Properties,
) -> Result<()> {
    let mut statements = plain(name, live, wanted);
    statements.extend(settings(name, live, wanted)?);
    statements.extend(labels(name, live, wanted)?);
    if live.get("acl") != wanted.get("acl") || live.get("owner") != wanted.get("owner") {
        statements.extend(grants(session, name, live, wanted).await?);
    }
    batch::run(session, &statements).await
}

/// Settings of the recorded database that this server does not know, for all roles or for one; an older major had them.
/// Any name with a dot is taken by the server: nobody knows which module it will be.
pub(super) async fn unknown_settings(
    session: &Session,
    recorded: &Properties,
) -> Result<BTreeSet<String>> {
    let mut unknown = BTreeSet::new();
    let names = parse_settings(recorded)?.into_keys();
    let names: BTreeSet<String> = names.map(|place| place.setting).collect();
    for name in names.into_iter().filter(|name| !name.contains('.')) {
        // Not pg_settings: it lists neither `role` nor what this role may not see, nor earlier names.
        let ask = Sql::constant("SELECT pg_catalog.current_setting(")
            .literal(&name)
            .then(", true) IS NULL AS unknown");
        match session.query_one(&ask).await {
            Ok(row) if row.bool("unknown")? => drop(unknown.insert(name)),
            Ok(_) => {}
            // It is there, and this role may not see its value.
            Err(error) if error.sqlstate() == Some("42501") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(unknown)
}

fn statement(name: &str, sql: Sql) -> Statement {
    Statement {
        what: format!("set the properties of the database {name}"),
        sql,
    }
}

fn alter(name: &str) -> Sql {
    Sql::constant("ALTER DATABASE ").ident(name)
}

/// Owner, limit, template flag, comment.
fn plain(name: &str, live: &Properties, wanted: &Properties) -> Vec<Statement> {
    let changed = |key: &str| (live.get(key) != wanted.get(key)).then(|| wanted.get(key));
    let mut statements = Vec::new();
    if let Some(Some(owner)) = changed("owner") {
        statements.push(alter(name).then(" OWNER TO ").ident(owner).then(";"));
    }
    if let Some(limit) = changed("connection_limit")
        .flatten()
        .and_then(|l| l.parse::<i32>().ok())
    {
        statements.push(
            alter(name)
                .then(" CONNECTION LIMIT ")
                .number(limit)
                .then(";"),
        );
    }
    if let Some(Some(flag)) = changed("is_template") {
        let flag = if flag == "t" { "true;" } else { "false;" };
        statements.push(alter(name).then(" IS_TEMPLATE ").then(flag));
    }
    if let Some(comment) = changed("comment") {
        let sql = Sql::constant("COMMENT ON DATABASE ")
            .ident(name)
            .then(" IS ");
        statements.push(match comment {
            Some(text) => sql.literal(text).then(";"),
            None => sql.then("NULL;"),
        });
    }
    statements
        .into_iter()
        .map(|sql| statement(name, sql))
        .collect()
}

/// A setting of the database, or of one role in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Empty for all roles.
    role: String,
    setting: String,
}

fn settings(name: &str, live: &Properties, wanted: &Properties) -> Result<Vec<Statement>> {
    let (live, wanted) = (parse_settings(live)?, parse_settings(wanted)?);
    let gone = live.keys().filter(|place| !wanted.contains_key(*place));
    let reset = gone.map(|place| {
        let sql = place.alter(name).then(" RESET ").ident(&place.setting);
        statement(name, sql.then(";"))
    });
    let changed = wanted
        .iter()
        .filter(|(place, value)| live.get(*place) != Some(*value));
    let set = changed.map(|(place, value)| {
        let sql = place
            .alter(name)
            .then(" SET ")
            .ident(&place.setting)
            .then(" TO ");
        statement(name, assigned(sql, &place.setting, value).then(";"))
    });
    Ok(reset.chain(set).collect())
}

impl Place {
    fn alter(&self, database: &str) -> Sql {
        if self.role.is_empty() {
            return alter(database);
        }
        Sql::constant("ALTER ROLE ")
            .ident(&self.role)
            .then(" IN DATABASE ")
            .ident(database)
    }
}

/// Reads the JSON list of `role: name=value`.
fn parse_settings(properties: &Properties) -> Result<BTreeMap<Place, String>> {
    let lines = list(properties, "settings")?;
    let parsed = lines.iter().map(|line| {
        let (role, assignment) = split_role(line)?;
        let (setting, value) = assignment.split_once('=')?;
        let place = Place {
            role,
            setting: setting.to_owned(),
        };
        Some((place, value.to_owned()))
    });
    parsed
        .collect::<Option<_>>()
        .ok_or_else(|| broken("settings", "it is not understood"))
}

/// A property that is a JSON list of texts; absent means an empty one.
fn list(properties: &Properties, name: &str) -> Result<Vec<String>> {
    match properties.get(name) {
        None => Ok(Vec::new()),
        Some(text) => serde_json::from_str(text).map_err(|error| broken(name, &error.to_string())),
    }
}

fn broken(name: &str, reason: &str) -> Error {
    Error::operation(format!("read the {name} of a database")).because(reason)
}

/// `role: rest`; a role's name with `:`, `=` or `"` in it stands in quotes.
fn split_role(line: &str) -> Option<(String, &str)> {
    let Some(quoted) = line.strip_prefix('"') else {
        let (role, rest) = line.split_once(": ")?;
        return Some((role.to_owned(), rest));
    };
    let mut from = 0;
    loop {
        let at = from + quoted.get(from..)?.find('"')?;
        let rest = quoted.get(at + 1..)?;
        if rest.starts_with('"') {
            from = at + 2;
            continue;
        }
        let role = quoted.get(..at)?.replace("\"\"", "\"");
        return Some((role, rest.strip_prefix(": ")?));
    }
}

/// Security labels by provider.
fn labels(name: &str, live: &Properties, wanted: &Properties) -> Result<Vec<Statement>> {
    let parse = |properties: &Properties| -> Result<BTreeMap<String, String>> {
        let lines = list(properties, "security_labels")?;
        let pairs = lines.iter().map(|line| {
            let (provider, label) = line.split_once(": ")?;
            Some((provider.to_owned(), label.to_owned()))
        });
        let pairs: Option<_> = pairs.collect();
        pairs.ok_or_else(|| broken("security labels", "they are not understood"))
    };
    let (live, wanted) = (parse(live)?, parse(wanted)?);
    let label = |provider: &str| {
        Sql::constant("SECURITY LABEL FOR ")
            .ident(provider)
            .then(" ON DATABASE ")
            .ident(name)
            .then(" IS ")
    };
    let gone = live
        .keys()
        .filter(|provider| !wanted.contains_key(*provider));
    let gone = gone.map(|provider| label(provider).then("NULL;"));
    let changed = wanted
        .iter()
        .filter(|(provider, text)| live.get(*provider) != Some(*text));
    let changed = changed.map(|(provider, text)| label(provider).literal(text).then(";"));
    Ok(gone
        .chain(changed)
        .map(|sql| statement(name, sql))
        .collect())
}

/// Appends a setting's value: one literal, or one per element of a list.
fn assigned(mut sql: Sql, setting: &str, value: &str) -> Sql {
    if !LISTS.contains(&setting) || value.is_empty() {
        return sql.literal(value);
    }
    for (index, name) in list_elements(value).iter().enumerate() {
        sql = sql.then(if index == 0 { "" } else { ", " }).literal(name);
    }
    sql
}

/// The elements of a stored list of names: `"$user", public`.
fn list_elements(value: &str) -> Vec<String> {
    let (mut elements, mut element, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                element.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => elements.push(std::mem::take(&mut element)),
            ' ' if !quoted => {}
            other => element.push(other),
        }
    }
    elements.push(element);
    elements
}

/// Takes every grant of `live` back and gives those of `wanted`; absent means the default ones.
async fn grants(
    session: &Session,
    name: &str,
    live: &Properties,
    wanted: &Properties,
) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for grantee in grantees(session, name).await? {
        let sql = Sql::constant("REVOKE ALL ON DATABASE ")
            .ident(name)
            .then(" FROM ")
            .sql(&grantee)
            .then(" CASCADE;");
        statements.push(statement(name, sql));
    }
    let owner = wanted.get("owner").or_else(|| live.get("owner"));
    let owner = owner.map_or("", String::as_str);
    let rows = session.query(&items(owner, wanted.get("acl"))).await?;
    for row in &rows {
        let grant = Sql::constant("GRANT ")
            .sql(&Sql::deparsed(row.string("privilege")?))
            .then(" ON DATABASE ")
            .ident(name)
            .then(" TO ")
            .sql(&Sql::deparsed(row.string("grantee")?))
            .then(if row.bool("grantable")? {
                " WITH GRANT OPTION;"
            } else {
                ";"
            });
        let grantor = row.text("grantor")?;
        let sql = match grantor == owner {
            true => grant,
            // A grant counts as made by whoever makes it, so it is made as that role again.
            false => Sql::constant("SET LOCAL ROLE ")
                .ident(grantor)
                .then(";")
                .sql(&grant)
                .then("SET LOCAL ROLE ")
                .ident(row.text("own")?)
                .then(";"),
        };
        statements.push(statement(name, sql));
    }
    Ok(statements)
}

/// Who has privileges on the database now, quoted.
async fn grantees(session: &Session, name: &str) -> Result<Vec<Sql>> {
    let sql = Sql::constant(include_str!("sql/grantees.sql"));
    let rows = session.query(&sql.literal(name)).await?;
    rows.iter()
        .map(|row| Ok(Sql::deparsed(row.string("grantee")?)))
        .collect()
}

/// The items of a recorded ACL, or of the default one.
fn items(owner: &str, acl: Option<&String>) -> Sql {
    let sql = Sql::constant(include_str!("sql/acl_items_head.sql"));
    let sql = match acl {
        Some(acl) => sql.literal(acl).then("::pg_catalog._aclitem"),
        None => sql
            .then(
                "pg_catalog.acldefault('d', (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ",
            )
            .literal(owner)
            .then("))"),
    };
    sql.then("\n")
        .then(include_str!("sql/acl_items_tail.sql"))
        .literal(owner)
        .then(") DESC, item.place")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &str) -> Properties {
        Properties::from([("settings".to_owned(), settings.to_owned())])
    }

    fn texts(live: &Properties, wanted: &Properties) -> Vec<String> {
        let statements = settings("shop", live, wanted).unwrap();
        statements
            .iter()
            .map(|statement| statement.sql.text().to_owned())
            .collect()
    }

    #[test]
    fn settings_are_reset_and_set() {
        let live = with(r#"[": work_mem=1MB", "app: work_mem=2MB"]"#);
        let wanted = with(r#"[": search_path=\"$user\", public", "app: work_mem=2MB"]"#);
        assert_eq!(
            texts(&live, &wanted),
            [
                "ALTER DATABASE \"shop\" RESET \"work_mem\";",
                "ALTER DATABASE \"shop\" SET \"search_path\" TO '$user', 'public';"
            ]
        );
        assert!(texts(&live, &live).is_empty());
    }

    #[test]
    fn a_role_may_be_called_anything() {
        assert_eq!(split_role(": x=1"), Some((String::new(), "x=1")));
        assert_eq!(
            split_role("\"we: i\"\"rd\": x=a: b"),
            Some(("we: i\"rd".to_owned(), "x=a: b"))
        );
        assert_eq!(split_role("\"half"), None);
    }

    #[test]
    fn labels_are_set_and_taken_away() {
        let with =
            |labels: &str| Properties::from([("security_labels".to_owned(), labels.to_owned())]);
        let (live, wanted) = (with(r#"["a: x", "b: y"]"#), with(r#"["b: it's: z"]"#));
        let statements = labels("shop", &live, &wanted).unwrap();
        let texts: Vec<&str> = statements.iter().map(|s| s.sql.text()).collect();
        assert_eq!(
            texts,
            [
                "SECURITY LABEL FOR \"a\" ON DATABASE \"shop\" IS NULL;",
                "SECURITY LABEL FOR \"b\" ON DATABASE \"shop\" IS 'it''s: z';"
            ]
        );
        assert!(labels("shop", &live, &live).unwrap().is_empty());
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        let wanted = with(r#"["a: x.y=1'; DROP DATABASE shop; --"]"#);
        assert_eq!(
            texts(&Properties::new(), &wanted),
            ["ALTER ROLE \"a\" IN DATABASE \"shop\" SET \"x.y\" TO '1''; DROP DATABASE shop; --';"]
        );
        assert_eq!(list_elements("\"a\"\"b, c\", d"), ["a\"b, c", "d"]);
    }
}
