//! Who signs, against a local AWS: signatures of KMS, the record of the active signer, and following it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod active;
mod faults;
mod installation;
#[path = "../support/issuer.rs"]
mod issuer;
mod new_signer;
mod records;
mod rotation;
mod signer;
#[path = "../support/mod.rs"]
mod support;
