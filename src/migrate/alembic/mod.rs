//! Alembic: what is pending and what the version rows will be, read without starting Python.
//!
//! [`Project::find`] understands the command line and the configuration, [`Scripts::read`] the
//! script folder, [`Scripts::forecast`] what will run. Whatever is computed in Python makes the
//! reading [`Certainty::Uncertain`], and then [`Scripts::ask`] takes alembic's own word.

mod command;
mod forecast;
mod graph;
mod ini;
mod lexer;
mod project;
mod pyproject;
mod risks;
mod script;
mod scripts;
mod target;
mod truth;

pub use command::{AlembicCommand, Verb};
pub use forecast::{Forecast, PendingRevision};
pub use project::{EnvironmentScript, Project};
pub use risks::Risks;
pub use script::Script;
pub use scripts::{Certainty, Scripts};
