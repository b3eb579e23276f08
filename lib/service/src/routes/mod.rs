//! One file per route.

pub(crate) mod health;
pub(crate) mod page;
pub(crate) mod proofs;
