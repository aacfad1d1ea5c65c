//! The steps of a restore on one session, in restore order.
//!
//! Both ways of restoring take these steps: all of them inside one transaction of the caller's, or
//! (parallel) those that one session does best, each batch committed by itself.

use std::collections::BTreeSet;

use super::batch::{self, Statement};
use super::lend::Loans;
use super::memory::{self, Memory, Sizes};
use super::{RestoreReport, refresh, rows};
use crate::archive::{MemberKind, MemberRecord, Reader, Section};
use crate::catalog::{self, Rights, set_sequence};
use crate::context::{Context, Progress};
use crate::error::{Attempt, Error, Result};
use crate::pg::{Session, Sql};

/// Who commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The caller, whose transaction is open.
    Callers,
    /// Nobody waits: each batch is a transaction, and the server's table of locks stays small.
    EachBatch,
}

/// The statement that creates an entry.
pub(super) fn creation(reader: &Reader, index: usize) -> Result<Statement> {
    let entry = reader.manifest().entries.get(index);
    Ok(Statement {
        what: format!("create {}", entry.map_or("", |entry| &*entry.identity)),
        sql: Sql::deparsed(reader.entry_text(index)?),
    })
}

/// Entries that are made together, and what goes with them: grants that are lent, memory that is spared.
#[derive(Default)]
struct Entries {
    statements: Vec<Statement>,
    count: usize,
    /// What is said of the last one.
    last: String,
}

/// Of a member's lines, a statement each, those that write these large objects. None if a line is something else.
fn written_into(wanted: &BTreeSet<u32>, text: &str) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if wanted.contains(&catalog::large_object_written_by(line)?) {
            kept.push_str(line);
        }
    }
    Some(kept)
}

/// A restore under way.
pub(super) struct Work<'a> {
    session: &'a Session,
    pub ending: Ending,
    pub reader: &'a Reader,
    present: &'a BTreeSet<usize>,
    loans: &'a Loans,
    pub ctx: &'a Context,
    pub progress: Progress,
    pub report: RestoreReport,
    /// What GIN builds ask for, once one has.
    builds: Option<(Memory, Sizes<'a>)>,
}

impl<'a> Work<'a> {
    pub fn new(
        session: &'a Session,
        ending: Ending,
        reader: &'a Reader,
        present: &'a BTreeSet<usize>,
        loans: &'a Loans,
        ctx: &'a Context,
    ) -> Self {
        let manifest = reader.manifest();
        let progress = Progress {
            total_bytes: manifest.tables.iter().map(|table| table.bytes).sum(),
            total_items: manifest.entries.len() as u64,
            ..Progress::default()
        };
        Self {
            session,
            ending,
            reader,
            present,
            loans,
            ctx,
            progress,
            report: RestoreReport::default(),
            builds: None,
        }
    }

    /// Grants in schemas that are there already; the others get theirs when they are made.
    pub async fn lend_in_standing_schemas(&self, rights: &Rights) -> Result<()> {
        let standing = self.loans.schemas();
        let standing = standing.filter(|schema| rights.schema_owner(schema).is_some());
        let loans: Vec<Statement> = standing.filter_map(|one| self.loans.lend(one)).collect();
        self.run(&loans).await
    }

    /// Creates the entries of one section, in restore order.
    pub async fn entries(&mut self, section: Section) -> Result<()> {
        let wanted = self.wanted(section);
        self.make(&wanted).await
    }

    /// What comes last, inside a transaction and in the archive's order: each materialized view is filled by itself, while no
    /// event trigger is there that would forbid it.
    pub async fn last(&mut self) -> Result<()> {
        let entries = &self.reader.manifest().entries;
        let is_refresh =
            |index: &usize| entries[*index].kind == catalog::Kind::MaterializedViewData.name();
        let wanted = self.wanted(Section::Last);
        for alike in wanted.chunk_by(|one, next| is_refresh(one) == is_refresh(next)) {
            match alike.first().is_some_and(is_refresh) {
                true => self.fill(alike).await?,
                false => self.make(alike).await?,
            }
        }
        Ok(())
    }

    async fn fill(&mut self, refreshes: &[usize]) -> Result<()> {
        for &index in refreshes {
            let statement = creation(self.reader, index)?;
            self.progress.what.clone_from(&statement.what);
            let identity = &self.reader.manifest().entries[index].identity;
            let unfilled = refresh::fill(self.session, identity, statement).await?;
            self.made(1);
            self.report.unfilled.extend(unfilled);
        }
        Ok(())
    }

    /// The entries of one section that are to be made, in restore order.
    pub fn wanted(&self, section: Section) -> Vec<usize> {
        let entries = self.reader.manifest().entries.iter().enumerate();
        let wanted = entries.filter(|(index, entry)| {
            entry.section == section && entry.place.is_some() && !self.present.contains(index)
        });
        wanted.map(|(index, _)| index).collect()
    }

    /// Creates these entries, in this order.
    pub async fn make(&mut self, entries: &[usize]) -> Result<()> {
        let mut batch = Entries::default();
        for &index in entries {
            let statement = creation(self.reader, index)?;
            batch.count += 1;
            batch.last.clone_from(&statement.what);
            match self.spare(index, &statement).await? {
                Some(memory) => batch.statements.extend(memory::spared(statement, memory)),
                None => batch.statements.push(statement),
            }
            let entry = &self.reader.manifest().entries[index];
            if entry.kind == catalog::Kind::Schema.name() {
                batch.statements.extend(self.loans.lend(&entry.name));
            }
            if batch::is_full(&batch.statements) {
                self.flush(std::mem::take(&mut batch)).await?;
            }
        }
        self.flush(batch).await
    }

    /// What a GIN build is spared, in kilobytes: what it gets, and what was there.
    async fn spare(&mut self, index: usize, statement: &Statement) -> Result<Option<(u64, u64)>> {
        if !memory::builds_gin(statement) {
            return Ok(None);
        }
        let manifest = self.reader.manifest();
        let (memory, sizes) = match &mut self.builds {
            Some(builds) => builds,
            none => none.insert((Memory::of(self.session).await?, Sizes::of(manifest))),
        };
        Ok(memory.for_gin(sizes.about(&manifest.entries[index], manifest)))
    }

    /// Runs statements, and commits them where that is ours to do.
    pub async fn run(&self, statements: &[Statement]) -> Result<()> {
        match self.ending {
            Ending::Callers => batch::run(self.session, statements).await,
            Ending::EachBatch => batch::run_committed(self.session, statements).await,
        }
    }

    async fn flush(&mut self, batch: Entries) -> Result<()> {
        if batch.count == 0 {
            return Ok(());
        }
        self.progress.what = batch.last;
        self.run(&batch.statements).await?;
        self.made(batch.count);
        Ok(())
    }

    /// So many more entries are there.
    pub fn made(&mut self, entries: usize) {
        self.progress.items += entries as u64;
        self.report.entries += entries;
        self.ctx.progress(self.progress.clone());
    }

    /// Loads every data member of these tables.
    pub async fn rows(&mut self, tables: &BTreeSet<usize>) -> Result<()> {
        let manifest = self.reader.manifest();
        let is_wanted = |member: &MemberRecord| {
            let table = member.table.and_then(|table| usize::try_from(table).ok());
            member.kind == MemberKind::Data && table.is_none_or(|table| tables.contains(&table))
        };
        let members = manifest.members.iter().enumerate();
        for (index, _) in members.filter(|(_, member)| is_wanted(member)) {
            self.member(index).await?;
        }
        let loaded = tables
            .iter()
            .filter_map(|&table| manifest.tables.get(table));
        self.report.tables = loaded.filter(|table| table.rows > 0).count();
        Ok(())
    }

    /// Loads one data member.
    pub async fn member(&mut self, index: usize) -> Result<()> {
        let manifest = self.reader.manifest();
        let Some(member) = manifest.members.get(index) else {
            return Ok(());
        };
        let table = rows::table_of(manifest, member)?;
        self.progress.what.clone_from(&table.identity);
        let bytes = rows::load_member(self.session, self.reader, index, table, member).await?;
        self.progress.bytes += bytes;
        self.progress.rows += member.rows;
        self.ctx.progress(self.progress.clone());
        self.report.rows += member.rows;
        self.report.bytes += bytes;
        Ok(())
    }

    /// Writes the bytes of these large objects.
    pub async fn large_objects(&mut self, wanted: &BTreeSet<u32>) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let members = self.reader.manifest().members.iter().enumerate();
        for (index, _) in members.filter(|(_, member)| member.kind == MemberKind::LargeObjects) {
            let attempted = || "load large objects".to_owned();
            let number = u32::try_from(index).attempt(attempted)?;
            let text = String::from_utf8(self.reader.member_text(number)?).attempt(attempted)?;
            let text = written_into(wanted, &text)
                .ok_or_else(|| Error::operation(attempted()).because("a line writes none"))?;
            self.progress.what = attempted();
            self.progress.bytes += text.len() as u64;
            self.session.execute(&Sql::deparsed(text)).await?;
            self.ctx.progress(self.progress.clone());
        }
        Ok(())
    }

    /// Sets the values of these sequences.
    pub async fn sequences(&mut self, sequences: &BTreeSet<usize>) -> Result<()> {
        let mut batch = Vec::new();
        let all = &self.reader.manifest().sequences;
        for sequence in sequences.iter().filter_map(|&index| all.get(index)) {
            batch.push(Statement {
                what: format!("set the value of {}", sequence.identity),
                sql: set_sequence(
                    &sequence.schema,
                    &sequence.name,
                    sequence.last_value,
                    sequence.is_called,
                ),
            });
            if batch::is_full(&batch) {
                self.run(&batch).await?;
                batch.clear();
            }
        }
        self.run(&batch).await
    }
}
