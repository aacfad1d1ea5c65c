//! What a script does that deserves attention before it runs: commits of its own and lost data.
//!
//! Hints, not proof: a script may hide anything behind a function. Nothing but the screen rests on
//! them; whether something was committed is decided by evidence (design.md §7).

use super::lexer::{Statement, Token};

/// Which of a script's two functions runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// `upgrade()`.
    Upgrade,
    /// `downgrade()`.
    Downgrade,
}

/// The findings for one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Risks {
    /// It commits in the middle through `autocommit_block()`.
    pub autocommit_block: bool,
    /// It builds or drops an index CONCURRENTLY, or the like.
    pub concurrently: bool,
    /// What it destroys, in words: `drops table jobs`.
    pub destructive: Vec<String>,
}

impl Risks {
    /// The findings in plain SQL statements.
    pub fn of_sql<'a>(statements: impl Iterator<Item = &'a str>) -> Self {
        let mut risks = Self::default();
        for statement in statements {
            take_text(&mut risks, statement);
        }
        risks
    }
}

/// At most this many destructive findings are kept of one script.
const DESTRUCTIVE_LIMIT: usize = 20;

/// Looks through everything but the other direction's function.
pub(super) fn scan(statements: &[Statement], direction: Direction) -> Risks {
    let other = match direction {
        Direction::Upgrade => "downgrade",
        Direction::Downgrade => "upgrade",
    };
    let mut risks = Risks::default();
    let mut skipping = false;
    for statement in statements {
        if statement.at_margin {
            skipping = defines(&statement.tokens, other);
        }
        if !skipping && statement.tokens.len() > 1 {
            take(&mut risks, &statement.tokens);
        }
    }
    risks
}

fn defines(tokens: &[Token], prefix: &str) -> bool {
    match tokens {
        [def, Token::Name(name), ..] => def.is_name("def") && name.starts_with(prefix),
        _ => false,
    }
}

fn take(risks: &mut Risks, tokens: &[Token]) {
    for (index, token) in tokens.iter().enumerate() {
        let rest = &tokens[index + 1..];
        match token {
            Token::Name(name) => take_name(risks, name, rest),
            Token::Text(Some(text)) => take_text(risks, text),
            _ => {}
        }
    }
}

fn take_name(risks: &mut Risks, name: &str, rest: &[Token]) {
    match name {
        "autocommit_block" => risks.autocommit_block = true,
        "postgresql_concurrently" => {
            let off =
                matches!(rest, [equals, value, ..] if equals.is("=") && value.is_name("False"));
            risks.concurrently |= !off;
        }
        "drop_table" => add(risks, format!("drops table {}", arguments(rest))),
        "drop_column" => add(risks, format!("drops column {}", arguments(rest))),
        _ => {}
    }
}

/// The leading literal arguments of a call, joined by dots; `?` when computed.
fn arguments(rest: &[Token]) -> String {
    let mut names = Vec::new();
    for token in rest.iter().skip(1) {
        match token {
            Token::Text(Some(text)) => names.push(text.as_str()),
            token if token.is(",") => {}
            _ => break,
        }
    }
    if names.is_empty() {
        "?".to_owned()
    } else {
        names.join(".")
    }
}

fn take_text(risks: &mut Risks, text: &str) {
    // A name or a message has no blank inside and is no statement.
    if !text.trim().contains(char::is_whitespace) {
        return;
    }
    let words: Vec<String> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '"'))
        .filter(|word| !word.is_empty())
        .map(str::to_uppercase)
        .collect();
    let starts = ["CREATE", "DROP", "REINDEX", "REFRESH", "ALTER"];
    let is_statement = words
        .first()
        .is_some_and(|word| starts.contains(&word.as_str()));
    risks.concurrently |= is_statement && words.iter().any(|word| word == "CONCURRENTLY");
    for pair in words.windows(2) {
        let found = match (pair[0].as_str(), pair[1].as_str()) {
            ("DELETE", "FROM") => "deletes rows",
            ("TRUNCATE", _) => "truncates",
            ("DROP", "TABLE") => "drops a table",
            ("DROP", "COLUMN") => "drops a column",
            ("DROP", "SCHEMA") => "drops a schema",
            ("DROP", "DATABASE") => "drops a database",
            _ => continue,
        };
        let line = text.trim().lines().next().unwrap_or_default().trim();
        add(risks, format!("{found}: {}", shortened(line)));
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

fn add(risks: &mut Risks, finding: String) {
    if risks.destructive.len() < DESTRUCTIVE_LIMIT && !risks.destructive.contains(&finding) {
        risks.destructive.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::statements;
    use super::*;

    #[test]
    fn each_direction_has_its_own_findings() {
        let source = r#"
"""drop table of the docstring, CREATE INDEX CONCURRENTLY"""
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix", "t", ["a"], postgresql_concurrently=True)
    op.execute("DELETE FROM jobs WHERE done")
    op.execute("SELECT 1")
def downgrade():
    op.drop_column("users", 'email')
    op.drop_table("jobs")
    op.create_index("ix", "t", ["a"], postgresql_concurrently=False)
"#;
        let statements = statements(source);
        let up = scan(&statements, Direction::Upgrade);
        assert!(up.autocommit_block && up.concurrently);
        assert_eq!(
            up.destructive,
            ["deletes rows: DELETE FROM jobs WHERE done"]
        );
        let down = scan(&statements, Direction::Downgrade);
        assert!(!down.autocommit_block && !down.concurrently);
        assert_eq!(
            down.destructive,
            ["drops column users.email", "drops table jobs"]
        );
    }

    #[test]
    fn raw_sql_concurrently_is_found() {
        let statements =
            statements("def upgrade():\n  op.execute('create index concurrently ix on t (a)')");
        assert!(scan(&statements, Direction::Upgrade).concurrently);
    }
}
