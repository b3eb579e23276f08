//! Proofs of CredLink's first system: a manifest in JSON with an RSA signature over it. They are read and verified,
//! marked as what they are, and never written. `docs/legacy.md` defines the envelope.
//!
//! Whether the certificate is to be trusted is not decided here: the chain is handed on.

mod certificates;
mod content;
mod envelope;

use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value};
use webpki::{EndEntityCert, aws_lc_rs::RSA_PKCS1_2048_8192_SHA256};

use self::{
    content::Binding,
    envelope::{Envelope, EnvelopeError},
};
use crate::{
    asset::Asset,
    credential::{Status, StatusKind},
    json_text::compact_without,
    recovery::from_private,
    trust::TrustAnchors,
};

/// A manifest of the first system, verified.
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyCredential {
    /// The manifest.
    pub manifest: Value,
    /// The proof URI that it names, as it stands there. It may be anybody's.
    pub proof_uri: Option<String>,
    /// One status on the signature and one on the content; both speak for the credential only when both are
    /// successes.
    pub status: Vec<Status>,
    /// The certificates in DER, the signer's first; empty when there are none, or none fits the signature.
    pub chain: Vec<Vec<u8>>,
    /// The algorithm of the signature: always [`ALGORITHM`].
    pub algorithm: &'static str,
}

/// RSASSA-PKCS1-v1_5 with SHA-256, as JOSE names it (RFC 7518, section 3.1). C2PA does not allow it.
pub const ALGORITHM: &str = "rs256";

/// The signature is the certificate's, over this manifest.
pub const SIGNATURE_VALIDATED: &str = "com.credlink.legacy.signature.validated";
/// The signature is not that of any certificate there is, over this manifest.
pub const SIGNATURE_MISMATCH: &str = "com.credlink.legacy.signature.mismatch";
/// The signature cannot be verified: there is none, its algorithm is another, or no certificate is there.
pub const SIGNATURE_UNSUPPORTED: &str = "com.credlink.legacy.signature.unsupported";
/// The image without what was embedded is the one that was signed, to the byte.
pub const CONTENT_MATCH: &str = "com.credlink.legacy.content.match";
/// Whether the image is the one that was signed cannot be told. It must not pass for valid.
pub const CONTENT_UNCONFIRMED: &str = "com.credlink.legacy.content.unconfirmed";
/// The image is not the one that was signed.
pub const CONTENT_MISMATCH: &str = "com.credlink.legacy.content.mismatch";

/// Reads and verifies the manifest `raw`, the text of a JSON object that was found in `asset`. A certificate that it
/// only names is looked for among the roots of signers. `None` when it is not a JSON object.
pub fn read(raw: &str, asset: &Asset, trust: &TrustAnchors) -> Option<LegacyCredential> {
    let raw = raw.trim();
    let manifest: Map<String, Value> = serde_json::from_str(raw).ok()?;
    let (signature, chain) = verify(raw, &manifest, trust);
    let status = vec![signature, content_status(content::binding(&manifest, asset))];
    let proof_uri = from_private(raw.as_bytes()).proof_uri;
    Some(LegacyCredential {
        manifest: Value::Object(manifest),
        proof_uri,
        status,
        chain,
        algorithm: ALGORITHM,
    })
}

/// The status of the signature, and the chain whose first certificate made it.
fn verify(raw: &str, manifest: &Map<String, Value>, trust: &TrustAnchors) -> (Status, Vec<Vec<u8>>) {
    let envelope = match Envelope::read(raw, manifest) {
        Ok(envelope) => envelope,
        Err(error) => return (unsupported(&error), Vec::new()),
    };
    let mut chain = certificates::of(&envelope, manifest, trust.signers());
    if chain.is_empty() {
        return (unsupported(&EnvelopeError::NoCertificate), chain);
    }
    let message = compact_without(raw, envelope::SIGNATURE);
    match chain.iter().position(|certificate| made(certificate, message.as_bytes(), &envelope)) {
        Some(signer) => {
            // Some bundles begin with the root.
            chain.swap(0, signer);
            let reason = "the signature is the certificate's, over this manifest";
            (Status::new(StatusKind::Success, SIGNATURE_VALIDATED, reason), chain)
        }
        None => {
            let reason = "the signature is not the certificate's, or the manifest was changed";
            (Status::new(StatusKind::Failure, SIGNATURE_MISMATCH, reason), chain)
        }
    }
}

/// Whether the key in `certificate` made the signature over `message`.
fn made(certificate: &[u8], message: &[u8], envelope: &Envelope) -> bool {
    let der = CertificateDer::from(certificate);
    let Ok(certificate) = EndEntityCert::try_from(&der) else { return false };
    let verify = |value: &Vec<u8>| certificate.verify_signature(RSA_PKCS1_2048_8192_SHA256, message, value);
    envelope.values.iter().any(|value| verify(value).is_ok())
}

fn unsupported(reason: &EnvelopeError) -> Status {
    Status::new(StatusKind::Failure, SIGNATURE_UNSUPPORTED, reason.to_string())
}

fn content_status(binding: Binding) -> Status {
    let (kind, code, reason) = match binding {
        Binding::Match => (
            StatusKind::Success,
            CONTENT_MATCH,
            "the image without the embedded proof has the hash that was signed",
        ),
        Binding::Mismatch => (
            StatusKind::Failure,
            CONTENT_MISMATCH,
            "the image without the embedded proof does not have the hash that was signed",
        ),
        Binding::NotRestored => (
            StatusKind::Failure,
            CONTENT_UNCONFIRMED,
            "the image as it was before the proof was embedded cannot be restored, so its hash cannot be compared",
        ),
        Binding::NoHash => (
            StatusKind::Failure,
            CONTENT_UNCONFIRMED,
            "the manifest has no SHA-256 of the image, so it does not say which image was signed",
        ),
    };
    Status::new(kind, code, reason)
}

#[cfg(test)]
mod tests;
