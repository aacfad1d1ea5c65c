//! Bytes to stdout and stderr. A reader that went away (`pgbelay list | head -1`) is no failure.

use std::io::{self, ErrorKind, IsTerminal, Write};

use super::harmless::harmless;
use crate::error::{Attempt, Result};

/// Writes data to stdout: as it is into a file or a pipe, harmless on a terminal.
pub(crate) fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let shown;
    let bytes = if stdout.is_terminal() {
        shown = harmless(&String::from_utf8_lossy(bytes), false).into_owned();
        shown.as_bytes()
    } else {
        bytes
    };
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.attempt(|| "write to standard output".to_owned()),
    }
}

/// Writes a line to stderr; nobody can be told when that fails, and the work goes on.
pub(crate) fn write_stderr(line: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{line}");
}
