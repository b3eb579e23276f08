//! The signer with its key on this machine.

use std::fmt;

use async_trait::async_trait;
use credlink_pipeline::{
    signer::{Signer, SignerError, SigningAlgorithm},
    timestamp::Timestamp,
};

use crate::{
    algorithm::KeyKind,
    chain::{CertificateSummary, Chain},
    error::KeysError,
    pem_file::PemFile,
    private_key::PrivateKey,
};

/// A key in memory together with its chain. `Debug` shows no secrets.
pub struct LocalSigner {
    key: PrivateKey,
    chain: Chain,
}

impl LocalSigner {
    /// Reads a PEM file that holds both the private key and the chain, and checks all but the dates: order,
    /// signatures, profile, and that the key belongs to the leaf.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(file: &PemFile) -> Result<Self, KeysError> {
        Self::combine(file, file)
    }

    /// Like [`LocalSigner::read`], with the chain in one file and the key in another.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn combine(chain: &PemFile, key: &PemFile) -> Result<Self, KeysError> {
        let chain = Chain::read(chain)?;
        let private_key = PrivateKey::read(key)?;
        chain.check_key(&private_key, key.name())?;
        Ok(Self { key: private_key, chain })
    }

    /// That every certificate of the chain is valid at `now`.
    ///
    /// # Errors
    /// [`KeysError::NotYetValid`] or [`KeysError::Expired`].
    pub fn check_dates(&self, now: Timestamp) -> Result<(), KeysError> {
        self.chain.check_dates(now)
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.key.kind()
    }

    /// The facts of the certificates, leaf first.
    pub fn certificates(&self) -> &[CertificateSummary] {
        self.chain.summaries()
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub(crate) fn checked_chain(&self) -> &Chain {
        &self.chain
    }
}

#[async_trait]
impl Signer for LocalSigner {
    fn algorithm(&self) -> SigningAlgorithm {
        self.key.kind().signing_algorithm()
    }

    fn chain(&self) -> &[Vec<u8>] {
        self.chain.certificates()
    }

    fn signature_length(&self) -> usize {
        self.key.kind().signature_length()
    }

    /// Computes on the calling thread: at most a few milliseconds, with RSA-4096.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.key.sign(message).map_err(|_| SignerError::Unusable(format!("the {} key failed", self.kind())))
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leaf = self.certificates().first().map(|leaf| leaf.subject.as_str());
        f.debug_struct("LocalSigner").field("kind", &self.kind()).field("leaf", &leaf).finish_non_exhaustive()
    }
}
