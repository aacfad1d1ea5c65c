//! Changes in place: what brings an object's text back without dropping the object.
//!
//! Texts are those that `catalog` writes, so their shape is known: a table has one item per line, what
//! CREATE cannot say follows as statements. Whatever is not understood gives no answer, and the
//! object is dropped and made again. An answer may still be wrong (a literal that looks like
//! syntax): the proof inside the transaction decides, never this file.

use crate::catalog::Kind;

/// The statements that turn an object with the text `live` into one with the text `archive`.
///
/// `drop` is the live entry's, which names the object as the server quotes it.
pub(super) fn in_place(
    kind: Kind,
    live: &str,
    archive: &str,
    drop: Option<&str>,
) -> Option<Vec<String>> {
    if let Some(statements) = owners(live, archive) {
        return Some(statements);
    }
    match kind {
        Kind::Table => table(live, archive, drop?),
        Kind::Function | Kind::Procedure => replaced(archive),
        Kind::View => view(archive),
        Kind::Sequence => identity(live, archive).or_else(|| sequence(live, archive)),
        Kind::Index | Kind::Constraint => index(live, archive),
        _ => None,
    }
}

/// Whether trying it takes only a moment, so that it can be tried before anything depends on it.
pub(super) fn is_quick_to_try(kind: Kind) -> bool {
    !matches!(kind, Kind::Table)
}

/// Only who owns it differs.
fn owners(live: &str, archive: &str) -> Option<Vec<String>> {
    let rest = |text: &str| -> String { text.lines().filter(|line| !gives_away(line)).collect() };
    if rest(live) != rest(archive) {
        return None;
    }
    let lines = archive.lines().filter(|line| gives_away(line));
    let statements: Vec<String> = lines.map(str::to_owned).collect();
    (!statements.is_empty()).then_some(statements)
}

fn gives_away(line: &str) -> bool {
    line.starts_with("ALTER ") && line.contains(" OWNER TO ") && line.ends_with(';')
}

/// pg_get_functiondef's text replaces what has the same arguments.
fn replaced(archive: &str) -> Option<Vec<String>> {
    archive
        .starts_with("CREATE OR REPLACE ")
        .then(|| vec![archive.to_owned()])
}

fn view(archive: &str) -> Option<Vec<String>> {
    let rest = archive.strip_prefix("CREATE VIEW ")?;
    Some(vec![format!("CREATE OR REPLACE VIEW {rest}")])
}

/// ALTER SEQUENCE takes the clauses of CREATE SEQUENCE; what is not said stays as it is.
fn sequence(live: &str, archive: &str) -> Option<Vec<String>> {
    let said = |text: &str, clause: &str| text.contains(&format!("\n    {clause}"));
    if said(live, "AS ") != said(archive, "AS ") {
        return None;
    }
    let rest = archive.strip_prefix("CREATE SEQUENCE ")?;
    let (first, after) = rest.split_once(";\n")?;
    let cycle = match said(archive, "CYCLE") {
        true => "",
        false => "\n    NO CYCLE",
    };
    let mut statements = vec![format!("ALTER SEQUENCE {first}{cycle};")];
    statements.extend(after.lines().map(str::to_owned));
    Some(statements)
}

/// What stands after an index and is no part of it: what its table chose it for, and its statistics targets.
fn follows_an_index(line: &str) -> bool {
    let chosen = line.contains(REPLICA_IDENTITY) || line.contains(CLUSTER);
    line.starts_with("ALTER ") && (chosen || line.contains(TARGET))
}

const REPLICA_IDENTITY: &str = " REPLICA IDENTITY USING INDEX ";
const CLUSTER: &str = " CLUSTER ON ";
const TARGET: &str = " SET STATISTICS ";

/// Nothing differs but what follows it. What its table no longer chooses it for is [`released`] before.
fn index(live: &str, archive: &str) -> Option<Vec<String>> {
    let itself = |text: &str| -> String {
        let lines = text.lines().filter(|line| !follows_an_index(line));
        lines.collect()
    };
    if itself(live) != itself(archive) {
        return None;
    }
    let only = |one: &str, other: &str| -> Vec<String> {
        let mut lines: Vec<&str> = one.lines().filter(|line| follows_an_index(line)).collect();
        lines.retain(|line| !other.lines().any(|also| also == *line));
        lines.into_iter().map(str::to_owned).collect()
    };
    let targets = only(live, archive).into_iter();
    let mut made: Vec<String> = targets
        .filter_map(|line| Some(format!("{} SET STATISTICS -1;", line.split_once(TARGET)?.0)))
        .collect();
    made.extend(only(archive, live));
    Some(made)
}

/// What makes a table let go of an index that it had not chosen when the archive was taken. The choice would outlive the
/// index (pg_class.relreplident), and forbid updates of published tables then. It comes before everything else: the table's
/// own setting, or another index, is chosen after it.
pub(super) fn released(live: &str, archive: Option<&str>) -> Vec<String> {
    let lines = live.lines().filter(|line| follows_an_index(line));
    let gone =
        lines.filter(|line| !archive.is_some_and(|text| text.lines().any(|one| one == *line)));
    let let_go = gone.filter_map(|line| {
        let identity = line.split_once(REPLICA_IDENTITY);
        let cluster = line.split_once(CLUSTER);
        match (identity, cluster) {
            (Some((alter, _)), _) => Some(format!("{alter} REPLICA IDENTITY DEFAULT;")),
            (None, Some((alter, _))) => Some(format!("{alter} SET WITHOUT CLUSTER;")),
            (None, None) => None,
        }
    });
    let_go.collect()
}

/// An identity column's sequence, taken apart.
struct Identity<'a> {
    /// `ALTER TABLE … ALTER COLUMN …`
    alter: &'a str,
    /// ALWAYS or BY DEFAULT.
    how: &'a str,
    /// One parameter a line.
    parameters: &'a str,
    /// Whether it is logged, where that is not as its table is.
    rest: &'a str,
}

impl<'a> Identity<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (made, rest) = text.split_once("\n);\n")?;
        let (head, body) = made.split_once(" AS IDENTITY (\n    SEQUENCE NAME ")?;
        let (alter, how) = head.rsplit_once(" ADD GENERATED ")?;
        let (_, parameters) = body.split_once("\n    START WITH ")?;
        Some(Self {
            alter,
            how,
            parameters,
            rest,
        })
    }
}

fn identity(live: &str, archive: &str) -> Option<Vec<String>> {
    let (live, archive) = (Identity::parse(live)?, Identity::parse(archive)?);
    if live.alter != archive.alter || live.rest != archive.rest {
        return None;
    }
    let mut parameters: Vec<&str> = archive.parameters.lines().map(str::trim).collect();
    if !parameters.contains(&"CYCLE") {
        parameters.push("NO CYCLE");
    }
    let set = parameters.join(" SET ");
    let Identity { alter, how, .. } = archive;
    Some(vec![format!(
        "{alter} SET GENERATED {how} SET START WITH {set};"
    )])
}

/// What takes an identity column's sequence away and leaves the column.
pub(super) fn drop_identity(text: &str) -> Option<String> {
    let Identity { alter, .. } = Identity::parse(text)?;
    Some(format!("{alter} DROP IDENTITY IF EXISTS;"))
}

/// A CREATE TABLE and what follows it.
struct TableText<'a> {
    items: Vec<Item<'a>>,
    /// Between the items and the end of CREATE TABLE: PARTITION BY, WITH, TABLESPACE.
    clauses: &'a str,
    /// Each with its semicolon.
    statements: Vec<&'a str>,
}

/// One line of the list of columns and constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item<'a> {
    /// The column's or the constraint's name as it is quoted.
    name: &'a str,
    is_constraint: bool,
    text: &'a str,
}

impl<'a> TableText<'a> {
    /// None if the text is of another shape: a foreign or a typed table.
    fn parse(text: &'a str, head: &str) -> Option<Self> {
        let rest = text.strip_prefix(head)?.strip_prefix(" (\n")?;
        let (items, rest) = match rest.strip_prefix(')') {
            Some(rest) => ("", rest),
            None => rest.split_once("\n)")?,
        };
        let (clauses, statements) = rest.split_once(";\n")?;
        let items = items.strip_prefix("    ").unwrap_or(items);
        let items = items.split(",\n    ").filter(|item| !item.is_empty());
        Some(Self {
            items: items.map(Item::parse).collect::<Option<_>>()?,
            clauses,
            statements: statements.lines().collect(),
        })
    }

    fn find(&self, item: &Item<'_>) -> Option<&Item<'a>> {
        let mut items = self.items.iter();
        items.find(|one| one.name == item.name && one.is_constraint == item.is_constraint)
    }
}

impl<'a> Item<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // A not-null constraint of a column that stands in the parent (18).
        if text.starts_with("NOT NULL ") {
            return None;
        }
        let named = text.strip_prefix("CONSTRAINT ");
        Some(Self {
            name: first_name(named.unwrap_or(text)),
            is_constraint: named.is_some(),
            text,
        })
    }
}

/// A name at the start, quotes included.
fn first_name(text: &str) -> &str {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split(' ').next().unwrap_or(text);
    };
    let mut end = 0;
    let mut bytes = quoted.bytes().peekable();
    while let Some(byte) = bytes.next() {
        end += 1;
        if byte != b'"' {
            continue;
        }
        if bytes.peek() != Some(&b'"') {
            break;
        }
        bytes.next();
        end += 1;
    }
    &text[..=end]
}

fn table(live: &str, archive: &str, drop: &str) -> Option<Vec<String>> {
    let name = drop.strip_prefix("DROP TABLE ")?.strip_suffix(';')?;
    let head = match live.starts_with("CREATE UNLOGGED ") {
        true => format!("CREATE UNLOGGED TABLE {name}"),
        false => format!("CREATE TABLE {name}"),
    };
    let (live, archive) = (
        TableText::parse(live, &head)?,
        TableText::parse(archive, &head)?,
    );
    if !in_the_same_order(&live, &archive) {
        return None;
    }
    let mut made = Vec::new();
    let added = live.items.iter();
    for item in added.filter(|item| archive.find(item).is_none()) {
        made.push(match item.is_constraint {
            true => format!("ALTER TABLE {name} DROP CONSTRAINT {};", item.name),
            false => format!("ALTER TABLE {name} DROP COLUMN IF EXISTS {};", item.name),
        });
    }
    for item in &archive.items {
        match live.find(item) {
            Some(now) if now.text == item.text => {}
            Some(now) if !item.is_constraint => made.extend(column(name, now, item)?),
            found => {
                if found.is_some() {
                    made.push(format!("ALTER TABLE {name} DROP CONSTRAINT {};", item.name));
                }
                made.push(format!("ALTER TABLE {name} ADD {};", item.text));
            }
        }
    }
    made.extend(options(name, live.clauses, archive.clauses)?);
    made.extend(settings(&live, &archive)?);
    Some(made)
}

/// Whether the archive's columns are there, in the order that they had.
fn in_the_same_order(live: &TableText<'_>, archive: &TableText<'_>) -> bool {
    let mut left = live.items.iter().filter(|item| !item.is_constraint);
    let mut wanted = archive.items.iter().filter(|item| !item.is_constraint);
    wanted.all(|item| left.any(|one| one.name == item.name))
}

/// What follows a column's type.
#[derive(PartialEq, Eq)]
struct Rest<'a> {
    /// Type and collation.
    kind: &'a str,
    default: Option<&'a str>,
    not_null: bool,
}

impl<'a> Rest<'a> {
    fn of(item: &Item<'a>) -> Option<Self> {
        let text = item.text;
        if text.contains(" GENERATED ") {
            return None;
        }
        let (text, not_null) = match text.strip_suffix(" NOT NULL") {
            Some(text) => (text, true),
            None => (text, false),
        };
        // A named not-null constraint (18) is more than the flag.
        if text.contains(" CONSTRAINT ") || text.ends_with(" NO INHERIT") {
            return None;
        }
        let (kind, default) = match text.split_once(" DEFAULT ") {
            Some((kind, default)) => (kind, Some(default)),
            None => (text, None),
        };
        Some(Self {
            kind,
            default,
            not_null,
        })
    }
}

/// Default and NOT NULL; anything else about a column has its rows written anew.
fn column(table: &str, live: &Item<'_>, archive: &Item<'_>) -> Option<Vec<String>> {
    let (now, then) = (Rest::of(live)?, Rest::of(archive)?);
    if now.kind != then.kind {
        return None;
    }
    let name = archive.name;
    let mut made = Vec::new();
    if now.default != then.default {
        let alter = format!("ALTER TABLE ONLY {table} ALTER COLUMN {name}");
        made.push(match then.default {
            Some(default) => format!("{alter} SET DEFAULT {default};"),
            None => format!("{alter} DROP DEFAULT;"),
        });
    }
    if now.not_null != then.not_null {
        let word = if then.not_null { "SET" } else { "DROP" };
        made.push(format!(
            "ALTER TABLE {table} ALTER COLUMN {name} {word} NOT NULL;"
        ));
    }
    Some(made)
}

/// Storage parameters, if nothing else about the clauses differs.
fn options(table: &str, live: &str, archive: &str) -> Option<Vec<String>> {
    if live == archive {
        return Some(Vec::new());
    }
    let with = |text: &str| -> Option<String> {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("WITH ("))?;
        line.strip_suffix(')').map(str::to_owned)
    };
    let others = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("WITH ("));
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    if others(live) != others(archive) || live.contains("PARTITION BY") {
        return None;
    }
    let mut made = Vec::new();
    if let Some(now) = with(live) {
        let keys = now
            .split(", ")
            .map(|one| one.split('=').next().unwrap_or(one));
        let keys: Vec<&str> = keys.collect();
        made.push(format!(
            "ALTER TABLE ONLY {table} RESET ({});",
            keys.join(", ")
        ));
    }
    if let Some(then) = with(archive) {
        made.push(format!("ALTER TABLE ONLY {table} SET ({then});"));
    }
    Some(made)
}

/// Statements after CREATE TABLE: the archive's are run again, the others need an opposite.
fn settings(live: &TableText<'_>, archive: &TableText<'_>) -> Option<Vec<String>> {
    let added = live
        .items
        .iter()
        .filter(|item| archive.find(item).is_none());
    let of_added: Vec<String> = added
        .map(|item| format!(" ALTER COLUMN {} ", item.name))
        .collect();
    let mut made = Vec::new();
    let news = live.statements.iter();
    for statement in news.filter(|one| !archive.statements.contains(one)) {
        if of_added.iter().any(|column| statement.contains(column)) {
            continue;
        }
        made.extend(opposite(statement)?);
    }
    let missing = archive.statements.iter();
    let missing = missing.filter(|one| !live.statements.contains(one));
    made.extend(missing.map(|&one| one.to_owned()));
    Some(made)
}

/// What takes a setting back to how CREATE TABLE leaves it; nothing to do is an answer, too.
fn opposite(statement: &str) -> Option<Option<String>> {
    let before = |word: &str| statement.split_once(word).map(|(before, _)| before);
    if gives_away(statement) {
        // The archive's line about the owner follows.
        return Some(None);
    }
    if let Some(alter) = before(" SET STATISTICS ") {
        return Some(Some(format!("{alter} SET STATISTICS -1;")));
    }
    if let Some(alter) = before(" REPLICA IDENTITY ") {
        return Some(Some(format!("{alter} REPLICA IDENTITY DEFAULT;")));
    }
    let alter = before(" FORCE ROW LEVEL SECURITY;")?;
    Some(Some(format!("{alter} NO FORCE ROW LEVEL SECURITY;")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_a_table_chose_is_let_go_and_not_made_again() {
        let plain = "CREATE UNIQUE INDEX i ON s.t USING btree (a);\n";
        let chosen = format!(
            "{plain}ALTER TABLE s.t CLUSTER ON i;\nALTER INDEX s.i ALTER COLUMN 1 SET STATISTICS 7;\n\
             ALTER TABLE ONLY s.t REPLICA IDENTITY USING INDEX i;\n"
        );
        let back = in_place(Kind::Index, &chosen, plain, None).unwrap();
        assert_eq!(back, ["ALTER INDEX s.i ALTER COLUMN 1 SET STATISTICS -1;"]);
        assert_eq!(
            released(&chosen, Some(plain)),
            [
                "ALTER TABLE s.t SET WITHOUT CLUSTER;",
                "ALTER TABLE ONLY s.t REPLICA IDENTITY DEFAULT;"
            ]
        );
        assert_eq!(released(&chosen, None).len(), 2);
        assert!(released(&chosen, Some(&chosen)).is_empty());
        let again = in_place(Kind::Index, plain, &chosen, None).unwrap();
        assert_eq!(again.len(), 3);
        assert!(in_place(Kind::Index, &plain.replace("(a)", "(b)"), &chosen, None).is_none());
    }

    const BEFORE: &str = "CREATE TABLE shop.t (\n    id integer NOT NULL,\n    \"a \"\"b\" text DEFAULT 'x'::text,\n    n numeric(4,2)\n)\nWITH (fillfactor=70);\nALTER TABLE shop.t OWNER TO app;\n";

    fn mended(after: &str) -> Option<Vec<String>> {
        in_place(Kind::Table, after, BEFORE, Some("DROP TABLE shop.t;"))
    }

    #[test]
    fn an_added_column_is_dropped() {
        let after = BEFORE.replace(
            "n numeric(4,2)\n",
            "n numeric(4,2),\n    \"new, one\" text,\n    CONSTRAINT c CHECK ((n > (0)::numeric))\n",
        );
        assert_eq!(
            mended(&after).unwrap(),
            [
                "ALTER TABLE shop.t DROP COLUMN IF EXISTS \"new, one\";",
                "ALTER TABLE shop.t DROP CONSTRAINT c;"
            ]
        );
    }

    #[test]
    fn defaults_not_null_and_parameters_are_set_back() {
        let after = BEFORE
            .replace("id integer NOT NULL", "id integer")
            .replace("DEFAULT 'x'::text", "DEFAULT 'y'::text NOT NULL")
            .replace("fillfactor=70", "autovacuum_enabled=false");
        assert_eq!(
            mended(&after).unwrap(),
            [
                "ALTER TABLE shop.t ALTER COLUMN id SET NOT NULL;",
                "ALTER TABLE ONLY shop.t ALTER COLUMN \"a \"\"b\" SET DEFAULT 'x'::text;",
                "ALTER TABLE shop.t ALTER COLUMN \"a \"\"b\" DROP NOT NULL;",
                "ALTER TABLE ONLY shop.t RESET (autovacuum_enabled);",
                "ALTER TABLE ONLY shop.t SET (fillfactor=70);"
            ]
        );
    }

    #[test]
    fn what_writes_rows_anew_has_no_answer() {
        for (from, to) in [
            ("id integer", "id bigint"),
            ("    n numeric(4,2)\n", ""),
            ("CREATE TABLE", "CREATE UNLOGGED TABLE"),
            (
                "n numeric(4,2)",
                "n numeric(4,2) GENERATED ALWAYS AS (1) STORED",
            ),
        ] {
            let after = BEFORE.replace(from, to).replace(",\n)", "\n)");
            assert_eq!(mended(&after), None, "{to}");
        }
        let swapped = "CREATE TABLE shop.t (\n    n numeric(4,2),\n    id integer NOT NULL,\n    \"a \"\"b\" text DEFAULT 'x'::text\n)\nWITH (fillfactor=70);\nALTER TABLE shop.t OWNER TO app;\n";
        assert_eq!(mended(swapped), None);
    }

    #[test]
    fn owners_alone_are_given_back_whatever_the_kind() {
        let after = BEFORE.replace("TO app", "TO reader");
        let mended = in_place(Kind::Domain, &after, BEFORE, None);
        assert_eq!(mended.unwrap(), ["ALTER TABLE shop.t OWNER TO app;"]);
    }

    #[test]
    fn a_sequence_takes_all_its_clauses() {
        let before = "CREATE SEQUENCE s.q\n    START WITH 1\n    CACHE 1;\nALTER SEQUENCE s.q OWNER TO app;\n";
        let after = before.replace("CACHE 1", "CACHE 9\n    CYCLE");
        assert_eq!(
            in_place(Kind::Sequence, &after, before, None).unwrap(),
            [
                "ALTER SEQUENCE s.q\n    START WITH 1\n    CACHE 1\n    NO CYCLE;",
                "ALTER SEQUENCE s.q OWNER TO app;"
            ]
        );
    }

    #[test]
    fn an_identity_takes_its_parameters_or_goes() {
        let before = "ALTER TABLE s.t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (\n    SEQUENCE NAME s.t_id_seq\n    START WITH 1\n    INCREMENT BY 1\n    CACHE 1\n);\n";
        let after = before
            .replace("ALWAYS", "BY DEFAULT")
            .replace("CACHE 1", "CACHE 9\n    CYCLE");
        assert_eq!(
            in_place(Kind::Sequence, &after, before, None).unwrap(),
            [
                "ALTER TABLE s.t ALTER COLUMN id SET GENERATED ALWAYS SET START WITH 1 SET INCREMENT BY 1 SET CACHE 1 SET NO CYCLE;"
            ]
        );
        assert_eq!(
            drop_identity(&after).unwrap(),
            "ALTER TABLE s.t ALTER COLUMN id DROP IDENTITY IF EXISTS;"
        );
        let serial = "CREATE SEQUENCE s.t_id_seq\n    AS integer\n    START WITH 1;\n";
        assert_eq!(in_place(Kind::Sequence, &after, serial, None), None);
    }

    #[test]
    fn names_end_where_their_quotes_end() {
        assert_eq!(first_name("id integer"), "id");
        assert_eq!(first_name("\"a \"\"b\" text"), "\"a \"\"b\"");
        assert_eq!(first_name("\"x\""), "\"x\"");
    }
}
