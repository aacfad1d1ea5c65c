//! The table `[tool.alembic]` of a pyproject.toml (alembic 1.16 and newer).
//!
//! Reads the forms that people write: strings, lists of strings and booleans. Another form of a
//! value is kept as [`Value::Other`] and makes the reading uncertain where it matters.

use std::collections::BTreeMap;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// A boolean.
    Flag(bool),
    /// Anything else.
    Other,
}

/// The table's values by key; `None` if the file has no such table.
pub(super) fn parse(text: &str) -> Option<BTreeMap<String, Value>> {
    let mut lines = text.lines().skip_while(|line| !is_our_header(line));
    lines.next()?;
    let mut values = BTreeMap::new();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.starts_with('[') {
            break;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let mut value = value.trim().to_owned();
        while is_open(&value) {
            let Some(next) = lines.next() else { break };
            value.push('\n');
            value.push_str(next.trim());
        }
        let key = key.trim().trim_matches(['"', '\'']).to_owned();
        values.insert(key, value_of(&value));
    }
    Some(values)
}

fn is_our_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default().trim();
    let Some(inner) = line
        .strip_prefix('[')
        .and_then(|line| line.strip_suffix(']'))
    else {
        return false;
    };
    let mut parts = inner
        .split('.')
        .map(|part| part.trim().trim_matches(['"', '\'']));
    (parts.next(), parts.next(), parts.next()) == (Some("tool"), Some("alembic"), None)
}

/// A list whose bracket is not closed yet.
fn is_open(value: &str) -> bool {
    value.starts_with('[') && items(value).is_none()
}

fn value_of(value: &str) -> Value {
    if let Some(list) = items(value) {
        return list.map_or(Value::Other, Value::List);
    }
    match value.split(['#', ' ']).next().unwrap_or_default() {
        "true" => return Value::Flag(true),
        "false" => return Value::Flag(false),
        _ => {}
    }
    match string(value) {
        Some((Some(text), _)) => Value::Text(text),
        _ => Value::Other,
    }
}

/// A closed list's strings; the inner `None` if it holds something else.
fn items(value: &str) -> Option<Option<Vec<String>>> {
    let mut rest = value.strip_prefix('[')?;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', ',']);
        if rest.starts_with('#') {
            rest = rest.split_once('\n')?.1;
        } else if rest.starts_with(']') {
            return Some(Some(found));
        } else if rest.is_empty() {
            return None;
        } else {
            match string(rest) {
                Some((Some(text), after)) => {
                    found.push(text);
                    rest = after;
                }
                _ => return rest.contains(']').then_some(None),
            }
        }
    }
}

/// A leading one-line string and what follows; its value is unknown with rare escapes.
fn string(text: &str) -> Option<(Option<String>, &str)> {
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let body = &text[1..];
    if body.starts_with(quote) && body[1..].starts_with(quote) {
        return None;
    }
    if quote == '\'' {
        let (value, after) = body.split_once('\'')?;
        return Some((Some(value.to_owned()), after));
    }
    let mut end = 0;
    let bytes = body.as_bytes();
    while *bytes.get(end)? != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    let raw = &body[..end];
    let value = raw.replace("\\\\", "\\").replace("\\\"", "\"");
    let plain = !raw.replace("\\\\", "").replace("\\\"", "").contains('\\');
    Some((plain.then_some(value), &body[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let text = "[project]\nname = \"x\"\n[tool.alembic] # here\nscript_location = \"%(here)s/migrations\"\n\
                    version_locations = [\n  \"a\", # first\n  'b',\n]\nrecursive_version_locations = true\n\
                    odd = 3\n[[tool.alembic.post_write_hooks]]\nname = \"ruff\"\n";
        let values = parse(text).unwrap();
        assert_eq!(
            values["script_location"],
            Value::Text("%(here)s/migrations".into())
        );
        assert_eq!(
            values["version_locations"],
            Value::List(vec!["a".into(), "b".into()])
        );
        assert_eq!(values["recursive_version_locations"], Value::Flag(true));
        assert_eq!(values["odd"], Value::Other);
        assert_eq!(values.len(), 4);
        assert_eq!(parse("[tool.other]\n"), None);
    }
}
