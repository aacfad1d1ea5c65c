//! The bar on a terminal: one line that is redrawn, cleared when its phase ends.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::harmless::harmless;
use super::items::Pace;
use super::output::write_stderr;
use crate::context::Phase;

const STEPS: u64 = 1000;

/// At most one bar, of the open phase.
#[derive(Default)]
pub(crate) struct Bars {
    bar: Option<(Phase, ProgressBar)>,
}

impl Bars {
    /// Shows progress.
    pub(crate) fn show(&mut self, phase: Phase, pace: &Pace, mask: &super::Mask) {
        if self.bar.as_ref().is_none_or(|(open, _)| *open != phase) {
            self.clear();
            self.bar = Some((phase, new_bar(phase)));
        }
        let Some((_, bar)) = &self.bar else { return };
        let (done, total) = pace.done_of_total().unwrap_or((0, 1));
        let step = u128::from(done) * u128::from(STEPS) / u128::from(total.max(1));
        bar.set_position(u64::try_from(step).unwrap_or(STEPS));
        bar.set_message(mask.apply(&harmless(&pace.text(), false)).into_owned());
    }

    /// Prints lines above the bar.
    pub(crate) fn print(&self, lines: &[String]) {
        let print = || lines.iter().for_each(|line| write_stderr(line));
        match &self.bar {
            Some((_, bar)) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Columns of the terminal behind stderr, now.
pub(super) fn terminal_width() -> Option<usize> {
    let (_, columns) = console::Term::stderr().size_checked()?;
    Some(usize::from(columns))
}

fn new_bar(phase: Phase) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr_with_hz(8));
    let template = "          {prefix} [{bar:24}] {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(phase.title());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
