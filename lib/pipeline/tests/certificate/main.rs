//! What is said about certificates: every check's passing and failing cases, by authorities of our own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod authority;
mod chains;
mod judging;
mod leaves;
mod random;
mod responder;
mod sources;
mod staples;
