//! CREATE on schemas, lent to owners for the time of a restore by a role that is no superuser.
//!
//! Giving an object away demands that its new owner may create in the schema, and grants come
//! last (spec §5.2). So each owner that is not the schema's gets CREATE when the schema is made,
//! or at the start where the schema is there already, and loses it before the recorded grants are
//! made. All of it happens inside the restore's one transaction: nobody ever sees it.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::Statement;
use crate::archive::Manifest;
use crate::catalog::{Kind, Rights};
use crate::pg::Sql;

/// What was lent, or will be: roles by schema, raw.
#[derive(Debug, Default)]
pub(super) struct Loans(BTreeMap<String, BTreeSet<String>>);

impl Loans {
    /// What the entries that are made need; nothing for a superuser. `rights` are those of now:
    /// schemas that they know are there already, and owners that may create there keep what they
    /// have.
    pub fn of(manifest: &Manifest, present: &BTreeSet<usize>, rights: &Rights) -> Self {
        let mut loans = Self::default();
        if rights.superuser {
            return loans;
        }
        let made = manifest.entries.iter().enumerate();
        for (_, entry) in made.filter(|(index, _)| !present.contains(index)) {
            let (Some(schema), Some(owner)) = (&entry.schema, &entry.owner) else {
                continue;
            };
            let needed = match rights.schema_owner(schema) {
                Some(lender) => rights.acts_as(lender) && !rights.creates_in(owner, schema),
                None => recorded_owner(manifest, schema) != Some(owner),
            };
            if needed {
                let roles = loans.0.entry(schema.clone()).or_default();
                roles.insert(owner.clone());
            }
        }
        loans
    }

    /// Grants in a schema that has just been made, or is there.
    pub fn lend(&self, schema: &str) -> Option<Statement> {
        let roles = self.0.get(schema)?;
        let sql = Sql::constant("GRANT CREATE ON SCHEMA ")
            .ident(schema)
            .then(" TO ");
        Some(Statement {
            what: format!("let the owners of its objects create in the schema {schema}"),
            sql: listed(sql, roles),
        })
    }

    /// Schemas with loans.
    pub fn schemas(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes everything back.
    pub fn take_back(&self) -> Vec<Statement> {
        let taken = self.0.iter().map(|(schema, roles)| {
            let sql = Sql::constant("REVOKE CREATE ON SCHEMA ")
                .ident(schema)
                .then(" FROM ");
            Statement {
                what: format!("take back what was lent in the schema {schema}"),
                sql: listed(sql, roles),
            }
        });
        taken.collect()
    }
}

fn recorded_owner<'a>(manifest: &'a Manifest, schema: &str) -> Option<&'a str> {
    let mut entries = manifest.entries.iter();
    let found = entries.find(|one| one.kind == Kind::Schema.name() && one.name == schema);
    found.and_then(|one| one.owner.as_deref())
}

fn listed(mut sql: Sql, roles: &BTreeSet<String>) -> Sql {
    for (place, role) in roles.iter().enumerate() {
        sql = sql.then(if place == 0 { "" } else { ", " }).ident(role);
    }
    sql.then(";")
}
