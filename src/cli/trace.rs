//! Debug detail (`-v`): tracing's lines, through the same mask and log file as everything else.

use std::io;
use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::render::{Item, Reporter};

/// Installs the subscriber for `-v` (our debug lines) and `-vv` (every statement as well).
pub(crate) fn install(verbose: u8, reporter: &Arc<Reporter>) {
    if verbose == 0 {
        return;
    }
    let targets = match verbose {
        1 => Targets::new().with_target("pgbelay", LevelFilter::DEBUG),
        _ => Targets::new()
            .with_target("pgbelay", LevelFilter::TRACE)
            .with_target("tokio_postgres", LevelFilter::DEBUG),
    };
    let lines = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(Lines(Arc::clone(reporter)));
    // A second subscriber in the same process (tests) is no reason to fail.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
}

/// Hands each formatted event to the reporter.
struct Lines(Arc<Reporter>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            reporter: Arc::clone(&self.0),
        }
    }
}

/// One event being written; tracing writes it in one piece.
struct Line {
    reporter: Arc<Reporter>,
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).trim().to_owned();
        self.reporter.show(&Item::Debug(text));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
