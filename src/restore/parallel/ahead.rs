//! Members of the archive, read and decompressed by a thread of their own while the one before is
//! being sent.
//!
//! Memory is bounded: what is being sent, and one reading ahead of it. A reading is one member, or
//! several small ones: a thread for each of them would cost more than it saves.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::archive::Reader;
use crate::error::{Attempt, Result};
use crate::restore::rows;

/// Members up to so many bytes of text are read together.
const TOGETHER_BYTES: u64 = 1 << 20;

/// A member's index and its rows.
type Piece = (usize, Bytes);

/// What is read ahead.
pub(super) struct Ahead {
    reader: Reader,
    left: VecDeque<Vec<usize>>,
    reading: Option<JoinHandle<Result<Vec<Piece>>>>,
    read: VecDeque<Piece>,
}

impl Ahead {
    /// Starts to read these members.
    pub fn of(reader: &Reader, members: &[usize]) -> Self {
        let texts = members
            .iter()
            .map(|&index| (index, reader.manifest().members[index].text_length));
        let mut ahead = Self {
            reader: reader.clone(),
            left: readings(texts),
            reading: None,
            read: VecDeque::new(),
        };
        ahead.start();
        ahead
    }

    /// The next member, in the order asked for; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.read.pop_front() {
                return Ok(Some(piece));
            }
            let Some(reading) = self.reading.take() else {
                return Ok(None);
            };
            let read = reading.await;
            self.read = read
                .attempt(|| "read members of the archive".to_owned())??
                .into();
            self.start();
        }
    }

    fn start(&mut self) {
        let reader = self.reader.clone();
        self.reading = self
            .left
            .pop_front()
            .map(|members| tokio::task::spawn_blocking(move || read(&reader, members)));
    }
}

fn read(reader: &Reader, members: Vec<usize>) -> Result<Vec<Piece>> {
    let manifest = reader.manifest();
    let pieces = members.into_iter().map(|index| {
        let table = rows::table_of(manifest, &manifest.members[index])?;
        Ok((index, rows::read_member(reader, index, table)?))
    });
    pieces.collect()
}

/// Groups members, given with the length of their text, without changing their order.
fn readings(members: impl Iterator<Item = (usize, u64)>) -> VecDeque<Vec<usize>> {
    let mut readings: VecDeque<Vec<usize>> = VecDeque::new();
    let mut bytes = 0;
    for (index, length) in members {
        bytes += length;
        match readings.back_mut() {
            Some(reading) if bytes <= TOGETHER_BYTES => reading.push(index),
            _ => {
                bytes = length;
                readings.push_back(vec![index]);
            }
        }
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_members_are_read_together_and_large_ones_alone() {
        let lengths = [1, 2, 3 << 20, 1 << 19, 1 << 19, 1];
        let grouped = readings(lengths.into_iter().enumerate());
        assert_eq!(grouped, [vec![0, 1], vec![2], vec![3, 4], vec![5]]);
    }
}
