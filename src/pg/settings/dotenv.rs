//! `.env` files: names and values with the line on which each stands.
//!
//! The dialect is what Compose, pydantic and python-dotenv agree on: `NAME=value`, optional
//! `export`, `#` comments, single quotes literal, double quotes with `\n \r \t \" \\ \$`, both
//! over several lines. Nothing is expanded here: an unexpanded reference must stay visible.

use std::path::Path;

use crate::error::{Error, Result};

/// One assignment. The value may be a secret, so there is no `Debug`.
pub(super) struct Assignment {
    pub name: String,
    pub value: String,
    /// 1-based line of the name.
    pub line: usize,
    /// Whether the value stood in single quotes, which forbid expansion.
    pub literal: bool,
}

/// What a file holds. Lines that make no sense are reported, not fatal: the file belongs to
/// another program, and most of it does not concern us.
pub(super) struct Dotenv {
    pub assignments: Vec<Assignment>,
    /// 1-based numbers of lines that are neither blank, comment nor assignment.
    pub skipped: Vec<usize>,
}

/// Reads the text of `path` (named in errors only).
pub(super) fn parse(text: &str, path: &Path) -> Result<Dotenv> {
    let mut scanner = Scanner {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
        line: 1,
    };
    let mut parsed = Dotenv {
        assignments: Vec::new(),
        skipped: Vec::new(),
    };
    while !scanner.rest.is_empty() {
        let line = scanner.line;
        match scanner.statement() {
            Ok(Statement::Nothing) => {}
            Ok(Statement::Assignment(assignment)) => parsed.assignments.push(assignment),
            Ok(Statement::Nonsense) => parsed.skipped.push(line),
            Err(Unterminated) => return Err(unterminated(path, line)),
        }
    }
    Ok(parsed)
}

fn unterminated(path: &Path, line: usize) -> Error {
    Error::usage(format!("read {}, line {line}", path.display()))
        .because("the quote that opens there is never closed")
        .hint("close the quote, or escape it with a backslash inside double quotes")
}

struct Unterminated;

enum Statement {
    Nothing,
    Assignment(Assignment),
    Nonsense,
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scanner<'a> {
    /// Takes one statement, which may span lines when it is quoted.
    fn statement(&mut self) -> Result<Statement, Unterminated> {
        let line = self.line;
        let text = self.rest.split('\n').next().unwrap_or_default();
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            self.end_line();
            return Ok(Statement::Nothing);
        }
        let Some((name, value_offset)) = name_of(text) else {
            self.end_line();
            return Ok(Statement::Nonsense);
        };
        self.take(value_offset);
        let (value, literal) = match self.rest.chars().next() {
            Some('\'') => (self.quoted('\'')?, true),
            Some('"') => (self.quoted('"')?, false),
            _ => (self.unquoted(), false),
        };
        let tail = self.end_line().trim();
        if !tail.is_empty() && !tail.starts_with('#') {
            return Ok(Statement::Nonsense);
        }
        Ok(Statement::Assignment(Assignment {
            name: name.to_owned(),
            value,
            line,
            literal,
        }))
    }

    /// Takes `count` bytes, counting lines.
    fn take(&mut self, count: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(count);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Takes the rest of the line and its newline.
    fn end_line(&mut self) -> &'a str {
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        self.take(end)
    }

    /// A bare value ends at the line's end or at a comment that a blank introduces.
    fn unquoted(&mut self) -> String {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let mut before = ' ';
        let comment = line.char_indices().find(|(_, c)| {
            let found = *c == '#' && before.is_whitespace();
            before = *c;
            found
        });
        let end = comment.map_or(line.len(), |(at, _)| at);
        self.take(end).trim().to_owned()
    }

    /// A quoted value; only double quotes know escapes.
    fn quoted(&mut self, quote: char) -> Result<String, Unterminated> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            if c == quote {
                self.take(at + 1);
                return Ok(value);
            }
            match (c, quote) {
                ('\\', '"') => match characters.next().ok_or(Unterminated)?.1 {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    same @ ('"' | '\\' | '$') => value.push(same),
                    other => value.extend(['\\', other]),
                },
                _ => value.push(c),
            }
        }
        Err(Unterminated)
    }
}

/// The variable's name and the offset of its value within the line.
fn name_of(line: &str) -> Option<(&str, usize)> {
    let equals = line.find('=')?;
    let left = line[..equals].trim();
    let name = match left.strip_prefix("export") {
        Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim(),
        _ => left,
    };
    let mut characters = name.chars();
    let first = characters.next()?;
    let sound = (first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    let after = &line[equals + 1..];
    let blank = after.len() - after.trim_start().len();
    sound.then_some((name, equals + 1 + blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, usize)> {
        let parsed = parse(text, Path::new(".env")).unwrap();
        let of = |a: Assignment| (a.name, a.value, a.line);
        parsed.assignments.into_iter().map(of).collect()
    }

    fn one(text: &str) -> String {
        let mut all = read(text);
        assert_eq!(all.len(), 1, "{text:?}");
        all.remove(0).1
    }

    #[test]
    fn values_as_other_tools_read_them() {
        for (text, value) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("export\tA=b", "b"),
            ("A=", ""),
            ("A=  \r\n", ""),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=# comment", ""),
            ("A=b=c", "b=c"),
            ("A='b # c' # d", "b # c"),
            ("A='b\\n'", "b\\n"),
            ("A=\"b\\n\\\"c\\\" \\\\ \\$d \\q\"", "b\n\"c\" \\ $d \\q"),
            ("A='two\nlines'", "two\nlines"),
            ("A=\"two\nlines\"\n", "two\nlines"),
            ("\u{feff}A=b\r\n", "b"),
            ("A=${B}", "${B}"),
            ("A='ü€'", "ü€"),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_over_quotes_and_comments() {
        let all = read("# one\n\nA='x\ny'\nB=c\n  # five\nD=e");
        let lines: Vec<_> = all.iter().map(|(n, _, l)| (n.as_str(), *l)).collect();
        assert_eq!(lines, [("A", 3), ("B", 5), ("D", 7)]);
    }

    #[test]
    fn nonsense_is_reported_by_line_and_skipped() {
        let parsed = parse("plain\nA=1\n9X=2\nB='x'y\nexportC=1\nD D=1", Path::new("e")).unwrap();
        assert_eq!(parsed.skipped, [1, 3, 4, 6]);
        assert_eq!(parsed.assignments.len(), 2);
    }

    #[test]
    fn an_open_quote_is_refused_with_its_line() {
        let error = parse("A=1\nB=\"oops\nC=2\n", Path::new("x/.env"))
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "read x/.env, line 2: the quote that opens there is never closed"
        );
    }

    #[test]
    fn single_quotes_are_remembered() {
        let parsed = parse("A='${B}'\nB=\"${C}\"", Path::new(".env")).unwrap();
        let literal: Vec<_> = parsed.assignments.iter().map(|a| a.literal).collect();
        assert_eq!(literal, [true, false]);
    }
}
