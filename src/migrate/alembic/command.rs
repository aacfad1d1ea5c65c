//! The command line as alembic would understand it: where alembic stands in it, its global
//! options, its verb and target.

use std::path::Path;

/// An alembic command line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlembicCommand {
    /// Everything before the verb: what another verb can be appended to.
    pub prefix: Vec<String>,
    /// Files named with `-c`.
    pub configs: Vec<String>,
    /// The section named with `-n`, `alembic` by default.
    pub section: String,
    /// What it will do.
    pub verb: Verb,
    /// The wrapper before alembic may start it in another directory or machine
    /// (`docker compose run`, `uv --directory`): files here prove nothing.
    pub elsewhere: bool,
}

/// What an alembic command does to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// `upgrade TARGET`.
    Upgrade(String),
    /// `downgrade TARGET`.
    Downgrade(String),
    /// Anything else (`stamp`, `current`, `check`, `upgrade --sql` …): nothing can be foretold.
    Other(String),
}

/// Wrappers that start their command somewhere else.
const ELSEWHERE: [&str; 8] = [
    "docker",
    "docker-compose",
    "podman",
    "podman-compose",
    "nerdctl",
    "kubectl",
    "oc",
    "ssh",
];
/// Options of wrappers (uv, poetry, env, make) that change the directory.
const DIRECTORY_OPTIONS: [&str; 4] = ["-C", "--directory", "--chdir", "--project"];

impl AlembicCommand {
    /// Finds alembic in a command; `None` if it is not an alembic command with a verb.
    pub fn parse(argv: &[String]) -> Option<Self> {
        let start = after_alembic(argv)?;
        let mut command = Self {
            prefix: Vec::new(),
            configs: Vec::new(),
            section: "alembic".to_owned(),
            verb: Verb::Other(String::new()),
            elsewhere: is_elsewhere(&argv[..start]),
        };
        let mut at = start;
        while let Some(word) = argv.get(at).filter(|word| word.starts_with('-')) {
            at += command.take_option(word, argv.get(at + 1));
        }
        let verb = argv.get(at)?;
        command.prefix = argv[..at].to_vec();
        command.verb = verb_of(verb, &argv[at + 1..]);
        Some(command)
    }

    /// Takes one global option; returns the number of words used.
    fn take_option(&mut self, word: &str, next: Option<&String>) -> usize {
        let (name, glued) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ if !word.starts_with("--") && word.len() > 2 => {
                let (name, value) = word.split_at(2);
                (name, Some(value))
            }
            _ => (word, None),
        };
        let value = glued.or(next.map(String::as_str)).unwrap_or_default();
        match name {
            "-c" | "--config" => self.configs.push(value.to_owned()),
            "-n" | "--name" => value.clone_into(&mut self.section),
            "-x" => {}
            _ => return 1,
        }
        if glued.is_some() { 1 } else { 2 }
    }
}

/// The index after `alembic` or `-m alembic`.
fn after_alembic(argv: &[String]) -> Option<usize> {
    argv.iter().enumerate().find_map(|(index, word)| {
        let name = Path::new(word).file_name()?.to_str()?;
        let is_module = index > 0
            && argv[index - 1] == "-m"
            && matches!(
                word.as_str(),
                "alembic" | "alembic.config" | "alembic.__main__"
            );
        (name == "alembic" || is_module).then_some(index + 1)
    })
}

fn is_elsewhere(wrapper: &[String]) -> bool {
    wrapper.iter().any(|word| {
        let name = Path::new(word).file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| ELSEWHERE.contains(&name))
            || DIRECTORY_OPTIONS
                .iter()
                .any(|option| word == option || word.starts_with(&format!("{option}=")))
    })
}

fn verb_of(verb: &str, arguments: &[String]) -> Verb {
    let offline = arguments.iter().any(|word| word == "--sql");
    let mut words = arguments.iter();
    let mut target = None;
    while let Some(word) = words.next() {
        if word == "--tag" {
            words.next();
        } else if !word.starts_with('-') || is_relative(word) {
            target = target.or(Some(word.clone()));
        }
    }
    match (verb, target) {
        ("upgrade", Some(target)) if !offline => Verb::Upgrade(target),
        ("downgrade", Some(target)) if !offline => Verb::Downgrade(target),
        _ => Verb::Other(verb.to_owned()),
    }
}

/// `-1` is a target, not an option.
fn is_relative(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word[1..].bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<AlembicCommand> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        AlembicCommand::parse(&argv)
    }

    #[test]
    fn alembic_is_found_wherever_it_stands() {
        for line in [
            "alembic upgrade head",
            "/app/.venv/bin/alembic upgrade head",
            "python3 -m alembic upgrade head",
            "poetry run alembic upgrade head",
            "uv run --frozen alembic upgrade head",
            "alembic -c db/alembic.ini -x tenant=a upgrade head",
            "alembic --config=db/alembic.ini -q upgrade -v head",
            "alembic upgrade --tag x head",
        ] {
            let command = parse(line).unwrap();
            assert_eq!(command.verb, Verb::Upgrade("head".into()), "{line}");
            assert!(!command.elsewhere, "{line}");
        }
        for line in [
            "make migrate",
            "pip install alembic",
            "flask db upgrade",
            "python -m alembic_utils x",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn options_and_prefix_are_kept() {
        let command = parse("poetry run alembic -cdb.ini -n other -x a=b downgrade -1").unwrap();
        assert_eq!(command.configs, ["db.ini"]);
        assert_eq!(command.section, "other");
        assert_eq!(
            command.prefix.join(" "),
            "poetry run alembic -cdb.ini -n other -x a=b"
        );
        assert_eq!(command.verb, Verb::Downgrade("-1".into()));
    }

    #[test]
    fn what_migrates_nothing_is_no_migration() {
        for line in [
            "alembic upgrade a:b --sql",
            "alembic stamp head",
            "alembic current",
        ] {
            let verb = parse(line).unwrap().verb;
            assert!(matches!(verb, Verb::Other(_)), "{line}");
        }
    }

    #[test]
    fn another_place_is_noticed() {
        assert!(
            parse("docker compose run api alembic upgrade head")
                .unwrap()
                .elsewhere
        );
        assert!(
            parse("uv --directory api run alembic upgrade head")
                .unwrap()
                .elsewhere
        );
    }
}
