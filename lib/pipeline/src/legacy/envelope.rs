//! Where the signature stands in a manifest, and in which forms.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::json_text::members;

/// The member that holds the signature and is not signed itself.
pub(super) const SIGNATURE: &str = "signature";

/// What the signature member says.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// The bytes of the signature. More than one when its text can be read in more than one way.
    pub(super) values: Vec<Vec<u8>>,
    /// The signature member, where it is an object: the certificate may stand in it.
    pub(super) fields: Option<&'a Map<String, Value>>,
}

/// Why a signature cannot be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum EnvelopeError {
    #[error("the manifest has no signature")]
    NoSignature,
    #[error("the manifest has members twice or too many of them, so it is not clear what was signed")]
    Ambiguous,
    #[error("the signature is neither text in base64 or hexadecimal nor an object that holds such a text")]
    Unreadable,
    #[error("the signature's algorithm is not RSA-SHA256")]
    OtherAlgorithm,
    #[error("the certificate is neither in the manifest nor among the configured trust anchors")]
    NoCertificate,
}

impl<'a> Envelope<'a> {
    /// Reads the signature of the manifest `raw`, which was parsed into `manifest`.
    pub(super) fn read(raw: &str, manifest: &'a Map<String, Value>) -> Result<Self, EnvelopeError> {
        let signature = manifest.get(SIGNATURE).filter(|value| !value.is_null());
        let signature = signature.ok_or(EnvelopeError::NoSignature)?;
        // The text is what is signed. What was parsed from it must not say more or other than its members do.
        let members = members(raw);
        let has_signature = members.iter().any(|member| member.name == SIGNATURE);
        if !has_signature || members.len() != manifest.len() {
            return Err(EnvelopeError::Ambiguous);
        }
        let fields = signature.as_object();
        let algorithm = fields.and_then(|fields| first_text(fields, &["alg", "algorithm"]));
        let beside = first_text(manifest, &["signatureAlgorithm", "signature_algorithm"]);
        if !algorithm.or(beside).is_none_or(is_rsa_sha256) {
            return Err(EnvelopeError::OtherAlgorithm);
        }
        let value = match fields {
            Some(fields) => first_text(fields, &["value", "signature", "sig"]),
            None => signature.as_str(),
        };
        let values = value.map(decoded).unwrap_or_default();
        if values.is_empty() { Err(EnvelopeError::Unreadable) } else { Ok(Self { values, fields }) }
    }
}

/// The first of these members that is text.
pub(super) fn first_text<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| object.get(*name)?.as_str())
}

/// Base64 of either alphabet, with or without padding and line breaks; `None` when it is something else.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    const TOLERANT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text: String = text.split_ascii_whitespace().collect();
    [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, TOLERANT).decode(&text).ok())
        .filter(|bytes| !bytes.is_empty())
}

fn is_rsa_sha256(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    ["rsasha256", "rs256", "sha256withrsa", "sha256withrsaencryption"]
        .contains(&plain.to_ascii_lowercase().as_str())
}

/// The longest text of a signature: RSA of 8192 bits in hexadecimal, and some line breaks.
const MAX_TEXT: usize = 4096;

/// What the text may mean: hexadecimal digits are base64 as well.
fn decoded(text: &str) -> Vec<Vec<u8>> {
    if text.len() > MAX_TEXT {
        return Vec::new();
    }
    let digits: String = text.split_ascii_whitespace().collect();
    let readings = [hex::decode(digits).ok().filter(|bytes| !bytes.is_empty()), from_base64(text)];
    readings.into_iter().flatten().collect()
}
