//! Holds the documents to the code: dependencies, settings, help pages, promises and their tests.

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
use std::process::Command;

/// Set to write the help pages anew instead of comparing them.
const REGENERATE: &str = "PGBELAY_SNAPSHOTS";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_dependency_has_its_reason() {
    let listed: BTreeSet<String> = read("docs/dependencies.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(name, rest)| {
            assert!(
                rest.trim_matches([' ', '|']).len() > 10,
                "no reason for {name}"
            );
            name.to_owned()
        })
        .collect();
    assert_eq!(listed, dependencies(&read("Cargo.toml")));
}

/// Names under `[dependencies]` and `[dev-dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = matches!(line, "[dependencies]" | "[dev-dependencies]");
        } else if let (true, Some((name, _))) = (inside, line.split_once('=')) {
            names.insert(name.trim().to_owned());
        }
    }
    names
}

#[test]
fn every_dependency_is_used() {
    let code = all_code(&["src", "tests", "benches"]);
    for name in dependencies(&read("Cargo.toml")) {
        let path = format!("{}::", name.replace('-', "_"));
        assert!(code.contains(&path), "{name} is not used: remove it");
    }
}

fn all_code(folders: &[&str]) -> String {
    let mut code = String::new();
    for folder in folders {
        for file in files_below(&root().join(folder), "rs") {
            code.push_str(&fs::read_to_string(file).unwrap());
        }
    }
    code
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_promise_names_tests_that_exist() {
    let tests = all_code(&["tests/it"]);
    let page = read("README.md");
    let rows = page.lines().filter(|line| line.starts_with("| P"));
    for row in rows.clone() {
        let last = row
            .trim_end_matches(['|', ' '])
            .rsplit(" | ")
            .next()
            .unwrap();
        for name in last.split(", ").map(|name| name.trim_matches('`')) {
            assert!(name.starts_with('p'), "no test in: {row}");
            assert!(
                tests.contains(&format!("fn {name}(")),
                "README names {name}, which is no test"
            );
        }
    }
    assert_eq!(rows.count(), 10, "ten promises");
}

#[test]
fn the_readme_knows_every_exit_code() {
    let (readme, page) = (read("README.md"), read("docs/exit-codes.md"));
    let codes = page
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(' ').next()?.parse::<u8>().ok());
    for code in codes.filter(|code| *code < 100) {
        assert!(
            readme.contains(&format!("\n| {code} |")),
            "README lacks exit code {code}"
        );
    }
    assert!(readme.contains("| 130, 143 |"));
}

#[test]
fn every_variable_of_ours_is_in_the_settings_page() {
    let page = read("docs/settings.md");
    let definition = read("src/cli/args.rs");
    let names = definition.split("env = \"").skip(1);
    for name in names.filter_map(|rest| rest.split('"').next()) {
        assert!(
            page.contains(&format!("`{name}`")),
            "docs/settings.md lacks {name}"
        );
    }
}

#[test]
fn help_pages_are_as_reviewed() {
    let commands = [
        "run",
        "backup",
        "check",
        "restore",
        "rollback",
        "drill",
        "diff",
        "verify",
        "recover",
        "list",
        "show",
        "schema",
        "stamp",
        "doctor",
        "completions",
        "man",
    ];
    check_snapshot("help.txt", &help(&[]));
    for command in commands {
        check_snapshot(&format!("help-{command}.txt"), &help(&[command]));
    }
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pgbelay"))
        .args(arguments)
        .arg("--help")
        .env_clear()
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "help goes to stdout");
    String::from_utf8(output.stdout).unwrap()
}

fn check_snapshot(name: &str, actual: &str) {
    let path = root().join("tests/snapshots").join(name);
    if std::env::var_os(REGENERATE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        expected, actual,
        "{name} changed: look at it, then set {REGENERATE}=1 to accept"
    );
}

/// `module::name` in docs/losses.md is a test of tests/it that is still there.
#[test]
fn the_tests_behind_each_loss_exist() {
    let text = read("docs/losses.md");
    let named: Vec<(&str, &str)> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once("::"))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for (module, test) in named {
        let source = read(&format!("tests/it/{module}.rs"));
        let is_there = test.is_empty() || source.contains(&format!("fn {test}("));
        assert!(is_there, "{module}::{test}");
    }
}

/// What to do at three in the morning stands under the number that the program ended with.
#[test]
fn every_exit_code_has_its_section_in_the_runbook() {
    let codes: Vec<String> = read("docs/exit-codes.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
        .map(|(code, _)| code.trim().to_owned())
        .filter(|code| code.parse::<u8>().is_ok())
        .collect();
    assert_eq!(codes.len(), 11, "{codes:?}");
    let runbook = read("docs/operations.md");
    for code in &codes {
        let heading = format!("\n## Exit {code}\n");
        assert!(runbook.contains(&heading), "no section for {code}");
    }
    let known = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## Exit "));
    assert!(
        known.eq(codes.iter().map(String::as_str)),
        "a section without its code"
    );
}

/// Each command and option that the runbook tells somebody to type exists.
#[test]
fn the_runbook_names_commands_and_options_that_exist() {
    let help = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pgbelay"))
            .args(arguments)
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let runbook = read("docs/operations.md");
    let mut looked_at = 0;
    for typed in runbook
        .split(['`', '\n'])
        .filter_map(|part| part.trim().strip_prefix("pgbelay "))
    {
        let typed = typed.split(" # ").next().unwrap_or(typed);
        let own = typed.split(" -- ").next().unwrap_or(typed);
        let mut words = own.split_whitespace().take_while(|word| *word != "&&");
        let Some(verb) = words
            .next()
            .filter(|verb| verb.chars().all(|c| c.is_ascii_lowercase()))
        else {
            continue;
        };
        let page = help(&[verb]);
        for option in words.filter(|word| word.starts_with("--") && *word != "--") {
            assert!(page.contains(option), "{verb} has no {option}");
        }
        looked_at += 1;
    }
    assert!(looked_at >= 20, "{looked_at}");
}
