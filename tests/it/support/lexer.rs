//! What psql would take for its own commands in a script: a small lexer that knows quotes, dollar
//! quotes, comments and COPY data, as psql does.

/// The backslash commands of a script, each up to the end of its line.
pub fn psql_commands(script: &str) -> Vec<String> {
    let mut lexer = Lexer {
        rest: script,
        statement: String::new(),
        commands: Vec::new(),
    };
    while !lexer.rest.is_empty() {
        lexer.step();
    }
    lexer.commands
}

struct Lexer<'a> {
    rest: &'a str,
    /// The statement so far, without what is quoted.
    statement: String,
    commands: Vec<String>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) {
        let escapes = self.statement.ends_with(['E', 'e']) && !self.word_before_is_long();
        match self.rest.as_bytes()[0] {
            b'\'' => self.quoted('\'', escapes),
            b'"' => self.quoted('"', false),
            b'-' if self.rest.starts_with("--") => self.skip_past("\n"),
            b'/' if self.rest.starts_with("/*") => self.block_comment(),
            b'$' if self.tag().is_some() => self.dollar_quoted(),
            b'\\' => self.command(),
            b';' => self.end_of_statement(),
            _ => {
                let first = self.rest.chars().next().expect("not empty");
                self.statement.push(first);
                self.rest = &self.rest[first.len_utf8()..];
            }
        }
    }

    /// Whether the letter before a quote ends a longer word: then it is no prefix.
    fn word_before_is_long(&self) -> bool {
        let before = self.statement.chars().rev().nth(1);
        before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    }

    fn quoted(&mut self, quote: char, escapes: bool) {
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            if escapes && character == '\\' {
                characters.next();
            } else if character == quote {
                // A doubled quote ends one literal and starts the next: the same for us.
                self.rest = &self.rest[at + 1..];
                self.statement.push(if escapes { 'E' } else { '_' });
                if !self.rest.starts_with(quote) {
                    self.statement.pop();
                    self.statement.push('_');
                }
                return;
            }
        }
        panic!(
            "a quote is never closed: {}",
            &self.rest[..self.rest.len().min(200)]
        );
    }

    fn skip_past(&mut self, end: &str) {
        let at = self
            .rest
            .find(end)
            .map_or(self.rest.len(), |at| at + end.len());
        self.rest = &self.rest[at..];
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.rest = &self.rest[2..];
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.rest = &self.rest[2..];
            } else {
                let first = self.rest.chars().next().expect("a comment is never closed");
                self.rest = &self.rest[first.len_utf8()..];
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// `$tag$` at the front, if it starts a quote: not within a word, and no digit first.
    fn tag(&self) -> Option<&'a str> {
        if self
            .statement
            .ends_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            return None;
        }
        let end = self.rest[1..].find('$')? + 2;
        let inner = &self.rest[1..end - 1];
        let fits = inner
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || !c.is_ascii());
        let number = inner.starts_with(|c: char| c.is_ascii_digit());
        (fits && !number).then(|| &self.rest[..end])
    }

    fn dollar_quoted(&mut self) {
        let tag = self.tag().expect("a tag");
        self.rest = &self.rest[tag.len()..];
        self.skip_past(tag);
        self.statement.push('_');
    }

    fn command(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.commands.push(self.rest[..end].to_owned());
        self.rest = &self.rest[end..];
    }

    fn end_of_statement(&mut self) {
        self.rest = &self.rest[1..];
        let statement = std::mem::take(&mut self.statement);
        let statement = statement.trim();
        if !statement.starts_with("COPY ") || !statement.ends_with("FROM stdin") {
            return;
        }
        assert!(
            self.rest.starts_with('\n'),
            "COPY data on the line of the statement"
        );
        // The data ends at the first line that is `\.` alone.
        let end = self
            .rest
            .find("\n\\.\n")
            .expect("COPY data that is never ended");
        self.rest = &self.rest[end + "\n\\.\n".len()..];
    }
}

#[test]
fn commands_are_found_and_quoted_ones_are_not() {
    let script = "\\set ON_ERROR_STOP on\nSELECT 'a\n\\! x', \"b\n\\! y\", E'\\'\n\\! z', $q$\n\\! w$q$; -- \\! v\n\
                  /* \n\\! u */ SELECT 'it''s\n\\! t';\nCOPY s.t (a) FROM stdin;\n\\\\! s\n\\.\n\\! found\nSELECT 1 \\gexec\n";
    assert_eq!(
        psql_commands(script),
        ["\\set ON_ERROR_STOP on", "\\! found", "\\gexec"]
    );
}
