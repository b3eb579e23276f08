//! The recovery record: a small pointer that travels beside the manifest store and survives when the store
//! is stripped.
//!
//! It carries the proof URI and nothing else. It stands inside the hashed range of the image, so it cannot
//! carry a hash of the manifest store, which depends on it.
//!
//! Three carriers hold it: an XMP packet, an EXIF block where the image has none of its own, and a private
//! payload (PNG and WebP chunk `crLk`, JPEG COM). The readers take a payload as it was found in a file, of
//! ours or of CredLink's first system, which put a whole manifest as JSON there. They are tolerant: what
//! cannot be read is skipped, and nothing found is an answer, not an error.

mod exif;
mod xmp;

use serde_json::{Map, Value, json};

use crate::{proof::ProofId, proof_uri::MAX_URI_LENGTH};

pub use self::{exif::from_exif, xmp::from_xmp};

/// The most bytes that are read of one payload, and of one JSON text in it.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The pointer that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryRecord {
    /// Where the proof can be read. A URI, so ASCII (RFC 3986, section 2).
    pub proof_uri: String,
}

impl RecoveryRecord {
    /// A complete XMP packet (ISO 16684-1) with the URI as `dcterms:provenance` and `credlink:proofUri`.
    pub fn xmp_packet(&self) -> Vec<u8> {
        xmp::packet(&self.proof_uri)
    }

    /// A little-endian TIFF structure with the EXIF UserComment (0x9286) that holds
    /// [`private_payload`](Self::private_payload). Without the `Exif\0\0` that a JPEG segment begins with.
    pub fn exif_tiff(&self) -> Vec<u8> {
        exif::tiff(&self.private_payload())
    }

    /// `{"credlink":{"proofUri":"…"}}` in UTF-8: for the PNG and WebP chunk `crLk` and for a JPEG COM.
    pub fn private_payload(&self) -> Vec<u8> {
        json!({ "credlink": { "proofUri": self.proof_uri } }).to_string().into_bytes()
    }
}

/// What a payload holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The proof URI as it stands there: an `http(s)` URI of at most [`MAX_URI_LENGTH`] visible ASCII
    /// characters, otherwise unchecked. It may be anybody's.
    pub proof_uri: Option<String>,
    /// A manifest of CredLink's first system: the text of a JSON object, otherwise unchecked. Its signature is
    /// over the text, so the text is kept.
    pub legacy_manifest: Option<String>,
    /// What could not be read although it was meant for a reader, in words for the report.
    pub notes: Vec<&'static str>,
}

impl Found {
    /// Whether there is neither a URI nor a manifest.
    pub fn is_empty(&self) -> bool {
        self.proof_uri.is_none() && self.legacy_manifest.is_none()
    }

    /// Takes from `other` what is missing here.
    pub(crate) fn fill_from(&mut self, other: Found) {
        self.proof_uri = self.proof_uri.take().or(other.proof_uri);
        self.legacy_manifest = self.legacy_manifest.take().or(other.legacy_manifest);
        self.notes.extend(other.notes);
    }
}

/// Reads a private payload: PNG or WebP chunk `crLk`, the first system's PNG chunk `c2pA`, or JPEG COM. It
/// holds JSON (our record or an old manifest) or a bare proof URI.
pub fn from_private(payload: &[u8]) -> Found {
    if payload.len() > MAX_PAYLOAD {
        return Found { notes: vec!["a private payload over 1 MiB was not read"], ..Found::default() };
    }
    from_text(&String::from_utf8_lossy(payload))
}

/// Reads JSON or a bare proof URI.
fn from_text(text: &str) -> Found {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
    if let Some(uri) = bare_proof_uri(text) {
        return Found { proof_uri: Some(uri), ..Found::default() };
    }
    object(text).map(|object| from_object(&object, text)).unwrap_or_default()
}

/// A JSON object of at most [`MAX_PAYLOAD`] bytes; `serde_json` bounds the nesting at 128.
fn object(text: &str) -> Option<Map<String, Value>> {
    if !text.starts_with('{') || text.len() > MAX_PAYLOAD {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Reads an object, and the text that it was read from.
fn from_object(object: &Map<String, Value>, text: &str) -> Found {
    let ours = object.get("credlink").and_then(|record| record.get("proofUri"));
    let proof_uri = ours.or_else(|| object.get("proofUri")).and_then(Value::as_str).and_then(http_uri);
    let legacy_manifest = is_legacy_manifest(object).then(|| text.to_owned());
    Found { proof_uri, legacy_manifest, notes: Vec::new() }
}

/// Whether a JSON object is a manifest at all. Other software writes JSON to the same places, such as the
/// parameters of an image generator.
pub(crate) fn is_legacy_manifest(object: &Map<String, Value>) -> bool {
    ["assertions", "claim", "claim_generator", "claimGenerator", "signature"]
        .iter()
        .any(|key| object.contains_key(*key))
}

/// The URI, when the text is one for `http(s)`, of visible ASCII characters and not too long.
fn http_uri(text: &str) -> Option<String> {
    let text = text.trim();
    let scheme = text.split_once("://")?.0;
    let known = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let plain = text.len() <= MAX_URI_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
    (known && plain).then(|| text.to_owned())
}

/// The URI, when its last segment is a proof id. For places where any URI may stand: an address of
/// something else must not pass for a record.
pub(crate) fn bare_proof_uri(text: &str) -> Option<String> {
    let uri = http_uri(text)?;
    uri.rsplit_once('/')?.1.parse::<ProofId>().is_ok().then_some(uri)
}

/// UTF-16 text; a byte order mark goes before `big_endian`. What is not UTF-16 becomes U+FFFD.
fn decode_utf16(bytes: &[u8], big_endian: bool) -> String {
    let (bytes, big_endian) = match bytes {
        [0xfe, 0xff, rest @ ..] => (rest, true),
        [0xff, 0xfe, rest @ ..] => (rest, false),
        _ => (bytes, big_endian),
    };
    let order = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    let units = bytes.as_chunks().0.iter().map(|pair| order(*pair));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "https://proofs.example.com/0f0e0d0c-0b0a-4908-8706-050403020100";

    fn record() -> RecoveryRecord {
        RecoveryRecord { proof_uri: URI.to_owned() }
    }

    #[test]
    fn every_carrier_gives_the_uri_back() {
        let expected = Found { proof_uri: Some(URI.to_owned()), ..Found::default() };
        assert_eq!(from_private(&record().private_payload()), expected);
        assert_eq!(from_exif(&record().exif_tiff()), expected);
        assert_eq!(from_xmp(&record().xmp_packet()), expected);
    }

    #[test]
    fn every_carrier_is_small() {
        assert!(record().private_payload().len() < 120);
        assert!(record().exif_tiff().len() < 200);
        assert!(record().xmp_packet().len() < 600);
    }

    #[test]
    fn the_private_payload_is_the_documented_json() {
        assert_eq!(
            record().private_payload(),
            format!("{{\"credlink\":{{\"proofUri\":\"{URI}\"}}}}").into_bytes()
        );
    }

    #[test]
    fn characters_that_mean_something_in_xml_or_json_come_back() {
        let uri = "https://proofs.example.com/a&b<c>'d\"e";
        let record = RecoveryRecord { proof_uri: uri.to_owned() };
        for found in [
            from_private(&record.private_payload()),
            from_exif(&record.exif_tiff()),
            from_xmp(&record.xmp_packet()),
        ] {
            assert_eq!(found.proof_uri.as_deref(), Some(uri));
        }
    }

    #[test]
    fn a_private_payload_may_be_an_old_manifest_or_a_bare_uri() {
        let manifest = json!({ "claim_generator": "CredLink/1.0", "assertions": [], "proofUri": URI });
        let found = from_private(manifest.to_string().as_bytes());
        assert_eq!(found.proof_uri.as_deref(), Some(URI));
        assert_eq!(found.legacy_manifest, Some(manifest.to_string()));

        let metadata = format!("{{\"proofUri\":\"{URI}\",\"manifestHash\":\"00\"}}\0");
        let found = from_private(metadata.as_bytes());
        assert_eq!((found.proof_uri.as_deref(), found.legacy_manifest), (Some(URI), None));

        let found = from_private(format!("\u{feff}{URI}\n").as_bytes());
        assert_eq!(found.proof_uri.as_deref(), Some(URI));
    }

    #[test]
    fn what_others_write_is_not_ours() {
        for payload in [
            &b""[..],
            b"Created with The GIMP",
            b"https://www.example.com/",
            b"{\"prompt\":\"a cat\",\"seed\":42}",
            b"{\"proofUri\":42}",
            b"{\"proofUri\":\"ftp://example.com/\"}",
            b"{\"proofUri\":\"javascript:alert(1)\"}",
            b"{\"proofUri\":\"https://example.com/\\u202e\"}",
            b"{\"credlink\":[[[",
            b"[1,2,3]",
        ] {
            assert!(from_private(payload).is_empty(), "{}", String::from_utf8_lossy(payload));
        }
    }

    #[test]
    fn deep_and_large_json_is_refused() {
        let deep = format!("{{\"assertions\":{}", "[".repeat(100_000));
        assert!(from_private(deep.as_bytes()).is_empty());
        let deep = format!("{{\"assertions\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        assert!(from_private(deep.as_bytes()).is_empty());
        let large = format!("{{\"proofUri\":\"{URI}\",\"x\":\"{}\"}}", "x".repeat(MAX_PAYLOAD));
        let found = from_private(large.as_bytes());
        assert!(found.is_empty() && !found.notes.is_empty());
        let long = format!("{{\"proofUri\":\"https://example.com/{}\"}}", "x".repeat(MAX_URI_LENGTH));
        assert!(from_private(long.as_bytes()).is_empty());
    }

    /// The same numbers for the same seed, so that a failure can be repeated.
    fn pseudo_random(seed: usize) -> impl FnMut() -> usize {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 16
        }
    }

    #[test]
    fn damaged_and_random_payloads_never_panic() {
        let record = record();
        let originals = [record.xmp_packet(), record.exif_tiff(), record.private_payload()];
        for seed in 1..3000 {
            let mut next = pseudo_random(seed);
            let mut payload = originals[next() % 3].clone();
            payload.truncate(next() % (2 * payload.len()));
            let damaged = if seed % 5 == 0 { payload.len() } else { next() % 8 };
            for _ in 0..damaged {
                let at = next() % payload.len().max(1);
                if let Some(byte) = payload.get_mut(at) {
                    *byte = next().to_le_bytes()[0];
                }
            }
            from_xmp(&payload);
            from_exif(&payload);
            from_private(&payload);
        }
    }
}
