//! `credlink batch-sign --table`: signing with the key in KMS that is active.

use std::sync::{Arc, Mutex, PoisonError};

use credlink_keys::aws::{ActiveSigner, SignerRecords};
use credlink_pipeline::{
    signer::{Signer, SignerError},
    trust::{AnchorList, TrustAnchors},
};
use credlink_service::{
    anchors::AnchorFiles, clock::SystemClock, identity::Identity, installation::Installation,
};
use tokio::time::Instant;

use super::BatchSignError;

/// The signer that is active in a table. Trusted are its own anchors, those of the data folder, and further files.
pub(super) struct TableIdentity {
    active: ActiveSigner,
    further: TrustAnchors,
    /// What was trusted last, with the version of the record that it came from.
    parsed: Mutex<Option<(u64, TrustAnchors)>>,
}

impl TableIdentity {
    /// Finds region and credentials as the AWS command line does, and reads who is active.
    ///
    /// # Errors
    /// When nothing names a region, when nobody is active, or when it cannot be read.
    pub(super) async fn open(
        table: &str,
        installation: &Installation,
        further: &AnchorFiles,
    ) -> Result<Self, BatchSignError> {
        let config = credlink_aws::from_profile().await;
        if config.region().is_none() {
            return Err(BatchSignError::NoRegion);
        }
        let records = SignerRecords::new(aws_sdk_dynamodb::Client::new(&config), table);
        let active = ActiveSigner::new(records, aws_sdk_kms::Client::new(&config), Arc::new(SystemClock));
        active.load().await?;
        Ok(Self { active, further: installation.trust(further)?, parsed: Mutex::default() })
    }
}

#[async_trait::async_trait]
impl Identity for TableIdentity {
    async fn signer(&self) -> Result<Arc<dyn Signer>, SignerError> {
        self.active.signer(Instant::now()).await
    }

    async fn trust(&self) -> Result<TrustAnchors, SignerError> {
        let record = self.active.record(Instant::now()).await?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, trust)) = parsed.as_ref()
            && *version == record.version()
        {
            return Ok(trust.clone());
        }
        let pem = format!("{}\n{}", record.anchors(), self.further.signers().pem());
        let trust = AnchorList::from_pem(&pem)
            .and_then(|signers| TrustAnchors::new(signers, self.further.time_stamps().clone()))
            .map_err(|error| SignerError::Unusable(error.to_string()))?;
        *parsed = Some((record.version(), trust.clone()));
        Ok(trust)
    }

    async fn check(&self) -> Result<(), SignerError> {
        self.signer().await.map(drop)
    }
}
