//! Whether the time-stamps of a signature count: each has to be a stamp of this very signature, and its authority has
//! to lead to a trust anchor for time-stamps (C2PA 2.4, section 15.8).
//!
//! The C2PA library verifies a stamp's own signature and imprint. Its opinion on the authority is not asked: it looks
//! among the signers' anchors, and for claims of version 1 it asks for no anchor at all.

use c2pa::{
    crypto::{
        cose::CertificateTrustPolicy,
        time_stamp::{tsa_signer_cert_der_from_token, verify_time_stamp},
    },
    status_tracker::StatusTracker,
};
use rasn::{AsnType, Decode, Decoder as _};
use rasn_cms::{CertificateChoices, ContentInfo, SignedData};
use time::{PrimitiveDateTime, macros::format_description};
use x509_parser::{
    asn1_rs::{Any, Tag},
    prelude::{FromDer as _, X509Certificate},
};

use super::{ClaimSignature, Status, StatusKind};
use crate::{
    certificate::{PathError, Purpose, find_path},
    timestamp::Timestamp,
    trust::AnchorList,
};

/// What became of the time-stamps of a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StampJudgement {
    /// The trusted time; `None` when no stamp counts.
    pub time: Option<Timestamp>,
    /// The time in a stamp of this signature, whoever made it; `None` when there is none.
    pub attested: Option<Timestamp>,
    /// `timeStamp.*` (C2PA 2.4, section 15.2). A stamp that does not count is no failure of the signature.
    pub status: Vec<Status>,
}

/// Judges the stamps of `signature`. One that lies after `now` does not count.
pub fn judge_stamps(signature: &ClaimSignature, anchors: &AnchorList, now: Timestamp) -> StampJudgement {
    let token = match signature.stamps.as_slice() {
        [] => return StampJudgement::default(),
        [token] => token,
        _ => {
            return objection(
                "timeStamp.malformed",
                "a signature may have one time-stamp, and this one has more",
            );
        }
    };
    match genuine(&token.token, &token.message) {
        Ok(stamped) => judge_authority(&stamped, anchors, now),
        Err(status) => StampJudgement { status, ..StampJudgement::default() },
    }
}

/// Judges stamps of `signature` that were made later and stand elsewhere: the first that counts
/// (C2PA 2.4, section 15.8.1.2). `tokens` are `TimeStampToken`s in DER.
pub fn judge_later_stamps(
    signature: &ClaimSignature,
    tokens: &[Vec<u8>],
    anchors: &AnchorList,
    now: Timestamp,
) -> StampJudgement {
    let mut refused = None;
    for token in tokens {
        let judgement = judge_later_stamp(signature, token, anchors, now);
        if judgement.time.is_some() {
            return judgement;
        }
        refused.get_or_insert(judgement);
    }
    refused.unwrap_or_default()
}

/// The token of a `TimeStampResp`, to the byte (RFC 3161, section 2.4.2).
pub(crate) fn token_of(response: &[u8]) -> Option<Vec<u8>> {
    Some(rasn::der::decode::<Granted>(response).ok()?.token.into_bytes())
}

fn judge_later_stamp(
    signature: &ClaimSignature,
    token: &[u8],
    anchors: &AnchorList,
    now: Timestamp,
) -> StampJudgement {
    let mut refused = StampJudgement::default();
    for message in &signature.stamped_later {
        match genuine(token, message) {
            Ok(stamped) => return judge_authority(&stamped, anchors, now),
            Err(status) => refused.status = status,
        }
    }
    refused
}

/// Whether a genuine stamp counts.
fn judge_authority(stamped: &Stamped, anchors: &AnchorList, now: Timestamp) -> StampJudgement {
    let authority = name_of(&stamped.signer);
    let mut status = vec![Status::new(
        StatusKind::Success,
        "timeStamp.validated",
        format!("stamped on {} by {authority}", stamped.time),
    )];
    let distrust = if stamped.time > now {
        Some(("timeStamp.untrusted", "the stamp lies in the future".to_owned()))
    } else {
        objection_to_authority(stamped, anchors)
    };
    let time = distrust.is_none().then_some(stamped.time);
    status.push(match distrust {
        None => Status::new(
            StatusKind::Success,
            "timeStamp.trusted",
            format!("{authority} leads to a trust anchor for time-stamps"),
        ),
        Some((code, reason)) => Status::new(StatusKind::Informational, code, reason),
    });
    StampJudgement { time, attested: Some(stamped.time), status }
}

/// What a genuine stamp says.
struct Stamped {
    time: Timestamp,
    signer: Vec<u8>,
    others: Vec<Vec<u8>>,
}

/// Verifies that `token` is a well-formed, rightly signed stamp of `message`, by whomever.
fn genuine(token: &[u8], message: &[u8]) -> Result<Stamped, Vec<Status>> {
    let malformed = |reason: &str| objection("timeStamp.malformed", reason).status;
    let mut log = StatusTracker::default();
    let trust = CertificateTrustPolicy::passthrough();
    verify_time_stamp(token, message, &trust, &mut log, false).map_err(|error| {
        let said = log.logged_items().iter().rev().find_map(|item| item.validation_status.as_deref());
        objection(said.unwrap_or("timeStamp.malformed"), error.to_string()).status
    })?;
    let signed = signed_data(token).ok_or_else(|| malformed("the stamp cannot be read"))?;
    let time = gen_time(&signed).ok_or_else(|| malformed("the time cannot be read"))?;
    let signer = tsa_signer_cert_der_from_token(token).ok().flatten();
    let signer = signer.ok_or_else(|| malformed("the authority's certificate is missing"))?;
    Ok(Stamped { time, signer, others: certificates(signed) })
}

/// Why the authority is not trusted to tell the time: the code and the reason.
fn objection_to_authority(stamped: &Stamped, anchors: &AnchorList) -> Option<(&'static str, String)> {
    if let Some(objection) = objection_to_purpose(&stamped.signer) {
        return Some(("timeStamp.untrusted", objection.to_owned()));
    }
    let path = find_path(&stamped.signer, &stamped.others, anchors, stamped.time, Purpose::TimeStamping);
    let reason = path.err()?;
    let code = match reason {
        PathError::OutsideValidity(_) => "timeStamp.outsideValidity",
        _ => "timeStamp.untrusted",
    };
    let authority = name_of(&stamped.signer);
    Some((code, format!("{authority} leads to no valid trust anchor for time-stamps: {reason}")))
}

/// An authority's certificate is for stamping the time, and for nothing else (RFC 3161, section 2.3).
fn objection_to_purpose(signer: &[u8]) -> Option<&'static str> {
    let Ok((_, signer)) = X509Certificate::from_der(signer) else {
        return Some("the authority's certificate cannot be read");
    };
    let Ok(Some(usage)) = signer.extended_key_usage() else {
        return Some(
            "the authority's certificate is not meant for time-stamps: it has no extended key usage",
        );
    };
    let other = usage.value.any
        || usage.value.server_auth
        || usage.value.client_auth
        || usage.value.code_signing
        || usage.value.email_protection
        || usage.value.ocsp_signing
        || !usage.value.other.is_empty();
    if !usage.value.time_stamping {
        Some("the authority's certificate is not meant for time-stamps")
    } else if other {
        Some("the authority's certificate is meant for more than time-stamps")
    } else {
        None
    }
}

/// A `TimeStampResp` (RFC 3161, section 2.4.2), as older signatures hold it.
#[derive(AsnType, Decode)]
struct Response {
    _status: rasn::types::Any,
    token: Option<ContentInfo>,
}

/// A `TimeStampResp` that was granted, its token as it stands there.
#[derive(AsnType, Decode)]
struct Granted {
    _status: rasn::types::Any,
    token: rasn::types::Any,
}

fn signed_data(token: &[u8]) -> Option<SignedData> {
    let content = rasn::der::decode::<ContentInfo>(token)
        .ok()
        .or_else(|| rasn::der::decode::<Response>(token).ok()?.token)?;
    rasn::der::decode::<SignedData>(content.content.as_bytes()).ok()
}

/// The certificates that travel in a token, the authority's own among them.
fn certificates(signed: SignedData) -> Vec<Vec<u8>> {
    let Some(certificates) = signed.certificates else { return Vec::new() };
    certificates
        .to_vec()
        .into_iter()
        .take(super::MAX_CERTIFICATES)
        .filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => rasn::der::encode(certificate).ok(),
            _ => None,
        })
        .collect()
}

/// The time in a `TSTInfo`: the fifth member (RFC 3161, section 2.4.2). Not the attribute with the time of signing,
/// which the library puts in its place.
fn gen_time(signed: &SignedData) -> Option<Timestamp> {
    let (_, info) = Any::from_der(signed.encap_content_info.content.as_ref()?).ok()?;
    let mut rest = info.data;
    for _ in 0..4 {
        (rest, _) = Any::from_der(rest).ok()?;
    }
    let (_, time) = Any::from_der(rest).ok()?;
    (time.tag() == Tag::GeneralizedTime).then_some(())?;
    generalized_time(str::from_utf8(time.data).ok()?)
}

/// `YYYYMMDDhhmmss`, with or without parts of a second, in UTC (RFC 3161, section 2.4.2).
fn generalized_time(text: &str) -> Option<Timestamp> {
    let format = format_description!("[year][month][day][hour][minute][second]");
    let time = PrimitiveDateTime::parse(text.get(..14)?, &format).ok()?;
    Some(Timestamp::new(time.assume_utc()))
}

fn name_of(certificate: &[u8]) -> String {
    match X509Certificate::from_der(certificate) {
        Ok((_, certificate)) => certificate.subject().to_string(),
        Err(_) => "an unreadable authority".to_owned(),
    }
}

fn objection(code: &str, reason: impl Into<String>) -> StampJudgement {
    let status = vec![Status::new(StatusKind::Informational, code, reason)];
    StampJudgement { status, ..StampJudgement::default() }
}
