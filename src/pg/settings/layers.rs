//! The layers of settings in the order of design.md §10, each setting with its source.
//!
//! A layer fills only what the layers before it left open. What belongs to a host (`DB_PORT`,
//! `PGHOSTADDR`) does not fill in for a host that an earlier layer named.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::keywords::{self, KEYWORDS, Trouble, Use};
use super::variables::{Given, Source, Variables, read_file};
use super::{servicefile, url};
use crate::error::{Error, Result};

/// The component variables and the keywords they stand for.
const COMPONENTS: [(&str, &str); 5] = [
    ("DB_HOST", "host"),
    ("DB_PORT", "port"),
    ("POSTGRES_DB", "dbname"),
    ("POSTGRES_USER", "user"),
    ("POSTGRES_PASSWORD", "password"),
];

/// Settings by libpq keyword.
#[derive(Default)]
pub(super) struct Settings {
    values: BTreeMap<&'static str, Given>,
    /// The URL's scheme, when there was a URL.
    pub scheme: Option<&'static str>,
}

impl Settings {
    /// The value of a keyword.
    pub fn get(&self, keyword: &str) -> Option<&Given> {
        self.values.get(keyword)
    }

    fn offer(&mut self, keyword: &'static str, given: Given) {
        self.values.entry(keyword).or_insert(given);
    }
}

/// Reads every layer.
pub(super) fn read(flag: Option<&str>, variables: &mut Variables<'_>) -> Result<Settings> {
    let mut settings = Settings::default();
    if let Some(given) = connection_string(flag, variables)? {
        add_connection_string(&mut settings, given)?;
    }
    let host_is_given = settings.get("host").is_some() || settings.get("service").is_some();
    for (variable, keyword) in COMPONENTS {
        if keyword == "port" && host_is_given {
            continue;
        }
        if settings.get(keyword).is_none()
            && let Some(given) = variables.get_or_file(variable)?
        {
            settings.offer(keyword, variables.settled(given)?);
        }
    }
    let own_host = settings.get("host").is_some();
    add_service(&mut settings, variables)?;
    add_libpq(&mut settings, variables, own_host)?;
    Ok(settings)
}

/// The whole-connection string: the flag, else `DATABASE_URL`.
fn connection_string(flag: Option<&str>, variables: &mut Variables<'_>) -> Result<Option<Given>> {
    let given = match flag {
        Some(value) => Some(Given {
            value: value.to_owned(),
            source: Source::of("--database-url"),
            literal: false,
        }),
        None => variables.get_or_file("DATABASE_URL")?,
    };
    given.map(|given| variables.settled(given)).transpose()
}

fn add_connection_string(settings: &mut Settings, given: Given) -> Result<()> {
    let text = given.value.trim();
    let pairs = if url::is_url(text) {
        url::parse(text).map(|parsed| {
            settings.scheme = Some(parsed.scheme);
            parsed.pairs
        })
    } else if text.contains('=') {
        keywords::parse(text)
    } else {
        Err(
            Trouble::new("it is neither a URL nor `keyword=value` pairs")
                .hint("write postgresql://user:password@host:5432/database"),
        )
    };
    let pairs = pairs.map_err(|trouble| refused(&given.source, trouble))?;
    for (keyword, value) in pairs {
        let part = Given {
            value,
            source: given.source.clone(),
            literal: true,
        };
        settings.offer(keyword.name, part);
    }
    Ok(())
}

/// A connection string or a setting that makes no sense.
pub(super) fn refused(source: &Source, trouble: Trouble) -> Error {
    let error = Error::usage(format!("read {source}")).because(trouble.reason);
    match trouble.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The service that a connection string or `PGSERVICE` names.
fn add_service(settings: &mut Settings, variables: &Variables<'_>) -> Result<()> {
    let named = settings.get("service").cloned();
    let Some(named) = named.or_else(|| variables.get("PGSERVICE")) else {
        return Ok(());
    };
    let named = variables.settled(named)?;
    for path in service_files(settings, variables)? {
        let shown = path.display().to_string();
        let text = read_file(&path, &format!("read the service file {shown}"))?;
        let Some(found) = servicefile::find(&text, &named.value, &shown)? else {
            continue;
        };
        for setting in found {
            let source = Source::at(format!("service {}", named.value), &shown, setting.line);
            let keyword =
                keywords::known(&setting.keyword).map_err(|trouble| refused(&source, trouble))?;
            let given = Given {
                value: setting.value,
                source,
                literal: false,
            };
            settings.offer(keyword.name, variables.settled(given)?);
        }
        settings.offer("service", named);
        return Ok(());
    }
    Err(Error::usage(format!("read {}", named.source))
        .because(format!(
            "no service file defines the service {:?}",
            named.value
        ))
        .hint("define it in ~/.pg_service.conf, or name the file in PGSERVICEFILE"))
}

/// The service files that exist, the user's before the system's.
fn service_files(settings: &Settings, variables: &Variables<'_>) -> Result<Vec<PathBuf>> {
    let directory = &variables.environment().working_directory;
    let named = settings.get("servicefile").cloned();
    if let Some(file) = named.or_else(|| variables.get("PGSERVICEFILE")) {
        return Ok(vec![directory.join(variables.settled(file)?.value)]);
    }
    let system = variables.get("PGSYSCONFDIR").map_or_else(
        || PathBuf::from("/etc/postgresql-common"),
        |given| PathBuf::from(given.value),
    );
    let candidates = [
        variables.home(".pg_service.conf"),
        Some(system.join("pg_service.conf")),
    ];
    Ok(candidates
        .into_iter()
        .flatten()
        .filter(|path| path.is_file())
        .collect())
}

/// libpq's own variables. `own_host` says that an earlier layer than libpq's named the host.
fn add_libpq(settings: &mut Settings, variables: &mut Variables<'_>, own_host: bool) -> Result<()> {
    for keyword in KEYWORDS {
        let Some(variable) = keyword.variable else {
            continue;
        };
        let skipped = keyword.name == "hostaddr" && own_host;
        if skipped || settings.get(keyword.name).is_some() {
            continue;
        }
        let found = match keyword.name {
            "password" => variables.get_or_file(variable)?,
            _ => variables.get(variable),
        };
        let Some(given) = found else {
            continue;
        };
        if let Use::Refused(why) = keyword.usage {
            let reason = format!("it is not supported: {why}");
            return Err(refused(&given.source, Trouble::new(reason)));
        }
        settings.offer(keyword.name, variables.settled(given)?);
    }
    Ok(())
}
