//! Where an archive's bytes come from: ranged reads only, so that it may live in object storage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::durable;

/// Bytes with a length that can be read from any place by several threads at once.
pub trait Source: Send + Sync {
    /// Bytes in all.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`; fails with [`io::ErrorKind::UnexpectedEof`] if there is less.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A local file.
#[derive(Debug)]
pub struct FileSource {
    file: File,
}

impl FileSource {
    /// Opens a file for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = durable::open_regular(path)?;
        Ok(Self { file })
    }
}

impl Source for FileSource {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
