//! How much of an image file is taken.

/// The largest image that is taken. Whatever is larger is refused before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest file, in bytes.
    pub max_bytes: usize,
    /// The widest picture, in pixels.
    pub max_width: u32,
    /// The highest picture, in pixels.
    pub max_height: u32,
    /// The most segments or chunks in one file. It bounds the memory that the list of parts takes (48 bytes
    /// each), however small the parts of a hostile file are.
    pub max_parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 50 * 1024 * 1024, max_width: 10_000, max_height: 10_000, max_parts: 65_536 }
    }
}
