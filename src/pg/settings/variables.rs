//! Variables: the process's, then those of the env file that the process lacks.
//!
//! Every value comes with its [`Source`], so that a message can name variable, file and line.
//! `NAME_FILE` names a file whose content is the value. A value that still holds `${NAME}` is
//! refused the moment it would be used, or expanded when the operator asked for it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::dotenv;
use super::expand::{self, Trouble};
use crate::context::Environment;
use crate::error::{Error, Result};
use crate::pg::secret::Secret;

/// Where a value came from; displays as `DATABASE_URL in .env, line 13`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The variable, flag or thing.
    pub what: String,
    /// File and 1-based line; line 0 stands for the whole file.
    pub place: Option<(String, usize)>,
}

impl Source {
    /// A source without a file.
    pub fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            place: None,
        }
    }

    /// A source on a line of a file.
    pub fn at(what: impl Into<String>, file: &str, line: usize) -> Self {
        Self {
            what: what.into(),
            place: Some((file.to_owned(), line)),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => f.write_str(&self.what),
            Some((file, 0)) => write!(f, "{} ({file})", self.what),
            Some((file, line)) => write!(f, "{} in {file}, line {line}", self.what),
        }
    }
}

/// A value and its source. No `Debug`: it may be the password.
#[derive(Clone)]
pub(super) struct Given {
    pub value: String,
    pub source: Source,
    /// Whether the value is final: single quotes or a secret file forbid expansion.
    pub literal: bool,
}

/// The env file that supplies what the environment lacks.
struct EnvFile {
    /// As messages name it.
    shown: String,
    assignments: BTreeMap<String, dotenv::Assignment>,
}

/// Environment and env file as one.
pub(super) struct Variables<'a> {
    environment: &'a Environment,
    file: Option<EnvFile>,
    expand: bool,
    /// What a person should know though it stops nothing.
    pub warnings: Vec<String>,
}

impl<'a> Variables<'a> {
    /// Reads `env_file`, or `.env` in the working directory when it is a file.
    pub fn read(
        environment: &'a Environment,
        env_file: Option<&Path>,
        expand: bool,
    ) -> Result<Self> {
        let mut variables = Self {
            environment,
            file: None,
            expand,
            warnings: unreadable(environment),
        };
        let usual = environment.working_directory.join(".env");
        match env_file {
            Some(path) => {
                let shown = path.display().to_string();
                variables.load(&environment.working_directory.join(path), shown)?;
            }
            None if usual.is_file() => variables.load(&usual, ".env".to_owned())?,
            None => {}
        }
        Ok(variables)
    }

    fn load(&mut self, path: &Path, shown: String) -> Result<()> {
        let text = read_file(path, &format!("read the env file {shown}"))?;
        let parsed = dotenv::parse(&text, Path::new(&shown))?;
        for line in &parsed.skipped {
            self.warnings.push(format!(
                "{shown}, line {line} is not an assignment; it was skipped"
            ));
        }
        let named = |a: dotenv::Assignment| (a.name.clone(), a);
        self.file = Some(EnvFile {
            assignments: parsed.assignments.into_iter().map(named).collect(),
            shown,
        });
        Ok(())
    }

    /// The variable as it stands, from the environment or else the env file; empty is absent.
    pub fn get(&self, name: &str) -> Option<Given> {
        self.in_environment(name).or_else(|| self.in_file(name))
    }

    fn in_environment(&self, name: &str) -> Option<Given> {
        self.environment.get(name).map(|value| Given {
            value: value.to_owned(),
            source: Source::of(name),
            literal: false,
        })
    }

    fn in_file(&self, name: &str) -> Option<Given> {
        let file = self.file.as_ref()?;
        let assignment = file.assignments.get(name)?;
        (!assignment.value.is_empty()).then(|| Given {
            value: assignment.value.clone(),
            source: Source::at(name, &file.shown, assignment.line),
            literal: assignment.literal,
        })
    }

    /// The variable, or the content of the file that `NAME_FILE` names. What the environment
    /// says in either way beats the env file.
    pub fn get_or_file(&mut self, name: &str) -> Result<Option<Given>> {
        let file_name = format!("{name}_FILE");
        let places = [
            (self.in_environment(name), self.in_environment(&file_name)),
            (self.in_file(name), self.in_file(&file_name)),
        ];
        for (direct, named) in places {
            match (direct, named) {
                (Some(direct), Some(_)) => {
                    let note = format!("{name} and {file_name} are both set; {name} is used");
                    self.warnings.push(note);
                    return Ok(Some(direct));
                }
                (Some(direct), None) => return Ok(Some(direct)),
                (None, Some(named)) => return self.secret_file(named).map(Some),
                (None, None) => {}
            }
        }
        Ok(None)
    }

    /// The content of a secret file without the newline that editors add.
    fn secret_file(&self, named: Given) -> Result<Given> {
        let named = self.settled(named)?;
        let path = self.environment.working_directory.join(&named.value);
        let attempted = format!(
            "read the file that {} names, {}",
            named.source,
            path.display()
        );
        let text = read_file(&path, &attempted)?;
        let value = text.trim_end_matches(['\r', '\n']).to_owned();
        if value.is_empty() {
            return Err(Error::usage(attempted).because("it is empty"));
        }
        Ok(Given {
            value,
            source: Source::at(named.source.what, &named.value, 0),
            literal: true,
        })
    }

    /// A value that is about to be used: references are refused, or expanded on request.
    pub fn settled(&self, given: Given) -> Result<Given> {
        if given
            .source
            .place
            .as_ref()
            .is_some_and(|place| place.1 == 0)
        {
            return Ok(given);
        }
        let Some(reference) = expand::first(&given.value, 0) else {
            return Ok(given);
        };
        if !self.expand || given.literal {
            return Err(unexpanded(&given, &reference));
        }
        match expand::expand(&given.value, &|name| self.get(name).map(|g| g.value)) {
            Ok(value) => Ok(Given { value, ..given }),
            Err(trouble) => Err(not_expanded(&given.source, &trouble)),
        }
    }

    /// The env file's variables that the process's environment lacks, for the child; expanded
    /// like our own settings when that was asked for.
    pub fn for_child(&self) -> Vec<(String, Secret)> {
        let Some(file) = &self.file else {
            return Vec::new();
        };
        let absent = file
            .assignments
            .values()
            .filter(|a| !self.environment.has(&a.name));
        absent
            .map(|a| (a.name.clone(), Secret::new(self.child_value(a))))
            .collect()
    }

    /// A reference that cannot be expanded is left as it is: the variable is not ours.
    fn child_value(&self, assignment: &dotenv::Assignment) -> String {
        let raw = assignment.value.clone();
        if !self.expand || assignment.literal {
            return raw;
        }
        expand::expand(&raw, &|name| self.get(name).map(|g| g.value)).unwrap_or(raw)
    }

    /// The environment, for what is not a variable of ours.
    pub fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// A path in the home directory.
    pub fn home(&self, relative: &str) -> Option<PathBuf> {
        self.environment
            .home
            .as_ref()
            .map(|home| home.join(relative))
    }
}

/// Variables that look like settings of ours and cannot be read as such.
fn unreadable(environment: &Environment) -> Vec<String> {
    let names = environment.foreign.keys().filter_map(|name| name.to_str());
    names
        .filter(|name| {
            let ours = ["DATABASE_URL", "DB_", "PG", "POSTGRES_"];
            ours.iter().any(|start| name.starts_with(start))
        })
        .map(|name| format!("{name} is not UTF-8 and is not read; the migration gets it as it is"))
        .collect()
}

fn place_of(source: &Source) -> String {
    match &source.place {
        Some((file, line)) => format!("{file} line {line}: {}", source.what),
        None => source.what.clone(),
    }
}

fn unexpanded(given: &Given, reference: &expand::Reference) -> Error {
    let reference = reference.shown();
    let error = Error::usage("read the connection settings").because(format!(
        "{} still contains {reference}: nothing has expanded it, and the literal text would be sent to the server",
        place_of(&given.source)
    ));
    let error = match given.literal {
        true => error.hint("single quotes forbid expansion: use double quotes or none, and --expand-env"),
        false => error.hint("--expand-env expands it from the environment and the env file, for pgbelay and for the migration"),
    };
    error.hint(format!(
        "to do without --expand-env, write the value itself instead of {reference}"
    ))
}

fn not_expanded(source: &Source, trouble: &Trouble) -> Error {
    let (reason, hint) = match trouble {
        Trouble::Missing(name) => (
            format!(
                "{} refers to ${{{name}}}, which is set nowhere",
                place_of(source)
            ),
            format!("set {name} in the environment or in the env file"),
        ),
        Trouble::Circle(name) => (
            format!(
                "{} refers to ${{{name}}}, which refers back to itself",
                place_of(source)
            ),
            format!("give {name} a value that does not depend on itself"),
        ),
    };
    Error::usage("expand the connection settings")
        .because(reason)
        .hint(hint)
}

/// Reads a settings file; its content goes into no error.
pub(super) fn read_file(path: &Path, attempted: &str) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::usage(attempted).caused_by(error))?;
    String::from_utf8(bytes).map_err(|_| Error::usage(attempted).because("it is not UTF-8 text"))
}
