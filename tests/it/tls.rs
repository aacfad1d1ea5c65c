//! TLS against a real server: every sslmode, right and wrong authorities and host names, client
//! certificates. Certificates are made here by `openssl`, so none can expire in the repository.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use pgbelay::error::{Error, Kind};
use pgbelay::pg::target::{ChannelBinding, Roots, TlsMode};
use pgbelay::pg::{Secret, Target};

use crate::connection::{answer, wait_for};
use crate::support::{MARKER, Server, repository};

/// Says whether the connection is encrypted.
const ENCRYPTED: &str = "SELECT ssl::text AS value FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// A server of its own with TLS switched on, and the certificates around it.
struct TlsServer {
    port: u16,
    directory: PathBuf,
    /// Certificates for the client's side; lives as long as the process.
    certificates: tempfile::TempDir,
}

static SERVER: OnceLock<Option<TlsServer>> = OnceLock::new();

/// Needs PostgreSQL 15 or, where that is named as absent, 18; TLS is the same in both.
fn server() -> Option<&'static TlsServer> {
    let major = [15, 18]
        .into_iter()
        .find(|m| Server::of_major(*m).is_some())?;
    SERVER
        .get_or_init(|| Some(TlsServer::start(major)))
        .as_ref()
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl TlsServer {
    fn start(major: u32) -> Self {
        Self::showing(major, "server")
    }

    /// A server that shows the certificate of this name.
    fn showing(major: u32, certificate: &str) -> Self {
        let certificates = tempfile::tempdir().expect("a directory");
        make_certificates(certificates.path());
        let mut command = Command::new(repository().join("scripts/server"));
        command.args(["start", &major.to_string(), "--until-exit-of"]);
        let directory = PathBuf::from(run(command.arg(std::process::id().to_string())));
        let port = std::fs::read_to_string(directory.join("port")).expect("a port");
        let server = Self {
            port: port.trim().parse().expect("a number"),
            directory,
            certificates,
        };
        server.configure(certificate);
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.certificates.path().join(name)
    }

    fn configure(&self, certificate: &str) {
        self.install("server.crt", &self.path(&format!("{certificate}.crt")));
        self.install("server.key", &self.path(&format!("{certificate}.key")));
        self.install("ca.crt", &self.path("ca.crt"));
        let rules = "local all all trust\n\
                     hostssl all certified 127.0.0.1/32 cert\n\
                     hostssl all encrypted 127.0.0.1/32 scram-sha-256\n\
                     hostnossl all plain 127.0.0.1/32 scram-sha-256\n\
                     host all app 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(self.directory.join("data/pg_hba.conf"), rules).expect("rules");
        let password = MARKER.replace('\'', "''");
        self.psql("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
        self.psql("ALTER SYSTEM SET ssl = on");
        for role in ["app", "certified", "encrypted", "plain"] {
            self.psql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"));
        }
        self.psql("SELECT pg_reload_conf()");
        self.wait_for_tls();
    }

    /// Copies a file into the data directory, owned by the server's user.
    fn install(&self, name: &str, from: &Path) {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let data = self.directory.join("data");
        let to = data.join(name);
        std::fs::copy(from, &to).expect("a copy");
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        let owner = std::fs::metadata(&data).expect("the data directory");
        std::os::unix::fs::chown(&to, Some(owner.uid()), Some(owner.gid())).expect("an owner");
    }

    fn psql(&self, sql: &str) -> String {
        let programs = std::fs::read_to_string(self.directory.join("bin")).expect("programs");
        let mut command = Command::new(Path::new(programs.trim()).join("psql"));
        command
            .env("PGHOST", self.directory.join("socket"))
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .args([
                "-XqAt",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                "postgres",
                "-c",
                sql,
            ]);
        run(&mut command)
    }

    /// The postmaster takes a reload when it comes to it.
    fn wait_for_tls(&self) {
        for _ in 0..100 {
            if self.psql("SHOW ssl") == "on" && self.answers_tls() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server did not switch TLS on");
    }

    fn answers_tls(&self) -> bool {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).expect("a server");
        stream
            .write_all(&[0, 0, 0, 8, 4, 210, 22, 47])
            .expect("a request");
        let mut answer = [0];
        stream.read_exact(&mut answer).is_ok() && answer == *b"S"
    }

    /// The server by a name that its certificate holds.
    fn target(&self, mode: TlsMode, role: &str) -> Target {
        self.target_named("localhost", mode, role)
    }

    fn target_named(&self, host: &str, mode: TlsMode, role: &str) -> Target {
        let mut target =
            Target::new(host, self.port, "postgres", role).with_password(&Secret::new(MARKER));
        target.endpoints[0].address = Some("127.0.0.1".parse().unwrap());
        target.tls.mode = mode;
        target
    }

    fn trusting(&self, roots: &str, host: &str, mode: TlsMode) -> Target {
        let mut target = self.target_named(host, mode, "encrypted");
        target.tls.roots = Roots::File(self.path(roots));
        target
    }
}

/// An authority, a server certificate for `localhost` signed by it, another authority that signed
/// nothing, a client certificate for the role `certified`, and a self-signed certificate.
fn make_certificates(directory: &Path) {
    let openssl = |arguments: &[&str]| {
        run(Command::new("openssl")
            .current_dir(directory)
            .args(arguments));
    };
    let authority = |name: &str| {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let subject = format!("/CN=test authority {name}");
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &certificate,
        ]);
    };
    // Without extensions it is of version 1.
    let signed_for = |name: &str, subject: &str, extension: Option<&str>, days: &str| {
        let of = |kind: &str| format!("{name}.{kind}");
        let (key, request, certificate) = (of("key"), of("csr"), of("crt"));
        openssl(&[
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", &key, "-out",
            &request,
        ]);
        let mut sign = vec![
            "x509", "-req", "-in", &request, "-CA", "ca.crt", "-CAkey", "ca.key",
        ];
        sign.extend(["-days", days, "-CAcreateserial", "-out", &certificate]);
        if let Some(extension) = extension {
            std::fs::write(directory.join("ext"), extension).expect("a file");
            sign.extend(["-extfile", "ext"]);
        }
        openssl(&sign);
    };
    let signed = |name: &str, subject: &str, extension: &str| {
        signed_for(name, subject, Some(extension), "2");
    };
    authority("ca");
    authority("other");
    // The kind that PostgreSQL's manual makes: no alternative name, only a common name.
    authority("self");
    signed(
        "server",
        "/CN=ignored.example",
        "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
    );
    signed("named", "/CN=db.example.com", "keyUsage=digitalSignature\n");
    signed_for("first", "/CN=localhost", None, "2");
    signed("client", "/CN=certified", "extendedKeyUsage=clientAuth\n");
    // Signed by the right authority for the right name, and ended yesterday.
    let localhost = Some("subjectAltName=DNS:localhost\n");
    signed_for("expired", "/CN=localhost", localhost, "-1");
    openssl(&["rsa", "-in", "client.key", "-out", "client.key"]);
    std::fs::set_permissions(
        directory.join("client.key"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .expect("a mode");
}

#[track_caller]
fn refused(target: &Target, words: &str) -> Error {
    let error = wait_for(target, Duration::from_secs(30)).expect_err("a refusal");
    assert!(
        matches!(error.kind(), Kind::Refused | Kind::Usage),
        "{error}"
    );
    assert!(error.to_string().contains(words), "{error}");
    error
}

#[test]
fn each_mode_encrypts_or_not_as_in_libpq() {
    let Some(server) = server() else { return };
    for (mode, role, encrypted) in [
        (TlsMode::Disable, "app", "false"),
        (TlsMode::Disable, "plain", "false"),
        (TlsMode::Allow, "app", "false"),
        (TlsMode::Allow, "encrypted", "true"),
        (TlsMode::Prefer, "app", "true"),
        (TlsMode::Prefer, "plain", "false"),
        (TlsMode::Require, "app", "true"),
    ] {
        let target = server.target(mode, role);
        assert_eq!(answer(&target, ENCRYPTED), encrypted, "{mode:?} {role}");
    }
    let error = refused(
        &server.target(TlsMode::Disable, "encrypted"),
        "no pg_hba.conf entry",
    );
    assert!(error.hints()[0].contains("sslmode=require"), "{error:?}");
    refused(
        &server.target(TlsMode::Require, "plain"),
        "no pg_hba.conf entry",
    );
}

#[test]
fn a_socket_is_never_encrypted() {
    let Some(server) = server() else { return };
    let socket = server.directory.join("socket").display().to_string();
    let mut target = Target::new(&socket, server.port, "postgres", "postgres");
    target.tls.mode = TlsMode::VerifyFull;
    assert_eq!(answer(&target, ENCRYPTED), "false");
}

#[test]
fn verify_ca_checks_the_chain_and_not_the_name() {
    let Some(server) = server() else { return };
    for host in ["localhost", "127.0.0.1", "elsewhere.example"] {
        let target = server.trusting("ca.crt", host, TlsMode::VerifyCa);
        assert_eq!(answer(&target, ENCRYPTED), "true", "{host}");
    }
    let error = refused(
        &server.trusting("other.crt", "localhost", TlsMode::VerifyCa),
        "the server's certificate is signed by nobody whom sslrootcert trusts",
    );
    assert!(error.hints()[0].contains("sslrootcert"));
}

#[test]
fn verify_full_checks_the_name_too() {
    let Some(server) = server() else { return };
    for host in ["localhost", "127.0.0.1"] {
        let target = server.trusting("ca.crt", host, TlsMode::VerifyFull);
        assert_eq!(answer(&target, ENCRYPTED), "true", "{host}");
    }
    for host in ["elsewhere.example", "ignored.example"] {
        let error = refused(
            &server.trusting("ca.crt", host, TlsMode::VerifyFull),
            &format!("the server's certificate is not for the host \"{host}\""),
        );
        assert!(error.hints()[0].contains("by a name that stands in the certificate"));
    }
    refused(
        &server.trusting("other.crt", "localhost", TlsMode::VerifyFull),
        "is signed by nobody",
    );
}

#[test]
fn require_with_roots_at_hand_verifies_the_chain() {
    let Some(server) = server() else { return };
    answer(
        &server.trusting("ca.crt", "elsewhere.example", TlsMode::Require),
        ENCRYPTED,
    );
    refused(
        &server.trusting("other.crt", "localhost", TlsMode::Require),
        "is signed by nobody",
    );
}

#[test]
fn the_systems_roots_do_not_trust_a_private_authority() {
    let Some(server) = server() else { return };
    let mut target = server.target(TlsMode::VerifyFull, "encrypted");
    target.tls.roots = Roots::System;
    let error = wait_for(&target, Duration::ZERO).expect_err("a refusal");
    // A machine without ca-certificates says so instead.
    let text = error.to_string();
    assert!(
        text.contains("signed by nobody") || text.contains("none of them can be used"),
        "{text}"
    );
}

#[test]
fn a_client_certificate_lets_its_role_in() {
    let Some(server) = server() else { return };
    let mut target = server.target(TlsMode::VerifyFull, "certified");
    target.tls.roots = Roots::File(server.path("ca.crt"));
    refused(&target, "connection requires a valid client certificate");
    target.tls.client = Some((server.path("client.crt"), server.path("client.key")));
    assert_eq!(answer(&target, ENCRYPTED), "true");
}

#[test]
fn a_client_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let Some(server) = server() else { return };
    let key = server.path("open.key");
    std::fs::copy(server.path("client.key"), &key).expect("a copy");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let mut target = server.target(TlsMode::Require, "certified");
    target.tls.client = Some((server.path("client.crt"), key));
    let error = refused(&target, "others may read it (mode 0644)");
    assert_eq!(error.kind(), Kind::Usage);
}

#[test]
fn scram_is_bound_to_the_channel() {
    let Some(server) = server() else { return };
    let mut target = server.target(TlsMode::Require, "encrypted");
    target.tls.channel_binding = ChannelBinding::Require;
    assert_eq!(answer(&target, ENCRYPTED), "true");
    let mut plain = server.target(TlsMode::Disable, "plain");
    plain.tls.channel_binding = ChannelBinding::Require;
    let error = wait_for(&plain, Duration::ZERO).expect_err("a refusal");
    assert!(error.to_string().contains("channel binding"), "{error}");
}

#[test]
fn a_server_without_tls_is_not_taken_for_require() {
    let Some(major) = [15, 18].into_iter().find_map(Server::of_major) else {
        return;
    };
    for mode in [TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let mut target = Target::new("127.0.0.1", major.port, "postgres", "app")
            .with_password(&Secret::new(MARKER));
        target.tls.mode = mode;
        if mode > TlsMode::Require {
            let Some(server) = server() else { return };
            target.tls.roots = Roots::File(server.path("ca.crt"));
        }
        let words = format!(
            "the server offers no TLS, and sslmode={} asks for it",
            mode.name()
        );
        refused(&target, &words);
    }
}

#[test]
fn certificates_without_alternative_names_and_self_signed_ones() {
    let Some(major) = [15, 18]
        .into_iter()
        .find(|m| Server::of_major(*m).is_some())
    else {
        return;
    };
    // As PostgreSQL's manual makes them: a common name only.
    let named = TlsServer::showing(major, "named");
    let full = |server: &TlsServer, roots: &str, host: &str| {
        server.trusting(roots, host, TlsMode::VerifyFull)
    };
    assert_eq!(
        answer(&full(&named, "ca.crt", "db.example.com"), ENCRYPTED),
        "true"
    );
    refused(
        &full(&named, "ca.crt", "other.example.com"),
        "is not for the host",
    );
    let own = TlsServer::showing(major, "self");
    assert_eq!(
        answer(
            &own.trusting("self.crt", "localhost", TlsMode::VerifyCa),
            ENCRYPTED
        ),
        "true"
    );
    refused(
        &own.trusting("ca.crt", "localhost", TlsMode::VerifyCa),
        "certificate",
    );
    refused(&full(&own, "self.crt", "localhost"), "is not for the host");
}

/// Encrypted where nobody asks whose it is, and never silently not; refused in words where somebody does.
#[test]
fn a_certificate_of_version_1_encrypts() {
    let majors = [15, 18];
    let Some(major) = majors.into_iter().find(|m| Server::of_major(*m).is_some()) else {
        return;
    };
    let server = TlsServer::showing(major, "first");
    for mode in [TlsMode::Prefer, TlsMode::Require] {
        let answered = answer(&server.target(mode, "app"), ENCRYPTED);
        assert_eq!(answered, "true", "{}", mode.name());
    }
    refused(
        &server.trusting("ca.crt", "localhost", TlsMode::VerifyFull),
        "X.509 version 1",
    );
}

#[test]
fn a_certificate_that_has_expired_is_refused_by_both_modes_that_verify() {
    let majors = [15, 18];
    let Some(major) = majors.into_iter().find(|m| Server::of_major(*m).is_some()) else {
        return;
    };
    let server = TlsServer::showing(major, "expired");
    for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
        refused(&server.trusting("ca.crt", "localhost", mode), "expired");
    }
    // An authority that is trusted no more is one that is not in the file any longer; lists of revoked
    // certificates are refused as a setting, because they would not be read.
    refused(
        &server.trusting("other.crt", "localhost", TlsMode::VerifyFull),
        "certificate",
    );
}
