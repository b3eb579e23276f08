//! The service as its callers and its operator meet it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod cleanup;
mod configuration;
mod faults;
mod following;
mod http_client;
mod inline_limit;
mod lifecycle;
mod measurements;
mod outbound;
mod refusals;
mod restamping;
mod rotation;
mod support;
mod trust_lists;
mod upload_contract;
mod uploads;
