//! pgbelay holds the rope for a PostgreSQL schema migration: back up, migrate, verify, and on any
//! failure put the database back and prove it.
//!
//! The layers are those of design.md §3 and arrows point down only; `tests/architecture.rs` holds
//! them. The library is mute: it reports through [`context::Monitor`] and returns values.

pub mod archive;
pub mod catalog;
pub mod cli;
pub mod compare;
pub mod context;
pub mod drill;
pub mod dump;
pub mod durable;
pub mod error;
pub mod exit;
pub mod faults;
pub mod journal;
pub mod migrate;
pub mod pg;
pub mod restore;
pub mod rollback;
pub mod run;
pub mod store;
pub mod verify;
