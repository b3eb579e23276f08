//! API keys, remembered for a short while.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lru::LruCache;
use tokio::time::Instant;

use super::{ApiKey, ApiKeyId, ApiKeyStore, ApiKeyStoreError};

/// How long a key is remembered: a revocation counts everywhere after this time.
pub const MAX_AGE: Duration = Duration::from_secs(30);

/// The most keys that are remembered.
const MAX_KEYS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// Asks a store at most every 30 seconds for the same key. That there is no such key is remembered too.
pub struct CachedApiKeys {
    store: Arc<dyn ApiKeyStore>,
    known: Mutex<LruCache<ApiKeyId, (Instant, Option<ApiKey>)>>,
}

impl CachedApiKeys {
    /// The keys of `store`.
    pub fn new(store: Arc<dyn ApiKeyStore>) -> Self {
        Self { store, known: Mutex::new(LruCache::new(MAX_KEYS)) }
    }

    /// The key with this id, as it was at most [`MAX_AGE`] ago.
    ///
    /// # Errors
    /// When it is not remembered and the store fails.
    pub async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, ApiKeyStoreError> {
        if let Some(known) = self.remembered(id) {
            return Ok(known);
        }
        // Counted from before the question: the answer may be as old as that.
        let asked = Instant::now();
        let found = self.store.find(id).await?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).put(id, (asked, found.clone()));
        Ok(found)
    }

    fn remembered(&self, id: ApiKeyId) -> Option<Option<ApiKey>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).filter(|(asked, _)| asked.elapsed() < MAX_AGE).map(|(_, key)| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use credlink_pipeline::timestamp::Timestamp;
    use tokio::time;

    use super::*;
    use crate::api_keys::MemoryApiKeys;

    #[tokio::test(start_paused = true)]
    async fn a_revocation_counts_after_half_a_minute() {
        let store = Arc::new(MemoryApiKeys::new());
        let cached = CachedApiKeys::new(Arc::clone(&store) as _);
        let now = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        let (key, _) = ApiKey::generate("desk".to_owned(), BTreeSet::new(), now, None).unwrap();
        assert_eq!(cached.find(key.id).await, Ok(None));
        store.add(&key).await.unwrap();
        assert_eq!(cached.find(key.id).await, Ok(None), "that there is none is remembered");
        time::advance(MAX_AGE).await;
        assert_eq!(cached.find(key.id).await, Ok(Some(key.clone())));
        assert!(store.revoke(key.id, now).await.unwrap());
        time::advance(MAX_AGE - Duration::from_millis(1)).await;
        assert_eq!(cached.find(key.id).await, Ok(Some(key.clone())));
        time::advance(Duration::from_millis(1)).await;
        assert_eq!(cached.find(key.id).await.unwrap().unwrap().revoked_at, Some(now));
    }
}
