//! What a CredLink manifest asserts, and who stands behind which part of it.
//!
//! The signer vouches for the *created* assertions: the actions, the hard binding, the soft binding and the
//! pointer to the proof. What the caller says (creator, title, custom assertions, training preference) stands
//! among the *gathered* ones (C2PA 2.4, section 10.3). No C2PA library type appears here: the module
//! [`credential`](crate::credential) turns a [`ManifestDefinition`] into a manifest store.

mod custom_assertion;
mod digital_source_type;
mod options;

pub use custom_assertion::{
    CustomAssertion, CustomAssertionError, MAX_ASSERTIONS, MAX_ASSERTIONS_JSON, MAX_LABEL,
};
pub use digital_source_type::DigitalSourceType;
pub use options::{Creator, MAX_TEXT, OptionError, SignOptions, Title, TrainingUse};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{fingerprint::Fingerprint, proof::ProofId, timestamp::Timestamp};

/// Label of the actions assertion (C2PA 2.4, section 18.16).
pub const ACTIONS_LABEL: &str = "c2pa.actions.v2";
/// Label of the soft binding assertion (C2PA 2.4, section 18.10).
pub const SOFT_BINDING_LABEL: &str = "c2pa.soft-binding";
/// Label of CredLink's own assertion: where the proof is kept, and until when.
pub const PROOF_LABEL: &str = "com.credlink.proof";
/// Label of the metadata assertion (CAWG Metadata Assertion 1.1).
pub const METADATA_LABEL: &str = "cawg.metadata";
/// Label of the training preference (CAWG Training and Data Mining Assertion 1.1).
pub const TRAINING_LABEL: &str = "cawg.training-mining";
/// Label of the deprecated author assertion, written only when a setting asks for it.
pub const CREATIVE_WORK_LABEL: &str = "stds.schema-org.CreativeWork";

/// The version of the C2PA specification that manifests are written to.
pub const SPEC_VERSION: &str = "2.4.0";

/// How the image came into being, as far as this manifest tells: the action that stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inception {
    /// `c2pa.created`: the caller says what the picture is.
    Created(DigitalSourceType),
    /// `c2pa.opened`: the image was there before, with or without a credential of its own.
    Opened,
}

/// Everything a manifest is going to assert, except the hard binding.
#[derive(Clone, Debug)]
pub struct ManifestDefinition<'a> {
    /// The id, which becomes the manifest's label.
    pub id: ProofId,
    /// The first action.
    pub inception: Inception,
    /// The fingerprint of the picture; `None` when it cannot be computed.
    pub fingerprint: Option<Fingerprint>,
    /// Where the proof can be read.
    pub proof_uri: &'a str,
    /// Until when.
    pub expires_at: Timestamp,
    /// What the caller says.
    pub options: &'a SignOptions,
    /// Whether to add the deprecated `stds.schema-org.CreativeWork`.
    pub creative_work: bool,
}

impl ManifestDefinition<'_> {
    /// The data of the actions assertion. `parent` names the ingredient that `c2pa.opened` refers to.
    pub(crate) fn actions(&self, parent: &str) -> Value {
        match self.inception {
            Inception::Created(source) => {
                all_actions(&json!({"action": "c2pa.created", "digitalSourceType": source.uri()}))
            }
            Inception::Opened => opened(parent),
        }
    }

    /// The data of the soft binding assertion.
    pub(crate) fn soft_binding(&self) -> Option<SoftBinding> {
        self.fingerprint.as_ref().map(SoftBinding::new)
    }

    /// The data of CredLink's own assertion.
    pub(crate) fn proof(&self) -> Value {
        json!({"uri": self.proof_uri, "expiresAt": self.expires_at})
    }

    /// The data of the metadata assertion: JSON-LD of XMP properties (ISO 16684-3). `None` when the caller
    /// said nothing that belongs there.
    ///
    /// The source type stands here when it could not stand with the action: an image that came with a
    /// credential was opened, not created.
    pub(crate) fn metadata(&self) -> Option<Value> {
        let mut context = Map::new();
        let mut properties = Map::new();
        if let Some(creator) = &self.options.creator {
            context.insert("dc".into(), json!("http://purl.org/dc/elements/1.1/"));
            properties.insert("dc:creator".into(), json!([creator.as_str()]));
        }
        if let Some(title) = &self.options.title {
            context.insert("dc".into(), json!("http://purl.org/dc/elements/1.1/"));
            properties.insert("dc:title".into(), json!(title.as_str()));
        }
        if let (Inception::Opened, Some(source)) = (self.inception, self.options.digital_source_type) {
            context.insert("Iptc4xmpExt".into(), json!("http://iptc.org/std/Iptc4xmpExt/2008-02-29/"));
            properties.insert("Iptc4xmpExt:DigitalSourceType".into(), json!(source.uri()));
        }
        if properties.is_empty() {
            return None;
        }
        let mut data = Map::new();
        data.insert("@context".into(), Value::Object(context));
        data.append(&mut properties);
        Some(Value::Object(data))
    }

    /// The data of the training preference: for models that learn from the picture, and for data mining.
    pub(crate) fn training(&self) -> Option<Value> {
        let permission = json!({"use": self.options.training?.name()});
        Some(json!({"entries": {
            "cawg.ai_training": permission,
            "cawg.ai_generative_training": permission,
            "cawg.data_mining": permission,
        }}))
    }

    /// The data of the deprecated author assertion, when it was asked for and there is an author.
    pub(crate) fn creative_work(&self) -> Option<Value> {
        let creator = self.options.creator.as_ref().filter(|_| self.creative_work)?;
        Some(json!({
            "@context": "https://schema.org",
            "@type": "CreativeWork",
            "author": [{"@type": "Person", "name": creator.as_str()}],
        }))
    }
}

/// `soft-binding-map` of C2PA 2.4, section 18.10, over the whole picture. The value is an ISCC-SEQ of one
/// unit (IEP-0020).
#[derive(Debug, Serialize)]
pub(crate) struct SoftBinding {
    alg: &'static str,
    blocks: [SoftBindingBlock; 1],
    #[serde(with = "serde_bytes")]
    pad: Vec<u8>,
}

#[derive(Debug, Serialize)]
struct SoftBindingBlock {
    scope: Map<String, Value>,
    #[serde(with = "serde_bytes")]
    value: Vec<u8>,
}

impl SoftBinding {
    fn new(fingerprint: &Fingerprint) -> Self {
        Self {
            alg: Fingerprint::ALGORITHM,
            blocks: [SoftBindingBlock {
                scope: Map::new(),
                value: fingerprint.soft_binding_value().to_vec(),
            }],
            pad: Vec::new(),
        }
    }
}

/// The data of the actions assertion when nothing happened but that the image was opened. `parent` names the ingredient.
pub(crate) fn opened(parent: &str) -> Value {
    all_actions(&json!({"action": "c2pa.opened", "parameters": {"ingredientIds": [parent]}}))
}

fn all_actions(action: &Value) -> Value {
    json!({"actions": [action], "allActionsIncluded": true})
}
