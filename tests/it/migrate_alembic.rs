//! Our offline reading of migration scripts against the real Alembic, on many random graphs.
//!
//! `tests/tools/alembic_oracle.py` runs in the virtual environment that `scripts/setup` makes
//! (`PGBELAY_TEST_VENV` names another one).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgbelay::context::Environment;
use pgbelay::migrate::alembic::{Forecast, Project, Scripts, Verb};
use serde_json::{Value, json};

const GRAPHS: u64 = 250;
const CASES: usize = 24;

/// A small generator of our own: the same graphs on every machine, forever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let x = x ^ (x >> 31);
        usize::try_from(x % u64::try_from(sides).unwrap()).unwrap()
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.roll(items.len())]
    }
}

struct Generated {
    ids: Vec<String>,
    labels: Vec<String>,
    several_dependencies: bool,
}

fn python() -> PathBuf {
    let venv = std::env::var_os("PGBELAY_TEST_VENV").map_or_else(
        || {
            let cache = std::env::var_os("PGBELAY_CACHE").map_or_else(
                || Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache"),
                PathBuf::from,
            );
            cache.join("venv")
        },
        PathBuf::from,
    );
    let python = venv.join("bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/setup",
        python.display()
    );
    python
}

fn environment(directory: &Path) -> Environment {
    Environment {
        variables: BTreeMap::new(),
        foreign: BTreeMap::new(),
        working_directory: directory.to_owned(),
        home: None,
    }
}

fn argv(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Writes a project with a random graph.
fn generate(directory: &Path, dice: &mut Dice) -> Generated {
    let versions = directory.join("versions");
    std::fs::create_dir_all(&versions).unwrap();
    std::fs::write(
        directory.join("alembic.ini"),
        "[alembic]\nscript_location = %(here)s\n",
    )
    .unwrap();
    let mut made = Generated {
        ids: Vec::new(),
        labels: Vec::new(),
        several_dependencies: false,
    };
    for _ in 0..=dice.roll(13) {
        let id: String = (0..12)
            .map(|_| char::from(*dice.pick(b"0123456789abcdef")))
            .collect();
        let script = script(&id, &mut made, dice);
        let name = format!("{:04}_{id}.py", dice.roll(10_000));
        std::fs::write(versions.join(name), script).unwrap();
        made.ids.push(id);
    }
    made
}

fn script(id: &str, made: &mut Generated, dice: &mut Dice) -> String {
    let mut down: BTreeSet<String> = BTreeSet::new();
    let mut depends = BTreeSet::new();
    if !made.ids.is_empty() {
        let parents = *dice.pick(&[0, 1, 1, 1, 1, 2, 2, 3]);
        for _ in 0..parents {
            let recent = made.ids.len().saturating_sub(4);
            let from = if dice.one_in(3) { 0 } else { recent };
            down.insert(dice.pick(&made.ids[from..]).clone());
        }
        if dice.one_in(5) {
            depends.insert(dice.pick(&made.ids).clone());
        }
        if dice.one_in(20) && !made.labels.is_empty() {
            depends.insert(dice.pick(&made.labels).clone());
        }
        depends.retain(|name| !down.contains(name));
        made.several_dependencies |= depends.len() > 1;
    }
    let label = (dice.one_in(5)).then(|| format!("branch{}", made.labels.len()));
    made.labels.extend(label.clone());
    let typed = if dice.one_in(2) { ": str" } else { "" };
    format!(
        "\"\"\"step {id}\n\nRevision ID: {id}\n\"\"\"\nrevision{typed} = '{id}'\ndown_revision{typed} = {}\n\
         depends_on = {}\nbranch_labels = {}\n\ndef upgrade():\n    pass\n\ndef downgrade():\n    pass\n",
        literal(&down, dice),
        literal(&depends, dice),
        literal(&label.into_iter().collect(), dice),
    )
}

fn literal(names: &BTreeSet<String>, dice: &mut Dice) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    match (quoted.len(), dice.roll(2)) {
        (0, _) => "None".to_owned(),
        (1, 0) => quoted[0].clone(),
        (1, _) => format!("({},)", quoted[0]),
        (_, 0) => format!("({})", quoted.join(", ")),
        _ => format!("[{}]", quoted.join(",\n    ")),
    }
}

fn target(made: &Generated, dice: &mut Dice) -> (&'static str, String) {
    let id = dice.pick(&made.ids).clone();
    let label = if made.labels.is_empty() {
        id.clone()
    } else {
        dice.pick(&made.labels).clone()
    };
    match dice.roll(16) {
        0 => ("upgrade", "head".into()),
        1 | 2 => ("upgrade", "heads".into()),
        3 | 4 => ("upgrade", id),
        5 => ("upgrade", id[..6].to_owned()),
        6 => ("upgrade", format!("+{}", 1 + dice.roll(3))),
        7 => ("upgrade", format!("{label}@head")),
        8 => ("upgrade", format!("{label}@+1")),
        9 => ("upgrade", format!("{label}@{id}")),
        10 => ("upgrade", format!("{id}+1")),
        11 => ("downgrade", "base".into()),
        12 => ("downgrade", "-1".into()),
        13 => ("downgrade", "-2".into()),
        14 => ("downgrade", id),
        _ => ("upgrade", format!("{label}@heads")),
    }
}

fn ask(requests: &[Value]) -> Vec<Value> {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/alembic_oracle.py");
    let mut child = Command::new(python())
        .arg(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = serde_json::to_vec(requests).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&text).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn plans_and_version_rows_are_alembics() {
    let root = tempfile::tempdir().unwrap();
    let mut requests = Vec::new();
    let mut graphs = Vec::new();
    for seed in 0..GRAPHS {
        let mut dice = Dice(seed);
        let directory = root.path().join(seed.to_string());
        let made = generate(&directory, &mut dice);
        let cases: Vec<Value> = (0..CASES)
            .map(|index| {
                let (verb, target) = target(&made, &mut dice);
                let from = i64::try_from(dice.roll(index + 1)).unwrap() - 1;
                json!({"verb": verb, "target": target, "from": from})
            })
            .collect();
        requests.push(json!({"directory": directory, "cases": cases}));
        graphs.push(made);
    }
    let answers = ask(&requests);
    let mut tally = Tally::default();
    for ((request, made), answer) in requests.iter().zip(&graphs).zip(&answers) {
        compare(request, made, answer, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.equal > 2000 && tally.refused > 300, "{tally:?}");
    assert!(tally.unknown * 20 < tally.equal, "{tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    refused: usize,
    unknown: usize,
}

fn compare(request: &Value, made: &Generated, answer: &Value, tally: &mut Tally) {
    let directory = PathBuf::from(request["directory"].as_str().unwrap());
    let project = Project::find(&argv("alembic upgrade head"), &environment(&directory))
        .unwrap()
        .unwrap();
    let scripts = Scripts::read(&project).unwrap();
    assert!(scripts.certain.is_certain(), "{:?}", scripts.certain);
    let heads: Vec<String> = scripts.heads().unwrap().into_iter().collect();
    assert_eq!(heads, names(&answer["heads"]), "{directory:?}");
    let cases = request["cases"].as_array().unwrap();
    for (case, theirs) in cases.iter().zip(answer["cases"].as_array().unwrap()) {
        let target = case["target"].as_str().unwrap().to_owned();
        let verb = match case["verb"].as_str().unwrap() {
            "upgrade" => Verb::Upgrade(target),
            _ => Verb::Downgrade(target),
        };
        let ours = scripts.forecast(&verb, &names(&theirs["current"]));
        let what = format!(
            "{directory:?} {verb:?} from {}: {theirs}",
            theirs["current"]
        );
        match (ours, theirs.get("error")) {
            (Ok(Forecast::Unknown(_)), Some(_)) => tally.refused += 1,
            (Ok(Forecast::Unknown(_)), None) => {
                tally.unknown += 1;
            }
            (Err(_), Some(_)) => tally.refused += 1,
            (Err(error), None) => panic!("we refuse what alembic does: {error}\n{what}"),
            (Ok(ours), Some(_)) => panic!("alembic refuses what we do: {ours:?}\n{what}"),
            (Ok(Forecast::Known { pending, expected }), None) => {
                let rows: Vec<String> = expected.into_iter().collect();
                assert_eq!(rows, names(&theirs["rows"]), "{what}");
                let mut order: Vec<String> = pending.into_iter().map(|one| one.id).collect();
                let mut their_order = names(&theirs["order"]);
                if made.several_dependencies {
                    // Alembic walks them in the order of a Python set.
                    order.sort();
                    their_order.sort();
                }
                assert_eq!(order, their_order, "{what}");
                tally.equal += 1;
            }
        }
    }
}

/// A project with these scripts: file name, revision, down_revision as Python.
fn project_of(scripts: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("versions")).unwrap();
    std::fs::write(
        root.path().join("alembic.ini"),
        "[alembic]\nscript_location = %(here)s\n",
    )
    .unwrap();
    for (file, revision, down) in scripts {
        let text = format!("revision = {revision}\ndown_revision = {down}\ndef upgrade(): pass\n");
        std::fs::write(root.path().join("versions").join(file), text).unwrap();
    }
    root
}

fn read(root: &Path) -> Scripts {
    let project = Project::find(&argv("alembic upgrade head"), &environment(root));
    Scripts::read(&project.unwrap().unwrap()).unwrap()
}

fn refusal(scripts: &[(&str, &str, &str)], current: &[&str]) -> String {
    let root = project_of(scripts);
    let current: Vec<String> = current.iter().map(|row| (*row).to_owned()).collect();
    let outcome = read(root.path()).forecast(&Verb::Upgrade("head".into()), &current);
    let error = outcome.expect_err("a refusal");
    assert_eq!(error.kind(), pgbelay::error::Kind::Refused);
    assert!(!error.hints().is_empty());
    error.to_string()
}

#[test]
fn broken_scripts_are_refused_in_words() {
    let a = ("a.py", "'aaaa'", "None");
    let b = ("b.py", "'bbbb'", "'aaaa'");
    assert_eq!(
        refusal(&[a, b, ("c.py", "'cccc'", "'aaaa'")], &[]),
        "plan the migration to head: the scripts have 2 heads: bbbb (b.py), cccc (c.py)"
    );
    assert_eq!(
        refusal(&[a, b], &["ffff"]),
        "plan the migration: the database is at revision ffff, and no migration script has that revision"
    );
    assert_eq!(
        refusal(&[b], &[]),
        "read the migration scripts: b.py names the down_revision aaaa, and no script has that revision"
    );
    assert_eq!(
        refusal(&[a, ("a2.py", "'aaaa'", "None")], &[]),
        "read the migration scripts: two scripts have the revision aaaa: a.py and a2.py"
    );
    assert_eq!(
        refusal(&[("a.py", "'aaaa'", "'bbbb'"), b], &[]),
        "read the migration scripts: the revisions aaaa, bbbb follow each other in a circle"
    );
}

#[test]
fn no_configuration_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    let error =
        Project::find(&argv("alembic upgrade head"), &environment(empty.path())).unwrap_err();
    assert_eq!(error.kind(), pgbelay::error::Kind::Refused);
    assert!(error.to_string().contains("there is no "), "{error}");
}

#[test]
fn pyproject_and_separators_are_understood() {
    let root = project_of(&[("a.py", "'aaaa'", "None")]);
    std::fs::create_dir(root.path().join("more")).unwrap();
    std::fs::write(
        root.path().join("more/b.py"),
        "revision = 'bbbb'\ndown_revision = 'aaaa'\n",
    )
    .unwrap();
    let pyproject = "[tool.alembic]\nscript_location = \"%(here)s\"\n\
        version_locations = [\n  \"%(here)s/versions\",\n  \"%(here)s/more\",\n]\n";
    std::fs::remove_file(root.path().join("alembic.ini")).unwrap();
    std::fs::write(root.path().join("pyproject.toml"), pyproject).unwrap();
    assert_eq!(
        read(root.path()).heads().unwrap(),
        BTreeSet::from(["bbbb".to_owned()])
    );
    std::fs::remove_file(root.path().join("pyproject.toml")).unwrap();
    for (option, joint) in [
        ("path_separator = os", ":"),
        ("version_path_separator = space", " "),
        ("path_separator = newline", "\n   "),
        ("path_separator = ;", ";"),
        ("", ", "),
    ] {
        let ini = format!(
            "[alembic]\nscript_location = %(here)s\n{option}\n\
            version_locations = %(here)s/versions{joint}%(here)s/more\n"
        );
        std::fs::write(root.path().join("alembic.ini"), ini).unwrap();
        let heads = read(root.path()).heads().unwrap();
        assert_eq!(heads, BTreeSet::from(["bbbb".to_owned()]), "{option}");
    }
}

#[test]
fn two_hundred_revisions_need_no_time() {
    let names: Vec<(String, String, String)> = (0..200)
        .map(|n| {
            let down = if n == 0 {
                "None".to_owned()
            } else {
                format!("'rev{:04}'", n - 1)
            };
            (format!("{n:04}.py"), format!("'rev{n:04}'"), down)
        })
        .collect();
    let scripts: Vec<(&str, &str, &str)> = names
        .iter()
        .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect();
    let root = project_of(&scripts);
    let started = std::time::Instant::now();
    let forecast = read(root.path())
        .forecast(&Verb::Upgrade("head".into()), &[])
        .unwrap();
    let elapsed = started.elapsed();
    println!("200 revisions: {elapsed:?}");
    assert!(matches!(forecast, Forecast::Known { pending, .. } if pending.len() == 200));
    // A few ms in release; this bound is for a debug build on a busy machine.
    assert!(elapsed < std::time::Duration::from_secs(1), "{elapsed:?}");
}
