//! What a picture looks like, in 256 bits: the ISCC Image-Code (ISO 24138), the soft binding
//! `io.iscc.v0`.
//!
//! The code is made of 32 x 32 luma values. So nothing is ever decoded to RGB where the format allows it, and
//! no more is held than needed: of a large JPEG only the mean of each 8 x 8 block is decoded, of one of middle size
//! four values a block, a PNG is reduced row by row, of a lossy WebP only the luma plane is used.
//!
//! The reference for the luma values is Pillow: `ImageOps.exif_transpose`, blended on white,
//! `convert("L")`, `resize((32, 32), BICUBIC)`.

mod bits;
mod coefficients;
mod dc;
mod huffman;
mod jpeg;
mod orientation;
mod png;
mod quarters;
mod reduce;
mod riff;
mod scan;
mod segment;
mod webp;

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::asset::Format;

/// The longest side of a picture that is decoded, in pixels.
pub const MAX_SIDE: u32 = 10_000;

/// The most memory that decoding may take, in bytes, estimated before it starts and without the file itself.
/// Every baseline or progressive JPEG with luma, every PNG and every lossy WebP without transparency of up
/// to [`MAX_SIDE`] x [`MAX_SIDE`] pixels fits; lossless and transparent WebP and CMYK or RGB JPEG of that
/// size do not.
pub const DECODING_BUDGET: u64 = 160 << 20;

/// An ISCC Image-Code, version 0, of 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The name on C2PA's list of soft binding algorithms.
    pub const ALGORITHM: &str = "io.iscc.v0";

    /// Holds the place of one that is still being computed.
    pub(crate) const PENDING: Self = Self([0; 32]);

    /// The fingerprint of an encoded image.
    ///
    /// # Errors
    /// As [`luma_32x32`].
    pub fn of_image(bytes: &[u8], format: Format) -> Result<Self, FingerprintError> {
        Self::of_luma(&luma_32x32(bytes, format)?)
    }

    /// The fingerprint of 32 x 32 luma values, row by row.
    fn of_luma(luma: &[u8; 1024]) -> Result<Self, FingerprintError> {
        iscc_lib::gen_image_code_v0(luma, BITS)
            .ok()
            .and_then(|code| code.iscc.parse().ok())
            .ok_or(FingerprintError::Undecodable("no Image-Code came out of the luma values".to_owned()))
    }

    /// The value of the `c2pa.soft-binding` assertion for alg `io.iscc.v0`: an ISCC-SEQ (IEP-0020) of one
    /// unit, its header and its 32 bytes.
    pub fn soft_binding_value(&self) -> [u8; 34] {
        let mut unit = [0; 34];
        let (header, body) = unit.split_at_mut(HEADER.len());
        header.copy_from_slice(&HEADER);
        body.copy_from_slice(&self.0);
        unit
    }

    /// How many of the 256 bits differ: 0 for the same picture, about 128 for two that have nothing in
    /// common.
    pub fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(other.0).map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}

/// Length of the code in bits.
const BITS: u32 = 256;

/// The ISCC header (ISO 24138, section 5.2), four bits each: MainType Content (2), SubType Image (1),
/// Version 0, Length 7 (256 bits).
const HEADER: [u8; 2] = [0x21, 0x07];

impl fmt::Display for Fingerprint {
    /// The canonical text: `ISCC:` and 55 characters of base32.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ISCC:{}", iscc_lib::codec::encode_base32(&self.soft_binding_value()))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    /// Takes the canonical text only.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let unit = text
            .strip_prefix("ISCC:")
            .filter(|code| code.len() == 55)
            .and_then(|code| iscc_lib::codec::decode_base32(code).ok())
            .ok_or(InvalidFingerprint)?;
        let body = unit.strip_prefix(&HEADER).and_then(|body| body.try_into().ok());
        let fingerprint = Self(body.ok_or(InvalidFingerprint)?);
        if fingerprint.to_string() == text { Ok(fingerprint) } else { Err(InvalidFingerprint) }
    }
}

/// The text is not an ISCC Image-Code of 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fingerprint is an ISCC Image-Code, version 0, of 256 bits: ISCC:EED and 52 more characters")]
pub struct InvalidFingerprint;

/// The picture as it is to be seen (EXIF orientation applied, transparency on white), reduced to 32 x 32
/// luma values, row by row.
///
/// # Errors
/// [`FingerprintError`]. It says nothing about the file being well-formed beyond what was read of it.
pub fn luma_32x32(bytes: &[u8], format: Format) -> Result<[u8; 1024], FingerprintError> {
    match format {
        Format::Jpeg => jpeg::luma_32x32(bytes),
        Format::Png => png::luma_32x32(bytes),
        Format::WebP => webp::luma_32x32(bytes),
    }
}

/// Why an image has no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FingerprintError {
    /// The image data is damaged, or ends early.
    #[error("the picture cannot be decoded: {0}; save it anew in an image editor")]
    Undecodable(String),
    /// A variant of the format that is not decoded.
    #[error("{0} is not supported; save the picture as an ordinary JPEG, PNG or WebP")]
    Unsupported(&'static str),
    /// More pixels than [`MAX_SIDE`] allows, or more memory than [`DECODING_BUDGET`].
    #[error("a picture of {width} x {height} pixels in this coding is too large to be decoded")]
    TooLarge {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
}

impl FingerprintError {
    /// What a decoder had to say, cut to a length fit for a log line.
    fn undecodable(error: impl fmt::Display) -> Self {
        const MOST: usize = 200;
        Self::Undecodable(error.to_string().chars().take(MOST).collect())
    }

    fn truncated() -> Self {
        Self::Undecodable("the file ends within the picture".to_owned())
    }
}

/// The size of a picture that is within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    width: u32,
    height: u32,
}

impl Size {
    fn new(width: u32, height: u32) -> Result<Self, FingerprintError> {
        if width == 0 || height == 0 {
            return Err(FingerprintError::Undecodable("the picture has no pixels".to_owned()));
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(FingerprintError::TooLarge { width, height });
        }
        Ok(Self { width, height })
    }

    /// Refuses what would take more than [`DECODING_BUDGET`] at so many half bytes a pixel.
    fn within_budget(self, half_bytes_per_pixel: u64) -> Result<(), FingerprintError> {
        let Self { width, height } = self;
        if u64::from(width) * u64::from(height) * half_bytes_per_pixel / 2 > DECODING_BUDGET {
            return Err(FingerprintError::TooLarge { width, height });
        }
        Ok(())
    }

    fn columns(self) -> usize {
        self.width as usize
    }

    fn rows(self) -> usize {
        self.height as usize
    }

    /// Blocks of 8 x 8 pixels across; the last may be cut off.
    fn block_columns(self) -> usize {
        self.columns().div_ceil(8)
    }

    fn block_rows(self) -> usize {
        self.rows().div_ceil(8)
    }
}

/// Luma of a colour as Pillow's `convert("L")` has it: ITU-R BT.601 in 16-bit fixed point.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000;
    u8::try_from(sum >> 16).unwrap_or(u8::MAX)
}

/// A value of a colour channel seen through `alpha` on white.
fn on_white(value: u8, alpha: u8) -> u8 {
    let sum = u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
    u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
}

/// Luma of a pixel seen on white.
fn luma_on_white([red, green, blue, alpha]: &[u8; 4]) -> u8 {
    luma([on_white(*red, *alpha), on_white(*green, *alpha), on_white(*blue, *alpha)])
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
