//! The service on AWS Lambda: ports that need AWS, and what events lead to.

pub mod arrivals;
pub mod auto_sign;
pub mod failure_queue;
pub mod http;
pub mod metrics;
mod object_options;
pub mod objects;
pub mod uploads;
