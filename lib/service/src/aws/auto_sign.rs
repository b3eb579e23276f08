//! Signing what is put into the inbox: the signed image goes into the outbox, under the same key.
//!
//! Events come at least once, in any order, and late. So nothing is taken from an event but the name of an object;
//! what is signed is what the inbox holds now, under an id that follows from the object, and a change of the object
//! meanwhile is noticed at the end.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{ProofId, ProofStoreError},
    sign::{SignError, SignedImage},
    sign_once::sign_once,
    signer::SignerError,
    verify::{VerifyContext, verify},
};
use serde_json::Value;
use thiserror::Error;

use super::{
    arrivals::Arrival,
    failure_queue::{Failure, FailureQueue, QueueUnavailable},
    measured::Measured,
    object_options::{self, ObjectOptions},
    objects::{Bucket, BucketError, Object},
};
use crate::{service::Service, signing_metrics, workers::WorkError};

/// How often an object may change while it is being signed before the next event must take over.
const MAX_ROUNDS: usize = 5;

/// Names the function in the failure queue.
const FUNCTION: &str = "auto_sign";

/// Signs from one bucket into another.
pub struct AutoSign {
    service: Arc<Service>,
    inbox: Bucket,
    outbox: Bucket,
    failures: FailureQueue,
    measured: Measured,
}

/// Something did not work now; the same event must come again.
#[derive(Debug, Error)]
pub enum TryAgain {
    /// Signing needs something that does not answer.
    #[error("{key}: {reason}")]
    Unavailable {
        /// The object.
        key: String,
        /// What does not answer.
        reason: String,
    },
    /// A failure could not be put down.
    #[error(transparent)]
    Queue(#[from] QueueUnavailable),
}

/// What became of one object.
enum Outcome {
    Signed(Box<SignedImage>),
    /// Nothing to do, and nothing wrong.
    Skipped(&'static str),
}

/// Why an object was not signed.
enum NotSigned {
    /// It never will be: a person must look.
    Refused { code: &'static str, reason: String },
    /// It may be when the event comes again.
    Unavailable(String),
}

impl AutoSign {
    /// Signs what comes into `inbox` into `outbox`; what cannot be signed is put down in `failures`, and what the service
    /// measures in `measured`.
    pub fn new(
        service: Arc<Service>,
        inbox: Bucket,
        outbox: Bucket,
        failures: FailureQueue,
        measured: Measured,
    ) -> Self {
        Self { service, inbox, outbox, failures, measured }
    }

    /// Signs every object that `event` speaks of.
    ///
    /// # Errors
    /// [`TryAgain`], after all objects had their turn: those that are done are recognised the next time.
    pub async fn handle(&self, event: Value) -> Result<(), TryAgain> {
        let handled = self.handle_event(event).await;
        self.measured.write();
        handled
    }

    async fn handle_event(&self, event: Value) -> Result<(), TryAgain> {
        let arrivals = match Arrival::of_event(event) {
            Ok(arrivals) => arrivals,
            Err(error) => return self.put_down(None, "MALFORMED_EVENT", error.to_string()).await,
        };
        let mut later = Ok(());
        for arrival in &arrivals {
            if let Err(error) = self.handle_arrival(arrival).await {
                tracing::warn!(%error, "an object could not be signed now");
                later = Err(error);
            }
        }
        later
    }

    async fn handle_arrival(&self, arrival: &Arrival) -> Result<(), TryAgain> {
        if arrival.bucket != self.inbox.name() {
            let reason = format!("the event is about another bucket than the inbox {}", self.inbox.name());
            return self.put_down(Some(arrival), "OTHER_BUCKET", reason).await;
        }
        let key = arrival.key.as_str();
        match self.sign_object(key).await {
            Ok(Outcome::Signed(signed)) => {
                tracing::info!(key, proof_uri = signed.record.uri, "signed");
                Ok(())
            }
            Ok(Outcome::Skipped(reason)) => {
                tracing::info!(key, reason, "nothing to sign");
                Ok(())
            }
            Err(NotSigned::Refused { code, reason }) => self.put_down(Some(arrival), code, reason).await,
            Err(NotSigned::Unavailable(reason)) => Err(TryAgain::Unavailable { key: key.to_owned(), reason }),
        }
    }

    async fn put_down(&self, arrival: Option<&Arrival>, code: &str, reason: String) -> Result<(), TryAgain> {
        let (bucket, key) = arrival.map(|arrival| (arrival.bucket.clone(), arrival.key.clone())).unzip();
        tracing::error!(code, reason, ?bucket, ?key, "not signed; a person must look");
        let time = self.service.ports.clock.now();
        let failure = Failure { function: FUNCTION, code: code.to_owned(), reason, bucket, key, time };
        Ok(self.failures.send(&failure).await?)
    }

    /// Signs the object as it is now; again, when it has changed in between, so that the outbox ends with what the
    /// inbox ends with.
    async fn sign_object(&self, key: &str) -> Result<Outcome, NotSigned> {
        for _ in 0..MAX_ROUNDS {
            let limit = self.service.max_image_bytes();
            let Some(object) = self.inbox.read(key, limit).await? else {
                return Ok(Outcome::Skipped("the object is gone"));
            };
            let etag = object.etag.clone();
            let outcome = self.sign_version(key, object).await?;
            if let Outcome::Signed(signed) = &outcome {
                self.deliver(key, signed).await?;
                let now = self.inbox.etag(key).await?;
                if now.is_some() && now != etag {
                    continue;
                }
            }
            return Ok(outcome);
        }
        Err(NotSigned::Unavailable("the object keeps changing".to_owned()))
    }

    async fn sign_version(&self, key: &str, object: Object) -> Result<Outcome, NotSigned> {
        if object.bytes.is_empty() {
            if key.ends_with('/') {
                return Ok(Outcome::Skipped("the object marks a folder"));
            }
            return Err(refused("NO_FILE_PROVIDED", "the object is empty"));
        }
        let options = object_options::parse(&object.metadata)
            .map_err(|error| refused("INVALID_REQUEST", error.to_string()))?;
        let trust = self.service.ports.identity.trust().await?;
        let signer = self.service.ports.identity.signer().await?;
        let service = Arc::clone(&self.service);
        let id = self.id_of(key, &object, &options);
        let work = move || async move {
            if is_ours(&object.bytes, &service.verify_context(&trust)).await {
                return Ok(Outcome::Skipped("this service signed the object already"));
            }
            let context = service.sign_context(&*signer, &trust);
            let (image, since) = (object.bytes.clone(), Instant::now());
            let signed = sign_once(object.bytes, id, &options.sign, &context).await;
            signing_metrics::note(&service, &image, signed.is_ok(), since);
            Ok(Outcome::Signed(Box::new(signed?)))
        };
        self.service.workers.run(work).await?
    }

    /// The same object with the same options has one proof, however often it is put.
    fn id_of(&self, key: &str, object: &Object, options: &ObjectOptions) -> ProofId {
        let image = Sha256Hash::of(&object.bytes);
        let pieces: [&[u8]; 4] =
            [self.inbox.name().as_bytes(), key.as_bytes(), image.as_bytes(), &options.canonical];
        // Each piece under a hash of its own, so that none can run into the next.
        let hashes: Vec<u8> = pieces.iter().flat_map(|piece| *Sha256Hash::of(piece).as_bytes()).collect();
        ProofId::derived_from(Sha256Hash::of(&hashes))
    }

    async fn deliver(&self, key: &str, signed: &SignedImage) -> Result<(), NotSigned> {
        let manifest_hash = signed.record.manifest_hash.to_string();
        if self.outbox.metadata(key, MANIFEST_HASH).await?.as_ref() == Some(&manifest_hash) {
            return Ok(());
        }
        let metadata = [(PROOF_URI, signed.record.uri.clone()), (MANIFEST_HASH, manifest_hash)];
        let body = Bytes::from(signed.image.to_vec());
        Ok(self.outbox.put(key, body, signed.record.format.mime(), &metadata).await?)
    }
}

/// Metadata of every object in the outbox: where its proof is.
pub const PROOF_URI: &str = "proof-uri";

/// Metadata of every object in the outbox: SHA-256 of its manifest store, in hexadecimal.
pub const MANIFEST_HASH: &str = "manifest-hash";

/// Whether `image` is, to the byte, one that this service signed.
async fn is_ours(image: &Bytes, context: &VerifyContext<'_>) -> bool {
    let report = verify(image.clone(), context).await;
    report.is_ok_and(|report| report.valid && report.details.proofs_match)
}

fn refused(code: &'static str, reason: impl Into<String>) -> NotSigned {
    NotSigned::Refused { code, reason: reason.into() }
}

impl From<BucketError> for NotSigned {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::TooLarge { .. } => refused("FILE_TOO_LARGE", error.to_string()),
            BucketError::Refused(_) => refused("STORAGE_REFUSED", error.to_string()),
            BucketError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<SignerError> for NotSigned {
    /// Even an unusable signer is replaced some day, and the object is as good then as it is now.
    fn from(error: SignerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<WorkError> for NotSigned {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Full => Self::Unavailable("too many images are being worked on".to_owned()),
            WorkError::TimedOut(limit) => Self::Unavailable(format!("not done within {limit:?}")),
            WorkError::Broken(cause) => refused("INTERNAL_ERROR", cause),
        }
    }
}

impl From<SignError> for NotSigned {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Asset(error) => refused("VALIDATION_FAILED", error.to_string()),
            SignError::Embed(error) => refused("VALIDATION_FAILED", error.to_string()),
            SignError::Signer(error) => error.into(),
            SignError::Proofs(ProofStoreError::Unavailable(reason)) => Self::Unavailable(reason),
            SignError::Proofs(error @ ProofStoreError::AlreadyExists(_)) => {
                Self::Unavailable(error.to_string())
            }
            error => refused("SIGNING_FAILED", error.to_string()),
        }
    }
}
