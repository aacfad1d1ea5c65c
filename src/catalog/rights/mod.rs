//! Which rights an object needs to be made again, and which the connected role has (spec §5.2).
//!
//! The one place that classifies: [`superuser_only`] by kind, `sql/rights_needed.sql` by what the
//! catalogs say of single rows, owners by the entries themselves, grantors by `acl`. What an
//! archive needs is kept in its manifest, so that a restore judges it against another server.
//! [`Rights::objections`] compares both: its answer is the list that would fail half-way, told
//! beforehand.

mod held;

use super::address::Address;
use super::entry::{Entry, Kind};
use super::graph::NodeId;
use super::read::Reading;
use super::source::Source;
use crate::error::{Error, Result};
use crate::pg::Sql;

pub use held::{Made, Objection, Rights};

/// What it takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Nothing less.
    Superuser,
    /// To act as this role: its rights and, from 16 on, SET ROLE.
    Role(String),
    /// To SET ROLE to this one: it gave a grant.
    Become(String),
    /// USAGE of this language.
    Language(String),
    /// To change this setting, which is not everybody's.
    Parameter(String),
    /// CREATE on this tablespace.
    Tablespace(String),
    /// USAGE of this foreign-data wrapper, the object's owner too.
    Wrapper(String),
    /// CREATE on the database, for this role.
    Database(String),
    /// To fill this configuration table of an extension, quoted.
    Rows(String),
    /// That the server can load this library; whoever may use it is a superuser anyway.
    Library(String),
}

impl Right {
    /// The word and the name that manifests keep.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Superuser => ("superuser", ""),
            Self::Role(name) => ("role", name),
            Self::Become(name) => ("become", name),
            Self::Language(name) => ("language", name),
            Self::Parameter(name) => ("parameter", name),
            Self::Tablespace(name) => ("tablespace", name),
            Self::Wrapper(name) => ("wrapper", name),
            Self::Database(name) => ("database", name),
            Self::Rows(name) => ("rows", name),
            Self::Library(name) => ("library", name),
        }
    }

    /// The right that [`Right::words`] named; a word of a later version is an error, because
    /// nobody here could say whether the role has it.
    pub fn of_words(word: &str, name: &str) -> Result<Self> {
        let name = name.to_owned();
        Ok(match word {
            "superuser" => Self::Superuser,
            "role" => Self::Role(name),
            "become" => Self::Become(name),
            "language" => Self::Language(name),
            "parameter" => Self::Parameter(name),
            "tablespace" => Self::Tablespace(name),
            "wrapper" => Self::Wrapper(name),
            "database" => Self::Database(name),
            "rows" => Self::Rows(name),
            "library" => Self::Library(name),
            other => {
                return Err(Error::refused("judge what a restore needs").because(format!(
                    "a newer version of pgbelay recorded the right {other:?}, which this one does not know"
                )));
            }
        })
    }
}

/// One object and one right that making it takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The entry's identity, or the server's words for what no entry stands for.
    pub identity: String,
    /// What it takes.
    pub right: Right,
    /// Why, for people: `its language c is not trusted`.
    pub why: String,
}

/// Why only a superuser makes objects of a kind. No wildcard: a new kind has to be judged here.
pub(super) fn superuser_only(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Language => Some("it is a procedural language"),
        Kind::ShellType => Some("it is the shell of a base type"),
        Kind::AccessMethod => Some("it is an access method"),
        Kind::OperatorFamily => Some("it is an operator family"),
        Kind::OperatorClass => Some("it is an operator class"),
        Kind::OperatorFamilyMember => Some("it is a member of an operator family"),
        Kind::TsParser => Some("it is a text search parser"),
        Kind::TsTemplate => Some("it is a text search template"),
        Kind::ForeignDataWrapper => Some("it is a foreign-data wrapper"),
        Kind::PublicationSchema => Some("it publishes all tables of a schema"),
        Kind::EventTrigger => Some("it is an event trigger"),
        Kind::Subscription => Some("it is a subscription"),
        Kind::SecurityLabel => Some("it is a security label"),
        Kind::Owner => Some("it gives an object of the system or of an extension to another owner"),
        Kind::ExtensionTable => Some("it changes a table of an extension"),
        Kind::TriggerState => Some("it switches a trigger of a constraint"),
        // Their owner makes them, or whoever owns what they hang on; rows that take more are in
        // rights_needed.sql, extensions in held.rs.
        Kind::Schema
        | Kind::Absence
        | Kind::Extension
        | Kind::Type
        | Kind::Domain
        | Kind::Function
        | Kind::Procedure
        | Kind::Sequence
        | Kind::Table
        | Kind::View
        | Kind::MaterializedView
        | Kind::TableAttach
        | Kind::SequenceOwnedBy
        | Kind::Default
        | Kind::TableData
        | Kind::SequenceSet
        | Kind::CheckConstraint
        | Kind::Constraint
        | Kind::Index
        | Kind::IndexAttach
        | Kind::Rule
        | Kind::Trigger
        | Kind::FkConstraint
        | Kind::Policy
        | Kind::RowSecurity
        | Kind::DefaultAcl
        | Kind::MaterializedViewData
        | Kind::Comment
        | Kind::Acl
        | Kind::Collation
        | Kind::Transform
        | Kind::Cast
        | Kind::Aggregate
        | Kind::Operator
        | Kind::Conversion
        | Kind::TsDictionary
        | Kind::TsConfiguration
        | Kind::ForeignServer
        | Kind::UserMapping
        | Kind::ForeignTable
        | Kind::LargeObject
        | Kind::LargeObjectData
        | Kind::Statistics
        | Kind::Publication
        | Kind::PublicationTable => None,
    }
}

/// Adds what single rows of the catalogs need.
pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let sql = Sql::constant(include_str!("../sql/rights_needed.sql"));
    for row in source.query(&sql).await? {
        let address: Address = (row.number("class")?, row.number("object")?);
        if row.text("right")? == "rows" && reading.unfilled.contains(&address.1) {
            continue;
        }
        let name = row.opt("name")?.unwrap_or_default();
        let need = Need {
            identity: match identity(reading, address) {
                Some(identity) => identity,
                None => row.string("what")?,
            },
            right: Right::of_words(row.text("right")?, name)?,
            why: row.string("why")?,
        };
        reading.needs.push(need);
    }
    Ok(())
}

/// Everything that the entries need, beyond their owners and with what was added: sorted, each once.
pub(super) fn needed(mut needs: Vec<Need>, entries: &[Entry]) -> Vec<Need> {
    for entry in entries {
        needs.extend(superuser_only(entry.kind).map(|why| Need {
            identity: entry.identity.clone(),
            right: Right::Superuser,
            why: why.to_owned(),
        }));
    }
    needs.sort();
    needs.dedup();
    needs
}

/// The entry that stands for a row; a member of an extension stands for itself.
fn identity(reading: &Reading, address: Address) -> Option<String> {
    let node: NodeId = reading.graph.root(reading.graph.find(address)?);
    let node = reading.graph.nodes.get(node)?;
    (!reading.is_member(address)).then(|| node.identity.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_go_through_a_manifest_and_unknown_ones_are_refused() {
        let name = || "a b".to_owned();
        for right in [
            Right::Superuser,
            Right::Role(name()),
            Right::Become(name()),
            Right::Language(name()),
            Right::Parameter(name()),
            Right::Tablespace(name()),
            Right::Wrapper(name()),
            Right::Database(name()),
            Right::Rows(name()),
            Right::Library(name()),
        ] {
            let (word, name) = right.words();
            assert_eq!(Right::of_words(word, name).unwrap(), right);
        }
        let error = Right::of_words("blessing", "").unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Refused);
    }
}
