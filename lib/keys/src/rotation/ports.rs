//! What a rotation needs from outside. Each port has an implementation for one machine, one for AWS, and one in memory
//! for tests; one contract suite runs against all of them.
//!
//! A rotation may be killed in the middle of any call and runs again, so every call here can be repeated: what it
//! makes carries the [`RotationId`], and is found again by it.

use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;
use credlink_pipeline::{signer::Signer, timestamp::Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{algorithm::KeyKind, pem_file::PemFile};

/// The name of one rotation, random. Everything that is made for it carries this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RotationId(Uuid);

impl RotationId {
    /// A new one.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for RotationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

/// What names a key where keys are kept: the ARN of a KMS key, or the SHA-256 of the public half of a key in the key
/// folder. Never a label that could come to mean another key. A key has one name from its first day to its last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyName(pub String);

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that signs nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateKey {
    /// Its name.
    pub name: KeyName,
    /// The rotation that it was made for.
    pub rotation: RotationId,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// `SubjectPublicKeyInfo` in DER (RFC 5280, 4.1.2.7).
    pub public_key_info: Vec<u8>,
}

/// Where keys are kept. A private key never leaves it.
#[async_trait]
pub trait KeyKeeper: Send + Sync {
    /// The key of `rotation`: made now, or found when an earlier call made it already.
    ///
    /// # Errors
    /// [`Fault`]; a key may have been made all the same, and the next call finds it.
    async fn make(&self, rotation: RotationId, kind: KeyKind) -> Result<CandidateKey, Fault>;

    /// All keys that were made for rotations and are neither active nor were ever: what a rotation in progress owns,
    /// and what one that was given up left.
    ///
    /// # Errors
    /// [`Fault`].
    async fn candidates(&self) -> Result<Vec<CandidateKey>, Fault>;

    /// Signs `message` as X.509 and PKCS#10 want it: RSASSA-PKCS1-v1_5 with SHA-256, ECDSA with SHA-256 (P-256) or
    /// SHA-384 (P-384) in DER, Ed25519.
    ///
    /// # Errors
    /// [`Fault`].
    async fn sign_request(&self, key: &CandidateKey, message: &[u8]) -> Result<Vec<u8>, Fault>;

    /// The signer that `key` becomes with `chain`, for the trial signature.
    ///
    /// # Errors
    /// [`Fault`] when the leaf is not for this key, or the chain is not as C2PA wants it.
    async fn signer(&self, key: &CandidateKey, chain: &PemFile) -> Result<Arc<dyn Signer>, Fault>;

    /// Gives up a candidate that never signed: it is removed, or scheduled for removal. Twice is no error. One that
    /// became the active key meanwhile is left alone.
    ///
    /// # Errors
    /// [`Fault`].
    async fn discard(&self, key: &CandidateKey) -> Result<(), Fault>;

    /// Makes a key that signed unable to sign; it can be enabled again by hand. Twice is no error.
    ///
    /// # Errors
    /// [`Fault`].
    async fn disable(&self, key: &KeyName) -> Result<(), Fault>;

    /// Removes a disabled key for good, or schedules that. Twice is no error.
    ///
    /// # Errors
    /// [`Fault`].
    async fn delete(&self, key: &KeyName) -> Result<(), Fault>;

    /// Whether the active key can sign now; for reports that come before somebody's image fails.
    ///
    /// # Errors
    /// [`Fault`] that names the key, what is wrong (disabled, pending deletion, gone) and the fix.
    async fn check(&self, key: &KeyName) -> Result<(), Fault>;
}

/// What an authority answered.
#[derive(Debug)]
pub enum Issuance {
    /// Nothing yet, and why. External authorities take days.
    Waiting {
        /// For people: what is waited for, and what somebody may have to do.
        reason: String,
    },
    /// A certificate. It is not checked yet.
    Issued {
        /// The chain as it came, leaf first.
        chain: PemFile,
        /// The root that it leads to.
        root: PemFile,
    },
}

/// Whoever issues the certificate.
#[async_trait]
pub trait Authority: Send + Sync {
    /// For people: which authority it is.
    fn name(&self) -> String;

    /// Asks for a certificate, once for each rotation: asking again is the same request. `request` is a PKCS#10 request
    /// in DER. The answer is what [`Authority::collect`] is asked with; at most 2 KB of text.
    ///
    /// # Errors
    /// [`Fault`]; a refusal is [`Fault::passing`] false.
    async fn request(&self, rotation: RotationId, request: &[u8], now: Timestamp) -> Result<String, Fault>;

    /// What became of a request.
    ///
    /// # Errors
    /// [`Fault`]; a refusal is [`Fault::passing`] false.
    async fn collect(&self, rotation: RotationId, receipt: &str, now: Timestamp) -> Result<Issuance, Fault>;

    /// Removes what a request left lying around (a published CSR, a dropped certificate), when the rotation ended either
    /// way. Twice is no error. `receipt` is empty when the answer to the request was lost.
    ///
    /// # Errors
    /// [`Fault`].
    async fn forget(&self, rotation: RotationId, receipt: &str) -> Result<(), Fault>;
}

/// One version of who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerVersion {
    /// What tells the versions apart; opaque.
    pub version: String,
    /// The key.
    pub key: KeyName,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The chain in DER, leaf first, without the root.
    pub chain: Vec<Vec<u8>>,
    /// When the first certificate of the chain expires.
    pub not_after: Timestamp,
    /// When it became the active one.
    pub activated_at: Timestamp,
}

/// Who signs, and who did before.
#[async_trait]
pub trait SignerVersions: Send + Sync {
    /// For people: where this is written down, such as `table credlink-proofs (pk=signer, sk=active)`.
    fn place(&self) -> String;

    /// The active one; `None` when there is none. One that cannot be read is a [`Fault`].
    ///
    /// # Errors
    /// [`Fault`].
    async fn active(&self) -> Result<Option<SignerVersion>, Fault>;

    /// All that ever were and can still be read, the active one among them, newest first; at most a thousand.
    ///
    /// # Errors
    /// [`Fault`].
    async fn all(&self) -> Result<Vec<SignerVersion>, Fault>;

    /// Makes `key` with `chain` the active one, if the active one is still `expected`; the one before is kept, so that
    /// it can be restored, and its roots stay trusted. Repeating a swap that went through gives the same version.
    ///
    /// # Errors
    /// [`SwapError`].
    async fn swap(
        &self,
        key: &CandidateKey,
        chain: &PemFile,
        root: &PemFile,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError>;

    /// Makes an earlier version the active one again, with the same key and chain. Where versions are counted, it is a
    /// new version.
    ///
    /// # Errors
    /// [`SwapError`]; a version whose certificate is not valid at `now` is a fault.
    async fn restore(
        &self,
        version: &str,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError>;
}

/// Why the active signer was not swapped. It is untouched.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SwapError {
    /// Somebody else swapped it meanwhile.
    #[error("another signer became active meanwhile; nothing was changed")]
    LostRace,
    /// Anything else.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Where the state of the rotation in progress is kept: one text, replaced as a whole.
#[async_trait]
pub trait RotationJournal: Send + Sync {
    /// For people: where it is.
    fn place(&self) -> String;

    /// The text and its revision; `None` when there never was one.
    ///
    /// # Errors
    /// [`Fault`].
    async fn read(&self) -> Result<Option<(u64, String)>, Fault>;

    /// Replaces the text if its revision is still `expected` (`None`: if there is none yet); the new revision.
    ///
    /// # Errors
    /// [`SwapError::LostRace`] when somebody else wrote meanwhile.
    async fn write(&self, text: &str, expected: Option<u64>) -> Result<u64, SwapError>;
}

/// What people are told about a rotation, beside the log: on AWS an SNS message.
#[async_trait]
pub trait Announcer: Send + Sync {
    /// Tells them. A subject has at most 100 printable ASCII characters.
    ///
    /// # Errors
    /// [`Fault`]; the rotation goes on.
    async fn announce(&self, subject: &str, text: &str) -> Result<(), Fault>;
}

/// What stands in the way of a step: what it is about, what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[error("{resource}: {problem}; {fix}")]
pub struct Fault {
    /// The key, table, file or authority.
    pub resource: String,
    /// What is wrong with it.
    pub problem: String,
    /// What somebody can do about it.
    pub fix: String,
    /// Whether it may pass by itself.
    pub passing: bool,
}

impl Fault {
    /// What may pass by itself, so that it is tried again.
    pub fn passing(resource: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { resource: resource.into(), problem: problem.into(), fix: fix.into(), passing: true }
    }

    /// What stays as it is until somebody does something.
    pub fn lasting(resource: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { resource: resource.into(), problem: problem.into(), fix: fix.into(), passing: false }
    }
}
