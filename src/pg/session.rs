//! One connection to the server: statements out, text rows and COPY streams back.
//!
//! Everything above `pg/` talks to PostgreSQL through [`Session`]. Statements use the simple
//! protocol (text values, several statements per call, no prepared state that a pooler could
//! lose); COPY uses tokio-postgres's streams. Each server error keeps SQLSTATE, message, detail,
//! hint and, where the server gives it, the position; [`super::fault`] decides what may pass.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use futures_util::{SinkExt, Stream, StreamExt};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, CopyInSink, CopyOutStream, SimpleQueryMessage};

use super::quote::Sql;
use super::row::{Row, Rows, Sample};
use super::target::{Fenced, Target};
use crate::error::{Error, Result};

/// An open connection. Dropping it closes it; [`Session::close`] also waits for the end.
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
    version: ServerVersion,
    backend_pid: i32,
    shares_machine: bool,
    /// Masked form of the target, for messages.
    target: String,
    /// Its `application_name`.
    name: String,
    /// The one server that answered, to reach it again.
    origin: Box<Target>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("target", &self.target)
            .field("backend_pid", &self.backend_pid)
            .finish_non_exhaustive()
    }
}

/// `server_version_num` and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// As `server_version_num`: 150018 is 15.18.
    pub number: u32,
    /// As `server_version` shows it.
    pub text: String,
}

impl ServerVersion {
    /// The major version: 15 of 150018.
    pub fn major(&self) -> u32 {
        self.number / 10_000
    }
}

impl Session {
    /// Wraps a connected client; only `pg::connect` calls this.
    pub(super) async fn start(
        client: Client,
        driver: JoinHandle<()>,
        name: &str,
        target: String,
        origin: Target,
    ) -> Result<Self> {
        let mut session = Self {
            client,
            driver,
            version: ServerVersion {
                number: 0,
                text: String::new(),
            },
            backend_pid: 0,
            shares_machine: false,
            name: name.to_owned(),
            target,
            origin: Box::new(origin),
        };
        let row = session
            .query_one(&Sql::constant(include_str!("sql/identify.sql")))
            .await?;
        session.version = ServerVersion {
            number: row.number("version_number")?,
            text: row.string("version_text")?,
        };
        session.backend_pid = row.number("backend_pid")?;
        session.shares_machine = row.bool("shares_machine")?;
        Ok(session)
    }

    /// What the server says it is.
    pub fn version(&self) -> &ServerVersion {
        &self.version
    }

    /// The server process of this connection.
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// Whether the server seems to run on this machine, from the addresses of both ends. A guess that
    /// nothing but speed may depend on: there may be a proxy in between.
    pub fn shares_the_machine(&self) -> bool {
        self.shares_machine
    }

    /// The masked target, for messages.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The fence around the database, as far as whoever connected knew.
    pub fn fenced(&self) -> Option<&Fenced> {
        self.origin.fenced.as_ref()
    }

    /// Says that a fence was put up around the database, or taken down.
    pub fn set_fenced(&mut self, fenced: Option<Fenced>) {
        self.origin.fenced = fenced;
    }

    /// Whether a pooler in session mode is in between.
    pub fn is_pooled(&self) -> bool {
        self.origin.pooled
    }

    pub(super) fn set_pooled(&mut self, pooled: bool) {
        self.origin.pooled = pooled;
    }

    /// The server of this connection, as a target of its own.
    pub(super) fn origin(&self) -> &Target {
        &self.origin
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements and drops their results.
    pub async fn execute(&self, sql: &Sql) -> Result<()> {
        self.client
            .batch_execute(sql.text())
            .await
            .map_err(|error| self.failed(sql.text(), error))
    }

    /// `RESET ALL` that leaves the session its name: a pooler connects without one and sets it later.
    pub fn reset(&self) -> Sql {
        Sql::constant("RESET ALL; SET application_name = ").literal(&self.name)
    }

    /// Runs statements and returns the rows of all of them, in order.
    pub async fn query(&self, sql: &Sql) -> Result<Vec<Row>> {
        Ok(self.read(sql, Rows::default()).await?.finish())
    }

    /// Runs statements of an operator, whose answers may be of any size: keeps the first rows and counts the others.
    pub async fn query_first(&self, sql: &Sql, keep: usize) -> Result<Sample> {
        Ok(self.read(sql, Rows::first(keep)).await?.sample())
    }

    async fn read(&self, sql: &Sql, mut rows: Rows) -> Result<Rows> {
        let failed = |error| self.failed(sql.text(), error);
        let stream = self.client.simple_query_raw(sql.text()).await;
        let mut messages = std::pin::pin!(stream.map_err(failed)?);
        while let Some(message) = messages.next().await {
            match message.map_err(failed)? {
                SimpleQueryMessage::RowDescription(description) => {
                    rows.start(description.iter().map(|column| column.name().to_owned()));
                }
                SimpleQueryMessage::Row(row) => rows.add((0..row.len()).map(|at| row.get(at)))?,
                _ => {}
            }
        }
        Ok(rows)
    }

    /// Runs a query that returns exactly one row.
    pub async fn query_one(&self, sql: &Sql) -> Result<Row> {
        let mut rows = self.query(sql).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => Err(Error::operation(format!("query {}", self.target))
                .because("the server did not return exactly one row")),
        }
    }

    /// Starts `COPY … TO STDOUT`.
    pub async fn copy_out(&self, sql: &Sql) -> Result<CopyOut> {
        let stream = self
            .client
            .copy_out(sql.text())
            .await
            .map_err(|error| self.failed(sql.text(), error))?;
        Ok(CopyOut {
            stream: Box::pin(stream),
            begun: Vec::new(),
            what: self.target.clone(),
        })
    }

    /// Starts `COPY … FROM STDIN`; nothing counts until [`CopyIn::finish`].
    pub async fn copy_in(&self, sql: &Sql) -> Result<CopyIn> {
        let sink = self
            .client
            .copy_in(sql.text())
            .await
            .map_err(|error| self.failed(sql.text(), error))?;
        Ok(CopyIn {
            sink: Box::pin(sink),
            what: self.target.clone(),
        })
    }

    /// Closes the connection and waits until the server was told.
    pub async fn close(self) {
        if self.is_pooled() {
            self.end().await;
        }
        drop(self.client);
        // The driver ends by itself once the client is gone; a hanging network must not hold us.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), self.driver).await;
    }

    /// Ends the server's process: a pooler would keep it, without our name, and it would look like somebody else's session.
    async fn end(&self) {
        let end = Sql::constant(
            "ROLLBACK; SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())",
        );
        // That the server says goodbye is what is wanted.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), self.execute(&end)).await;
    }

    fn failed(&self, sql: &str, error: tokio_postgres::Error) -> Error {
        super::fault::server_error(&format!("run {} on {}", summary(sql), self.target), error)
    }
}

/// The first words of a statement, for messages.
fn summary(sql: &str) -> String {
    let line = sql
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("--"))
        .unwrap_or("a statement");
    match line.char_indices().nth(120) {
        Some((end, _)) => format!("`{} …`", &line[..end]),
        None => format!("`{line}`"),
    }
}

/// Bytes of the longest row: the server puts it together in one allocation, which it limits to 1 GiB.
const LONGEST_ROW: usize = 1 << 30;

/// Why [`CopyOut::rows`] stopped.
enum Paused {
    AtTheEnd,
    ByTheTaker,
    InALongRow,
}

/// Rows of a `COPY … TO STDOUT`.
pub struct CopyOut {
    stream: Pin<Box<CopyOutStream>>,
    /// The beginning of a row whose end has not come.
    begun: Vec<u8>,
    what: String,
}

impl CopyOut {
    /// Hands COPY text to `take`, some whole rows with their newlines at a time, until that breaks off;
    /// says whether there may be more. What has arrived costs no step of the runtime.
    pub async fn rows(&mut self, mut take: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<bool> {
        let (stream, begun) = (&mut self.stream, &mut self.begun);
        let ended = poll_fn(|cx| {
            loop {
                match std::task::ready!(stream.as_mut().poll_next(cx)) {
                    None => return Poll::Ready(Ok(Paused::AtTheEnd)),
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    Some(Ok(text)) if whole_rows(begun, &text, &mut take).is_break() => {
                        return Poll::Ready(Ok(Paused::ByTheTaker));
                    }
                    Some(Ok(_)) if begun.len() > LONGEST_ROW => {
                        return Poll::Ready(Ok(Paused::InALongRow));
                    }
                    Some(Ok(_)) => {}
                }
            }
        });
        match ended.await.map_err(|error| self.failed(error))? {
            Paused::ByTheTaker => Ok(true),
            Paused::AtTheEnd if self.begun.is_empty() => Ok(false),
            Paused::AtTheEnd => Err(self
                .attempted()
                .because("the server ended the data within a row")),
            Paused::InALongRow => Err(self
                .attempted()
                .because("a row of it does not end: no server sends one of more than 1 GiB")),
        }
    }

    fn failed(&self, error: tokio_postgres::Error) -> Error {
        super::fault::server_error(&format!("read COPY data from {}", self.what), error)
    }

    fn attempted(&self) -> Error {
        Error::operation(format!("read COPY data from {}", self.what))
    }
}

/// Hands on the whole rows of what has begun and `text`. Messages of the protocol need not end where
/// rows do, although those of today's servers do.
fn whole_rows(
    begun: &mut Vec<u8>,
    text: &[u8],
    take: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if begun.is_empty() && text.ends_with(b"\n") {
        return take(text);
    }
    // What has begun has no end yet: only what is new is searched.
    let before = begun.len();
    begun.extend_from_slice(text);
    let Some(newline) = memchr::memrchr(b'\n', text) else {
        return ControlFlow::Continue(());
    };
    let rest = begun.split_off(before + newline + 1);
    let rows = std::mem::replace(begun, rest);
    take(&rows)
}

/// A running `COPY … FROM STDIN`.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    what: String,
}

impl CopyIn {
    /// Sends COPY text; chunks need not end at a row's end.
    pub async fn send(&mut self, bytes: Bytes) -> Result<()> {
        let what = &self.what;
        self.sink.send(bytes).await.map_err(|error| {
            super::fault::server_error(&format!("send COPY data to {what}"), error)
        })
    }

    /// Ends the COPY and returns the number of rows that the server took.
    pub async fn finish(mut self) -> Result<u64> {
        let what = &self.what;
        self.sink
            .as_mut()
            .finish()
            .await
            .map_err(|error| super::fault::server_error(&format!("finish COPY to {what}"), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole_wherever_messages_end() {
        let (mut begun, mut taken) = (Vec::new(), Vec::new());
        for text in ["a\n", "b\nc\n", "d", "e", "\n", "f\ng", "h\n", "", "i"] {
            let flow = whole_rows(&mut begun, text.as_bytes(), &mut |rows| {
                taken.push(String::from_utf8(rows.to_vec()).unwrap());
                ControlFlow::Continue(())
            });
            assert!(flow.is_continue());
        }
        assert_eq!(taken, ["a\n", "b\nc\n", "de\n", "f\n", "gh\n"]);
        assert_eq!(begun, b"i");
    }
}
