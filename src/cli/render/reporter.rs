//! The library's monitor: turns events into items and hands them to stderr and the log file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bars::{Bars, terminal_width};
use super::harmless::harmless;
use super::items::{Item, Pace, Row, Summary};
use super::json;
use super::mask::Mask;
use super::paint::Painter;
use super::text::TextForm;
use crate::cli::args::LogFormat;
use crate::context::{Clock, Event, Monitor, Phase, Progress};
use crate::durable::LogFile;

/// Between two progress lines where there is no terminal.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// How the reporter behaves.
pub(crate) struct ReporterOptions {
    /// Text or JSON lines.
    pub format: LogFormat,
    /// Colours of stderr.
    pub painter: Painter,
    /// Whether stderr is a terminal that can redraw a line.
    pub terminal: bool,
    /// Only warnings, failures and the last line.
    pub quiet: bool,
    /// Progress at all.
    pub progress: bool,
    /// Prefix of the migration tool's lines.
    pub child_name: String,
    /// Copy of everything.
    pub log: Option<LogFile>,
}

/// Shows events; shared by all tasks.
pub(crate) struct Reporter {
    clock: Arc<dyn Clock>,
    run_id: String,
    mask: Mask,
    state: Mutex<State>,
}

/// What must change under one lock, so that lines of two tasks never mix.
struct State {
    options: ReporterOptions,
    bars: Bars,
    facts: Vec<Row>,
    open: Vec<Open>,
    seconds: BTreeMap<Phase, Duration>,
    last_progress: Option<Instant>,
}

/// A phase that runs.
struct Open {
    phase: Phase,
    started: Instant,
    progress: Option<Progress>,
}

impl Reporter {
    /// A reporter for this process.
    pub(crate) fn new(
        options: ReporterOptions,
        clock: Arc<dyn Clock>,
        run_id: String,
        mask: Mask,
    ) -> Self {
        Self {
            clock,
            run_id,
            mask,
            state: Mutex::new(State {
                options,
                bars: Bars::default(),
                facts: Vec::new(),
                open: Vec::new(),
                seconds: BTreeMap::new(),
                last_progress: None,
            }),
        }
    }

    /// Shows one item.
    pub(crate) fn show(&self, item: &Item) {
        let mut state = self.lock();
        self.flush_facts(&mut state);
        self.write(&mut state, item);
    }

    /// Shows the end and takes bars away.
    pub(crate) fn finish(&self, summary: Summary) {
        let mut state = self.lock();
        self.flush_facts(&mut state);
        state.bars.clear();
        self.write(&mut state, &Item::Summary(Box::new(summary)));
    }

    /// Time by phase, in the phases' order.
    pub(crate) fn seconds(&self) -> Vec<(Phase, Duration)> {
        self.lock().seconds.iter().map(|(p, d)| (*p, *d)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush_facts(&self, state: &mut State) {
        if !state.facts.is_empty() {
            let facts = std::mem::take(&mut state.facts);
            self.write(state, &Item::Facts(facts));
        }
    }

    fn write(&self, state: &mut State, item: &Item) {
        let at = self.clock.now();
        if let Some(mut log) = state.options.log.take() {
            for line in self.rendered(at, item, &log_form(&state.options), state.options.format) {
                // The log file is a copy: losing it must not stop a rollback.
                let _ = log.line(&line);
            }
            state.options.log = Some(log);
        }
        if !state.options.quiet || speaks_when_quiet(item) {
            let lines = self.rendered(at, item, &screen_form(&state.options), state.options.format);
            state.bars.print(&lines);
        }
    }

    fn rendered(
        &self,
        at: chrono::DateTime<chrono::Utc>,
        item: &Item,
        form: &TextForm,
        format: LogFormat,
    ) -> Vec<String> {
        match format {
            LogFormat::Json => vec![json::line(at, &self.run_id, item, &self.mask)],
            LogFormat::Text => {
                // The migration tool's own colours are not taken away.
                let colours = form.painter.is_on() || matches!(item, Item::Child { .. });
                form.lines(at, &self.run_id, item)
                    .iter()
                    .map(|line| self.mask.apply(&harmless(line, colours)).into_owned())
                    .collect()
            }
        }
    }

    fn progress(&self, state: &mut State, progress: Progress) {
        let Some(open) = state.open.last_mut() else {
            return;
        };
        let (phase, started) = (open.phase, open.started);
        open.progress = Some(progress.clone());
        if !state.options.progress || state.options.quiet {
            return;
        }
        let pace = Pace {
            progress,
            elapsed: started.elapsed(),
        };
        if state.options.terminal && state.options.format == LogFormat::Text {
            state.bars.show(phase, &pace, &self.mask);
            return;
        }
        let last = *state.last_progress.get_or_insert(started);
        if last.elapsed() >= PROGRESS_INTERVAL {
            state.last_progress = Some(Instant::now());
            self.write(state, &Item::Progress(phase, pace));
        }
    }

    fn ended(&self, state: &mut State, phase: Phase, elapsed: Duration) {
        let place = state.open.iter().rposition(|open| open.phase == phase);
        let progress = place.and_then(|place| state.open.remove(place).progress);
        state.last_progress = None;
        *state.seconds.entry(phase).or_default() += elapsed;
        state.bars.clear();
        self.write(state, &Item::Ended(phase, elapsed, progress));
    }
}

impl Monitor for Reporter {
    fn event(&self, event: Event) {
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Event::Fact { name, value } = event {
            state.facts.push(Row { name, value });
            return;
        }
        if let Event::Progress(progress) = event {
            self.progress(state, progress);
            return;
        }
        self.flush_facts(state);
        match event {
            Event::PhaseStarted(phase) => {
                state.open.push(Open {
                    phase,
                    started: Instant::now(),
                    progress: None,
                });
                self.write(state, &Item::Heading(phase));
            }
            Event::PhaseFinished { phase, elapsed } => self.ended(state, phase, elapsed),
            Event::Note(text) => self.write(state, &Item::Note(text)),
            Event::Warning(text) => self.write(state, &Item::Warning(text)),
            Event::ChildLine { stderr, line } => self.write(state, &Item::Child { stderr, line }),
            Event::Fact { .. } | Event::Progress(_) => {}
        }
    }
}

fn screen_form(options: &ReporterOptions) -> TextForm {
    TextForm {
        painter: options.painter,
        terminal: options.terminal,
        child_name: options.child_name.clone(),
        width: options.terminal.then(terminal_width).flatten(),
        quiet: options.quiet,
    }
}

fn log_form(options: &ReporterOptions) -> TextForm {
    TextForm {
        painter: Painter::PLAIN,
        terminal: false,
        child_name: options.child_name.clone(),
        width: None,
        quiet: false,
    }
}

fn speaks_when_quiet(item: &Item) -> bool {
    matches!(item, Item::Warning(_) | Item::Report(_) | Item::Summary(_))
}
