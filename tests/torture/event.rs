//! What is done to a run of pgbelay, and where.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::place::Place;
use crate::random::Random;
use crate::support::Running;

/// How long a process may take to get to the place where it stops.
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    Kill,
    Error,
    ServerCrash,
    Terminate,
    Cut,
    Stall,
    HalfClose,
    StoreFull,
    StoreGone,
    StoreReadOnly,
    ClockBack,
    ClockAhead,
}

/// How far a clock is moved, in seconds.
const CLOCK: i64 = 7200;

impl Harm {
    /// Whether it is there from the start of the process to its end.
    pub fn is_all_along(self) -> bool {
        matches!(
            self,
            Self::StoreReadOnly | Self::ClockBack | Self::ClockAhead
        )
    }

    /// Whether it takes a store on the small disk.
    pub fn is_of_small_disk(self) -> bool {
        matches!(self, Self::StoreFull | Self::StoreReadOnly)
    }
}

/// Where it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// At the N-th passing of a point.
    Point(String, u32),
    /// So long after the start.
    After(Duration),
}

/// Both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub harm: Harm,
    pub place: Where,
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Where::Point(point, number) => write!(f, "{:?} at {point}@{number}", self.harm),
            Where::After(time) => write!(f, "{:?} after {} ms", self.harm, time.as_millis()),
        }
    }
}

impl Event {
    /// Variables of the process that it happens to.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match (&self.place, self.harm) {
            (_, Harm::ClockBack) => vec![("PGBELAY_FAULT_CLOCK", format!("-{CLOCK}"))],
            (_, Harm::ClockAhead) => vec![("PGBELAY_FAULT_CLOCK", CLOCK.to_string())],
            (Where::Point(point, number), harm) => {
                let action = match harm {
                    Harm::Kill => "kill",
                    Harm::Error => "error",
                    _ => "pause",
                };
                vec![("PGBELAY_FAULT", format!("{point}@{number}={action}"))]
            }
            (Where::After(_), _) => Vec::new(),
        }
    }

    /// Makes it happen to a process that was started with [`Event::variables`]; false if it ended before.
    pub fn happen(&self, running: &mut Running<'_>, place: &Place, random: &mut Random) -> bool {
        if self.harm.is_all_along() {
            return true;
        }
        let arrived = match &self.place {
            // The process does it itself.
            Where::Point(..) if matches!(self.harm, Harm::Kill | Harm::Error) => return true,
            Where::Point(..) => stands(running),
            Where::After(time) => {
                std::thread::sleep(*time);
                !running.has_ended()
            }
        };
        if arrived {
            self.act(running, place, random);
        }
        if arrived && matches!(self.place, Where::Point(..)) {
            running.signal(Signal::SIGCONT);
        }
        arrived
    }

    fn act(&self, running: &Running<'_>, place: &Place, random: &mut Random) {
        let proxy = &place.proxy;
        match self.harm {
            Harm::Kill => running.signal(Signal::SIGKILL),
            Harm::ServerCrash => place.server.crash_and_recover(),
            Harm::Terminate => place.terminate_sessions(random),
            Harm::Cut => {
                if random.once_in(3) {
                    proxy.refuse();
                }
                proxy.cut();
            }
            Harm::Stall => proxy.stall(),
            Harm::HalfClose => proxy.half_close(random.once_in(2)),
            Harm::StoreGone => place.hide_store(),
            Harm::StoreFull => place.fill_store(random),
            Harm::Error | Harm::StoreReadOnly | Harm::ClockBack | Harm::ClockAhead => {}
        }
        if matches!(self.harm, Harm::Stall | Harm::Cut) {
            let pause = Duration::from_millis(100 + random.next() % 900);
            let (cuts, proxy) = (self.harm == Harm::Stall && random.once_in(2), proxy.clone());
            std::thread::spawn(move || {
                std::thread::sleep(pause);
                if cuts {
                    proxy.cut();
                }
                proxy.heal();
            });
        }
    }
}

/// Waits until the process has stopped itself; false if it ended instead.
fn stands(running: &mut Running<'_>) -> bool {
    let deadline = Instant::now() + ARRIVES_WITHIN;
    while Instant::now() < deadline {
        if is_stopped(running.id()) {
            return true;
        }
        if running.has_ended() {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    false
}

fn is_stopped(process: u32) -> bool {
    let state =
        match std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")) {
            Ok(stat) => stat.rsplit(") ").next().unwrap_or_default().to_owned(),
            // Where there is no /proc.
            Err(_) => {
                let output = std::process::Command::new("ps")
                    .args(["-o", "state=", "-p", &process.to_string()])
                    .output();
                output
                    .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                    .unwrap_or_default()
            }
        };
    state.starts_with('T')
}
