//! What was found out lately, so that one certificate on many images is asked about once.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use lru::LruCache;
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Standing};
use crate::timestamp::Timestamp;

/// The most answers and failures that are kept.
const MAX_ENTRIES: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The longest response that is kept, in bytes: all of them together take at most 16 MiB.
pub(super) const MAX_KEPT_RESPONSE: usize = 16 * 1024;

/// How long an answer is kept at most, in seconds.
const MAX_KEPT: i64 = 60 * 60;

/// How long a failure is kept, and the answer that a certificate is unknown, in seconds.
const FAILURE_KEPT: i64 = 60;

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 400;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    /// The key of what `parts` name together.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// Answers that count, and reasons why there is none. What was refused is never kept as an answer.
pub(super) struct Memory {
    entries: Mutex<LruCache<Key, Entry>>,
}

struct Entry {
    outcome: Result<Answer, String>,
    /// From when until when it is believed, in seconds; the time is the caller's, and may go back.
    from: i64,
    until: i64,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::new(LruCache::new(MAX_ENTRIES)) }
    }

    /// What was found out, if it is still to be believed at `now`.
    pub(super) fn recall(&self, key: Key, now: Timestamp) -> Option<Result<Answer, String>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.unix_seconds();
        let entry = entries.get(&key)?;
        (entry.from..entry.until).contains(&now).then(|| entry.outcome.clone())
    }

    /// Keeps what was found out at `now`.
    pub(super) fn keep(&self, key: Key, outcome: &Result<Answer, String>, now: Timestamp) {
        let from = now.unix_seconds();
        let (outcome, until) = match outcome {
            Ok(answer) => {
                let longest = if answer.standing == Standing::Unknown { FAILURE_KEPT } else { MAX_KEPT };
                let mut answer = answer.clone();
                answer.response = answer.response.filter(|response| response.len() <= MAX_KEPT_RESPONSE);
                let until = answer.expires().min(from.saturating_add(longest));
                (Ok(answer), until)
            }
            Err(reason) => {
                (Err(reason.chars().take(MAX_REASON).collect()), from.saturating_add(FAILURE_KEPT))
            }
        };
        if until > from {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.put(key, Entry { outcome, from, until });
        }
    }
}
