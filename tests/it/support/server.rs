//! Private servers: found in the environment or started on demand, one per major.
//!
//! `PGBELAY_TEST_PG<major>` names a cluster's directory as `scripts/server start` printed it;
//! without it the script is called and told to stop the server when this process has ended, however
//! it ends. A server that cannot be had fails the test, unless `PGBELAY_TEST_WITHOUT` names its
//! major (a list separated by spaces or commas): then the test says so and does nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::workplace::repository;
use super::{MAJORS, MARKER};

/// A running private cluster.
#[derive(Debug)]
pub struct Server {
    /// Major version, such as 15.
    pub major: u32,
    /// Directory of its Unix socket; whoever connects there is trusted.
    pub socket: PathBuf,
    /// TCP port on 127.0.0.1; passwords are demanded there.
    pub port: u16,
    /// Directory of client programs: of the same major, else (14 and 17) of a newer one.
    pub programs: PathBuf,
}

static SERVERS: [OnceLock<Option<Server>>; MAJORS.len()] =
    [const { OnceLock::new() }; MAJORS.len()];

impl Server {
    /// The server of that major; `None` only if the caller of the tests named it as absent.
    pub fn of_major(major: u32) -> Option<&'static Self> {
        let Some(position) = MAJORS.iter().position(|known| *known == major) else {
            panic!("the tests have no server of major {major}");
        };
        let server = SERVERS[position].get_or_init(|| Self::obtain(major));
        if server.is_none() {
            eprintln!("not run: PostgreSQL {major} is named in PGBELAY_TEST_WITHOUT");
        }
        server.as_ref()
    }

    /// A server that no other test touches, for what is decided by counters of the whole server.
    pub fn of_our_own(&self) -> &'static Self {
        self.with_settings(&[])
    }

    /// A server of our own with settings of our own.
    pub fn with_settings(&self, settings: &[(&str, &str)]) -> &'static Self {
        let lines: String = settings
            .iter()
            .map(|(name, value)| format!("{name} = '{value}'\n"))
            .collect();
        let directory = start_until_we_end(self.major, &lines);
        let server = Self::in_directory(self.major, Path::new(&directory));
        server.make_roles();
        Box::leak(Box::new(server))
    }

    /// Ends a server of our own as a power cut would end its processes, and starts it again.
    pub fn crash_and_recover(&self) {
        self.restart("immediate");
    }

    /// Starts a server of our own again, after a stop in this mode of `pg_ctl`.
    pub fn restart(&self, mode: &str) {
        use std::os::unix::fs::MetadataExt;
        let owner = std::fs::metadata(&self.socket).expect("a socket").uid();
        let user = nix::unistd::User::from_uid(owner.into())
            .expect("users")
            .expect("the server's user");
        let directory = self.socket.parent().expect("the cluster's directory");
        let path = |name: &str| directory.join(name).display().to_string();
        let (data, log) = (path("data"), path("log"));
        let arguments = ["-D", &data, "-l", &log, "-m", mode, "-w", "restart"];
        run_as(&user.name, &self.programs.join("pg_ctl"), &arguments);
    }

    fn obtain(major: u32) -> Option<Self> {
        if is_named_as_absent(major) {
            return None;
        }
        let directory = std::env::var(format!("PGBELAY_TEST_PG{major}"))
            .unwrap_or_else(|_| start_until_we_end(major, ""));
        let server = Self::in_directory(major, Path::new(&directory));
        server.make_roles();
        Some(server)
    }

    fn in_directory(major: u32, directory: &Path) -> Self {
        let line = |name: &str| {
            let path = directory.join(name);
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            text.trim().to_owned()
        };
        Self {
            major,
            socket: directory.join("socket"),
            port: line("port").parse().expect("a port number"),
            programs: PathBuf::from(line("bin")),
        }
    }

    /// A plain owner, a reader and the superuser all have the marker password. Several test
    /// processes may share a server: the lock makes the first one do it.
    fn make_roles(&self) {
        let password = MARKER.replace('\'', "''");
        self.psql(
            "postgres",
            &format!(
                "SELECT pg_advisory_lock(4711);
                 DO $$ BEGIN
                   IF to_regrole('app') IS NULL THEN
                     CREATE ROLE app LOGIN PASSWORD '{password}';
                     CREATE ROLE reader LOGIN PASSWORD '{password}';
                     ALTER ROLE postgres PASSWORD '{password}';
                   END IF;
                 END $$;"
            ),
        );
    }

    /// Whether `CREATE EXTENSION` would find it: which there are depends on where the server comes from.
    pub fn offers(&self, extension: &str) -> bool {
        let sql =
            format!("SELECT count(*) FROM pg_available_extensions WHERE name = '{extension}'");
        self.psql("postgres", &sql) == "1"
    }

    /// Runs SQL as the superuser and returns what psql prints, unaligned; fails on any error.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = self
            .client("psql", database)
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .expect("psql starts");
        assert!(
            output.status.success(),
            "psql failed on {database}:\n{sql}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// A client program that suits the server, about to connect as the superuser.
    pub fn client(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .env("PGHOST", &self.socket)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", database)
            .env("PGCLIENTENCODING", "UTF8")
            .env_remove("PGOPTIONS");
        command
    }
}

/// Runs one of the server's programs as the user that the server runs as; it must succeed.
pub fn run_as(user: &str, program: &Path, arguments: &[&str]) {
    let mut command = match nix::unistd::geteuid().is_root() {
        true => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    let status = command
        .args(arguments)
        .current_dir("/")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success(), "{command:?}");
}

fn is_named_as_absent(major: u32) -> bool {
    let absent = std::env::var("PGBELAY_TEST_WITHOUT").unwrap_or_default();
    absent
        .split([' ', ','])
        .any(|word| word == major.to_string())
}

fn start_until_we_end(major: u32, settings: &str) -> String {
    let output = Command::new(repository().join("scripts/server"))
        .args(["start", &major.to_string(), "--until-exit-of"])
        .arg(std::process::id().to_string())
        .env("PGBELAY_SERVER_SETTINGS", settings)
        .output()
        .expect("scripts/server starts");
    assert!(
        output.status.success(),
        "no PostgreSQL {major} for the tests (run scripts/setup, or name it in PGBELAY_TEST_WITHOUT):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("a path")
        .trim()
        .to_owned()
}
