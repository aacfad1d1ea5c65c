//! The footer: the last 90 bytes of an archive, a gzip member without content whose extra field
//! says where the manifest is and what it hashes to. docs/format.md §5 gives the bytes.
//!
//! Written last, so a file that has it is complete. Its size, magic, version and self-check stay
//! where they are in all later versions, so that an old reader can say "newer" and not "damaged".

use xxhash_rust::xxh3::xxh3_64;

/// Size of the footer in bytes.
pub(super) const LENGTH: usize = 90;

/// gzip header with an extra field of 68 bytes, holding one subfield `PB` of 64.
const HEAD: [u8; 16] = [
    0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 68, 0, b'P', b'B', 64, 0,
];
/// Starts the subfield.
const MAGIC: [u8; 8] = *b"PGBELAY\0";
/// An empty final deflate block, then CRC-32 and length of nothing.
const TAIL: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Where the self-check stands; it covers the subfield's bytes before it.
const CHECK_AT: usize = 72;

/// What the footer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    /// Format version.
    pub(super) version: u32,
    /// First byte of the manifest.
    pub(super) manifest_offset: u64,
    /// Its compressed bytes.
    pub(super) manifest_length: u64,
    /// Its decompressed bytes.
    pub(super) manifest_text_length: u64,
    /// XXH3-128 of the compressed bytes.
    pub(super) manifest_hash: u128,
}

/// Why the last bytes of a file are not a footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAFooter {
    /// Nothing like it.
    Absent,
    /// It was one, and some of its bytes changed.
    Damaged,
}

impl Footer {
    /// Its bytes.
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..16].copy_from_slice(&HEAD);
        bytes[16..24].copy_from_slice(&MAGIC);
        bytes[24..28].copy_from_slice(&self.version.to_le_bytes());
        // 28..32 is reserved, zero.
        bytes[32..40].copy_from_slice(&self.manifest_offset.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.manifest_length.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.manifest_text_length.to_le_bytes());
        bytes[56..72].copy_from_slice(&self.manifest_hash.to_be_bytes());
        let check = xxh3_64(&bytes[16..CHECK_AT]);
        bytes[CHECK_AT..80].copy_from_slice(&check.to_be_bytes());
        bytes[80..].copy_from_slice(&TAIL);
        bytes
    }

    /// Reads it; a version newer than ours is returned as it is, for the caller to refuse.
    pub(super) fn decode(bytes: &[u8; LENGTH]) -> Result<Self, NotAFooter> {
        let signs = [
            bytes[..16] == HEAD,
            bytes[16..24] == MAGIC,
            be_u64(bytes, CHECK_AT) == xxh3_64(&bytes[16..CHECK_AT]),
        ];
        match signs {
            [true, true, true] => {}
            [false, false, false] => return Err(NotAFooter::Absent),
            _ => return Err(NotAFooter::Damaged),
        }
        let footer = Self {
            version: le_u32(bytes, 24),
            manifest_offset: le_u64(bytes, 32),
            manifest_length: le_u64(bytes, 40),
            manifest_text_length: le_u64(bytes, 48),
            manifest_hash: u128::from(be_u64(bytes, 56)) << 64 | u128::from(be_u64(bytes, 64)),
        };
        if footer.version == super::FORMAT_VERSION && footer.encode() != *bytes {
            return Err(NotAFooter::Damaged);
        }
        Ok(footer)
    }
}

fn le_u32(bytes: &[u8; LENGTH], at: usize) -> u32 {
    (0..4)
        .rev()
        .fold(0, |value, i| value << 8 | u32::from(bytes[at + i]))
}

fn le_u64(bytes: &[u8; LENGTH], at: usize) -> u64 {
    (0..8)
        .rev()
        .fold(0, |value, i| value << 8 | u64::from(bytes[at + i]))
}

fn be_u64(bytes: &[u8; LENGTH], at: usize) -> u64 {
    (0..8).fold(0, |value, i| value << 8 | u64::from(bytes[at + i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Footer = Footer {
        version: 1,
        manifest_offset: 0x0102_0304_0506_0708,
        manifest_length: 513,
        manifest_text_length: 2049,
        manifest_hash: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
    };

    #[test]
    fn round_trip() {
        assert_eq!(Footer::decode(&SAMPLE.encode()), Ok(SAMPLE));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        for bit in 0..LENGTH * 8 {
            let mut bytes = SAMPLE.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Footer::decode(&bytes),
                Err(NotAFooter::Damaged),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_newer_version_is_read_as_such() {
        let newer = Footer {
            version: 2,
            ..SAMPLE
        };
        assert_eq!(Footer::decode(&newer.encode()), Ok(newer));
    }

    #[test]
    fn something_else_is_absent() {
        assert_eq!(Footer::decode(&[0; LENGTH]), Err(NotAFooter::Absent));
    }
}
