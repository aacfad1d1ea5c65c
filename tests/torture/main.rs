//! Torture: kills, errors, crashes and cuts at every fault point and at random times; afterwards the database is what it was
//! before or after, or the journal says in doubt (P6, docs/states.md). `scripts/torture` runs it by hand, `scripts/test` with a short
//! budget.
//!
//! Case number N of seed S is always the same case: `--seed S --case N` repeats it and shows everything.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unused_macros,
    unused_imports,
    reason = "tests spawn programs, write files and fail by panicking; the support has more than is needed here"
)]

#[path = "../it/support/mod.rs"]
#[macro_use]
mod support;

mod case;
mod event;
mod ledger;
mod place;
mod plan;
mod proxy;
mod random;
mod scenario;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use case::{Case, Report};
use event::{Event, Harm, Where};
use ledger::Ledger;
use place::Place;
use plan::Plan;
use random::Random;
use scenario::SCENARIOS;

/// What `scripts/test` tries.
const SHORT_BUDGET: Duration = Duration::from_secs(75);
const SHORT_SEED: u64 = 1;
/// Unknown states that are shown whole.
const SHOWN: usize = 5;

struct Settings {
    seed: u64,
    budget: Duration,
    major: u32,
    workers: usize,
    only: Option<u64>,
    /// Whether there are harms at random times, too. `scripts/test` harms at points only: what fails there fails again.
    times: bool,
}

fn main() -> ExitCode {
    let Some(settings) = settings() else {
        return ExitCode::SUCCESS;
    };
    println!(
        "torture: seed {}, budget {} s, PostgreSQL {}",
        settings.seed,
        settings.budget.as_secs(),
        settings.major
    );
    let begun = Instant::now();
    // An unknown state is a panic of its case, and is told at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let ledger = torture(&settings, begun);
    for unknown in ledger.unknown.iter().take(SHOWN) {
        println!("UNKNOWN STATE: {unknown}\n");
    }
    let line = format!(
        "torture: seed {}, {} s, PostgreSQL {}: {}",
        settings.seed,
        begun.elapsed().as_secs(),
        settings.major,
        ledger.line()
    );
    let unharmed = ledger.unharmed();
    if settings.only.is_none() && !unharmed.is_empty() {
        println!("torture: passed and not harmed: {}", unharmed.join(", "));
    }
    println!("{line}");
    support::note_figure(&line);
    ExitCode::from(u8::from(!ledger.unknown.is_empty() || ledger.cases == 0))
}

/// None if the caller of the tests wants others only, or has no server.
fn settings() -> Option<Settings> {
    let mut settings = Settings {
        seed: SHORT_SEED,
        budget: SHORT_BUDGET,
        major: 15,
        workers: 2,
        only: None,
        times: false,
    };
    let mut arguments = std::env::args().skip(1);
    let mut wanted = true;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .expect("a value")
                .parse::<u64>()
                .expect("a number")
        };
        match argument.as_str() {
            "--seed" => settings.seed = value(),
            "--budget" => settings.budget = Duration::from_secs(value()),
            "--server" => settings.major = u32::try_from(value()).expect("a major"),
            "--workers" => settings.workers = usize::try_from(value()).expect("a count"),
            "--times" => settings.times = true,
            "--case" => settings.only = Some(value()),
            // Options and filters of the other test programs.
            option if option.starts_with('-') => {}
            filter => wanted = "torture".contains(filter),
        }
    }
    (wanted && support::Server::of_major(settings.major).is_some()).then_some(settings)
}

fn torture(settings: &Settings, begun: Instant) -> Ledger {
    let ledger = Mutex::new(Ledger::default());
    let places: Vec<Place> = (0..settings.workers.max(1))
        .map(|_| Place::new(settings.major))
        .collect();
    if !places.iter().all(Place::has_small_disk) {
        println!(
            "torture: NOT TRIED: a store that is full or read-only; this user may not mount one"
        );
    }
    let places = Mutex::new(places);
    let plan = find(settings, &places, &ledger);
    println!(
        "torture: {} different pairs of scenario and passing of a point",
        plan.size()
    );
    ledger.lock().expect("the ledger").known = plan.points();
    let numbers = AtomicU64::new(settings.only.unwrap_or(0));
    in_every_place(&places, |place| {
        while begun.elapsed() < settings.budget {
            let number = numbers.fetch_add(1, Ordering::SeqCst);
            if settings.only.is_some_and(|only| only != number) {
                break;
            }
            play(settings, number, &plan, place, &ledger);
        }
    });
    ledger.into_inner().expect("the ledger")
}

/// Does it in all places at once.
fn in_every_place(places: &Mutex<Vec<Place>>, act: impl Fn(&mut Place) + Sync) {
    let mut places = places.lock().expect("the places");
    std::thread::scope(|scope| {
        for place in places.iter_mut() {
            scope.spawn(|| act(place));
        }
    });
}

/// Runs every scenario without harm, and again with a kill after its migration: what runs and recoveries pass can be harmed.
fn find(settings: &Settings, places: &Mutex<Vec<Place>>, ledger: &Mutex<Ledger>) -> Plan {
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Vec::new(), Vec::new()));
    in_every_place(places, |place| {
        while let Some(scenario) = SCENARIOS.get(next.fetch_add(1, Ordering::SeqCst)) {
            for event in [None, Some(killed_after_its_migration())] {
                let case = Case {
                    scenario,
                    event,
                    again: Vec::new(),
                    discard: true,
                };
                let random = &mut Random::new(0);
                let Some(report) = attempt(&case, "to look", place, random, ledger) else {
                    continue;
                };
                let mut found = found.lock().expect("what was found");
                match case.event {
                    None => found.0.push((scenario, report.passed)),
                    Some(_) => found.1.push((scenario, report.passed_recovering)),
                }
            }
        }
    });
    let (passed, recovering) = found.into_inner().expect("what was found");
    Plan::of(passed, recovering, settings.seed, settings.times)
}

fn killed_after_its_migration() -> Event {
    Event {
        harm: Harm::Kill,
        place: Where::Point("journal-migrate-outcome-after".to_owned(), 1),
    }
}

fn play(settings: &Settings, number: u64, plan: &Plan, place: &mut Place, ledger: &Mutex<Ledger>) {
    let mut random = Random::new(settings.seed.wrapping_mul(1_000_003).wrapping_add(number));
    let case = plan.case(number, &mut random, place.has_small_disk());
    attempt(&case, &format!("case {number}"), place, &mut random, ledger);
}

/// Plays a case and takes it down; none if it ended in an unknown state.
fn attempt(
    case: &Case,
    name: &str,
    place: &mut Place,
    random: &mut Random,
    ledger: &Mutex<Ledger>,
) -> Option<Report> {
    let begun = Instant::now();
    let played = catch_unwind(AssertUnwindSafe(|| case::play(case, place, random)));
    let mut ledger = ledger.lock().expect("the ledger");
    let report = played.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        ledger
            .unknown
            .push(format!("{name}, {case}: {}", text.unwrap_or_default()));
    });
    if let Ok(report) = &report {
        ledger.take(case, report);
    }
    if std::env::var_os("PGBELAY_TORTURE_TELL").is_some() {
        let fate = report
            .as_ref()
            .map(|report| (report.fate, report.struck, report.struck_again.clone()));
        println!(
            "{name}: {case}; {fate:?} in {:.1} s; {} unknown so far",
            begun.elapsed().as_secs_f64(),
            ledger.unknown.len()
        );
    }
    report.ok()
}
