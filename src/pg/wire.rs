//! Between the socket and tokio-postgres: large reads, and rows of a COPY joined.
//!
//! The server sends a message for each row, in packets of 8 KiB, and tokio-postgres hands on what
//! one read of 8 KiB brought. With millions of rows that is what a client spends its time on. The
//! boundaries of CopyData messages mean nothing (PostgreSQL documentation, "Message Flow", COPY
//! operations), so consecutive ones are handed on as one of up to [`JOINED`] bytes, read with
//! [`INPUT`] bytes of room.
//!
//! Every other message passes as it is, and in order; so does what makes no sense, for
//! tokio-postgres to complain about. Rows wait for more rows only while nothing else has arrived: a
//! COPY ends with a message or with the connection, so nothing waits for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Room of one read.
const INPUT: usize = 64 << 10;

/// Bytes of the longest joined message; below what tokio-postgres's buffer grows to in one step.
const JOINED: usize = 56 << 10;

/// Rows of so many bytes do not wait for more.
const ENOUGH: usize = 32 << 10;

/// The tag of CopyData.
const COPY_DATA: u8 = b'd';

/// A message's tag and its length, which counts itself but not the tag.
const HEADER: usize = 5;

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The one byte that answers SSLRequest.
    Answer,
    /// A message.
    Message,
    /// So many bytes of a message that has begun.
    Body(usize),
    /// Nothing that is understood here: TLS, or nonsense.
    Opaque,
}

/// A stream of the server's messages in which rows are joined.
#[derive(Debug)]
pub(super) struct Wire<S> {
    inner: S,
    joiner: Joiner,
    /// The server has closed.
    ended: bool,
}

impl<S> Wire<S> {
    /// Messages from the first byte on.
    pub(super) fn of_messages(inner: S) -> Self {
        Self::starting_with(inner, Next::Message)
    }

    /// The answer to SSLRequest, then messages, or TLS, which passes untouched.
    pub(super) fn of_answer(inner: S) -> Self {
        Self::starting_with(inner, Next::Answer)
    }

    /// TLS from the first byte on, which passes untouched.
    pub(super) fn of_tls(inner: S) -> Self {
        Self::starting_with(inner, Next::Opaque)
    }

    fn starting_with(inner: S, next: Next) -> Self {
        Self {
            inner,
            joiner: Joiner::new(next),
            ended: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if wire.joiner.is_opaque() {
            return Pin::new(&mut wire.inner).poll_read(context, buffer);
        }
        while !wire.ended && !wire.joiner.has_enough() {
            let mut room = ReadBuf::new(wire.joiner.room());
            ready!(Pin::new(&mut wire.inner).poll_read(context, &mut room))?;
            let length = room.filled().len();
            wire.joiner.take(length);
            wire.ended = length == 0;
        }
        if wire.ended {
            wire.joiner.end();
        }
        wire.joiner.give(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// What has been read, and what is handed on of it.
#[derive(Debug)]
struct Joiner {
    next: Next,
    /// As read; the first `held` bytes are the beginning of something.
    input: Box<[u8]>,
    held: usize,
    /// To hand on; what stands before `given` is handed on already.
    output: Vec<u8>,
    given: usize,
    /// Where in the output a joined message begins that may still grow.
    open: Option<usize>,
}

impl Joiner {
    fn new(next: Next) -> Self {
        let room = if next == Next::Opaque { 0 } else { INPUT };
        Self {
            next,
            input: vec![0; room].into_boxed_slice(),
            held: 0,
            output: Vec::new(),
            given: 0,
            open: None,
        }
    }

    /// Whether bytes may pass by, because nothing is held and nothing will be understood.
    fn is_opaque(&self) -> bool {
        self.next == Next::Opaque && self.given == self.output.len()
    }

    /// Where to read to; never empty, because no more than part of a short message is held.
    fn room(&mut self) -> &mut [u8] {
        &mut self.input[self.held..]
    }

    /// Whether what is there should be handed on before more is read.
    fn has_enough(&self) -> bool {
        self.has_some() || self.output.len() - self.given >= ENOUGH
    }

    /// Whether there is something that need not wait.
    fn has_some(&self) -> bool {
        self.open.unwrap_or(self.output.len()) > self.given
    }

    /// Takes `length` bytes that were read into the room.
    fn take(&mut self, length: usize) {
        let input = std::mem::take(&mut self.input);
        let all = self.held + length;
        let mut rest = &input[..all];
        while let Some(left) = self.step(rest) {
            rest = left;
        }
        let from = all - rest.len();
        self.input = input;
        self.input.copy_within(from..all, 0);
        self.held = all - from;
    }

    /// Takes the first thing that can be taken; what is left, or nothing if more must be read first.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match self.next {
            _ if bytes.is_empty() => None,
            Next::Answer => {
                let refused = bytes.first() != Some(&b'S');
                self.next = if refused { Next::Message } else { Next::Opaque };
                self.output.extend_from_slice(&bytes[..1]);
                Some(&bytes[1..])
            }
            Next::Message => self.message(bytes),
            Next::Body(left) => {
                let (now, rest) = bytes.split_at(left.min(bytes.len()));
                self.output.extend_from_slice(now);
                self.next = match left - now.len() {
                    0 => Next::Message,
                    left => Next::Body(left),
                };
                Some(rest)
            }
            Next::Opaque => {
                self.output.extend_from_slice(bytes);
                Some(&[])
            }
        }
    }

    fn message<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let [tag, length @ ..] = *header;
        let length = u32::from_be_bytes(length);
        let Some(body) = usize::try_from(length).ok().and_then(|n| n.checked_sub(4)) else {
            self.close();
            self.next = Next::Opaque;
            return Some(bytes);
        };
        if tag == COPY_DATA && HEADER + body <= JOINED {
            let rows = rest.get(..body)?;
            self.join(rows);
            return Some(&rest[body..]);
        }
        self.close();
        self.output.extend_from_slice(header);
        self.next = Next::Body(body);
        if body == 0 {
            self.next = Next::Message;
        }
        Some(rest)
    }

    /// Adds rows to the open message, or opens one.
    fn join(&mut self, rows: &[u8]) {
        let full = |open: usize| self.output.len() - open + rows.len() > JOINED;
        if self.open.is_some_and(full) {
            self.close();
        }
        if self.open.is_none() {
            self.open = Some(self.output.len());
            self.output.extend_from_slice(&[COPY_DATA, 0, 0, 0, 0]);
        }
        self.output.extend_from_slice(rows);
    }

    /// Ends the open message, if there is one: writes its length.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        // At most JOINED, so it fits.
        let length = u32::try_from(self.output.len() - open - 1).unwrap_or(u32::MAX);
        self.output[open + 1..open + HEADER].copy_from_slice(&length.to_be_bytes());
    }

    /// No more will come: what is held is handed on as it is.
    fn end(&mut self) {
        self.close();
        let held = std::mem::take(&mut self.held);
        self.output.extend_from_slice(&self.input[..held]);
    }

    /// Hands on as much as fits.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        if !self.has_some() {
            self.close();
        }
        let end = self.open.unwrap_or(self.output.len());
        let now = buffer.remaining().min(end - self.given);
        buffer.put_slice(&self.output[self.given..self.given + now]);
        self.given += now;
        if self.given == self.output.len() {
            self.output.clear();
            self.given = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag][..], &length, body].concat()
    }

    /// A server that sends each piece for itself; between two of them nothing can be read.
    async fn handed_on(next: Next, pieces: Vec<Vec<u8>>) -> Vec<u8> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let sent = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            for piece in pieces {
                theirs.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut wire = Wire::starting_with(ours, next);
        let mut all = Vec::new();
        wire.read_to_end(&mut all).await.unwrap();
        sent.await.unwrap();
        all
    }

    /// Tag and body of each message; what is no whole message at the end has the tag `?`.
    fn messages(mut bytes: &[u8]) -> Vec<(char, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
            let [tag, length @ ..] = *header;
            let body = u32::from_be_bytes(length) as usize - 4;
            if rest.len() < body {
                break;
            }
            found.push((char::from(tag), rest[..body].to_vec()));
            bytes = &rest[body..];
        }
        if !bytes.is_empty() {
            found.push(('?', bytes.to_vec()));
        }
        found
    }

    /// What a COPY of rows of many sizes sends, and the rows' bytes.
    fn copy(count: usize) -> (Vec<u8>, Vec<u8>) {
        let mut sent = [message(b'2', b""), message(b'H', &[0, 0, 1, 0, 0])].concat();
        let mut rows = Vec::new();
        for n in 0..count {
            let size = [0, 1, 7, 100, 500, 9_000, JOINED - HEADER, JOINED, 200_000];
            let size = size[if n % 100 == 0 { n / 100 % 9 } else { n % 5 }];
            let row = vec![u8::try_from(n % 251).unwrap(); size];
            sent.extend(message(COPY_DATA, &row));
            rows.extend(row);
        }
        sent.extend(message(b'c', b""));
        sent.extend(message(b'Z', b"I"));
        (sent, rows)
    }

    #[tokio::test]
    async fn rows_are_joined_and_nothing_else_changes() {
        for (piece, count) in [
            (1, 101),
            (3, 101),
            (4, 301),
            (5, 301),
            (6, 301),
            (1000, 901),
            (8192, 3000),
            (INPUT, 3000),
            (1 << 20, 3000),
        ] {
            let (sent, rows) = copy(count);
            let pieces = sent.chunks(piece).map(<[u8]>::to_vec).collect();
            let got = messages(&handed_on(Next::Message, pieces).await);
            let tags: String = got.iter().map(|(tag, _)| *tag).collect();
            let joined = tags.matches('d').count();
            assert_eq!(tags.replace('d', ""), "2HcZ", "in pieces of {piece}");
            assert!(tags.starts_with("2Hd") && tags.ends_with("dcZ"));
            assert!(
                joined <= 8 + count / 8,
                "{joined} messages in pieces of {piece}"
            );
            let data: Vec<_> = got.iter().filter(|(tag, _)| *tag == 'd').collect();
            assert_eq!(
                data.iter()
                    .map(|(_, body)| body.clone())
                    .collect::<Vec<_>>()
                    .concat(),
                rows
            );
        }
    }

    #[tokio::test]
    async fn a_cut_connection_hands_on_what_came() {
        let (sent, _) = copy(3000);
        for length in [0, 1, 5, 6, 20, 21, 22, 30, 300, 60_000, 900_000] {
            let pieces = vec![sent[..length].to_vec()];
            let got = messages(&handed_on(Next::Message, pieces).await);
            let whole = messages(&sent[..length]);
            let bytes = |all: &[(char, Vec<u8>)]| -> Vec<u8> {
                let data = all.iter().filter(|(tag, _)| *tag == 'd');
                data.flat_map(|(_, body)| body.clone()).collect()
            };
            assert_eq!(bytes(&got), bytes(&whole), "of {length} bytes");
            let last = |all: &[(char, Vec<u8>)]| all.last().cloned().filter(|(tag, _)| *tag == '?');
            assert_eq!(last(&got), last(&whole), "of {length} bytes");
        }
    }

    #[tokio::test]
    async fn what_is_no_message_passes_untouched() {
        let tls: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let answer = [&b"S"[..], &tls].concat();
        assert_eq!(handed_on(Next::Answer, vec![answer.clone()]).await, answer);
        assert_eq!(handed_on(Next::Opaque, vec![tls.clone()]).await, tls);
        // Lengths below four are no lengths.
        let lie = [
            &message(COPY_DATA, b"a\n")[..],
            &[COPY_DATA, 0, 0, 0, 3],
            &tls,
        ]
        .concat();
        assert_eq!(handed_on(Next::Message, vec![lie.clone()]).await, lie);
        let refused = [&b"N"[..], &message(b'R', &[0; 4])].concat();
        assert_eq!(
            handed_on(Next::Answer, vec![refused.clone()]).await,
            refused
        );
    }

    #[tokio::test]
    async fn what_came_before_rows_does_not_wait_for_them() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut wire = Wire::of_messages(ours);
        let start = [message(b'H', &[0; 3]), message(COPY_DATA, b"1\n")].concat();
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &start)
            .await
            .unwrap();
        let mut head = [0; 8];
        wire.read_exact(&mut head).await.unwrap();
        assert_eq!(head[0], b'H');
        let ended = message(b'c', b"");
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &ended)
            .await
            .unwrap();
        let mut rest = [0; 12];
        wire.read_exact(&mut rest).await.unwrap();
        assert_eq!(messages(&rest).len(), 2);
    }
}
