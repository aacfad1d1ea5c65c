//! Connecting, waiting and refusing, against real servers, strangers on the port and PgBouncer.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgbelay::context::{Context, Environment, Event, Monitor, SessionCount, Stop, SystemClock};
use pgbelay::error::{Error, Kind};
use pgbelay::pg::{self, Inputs, Resolved, Secret, Session, Sql, Target};

use crate::support::{Database, MARKER, MARKER_CORE, Pooler, closed_port, not_postgresql};

/// Keeps what a person would have seen.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Vec<String>>);

impl Monitor for Seen {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Seen {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A context whose events are kept.
pub fn context() -> (Context, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let ctx = Context {
        clock: Arc::new(SystemClock),
        monitor: seen.clone(),
        stop: Stop::never(),
        run_id: "c0nn3ct1".to_owned(),
        sessions: SessionCount::default(),
        environment: Arc::new(Environment::default()),
    };
    (ctx, seen)
}

/// Runs a future to its end.
pub fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Connects and says what came of it.
pub fn wait_for(target: &Target, wait: Duration) -> Result<Session, Error> {
    let (ctx, seen) = context();
    let result = block(pg::wait_for(target, wait, &ctx));
    for line in seen.lines() {
        assert_unseen(&line);
    }
    if let Err(error) = &result {
        assert_unseen(&format!("{error} {error:?}"));
        assert_eq!(error.database_now(), Some("nothing was touched"), "{error}");
    }
    result
}

#[track_caller]
fn assert_unseen(text: &str) {
    assert!(!text.contains(MARKER_CORE), "a password is shown: {text}");
}

/// The refusal's text, after checking kind and that it came at once.
#[track_caller]
fn refused_at_once(target: &Target) -> Error {
    let started = Instant::now();
    let error = wait_for(target, Duration::from_secs(60)).expect_err("a refusal");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "it was waited for: {error}"
    );
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    error
}

fn hints(error: &Error) -> String {
    error.hints().join("\n")
}

/// The database over TCP as the plain owner with the marker password.
fn target(database: &Database) -> Target {
    let server = database.server();
    Target::new("127.0.0.1", server.port, database.name(), "app")
        .with_password(&Secret::new(MARKER))
}

/// Connects and asks for one value.
pub fn answer(target: &Target, query: &'static str) -> String {
    let (ctx, _) = context();
    block(async {
        let session = pg::wait_for(target, Duration::ZERO, &ctx)
            .await
            .expect("a session");
        text(&session, query).await
    })
}

async fn text(session: &Session, query: &'static str) -> String {
    let rows = session.query(&Sql::constant(query)).await.expect("a row");
    rows[0].string("value").expect("a value")
}

on_servers! {
    fn a_session_is_named_and_pinned(server) {
        let database = Database::create(server);
        let name = database.name();
        database.sql(&format!(
            "ALTER DATABASE {name} SET search_path = nowhere; ALTER DATABASE {name} SET statement_timeout = '30s'"
        ));
        let (ctx, _) = context();
        block(async {
            let session = pg::connect(&target(&database), pg::Purpose::Lock, &ctx).await.expect("a session");
            let name = text(&session, "SELECT current_setting('application_name') AS value").await;
            assert_eq!(name, "pgbelay c0nn3ct1 lock");
            assert_eq!(session.version().major(), server.major);
            let pinned = pg::pinned_settings(&session).await.expect("settings");
            assert_eq!(pinned["search_path"], "");
            assert_eq!(pinned["TimeZone"], "UTC");
            let timeout = text(&session, "SELECT current_setting('statement_timeout') AS value").await;
            assert_eq!(timeout, "0");
            session.close().await;
        });
    }

    fn a_socket_and_a_url_lead_to_the_same_database(server) {
        let database = Database::create(server);
        let socket = server.socket.display().to_string();
        let target = Target::new(&socket, server.port, database.name(), "postgres");
        wait_for(&target, Duration::ZERO).expect("the socket");
        let environment = Environment::default();
        let resolved = resolved(&database.url(), &environment);
        let found = answer(&resolved.target, "SELECT current_database()::text AS value");
        assert_eq!(found, database.name());
    }

    fn a_wrong_password_names_its_source(server) {
        let database = Database::create(server);
        let environment = Environment {
            variables: [
                ("DB_HOST", "127.0.0.1"),
                ("DB_PORT", &server.port.to_string()),
                ("POSTGRES_DB", database.name()),
                ("POSTGRES_USER", "app"),
                ("POSTGRES_PASSWORD", &format!("{MARKER}-wrong")),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
            ..Environment::default()
        };
        let resolved = pg::resolve(&Inputs {
            url: None,
            env_file: None,
            expand_env: false,
            wait: Duration::ZERO,
            environment: &environment,
        });
        let error = refused_at_once(&resolved.expect("settings").target);
        assert_eq!(error.sqlstate(), Some("28P01"));
        assert_eq!(
            error.to_string(),
            format!(
                "connect to postgresql://app:***@127.0.0.1:{}/{}: password authentication failed for user \"app\" (28P01)",
                server.port,
                database.name()
            )
        );
        assert!(hints(&error).contains("came from POSTGRES_PASSWORD"), "{error:?}");
    }

    fn no_password_is_said_so(server) {
        let database = Database::create(server);
        let target = Target::new("127.0.0.1", server.port, database.name(), "app");
        let error = refused_at_once(&target);
        assert!(error.to_string().ends_with("the server asks for a password, and no setting holds one"));
        assert!(hints(&error).contains("no password was given for the role \"app\""));
    }

    fn a_missing_database_is_refused_at_once(server) {
        let database = Database::create(server);
        let error = refused_at_once(&target(&database).with_database("no_such_database"));
        assert_eq!(error.sqlstate(), Some("3D000"));
        assert!(error.to_string().ends_with("database \"no_such_database\" does not exist (3D000)"), "{error}");
        assert!(hints(&error).contains("create the database \"no_such_database\""));
    }

    fn a_missing_right_to_connect_is_refused_at_once(server) {
        let database = Database::create(server);
        let name = database.name();
        database.sql(&format!("REVOKE CONNECT ON DATABASE {name} FROM public, app"));
        let mut target = target(&database);
        target.user = "reader".to_owned();
        let error = refused_at_once(&target);
        assert_eq!(error.sqlstate(), Some("42501"));
        assert!(hints(&error).contains(&format!("GRANT CONNECT ON DATABASE \"{name}\" TO \"reader\"")));
    }

    fn several_servers_are_tried_in_order(server) {
        let database = Database::create(server);
        let mut target = target(&database);
        let mut absent = target.endpoints[0].clone();
        absent.port = closed_port();
        target.endpoints.insert(0, absent);
        wait_for(&target, Duration::ZERO).expect("the second server");
        target.session_attributes = pg::target::SessionAttributes::Standby;
        let error = wait_for(&target, Duration::ZERO).expect_err("no standby");
        assert!(error.to_string().contains("is a primary, and target_session_attrs=standby asks for another"));
        assert!(error.to_string().contains("refused"), "both servers are reported: {error}");
        target.session_attributes = pg::target::SessionAttributes::ReadWrite;
        wait_for(&target, Duration::ZERO).expect("a primary takes writes");
    }

    fn options_of_the_operator_arrive(server) {
        let database = Database::create(server);
        let mut target = target(&database);
        target.options = Some("-c work_mem=7MB".to_owned());
        assert_eq!(answer(&target, "SELECT current_setting('work_mem') AS value"), "7MB");
    }

    fn a_transaction_pooler_is_refused_and_left_alone(server) {
        let Some(pooler) = Pooler::start(server) else { return };
        let database = Database::create(server);
        let mut target = target(&database);
        target.endpoints[0].port = pooler.port;
        let (ctx, _) = context();
        for _ in 0..3 {
            let error = block(pg::detect_pooler(&target, &ctx)).expect_err("a pooler");
            assert_eq!(error.kind(), Kind::Refused);
            assert!(error.to_string().contains("a transaction pooler is in between"), "{error}");
            assert!(hints(&error).contains("pool_mode=session"));
        }
        let error = refused_at_once(&target);
        assert!(error.to_string().contains("a transaction pooler is in between"), "{error}");
        // What was found out left no setting on the pooler's connections.
        let left = server.client("psql", database.name())
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", pooler.port.to_string())
            .env("PGUSER", "app")
            .env("PGPASSWORD", MARKER)
            .args(["-XqAt", "-c", "SHOW search_path"])
            .output()
            .expect("psql starts");
        let left = String::from_utf8_lossy(&left.stdout).into_owned();
        assert!(left.contains("public"), "{left}");
    }

    fn a_statement_pooler_is_refused(server) {
        let Some(pooler) = Pooler::in_mode(server, "statement") else { return };
        let database = Database::create(server);
        let mut target = target(&database);
        target.endpoints[0].port = pooler.port;
        let error = refused_at_once(&target);
        assert!(error.to_string().contains("pooler is in between"), "{error}");
    }

    fn a_session_pooler_passes(server) {
        let Some(pooler) = Pooler::in_mode(server, "session") else { return };
        let database = Database::create(server);
        let mut target = target(&database);
        target.endpoints[0].port = pooler.port;
        let (ctx, _) = context();
        block(pg::detect_pooler(&target, &ctx)).expect("session mode is no obstacle");
        wait_for(&target, Duration::ZERO).expect("a session through the pooler");
    }

    fn a_direct_connection_is_no_pooler(server) {
        let database = Database::create(server);
        let (ctx, _) = context();
        block(pg::detect_pooler(&target(&database), &ctx)).expect("PostgreSQL itself");
    }

    fn a_server_that_comes_up_late_is_waited_for_with_one_note(server) {
        let database = Database::create(server);
        let port = closed_port();
        let (host, real) = ("127.0.0.1", server.port);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1500));
            forward(TcpListener::bind((host, port)).expect("the port"), real);
        });
        let mut target = target(&database);
        target.endpoints[0].port = port;
        let (ctx, seen) = context();
        block(pg::wait_for(&target, Duration::from_secs(20), &ctx)).expect("it came up");
        let notes = seen.lines();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("nothing accepts connections yet"), "{notes:?}");
    }
}

/// Passes every connection on to the server.
fn forward(listener: TcpListener, port: u16) {
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the server");
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ] {
                std::thread::spawn(move || {
                    drop(std::io::copy(&mut from, &mut to));
                    drop(to.shutdown(std::net::Shutdown::Both));
                });
            }
        }
    });
}

fn resolved(url: &str, environment: &Environment) -> Resolved {
    pg::resolve(&Inputs {
        url: Some(url.to_owned()),
        env_file: None,
        expand_env: false,
        wait: Duration::ZERO,
        environment,
    })
    .expect("settings")
}

/// Where no server is needed.
fn nowhere(host: &str, port: u16) -> Target {
    Target::new(host, port, "shop", "app").with_password(&Secret::new(MARKER))
}

#[test]
fn an_unknown_host_is_refused_after_the_wait() {
    let target = nowhere("no-such-host.invalid", 5432);
    let error = wait_for(&target, Duration::ZERO).expect_err("a refusal");
    assert_eq!(error.kind(), Kind::Refused);
    assert!(
        error
            .to_string()
            .contains("the host name \"no-such-host.invalid\" does not resolve"),
        "{error}"
    );
    assert!(hints(&error).contains("use the service's name"));
    let started = Instant::now();
    let error = wait_for(&target, Duration::from_secs(1)).expect_err("a refusal");
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "names may come late"
    );
    assert!(error.to_string().ends_with("(waited 1 s)"), "{error}");
}

#[test]
fn a_closed_port_is_refused_after_the_wait() {
    let target = nowhere("127.0.0.1", closed_port());
    let error = wait_for(&target, Duration::from_secs(1)).expect_err("a refusal");
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(hints(&error).contains("inside a container `localhost` is the container itself"));
}

#[test]
fn a_socket_that_is_not_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = nowhere(&directory.path().display().to_string(), 5433);
    let error = wait_for(&target, Duration::ZERO).expect_err("a refusal");
    assert!(
        hints(&error).contains("no server has its socket there"),
        "{error:?}"
    );
    assert!(hints(&error).contains("--wait 60s waits"));
}

#[test]
fn a_port_that_is_not_postgresql_is_refused_at_once() {
    let error = refused_at_once(&nowhere("127.0.0.1", not_postgresql()));
    assert!(
        error
            .to_string()
            .contains("is not PostgreSQL: it speaks HTTP"),
        "{error}"
    );
    let error = refused_at_once(&nowhere(
        "127.0.0.1",
        speaks(b"SSH-2.0-OpenSSH_9.2\r\n", false),
    ));
    assert!(
        error
            .to_string()
            .contains("is not PostgreSQL: it is an SSH server"),
        "{error}"
    );
    let error = refused_at_once(&nowhere("127.0.0.1", speaks(b"-ERR wrong\r\n", true)));
    assert!(
        error
            .to_string()
            .contains("is not PostgreSQL: it looks like Redis"),
        "{error}"
    );
    let greeting = b"\x4a\0\0\0\x0a8.0.36\0mysql_native_password";
    let error = refused_at_once(&nowhere("127.0.0.1", speaks(greeting, false)));
    assert!(
        error.to_string().contains("it looks like MySQL or MariaDB"),
        "{error}"
    );
    for mode in [pg::target::TlsMode::Disable, pg::target::TlsMode::Require] {
        let mut target = nowhere("127.0.0.1", not_postgresql());
        target.tls.mode = mode;
        let error = refused_at_once(&target);
        assert!(error.to_string().contains("it speaks HTTP"), "{error}");
    }
}

#[test]
fn a_port_that_says_nothing_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut target = nowhere("127.0.0.1", listener.local_addr().unwrap().port());
    target.connect_timeout = Some(Duration::from_secs(1));
    let started = Instant::now();
    let error = wait_for(&target, Duration::ZERO).expect_err("a refusal");
    assert!(started.elapsed() < Duration::from_secs(8));
    assert!(
        error.to_string().contains("did not answer within 1 s"),
        "{error}"
    );
}

#[test]
fn a_signal_ends_the_wait() {
    let (sender, stop) = Stop::channel();
    let (mut ctx, _) = context();
    ctx.stop = stop;
    let target = nowhere("127.0.0.1", closed_port());
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        sender.raise(15);
        std::thread::sleep(Duration::from_secs(5));
    });
    let started = Instant::now();
    let error = block(pg::wait_for(&target, Duration::from_secs(60), &ctx)).expect_err("stopped");
    assert_eq!(error.kind(), Kind::Interrupted(15));
    assert!(started.elapsed() < Duration::from_secs(3));
}

/// A port that says `words` to everybody, after hearing something if `listens_first`.
fn speaks(words: &'static [u8], listens_first: bool) -> u16 {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut heard = [0; 64];
                if listens_first {
                    drop(client.read(&mut heard));
                }
                drop(client.write_all(words));
                while matches!(client.read(&mut heard), Ok(1..)) {}
            });
        }
    });
    port
}
