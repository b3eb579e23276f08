//! What an image file is made of: its format, its size in pixels, and its parts as ranges, never copies.
//!
//! [`Asset::parse`] is the strict door, for signing: what it lets through can be laid out anew without loss.
//! [`Asset::read_leniently`] is the open door, for verification: it walks as far as it can and says what is
//! wrong. Both walk the same way, in one pass, in time linear in the length of the file.

mod carrier;
mod extended_xmp;
#[cfg(test)]
mod hostile;
mod jpeg;
mod limits;
mod metadata;
mod part;
mod png;
#[cfg(test)]
pub(crate) mod sample;
mod segments;
mod store;
mod walk;
mod webp;

use std::{fmt, ops::Range};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::walk::Walk;
pub(crate) use self::{
    carrier::{Carrier, free_box_instance},
    jpeg::marker,
    metadata::{EXIF_HEADER, XMP_HEADER, XMP_KEYWORD},
    png::crc as png_crc,
    webp::lossless_alpha as webp_lossless_alpha,
};
pub use self::{
    limits::Limits,
    metadata::TextEntry,
    part::{Part, PartKind},
    store::ManifestStore,
};

/// The three formats, told by their first bytes, never by a name or a declared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG (ITU T.81).
    Jpeg,
    /// PNG, third edition, with APNG.
    Png,
    /// WebP (RFC 9649).
    WebP,
}

impl Format {
    /// The format whose magic bytes stand at the start of `bytes`; `None` when it is none of the three.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(png::SIGNATURE) {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::WebP)
        } else {
            None
        }
    }

    /// The media type, such as `image/jpeg`.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    /// The usual end of a file name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
        })
    }
}

/// Size of a picture in pixels, as its header declares it. Orientation is not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// Columns; never 0.
    pub width: u32,
    /// Rows; never 0.
    pub height: u32,
}

/// An image file, cut into its parts. The parts cover the file from the first to the last byte, in order and
/// without a gap.
#[derive(Clone, Debug)]
pub struct Asset {
    bytes: Bytes,
    format: Format,
    dimensions: Option<Dimensions>,
    parts: Vec<Part>,
}

impl Asset {
    /// Reads a file that is to be signed. Strict: every length must hold, the image data must be there to its
    /// end, and the size must be within `limits`. Pixels are not decoded.
    ///
    /// JPEG: baseline, extended and progressive frames, Huffman or arithmetic coded (SOF0, 1, 2, 9, 10).
    /// Lossless, hierarchical and DNL files are refused: browsers do not show them. Bytes after the end of the
    /// image (further MPF images, motion photos) are kept as one [`PartKind::Trailer`] in JPEG and PNG; in WebP,
    /// where no reader expects any, the file is refused.
    ///
    /// # Errors
    /// [`AssetError`], which says what to do.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, AssetError> {
        if bytes.is_empty() {
            return Err(AssetError::Empty);
        }
        if bytes.len() > limits.max_bytes {
            return Err(AssetError::TooLarge { length: bytes.len(), limit: limits.max_bytes });
        }
        let format = Format::detect(&bytes).ok_or(AssetError::NotAnImage)?;
        let Walk { dimensions, parts, fault, .. } = walk(format, &bytes, limits.max_parts);
        if let Some(Dimensions { width, height }) = dimensions
            && (width > limits.max_width || height > limits.max_height)
        {
            let (max_width, max_height) = (limits.max_width, limits.max_height);
            return Err(AssetError::Dimensions { width, height, max_width, max_height });
        }
        match fault {
            Some(damage) => Err(AssetError::Damaged { format, offset: damage.offset, reason: damage.reason }),
            None => Ok(Self { format, dimensions, parts, bytes }),
        }
    }

    /// Reads a file that is to be verified: never fails once the magic bytes are right. What cannot be walked
    /// becomes one [`PartKind::Unparsed`] at the end. The second value says what is wrong, at most
    /// [`MAX_DAMAGE`] notes; it is empty for an intact file. The file's length is for the caller to
    /// limit. Twice as many parts are taken as by default for signing, because signing adds parts.
    ///
    /// # Errors
    /// [`NotAnImage`] when the first bytes are those of none of the three formats.
    pub fn read_leniently(bytes: Bytes) -> Result<(Self, Vec<Damage>), NotAnImage> {
        let format = Format::detect(&bytes).ok_or(NotAnImage)?;
        let Walk { dimensions, parts, damage, .. } = walk(format, &bytes, 2 * Limits::default().max_parts);
        Ok((Self { format, dimensions, parts, bytes }, damage))
    }

    /// The whole file.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The size in pixels; `None` only when a damaged file does not tell it.
    pub fn dimensions(&self) -> Option<Dimensions> {
        self.dimensions
    }

    /// The parts, in the order of the file.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The whole of `part`, headers included.
    pub fn part_bytes(&self, part: &Part) -> Bytes {
        self.slice(&part.range)
    }

    /// What `part` carries, without its headers, checksum and padding.
    pub fn payload(&self, part: &Part) -> Bytes {
        self.slice(&part.payload)
    }

    /// A range of the file without a copy; empty when it does not lie within the file.
    pub(crate) fn slice(&self, range: &Range<usize>) -> Bytes {
        if range.start <= range.end && range.end <= self.bytes.len() {
            self.bytes.slice(range.clone())
        } else {
            Bytes::new()
        }
    }

    /// The same as [`Asset::payload`], borrowed.
    pub(crate) fn payload_slice(&self, part: &Part) -> &[u8] {
        self.bytes.get(part.payload.clone()).unwrap_or_default()
    }
}

/// The most notes on damage that are kept of one file.
pub const MAX_DAMAGE: usize = 32;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where, in bytes from the start of the file.
    pub offset: usize,
    /// What, for a person to read.
    pub reason: String,
    /// Whether [`Asset::parse`] refuses the file for it.
    pub refused: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.reason, self.offset)
    }
}

/// The first bytes are those of no known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the file is not a JPEG, PNG or WebP image; send one of these")]
pub struct NotAnImage;

/// Why a file cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AssetError {
    /// Not a single byte.
    #[error("the file is empty; send an image")]
    Empty,
    /// The first bytes are those of no known format.
    #[error("{NotAnImage}")]
    NotAnImage,
    /// Longer than [`Limits::max_bytes`].
    #[error("the file has {length} bytes; send one of at most {limit} bytes")]
    TooLarge {
        /// Bytes in the file.
        length: usize,
        /// Bytes that are taken.
        limit: usize,
    },
    /// More pixels than [`Limits`] allows.
    #[error("the picture has {width} × {height} pixels; send one of at most {max_width} × {max_height}")]
    Dimensions {
        /// Declared columns.
        width: u32,
        /// Declared rows.
        height: u32,
        /// Columns that are taken.
        max_width: u32,
        /// Rows that are taken.
        max_height: u32,
    },
    /// The file is cut short, or its structure is broken.
    #[error("the {format} file is damaged at byte {offset}: {reason}; export the picture again")]
    Damaged {
        /// What the file is by its first bytes.
        format: Format,
        /// Where, in bytes from the start.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
}

impl From<NotAnImage> for AssetError {
    fn from(_: NotAnImage) -> Self {
        Self::NotAnImage
    }
}

fn walk(format: Format, bytes: &[u8], max_parts: usize) -> Walk<'_> {
    let mut walk = Walk::new(bytes, max_parts);
    match format {
        Format::Jpeg => jpeg::walk(&mut walk),
        Format::Png => png::walk(&mut walk),
        Format::WebP => webp::walk(&mut walk),
    }
    walk.close();
    walk
}
