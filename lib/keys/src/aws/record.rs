//! The record of a signer: which key, with which certificates, and whom to trust besides.

use std::sync::Arc;

use credlink_pipeline::{
    signer::{SignerError, SigningAlgorithm},
    timestamp::Timestamp,
};

use crate::{
    algorithm::KeyKind,
    chain::{self, CertificateSummary, Chain},
    error::KeysError,
    pem_file::{MAX_CERTIFICATES, PemFile},
    trust,
};

/// One version of who signs. Key and certificates stand in one record, so they can never be mixed. Checked when it is
/// made: order, signatures and profile of the chain, that the key can be one of KMS, and that the chain leads to one
/// of the anchors. Dates are not: see [`SignerRecord::check_dates`].
#[derive(Clone, Debug)]
pub struct SignerRecord {
    version: u64,
    key_arn: String,
    chain: Arc<Chain>,
    anchors: String,
    anchor_certificates: Vec<Vec<u8>>,
    activated_at: Timestamp,
}

/// What a record is made of.
pub(super) struct Parts {
    pub(super) version: u64,
    pub(super) key_arn: String,
    /// DER, leaf first.
    pub(super) chain: Vec<Vec<u8>>,
    /// PEM.
    pub(super) anchors: String,
    pub(super) activated_at: Timestamp,
}

impl SignerRecord {
    /// Checks `parts`, which messages call `name`; when they do not hold, says why.
    pub(super) fn new(name: &str, parts: Parts) -> Result<Self, String> {
        let text = |error: KeysError| error.to_string();
        check_key_arn(&parts.key_arn)?;
        if !(1..=MAX_CERTIFICATES).contains(&parts.chain.len()) {
            return Err(format!("its chain must have 1 to {MAX_CERTIFICATES} certificates"));
        }
        let chain = Chain::of(name, parts.chain).map_err(text)?;
        if let Some(note) = chain.notes().first() {
            return Err(format!("its chain must hold the leaf and its issuers, each once ({note})"));
        }
        if chain.kind() == KeyKind::Ed25519 {
            return Err("its leaf has an Ed25519 key, which KMS does not sign digests with".to_owned());
        }
        let anchors = PemFile::new("its anchors", parts.anchors.into_bytes()).map_err(text)?;
        let roots = anchors.certificates().map_err(text)?;
        if !roots.iter().all(|root| chain::is_authority(root)) {
            return Err("one of its anchors is not a certificate authority".to_owned());
        }
        if !trust::leads_to(chain.last(), &roots) {
            return Err(format!("its chain leads to none of its anchors, but to {}", chain.root_name()));
        }
        let Parts { version, key_arn, activated_at, .. } = parts;
        let (chain, anchors) = (Arc::new(chain), trust::encode(&roots));
        Ok(Self { version, key_arn, chain, anchors, anchor_certificates: roots, activated_at })
    }

    /// Counted from one; each activation adds one.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The ARN of the KMS key.
    pub fn key_arn(&self) -> &str {
        &self.key_arn
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.chain.kind()
    }

    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.kind().signing_algorithm()
    }

    /// The chain in DER, leaf first, without the root.
    pub fn chain(&self) -> &[Vec<u8>] {
        self.chain.certificates()
    }

    /// The facts of the certificates, leaf first.
    pub fn certificates(&self) -> &[CertificateSummary] {
        self.chain.summaries()
    }

    /// The trust anchors as PEM: this signer's root, and those of earlier signers.
    pub fn anchors(&self) -> &str {
        &self.anchors
    }

    /// When the first certificate of the chain expires.
    pub fn not_after(&self) -> Timestamp {
        let expiries = self.certificates().iter().map(|certificate| certificate.not_after);
        expiries.min().unwrap_or(self.activated_at)
    }

    /// When it became the active one.
    pub fn activated_at(&self) -> Timestamp {
        self.activated_at
    }

    /// That every certificate is valid at `now`.
    ///
    /// # Errors
    /// [`SignerError::Unusable`] with the certificate and its date.
    pub fn check_dates(&self, now: Timestamp) -> Result<(), SignerError> {
        let why = match self.chain.check_dates(now) {
            Ok(()) => return Ok(()),
            Err(KeysError::Expired { certificate, not_after, .. }) => format!(
                "{certificate} expired on {not_after}: activate a new key with `credlink keys activate`"
            ),
            Err(KeysError::NotYetValid { certificate, not_before, .. }) => {
                format!("{certificate} is not valid before {not_before}: check the clock")
            }
            Err(error) => error.to_string(),
        };
        Err(SignerError::Unusable(format!("in version {} of the active signer, {why}", self.version)))
    }

    /// Whether it has this key and this chain, in whatever version.
    pub(super) fn is(&self, key_arn: &str, chain: &Chain) -> bool {
        self.key_arn == key_arn && self.chain() == chain.certificates()
    }

    /// The trust anchors as DER.
    pub(super) fn anchor_certificates(&self) -> &[Vec<u8>] {
        &self.anchor_certificates
    }

    pub(super) fn checked_chain(&self) -> &Arc<Chain> {
        &self.chain
    }
}

/// That `arn` names a key of KMS itself, not an alias, which could come to mean another key.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN>
pub(super) fn check_key_arn(arn: &str) -> Result<(), String> {
    let mut parts = arn.split(':');
    let [prefix, _partition, service, region, account, resource] =
        [(); 6].map(|()| parts.next().unwrap_or(""));
    let id = resource.strip_prefix("key/").unwrap_or("");
    let whole = parts.next().is_none() && prefix == "arn" && service == "kms";
    let named = [region, account, id].iter().all(|part| !part.is_empty());
    // Far above any real one: 36 characters for the key, 12 for the account.
    let plain = arn.len() <= 256 && arn.chars().all(|c| c.is_ascii_graphic());
    if whole && named && plain {
        return Ok(());
    }
    Err("it does not name its key as arn:aws:kms:REGION:ACCOUNT:key/ID".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_key_names_a_key() {
        for good in [
            "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
        ] {
            assert_eq!(check_key_arn(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-central-1:111122223333:alias/signing",
            "arn:aws:kms:eu-central-1:111122223333:key/",
            "arn:aws:kms::111122223333:key/1234",
            "arn:aws:sqs:eu-central-1:111122223333:key/1234",
            "arn:aws:kms:eu-central-1:111122223333:key/1234:more",
            "arn:aws:kms:eu-central-1:111122223333:key/12 34",
        ] {
            assert!(check_key_arn(bad).is_err(), "{bad}");
        }
        let long = format!("arn:aws:kms:eu-central-1:111122223333:key/{}", "a".repeat(300));
        assert!(check_key_arn(&long).is_err());
    }
}
