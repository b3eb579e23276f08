//! Why KMS or the record of the active signer cannot be used, each in one sentence that says what to do next.

use credlink_pipeline::signer::SignerError;
use thiserror::Error;

/// Why a KMS key cannot become a signer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KmsKeyError {
    /// KMS throttles or cannot be reached.
    #[error("KMS is not available now: {0}; try again")]
    Unavailable(String),
    /// KMS says no.
    #[error(
        "KMS refuses to show the public key of {key}: {reason}; check the key's ARN, the region and the permission \
         kms:GetPublicKey"
    )]
    Refused {
        /// The key, as it was asked for.
        key: String,
        /// What KMS says.
        reason: String,
    },
    /// A key for something else.
    #[error("the KMS key {key} is for {usage}: make one with the key usage SIGN_VERIFY")]
    NotForSigning {
        /// The key.
        key: String,
        /// Its key usage.
        usage: String,
    },
    /// A key that C2PA or this project does not sign with.
    #[error(
        "the KMS key {key} has the key spec {spec}: make one with RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256 or \
         ECC_NIST_P384"
    )]
    UnsupportedSpec {
        /// The key.
        key: String,
        /// Its key spec.
        spec: String,
    },
    /// An answer without what it must contain.
    #[error("KMS gave an unusable answer for {key} ({missing}): check the endpoint")]
    BadAnswer {
        /// The key.
        key: String,
        /// What is missing or wrong.
        missing: &'static str,
    },
}

/// Why the record of the active signer could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// Nobody activated a signer.
    #[error(
        "no signer is active in table {table}: activate one with `credlink keys activate --kms-key ARN --table {table}`"
    )]
    NoActiveSigner {
        /// The table.
        table: String,
    },
    /// DynamoDB throttles or cannot be reached.
    #[error("table {table} is not available now: {reason}; try again")]
    Unavailable {
        /// The table.
        table: String,
        /// What happened.
        reason: String,
    },
    /// DynamoDB says no.
    #[error("table {table} cannot be used: {reason}; check its name, the region and the permissions")]
    Refused {
        /// The table.
        table: String,
        /// What DynamoDB says.
        reason: String,
    },
    /// The item is there, but it is no usable record.
    #[error(
        "the signer in table {table} (pk=signer, sk={sk}) is damaged: {reason}; put the copy of an earlier version \
         (sk=version#...) in its place, or delete it and activate a signer"
    )]
    Damaged {
        /// The table.
        table: String,
        /// The sort key of the item.
        sk: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else activated a signer in between. Nothing was changed.
    #[error(
        "another signer was activated in table {table} meanwhile, and nothing was changed: look with \
         `credlink keys show --table {table}`, then try again"
    )]
    LostRace {
        /// The table.
        table: String,
    },
    /// The record would not fit. Nothing was changed.
    #[error(
        "the record of the signer would be too large for table {table} ({what}): give only the root of the chain, or \
         take roots that nobody needs any more out of the attribute `anchors` of pk=signer, sk=active"
    )]
    TooLarge {
        /// The table.
        table: String,
        /// What is too large, and the limit.
        what: String,
    },
    /// There is no copy of this version.
    #[error("table {table} has no version {version}: choose one of `credlink keys history --table {table}`")]
    NoVersion {
        /// The table.
        table: String,
        /// The version that was asked for.
        version: u64,
    },
    /// An earlier version cannot sign now. Nothing was changed.
    #[error(
        "version {version} in table {table} cannot become active again: {reason}; choose another one of \
         `credlink keys history --table {table}`"
    )]
    NotValid {
        /// The table.
        table: String,
        /// The version that was asked for.
        version: u64,
        /// Which certificate, and its date.
        reason: String,
    },
}

impl RecordsError {
    /// The table.
    pub fn table(&self) -> &str {
        match self {
            Self::NoActiveSigner { table }
            | Self::Unavailable { table, .. }
            | Self::Refused { table, .. }
            | Self::Damaged { table, .. }
            | Self::LostRace { table }
            | Self::TooLarge { table, .. }
            | Self::NoVersion { table, .. }
            | Self::NotValid { table, .. } => table,
        }
    }
}

impl From<RecordsError> for SignerError {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Unavailable { .. } => Self::Unavailable(error.to_string()),
            _ => Self::Unusable(error.to_string()),
        }
    }
}
