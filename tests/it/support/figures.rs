//! What tests count themselves: lines for the summary that `scripts/test` prints at its end.

use std::io::Write;

/// Appends a line to the file that `PGBELAY_TEST_FIGURES` names, if it names one.
pub fn note_figure(line: &str) {
    let Some(path) = std::env::var_os("PGBELAY_TEST_FIGURES") else {
        return;
    };
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a file of figures");
    // In one write: several test processes add to it.
    file.write_all(format!("{line}\n").as_bytes())
        .expect("a figure is written");
}
