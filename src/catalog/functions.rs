//! Functions, procedures and window functions, as pg_get_functiondef prints them.
//!
//! A body in standard SQL is read by the server when the function is made: one that calls itself needs a function
//! of that name before, and one with an argument that has no name is refused where the server writes it as `""`.

use super::address::PROC;
use super::entry::{Kind, Uncovered};
use super::graph::{Give, Node};
use super::loss::Loss;
use super::read::{Reading, owner};
use super::source::Source;
use super::spelling::{next_character, quoted};
use crate::error::Result;
use crate::pg::{Row, Sql};

/// Why such a function is no entry.
const NAMELESS: &str = "its body uses an argument without a name, which the server writes as \"\" and does not read: \
                        give all of its arguments names, or none";

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/functions.sql")))
        .await?;
    for row in &rows {
        add_one(reading, row)?;
    }
    Ok(())
}

fn add_one(reading: &mut Reading, row: &Row) -> Result<()> {
    let address = (PROC, row.number("oid")?);
    let (kind, word) = match row.letter("kind")? {
        'p' => (Kind::Procedure, "PROCEDURE"),
        _ => (Kind::Function, "FUNCTION"),
    };
    let signature = row.text("signature")?;
    let identity = format!("{} {signature}", word.to_lowercase());
    let Some((raw, quoted_owner)) = owner(reading, row, &identity, "pg_proc")? else {
        return Ok(());
    };
    let target = format!("{word} {signature}");
    let definition = row.text("definition")?.trim_end_matches('\n');
    let parsed = definition.split_at(parsed_body(definition).unwrap_or(definition.len()));
    if names_nothing(parsed.1) {
        reading.uncovered.push(Uncovered {
            loss: Loss::UnknownObject,
            description: identity.clone(),
            catalog: "pg_proc".into(),
            reason: NAMELESS.to_owned(),
            drop: Some(format!("DROP {target};")),
        });
        let mut node = Node::new(kind, row.opt("schema")?, row.text("name")?, identity);
        node.is_dummy = true;
        reading.graph.add(address, node);
        return Ok(());
    }
    let stand_in = match row.bool("calls_itself")? && !parsed.1.is_empty() {
        true => format!("{}AS '';\n", parsed.0),
        false => String::new(),
    };
    let create = format!(
        "{stand_in}{definition};\nALTER {target} OWNER TO {quoted_owner};\n{}",
        reading.extension_lines(address, &target),
    );
    let mut node = Node::new(kind, row.opt("schema")?, row.text("name")?, identity)
        .text(create, Some(format!("DROP {target};")))
        .owned_by(&raw)
        .commented_as(target)
        .tied([format!("{:05}", row.number::<u32>("arguments")?)])
        .tied(row.list("argument_types")?);
    node.give = Give::Postpone;
    reading.graph.add(address, node);
    Ok(())
}

/// Where a body in standard SQL begins; none if the function has another one.
fn parsed_body(definition: &str) -> Option<usize> {
    let begins = |rest: &str| rest.starts_with("BEGIN ATOMIC\n") || rest.starts_with("RETURN ");
    tokens(definition)
        .find(|(at, _)| definition[..*at].ends_with('\n') && begins(&definition[*at..]))
        .map(|(at, _)| at)
}

/// Whether a name of no characters is in it.
fn names_nothing(body: &str) -> bool {
    tokens(body).any(|(_, token)| token == "\"\"")
}

/// Quoted text, words and single characters with their places.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let (begin, length) = (at, quoted(rest).unwrap_or_else(|| next_character(rest)));
        at += length;
        Some((begin, &rest[..length]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_body_is_found_and_a_text_is_none() {
        let parsed = "CREATE OR REPLACE FUNCTION s.f(\"\nRETURN x\" integer)\n RETURNS integer\n LANGUAGE sql\nRETURN 1";
        assert_eq!(parsed_body(parsed), parsed.rfind("RETURN 1"));
        let block =
            "CREATE OR REPLACE PROCEDURE s.p()\n LANGUAGE sql\nBEGIN ATOMIC\n SELECT 1;\nEND";
        assert_eq!(parsed_body(block), block.find("BEGIN"));
        let text = "CREATE OR REPLACE FUNCTION s.f()\n RETURNS integer\n LANGUAGE sql\nAS $function$\nRETURN 1\n$function$";
        assert_eq!(parsed_body(text), None);
    }

    #[test]
    fn an_argument_without_a_name_is_seen() {
        assert!(names_nothing("RETURN (\"\" || e)"));
        assert!(!names_nothing("RETURN ('\"\"' || \"a\"\"b\")"));
    }
}
