//! The signer with its key on this machine.

use std::fmt;

use async_trait::async_trait;
use credlink_pipeline::{
    signer::{Signer, SignerError, SigningAlgorithm},
    timestamp::Timestamp,
};
use zeroize::Zeroizing;

use crate::{
    algorithm::KeyKind,
    chain::{CertificateSummary, Chain},
    error::KeysError,
    local::key_name,
    pem_file::{self, PemFile},
    private_key::PrivateKey,
    rotation::ports::KeyName,
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
        Self::new(chain, PrivateKey::read(key)?, key.name())
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

    /// Like [`LocalSigner::combine`], with a key that messages call `key_name`.
    pub(crate) fn new(chain: Chain, key: PrivateKey, key_name: &str) -> Result<Self, KeysError> {
        chain.check_key(&key, key_name)?;
        Ok(Self { key, chain })
    }

    /// The content of the file of an active signer: the key first, then the chain.
    pub(crate) fn to_pem(&self) -> Result<Zeroizing<String>, KeysError> {
        let chain: String =
            self.chain.certificates().iter().map(|der| pem_file::encode("CERTIFICATE", der)).collect();
        let key = self.key.to_pem()?;
        // Room for both from the start: growing would leave a copy of the key behind.
        let mut content = Zeroizing::new(String::with_capacity(key.len() + chain.len()));
        content.push_str(&key);
        content.push_str(&chain);
        Ok(content)
    }

    /// What names its key.
    pub(crate) fn key_name(&self) -> KeyName {
        key_name(self.key.public_key())
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
