//! The signer with its key in KMS.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use aws_lc_rs::digest::{self, SHA256, SHA384};
use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::sign::SignError,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use credlink_aws::Fault;
use credlink_pipeline::signer::{Signer, SignerError, SigningAlgorithm};

use super::{ecdsa, record::SignerRecord};
use crate::chain::Chain;

/// A key in KMS together with its chain. KMS gets the digest of a message only, so a message may have any length.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>
pub struct KmsSigner {
    client: Client,
    key_arn: String,
    chain: Arc<Chain>,
    method: Method,
}

/// How KMS is asked, and how it answers.
#[derive(Clone, Copy)]
enum Method {
    /// RSASSA-PSS with SHA-256.
    Pss,
    /// ECDSA with SHA-256; numbers of 32 bytes.
    EcdsaP256,
    /// ECDSA with SHA-384; numbers of 48 bytes.
    EcdsaP384,
}

impl KmsSigner {
    /// The signer that `record` names. Signing needs `kms:Sign`.
    ///
    /// # Errors
    /// [`SignerError::Unusable`] for a kind of key that KMS does not sign digests with.
    pub fn new(record: &SignerRecord, client: Client) -> Result<Self, SignerError> {
        Self::over(record.key_arn().to_owned(), Arc::clone(record.checked_chain()), client)
    }

    /// The ARN of the key.
    pub fn key_arn(&self) -> &str {
        &self.key_arn
    }

    pub(super) fn over(key_arn: String, chain: Arc<Chain>, client: Client) -> Result<Self, SignerError> {
        let method = match chain.kind().signing_algorithm() {
            SigningAlgorithm::Ps256 => Method::Pss,
            SigningAlgorithm::Es256 => Method::EcdsaP256,
            SigningAlgorithm::Es384 => Method::EcdsaP384,
            SigningAlgorithm::Ed25519 => {
                return Err(SignerError::Unusable(format!("KMS signs no digests with Ed25519 ({key_arn})")));
            }
        };
        Ok(Self { client, key_arn, chain, method })
    }

    fn failed(&self, error: &SdkError<SignError>) -> SignerError {
        let code = error.as_service_error().and_then(|answer| answer.code());
        match Fault::of(error) {
            Fault::Transient(reason) => SignerError::Unavailable(format!("KMS: {reason}")),
            Fault::Permanent(reason) => {
                SignerError::Unusable(format!("KMS key {}: {reason}; {}", self.key_arn, advice(code)))
            }
        }
    }
}

#[async_trait]
impl Signer for KmsSigner {
    fn algorithm(&self) -> SigningAlgorithm {
        self.chain.kind().signing_algorithm()
    }

    fn chain(&self) -> &[Vec<u8>] {
        self.chain.certificates()
    }

    fn signature_length(&self) -> usize {
        self.chain.kind().signature_length()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let request = self.client.sign().key_id(&self.key_arn).message_type(MessageType::Digest);
        let request = request.signing_algorithm(self.method.name()).message(self.method.digest(message));
        let answer = request.send().await.map_err(|error| self.failed(&error))?;
        let signature = answer.signature.map(Blob::into_inner).unwrap_or_default();
        self.method.fixed(signature, self.signature_length()).ok_or_else(|| {
            SignerError::Unusable(format!("KMS key {} answered with no signature of its kind", self.key_arn))
        })
    }
}

impl fmt::Debug for KmsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsSigner").field("key_arn", &self.key_arn).finish_non_exhaustive()
    }
}

impl Method {
    fn name(self) -> SigningAlgorithmSpec {
        match self {
            Self::Pss => SigningAlgorithmSpec::RsassaPssSha256,
            Self::EcdsaP256 => SigningAlgorithmSpec::EcdsaSha256,
            Self::EcdsaP384 => SigningAlgorithmSpec::EcdsaSha384,
        }
    }

    fn digest(self, message: &[u8]) -> Blob {
        let algorithm = match self {
            Self::Pss | Self::EcdsaP256 => &SHA256,
            Self::EcdsaP384 => &SHA384,
        };
        Blob::new(digest::digest(algorithm, message).as_ref())
    }

    /// The signature as COSE wants it, with exactly `length` bytes.
    fn fixed(self, signature: Vec<u8>, length: usize) -> Option<Vec<u8>> {
        match self {
            Self::Pss => Some(signature).filter(|signature| signature.len() == length),
            Self::EcdsaP256 | Self::EcdsaP384 => ecdsa::fixed(&signature, length / 2),
        }
    }
}

/// What to do about an error that does not pass by itself.
fn advice(code: Option<&str>) -> &'static str {
    match code {
        Some("DisabledException") => "enable the key, or activate another with `credlink keys activate`",
        Some("AccessDeniedException") => "allow kms:Sign on this key, in its policy or the role's",
        Some("NotFoundException" | "KMSInvalidStateException" | "InvalidKeyUsageException") => {
            "activate another key with `credlink keys activate`"
        }
        _ => "check the key, the region and the credentials",
    }
}
