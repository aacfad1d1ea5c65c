//! A directory to work in: working directory, store, HOME, and a copy of the sample migrations.

use std::cell::RefCell;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Call, Database, MARKER_CORE};

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Python of the virtual environment that `scripts/setup` makes.
pub fn python() -> PathBuf {
    program_of_venv("python")
}

/// A program of the virtual environment that `scripts/setup` makes.
pub fn program_of_venv(name: &str) -> PathBuf {
    let cache = std::env::var_os("PGBELAY_CACHE")
        .map_or_else(|| repository().join(".cache"), PathBuf::from);
    let program = cache.join("venv/bin").join(name);
    assert!(
        program.exists(),
        "{} is missing: run scripts/setup",
        program.display()
    );
    program
}

/// A temporary directory with what one test needs; gone when dropped.
#[derive(Debug)]
pub struct Workplace {
    root: tempfile::TempDir,
    /// Files the test itself wrote: they may hold the marker password.
    own_files: RefCell<Vec<PathBuf>>,
}

impl Workplace {
    /// An empty working directory.
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(root.path().join("home")).expect("a home");
        std::fs::create_dir(root.path().join("project")).expect("a working directory");
        Self {
            root,
            own_files: RefCell::default(),
        }
    }

    /// A working directory that holds the repository's sample migrations.
    pub fn with_migrations() -> Self {
        let workplace = Self::new();
        copy_directory(&repository().join("migrations"), &workplace.directory());
        workplace
    }

    /// The working directory of every call.
    pub fn directory(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// HOME of every call.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The store, where design.md puts it by default.
    pub fn store(&self) -> PathBuf {
        self.directory().join("backups")
    }

    /// Writes a file below the working directory; what the test writes may hold the password.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(&path, text).expect("a file");
        self.own_files.borrow_mut().push(path.clone());
        path
    }

    /// A call of `pgbelay` in this directory, connecting as the database's owner.
    pub fn call(&self, database: &Database) -> Call<'_> {
        Call::new(self)
            .programs(&database.server().programs)
            .env("DATABASE_URL", database.url())
    }

    /// Runs Alembic itself, as a team does before it has pgbelay; fails unless it succeeds.
    pub fn alembic(&self, database: &Database, arguments: &[&str]) -> String {
        let output = std::process::Command::new(program_of_venv("alembic"))
            .args(arguments)
            .current_dir(self.directory())
            .env("DATABASE_URL", database.url())
            .output()
            .expect("alembic starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "alembic {arguments:?} failed:\n{text}"
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The archives in the store, oldest first.
    pub fn archives(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.store()) else {
            return Vec::new();
        };
        let mut archives: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.to_string_lossy().ends_with(".sql.gz"))
            .collect();
        archives.sort();
        archives
    }

    /// The journals in the store, oldest first.
    pub fn journals(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.store()).expect("a store");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut journals: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "journal"))
            .collect();
        journals.sort();
        journals
    }

    /// Fails if a file that the tool left behind holds the password.
    pub fn assert_no_password(&self) {
        search(self.root.path(), &self.own_files.borrow());
    }
}

/// The decompressed text of a gzip file of one or many members.
pub fn gunzip(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).expect("the archive opens");
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(file)
        .read_to_end(&mut text)
        .expect("the archive decompresses");
    text
}

fn search(directory: &Path, own_files: &[PathBuf]) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            search(&path, own_files);
        } else if path.is_file() && !own_files.contains(&path) {
            assert!(
                !holds_password(&path),
                "the password stands in {}",
                path.display()
            );
        }
    }
}

fn holds_password(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut text = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        // A damaged archive is searched as far as it can be read.
        drop(flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text));
    }
    contains(&bytes) || contains(&text)
}

fn contains(bytes: &[u8]) -> bool {
    let marker = MARKER_CORE.as_bytes();
    bytes.windows(marker.len()).any(|window| window == marker)
}

fn copy_directory(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the sample migrations") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if path.is_dir() && name != "__pycache__" {
            std::fs::create_dir(to.join(name)).expect("a directory");
            copy_directory(&path, &to.join(name));
        } else if path.is_file() {
            std::fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}
