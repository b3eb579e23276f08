//! Who signs, on AWS: the key is in KMS, and one record in a DynamoDB table names it together with its certificates.
//!
//! [`NewSigner`] is a [`KmsKey`] with a checked chain; [`SignerRecords`] makes it the active one. What signs takes an
//! [`ActiveSigner`], which follows the record and hands out a [`KmsSigner`]. What only verifies takes a
//! [`CachedRecord`] for the trust anchors, and links nothing of KMS. [`rotation`] replaces the signer in time.

mod active;
mod cached;
mod ecdsa;
mod error;
mod item;
mod key;
mod new_signer;
mod record;
mod records;
pub mod rotation;
mod signer;
mod summary;
mod versions;

pub use active::ActiveSigner;
pub use cached::{CachedRecord, MAX_AGE, MAX_AGE_WHILE_UNAVAILABLE};
pub use error::{KmsKeyError, RecordsError};
pub use key::{KmsKey, key_kind};
pub use new_signer::{NewSigner, NewSignerError};
pub use record::SignerRecord;
pub use records::{MAX_RECORD_BYTES, SignerRecords};
pub use signer::KmsSigner;
pub use summary::SignerSummary;
pub use versions::MAX_VERSIONS;
