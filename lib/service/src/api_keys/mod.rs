//! Who may call, where the operator wants to know: API keys, of which the service keeps no more than a hash.
//!
//! A key is 256 random bits. Nobody can guess one, and nobody can find one from its SHA-256 by trying: a slow hash,
//! which passwords need because people choose them, would protect nothing more and cost every request milliseconds.

mod cached;
mod local;
mod memory;
mod text;

use std::{collections::BTreeSet, fmt, str::FromStr};

use async_trait::async_trait;
use credlink_pipeline::{digest::Sha256Hash, timestamp::Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use cached::{CachedApiKeys, MAX_AGE};
pub use local::LocalApiKeys;
pub use memory::MemoryApiKeys;
pub use text::{ApiKeyId, ApiKeyText, NoApiKey, NoApiKeyId};

/// The longest name of a key, in characters.
pub const MAX_NAME_LENGTH: usize = 100;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `POST /sign` and `POST /uploads`.
    Sign,
    /// `POST /verify`.
    Verify,
    /// `GET /metrics`.
    Admin,
}

/// What is known of a key. The key itself is known to whoever got it, and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    /// What it is called by in logs and commands; it says nothing about the key.
    pub id: ApiKeyId,
    /// Whose it is, for people.
    pub name: String,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// The SHA-256 of its text.
    pub hash: Sha256Hash,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is worth nothing; `None` means never.
    pub expires_at: Option<Timestamp>,
    /// Since when it is worth nothing, because somebody said so.
    pub revoked_at: Option<Timestamp>,
}

/// Where API keys are kept.
#[async_trait]
pub trait ApiKeyStore: Send + Sync {
    /// Adds a key, whose id must be free.
    ///
    /// # Errors
    /// When it could not be kept.
    async fn add(&self, key: &ApiKey) -> Result<(), ApiKeyStoreError>;

    /// The key with this id, whatever became of it.
    ///
    /// # Errors
    /// When the store cannot be asked, or what it holds cannot be read.
    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, ApiKeyStoreError>;

    /// All keys, oldest first.
    ///
    /// # Errors
    /// As for [`ApiKeyStore::find`].
    async fn all(&self) -> Result<Vec<ApiKey>, ApiKeyStoreError>;

    /// Revokes a key; false when there is none with this id. A key that was revoked before stays as it is.
    ///
    /// # Errors
    /// As for [`ApiKeyStore::find`].
    async fn revoke(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, ApiKeyStoreError>;
}

/// Why keys cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiKeyStoreError {
    /// The store cannot be asked now.
    #[error("API keys cannot be read or kept: {0}")]
    Unavailable(String),
    /// Somebody else wrote there.
    #[error("the API key in {place} cannot be read: {reason}; revoke it by removing it, and create another")]
    Damaged {
        /// A file, or an item of a table.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a key opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// It is not the key that the id belongs to.
    Wrong,
    /// Somebody revoked it.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is for something else.
    OutOfScope,
}

impl ApiKey {
    /// A new key that begins at `now`, and its text, which cannot be had again.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate(
        name: String,
        scopes: BTreeSet<Scope>,
        now: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(Self, ApiKeyText), ApiKeyStoreError> {
        let text = ApiKeyText::random()?;
        let hash = text.hash();
        let key = Self { id: text.id(), name, scopes, hash, created_at: now, expires_at, revoked_at: None };
        Ok((key, text))
    }

    /// Whether `text` is this key, and may be used for `scope` at `now`.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn admits(&self, text: &ApiKeyText, scope: Scope, now: Timestamp) -> Result<(), KeyFault> {
        if !text.has_hash(self.hash) {
            Err(KeyFault::Wrong)
        } else if self.revoked_at.is_some() {
            Err(KeyFault::Revoked)
        } else if self.expires_at.is_some_and(|end| now >= end) {
            Err(KeyFault::Expired)
        } else if !self.scopes.contains(&scope) {
            Err(KeyFault::OutOfScope)
        } else {
            Ok(())
        }
    }
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sign, Self::Verify, Self::Admin];

    /// The name in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No scope has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no such scope; allowed are sign, verify and admin")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or(UnknownScope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_key_opens_what_it_is_for_while_it_is_worth_something() {
        let (start, end) = (time("2026-01-01T00:00:00Z"), time("2026-02-01T00:00:00Z"));
        let scopes = BTreeSet::from([Scope::Sign]);
        let (key, text) = ApiKey::generate("desk".to_owned(), scopes.clone(), start, Some(end)).unwrap();
        assert_eq!(key.admits(&text, Scope::Sign, start), Ok(()));
        assert_eq!(key.admits(&text, Scope::Verify, start), Err(KeyFault::OutOfScope));
        assert_eq!(key.admits(&text, Scope::Sign, end), Err(KeyFault::Expired));
        let (_, other) = ApiKey::generate("other".to_owned(), scopes, start, None).unwrap();
        assert_eq!(key.admits(&other, Scope::Sign, start), Err(KeyFault::Wrong));
        let revoked = ApiKey { revoked_at: Some(start), ..key };
        assert_eq!(revoked.admits(&text, Scope::Sign, start), Err(KeyFault::Revoked));
    }

    #[test]
    fn nothing_of_a_key_is_in_its_record() {
        let (key, text) =
            ApiKey::generate("desk".to_owned(), BTreeSet::new(), time("2026-01-01T00:00:00Z"), None).unwrap();
        let record = serde_json::to_string(&key).unwrap();
        let text = text.to_string();
        let secret = text.strip_prefix("credlink_").unwrap();
        for part in secret.as_bytes().chunks(8) {
            assert!(!record.contains(std::str::from_utf8(part).unwrap()), "{record}");
        }
    }
}
