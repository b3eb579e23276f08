//! What a manifest store looks like before anybody believes it. Two things come out: whether the C2PA library may be
//! given the store at all, and what speaks against the active manifest that the library does not see, or does not say
//! in the codes of the specification.

mod assertions;
mod boxes;
mod cbor_cost;
mod claim;
mod cose;

use std::{collections::BTreeSet, io::Read};

use brotli_decompressor::Decompressor;
use ciborium::Value;

use super::{Status, StatusKind};
use boxes::{BoxError, MAX_BOXES, Superbox};
use cbor_cost::{Allowance, TooMuch};

/// The most bytes that all compressed manifests of a store may unpack to, together. The library knows a limit for each.
const MAX_UNPACKED: u64 = 32 * 1024 * 1024;

/// The most assertions in a manifest. Real ones have some tens; the library compares each with each.
const MAX_ASSERTIONS: usize = 500;

/// The code for a signature that does not say clearly whose it is. Nobody is to be named then.
pub(super) const UNCLEAR_SIGNER: &str = "signingCredential.invalid";

/// The types of boxes that hold a manifest (C2PA 2.4, section 11.2).
const MANIFESTS: [&[u8; 4]; 4] = [b"c2ma", b"c2um", b"c2md", b"c2cm"];

/// Looks at a store. The statuses are failures of the active manifest.
///
/// # Errors
/// A status, when the library must not be given the store: it would never end, or end the process.
pub(super) fn objections(store: &[u8]) -> Result<Vec<Status>, Status> {
    let mut boxes = MAX_BOXES;
    let outer = Superbox::read(store, &mut boxes).map_err(refused)?;
    let unpacked = unpacked(&outer)?;
    let inner: Vec<Option<Superbox<'_>>> = unpacked
        .iter()
        .map(|bytes| bytes.as_ref().map(|bytes| Superbox::read(bytes, &mut boxes)).transpose())
        .collect::<Result<_, _>>()
        .map_err(|error| failure(COMPRESSED_INVALID, error.to_string()))?;
    if inner.iter().flatten().any(|manifest| manifest.is(b"c2cm") || manifest.content(b"brob").is_some()) {
        return Err(failure(COMPRESSED_INVALID, "a compressed manifest holds a compressed manifest".into()));
    }
    let manifests: Vec<&Superbox<'_>> = outer
        .superboxes
        .iter()
        .zip(&inner)
        .map(|(packed, unpacked)| unpacked.as_ref().unwrap_or(packed))
        .collect();
    let mut allowance = Allowance::new();
    manifests.iter().try_for_each(|manifest| affordable(manifest, false, &mut allowance))?;
    let known = |manifest: &&&Superbox<'_>| MANIFESTS.iter().any(|kind| manifest.is(kind));
    let Some(active) = manifests.iter().rfind(known) else {
        return Ok(vec![failure("claim.missing", "there is no manifest in the store".into())]);
    };
    let mut found = objections_to(active);
    if manifests.iter().filter(|manifest| manifest.label == active.label).count() > 1 {
        found.push(failure("claim.malformed", "two manifests have the same label".into()));
    }
    Ok(found)
}

/// Whether the manifest `label` has one signature that names one signer. Where it does not, one reader takes the signer's
/// certificate and another one's.
pub(crate) fn names_one_signer(store: &[u8], label: &str) -> bool {
    let Ok(outer) = Superbox::read(store, &mut MAX_BOXES.clone()) else { return false };
    let mut named = outer.superboxes.iter().filter(|manifest| manifest.label == label);
    let (Some(manifest), None) = (named.next(), named.next()) else { return false };
    let signature = manifest.superboxes.iter().find(|part| part.is(b"c2cs"));
    form(manifest).is_empty() && signature.is_some_and(|signature| cose::objections(signature).is_none())
}

/// Drops what the library says about a part that was not checked at all, for a reason that is known.
pub(super) fn supersede(status: &mut Vec<Status>, objections: &[Status]) {
    let failed = |status: &[Status], code: &str| {
        status
            .iter()
            .any(|one| one.ingredient.is_none() && one.kind == StatusKind::Failure && one.code == code)
    };
    let unknown_hash = failed(objections, "algorithm.unsupported");
    let malformed_hash = failed(objections, "assertion.dataHash.malformed");
    let unclear_signer = failed(objections, UNCLEAR_SIGNER);
    let unknown_signature = failed(status, "algorithm.unsupported");
    status.retain(|one| {
        let follows = match one.code.as_str() {
            "assertion.hashedURI.mismatch" => unknown_hash,
            "assertion.dataHash.mismatch" => unknown_hash || malformed_hash,
            "claimSignature.mismatch" => unknown_signature,
            code => unclear_signer && code.starts_with("signingCredential."),
        };
        one.ingredient.is_some() || !follows
    });
}

/// The code of our own for a store that is larger than we look at.
const LIMIT: &str = "com.credlink.store.limit";

const COMPRESSED_INVALID: &str = "manifest.compressed.invalid";

fn refused(error: BoxError) -> Status {
    let code = match error {
        BoxError::Damaged(_) => "claim.missing",
        BoxError::TooMany | BoxError::TooDeep => LIMIT,
    };
    failure(code, error.to_string())
}

/// The contents of compressed manifests (C2PA 2.4, section 11.2.3), each in the place of its manifest.
fn unpacked(store: &Superbox<'_>) -> Result<Vec<Option<Vec<u8>>>, Status> {
    let mut left = MAX_UNPACKED;
    let unpack = |manifest: &Superbox<'_>| {
        let Some(packed) = manifest.content(b"brob") else {
            if manifest.is(b"c2cm") {
                return Err(failure(COMPRESSED_INVALID, "a compressed manifest has nothing in it".into()));
            }
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = Decompressor::new(packed, 64 * 1024).take(left + 1).read_to_end(&mut bytes);
        if let Err(error) = read {
            return Err(failure(
                COMPRESSED_INVALID,
                format!("a compressed manifest does not unpack: {error}"),
            ));
        }
        left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            failure(COMPRESSED_INVALID, format!("the manifests unpack to more than {MAX_UNPACKED} bytes"))
        })?;
        Ok(Some(bytes))
    };
    store.superboxes.iter().map(unpack).collect()
}

/// There are not too many assertions in a manifest, and its CBOR can be decoded.
fn affordable(within: &Superbox<'_>, is_assertion: bool, allowance: &mut Allowance) -> Result<(), Status> {
    if within.is(b"c2as") && within.superboxes.len() > MAX_ASSERTIONS {
        return Err(failure(LIMIT, format!("a manifest has more than {MAX_ASSERTIONS} assertions")));
    }
    for (_, content) in within.contents.iter().filter(|(kind, _)| *kind == b"cbor") {
        let Err(reason) = allowance.spend(content, is_assertion) else { continue };
        let code = match reason {
            TooMuch::Items | TooMuch::Binary => LIMIT,
            TooMuch::Deep if within.is(b"c2cl") => "claim.cbor.invalid",
            TooMuch::Deep if within.is(b"c2cs") => "claimSignature.mismatch",
            TooMuch::Deep => "assertion.cbor.invalid",
        };
        return Err(failure(code, format!("{}: {reason}", within.label)));
    }
    let holds_assertions = is_assertion || within.is(b"c2as");
    within.superboxes.iter().try_for_each(|inner| affordable(inner, holds_assertions, allowance))
}

fn objections_to(manifest: &Superbox<'_>) -> Vec<Status> {
    let of_kind = |kind: &'static [u8; 4]| manifest.superboxes.iter().filter(move |part| part.is(kind));
    let mut found = form(manifest);
    match of_kind(b"c2cl").next() {
        None => found.push(failure("claim.missing", "the manifest has no claim".into())),
        Some(claim) => found.extend(claim::objections(claim)),
    }
    match of_kind(b"c2cs").next() {
        None => found.push(failure("claimSignature.missing", "the manifest has no claim signature".into())),
        Some(signature) => found.extend(cose::objections(signature)),
    }
    match of_kind(b"c2as").next() {
        None => found.push(failure("assertion.missing", "the manifest has no assertion store".into())),
        Some(store) => {
            found.extend(assertions::objections(store));
            if manifest.is(b"c2um") {
                found.extend(assertions::objections_to_update(store));
            }
            // A claim that is none declares nothing.
            let is_claim = !found.iter().any(|status| status.code.starts_with("claim."));
            let claim = of_kind(b"c2cl").next().filter(|_| is_claim);
            let claim = claim.and_then(|claim| decoded(claim.content(b"cbor")?));
            found.extend(claim.iter().flat_map(|claim| undeclared(claim, manifest.label, store)));
        }
    }
    found
}

/// A claim names every assertion in the store, and none besides (C2PA 2.4, section 15.10).
fn undeclared(claim: &Value, manifest: &str, store: &Superbox<'_>) -> Vec<Status> {
    let absolute = format!("self#jumbf=/c2pa/{manifest}/c2pa.assertions/");
    let label = |address| {
        let address: &str = address;
        address.strip_prefix("self#jumbf=c2pa.assertions/").or_else(|| address.strip_prefix(&absolute))
    };
    let addresses = claim::references(claim).filter_map(|reference| field(reference, "url")?.as_text());
    let named: BTreeSet<&str> = addresses.filter_map(label).collect();
    let there: BTreeSet<&str> = store.superboxes.iter().map(|one| one.label).collect();
    let missing = named.difference(&there).next().map(|label| ("assertion.missing", label, "is not there"));
    let further =
        there.difference(&named).next().map(|label| ("assertion.undeclared", label, "is not in the claim"));
    let found = missing.into_iter().chain(further);
    found.map(|(code, label, what)| failure(code, format!("the assertion {label} {what}"))).collect()
}

/// A manifest has one part of each kind, under the name of the kind (C2PA 2.4, section 11.2.1). Whoever reads a second
/// one would read another manifest.
fn form(manifest: &Superbox<'_>) -> Vec<Status> {
    const PARTS: [(&[u8; 4], &str, &str); 3] = [
        (b"c2cl", "c2pa.claim", "claim.multiple"),
        (b"c2cs", "c2pa.signature", "claim.malformed"),
        (b"c2as", "c2pa.assertions", "claim.malformed"),
    ];
    let mut found = Vec::new();
    for (kind, name, code) in PARTS {
        let named = |part: &Superbox<'_>| part.label.strip_prefix(name).is_some_and(is_version);
        let parts = || manifest.superboxes.iter().filter(|part| part.is(kind) || named(part));
        if parts().count() > 1 {
            found.push(failure(code, format!("the manifest has more than one {name}")));
        } else if parts().any(|part| !(part.is(kind) && named(part))) {
            found.push(failure(
                "claim.malformed",
                format!("the {name} is not what its type or its name says"),
            ));
        }
    }
    found
}

/// Whether this is what may follow a name: nothing, or a version.
fn is_version(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.')
}

/// A failure of the active manifest.
fn failure(code: &str, reason: String) -> Status {
    Status::new(StatusKind::Failure, code, reason)
}

/// The one item that fills `bytes`.
fn decoded(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}

/// The field of a map.
fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

/// Whether a hash algorithm is one of C2PA 2.4, section 13.1; one that is not named is somebody else's to name.
fn is_known_hash(algorithm: Option<&Value>) -> bool {
    algorithm.is_none_or(|value| {
        value
            .as_text()
            .is_some_and(|name| ["sha256", "sha384", "sha512"].contains(&name.to_lowercase().as_str()))
    })
}
