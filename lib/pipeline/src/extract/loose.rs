//! What stands as text in a file whose records cannot be read: proof URIs, and manifests of the first system.

use memchr::memmem;
use serde_json::{Map, Value};

use crate::{
    json_text::{end_of_value, members},
    proof_uri::MAX_URI_LENGTH,
    recovery::{bare_proof_uri, is_legacy_manifest},
};

/// The first text that looks like a proof URI; one that stands next to a name of ours goes before. At most
/// [`MAX_URIS`] are looked at.
pub(super) fn proof_uri_in(bytes: &[u8]) -> Option<String> {
    let mut first = None;
    let mut from = 0;
    for _ in 0..MAX_URIS {
        let Some(found) = bytes.get(from..).and_then(|rest| memmem::find(rest, b"http")) else { break };
        let start = from + found;
        let end = end_of_uri(bytes, start);
        from = end;
        let text = bytes.get(start..end).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default();
        let Some(uri) = proof_uri_at_start(text) else {
            continue;
        };
        let before = bytes.get(start.saturating_sub(NEIGHBOURHOOD)..start).unwrap_or_default();
        if [&b"proofUri"[..], b"credlink"].iter().any(|name| memmem::find(before, name).is_some()) {
            return Some(uri);
        }
        first = first.or(Some(uri));
    }
    first
}

/// A JSON object that is a manifest of the first system, or was one.
pub(super) enum JsonManifest<'a> {
    /// A whole one, and where it starts.
    Whole(&'a str, usize),
    /// The members that are whole.
    Cut(Map<String, Value>),
}

/// The first manifest of the first system that stands as text in `bytes`, a whole one before one that is cut short.
/// Time is linear: what was passed over is not looked at again.
pub(super) fn json_manifest_in(bytes: &[u8]) -> Option<JsonManifest<'_>> {
    if !NAMES.iter().any(|name| memmem::find(bytes, name).is_some()) {
        return None;
    }
    let mut cut = None;
    let mut from = 0;
    while let Some(found) = bytes.get(from..).and_then(|rest| memchr::memchr(b'{', rest)) {
        let start = from + found;
        let end = end_of_value(bytes, start);
        from = end.unwrap_or_else(|at| at).max(start + 1);
        let Some(text) = bytes.get(start..from) else { break };
        match (end, str::from_utf8(text)) {
            (Ok(_), Ok(text)) if is_manifest(text) => return Some(JsonManifest::Whole(text, start)),
            (Err(_), _) if cut.is_none() => cut = members_of_manifest(text),
            _ => {}
        }
    }
    cut.map(JsonManifest::Cut)
}

/// A file that is full of addresses is not searched to its end: parsing millions of them takes seconds.
const MAX_URIS: usize = 20_000;

/// How far before a URI its name may stand, in bytes.
const NEIGHBOURHOOD: usize = 64;

/// Without one of these in a file there is no manifest of the first system in it.
const NAMES: [&[u8]; 3] = [b"\"assertions\"", b"\"claim_generator\"", b"\"claimGenerator\""];

/// Where the text from `start` on stops being one URI. A proof URI has no query, so none is looked for.
fn end_of_uri(bytes: &[u8], start: usize) -> usize {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(byte);
    let text = bytes.get(start..).unwrap_or_default();
    // At least one byte, so that the caller moves on.
    start + text.iter().take(MAX_URI_LENGTH).take_while(|byte| is_inside(byte)).count().max(1)
}

/// The proof URI that `text` begins with. A sentence may end behind it, or the next field begin.
fn proof_uri_at_start(text: &str) -> Option<String> {
    const UUID: usize = 36;
    let last = text.rfind('/')? + 1;
    bare_proof_uri(text.get(..last + UUID)?)
}

fn is_manifest(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|object| is_legacy_manifest(&object))
}

/// The whole members of an object that is cut short; `None` when it was no manifest.
fn members_of_manifest(text: &[u8]) -> Option<Map<String, Value>> {
    let valid = text.utf8_chunks().next()?.valid();
    let whole = members(valid).into_iter();
    let whole: Map<String, Value> = whole
        .filter_map(|member| Some((member.name.to_owned(), serde_json::from_str(member.value).ok()?)))
        .collect();
    is_legacy_manifest(&whole).then_some(whole)
}
