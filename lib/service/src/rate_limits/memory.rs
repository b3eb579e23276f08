//! Counting within one process.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use lru::LruCache;

use super::{Asked, Counts, RateLimiter, RateLimiterError, Window};
use crate::middleware::ClientAddress;

/// The most clients that are remembered: some 10 MB. Beyond that, whoever was not heard of for the longest is forgotten.
const MAX_CLIENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);

/// Counts in memory.
pub struct MemoryRateLimiter(Mutex<LruCache<ClientAddress, (Window, Counts)>>);

impl MemoryRateLimiter {
    /// Nobody asked for anything yet.
    pub fn new() -> Self {
        Self::with_capacity(MAX_CLIENTS)
    }

    /// The same, with room for so many clients.
    pub fn with_capacity(clients: NonZeroUsize) -> Self {
        // Not with the capacity set aside: most services never see so many.
        let mut cache = LruCache::unbounded();
        cache.resize(clients);
        Self(Mutex::new(cache))
    }
}

impl Default for MemoryRateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl RateLimiter for MemoryRateLimiter {
    async fn count(
        &self,
        client: ClientAddress,
        asked: Asked,
        window: Window,
    ) -> Result<Counts, RateLimiterError> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = cache.get(&client).filter(|(of, _)| *of == window).map(|(_, counts)| *counts);
        let counts = before.unwrap_or_default().and(asked);
        cache.put(client, (window, counts));
        Ok(counts)
    }
}
