//! The queries of a reading that an aide may ask ahead, in the order of need.
//!
//! Left out is what depends on the answers of others, what few databases need, and what this role may
//! be forbidden: one failure ends the aide's work. A query that is missing here is asked by the reading's own
//! session, as ever; one that nobody needs would be asked in vain, which a test denies.

use super::source::Plan;
use super::{kinds, sequences};
use crate::pg::Sql;

/// What comes before the kinds with one query each.
const FIRST: [&str; 25] = [
    include_str!("sql/shape.sql"),
    include_str!("sql/letters.sql"),
    include_str!("sql/accounts.sql"),
    include_str!("sql/relations.sql"),
    include_str!("sql/columns.sql"),
    include_str!("sql/members.sql"),
    include_str!("sql/depends_on_extension.sql"),
    include_str!("sql/data_rules.sql"),
    include_str!("sql/extensions.sql"),
    include_str!("sql/schemas.sql"),
    include_str!("sql/types.sql"),
    include_str!("sql/domains.sql"),
    include_str!("sql/functions.sql"),
    include_str!("sql/sequences.sql"),
    include_str!("sql/defaults.sql"),
    include_str!("sql/constraints.sql"),
    include_str!("sql/indexes.sql"),
    include_str!("sql/rules.sql"),
    include_str!("sql/triggers.sql"),
    include_str!("sql/policies.sql"),
    include_str!("sql/subscriptions.sql"),
    include_str!("sql/configuration.sql"),
    include_str!("sql/large_objects.sql"),
    include_str!("sql/dependencies.sql"),
    include_str!("sql/comments.sql"),
];

/// What comes after them.
const LAST: [&str; 12] = [
    include_str!("sql/security_labels.sql"),
    include_str!("sql/acls.sql"),
    include_str!("sql/default_acls.sql"),
    include_str!("sql/owners.sql"),
    include_str!("sql/membership.sql"),
    include_str!("sql/user_objects.sql"),
    include_str!("sql/commented.sql"),
    include_str!("sql/system_changes.sql"),
    include_str!("sql/clones.sql"),
    include_str!("sql/rights_needed.sql"),
    include_str!("sql/sequences_unreadable.sql"),
    include_str!("sql/roles.sql"),
];

/// What a reading of a server of this major asks in any case.
pub(super) fn plan(major: u32) -> Plan {
    let kinds = kinds::asked_of_everybody(major);
    let queries = FIRST.into_iter().chain(kinds).chain(LAST);
    let queries = queries.chain([sequences::values_text(major)]);
    Plan::of(queries.map(Sql::constant).collect())
}
