//! Where to connect: servers, database, role, TLS, and the password as a [`Secret`].
//!
//! A [`Target`] is complete: nothing is looked up later except names in the DNS and the files of
//! certificates. Its `Debug` and [`Target::masked`] never hold a password, and everything above
//! `pg/` names a database by that masked form.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use super::session::Session;

/// PostgreSQL's port when nothing names one.
pub const DEFAULT_PORT: u16 = 5432;

/// A database on one of several servers, with the role that connects.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Servers in the order in which they are tried; never empty.
    pub endpoints: Vec<Endpoint>,
    /// Database name.
    pub database: String,
    /// Role name.
    pub user: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// Shown by the migration's own sessions (`PGAPPNAME`); ours are always `pgbelay …`.
    pub application_name: Option<String>,
    /// Startup options that the operator asked for (`PGOPTIONS`), sent with every connection.
    pub options: Option<String>,
    /// Bound of one connection attempt to one server.
    pub connect_timeout: Option<Duration>,
    /// Which of several servers is wanted.
    pub session_attributes: SessionAttributes,
    /// Where the password came from (`POSTGRES_PASSWORD in .env, line 3`), for hints.
    pub password_source: Option<String>,
    /// The password file, when that is where the child shall look too.
    pub password_file: Option<PathBuf>,
    /// Parameters of the connection string that only the migration's driver understands.
    pub child_parameters: Vec<(String, String)>,
    /// The fence that a run has put around this database, if one is up.
    pub fenced: Option<Fenced>,
    /// Whether a pooler in session mode is known to be in between.
    pub pooled: bool,
    /// Whether a pooler lets nobody in who has startup options.
    pub refuses_options: bool,
}

/// The database's own `default_transaction_read_only` while a run keeps writes of others out: what
/// the database's definition is said to be is what it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// The value that the fence set.
    pub set: String,
    /// The value of before; none: the database had none.
    pub before: Option<String>,
}

/// One server to try.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name, address, or the directory of a Unix socket (it then begins with `/`).
    pub host: String,
    /// Address to connect to instead of looking `host` up.
    pub address: Option<IpAddr>,
    /// TCP port, or the number in the socket's file name.
    pub port: u16,
    /// Password for this server.
    pub password: Option<Secret>,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// libpq's `sslmode`.
    pub mode: TlsMode,
    /// Certificates of the authorities that may sign the server's.
    pub roots: Roots,
    /// Client certificate and its key (PEM files).
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether TLS starts without PostgreSQL's own request (`sslnegotiation=direct`).
    pub direct: bool,
    /// Whether only TLS 1.3 will do (`ssl_min_protocol_version`).
    pub newest_only: bool,
    /// Whether SCRAM must be bound to the TLS channel.
    pub channel_binding: ChannelBinding,
}

/// libpq's `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// If server and certificate allow it.
    #[default]
    Prefer,
    /// Always; without it the connection is refused.
    Require,
}

/// Where the trusted root certificates come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Roots {
    /// None were given and libpq's default file does not exist.
    #[default]
    Unset,
    /// The operating system's (`sslrootcert=system`).
    System,
    /// A PEM file that the operator named.
    File(PathBuf),
    /// libpq's default file `~/.postgresql/root.crt`, which exists.
    DefaultFile(PathBuf),
}

/// libpq's `sslmode`, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// Only if the server insists.
    Allow,
    /// If the server offers it.
    #[default]
    Prefer,
    /// Always; the certificate is not checked unless root certificates are there.
    Require,
    /// Always, signed by a trusted authority.
    VerifyCa,
    /// Always, signed by a trusted authority and issued for this host name.
    VerifyFull,
}

impl TlsMode {
    /// Every mode, weakest first.
    pub const ALL: [Self; 6] = [
        Self::Disable,
        Self::Allow,
        Self::Prefer,
        Self::Require,
        Self::VerifyCa,
        Self::VerifyFull,
    ];

    /// libpq's name of the mode.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionAttributes {
    /// The first server that answers.
    #[default]
    Any,
    /// One that takes writes.
    ReadWrite,
    /// One that does not take writes.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is in recovery.
    Standby,
}

impl SessionAttributes {
    /// Every value.
    pub const ALL: [Self; 5] = [
        Self::Any,
        Self::ReadWrite,
        Self::ReadOnly,
        Self::Primary,
        Self::Standby,
    ];

    /// libpq's name of the value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }

    /// The value of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.name() == name)
    }
}

impl Endpoint {
    /// A server without a password.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            address: None,
            port,
            password: None,
        }
    }

    /// Whether it is reached through a Unix socket.
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.host.starts_with('/')
    }

    /// `host:port`, for messages; a socket shows its directory.
    pub fn shown(&self) -> String {
        match (self.is_socket(), self.host.contains(':')) {
            (true, _) => format!("{}/.s.PGSQL.{}", self.host, self.port),
            (false, true) => format!("[{}]:{}", self.host, self.port),
            (false, false) => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Target {
    /// A target on one server, everything else at libpq's defaults.
    pub fn new(host: &str, port: u16, database: &str, user: &str) -> Self {
        Self {
            endpoints: vec![Endpoint::new(host, port)],
            database: database.to_owned(),
            user: user.to_owned(),
            tls: Tls::default(),
            application_name: None,
            options: None,
            connect_timeout: None,
            session_attributes: SessionAttributes::Any,
            password_source: None,
            password_file: None,
            child_parameters: Vec::new(),
            fenced: None,
            pooled: false,
            refuses_options: false,
        }
    }

    /// The same target with this password on every server.
    #[must_use]
    pub fn with_password(mut self, password: &Secret) -> Self {
        for endpoint in &mut self.endpoints {
            endpoint.password = Some(password.clone());
        }
        self
    }

    /// Database name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Role name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Startup options that the operator asked for (`PGOPTIONS`); the child's are built on them.
    pub fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    /// Another database of the same server, as the same role.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self {
            database: database.to_owned(),
            fenced: None,
            ..self.clone()
        }
    }

    /// The same target behind a fence.
    #[must_use]
    pub fn behind(&self, fenced: Option<Fenced>) -> Self {
        Self {
            fenced,
            ..self.clone()
        }
    }

    /// The same target whose child sessions carry this `application_name`.
    #[must_use]
    pub fn with_application_name(&self, name: &str) -> Self {
        Self {
            application_name: Some(name.to_owned()),
            ..self.clone()
        }
    }

    /// The servers as `host:port`, comma separated, for messages.
    pub fn servers(&self) -> String {
        let shown: Vec<_> = self.endpoints.iter().map(Endpoint::shown).collect();
        shown.join(",")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.masked()).finish()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.shown()).finish()
    }
}

impl Session {
    /// Another database of the very server that answered, as a target of its own.
    pub fn other_database(&self, name: &str) -> Target {
        self.origin().with_database(name)
    }
}
