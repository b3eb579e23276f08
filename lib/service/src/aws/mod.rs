//! The service on AWS Lambda: ports that need AWS, and what events lead to.

pub mod anchor_objects;
pub mod api_keys;
pub mod arrivals;
pub mod auto_sign;
pub mod cleanup;
pub mod deployment;
pub mod failure_queue;
pub mod function;
pub mod health_metrics;
pub mod http;
pub mod idempotency;
pub mod identity;
pub mod job_store;
pub mod jobs;
pub mod measured;
pub mod metric_lines;
pub mod metrics;
mod object_options;
pub mod objects;
pub mod rate_limits;
pub mod reaper;
pub mod rotation;
pub mod upload_sweep;
pub mod uploads;
