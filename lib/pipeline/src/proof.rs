//! What is kept of every signature, and the port to where it is kept.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{asset::Format, digest::Sha256Hash, timestamp::Timestamp};

/// The name of a proof: the UUID of the C2PA manifest label `urn:c2pa:<uuid>`. Written in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProofId(Uuid);

impl ProofId {
    /// A new random id (UUID version 4).
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id that belongs to `seed`: always the same, and different for every other seed. Looks like a random
    /// one, which is what a manifest label must hold (C2PA 2.4, section 8.2).
    pub fn derived_from(seed: Sha256Hash) -> Self {
        let mut bytes = [0; 16];
        for (byte, of_seed) in bytes.iter_mut().zip(seed.as_bytes()) {
            *byte = *of_seed;
        }
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The label of the manifest this proof belongs to (C2PA 2.4, section 8.2).
    pub fn manifest_label(self) -> String {
        format!("urn:c2pa:{self}")
    }

    /// The id inside a manifest label; `None` when the label is not `urn:c2pa:<uuid>`, with or without
    /// the trailing parts that C2PA allows.
    pub fn from_manifest_label(label: &str) -> Option<Self> {
        label.strip_prefix("urn:c2pa:")?.split(':').next()?.parse().ok()
    }
}

impl From<Uuid> for ProofId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<ProofId> for Uuid {
    fn from(id: ProofId) -> Self {
        id.0
    }
}

impl fmt::Display for ProofId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for ProofId {
    type Err = InvalidProofId;

    /// Takes the hyphenated form of 36 characters only, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidProofId> {
        if text.len() != 36 {
            return Err(InvalidProofId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidProofId)
    }
}

/// The text is not a UUID of 36 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a proof id is a UUID of 36 characters")]
pub struct InvalidProofId;

/// The facts of one signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProofRecord {
    /// The id, and the manifest's.
    pub id: ProofId,
    /// Where the proof can be read.
    pub uri: String,
    /// SHA-256 of the image as it came in.
    pub image_hash: Sha256Hash,
    /// SHA-256 of the manifest store as it was embedded.
    pub manifest_hash: Sha256Hash,
    /// The ISCC Image-Code of the picture (256 bit, `ISCC:…`); `None` when it could not be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The image's format.
    pub format: Format,
    /// Length of the image as it came in, in bytes.
    pub image_length: u64,
    /// When it was signed.
    pub created_at: Timestamp,
    /// From when on nobody finds it any more.
    pub expires_at: Timestamp,
    /// How long the signature lasts; `None` in records of CredLink versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureLife>,
    /// The copy of the manifest store that got a time-stamp later; `None` when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamped: Option<StampedCopy>,
}

/// How long a signature lasts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignatureLife {
    /// Until when every certificate that came with the signature is valid.
    pub valid_until: Timestamp,
    /// Whether it was made with a time-stamp, by which it outlives its certificates.
    pub stamped: bool,
}

/// A copy of a manifest store with a time-stamp that was made later
/// ([`restamp`](crate::restamp::restamp)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StampedCopy {
    /// SHA-256 of the stamped manifest store.
    pub manifest_hash: Sha256Hash,
    /// The time in the stamp: the signature was there by then.
    pub time: Timestamp,
    /// When the copy was made, by the clock of the service.
    pub stamped_at: Timestamp,
}

/// A record together with the manifest store it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The facts.
    pub record: ProofRecord,
    /// The whole C2PA manifest store (`application/c2pa`).
    pub manifest_store: Bytes,
}

/// Where proofs live. Every read takes the time, and a proof is invisible from its `expires_at` on, whether
/// or not it was deleted already.
#[async_trait]
pub trait ProofStore: Send + Sync {
    /// Keeps a proof. When this returns, the proof is durable as a whole; when it fails or the process dies,
    /// either all of it is visible afterwards or none.
    ///
    /// # Errors
    /// [`ProofStoreError::AlreadyExists`] when the id is taken: a proof is never overwritten.
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError>;

    /// The record of `id`; `None` when it is unknown or expired at `now`.
    ///
    /// # Errors
    /// When the store cannot answer; an unknown id is not an error.
    async fn record(&self, id: ProofId, now: Timestamp) -> Result<Option<ProofRecord>, ProofStoreError>;

    /// The record and the manifest store of `id`; `None` when it is unknown or expired at `now`.
    ///
    /// # Errors
    /// When the store cannot answer, or what it holds is damaged.
    async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError>;

    /// The records of all proofs of the image with this SHA-256, newest first, at most
    /// [`MAX_PROOFS_PER_IMAGE`], without expired ones.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError>;

    /// Keeps `stamped_store`, of which `copy` speaks, beside the manifest store of the proof `seen`, which stays. True when
    /// it is durable as a whole: from then on records say so. False when the proof is not as `seen` any more: gone, put
    /// anew, or with another stamped copy; then nothing changed. Of several who try at once, one succeeds.
    ///
    /// # Errors
    /// When the store cannot do it now.
    async fn keep_stamped(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError>;

    /// The stamped copy of the manifest store of `id`; `None` when the proof has none, or is unknown or expired at `now`.
    ///
    /// # Errors
    /// When the store cannot answer, or what it holds is damaged. The proof itself can be read all the same.
    async fn stamped_store(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError>;

    /// Removes a proof and all it owns; true when there was one. Removing it twice is no error.
    ///
    /// # Errors
    /// When the store cannot do it now.
    async fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError>;

    /// A cheap look whether the store works, for the health check.
    ///
    /// # Errors
    /// When it does not.
    async fn check(&self) -> Result<(), ProofStoreError>;
}

/// A store whose proofs can be gone through, all of them, in pages: for what looks after a store, not for requests.
#[async_trait]
pub trait ProofCatalogue: ProofStore {
    /// The next proofs behind `after`, expired ones too; `None` begins. About `limit` of them, from 1 to 1000: a page may
    /// be shorter, or empty, and is not the last one while it says where to go on. A proof that is there from the first
    /// page to the last is in exactly one of them; one that comes or goes meanwhile may be.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<CataloguePage, ProofStoreError>;
}

/// Some proofs of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CataloguePage {
    /// Their records, in no order that means anything.
    pub records: Vec<ProofRecord>,
    /// Proofs that are there and cannot be read.
    pub damaged: Vec<ProofId>,
    /// Those of `records` that say more than this version of CredLink understands: a newer one wrote them. Who writes such
    /// a record elsewhere loses what it does not understand.
    pub newer: Vec<ProofId>,
    /// Where the next page begins; text that only this store understands. `None` when all was seen.
    pub next: Option<String>,
}

/// The most records that a look-up by image hash returns.
pub const MAX_PROOFS_PER_IMAGE: usize = 100;

/// Why a proof store could not do as asked.
#[derive(Debug, Error)]
pub enum ProofStoreError {
    /// A proof with this id is there already.
    #[error("proof {0} exists already")]
    AlreadyExists(ProofId),
    /// The store is throttled, full or unreachable; trying again later may help.
    #[error("the proof store is not available: {0}")]
    Unavailable(String),
    /// What is stored under this id cannot be read.
    #[error("proof {id} is damaged: {reason}")]
    Damaged {
        /// Which proof.
        id: ProofId,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_label_gives_the_id_back() {
        let id = ProofId::random();
        assert_eq!(ProofId::from_manifest_label(&id.manifest_label()), Some(id));
        assert_eq!(ProofId::from_manifest_label("urn:uuid:0"), None);
        assert_eq!(ProofId::from_manifest_label(&format!("{}:acme:2", id.manifest_label())), Some(id));
    }

    #[test]
    fn a_seed_has_one_id_of_version_4() {
        let id = ProofId::derived_from(Sha256Hash::of(b"one"));
        assert_eq!(id, ProofId::derived_from(Sha256Hash::of(b"one")));
        assert_ne!(id, ProofId::derived_from(Sha256Hash::of(b"another")));
        let text = id.to_string();
        assert_eq!(&text[14..15], "4", "{text}");
        assert!("89ab".contains(&text[19..20]), "{text}");
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        assert!("0f0e0d0c-0b0a-4908-8706-050403020100".parse::<ProofId>().is_ok());
        assert!("0f0e0d0c0b0a49088706050403020100".parse::<ProofId>().is_err());
        assert!("../../../../../../../../etc/passwd...".parse::<ProofId>().is_err());
    }
}
