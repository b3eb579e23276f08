//! Who the service is on AWS: what the record of the active signer says, read again from time to time.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use credlink_keys::aws::{ActiveSigner, CachedRecord, RecordsError, SignerRecord};
use credlink_pipeline::{
    signer::{Signer, SignerError},
    timestamp::Clock,
    trust::{AnchorList, TrustAnchors},
};
use tokio::time::Instant;

use super::anchor_objects::{AnchorObjects, FurtherAnchors};
use crate::identity::Identity;

/// The identity of a function that signs.
pub struct SigningIdentity {
    active: ActiveSigner,
    trust: RecordedTrust,
}

impl SigningIdentity {
    /// Signs with the signer that is active, and trusts its anchors and `further` ones.
    pub fn new(active: ActiveSigner, further: AnchorObjects) -> Self {
        Self { active, trust: RecordedTrust::new(further) }
    }

    /// Reads and checks the signer, so that the first image does not wait for it.
    ///
    /// # Errors
    /// As for [`Identity::signer`].
    pub async fn load(&self) -> Result<(), SignerError> {
        self.active.load().await?;
        self.trust().await.map(drop)
    }
}

#[async_trait]
impl Identity for SigningIdentity {
    async fn signer(&self) -> Result<Arc<dyn Signer>, SignerError> {
        self.active.signer(Instant::now()).await
    }

    async fn trust(&self) -> Result<TrustAnchors, SignerError> {
        self.trust.with(self.active.record(Instant::now()).await).await
    }

    async fn check(&self) -> Result<(), SignerError> {
        self.signer().await.map(drop)
    }
}

/// The identity of a function that knows who signs, and never does.
pub struct KnownIdentity {
    record: CachedRecord,
    trust: RecordedTrust,
    clock: Arc<dyn Clock>,
}

impl KnownIdentity {
    /// Trusts the anchors of the signer that is active, and `further` ones.
    pub fn new(record: CachedRecord, further: AnchorObjects, clock: Arc<dyn Clock>) -> Self {
        Self { record, trust: RecordedTrust::new(further), clock }
    }

    /// The record of the active signer.
    ///
    /// # Errors
    /// When there is none, or when it cannot be read now.
    pub async fn record(&self) -> Result<Arc<SignerRecord>, SignerError> {
        Ok(self.record.record(Instant::now()).await?)
    }
}

#[async_trait]
impl Identity for KnownIdentity {
    async fn signer(&self) -> Result<Arc<dyn Signer>, SignerError> {
        Err(SignerError::Unusable("this function may not sign".to_owned()))
    }

    async fn trust(&self) -> Result<TrustAnchors, SignerError> {
        self.trust.with(self.record.record(Instant::now()).await).await
    }

    async fn check(&self) -> Result<(), SignerError> {
        self.record().await?.check_dates(self.clock.now())
    }
}

/// The anchors of the record and the operator's further ones, parsed once for each version of both.
struct RecordedTrust {
    further: AnchorObjects,
    parsed: Mutex<Option<Parsed>>,
}

struct Parsed {
    /// The version of the record; `None` before a signer was ever activated.
    record: Option<u64>,
    further: Arc<FurtherAnchors>,
    trust: TrustAnchors,
}

impl RecordedTrust {
    fn new(further: AnchorObjects) -> Self {
        Self { further, parsed: Mutex::new(None) }
    }

    /// Before a signer was ever activated, nobody but the operator's further anchors is trusted.
    async fn with(
        &self,
        record: Result<Arc<SignerRecord>, RecordsError>,
    ) -> Result<TrustAnchors, SignerError> {
        let record = match record {
            Err(RecordsError::NoActiveSigner { .. }) => None,
            record => Some(record?),
        };
        let further = self.further.anchors(Instant::now()).await;
        let version = record.as_ref().map(|record| record.version());
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = parsed.as_ref()
            && parsed.record == version
            && Arc::ptr_eq(&parsed.further, &further)
        {
            return Ok(parsed.trust.clone());
        }
        let recorded = record.as_ref().map(|record| record.anchors()).unwrap_or_default();
        let trust = AnchorList::from_pem(&format!("{recorded}\n{}", further.signers.pem()))
            .and_then(|signers| TrustAnchors::new(signers, further.time_stamps.clone()))
            .map_err(|error| SignerError::Unusable(error.to_string()))?;
        *parsed = Some(Parsed { record: version, further, trust: trust.clone() });
        Ok(trust)
    }
}
