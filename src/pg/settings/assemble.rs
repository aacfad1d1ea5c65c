//! From settings by keyword to a [`Target`]: lists of servers, defaults, passwords, provenance.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Provenance;
use super::keywords::{KEYWORDS, Trouble, Use};
use super::layers::{Settings, refused};
use super::passfile::{self, Wanted};
use super::protection;
use super::variables::{Given, Source, Variables, read_file};
use crate::error::{Error, Result};
use crate::pg::secret::Secret;
use crate::pg::target::{DEFAULT_PORT, Endpoint, SessionAttributes, Target};

/// Where servers put their sockets: Debian and Fedora, then PostgreSQL's own default.
const SOCKET_DIRECTORIES: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// Assembles a target and says where each part came from.
pub(super) struct Assembly<'a, 'b> {
    settings: &'a Settings,
    variables: &'a mut Variables<'b>,
    provenance: Vec<Provenance>,
}

/// The finished parts.
pub(super) struct Assembled {
    pub target: Target,
    pub provenance: Vec<Provenance>,
}

/// Makes the target.
pub(super) fn assemble(settings: &Settings, variables: &mut Variables<'_>) -> Result<Assembled> {
    let named = ["host", "hostaddr", "dbname", "service"];
    if named.iter().all(|keyword| settings.get(keyword).is_none()) {
        return Err(nothing_named());
    }
    let mut assembly = Assembly {
        settings,
        variables,
        provenance: Vec::new(),
    };
    let target = assembly.target()?;
    Ok(Assembled {
        target,
        provenance: assembly.provenance,
    })
}

fn nothing_named() -> Error {
    Error::usage("find out which database to work on")
        .because("no setting names one")
        .hint("set DATABASE_URL or pass --database-url postgresql://user@host:5432/database")
        .hint("the parts will do as well: DB_HOST, POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD, or libpq's PGHOST, PGDATABASE …")
}

impl Assembly<'_, '_> {
    fn target(&mut self) -> Result<Target> {
        let mut endpoints = self.endpoints()?;
        let user = self.text_or("user", "user", operating_system_user)?;
        let database = self.text_or("database", "dbname", || {
            Ok((user.clone(), "the user's name"))
        })?;
        let (password_source, password_file) =
            self.add_passwords(&mut endpoints, &database, &user)?;
        let sockets_only = endpoints.iter().all(Endpoint::is_socket);
        let tls = protection::read(self.settings, self.variables, sockets_only)?;
        self.note_protection(&tls, sockets_only);
        let connect_timeout = self.parsed("connect_timeout", "a number of seconds", seconds)?;
        let session_attributes = self
            .parsed(
                "target_session_attrs",
                "any, read-write, read-only, primary or standby",
                SessionAttributes::named,
            )?
            .unwrap_or_default();
        let target = Target {
            fenced: None,
            pooled: false,
            refuses_options: false,
            endpoints,
            database,
            user,
            tls,
            application_name: self.optional("application_name"),
            options: self.optional("options"),
            connect_timeout: connect_timeout.flatten(),
            session_attributes,
            password_source,
            password_file,
            child_parameters: self.child_parameters(),
        };
        self.note("service", self.settings.get("service"));
        Ok(target)
    }

    /// Remembers where a setting came from; absent ones are not shown.
    fn note(&mut self, setting: &'static str, given: Option<&Given>) {
        if let Some(given) = given {
            self.show(setting, given.value.clone(), given.source.to_string());
        }
    }

    fn show(&mut self, setting: &'static str, shown: String, source: String) {
        self.provenance.push(Provenance {
            setting,
            shown,
            source,
        });
    }

    /// A setting, or its default with a word on where that comes from.
    fn text_or(
        &mut self,
        setting: &'static str,
        keyword: &str,
        default: impl FnOnce() -> Result<(String, &'static str)>,
    ) -> Result<String> {
        if let Some(given) = self.settings.get(keyword).filter(|g| !g.value.is_empty()) {
            self.note(setting, Some(given));
            return Ok(given.value.clone());
        }
        let (value, origin) = default()?;
        self.show(setting, value.clone(), format!("default: {origin}"));
        Ok(value)
    }

    fn optional(&mut self, keyword: &'static str) -> Option<String> {
        let given = self.settings.get(keyword)?;
        self.note(keyword, Some(given));
        Some(given.value.clone())
    }

    fn parsed<T>(
        &mut self,
        keyword: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(given) = self.settings.get(keyword) else {
            return Ok(None);
        };
        self.note(keyword, Some(given));
        parse(given.value.trim())
            .map(Some)
            .ok_or_else(|| not_one_of(keyword, expected, &given.source))
    }

    fn endpoints(&mut self) -> Result<Vec<Endpoint>> {
        let hosts = self.list("host");
        let addresses = self.list("hostaddr");
        let ports = self.list("port");
        let count = hosts.len().max(addresses.len()).max(1);
        let mut endpoints = Vec::new();
        self.check_count("host", "addresses", &hosts, addresses.len())?;
        self.check_count(
            "port",
            "servers",
            &ports,
            if ports.len() > 1 { count } else { 0 },
        )?;
        for index in 0..count {
            let port = ports
                .get(index)
                .or(ports.first().filter(|_| ports.len() == 1));
            let port = self.port(port.map_or("", String::as_str))?;
            let address = self.address(addresses.get(index))?;
            let host = hosts.get(index).map_or("", String::as_str);
            let host = match (host, address) {
                ("", None) => default_host(port),
                ("", Some(address)) => address.to_string(),
                _ => host.to_owned(),
            };
            endpoints.push(Endpoint {
                address,
                ..Endpoint::new(host, port)
            });
        }
        self.refuse_abstract_sockets(&endpoints)?;
        self.note_servers(&endpoints);
        Ok(endpoints)
    }

    fn list(&self, keyword: &str) -> Vec<String> {
        let value = self.settings.get(keyword).map_or("", |given| &given.value);
        match value {
            "" => Vec::new(),
            _ => value
                .split(',')
                .map(|part| part.trim().to_owned())
                .collect(),
        }
    }

    /// libpq's rule: lists that belong together have equal lengths. `other` 0 means absent.
    fn check_count(&self, keyword: &str, what: &str, list: &[String], other: usize) -> Result<()> {
        match self.settings.get(keyword) {
            Some(given) if other > 0 && !list.is_empty() && list.len() != other => {
                let reason = format!("`{keyword}` lists {} for {other} {what}", list.len());
                Err(refused(&given.source, Trouble::new(reason)))
            }
            _ => Ok(()),
        }
    }

    fn port(&self, text: &str) -> Result<u16> {
        match (text, self.settings.get("port")) {
            ("", _) | (_, None) => Ok(DEFAULT_PORT),
            (_, Some(given)) => text
                .parse::<u16>()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| {
                    let reason = "the port is not a number between 1 and 65535";
                    refused(&given.source, Trouble::new(reason))
                }),
        }
    }

    fn address(&self, text: Option<&String>) -> Result<Option<IpAddr>> {
        match (text, self.settings.get("hostaddr")) {
            (Some(text), Some(given)) if !text.is_empty() => text
                .parse()
                .map(Some)
                .map_err(|_| not_one_of("hostaddr", "an IP address", &given.source)),
            _ => Ok(None),
        }
    }

    fn refuse_abstract_sockets(&self, endpoints: &[Endpoint]) -> Result<()> {
        match self.settings.get("host") {
            Some(given) if endpoints.iter().any(|e| e.host.starts_with('@')) => Err(refused(
                &given.source,
                Trouble::new("sockets in the abstract namespace (@name) are not supported"),
            )),
            _ => Ok(()),
        }
    }

    fn note_servers(&mut self, endpoints: &[Endpoint]) {
        let named = |keyword| self.settings.get(keyword).map(|g| g.source.to_string());
        let host_source = named("host")
            .or_else(|| named("hostaddr"))
            .unwrap_or_else(|| "default".to_owned());
        let port_source = named("port").unwrap_or_else(|| "default".to_owned());
        let join = |part: fn(&Endpoint) -> String| {
            let all: Vec<_> = endpoints.iter().map(part).collect();
            all.join(",")
        };
        let hosts = join(|e| e.host.clone());
        let ports = join(|e| e.port.to_string());
        self.show("host", hosts, host_source);
        self.note("hostaddr", self.settings.get("hostaddr"));
        self.show("port", ports, port_source);
    }

    /// Sets the password of every server, from a setting or else from the password file.
    fn add_passwords(
        &mut self,
        endpoints: &mut [Endpoint],
        database: &str,
        user: &str,
    ) -> Result<(Option<String>, Option<PathBuf>)> {
        let given = self
            .settings
            .get("password")
            .filter(|g| !g.value.is_empty());
        if let Some(given) = given {
            for endpoint in endpoints {
                endpoint.password = Some(Secret::new(&given.value));
            }
            let source = given.source.to_string();
            self.show("password", "***".to_owned(), source.clone());
            return Ok((Some(source), None));
        }
        let Some((path, text)) = self.password_file()? else {
            self.show(
                "password",
                "none".to_owned(),
                "no setting holds one".to_owned(),
            );
            return Ok((None, None));
        };
        let mut source = None;
        for endpoint in endpoints {
            let host = passfile_host(endpoint);
            let port = endpoint.port;
            let wanted = Wanted {
                host: &host,
                port,
                database,
                user,
            };
            if let Some((password, line)) = passfile::find(&text, &wanted) {
                endpoint.password = Some(password);
                source.get_or_insert(Source::at("an entry", &path.display().to_string(), line));
            }
        }
        let source = source.map(|source| source.to_string());
        let (shown, from) = match &source {
            Some(source) => ("***", source.clone()),
            None => ("none", format!("no entry in {} fits", path.display())),
        };
        self.show("password", shown.to_owned(), from);
        Ok((source, Some(path)))
    }

    /// The password file's path and text, if there is one that may be used.
    fn password_file(&mut self) -> Result<Option<(PathBuf, String)>> {
        let named = self.settings.get("passfile");
        let path = match named {
            Some(given) => {
                let directory = &self.variables.environment().working_directory;
                Some(directory.join(&given.value))
            }
            None => self.variables.home(".pgpass"),
        };
        let Some(path) = path else {
            return Ok(None);
        };
        let Ok(metadata) = std::fs::metadata(&path) else {
            if let Some(given) = named {
                let warning = format!(
                    "{} names {}, which is not there",
                    given.source,
                    path.display()
                );
                self.variables.warnings.push(warning);
            }
            return Ok(None);
        };
        if let Some(objection) = passfile::objection(&path, &metadata) {
            self.variables.warnings.push(objection);
            return Ok(None);
        }
        let attempted = format!("read the password file {}", path.display());
        let text = read_file(&path, &attempted)?;
        Ok(Some((path, text)))
    }

    fn note_protection(&mut self, tls: &crate::pg::target::Tls, sockets_only: bool) {
        if sockets_only {
            let why = "TLS is not used over a Unix socket".to_owned();
            self.show("sslmode", "disable".to_owned(), why);
            return;
        }
        let source = self
            .settings
            .get("sslmode")
            .map_or_else(|| "default".to_owned(), |given| given.source.to_string());
        self.show("sslmode", tls.mode.name().to_owned(), source);
        for keyword in ["sslrootcert", "sslcert", "sslkey"] {
            self.note(keyword, self.settings.get(keyword));
        }
    }

    /// Parameters of the connection string that only the migration's driver understands.
    fn child_parameters(&self) -> Vec<(String, String)> {
        let child = KEYWORDS
            .iter()
            .filter(|keyword| keyword.usage == Use::Child);
        child
            .filter_map(|keyword| {
                let given = self.settings.get(keyword.name)?;
                Some((keyword.name.to_owned(), given.value.clone()))
            })
            .collect()
    }
}

/// A value that is not among those expected; it is not repeated, for it may be misplaced.
pub(super) fn not_one_of(keyword: &str, expected: &str, source: &Source) -> Error {
    refused(
        source,
        Trouble::new(format!("`{keyword}` is not {expected}")),
    )
}

/// libpq's rule: zero or less waits for ever, which for us is the default bound.
fn seconds(text: &str) -> Option<Option<Duration>> {
    let number: i64 = text.parse().ok()?;
    Some(
        u64::try_from(number)
            .ok()
            .filter(|n| *n > 0)
            .map(Duration::from_secs),
    )
}

fn operating_system_user() -> Result<(String, &'static str)> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    match user {
        Ok(Some(user)) => Ok((user.name, "the operating system's user")),
        _ => Err(Error::usage("find out which role to connect as")
            .because("no setting names one and the operating system's user has no name")
            .hint("put the role into DATABASE_URL, or set POSTGRES_USER or PGUSER")),
    }
}

/// The directory in which a server's socket is, else this machine's loopback name.
fn default_host(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    SOCKET_DIRECTORIES
        .into_iter()
        .find(|directory| Path::new(directory).join(&socket).exists())
        .unwrap_or("localhost")
        .to_owned()
}

/// The name under which the password file knows a server: libpq's default socket directory
/// counts as `localhost`.
fn passfile_host(endpoint: &Endpoint) -> String {
    match SOCKET_DIRECTORIES.contains(&endpoint.host.as_str()) {
        true => "localhost".to_owned(),
        false => endpoint.host.clone(),
    }
}
