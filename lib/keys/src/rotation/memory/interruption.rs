//! Ports whose calls can be broken off: the process dies before a call has its effect, or after; or a call fails.

use std::{
    future,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use credlink_pipeline::{signer::Signer, timestamp::Timestamp};
use tokio::sync::Notify;

use crate::{
    algorithm::KeyKind,
    pem_file::PemFile,
    rotation::{
        Rotation, RotationError, RotationPolicy, RotationPorts, RotationReport, Trigger,
        ports::{
            Announcer, Authority, CandidateKey, Fault, Issuance, KeyKeeper, KeyName, RotationId,
            RotationJournal, SignerVersion, SignerVersions, SwapError,
        },
    },
};

/// What happens at the call that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The process dies before the call has its effect.
    DiesBefore,
    /// The process dies after the call had its effect, and before it learns so.
    DiesAfter,
    /// The call fails without an effect, and may be repeated.
    Fails,
    /// The call has its effect, but the answer is lost.
    AnswerLost,
}

impl Strike {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DiesBefore, Self::DiesAfter, Self::Fails, Self::AnswerLost];
}

/// Strikes one call, counted from 0 over all ports.
pub struct Interruption {
    at: usize,
    strike: Strike,
    calls: AtomicUsize,
    died: Notify,
}

/// How a run under an [`Interruption`] ended.
#[derive(Debug)]
pub enum Interrupted {
    /// The process died.
    Died,
    /// The run came to an end, in spite of a failure or because it made fewer calls.
    Ended(Result<RotationReport, RotationError>),
}

impl Interruption {
    /// Strikes the call `at`.
    pub fn new(at: usize, strike: Strike) -> Arc<Self> {
        Arc::new(Self { at, strike, calls: AtomicUsize::new(0), died: Notify::new() })
    }

    /// Whether a call was struck.
    pub fn happened(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.at
    }

    /// Runs a rotation over these ports, until it ends or dies.
    pub async fn run(
        self: &Arc<Self>,
        ports: &RotationPorts,
        policy: &RotationPolicy,
        trigger: Trigger,
    ) -> Interrupted {
        let rotation = Rotation::new(self.ports(ports), policy.clone());
        tokio::select! {
            biased;
            () = self.died.notified() => Interrupted::Died,
            ended = rotation.run(trigger, &|| false) => Interrupted::Ended(ended),
        }
    }

    /// `ports` with calls that are counted, and one that is struck.
    pub fn ports(self: &Arc<Self>, ports: &RotationPorts) -> RotationPorts {
        fn over<T: ?Sized>(interruption: &Arc<Interruption>, port: &Arc<T>) -> Arc<Over<T>> {
            Arc::new(Over { interruption: Arc::clone(interruption), port: Arc::clone(port) })
        }
        RotationPorts {
            keys: over(self, &ports.keys),
            authority: over(self, &ports.authority),
            versions: over(self, &ports.versions),
            journal: over(self, &ports.journal),
            announcer: over(self, &ports.announcer),
            clock: Arc::clone(&ports.clock),
        }
    }

    async fn call<T, E: From<Fault>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        if self.calls.fetch_add(1, Ordering::SeqCst) != self.at {
            return call.await;
        }
        let fault = || Err(Fault::passing("the line", "it broke", "try again").into());
        match self.strike {
            Strike::Fails => fault(),
            Strike::DiesBefore => self.die().await,
            Strike::AnswerLost => call.await.and_then(|_| fault()),
            Strike::DiesAfter => {
                drop(call.await);
                self.die().await
            }
        }
    }

    /// Nothing of a dead process goes on; whoever waits for it drops it.
    async fn die<T>(&self) -> T {
        self.died.notify_one();
        future::pending().await
    }
}

struct Over<T: ?Sized> {
    interruption: Arc<Interruption>,
    port: Arc<T>,
}

#[async_trait]
impl KeyKeeper for Over<dyn KeyKeeper> {
    async fn make(&self, rotation: RotationId, kind: KeyKind) -> Result<CandidateKey, Fault> {
        self.interruption.call(self.port.make(rotation, kind)).await
    }

    async fn candidates(&self) -> Result<Vec<CandidateKey>, Fault> {
        self.interruption.call(self.port.candidates()).await
    }

    async fn sign_request(&self, key: &CandidateKey, message: &[u8]) -> Result<Vec<u8>, Fault> {
        self.interruption.call(self.port.sign_request(key, message)).await
    }

    async fn signer(&self, key: &CandidateKey, chain: &PemFile) -> Result<Arc<dyn Signer>, Fault> {
        self.interruption.call(self.port.signer(key, chain)).await
    }

    async fn discard(&self, key: &CandidateKey) -> Result<(), Fault> {
        self.interruption.call(self.port.discard(key)).await
    }

    async fn disable(&self, key: &KeyName) -> Result<(), Fault> {
        self.interruption.call(self.port.disable(key)).await
    }

    async fn delete(&self, key: &KeyName) -> Result<(), Fault> {
        self.interruption.call(self.port.delete(key)).await
    }

    async fn check(&self, key: &KeyName) -> Result<(), Fault> {
        self.interruption.call(self.port.check(key)).await
    }
}

#[async_trait]
impl Authority for Over<dyn Authority> {
    fn name(&self) -> String {
        self.port.name()
    }

    async fn request(&self, rotation: RotationId, request: &[u8], now: Timestamp) -> Result<String, Fault> {
        self.interruption.call(self.port.request(rotation, request, now)).await
    }

    async fn collect(&self, rotation: RotationId, receipt: &str, now: Timestamp) -> Result<Issuance, Fault> {
        self.interruption.call(self.port.collect(rotation, receipt, now)).await
    }

    async fn forget(&self, rotation: RotationId, receipt: &str) -> Result<(), Fault> {
        self.interruption.call(self.port.forget(rotation, receipt)).await
    }
}

#[async_trait]
impl SignerVersions for Over<dyn SignerVersions> {
    fn place(&self) -> String {
        self.port.place()
    }

    async fn active(&self) -> Result<Option<SignerVersion>, Fault> {
        self.interruption.call(self.port.active()).await
    }

    async fn all(&self) -> Result<Vec<SignerVersion>, Fault> {
        self.interruption.call(self.port.all()).await
    }

    async fn swap(
        &self,
        key: &CandidateKey,
        chain: &PemFile,
        root: &PemFile,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        self.interruption.call(self.port.swap(key, chain, root, expected, now)).await
    }

    async fn restore(
        &self,
        version: &str,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        self.interruption.call(self.port.restore(version, expected, now)).await
    }
}

#[async_trait]
impl RotationJournal for Over<dyn RotationJournal> {
    fn place(&self) -> String {
        self.port.place()
    }

    async fn read(&self) -> Result<Option<(u64, String)>, Fault> {
        self.interruption.call(self.port.read()).await
    }

    async fn write(&self, text: &str, expected: Option<u64>) -> Result<u64, SwapError> {
        self.interruption.call(self.port.write(text, expected)).await
    }
}

#[async_trait]
impl Announcer for Over<dyn Announcer> {
    async fn announce(&self, subject: &str, text: &str) -> Result<(), Fault> {
        self.interruption.call(self.port.announce(subject, text)).await
    }
}
