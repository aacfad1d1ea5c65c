//! What may run now: a graph of jobs with the locks that each takes, as a value without I/O.
//!
//! A job becomes ready when everything before it is done, and starts when nobody holds a lock that
//! conflicts with its own. What has to wait for a lock is put aside at that lock, so that it neither
//! holds up what is behind it nor is looked at again before the lock is free. A gate is a node
//! without a job: it is done as soon as everything before it is.
//!
//! Of what could start, that comes first which has the longest way to the end before it: a table
//! with a slow index is loaded before a larger one without, so that nobody builds alone at the end.
//! Small jobs that could start anyway are handed out together, for one transaction.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Index of a node in its schedule.
pub(super) type NodeId = usize;

/// How many jobs one transaction does: each takes places in the server's table of locks.
const MOST_TOGETHER: usize = 50;

/// How many bytes of rows the jobs of one transaction concern, in all: a fraction of a second.
const MOST_BYTES: u64 = 8 << 20;

/// Into how many parts, per worker, what could start is divided: towards the end parts become small,
/// so that all workers end together.
const SHARES: usize = 4;

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// Loads one data member.
    Member(usize),
    /// Loads all large objects.
    LargeObjects,
    /// Creates one entry.
    Entry(usize),
}

impl Job {
    /// Whether one transaction can do both.
    fn goes_with(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Member(_), Self::Member(_)) | (Self::Entry(_), Self::Entry(_))
        )
    }
}

/// What a lock is on: indexes of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    /// One table.
    Table(usize),
    /// A table with everything that inherits from it, up and down.
    Tree(usize),
}

/// A lock that a job takes for as long as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lock {
    pub key: Key,
    /// Whether nobody else may hold it.
    pub exclusive: bool,
}

/// How much work a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effort {
    /// Bytes of rows that it reads.
    pub bytes: u64,
    /// How long it takes, in bytes of rows that could be loaded meanwhile.
    pub time: u64,
}

/// The longest way to the end first; then the order of adding.
type Rank = (Reverse<u64>, NodeId);

#[derive(Debug)]
struct Node {
    job: Option<Job>,
    effort: Effort,
    /// Time from its start to the end of everything that waits for it; known once opened.
    way: u64,
    locks: Vec<Lock>,
    /// How many nodes must be done before.
    before: usize,
    after: Vec<NodeId>,
}

#[derive(Debug, Default)]
struct Held {
    exclusive: bool,
    shared: usize,
    sharers: Vec<NodeId>,
    loners: VecDeque<NodeId>,
}

impl Held {
    fn allows(&self, exclusive: bool) -> bool {
        !self.exclusive && (!exclusive || self.shared == 0)
    }
}

/// What a worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Do this and say [`Schedule::done`].
    Start(NodeId, Job),
    /// Ask again when something is done.
    Wait,
    /// Everything is done.
    Finished,
    /// Nothing runs and nothing can start: the dependencies form a circle.
    Stuck,
}

/// All jobs and how far they are.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    nodes: Vec<Node>,
    ready: BTreeSet<Rank>,
    held: HashMap<Key, Held>,
    left: usize,
    running: usize,
}

impl Schedule {
    /// Adds a job.
    pub fn job(&mut self, job: Job, effort: Effort, locks: Vec<Lock>) -> NodeId {
        self.add(Some(job), effort, locks)
    }

    /// Adds a gate.
    pub fn gate(&mut self) -> NodeId {
        self.add(None, Effort::default(), Vec::new())
    }

    fn add(&mut self, job: Option<Job>, effort: Effort, mut locks: Vec<Lock>) -> NodeId {
        locks.sort_unstable();
        locks.dedup();
        self.nodes.push(Node {
            job,
            effort,
            way: effort.time,
            locks,
            before: 0,
            after: Vec::new(),
        });
        self.left += 1;
        self.nodes.len() - 1
    }

    /// `later` starts after `earlier` is done. To be said before [`Self::open`].
    pub fn order(&mut self, earlier: NodeId, later: NodeId) {
        if let Some(node) = self.nodes.get_mut(earlier) {
            node.after.push(later);
        }
        if let Some(node) = self.nodes.get_mut(later) {
            node.before += 1;
        }
    }

    /// Makes ready what waits for nothing.
    pub fn open(&mut self) {
        self.measure_ways();
        let free: Vec<NodeId> = (0..self.nodes.len())
            .filter(|&id| self.nodes[id].before == 0)
            .collect();
        for id in free {
            self.make_ready(id);
        }
    }

    /// From the end to the start; nodes in a circle, and before one, keep what they have.
    fn measure_ways(&mut self) {
        let mut before: Vec<usize> = self.nodes.iter().map(|node| node.before).collect();
        let mut order: Vec<NodeId> = (0..before.len()).filter(|&id| before[id] == 0).collect();
        let mut at = 0;
        while let Some(&id) = order.get(at) {
            at += 1;
            for &later in &self.nodes[id].after {
                before[later] -= 1;
                if before[later] == 0 {
                    order.push(later);
                }
            }
        }
        for id in order.into_iter().rev() {
            let after = self.nodes[id].after.iter();
            let rest = after.map(|&later| self.nodes[later].way).max().unwrap_or(0);
            self.nodes[id].way = self.nodes[id].effort.time.saturating_add(rest);
        }
    }

    /// The next job, with its locks taken.
    pub fn next(&mut self) -> Next {
        while let Some((_, id)) = self.ready.pop_first() {
            let Some(job) = self.nodes[id].job else {
                continue;
            };
            if self.take_locks(id) {
                self.running += 1;
                return Next::Start(id, job);
            }
        }
        match (self.left, self.running) {
            (0, _) => Next::Finished,
            (_, 0) => Next::Stuck,
            _ => Next::Wait,
        }
    }

    /// More jobs, with their locks taken, for the transaction of one that [`Self::next`] started:
    /// small ones of the same sort, and never so many that other workers would go without.
    pub fn along(&mut self, first: NodeId, workers: usize) -> Vec<(NodeId, Job)> {
        let most = self.ready.len() / (workers.max(1) * SHARES);
        let Some(sort) = self.nodes[first].job else {
            return Vec::new();
        };
        let mut bytes = self.nodes[first].effort.bytes;
        let mut together = Vec::new();
        while together.len() < most.min(MOST_TOGETHER - 1) {
            let Some(&(_, id)) = self.ready.first() else {
                break;
            };
            let node = &self.nodes[id];
            let Some(job) = node.job.filter(|job| job.goes_with(sort)) else {
                break;
            };
            bytes = bytes.saturating_add(node.effort.bytes);
            if bytes > MOST_BYTES {
                break;
            }
            self.ready.pop_first();
            if self.take_locks(id) {
                self.running += 1;
                together.push((id, job));
            }
        }
        together
    }

    /// A job that [`Self::next`] or [`Self::along`] started is over, and its transaction committed.
    pub fn done(&mut self, id: NodeId) {
        self.running -= 1;
        let locks = self.nodes[id].locks.clone();
        for lock in &locks {
            if let Some(held) = self.held.get_mut(&lock.key) {
                match lock.exclusive {
                    true => held.exclusive = false,
                    false => held.shared -= 1,
                }
            }
        }
        for lock in &locks {
            self.wake(lock.key);
        }
        self.pass(id);
    }

    fn make_ready(&mut self, id: NodeId) {
        match self.nodes[id].job {
            Some(_) => _ = self.ready.insert((Reverse(self.nodes[id].way), id)),
            None => self.pass(id),
        }
    }

    /// Counts a node as done. Gates behind gates are passed without recursion.
    fn pass(&mut self, id: NodeId) {
        let mut passed = vec![id];
        while let Some(id) = passed.pop() {
            self.left -= 1;
            for later in std::mem::take(&mut self.nodes[id].after) {
                self.nodes[later].before -= 1;
                match (self.nodes[later].before, self.nodes[later].job) {
                    (0, None) => passed.push(later),
                    (0, Some(_)) => self.make_ready(later),
                    _ => {}
                }
            }
        }
    }

    /// Takes all locks or none; then it waits at the first one that somebody holds.
    fn take_locks(&mut self, id: NodeId) -> bool {
        let locks = self.nodes[id].locks.clone();
        let blocked = locks.iter().find(|lock| {
            let held = self.held.get(&lock.key);
            held.is_some_and(|held| !held.allows(lock.exclusive))
        });
        if let Some(blocked) = blocked {
            let held = self.held.entry(blocked.key).or_default();
            match blocked.exclusive {
                true => held.loners.push_back(id),
                false => held.sharers.push(id),
            }
            // It may have been woken instead of somebody who could have started.
            for lock in locks.iter().filter(|lock| lock.key != blocked.key) {
                self.wake(lock.key);
            }
            return false;
        }
        for lock in &locks {
            let held = self.held.entry(lock.key).or_default();
            match lock.exclusive {
                true => held.exclusive = true,
                false => held.shared += 1,
            }
        }
        true
    }

    /// Makes ready those who wait for this lock and can have it: all who share it, else one alone.
    fn wake(&mut self, key: Key) {
        let Some(held) = self.held.get_mut(&key) else {
            return;
        };
        if !held.allows(false) {
            return;
        }
        let mut woken = std::mem::take(&mut held.sharers);
        if woken.is_empty() && held.allows(true) {
            woken.extend(held.loners.pop_front());
        }
        for id in woken {
            self.ready.insert((Reverse(self.nodes[id].way), id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alone(table: usize) -> Vec<Lock> {
        vec![Lock {
            key: Key::Table(table),
            exclusive: true,
        }]
    }

    fn beside(table: usize) -> Vec<Lock> {
        vec![Lock {
            key: Key::Table(table),
            exclusive: false,
        }]
    }

    fn takes(time: u64) -> Effort {
        Effort { bytes: 1, time }
    }

    fn started(schedule: &mut Schedule) -> Vec<NodeId> {
        let mut started = Vec::new();
        while let Next::Start(id, _) = schedule.next() {
            started.push(id);
        }
        started
    }

    #[test]
    fn a_constraint_waits_for_every_member_of_its_table() {
        let mut schedule = Schedule::default();
        let members = [0, 1].map(|member| schedule.job(Job::Member(member), takes(9), Vec::new()));
        let loaded = schedule.gate();
        let key = schedule.job(Job::Entry(0), takes(9), alone(7));
        for member in members {
            schedule.order(member, loaded);
        }
        schedule.order(loaded, key);
        schedule.open();
        assert_eq!(started(&mut schedule), members);
        schedule.done(members[1]);
        assert_eq!(schedule.next(), Next::Wait);
        schedule.done(members[0]);
        assert_eq!(schedule.next(), Next::Start(key, Job::Entry(0)));
        assert_eq!(schedule.next(), Next::Wait);
        schedule.done(key);
        assert_eq!(schedule.next(), Next::Finished);
    }

    #[test]
    fn whoever_waits_for_a_lock_holds_up_nobody() {
        let mut schedule = Schedule::default();
        let first = schedule.job(Job::Entry(0), takes(9), alone(1));
        let blocked = schedule.job(Job::Entry(1), takes(8), alone(1));
        let free = schedule.job(Job::Entry(2), takes(7), alone(2));
        schedule.open();
        assert_eq!(started(&mut schedule), [first, free]);
        schedule.done(first);
        assert_eq!(started(&mut schedule), [blocked]);
    }

    #[test]
    fn index_builds_share_a_table_and_nothing_else_does() {
        let mut schedule = Schedule::default();
        let indexes = [0, 1].map(|entry| schedule.job(Job::Entry(entry), takes(9), beside(1)));
        let constraint = schedule.job(Job::Entry(2), takes(9), alone(1));
        schedule.open();
        assert_eq!(started(&mut schedule), indexes);
        schedule.done(indexes[0]);
        assert_eq!(schedule.next(), Next::Wait);
        schedule.done(indexes[1]);
        assert_eq!(started(&mut schedule), [constraint]);
    }

    #[test]
    fn the_longest_way_to_the_end_comes_first() {
        let mut schedule = Schedule::default();
        let large = schedule.job(Job::Member(0), takes(9), Vec::new());
        let small = schedule.job(Job::Member(1), takes(5), Vec::new());
        let gate = schedule.gate();
        let slow = schedule.job(Job::Entry(0), takes(6), Vec::new());
        schedule.order(small, gate);
        schedule.order(gate, slow);
        schedule.open();
        assert_eq!(started(&mut schedule), [small, large]);
        schedule.done(small);
        assert_eq!(started(&mut schedule), [slow]);
    }

    #[test]
    fn one_transaction_takes_a_share_of_what_is_small_and_of_one_sort() {
        let mut schedule = Schedule::default();
        for entry in 0..1_000 {
            schedule.job(Job::Entry(entry), takes(5), alone(entry / 2));
        }
        let large = Effort {
            bytes: MOST_BYTES,
            time: 5,
        };
        schedule.job(Job::Entry(1_000), large, Vec::new());
        schedule.job(Job::LargeObjects, takes(4), Vec::new());
        schedule.open();
        let Next::Start(first, _) = schedule.next() else {
            panic!("nothing starts")
        };
        let along = schedule.along(first, 2);
        assert_eq!(along.len(), MOST_TOGETHER - 1);
        // Every other one waits for the lock of the one before it.
        assert!(along.iter().all(|(node, _)| node % 2 == 0), "{along:?}");
        // 40 workers leave each other some.
        let Next::Start(second, _) = schedule.next() else {
            panic!("nothing starts")
        };
        assert_eq!(schedule.along(second, 40).len(), 900 / 160);
        schedule.done(second);
        let mut batches = Vec::new();
        while let Next::Start(first, job) = schedule.next() {
            batches.push((job, schedule.along(first, 1).len() + 1));
        }
        assert!(batches.contains(&(Job::Entry(1_000), 1)), "{batches:?}");
        assert!(batches.contains(&(Job::LargeObjects, 1)), "{batches:?}");
    }

    #[test]
    fn the_largest_table_comes_first() {
        let mut schedule = Schedule::default();
        let small = schedule.job(Job::Member(0), takes(1), Vec::new());
        let large = schedule.job(Job::Member(1), takes(9), Vec::new());
        schedule.open();
        assert_eq!(started(&mut schedule), [large, small]);
    }

    #[test]
    fn a_circle_is_noticed() {
        let mut schedule = Schedule::default();
        let a = schedule.job(Job::Entry(0), takes(1), Vec::new());
        let b = schedule.job(Job::Entry(1), takes(1), Vec::new());
        schedule.order(a, b);
        schedule.order(b, a);
        schedule.open();
        assert_eq!(schedule.next(), Next::Stuck);
    }

    proptest! {
        /// Whatever the graph and whoever ends first: every job runs once, after what comes before
        /// it, never beside a conflicting one, and no worker idles while something could start.
        #[test]
        fn everything_runs_once_in_order_and_without_conflicts(
            jobs in proptest::collection::vec((0..4_usize, 0..4_usize, any::<bool>(), any::<bool>(), 0..3_u64), 1..40),
            edges in proptest::collection::vec((0..40_usize, 0..40_usize), 0..60),
            ends in proptest::collection::vec(0..8_usize, 40),
            workers in 1..5_usize,
        ) {
            let mut schedule = Schedule::default();
            let locks: Vec<Vec<Lock>> = jobs.iter().map(|&(a, b, alone_a, alone_b, _)| {
                let mut locks = vec![
                    Lock { key: Key::Table(a), exclusive: alone_a || (a == b && alone_b) },
                ];
                if a != b {
                    locks.push(Lock { key: Key::Table(b), exclusive: alone_b });
                }
                locks
            }).collect();
            for (index, job) in jobs.iter().enumerate() {
                schedule.job(Job::Entry(index), takes(job.4), locks[index].clone());
            }
            let edges: Vec<(usize, usize)> = edges.into_iter()
                .filter(|&(a, b)| a < b && b < jobs.len()).collect();
            for &(a, b) in &edges {
                schedule.order(a, b);
            }
            schedule.open();
            let conflict = |a: NodeId, b: NodeId| locks[a].iter().any(|one| {
                locks[b].iter().any(|other| one.key == other.key && (one.exclusive || other.exclusive))
            });
            let (mut running, mut over): (Vec<NodeId>, Vec<NodeId>) = (Vec::new(), Vec::new());
            for step in 0..1_000_usize {
                while running.len() < workers {
                    let Next::Start(id, _) = schedule.next() else { break };
                    let along = schedule.along(id, 1);
                    for id in std::iter::once(id).chain(along.into_iter().map(|(id, _)| id)) {
                        prop_assert!(!running.contains(&id) && !over.contains(&id));
                        prop_assert!(edges.iter().all(|&(a, b)| b != id || over.contains(&a)));
                        prop_assert!(running.iter().all(|&other| !conflict(id, other)));
                        running.push(id);
                    }
                }
                if running.len() < workers {
                    let could = (0..jobs.len()).find(|id| {
                        !running.contains(id) && !over.contains(id)
                            && edges.iter().all(|&(a, b)| b != *id || over.contains(&a))
                            && running.iter().all(|&other| !conflict(*id, other))
                    });
                    prop_assert_eq!(could, None, "a worker idles");
                }
                if running.is_empty() {
                    break;
                }
                let ended = running.remove(ends[step % ends.len()] % running.len());
                schedule.done(ended);
                over.push(ended);
            }
            prop_assert_eq!(over.len(), jobs.len());
            prop_assert_eq!(schedule.next(), Next::Finished);
        }
    }
}
