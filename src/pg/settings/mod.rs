//! Connection settings: from flag, variables and files to one [`Target`], each part with its source.
//!
//! Precedence (design.md §10): `--database-url`, `DATABASE_URL`, the component variables, libpq's
//! service and `PG*` variables, its password file. The env file supplies variables that the
//! environment lacks. What is not understood is refused before anything is contacted
//! ([`crate::error::Kind::Usage`]); no message holds a password or a raw URL.

mod assemble;
mod dotenv;
mod expand;
mod keywords;
mod layers;
mod passfile;
mod protection;
mod servicefile;
mod url;
mod variables;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use super::target::{Target, TlsMode};
use crate::context::Environment;
use crate::error::Result;
use variables::Variables;

/// What the operator gave.
#[derive(Clone)]
pub struct Inputs<'a> {
    /// `--database-url`.
    pub url: Option<String>,
    /// `--env-file`; without it `.env` in the working directory counts when it is there.
    pub env_file: Option<PathBuf>,
    /// `--expand-env`: expand `${NAME}` instead of refusing it.
    pub expand_env: bool,
    /// `--wait`; handed to [`crate::pg::wait_for`] by the caller.
    pub wait: Duration,
    /// The process's environment.
    pub environment: &'a Environment,
}

impl std::fmt::Debug for Inputs<'_> {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs")
            .field("env_file", &self.env_file)
            .field("expand_env", &self.expand_env)
            .finish_non_exhaustive()
    }
}

/// One setting in force and where it came from; nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// What it is: `host`, `password`, `sslmode` …
    pub setting: &'static str,
    /// Its value, a password as `***`.
    pub shown: String,
    /// Where it came from: `DATABASE_URL in .env, line 13`.
    pub source: String,
}

/// Settings that make sense.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Where to connect.
    pub target: Target,
    /// Each part of the target and its source.
    pub provenance: Vec<Provenance>,
    /// The scheme of the URL that was given (`postgresql+psycopg2`); `None` when the settings
    /// came in another form, and then the child needs no `DATABASE_URL` either.
    pub dialect: Option<String>,
    /// The env file's variables that the process's environment lacks, for the child.
    pub env_file_variables: Vec<(String, Secret)>,
    /// What a person should know though it stops nothing.
    pub warnings: Vec<String>,
    /// How long to wait for the server.
    pub wait: Duration,
}

/// Finds out where to connect. Touches files, never the network.
pub fn resolve(inputs: &Inputs<'_>) -> Result<Resolved> {
    let mut variables = Variables::read(
        inputs.environment,
        inputs.env_file.as_deref(),
        inputs.expand_env,
    )?;
    let settings = layers::read(inputs.url.as_deref(), &mut variables)?;
    let assembled = assemble::assemble(&settings, &mut variables)?;
    let from_flag = inputs.url.is_some();
    warn_of_exposure(from_flag, &assembled.provenance, &mut variables.warnings);
    warn_of_pg8000(settings.scheme, &assembled.target, &mut variables.warnings);
    let env_file_variables = variables.for_child();
    Ok(Resolved {
        target: assembled.target,
        provenance: assembled.provenance,
        dialect: settings.scheme.map(str::to_owned),
        env_file_variables,
        warnings: variables.warnings,
        wait: inputs.wait,
    })
}

/// A password in the arguments is seen by everybody who may list processes.
fn warn_of_exposure(from_flag: bool, provenance: &[Provenance], warnings: &mut Vec<String>) {
    let exposed = provenance
        .iter()
        .any(|p| p.setting == "password" && p.source == "--database-url");
    if from_flag && exposed {
        warnings.push(
            "the password stands on the command line, where other users of this machine can read it; DATABASE_URL or POSTGRES_PASSWORD_FILE keeps it private".to_owned(),
        );
    }
}

/// pg8000 takes no sslmode in its URL; saying nothing would look like protection.
fn warn_of_pg8000(scheme: Option<&str>, target: &Target, warnings: &mut Vec<String>) {
    if scheme == Some("postgresql+pg8000") && target.tls.mode >= TlsMode::Require {
        warnings.push(format!(
            "pg8000 does not know sslmode={}: only its ssl_context decides whether the migration's own connection is encrypted",
            target.tls.mode.name()
        ));
    }
}
