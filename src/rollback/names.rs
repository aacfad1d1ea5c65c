//! Tables whose rows hold names of other objects: `regclass`, `regproc`, `regrole` and the like, and whatever contains
//! one. Such a row is another row once its object has another name, and nothing was written for that.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::pg::{Session, Sql};

/// OIDs of these tables. Only reading them tells what they hold.
pub(super) async fn tables_with_names(session: &Session) -> Result<BTreeSet<u32>> {
    let sql = Sql::constant(include_str!("sql/names_in_rows.sql"));
    let rows = session.query(&sql).await?;
    rows.iter().map(|row| row.number("oid")).collect()
}
