//! What there is to know about an active signer; nothing secret.

use std::fmt;

use credlink_pipeline::{signer::SigningAlgorithm, timestamp::Timestamp};
use serde::Serialize;

use super::record::SignerRecord;
use crate::{
    algorithm::KeyKind,
    chain::{self, CertificateSummary},
};

/// The facts of a signer's record, for people and programs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignerSummary {
    /// Counted from one; each activation adds one.
    pub version: u64,
    /// The KMS key.
    pub key_arn: String,
    /// What the key signs with.
    pub algorithm: SigningAlgorithm,
    /// What kind of key it is.
    pub key_kind: KeyKind,
    /// The facts of the leaf certificate.
    #[serde(flatten)]
    pub leaf: Option<CertificateSummary>,
    /// Whole days until the leaf expires; negative afterwards.
    pub days_left: i64,
    /// Why it cannot sign now, in one sentence; `None` when it can.
    pub problem: Option<String>,
    /// The certificates of the chain, leaf first, without the root.
    pub chain: Vec<CertificateSummary>,
    /// The trust anchors: the root of this signer and those of earlier ones.
    pub anchors: Vec<CertificateSummary>,
    /// When it became the active one.
    pub activated_at: Timestamp,
}

impl SignerSummary {
    /// Describes `record` as it is at `now`.
    pub fn of(record: &SignerRecord, now: Timestamp) -> Self {
        let leaf = record.certificates().first().cloned();
        let anchors = record.anchor_certificates();
        Self {
            version: record.version(),
            key_arn: record.key_arn().to_owned(),
            algorithm: record.algorithm(),
            key_kind: record.kind(),
            days_left: leaf.as_ref().map_or(0, |leaf| leaf.days_left(now)),
            leaf,
            problem: record.check_dates(now).err().map(|error| error.to_string()),
            chain: record.certificates().to_vec(),
            anchors: anchors.iter().filter_map(|der| chain::summary(der)).collect(),
            activated_at: record.activated_at(),
        }
    }
}

/// Several lines for a terminal, without a line feed at the end.
impl fmt::Display for SignerSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Version        {}", self.version)?;
        writeln!(f, "KMS key        {}", self.key_arn)?;
        writeln!(f, "Algorithm      {} ({})", self.algorithm, self.key_kind)?;
        if let Some(leaf) = &self.leaf {
            writeln!(f, "Subject        {}", leaf.subject)?;
            writeln!(f, "Issuer         {}", leaf.issuer)?;
            writeln!(f, "Serial number  {}", leaf.serial_number)?;
            writeln!(f, "Valid from     {}", leaf.not_before)?;
            writeln!(f, "Valid until    {} ({} days left)", leaf.not_after, self.days_left)?;
        }
        for (index, certificate) in self.chain.iter().enumerate() {
            writeln!(f, "SHA-256        {}  certificate {}", certificate.sha256, index + 1)?;
        }
        for anchor in &self.anchors {
            writeln!(f, "Trust anchor   {}  {}", anchor.sha256, anchor.subject)?;
        }
        write!(f, "Active since   {}", self.activated_at)?;
        self.problem.as_ref().map_or(Ok(()), |problem| write!(f, "\nPROBLEM        {problem}"))
    }
}
