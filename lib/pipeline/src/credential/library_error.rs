//! The specification's failure code for a store that the C2PA library gave up on (C2PA 2.4, section 15.2.2).
//!
//! Most of them are found before the library is asked, by [`outline`](super::outline); these are the rest.

use c2pa::{Error, validation_status::ValidationStatus};

/// The code for an error.
pub(super) fn code_of(error: &Error) -> &'static str {
    match error {
        Error::ClaimMissing { .. } | Error::JumbfNotFound | Error::JumbfParseError(_) => "claim.missing",
        Error::JumbfBoxNotFound | Error::InvalidClaim(_) | Error::ProvenanceMissing => "claim.malformed",
        Error::ClaimDecoding(reason) if reason.starts_with("claim_cbor") => "claim.cbor.invalid",
        Error::ClaimDecoding(_) | Error::ClaimVersion | Error::ClaimInvalidContent | Error::CborError(_) => {
            "claim.malformed"
        }
        Error::PrereleaseError | Error::VersionCompatibility(_) => "claim.malformed",
        Error::ClaimMissingHardBinding => "claim.hardBindings.missing",
        Error::ClaimMultipleHardBinding => "assertion.multipleHardBindings",
        Error::ClaimSelfRedact => "assertion.selfRedacted",
        Error::ClaimDisallowedRedaction => "assertion.action.redacted",
        Error::UpdateManifestInvalid => "manifest.update.invalid",
        Error::ClaimUnsigned | Error::ClaimMissingSignatureBox => "claimSignature.missing",
        // The library's word for CBOR that is no COSE structure.
        Error::CoseTimeStampGeneration => "claimSignature.mismatch",
        Error::CoseSignature | Error::CoseVerifier | Error::InvalidEcdsaSignature => {
            "claimSignature.mismatch"
        }
        Error::RawSignatureValidationError(_) => "claimSignature.mismatch",
        Error::CoseSignatureAlgorithmNotSupported | Error::UnknownAlgorithm => "algorithm.unsupported",
        Error::CoseInvalidCert | Error::CoseX5ChainMissing | Error::CoseNoCerts => {
            "signingCredential.invalid"
        }
        Error::CertificateProfileError(_) | Error::InvalidCertificateError(_) => "signingCredential.invalid",
        Error::AssertionMissing { .. } => "assertion.missing",
        Error::AssertionDecoding(_) => assertion_code(&error.to_string()),
        Error::ValidationRule(reason) if reason.contains("Action") => "assertion.action.malformed",
        Error::HashMismatch(_) => "assertion.dataHash.mismatch",
        Error::IngredientNotFound | Error::CyclicIngredients { .. } => "assertion.ingredient.malformed",
        Error::ClaimVerification(_) => "ingredient.manifest.missing",
        // The library's word for a history that is longer than it follows.
        Error::InvalidAsset(reason) if reason.contains("depth") => "com.credlink.store.limit",
        Error::TooManyAssertions { .. } | Error::InsufficientMemory => "com.credlink.store.limit",
        _ => "general.error",
    }
}

/// Whether a status only repeats that the manifest could not be shown, whose reason another status tells.
pub(super) fn is_echo(status: &ValidationStatus) -> bool {
    status.explanation() == Some("Failed to load manifest")
}

/// The library tells the assertion and its content type in words alone: `could not decode assertion LABEL (version …,
/// content type TYPE): …`.
fn assertion_code(message: &str) -> &'static str {
    let label = message.strip_prefix("could not decode assertion ").unwrap_or_default();
    if label.starts_with("c2pa.actions") {
        "assertion.action.malformed"
    } else if label.starts_with("c2pa.ingredient") {
        "assertion.ingredient.malformed"
    } else if label.starts_with("c2pa.hash.data") {
        "assertion.dataHash.malformed"
    } else if message.contains("application/json") {
        "assertion.json.invalid"
    } else {
        "assertion.cbor.invalid"
    }
}
