//! The service as its callers and its operator meet it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod api_client;
mod api_key_contract;
mod cleanup;
mod configuration;
mod error_table;
mod failures;
mod faults;
mod following;
mod http_client;
mod idempotency;
mod idempotency_contract;
mod inline_limit;
mod lifecycle;
mod measurements;
mod middleware;
mod openapi;
mod outbound;
mod rate_limiter_contract;
mod refusals;
mod restamping;
mod rotation;
mod support;
mod trust_lists;
mod upload_contract;
mod uploads;
