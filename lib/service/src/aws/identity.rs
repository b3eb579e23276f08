//! Who the service is on AWS: what the record of the active signer says, read again from time to time.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use credlink_keys::aws::{ActiveSigner, CachedRecord, RecordsError, SignerRecord};
use credlink_pipeline::{
    signer::{Signer, SignerError},
    timestamp::Clock,
    trust::{AnchorList, TrustAnchors, TrustAnchorsError},
};
use tokio::time::Instant;

use crate::identity::Identity;

/// Bundles of trust anchors that the operator chose besides those of the record, in PEM; empty when there are none.
#[derive(Clone, Debug, Default)]
pub struct FurtherAnchors {
    /// Roots of signers.
    pub signers: String,
    /// Roots of time-stamp authorities.
    pub time_stamps: String,
}

/// The identity of a function that signs.
pub struct SigningIdentity {
    active: ActiveSigner,
    trust: RecordedTrust,
}

impl SigningIdentity {
    /// Signs with the signer that is active, and trusts its anchors and `further` ones.
    ///
    /// # Errors
    /// When `further` holds something else than certificates.
    pub fn new(active: ActiveSigner, further: FurtherAnchors) -> Result<Self, TrustAnchorsError> {
        Ok(Self { active, trust: RecordedTrust::new(further)? })
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
        self.trust.with(self.active.record(Instant::now()).await)
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
    ///
    /// # Errors
    /// When `further` holds something else than certificates.
    pub fn new(
        record: CachedRecord,
        further: FurtherAnchors,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TrustAnchorsError> {
        Ok(Self { record, trust: RecordedTrust::new(further)?, clock })
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
        self.trust.with(self.record.record(Instant::now()).await)
    }

    async fn check(&self) -> Result<(), SignerError> {
        self.record().await?.check_dates(self.clock.now())
    }
}

/// The anchors of the record and the operator's further ones, parsed once for each version of the record.
struct RecordedTrust {
    further: String,
    only_further: TrustAnchors,
    parsed: Mutex<Option<(u64, TrustAnchors)>>,
}

impl RecordedTrust {
    fn new(further: FurtherAnchors) -> Result<Self, TrustAnchorsError> {
        let time_stamps = AnchorList::from_pem(&further.time_stamps)?;
        let only_further = TrustAnchors::new(AnchorList::from_pem(&further.signers)?, time_stamps)?;
        Ok(Self { only_further, further: further.signers, parsed: Mutex::new(None) })
    }

    /// Before a signer was ever activated, nobody but the operator's further anchors is trusted.
    fn with(&self, record: Result<Arc<SignerRecord>, RecordsError>) -> Result<TrustAnchors, SignerError> {
        let record = match record {
            Err(RecordsError::NoActiveSigner { .. }) => return Ok(self.only_further.clone()),
            record => record?,
        };
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, anchors)) = parsed.as_ref()
            && *version == record.version()
        {
            return Ok(anchors.clone());
        }
        let anchors = AnchorList::from_pem(&format!("{}\n{}", record.anchors(), self.further))
            .and_then(|signers| TrustAnchors::new(signers, self.only_further.time_stamps().clone()))
            .map_err(|error| SignerError::Unusable(error.to_string()))?;
        *parsed = Some((record.version(), anchors.clone()));
        Ok(anchors)
    }
}
