//! One case: a run is harmed, whatever that leaves is recovered (harmed again, perhaps), and then the database has to be
//! exactly what it was before or after, with nothing left over, as every exit code said.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::{Event, Harm, Where};
use crate::place::Place;
use crate::random::Random;
use crate::scenario::{End, Scenario};
use crate::support::{Call, Database, Output, Workplace};

/// Starts of `recover` until one has finished the run.
const MOST_RECOVERIES: usize = 6;
/// How long the server may take to notice that a process is gone.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
/// How long what a killed run left running would take to do its next step.
const NEXT_STEP_WITHIN: Duration = Duration::from_millis(400);

/// What is done.
#[derive(Debug, Clone)]
pub struct Case {
    pub scenario: &'static Scenario,
    pub event: Option<Event>,
    /// What is done to the recoveries, one after the other.
    pub again: Vec<Event>,
    /// Whether the operator allowed that writes of others are discarded.
    pub discard: bool,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.scenario.name)?;
        if let Some(event) = &self.event {
            write!(f, ": {event}")?;
        }
        for event in &self.again {
            write!(f, ", recovery: {event}")?;
        }
        if self.discard {
            write!(f, " (discard)")?;
        }
        Ok(())
    }
}

/// Where it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Before,
    After,
    /// Exit 7, until the command that the report names put it back.
    InDoubt,
    /// Exit 6, likewise.
    Withheld,
}

/// What came of a case.
#[derive(Debug)]
pub struct Report {
    pub fate: Fate,
    /// Whether the harm was done, to the run and to the recovery.
    pub struck: bool,
    pub struck_again: Vec<bool>,
    /// Points that the run passed, with how often; only if nothing was done.
    pub passed: BTreeMap<String, u32>,
    /// Points that recoveries passed.
    pub passed_recovering: BTreeMap<String, u32>,
}

/// Plays a case; panics, with everything that was said, if a state is unknown.
pub fn play(case: &Case, place: &mut Place, random: &mut Random) -> Report {
    let database = Database::copy_of(place.server, &place.truth.template);
    let workplace = Workplace::new();
    case.scenario.prepare(&workplace);
    set_up_store(case, place, &workplace);
    let mut scene = Scene {
        case,
        place,
        random,
        workplace: &workplace,
        database: &database,
        said: Vec::new(),
    };
    let (first, struck) = scene.execute(&case.scenario.arguments(), case.event.as_ref());
    let passed = points_in(&first);
    // Sometimes nobody has made room yet when it is started again.
    let is_full = case.event.as_ref().map(|event| event.harm) == Some(Harm::StoreFull);
    if !is_full || scene.random.once_in(2) {
        scene.place.make_room();
    }
    scene.place.show_store();
    scene.place.proxy.heal();
    let told = scene.told(&first);
    let mut report = Report {
        fate: Fate::Before,
        struck,
        struck_again: Vec::new(),
        passed,
        passed_recovering: BTreeMap::new(),
    };
    let settled = scene.recover(&mut report);
    scene.wait_for_leftovers();
    let state = scene.state();
    scene.check_told(told, state);
    report.fate = settled.unwrap_or(state);
    if scene.partial_files() > 0 {
        // Removing it was told to fail: the next start does it.
        scene.execute(&case.scenario.recovery(), None);
    }
    scene.check_leftovers();
    report
}

fn set_up_store(case: &Case, place: &mut Place, workplace: &Workplace) {
    let mut events = case.event.iter().chain(&case.again);
    place.store = workplace.store();
    if events.any(|event| event.harm.is_of_small_disk()) {
        place.store_on_small_disk();
    }
}

struct Scene<'a> {
    case: &'a Case,
    place: &'a mut Place,
    random: &'a mut Random,
    workplace: &'a Workplace,
    database: &'a Database,
    /// Everything that was printed, for a report of an unknown state.
    said: Vec<String>,
}

impl Scene<'_> {
    fn execute(&mut self, arguments: &[&str], event: Option<&Event>) -> (Output, bool) {
        let store = self.place.store.display().to_string();
        let mut call = Call::new(self.workplace)
            .programs(&self.place.server.programs)
            .env("DATABASE_URL", self.place.url(self.database.name()))
            .env("PGBELAY_STORE", store)
            .env("PGBELAY_LOCK_WAIT", "20s")
            .env("PGBELAY_WAIT", "30s")
            .env("PGBELAY_VERIFY_SQL", "checks")
            // What is left out here is read-only, and takes time that more cases are worth.
            .env("PGBELAY_REPORT", "none")
            .env("PGBELAY_JOBS", "1")
            .env("PGBELAY_FAULT_TRACE", "yes");
        if self.case.discard {
            call = call.env("PGBELAY_ON_OTHER_WRITERS", "discard");
        }
        for (name, value) in event.iter().flat_map(|event| event.variables()) {
            call = call.env(name, value);
        }
        let read_only = event.is_some_and(|event| event.harm == Harm::StoreReadOnly);
        if read_only {
            self.place.set_read_only(true);
        }
        let mut running = call.start(arguments);
        let struck = event.is_none_or(|event| event.happen(&mut running, self.place, self.random));
        let output = running.finish();
        if read_only {
            self.place.set_read_only(false);
        }
        let shown = output.to_string();
        let lines = shown
            .lines()
            .filter(|line| !line.starts_with("fault-point: "));
        self.said.push(lines.collect::<Vec<_>>().join("\n"));
        self.check_honest(&output);
        let struck = struck && self.has_struck(event, &output);
        (output, struck)
    }

    /// A point that was not passed harms nobody.
    fn has_struck(&self, event: Option<&Event>, output: &Output) -> bool {
        match event.map(|event| (&event.place, event.harm)) {
            Some((Where::Point(..), Harm::Kill)) => output.code == -1,
            Some((Where::Point(point, number), Harm::Error)) => points_in(output)
                .get(point)
                .is_some_and(|passed| passed >= number),
            _ => true,
        }
    }

    /// Nothing but a known exit code, and the last line says it.
    fn check_honest(&self, output: &Output) {
        let code = output.code;
        if code == -1 {
            return;
        }
        self.demand([0, 1, 3, 4, 5, 6, 7].contains(&code), || {
            format!("exit code {code}")
        });
        let last = output
            .stderr
            .lines()
            .rfind(|line| !line.starts_with("fault-point: ") && !line.is_empty());
        let says = last.is_some_and(|line| line.to_lowercase().contains(&format!("exit {code}")));
        self.demand(says, || {
            format!("the last line does not say {code}: {last:?}")
        });
    }

    /// What the run said of the database; none if it was killed or did not know.
    fn told(&self, output: &Output) -> Option<Fate> {
        match output.code {
            0 => Some(Fate::After),
            1 | 3 | 4 | 5 => Some(Fate::Before),
            _ => None,
        }
    }

    /// Until a recovery says that all is done; what a person had to do, if any.
    fn recover(&mut self, report: &mut Report) -> Option<Fate> {
        let mut again = self.case.again.iter();
        for _ in 0..MOST_RECOVERIES + self.case.again.len() {
            let by_run = [
                "run",
                "--json",
                "--strategy",
                self.case.scenario.strategy,
                "--",
                "true",
            ];
            let recovery = self.case.scenario.recovery();
            let arguments = match self.random.once_in(4) {
                true => &by_run[..],
                false => &recovery[..],
            };
            let event = again.next();
            let (output, struck) = self.execute(arguments, event);
            report.struck_again.extend(event.map(|_| struck));
            for (point, count) in points_in(&output) {
                let known = report.passed_recovering.entry(point).or_default();
                *known = count.max(*known);
            }
            self.place.make_room();
            self.place.show_store();
            self.place.proxy.heal();
            match output.code {
                0 => return None,
                // Broken off: the next start goes on, as it says.
                7 if output.stderr.contains(": pgbelay recover") => {}
                6 | 7 => return Some(self.as_told(&output)),
                _ => {}
            }
        }
        self.fail("no recovery came to an end")
    }

    /// Exit 6 and 7 name the one command that puts the database back.
    fn as_told(&mut self, output: &Output) -> Fate {
        let marker = "pgbelay rollback ";
        let command = output
            .stderr
            .lines()
            .find_map(|line| line.split_once(marker));
        let Some((_, rest)) = command else {
            self.fail("nothing is said of what to do");
        };
        let rest = rest.trim_end().to_owned();
        let mut arguments = vec!["rollback", "--strategy", self.case.scenario.strategy];
        arguments.extend(rest.split(' '));
        if !arguments.contains(&"--discard-other-writes") {
            arguments.push("--discard-other-writes");
        }
        let (put_back, _) = self.execute(&arguments, None);
        self.demand(put_back.code == 0, || {
            "the command that was named did not work".to_owned()
        });
        let (after, _) = self.execute(&self.case.scenario.recovery(), None);
        self.demand(after.code == 0, || "it is not settled by it".to_owned());
        let state = self.state();
        self.demand(state == Fate::Before, || {
            "the command that was named did not put it back".to_owned()
        });
        if output.code == 7 {
            Fate::InDoubt
        } else {
            Fate::Withheld
        }
    }

    /// What the server says that the database is.
    fn state(&self) -> Fate {
        let truth = &self.place.truth;
        if self.database.raw_dump() == truth.raw_before {
            return Fate::Before;
        }
        let now = self.database.dump();
        let after = truth.after(self.case.scenario);
        if now == truth.before {
            return Fate::Before;
        }
        if now == after
            || (self.server_crashed() && without_sequences(&now) == without_sequences(after))
        {
            self.demand(self.case.scenario.end == End::Well, || {
                "a migration that failed is in place".to_owned()
            });
            return Fate::After;
        }
        self.fail(&format!(
            "the database is neither as before:\n{}\nnor as after:\n{}",
            Database::difference(&truth.before, &now),
            Database::difference(after, &now)
        ))
    }

    /// A server that comes up again skips values of sequences that it had not written down, up to 32 of each.
    fn server_crashed(&self) -> bool {
        let mut events = self.case.event.iter().chain(&self.case.again);
        events.any(|event| event.harm == Harm::ServerCrash)
    }

    fn check_told(&self, told: Option<Fate>, state: Fate) {
        self.demand(told.is_none_or(|told| told == state), || {
            format!("told {told:?}, found {state:?}")
        });
    }

    /// A killed run's migration must not go on.
    fn wait_for_leftovers(&self) {
        let killed = self.case.event.as_ref();
        let killed = killed.is_some_and(|event| event.harm == Harm::Kill);
        if killed && !self.case.scenario.files {
            std::thread::sleep(NEXT_STEP_WITHIN);
        }
    }

    fn check_leftovers(&self) {
        let name = self.database.name();
        let server = self.place.server;
        let databases = server.psql(
            "postgres",
            &format!("SELECT datname FROM pg_database WHERE datname LIKE '{name}\\_%' ORDER BY 1"),
        );
        for other in databases.lines() {
            let kept = other.starts_with(&format!("{name}_failed_"))
                && self.case.scenario.strategy == "swap";
            self.demand(kept, || format!("the database {other} was left"));
            server.psql(
                "postgres",
                &format!("DROP DATABASE \"{other}\" WITH (FORCE)"),
            );
        }
        let facts = format!(
            "SELECT datallowconn, datconnlimit, (SELECT count(*) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid), \
             (SELECT count(*) FROM pg_prepared_xacts) FROM pg_database d WHERE datname = '{name}'"
        );
        let facts = server.psql("postgres", &facts);
        self.demand(facts == "t|-1|0|0", || {
            format!("open, limit, settings, prepared: {facts}")
        });
        let left = format!(
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' OR application_name LIKE 'pgbelay%') \
             + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
        );
        let since = Instant::now();
        while server.psql("postgres", &left) != "0" {
            self.demand(since.elapsed() < NOTICED_WITHIN, || {
                "sessions or locks were left".to_owned()
            });
            std::thread::sleep(Duration::from_millis(20));
        }
        self.demand(self.partial_files() == 0, || {
            "a temporary file was left".to_owned()
        });
    }

    fn partial_files(&self) -> usize {
        let files = std::fs::read_dir(&self.place.store);
        let files = files.into_iter().flatten().flatten();
        files
            .filter(|file| file.path().extension().is_some_and(|end| end == "partial"))
            .count()
    }

    fn demand(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(&what());
        }
    }

    fn fail(&self, what: &str) -> ! {
        let journals: Vec<String> = std::fs::read_dir(&self.place.store)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|file| {
                file.path()
                    .extension()
                    .is_some_and(|extension| extension == "journal")
            })
            .map(|file| {
                format!(
                    "--- {}\n{}",
                    file.path().display(),
                    std::fs::read_to_string(file.path()).unwrap_or_default()
                )
            })
            .collect();
        panic!(
            "{what}\n{}\n{}",
            self.said.join("\n\n"),
            journals.join("\n")
        );
    }
}

fn without_sequences(dump: &str) -> String {
    let lines = dump
        .lines()
        .filter(|line| !line.contains("pg_catalog.setval("));
    lines.collect::<Vec<_>>().join("\n")
}

/// Points that a process passed, with how often.
fn points_in(output: &Output) -> BTreeMap<String, u32> {
    let mut passed = BTreeMap::new();
    for point in output
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("fault-point: "))
    {
        *passed.entry(point.to_owned()).or_default() += 1;
    }
    passed
}
