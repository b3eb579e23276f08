//! The service as its callers and its operator meet it.

mod answers;
mod configuration;
mod faults;
mod lifecycle;
mod refusals;
mod support;
