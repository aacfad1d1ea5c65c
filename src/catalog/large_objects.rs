//! Large objects: definition, owner, and how their bytes are read (spec §3.5).
//!
//! Bytes are read with `lo_get` in pieces of [`PIECE_BYTES`], under the caller's snapshot, and
//! written with `lo_put`; both work for whoever may read the object, unlike `pg_largeobject`.

use super::address::LARGE_OBJECT;
use super::entry::Kind;
use super::graph::{Body, Node};
use super::read::{Reading, owner};
use super::source::Source;
use crate::archive::BytesDigest;
use crate::error::{Error, Result};
use crate::pg::{Session, Sql};

/// Bytes per read: as hexadecimal text, a member of about 2 MiB.
const PIECE_BYTES: u64 = 1 << 20;

pub(super) async fn add(reading: &mut Reading, source: &Source<'_>) -> Result<Vec<u32>> {
    let rows = source
        .query(&Sql::constant(include_str!("sql/large_objects.sql")))
        .await?;
    let mut objects = Vec::with_capacity(rows.len());
    for row in &rows {
        let oid: u32 = row.number("oid")?;
        let identity = identity(oid);
        let Some((raw, quoted)) = owner(reading, row, &identity, "pg_largeobject_metadata")? else {
            continue;
        };
        let create = format!(
            "SELECT pg_catalog.lo_create('{oid}');\nALTER LARGE OBJECT {oid} OWNER TO {quoted};\n"
        );
        let drop = format!("SELECT pg_catalog.lo_unlink({oid});");
        let node = Node::new(Kind::LargeObject, None, &oid.to_string(), &identity)
            .text(create, Some(drop))
            .tied([format!("{oid:010}")])
            .owned_by(&raw)
            .commented_as(format!("LARGE OBJECT {oid}"));
        let object = reading.graph.add((LARGE_OBJECT, oid), node);
        let data = Node::new(
            Kind::LargeObjectData,
            None,
            &oid.to_string(),
            format!("data of {identity}"),
        )
        .body(Body::Data);
        let data = reading.graph.add_unaddressed(data);
        reading.graph.need(data, object);
        objects.push(oid);
    }
    Ok(objects)
}

/// `large object 4711`.
pub fn identity(oid: u32) -> String {
    format!("large object {oid}")
}

/// A piece of a large object, in hexadecimal as the server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// First byte.
    pub offset: u64,
    /// Its bytes, two digits each; empty behind the object's end.
    pub hex: String,
}

impl Piece {
    /// Where the next piece starts; none behind the end.
    pub fn next(&self) -> Option<u64> {
        let bytes = self.hex.len() as u64 / 2;
        (bytes == PIECE_BYTES).then_some(self.offset + bytes)
    }

    /// The statement that writes it; nothing for an empty piece.
    pub fn statement(&self, oid: u32) -> String {
        if self.hex.is_empty() {
            return String::new();
        }
        format!(
            "SELECT pg_catalog.lo_put({oid}, {}, '\\x{}');\n",
            self.offset, self.hex
        )
    }

    /// Adds its bytes to a digest.
    ///
    /// # Errors
    /// The server sent something that is not hexadecimal.
    pub fn digest_into(&self, digest: &mut BytesDigest) -> Result<()> {
        let bytes: Option<Vec<u8>> = (0..self.hex.len() / 2)
            .map(|at| {
                let digits = self.hex.get(2 * at..2 * at + 2)?;
                u8::from_str_radix(digits, 16).ok()
            })
            .collect();
        let bytes = bytes.ok_or_else(|| {
            Error::operation("read a large object").because("its bytes are not hexadecimal")
        })?;
        digest.add(&bytes);
        Ok(())
    }
}

/// The number of the large object that a line of an archive ([`Piece::statement`]) writes.
pub fn large_object_written_by(line: &str) -> Option<u32> {
    let rest = line.strip_prefix("SELECT pg_catalog.lo_put(")?;
    rest.split_once(", ")?.0.parse().ok()
}

/// Reads one piece, inside the caller's transaction.
pub async fn read_large_object(session: &Session, oid: u32, offset: u64) -> Result<Piece> {
    let sql = Sql::constant("SELECT pg_catalog.encode(pg_catalog.lo_get(")
        .number(oid)
        .then(", ")
        .number(offset)
        .then(", ")
        .number(PIECE_BYTES)
        .then("), 'hex') AS piece");
    let hex = session.query_one(&sql).await?.string("piece")?;
    Ok(Piece { offset, hex })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_becomes_a_statement_and_a_digest() {
        let piece = Piece {
            offset: 7,
            hex: "616263".to_owned(),
        };
        assert_eq!(
            piece.statement(42),
            "SELECT pg_catalog.lo_put(42, 7, '\\x616263');\n"
        );
        assert_eq!(large_object_written_by(&piece.statement(42)), Some(42));
        assert_eq!(large_object_written_by("SELECT 42, 7;"), None);
        let (mut read, mut expected) = (BytesDigest::default(), BytesDigest::default());
        piece.digest_into(&mut read).unwrap();
        expected.add(b"abc");
        assert_eq!(read.hex(), expected.hex());
        assert_eq!(piece.next(), None, "a short piece is the last one");
    }
}
