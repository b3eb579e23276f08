//! Rotation on AWS.

mod authority_failures;
mod contract;
mod deployment;
mod drop_box;
mod fake_ca;
mod interruptions;
mod keys;
mod kms_authority;
mod permissions;
mod private_ca;
mod state;
