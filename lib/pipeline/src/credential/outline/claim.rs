//! Whether a claim is one (C2PA 2.4, sections 10.2 and 15.6).

use ciborium::Value;

use super::{Status, Superbox, decoded, failure, field, is_known_hash};

const MALFORMED: &str = "claim.malformed";

/// What speaks against the claim in this box.
pub(super) fn objections(claim: &Superbox<'_>) -> Vec<Status> {
    let Some(content) = claim.content(b"cbor") else {
        return vec![failure("claim.missing", "the claim's box holds no CBOR".into())];
    };
    let Some(value) = decoded(content) else {
        return vec![failure("claim.cbor.invalid", "the claim is not well-formed CBOR".into())];
    };
    let mut found = Vec::new();
    found.extend(missing(&value, claim.label).map(|reason| failure(MALFORMED, reason.into())));
    if !is_known_hash(field(&value, "alg")) {
        found.push(failure("algorithm.unsupported", "the claim names an unknown hash algorithm".into()));
    }
    found.extend(signature_address(&value));
    found.extend(references(&value).filter_map(objection_to_reference));
    found
}

/// What a claim says of assertions: their addresses and hashes.
pub(super) fn references(claim: &Value) -> impl Iterator<Item = &Value> {
    const LISTS: [&str; 3] = ["assertions", "created_assertions", "gathered_assertions"];
    LISTS.iter().filter_map(|name| field(claim, name)?.as_array()).flatten()
}

/// What a claim has to have and this one has not.
fn missing(claim: &Value, label: &str) -> Option<&'static str> {
    let text = |name| field(claim, name).is_some_and(Value::is_text);
    // The first version has other names for two of the fields.
    let first = label == "c2pa.claim";
    let list =
        field(claim, if first { "assertions" } else { "created_assertions" }).and_then(Value::as_array);
    let generator = if first {
        field(claim, "claim_generator")
    } else {
        field(claim, "claim_generator_info").and_then(|info| field(info, "name"))
    };
    if !claim.is_map() {
        Some("the claim is no map")
    } else if !text("instanceID") {
        Some("the claim has no instanceID")
    } else if !text("signature") {
        Some("the claim does not say where its signature is")
    } else if list.is_none_or(Vec::is_empty) {
        Some("the claim lists no assertions")
    } else if !generator.is_some_and(Value::is_text) {
        Some("the claim does not name its generator")
    } else {
        None
    }
}

/// The signature stands in the same manifest (C2PA 2.4, section 15.7).
fn signature_address(claim: &Value) -> Option<Status> {
    let address = field(claim, "signature")?.as_text()?;
    let here = address.starts_with("self#jumbf=") && address.ends_with("c2pa.signature");
    (!here).then(|| failure("claimSignature.missing", "the claim's signature is not in its manifest".into()))
}

fn objection_to_reference(value: &Value) -> Option<Status> {
    let address = field(value, "url").and_then(Value::as_text);
    let hash = field(value, "hash").and_then(Value::as_bytes);
    let (Some(address), Some(_)) = (address, hash) else {
        return Some(failure(
            MALFORMED,
            "the claim refers to an assertion without its address or its hash".into(),
        ));
    };
    if !address.starts_with("self#jumbf=") {
        return Some(failure("assertion.outsideManifest", "an assertion is not in the manifest".into()));
    }
    (!is_known_hash(field(value, "alg")))
        .then(|| failure("algorithm.unsupported", "a reference names an unknown hash algorithm".into()))
}
