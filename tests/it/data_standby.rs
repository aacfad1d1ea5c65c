//! A backup from a hot standby: everything but unlogged content, which is named and refused.

use std::path::PathBuf;

use pgbelay::archive::Reader;
use pgbelay::dump::{Destination, DumpOptions, backup};
use pgbelay::error::Kind;
use pgbelay::pg::Target;

use crate::data::{Bench, wait};
use crate::support::{Server, closed_port, run_as};

/// A hot standby of a server; stopped when dropped.
struct Standby {
    data: PathBuf,
    programs: PathBuf,
    user: String,
    socket: PathBuf,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Standby {
    fn of(primary: &Server) -> Self {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let directory = tempfile::tempdir().expect("a directory");
        let owner = std::fs::metadata(&primary.socket).expect("a socket").uid();
        let user = nix::unistd::User::from_uid(owner.into())
            .expect("users")
            .expect("the server's user");
        let socket = directory.path().join("socket");
        std::fs::create_dir(&socket).expect("a directory");
        for path in [directory.path(), &socket] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))
                .expect("permissions");
        }
        let standby = Self {
            data: directory.path().join("data"),
            programs: primary.programs.clone(),
            user: user.name,
            socket,
            port: closed_port(),
            _directory: directory,
        };
        let (host, port) = (
            primary.socket.display().to_string(),
            primary.port.to_string(),
        );
        let data = standby.data.display().to_string();
        standby.run(
            "pg_basebackup",
            &[
                "-h", &host, "-p", &port, "-U", "postgres", "-D", &data, "-R", "-X", "stream",
                "-c", "fast",
            ],
        );
        let options = format!(
            "-p {} -k {} -c listen_addresses= -c hot_standby=on",
            standby.port,
            standby.socket.display()
        );
        standby.run(
            "pg_ctl",
            &[
                "-D",
                &data,
                "-o",
                &options,
                "-l",
                &format!("{data}/log"),
                "-w",
                "start",
            ],
        );
        standby
    }

    /// Runs a program as the server's user.
    fn run(&self, program: &str, arguments: &[&str]) {
        run_as(&self.user, &self.programs.join(program), arguments);
    }

    fn target(&self, database: &str) -> Target {
        Target::new(
            self.socket.to_str().expect("a path"),
            self.port,
            database,
            "app",
        )
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let data = self.data.display().to_string();
        self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"]);
    }
}

/// Makes the server read its files again and waits until it has: it only promises to.
fn reload(server: &Server) {
    let before = server.psql("postgres", "SELECT pg_conf_load_time()");
    server.psql("postgres", "SELECT pg_reload_conf()");
    let again = format!("SELECT pg_conf_load_time() > '{before}'");
    while server.psql("postgres", &again) != "t" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// One major is enough: what is asked here has been the same since hot standbys exist, and only
/// Debian's packages bring `pg_basebackup`.
#[test]
fn a_standby_gives_everything_but_unlogged_content() {
    let Some(server) = Server::of_major(15) else {
        return;
    };
    let server = server.of_our_own();
    let hba = server.psql("postgres", "SHOW hba_file");
    let rules = std::fs::read_to_string(&hba).expect("the rules");
    std::fs::write(&hba, rules + "local replication all trust\n").expect("the rules");
    reload(server);
    let bench = Bench::of_corpus(server, "everyday.sql");
    bench.database.sql("DROP TABLE IF EXISTS shop.fast CASCADE");
    let other = Bench::empty(server);
    other.database.sql_as_owner(
        "CREATE UNLOGGED TABLE quick (a int); INSERT INTO quick VALUES (1);
         CREATE UNLOGGED SEQUENCE counter; CREATE TABLE slow (a int); INSERT INTO slow VALUES (2)",
    );
    let standby = Standby::of(server);
    let take = |bench: &Bench| {
        let target = standby.target(bench.database.name());
        let destination = Destination::Store(&bench.store);
        wait(backup(
            &target,
            &destination,
            &DumpOptions::default(),
            &bench.ctx,
        ))
    };
    let report = take(&bench).expect("a backup");
    let reader = Reader::open(&report.archive).expect("an archive");
    assert!(bench.difference(&reader).is_empty());

    let error = take(&other).expect_err("refused");
    assert_eq!(error.kind(), Kind::Refused);
    let text = error.to_string();
    for name in [
        "content of table public.quick",
        "content of sequence public.counter",
        "standby",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!text.contains("public.slow"), "{text}");
}
