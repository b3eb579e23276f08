//! The conclusion: six rows of a score, whether it is valid, and the report that says why.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    certificate::CertificateReport,
    credential::{Status, StatusKind, THUMBNAIL, ValidationState},
    digest::Sha256Hash,
    extract::ExtractionReport,
    judged::Judged,
    legacy,
    proof::{ProofId, ProofRecord},
    timestamp::Timestamp,
};

/// Everything that verification found; the API answers with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerificationReport {
    /// Signature and certificate hold, no check failed, and the manifest is the one that was stored.
    pub valid: bool,
    /// The sum of the points, 0 to 100.
    #[cfg_attr(feature = "schema", schemars(range(max = 100)))]
    pub confidence: u8,
    /// The six answers.
    pub details: Details,
    /// The state as C2PA defines it.
    pub state: ValidationState,
    /// Where the credential was found.
    pub extraction: ExtractionReport,
    /// Six rows, always in the same order.
    #[cfg_attr(feature = "schema", schemars(length(equal = 6)))]
    pub score: Vec<ScoreRow>,
    /// Every validation status.
    pub status: Vec<Status>,
    /// The signing certificate; absent without a readable signature.
    pub certificate: Option<CertificateReport>,
    /// The proof that was found.
    pub proof: Option<ProofSummary>,
    /// The alarm: the image carries another manifest than the one that was stored under its proof URI.
    pub substitution: Option<Substitution>,
    /// The active manifest as JSON.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, Value>>"))]
    pub manifest: Option<Value>,
    /// The history, the oldest last.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, Value>>"))]
    pub ingredients: Vec<Value>,
    /// When the report was made.
    pub timestamp: Timestamp,
    /// How long it took, in milliseconds.
    pub processing_time: u64,
}

impl VerificationReport {
    /// The report without the pictures in its history, which may have a megabyte.
    #[must_use]
    pub fn without_thumbnails(mut self) -> Self {
        for entry in self.ingredients.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove(THUMBNAIL);
        }
        self
    }
}

/// The six answers behind the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// A manifest was found.
    pub has_manifest: bool,
    /// The claim signature verifies, and the content is the one that was signed.
    pub signature_valid: bool,
    /// The certificate holds.
    pub certificate_valid: bool,
    /// The image or its manifest names a proof.
    pub has_proof_uri: bool,
    /// The proof is there.
    pub proof_found: bool,
    /// The manifest is the one that was stored.
    pub proofs_match: bool,
}

/// One row of the score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScoreRow {
    /// Which answer, as in [`Details`].
    pub check: String,
    /// What it earned.
    pub points: u8,
    /// What it could earn.
    pub of: u8,
    /// Why.
    pub reason: String,
}

/// The stored proof, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProofSummary {
    /// Its id.
    pub id: ProofId,
    /// Where it can be read.
    pub uri: String,
    /// When the image was signed.
    pub created_at: Timestamp,
    /// Until when the proof is kept.
    pub expires_at: Timestamp,
    /// SHA-256 of the manifest store as it was embedded.
    pub manifest_hash: Sha256Hash,
}

impl From<&ProofRecord> for ProofSummary {
    fn from(record: &ProofRecord) -> Self {
        Self {
            id: record.id,
            uri: record.uri.clone(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            manifest_hash: record.manifest_hash,
        }
    }
}

/// Two manifests where there should be one, or the proof of another picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Substitution {
    /// SHA-256 of the manifest store that the image carries; `None` when it carries none, but names the proof of
    /// another picture.
    pub embedded_manifest_hash: Option<Sha256Hash>,
    /// SHA-256 of the one that was stored.
    pub stored_manifest_hash: Sha256Hash,
}

/// What became of the look-up of the proof.
#[derive(Clone, Debug)]
pub enum ProofLookup {
    /// Neither the image nor its manifest names one.
    NotNamed,
    /// The URI belongs to somebody else; it was not followed.
    Foreign,
    /// Nothing is stored under this id, or it expired.
    Unknown,
    /// The proof store did not answer.
    NotAnswered,
    /// It is there.
    Found(ProofRecord),
    /// It is there, and speaks of an earlier version of the image, which the manifest has among its ingredients.
    OfIngredient(ProofRecord),
    /// It is there, and the manifest that was kept with it is the one that was judged: the image carries none.
    Recovered(ProofRecord),
    /// It is there, but speaks of another picture.
    OfOtherPicture(ProofRecord),
    /// It is there, but whether it speaks of this picture cannot be told.
    Incomparable(ProofRecord),
}

impl ProofLookup {
    /// The record that was found, whatever it speaks of.
    pub fn record(&self) -> Option<&ProofRecord> {
        match self {
            Self::Found(record)
            | Self::OfIngredient(record)
            | Self::Recovered(record)
            | Self::OfOtherPicture(record)
            | Self::Incomparable(record) => Some(record),
            Self::NotNamed | Self::Foreign | Self::Unknown | Self::NotAnswered => None,
        }
    }
}

/// What the six rows are computed from.
pub(crate) struct Evidence<'a> {
    /// The credential; `None` when there is none that is this image's.
    pub(crate) judged: Option<&'a Judged>,
    /// The proof.
    pub(crate) lookup: &'a ProofLookup,
    /// SHA-256 of the manifest store in the file.
    pub(crate) embedded_hash: Option<Sha256Hash>,
}

impl Evidence<'_> {
    /// The rows, in the order of [`Details`].
    pub(crate) fn score(&self) -> Vec<ScoreRow> {
        vec![
            self.has_manifest(),
            self.signature_valid(),
            self.certificate_valid(),
            self.has_proof_uri(),
            self.proof_found(),
            self.proofs_match(),
        ]
    }

    /// The alarm: another manifest was stored than the one in the file, or the proof is another picture's.
    pub(crate) fn substitution(&self) -> Option<Substitution> {
        let (embedded, record) = match (self.lookup, self.embedded_hash) {
            (ProofLookup::Found(record), Some(embedded)) if embedded != record.manifest_hash => {
                (Some(embedded), record)
            }
            (ProofLookup::OfOtherPicture(record), embedded) => (embedded, record),
            _ => return None,
        };
        Some(Substitution { embedded_manifest_hash: embedded, stored_manifest_hash: record.manifest_hash })
    }

    fn has_manifest(&self) -> ScoreRow {
        let found = self.judged.is_some_and(|judged| judged.reading.active_manifest.is_some());
        let reason = match (found, self.lookup) {
            (true, ProofLookup::Recovered(_)) => "the manifest was found in the proof store",
            (true, _) => "a manifest was found",
            (false, ProofLookup::OfOtherPicture(_)) => {
                "no readable manifest was found, and the one of the named proof is another picture's"
            }
            (false, _) => "no readable manifest was found",
        };
        row("hasManifest", found, 20, reason)
    }

    fn signature_valid(&self) -> ScoreRow {
        let objection = match self.judged {
            None => Some("there is no signature to check".to_owned()),
            Some(judged) => signature_objection(&judged.status),
        };
        let reason = "the claim signature verifies and the content is unchanged";
        row("signatureValid", objection.is_none(), 30, objection.as_deref().unwrap_or(reason))
    }

    fn certificate_valid(&self) -> ScoreRow {
        let Some(certificate) = self.judged.and_then(|judged| judged.certificate.as_ref()) else {
            return row("certificateValid", false, 25, "there is no certificate to check");
        };
        let reason = match certificate.first_objection() {
            Some(check) => check.detail.as_str(),
            None => "the certificate holds",
        };
        row("certificateValid", certificate.is_valid(), 25, reason)
    }

    fn has_proof_uri(&self) -> ScoreRow {
        let (named, reason) = match self.lookup {
            ProofLookup::NotNamed => (false, "neither the image nor its manifest names a proof"),
            ProofLookup::Foreign => (true, "a proof of another service is named"),
            _ => (true, "a proof is named"),
        };
        row("hasProofUri", named, 10, reason)
    }

    fn proof_found(&self) -> ScoreRow {
        let reason = match self.lookup {
            ProofLookup::Found(_) | ProofLookup::Recovered(_) => "the proof was found",
            ProofLookup::OfIngredient(_) => "the proof of an earlier version of the image was found",
            ProofLookup::OfOtherPicture(_) => "a proof was found, but it is of another picture",
            ProofLookup::Incomparable(_) => {
                "a proof was found, but whether it is of this picture cannot be told"
            }
            ProofLookup::Unknown => "no proof is stored under this id, or it has expired",
            ProofLookup::Foreign => "not checked: proofs of other services are not fetched",
            ProofLookup::NotAnswered => "not checked: the proof store did not answer",
            ProofLookup::NotNamed => "not checked: there is no proof to look for",
        };
        row("proofFound", self.lookup.record().is_some(), 10, reason)
    }

    fn proofs_match(&self) -> ScoreRow {
        let (matches, reason) = match (self.lookup, self.embedded_hash) {
            (ProofLookup::Found(record), Some(hash)) if record.manifest_hash == hash => {
                (true, "the manifest is the one that was stored")
            }
            (ProofLookup::Found(_), Some(_)) => (false, "another manifest was stored under this proof"),
            (ProofLookup::OfOtherPicture(_), _) => (false, "the proof is of another picture"),
            (ProofLookup::Recovered(_), _) => {
                (false, "not checked: the image carries no manifest to compare with the one that is kept")
            }
            (ProofLookup::OfIngredient(_), _) => {
                (false, "not checked: the proof is of an earlier version of the image")
            }
            _ => (false, "not checked: there are not two manifests to compare"),
        };
        row("proofsMatch", matches, 5, reason)
    }
}

/// Whether every row but those about the proof is full, and nothing speaks against it.
pub fn is_valid(details: &Details, status: &[Status], substitution: Option<&Substitution>) -> bool {
    details.signature_valid
        && details.certificate_valid
        && substitution.is_none()
        && !status.iter().any(|status| status.kind == StatusKind::Failure)
}

/// The six answers of six rows.
pub fn details(score: &[ScoreRow]) -> Details {
    let full = |check: &str| score.iter().any(|row| row.check == check && row.points == row.of);
    Details {
        has_manifest: full("hasManifest"),
        signature_valid: full("signatureValid"),
        certificate_valid: full("certificateValid"),
        has_proof_uri: full("hasProofUri"),
        proof_found: full("proofFound"),
        proofs_match: full("proofsMatch"),
    }
}

fn row(check: &str, earned: bool, of: u8, reason: &str) -> ScoreRow {
    ScoreRow { check: check.into(), points: if earned { of } else { 0 }, of, reason: reason.into() }
}

const VALIDATED: &str = "claimSignature.validated";

/// Why the signature of the active manifest does not hold; what belongs to the certificate is not asked here.
fn signature_objection(status: &[Status]) -> Option<String> {
    let active = || status.iter().filter(|status| status.ingredient.is_none());
    if let Some(failure) = active().find(|s| s.kind == StatusKind::Failure && !is_of_certificate(&s.code)) {
        let explanation = failure.explanation.as_deref().unwrap_or("the check failed");
        return Some(format!("{}: {explanation}", failure.code));
    }
    let succeeded =
        |is: fn(&str) -> bool| active().any(|status| status.kind == StatusKind::Success && is(&status.code));
    if !succeeded(|code| [VALIDATED, legacy::SIGNATURE_VALIDATED].contains(&code)) {
        return Some("the claim signature was not validated".into());
    }
    // The hard bindings: dataHash, boxesHash, bmffHash (C2PA 2.4, section 15.2).
    if !succeeded(|code| code.ends_with("Hash.match") || code == legacy::CONTENT_MATCH) {
        return Some("the content was not checked against the manifest".into());
    }
    None
}

fn is_of_certificate(code: &str) -> bool {
    code.starts_with("signingCredential.")
        || code.starts_with("timeStamp.")
        || code == "claimSignature.outsideValidity"
}
