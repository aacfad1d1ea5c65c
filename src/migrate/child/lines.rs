//! Bytes of a pipe → lines that are safe to show: bounded, lossy, free of control characters.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::mask::Mask;

/// What is kept of one line, in bytes; a child that prints a whole file on one line must neither
/// fill our memory nor the log.
const LINE_LIMIT: usize = 8 * 1024;
const READ_SIZE: usize = 16 * 1024;

/// One line as it came, not yet masked.
#[derive(Debug, Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// Bytes that did not fit.
    dropped: usize,
}

impl Line {
    /// The line without secrets, escape sequences and other control characters.
    pub(super) fn readable(&self, mask: &Mask) -> String {
        let mut text = mask.apply(&without_controls(&String::from_utf8_lossy(&self.bytes)));
        if self.dropped > 0 {
            // A secret that the limit cut in two is not masked; it can only stand at the end.
            let end = text.len().saturating_sub(mask.longest() + 4);
            text.truncate(char_boundary(&text, end.min(LINE_LIMIT)));
            text.push_str(" … (line cut)");
        }
        text
    }
}

/// The last character boundary not after `index`.
fn char_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

/// Splits at newlines and carriage returns (bars redraw themselves with the latter).
pub(super) struct LineReader<R> {
    pipe: R,
    buffer: Vec<u8>,
    position: usize,
    limit: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Reads `pipe`; `margin` is the length of the longest secret.
    pub(super) fn new(pipe: R, margin: usize) -> Self {
        Self {
            pipe,
            buffer: Vec::new(),
            position: 0,
            limit: LINE_LIMIT + margin,
            ended: false,
        }
    }

    /// The next line that is not empty by redrawing; `None` at the end or when the pipe breaks.
    pub(super) async fn next(&mut self) -> Option<Line> {
        let mut line = Line::default();
        let mut begun = false;
        loop {
            if self.position == self.buffer.len() && !self.fill().await {
                return begun.then_some(line);
            }
            let rest = &self.buffer[self.position..];
            let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
            let piece = &rest[..end.unwrap_or(rest.len())];
            begun |= !piece.is_empty();
            keep(&mut line, piece, self.limit);
            self.position += piece.len();
            let Some(_) = end else { continue };
            let newline = self.buffer.get(self.position) == Some(&b'\n');
            self.position += 1;
            // "\r\n" is one end, and a bare "\r" before anything was drawn shows nothing.
            if begun || (newline && !self.follows_return()) {
                return Some(line);
            }
        }
    }

    fn follows_return(&self) -> bool {
        self.position >= 2 && self.buffer.get(self.position - 2) == Some(&b'\r')
    }

    async fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.buffer.resize(READ_SIZE, 0);
        let got = self.pipe.read(&mut self.buffer).await.unwrap_or(0);
        self.buffer.truncate(got);
        self.position = 0;
        self.ended = got == 0;
        !self.ended
    }
}

fn keep(line: &mut Line, piece: &[u8], limit: usize) {
    let room = limit.saturating_sub(line.bytes.len()).min(piece.len());
    line.bytes.extend_from_slice(&piece[..room]);
    line.dropped += piece.len() - room;
}

/// Drops terminal escape sequences and replaces other control characters: a log is no terminal.
fn without_controls(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\t' => clean.push('\t'),
            c if c.is_control() => clean.push('\u{fffd}'),
            c => clean.push(c),
        }
    }
    clean
}

fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let Some(kind) = characters.next_if(|c| ('@'..='_').contains(c)) else {
        return;
    };
    match kind {
        '[' => while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        ']' => while characters.next().is_some_and(|c| c != '\u{7}' && c != '\\') {},
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::Secret;

    async fn lines(bytes: &[u8], mask: &Mask) -> Vec<String> {
        let mut reader = LineReader::new(bytes, mask.longest());
        let mut found = Vec::new();
        while let Some(line) = reader.next().await {
            found.push(line.readable(mask));
        }
        found
    }

    #[tokio::test]
    async fn splits_and_cleans() {
        let none = Mask::new(&[]);
        assert_eq!(lines(b"a\r\nb\n\nc", &none).await, ["a", "b", "", "c"]);
        assert_eq!(lines(b"10%\r20%\r\n", &none).await, ["10%", "20%"]);
        assert_eq!(
            lines(b"\x1b[31mred\x1b[0m \xff\x07", &none).await,
            ["red \u{fffd}\u{fffd}"]
        );
    }

    #[tokio::test]
    async fn long_lines_are_cut_and_never_show_half_a_secret() {
        let mask = Mask::new(&[Secret::new("Geheimnis-4711")]);
        for at in LINE_LIMIT - 20..LINE_LIMIT + 40 {
            let text = format!("{}Geheimnis-4711{}", "x".repeat(at), "y".repeat(40_000));
            let shown = lines(text.as_bytes(), &mask).await.remove(0);
            assert!(!shown.contains("Gehe"), "{at}");
            assert!(shown.len() < LINE_LIMIT + 60, "{at}");
        }
    }
}
