//! Validates a manifest store against an image and says what it found, in our own terms.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use c2pa::{
    Context, Manifest, Reader,
    status_tracker::LogKind,
    validation_results::{StatusCodes, ValidationResults},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use x509_parser::pem::Pem;

use super::{ClaimSignature, ParentCredential, history::history, library_error, outline};
use crate::{asset::Format, legacy::LegacyCredential, manifest::PROOF_LABEL, trust::TrustAnchors};

/// The trust anchors as the library wants them. It judges ingredients by them; the active manifest's signer is judged
/// in [`certificate`](crate::certificate).
#[derive(Clone)]
pub(crate) struct LibraryTrust {
    context: Arc<Context>,
}

impl LibraryTrust {
    /// Takes the roots of signers in PEM; empty text means that nobody is trusted.
    pub(crate) fn new(signers: &str) -> Result<Self, String> {
        let trust = if signers.trim().is_empty() { json!({}) } else { json!({"trust_anchors": signers}) };
        let settings = json!({
            "trust": trust,
            // Nothing is ever fetched because an image says so.
            "verify": {"remote_manifest_fetch": false, "ocsp_fetch": false},
            "core": {"allowed_network_hosts": [], "max_decompressed_manifest_size_in_mb": 32},
        });
        let context = Context::new().with_settings(settings).map_err(|error| error.to_string())?;
        Ok(Self { context: context.into_shared() })
    }
}

/// The state of a manifest store as C2PA defines it (C2PA 2.4, section 14.3), and `none` where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ValidationState {
    /// No manifest store.
    None,
    /// A check failed.
    Invalid,
    /// Every check passed, but the signer does not lead to a trust anchor.
    Valid,
    /// Every check passed.
    Trusted,
}

/// Whether a status speaks for or against the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StatusKind {
    /// A check passed.
    Success,
    /// Neither for nor against.
    Informational,
    /// A check failed.
    Failure,
}

/// One validation status (C2PA 2.4, section 15.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ValidationStatus"))]
pub struct Status {
    /// The code, for example `assertion.dataHash.match`.
    pub code: String,
    /// For, against or neither.
    pub kind: StatusKind,
    /// What it speaks of, as a JUMBF URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The ingredient it belongs to; absent for the active manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingredient: Option<String>,
}

impl Status {
    /// A status of the active manifest as a whole.
    pub fn new(kind: StatusKind, code: &str, explanation: impl Into<String>) -> Self {
        Self { code: code.into(), kind, uri: None, explanation: Some(explanation.into()), ingredient: None }
    }

    /// Whether it says that the check behind `code` passed for the active manifest.
    pub(crate) fn is_success_of_active(&self, code: &str) -> bool {
        self.kind == StatusKind::Success && self.ingredient.is_none() && self.code == code
    }
}

/// What validation found.
#[derive(Clone, Debug)]
pub struct CredentialReading {
    /// Every status, the active manifest's first.
    pub status: Vec<Status>,
    /// The label of the active manifest.
    pub active_manifest: Option<String>,
    /// The active manifest as JSON.
    pub manifest: Option<Value>,
    /// The history, the newest ingredient first.
    pub ingredients: Vec<Value>,
    /// The proof URI that the active manifest asserts.
    pub proof_uri: Option<String>,
    /// The active manifest's signature.
    pub signature: Option<ClaimSignature>,
    /// The validation results in the library's JSON, as they go into an ingredient.
    results: Value,
}

impl From<LegacyCredential> for CredentialReading {
    /// A manifest of the first system has no label, no history and no time-stamp.
    fn from(legacy: LegacyCredential) -> Self {
        let signature = ClaimSignature {
            algorithm: Some(legacy.algorithm),
            chain: legacy.chain,
            ..ClaimSignature::default()
        };
        Self {
            status: legacy.status,
            active_manifest: Some(LEGACY_LABEL.to_owned()),
            manifest: Some(legacy.manifest),
            ingredients: Vec::new(),
            proof_uri: legacy.proof_uri,
            signature: (!signature.chain.is_empty()).then_some(signature),
            results: Value::Null,
        }
    }
}

/// What all statuses about the hard binding to the bytes of an image begin with (C2PA 2.4, section 15.2).
const DATA_HASH: &str = "assertion.dataHash.";

/// Stands for the label that a manifest of the first system has not got.
const LEGACY_LABEL: &str = "legacy";

impl CredentialReading {
    /// Whether this is a manifest of CredLink's first system, and none of C2PA.
    pub fn is_legacy(&self) -> bool {
        self.active_manifest.as_deref() == Some(LEGACY_LABEL)
    }

    /// Validates `store` against `image`. Never fails: what cannot be read is a reading that says so.
    pub fn of(store: &[u8], image: &[u8], format: Format, trust: &TrustAnchors) -> Self {
        match outline::objections(store) {
            Ok(objections) => Self::of_library(store, image, format, trust).with(objections),
            Err(refusal) => Self::unreadable(refusal),
        }
    }

    /// Validates `store` where the image is not at hand. Whether the content is the one that was signed is not checked, so
    /// nothing is said about it.
    pub(crate) fn without_image(store: &[u8], format: Format, trust: &TrustAnchors) -> Self {
        let mut reading = Self::of(store, &[], format, trust);
        reading.status.retain(|status| !status.code.starts_with(DATA_HASH));
        for kind in ["success", "informational", "failure"] {
            let listed = reading.results.pointer_mut(&format!("/activeManifest/{kind}"));
            if let Some(listed) = listed.and_then(Value::as_array_mut) {
                let is_about_content =
                    |code: &Value| code.as_str().is_some_and(|code| code.starts_with(DATA_HASH));
                listed.retain(|status| !status.get("code").is_some_and(is_about_content));
            }
        }
        reading
    }

    fn of_library(store: &[u8], image: &[u8], format: Format, trust: &TrustAnchors) -> Self {
        // The library has arithmetic that overflows on damaged files (its RIFF walker, for one); what ends in
        // a panic there is a damaged file here.
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let reader = Reader::from_shared_context(&trust.library().context);
            match reader.with_manifest_data_and_stream(store, format.mime(), Cursor::new(image)) {
                Ok(reader) => Self::of_reader(&reader, store),
                Err(error) => Self::unreadable(failure(library_error::code_of(&error), error.to_string())),
            }
        }));
        attempt.unwrap_or_else(|_| {
            Self::unreadable(failure("general.error", "the file made the C2PA library give up".into()))
        })
    }

    /// Adds what speaks against the active manifest besides what the library said. Where the library only gave up, it
    /// takes the place of that.
    fn with(mut self, objections: Vec<Status>) -> Self {
        if self.active_manifest.is_none() && !objections.is_empty() {
            self.status.clear();
        }
        outline::supersede(&mut self.status, &objections);
        if objections.iter().any(|objection| objection.code == outline::UNCLEAR_SIGNER) {
            self.signature = None;
        }
        for objection in objections {
            let is_said = |status: &Status| status.ingredient.is_none() && status.code == objection.code;
            if self.status.iter().any(is_said) {
                continue;
            }
            if let Some(failures) =
                self.results.pointer_mut("/activeManifest/failure").and_then(Value::as_array_mut)
            {
                failures.push(json!({"code": objection.code, "explanation": objection.explanation}));
            }
            self.status.push(objection);
        }
        self
    }

    /// Whether the hard binding holds: the image is, but for the store, what was signed.
    pub(crate) fn content_is_unchanged(&self) -> bool {
        self.status.iter().any(|status| status.is_success_of_active("assertion.dataHash.match"))
    }

    /// This credential as the parent of a new manifest. `None` when it cannot be carried on, because it has
    /// no readable active manifest.
    pub(crate) fn into_parent(self, store: &[u8]) -> Option<ParentCredential> {
        Some(ParentCredential {
            active_manifest: self.active_manifest?,
            validation_results: self.results,
            store: store.to_vec(),
        })
    }

    fn of_reader(reader: &Reader, store: &[u8]) -> Self {
        let results = reader.validation_results();
        let active = reader.active_manifest();
        Self {
            status: results.map(all_status).unwrap_or_default(),
            active_manifest: reader.active_label().map(str::to_owned),
            manifest: active.and_then(|manifest| serde_json::to_value(manifest).ok()),
            ingredients: active.map(|manifest| history(reader, manifest)).unwrap_or_default(),
            proof_uri: active.and_then(proof_uri),
            signature: active.and_then(|manifest| claim_signature(manifest, store)),
            results: results.and_then(|results| serde_json::to_value(results).ok()).unwrap_or(Value::Null),
        }
    }

    fn unreadable(reason: Status) -> Self {
        Self {
            status: vec![reason],
            active_manifest: None,
            manifest: None,
            ingredients: Vec::new(),
            proof_uri: None,
            signature: None,
            results: Value::Null,
        }
    }
}

fn failure(code: &str, explanation: String) -> Status {
    Status::new(StatusKind::Failure, code, explanation)
}

fn all_status(results: &ValidationResults) -> Vec<Status> {
    let active = results.active_manifest().into_iter().flat_map(|codes| statuses(codes, None));
    let deltas = results
        .ingredient_deltas()
        .into_iter()
        .flatten()
        .flat_map(|delta| statuses(delta.validation_deltas(), Some(delta.ingredient_assertion_uri())));
    active.chain(deltas).collect()
}

fn statuses<'a>(codes: &'a StatusCodes, ingredient: Option<&'a str>) -> impl Iterator<Item = Status> + 'a {
    let all = codes.success().iter().chain(codes.informational()).chain(codes.failure());
    all.filter(|status| !library_error::is_echo(status)).map(move |status| Status {
        code: status.code().to_owned(),
        kind: match status.kind() {
            LogKind::Success => StatusKind::Success,
            LogKind::Informational => StatusKind::Informational,
            LogKind::Failure => StatusKind::Failure,
        },
        uri: status.url().map(str::to_owned),
        explanation: status.explanation().map(str::to_owned),
        ingredient: ingredient.map(str::to_owned),
    })
}

fn proof_uri(manifest: &Manifest) -> Option<String> {
    let assertion: Value = manifest.find_assertion(PROOF_LABEL).ok()?;
    Some(assertion.get("uri")?.as_str()?.to_owned())
}

/// A manifest that is compressed cannot be looked into here: then the library tells the certificates.
fn claim_signature(manifest: &Manifest, store: &[u8]) -> Option<ClaimSignature> {
    if let Some(signature) = manifest.label().and_then(|label| ClaimSignature::of_manifest(store, label)) {
        return Some(signature);
    }
    let info = manifest.signature_info()?;
    let chain = Pem::iter_from_buffer(info.cert_chain().as_bytes()).filter_map(Result::ok);
    Some(ClaimSignature { chain: chain.map(|pem| pem.contents).collect(), ..ClaimSignature::default() })
}
