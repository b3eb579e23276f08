//! Whether a claim signature says one thing only (C2PA 2.4, sections 13.2 and 14.6). Where it says two, one reader takes
//! the signer's certificate and another one's, and the signer would pass for somebody else.

use ciborium::Value;

use super::{Status, Superbox, UNCLEAR_SIGNER, decoded, failure};

const MISMATCH: &str = "claimSignature.mismatch";

/// The tag of a COSE_Sign1 structure (RFC 9052, section 4.2).
const SIGN1: u64 = 18;

/// COSE header labels (RFC 9052, section 3.1; RFC 9360, section 2).
const ALGORITHM: i128 = 1;
const CHAIN: i128 = 33;
const CHAIN_NAME: &str = "x5chain";

/// What speaks against the claim signature in this box.
pub(super) fn objections(signature: &Superbox<'_>) -> Option<Status> {
    let Some(content) = signature.content(b"cbor") else {
        return Some(failure("claimSignature.missing", "the signature's box holds no CBOR".into()));
    };
    let Some((protected, unprotected)) = headers(content) else {
        return Some(failure(MISMATCH, "the claim signature is not a COSE_Sign1 structure".into()));
    };
    match chains(&protected).chain(chains(&unprotected)).count() {
        0 => {
            return Some(failure(
                "signingCredential.invalid",
                "the claim signature names no certificate".into(),
            ));
        }
        1 => {}
        _ => {
            let reason = "the claim signature names its certificates more than once";
            return Some(failure(UNCLEAR_SIGNER, reason.into()));
        }
    }
    if !has_certificate(chains(&protected).chain(chains(&unprotected)).next()) {
        return Some(failure(UNCLEAR_SIGNER, "the claim signature has no certificate".into()));
    }
    let algorithms = protected.iter().filter(|(key, _)| is(key, ALGORITHM)).count();
    (algorithms > 1)
        .then(|| failure("algorithm.unsupported", "the claim signature names two algorithms".into()))
}

type Header = Vec<(Value, Value)>;

fn headers(content: &[u8]) -> Option<(Header, Header)> {
    let Value::Tag(SIGN1, inner) = decoded(content)? else { return None };
    let [protected, unprotected, _, _] = <[Value; 4]>::try_from(inner.into_array().ok()?).ok()?;
    let protected = decoded(&protected.into_bytes().ok()?)?;
    Some((protected.into_map().ok()?, unprotected.into_map().ok()?))
}

/// Where a header names certificates: under the number, or under the name as older signatures do.
fn chains(header: &Header) -> impl Iterator<Item = &Value> {
    header
        .iter()
        .filter(|(key, _)| is(key, CHAIN) || key.as_text() == Some(CHAIN_NAME))
        .map(|(_, value)| value)
}

/// One certificate stands alone, several in an array, and nothing else (RFC 9360, section 2).
fn has_certificate(chain: Option<&Value>) -> bool {
    match chain {
        Some(Value::Bytes(certificate)) => !certificate.is_empty(),
        Some(Value::Array(chain)) => !chain.is_empty() && chain.iter().all(Value::is_bytes),
        _ => false,
    }
}

fn is(key: &Value, number: i128) -> bool {
    key.as_integer().is_some_and(|key| i128::from(key) == number)
}
