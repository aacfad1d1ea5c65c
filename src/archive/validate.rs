//! What must hold in every manifest before anything in it is believed: lengths that fit the file,
//! indexes in range, dependencies without a cycle, sums that agree.
//!
//! The writer validates what it is about to write and the reader what it read, with this code.

use std::collections::BTreeSet;

use super::compress::plausible;
use super::manifest::{Manifest, MemberKind, MemberRecord};

/// Says what is wrong with a manifest whose file has `data_length` bytes before it.
pub(super) fn validate(manifest: &Manifest, data_length: u64) -> Result<(), String> {
    if manifest.format != super::FORMAT_VERSION {
        return Err(format!("it says format {}", manifest.format));
    }
    members(manifest, data_length)?;
    tables(manifest)?;
    counters(manifest)?;
    entries(manifest)?;
    acyclic(manifest)
}

/// Members follow each other from the file's first byte to the manifest.
fn members(manifest: &Manifest, data_length: u64) -> Result<(), String> {
    let mut end = 0_u64;
    for (index, member) in manifest.members.iter().enumerate() {
        if member.offset != end {
            return Err(format!(
                "member {index} starts at byte {}, not {end}",
                member.offset
            ));
        }
        end = end
            .checked_add(member.length)
            .filter(|end| *end <= data_length)
            .ok_or_else(|| format!("member {index} reaches beyond the manifest"))?;
        one_member(manifest, member).map_err(|why| format!("member {index}: {why}"))?;
    }
    if end != data_length {
        return Err(format!(
            "its members end at byte {end}, but the manifest starts at {data_length}"
        ));
    }
    match manifest.members.first() {
        Some(first) if first.kind == MemberKind::Preamble => Ok(()),
        _ => Err("the first member is not a preamble".into()),
    }
}

fn one_member(manifest: &Manifest, member: &MemberRecord) -> Result<(), String> {
    plausible(member.length, member.text_length)?;
    if !is_hash(&member.hash) {
        return Err("its hash is not 32 hex digits".into());
    }
    match (member.kind, member.table) {
        (MemberKind::Data, Some(table)) if at(&manifest.tables, table).is_some() => Ok(()),
        (MemberKind::Data, _) => Err("it names no table of the manifest".into()),
        (_, None) if member.rows == 0 => Ok(()),
        _ => Err("only data members have a table and rows".into()),
    }
}

/// Counts stand for tables by their places.
fn counters(manifest: &Manifest) -> Result<(), String> {
    let counters = manifest.counters.as_ref();
    match counters.is_none_or(|counters| counters.tables.len() == manifest.tables.len()) {
        true => Ok(()),
        false => Err("it does not count for each table".into()),
    }
}

/// Each table's rows are those of its members.
fn tables(manifest: &Manifest) -> Result<(), String> {
    let mut rows = vec![0_u64; manifest.tables.len()];
    for member in &manifest.members {
        let sum = member
            .table
            .and_then(|table| rows.get_mut(usize::try_from(table).ok()?));
        if let Some(sum) = sum {
            *sum = sum.saturating_add(member.rows);
        }
    }
    for (table, rows) in manifest.tables.iter().zip(rows) {
        if table.rows != rows {
            return Err(format!(
                "{} has {} rows, its members {rows}",
                table.identity, table.rows
            ));
        }
        if table.copy.is_empty() {
            return Err(format!("{} has no COPY statement", table.identity));
        }
        if !is_hash(&table.digest) {
            return Err(format!(
                "{}: its digest is not 32 hex digits",
                table.identity
            ));
        }
    }
    Ok(())
}

/// Identities are unique, dependencies exist, texts lie within their members.
fn entries(manifest: &Manifest) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for entry in &manifest.entries {
        if !seen.insert(&entry.identity) {
            return Err(format!("two entries are called {}", entry.identity));
        }
        if entry
            .depends
            .iter()
            .any(|index| at(&manifest.entries, *index).is_none())
        {
            return Err(format!(
                "{} depends on an entry that does not exist",
                entry.identity
            ));
        }
        let Some(place) = entry.place else { continue };
        let fits = at(&manifest.members, place.member).is_some_and(|member| {
            member.kind != MemberKind::Data
                && place
                    .offset
                    .checked_add(place.length)
                    .is_some_and(|end| end <= member.text_length)
        });
        if !fits {
            return Err(format!(
                "the text of {} lies outside its member",
                entry.identity
            ));
        }
    }
    Ok(())
}

/// Removes entries that wait for nothing until none is left; what remains waits for itself.
fn acyclic(manifest: &Manifest) -> Result<(), String> {
    let count = manifest.entries.len();
    let mut waiting_for = vec![0_usize; count];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, entry) in manifest.entries.iter().enumerate() {
        waiting_for[index] = entry.depends.len();
        for needed in entry
            .depends
            .iter()
            .filter_map(|needed| usize::try_from(*needed).ok())
        {
            needed_by[needed].push(index);
        }
    }
    let mut ready: Vec<usize> = (0..count)
        .filter(|index| waiting_for[*index] == 0)
        .collect();
    let mut done = 0;
    while let Some(index) = ready.pop() {
        done += 1;
        for dependent in &needed_by[index] {
            waiting_for[*dependent] -= 1;
            if waiting_for[*dependent] == 0 {
                ready.push(*dependent);
            }
        }
    }
    if done == count {
        return Ok(());
    }
    let caught = (0..count)
        .find(|index| waiting_for[*index] > 0)
        .unwrap_or_default();
    Err(format!(
        "{} depends on itself through others",
        manifest.entries[caught].identity
    ))
}

fn at<T>(items: &[T], index: u32) -> Option<&T> {
    items.get(usize::try_from(index).ok()?)
}

fn is_hash(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
