//! References to other variables that were left in a value: found, or expanded on request.
//!
//! `${NAME}` is always a reference, with Compose's `${NAME:-default}`, `${NAME-default}`,
//! `${NAME:?}` and `${NAME?}`. A bare `$NAME` is one only where it is the whole value or the whole
//! password of a URL and looks like a variable's name: passwords hold dollars.

/// Values may refer to values that refer to others; deeper than this is a circle.
const DEPTH_LIMIT: usize = 16;

/// A reference and where it stands in the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Byte range of the whole reference.
    pub range: std::ops::Range<usize>,
    /// The variable's name.
    pub name: String,
    /// What counts when the variable is absent.
    fallback: Option<String>,
    /// Whether an empty variable counts as absent (`:-`).
    empty_is_absent: bool,
}

impl Reference {
    /// As written, without its default, which could be a secret.
    pub fn shown(&self) -> String {
        format!("${{{}}}", self.name)
    }
}

/// Why expanding failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The variable is set nowhere.
    Missing(String),
    /// Variables refer to each other in a circle.
    Circle(String),
}

/// The first reference at or after `from`.
pub(super) fn first(value: &str, from: usize) -> Option<Reference> {
    let mut at = from;
    while let Some(found) = value[at..].find("${") {
        let start = at + found;
        if let Some(reference) = braced(value, start) {
            return Some(reference);
        }
        at = start + 2;
    }
    (from == 0).then(|| bare(value)).flatten()
}

/// `${NAME…}` at `start`.
fn braced(value: &str, start: usize) -> Option<Reference> {
    let inside = &value[start + 2..];
    let name_length = inside
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(inside.len());
    let end = closing(inside)?;
    let name = &inside[..name_length];
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || end < name_length {
        return None;
    }
    let operator = &inside[name_length..end];
    let (fallback, empty_is_absent) = match operator {
        "" => (None, false),
        _ if operator.starts_with(":-") => (Some(operator[2..].to_owned()), true),
        _ if operator.starts_with('-') => (Some(operator[1..].to_owned()), false),
        _ if operator.starts_with(":?") => (None, true),
        _ if operator.starts_with('?') => (None, false),
        _ => return None,
    };
    Some(Reference {
        range: start..start + 2 + end + 1,
        name: name.to_owned(),
        fallback,
        empty_is_absent,
    })
}

/// Offset of the brace that closes, nested references counted.
fn closing(inside: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `$NAME` as the whole value, or as the whole password of a URL.
fn bare(value: &str) -> Option<Reference> {
    let (start, end) = match value.split_once("://") {
        None => (0, value.len()),
        Some((scheme, rest)) => {
            let at = rest.find('@')?;
            let colon = rest[..at].find(':')?;
            let offset = scheme.len() + 3;
            (offset + colon + 1, offset + at)
        }
    };
    let name = value[start..end].strip_prefix('$')?;
    let clear = name.contains('_')
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    clear.then(|| Reference {
        range: start..end,
        name: name.to_owned(),
        fallback: None,
        empty_is_absent: false,
    })
}

/// Replaces every reference. What stands in the password slot of a URL is percent-encoded, so
/// that a password with `@` or `/` arrives as what it is.
pub(super) fn expand(
    value: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Trouble> {
    expand_to(value, lookup, 0)
}

fn expand_to(
    value: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, Trouble> {
    let mut text = String::new();
    let mut position = 0;
    while let Some(reference) = first(value, position) {
        if depth >= DEPTH_LIMIT {
            return Err(Trouble::Circle(reference.name));
        }
        text.push_str(&value[position..reference.range.start]);
        let found =
            lookup(&reference.name).filter(|v| !(reference.empty_is_absent && v.is_empty()));
        let raw = found
            .or(reference.fallback)
            .ok_or_else(|| Trouble::Missing(reference.name.clone()))?;
        let expanded = expand_to(&raw, lookup, depth + 1)?;
        match in_password(&text) {
            true => text.push_str(&crate::pg::handover::encoded(&expanded)),
            false => text.push_str(&expanded),
        }
        position = reference.range.end;
    }
    text.push_str(&value[position..]);
    Ok(text)
}

/// Whether text that ends here is inside the password of a URL.
fn in_password(before: &str) -> bool {
    before
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains(':') && !rest.contains(['@', '/', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        let value = match name {
            "PW" => "p@ss/w",
            "HOST" => "db",
            "EMPTY" => "",
            "DB_PASSWORD" => "secret",
            "A" => "${B}",
            "B" => "${A}",
            "DEEP" => "x${HOST}",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn finds_references_only() {
        for (value, name) in [
            ("${PW}", Some("PW")),
            ("a${PW}b", Some("PW")),
            ("${PW:-x}", Some("PW")),
            ("${PW:?must}", Some("PW")),
            (
                "postgresql://u:${POSTGRES_PASSWORD}@h/d",
                Some("POSTGRES_PASSWORD"),
            ),
            ("$DB_PASSWORD", Some("DB_PASSWORD")),
            ("postgresql://u:$DB_PASSWORD@h/d", Some("DB_PASSWORD")),
            ("pa$$word", None),
            ("$ecret_x", None),
            ("$SECRET", None),
            ("x$DB_PASSWORD", None),
            ("${}", None),
            ("${1x}", None),
            ("${PW", None),
            ("${PW/x/y}", None),
        ] {
            let found = first(value, 0).map(|r| r.name);
            assert_eq!(found.as_deref(), name, "{value}");
        }
    }

    #[test]
    fn the_default_of_a_reference_is_not_shown() {
        assert_eq!(first("${PW:-hunter2}", 0).unwrap().shown(), "${PW}");
    }

    #[test]
    fn expands_as_compose_does() {
        for (value, expanded) in [
            ("${HOST}", "db"),
            ("a${HOST}b${HOST}", "adbbdb"),
            ("${NONE:-x}", "x"),
            ("${NONE-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${NONE:-${HOST}}", "db"),
            ("${DEEP}", "xdb"),
            ("$DB_PASSWORD", "secret"),
            ("p$x", "p$x"),
        ] {
            assert_eq!(expand(value, &lookup).unwrap(), expanded, "{value}");
        }
    }

    #[test]
    fn a_password_is_encoded_for_its_url() {
        let url = expand("postgresql://u:${PW}@${HOST}:5432/d", &lookup).unwrap();
        assert_eq!(url, "postgresql://u:p%40ss%2Fw@db:5432/d");
        let halves = expand("postgresql://u:x${PW}y@${HOST}/d", &lookup).unwrap();
        assert_eq!(halves, "postgresql://u:xp%40ss%2Fwy@db/d");
    }

    #[test]
    fn trouble_is_named() {
        assert_eq!(
            expand("${NONE}", &lookup),
            Err(Trouble::Missing("NONE".into()))
        );
        assert_eq!(
            expand("${EMPTY:?}", &lookup),
            Err(Trouble::Missing("EMPTY".into()))
        );
        assert!(matches!(expand("${A}", &lookup), Err(Trouble::Circle(_))));
    }
}
