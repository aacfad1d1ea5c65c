//! What the connected role may do, and what of a list of objects it therefore could not make.

use std::collections::{BTreeMap, BTreeSet};

use super::{Need, Right};
use crate::error::Result;
use crate::pg::{Row, Session, Sql, quote_ident};

/// Settings that the role was granted SET on; that exists from 15 on.
const PARAMETERS: Sql = Sql::constant(
    "SELECT parname AS name FROM pg_catalog.pg_parameter_acl \
     WHERE pg_catalog.has_parameter_privilege(parname, 'SET')",
);

/// What the connected role may do in this database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// `current_user`.
    pub role: String,
    /// Everything below does not matter then.
    pub superuser: bool,
    /// The server's major: how memberships are granted.
    major: u32,
    database_owner: String,
    acts_as: BTreeSet<String>,
    becomes: BTreeSet<String>,
    /// Owners of the schemas that are there.
    schemas: BTreeMap<String, String>,
    /// Schema and role that may create in it.
    creators: BTreeSet<(String, String)>,
    /// Roles, of those it acts as, that may create in the database.
    databases: BTreeSet<String>,
    languages: BTreeSet<String>,
    tablespaces: BTreeSet<String>,
    /// Wrapper and role that may use it.
    wrappers: BTreeSet<(String, String)>,
    rows: BTreeSet<String>,
    parameters: BTreeSet<String>,
}

/// An object that shall be made: an entry of a catalog or of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The entry's identity.
    pub identity: &'a str,
    /// The kind in pg_dump's words.
    pub kind: &'a str,
    /// Its schema, raw.
    pub schema: Option<&'a str>,
    /// Its owner, raw.
    pub owner: Option<&'a str>,
}

/// What this role could not make again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// `table public.users`.
    pub what: String,
    /// Why not; equal for objects with the same cause.
    pub why: String,
    /// The statement that cures it, or what else does.
    pub cure: String,
}

impl Rights {
    /// Those of a superuser, whom nothing stops.
    pub fn of_superuser() -> Self {
        Self {
            superuser: true,
            ..Self::default()
        }
    }

    /// Asks the server, in two queries.
    pub async fn of(session: &Session) -> Result<Self> {
        let sql = Sql::constant(include_str!("../sql/rights_held.sql"));
        let row = session.query_one(&sql).await?;
        let set = |column: &str| row.list(column).map(BTreeSet::from_iter);
        let mut rights = Self {
            role: row.string("role")?,
            superuser: row.bool("superuser")?,
            major: session.version().major(),
            database_owner: row.string("database_owner")?,
            acts_as: set("acts_as")?,
            becomes: set("becomes")?,
            schemas: pairs(&row, "schemas")?.into_iter().collect(),
            creators: pairs(&row, "creators")?,
            databases: set("databases")?,
            languages: set("languages")?,
            tablespaces: set("tablespaces")?,
            wrappers: pairs(&row, "wrappers")?,
            rows: set("rows")?,
            parameters: BTreeSet::new(),
        };
        if rights.major >= 15 {
            for row in session.query(&PARAMETERS).await? {
                rights.parameters.insert(row.string("name")?.to_lowercase());
            }
        }
        Ok(rights)
    }

    /// Extensions with versions that it could install here; one query that reads many files.
    pub async fn installable(&self, session: &Session) -> Result<BTreeSet<(String, String)>> {
        let sql = Sql::constant(include_str!("../sql/rights_extensions.sql"));
        let rows = session.query(&sql).await?;
        rows.iter()
            .map(|row| Ok((row.string("name")?, row.string("version")?)))
            .collect()
    }

    /// Whether it could make, change and drop what this role owns.
    pub fn acts_as(&self, role: &str) -> bool {
        self.superuser || self.acts_as.contains(role)
    }

    /// The owner of a schema that is there.
    pub fn schema_owner(&self, schema: &str) -> Option<&str> {
        self.schemas.get(schema).map(String::as_str)
    }

    /// Whether a role may create in a schema that exists.
    pub fn creates_in(&self, role: &str, schema: &str) -> bool {
        self.creators
            .contains(&(schema.to_owned(), role.to_owned()))
    }

    /// What it could not make of `made` and `needs`, with the cure; sorted. The caller leaves out
    /// what is there already.
    pub fn objections<'a>(
        &self,
        made: impl IntoIterator<Item = Made<'a>>,
        needs: impl IntoIterator<Item = &'a Need>,
    ) -> Vec<Objection> {
        if self.superuser {
            return Vec::new();
        }
        let mut found: Vec<Objection> = Vec::new();
        let mut owners = BTreeMap::new();
        for one in made {
            found.extend(self.of_owner(one).or_else(|| self.of_schema(one)));
            if let Some(owner) = one.owner {
                owners.insert(one.identity, owner);
            }
        }
        for need in needs {
            let owner = owners.get(need.identity.as_str()).copied();
            found.extend(self.of_need(need, owner));
        }
        found.sort();
        // One object, one cause: a superuser's object that is somebody else's too is named once.
        found.dedup();
        found
    }

    fn of_owner(&self, made: Made<'_>) -> Option<Objection> {
        if made.kind == "SCHEMA" && !self.databases.contains(&self.role) {
            return Some(self.objection(
                made.identity,
                "this role may not create schemas in the database",
                self.grant_on_database(&self.role),
            ));
        }
        let owner = made.owner.filter(|owner| !self.acts_as(owner))?;
        Some(self.objection(
            made.identity,
            format!("it belongs to {owner}, whose rights this role does not have"),
            self.grant_role(owner),
        ))
    }

    /// In a schema that is there and that it cannot grant on, it and the owner must be able to
    /// create already.
    fn of_schema(&self, made: Made<'_>) -> Option<Objection> {
        let (schema, owner) = (made.schema?, made.owner?);
        let lender = self.schema_owner(schema)?;
        if self.acts_as(lender) {
            return None;
        }
        let mut roles = [self.role.as_str(), owner].into_iter();
        let lacking = roles.find(|role| !self.creates_in(role, schema))?;
        let why =
            format!("{lacking} may not create in the schema {schema}, which belongs to {lender}");
        let cure = format!(
            "GRANT CREATE ON SCHEMA {} TO {}",
            quote_ident(schema),
            quote_ident(lacking)
        );
        Some(self.objection(made.identity, why, cure))
    }

    fn of_need(&self, need: &Need, owner: Option<&str>) -> Option<Objection> {
        let why = &need.why;
        let (why, cure) = match &need.right {
            Right::Superuser => (
                format!("{why}: only a superuser makes one"),
                "run as a superuser".to_owned(),
            ),
            Right::Role(role) if !self.acts_as(role) => (
                format!("{why}, and this role does not have the rights of {role}"),
                self.grant_role(role),
            ),
            Right::Become(role) if !self.becomes.contains(role) => (
                format!("{role} granted something on it, and this role may not SET ROLE to {role}"),
                self.grant_role(role),
            ),
            Right::Language(name) if !self.languages.contains(name) => (
                format!("{why}, which this role may not use"),
                self.grant("USAGE ON LANGUAGE", name),
            ),
            Right::Parameter(name) if !self.parameters.contains(&name.to_lowercase()) => (
                format!("{why}, which this role may not set"),
                self.grant_parameter(name),
            ),
            Right::Tablespace(name) if !self.tablespaces.contains(name) => (
                format!("{why}, where this role may not create anything"),
                self.grant("CREATE ON TABLESPACE", name),
            ),
            Right::Wrapper(name) => (
                format!("{why}, which its owner or this role may not use"),
                self.lacks_wrapper(name, owner)?,
            ),
            Right::Database(role) if !self.databases.contains(role) => {
                (why.clone(), self.grant_on_database(role))
            }
            Right::Rows(table) if !self.rows.contains(table) => (
                format!("{why}, and this role may not write them"),
                format!("GRANT INSERT, DELETE ON {table} TO {}", self.quoted_role()),
            ),
            _ => return None,
        };
        Some(self.objection(&need.identity, why, cure))
    }

    /// The grant that is missing for a wrapper; none if nothing is.
    fn lacks_wrapper(&self, wrapper: &str, owner: Option<&str>) -> Option<String> {
        let roles = [Some(self.role.as_str()), owner];
        let lacking = roles.into_iter().flatten().find(|role| {
            let pair = (wrapper.to_owned(), (*role).to_owned());
            !self.wrappers.contains(&pair)
        })?;
        Some(format!(
            "GRANT USAGE ON FOREIGN DATA WRAPPER {} TO {}",
            quote_ident(wrapper),
            quote_ident(lacking)
        ))
    }

    fn objection(&self, what: &str, why: impl Into<String>, cure: String) -> Objection {
        Objection {
            what: what.to_owned(),
            why: why.into(),
            cure,
        }
    }

    fn quoted_role(&self) -> String {
        quote_ident(&self.role)
    }

    /// From 16 on a membership may come without SET and without the role's rights.
    fn grant_role(&self, role: &str) -> String {
        let options = if self.major >= 16 {
            " WITH INHERIT TRUE, SET TRUE"
        } else {
            ""
        };
        format!(
            "GRANT {} TO {}{options}",
            quote_ident(role),
            self.quoted_role()
        )
    }

    fn grant(&self, what: &str, name: &str) -> String {
        format!(
            "GRANT {what} {} TO {}",
            quote_ident(name),
            self.quoted_role()
        )
    }

    fn grant_on_database(&self, role: &str) -> String {
        format!(
            "GRANT CREATE ON DATABASE … TO {} (as {}, its owner)",
            quote_ident(role),
            self.database_owner
        )
    }

    fn grant_parameter(&self, name: &str) -> String {
        if self.major >= 15 {
            self.grant("SET ON PARAMETER", name)
        } else {
            "run as a superuser".to_owned()
        }
    }
}

fn pairs(row: &Row, column: &str) -> Result<BTreeSet<(String, String)>> {
    match row.opt(column)? {
        None => Ok(BTreeSet::new()),
        Some(_) => row.json(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights() -> Rights {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Rights {
            role: "app".into(),
            major: 16,
            acts_as: set(&["app", "billing"]),
            becomes: set(&["app", "billing", "granter"]),
            databases: set(&["app"]),
            tablespaces: set(&["fast"]),
            wrappers: BTreeSet::from([("w".into(), "app".into())]),
            ..Rights::default()
        }
    }

    fn table(owner: &str) -> Made<'_> {
        Made {
            identity: "table public.t",
            kind: "TABLE",
            schema: Some("public"),
            owner: Some(owner),
        }
    }

    fn need(right: Right) -> Need {
        Need {
            identity: "thing".into(),
            right,
            why: "because".into(),
        }
    }

    #[test]
    fn owners_must_be_roles_that_it_acts_as() {
        let of = |owner| rights().objections([table(owner)], []);
        assert!(of("app").is_empty() && of("billing").is_empty());
        let found = of("granter");
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].cure,
            "GRANT \"granter\" TO \"app\" WITH INHERIT TRUE, SET TRUE"
        );
        let superuser = Rights {
            superuser: true,
            ..Rights::default()
        };
        assert!(superuser.objections([table("granter")], []).is_empty());
    }

    #[test]
    fn each_right_is_missed_and_each_is_found() {
        let name = |name: &str| name.to_owned();
        for (right, has) in [
            (Right::Superuser, false),
            (Right::Role(name("billing")), true),
            (Right::Role(name("granter")), false),
            (Right::Become(name("granter")), true),
            (Right::Become(name("x")), false),
            (Right::Language(name("sql")), false),
            (Right::Parameter(name("log_min_messages")), false),
            (Right::Tablespace(name("fast")), true),
            (Right::Tablespace(name("slow")), false),
            (Right::Wrapper(name("w")), true),
            (Right::Wrapper(name("v")), false),
            (Right::Database(name("app")), true),
            (Right::Database(name("billing")), false),
            (Right::Rows(name("s.t")), false),
        ] {
            let needs = [need(right.clone())];
            assert_eq!(rights().objections([], &needs).is_empty(), has, "{right:?}");
        }
    }

    #[test]
    fn the_owner_of_a_server_needs_its_wrapper_too() {
        let server = Made {
            identity: "thing",
            kind: "SERVER",
            schema: None,
            owner: Some("billing"),
        };
        let needs = [need(Right::Wrapper("w".into()))];
        let found = rights().objections([server], &needs);
        assert_eq!(
            found[0].cure,
            "GRANT USAGE ON FOREIGN DATA WRAPPER \"w\" TO \"billing\""
        );
    }
}
