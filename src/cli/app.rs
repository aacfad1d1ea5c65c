//! What every command gets: context, settings, and the few steps that commands share.

use std::sync::Arc;

use super::render::{Mask, Reporter};
use super::settings::Settings;
use crate::archive::Reader;
use crate::context::{Context, Event, Phase};
use crate::error::{Error, Kind, Result};
use crate::pg::settings::{Inputs, Resolved, resolve};
use crate::pg::{Secret, Session, Target};
use crate::store::Store;

/// Names another server for scratch databases; a password is out of sight there.
pub(crate) const SCRATCH_URL: &str = "PGBELAY_SCRATCH_URL";

/// One execution of the program.
pub(crate) struct App {
    /// For the library.
    pub ctx: Context,
    /// Global settings.
    pub settings: Settings,
    /// Learns secrets as they become known.
    pub mask: Mask,
    /// Shows what happens.
    pub reporter: Arc<Reporter>,
}

impl App {
    /// Finds out which database is meant and teaches the mask its secrets.
    pub(crate) fn resolve(&self) -> Result<Resolved> {
        self.resolve_url(self.settings.database_url.clone())
    }

    /// The same for another URL (`diff`).
    pub(crate) fn resolve_url(&self, url: Option<String>) -> Result<Resolved> {
        let resolved = resolve(&Inputs {
            url: url.clone(),
            env_file: self.settings.env_file.clone(),
            expand_env: self.settings.expand_env,
            wait: self.settings.wait,
            environment: &self.ctx.environment,
        })?;
        self.learn(&resolved.target);
        self.warn_of_shown_secrets(url, &resolved.target);
        for warning in &resolved.warnings {
            self.ctx.warn(warning);
        }
        Ok(resolved)
    }

    /// The server for scratch databases, if one was named: by the option, or by the variable.
    pub(crate) fn resolve_scratch(&self, given: Option<&str>) -> Result<Option<Target>> {
        let environment = &self.ctx.environment;
        let Some(url) = given.or_else(|| environment.get(SCRATCH_URL)) else {
            return Ok(None);
        };
        let resolved = resolve(&Inputs {
            url: Some(url.to_owned()),
            env_file: self.settings.env_file.clone(),
            expand_env: self.settings.expand_env,
            wait: self.settings.wait,
            environment,
        })?;
        self.learn(&resolved.target);
        self.warn_of_shown_secrets(given.map(str::to_owned), &resolved.target);
        for warning in &resolved.warnings {
            self.ctx.warn(warning);
        }
        Ok(Some(resolved.target))
    }

    fn warn_of_shown_secrets(&self, url: Option<String>, target: &Target) {
        let secrets = target.secrets();
        if url.is_some_and(|url| secrets.iter().any(|secret| contains(&url, secret))) {
            self.ctx.warn(
                "the URL on the command line holds a password, which every user of this machine can see in \
                 the process list\nput it into DATABASE_URL, a .env file or ~/.pgpass instead",
            );
        }
    }

    fn learn(&self, target: &Target) {
        let servers = target.servers();
        let public = [
            "postgresql",
            target.database(),
            target.user(),
            servers.as_str(),
            "pgbelay",
        ];
        self.mask.learn(&target.secrets(), &public);
    }

    /// Waits for the server and says what it is.
    pub(crate) async fn connect(&self, target: &Target) -> Result<Session> {
        let _phase = self.ctx.phase(Phase::Connect);
        self.fact("database", &target.masked());
        let session = crate::pg::wait_for(target, self.settings.wait, &self.ctx)
            .await
            .map_err(|error| error.narrowed(Kind::Refused))?;
        self.fact("server", &format!("PostgreSQL {}", session.version().text));
        Ok(session)
    }

    /// Shows a fact.
    pub(crate) fn fact(&self, name: &str, value: &str) {
        self.ctx.monitor.event(Event::Fact {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }

    /// The store; it is made when it does not exist.
    pub(crate) fn store(&self) -> Result<Store> {
        Store::open(&self.settings.store)
    }

    /// An archive by path or by its name in the store.
    pub(crate) fn open_archive(&self, given: &std::path::Path) -> Result<Reader> {
        let path = self.settings.archive_path(given);
        if !path.exists() {
            return Err(
                Error::refused(format!("open the archive {}", given.display()))
                    .because("there is no such file, nor one of that name in the store")
                    .hint("`pgbelay list` shows what the store holds"),
            );
        }
        Reader::open(&path)
    }
}

fn contains(text: &str, secret: &Secret) -> bool {
    !secret.is_empty() && text.contains(secret.reveal())
}
