//! A file in pieces.

use std::io::{self, Write};

use bytes::Bytes;

/// A file as pieces in order, most of them slices of another file, so that nothing has to be copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rope {
    pieces: Vec<Bytes>,
}

impl Rope {
    /// A rope of these pieces; empty ones are left out.
    pub fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self { pieces: pieces.into_iter().filter(|piece| !piece.is_empty()).collect() }
    }

    /// Bytes in all pieces.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether there is not a single byte.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The pieces, none of them empty.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The pieces, for whoever sends them on.
    pub fn into_pieces(self) -> Vec<Bytes> {
        self.pieces
    }

    /// All bytes in one run: a copy.
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// Writes all pieces.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, mut writer: impl Write) -> io::Result<()> {
        self.pieces.iter().try_for_each(|piece| writer.write_all(piece))
    }
}
