//! API keys in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;

use super::{ApiKey, ApiKeyId, ApiKeyStore, ApiKeyStoreError};

/// Keeps keys until the process ends.
#[derive(Default)]
pub struct MemoryApiKeys(Mutex<BTreeMap<ApiKeyId, ApiKey>>);

impl MemoryApiKeys {
    /// There are no keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<ApiKeyId, ApiKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ApiKeyStore for MemoryApiKeys {
    async fn add(&self, key: &ApiKey) -> Result<(), ApiKeyStoreError> {
        self.keys().entry(key.id).or_insert_with(|| key.clone());
        Ok(())
    }

    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, ApiKeyStoreError> {
        Ok(self.keys().get(&id).cloned())
    }

    async fn all(&self) -> Result<Vec<ApiKey>, ApiKeyStoreError> {
        let mut keys: Vec<ApiKey> = self.keys().values().cloned().collect();
        keys.sort_by_key(|key| (key.created_at, key.id));
        Ok(keys)
    }

    async fn revoke(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, ApiKeyStoreError> {
        let mut keys = self.keys();
        let Some(key) = keys.get_mut(&id) else { return Ok(false) };
        key.revoked_at.get_or_insert(now);
        Ok(true)
    }
}
