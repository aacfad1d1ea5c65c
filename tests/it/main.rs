//! All integration tests, in one binary: real servers, real Alembic, the real `pgbelay` program.
//!
//! One file per area; what they share is in `support`. Servers come from `scripts/test`, or are
//! started on demand by `scripts/server` (after `scripts/setup`), one per major and test process.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "tests spawn programs, write files and fail by panicking"
)]

#[macro_use]
mod support;

mod backup;
mod bad_input;
mod bad_input_archives;
mod bad_input_journals;
mod changes;
mod cli;
mod closed_world;
mod committed;
mod compare;
mod connection;
mod corpus;
mod counters;
mod damaged_archives;
mod data;
mod data_database;
mod data_edges;
mod data_encodings;
mod data_settings;
mod data_standby;
mod data_trees;
mod determinism;
mod drill;
mod extension_members;
mod fence;
mod field;
mod harness;
mod hostile;
mod hostile_server;
mod kinds;
mod locks;
mod losses;
mod many_objects;
mod migrate_alembic;
mod migrate_sql;
mod mutations;
mod named_otherwise;
mod newer;
mod others;
mod outside;
mod owner;
mod parallel_backup;
mod plan;
mod poolers;
mod promises;
mod quiet;
mod random_commits;
mod random_migrations;
mod repair;
mod replicas;
mod resources;
mod restarts;
mod restore;
mod restore_parallel;
mod restore_together;
mod results;
mod rollback;
mod run_child;
mod run_lock;
mod run_preflight;
mod run_recovery;
mod scenarios;
mod scenarios_rungs;
mod secrets;
mod signals;
mod sql_files;
mod swap;
mod tenants;
mod tls;
mod undo;
mod unfilled;
mod unheld;
mod unwatched;
mod verify_checks;
