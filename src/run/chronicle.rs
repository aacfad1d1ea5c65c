//! What a run writes into its journal, typed; docs/states.md lists the records.
//!
//! Intents are synced before acting, outcomes after. [`Story::of`] reads a journal back into what
//! recovery and the restart-loop breaker need; fields are only ever added, with a default.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::heartbeat::{self, Left};
use super::outcome::{EndedAs, OtherWriter};
use super::sightings::{Login, Window};
use crate::error::{Attempt, Result};
use crate::journal::{self, Header, Record, Stage, Step};
use crate::pg::target::Fenced;
use crate::rollback::{BeforeImage, Commit, Mark, SwapRecord};

/// Backup intent: what the run is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The migration in one line.
    pub command: String,
    /// Pending revisions, in order; none where they cannot be known.
    #[serde(default)]
    pub pending: Option<Vec<String>>,
    /// Version rows before.
    #[serde(default)]
    pub from: Vec<String>,
    /// Version rows that the migration leads to; none where they cannot be known.
    #[serde(default)]
    pub expected: Option<Vec<String>>,
    /// Options that named further checks.
    #[serde(default)]
    pub checks: Vec<String>,
}

impl Plan {
    /// What makes two runs attempts at the same thing.
    pub fn same_work(&self, other: &Self) -> bool {
        self.command == other.command && self.pending == other.pending && self.from == other.from
    }
}

/// Backup outcome: there is a complete, checked archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// File name in the store.
    pub archive: String,
    /// Whether an earlier archive of the unchanged database was taken again.
    #[serde(default)]
    pub reused: bool,
}

/// Fence intent and outcome: writes of others are kept out, or let in again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FenceRecord {
    /// Whether they are kept out once this is done.
    pub up: bool,
    /// The value that the fence gives the database's own `default_transaction_read_only`.
    #[serde(default)]
    pub set: String,
    /// The value of before; none: the database had none.
    #[serde(default)]
    pub before: Option<String>,
    /// No session that began up to then is left, and those after it are held; microseconds since
    /// the epoch, server clock; none before that is known.
    #[serde(default)]
    pub since: Option<i64>,
    /// Sessions that were ended.
    #[serde(default)]
    pub sessions_ended: usize,
}

impl FenceRecord {
    /// What whoever connects has to know of it.
    pub fn fenced(&self) -> Fenced {
        Fenced {
            set: self.set.clone(),
            before: self.before.clone(),
        }
    }
}

/// Drill intent: a scratch database is about to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillBegun {
    /// Its name.
    pub scratch: String,
    /// Masked target of the server.
    pub server: String,
    /// Whether that is another server than the database's own.
    #[serde(default)]
    pub elsewhere: bool,
}

/// Drill outcome: the scratch database is gone again, or the report said that it stayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillEnded {
    /// Whether the archive is proven.
    pub passed: bool,
    /// Why not.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Why a rollback would, or may, discard what others have committed (P5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// In words.
    pub why: String,
    /// Who, as far as that is known.
    #[serde(default)]
    pub writers: Vec<OtherWriter>,
}

impl Seen {
    /// Of those that were seen; none if nobody was.
    pub fn of(writers: Vec<OtherWriter>) -> Option<Self> {
        let first = writers.first()?.line();
        let why = format!("other sessions may have written since the backup: {first}");
        Some(Self { why, writers })
    }

    /// Nobody is known by name.
    pub fn because(why: String) -> Self {
        Self {
            why,
            writers: Vec::new(),
        }
    }
}

/// Migrate intent: the tool is about to be started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Started {
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Before the backup's snapshot, microseconds since the epoch, server clock.
    pub window_since: i64,
    /// When that life of the server began, likewise.
    #[serde(default)]
    pub postmaster: i64,
    /// Before the tool was started, likewise.
    pub tool_started: i64,
    /// See [`super::sightings::Window::unnamed_tool_from`].
    #[serde(default)]
    pub unnamed_tool_from: Option<String>,
    /// As whom and from where the run was connected.
    #[serde(default)]
    pub login: Option<Login>,
    /// Before the tool was started.
    #[serde(default)]
    pub mark: Option<Mark>,
    /// What was known by then of writes of others, if it is not the first attempt.
    #[serde(default)]
    pub others: Option<Seen>,
    /// Whether a [`super::heartbeat`] is kept.
    #[serde(default)]
    pub heartbeat: bool,
}

/// Migrate outcome: the tool has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolEnded {
    /// In words.
    pub ended: String,
    /// Whether it exited with 0.
    pub succeeded: bool,
    /// Possible writers seen so far.
    #[serde(default)]
    pub other_writers: Vec<OtherWriter>,
    /// Whether it had a session by the name that it was given.
    #[serde(default)]
    pub tool_was_seen: bool,
    /// When its sessions were gone, if it failed: what is committed later is not its own.
    #[serde(default)]
    pub mark: Option<Mark>,
}

/// Verify outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whether every check passed.
    pub passed: bool,
}

/// What a rollback proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proven {
    /// Nothing had been committed.
    Unchanged,
    /// The database was put back.
    Restored,
}

/// Roll-back outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// What was proven; nothing: in doubt.
    pub proven: Option<Proven>,
    /// The proof, or why there is none.
    pub proof: String,
    /// What the proof leaves out because its loss was accepted.
    #[serde(default)]
    pub not_brought_back: Vec<String>,
}

/// End: how the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How.
    pub outcome: EndedAs,
    /// [`super::Outcome::exit_code`].
    pub exit_code: u8,
    /// The error in one line, for the report of a later start.
    #[serde(default)]
    pub error: Option<String>,
    /// Whether the migration tool was started at all.
    #[serde(default)]
    pub migrated: bool,
    /// What was known of writes of others by then.
    #[serde(default)]
    pub others: Option<Seen>,
    /// When it ended, if the state of the database was known.
    #[serde(default)]
    pub mark: Option<Mark>,
}

/// With the intent to put the database back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RollBackBegun {
    /// What was there when a rollback by hand began, or when a run that lives left its rollback to the next start: by
    /// that later writes of others are told.
    #[serde(default)]
    pub mark: Option<Mark>,
    /// Whether the archive may be of another database (`rollback --other-database`).
    #[serde(default)]
    pub other_database: bool,
    /// Whether nothing was begun: the record only keeps the mark, for the next start.
    #[serde(default)]
    pub not_begun: bool,
    /// When the database was judged; none where writes of others do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Mark>,
    /// What there was, right before the first change; without it nothing was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<BeforeImage>,
    /// Its transaction, right before COMMIT is sent; without it none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
}

impl RollBackBegun {
    /// Whether it tells more than that a rollback was begun.
    fn says_something(&self) -> bool {
        self.mark.is_some() || self.other_database || self.not_begun
    }

    /// It is about to be begun; without a mark writes of others do not count.
    pub fn judged_at(mark: Option<&Mark>) -> Self {
        Self {
            judged: mark.cloned(),
            ..Self::default()
        }
    }

    /// Whether a rollback begins with it.
    fn is_the_first(&self) -> bool {
        self.before.is_none() && self.commit.is_none() && !self.not_begun
    }

    /// The first change is about to be made.
    pub fn about_to_change(before: &BeforeImage) -> Self {
        Self {
            before: Some(before.clone()),
            ..Self::default()
        }
    }

    /// What was begun is proven, and about to be committed.
    pub fn about_to(commit: &Commit) -> Self {
        Self {
            commit: Some(commit.clone()),
            ..Self::default()
        }
    }

    /// Nothing was begun, or nothing came of it: later writes are told from this moment.
    pub fn left_at(mark: Option<Mark>) -> Self {
        Self {
            mark,
            not_begun: true,
            ..Self::default()
        }
    }
}

impl Ending {
    /// Whether the tool was started and the database is proven to be as it was.
    pub fn is_clean_failure(&self) -> bool {
        self.migrated && self.outcome.is_as_before()
    }
}

/// A journal, read back.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// When it was begun, by the client's clock; file names tell seconds only.
    pub begun: Option<DateTime<Utc>>,
    /// Which database, which run; none if the crash came before the first record.
    pub header: Option<Header>,
    /// What it was about.
    pub plan: Option<Plan>,
    /// Its archive.
    pub backed_up: Option<BackedUp>,
    /// A drill that was begun and has not ended: its scratch database may be there.
    pub drill: Option<DrillBegun>,
    /// A fence that may be standing: it was about to be put up, and is not known to be down.
    pub fence: Option<FenceRecord>,
    /// The last attempt.
    pub started: Option<Started>,
    /// How the last attempt ended, if that is known.
    pub tool_ended: Option<ToolEnded>,
    /// Whether putting the database back was begun.
    pub roll_back_intended: bool,
    /// How putting it back was begun, or left to be begun again.
    pub begun_with: RollBackBegun,
    /// When the database was judged before a rollback was begun the last time.
    pub judged: Option<Mark>,
    /// What there was before the last one that may have changed something.
    pub before: Option<BeforeImage>,
    /// The last transaction of a rollback that may have been committed.
    pub commit: Option<Commit>,
    /// The last record of a swap.
    pub swap: Option<(Stage, SwapRecord)>,
    /// How the run ended.
    pub ending: Option<Ending>,
    /// If it did not: what its watch left beside the journal.
    pub heartbeat: Left,
    /// The last record that says how far the run came; a fence stands beside that.
    pub last: Option<Record>,
}

impl Story {
    /// Reads the records of this journal, and what lies beside it.
    pub fn beside(journal: &Path, records: &[Record]) -> Result<Self> {
        let mut story = Self::of(records)?;
        story.heartbeat = heartbeat::left(journal, &story);
        if let Some(before) = &mut story.before {
            before.saved = journal.with_file_name(&before.saved);
        }
        Ok(story)
    }

    /// Reads records; details that do not parse are damage and fail.
    pub fn of(records: &[Record]) -> Result<Self> {
        let mut story = Self {
            begun: records.first().map(|record| record.time),
            header: journal::header(records)?,
            last: records
                .iter()
                .rfind(|record| record.step != Step::Fence)
                .cloned(),
            ..Self::default()
        };
        for record in records {
            story.take(record)?;
        }
        Ok(story)
    }

    fn take(&mut self, record: &Record) -> Result<()> {
        match (record.step, record.stage) {
            (Step::Backup, Stage::Intent) => self.plan = Some(detail(record)?),
            (Step::Backup, Stage::Outcome) => self.backed_up = Some(detail(record)?),
            (Step::Drill, Stage::Intent) => self.drill = Some(detail(record)?),
            (Step::Drill, Stage::Outcome) => self.drill = None,
            (Step::Migrate, Stage::Intent) => {
                self.started = Some(detail(record)?);
                // What an attempt before this one came to was settled.
                self.tool_ended = None;
                self.roll_back_intended = false;
                self.begun_with = RollBackBegun::default();
                (self.judged, self.before, self.commit) = (None, None, None);
            }
            (Step::Migrate, Stage::Outcome) => self.tool_ended = Some(detail(record)?),
            (Step::Fence, stage) => self.take_fence(stage, detail(record)?),
            (Step::RollBack, Stage::Intent) => {
                let begun: RollBackBegun = detail(record)?;
                self.roll_back_intended |= !begun.not_begun;
                self.commit = begun.commit.clone().or(self.commit.take());
                if begun.is_the_first() {
                    (self.judged, self.before) = (begun.judged.clone(), None);
                }
                self.before = begun.before.clone().or(self.before.take());
                // The first one speaks: a recovery begins again without saying more, or leaves it again, and what others
                // wrote before that must be told all the same.
                if !self.begun_with.says_something() {
                    self.begun_with = begun;
                }
            }
            (Step::Swap, stage) => self.swap = Some((stage, detail(record)?)),
            (Step::End, _) => self.ending = Some(detail(record)?),
            _ => {}
        }
        Ok(())
    }

    fn take_fence(&mut self, stage: Stage, record: FenceRecord) {
        match (stage, record.up) {
            (_, true) => self.fence = Some(record),
            (Stage::Outcome, false) => self.fence = None,
            (Stage::Intent, false) => {}
        }
    }

    /// Whether it says nothing about the database's state: it ended without the tool having been
    /// started, and without a rollback by hand having been proven. What an earlier run left in
    /// doubt is not settled by it.
    pub fn settles_nothing(&self) -> bool {
        let Some(ending) = &self.ending else {
            return false;
        };
        let put_back = self.roll_back_intended && ending.outcome.is_as_before();
        self.started.is_none() && ending.outcome != EndedAs::InDoubt && !put_back
    }

    /// Whether it is about one of these databases, or has put one of them in its own one's place.
    pub fn is_about_any(&self, system_identifier: &str, oids: &BTreeSet<u32>) -> bool {
        let made = self.swapped_in().is_some_and(|oid| oids.contains(&oid));
        let oid = self.header.as_ref().map(|header| header.database_oid);
        let own = oid.is_some_and(|oid| oids.contains(&oid));
        let oid = oid.unwrap_or_default();
        (made || own) && self.is_about(system_identifier, oid)
    }

    /// Why a rollback to its archive would, or may, discard what others have committed, as far as it was known when it
    /// ended or was interrupted. After it had put the database back that no longer counts.
    pub fn others(&self) -> Option<Seen> {
        let Some(ending) = &self.ending else {
            let ended = self.tool_ended.as_ref();
            let writers = ended.map_or_else(Vec::new, |ended| ended.other_writers.clone());
            return Seen::of(writers).or_else(|| self.seen_before_the_attempt());
        };
        match (&ending.others, ending.outcome) {
            (Some(seen), _) => Some(seen.clone()),
            // Of a journal that does not say more.
            (None, EndedAs::Withheld) => Some(Seen::because(
                ending
                    .error
                    .clone()
                    .unwrap_or_else(|| "its rollback was withheld".to_owned()),
            )),
            _ => None,
        }
    }

    /// What earlier attempts of this run knew of others.
    pub fn seen_before_the_attempt(&self) -> Option<Seen> {
        self.started.as_ref()?.others.clone()
    }

    /// Whether every session of its tool can be told by name: there was one, or no tool.
    pub fn had_no_unknown_tool(&self) -> bool {
        let ended = self.tool_ended.as_ref();
        // One that succeeded has ended by itself.
        let known = ended.is_some_and(|ended| ended.tool_was_seen || ended.succeeded);
        let seen = matches!(&self.heartbeat, Left::Found(last) if last.tool_was_seen);
        self.started.is_none() || known || seen
    }

    /// Checks that the run was told to make, and these options do not name.
    pub fn checks_beyond(&self, named: &[String]) -> Vec<String> {
        let plan = self.plan.as_ref();
        let told = plan.map_or(&[][..], |plan| &plan.checks);
        told.iter()
            .filter(|check| !named.contains(check))
            .cloned()
            .collect()
    }

    /// What tells its sessions from those of others: they are still known by their names. `login` is a recovery's own.
    pub fn window(&self, login: Option<Login>) -> Window {
        let started = self.started.clone().unwrap_or_else(|| Started {
            window_since: i64::MIN,
            ..Started::default()
        });
        let run = self.header.as_ref().map(|header| header.run_id.clone());
        Window {
            since: started.window_since,
            postmaster: started.postmaster,
            run_id: run.unwrap_or_default(),
            tool_started: Some(started.tool_started),
            unnamed_tool_from: started.unnamed_tool_from,
            pooled: false,
            logins: started.login.into_iter().chain(login).collect(),
            fenced_since: self.fence.as_ref().and_then(|fence| fence.since),
        }
    }

    /// Whether its rollback is due and was not done because of others.
    pub fn is_withheld(&self) -> bool {
        let ending = self.ending.as_ref();
        ending.is_some_and(|ending| ending.outcome == EndedAs::Withheld)
    }

    /// Whether its migration was started, or its rollback by hand begun, where nobody had written since an earlier mark.
    pub fn began_where(&self, mark: &Mark) -> bool {
        let began = self
            .started
            .as_ref()
            .and_then(|started| started.mark.as_ref())
            .or(self.begun_with.mark.as_ref());
        began.is_some_and(|began| mark.objection(began).is_none())
    }

    /// A swap that neither took place nor was undone.
    pub fn open_swap(&self) -> Option<(Stage, &SwapRecord)> {
        let (stage, record) = self.swap.as_ref()?;
        (!record.settles(*stage)).then_some((*stage, record))
    }

    /// OID of the database that a swap of this run put, or may have put, in the place of its own.
    pub fn swapped_in(&self) -> Option<u32> {
        let (stage, record) = self.swap.as_ref()?;
        let undone = record.settles(*stage) && !record.is_swapped(*stage);
        record.new_oid.filter(|_| !undone)
    }

    /// Whether it is about this database: the system identifier and the OID, not the name.
    pub fn is_about(&self, system_identifier: &str, database_oid: u32) -> bool {
        self.header.as_ref().is_some_and(|header| {
            header.system_identifier == system_identifier && header.database_oid == database_oid
        })
    }
}

/// A record's detail as its type.
pub fn detail<T: DeserializeOwned>(record: &Record) -> Result<T> {
    serde_json::from_value(Value::Object(record.detail.clone())).attempt(|| {
        format!(
            "understand record {} of the journal ({:?})",
            record.sequence, record.step
        )
    })
}
