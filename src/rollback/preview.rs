//! What a rollback would do now, and how long it would take: for the person who has to decide
//! (`pgbelay rollback --plan`). Changes nothing and keeps nobody out.

use std::collections::HashMap;
use std::time::Instant;

use serde::Serialize;

use super::estimate::{Measured, Rates};
use super::repair::{Foreseen, Intent};
use super::{Decision, RollbackOptions, Rung, Scene, Strategy, decide, repair, swap};
use crate::archive::{Manifest, Reader};
use crate::catalog::Kind;
use crate::compare::{Difference, counted};
use crate::context::Context;
use crate::error::Result;
use crate::pg::{Purpose, Target};
use crate::store::Store;

/// Kinds of entries that stand for rows and values, which have steps of their own.
const CONTENT: [Kind; 4] = [
    Kind::TableData,
    Kind::SequenceSet,
    Kind::LargeObject,
    Kind::LargeObjectData,
];

/// What a rollback would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// What would be done.
    pub strategy: Strategy,
    /// Why that, for people.
    pub why: String,
    /// What differs now; empty if nothing does.
    pub differences: Vec<String>,
    /// What would be done, in that order.
    pub steps: Vec<Step>,
    /// Estimated seconds of all of it.
    pub seconds: f64,
    /// What a rebuild of everything would take, estimated seconds.
    pub rebuild_seconds: f64,
    /// What the estimate rests on, for people.
    pub basis: String,
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// To what, for people.
    pub what: String,
    /// Rows that are moved.
    pub rows: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Estimated.
    pub seconds: f64,
}

/// Kinds of work, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Definitions and rows are read and compared.
    Look,
    /// What goes is saved first (P4).
    Save,
    /// An object goes.
    Drop,
    /// An object is changed in place.
    Change,
    /// Some rows of a table are put back.
    PutBackRows,
    /// All rows of a table are loaded.
    Load,
    /// An object is made.
    Make,
    /// A value is set back.
    Set,
    /// Everything is read again and compared (P3).
    Prove,
}

/// Says what [`super::roll_back`] would do now with these options. `measured` is what a drill of the archive took.
///
/// # Errors
/// As [`super::roll_back`] before it touches anything; the server's while reading.
pub async fn preview(
    target: &Target,
    reader: &Reader,
    store: &Store,
    options: &RollbackOptions,
    measured: Option<Measured>,
    ctx: &Context,
) -> Result<Preview> {
    super::refuse_losses(reader, options)?;
    let scene = (target, reader, store, options, ctx);
    Scene::enter(Purpose::Plan, scene, async |scene| {
        on_session(scene, measured).await
    })
    .await
}

async fn on_session(scene: &Scene<'_>, measured: Option<Measured>) -> Result<Preview> {
    super::require_same_database(scene).await?;
    let started = Instant::now();
    let decision = decide(scene.session, scene.reader, scene.ctx).await?;
    let mut preview = match super::as_asked_for(decision, scene.options) {
        Decision::Unchanged { evidence } => nothing(Strategy::Nothing, evidence, Vec::new()),
        Decision::SequencesOnly { difference, .. } => sequences(&difference),
        Decision::Changed { difference } => changed(scene, &difference, measured).await?,
    };
    if preview.steps.is_empty() {
        preview.seconds = started.elapsed().as_secs_f64();
    }
    Ok(preview)
}

fn nothing(strategy: Strategy, why: String, differences: Vec<String>) -> Preview {
    Preview {
        strategy,
        why,
        differences,
        steps: Vec::new(),
        seconds: 0.0,
        rebuild_seconds: 0.0,
        basis: "deciding now took as long".to_owned(),
    }
}

fn sequences(difference: &Difference) -> Preview {
    let lines = difference.lines();
    let why = "nothing but sequence values differs: they are set back in place".to_owned();
    let steps = lines.iter().map(|line| Step {
        action: Action::Set,
        what: line.clone(),
        rows: 0,
        bytes: 0,
        seconds: 0.0,
    });
    Preview {
        steps: steps.collect(),
        ..nothing(Strategy::Sequences, why, lines.clone())
    }
}

async fn changed(
    scene: &Scene<'_>,
    difference: &Difference,
    measured: Option<Measured>,
) -> Result<Preview> {
    if scene.options.rung == Rung::Swap {
        swap::require_none(scene.session, scene.reader.manifest(), scene.ctx).await?;
    }
    let foreseen = repair::foresee(scene).await?;
    let manifest = scene.reader.manifest();
    let rates = Rates::new(manifest, &foreseen.archive, measured);
    let planning = Planning {
        manifest,
        foreseen: &foreseen,
        sizes: Sizes::new(manifest),
        rates,
    };
    // Definitions are read to save, to drop, and for the proof.
    let rebuild_seconds = 3.0 * foreseen.catalogs + rates.rebuild(manifest, &foreseen.archive);
    let (strategy, why, steps) = match &foreseen.plan {
        _ if scene.options.rung == Rung::Swap => (
            Strategy::Swap,
            "you asked for it; the failed database stays, so nothing is saved".to_owned(),
            planning.swap(),
        ),
        Ok(intent) if scene.options.rung != Rung::Rebuild => {
            let why = "it is the least work: what is equal stays as it is".to_owned();
            let why = why + &renamed(foreseen.renamed);
            (Strategy::Repair, why, planning.repair(intent))
        }
        Ok(_) => (
            Strategy::Rebuild,
            "you asked for it".to_owned(),
            planning.rebuild(),
        ),
        Err(why) => {
            let why = format!("a repair cannot do it: {why}");
            (Strategy::Rebuild, why, planning.rebuild())
        }
    };
    let silent = foreseen.silent.as_ref();
    let silent = silent.map(|why| format!("; counts cannot tell ({why}), so every row is read"));
    Ok(Preview {
        strategy,
        why: why + &silent.unwrap_or_default(),
        differences: difference.lines(),
        seconds: steps.iter().map(|step| step.seconds).sum(),
        steps,
        rebuild_seconds,
        basis: match measured {
            Some(_) => "sizes, and how long the last drill of this archive took",
            None => "sizes, and rates of an ordinary machine (a drill of this archive would measure this one)",
        }
        .to_owned(),
    })
}

fn renamed(count: usize) -> String {
    if count == 0 {
        return String::new();
    }
    let things = counted(
        count,
        "thing that was renamed gets",
        "things that were renamed get",
    );
    format!("; {things} the old name back first, which spares some of what follows")
}

/// What the steps are made from.
struct Planning<'a> {
    manifest: &'a Manifest,
    foreseen: &'a Foreseen,
    sizes: Sizes<'a>,
    rates: Rates,
}

impl Planning<'_> {
    fn repair(&self, intent: &Intent) -> Vec<Step> {
        let mut steps = vec![self.look(), self.save(intent)];
        let drops = intent.drops.iter();
        steps.extend(drops.map(|what| self.quick(Action::Drop, what.trim_start_matches("drop "))));
        let changes = intent.changes.iter();
        steps.extend(changes.map(|sql| self.quick(Action::Change, sql)));
        steps.extend(intent.patches.iter().map(|(table, &(gone, back))| Step {
            action: Action::PutBackRows,
            what: format!("{table}: {gone} deleted, {back} loaded"),
            rows: gone + back,
            bytes: 0,
            seconds: self.rates.rows(gone + back),
        }));
        steps.extend(self.make(|at| !intent.present.contains(&at)));
        steps.extend(intent.loaded.iter().map(|&at| self.load(at)));
        let sequences = intent.sequences.iter();
        let sequences = sequences.map(|&at| &self.manifest.sequences[at].identity);
        steps.extend(sequences.map(|what| self.quick(Action::Set, what)));
        if intent.large_objects {
            steps.push(self.quick(Action::Load, "large objects"));
        }
        let reread = intent.loaded.iter().map(|&at| &self.manifest.tables[at]);
        let patched = intent.patches.keys();
        let patched = patched.map(|table| self.sizes.of(table));
        let bytes = reread.map(|table| table.bytes).sum();
        let what = format!(
            "definitions, and rows of {}",
            counted(
                intent.loaded.len() + intent.patches.len(),
                "table",
                "tables"
            )
        );
        let mut proof = self.prove(&what, bytes);
        proof.seconds += self.rates.scan(patched.sum());
        steps.push(proof);
        steps.sort_by_key(|step| step.action);
        steps
    }

    fn rebuild(&self) -> Vec<Step> {
        let tables = self.foreseen.live.tables.len();
        let bytes = self.foreseen.live.tables.iter();
        let bytes = bytes.map(|table| table.size_bytes).sum();
        let mut steps = vec![Step {
            action: Action::Save,
            what: format!("everything: {}", counted(tables, "table", "tables")),
            rows: 0,
            bytes,
            seconds: 2.0 * self.foreseen.catalogs + self.rates.save(bytes),
        }];
        let count = self.foreseen.live.entries.len();
        let all = format!(
            "everything: {}",
            counted(count, "definition", "definitions")
        );
        steps.push(self.quick(Action::Drop, &all));
        steps.extend(self.all_again("every definition and every row"));
        steps.sort_by_key(|step| step.action);
        steps
    }

    /// In another database: nothing is saved and nothing goes.
    fn swap(&self) -> Vec<Step> {
        let mut steps = self.all_again("every definition and every row, in the new database");
        steps.push(self.quick(Action::Set, "the names of both databases"));
        steps.sort_by_key(|step| step.action);
        steps
    }

    fn all_again(&self, proof: &str) -> Vec<Step> {
        let mut steps: Vec<Step> = self.make(|_| true).collect();
        steps.extend((0..self.manifest.tables.len()).map(|at| self.load(at)));
        let bytes = self.manifest.tables.iter().map(|table| table.bytes).sum();
        steps.push(self.prove(proof, bytes));
        steps
    }

    fn look(&self) -> Step {
        Step {
            action: Action::Look,
            what: "definitions, and rows that could differ".to_owned(),
            rows: 0,
            bytes: 0,
            seconds: self.foreseen.catalogs + self.foreseen.rows,
        }
    }

    /// Rows that a condition names are few.
    fn save(&self, intent: &Intent) -> Step {
        let whole = intent.saved.rows.iter();
        let whole = whole.filter(|table| !intent.saved.only.contains_key(*table));
        let sizes = whole.clone().map(|table| self.live_size(table));
        let bytes = sizes.sum();
        Step {
            action: Action::Save,
            what: format!(
                "{}, rows of {}",
                counted(intent.saved.entries.len(), "definition", "definitions"),
                counted(intent.saved.rows.len(), "table", "tables")
            ),
            rows: 0,
            bytes,
            seconds: self.foreseen.catalogs + self.rates.save(bytes),
        }
    }

    fn live_size(&self, identity: &str) -> u64 {
        let mut tables = self.foreseen.live.tables.iter();
        let table = tables.find(|table| table.identity == identity);
        table.map_or(0, |table| table.size_bytes)
    }

    fn make(&self, wanted: impl Fn(usize) -> bool) -> impl Iterator<Item = Step> {
        let content = CONTENT.map(Kind::name);
        let entries = self.manifest.entries.iter().enumerate();
        entries
            .filter(move |(at, record)| wanted(*at) && !content.contains(&&*record.kind))
            .map(|(at, record)| {
                let entry = self.foreseen.archive.entries.get(&record.identity);
                let text = entry.map_or("", |entry| entry.text.as_str());
                Step {
                    action: Action::Make,
                    what: record.identity.clone(),
                    rows: 0,
                    bytes: 0,
                    seconds: self.rates.make(&record.kind, text, self.sizes.below(at)),
                }
            })
    }

    fn load(&self, at: usize) -> Step {
        let table = &self.manifest.tables[at];
        Step {
            action: Action::Load,
            what: table.identity.clone(),
            rows: table.rows,
            bytes: table.bytes,
            seconds: self.rates.load(table.bytes),
        }
    }

    fn prove(&self, what: &str, bytes: u64) -> Step {
        Step {
            action: Action::Prove,
            what: what.to_owned(),
            rows: 0,
            bytes,
            seconds: self.foreseen.catalogs + self.rates.read(bytes),
        }
    }

    fn quick(&self, action: Action, what: &str) -> Step {
        Step {
            action,
            what: what.to_owned(),
            rows: 0,
            bytes: 0,
            seconds: self.rates.make("", "", 0),
        }
    }
}

/// Bytes of text of the tables that entries read.
pub(super) struct Sizes<'a> {
    manifest: &'a Manifest,
    by_identity: HashMap<&'a str, u64>,
}

impl<'a> Sizes<'a> {
    pub fn new(manifest: &'a Manifest) -> Self {
        let tables = manifest.tables.iter();
        Self {
            manifest,
            by_identity: tables
                .map(|table| (table.identity.as_str(), table.bytes))
                .collect(),
        }
    }

    fn of(&self, identity: &str) -> u64 {
        self.by_identity.get(identity).copied().unwrap_or_default()
    }

    /// The largest of the tables that an entry needs.
    pub fn below(&self, entry: usize) -> u64 {
        let needs = self.manifest.entries[entry].depends.iter();
        let needs = needs.filter_map(|&need| usize::try_from(need).ok());
        let needs = needs.filter_map(|need| self.manifest.entries.get(need));
        let sizes = needs.map(|need| self.of(&need.identity));
        sizes.max().unwrap_or_default()
    }
}
