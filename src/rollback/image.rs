//! What a rollback met, noted right before its first change: by that it can be told whether others wrote since, should
//! nobody have seen its end (P5, P6).
//!
//! Its locks went with it, and what it had written is undone. But the server counts rows that were taken back, so the counts
//! of the tables that it was about to write to tell nothing: their rows are compared, with what was saved of them, or with what
//! had been read under the locks where only some of a table's rows were to go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mark::Mark;
use super::scene::Scene;
use crate::archive::{Manifest, Reader, TableDigest};
use crate::catalog::{self, Catalog, Locking};
use crate::compare;
use crate::context::Context;
use crate::error::Result;
use crate::pg::{Session, Sql};

/// See there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeforeImage {
    /// The judged moment; what was counted as written to all tables but `touched` is of the moment under the locks.
    pub mark: Mark,
    /// OIDs of the tables that were about to be written to; none for all of them.
    pub touched: Option<BTreeSet<u32>>,
    /// The archive of what was about to go; in the journal its name, because stores are moved.
    pub saved: PathBuf,
    /// By identity, rows of tables of which only some were saved: count and digest.
    #[serde(default)]
    pub rows: BTreeMap<String, String>,
    /// Whether things had other names in the transaction: what was saved has these, and cannot be found by them.
    #[serde(default)]
    pub renamed: bool,
}

/// What a repair is about to write to.
pub(super) struct Touched<'a> {
    pub tables: BTreeSet<u32>,
    /// Identities of those that are saved in part, and all their rows.
    pub in_part: BTreeMap<&'a str, TableDigest>,
    /// Whether something was renamed in the transaction.
    pub renamed: bool,
}

impl BeforeImage {
    /// Under the locks, before the first change; none where nobody has to be told from others. Without `touched` everything
    /// is about to be made again.
    pub(super) async fn take(
        scene: &Scene<'_>,
        touched: Option<Touched<'_>>,
        saved: &Path,
    ) -> Result<Option<Self>> {
        let judged_at = scene.options.judged_at.as_ref();
        let Some(mark) = judged_at.filter(|_| !scene.options.discard_other_writes) else {
            return Ok(None);
        };
        let renamed = touched.as_ref().is_some_and(|touched| touched.renamed);
        let (tables, in_part) = match touched {
            None => (None, BTreeMap::new()),
            Some(touched) => (Some(touched.tables), touched.in_part),
        };
        let rows = in_part.into_iter();
        let rows = rows.map(|(identity, digest)| (identity.to_owned(), text(&digest)));
        Ok(Some(Self {
            mark: Mark {
                written: written_but(scene.session, tables.as_ref()).await?,
                ..mark.clone()
            },
            touched: tables,
            saved: saved.file_name().map(PathBuf::from).unwrap_or_default(),
            rows: rows.collect(),
            renamed,
        }))
    }

    /// Why others have, or may have, committed since, now that the rollback to `archive` is gone. `session` is in no transaction.
    ///
    /// # Errors
    /// Of the server.
    pub async fn objection_now(
        &self,
        session: &Session,
        archive: &Manifest,
        ctx: &Context,
    ) -> Result<Option<String>> {
        let counted = async |session: &Session| written_but(session, self.touched.as_ref()).await;
        if let Some(why) = self.mark.objection_counted(session, counted, ctx).await? {
            return Ok(Some(why));
        }
        if self.renamed {
            return Ok(None);
        }
        let saved = match Reader::open(&self.saved) {
            Ok(saved) => saved,
            Err(error) => {
                return Ok(Some(format!(
                    "nobody can tell what was written: what the rollback had saved cannot be read ({error})"
                )));
            }
        };
        let steady = catalog::open_steady(session, Locking::DEFINITIONS, ctx).await?;
        let changed = self
            .changed_rows(session, &steady.catalog, (saved.manifest(), archive), ctx)
            .await;
        steady.close().await;
        session.execute(&Sql::constant("ROLLBACK")).await?;
        Ok(changed?.map(|table| format!("rows of {table} were written")))
    }

    /// The first table whose rows are not what they were.
    async fn changed_rows(
        &self,
        session: &Session,
        live: &Catalog,
        (saved, archive): (&Manifest, &Manifest),
        ctx: &Context,
    ) -> Result<Option<String>> {
        let (mut tables, mut expected) = (Vec::new(), Vec::new());
        let whole = saved.tables.iter();
        let whole = whole.filter(|record| !self.rows.contains_key(&record.identity));
        let whole = whole.map(|record| (record, saved, text(&record.rows_digest())));
        let in_part = archive.tables.iter();
        let in_part = in_part.filter_map(|record| {
            let rows = self.rows.get(&record.identity)?;
            Some((record, archive, rows.clone()))
        });
        for (record, manifest, rows) in whole.chain(in_part) {
            let table = live.tables.iter();
            let mut table = table.filter(|table| table.identity == record.identity);
            let table = table.next();
            let table = table.and_then(|table| compare::as_recorded(table, record, manifest));
            let Some(table) = table else {
                return Ok(Some(record.identity.clone()));
            };
            tables.push(table);
            expected.push(rows);
        }
        let digests = compare::digests(&[session], &tables, ctx).await?;
        let differs = digests
            .iter()
            .zip(&expected)
            .position(|(now, then)| text(now) != *then);
        Ok(differs.map(|at| tables[at].identity.clone()))
    }
}

fn text(rows: &TableDigest) -> String {
    format!("{} {}", rows.rows, rows.hex())
}

/// What was counted as written to all tables but these, as a mark has it.
async fn written_but(session: &Session, touched: Option<&BTreeSet<u32>>) -> Result<Option<String>> {
    match touched {
        // Every row is compared.
        None => Ok(Some(String::new())),
        Some(touched) => Mark::written_to_others(session, touched).await.map(Some),
    }
}
