//! Where an alembic command finds its configuration and its scripts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::command::AlembicCommand;
use super::ini::{Ini, percent};
use super::lexer::{Statement, Token, statements};
use super::pyproject::{self, Value};
use super::scripts::Certainty;
use crate::context::Environment;
use crate::error::{Attempt, Error, Result};

/// An alembic project, as its configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The command that was given.
    pub command: AlembicCommand,
    /// Where the command starts.
    pub working_directory: PathBuf,
    /// The configuration files that exist: the ini file, pyproject.toml.
    pub configuration: Vec<PathBuf>,
    /// The script folder, with env.py; unknown for `package:path` and foreign places.
    pub script_location: Option<PathBuf>,
    /// Where revisions are.
    pub version_locations: Vec<PathBuf>,
    /// Whether folders inside the locations count.
    pub recursive: bool,
    /// What env.py says about it.
    pub environment: EnvironmentScript,
    /// Whether the configuration could be understood without Python.
    pub certainty: Certainty,
}

/// What is read from env.py.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvironmentScript {
    /// Literals given as `version_table`.
    pub version_tables: Vec<String>,
    /// Literals given as `version_table_schema`.
    pub version_table_schemas: Vec<String>,
    /// Whether one of the two is computed.
    pub computed: bool,
    /// Whether it says in which schema plain names are looked for: the version table may be another one each time.
    pub moves: bool,
    /// Whether it goes through several of something, or asks for an argument that says which: tenants, for all that is known.
    pub repeats: bool,
    /// Whether `transaction_per_migration` is set: each revision then commits by itself.
    pub transaction_per_migration: bool,
}

impl Project {
    /// The project of an alembic command; `None` when the command is not alembic's. Errors
    /// (`Kind::Refused`): no configuration, no script folder.
    pub fn find(argv: &[String], environment: &Environment) -> Result<Option<Self>> {
        let Some(command) = AlembicCommand::parse(argv) else {
            return Ok(None);
        };
        if command.elsewhere {
            return Ok(Some(Self::elsewhere(command, environment)));
        }
        let sources = Sources::open(&command, environment)?;
        let mut project = Self {
            working_directory: environment.working_directory.clone(),
            configuration: sources.files(),
            script_location: None,
            version_locations: Vec::new(),
            recursive: sources.flag("recursive_version_locations"),
            environment: EnvironmentScript::default(),
            certainty: Certainty::Certain,
            command,
        };
        project.locate(&sources)?;
        Ok(Some(project))
    }

    fn elsewhere(command: AlembicCommand, environment: &Environment) -> Self {
        Self {
            working_directory: environment.working_directory.clone(),
            configuration: Vec::new(),
            script_location: None,
            version_locations: Vec::new(),
            recursive: false,
            environment: EnvironmentScript::default(),
            certainty: Certainty::Uncertain(
                "the command starts alembic in another directory or container".to_owned(),
            ),
            command,
        }
    }

    fn locate(&mut self, sources: &Sources) -> Result<()> {
        let location = match sources.text("script_location") {
            Ok(Some(location)) => location,
            Ok(None) => return Err(sources.without_location()),
            Err(why) => {
                self.certainty.doubt(format!("script_location: {why}"));
                return Ok(());
            }
        };
        let Some(folder) = self.folder("script_location", &location) else {
            return Ok(());
        };
        if !folder.exists() {
            return Err(
                Error::refused("read the migration scripts").because(format!(
                    "the script folder {} (script_location in {}) does not exist",
                    folder.display(),
                    sources.name()
                )),
            );
        }
        self.version_locations = match sources.version_locations() {
            Ok(Some(all)) => all
                .iter()
                .filter_map(|one| self.folder("version_locations", one))
                .collect(),
            Ok(None) => vec![folder.join("versions")],
            Err(why) => {
                self.certainty.doubt(format!("version_locations: {why}"));
                Vec::new()
            }
        };
        if sources.flag("sourceless") {
            self.certainty
                .doubt("sourceless = true: compiled scripts count too".to_owned());
        }
        self.environment = read_env(&folder.join("env.py"));
        self.script_location = Some(folder);
        Ok(())
    }

    /// A location as a folder; `package:path` needs Python's import system.
    fn folder(&mut self, option: &str, location: &str) -> Option<PathBuf> {
        if !Path::new(location).is_absolute() && location.contains(':') {
            self.certainty
                .doubt(format!("{option} names a Python package ({location})"));
            return None;
        }
        Some(self.working_directory.join(location))
    }
}

/// The configuration files in effect.
struct Sources {
    ini: Option<(PathBuf, Ini)>,
    toml: Option<(PathBuf, BTreeMap<String, Value>)>,
    section: String,
}

impl Sources {
    fn open(command: &AlembicCommand, environment: &Environment) -> Result<Self> {
        let (ini_name, toml_name) = names(command, environment);
        let directory = &environment.working_directory;
        let ini_path = directory.join(&ini_name);
        let toml_path = directory.join(&toml_name);
        let ini = read_optional(&ini_path)?
            .map(|text| Ini::parse(&text, &folder_of(&ini_path)))
            .map(|ini| (ini_path.clone(), ini));
        let toml = read_optional(&toml_path)?
            .and_then(|text| pyproject::parse(&text))
            .map(|values| (toml_path, values));
        if ini.is_none() && toml.is_none() {
            return Err(no_configuration(&ini_path, directory));
        }
        Ok(Self {
            ini,
            toml,
            section: command.section.clone(),
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        let ini = self.ini.iter().map(|(path, _)| path.clone());
        ini.chain(self.toml.iter().map(|(path, _)| path.clone()))
            .collect()
    }

    fn name(&self) -> String {
        self.files()
            .first()
            .map_or_else(String::new, |path| path.display().to_string())
    }

    fn ini_text(&self, name: &str) -> std::result::Result<Option<String>, String> {
        match &self.ini {
            Some((_, ini)) => ini.get(&self.section, name),
            None => Ok(None),
        }
    }

    fn toml_value(&self, name: &str) -> Option<&Value> {
        self.toml.as_ref()?.1.get(name)
    }

    fn expand(&self, text: &str) -> std::result::Result<String, String> {
        let here = self
            .toml
            .as_ref()
            .map_or_else(String::new, |(path, _)| folder_of(path));
        percent(text, &mut |name| match name {
            "here" => Ok(here.clone()),
            other => Err(format!("%({other})s is not defined")),
        })
    }

    fn text(&self, name: &str) -> std::result::Result<Option<String>, String> {
        if let Some(text) = self.ini_text(name)? {
            return Ok(Some(text));
        }
        match self.toml_value(name) {
            None => Ok(None),
            Some(Value::Text(text)) => self.expand(text).map(Some),
            Some(_) => Err("is not a plain string in pyproject.toml".to_owned()),
        }
    }

    fn flag(&self, name: &str) -> bool {
        match self.ini_text(name) {
            Ok(Some(text)) => text == "true",
            _ => self.toml_value(name) == Some(&Value::Flag(true)),
        }
    }

    fn version_locations(&self) -> std::result::Result<Option<Vec<String>>, String> {
        if let Some(text) = self
            .ini_text("version_locations")?
            .filter(|text| !text.is_empty())
        {
            return self.split(&text).map(Some);
        }
        match self.toml_value("version_locations") {
            None => Ok(None),
            Some(Value::List(all)) if all.is_empty() => Ok(None),
            Some(Value::List(all)) => {
                let expanded: std::result::Result<Vec<_>, _> =
                    all.iter().map(|one| self.expand(one)).collect();
                expanded.map(Some)
            }
            Some(_) => Err("is not a list of strings in pyproject.toml".to_owned()),
        }
    }

    /// Splits by `path_separator`, else by `version_path_separator`, else the old way.
    fn split(&self, text: &str) -> std::result::Result<Vec<String>, String> {
        let separator = match self.ini_text("path_separator")? {
            Some(separator) => Some(separator),
            None => self.ini_text("version_path_separator")?,
        };
        let pieces: Vec<&str> = match separator.as_deref() {
            None => text.split([',', ' ']).collect(),
            Some("space") => text.split(' ').collect(),
            Some("newline") => text.split('\n').collect(),
            Some("os" | ":") => text.split(':').collect(),
            Some(";") => text.split(';').collect(),
            Some(other) => return Err(format!("path_separator = {other} is unknown")),
        };
        let pieces = pieces.iter().map(|piece| piece.trim());
        Ok(pieces
            .filter(|piece| !piece.is_empty())
            .map(str::to_owned)
            .collect())
    }

    fn without_location(&self) -> Error {
        let section = match &self.ini {
            Some((_, ini)) if !ini.has_section(&self.section) => {
                format!("{} has no section [{}]", self.name(), self.section)
            }
            _ => format!("{} sets no script_location", self.name()),
        };
        Error::refused("find the alembic project").because(section)
    }
}

/// The ini file's and the toml file's names: `-c`, else `ALEMBIC_CONFIG`, else the usual ones.
fn names(command: &AlembicCommand, environment: &Environment) -> (String, String) {
    let from_environment = environment.get("ALEMBIC_CONFIG").map(str::to_owned);
    let named = command.configs.iter().cloned();
    let (mut ini, mut toml) = ("alembic.ini".to_owned(), "pyproject.toml".to_owned());
    for name in from_environment.into_iter().chain(named) {
        if Path::new(&name)
            .file_name()
            .is_some_and(|file| file == "pyproject.toml")
        {
            toml = name;
        } else {
            ini = name;
        }
    }
    (ini, toml)
}

fn folder_of(file: &Path) -> String {
    file.parent()
        .unwrap_or(Path::new("/"))
        .display()
        .to_string()
}

fn read_optional(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error)
            .attempt(|| format!("read {}", path.display()))
            .map_err(|error| error.narrowed(crate::error::Kind::Refused)),
    }
}

fn no_configuration(ini: &Path, directory: &Path) -> Error {
    Error::refused("find the alembic project")
        .because(format!(
            "there is no {} and no pyproject.toml with [tool.alembic] in {}",
            ini.display(),
            directory.display()
        ))
        .hint("start in the project's directory, or name the file: alembic -c path/alembic.ini upgrade head")
}

/// env.py is optional here: alembic itself will complain about its absence.
fn read_env(path: &Path) -> EnvironmentScript {
    let Ok(bytes) = std::fs::read(path) else {
        return EnvironmentScript::default();
    };
    let text = String::from_utf8_lossy(&bytes);
    EnvironmentScript {
        // Anywhere: they mostly stand in texts that are put together.
        moves: MOVING.iter().any(|word| text.contains(word)),
        ..scan_env(&statements(&text))
    }
}

/// Words by which env.py chooses where plain names lead.
const MOVING: [&str; 2] = ["search_path", "schema_translate_map"];

/// First words of statements by which env.py goes through several of something; comprehensions build lists, no migrations.
const LOOPS: [&str; 2] = ["for", "while"];
/// By which it asks an argument.
const ARGUMENT: &str = "get_x_argument";

fn scan_env(statements: &[Statement]) -> EnvironmentScript {
    let mut found = EnvironmentScript::default();
    for statement in statements {
        let mut tokens = statement.tokens.iter();
        let first = tokens.next();
        found.repeats |= first.is_some_and(|first| LOOPS.iter().any(|word| first.is_name(word)))
            || statement.tokens.iter().any(|token| token.is_name(ARGUMENT));
        for window in statement.tokens.windows(3) {
            let [Token::Name(name), equals, value] = window else {
                continue;
            };
            if !equals.is("=") {
                continue;
            }
            match name.as_str() {
                "version_table" => keep(&mut found.version_tables, &mut found.computed, value),
                "version_table_schema" => {
                    keep(&mut found.version_table_schemas, &mut found.computed, value);
                }
                "transaction_per_migration" => {
                    found.transaction_per_migration |= !value.is_name("False");
                }
                _ => {}
            }
        }
    }
    found
}

fn keep(literals: &mut Vec<String>, computed: &mut bool, value: &Token) {
    match value {
        Token::Text(Some(text)) if !literals.contains(text) => literals.push(text.clone()),
        Token::Text(Some(_)) => {}
        Token::Name(none) if none == "None" => {}
        _ => *computed = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_py_names_the_version_table() {
        let found = scan_env(&statements(
            "context.configure(connection=c, version_table='v', version_table_schema=\"app\",\n\
             transaction_per_migration=True)\ncontext.configure(version_table='v2', version_table_schema=S)",
        ));
        assert_eq!(found.version_tables, ["v", "v2"]);
        assert_eq!(found.version_table_schemas, ["app"]);
        assert!(found.computed && found.transaction_per_migration && !found.repeats);
    }

    #[test]
    fn env_py_that_goes_through_tenants_is_known() {
        for text in [
            "for t in tenants:\n    context.configure(connection=c, version_table_schema=t)",
            "tenant = context.get_x_argument(as_dictionary=True).get('tenant')",
        ] {
            assert!(scan_env(&statements(text)).repeats, "{text}");
        }
        for text in [
            "format = 'for'\nforward = 1",
            "names = {t.name for t in tables}",
        ] {
            assert!(!scan_env(&statements(text)).repeats, "{text}");
        }
    }
}
