//! What comes before the data, made by several sessions where there is much of it.
//!
//! Restore order is kept, but for stretches of it that hold nothing but tables, their sequences,
//! defaults, attachments and comments. What hangs together in such a stretch stays in order and in
//! one session; the rest of it is divided. Whatever fails is made again by the leader alone after
//! everybody has ended (the types of two tables may have wanted the same name), and what fails then
//! is the archive's or the server's fault.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use futures_util::future;

use crate::archive::{Manifest, Section};
use crate::catalog::Kind;
use crate::error::Result;
use crate::pg::Session;
use crate::restore::batch::{self, Statement};
use crate::restore::work::{Work, creation};

/// What other sessions may make at the same time if it does not hang together.
const DIVISIBLE: [Kind; 6] = [
    Kind::Table,
    Kind::Sequence,
    Kind::SequenceOwnedBy,
    Kind::Default,
    Kind::TableAttach,
    Kind::Comment,
];

/// Shorter stretches are left to the leader: one batch of his is over before others have begun.
const WORTH_IT: usize = 20;

/// Parts per worker: large enough for cheap transactions, small enough to end together.
const SHARES: usize = 4;

/// Makes everything that comes before the data.
pub(super) async fn make(work: &mut Work<'_>, crew: &[Session]) -> Result<()> {
    let wanted = work.wanted(Section::PreData);
    let manifest = work.reader.manifest();
    let divisible = |index: &usize| {
        let kind = manifest.entries[*index].kind.as_str();
        DIVISIBLE.map(Kind::name).contains(&kind)
    };
    for stretch in wanted.chunk_by(|one, next| divisible(one) == divisible(next)) {
        if stretch.len() >= WORTH_IT && divisible(&stretch[0]) {
            divide(work, crew, stretch).await?;
        } else {
            work.make(stretch).await?;
        }
    }
    Ok(())
}

/// Makes a stretch with all sessions, then what they could not make.
async fn divide(work: &mut Work<'_>, crew: &[Session], stretch: &[usize]) -> Result<()> {
    let most = stretch.len() / (crew.len().max(1) * SHARES) + 1;
    let parts = parts(bundles(work.reader.manifest(), stretch), most);
    let shared = Shared {
        parts: Mutex::new(parts.into()),
        failed: Mutex::default(),
        work: Mutex::new(work),
    };
    let workers = crew.iter().map(|session| shared.work_off(session));
    future::try_join_all(workers).await?;
    let mut failed = shared.failed.into_inner();
    let failed = failed.as_mut().unwrap_or_else(PoisonError::get_mut);
    failed.sort_unstable();
    work.make(failed).await
}

struct Shared<'a, 'b> {
    parts: Mutex<VecDeque<Vec<usize>>>,
    failed: Mutex<Vec<usize>>,
    work: Mutex<&'a mut Work<'b>>,
}

impl Shared<'_, '_> {
    async fn work_off(&self, session: &Session) -> Result<()> {
        while let Some(part) = self.next() {
            let made = self.make(session, &part).await?;
            let rest = part.get(made..).unwrap_or_default();
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.extend(rest);
        }
        Ok(())
    }

    fn next(&self) -> Option<Vec<usize>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.pop_front()
    }

    /// Makes entries in order until something fails; says how many are there.
    async fn make(&self, session: &Session, part: &[usize]) -> Result<usize> {
        let mut made = 0;
        while made < part.len() {
            let statements = self.statements(&part[made..])?;
            match batch::at_once(session, &statements).await {
                Ok(()) => made += statements.len(),
                Err(error) if session.is_closed() => return Err(error),
                Err(_) => break,
            }
            let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            work.made(statements.len());
        }
        Ok(made)
    }

    /// As many statements as one transaction takes.
    fn statements(&self, entries: &[usize]) -> Result<Vec<Statement>> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statements = Vec::new();
        for &index in entries {
            statements.push(creation(work.reader, index)?);
            if batch::is_full(&statements) {
                break;
            }
        }
        Ok(statements)
    }
}

/// What hangs together, each in restore order, in the order of their first entries.
fn bundles(manifest: &Manifest, stretch: &[usize]) -> Vec<Vec<usize>> {
    let places: HashMap<usize, usize> = stretch
        .iter()
        .enumerate()
        .map(|(place, &index)| (index, place))
        .collect();
    // Towards the first entry of each bundle.
    let mut towards: Vec<usize> = (0..stretch.len()).collect();
    for (place, &index) in stretch.iter().enumerate() {
        let needed = manifest.entries[index].depends.iter();
        let needed = needed.filter_map(|at| places.get(&usize::try_from(*at).ok()?));
        for &other in needed {
            let (one, other) = (first(&mut towards, place), first(&mut towards, other));
            towards[one.max(other)] = one.min(other);
        }
    }
    let mut bundles: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, &index) in stretch.iter().enumerate() {
        let first = first(&mut towards, place);
        bundles.entry(first).or_default().push(index);
    }
    bundles.into_values().collect()
}

/// The first place of a bundle; ways become shorter as they are gone.
fn first(towards: &mut [usize], mut place: usize) -> usize {
    while towards[place] != place {
        towards[place] = towards[towards[place]];
        place = towards[place];
    }
    place
}

/// Bundles put together to parts of about so many entries, the largest bundles first.
fn parts(mut bundles: Vec<Vec<usize>>, most: usize) -> Vec<Vec<usize>> {
    bundles.sort_by_key(|bundle| std::cmp::Reverse(bundle.len()));
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for bundle in bundles {
        match parts.last_mut() {
            Some(part) if part.len() + bundle.len() <= most => part.extend(bundle),
            _ => parts.push(bundle),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::manifest_of;

    #[test]
    fn what_hangs_together_stays_together_and_in_order() {
        let names: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        let mut manifest = manifest_of(&names);
        // 3 and 5 need 1, 6 needs 2 and 4; 0 stands before the stretch.
        for (entry, depends) in [
            (1, vec![0]),
            (2, vec![0]),
            (3, vec![1]),
            (5, vec![1]),
            (6, vec![2, 4]),
        ] {
            manifest.entries[entry].depends = depends;
        }
        let bundles = bundles(&manifest, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(bundles, [vec![1, 3, 5], vec![2, 4, 6]]);
        assert_eq!(parts(bundles.clone(), 3), bundles);
        assert_eq!(parts(bundles, 6), [[1, 3, 5, 2, 4, 6]]);
    }
}
