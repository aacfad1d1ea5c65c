//! Python text → tokens, as far as a migration script needs to be understood without Python.
//!
//! Tolerant: whatever it does not know becomes an operator token and never an error. What it must
//! get right is where strings and comments begin and end, which line is at the margin, and what
//! stands inside brackets; everything above rests on that.

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An identifier or keyword.
    Name(String),
    /// A string's value; `None` when it cannot be known here (f-strings, bytes, odd escapes).
    Text(Option<String>),
    /// A number or one operator character; `==`, `:=` and the like come as one token.
    Other(String),
}

impl Token {
    /// Whether it is this name.
    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(own) if own == name)
    }

    /// Whether it is this operator.
    pub(super) fn is(&self, operator: &str) -> bool {
        matches!(self, Self::Other(own) if own == operator)
    }
}

/// One logical line: brackets and backslashes join physical ones; `;` separates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Whether it starts at the margin, that is, belongs to the module itself.
    pub at_margin: bool,
    /// Its tokens, at least one.
    pub tokens: Vec<Token>,
}

/// Operators of two characters that must not be mistaken for `=`.
const DOUBLE: [&str; 13] = [
    "==", "!=", "<=", ">=", ":=", "+=", "-=", "*=", "/=", "|=", "&=", "%=", "->",
];

/// Splits a file into statements.
pub(super) fn statements(source: &str) -> Vec<Statement> {
    let mut lexer = Lexer {
        rest: source.trim_start_matches('\u{feff}'),
        depth: 0,
        found: Vec::new(),
        current: Vec::new(),
        at_margin: true,
    };
    lexer.at_margin = !lexer.rest.starts_with([' ', '\t']);
    while lexer.step() {}
    lexer.end_statement();
    lexer.found
}

struct Lexer<'a> {
    rest: &'a str,
    depth: usize,
    found: Vec<Statement>,
    current: Vec<Token>,
    at_margin: bool,
}

impl Lexer<'_> {
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        match first {
            '\n' => self.newline(),
            ' ' | '\t' | '\r' | '\u{c}' => self.skip(1),
            '#' => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
            '\\' => self.skip(continuation(self.rest)),
            ';' if self.depth == 0 => {
                self.skip(1);
                self.end_statement();
            }
            '"' | '\'' => self.string(""),
            c if c.is_alphabetic() || c == '_' => self.name(),
            c if c.is_ascii_digit() => self.number(),
            _ => self.operator(first),
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn newline(&mut self) {
        self.skip(1);
        if self.depth == 0 {
            self.end_statement();
            self.at_margin = !self.rest.starts_with([' ', '\t']);
        }
    }

    fn end_statement(&mut self) {
        if !self.current.is_empty() {
            self.found.push(Statement {
                at_margin: self.at_margin,
                tokens: std::mem::take(&mut self.current),
            });
        }
    }

    fn name(&mut self) {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        let is_prefix = end <= 2 && word.chars().all(|c| "rRbBuUfFtT".contains(c));
        if is_prefix && self.rest[end..].starts_with(['"', '\'']) {
            let prefix = word.to_ascii_lowercase();
            self.skip(end);
            self.string(&prefix);
        } else {
            self.current.push(Token::Name(word.to_owned()));
            self.skip(end);
        }
    }

    fn number(&mut self) {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(self.rest.len());
        self.current.push(Token::Other(self.rest[..end].to_owned()));
        self.skip(end);
    }

    fn operator(&mut self, first: char) {
        match first {
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let double = DOUBLE.iter().find(|op| self.rest.starts_with(**op));
        let length = double.map_or(first.len_utf8(), |op| op.len());
        self.current
            .push(Token::Other(self.rest[..length].to_owned()));
        self.skip(length);
    }

    fn string(&mut self, prefix: &str) {
        let quote = &self.rest[..1];
        let triple = quote.repeat(3);
        let is_triple = self.rest.starts_with(&triple);
        let close = if is_triple { triple.as_str() } else { quote };
        let body = &self.rest[close.len()..];
        let length = string_end(body, close, !is_triple);
        let value = string_value(&body[..length], prefix);
        let taken = close.len() + length;
        let closed = body[length..].starts_with(close);
        self.current.push(Token::Text(value));
        self.skip(taken + if closed { close.len() } else { 0 });
    }
}

/// Bytes of a backslash and the line end that it hides.
fn continuation(rest: &str) -> usize {
    match rest.as_bytes() {
        [b'\\', b'\r', b'\n', ..] => 3,
        [b'\\', b'\n', ..] => 2,
        _ => 1,
    }
}

/// Where the body ends: at its closing quote, or at the line end of a string left open.
fn string_end(body: &str, close: &str, ends_at_newline: bool) -> usize {
    let bytes = body.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' if ends_at_newline => return at,
            _ if bytes[at..].starts_with(close.as_bytes()) => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_value(body: &str, prefix: &str) -> Option<String> {
    if prefix.contains(['f', 'b', 't']) {
        return None;
    }
    if prefix.contains('r') || !body.contains('\\') {
        return Some(body.replace("\r\n", "\n"));
    }
    let mut value = String::with_capacity(body.len());
    let mut characters = body.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        match characters.next()? {
            '\n' => {}
            'n' => value.push('\n'),
            't' => value.push('\t'),
            'r' => value.push('\r'),
            quoted @ ('\\' | '\'' | '"') => value.push(quoted),
            // \x, \u, \N, octal: nobody writes a revision id so.
            _ => return None,
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<Option<String>> {
        statements(source)
            .into_iter()
            .flat_map(|statement| statement.tokens)
            .filter_map(|token| match token {
                Token::Text(value) => Some(value),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn strings_of_every_form() {
        assert_eq!(
            texts("a = 'x' \"y\" r'\\d' u'z' f'{q}' b'w' '''t\n'u''' 'it\\'s' '#no'"),
            [
                Some("x".into()),
                Some("y".into()),
                Some("\\d".into()),
                Some("z".into()),
                None,
                None,
                Some("t\n'u".into()),
                Some("it's".into()),
                Some("#no".into()),
            ]
        );
    }

    #[test]
    fn lines_are_logical() {
        let found = statements("a = (1, # (\n 2)\nif x:\n    b = 1; c = 2\nd = \\\n 3\n");
        let margins: Vec<bool> = found.iter().map(|one| one.at_margin).collect();
        assert_eq!(margins, [true, true, false, false, true]);
    }

    #[test]
    fn never_panics_on_torn_text() {
        let source = "'''a\\\u{e9}\n\"b' (x[{=:= \\\r\n r'\\' \u{1f600}";
        for (at, _) in source.char_indices() {
            statements(&source[at..]);
            statements(&source[..at]);
        }
    }
}
