//! SQL text → statements, by the rules of psql's own lexer.
//!
//! A semicolon ends a statement unless it stands in a quote, a dollar quote, a comment, inside
//! parentheses (`CREATE RULE … DO (a; b)`) or in a `BEGIN ATOMIC … END` body. Assumes
//! `standard_conforming_strings`, which the runner sets.

/// At most this many words of a statement are kept for looking at.
const WORD_LIMIT: usize = 64;

/// One statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its text, without the semicolon.
    pub text: String,
    /// The line of its first word, from 1.
    pub line: usize,
    /// Its first words.
    pub words: Vec<Word>,
}

/// A piece of a statement that means something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// An unquoted name or keyword, in lower case.
    Name(String),
    /// A quoted name, as it is.
    Quoted(String),
    /// A plain string's value.
    Text(String),
    /// Any other character.
    Other(char),
}

impl Statement {
    /// Whether it starts with these keywords.
    pub(super) fn starts_with(&self, keywords: &[&str]) -> bool {
        self.words.len() >= keywords.len()
            && keywords
                .iter()
                .zip(&self.words)
                .all(|(keyword, word)| word.is(keyword))
    }

    /// Whether this keyword is among its words.
    pub(super) fn mentions(&self, keyword: &str) -> bool {
        self.words.iter().any(|word| word.is(keyword))
    }
}

impl Word {
    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Name(name) if name == keyword)
    }
}

/// What cannot be split: the line and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsplittable {
    pub line: usize,
    pub why: String,
}

/// Splits a file's text.
pub(super) fn split(text: &str) -> Result<Vec<Statement>, Unsplittable> {
    let mut splitter = Splitter::new(text);
    while splitter.at < splitter.bytes.len() {
        splitter.step()?;
    }
    splitter.end_statement();
    Ok(splitter.found)
}

struct Splitter<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Where the current statement's first word is.
    start: Option<usize>,
    words: Vec<Word>,
    parentheses: usize,
    /// Open `BEGIN ATOMIC` and `CASE` of a routine's body.
    bodies: usize,
    found: Vec<Statement>,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            start: None,
            words: Vec::new(),
            parentheses: 0,
            bodies: 0,
            found: Vec::new(),
        }
    }

    fn step(&mut self) -> Result<(), Unsplittable> {
        let byte = self.bytes[self.at];
        let next = self.bytes.get(self.at + 1).copied().unwrap_or_default();
        match (byte, next) {
            (b'-', b'-') => self.skip_line(),
            (b'/', b'*') => return self.skip_comment(),
            (b';', _) if self.parentheses == 0 && self.bodies == 0 => {
                self.end_statement();
                self.at += 1;
            }
            (b'\\', _) => {
                return Err(self.unsplittable("a psql command (backslash) cannot run here"));
            }
            (b'\'', _) => return self.string(false),
            (b'"', _) => return self.quoted_name(),
            (b'$', _) => return self.dollar(),
            _ if is_name_start(byte) => return self.name(),
            _ if byte.is_ascii_whitespace() => self.at += 1,
            _ => self.other(),
        }
        Ok(())
    }

    fn unsplittable(&self, why: &str) -> Unsplittable {
        Unsplittable {
            line: line_of(self.text, self.at),
            why: why.to_owned(),
        }
    }

    fn begin(&mut self) {
        self.start.get_or_insert(self.at);
    }

    fn keep(&mut self, word: Word) {
        if self.words.len() < WORD_LIMIT {
            self.words.push(word);
        }
    }

    fn end_statement(&mut self) {
        if let Some(start) = self.start.take() {
            self.found.push(Statement {
                text: self.text[start..self.at].trim_end().to_owned(),
                line: line_of(self.text, start),
                words: std::mem::take(&mut self.words),
            });
        }
        self.parentheses = 0;
        self.bodies = 0;
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        self.at += length.unwrap_or(rest.len());
    }

    fn skip_comment(&mut self) -> Result<(), Unsplittable> {
        let mut depth = 0;
        let mut at = self.at;
        while at + 1 < self.bytes.len() {
            match (self.bytes[at], self.bytes[at + 1]) {
                (b'/', b'*') => {
                    depth += 1;
                    at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        self.at = at;
                        return Ok(());
                    }
                }
                _ => at += 1,
            }
        }
        Err(self.unsplittable("a comment /* is not closed"))
    }

    fn other(&mut self) {
        self.begin();
        let character = self.text[self.at..].chars().next().unwrap_or_default();
        match character {
            '(' => self.parentheses += 1,
            ')' => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
        self.keep(Word::Other(character));
        self.at += character.len_utf8();
    }

    /// A string; in `E''` a backslash escapes.
    fn string(&mut self, escapes: bool) -> Result<(), Unsplittable> {
        self.begin();
        let open = self.at;
        let mut at = open + 1;
        loop {
            match self.bytes.get(at) {
                None => return Err(self.unsplittable("a string is not closed")),
                Some(b'\\') if escapes => at += 2,
                Some(b'\'') if self.bytes.get(at + 1) == Some(&b'\'') => at += 2,
                Some(b'\'') => break,
                Some(_) => at += 1,
            }
        }
        let value = self.text[open + 1..at].replace("''", "'");
        self.keep(Word::Text(value));
        self.at = at + 1;
        Ok(())
    }

    fn quoted_name(&mut self) -> Result<(), Unsplittable> {
        self.begin();
        let open = self.at + 1;
        let Some(length) = end_of_quoted(&self.bytes[open..]) else {
            return Err(self.unsplittable("a quoted name is not closed"));
        };
        let name = self.text[open..open + length].replace("\"\"", "\"");
        self.keep(Word::Quoted(name));
        self.at = open + length + 1;
        Ok(())
    }

    /// `$1`, or a dollar quote `$tag$ … $tag$`.
    fn dollar(&mut self) -> Result<(), Unsplittable> {
        self.begin();
        let rest = &self.text[self.at..];
        let Some(tag) = dollar_tag(rest) else {
            self.other();
            return Ok(());
        };
        let Some(length) = rest[tag.len()..].find(tag) else {
            return Err(self.unsplittable(&format!("the quote {tag} is not closed")));
        };
        self.at += tag.len() + length + tag.len();
        Ok(())
    }

    fn name(&mut self) -> Result<(), Unsplittable> {
        self.begin();
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| !is_name_part(byte))
            .unwrap_or(rest.len());
        let name = self.text[self.at..self.at + length].to_lowercase();
        let quote = rest.get(length) == Some(&b'\'');
        self.at += length;
        if quote && matches!(name.as_str(), "e" | "b" | "x" | "n") {
            return self.string(name == "e");
        }
        self.follow_body(&name);
        self.keep(Word::Name(name));
        Ok(())
    }

    /// Counts `BEGIN … END` and `CASE … END` of SQL routine bodies, as psql does.
    fn follow_body(&mut self, name: &str) {
        if self.parentheses > 0 || !self.creates_routine() {
            return;
        }
        match name {
            "begin" => self.bodies += 1,
            "case" if self.bodies > 0 => self.bodies += 1,
            "end" => self.bodies = self.bodies.saturating_sub(1),
            _ => {}
        }
    }

    fn creates_routine(&self) -> bool {
        let is_routine = |at: usize| {
            let word = self.words.get(at);
            word.is_some_and(|word| word.is("function") || word.is("procedure"))
        };
        let starts = self.words.first().is_some_and(|word| word.is("create"));
        let replaces = self.words.get(2).is_some_and(|word| word.is("replace"));
        starts && (is_routine(1) || (replaces && is_routine(3)))
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
        + 1
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_name_part(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Length up to the closing double quote; two of them are one character.
fn end_of_quoted(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return Some(at),
            _ => at += 1,
        }
    }
}

/// The opening of a dollar quote: `$$` or `$name$`, where a name does not start with a digit.
fn dollar_tag(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')? + 1;
    let name = &rest.as_bytes()[1..end];
    let fits = name.iter().all(|&byte| is_name_part(byte) && byte != b'$')
        && name.first().is_none_or(|&byte| is_name_start(byte));
    fits.then_some(&rest[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        split(text)
            .unwrap()
            .into_iter()
            .map(|one| one.text)
            .collect()
    }

    #[test]
    fn semicolons_that_end_nothing() {
        for one in [
            "SELECT ';'",
            "SELECT E'\\';'",
            "SELECT 'it''s;'",
            "SELECT \"a;\"\"b\"",
            "SELECT $$a;b$$",
            "SELECT $x$a;$$;$y$;$x$",
            "SELECT a$b$c",
            "SELECT $1",
            "SELECT 1 /* ; /* ; */ ; */ + 1",
            "SELECT 1 -- ;\n + 1",
            "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
            "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END",
            "SELECT E'é\\\\;'",
        ] {
            assert_eq!(
                texts(&format!("{one};SELECT 2")),
                [one, "SELECT 2"],
                "{one}"
            );
        }
    }

    #[test]
    fn backslashes_are_plain_in_ordinary_strings() {
        assert_eq!(
            texts("SELECT 'a\\'; SELECT 2;"),
            ["SELECT 'a\\'", "SELECT 2"]
        );
        assert_eq!(texts("BEGIN;\nUPDATE t SET a=1;\nEND;").len(), 3);
    }

    #[test]
    fn comments_alone_are_no_statement_and_lines_count() {
        let found = split("-- a\n/* b */;\n\nSELECT 1;\n  -- c\n  SELECT 2").unwrap();
        let lines: Vec<usize> = found.iter().map(|one| one.line).collect();
        assert_eq!(lines, [4, 6]);
    }

    #[test]
    fn what_cannot_be_split_is_named_by_line() {
        for (text, line) in [
            ("SELECT 1;\n\\d", 2),
            ("\nSELECT 'a", 2),
            ("/* /* */", 1),
            ("SELECT $a$ $$", 1),
            ("SELECT \"a", 1),
        ] {
            assert_eq!(split(text).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn never_panics_on_torn_text() {
        let text = "E'\\\u{e9}' $é$;$é$ \"x\"\"\" /*/**/*/ $1 'a''b' \u{1f600} -- x\n(;)";
        for (at, _) in text.char_indices() {
            let _ = split(&text[at..]);
            let _ = split(&text[..at]);
        }
    }
}
