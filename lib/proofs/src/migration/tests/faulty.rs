//! A store whose calls can be struck: the process dies before a call has its effect, or after; the call fails; or its answer
//! is lost.

use std::{
    future::{self, Future},
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use credlink_pipeline::proof::{CataloguePage, ProofStore, ProofStoreError};
use tokio::{runtime::Builder, sync::Notify};

use super::*;

/// What happens at the call that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    DiesBefore,
    DiesAfter,
    Fails,
    AnswerLost,
    /// From this call on, every one fails.
    IsGone,
}

impl Strike {
    pub(super) const ALL: [Self; 4] = [Self::DiesBefore, Self::DiesAfter, Self::Fails, Self::AnswerLost];
}

/// Strikes one call, counted from 0 over all stores that share it.
pub(super) struct Interruption {
    at: usize,
    strike: Strike,
    calls: AtomicUsize,
    died: Notify,
}

impl Interruption {
    pub(super) fn new(at: usize, strike: Strike) -> Arc<Self> {
        Arc::new(Self { at, strike, calls: AtomicUsize::new(0), died: Notify::new() })
    }

    /// Whether a call was struck.
    pub(super) fn happened(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.at
    }

    /// Does `work` to its end; `None` when the process died before. Like a process, it has threads of its own, none of which
    /// does anything more when this returns.
    pub(super) fn survive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let process = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let ended = process.block_on(async {
            tokio::select! {
                biased;
                () = self.died.notified() => None,
                ended = work => Some(ended),
            }
        });
        // Waits for its threads, those that work on files included.
        drop(process);
        ended
    }

    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, ProofStoreError>>,
    ) -> Result<T, ProofStoreError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let is_struck = number == self.at || (self.strike == Strike::IsGone && number > self.at);
        if !is_struck {
            return call.await;
        }
        let fault = || Err(ProofStoreError::Unavailable("the line broke".to_owned()));
        match self.strike {
            Strike::Fails | Strike::IsGone => fault(),
            Strike::AnswerLost => call.await.and_then(|_| fault()),
            Strike::DiesBefore => self.die().await,
            Strike::DiesAfter => {
                drop(call.await);
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        future::pending().await
    }
}

/// A store whose calls may be struck.
pub(super) struct Faulty {
    pub(super) store: Arc<dyn ProofCatalogue>,
    pub(super) interruption: Arc<Interruption>,
}

#[async_trait]
impl ProofStore for Faulty {
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        self.interruption.call(self.store.put(proof)).await
    }

    async fn record(&self, id: ProofId, now: Timestamp) -> Result<Option<ProofRecord>, ProofStoreError> {
        self.interruption.call(self.store.record(id, now)).await
    }

    async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
        self.interruption.call(self.store.proof(id, now)).await
    }

    async fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        self.interruption.call(self.store.find_by_image_hash(hash, now)).await
    }

    async fn keep_stamped(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError> {
        self.interruption.call(self.store.keep_stamped(seen, copy, stamped_store)).await
    }

    async fn stamped_store(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        self.interruption.call(self.store.stamped_store(id, now)).await
    }

    async fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        self.interruption.call(self.store.delete(id)).await
    }

    async fn check(&self) -> Result<(), ProofStoreError> {
        self.interruption.call(self.store.check()).await
    }
}

#[async_trait]
impl ProofCatalogue for Faulty {
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<CataloguePage, ProofStoreError> {
        self.interruption.call(self.store.page(after, limit)).await
    }
}
