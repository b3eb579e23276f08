//! The name of a request, as its caller gave it.

use std::fmt;

use credlink_pipeline::digest::Sha256Hash;
use thiserror::Error;

/// The longest key, in bytes.
pub const MAX_KEY_LENGTH: usize = 255;

/// A caller's key, within what that caller may name: two callers may choose the same. Of the key itself only a hash
/// is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Sha256Hash);

/// Not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an idempotency key has 1 to {MAX_KEY_LENGTH} visible ASCII characters")]
pub struct NoIdempotencyKey;

impl IdempotencyKey {
    /// The key `text` of the caller who is named `caller`.
    ///
    /// # Errors
    /// When `text` is no key.
    pub fn new(caller: &str, text: &[u8]) -> Result<Self, NoIdempotencyKey> {
        if !(1..=MAX_KEY_LENGTH).contains(&text.len()) || !text.iter().all(u8::is_ascii_graphic) {
            return Err(NoIdempotencyKey);
        }
        // A key has no zero byte, so nobody can move the border between the two.
        Ok(Self(Sha256Hash::of_pieces(&[caller.as_bytes(), &[0], text])))
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii_of_a_bounded_length() {
        for text in [&b"a"[..], &[b'~'; 255], b"0f0e0d0c-0b0a-4908-8706-050403020100"] {
            assert!(IdempotencyKey::new("", text).is_ok());
        }
        for text in [&b""[..], &[b'a'; 256], b"a b", b"a\tb", "\u{e9}".as_bytes(), b"a\0b", b"a\x7f"] {
            assert_eq!(IdempotencyKey::new("", text), Err(NoIdempotencyKey), "{text:?}");
        }
    }

    #[test]
    fn two_callers_may_choose_the_same() {
        assert_ne!(IdempotencyKey::new("one", b"a"), IdempotencyKey::new("two", b"a"));
        assert_eq!(IdempotencyKey::new("one", b"a"), IdempotencyKey::new("one", b"a"));
    }
}
