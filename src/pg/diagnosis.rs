//! Why a connection could not be opened, whether waiting may help, and what to do about it.
//!
//! Every failure is named by what the person can change: the password's source, the name that does
//! not resolve, the certificate's fault, the program that answers on the port instead of
//! PostgreSQL. Hints fit the failure; there is no general list.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use rustls::CertificateError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fault;
use super::target::{Endpoint, Target, TlsMode};
use crate::error::Error;

/// Bound of the look at who answers on a port.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// An attempt that takes longer is worth a look at who answers.
const SLOW: Duration = Duration::from_secs(1);

/// After answering `S` PostgreSQL is silent until the client begins; others keep talking.
const PROBE_SILENCE: Duration = Duration::from_millis(200);

/// PostgreSQL's SSLRequest: its length and its code, 1234·2^16 + 5679.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Why waiting may help; shown once while it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// The host's name does not resolve (yet).
    Name,
    /// Nothing listens (yet), or the connection was cut.
    Listener,
    /// No answer in time.
    Answer,
    /// The server is starting up or shutting down.
    Startup,
    /// All connection slots are taken.
    Slots,
    /// The server that answers is not of the kind that was asked for.
    Kind,
}

impl Pending {
    /// What is being waited for.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Name => "its name does not resolve yet",
            Self::Listener => "nothing accepts connections yet",
            Self::Answer => "it does not answer yet",
            Self::Startup => "the server is starting up",
            Self::Slots => "all of its connection slots are taken",
            Self::Kind => "no server of the kind that target_session_attrs asks for",
        }
    }
}

/// A connection that could not be opened.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the person; of [`crate::error::Kind::Operation`] unless a setting is wrong.
    pub error: Error,
    /// What waiting may change; `None` when trying again is useless.
    pub pending: Option<Pending>,
    /// Whether libpq would try again with, or without, TLS.
    pub other_protection: bool,
}

impl Failure {
    /// One that waiting cannot change.
    pub(super) fn last(error: Error) -> Self {
        Self {
            error,
            pending: None,
            other_protection: false,
        }
    }

    /// One that may pass.
    pub(super) fn passing(error: Error, pending: Pending) -> Self {
        Self {
            error: error.mark_transient(),
            pending: Some(pending),
            other_protection: false,
        }
    }
}

/// Where the failure happened.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub target: &'a Target,
    pub endpoint: &'a Endpoint,
}

impl Place<'_> {
    fn error(&self) -> Error {
        Error::operation(format!("connect to {}", self.target.masked()))
    }

    fn server(&self) -> String {
        self.endpoint.shown()
    }
}

/// Ends an attempt that gets no answer: when something else than PostgreSQL listens there, as soon
/// as that is seen, and when its time is up.
pub(super) async fn slow(place: Place<'_>, limit: Duration) -> Failure {
    let started = tokio::time::Instant::now();
    tokio::time::sleep(SLOW.min(limit)).await;
    if let Some(stranger) = stranger(place.endpoint).await {
        return Failure::last(not_postgres(place, &stranger));
    }
    tokio::time::sleep_until(started + limit).await;
    let seconds = limit.as_secs_f64();
    let reason = format!("{} did not answer within {seconds:.0} s", place.server());
    let error = place.error().because(reason).hint(format!(
        "a firewall or security group may drop the packets to {}: check that this machine may reach it",
        place.server()
    ));
    Failure::passing(error, Pending::Answer)
}

/// What the driver reported, in our words.
pub(super) async fn diagnose(place: Place<'_>, error: tokio_postgres::Error) -> Failure {
    if error.as_db_error().is_some() {
        return by_server(place, error);
    }
    let kind = error.to_string();
    let source = error.source();
    let text = source.map_or_else(|| kind.clone(), ToString::to_string);
    if kind.contains("authentication error") || kind.contains("invalid configuration") {
        return Failure::last(authentication(place, &text));
    }
    let cause = source.and_then(|source| source.downcast_ref::<io::Error>());
    by_cause(place, &kind, &text, cause).await
}

/// The socket could not be opened.
pub(super) async fn not_connected(place: Place<'_>, error: &io::Error) -> Failure {
    by_cause(place, "", &error.to_string(), Some(error)).await
}

/// `kind` and `text` are the driver's words, `cause` the system's.
async fn by_cause(place: Place<'_>, kind: &str, text: &str, cause: Option<&io::Error>) -> Failure {
    if let Some(certificate) = cause.and_then(certificate_error) {
        return by_certificate(place, &certificate);
    }
    if text.contains("lookup address") || text.contains("resolve any addresses") {
        return Failure::passing(unknown_host(place, text), Pending::Name);
    }
    if cause.is_some_and(|cause| not_reached(cause.kind())) {
        return unreachable(place, text, cause.map(io::Error::kind));
    }
    if let Some(stranger) = stranger(place.endpoint).await {
        return Failure::last(not_postgres(place, &stranger));
    }
    match kind.contains("TLS") {
        true => by_tls(place, text),
        false => unreachable(place, text, cause.map(io::Error::kind)),
    }
}

/// Failures before any byte was exchanged.
fn not_reached(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NotFound
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::TimedOut
    )
}

/// The server answered with an error.
fn by_server(place: Place<'_>, error: tokio_postgres::Error) -> Failure {
    let attempted = format!("connect to {}", place.target.masked());
    let message = error.as_db_error().map_or("", |e| e.message()).to_owned();
    let ours = fault::server_error(&attempted, error);
    let code = ours.sqlstate().unwrap_or_default().to_owned();
    match code.as_str() {
        "57P03" | "57P01" | "57P02" => Failure::passing(ours, Pending::Startup),
        "53300" => Failure::passing(with_slots_hint(ours), Pending::Slots),
        // PgBouncer's words while the server behind it is away.
        _ if message.contains("server_login_retry") || message.contains("query_wait_timeout") => {
            Failure::passing(ours, Pending::Startup)
        }
        _ => Failure {
            other_protection: code == "28000",
            ..Failure::last(server_hints(place, ours, &code, &message))
        },
    }
}

fn with_slots_hint(error: Error) -> Error {
    error.hint("close idle clients, or raise max_connections (reserved slots are for superusers)")
}

/// Adds what to do about an error that the server raised while connecting.
fn server_hints(place: Place<'_>, error: Error, code: &str, message: &str) -> Error {
    let target = place.target;
    match code {
        "28P01" => password_hints(target, error),
        "28000" => access_hints(target, error, message),
        "3D000" => error.hint(format!(
            "create the database {:?}, or correct its name: `pgbelay doctor` shows where the name came from",
            target.database
        )),
        "55000" if message.contains("not currently accepting") => error.hint(
            "if a rollback that was interrupted closed it (--strategy swap), `pgbelay recover` with its store opens it",
        ),
        "42501" => error.hint(format!(
            "GRANT CONNECT ON DATABASE {} TO {}",
            super::quote_ident(&target.database),
            super::quote_ident(&target.user)
        )),
        "08P01" if message.contains("startup parameter") => error.hint(
            "a pooler refuses a startup parameter: connect to PostgreSQL itself, or drop PGOPTIONS",
        ),
        "08P01" => error.hint("a pooler seems to answer: connect to PostgreSQL itself"),
        _ => error,
    }
}

fn password_hints(target: &Target, error: Error) -> Error {
    let Some(source) = &target.password_source else {
        return error.hint(format!(
            "no password was given for the role {:?}: set POSTGRES_PASSWORD or PGPASSWORD, or put it into DATABASE_URL",
            target.user
        ));
    };
    let error = error.hint(format!(
        "the password came from {source}; check it against the role {:?}",
        target.user
    ));
    match source.contains("POSTGRES_PASSWORD") {
        true => error.hint(
            "in the official container POSTGRES_PASSWORD counts only when the data directory is made: for an existing volume use ALTER ROLE … PASSWORD",
        ),
        false => error,
    }
}

fn access_hints(target: &Target, error: Error, message: &str) -> Error {
    let user = &target.user;
    if message.contains("no encryption") || message.contains("SSL off") {
        return error.hint("the server may accept this only with TLS: try sslmode=require");
    }
    if message.contains("pg_hba.conf") {
        return error.hint(format!(
            "pg_hba.conf needs a line that lets {user:?} into {:?} from this address",
            target.database
        ));
    }
    if message.contains("Peer authentication") || message.contains("Ident authentication") {
        return error.hint(format!(
            "the server trusts only the operating system's user {user:?} on this socket: connect by host name, or as that user"
        ));
    }
    if message.contains("does not exist") {
        return error.hint(format!(
            "create the role {user:?}, or correct its name: `pgbelay doctor` shows where the name came from"
        ));
    }
    error
}

fn authentication(place: Place<'_>, text: &str) -> Error {
    let error = place.error();
    if text.contains("password missing") {
        let error = error.because("the server asks for a password, and no setting holds one");
        return password_hints(place.target, error);
    }
    let error = error.because(format!("authentication failed: {text}"));
    match text.contains("channel binding") {
        true => error.hint("channel_binding=require needs TLS and SCRAM: check sslmode and the role's password type"),
        false => error.hint("pgbelay speaks SCRAM, MD5 and plain passwords; for Kerberos, LDAP or RADIUS roles use another role"),
    }
}

fn unknown_host(place: Place<'_>, text: &str) -> Error {
    let host = &place.endpoint.host;
    // `failed to lookup address information: Name or service not known`
    let detail = text.rsplit(": ").next().unwrap_or(text);
    place
        .error()
        .because(format!("the host name {host:?} does not resolve ({detail})"))
        .hint(format!(
            "correct the name: `pgbelay doctor` shows where {host:?} came from"
        ))
        .hint("in Compose and Kubernetes use the service's name, from a container of the same network or namespace")
}

/// Nothing was reached, or what was reached hung up.
fn unreachable(place: Place<'_>, text: &str, kind: Option<io::ErrorKind>) -> Failure {
    let server = place.server();
    let endpoint = place.endpoint;
    let error = place.error().because(format!("{server}: {text}"));
    if kind == Some(io::ErrorKind::PermissionDenied) {
        let hint = format!("this user may not use the socket in {}", endpoint.host);
        return Failure::last(error.hint(hint));
    }
    let hint = match (endpoint.is_socket(), is_loopback(endpoint)) {
        (true, _) => format!(
            "no server has its socket there: check that it runs, its unix_socket_directories and port {}; or name a host",
            endpoint.port
        ),
        (_, true) => format!(
            "no server listens on {server}: start it, or correct the port; inside a container `localhost` is the container itself, so name the database's service instead"
        ),
        _ => format!(
            "no server listens on {server}: check that it runs, its listen_addresses and the port"
        ),
    };
    Failure::passing(error.hint(hint), Pending::Listener)
}

fn is_loopback(endpoint: &Endpoint) -> bool {
    let address = endpoint.address.or_else(|| endpoint.host.parse().ok());
    endpoint.host == "localhost" || address.is_some_and(|address: IpAddr| address.is_loopback())
}

fn certificate_error(error: &io::Error) -> Option<CertificateError> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(error) => Some(error.clone()),
        _ => None,
    }
}

/// The server's certificate was not accepted; never falls back where verification was asked for.
fn by_certificate(place: Place<'_>, certificate: &CertificateError) -> Failure {
    let host = &place.endpoint.host;
    let error = place.error();
    let error = match certificate {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => error
            .because(format!("the server's certificate is not for the host {host:?}"))
            .hint("connect by a name that stands in the certificate, or have one issued for this name")
            .hint("sslmode=verify-ca accepts any host whose certificate the authority signed"),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => error
            .because("the server's certificate has expired")
            .hint("renew it on the server, and check this machine's clock"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => error
            .because("the server's certificate is not valid yet")
            .hint("check this machine's clock"),
        CertificateError::UnknownIssuer => error
            .because("the server's certificate is signed by nobody whom sslrootcert trusts")
            .hint("put the certificate of the authority that signed it into the file that sslrootcert names"),
        other if other.to_string().contains("UnsupportedCertVersion") => error
            .because("the server's certificate is of X.509 version 1, whose authority cannot be verified here")
            .hint("issue it as version 3: `openssl x509 -req` with -extfile and subjectAltName in that file")
            .hint("sslmode=require encrypts without asking whose certificate it is"),
        other => error.because(format!("the server's certificate is not accepted: {other}")),
    };
    Failure {
        other_protection: place.target.tls.mode <= TlsMode::Prefer,
        ..Failure::last(error)
    }
}

fn by_tls(place: Place<'_>, text: &str) -> Failure {
    let mode = place.target.tls.mode.name();
    let error = place.error();
    let error = match text.contains("does not support TLS") {
        true => error
            .because(format!("the server offers no TLS, and sslmode={mode} asks for it"))
            .hint("switch `ssl` on at the server; sslmode=prefer goes without where that is safe"),
        false => error
            .because(format!("the TLS handshake failed: {text}"))
            .hint("check the TLS versions of the server, and a client certificate if it asks for one (sslcert, sslkey)"),
    };
    Failure {
        other_protection: true,
        ..Failure::last(error)
    }
}

fn not_postgres(place: Place<'_>, stranger: &str) -> Error {
    let server = place.server();
    place
        .error()
        .because(format!("what answers on {server} is not PostgreSQL: {stranger}"))
        .hint(format!(
            "correct the port: PostgreSQL usually listens on 5432, and {} belongs to something else",
            place.endpoint.port
        ))
}

/// Who answers on the port, if it is not PostgreSQL. Silence and hanging up say nothing.
async fn stranger(endpoint: &Endpoint) -> Option<String> {
    if endpoint.is_socket() {
        return None;
    }
    tokio::time::timeout(PROBE_TIMEOUT, first_words(endpoint))
        .await
        .ok()?
}

async fn first_words(endpoint: &Endpoint) -> Option<String> {
    let host = endpoint
        .address
        .map_or_else(|| endpoint.host.clone(), |address| address.to_string());
    let mut stream = TcpStream::connect((host.as_str(), endpoint.port))
        .await
        .ok()?;
    stream.write_all(&SSL_REQUEST).await.ok()?;
    let mut answer = [0_u8; 64];
    let length = stream.read(&mut answer).await.ok().filter(|n| *n > 0)?;
    let first = answer[..length].first().copied()?;
    match first {
        b'N' if length == 1 => None,
        b'E' => None,
        b'S' if length == 1 => {
            let more = tokio::time::timeout(PROBE_SILENCE, stream.read(&mut answer[1..])).await;
            let more = more.ok()?.ok().filter(|n| *n > 0)?;
            Some(described(&answer[..=more]))
        }
        _ => Some(described(&answer[..length])),
    }
}

/// What the first bytes look like.
fn described(bytes: &[u8]) -> String {
    let known: [(&[u8], &str); 5] = [
        (b"HTTP/", "it speaks HTTP"),
        (b"SSH-", "it is an SSH server"),
        (b"-ERR", "it looks like Redis"),
        (b"220 ", "it is a mail or FTP server"),
        (b"\x15\x03", "it expects TLS from the first byte"),
    ];
    if let Some((_, name)) = known.iter().find(|(prefix, _)| bytes.starts_with(prefix)) {
        return (*name).to_owned();
    }
    let mysql = [&b"mysql"[..], b"MariaDB"];
    if mysql
        .iter()
        .any(|word| bytes.windows(word.len()).any(|w| w == *word))
    {
        return "it looks like MySQL or MariaDB".to_owned();
    }
    "it does not speak PostgreSQL's protocol".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_recognised_by_their_first_words() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 400 Bad Request"[..], "it speaks HTTP"),
            (b"SSH-2.0-OpenSSH_9", "it is an SSH server"),
            (b"-ERR unknown command", "it looks like Redis"),
            (
                b"\x4a\0\0\0\x0a5.5.5-10-MariaDB",
                "it looks like MySQL or MariaDB",
            ),
            (b"???", "it does not speak PostgreSQL's protocol"),
        ] {
            assert_eq!(described(bytes), expected);
        }
    }

    fn hints(target: &Target, code: &str, message: &str) -> String {
        let endpoint = &target.endpoints[0];
        let place = Place { target, endpoint };
        let error = server_hints(place, Error::operation("x"), code, message);
        error.hints().join(" | ")
    }

    #[test]
    fn hints_fit_the_failure() {
        let mut target = Target::new("db", 5432, "shop", "app");
        assert!(hints(&target, "28P01", "").contains("no password was given"));
        target.password_source = Some("POSTGRES_PASSWORD in .env, line 3".to_owned());
        let text = hints(&target, "28P01", "");
        assert!(text.contains("came from POSTGRES_PASSWORD in .env, line 3"));
        assert!(text.contains("only when the data directory is made"));
        assert!(hints(&target, "3D000", "").contains("create the database \"shop\""));
        let refused =
            "no pg_hba.conf entry for host \"::1\", user \"app\", database \"shop\", no encryption";
        assert!(hints(&target, "28000", refused).contains("sslmode=require"));
        assert!(hints(&target, "28000", "Peer authentication failed").contains("by host name"));
        assert!(hints(&target, "28000", "role \"app\" does not exist").contains("create the role"));
        assert!(
            hints(&target, "42501", "").contains("GRANT CONNECT ON DATABASE \"shop\" TO \"app\"")
        );
        assert_eq!(hints(&target, "XX000", ""), "");
    }
}
