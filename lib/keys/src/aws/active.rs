//! The signer that is active now.

use std::sync::Arc;

use aws_sdk_kms::Client;
use credlink_pipeline::{
    signer::{Signer, SignerError},
    timestamp::Clock,
};
use tokio::time::Instant;

use super::{
    cached::CachedRecord, error::RecordsError, record::SignerRecord, records::SignerRecords,
    signer::KmsSigner,
};

/// Follows the record of the active signer: an activation counts here at the latest [`MAX_AGE`](super::MAX_AGE) after
/// it. A signature that is being made keeps the key and chain that it began with.
pub struct ActiveSigner {
    record: CachedRecord,
    kms: Client,
    clock: Arc<dyn Clock>,
}

impl ActiveSigner {
    /// The signer that is active in `records`. `clock` says whether its certificates are valid.
    pub fn new(records: SignerRecords, kms: Client, clock: Arc<dyn Clock>) -> Self {
        Self { record: CachedRecord::new(records), kms, clock }
    }

    /// Reads and checks the signer, for the start of a process. KMS is not asked.
    ///
    /// # Errors
    /// As [`ActiveSigner::signer`].
    pub async fn load(&self) -> Result<(), SignerError> {
        self.signer(Instant::now()).await.map(drop)
    }

    /// The signer to sign with at `now`. Its record is cached as [`CachedRecord::record`] says.
    ///
    /// # Errors
    /// [`SignerError::Unusable`] when none is active, the record is damaged or a certificate is not valid;
    /// [`SignerError::Unavailable`] when the record cannot be read now.
    pub async fn signer(&self, now: Instant) -> Result<Arc<dyn Signer>, SignerError> {
        let record = self.record(now).await?;
        record.check_dates(self.clock.now())?;
        Ok(Arc::new(KmsSigner::new(&record, self.kms.clone())?))
    }

    /// The record of the active signer, valid or expired: its anchors are to be trusted.
    ///
    /// # Errors
    /// As [`CachedRecord::record`].
    pub async fn record(&self, now: Instant) -> Result<Arc<SignerRecord>, RecordsError> {
        self.record.record(now).await
    }
}
