//! Opening a session: each server of a target in turn, protected as asked, then the pinned settings.
//!
//! Startup sends nothing unusual (a pooler refuses what it does not know); settings are pinned
//! by one statement afterwards, and never before a pooler could be ruled out by [`super::wait_for`]:
//! a setting pinned through a transaction pooler would stay on somebody else's connection.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding as DriverBinding, SslMode, SslNegotiation};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, NoTls};

use super::diagnosis::{self, Failure, Pending, Place};
use super::purpose::Purpose;
use super::quote::Sql;
use super::session::Session;
use super::socket::{self, Socket};
use super::target::{ChannelBinding, SessionAttributes, Target, TlsMode};
use super::tls;
use super::wire::Wire;
use crate::context::Context;
use crate::error::{Error, Result};

/// Bound of one attempt on one server when the operator gave none: a black hole in the network
/// must not look like a hang.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The server cuts application names there (NAMEDATALEN - 1 bytes).
const APPLICATION_NAME_LIMIT: usize = 63;

/// Connects once, without waiting for a server that is not there, and pins the settings.
/// `purpose` is shown in `pg_stat_activity` as `pgbelay <run> <purpose>`.
pub async fn connect(target: &Target, purpose: Purpose, ctx: &Context) -> Result<Session> {
    let limit = target.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
    let session = open_any(target, purpose, limit, ctx)
        .await
        .map_err(|failure| failure.error)?;
    pin(&session).await?;
    Ok(session)
}

/// Connects as `session` did, to the same server: a worker, or a witness of what it cannot see.
pub async fn connect_beside(session: &Session, purpose: Purpose, ctx: &Context) -> Result<Session> {
    connect(session.origin(), purpose, ctx).await
}

/// Sets what every session of ours relies on.
pub(super) async fn pin(session: &Session) -> Result<()> {
    // First, and by SET alone: a short timeout of the role must not end the statement that lifts
    // it, and a search_path of the role or the database must not choose the functions and
    // operators of the statement that replaces it (CVE-2018-1058).
    session
        .execute(&Sql::constant(
            "SET statement_timeout = 0; SET search_path = ''",
        ))
        .await?;
    let statement = Sql::constant(include_str!("sql/pin.sql"));
    session.execute(&statement).await
}

/// A session on the first server that gives one, with no setting changed.
pub(super) async fn open_any(
    target: &Target,
    purpose: Purpose,
    limit: Duration,
    ctx: &Context,
) -> Result<Session, Failure> {
    let name = application_name(&ctx.run_id, purpose);
    let mut failures = Vec::new();
    for endpoint in &target.endpoints {
        let place = Place { target, endpoint };
        match open(place, &name, limit).await {
            Ok(session) => {
                ctx.sessions.add_one();
                return Ok(session);
            }
            Err(failure) => failures.push(failure),
        }
    }
    Err(combined(target, failures))
}

/// The failure to report of several servers': all reasons, and waiting helps if it helps one.
fn combined(target: &Target, mut failures: Vec<Failure>) -> Failure {
    let attempted = format!("connect to {}", target.masked());
    let Some(mut last) = failures.pop() else {
        return Failure::last(Error::operation(attempted).because("no server is named"));
    };
    if failures.is_empty() {
        return last;
    }
    last.pending = last
        .pending
        .or_else(|| failures.iter().find_map(|failure| failure.pending));
    failures.push(last);
    let reasons: Vec<_> = failures
        .iter()
        .zip(&target.endpoints)
        .map(|(failure, endpoint)| {
            let reason = failure.error.reason().unwrap_or_default();
            match reason.starts_with(&endpoint.shown()) {
                true => reason,
                false => format!("{}: {reason}", endpoint.shown()),
            }
        })
        .collect();
    let reason = reasons.join("; ");
    let pending = failures.last().and_then(|failure| failure.pending);
    let last = failures.pop().map(|failure| failure.error.because(reason));
    Failure {
        error: last.unwrap_or_else(|| Error::operation(attempted)),
        pending,
        other_protection: false,
    }
}

/// `pgbelay <run> <purpose>`, within the server's limit.
fn application_name(run_id: &str, purpose: Purpose) -> String {
    let mut name = format!("pgbelay {run_id} {purpose}");
    while name.len() > APPLICATION_NAME_LIMIT {
        name.pop();
    }
    name
}

/// One way to protect an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    Plain,
    /// TLS if the server offers it.
    Offered,
    /// TLS or nothing.
    Required,
}

/// libpq's order of attempts for a mode.
fn protections(place: Place<'_>) -> &'static [Protection] {
    let weak = place.target.tls.mode < TlsMode::Require;
    if place.endpoint.is_socket() || (weak && !tls::can_name(&place.endpoint.host)) {
        return &[Protection::Plain];
    }
    match place.target.tls.mode {
        TlsMode::Disable => &[Protection::Plain],
        TlsMode::Allow => &[Protection::Plain, Protection::Required],
        TlsMode::Prefer => &[Protection::Offered, Protection::Plain],
        TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => &[Protection::Required],
    }
}

async fn open(place: Place<'_>, name: &str, limit: Duration) -> Result<Session, Failure> {
    let mut first: Option<Failure> = None;
    for protection in protections(place) {
        let failure = tokio::select! {
            result = attempt(place, name, *protection) => match result {
                Ok(session) => return Ok(session),
                Err(failure) => failure,
            },
            failure = diagnosis::slow(place, limit) => failure,
        };
        let again = failure.other_protection;
        // The first attempt is what was preferred, so its failure is what is reported.
        first.get_or_insert(failure);
        if !again {
            break;
        }
    }
    let none = || Failure::last(Error::operation("connect"));
    Err(first.unwrap_or_else(none))
}

async fn attempt(place: Place<'_>, name: &str, protection: Protection) -> Result<Session, Failure> {
    let config = config(place, name, protection);
    let mut connector = match protection {
        Protection::Plain => None,
        Protection::Offered | Protection::Required => {
            Some(tls::connector(&place.target.tls).map_err(Failure::last)?)
        }
    };
    let socket = match socket::open(place.endpoint).await {
        Ok(socket) => socket,
        Err(error) => return Err(diagnosis::not_connected(place, &error).await),
    };
    let link = match &mut connector {
        None => link(&config, Wire::of_messages(socket), NoTls).await,
        Some(connector) => {
            let handshake = connector
                .make_tls_connect(&place.endpoint.host)
                .map_err(|error| Failure::last(Error::operation("set up TLS").caused_by(error)))?;
            let direct = place.target.tls.direct && protection == Protection::Required;
            let wire = match direct {
                true => Wire::of_tls(socket),
                false => Wire::of_answer(socket),
            };
            link(&config, wire, handshake).await
        }
    };
    let (client, driver) = match link {
        Ok(link) => link,
        Err(error) => return Err(diagnosis::diagnose(place, error).await),
    };
    let mut origin = place.target.clone();
    origin.endpoints = vec![place.endpoint.clone()];
    let session = Session::start(client, driver, name, place.target.masked(), origin)
        .await
        .map_err(|error| match error.is_transient() {
            true => Failure::passing(error, Pending::Startup),
            false => Failure::last(error),
        })?;
    check_attributes(place, &session).await?;
    Ok(session)
}

/// Introduces us to the server and starts the task that moves the bytes.
async fn link<T, S>(
    config: &Config,
    wire: Wire<Socket>,
    tls: T,
) -> Result<(Client, tokio::task::JoinHandle<()>), tokio_postgres::Error>
where
    T: TlsConnect<Wire<Socket>, Stream = S>,
    S: TlsStream + Send + Unpin + 'static,
{
    let (client, connection) = config.connect_raw(wire, tls).await?;
    let driver = tokio::spawn(async move {
        // The client's calls report the failure; here there is nobody to tell.
        let _ = connection.await;
    });
    Ok((client, driver))
}

fn config(place: Place<'_>, name: &str, protection: Protection) -> Config {
    let (target, endpoint) = (place.target, place.endpoint);
    let mut config = Config::new();
    config
        .host(&endpoint.host)
        .port(endpoint.port)
        .user(&target.user)
        .dbname(&target.database)
        .application_name(name)
        .ssl_mode(match protection {
            Protection::Plain => SslMode::Disable,
            Protection::Offered => SslMode::Prefer,
            Protection::Required => SslMode::Require,
        })
        .channel_binding(match target.tls.channel_binding {
            ChannelBinding::Disable => DriverBinding::Disable,
            ChannelBinding::Prefer => DriverBinding::Prefer,
            ChannelBinding::Require => DriverBinding::Require,
        });
    if target.tls.direct && protection == Protection::Required {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    if let Some(address) = endpoint.address {
        config.hostaddr(address);
    }
    if let Some(password) = &endpoint.password {
        config.password(password.reveal());
    }
    if let Some(options) = &target.options {
        config.options(options);
    }
    config
}

/// Whether the server is of the kind that `target_session_attrs` asks for.
async fn check_attributes(place: Place<'_>, session: &Session) -> Result<(), Failure> {
    let wanted = place.target.session_attributes;
    if wanted == SessionAttributes::Any {
        return Ok(());
    }
    let found = session
        .query_one(&Sql::constant(include_str!("sql/attributes.sql")))
        .await
        .and_then(|row| Ok((row.bool("standby")?, row.bool("read_only")?)));
    let (standby, read_only) = found.map_err(Failure::last)?;
    let fits = match wanted {
        SessionAttributes::Any => true,
        SessionAttributes::ReadWrite => !read_only,
        SessionAttributes::ReadOnly => read_only,
        SessionAttributes::Primary => !standby,
        SessionAttributes::Standby => standby,
    };
    if fits {
        return Ok(());
    }
    let is = if standby { "a standby" } else { "a primary" };
    let reason = format!(
        "{} is {is}, and target_session_attrs={} asks for another",
        place.endpoint.shown(),
        wanted.name()
    );
    let error = Error::operation(format!("connect to {}", place.target.masked())).because(reason);
    Err(Failure::passing(error, Pending::Kind))
}

/// The settings in force that change how values and definitions are printed.
pub async fn pinned_settings(session: &Session) -> Result<BTreeMap<String, String>> {
    let rows = session
        .query(&Sql::constant(include_str!("sql/pinned.sql")))
        .await?;
    rows.iter()
        .map(|row| Ok((row.string("name")?, row.string("setting")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::target::Endpoint;

    #[test]
    fn application_names_fit_the_server() {
        assert_eq!(application_name("ab12", Purpose::Lock), "pgbelay ab12 lock");
        assert_eq!(application_name(&"a".repeat(80), Purpose::Lock).len(), 63);
    }

    #[test]
    fn protections_are_those_of_libpq() {
        use Protection::{Offered, Plain, Required};
        for (mode, expected) in [
            (TlsMode::Disable, &[Plain][..]),
            (TlsMode::Allow, &[Plain, Required]),
            (TlsMode::Prefer, &[Offered, Plain]),
            (TlsMode::Require, &[Required]),
            (TlsMode::VerifyCa, &[Required]),
            (TlsMode::VerifyFull, &[Required]),
        ] {
            let mut target = Target::new("db", 1, "d", "u");
            target.tls.mode = mode;
            let endpoint = &target.endpoints[0];
            let place = Place {
                target: &target,
                endpoint,
            };
            assert_eq!(protections(place), expected);
            let socket = Endpoint::new("/run/pg", 1);
            let place = Place {
                target: &target,
                endpoint: &socket,
            };
            assert_eq!(protections(place), [Plain]);
        }
    }

    #[test]
    fn several_servers_are_reported_together() {
        let mut target = Target::new("a", 1, "d", "u");
        target.endpoints.push(Endpoint::new("b", 2));
        let failed = |reason: &str| Error::operation("x").because(reason);
        let failure = combined(
            &target,
            vec![
                Failure::passing(failed("a:1: refused"), Pending::Listener),
                Failure::last(failed("wrong password")),
            ],
        );
        assert_eq!(failure.pending, Some(Pending::Listener));
        assert_eq!(
            failure.error.reason().unwrap(),
            "a:1: refused; b:2: wrong password"
        );
    }
}
