//! The HTTP API of CredLink, its configuration and its logs.
//!
//! A request passes, from outside to inside: [`server`] (connections, time limits, orderly end) →
//! `request_id` → `request_body` → `access_log` → `error` (the envelope) → [`router`] → one file per route in `routes`. The
//! work on images is done by `workers`, behind a bounded queue.

mod access_log;
pub mod anchors;
pub mod aws;
mod body;
pub mod clock;
pub mod config;
mod deadline;
pub mod error;
mod etag;
mod file_name;
mod form;
pub mod idempotency_folder;
pub mod identity;
mod image_limit;
pub mod installation;
pub mod jobs;
mod json_fields;
pub mod local_identity;
pub mod local_jobs;
pub mod local_uploads;
pub mod logging;
mod media_type;
pub mod metrics;
mod multipart;
mod origin;
pub mod outbound;
mod pieces;
mod proof_page;
mod request_body;
mod request_id;
pub mod router;
mod routes;
pub mod server;
mod service;
mod sign_answer;
mod sign_request;
pub mod uploads;
mod workers;
mod write_timeout;

pub use routes::metrics::Measured;
pub use service::{Authorities, Ports, Service, Settings};
