//! What an image file is made of: its format, its size in pixels, and its parts as ranges, never copies.

use serde::{Deserialize, Serialize};

/// The three formats, told by their first bytes, never by a name or a declared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG (ITU T.81).
    Jpeg,
    /// PNG, third edition, with APNG.
    Png,
    /// WebP (RFC 9649).
    WebP,
}
