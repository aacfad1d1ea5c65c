//! Where a password must never be: arguments of processes, output, logs, files, core files; and who may read or plant
//! what lies in the store. Every call of the tests searches what it printed and left for the password; here are the
//! ways by which it could get there.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Call, MARKER, MARKER_CORE, MARKER_IN_URL, Shop};

/// Looks at the arguments of every process until it is dropped, and remembers those that hold a word.
struct Lookout {
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<(Vec<String>, usize)>>,
}

impl Lookout {
    fn start(needle: &'static str) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let (mut found, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
            while !until.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if line.contains(needle) {
                        found.push(line.clone());
                    }
                    if line.contains("pgbelay")
                        || line.contains("alembic")
                        || line.contains("argv-child")
                    {
                        seen.insert(line);
                    }
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            (found, seen.len())
        });
        Self {
            ends,
            thread: Some(thread),
        }
    }

    /// No process had it; some of ours were looked at.
    fn assert_none(mut self, at_least: usize) {
        self.ends.store(true, Ordering::Relaxed);
        let (found, seen) = self.thread.take().unwrap().join().unwrap();
        assert_eq!(found, Vec::<String>::new());
        assert!(seen >= at_least, "only {seen} processes were seen");
    }
}

/// The ways to hand a password over, each as a call; none puts it into our own arguments.
fn ways(shop: &Shop) -> Vec<(&'static str, Call<'_>)> {
    let (server, name) = (shop.database.server(), shop.database.name());
    let call = || Call::new(&shop.workplace).programs(&server.programs);
    let plain = format!("postgresql://app@127.0.0.1:{}/{name}", server.port);
    let passfile = shop.workplace.write(
        "passfile",
        &format!(
            "*:*:*:app:{}\n",
            MARKER.replace('\\', r"\\").replace(':', r"\:")
        ),
    );
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    let secret = shop.workplace.write("secret", MARKER);
    let quoted = MARKER.replace('\\', r"\\").replace('\'', r"\'");
    let words = format!(
        "host=127.0.0.1 port={} user=app dbname={name} password='{quoted}'",
        server.port
    );
    vec![
        ("a URL", call().env("DATABASE_URL", shop.database.url())),
        (
            "a URL of SQLAlchemy",
            call().env(
                "DATABASE_URL",
                shop.database
                    .url()
                    .replacen("postgresql", "postgresql+psycopg2", 1),
            ),
        ),
        (
            "PGPASSWORD",
            call().env("DATABASE_URL", &plain).env("PGPASSWORD", MARKER),
        ),
        (
            "a pass file",
            call()
                .env("DATABASE_URL", &plain)
                .env("PGPASSFILE", passfile.display().to_string()),
        ),
        ("words", call().env("DATABASE_URL", words)),
        (
            "a file of a secret",
            call()
                .env("DB_HOST", "127.0.0.1")
                .env("DB_PORT", server.port.to_string())
                .env("POSTGRES_DB", name)
                .env("POSTGRES_USER", "app")
                .env("POSTGRES_PASSWORD_FILE", secret.display().to_string()),
        ),
    ]
}

/// Files and directories below a path with their modes.
fn modes(directory: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = vec![(
        directory.to_owned(),
        directory.metadata().unwrap().permissions().mode() & 0o7777,
    )];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(modes(&path));
        } else {
            found.push((
                path.clone(),
                path.metadata().unwrap().permissions().mode() & 0o7777,
            ));
        }
    }
    found
}

const UMASK: [&str; 4] = [
    "sh",
    "-c",
    "umask 000; ulimit -c unlimited 2>/dev/null; exec \"$@\"",
    "sh",
];

on_servers! {
    /// Success, a rollback, a refusal and a doubt, by every way that hands a password over, as talkative as can be.
    fn no_way_to_hand_a_password_over_shows_it(server) {
        let shop = Shop::at_head(server);
        let lookout = Lookout::start(MARKER_CORE);
        let talks = "echo \"$DATABASE_URL $PGPASSWORD\" >&2; : argv-child; sleep 0.2";
        for (number, (way, call)) in ways(&shop).into_iter().enumerate() {
            let (script, code) = match number % 3 {
                0 => (format!("{talks}; psql -Xqc 'CREATE TABLE t{number} (a int)'"), 0),
                1 => (format!("{talks}; psql -Xqc 'DROP TABLE comps' -c 'SELECT pg_sleep(0.3)'; exit 1"), 1),
                _ => (format!("{talks}; exit 1"), 1),
            };
            let arguments = ["run", "--json", "-vv", "--log-format", "json", "--log-file", "talk.log", "--retries", "0",
                "--verify-command", "sh -c 'echo $DATABASE_URL; : argv-child; sleep 0.1'", "--", "sh", "-c", &script];
            let output = call.run(&arguments);
            assert!(output.code == code, "{way}: {output}");
        }
        let wrong = shop.database.url().replace(MARKER_IN_URL, &format!("{MARKER_IN_URL}-wrong"));
        let call = || Call::new(&shop.workplace);
        for command in [&["run", "-vv", "--", "true"][..], &["doctor", "-vv"], &["backup", "-vv"], &["diff", "x", "-vv"]] {
            call().env("DATABASE_URL", &wrong).run(command);
        }
        // Forms that are understood half, or not at all.
        for url in [
            format!("postgresql://app:{MARKER}@127.0.0.1:1/x"),
            format!("postgresql://app:{MARKER_CORE}@127.0.0.1:bad/x"),
            format!("host=127.0.0.1 password='{MARKER_CORE} user=app"),
            format!("mysql://app:{MARKER_CORE}@h/x"),
            format!("postgresql://h/x?password={MARKER_CORE}&nonsense=1"),
        ] {
            for command in [&["run", "-vv", "--wait", "0s", "--json", "--", "true"][..], &["doctor", "--json"]] {
                call().env("DATABASE_URL", &url).run(command);
            }
        }
        lookout.assert_none(6);
    }

    /// The journal keeps the command; whatever passwords stand in it, it does not keep those. (Not the password of all tests:
    /// another one looks for it in the arguments of every process.)
    fn a_password_that_was_typed_into_the_command_is_in_no_journal(server) {
        let shop = Shop::at_head(server);
        let (name, port) = (shop.database.name(), server.port);
        shop.database.sql(&format!("CREATE ROLE typed_{name} LOGIN PASSWORD 'typ3d-pw' IN ROLE app"));
        let url = format!("postgresql://typed_{name}:typ3d-pw@127.0.0.1:{port}/{name}");
        let run = |options: &[&str]| {
            let command = ["--", "sh", "-c", "exit 1", "typ3d-pw", "postgresql://somebody:s0me-other-pw@elsewhere/x",
                "--password", "s0me-other-pw", "-Dflyway.password=s0me-other-pw", "PGPASSWORD=s0me-other-pw"];
            let arguments = [&["run", "--json"], options, &command].concat();
            shop.call().env("DATABASE_URL", url.as_str()).run(&arguments)
        };
        for _ in 0..2 {
            let output = run(&[]).assert_code(1);
            let shown = format!("{}{}", output.stdout, output.stderr);
            assert!(!shown.contains("s0me-other-pw") && !shown.contains("typ3d-pw"), "{shown}");
        }
        let journals = shop.workplace.journals();
        assert_eq!(journals.len(), 2);
        for journal in journals {
            let text = std::fs::read_to_string(&journal).unwrap();
            assert!(text.contains("somebody:***@elsewhere"), "{text}");
            assert!(!text.contains("s0me-other-pw") && !text.contains("typ3d-pw"), "{text}");
        }
        // Hidden the same way each time, so that equal failures are known for equal.
        run(&["--max-failures", "2"]).assert_code(3).assert_says("2 times in a row");
        shop.database.sql(&format!("DROP ROLE typed_{name}"));
    }

    /// Modes do not depend on the caller's umask, and a core file is not left.
    fn what_is_written_is_for_its_owner_alone_whatever_the_umask(server) {
        let shop = Shop::at_head(server);
        let limits = "cat /proc/$PPID/limits > limits; umask > umask; psql -Xqc 'DROP TABLE comps' -c 'SELECT pg_sleep(0.3)'; exit 1";
        let call = || shop.call().env("DATABASE_URL", shop.database.url_as("postgres")).within(&UMASK);
        let output = call().run(&["run", "--store", "deep/er/store", "--log-file", "said.log", "--", "sh", "-c", limits]);
        let output = output.assert_code(1);
        call().run(&["backup", "--store", "deep/er/store"]).assert_code(0);
        call().run(&["backup", "--output", "out.sql.gz"]).assert_code(0);
        call().run(&["drill", "--store", "deep/er/store"]).assert_code(0);
        let directory = shop.workplace.directory();
        let mut found = modes(&directory.join("deep"));
        for file in ["said.log", "out.sql.gz"] {
            found.push((directory.join(file), directory.join(file).metadata().unwrap().permissions().mode() & 0o7777));
        }
        // Two archives, the saved state, a journal, a log and a drill's record at least.
        assert!(found.len() >= 10, "{found:?}");
        for (path, mode) in found {
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
        }
        let limits = std::fs::read_to_string(directory.join("limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}\n{output}");
        // The migration keeps the umask that it was given.
        assert_eq!(std::fs::read_to_string(directory.join("umask")).unwrap().trim(), "0000");
    }

    /// A link of another user is not followed: the store itself, an archive, a journal. An administrator's own is.
    fn links_of_others_are_not_followed(server) {
        let shop = Shop::at_head(server);
        shop.call().run(&["backup"]).assert_code(0);
        let (directory, store) = (shop.workplace.directory(), shop.workplace.store());
        let before = shop.database.dump();
        symlink(&store, directory.join("linked")).unwrap();
        shop.call().run(&["list", "--store", "linked"]).assert_code(0);
        shop.call().run(&["rollback", "--store", "linked"]).assert_code(0);
        if !nix::unistd::geteuid().is_root() {
            eprintln!("NOT RUN: only root can make a link of another user");
            return;
        }
        let give_away = |path: &Path| std::os::unix::fs::lchown(path, Some(65534), Some(65534)).unwrap();
        give_away(&directory.join("linked"));
        for command in [&["list"][..], &["backup"], &["rollback"], &["run", "--", "true"], &["recover"]] {
            let mut arguments = command.to_vec();
            arguments.splice(1..1, ["--store", "linked"]);
            shop.call().run(&arguments).assert_code(3).assert_says("symbolic link of another user");
        }
        let archive = shop.workplace.archives().remove(0);
        for planted in ["20990101_000000_shop_norev.sql.gz", "20990101_000000_shop_abcdefgh.journal"] {
            let link = store.join(planted);
            symlink(&archive, &link).unwrap();
            give_away(&link);
            for command in [&["rollback"][..], &["run", "--", "true"], &["recover"]] {
                let output = shop.call().run(command).assert_code(3);
                output.assert_says("symbolic link of another user").assert_says(planted);
            }
            std::fs::remove_file(&link).unwrap();
        }
        // What is named like a partial file is neither followed nor waited at.
        let secret = shop.workplace.write("precious", "precious");
        symlink(&secret, store.join(".20200101_000000_a_b.sql.gz.partial")).unwrap();
        Command::new("mkfifo").arg(store.join(".20200101_000000_c_d.sql.gz.partial")).status().unwrap();
        shop.call().run(&["backup"]).assert_code(0);
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "precious");
        shop.database.assert_is(&before);
    }
}

/// The tests' own search would find it: a process whose arguments hold the password is seen.
#[test]
fn the_lookout_sees_arguments() {
    let lookout = Lookout::start("seen-by-the-lookout");
    let mut child = Command::new("sleep")
        .args(["0.5", "0"])
        .arg0("seen-by-the-lookout")
        .spawn()
        .unwrap();
    child.wait().unwrap();
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lookout.assert_none(0))).is_err()
    );
}
