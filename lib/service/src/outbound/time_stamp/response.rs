//! Whether an answer is a stamp for a request. Whom it is from, and whether its signature holds, is judged by whoever
//! verifies the image.

use rasn::types::{Integer, Oid};
use rasn_cms::{
    CONTENT_SIGNED_DATA, SignedData,
    tsp::{PkiStatus, PkiStatusInfo, TST_INFO, TimeStampResp, TstInfo},
};
use thiserror::Error;

use super::request::StampRequest;
use crate::outbound::shown::shown;

const SHA_256: &Oid = Oid::JOINT_ISO_ITU_T_COUNTRY_US_ORGANIZATION_GOV_CSOR_NIST_ALGORITHMS_HASH_SHA256;

/// Why an answer is no stamp for the request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ResponseError {
    /// It is no DER of the standard's form.
    #[error("its {0} cannot be read: {1}")]
    Malformed(&'static str, String),
    /// The authority says no.
    #[error("it refused: {0}")]
    NotGranted(String),
    /// It is granted, but there is nothing.
    #[error("there is no {0} in its answer")]
    Missing(&'static str),
    /// It is about something else.
    #[error("its stamp has another {0} than the request")]
    Other(&'static str),
}

/// Checks that `answer` is a granted stamp (RFC 3161, section 2.4.2) with the imprint and the nonce of `request`, and
/// that the authority's certificates are included.
///
/// # Errors
/// [`ResponseError`].
pub(super) fn check(answer: &[u8], request: &StampRequest) -> Result<(), ResponseError> {
    let response: TimeStampResp = read("answer", answer)?;
    check_status(&response.status)?;
    let token = response.time_stamp_token.ok_or(ResponseError::Missing("stamp"))?;
    if *token.content_type != *CONTENT_SIGNED_DATA {
        return Err(ResponseError::Missing("signed data"));
    }
    let signed: SignedData = read("signed data", token.content.as_bytes())?;
    if signed.certificates.is_none_or(|certificates| certificates.is_empty()) {
        return Err(ResponseError::Missing("certificate"));
    }
    let content = signed.encap_content_info;
    if *content.content_type != *TST_INFO {
        return Err(ResponseError::Missing("stamp"));
    }
    let stamp: TstInfo = read("stamp", &content.content.ok_or(ResponseError::Missing("stamp"))?)?;
    check_stamp(&stamp, request)
}

fn check_status(info: &PkiStatusInfo) -> Result<(), ResponseError> {
    if matches!(info.status, PkiStatus::Granted | PkiStatus::GrantedWithMods) {
        return Ok(());
    }
    let texts = info.status_string.iter().flatten().map(String::as_str);
    let texts: Vec<&str> = texts.collect();
    let text = format!("{:?} {}", info.status, texts.join(", "));
    Err(ResponseError::NotGranted(shown(text.trim())))
}

fn check_stamp(stamp: &TstInfo, request: &StampRequest) -> Result<(), ResponseError> {
    let imprint = &stamp.message_imprint;
    if *imprint.hash_algorithm.algorithm != *SHA_256
        || *imprint.hashed_message != request.imprint.as_bytes()[..]
    {
        return Err(ResponseError::Other("imprint"));
    }
    if stamp.nonce != Some(Integer::from(request.nonce)) {
        return Err(ResponseError::Other("nonce"));
    }
    Ok(())
}

/// Reads the whole of `der`.
fn read<T: rasn::Decode>(what: &'static str, der: &[u8]) -> Result<T, ResponseError> {
    let malformed = |reason: &str| ResponseError::Malformed(what, shown(reason));
    let (value, rest) =
        rasn::der::decode_with_remainder(der).map_err(|error| malformed(&error.to_string()))?;
    if rest.is_empty() { Ok(value) } else { Err(malformed("bytes follow it")) }
}
