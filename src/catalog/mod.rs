//! pg_catalog → entries: the one engine behind backup, restore, compare, rollback and `schema`.
//!
//! [`read`] turns the catalogs of one database into [`Entry`] values in restore order. Two
//! readings of an unchanged database under the pinned settings give equal entries in equal order,
//! so "is it the same?" is a comparison of text. Specification: spec/pg_dump.md.
//!
//! One object family per file; each adds nodes to the graph, `order` sorts it and breaks cycles,
//! `assemble` makes entries of it, `closed_world` names what nobody claimed.

mod acl;
mod address;
mod ahead;
mod assemble;
mod changed;
mod clones;
mod closed_world;
mod cluster;
mod comments;
mod constraints;
mod counters;
mod database;
mod defaults;
mod domains;
mod encoding;
mod entry;
mod extension_rows;
mod extension_tables;
mod extensions;
mod functions;
mod graph;
mod guard;
mod identities;
mod indexes;
mod kinds;
mod labels;
mod large_objects;
mod lock;
mod loss;
mod order;
mod owners;
mod part;
mod partitions;
mod policies;
mod read;
mod relations;
mod rights;
mod rules;
mod schemas;
mod sequences;
mod source;
mod spelling;
mod steady;
mod subscriptions;
mod table_data;
mod table_ddl;
mod triggers;
mod types;
mod usual_names;
mod version_tables;
mod views;

pub use acl::is_usual_of_public;
pub use closed_world::{knows_shape, require_references};
pub use cluster::read_cluster;
pub use counters::{Counters, read_counters};
pub use database::{read as read_database, system_identifier};
pub use entry::{
    Blocks, Catalog, DatabaseProperties, Entry, Extension, Kind, Sequence, Table, Through,
    Uncovered, VersionTable, canonical_text, copy_options, set_sequence,
};
pub use extension_rows::{owners_of_extensions, rows_left_to_extensions};
pub use identities::definitions_digest;
pub use labels::unloaded_providers;
pub use large_objects::{
    Piece, identity as large_object_identity, large_object_written_by, read_large_object,
};
pub use lock::Locking;
pub use loss::{AcceptedLosses, Loss, UNFINISHED_RESTORE, loss_of_label};
pub use part::Part;
pub use read::read;
pub use rights::{Made, Need, Objection, Right, Rights};
pub use steady::{Steady, open_steady, read_locked, read_steady, restrict, rows_unfit};
pub use table_data::rows_unread;
pub use version_tables::read as read_version_tables;
