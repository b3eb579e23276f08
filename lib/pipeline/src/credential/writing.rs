//! Makes a manifest store: first a draft of exactly the final length, then, once the image around it is
//! hashed, the signed store.

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
};

use c2pa::{Builder, ClaimGeneratorInfo, Context, HashRange, Ingredient, assertions::DataHash};
use serde_json::{Value, json};

use super::{
    CredentialError, Witnesses,
    port_signer::{PortSigner, cose_length},
    time_stamp_assertion::TIME_STAMP_LABEL,
};
use crate::{
    asset::Format,
    digest::Sha256Hash,
    manifest::{
        ACTIONS_LABEL, CREATIVE_WORK_LABEL, Inception, METADATA_LABEL, ManifestDefinition, PROOF_LABEL,
        SOFT_BINDING_LABEL, SPEC_VERSION, TRAINING_LABEL,
    },
    signer::Signer,
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
pub(super) const PARENT: &str = "parent";

/// The MIME type for which the library returns a bare store, not wrapped for any image format.
pub(super) const BARE_STORE: &str = "application/c2pa";

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
        let port = PortSigner::new(signer, witnesses);
        let signed = self.builder.sign_data_hashed_embeddable_async(&port, &hard_binding, BARE_STORE).await;
        port.outcome(signed)
    }
}

/// A manifest store, signed.
pub(crate) struct SignedStore {
    pub(crate) store: Vec<u8>,
    /// What became of the time-stamp; `None` when none was asked for.
    pub(crate) stamp: Option<Result<(), StampError>>,
}

/// The library's settings, read once: reading them took about a tenth of signing a small picture.
pub(super) fn signing_context() -> Result<&'static Arc<Context>, CredentialError> {
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
            "created_assertion_labels": ["c2pa.actions", "c2pa.ingredient", SOFT_BINDING_LABEL, PROOF_LABEL,
                                         TIME_STAMP_LABEL],
        },
        // The store is checked by what it is made of; verifying here would hash the image again.
        "verify": {"verify_after_sign": false, "remote_manifest_fetch": false, "ocsp_fetch": false},
        "core": {"allowed_network_hosts": []},
    })
}

pub(super) fn claim_generator() -> ClaimGeneratorInfo {
    let mut info = ClaimGeneratorInfo::new("CredLink");
    info.set_version(env!("CARGO_PKG_VERSION"));
    info.insert("specVersion", SPEC_VERSION);
    info
}

pub(super) fn parent_ingredient(
    format: Format,
    parent: Option<ParentCredential>,
) -> Result<Ingredient, c2pa::Error> {
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
