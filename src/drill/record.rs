//! The result of the last drill, beside its archive: `<archive>.drill.json`, mode 0600.
//!
//! It is bound to the archive's fingerprint: another file under the same name does not inherit it. A record that cannot be
//! read counts as none.

use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DrillReport, Seconds, Verdict};
use crate::archive::Reader;
use crate::context::Context;
use crate::durable;
use crate::error::{Attempt, Result};

/// Ends the name of a record.
const SUFFIX: &str = ".drill.json";
/// The version this library writes.
const FORMAT: u32 = 1;
/// Longest record that is read.
const LONGEST: u64 = 1 << 20;
/// Differences that are kept; all of them were printed.
const MOST_LINES: usize = 50;

/// What is known of an archive from its last drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the record's format.
    pub format: u32,
    /// [`Reader::fingerprint`] of the archive.
    pub fingerprint: String,
    /// Its length in bytes.
    pub length: u64,
    /// When, UTC.
    pub at: DateTime<Utc>,
    /// The answer.
    pub verdict: Verdict,
    /// When it last passed, UTC.
    #[serde(default)]
    pub last_proven: Option<DateTime<Utc>>,
    /// Masked target of the server.
    pub server: String,
    /// `server_version`.
    pub server_version: String,
    /// The run.
    pub run: String,
    /// The tool and its version.
    pub tool: String,
    /// How long everything took.
    pub seconds: Seconds,
    /// Why it was not restored.
    #[serde(default)]
    pub reason: Option<String>,
    /// The first differences.
    #[serde(default)]
    pub differences: Vec<String>,
    /// What could not be compared.
    #[serde(default)]
    pub not_proven: Vec<String>,
}

impl Record {
    /// A few words for a table: when it was last proven, or that it failed.
    pub fn shown(&self) -> String {
        let at = self.at.format("%Y-%m-%d %H:%M");
        match (self.verdict, self.not_proven.is_empty()) {
            (Verdict::Passed, true) => at.to_string(),
            (Verdict::Passed, false) => format!("{at} (in part)"),
            _ => format!("FAILED on {at}"),
        }
    }

    /// A sentence for `show`.
    pub fn told(&self) -> String {
        let at = self.at.format("%Y-%m-%d %H:%M:%S UTC");
        let on = format!("on PostgreSQL {}", self.server_version);
        let seconds = self.seconds.of_a_restore();
        let proven = match self.last_proven {
            Some(time) if time != self.at => {
                format!("; last proven {}", time.format("%Y-%m-%d %H:%M:%S UTC"))
            }
            _ => String::new(),
        };
        match self.verdict {
            Verdict::Passed => {
                let part = match self.not_proven.len() {
                    0 => String::new(),
                    count => format!(
                        " in part ({} not proven)",
                        crate::compare::counted(count, "thing", "things")
                    ),
                };
                format!("proven{part} {at} {on}, restored in {seconds:.1} s")
            }
            Verdict::Different => format!(
                "FAILED {at} {on}: {} differ{proven}",
                crate::compare::counted(self.differences.len(), "thing", "things")
            ),
            Verdict::NotRestored => format!(
                "FAILED {at} {on}: {}{proven}",
                self.reason.as_deref().unwrap_or("it could not be restored")
            ),
        }
    }
}

/// Where the record of an archive lies.
pub fn path_beside(archive: &Path) -> PathBuf {
    let mut name = archive.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    archive.with_file_name(name)
}

/// The record of this very archive; none if it was never drilled, or if the record is about another file of that name.
pub fn read(archive: &Reader) -> Option<Record> {
    let file = std::fs::File::open(path_beside(archive.path())).ok()?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    let record: Record = serde_json::from_str(&text).ok()?;
    let same = record.fingerprint == archive.fingerprint() && record.length == archive.length();
    (same && record.format == FORMAT).then_some(record)
}

/// Records a drill, durably; an earlier success of the same archive stays known.
pub(super) fn write(archive: &Reader, report: &DrillReport, ctx: &Context) -> Result<()> {
    let at = ctx.now();
    let last_proven = match report.verdict {
        Verdict::Passed => Some(at),
        _ => read(archive).and_then(|earlier| earlier.last_proven),
    };
    let record = Record {
        format: FORMAT,
        fingerprint: archive.fingerprint().to_owned(),
        length: archive.length(),
        at,
        verdict: report.verdict,
        last_proven,
        server: report.server.clone(),
        server_version: report.server_version.clone(),
        run: ctx.run_id.clone(),
        tool: format!("pgbelay {}", env!("CARGO_PKG_VERSION")),
        seconds: report.seconds,
        reason: report.reason.clone(),
        differences: report
            .differences
            .iter()
            .take(MOST_LINES)
            .cloned()
            .collect(),
        not_proven: report.not_proven.clone(),
    };
    let path = path_beside(archive.path());
    let mut text =
        serde_json::to_vec_pretty(&record).attempt(|| format!("write {}", path.display()))?;
    text.push(b'\n');
    durable::write_whole(&path, &text)
}
