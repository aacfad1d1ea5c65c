//! What may stand between the tool and the server: something that is no PostgreSQL, a proxy that
//! changes a few bytes, a transaction pooler.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{MARKER, Server};

/// Something on a TCP port of 127.0.0.1 that speaks HTTP; it lives as long as the test process.
pub fn not_postgresql() -> u16 {
    listen(|mut client| {
        let mut first = [0; 64];
        drop(client.read(&mut first));
        drop(client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    })
}

/// A port with nothing behind it.
pub fn closed_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("an address").port()
}

/// A port where the server seems to have another version: six digits are replaced in what it says.
pub fn server_of_version(server: &'static Server, version_number: u32) -> u16 {
    let real = server.psql("postgres", "SHOW server_version_num");
    let wanted = version_number.to_string();
    assert_eq!(real.len(), wanted.len());
    let port = server.port;
    listen(move |client| {
        let upstream = TcpStream::connect(("127.0.0.1", port)).expect("the server answers");
        let to_server = (
            client.try_clone().expect("a socket"),
            upstream.try_clone().expect("a socket"),
        );
        std::thread::spawn(move || copy(to_server.0, to_server.1, b"", b""));
        copy(upstream, client, real.as_bytes(), wanted.as_bytes());
    })
}

/// A port through which the first connections reach the server's socket; later ones are taken and never
/// answered, as if they waited for a lock on a shared catalog.
pub fn server_for_the_first(server: &'static Server, served: usize) -> u16 {
    let socket = server.socket.join(format!(".s.PGSQL.{}", server.port));
    let come = std::sync::atomic::AtomicUsize::new(0);
    listen(move |mut client| {
        if come.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= served {
            // Open until the client gives up.
            drop(std::io::copy(&mut client, &mut std::io::sink()));
            return;
        }
        let mut upstream = UnixStream::connect(&socket).expect("the server answers");
        let mut to_server = upstream.try_clone().expect("a socket");
        let mut from_client = client.try_clone().expect("a socket");
        std::thread::spawn(move || {
            drop(std::io::copy(&mut from_client, &mut to_server));
            drop(to_server.shutdown(std::net::Shutdown::Write));
        });
        drop(std::io::copy(&mut upstream, &mut client));
        drop(client.shutdown(std::net::Shutdown::Write));
    })
}

/// A port that leads to the server until a query holds this text: from then on nothing passes, as when a server
/// or a network stands still.
pub fn server_that_freezes_at(server: &'static Server, text: &'static str) -> u16 {
    let port = server.port;
    listen(move |mut client| {
        let upstream = TcpStream::connect(("127.0.0.1", port)).expect("the server answers");
        let (back, mut there) = (
            client.try_clone().expect("a socket"),
            upstream.try_clone().expect("a socket"),
        );
        std::thread::spawn(move || copy(upstream, back, b"", b""));
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let bytes = &buffer[..length];
            if bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
            {
                // Open until the client gives up.
                drop(std::io::copy(&mut client, &mut std::io::sink()));
                return;
            }
            if there.write_all(bytes).is_err() {
                return;
            }
        }
        drop(there.shutdown(std::net::Shutdown::Write));
    })
}

/// A port that leads to the server until a query holds this text: the server gets it, and the client's connection is cut while
/// the server's stays open, as when a network fails and nobody tells the server.
pub fn server_that_is_cut_at(server: &'static Server, text: &'static str) -> u16 {
    let port = server.port;
    listen(move |mut client| {
        let upstream = TcpStream::connect(("127.0.0.1", port)).expect("the server answers");
        let (back, mut there) = (
            client.try_clone().expect("a socket"),
            upstream.try_clone().expect("a socket"),
        );
        std::thread::spawn(move || copy(upstream, back, b"", b""));
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let bytes = &buffer[..length];
            let mut windows = bytes.windows(text.len());
            let cut = windows.any(|window| window == text.as_bytes());
            if there.write_all(bytes).is_err() {
                return;
            }
            if cut {
                drop(client.shutdown(std::net::Shutdown::Both));
                std::thread::sleep(Duration::from_secs(60));
                return;
            }
        }
        drop(there.shutdown(std::net::Shutdown::Write));
    })
}

/// Serves every connection in a thread of its own.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let serve = std::sync::Arc::new(serve);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(client));
        }
    });
    port
}

/// Copies a stream; a text is replaced where it stands within one read, as a short answer does.
fn copy(mut from: TcpStream, mut to: TcpStream, text: &[u8], replacement: &[u8]) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..length];
        for start in 0..length {
            if !text.is_empty() && bytes[start..].starts_with(text) {
                bytes[start..start + text.len()].copy_from_slice(replacement);
            }
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    drop(to.shutdown(std::net::Shutdown::Write));
}

/// PgBouncer in front of a server, in transaction mode unless asked otherwise; stopped when dropped.
#[derive(Debug)]
pub struct Pooler {
    process: Child,
    pub port: u16,
    _directory: tempfile::TempDir,
}

impl Pooler {
    /// `None` only if the caller of the tests named `pgbouncer` in `PGBELAY_TEST_WITHOUT`.
    pub fn start(server: &Server) -> Option<Self> {
        Self::in_mode(server, "transaction")
    }

    /// The same with another `pool_mode`.
    pub fn in_mode(server: &Server, mode: &str) -> Option<Self> {
        Self::with(
            server,
            mode,
            "ignore_startup_parameters = extra_float_digits,options",
        )
    }

    /// In session mode, and otherwise as PgBouncer is without settings.
    pub fn by_default(server: &Server) -> Option<Self> {
        Self::with(server, "session", "")
    }

    fn with(server: &Server, mode: &str, line: &str) -> Option<Self> {
        let without = std::env::var("PGBELAY_TEST_WITHOUT").unwrap_or_default();
        if without.split([' ', ',']).any(|word| word == "pgbouncer") {
            eprintln!("not run: pgbouncer is named in PGBELAY_TEST_WITHOUT");
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = closed_port();
        let settings = write_settings(&directory, server, port, mode, line);
        let mut command = Command::new(pooler_program());
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", &owner_of(&server.socket)]);
        }
        let process = command
            .arg(settings)
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts");
        let pooler = Self {
            process,
            port,
            _directory: directory,
        };
        pooler.wait_until_it_answers();
        Some(pooler)
    }

    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "pgbouncer does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn pooler_program() -> PathBuf {
    let places = [
        "/usr/sbin",
        "/usr/bin",
        "/usr/local/sbin",
        "/usr/local/bin",
        "/opt/homebrew/bin",
    ];
    let found = places
        .iter()
        .map(|place| PathBuf::from(place).join("pgbouncer"))
        .find(|path| path.exists());
    found.expect("pgbouncer is missing: run scripts/setup as root, or name pgbouncer in PGBELAY_TEST_WITHOUT")
}

fn write_settings(
    directory: &tempfile::TempDir,
    server: &Server,
    port: u16,
    mode: &str,
    line: &str,
) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.path();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    let settings = format!(
        "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = plain\nauth_file = {}/users\npool_mode = {mode}\n\
         {line}\n",
        server.socket.display(),
        server.port,
        path.display()
    );
    std::fs::write(path.join("users"), format!("\"app\" \"{MARKER}\"\n")).expect("a file");
    std::fs::write(path.join("pgbouncer.ini"), settings).expect("a file");
    path.join("pgbouncer.ini")
}

fn owner_of(path: &std::path::Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(path)
        .expect("the socket's directory")
        .uid();
    let user = nix::unistd::User::from_uid(owner.into()).expect("the user list");
    user.expect("the server's user").name
}
