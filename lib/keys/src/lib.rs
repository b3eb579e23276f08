//! Who signs: keys, certificates and their profile.
//!
//! [`LocalKeys`] is a folder with the keys of one installation; its [`LocalSigner`] implements the `Signer` port of
//! the pipeline. On first use it makes a small authority of its own: a root that people hand to other validators, an
//! intermediate, and a leaf that meets the C2PA certificate [`profile`]. [`import()`] puts a key and a chain from
//! elsewhere in its place. On AWS, KMS holds the
//! key, and a record in a table says which one signs: [`aws`].

mod algorithm;
pub mod authority;
pub mod aws;
mod chain;
mod error;
pub mod folder;
mod import;
mod issuance;
mod local;
mod pem_file;
mod private_key;
pub mod profile;
mod remote_signature;
pub mod rotation;
mod signer;
mod summary;
mod trust;

pub use algorithm::KeyKind;
pub use chain::{CertificateSummary, summary as certificate_summary};
pub use error::{KeysError, Position};
pub use import::{Imported, TrustHere, import};
pub use local::{Created, LocalKeys, Replacement};
pub use pem_file::{MAX_CERTIFICATES, MAX_FILE_BYTES, PemFile};
pub use signer::LocalSigner;
pub use summary::{KeyFiles, KeysSummary};
pub use trust::{anchor_files as trust_anchor_files, anchors as trust_anchors};
