//! The migration itself: Alembic, plain SQL files, or any command.
//!
//! [`alembic`] foretells what Alembic will do, [`sql`] runs plain SQL files in this process,
//! [`child`] runs a tool in a process group of its own. What was committed is never taken from
//! the tool's word: callers read the version rows.

pub mod alembic;
pub mod child;
pub mod sql;
