//! The certificates of a manifest: those that it carries, or the one that it names.

use serde_json::{Map, Value};
use x509_parser::{
    pem::Pem,
    prelude::{FromDer as _, X509Certificate},
};

use super::envelope::{Envelope, first_text, from_base64};
use crate::{credential::MAX_CERTIFICATES, digest::Sha256Hash, trust::AnchorList};

/// The certificates in DER: those in the signature member, else those beside it, else the anchor that is named. At
/// most [`MAX_CERTIFICATES`].
pub(super) fn of(
    envelope: &Envelope<'_>,
    manifest: &Map<String, Value>,
    anchors: &AnchorList,
) -> Vec<Vec<u8>> {
    let places = [envelope.fields, Some(manifest)];
    for place in places.into_iter().flatten() {
        let carried =
            CARRIERS.iter().filter_map(|name| place.get(*name)).flat_map(carried).take(MAX_CERTIFICATES);
        let carried: Vec<_> = carried.collect();
        if !carried.is_empty() {
            return carried;
        }
    }
    let mut names = places.into_iter().flatten().flat_map(|place| {
        let nested = CARRIERS.iter().filter_map(|name| place.get(*name)?.as_object());
        std::iter::once(place).chain(nested).filter_map(Name::read)
    });
    names.find_map(|name| name.find(anchors)).into_iter().collect()
}

/// The members in which certificates stand.
const CARRIERS: [&str; 7] =
    ["certificate", "certificates", "certificateChain", "certificate_chain", "cert", "chain", "x5c"];

/// Certificates as PEM, one or several in one text, or as base64 of DER; or a list of such texts.
fn carried(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::String(text) => from_text(text),
        Value::Array(items) => {
            items.iter().take(MAX_CERTIFICATES).filter_map(Value::as_str).flat_map(from_text).collect()
        }
        _ => Vec::new(),
    }
}

fn from_text(text: &str) -> Vec<Vec<u8>> {
    let blocks = Pem::iter_from_buffer(text.as_bytes()).take(MAX_CERTIFICATES).filter_map(Result::ok);
    let from_pem: Vec<_> =
        blocks.filter(|block| block.label == "CERTIFICATE").map(|block| block.contents).collect();
    if !from_pem.is_empty() {
        return from_pem;
    }
    let der = from_base64(text).filter(|der| X509Certificate::from_der(der).is_ok());
    der.into_iter().collect()
}

/// How a manifest names a certificate that it does not carry.
enum Name {
    /// By the SHA-256 of its DER.
    Fingerprint(Sha256Hash),
    /// By its serial number, and its issuer where that is said.
    Serial { digits: String, issuer: Option<String> },
}

impl Name {
    fn read(object: &Map<String, Value>) -> Option<Self> {
        let plain = |text: &str| text.replace([':', ' '], "").to_ascii_lowercase();
        let fingerprint = ["certificateFingerprint", "fingerprint256", "fingerprint", "x5t#S256"];
        if let Some(hash) = first_text(object, &fingerprint).and_then(|text| plain(text).parse().ok()) {
            return Some(Self::Fingerprint(hash));
        }
        let digits = first_text(object, &["serialNumber", "serial", "certificateSerial"]).map(plain)?;
        let digits = digits.strip_prefix("0x").unwrap_or(&digits).trim_start_matches('0').to_owned();
        let issuer = first_text(object, &["issuer", "certificateIssuer"]).map(str::to_owned);
        (!digits.is_empty()).then_some(Self::Serial { digits, issuer })
    }

    fn find(&self, anchors: &AnchorList) -> Option<Vec<u8>> {
        let certificates = anchors.certificates().iter().map(AsRef::as_ref);
        let mut named = certificates.filter(|der: &&[u8]| match self {
            Self::Fingerprint(hash) => Sha256Hash::of(der) == *hash,
            Self::Serial { digits, issuer } => {
                X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
                    certificate.tbs_certificate.serial.to_str_radix(16) == *digits
                        && issuer.as_deref().is_none_or(|issuer| is_named(&certificate, issuer))
                })
            }
        });
        named.next().map(<[u8]>::to_vec)
    }
}

/// Whether `issuer` is the issuer's whole name or its common name.
fn is_named(certificate: &X509Certificate<'_>, issuer: &str) -> bool {
    let name = certificate.issuer();
    let is_common_name = name.iter_common_name().any(|common| common.as_str() == Ok(issuer));
    is_common_name || name.to_string() == issuer
}
