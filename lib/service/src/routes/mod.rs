//! One file per route.

pub(crate) mod health;
pub(crate) mod page;
pub(crate) mod proofs;
pub(crate) mod sign;
pub(crate) mod verify;
