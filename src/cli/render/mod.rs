//! What people and log collectors see: events in, lines on stderr and in the log file out.
//!
//! [`Reporter`] is the library's monitor. It gathers facts into blocks, slows progress down, and
//! hands [`Item`]s to the forms (text for people, JSON lines). Everything passes the mask last.
//! Rules: stdout is for data; bars only on a terminal; a closed stderr never stops the work.

mod bars;
mod failure;
mod harmless;
mod items;
mod json;
mod mask;
mod output;
mod paint;
mod reporter;
mod text;
pub(crate) mod units;

pub(crate) use failure::{error_json, error_rows};
pub(crate) use items::{Item, Row, Summary};
pub(crate) use mask::Mask;
pub(crate) use output::write_stdout;
pub(crate) use paint::{Painter, is_dumb};
pub(crate) use reporter::{Reporter, ReporterOptions};
