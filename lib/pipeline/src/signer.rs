//! The port to whoever holds the signing key.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Signature algorithms that CredLink signs with, a subset of C2PA 2.4, section 13.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SigningAlgorithm {
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, salt of 32 bytes; keys of 2048 to 4096 bits.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    Ed25519,
}

impl SigningAlgorithm {
    /// The name that C2PA and this project's API use, in lower case: `ps256`, `es256`, `es384`, `ed25519`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "ps256",
            Self::Es256 => "es256",
            Self::Es384 => "es384",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = SignerError;

    fn from_str(name: &str) -> Result<Self, SignerError> {
        match name {
            "ps256" => Ok(Self::Ps256),
            "es256" => Ok(Self::Es256),
            "es384" => Ok(Self::Es384),
            "ed25519" => Ok(Self::Ed25519),
            other => Err(SignerError::Unusable(format!(
                "unknown signature algorithm {other}; known are ps256, es256, es384 and ed25519"
            ))),
        }
    }
}

/// One key together with its certificate chain. Both are fixed for the life of the value: a rotation makes a
/// new `Signer`, so key and chain can never be mixed in the middle of a swap.
#[async_trait]
pub trait Signer: Send + Sync {
    /// What the key signs with.
    fn algorithm(&self) -> SigningAlgorithm;

    /// The certificates in DER, leaf first, each issued by the next, without the root.
    fn chain(&self) -> &[Vec<u8>];

    /// The longest signature that [`Signer::sign`] returns, in bytes: the modulus length for RSA, twice the
    /// field length for ECDSA, 64 for Ed25519.
    fn signature_length(&self) -> usize;

    /// Signs `message` (not its digest). ECDSA signatures are `r ‖ s`, as COSE wants them (RFC 9053, 2.1).
    ///
    /// # Errors
    /// [`SignerError`]; nothing was signed.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// Why a signature could not be made.
#[derive(Debug, Error)]
pub enum SignerError {
    /// The key or its certificate cannot be used at all; trying again does not help.
    #[error("the signing key or certificate is unusable: {0}")]
    Unusable(String),
    /// The key holder is throttled or unreachable; trying again later may help.
    #[error("the signing key is not available now: {0}")]
    Unavailable(String),
}
