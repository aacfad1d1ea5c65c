//! Connections to PostgreSQL: settings, TLS, quoting, COPY streams, retry classes.
//!
//! The only place that knows tokio-postgres and rustls. Everything above sees [`Session`],
//! [`Row`], [`Sql`] and [`Secret`].

#![expect(
    clippy::disallowed_types,
    reason = "this is the layer that wraps tokio-postgres"
)]

pub mod advisory;
mod binding;
mod connect;
mod dead;
mod diagnosis;
mod fault;
mod handover;
mod pooler;
mod purpose;
mod quote;
mod row;
mod secret;
mod session;
pub mod settings;
mod socket;
pub mod target;
mod tls;
mod wait;
mod wire;

pub use connect::{connect, connect_beside, pinned_settings};
pub use dead::{end_lost, end_sessions_of};
pub use fault::is_transient_code;
pub use handover::{SHADOWING_VARIABLES, shadowing};
pub use pooler::{StartupOptions, detect_pooler, try_startup_options};
pub use purpose::{Purpose, is_harmless, is_of_run, is_ours};
pub use quote::{Sql, quote_ident, quote_literal};
pub use row::{Row, Sample};
pub use secret::Secret;
pub use session::{CopyIn, CopyOut, ServerVersion, Session};
pub use settings::{Inputs, Provenance, Resolved, resolve};
pub use target::Target;
pub use wait::wait_for;

/// Begins a transaction that sees one state of the database, and in which nothing can be written
/// by mistake.
pub const BEGIN_SNAPSHOT: Sql = Sql::constant("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
