//! What every rung works with.

use super::RollbackOptions;
use super::fate::{Ledger, Unkept};
use crate::archive::Reader;
use crate::context::Context;
use crate::error::Result;
use crate::pg::{self, Session, Target};
use crate::store::Store;

/// What a caller asks to be rolled back: into which database, to which archive, what is saved where, how.
pub(super) type Task<'a> = (
    &'a Target,
    &'a Reader,
    &'a Store,
    &'a RollbackOptions,
    &'a Context,
);

/// A task and the connection that does it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// The one connection that writes.
    pub session: &'a Session,
    /// For connections that read beside it, and after it.
    pub target: &'a Target,
    /// The archive.
    pub reader: &'a Reader,
    /// For what is saved first (P4).
    pub store: &'a Store,
    pub options: &'a RollbackOptions,
    /// Who is told before it is committed.
    pub ledger: &'a dyn Ledger,
    pub ctx: &'a Context,
}

impl<'a> Scene<'a> {
    /// Works with a connection of its own, named by `purpose`, and closes it whatever happened.
    pub async fn enter<T>(
        purpose: pg::Purpose,
        task: Task<'a>,
        work: impl AsyncFnOnce(&Scene<'_>) -> Result<T>,
    ) -> Result<T> {
        let (target, reader, store, options, ctx) = task;
        let session = pg::connect(target, purpose, ctx).await?;
        let scene = Scene {
            session: &session,
            target,
            reader,
            store,
            options,
            ledger: &Unkept,
            ctx,
        };
        let result = work(&scene).await;
        session.close().await;
        result
    }

    /// The same, of which a journal is kept.
    pub fn noted_in<'b>(self, ledger: &'b dyn Ledger) -> Scene<'b>
    where
        'a: 'b,
    {
        Scene { ledger, ..self }
    }
}
