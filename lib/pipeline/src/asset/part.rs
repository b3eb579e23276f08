//! One part of an image file.

use std::ops::Range;

/// A run of bytes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// All of it, in bytes from the start of the file: marker, length, payload, checksum, padding. Fill bytes
    /// before a JPEG marker belong to the segment that follows them.
    pub range: Range<usize>,
    /// What it carries, without all that; empty where there is nothing.
    pub payload: Range<usize>,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// The first bytes: JPEG's SOI, PNG's signature, WebP's RIFF header.
    Start,
    /// A JPEG marker segment; the second byte of its marker, `0xE1` for APP1. The payload starts after the
    /// length.
    Segment(u8),
    /// The entropy-coded data after a JPEG scan header, restart markers and stuffed bytes included.
    Scan,
    /// JPEG's EOI.
    EndOfImage,
    /// A chunk of PNG or WebP, by its name.
    Chunk([u8; 4]),
    /// Everything after the end of the image.
    Trailer,
    /// The rest of a damaged file, from where it cannot be walked on.
    Unparsed,
}
