//! One migration script, read without running it.
//!
//! Literal assignments are understood; whatever is computed is named in [`Script::doubts`], and
//! then the command line is asked for the truth. A wrong certainty would be worse than a slow answer.

use std::path::{Path, PathBuf};

use super::lexer::{Statement, Token, statements};
use super::risks::{Direction, Risks, scan};

/// What a script says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// `revision`.
    pub id: String,
    /// The file it was read from.
    pub file: PathBuf,
    /// First paragraph of the docstring.
    pub message: String,
    /// `down_revision`; empty for a base, several for a merge.
    pub down: Vec<String>,
    /// `depends_on`, as written: revision ids or branch labels.
    pub depends_on: Vec<String>,
    /// `branch_labels`.
    pub labels: Vec<String>,
    /// What `upgrade()` does that deserves attention.
    pub upgrade: Risks,
    /// What `downgrade()` does that deserves attention.
    pub downgrade: Risks,
    /// What could not be understood; empty when the reading is certain.
    pub doubts: Vec<String>,
}

/// A value that was assigned at the module's margin.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Nothing,
    Text(String),
    Several(Vec<String>),
    Computed,
}

const NAMES: [&str; 4] = ["revision", "down_revision", "branch_labels", "depends_on"];

/// Reads one script's text.
pub(super) fn read(file: &Path, source: &str) -> Script {
    let statements = statements(source);
    let mut script = Script {
        file: file.to_owned(),
        message: message(&statements),
        upgrade: scan(&statements, Direction::Upgrade),
        downgrade: scan(&statements, Direction::Downgrade),
        doubts: doubtful_statements(&statements),
        ..Script::default()
    };
    script.id = match assigned(&statements, "revision") {
        Some(Value::Text(id)) if !id.is_empty() => id,
        Some(_) => {
            script.doubt("revision is computed");
            String::new()
        }
        None => legacy_id(file).unwrap_or_else(|| {
            script.doubt("revision is not assigned");
            String::new()
        }),
    };
    script.down = script.several(&statements, "down_revision");
    script.depends_on = script.several(&statements, "depends_on");
    script.labels = script.several(&statements, "branch_labels");
    script
}

impl Script {
    fn doubt(&mut self, why: &str) {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        self.doubts.push(format!("{why} in {name}"));
    }

    fn several(&mut self, statements: &[Statement], name: &str) -> Vec<String> {
        match assigned(statements, name) {
            None | Some(Value::Nothing) => Vec::new(),
            Some(Value::Text(one)) if one.is_empty() => Vec::new(),
            Some(Value::Text(one)) => vec![one],
            Some(Value::Several(all)) => all,
            Some(Value::Computed) => {
                self.doubt(&format!("{name} is computed"));
                Vec::new()
            }
        }
    }
}

/// Alembic 0.1 took the id from the file's name.
fn legacy_id(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?.strip_suffix(".py")?;
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    (!name.is_empty() && name.chars().all(is_hex)).then(|| name.to_owned())
}

/// The first paragraph of the module's docstring on one line.
fn message(statements: &[Statement]) -> String {
    let Some([Token::Text(Some(text))]) = statements.first().map(|first| first.tokens.as_slice())
    else {
        return String::new();
    };
    let text = text.replace("\r\n", "\n");
    let paragraph = text.trim().split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of the last assignment at the margin.
fn assigned(statements: &[Statement], name: &str) -> Option<Value> {
    statements
        .iter()
        .filter(|statement| statement.at_margin)
        .filter_map(|statement| assignment(&statement.tokens, name))
        .next_back()
}

/// `name = …` or `name: annotation = …`; a longer or shorter form is computed.
fn assignment(tokens: &[Token], name: &str) -> Option<Value> {
    let (first, rest) = tokens.split_first()?;
    if !first.is_name(name) {
        return None;
    }
    let after = rest.first()?;
    if after.is("=") {
        return Some(literal(&rest[1..]));
    }
    if !after.is(":") {
        // `name += …`, `name, other = …`; a bare call or comparison assigns nothing.
        return rest.iter().any(is_assigning).then_some(Value::Computed);
    }
    let equals = at_depth_zero(rest, "=")?;
    Some(literal(&rest[equals + 1..]))
}

fn is_assigning(token: &Token) -> bool {
    matches!(token, Token::Other(op) if op.ends_with('=') && !["==", "!=", "<=", ">="].contains(&op.as_str()))
}

fn at_depth_zero(tokens: &[Token], operator: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Other(op) if matches!(op.as_str(), "(" | "[" | "{") => depth += 1,
            Token::Other(op) if matches!(op.as_str(), ")" | "]" | "}") => {
                depth = depth.saturating_sub(1);
            }
            token if depth == 0 && token.is(operator) => return Some(index),
            _ => {}
        }
    }
    None
}

/// None, a string, or a flat tuple, list or set of strings.
fn literal(tokens: &[Token]) -> Value {
    let tokens = without_brackets(tokens);
    match tokens.tokens {
        [] if tokens.bracketed => return Value::Nothing,
        [Token::Name(none)] if none == "None" => return Value::Nothing,
        _ => {}
    }
    let mut items = Vec::new();
    let mut commas = 0;
    let mut current: Option<String> = None;
    for token in tokens.tokens {
        match token {
            Token::Text(Some(text)) => current.get_or_insert_default().push_str(text),
            token if token.is(",") => {
                let Some(item) = current.take() else {
                    return Value::Computed;
                };
                items.push(item);
                commas += 1;
            }
            _ => return Value::Computed,
        }
    }
    items.extend(current);
    match (items.len(), commas) {
        (0, _) => Value::Computed,
        (1, 0) if !tokens.is_list => Value::Text(items.remove(0)),
        _ => Value::Several(items),
    }
}

struct Unwrapped<'a> {
    tokens: &'a [Token],
    bracketed: bool,
    is_list: bool,
}

/// Takes off one pair of brackets that encloses everything.
fn without_brackets(tokens: &[Token]) -> Unwrapped<'_> {
    if let [Token::Other(open), inner @ .., Token::Other(close)] = tokens {
        let pair = (open.as_str(), close.as_str());
        if matches!(pair, ("(", ")") | ("[", "]") | ("{", "}")) {
            return Unwrapped {
                tokens: inner,
                bracketed: true,
                is_list: pair.0 != "(",
            };
        }
    }
    Unwrapped {
        tokens,
        bracketed: false,
        is_list: false,
    }
}

/// Statements that could give the four names another value than the assignments show.
fn doubtful_statements(statements: &[Statement]) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut inside_definition = false;
    for statement in statements {
        let Some(first) = statement.tokens.first() else {
            continue;
        };
        if statement.at_margin {
            inside_definition = ["def", "class", "async", "@"]
                .iter()
                .any(|word| first.is_name(word) || first.is(word));
        }
        let why = match first {
            Token::Name(word) if word == "global" && names_ours(&statement.tokens) => "is global",
            Token::Name(word) if word == "import" || word == "from" => {
                if !(imports_ours(&statement.tokens) && statement.at_margin) {
                    continue;
                }
                "is imported"
            }
            _ if !inside_definition && assigns_indirectly(statement) => "is set conditionally",
            _ => continue,
        };
        doubts.push(format!("a name such as revision {why}"));
    }
    doubts
}

fn names_ours(tokens: &[Token]) -> bool {
    tokens
        .iter()
        .any(|token| NAMES.iter().any(|name| token.is_name(name)))
}

fn imports_ours(tokens: &[Token]) -> bool {
    let Some(import) = tokens.iter().position(|token| token.is_name("import")) else {
        return false;
    };
    names_ours(&tokens[import..]) || tokens[import..].iter().any(|token| token.is("*"))
}

/// An assignment under `if`, `try`, `with` …, on the same line as its condition, as one of several
/// targets, through `globals()` or `:=`.
fn assigns_indirectly(statement: &Statement) -> bool {
    let tokens = &statement.tokens;
    if tokens
        .iter()
        .any(|token| token.is_name("globals") || token.is_name("exec"))
    {
        return true;
    }
    if !names_ours(tokens) {
        return false;
    }
    let starts_with_ours = tokens
        .first()
        .is_some_and(|first| NAMES.iter().any(|name| first.is_name(name)));
    match tokens.iter().position(is_assigning) {
        None => false,
        Some(_) if tokens.iter().any(|token| token.is(":=")) => true,
        Some(_) if starts_with_ours => !statement.at_margin,
        // `a, revision = …`, `if x: revision = …`; not `print(revision=1)`.
        Some(equals) => at_depth_zero(tokens, "=").is_some() && names_ours(&tokens[..equals]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(source: &str) -> Script {
        read(Path::new("versions/x_test.py"), source)
    }

    const TEMPLATE: &str = r#""""add sqs metadata

Revision ID: 1975ea83b712
Revises: ae1027a6acf,27c6a30d7c24
"""
from typing import Sequence, Union
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = '1975ea83b712'
down_revision: Union[str, Sequence[str], None] = ('ae1027a6acf', "27c6a30d7c24",)
branch_labels: Union[str, Sequence[str], None] = None
depends_on = [
    'abc',  # a comment
    'def',
]


def upgrade() -> None:
    revision = compute()
"#;

    #[test]
    fn the_modern_template_is_certain() {
        let script = script(TEMPLATE);
        assert_eq!(script.id, "1975ea83b712");
        assert_eq!(script.down, ["ae1027a6acf", "27c6a30d7c24"]);
        assert_eq!(script.depends_on, ["abc", "def"]);
        assert!(script.labels.is_empty() && script.doubts.is_empty());
        assert_eq!(script.message, "add sqs metadata");
    }

    #[test]
    fn literals_of_every_form() {
        for (source, down) in [
            ("None", vec![]),
            ("()", vec![]),
            ("''", vec![]),
            ("'a'", vec!["a"]),
            ("('a')", vec!["a"]),
            ("('a',)", vec!["a"]),
            ("'a', 'b'", vec!["a", "b"]),
            ("['a']", vec!["a"]),
            ("('a'\n 'b')", vec!["ab"]),
        ] {
            let script = script(&format!("revision = 'x'\ndown_revision = {source}\n"));
            assert_eq!(script.down, down, "{source}");
            assert!(script.doubts.is_empty(), "{source}");
        }
    }

    #[test]
    fn what_is_computed_is_doubted() {
        for source in [
            "revision = make()",
            "revision = f'{x}'",
            "revision = 1234",
            "revision = 'a' + 'b'",
            "revision, down_revision = 'a', 'b'",
            "revision = 'a'\nif x:\n    down_revision = 'b'",
            "revision = 'a'\nif x: down_revision = 'b'",
            "revision = 'a'\nfrom other import *",
            "revision = 'a'\nfrom other import down_revision",
            "revision = 'a'\ndown_revision = OTHER",
            "revision = 'a'\nrevision += 'b'",
            "revision = down_revision = 'b'",
            "revision = 'a'\ndef f():\n    global revision\n    revision = 'b'",
            "x = 1",
        ] {
            assert!(!script(source).doubts.is_empty(), "{source}");
        }
    }

    #[test]
    fn ordinary_code_is_not_doubted() {
        for source in [
            "revision = 'a'\nprint('revision', revision == 'a')",
            "revision = 'a'\ndef upgrade():\n    revision = f()\n    if x:\n        depends_on = 1",
            "revision = 'a'\ntable = sa.table('t', sa.column('revision', key='revision'))",
            "revision = 'a'\nimport os\nfrom a import b",
        ] {
            let doubts = script(source).doubts;
            assert!(doubts.is_empty(), "{source}: {doubts:?}");
        }
    }

    #[test]
    fn old_scripts_take_the_id_from_the_file() {
        let script = read(
            Path::new("versions/3adcc9a56557.py"),
            "down_revision = None",
        );
        assert_eq!(script.id, "3adcc9a56557");
        assert!(script.doubts.is_empty());
    }
}
