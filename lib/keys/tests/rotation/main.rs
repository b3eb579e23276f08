//! The rotation of the signing key: in memory, and in a key folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod authorities;
mod bad_state;
mod clocks;
mod elsewhere;
mod interrupted;
mod keeping;
mod openssl;
mod places;
#[path = "../support/mod.rs"]
mod support;
mod together;
