//! One file per route.

pub(crate) mod health;
pub(crate) mod local_uploads;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod proofs;
pub(crate) mod sign;
pub(crate) mod uploads;
pub(crate) mod verify;
