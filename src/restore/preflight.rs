//! What must hold before a restore touches anything (spec §5.3): everything that would fail
//! half-way is found and told at once.

use std::collections::BTreeSet;

use super::empty;
use crate::archive::{EntryRecord, ExtensionRecord, Manifest, Reader};
use crate::catalog::{self, Catalog, Kind, Made, Need, Right, Rights};
use crate::context::Context;
use crate::error::{Error, Result, by_cause, refused_for};
use crate::pg::{Row, Session, Sql, quote_ident};

/// Something that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Obstacle {
    what: String,
    why: String,
    cure: Option<String>,
}

fn obstacle(
    what: impl Into<String>,
    why: impl Into<String>,
    cure: impl Into<Option<String>>,
) -> Obstacle {
    Obstacle {
        what: what.into(),
        why: why.into(),
        cure: cure.into(),
    }
}

/// Examines the database that `session` is connected to, inside the caller's transaction. Returns
/// the entries (indexes into the manifest's) that are there already and need not be made.
pub(super) async fn require(
    session: &Session,
    reader: &Reader,
    ctx: &Context,
) -> Result<BTreeSet<usize>> {
    let manifest = reader.manifest();
    require_fitting_server(session, manifest)?;
    super::parallel::refuse_unfinished(session).await?;
    let live = catalog::read(session).await?;
    let rights = Rights::of(session).await?;
    let server = Server::of(session).await?;
    let present = present(&live, reader)?;
    let mut found = of_emptiness(&live, manifest, &present);
    found.extend(of_encoding(&live, manifest));
    let needs = needs(manifest)?;
    let missing = missing_roles(manifest, &needs, &server.roles);
    found.extend(missing.iter().map(|role| no_such_role(role)));
    found.extend(of_tablespaces(&needs, &server));
    let installable = rights.installable(session).await?;
    found.extend(of_extensions(&live, manifest, &server, &installable));
    found.extend(of_rights(manifest, &needs, &present, &missing, &rights));
    found.extend(of_libraries(session, &needs, &rights).await?);
    if let Some(error) = refusal(&live, &found) {
        return Err(error);
    }
    warn(&live, manifest, ctx);
    Ok(present)
}

fn refusal(live: &Catalog, found: &[Obstacle]) -> Option<Error> {
    let told = found
        .iter()
        .map(|one| (&*one.what, &*one.why, one.cure.as_deref()));
    let attempt = format!("restore into the database {}", live.database.name);
    Some(refused_for(attempt, told)?.now("nothing was changed"))
}

/// An older server would not understand the deparsed definitions.
fn require_fitting_server(session: &Session, manifest: &Manifest) -> Result<()> {
    let (from, to) = (
        manifest.database.server_version_number / 10_000,
        session.version().major(),
    );
    if from <= to {
        return Ok(());
    }
    Err(Error::refused("restore the archive")
        .because(format!(
            "it comes from PostgreSQL {from}, this server is {to}"
        ))
        .now("nothing was changed")
        .hint(format!("restore it on PostgreSQL {from} or newer")))
}

/// What the server offers.
struct Server {
    roles: BTreeSet<String>,
    tablespaces: BTreeSet<String>,
    available: BTreeSet<(String, String)>,
}

impl Server {
    async fn of(session: &Session) -> Result<Self> {
        let sql = Sql::constant(include_str!("sql/target.sql"));
        let row: Row = session.query_one(&sql).await?;
        let available = match row.opt("available")? {
            None => BTreeSet::new(),
            Some(_) => row.json("available")?,
        };
        Ok(Self {
            roles: row.list("roles")?.into_iter().collect(),
            tablespaces: row.list("tablespaces")?.into_iter().collect(),
            available,
        })
    }

    fn has_extension(&self, extension: &ExtensionRecord) -> bool {
        let version = (extension.name.clone(), extension.version.clone());
        self.available.contains(&version)
    }
}

fn needs(manifest: &Manifest) -> Result<Vec<Need>> {
    let needs = manifest.needs.iter().map(|record| {
        Ok(Need {
            identity: record.identity.clone(),
            right: Right::of_words(&record.right, &record.name)?,
            why: record.why.clone(),
        })
    });
    needs.collect()
}

/// Entries that the database has already and that are the same there: `public` with what is said
/// about it, and extensions that somebody installed beforehand, with their schemas.
fn present(live: &Catalog, reader: &Reader) -> Result<BTreeSet<usize>> {
    let manifest = reader.manifest();
    let mut present = BTreeSet::new();
    for (index, record) in manifest.entries.iter().enumerate() {
        let found = live
            .entries
            .iter()
            .find(|entry| entry.identity == record.identity);
        let Some(found) = found else { continue };
        let text = match record.place {
            Some(_) => reader.entry_text(index)?,
            None => String::new(),
        };
        let same = catalog::canonical_text(&record.kind, &text) == found.canonical();
        if same && (is_of_extension(found, live) || empty::is_public(found, live)) {
            present.insert(index);
        }
    }
    Ok(present)
}

/// An extension, its schema, or what is said about either.
fn is_of_extension(entry: &catalog::Entry, live: &Catalog) -> bool {
    let mut extensions = live.extensions.iter();
    match entry.kind {
        Kind::Extension => true,
        Kind::Schema => extensions.any(|extension| extension.schema == entry.name),
        Kind::Comment | Kind::Acl => {
            let mut parents = entry.depends.iter().filter_map(|at| live.entries.get(*at));
            parents.any(|parent| is_of_extension(parent, live))
        }
        _ => false,
    }
}

/// Anything else that the database holds would be mixed with what is restored; what is said about
/// `public` there, default privileges among it, would spoil it.
fn of_emptiness(live: &Catalog, manifest: &Manifest, present: &BTreeSet<usize>) -> Vec<Obstacle> {
    let there: BTreeSet<&str> = present
        .iter()
        .filter_map(|index| manifest.entries.get(*index))
        .map(|record| record.identity.as_str())
        .collect();
    let full = "the database is not empty";
    let cure = "restore into a new database (--into NAME --create); to put this one back to the \
                archive, use `pgbelay rollback`";
    let known = manifest.extensions.iter();
    let differing: BTreeSet<String> = known.map(|one| one.name.clone()).collect();
    let mut found: Vec<Obstacle> = live
        .entries
        .iter()
        .filter(|entry| !there.contains(entry.identity.as_str()))
        // Told in a better way by `of_extensions`.
        .filter(|entry| entry.kind != Kind::Extension || !differing.contains(&entry.name))
        .filter_map(|entry| match empty::is_public(entry, live) {
            false => Some(obstacle(&entry.identity, full, cure.to_owned())),
            true if catalog::is_usual_of_public(&entry.create) => None,
            true => Some(obstacle(
                &entry.identity,
                "the schema public is not as in a fresh database, nor as in the archive",
                cure.to_owned(),
            )),
        })
        .collect();
    let uncovered = live.uncovered.iter();
    found.extend(uncovered.map(|one| obstacle(&one.description, full, cure.to_owned())));
    found
}

/// The server converts rows between encodings, except where bytes have no characters.
fn of_encoding(live: &Catalog, manifest: &Manifest) -> Option<Obstacle> {
    let (from, to) = (&manifest.database.encoding, &live.database.encoding);
    let meaningless = [from, to].iter().any(|one| *one == "SQL_ASCII");
    (from != to && meaningless).then(|| {
        obstacle(
            format!("database {}", live.database.name),
            format!(
                "its encoding is {to}, that of the archive {from}: between them bytes have no defined meaning"
            ),
            "restore into a new database: --into NAME --create".to_owned(),
        )
    })
}

/// Roles that owners, grants, policies, settings and needs name.
fn missing_roles(
    manifest: &Manifest,
    needs: &[Need],
    known: &BTreeSet<String>,
) -> BTreeSet<String> {
    let owners = manifest.entries.iter().filter_map(|one| one.owner.as_ref());
    let named = needs.iter().filter_map(|need| match &need.right {
        Right::Role(name) | Right::Become(name) => Some(name),
        _ => None,
    });
    let all = manifest.roles.iter().chain(owners).chain(named);
    all.filter(|role| !known.contains(*role)).cloned().collect()
}

fn no_such_role(role: &str) -> Obstacle {
    obstacle(
        format!("role {role}"),
        "the archive names it and this server does not have it",
        format!("CREATE ROLE {};", quote_ident(role)),
    )
}

fn of_tablespaces(needs: &[Need], server: &Server) -> Vec<Obstacle> {
    let named: BTreeSet<&str> = needs
        .iter()
        .filter_map(|need| match &need.right {
            Right::Tablespace(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let missing = named
        .into_iter()
        .filter(|name| !server.tablespaces.contains(*name));
    missing
        .map(|name| {
            obstacle(
                format!("tablespace {name}"),
                "objects of the archive lie in it and this server does not have it",
                format!("CREATE TABLESPACE {} LOCATION '…';", quote_ident(name)),
            )
        })
        .collect()
}

fn of_extensions(
    live: &Catalog,
    manifest: &Manifest,
    server: &Server,
    installable: &BTreeSet<(String, String)>,
) -> Vec<Obstacle> {
    let judge = |wanted: &ExtensionRecord| {
        let what = format!("extension {} {}", wanted.name, wanted.version);
        let quoted = quote_ident(&wanted.name);
        let version = crate::pg::quote_literal(&wanted.version);
        let mut installed = live.extensions.iter();
        if let Some(there) = installed.find(|one| one.name == wanted.name) {
            let cure = if there.schema == wanted.schema {
                format!("ALTER EXTENSION {quoted} UPDATE TO {version};")
            } else {
                format!("DROP EXTENSION {quoted};")
            };
            let why = format!(
                "the database has its version {} in the schema {}, the archive had it in {}",
                there.version, there.schema, wanted.schema
            );
            let same = there.version == wanted.version && there.schema == wanted.schema;
            return (!same).then(|| obstacle(what, why, cure));
        }
        let cure = format!(
            "as a superuser, in the database: CREATE SCHEMA IF NOT EXISTS {schema}; \
             CREATE EXTENSION {quoted} SCHEMA {schema} VERSION {version};",
            schema = quote_ident(&wanted.schema)
        );
        if !server.has_extension(wanted) {
            let cure = "install the package that brings it on the server, or update the archive's \
                        database first";
            let why = "this server does not have it in that version";
            return Some(obstacle(what, why, cure.to_owned()));
        }
        let key = (wanted.name.clone(), wanted.version.clone());
        (!installable.contains(&key)).then(|| obstacle(what, "this role may not install it", cure))
    };
    manifest.extensions.iter().filter_map(judge).collect()
}

/// What this role may not do; what a missing role would own is told already.
fn of_rights(
    manifest: &Manifest,
    needs: &[Need],
    present: &BTreeSet<usize>,
    missing: &BTreeSet<String>,
    rights: &Rights,
) -> Vec<Obstacle> {
    let entries = manifest.entries.iter().enumerate();
    let (there, made): (Vec<_>, Vec<_>) =
        entries.partition(|(index, entry)| present.contains(index) || makes_nothing(entry));
    let there: BTreeSet<&str> = there.iter().map(|(_, one)| one.identity.as_str()).collect();
    let known = |owner: &Option<String>| owner.as_ref().is_none_or(|one| !missing.contains(one));
    let made = made
        .into_iter()
        .filter(|(_, entry)| known(&entry.owner))
        .map(|(_, entry)| Made {
            identity: &entry.identity,
            kind: &entry.kind,
            schema: entry.schema.as_deref(),
            owner: entry.owner.as_deref(),
        });
    let needs = needs.iter().filter(|need| {
        !there.contains(need.identity.as_str())
            && !matches!(&need.right, Right::Role(name) | Right::Become(name) if missing.contains(name))
    });
    let found = rights.objections(made, needs);
    found
        .into_iter()
        .map(|one| obstacle(one.what, one.why, one.cure))
        .collect()
}

/// `public` as a fresh database has it.
fn makes_nothing(entry: &EntryRecord) -> bool {
    entry.place.is_none_or(|place| place.length == 0)
}

/// Libraries that functions are in: only a superuser gets this far, and may load them.
async fn of_libraries(session: &Session, needs: &[Need], rights: &Rights) -> Result<Vec<Obstacle>> {
    let mut found = Vec::new();
    if !rights.superuser {
        return Ok(found);
    }
    let libraries: BTreeSet<&str> = needs
        .iter()
        .filter_map(|need| match &need.right {
            Right::Library(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for library in libraries {
        let load = Sql::constant("SAVEPOINT pgbelay_library;\nLOAD ")
            .literal(library)
            .then(";\nRELEASE SAVEPOINT pgbelay_library;");
        if let Err(error) = session.execute(&load).await {
            let back = Sql::constant("ROLLBACK TO SAVEPOINT pgbelay_library");
            session.execute(&back).await?;
            found.push(obstacle(
                format!("library {library}"),
                format!(
                    "functions of the archive are in it, and the server cannot load it: {}",
                    error.reason().unwrap_or_default()
                ),
                "install it on the server".to_owned(),
            ));
        }
    }
    Ok(found)
}

/// What does not stand in the way but deserves a word.
fn warn(live: &Catalog, manifest: &Manifest, ctx: &Context) {
    let (then, now) = (&manifest.database.properties, &live.database.properties);
    let differing = ["collate", "ctype", "locale_provider", "locale", "icu_rules"]
        .into_iter()
        .filter(|key| then.get(*key) != now.get(*key));
    let told = differing.map(|key| {
        let value = |side: &std::collections::BTreeMap<String, String>| {
            side.get(key).cloned().unwrap_or_else(|| "none".to_owned())
        };
        format!("{key}: {} instead of {}", value(now), value(then))
    });
    let told: Vec<String> = told.collect();
    let why = "the database sorts and compares text in another way than the archived one";
    for line in by_cause(told.iter().map(|what| (&**what, why))) {
        ctx.warn(line);
    }
    // Indexes are built anew; checks and partition bounds are not.
    let version =
        |side: &std::collections::BTreeMap<String, String>| side.get("collation_version").cloned();
    if let (Some(recorded), Some(found)) = (version(then), version(now))
        && recorded != found
    {
        ctx.warn(format!(
            "the collation of the archive's database had version {recorded}, here it has {found}: \
             text may sort otherwise, and checks or partition bounds that compare text may refuse rows"
        ));
    }
}
