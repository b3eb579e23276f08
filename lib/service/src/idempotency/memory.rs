//! Entries in memory.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use lru::LruCache;

use super::{Claim, Entry, IdempotencyError, IdempotencyKey, IdempotencyStore};

/// The most entries: some 20 MB. Beyond that, the one that was not asked for the longest is forgotten.
const MAX_ENTRIES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);

/// Keeps entries until the process ends.
pub struct MemoryIdempotency(Mutex<LruCache<IdempotencyKey, Entry>>);

impl MemoryIdempotency {
    /// There are no entries yet.
    pub fn new() -> Self {
        // Not with the capacity set aside: most services never see so many.
        let mut entries = LruCache::unbounded();
        entries.resize(MAX_ENTRIES);
        Self(Mutex::new(entries))
    }

    fn entries(&self) -> MutexGuard<'_, LruCache<IdempotencyKey, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryIdempotency {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl IdempotencyStore for MemoryIdempotency {
    async fn claim(
        &self,
        key: IdempotencyKey,
        wanted: &Entry,
        now: Timestamp,
    ) -> Result<Claim, IdempotencyError> {
        let mut entries = self.entries();
        let claim = match entries.get(&key) {
            Some(there) => there.answer(wanted, now),
            None => Claim::Granted(wanted.clone()),
        };
        if let Claim::Granted(entry) = &claim {
            entries.put(key, entry.clone());
        }
        Ok(claim)
    }

    async fn update(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError> {
        if let Some(there) = self.entries().get_mut(&key).filter(|there| there.holder == entry.holder) {
            *there = entry.clone();
        }
        Ok(())
    }

    async fn release(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError> {
        let mut entries = self.entries();
        if entries.get(&key).is_some_and(|there| there.holder == entry.holder) {
            entries.pop(&key);
        }
        Ok(())
    }
}
