//! The text of an API key: `credlink_`, 64 hexadecimal digits of chance, and 8 of a checksum.
//!
//! The prefix lets scanners find keys that were published by mistake. The checksum (CRC-32) tells a key that was
//! mistyped or cut from one that is unknown, without a look into the store.

use std::{fmt, str::FromStr};

use aws_lc_rs::{constant_time, rand};
use credlink_pipeline::digest::Sha256Hash;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;
use zeroize::Zeroizing;

use super::ApiKeyStoreError;

const PREFIX: &str = "credlink_";
const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;
const ID_BYTES: usize = 8;

/// The key as its holder has it. It is wiped from memory when it is dropped, and never shown in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyText(Zeroizing<String>);

/// Not the text of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this is no API key: one begins with credlink_ and has 72 hexadecimal digits after that, the last of which are a checksum"
)]
pub struct NoApiKey;

/// The name of a key: the first 16 hexadecimal digits of the SHA-256 of its hash. The key cannot be found from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKeyId([u8; ID_BYTES]);

impl ApiKeyText {
    /// A new key.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(super) fn random() -> Result<Self, ApiKeyStoreError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        rand::fill(&mut *secret)
            .map_err(|_| ApiKeyStoreError::Unavailable("the system gives no random numbers".to_owned()))?;
        let checksum = checksum(&*secret);
        let digits = Zeroizing::new(hex::encode(*secret));
        Ok(Self(Zeroizing::new(format!("{PREFIX}{}{}", *digits, hex::encode(checksum)))))
    }

    /// The name of the key with this text.
    pub fn id(&self) -> ApiKeyId {
        let mut id = [0; ID_BYTES];
        let name = Sha256Hash::of(self.hash().as_bytes());
        for (byte, of_name) in id.iter_mut().zip(name.as_bytes()) {
            *byte = *of_name;
        }
        ApiKeyId(id)
    }

    /// What is kept of it.
    pub(super) fn hash(&self) -> Sha256Hash {
        Sha256Hash::of(self.0.as_bytes())
    }

    /// Whether `hash` is its hash. How long that takes says nothing about the hash.
    pub(super) fn has_hash(&self, hash: Sha256Hash) -> bool {
        constant_time::verify_slices_are_equal(self.hash().as_bytes(), hash.as_bytes()).is_ok()
    }
}

impl FromStr for ApiKeyText {
    type Err = NoApiKey;

    fn from_str(text: &str) -> Result<Self, NoApiKey> {
        let digits =
            text.strip_prefix(PREFIX).filter(|digits| !digits.contains(|c: char| c.is_ascii_uppercase()));
        let mut bytes = Zeroizing::new([0; SECRET_BYTES + CHECKSUM_BYTES]);
        hex::decode_to_slice(digits.ok_or(NoApiKey)?, &mut *bytes).map_err(|_| NoApiKey)?;
        let (secret, sum) = bytes.split_at(SECRET_BYTES);
        if sum != checksum(secret) {
            return Err(NoApiKey);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// For whoever made it, once.
impl fmt::Display for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API key {}", self.id())
    }
}

fn checksum(secret: &[u8]) -> [u8; CHECKSUM_BYTES] {
    crc32fast::hash(secret).to_be_bytes()
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Not the id of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is no id of an API key: one has 16 hexadecimal digits; `credlink keys api list` shows them")]
pub struct NoApiKeyId;

impl FromStr for ApiKeyId {
    type Err = NoApiKeyId;

    fn from_str(text: &str) -> Result<Self, NoApiKeyId> {
        let mut id = [0; ID_BYTES];
        hex::decode_to_slice(text, &mut id).map_err(|_| NoApiKeyId)?;
        Ok(Self(id))
    }
}

impl Serialize for ApiKeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiKeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let key = ApiKeyText::random().unwrap();
        let text = key.to_string();
        assert_eq!(text.len(), 81);
        assert_eq!(text.parse(), Ok(key.clone()));
        assert!(key.has_hash(key.hash()) && !key.has_hash(Sha256Hash::of(b"another")));
        assert_eq!(key.id().to_string().parse(), Ok(key.id()));
        assert!(!format!("{key:?}").contains(&text[9..20]), "{key:?}");
    }

    #[test]
    fn what_was_mistyped_is_no_key() {
        let text = ApiKeyText::random().unwrap().to_string();
        let changed = if text.ends_with('0') { "1" } else { "0" };
        for wrong in [
            "",
            "credlink_",
            &text[9..],
            &text[..80],
            &format!("{text}0"),
            &format!("{}{changed}", &text[..80]),
            &text.to_uppercase(),
            &format!(" {text}"),
        ] {
            assert_eq!(wrong.parse::<ApiKeyText>(), Err(NoApiKey), "{wrong}");
        }
    }
}
