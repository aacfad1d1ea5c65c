//! Where one worker tortures: a server, a proxy before it, and a store that can be full or away.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::proxy::Proxy;
use crate::random::Random;
use crate::scenario::Truth;
use crate::support::{MARKER_IN_URL, Server};

/// Size of the file system that is filled: preflight refuses to start with less than 16 MiB.
const SMALL_BYTES: u64 = 40 << 20;
/// Left of it when it is full: from nothing to a few records of a journal and a small archive.
const LEFT_PAGES: usize = 20;
const PAGE: u64 = 4096;

/// Everything that outlives a case.
#[derive(Debug)]
pub struct Place {
    pub server: &'static Server,
    pub proxy: Proxy,
    pub truth: Truth,
    /// Where the store is now.
    pub store: PathBuf,
    small: Option<SmallDisk>,
}

impl Place {
    /// With a server of its own, which survives its crashes with everything that was committed.
    pub fn new(major: u32) -> Self {
        let any = Server::of_major(major).expect("a server");
        let server = any.with_settings(&[
            ("synchronous_commit", "on"),
            ("log_statement", "none"),
            ("shared_buffers", "16MB"),
        ]);
        Self {
            server,
            proxy: Proxy::to(server.port),
            truth: Truth::make(server),
            store: PathBuf::new(),
            small: SmallDisk::mount(),
        }
    }

    pub fn has_small_disk(&self) -> bool {
        self.small.is_some()
    }

    /// A new store on the small disk.
    pub fn store_on_small_disk(&mut self) {
        let disk = self.small.as_ref().expect("a small disk");
        self.store = disk.directory.path().join("store");
        drop(std::fs::remove_dir_all(&self.store));
    }

    /// Takes all of the small disk but a few pages.
    pub fn fill_store(&self, random: &mut Random) {
        if let Some(disk) = &self.small {
            disk.fill_but(random.below(LEFT_PAGES) as u64 * PAGE);
        }
    }

    pub fn make_room(&self) {
        if let Some(disk) = &self.small {
            disk.empty();
        }
    }

    /// Read-only for everybody, root too.
    pub fn set_read_only(&self, read_only: bool) {
        if let Some(disk) = &self.small {
            disk.remount(if read_only { "ro" } else { "rw" });
        }
    }

    fn hidden(&self) -> PathBuf {
        self.store.with_extension("hidden")
    }

    pub fn hide_store(&self) {
        drop(std::fs::rename(&self.store, self.hidden()));
    }

    /// Brings it back; what was made in its place meanwhile goes.
    pub fn show_store(&self) {
        if self.hidden().exists() {
            drop(std::fs::remove_dir_all(&self.store));
            std::fs::rename(self.hidden(), &self.store).expect("the store comes back");
        }
    }

    /// Through the proxy, as the superuser.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgresql://postgres:{MARKER_IN_URL}@127.0.0.1:{}/{database}",
            self.proxy.port
        )
    }

    /// Ends one or all of our sessions, or those of the migration.
    pub fn terminate_sessions(&self, random: &mut Random) {
        let which = random.pick(&[
            "",
            "AND application_name LIKE '% lock'",
            "AND application_name LIKE '% child'",
            "ORDER BY random() LIMIT 1",
        ]);
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pgbelay%' {which}) s"
        );
        self.server.psql("postgres", &sql);
    }
}

/// A file system of a few megabytes, where this user may mount one.
#[derive(Debug)]
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let size = format!("size={SMALL_BYTES}");
        let mounted = mount(
            &["-t", "tmpfs", "-o", &size, "pgbelay-torture"],
            directory.path(),
        );
        mounted.then_some(Self { directory })
    }

    fn fill_but(&self, left: u64) {
        let path = self.directory.path().join("filler");
        let Ok(mut filler) = std::fs::File::create(path) else {
            return; // Read-only.
        };
        // A write that has no room takes what there is, and the next one fails.
        let mut written = 0;
        while let Ok(bytes) = filler.write(&[0; 1 << 16]) {
            written += bytes as u64;
        }
        drop(filler.set_len(written.saturating_sub(left)));
    }

    fn empty(&self) {
        drop(std::fs::remove_file(self.directory.path().join("filler")));
    }

    fn remount(&self, mode: &str) {
        assert!(
            mount(&["-o", &format!("remount,{mode}")], self.directory.path()),
            "remount {mode}"
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(
            Command::new("umount")
                .arg("-l")
                .arg(self.directory.path())
                .status(),
        );
    }
}

fn mount(arguments: &[&str], directory: &Path) -> bool {
    let mut command = Command::new("mount");
    let output = command.args(arguments).arg(directory).output();
    output.is_ok_and(|output| output.status.success())
}
