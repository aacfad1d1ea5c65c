//! The figures of a torture.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, Fate, Report};
use crate::event::{Event, Harm, Where};

/// What was done and how it ended.
#[derive(Debug, Default)]
pub struct Ledger {
    pub cases: usize,
    missed: usize,
    harms: BTreeMap<&'static str, usize>,
    fates: BTreeMap<Fate, usize>,
    points: BTreeSet<String>,
    /// What can be harmed.
    pub known: BTreeSet<String>,
    pub unknown: Vec<String>,
}

const NAMES: [&str; 10] = [
    "kills at points",
    "kills at random times",
    "kills of recoveries",
    "errors at points",
    "server crashes",
    "sessions terminated",
    "cuts",
    "stalls",
    "half-closes",
    "store faults",
];

impl Ledger {
    pub fn take(&mut self, case: &Case, report: &Report) {
        self.cases += 1;
        *self.fates.entry(report.fate).or_default() += 1;
        match &case.event {
            Some(event) if report.struck => self.note(event, false),
            Some(_) => self.missed += 1,
            None => {}
        }
        for (event, struck) in case.again.iter().zip(&report.struck_again) {
            if *struck {
                self.note(event, true);
            }
        }
    }

    fn note(&mut self, event: &Event, recovering: bool) {
        let name = match (event.harm, &event.place) {
            (Harm::Kill, _) if recovering => "kills of recoveries",
            (Harm::Kill, Where::Point(..)) => "kills at points",
            (Harm::Kill, Where::After(_)) => "kills at random times",
            (Harm::Error, _) => "errors at points",
            (Harm::ServerCrash, _) => "server crashes",
            (Harm::Terminate, _) => "sessions terminated",
            (Harm::Cut, _) => "cuts",
            (Harm::Stall, _) => "stalls",
            (Harm::HalfClose, _) => "half-closes",
            (Harm::StoreFull | Harm::StoreGone | Harm::StoreReadOnly, _) => "store faults",
            (Harm::ClockBack | Harm::ClockAhead, _) => "clocks moved",
        };
        *self.harms.entry(name).or_default() += 1;
        if let Where::Point(point, _) = &event.place {
            self.points.insert(point.clone());
        }
    }

    /// Points that something passes and that nothing harmed.
    pub fn unharmed(&self) -> Vec<&str> {
        let unharmed = self.known.difference(&self.points);
        unharmed.map(String::as_str).collect()
    }

    /// One line.
    pub fn line(&self) -> String {
        let names = NAMES.iter().chain(["clocks moved"].iter());
        let harms: Vec<String> = names
            .map(|name| format!("{name} {}", self.harms.get(name).unwrap_or(&0)))
            .collect();
        let fate = |fate| self.fates.get(&fate).unwrap_or(&0);
        format!(
            "{} cases, {} of {} points that are passed; {}; {} came too late; ended: before {}, after {}, in doubt with exit 7 {}, withheld with exit 6 {}, unknown {}",
            self.cases,
            self.points.len(),
            self.known.len(),
            harms.join(", "),
            self.missed,
            fate(Fate::Before),
            fate(Fate::After),
            fate(Fate::InDoubt),
            fate(Fate::Withheld),
            self.unknown.len(),
        )
    }
}
