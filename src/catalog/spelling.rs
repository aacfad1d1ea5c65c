//! Expressions as the server writes them after it has read its own words.
//!
//! The server keeps an expression as it understood it, and writes it in words that are not always understood
//! the same way: what it makes of them is equal in meaning and other in shape. Two cases are known (PostgreSQL 13 to 18):
//!
//! - a list of constants that was cast as a whole, `(ARRAY['a'::varchar, …])::text[]`, comes back with each element
//!   cast, `ARRAY[('a'::varchar)::text, …]`: what `varchar_column IN ('a', …)` becomes;
//! - a constant in a list of values to select that has no name, `(SELECT 'a'::text)`, comes back with the name of its type,
//!   `(SELECT 'a'::text AS text)`.
//!
//! So a database that was restored tells them otherwise than the one that was backed up, and both are compared in
//! the second form. Quoted text, names and function bodies are passed over.

use std::borrow::Cow;

/// Levels of lists in lists; what is deeper stays as it is.
const DEEPEST: usize = 32;

/// The text in the form that the server comes to after reading it.
pub(super) fn settled(text: &str) -> Cow<'_, str> {
    let may_differ =
        text.contains("(ARRAY[") || NAMES.iter().any(|(_, named)| text.contains(named));
    if !may_differ {
        return Cow::Borrowed(text);
    }
    Cow::Owned(unnamed(&spread(text, 0)))
}

/// What a constant without a name is called after its type, and how that is written.
const NAMES: [(&str, &str); 2] = [
    ("::text", "::text AS text"),
    ("::unknown", "::unknown AS unknown"),
];

/// Without the names that only say the type of a constant.
fn unnamed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let name = NAMES
            .iter()
            .find(|(_, named)| is_named_constant(rest, named, &out));
        if let Some((cast, named)) = name {
            out.push_str(cast);
            at += named.len();
            continue;
        }
        let step = quoted(rest).unwrap_or_else(|| next_character(rest));
        out.push_str(&rest[..step]);
        at += step;
    }
    out
}

/// Whether a cast with its name begins here, behind a constant, and the name ends where it should.
fn is_named_constant(rest: &str, named: &str, before: &str) -> bool {
    let ends = |tail: &str| {
        !tail.starts_with(|next: char| next.is_alphanumeric() || "_$\"".contains(next))
    };
    rest.strip_prefix(named).is_some_and(ends)
        && (before.ends_with('\'') || before.ends_with("NULL"))
}

/// With casts of whole lists spread over their elements.
fn spread(text: &str, depth: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if depth < DEEPEST
            && let Some(list) = CastList::at(rest)
        {
            out.push_str("ARRAY[");
            for (place, element) in list.elements.iter().enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                let element = spread(element, depth + 1);
                out.push_str(&format!("{comma}({element})::{}", list.element_type));
            }
            out.push(']');
            at += list.length;
            continue;
        }
        let step = quoted(rest).unwrap_or_else(|| next_character(rest));
        out.push_str(&rest[..step]);
        at += step;
    }
    out
}

/// `(ARRAY[e, …])::type[]` at the beginning of a text.
struct CastList<'a> {
    elements: Vec<&'a str>,
    element_type: &'a str,
    length: usize,
}

impl<'a> CastList<'a> {
    fn at(text: &'a str) -> Option<Self> {
        let list = text.strip_prefix("(ARRAY[")?;
        let (elements, end) = elements(list)?;
        let after = list[end..].strip_prefix("])::")?;
        let type_length = type_length(after)?;
        let tail = after[type_length..].strip_prefix("[]")?;
        if tail.starts_with('[') {
            return None; // Of more dimensions: never written for a list of constants.
        }
        Some(Self {
            elements,
            element_type: &after[..type_length],
            length: text.len() - tail.len(),
        })
    }
}

/// The elements up to the `]` of their list, and where that is; none if it is empty or has no end.
fn elements(list: &str) -> Option<(Vec<&str>, usize)> {
    let (mut elements, mut depth, mut begin, mut at) = (Vec::new(), 0_usize, 0, 0);
    while at < list.len() {
        let rest = &list[at..];
        if let Some(step) = quoted(rest) {
            at += step;
            continue;
        }
        match rest.as_bytes()[0] {
            b'(' | b'[' => depth += 1,
            b']' if depth == 0 => {
                elements.push(&list[begin..at]);
                return (at > 0).then_some((elements, at));
            }
            b')' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                elements.push(&list[begin..at]);
                begin = at + 2; // The server writes a blank behind it.
                at += 1;
            }
            _ => {}
        }
        at += next_character(&list[at..]);
    }
    None
}

/// The length of a type's name: words, dots, quoted names and numbers in parentheses.
fn type_length(text: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        at += match rest.as_bytes()[0] {
            b'"' => quoted(rest)?,
            b'(' => rest.find(')')? + 1,
            b'[' => break,
            byte if byte.is_ascii_alphanumeric() || b"_ .$".contains(&byte) || byte >= 0x80 => {
                next_character(rest)
            }
            _ => return None,
        };
    }
    (at > 0).then_some(at)
}

/// The length of what is quoted at the beginning of a text: a string, a name, or a body in dollars; none if nothing is.
pub(super) fn quoted(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'E' if bytes.get(1) == Some(&b'\'') => Some(1 + string_length(&text[1..], true)),
        b'\'' => Some(string_length(text, false)),
        b'"' => Some(doubled_length(text, b'"')),
        b'$' => dollars_length(text),
        // A name is taken as a whole: an E or a dollar inside it begins nothing.
        byte if byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80 => {
            let word = text.find(|next: char| !(next.is_alphanumeric() || "_$".contains(next)));
            Some(word.unwrap_or(text.len()))
        }
        _ => None,
    }
}

fn string_length(text: &str, escapes: bool) -> usize {
    if !escapes {
        return doubled_length(text, b'\'');
    }
    let (bytes, mut at) = (text.as_bytes(), 1);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', _) | (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn doubled_length(text: &str, quote: u8) -> usize {
    let (bytes, mut at) = (text.as_bytes(), 1);
    while at < bytes.len() {
        match (bytes[at] == quote, bytes.get(at + 1) == Some(&quote)) {
            (true, true) => at += 2,
            (true, false) => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn dollars_length(text: &str) -> Option<usize> {
    let tag = 2 + text[1..].find('$')?;
    let is_tag = |tag: &str| tag.chars().all(|one| one.is_alphanumeric() || one == '_');
    if !is_tag(&text[1..tag - 1]) {
        return None;
    }
    let end = text[tag..].find(&text[..tag])?;
    Some(tag + end + tag)
}

pub(super) fn next_character(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cast_of_a_list_is_a_cast_of_its_elements() {
        let table = [
            (
                "CHECK (((status)::text = ANY ((ARRAY['new'::character varying, 'paid'::character varying])::text[])))",
                "CHECK (((status)::text = ANY (ARRAY[('new'::character varying)::text, ('paid'::character varying)::text])))",
            ),
            (
                "((ARRAY['a, ]'::character varying(9), f(b, ARRAY[1, 2])])::\"My\".\"T\"\"x\"[])",
                "(ARRAY[('a, ]'::character varying(9))::\"My\".\"T\"\"x\", (f(b, ARRAY[1, 2]))::\"My\".\"T\"\"x\"])",
            ),
            (
                "(ARRAY[1, 2])::numeric(10,2)[]",
                "ARRAY[(1)::numeric(10,2), (2)::numeric(10,2)]",
            ),
            (
                "(ARRAY[((ARRAY['a'::character varying])::text[])[1], E'\\'(ARRAY['])::text[]",
                "ARRAY[((ARRAY[('a'::character varying)::text])[1])::text, (E'\\'(ARRAY[')::text]",
            ),
        ];
        for (before, after) in table {
            assert_eq!(settled(before), after);
            assert_eq!(settled(after), after);
        }
    }

    #[test]
    fn a_constants_own_name_is_left_out_and_others_stay() {
        let table = [
            (
                "EXISTS ( SELECT 'x'::text AS text)",
                "EXISTS ( SELECT 'x'::text)",
            ),
            (
                "SELECT NULL::unknown AS unknown, a",
                "SELECT NULL::unknown, a",
            ),
            ("SELECT (a)::text AS text", "SELECT (a)::text AS text"),
            ("SELECT 'x'::text AS text_of", "SELECT 'x'::text AS text_of"),
            (
                "SELECT 'x'::text AS \"text\"",
                "SELECT 'x'::text AS \"text\"",
            ),
        ];
        for (before, after) in table {
            assert_eq!(settled(before), after);
        }
    }

    #[test]
    fn quoted_words_are_nobodys_expressions() {
        for text in [
            "'(ARRAY[1])::text[]'",
            "\"(ARRAY[1])::text[]\"",
            "$f$ SELECT 'x'::text AS text; (ARRAY[1])::text[] $f$",
            "(ARRAY[])::text[]",
            "(ARRAY[1",
            "(ARRAY[1])::",
        ] {
            assert_eq!(settled(text), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_settles_at_once(text in "[(ARAY\\[\\]):text, '\"$E\\\\ü1]{0,60}") {
            let once = settled(&text).into_owned();
            prop_assert_eq!(settled(&once).into_owned(), once.clone());
        }

        #[test]
        fn elements_are_kept_whatever_they_are(elements in proptest::collection::vec("'[a-z,\\[\\]()\"]{0,8}'", 1..5)) {
            let list = elements.join(", ");
            let casts: Vec<String> = elements.iter().map(|one| format!("({one})::text")).collect();
            let expected = format!("x (ARRAY[{}]) y", casts.join(", "));
            let given = format!("x ((ARRAY[{list}])::text[]) y");
            prop_assert_eq!(settled(&given).into_owned(), expected);
        }
    }
}
