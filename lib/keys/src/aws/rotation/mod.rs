//! The ports of a rotation on AWS: keys in KMS, signers and state in the table, authorities of three kinds, and SNS.
//!
//! [`KmsKeyKeeper`] keeps keys, [`SignerRecords`](super::SignerRecords) are the versions, [`TableJournal`] the journal,
//! [`SnsAnnouncer`] tells people, and [`Authorities`] knows who issues. [`DeployedRotation`] puts them together.

mod announcer;
mod authorities;
mod authority_item;
mod call;
mod deployed;
mod drop_box;
mod journal;
mod keeper;
mod kms_authority;
mod pause;
mod private_ca;
mod record_fault;
mod revised_item;
mod signature;
mod tagged_keys;
mod versions;

pub use announcer::SnsAnnouncer;
pub use authorities::Authorities;
pub use deployed::DeployedRotation;
pub use drop_box::DropBox;
pub use journal::TableJournal;
pub use keeper::KmsKeyKeeper;
pub use kms_authority::KmsAuthority;
pub use private_ca::{PATIENCE, PrivateCa};
pub use tagged_keys::{AUTHORITY_TAG, ROTATION_TAG, STACK_TAG};
