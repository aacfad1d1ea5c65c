//! One database per test, owned by the plain role `app`, dropped when the test succeeds.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::workplace::{python, repository};
use super::{MARKER_IN_URL, Server};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of its own for one test.
#[derive(Debug)]
pub struct Database {
    server: &'static Server,
    name: String,
}

impl Database {
    /// An empty database, owned by `app`.
    pub fn create(server: &'static Server) -> Self {
        Self::named(server, &next_name())
    }

    /// An empty database with a name of the test's choosing.
    pub fn named(server: &'static Server, name: &str) -> Self {
        Self::from_template(server, name, "template0")
    }

    /// An empty database with more clauses for CREATE DATABASE: `ENCODING 'LATIN1' LOCALE 'C'`.
    pub fn with(server: &'static Server, clauses: &str) -> Self {
        let name = next_name();
        let sql = format!("CREATE DATABASE \"{name}\" OWNER app TEMPLATE template0 {clauses}");
        server.psql("postgres", &sql);
        Self { server, name }
    }

    /// A name for a database that the test lets the program make; dropped as the others are.
    pub fn to_be_made(server: &'static Server) -> Self {
        let name = next_name();
        Self { server, name }
    }

    /// A database that the program has made; dropped as the others are.
    pub fn existing(server: &'static Server, name: &str) -> Self {
        let name = name.to_owned();
        Self { server, name }
    }

    /// A database that is another one's copy.
    pub fn copy_of(server: &'static Server, template: &str) -> Self {
        Self::from_template(server, &next_name(), template)
    }

    fn from_template(server: &'static Server, name: &str, template: &str) -> Self {
        let sql = format!("CREATE DATABASE \"{name}\" OWNER app TEMPLATE \"{template}\"");
        server.psql("postgres", &sql);
        Self {
            server,
            name: name.to_owned(),
        }
    }

    /// Leaves the database to the server, as a template for copies.
    pub fn keep(self) -> String {
        std::mem::ManuallyDrop::new(self).name.clone()
    }

    /// A second database that takes what an archive or a dump holds.
    pub fn sibling(&self) -> Self {
        Self::create(self.server)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn server(&self) -> &'static Server {
        self.server
    }

    /// The URL as the owner, a plain role.
    pub fn url(&self) -> String {
        self.url_as("app")
    }

    /// The URL as any role that has the marker password: `app`, `reader`, `postgres`.
    pub fn url_as(&self, role: &str) -> String {
        format!(
            "postgresql://{role}:{MARKER_IN_URL}@127.0.0.1:{}/{}",
            self.server.port, self.name
        )
    }

    /// Makes the owner the owner of `public`, as it is by itself from 15 on.
    pub fn own_public(&self) {
        if self.server.major < 15 {
            self.sql("ALTER SCHEMA public OWNER TO app");
        }
    }

    /// Runs SQL as the superuser; the printed rows, unaligned.
    pub fn sql(&self, sql: &str) -> String {
        self.server.psql(&self.name, sql)
    }

    /// Runs SQL as the owner, so that what it makes belongs to `app`.
    pub fn sql_as_owner(&self, sql: &str) -> String {
        self.sql(&format!("SET SESSION AUTHORIZATION app; {sql}"))
    }

    /// Feeds a script to psql as the superuser; fails on any error.
    pub fn restore_plain(&self, script: &[u8]) {
        let mut command = self.server.client("psql", &self.name);
        command.args(["-Xq", "-v", "ON_ERROR_STOP=1", "--file=-"]);
        feed(&mut command, script);
    }

    /// What `pg_dump` of the server's version says about the database, normalised: equal texts
    /// mean equal databases.
    pub fn dump(&self) -> String {
        let mut normalise = Command::new(python());
        normalise.arg(repository().join("tests/tools/normdump.py"));
        feed(&mut normalise, self.raw_dump().as_bytes())
    }

    /// The same as it comes, without the keys that differ each time: quicker, and equal texts still mean equal databases.
    pub fn raw_dump(&self) -> String {
        let output = self
            .server
            .client("pg_dump", &self.name)
            .output()
            .expect("pg_dump starts");
        assert!(
            output.status.success(),
            "pg_dump failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let is_key =
            |line: &&str| line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
        let lines = text.split_inclusive('\n').filter(|line| !is_key(line));
        lines.collect()
    }

    /// The rows of `alembic_version`, sorted; empty without the table.
    pub fn revisions(&self) -> Vec<String> {
        if self.sql("SELECT to_regclass('alembic_version') IS NULL") == "t" {
            return Vec::new();
        }
        let rows = self.sql("SELECT version_num FROM alembic_version ORDER BY 1");
        rows.lines().map(str::to_owned).collect()
    }

    /// Makes `pg_database_size` enormous by sparse files that PostgreSQL only counts.
    pub fn pretend_to_be_huge(&self) {
        let directory = self.sql(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database WHERE datname = current_database()",
        );
        for number in 0..8 {
            let file = std::fs::File::create(format!("{directory}/t999_{number}")).expect("a file");
            // 8 TiB each: file systems allow it, and none has as much free.
            file.set_len(8 << 40).expect("a sparse file");
        }
    }

    /// The lines that only one of two dumps has.
    pub fn difference(before: &str, now: &str) -> String {
        difference(before, now)
    }

    /// Fails with a readable difference unless the database is exactly `before`.
    #[track_caller]
    pub fn assert_is(&self, before: &str) {
        let now = self.dump();
        assert!(
            now == before,
            "the database differs:\n{}",
            difference(before, &now)
        );
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "kept for inspection: database {} on port {}",
                self.name, self.server.port
            );
            return;
        }
        self.server.psql(
            "postgres",
            &format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name),
        );
    }
}

fn next_name() -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("it_{}_{number}", std::process::id())
}

/// Runs a filter to its end and returns what it printed.
fn feed(command: &mut Command, input: &[u8]) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A filter that ends early breaks the pipe; its exit status tells more than that.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The lines that only one of two texts has, at most forty.
fn difference(before: &str, now: &str) -> String {
    let only = |left: &str, right: &str, mark: char| -> Vec<String> {
        let known: std::collections::HashSet<&str> = right.lines().collect();
        let lines = left.lines().filter(|line| !known.contains(line));
        lines.map(|line| format!("{mark} {line}")).collect()
    };
    let mut lines = only(before, now, '-');
    lines.extend(only(now, before, '+'));
    lines.truncate(40);
    lines.join("\n")
}
