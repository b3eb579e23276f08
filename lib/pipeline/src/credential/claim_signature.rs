//! The claim signature of a manifest as it stands: who says to have signed, what proves when, and what was stapled
//! to it. Nothing here is verified.
//!
//! The C2PA library verifies the signature itself, but tells neither the time-stamp tokens nor the stapled OCSP
//! responses, and its opinion on both is not ours.

use ciborium::Value;

use crate::jumbf;

/// A COSE_Sign1 structure (RFC 9052, section 4.2), read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimSignature {
    /// The algorithm in lower case, for example `ps256`; `None` when it is not one that C2PA knows.
    pub algorithm: Option<&'static str>,
    /// The certificates in DER as they stand there: the signer's first, at most [`MAX_CERTIFICATES`].
    pub chain: Vec<Vec<u8>>,
    /// The time-stamps.
    pub stamps: Vec<StampToken>,
    /// What a time-stamp in an assertion of another manifest has to be a stamp of: any of these.
    pub stamped_later: Vec<Vec<u8>>,
    /// OCSP responses in DER, stapled (`rVals`; C2PA 2.4, section 15.11); at most [`MAX_STAPLES`].
    pub staples: Vec<Vec<u8>>,
}

/// A time-stamp as it stands in a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampToken {
    /// A `TimeStampToken` (`sigTst2`) or a `TimeStampResp` (`sigTst`) in DER (RFC 3161, section 2.4.2).
    pub token: Vec<u8>,
    /// What it has to be a stamp of: the COSE `CounterSignature` structure (RFC 8152, section 4.5).
    pub message: Vec<u8>,
}

/// The most certificates that are looked at. C2PA sets no limit; real chains have two to four.
pub const MAX_CERTIFICATES: usize = 32;

/// The most stapled responses that are looked at.
pub const MAX_STAPLES: usize = 8;

/// The most time-stamps that are looked at; C2PA allows one.
const MAX_STAMPS: usize = 2;

/// COSE header labels (RFC 9052, section 3.1; RFC 9360, section 2).
const ALGORITHM: i128 = 1;
const X5CHAIN: i128 = 33;

impl ClaimSignature {
    /// Reads the signature of the manifest `label`; `None` when there is none that can be read.
    pub fn of_manifest(store: &[u8], label: &str) -> Option<Self> {
        let signature = Structure::read(jumbf::content_of(store, label, "c2pa.signature")?)?;
        let claim = jumbf::content_of(store, label, "c2pa.claim").unwrap_or_default();
        Some(Self {
            algorithm: signature
                .header(ALGORITHM)
                .and_then(Value::as_integer)
                .and_then(|id| algorithm_name(id.into())),
            chain: signature.chain(),
            stamps: signature.stamps(claim),
            stamped_later: signature.stamped_later(),
            staples: signature.staples(),
        })
    }
}

struct Structure {
    protected_bytes: Vec<u8>,
    protected: Vec<(Value, Value)>,
    unprotected: Vec<(Value, Value)>,
    signature: Vec<u8>,
}

impl Structure {
    fn read(cose: &[u8]) -> Option<Self> {
        let value: Value = ciborium::from_reader(cose).ok()?;
        let parts = match value {
            Value::Tag(_, inner) => inner.into_array().ok()?,
            other => other.into_array().ok()?,
        };
        let [protected, unprotected, _, signature] = <[Value; 4]>::try_from(parts).ok()?;
        let protected_bytes = protected.into_bytes().ok()?;
        let protected: Value = ciborium::from_reader(protected_bytes.as_slice()).ok()?;
        Some(Self {
            protected_bytes,
            protected: protected.into_map().ok()?,
            unprotected: unprotected.into_map().ok()?,
            signature: signature.into_bytes().ok()?,
        })
    }

    /// The value under a number; the protected header goes first.
    fn header(&self, number: i128) -> Option<&Value> {
        let is = |key: &Value| key.as_integer().is_some_and(|key| i128::from(key) == number);
        let both = self.protected.iter().chain(&self.unprotected);
        both.into_iter().find(|(key, _)| is(key)).map(|(_, value)| value)
    }

    /// The value under a name.
    fn named(&self, name: &str) -> Option<&Value> {
        let both = self.protected.iter().chain(&self.unprotected);
        both.into_iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    }

    /// One certificate stands alone, several in an array (RFC 9360, section 2). Older signatures use a name.
    fn chain(&self) -> Vec<Vec<u8>> {
        match self.header(X5CHAIN).or_else(|| self.named("x5chain")) {
            Some(Value::Bytes(certificate)) => vec![certificate.clone()],
            Some(Value::Array(chain)) => {
                chain.iter().take(MAX_CERTIFICATES).filter_map(Value::as_bytes).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// A stamp of version 2 is over the signature, one of version 1 over the claim (C2PA 2.4, section 10.3.2.5).
    fn stamps(&self, claim: &[u8]) -> Vec<StampToken> {
        let mut over_signature = Vec::new();
        if ciborium::into_writer(&Value::Bytes(self.signature.clone()), &mut over_signature).is_err() {
            return Vec::new();
        }
        let (container, payload) = match (self.named("sigTst2"), self.named("sigTst")) {
            (Some(container), _) => (container, over_signature.as_slice()),
            (None, Some(container)) => (container, claim),
            (None, None) => return Vec::new(),
        };
        let Some(message) = self.counter_signature(payload) else { return Vec::new() };
        let tokens =
            entry(container, "tstTokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let tokens = tokens.iter().take(MAX_STAMPS).filter_map(|token| entry(token, "val")?.as_bytes());
        tokens.map(|token| StampToken { token: token.clone(), message: message.clone() }).collect()
    }

    /// C2PA 2.4, section 18.18.3, asks for a stamp of the `CounterSignature` structure over the signature; what is used,
    /// among others by the C2PA library, is a stamp of the signature's bytes alone. Each is a stamp of this signature and
    /// of nothing else, so each counts.
    fn stamped_later(&self) -> Vec<Vec<u8>> {
        let mut serialized = Vec::new();
        if ciborium::into_writer(&Value::Bytes(self.signature.clone()), &mut serialized).is_err() {
            return Vec::new();
        }
        let structures = [self.counter_signature(&serialized), self.counter_signature(&self.signature)];
        [Some(self.signature.clone())].into_iter().chain(structures).flatten().collect()
    }

    fn counter_signature(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let structure = Value::Array(vec![
            Value::Text("CounterSignature".into()),
            Value::Bytes(self.protected_bytes.clone()),
            Value::Bytes(Vec::new()),
            Value::Bytes(payload.to_vec()),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&structure, &mut bytes).ok()?;
        Some(bytes)
    }

    fn staples(&self) -> Vec<Vec<u8>> {
        let values =
            self.named("rVals").and_then(|values| entry(values, "ocspVals")).and_then(Value::as_array);
        values.into_iter().flatten().take(MAX_STAPLES).filter_map(Value::as_bytes).cloned().collect()
    }
}

fn entry<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

/// The algorithms of C2PA 2.4, section 13.2.1, by their COSE numbers.
fn algorithm_name(id: i128) -> Option<&'static str> {
    Some(match id {
        -7 => "es256",
        -35 => "es384",
        -36 => "es512",
        -37 => "ps256",
        -38 => "ps384",
        -39 => "ps512",
        -8 => "ed25519",
        _ => return None,
    })
}
