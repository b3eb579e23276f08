//! A signer that is checked, and not active yet.

use std::{path::Path, sync::Arc};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use aws_sdk_kms::Client;
use credlink_pipeline::{
    signer::{Signer as _, SignerError},
    timestamp::Timestamp,
};
use thiserror::Error;

use super::{key::KmsKey, signer::KmsSigner};
use crate::{algorithm::KeyKind, authority, chain::Chain, error::KeysError, import, pem_file::PemFile};

/// What the trial signature is made over. It is no C2PA claim, so nobody can use it as one.
const TRIAL: &[u8] = b"credlink: a trial signature before this key becomes active";

/// A KMS key with a chain that was issued for it, and the root of that chain.
#[derive(Clone, Debug)]
pub struct NewSigner {
    key_arn: String,
    chain: Arc<Chain>,
    roots: Vec<Vec<u8>>,
}

/// Why a trial signature failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NewSignerError {
    /// KMS made none.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// KMS made one that the leaf certificate does not confirm.
    #[error("the KMS key {0} made a signature that does not match its own public key: do not use this key")]
    WrongSignature(String),
}

impl NewSigner {
    /// `key` with a chain from elsewhere, leaf first, and the root of that chain.
    ///
    /// # Errors
    /// The first thing that is wrong: order, signatures, profile, dates, match of key and leaf, match of root and chain.
    pub fn new(key: &KmsKey, chain: &PemFile, root: &PemFile, now: Timestamp) -> Result<Self, KeysError> {
        let checked = Chain::read(chain)?;
        checked.check_public_key(key.kind(), key.public_key(), key.arn())?;
        checked.check_dates(now)?;
        let roots = import::matching_roots(root, &checked, chain, now)?;
        Ok(Self { key_arn: key.arn().to_owned(), chain: Arc::new(checked), roots })
    }

    /// `key` with a new certificate of the local authority in the key folder `folder`, which is made on first use.
    ///
    /// # Errors
    /// When the authority cannot be read or made.
    pub fn issue(key: &KmsKey, folder: &Path, now: Timestamp) -> Result<Self, KeysError> {
        let issued = authority::issue_for(folder, key.public_key_info(), now)?;
        // The same checks as for everybody else's certificates.
        Self::new(key, &issued.chain, &issued.root, now)
    }

    /// Lets KMS sign once, and checks the signature with the leaf certificate. Needs `kms:Sign`.
    ///
    /// # Errors
    /// When KMS does not sign, or signs with another key.
    pub async fn try_out(&self, client: &Client) -> Result<(), NewSignerError> {
        let signer = KmsSigner::over(self.key_arn.clone(), Arc::clone(&self.chain), client.clone())?;
        let signature = signer.sign(TRIAL).await?;
        let Some(algorithm) = verification(self.chain.kind()) else { return Err(self.wrong_signature()) };
        UnparsedPublicKey::new(algorithm, self.chain.leaf_public_key())
            .verify(TRIAL, &signature)
            .map_err(|_| self.wrong_signature())
    }

    /// The ARN of the KMS key.
    pub fn key_arn(&self) -> &str {
        &self.key_arn
    }

    /// What was changed in the given chain, in sentences.
    pub fn notes(&self) -> &[String] {
        self.chain.notes()
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    pub(super) fn roots(&self) -> &[Vec<u8>] {
        &self.roots
    }

    fn wrong_signature(&self) -> NewSignerError {
        NewSignerError::WrongSignature(self.key_arn.clone())
    }
}

fn verification(kind: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    match kind {
        KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::Rsa4096 => Some(&RSA_PSS_2048_8192_SHA256),
        KeyKind::P256 => Some(&ECDSA_P256_SHA256_FIXED),
        KeyKind::P384 => Some(&ECDSA_P384_SHA384_FIXED),
        KeyKind::Ed25519 => None,
    }
}
