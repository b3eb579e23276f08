//! What a new certificate must be before its key may sign.

use credlink_pipeline::timestamp::Timestamp;
use x509_parser::{prelude::FromDer, x509::SubjectPublicKeyInfo};

use super::ports::{CandidateKey, Fault, SignerVersion};
use crate::{chain, chain::Chain, error::KeysError, import, pem_file::PemFile};

/// What a new certificate is measured by.
pub(super) struct Measure<'a> {
    /// The key that it must be for.
    pub(super) key: &'a CandidateKey,
    /// All signers that ever were.
    pub(super) versions: &'a [SignerVersion],
    /// The active one, when the new certificate must outlast it.
    pub(super) outlasts: Option<&'a SignerVersion>,
    /// How many days it must be valid for at least; with fewer it would be due at once.
    pub(super) least_days: u32,
    /// The time.
    pub(super) now: Timestamp,
}

impl Measure<'_> {
    /// That `chain` has the right order, signatures, profile and dates, is for the key, leads to `root`, lasts long
    /// enough, and is for a key that never signed before.
    ///
    /// # Errors
    /// [`Fault`] with the first thing that is wrong. A certificate that is not valid yet may come to be.
    pub(super) fn check(&self, chain: &PemFile, root: &PemFile) -> Result<(), Fault> {
        let refused = |problem: String| Fault::lasting("the new certificate", problem, ASK_AGAIN);
        let checked = Chain::read(chain).map_err(|error| fault(&error))?;
        let bits = public_key_bits(&self.key.public_key_info)
            .ok_or_else(|| refused("the public key of the new key cannot be read".to_owned()))?;
        checked
            .check_public_key(self.key.kind, &bits, &self.key.name.to_string())
            .map_err(|error| fault(&error))?;
        checked.check_dates(self.now).map_err(|error| fault(&error))?;
        import::matching_roots(root, &checked, chain, self.now).map_err(|error| fault(&error))?;
        self.check_length(&checked).map_err(refused)?;
        self.check_new_key(checked.leaf_public_key()).map_err(refused)
    }

    fn check_length(&self, chain: &Chain) -> Result<(), String> {
        let Some(ends) = chain.summaries().iter().map(|summary| summary.not_after).min() else {
            return Err("it is empty".to_owned());
        };
        let days =
            chain.summaries().iter().map(|summary| summary.days_left(self.now)).min().unwrap_or(i64::MIN);
        if days < i64::from(self.least_days) {
            return Err(format!(
                "its chain is valid for {days} days only, and with fewer than {} it would be replaced at once",
                self.least_days
            ));
        }
        match self.outlasts {
            Some(active) if ends <= active.not_after => Err(format!(
                "its chain expires on {ends}, not later than the active one, on {}",
                active.not_after
            )),
            _ => Ok(()),
        }
    }

    fn check_new_key(&self, public_key: &[u8]) -> Result<(), String> {
        let used = |version: &SignerVersion| {
            version.chain.first().and_then(|leaf| chain::public_key_of(leaf)).as_deref() == Some(public_key)
        };
        match self.versions.iter().find(|version| used(version)) {
            Some(version) => Err(format!(
                "its key signed before, as version {}, and C2PA wants a new key for a new certificate",
                version.version
            )),
            None => Ok(()),
        }
    }
}

/// That every certificate of `chain` is valid at `now`.
///
/// # Errors
/// [`Fault`]; one that is not valid yet may come to be.
pub(super) fn check_dates(chain: &PemFile, now: Timestamp) -> Result<(), Fault> {
    Chain::read(chain).and_then(|chain| chain.check_dates(now)).map_err(|error| fault(&error))
}

fn fault(error: &KeysError) -> Fault {
    let (resource, problem) = ("the new certificate", error.to_string());
    match error {
        KeysError::NotYetValid { .. } => Fault::passing(resource, problem, "it is tried again later"),
        _ => Fault::lasting(resource, problem, ASK_AGAIN),
    }
}

const ASK_AGAIN: &str = "the request is given up and the next run makes a new key and a new request; have the authority \
                         issue what the request asks for (docs/rotation.md)";

/// The bit string in a `SubjectPublicKeyInfo`.
fn public_key_bits(public_key_info: &[u8]) -> Option<Vec<u8>> {
    let (rest, parsed) = SubjectPublicKeyInfo::from_der(public_key_info).ok()?;
    rest.is_empty().then(|| parsed.subject_public_key.data.to_vec())
}
