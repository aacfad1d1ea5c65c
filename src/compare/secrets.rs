//! Passwords inside definitions, masked before a difference or a schema is shown.
//!
//! The definitions are ours (`sql/kinds/`), so their literals can be found by their quotes: the
//! connection of a subscription, and options whose names say that they are secret. What cannot be
//! taken apart is masked as a whole.

/// Stands for what is not shown.
const MASK: &str = "***";

/// Words in an option's name that make its value a secret.
const SECRET_WORDS: [&str; 5] = ["pass", "secret", "token", "key", "credential"];

/// An entry's text as it may be shown; the text itself for kinds that hold no secret.
pub fn masked(kind: &str, text: &str) -> String {
    let bears_secrets = matches!(
        kind,
        "SUBSCRIPTION" | "USER MAPPING" | "SERVER" | "FOREIGN DATA WRAPPER" | "FOREIGN TABLE"
    );
    if !bears_secrets {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['\'', '"']) {
        let end = start
            + quoted_length(
                &rest[start..],
                shown.ends_with('E') || rest[..start].ends_with('E'),
            );
        shown.push_str(&rest[..start]);
        let quoted = &rest[start..end];
        let word = last_word(&shown);
        if quoted.starts_with('"') {
            shown.push_str(quoted);
        } else if word == "connection" {
            shown.push_str(&connection(quoted));
        } else if SECRET_WORDS.iter().any(|secret| word.contains(secret)) {
            shown.push_str(&format!("'{MASK}'"));
        } else {
            shown.push_str(quoted);
        }
        rest = &rest[end..];
    }
    shown.push_str(rest);
    shown
}

/// Length of the quoted name or literal that `text` begins with, both quotes included; all of it
/// when it does not end.
fn quoted_length(text: &str, has_escapes: bool) -> usize {
    let quote = text.as_bytes().first().copied().unwrap_or(b'\'');
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == b'\\' && has_escapes && quote == b'\'' {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    text.len()
}

/// The word before a literal, in lower case; a quoted one whole, an escape's `E` left out.
fn last_word(before: &str) -> String {
    let before = before
        .strip_suffix(" E")
        .map_or(before, str::trim_end)
        .trim_end();
    let word = match before.strip_suffix('"') {
        Some(inside) => inside.rsplit('"').next(),
        None => before.rsplit([' ', '(', ',']).next(),
    };
    word.unwrap_or_default().to_lowercase()
}

/// A literal that holds a connection string: `key=value` pairs with the secret ones masked.
fn connection(literal: &str) -> String {
    let lower = literal.to_lowercase();
    // A URI, or a value with quotes or escapes of its own, is not taken apart.
    let simple =
        !lower.contains("://") && !literal[1..].trim_end_matches('\'').contains(['\'', '\\']);
    if !simple || lower.contains(" =") || lower.contains("= ") {
        return format!("'{MASK}'");
    }
    let inside = literal.trim_matches('\'');
    let pairs = inside
        .split_ascii_whitespace()
        .map(|pair| match pair.split_once('=') {
            Some((key, _))
                if SECRET_WORDS
                    .iter()
                    .any(|secret| key.to_lowercase().contains(secret)) =>
            {
                format!("{key}={MASK}")
            }
            _ => pair.to_owned(),
        });
    format!("'{}'", pairs.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_nothing_else_is() {
        for (kind, text, shown) in [
            (
                "SUBSCRIPTION",
                "CREATE SUBSCRIPTION s CONNECTION 'host=h password=geheim port=1' PUBLICATION p WITH (slot_name = 'x');",
                "CREATE SUBSCRIPTION s CONNECTION 'host=h password=*** port=1' PUBLICATION p WITH (slot_name = 'x');",
            ),
            (
                "SUBSCRIPTION",
                "CREATE SUBSCRIPTION \"a'b\" CONNECTION E'host=h password=''ge heim\\\\'' port=1' PUBLICATION p;",
                "CREATE SUBSCRIPTION \"a'b\" CONNECTION E'***' PUBLICATION p;",
            ),
            (
                "SUBSCRIPTION",
                "CONNECTION 'postgresql://u:geheim@h/d' PUBLICATION p",
                "CONNECTION '***' PUBLICATION p",
            ),
            (
                "SUBSCRIPTION",
                "CONNECTION 'password = geheim' PUBLICATION p",
                "CONNECTION '***' PUBLICATION p",
            ),
            (
                "USER MAPPING",
                "CREATE USER MAPPING FOR u SERVER s OPTIONS (\"user\" 'u', password 'ge''heim', \"My Token\" E'a\\'b', x 'y');",
                "CREATE USER MAPPING FOR u SERVER s OPTIONS (\"user\" 'u', password '***', \"My Token\" E'***', x 'y');",
            ),
            (
                "TABLE",
                "CREATE TABLE t (a text DEFAULT 'password');",
                "CREATE TABLE t (a text DEFAULT 'password');",
            ),
            (
                "SERVER",
                "OPTIONS (password 'never ends",
                "OPTIONS (password '***'",
            ),
        ] {
            assert_eq!(masked(kind, text), shown);
        }
    }
}
