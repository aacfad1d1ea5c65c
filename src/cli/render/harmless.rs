//! Text for a person's screen in which nothing of a database acts on the terminal.
//!
//! A name, a comment or a server's message may hold escape sequences that move the cursor, set the
//! window's title or hide what follows, and characters that turn the direction of writing. They are
//! shown as `\u{…}`. Colours (SGR) are ours, or the migration tool's, and stay where asked for.
//! JSON escapes by itself.

use std::borrow::Cow;

/// The text with control and direction characters written out; tabs and line breaks stay.
pub(crate) fn harmless(text: &str, keep_colours: bool) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(acts) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if keep_colours { colour(rest) } else { 0 };
        if length > 0 {
            shown.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let mut characters = rest.chars();
        shown.extend(characters.next().into_iter().flat_map(char::escape_unicode));
        rest = characters.as_str();
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether a terminal does something else with it than showing it.
fn acts(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => true,
        '\u{feff}' => true,
        other => other.is_control(),
    }
}

/// Length of the SGR sequence at the front, 0 if there is none: ESC, `[`, digits and `;`, `m`.
fn colour(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';');
    match end {
        Some(end) if parameters[end..].starts_with('m') => "\u{1b}[".len() + end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_acts_on_the_terminal() {
        let name = "a\u{1b}]0;title\u{7}b\u{1b}[2Jc\u{9b}31md\re\u{202e}f\u{7f}";
        let shown = harmless(name, true);
        assert_eq!(
            shown,
            "a\\u{1b}]0;title\\u{7}b\\u{1b}[2Jc\\u{9b}31md\\u{d}e\\u{202e}f\\u{7f}"
        );
        assert!(!shown.contains(char::is_control));
    }

    #[test]
    fn colours_stay_where_asked_for_and_plain_text_always() {
        let red = "\u{1b}[1;31mred\u{1b}[0m";
        assert_eq!(harmless(red, true), red);
        assert_eq!(harmless(red, false), "\\u{1b}[1;31mred\\u{1b}[0m");
        assert_eq!(
            harmless("Tabelle \"größe\"\tx\n", false),
            "Tabelle \"größe\"\tx\n"
        );
        assert_eq!(harmless("\u{1b}[31", true), "\\u{1b}[31");
    }
}
