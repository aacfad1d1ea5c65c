//! Addresses of catalog rows, as pg_depend writes them.
//!
//! The OIDs of system catalogs are fixed by PostgreSQL's own headers and equal in every major.

/// A row's place: the catalog's OID and the row's OID.
pub(super) type Address = (u32, u32);

pub(super) const TYPE: u32 = 1247;
pub(super) const PROC: u32 = 1255;
pub(super) const CLASS: u32 = 1259;
pub(super) const ATTRDEF: u32 = 2604;
pub(super) const CONSTRAINT: u32 = 2606;
pub(super) const NAMESPACE: u32 = 2615;
pub(super) const REWRITE: u32 = 2618;
pub(super) const TRIGGER: u32 = 2620;
pub(super) const EXTENSION: u32 = 3079;
pub(super) const LARGE_OBJECT: u32 = 2613;
pub(super) const POLICY: u32 = 3256;
pub(super) const DEFAULT_ACL: u32 = 826;
