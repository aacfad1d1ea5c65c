//! Arguments → settings → library call → report (design.md §3, §9).
//!
//! The only layer that knows the command line, the process's environment, the terminal, signals
//! and exit codes. Commands are thin: the engine below holds locks and keeps promises, so nothing
//! here may talk SQL of its own or decide about a database.

mod app;
mod args;
mod commands;
mod duration;
mod environment;
mod hints;
mod render;
mod report;
mod settings;
mod signals;
mod start;
mod trace;

pub use start::main;
