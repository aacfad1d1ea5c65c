//! Subscriptions: what can be said about them only here (spec §1.3 SUBSCRIPTION). Their statements
//! come from `kinds`, which reads them where this role may read their connections.
//!
//! A restore never connects and never starts replication: a subscription comes back disabled, with
//! its slot's name and without knowing how far any table had come. That is a loss, said by name.

use super::entry::Kind;
use super::graph::Node;
use super::loss::Loss;
use super::read::Reading;
use super::source::Source;
use crate::error::Result;
use crate::pg::Sql;

/// pg_subscription's own OID.
pub(super) const SUBSCRIPTION: u32 = 6100;

/// Names what of a subscription no entry holds.
pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<()> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/subscriptions.sql")))
        .await?;
    for row in &rows {
        let identity = format!("subscription {}", row.text("quoted")?);
        if !row.bool("readable")? {
            let reason = "its connection can be read by superusers only, and this role is none";
            reading.refuse(Loss::Unreadable, &identity, "pg_subscription", reason);
            let mut node = Node::new(Kind::Subscription, None, row.text("name")?, &identity);
            node.is_dummy = true;
            reading.graph.add((SUBSCRIPTION, row.number("oid")?), node);
        }
        if row.bool("has_state")? {
            reading.refuse(
                Loss::SubscriptionState,
                state_of(&identity),
                "pg_subscription",
                "it is enabled or has tables under way: a restore leaves it disabled, without \
                 their progress; then ALTER SUBSCRIPTION … ENABLE and … REFRESH PUBLICATION",
            );
        }
    }
    Ok(())
}

/// A transaction that is to be skipped is a position in the publisher's log, set on the spot.
pub(super) fn refuse_skipping(reading: &mut Reading, identity: &str) {
    reading.refuse(
        Loss::SubscriptionState,
        format!("skipped position of {identity}"),
        "pg_subscription",
        "a position to skip to is set (ALTER SUBSCRIPTION … SKIP), which a restore does not know",
    );
}

/// How the loss of a subscription's state is named.
pub(super) fn state_of(identity: &str) -> String {
    format!("state of {identity}")
}
