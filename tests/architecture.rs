//! Holds the layers of design.md §3: arrows point down only, external crates are confined, every
//! file says what it is for.
//!
//! The scanner reads source text (comments and string literals taken out, unit tests cut off) and
//! collects the top-level modules that a file names through `crate::` or `super::`. It is tested on
//! planted violations below, so that a scanner gone blind turns red too.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests read the tree, start the program and fail by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of design.md §3, top to bottom. A module may use every module of a lower row.
const ROWS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["run"],
    &[
        "migrate", "verify", "rollback", "compare", "drill", "dump", "restore",
    ],
    &["catalog", "archive", "journal", "store", "pg"],
    &["durable", "context", "exit", "error", "faults"],
];

/// Arrows within a row, each with its reason. Read as: the left may use the right.
const PEERS: &[(&str, &str)] = &[
    ("rollback", "compare"), // the proof
    ("rollback", "dump"),    // P4: what a rollback removes is saved first
    ("rollback", "restore"), // the rebuild rung
    ("drill", "compare"),    // what was restored against what the archive says
    ("drill", "restore"),    // into the scratch database
    ("verify", "migrate"),   // heads; `--verify-command` is a child process
    ("catalog", "archive"),  // entries carry the section that the manifest stores
    ("catalog", "pg"),       // queries
    ("journal", "store"),    // a journal lies in a store
    ("store", "archive"),    // listing a store reads manifests
    ("context", "error"),    // `Stop::check` fails with an error
    ("context", "faults"),   // tests move the clock
    ("durable", "faults"),   // and make files fail
    ("faults", "error"),     // as an operation would
    ("durable", "error"),    // failures of files
    ("exit", "error"),       // a kind of error has its code
];

/// A piece of code text and the only places that may contain it.
struct Confined {
    what: &'static str,
    patterns: &'static [&'static str],
    places: &'static [&'static str],
}

const CONFINED: &[Confined] = &[
    Confined {
        what: "the command line and the terminal",
        patterns: &[
            "clap::",
            "clap_complete::",
            "clap_mangen::",
            "indicatif::",
            "anstyle::",
            "console::",
        ],
        places: &["cli/"],
    },
    Confined {
        what: "the log subscriber",
        patterns: &["tracing_subscriber::"],
        places: &["cli/"],
    },
    Confined {
        what: "the PostgreSQL driver and TLS",
        patterns: &[
            "tokio_postgres::",
            "tokio_postgres_rustls::",
            "rustls::",
            "rustls_native_certs::",
        ],
        places: &["pg/"],
    },
    Confined {
        what: "gzip",
        patterns: &["flate2::", "libdeflater::"],
        places: &["archive/"],
    },
    Confined {
        what: "starting processes",
        patterns: &["process::Command", "Command::new("],
        places: &["migrate/child.rs", "migrate/child/"],
    },
    Confined {
        what: "writing files",
        patterns: &[
            "fs::write",
            "File::create",
            "OpenOptions",
            "fs::rename",
            "fs::remove_file",
            "fs::remove_dir",
            "fs::create_dir",
            "fs::copy",
            "fs::hard_link",
            "fs::set_permissions",
        ],
        places: &["durable.rs"],
    },
    Confined {
        what: "the process's environment",
        patterns: &[
            "env::var",
            "env::vars",
            "env::current_dir",
            "env::args",
            "env::home_dir",
        ],
        // In test builds only.
        places: &["cli/", "faults/injected.rs"],
    },
];

#[test]
fn arrows_point_down_only() {
    let violations: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            arrows(&source.path, &source.text)
                .into_iter()
                .filter_map(|to| forbidden(&source.module(), &to))
                .map(|why| format!("src/{}: {why}", source.path))
        })
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn external_crates_are_confined() {
    let violations: Vec<String> = sources()
        .iter()
        .flat_map(|source| breaches(&source.path, &source.text))
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn every_file_starts_with_a_header() {
    let missing: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(missing.is_empty(), "no `//!` header: {missing:?}");
}

/// A database that does not speak UTF-8 cannot be asked in characters that it lacks, and comments
/// are sent too.
#[test]
fn sql_files_are_ascii() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.is_ascii(), "{} is not ASCII", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 50, "only {seen} files found");
}

#[test]
fn every_module_stands_in_the_table() {
    let known: BTreeSet<&str> = ROWS.iter().flat_map(|row| row.iter().copied()).collect();
    let unknown: BTreeSet<String> = sources()
        .iter()
        .map(Source::module)
        .filter(|module| module != "lib" && !known.contains(module.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "not in the table of design §3: {unknown:?}"
    );
}

/// A file below `src/`.
struct Source {
    /// Relative to `src/`, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The top-level module it belongs to.
    fn module(&self) -> String {
        top_module(&self.path)
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(
        found.len() > 10,
        "the scanner found only {} files",
        found.len()
    );
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.ends_with("tests.rs") {
            // Unit tests that moved out of their file; production code is what this is about.
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(Source {
                path: path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned(),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
}

fn top_module(path: &str) -> String {
    let first = path.split('/').next().unwrap_or(path);
    first.trim_end_matches(".rs").to_owned()
}

/// How many `super` lead from a file's module to the crate root.
fn depth(path: &str) -> usize {
    let parts = path.split('/').count();
    if path.ends_with("/mod.rs") {
        parts - 1
    } else {
        parts
    }
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// Why `from` may not use `to`; `None` when it may.
fn forbidden(from: &str, to: &str) -> Option<String> {
    if from == to || from == "lib" {
        return None;
    }
    let (Some(upper), Some(lower)) = (row(from), row(to)) else {
        return Some(format!("{from} uses {to}, which is not in the table"));
    };
    let listed = PEERS.contains(&(from, to));
    match lower.cmp(&upper) {
        std::cmp::Ordering::Greater => None,
        std::cmp::Ordering::Equal if listed => None,
        std::cmp::Ordering::Equal => {
            Some(format!("{from} uses its peer {to}, which is not listed"))
        }
        std::cmp::Ordering::Less => Some(format!("{from} uses {to}, which lies above it")),
    }
}

/// The top-level modules that the text names.
fn arrows(path: &str, text: &str) -> BTreeSet<String> {
    let code = code_only(text);
    let mut found = BTreeSet::new();
    // The binary reaches the library by its name; everything it may use is behind `cli`.
    let roots = [
        "crate::".to_owned(),
        "pgbelay::".to_owned(),
        "super::".repeat(depth(path)),
    ];
    for root in roots {
        for (at, _) in code.match_indices(&root) {
            let longer = root.starts_with("super") && code[..at].ends_with("super::");
            if longer || code[..at].ends_with(is_name_character) {
                continue;
            }
            found.extend(names_after(&code[at + root.len()..]));
        }
    }
    found.retain(|name| name.starts_with(|c: char| c.is_ascii_lowercase()) && name != "super");
    found
}

/// The name, or the names in braces, that follow a path's root.
fn names_after(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix('{') else {
        return vec![rest.chars().take_while(|c| is_name_character(*c)).collect()];
    };
    let mut names = vec![String::new()];
    let mut open = 1;
    for character in list.chars() {
        match character {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 1 => names.push(String::new()),
            _ if open == 1 => names.last_mut().unwrap().push(character),
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    names
        .iter()
        .map(|name| {
            name.trim()
                .chars()
                .take_while(|c| is_name_character(*c))
                .collect()
        })
        .collect()
}

fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The confined pieces that the text contains in a wrong place.
fn breaches(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    CONFINED
        .iter()
        .filter(|rule| !rule.places.iter().any(|place| path.starts_with(place)))
        .flat_map(|rule| {
            rule.patterns
                .iter()
                .filter(|pattern| mentions(&code, pattern))
                .map(|pattern| {
                    format!(
                        "src/{path}: `{pattern}`: {} belongs to {:?}",
                        rule.what, rule.places
                    )
                })
        })
        .collect()
}

/// Whether the pattern occurs at the start of a name (`rustls::` is no part of `my_rustls::`).
fn mentions(code: &str, pattern: &str) -> bool {
    code.match_indices(pattern)
        .any(|(at, _)| !code[..at].ends_with(is_name_character))
}

/// The text without comments, string literals and unit tests.
fn code_only(text: &str) -> String {
    let production = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut code = String::with_capacity(production.len());
    for line in production.lines() {
        let line = line.split("//").next().unwrap_or(line);
        let mut inside = false;
        let mut previous = ' ';
        for character in line.chars() {
            if character == '"' && previous != '\\' && previous != '\'' {
                inside = !inside;
            } else if !inside {
                code.push(character);
            }
            previous = character;
        }
        code.push('\n');
    }
    code
}

#[cfg(test)]
mod scanner {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        arrows(path, text)
            .iter()
            .filter_map(|to| forbidden(&top_module(path), to))
            .collect()
    }

    #[test]
    fn sees_an_arrow_that_points_up() {
        assert_eq!(
            violations("pg/session.rs", "use crate::run::Run;\n").len(),
            1
        );
        assert_eq!(
            violations("archive/reader.rs", "fn f() { crate::cli::main() }").len(),
            1
        );
        assert_eq!(
            violations("catalog/mod.rs", "use crate::{error::Error, dump};").len(),
            1
        );
        assert_eq!(violations("store.rs", "use super::run::x;").len(), 1);
        assert_eq!(
            violations("pg/session.rs", "use super::super::run::x;").len(),
            1
        );
    }

    #[test]
    fn sees_a_peer_that_is_not_listed() {
        assert_eq!(
            violations("archive/reader.rs", "use crate::pg::Sql;").len(),
            1
        );
        assert!(violations("catalog/mod.rs", "use crate::pg::Sql;").is_empty());
    }

    #[test]
    fn lets_arrows_down_and_siblings_pass() {
        let text =
            "use crate::{\n    archive::{Reader, Writer},\n    pg::Sql,\n};\nuse super::plan;\n";
        assert!(violations("dump/worker.rs", text).is_empty());
        assert_eq!(
            arrows("dump/worker.rs", text),
            BTreeSet::from(["archive".to_owned(), "pg".to_owned()])
        );
    }

    #[test]
    fn ignores_comments_strings_and_tests() {
        let text = "// crate::run\nconst A: &str = \"crate::run\";\n#[cfg(test)]\nmod tests { use crate::run; }";
        assert!(violations("pg/session.rs", text).is_empty());
    }

    #[test]
    fn sees_a_crate_outside_its_place() {
        assert_eq!(
            breaches("run/mod.rs", "use tokio_postgres::Client;").len(),
            1
        );
        assert_eq!(
            breaches("dump/mod.rs", "let x = flate2::Crc::new();").len(),
            1
        );
        assert_eq!(breaches("store.rs", "std::fs::write(p, b)?;").len(), 1);
        assert_eq!(
            breaches("migrate/alembic.rs", "std::process::Command::new(x)").len(),
            2
        );
        assert_eq!(
            breaches("pg/settings.rs", "std::env::var(\"HOME\")").len(),
            1
        );
        assert!(breaches("pg/tls.rs", "use rustls::ClientConfig;").is_empty());
        assert!(breaches("cli/mod.rs", "std::env::vars()").is_empty());
    }
}
