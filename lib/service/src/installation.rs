//! What one machine has in its data folder: keys, trust anchors and proofs.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use credlink_keys::{KeyKind, KeysError, LocalKeys, LocalSigner, PemFile, trust_anchors};
use credlink_pipeline::{
    proof::{ProofStore, ProofStoreError},
    signer::Signer,
    timestamp::Clock as _,
    trust::{TrustAnchors, TrustAnchorsError},
};
use credlink_proofs::{LocalProofStore, MemoryProofStore};
use thiserror::Error;

use crate::{clock::SystemClock, local_uploads::LocalUploads, uploads::UploadError};

/// The longest file of trust anchors, in bytes. The C2PA trust list has about 100 KB.
const MAX_ANCHORS_LENGTH: u64 = 4 << 20;

/// A data folder.
#[derive(Clone, Debug)]
pub struct Installation {
    data: PathBuf,
}

/// Why the data folder cannot be used.
#[derive(Debug, Error)]
pub enum InstallationError {
    /// The keys are unusable, or could not be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The proofs cannot be opened.
    #[error(transparent)]
    Proofs(#[from] ProofStoreError),
    /// The folder of uploads cannot be opened.
    #[error(transparent)]
    Uploads(#[from] UploadError),
    /// The file of further trust anchors cannot be read.
    #[error("the trust anchors in {path} cannot be read: {cause}")]
    AnchorsFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file of further trust anchors holds something else.
    #[error("{path}: {cause}")]
    Anchors {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: TrustAnchorsError,
    },
}

impl Installation {
    /// The installation in the folder `data`, which need not exist yet.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into() }
    }

    /// The active signer: the one in the PEM file `chosen`, key and chain together, else that of the folder.
    /// On first use, a local authority and a key are made there.
    ///
    /// # Errors
    /// When the keys are unusable, or none can be made.
    pub fn signer(&self, chosen: Option<&Path>) -> Result<Arc<dyn Signer>, InstallationError> {
        if let Some(path) = chosen {
            let signer = LocalSigner::read(&PemFile::read(path)?)?;
            signer.check_dates(SystemClock.now())?;
            return Ok(Arc::new(signer));
        }
        let keys = LocalKeys::open_or_create(&self.keys(), KeyKind::default(), SystemClock.now())?;
        Ok(keys.signer())
    }

    /// The proofs in the folder.
    ///
    /// # Errors
    /// When the folder cannot be created or read.
    pub fn proofs(&self) -> Result<Arc<dyn ProofStore>, InstallationError> {
        Ok(Arc::new(LocalProofStore::open(self.data.join("proofs"))?))
    }

    /// The proofs in the folder, or none; nothing is created.
    ///
    /// # Errors
    /// When the folder is there but cannot be read.
    pub fn proofs_if_any(&self) -> Result<Arc<dyn ProofStore>, InstallationError> {
        if self.data.join("proofs").exists() { self.proofs() } else { Ok(Self::proofs_in_memory()) }
    }

    /// Proofs that are gone when the process ends.
    pub fn proofs_in_memory() -> Arc<dyn ProofStore> {
        Arc::new(MemoryProofStore::new())
    }

    /// The uploads in the folder.
    ///
    /// # Errors
    /// When the folder cannot be created or read.
    pub fn uploads(&self) -> Result<Arc<LocalUploads>, InstallationError> {
        Ok(Arc::new(LocalUploads::open(self.data.join("uploads"), SystemClock.now())?))
    }

    /// The installation's own roots, and those in the PEM files `further`.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn trust(&self, further: &[&Path]) -> Result<TrustAnchors, InstallationError> {
        let mut pem = trust_anchors(&self.keys())?;
        for path in further {
            pem.push('\n');
            pem.push_str(&read_anchors(path)?);
        }
        TrustAnchors::from_pem(&pem).map_err(|cause| InstallationError::Anchors { path: self.keys(), cause })
    }

    fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }
}

/// Checked by itself: among the installation's own roots, a file without any certificate would pass.
fn read_anchors(path: &Path) -> Result<String, InstallationError> {
    let unreadable = |cause| InstallationError::AnchorsFile { path: path.to_owned(), cause };
    let mut pem = String::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(MAX_ANCHORS_LENGTH + 1).read_to_string(&mut pem).map_err(unreadable)?;
    if length as u64 > MAX_ANCHORS_LENGTH {
        return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
    }
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, "there is no certificate in PEM")));
    }
    TrustAnchors::from_pem(&pem)
        .map_err(|cause| InstallationError::Anchors { path: path.to_owned(), cause })?;
    Ok(pem)
}
