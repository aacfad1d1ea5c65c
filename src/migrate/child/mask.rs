//! Takes secrets out of text, in the forms that tools print them.
//!
//! SQLAlchemy and libpq show a password raw, percent-encoded (its several dialects) or inside a
//! Python or JSON string. Longer forms are replaced first, so that no rest of a secret remains.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::pg::Secret;

/// What stands where a secret was.
const STARS: &str = "***";
/// A password of small letters up to this length may be an ordinary word (`postgres`); it is
/// masked as a whole word only, or `postgresql://` would read `***ql://`.
const WORD_LIMIT: usize = 12;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// SQLAlchemy 2 keeps these two.
const SQLALCHEMY: &AsciiSet = &UNRESERVED.remove(b' ').remove(b'+');
/// What Python's `urllib.parse.quote` keeps where nothing else is said.
const PYTHON: &AsciiSet = &UNRESERVED.remove(b'/');
/// What `encodeURIComponent` keeps besides.
const COMPONENT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The forms to look for, longest first.
#[derive(Clone, Default)]
pub struct Mask {
    forms: Vec<String>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask of {} forms", self.forms.len())
    }
}

impl Mask {
    /// Prepares every form of every secret that is not empty.
    pub fn new(secrets: &[Secret]) -> Self {
        let mut forms: Vec<String> = secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .flat_map(|secret| forms_of(secret.reveal()))
            .collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// The longest form in bytes.
    pub fn longest(&self) -> usize {
        self.forms.first().map_or(0, String::len)
    }

    /// The text with stars for secrets.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.forms {
            if text.contains(form.as_str()) {
                text = replace(&text, form);
            }
        }
        text
    }
}

/// The text without the passwords of URLs in it, whoever's they are: `scheme://user:***@host`.
pub fn without_passwords_of_urls(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        masked.push_str(before);
        let end = after.find(|next: char| next.is_whitespace() || "/?#'\"".contains(next));
        let authority = &after[..end.unwrap_or(after.len())];
        rest = after;
        let Some(host) = authority.rfind('@') else {
            continue;
        };
        let user = authority[..host].find(':');
        if let Some(user) = user {
            masked.push_str(&authority[..=user]);
            masked.push_str(STARS);
            rest = &after[host..];
        }
    }
    masked.push_str(rest);
    masked
}

/// What an option or a variable is called whose value is nobody's business.
const SECRET_NAMES: [&str; 8] = [
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
];

/// Whether a name ends with such a word: `--db-pass`, `-Dflyway.password`, `PGPASSWORD`.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(['-', '_', '.']).next().unwrap_or_default();
    // A short word inside of a longer one is another word (`bypass`).
    SECRET_NAMES.contains(&last)
        || ["password", "passwd", "secret", "token"]
            .iter()
            .any(|one| last.ends_with(one))
}

/// As [`without_passwords_of_urls`], and without what follows `password=` or `--password`.
pub fn without_passwords(text: &str) -> String {
    without_values_of_options(&without_values(&without_passwords_of_urls(text)))
}

/// `name=value`, with or without blanks around, as URLs, variables, options and libpq's strings have it.
fn without_values(text: &str) -> String {
    let is_name = |next: char| next.is_alphanumeric() || "-_.".contains(next);
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at + 1);
        masked.push_str(before);
        rest = after;
        let said = before[..at].trim_end();
        let start = said.rfind(|next| !is_name(next));
        let name = start.map_or(said, |start| {
            said[start..].trim_start_matches(|next| !is_name(next))
        });
        if !is_secret_name(name) {
            continue;
        }
        let value = after.trim_start_matches(' ');
        masked.push_str(&after[..after.len() - value.len()]);
        let end = end_of_value(value, "&;'\"");
        if end > 0 {
            masked.push_str(STARS);
        }
        rest = &value[end..];
    }
    masked.push_str(rest);
    masked
}

/// Where a value ends: at the quote that closes it, or before a blank or one of `ends`. A backslash takes the next
/// character along.
fn end_of_value(value: &str, ends: &str) -> usize {
    let quote = value.chars().next().filter(|first| "'\"".contains(*first));
    let mut letters = value.char_indices().skip(usize::from(quote.is_some()));
    while let Some((at, letter)) = letters.next() {
        match (letter, quote) {
            ('\\', _) => _ = letters.next(),
            (letter, Some(quote)) if letter == quote => return at + 1,
            (letter, None) if letter.is_whitespace() || ends.contains(letter) => return at,
            _ => {}
        }
    }
    value.len()
}

/// `--password value`, wherever in the text.
fn without_values_of_options(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut is_secret) = (text, false);
    while !rest.is_empty() {
        let word = rest.trim_start();
        masked.push_str(&rest[..rest.len() - word.len()]);
        // Quotes hold a value together; elsewhere they begin another command line (`sh -c '…'`).
        let end = match is_secret {
            true => end_of_value(word, ""),
            false => word.find(char::is_whitespace).unwrap_or(word.len()),
        };
        let (word, after) = word.split_at(end);
        masked.push_str(match is_secret && !word.is_empty() && !is_option(word) {
            true => STARS,
            false => word,
        });
        is_secret = is_secret_option(word);
        rest = after;
    }
    masked
}

fn is_option(word: &str) -> bool {
    word.starts_with('-')
}

fn is_secret_option(word: &str) -> bool {
    is_option(word) && !word.contains('=') && is_secret_name(word)
}

/// A command's words as they may be shown and kept: without what is, or follows, a password.
pub fn masked_words(argv: &[String]) -> Vec<String> {
    let mut shown = Vec::with_capacity(argv.len());
    let mut is_secret = false;
    for word in argv {
        shown.push(match is_secret && !is_option(word) {
            true => STARS.to_owned(),
            false => without_passwords(word),
        });
        is_secret = is_secret_option(word);
    }
    shown
}

fn replace(text: &str, form: &str) -> String {
    if !is_ordinary_word(form) {
        return text.replace(form, STARS);
    }
    let mut masked = String::with_capacity(text.len());
    let mut shown_to = 0;
    for (at, _) in text.match_indices(form) {
        let (before, after) = (&text[..at], &text[at + form.len()..]);
        if before.ends_with(is_word) || after.starts_with(is_word) {
            continue;
        }
        masked.push_str(&text[shown_to..at]);
        masked.push_str(STARS);
        shown_to = at + form.len();
    }
    masked.push_str(&text[shown_to..]);
    masked
}

fn is_ordinary_word(form: &str) -> bool {
    form.len() <= WORD_LIMIT && form.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn forms_of(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    for set in [UNRESERVED, SQLALCHEMY, PYTHON, COMPONENT, NON_ALPHANUMERIC] {
        let encoded = utf8_percent_encode(secret, set).to_string();
        forms.push(lower_hex(&encoded));
        // quote_plus
        forms.push(encoded.replace("%20", "+"));
        // ConfigParser's doubled percent
        forms.push(encoded.replace('%', "%%"));
        forms.push(encoded);
    }
    forms.push(old_sqlalchemy(secret));
    forms.push(secret.replace('%', "%%"));
    // A shell's `echo` takes one of two backslashes away.
    forms.push(secret.replace('\'', "\\'"));
    let backslashed = secret.replace('\\', "\\\\");
    forms.push(backslashed.replace('\'', "\\'"));
    forms.push(backslashed.replace('"', "\\\""));
    forms.push(backslashed);
    // A string in SQL; a word of a shell, as Python's `shlex.quote` and people write it; HTML.
    forms.push(secret.replace('\'', "''"));
    forms.push(secret.replace('\'', "'\"'\"'"));
    forms.push(secret.replace('\'', "'\\''"));
    let html = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let quoted = html.replace('"', "&quot;");
    forms.extend(["&#x27;", "&#39;", "&apos;"].map(|apostrophe| quoted.replace('\'', apostrophe)));
    forms.push(html);
    forms
}

/// SQLAlchemy 1.3 encoded only what would break the URL.
fn old_sqlalchemy(secret: &str) -> String {
    secret
        .replace('@', "%40")
        .replace(':', "%3A")
        .replace('/', "%2F")
}

fn lower_hex(encoded: &str) -> String {
    let mut lowered = String::with_capacity(encoded.len());
    let mut hex_digits = 0;
    for character in encoded.chars() {
        if character == '%' {
            hex_digits = 2;
            lowered.push(character);
        } else if hex_digits > 0 {
            hex_digits -= 1;
            lowered.push(character.to_ascii_lowercase());
        } else {
            lowered.push(character);
        }
    }
    lowered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printed_form_is_masked() {
        let mask = Mask::new(&[Secret::new("p@ss w/ö'rd\\%")]);
        for form in [
            "p@ss w/ö'rd\\%",
            "p%40ss%20w%2F%C3%B6%27rd%5C%25",
            "p%40ss%20w%2f%c3%b6%27rd%5c%25",
            "p%40ss+w%2F%C3%B6%27rd%5C%25",
            "p%40ss w%2F%C3%B6%27rd%5C%25",
            "p@ss w/ö\\'rd\\\\%",
            "p@ss w/ö\\'rd\\%",
            "p%40ss w%2Fö'rd\\%",
        ] {
            let shown = mask.apply(&format!("postgresql://app:{form}@db/shop"));
            assert_eq!(shown, "postgresql://app:***@db/shop", "{form}");
        }
    }

    #[test]
    fn forms_of_other_languages_are_masked() {
        let mask = Mask::new(&[Secret::new("Zq7&x@9\"k w%41'Y")]);
        for form in [
            "Zq7&x@9\"k w%41''Y",
            "Zq7&x@9\"k w%41'\"'\"'Y",
            "Zq7&x@9\"k w%41'\\''Y",
            "Zq7&amp;x@9&quot;k w%41&#x27;Y",
            "Zq7&amp;x@9&quot;k w%41&#39;Y",
            "Zq7&amp;x@9\"k w%41'Y",
        ] {
            assert_eq!(mask.apply(&format!("'{form}'")), "'***'", "{form}");
        }
    }

    #[test]
    fn passwords_of_urls_are_hidden_whoever_they_are() {
        let table = [
            (
                "psql postgresql://app:s%20e@db:1/x -c y",
                "psql postgresql://app:***@db:1/x -c y",
            ),
            (
                "a://u:p:w@[::1]/ 'b://v:q@h'",
                "a://u:***@[::1]/ 'b://v:***@h'",
            ),
            (
                "c://host:5432/x@y d://user@h e://",
                "c://host:5432/x@y d://user@h e://",
            ),
        ];
        for (text, masked) in table {
            assert_eq!(without_passwords_of_urls(text), masked);
        }
    }

    #[test]
    fn commands_are_shown_without_their_passwords() {
        let argv = [
            "flyway",
            "-url=jdbc:postgresql://h/db?user=app&password=hunter2&ssl=on",
            "-password=hunter3",
            "--password",
            "hunter4",
            "-p",
            "PGPASSWORD=hunter6",
            "postgres://app:hunter7@h/db",
            "--db-pass=hunter9",
            "-Dflyway.password=hunter10",
            "host=h password='hunter 11' user=u",
            "--bypass=1",
            "--token",
            "--verbose",
            "x=1",
        ];
        let argv: Vec<String> = argv.map(str::to_owned).into();
        assert_eq!(
            masked_words(&argv).join(" "),
            "flyway -url=jdbc:postgresql://h/db?user=app&password=***&ssl=on -password=*** --password *** -p PGPASSWORD=*** \
             postgres://app:***@h/db --db-pass=*** -Dflyway.password=*** host=h password=*** user=u --bypass=1 --token --verbose x=1"
        );
        for (text, masked) in [
            ("région=eu größe=5 é=", "région=eu größe=5 é="),
            ("»password=x« ÿ", "»password=*** ÿ"),
            (
                "sh -c 'flyway -password hunter2 migrate'",
                "sh -c 'flyway -password *** migrate'",
            ),
            ("flyway --password \"a b\" x", "flyway --password *** x"),
            ("host=h password = x user=u", "host=h password = *** user=u"),
            (r"password='it\'s x' user=u", "password=*** user=u"),
            (r"password=a\ b user=u", "password=*** user=u"),
            ("[SQL: UPDATE t SET a = 5]", "[SQL: UPDATE t SET a = 5]"),
            ("--token", "--token"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(text), masked);
        }
        let mask = Mask::new(&[Secret::new("p@ss/w:rd%41")]);
        assert_eq!(mask.apply("app:p%40ss/w%3Ard%2541@h"), "app:***@h");
    }

    #[test]
    fn an_ordinary_word_is_masked_as_a_word() {
        let mask = Mask::new(&[Secret::new("postgres")]);
        assert_eq!(
            mask.apply("postgresql://postgres:postgres@db/postgres"),
            "postgresql://***:***@db/***"
        );
    }

    #[test]
    fn nothing_to_mask_changes_nothing() {
        assert_eq!(Mask::new(&[Secret::default()]).apply("a b"), "a b");
        assert_eq!(Mask::new(&[]).longest(), 0);
    }
}
