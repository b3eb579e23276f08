//! Makes a manifest store: first a draft of exactly the final length, then, once the image around it is
//! hashed, the signed store.

use std::{
    ops::Range,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use async_trait::async_trait;
use c2pa::{
    AsyncSigner, Builder, ClaimGeneratorInfo, Context, HashRange, Ingredient, SigningAlg,
    assertions::DataHash,
};
use serde_json::{Value, json};

use super::{CredentialError, Witnesses};
use crate::{
    asset::Format,
    digest::Sha256Hash,
    manifest::{
        ACTIONS_LABEL, CREATIVE_WORK_LABEL, Inception, METADATA_LABEL, ManifestDefinition, PROOF_LABEL,
        SOFT_BINDING_LABEL, SPEC_VERSION, TRAINING_LABEL,
    },
    signer::{Signer, SignerError, SigningAlgorithm},
    time_stamp_authority::StampError,
};

/// The credential that the image came with, validated, as it goes into the new manifest.
#[derive(Clone, Debug)]
pub(crate) struct ParentCredential {
    /// The label of its active manifest.
    pub(crate) active_manifest: String,
    /// What validation said about it, in the library's own JSON.
    pub(crate) validation_results: Value,
    /// The whole store.
    pub(crate) store: Vec<u8>,
}

/// A manifest store on its way: complete but for the hash of the image and the signature.
pub(crate) struct Draft {
    builder: Builder,
    length: usize,
}

/// How the parent ingredient is called inside the definition; it does not reach the manifest.
const PARENT: &str = "parent";

/// The MIME type for which the library returns a bare store, not wrapped for any image format.
const BARE_STORE: &str = "application/c2pa";

/// The hard binding's name; the library finds the assertion that it is to update by it.
const HARD_BINDING_NAME: &str = "jumbf manifest";

impl Draft {
    /// Makes a draft for an image of `format`, to be signed by `signer`.
    ///
    /// # Errors
    /// When the library refuses the definition.
    pub(crate) fn new(
        definition: &ManifestDefinition<'_>,
        format: Format,
        parent: Option<ParentCredential>,
        signer: &dyn Signer,
        witnesses: &Witnesses<'_>,
    ) -> Result<Self, CredentialError> {
        let mut builder = Builder::from_shared_context(signing_context()?);
        builder.definition.label = Some(definition.id.manifest_label());
        builder.definition.claim_version = Some(2);
        builder.definition.claim_generator_info = vec![claim_generator()];
        if definition.inception == Inception::Opened {
            builder.add_ingredient(parent_ingredient(format, parent)?);
        }
        builder.add_assertion(ACTIONS_LABEL, &definition.actions(PARENT))?;
        builder.add_assertion(DataHash::LABEL, &widest_hard_binding())?;
        if let Some(soft_binding) = definition.soft_binding() {
            builder.add_assertion(SOFT_BINDING_LABEL, &soft_binding)?;
        }
        builder.add_assertion(PROOF_LABEL, &definition.proof())?;
        if let Some(metadata) = definition.metadata() {
            builder.add_assertion_json(METADATA_LABEL, &metadata)?;
        }
        if let Some(training) = definition.training() {
            builder.add_assertion(TRAINING_LABEL, &training)?;
        }
        if let Some(creative_work) = definition.creative_work() {
            builder.add_assertion_json(CREATIVE_WORK_LABEL, &creative_work)?;
        }
        for assertion in &definition.options.custom_assertions {
            builder.add_assertion(assertion.label(), assertion.data())?;
        }
        let length = builder.data_hashed_placeholder(cose_length(signer, witnesses), BARE_STORE)?.len();
        Ok(Self { builder, length })
    }

    /// How long the finished store is going to be, in bytes.
    pub(crate) fn store_length(&self) -> usize {
        self.length
    }

    /// Puts the fingerprint in, which is computed while the draft is used to lay out the image. The length
    /// stays.
    pub(crate) fn set_soft_binding(
        &mut self,
        definition: &ManifestDefinition<'_>,
    ) -> Result<(), CredentialError> {
        if let Some(soft_binding) = definition.soft_binding() {
            self.builder.definition.assertions.retain(|a| a.label != SOFT_BINDING_LABEL);
            self.builder.add_assertion(SOFT_BINDING_LABEL, &soft_binding)?;
        }
        Ok(())
    }

    /// Signs. `hash` is the SHA-256 of the signed image without the `exclusion` (in bytes) in
    /// which the store will stand. `witnesses` are those that the draft was made with.
    ///
    /// # Errors
    /// When the signer fails, or the library does. A witness that fails is missing in the store, nothing more.
    pub(crate) async fn sign(
        mut self,
        hash: Sha256Hash,
        exclusion: Range<usize>,
        signer: &dyn Signer,
        witnesses: &Witnesses<'_>,
    ) -> Result<SignedStore, CredentialError> {
        let mut hard_binding = DataHash::new(HARD_BINDING_NAME, "sha256");
        hard_binding.add_exclusion(HashRange::new(exclusion.start as u64, exclusion.len() as u64));
        hard_binding.set_hash(hash.as_bytes().to_vec());
        let port = PortSigner { signer, witnesses, failure: Mutex::new(None), stamp: Mutex::new(None) };
        let signed = self.builder.sign_data_hashed_embeddable_async(&port, &hard_binding, BARE_STORE).await;
        let stamp = port.stamp.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (signed, port.failure.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            (Ok(store), _) => Ok(SignedStore { store, stamp }),
            (Err(_), Some(failure)) => Err(CredentialError::Signer(failure)),
            (Err(error), None) => Err(CredentialError::Library(error)),
        }
    }
}

/// A manifest store, signed.
pub(crate) struct SignedStore {
    pub(crate) store: Vec<u8>,
    /// What became of the time-stamp; `None` when none was asked for.
    pub(crate) stamp: Option<Result<(), StampError>>,
}

/// The library's settings, read once: reading them took about a tenth of signing a small picture.
fn signing_context() -> Result<&'static Arc<Context>, CredentialError> {
    static CONTEXT: LazyLock<Result<Arc<Context>, String>> = LazyLock::new(|| {
        Context::new().with_settings(signing_settings()).map(Context::into_shared).map_err(|e| e.to_string())
    });
    CONTEXT.as_ref().map_err(|reason| CredentialError::Library(c2pa::Error::BadParam(reason.clone())))
}

fn signing_settings() -> Value {
    json!({
        "builder": {
            "thumbnail": {"enabled": false},
            "actions": {"auto_created_action": {"enabled": false}, "auto_opened_action": {"enabled": false},
                        "auto_placed_action": {"enabled": false}},
            "created_assertion_labels": ["c2pa.actions", "c2pa.ingredient", SOFT_BINDING_LABEL, PROOF_LABEL],
        },
        // The store is checked by what it is made of; verifying here would hash the image again.
        "verify": {"verify_after_sign": false, "remote_manifest_fetch": false, "ocsp_fetch": false},
        "core": {"allowed_network_hosts": []},
    })
}

fn claim_generator() -> ClaimGeneratorInfo {
    let mut info = ClaimGeneratorInfo::new("CredLink");
    info.set_version(env!("CARGO_PKG_VERSION"));
    info.insert("specVersion", SPEC_VERSION);
    info
}

fn parent_ingredient(format: Format, parent: Option<ParentCredential>) -> Result<Ingredient, c2pa::Error> {
    let definition = json!({"relationship": "parentOf", "format": format.mime(), "label": PARENT});
    let Some(parent) = parent else {
        return Ingredient::from_json(&definition.to_string());
    };
    let definition = json!({
        "relationship": "parentOf",
        "format": format.mime(),
        "label": PARENT,
        "active_manifest": parent.active_manifest,
        "validation_results": parent.validation_results,
    });
    let mut ingredient = Ingredient::from_json(&definition.to_string())?;
    ingredient.set_manifest_data(parent.store)?;
    Ok(ingredient)
}

/// A hard binding as long as the longest that can come: one exclusion with the widest numbers. What the real
/// one needs less becomes its padding.
fn widest_hard_binding() -> DataHash {
    let mut hard_binding = DataHash::new(HARD_BINDING_NAME, "sha256");
    hard_binding.add_exclusion(HashRange::new(u64::from(u32::MAX), u64::from(u32::MAX)));
    hard_binding.set_hash(vec![0; 32]);
    hard_binding
}

/// The exact length of the tagged COSE_Sign1 structure (RFC 9052, section 4.2) that the library is going to
/// make, in bytes. Told exactly, the library adds no padding, of which it needs 263 bytes or none; and padding
/// stands where no signature covers it. With a time-stamp, whose length nobody knows before, there is padding.
fn cose_length(signer: &dyn Signer, witnesses: &Witnesses<'_>) -> usize {
    let algorithm = match signer.algorithm() {
        SigningAlgorithm::Es256 | SigningAlgorithm::Ed25519 => 1,
        SigningAlgorithm::Ps256 | SigningAlgorithm::Es384 => 2,
    };
    let certificates =
        signer.chain().iter().map(|der| cbor_header_length(der.len()) + der.len()).sum::<usize>();
    // One certificate stands alone, several stand in an array (RFC 9360, section 2).
    let array_header = if signer.chain().len() == 1 { 0 } else { cbor_header_length(signer.chain().len()) };
    // A map of two: the keys 1 and 33, and their values.
    let protected = 1 + (1 + algorithm) + (2 + array_header + certificates);
    let signature = signer.signature_length();
    // The tag; an array of the protected header, a map, no payload and the signature.
    let bare = 1
        + 1
        + (cbor_header_length(protected) + protected)
        + 1
        + 1
        + (cbor_header_length(signature) + signature);
    bare + witnesses.header_length()
}

/// The length of the header of a CBOR string or array of `length` bytes or items (RFC 8949, section 3).
pub(super) fn cbor_header_length(length: usize) -> usize {
    match length {
        0..=23 => 1,
        24..=0xFF => 2,
        0x100..=0xFFFF => 3,
        _ => 5,
    }
}

/// Lets the library ask our signer and our witnesses, and keeps the reason when one of them fails.
struct PortSigner<'a> {
    signer: &'a dyn Signer,
    witnesses: &'a Witnesses<'a>,
    failure: Mutex<Option<SignerError>>,
    stamp: Mutex<Option<Result<(), StampError>>>,
}

#[async_trait]
impl AsyncSigner for PortSigner<'_> {
    async fn sign(&self, data: Vec<u8>) -> c2pa::Result<Vec<u8>> {
        self.signer.sign(&data).await.map_err(|failure| {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            c2pa::Error::CoseSignature
        })
    }

    fn alg(&self) -> SigningAlg {
        match self.signer.algorithm() {
            SigningAlgorithm::Ps256 => SigningAlg::Ps256,
            SigningAlgorithm::Es256 => SigningAlg::Es256,
            SigningAlgorithm::Es384 => SigningAlg::Es384,
            SigningAlgorithm::Ed25519 => SigningAlg::Ed25519,
        }
    }

    fn certs(&self) -> c2pa::Result<Vec<Vec<u8>>> {
        Ok(self.signer.chain().to_vec())
    }

    fn reserve_size(&self) -> usize {
        cose_length(self.signer, self.witnesses)
    }

    async fn send_timestamp_request(&self, message: &[u8]) -> Option<c2pa::Result<Vec<u8>>> {
        let (response, outcome) = match self.witnesses.stamp(message).await? {
            Ok(response) => (Some(Ok(response)), Ok(())),
            // The library would give up on an error; an image without a time-stamp is better than none.
            Err(reason) => (None, Err(reason)),
        };
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        response
    }

    async fn ocsp_val(&self) -> Option<Vec<u8>> {
        self.witnesses.staple().map(<[u8]>::to_vec)
    }
}
