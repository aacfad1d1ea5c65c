//! Which cases there are: the points that each scenario passes, each to be killed and erred at, and everything else at random.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::case::Case;
use crate::event::{Event, Harm, Where};
use crate::random::Random;
use crate::scenario::{SCENARIOS, Scenario};

/// Harms in turn; kills and errors at points are what most of the list is for.
const TURNS: [Turn; 20] = {
    use Harm::{
        ClockAhead, ClockBack, Cut, Error, HalfClose, Kill, ServerCrash, Stall, StoreFull,
        StoreGone, StoreReadOnly, Terminate,
    };
    [
        Turn::Sweep(Kill),
        Turn::Sweep(Error),
        Turn::Sweep(Kill),
        Turn::Random(Kill),
        Turn::Either(ServerCrash),
        Turn::Sweep(Kill),
        Turn::Either(Cut),
        Turn::Sweep(Error),
        Turn::Sweep(Kill),
        Turn::Either(Terminate),
        Turn::Sweep(Kill),
        Turn::Random(Kill),
        Turn::Either(HalfClose),
        Turn::Sweep(Kill),
        Turn::Either(Stall),
        Turn::Sweep(Kill),
        Turn::Either(ServerCrash),
        Turn::Either(StoreFull),
        Turn::Either(Cut),
        Turn::Store([StoreGone, StoreReadOnly, ClockBack, ClockAhead]),
    ]
};

enum Turn {
    /// The next pair of scenario and point.
    Sweep(Harm),
    /// At a random time.
    Random(Harm),
    /// At a point or at a random time.
    Either(Harm),
    /// One of them.
    Store([Harm; 4]),
}

/// Random times are within this: somewhat longer than most runs take.
const HARMED_WITHIN: Duration = Duration::from_millis(2500);

/// Microseconds that a recovery takes, about.
const RECOVERED_WITHIN: usize = 800_000;

/// One thing to be harmed: a point of a scenario.
type Target = (&'static Scenario, String, u32);

/// Points that a run passed, with how often.
pub type Passed = BTreeMap<String, u32>;

/// What the runs without harm passed.
#[derive(Debug)]
pub struct Plan {
    targets: Vec<Target>,
    /// Whether there are harms at random times.
    times: bool,
    /// Points that recoveries pass, by the scenario's name.
    recovering: BTreeMap<&'static str, Vec<(String, u32)>>,
}

impl Plan {
    /// Of what the runs without harm passed, by scenario, and what recoveries did.
    pub fn of(
        mut passed: Vec<(&'static Scenario, Passed)>,
        recovering: Vec<(&'static Scenario, Passed)>,
        seed: u64,
        times: bool,
    ) -> Self {
        passed.sort_by_key(|(scenario, _)| scenario.name);
        let mut targets = Vec::new();
        for (scenario, points) in passed {
            for (point, count) in points {
                let passings = some_of(count).into_iter();
                targets.extend(passings.map(|passing| (scenario, point.clone(), passing)));
            }
        }
        Random::new(seed).shuffle(&mut targets);
        // Each point once before any comes again.
        let mut seen = BTreeSet::new();
        let (first, again): (Vec<Target>, Vec<Target>) = targets
            .into_iter()
            .partition(|(_, point, _)| seen.insert(point.clone()));
        Self {
            targets: first.into_iter().chain(again).collect(),
            times,
            recovering: recovering
                .into_iter()
                .map(|(scenario, points)| (scenario.name, points.into_iter().collect()))
                .collect(),
        }
    }

    /// Points that a run or a recovery passes.
    pub fn points(&self) -> BTreeSet<String> {
        let of_runs = self.targets.iter().map(|(_, point, _)| point.clone());
        let of_recoveries = self.recovering.values().flatten();
        let of_recoveries = of_recoveries.map(|(point, _)| point.clone());
        of_runs.chain(of_recoveries).collect()
    }

    /// How many pairs of scenario and passing of a point there are.
    pub fn size(&self) -> usize {
        self.targets.len()
    }

    /// Case number N; the same for the same random numbers.
    pub fn case(&self, number: u64, random: &mut Random, small_disk: bool) -> Case {
        let turn = usize::try_from(number).unwrap_or_default() % TURNS.len();
        let (scenario, event) = match &TURNS[turn] {
            Turn::Sweep(harm) => self.next_target(*harm, number),
            Turn::Either(Harm::StoreFull) if !small_disk => self.at_point(Harm::Error, random),
            Turn::Random(harm) => self.at_time(*harm, random),
            Turn::Either(harm) if random.once_in(2) => self.at_point(*harm, random),
            Turn::Either(harm) => self.at_time(*harm, random),
            Turn::Store(harms) => match random.pick(harms) {
                Harm::StoreGone => self.at_point(Harm::StoreGone, random),
                Harm::StoreReadOnly if !small_disk => self.at_point(Harm::StoreGone, random),
                harm => self.at_time(*harm, random),
            },
        };
        Case {
            scenario,
            event: Some(event),
            again: self.again(random, scenario, small_disk),
            discard: random.once_in(2),
        }
    }

    /// Each scenario and point once, then again.
    fn next_target(&self, harm: Harm, number: u64) -> (&'static Scenario, Event) {
        let is_same = |turn: &Turn| matches!(turn, Turn::Sweep(other) if *other == harm);
        let number = usize::try_from(number).unwrap_or_default();
        let (rounds, turn) = (number / TURNS.len(), number % TURNS.len());
        let all = TURNS.iter().filter(|turn| is_same(turn)).count();
        let before = TURNS[..turn].iter().filter(|turn| is_same(turn)).count();
        let (scenario, point, passing) =
            self.targets[(rounds * all + before) % self.targets.len()].clone();
        (
            scenario,
            Event {
                harm,
                place: Where::Point(point, passing),
            },
        )
    }

    fn at_point(&self, harm: Harm, random: &mut Random) -> (&'static Scenario, Event) {
        let (scenario, point, passing) = random.pick(&self.targets).clone();
        (
            scenario,
            Event {
                harm,
                place: Where::Point(point, passing),
            },
        )
    }

    fn at_time(&self, harm: Harm, random: &mut Random) -> (&'static Scenario, Event) {
        if !self.times && !harm.is_all_along() {
            return self.at_point(harm, random);
        }
        let scenario = random.pick(&SCENARIOS);
        let longest = usize::try_from(HARMED_WITHIN.as_micros())
            .unwrap_or(usize::MAX)
            .max(1);
        let time = Duration::from_micros(random.below(longest) as u64);
        (
            scenario,
            Event {
                harm,
                place: Where::After(time),
            },
        )
    }

    /// What happens to the recoveries: most of them are killed too, some of them twice.
    fn again(&self, random: &mut Random, scenario: &Scenario, small_disk: bool) -> Vec<Event> {
        let points = self.recovering.get(scenario.name);
        let Some(points) = points.filter(|points| !points.is_empty()) else {
            return Vec::new(); // Its recovery did not come to an end without harm, which was told.
        };
        (0..random.below(4))
            .map(|_| self.harm_of_recovery(random, points, small_disk))
            .collect()
    }

    fn harm_of_recovery(
        &self,
        random: &mut Random,
        points: &[(String, u32)],
        small_disk: bool,
    ) -> Event {
        if random.once_in(2) && self.times {
            let time = Duration::from_micros(random.below(RECOVERED_WITHIN) as u64);
            return Event {
                harm: Harm::Kill,
                place: Where::After(time),
            };
        }
        let harm = match random.pick(&OF_RECOVERIES) {
            harm if harm.is_of_small_disk() && !small_disk => Harm::StoreGone,
            harm => *harm,
        };
        let (point, count) = random.pick(points).clone();
        let passing = 1 + u32::try_from(random.below(count as usize)).unwrap_or_default();
        Event {
            harm,
            place: match harm.is_all_along() {
                true => Where::After(Duration::ZERO),
                false => Where::Point(point, passing),
            },
        }
    }
}

/// What happens to recoveries, in these shares.
const OF_RECOVERIES: [Harm; 15] = {
    use Harm::{
        ClockAhead, ClockBack, Cut, Error, HalfClose, Kill, ServerCrash, Stall, StoreFull,
        StoreGone, StoreReadOnly, Terminate,
    };
    [
        Kill,
        Kill,
        Kill,
        Kill,
        Error,
        Cut,
        ServerCrash,
        Terminate,
        Stall,
        HalfClose,
        StoreFull,
        StoreGone,
        StoreReadOnly,
        ClockBack,
        ClockAhead,
    ]
};

/// The first, the last and one in the middle.
fn some_of(count: u32) -> Vec<u32> {
    let mut passings = vec![1, count, 1 + count / 2];
    passings.sort_unstable();
    passings.dedup();
    passings
}
