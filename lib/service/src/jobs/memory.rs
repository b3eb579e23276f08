//! The state of jobs in memory, for tests and for a service that keeps nothing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;

use super::{
    job::JobName,
    store::{JobStore, JobStoreError, Kept},
};

/// Forgotten when the process ends.
#[derive(Debug, Default)]
pub struct MemoryJobStore {
    texts: Mutex<BTreeMap<JobName, (u64, String)>>,
}

impl MemoryJobStore {
    /// Nothing is kept yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<JobName, (u64, String)>) -> T) -> T {
        work(&mut self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl JobStore for MemoryJobStore {
    fn place(&self, job: JobName) -> String {
        format!("the state of {} in memory", job.name())
    }

    async fn read(&self, job: JobName) -> Result<Option<Kept>, JobStoreError> {
        Ok(self.with(|texts| {
            texts
                .get(&job)
                .map(|(revision, text)| Kept { revision: revision.to_string(), text: text.clone() })
        }))
    }

    async fn replace(&self, job: JobName, text: &str, expected: Option<&str>) -> Result<bool, JobStoreError> {
        Ok(self.with(|texts| {
            let revision = texts.get(&job).map(|(revision, _)| *revision);
            if revision.map(|revision| revision.to_string()).as_deref() != expected {
                return false;
            }
            texts.insert(job, (revision.unwrap_or(0) + 1, text.to_owned()));
            true
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::jobs::contract;

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_contract() {
        contract::verify(async || Arc::new(MemoryJobStore::new()) as Arc<dyn JobStore>).await;
    }
}
