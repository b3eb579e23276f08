//! What one machine has in its data folder: keys, trust anchors and proofs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use credlink_keys::{
    KeyKind, KeysError, LocalKeys, LocalSigner, PemFile, folder::SIGNER, trust_anchor_files, trust_anchors,
};
use credlink_pipeline::{
    proof::ProofStoreError,
    signer::Signer,
    timestamp::Clock,
    trust::{AnchorList, TrustAnchors, TrustAnchorsError},
};
use credlink_proofs::{ProofArchive, StoreLocation};
use thiserror::Error;

use crate::{
    anchors::{AnchorFile, AnchorFiles, AnchorsError},
    api_keys::LocalApiKeys,
    clock::SystemClock,
    idempotency::LocalIdempotency,
    idempotency_folder::IdempotencyFolder,
    jobs::{JobStore, LocalJobStore, ProofCleanup},
    local_uploads::LocalUploads,
    uploads::UploadError,
};

/// A data folder.
#[derive(Clone)]
pub struct Installation {
    data: PathBuf,
    clock: Arc<dyn Clock>,
}

/// Why the data folder cannot be used.
#[derive(Debug, Error)]
pub enum InstallationError {
    /// The keys are unusable, or could not be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The proofs cannot be opened.
    #[error("proofs in {location} cannot be used: {cause}; PROOF_STORE says where proofs live")]
    Proofs {
        /// Where they live.
        location: StoreLocation,
        /// What is in the way.
        cause: ProofStoreError,
    },
    /// The folder of uploads cannot be opened.
    #[error(transparent)]
    Uploads(#[from] UploadError),
    /// A file of further trust anchors cannot be used.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// The installation's own roots cannot be used.
    #[error("the roots in {path} cannot be used: {cause}")]
    OwnRoots {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with them.
        cause: TrustAnchorsError,
    },
}

impl Installation {
    /// The installation in the folder `data`, which need not exist yet.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self::with_clock(data, Arc::new(SystemClock))
    }

    /// Like [`Installation::new`], with another clock than the machine's.
    pub fn with_clock(data: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { data: data.into(), clock }
    }

    /// The active signer: the one in the PEM file `chosen`, key and chain together, else that of the folder.
    /// On first use, a local authority and a key are made there.
    ///
    /// # Errors
    /// When the keys are unusable, or none can be made.
    pub fn signer(&self, chosen: Option<&Path>) -> Result<Arc<dyn Signer>, InstallationError> {
        match chosen {
            Some(path) => self.chosen_signer(path),
            None => {
                Ok(LocalKeys::open_or_create(&self.keys(), KeyKind::default(), self.clock.now())?.signer())
            }
        }
    }

    /// Like [`Installation::signer`]; nothing is made.
    ///
    /// # Errors
    /// When there are no keys, or they are unusable.
    pub fn signer_if_any(&self, chosen: Option<&Path>) -> Result<Arc<dyn Signer>, InstallationError> {
        match chosen {
            Some(path) => self.chosen_signer(path),
            None => Ok(LocalKeys::open(&self.keys(), self.clock.now())?.signer()),
        }
    }

    /// The API keys in the folder.
    pub fn api_keys(&self) -> LocalApiKeys {
        LocalApiKeys::new(self.keys().join("api"))
    }

    /// The idempotency keys in the folder.
    pub fn idempotency(&self) -> LocalIdempotency {
        LocalIdempotency::new(self.data.join("idempotency"))
    }

    /// The uploads in the folder.
    ///
    /// # Errors
    /// When the folder cannot be created or read.
    pub fn uploads(&self) -> Result<Arc<LocalUploads>, InstallationError> {
        Ok(Arc::new(LocalUploads::open(self.data.join("uploads"), self.clock.now())?))
    }

    /// The cleanup of the folder, and of the proofs in `proofs`, wherever they are.
    pub fn cleanup(&self, proofs: Arc<dyn ProofArchive>) -> ProofCleanup {
        let uploads = LocalUploads::as_they_are(self.data.join("uploads"));
        let keys = IdempotencyFolder::new(self.data.join("idempotency"));
        ProofCleanup::new(vec![proofs, Arc::new(uploads), Arc::new(keys)])
    }

    /// The state of jobs in the folder. Nothing is created until something is written.
    pub fn jobs(&self) -> Arc<dyn JobStore> {
        Arc::new(LocalJobStore::new(self.data.join("jobs")))
    }

    /// The installation's own roots and those in the files `further`.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn trust(&self, further: &AnchorFiles) -> Result<TrustAnchors, InstallationError> {
        let signers = joined(trust_anchors(&self.keys())?, &further.signers)?;
        let time_stamps = joined(String::new(), &further.time_stamps)?;
        let unusable = |cause| InstallationError::OwnRoots { path: self.keys(), cause };
        let signers = AnchorList::from_pem(&signers).map_err(unusable)?;
        let time_stamps = AnchorList::from_pem(&time_stamps).map_err(unusable)?;
        TrustAnchors::new(signers, time_stamps).map_err(unusable)
    }

    /// The folder with the keys.
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// The file of the installation's own signer; it need not be there.
    pub(crate) fn signer_file(&self) -> PathBuf {
        self.keys().join(SIGNER)
    }

    /// The files with the installation's own roots; they need not be there.
    pub(crate) fn root_files(&self) -> [PathBuf; 2] {
        trust_anchor_files(&self.keys())
    }

    fn chosen_signer(&self, path: &Path) -> Result<Arc<dyn Signer>, InstallationError> {
        let signer = LocalSigner::read(&PemFile::read(path)?)?;
        signer.check_dates(self.clock.now())?;
        Ok(Arc::new(signer))
    }
}

/// The proofs at `location`. A folder is created where there is none; what is elsewhere is asked whether it lets us in.
///
/// # Errors
/// [`InstallationError::Proofs`] when it cannot be reached, or refuses us.
pub async fn open_proofs(location: &StoreLocation) -> Result<Arc<dyn ProofArchive>, InstallationError> {
    let opened = async {
        let proofs = location.open(credlink_aws::from_profile).await?;
        if !matches!(location, StoreLocation::Local(_) | StoreLocation::Memory) {
            proofs.check().await?;
        }
        Ok(proofs)
    };
    opened.await.map_err(|cause| InstallationError::Proofs { location: location.clone(), cause })
}

/// Like [`open_proofs`], but where a folder is missing, there are no proofs, and nothing is created.
///
/// # Errors
/// As for [`open_proofs`].
pub async fn open_proofs_if_any(
    location: &StoreLocation,
) -> Result<Arc<dyn ProofArchive>, InstallationError> {
    match location {
        StoreLocation::Local(folder) if !folder.exists() => open_proofs(&StoreLocation::Memory).await,
        location => open_proofs(location).await,
    }
}

/// Each file is checked by itself: among others, one without any certificate would pass.
fn joined(own: String, files: &[AnchorFile]) -> Result<String, AnchorsError> {
    let mut pem = own;
    for file in files {
        pem.push('\n');
        pem.push_str(file.read()?.pem());
    }
    Ok(pem)
}
