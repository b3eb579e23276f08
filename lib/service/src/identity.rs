//! The port to who this service is: the signer that is active now, and whom the service trusts.

use std::sync::Arc;

use async_trait::async_trait;
use credlink_pipeline::{
    signer::{Signer, SignerError},
    trust::TrustAnchors,
};

/// Who the service is. Both answers may change while the service runs, so they are asked for each image anew.
#[async_trait]
pub trait Identity: Send + Sync {
    /// The signer to sign the next image with.
    ///
    /// # Errors
    /// When there is none, or none can be found out now.
    async fn signer(&self) -> Result<Arc<dyn Signer>, SignerError>;

    /// The roots to trust; the service's own are always among them.
    ///
    /// # Errors
    /// When they cannot be found out now.
    async fn trust(&self) -> Result<TrustAnchors, SignerError>;

    /// A cheap look whether signing could work, for the health check; the key is not used.
    ///
    /// # Errors
    /// When it could not.
    async fn check(&self) -> Result<(), SignerError>;
}

/// A signer and roots that stay the same for as long as the process lives.
pub struct FixedIdentity {
    /// The signer.
    pub signer: Arc<dyn Signer>,
    /// The roots.
    pub trust: TrustAnchors,
}

#[async_trait]
impl Identity for FixedIdentity {
    async fn signer(&self) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::clone(&self.signer))
    }

    async fn trust(&self) -> Result<TrustAnchors, SignerError> {
        Ok(self.trust.clone())
    }

    async fn check(&self) -> Result<(), SignerError> {
        check_signer(&*self.signer)
    }
}

/// A key without certificates signs nothing.
pub(crate) fn check_signer(signer: &dyn Signer) -> Result<(), SignerError> {
    if signer.chain().is_empty() {
        return Err(SignerError::Unusable("the signer has no certificates".to_owned()));
    }
    Ok(())
}
