//! The HTTP API of CredLink, its configuration and its logs.
//!
//! A request passes, from outside to inside: [`server`] (connections, time limits, orderly end) → [`middleware`], one
//! file after the other → [`router`] → one file per route in `routes`. The work on images is done by `workers`, behind a
//! bounded queue.

pub mod anchors;
pub mod api_client;
pub mod api_keys;
pub mod aws;
mod body;
pub mod clock;
pub mod config;
mod connections;
mod entrance;
pub mod error;
mod etag;
mod file_name;
mod form;
mod http_settings;
pub mod idempotency;
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
pub mod middleware;
mod multipart;
#[cfg(feature = "schema")]
pub mod openapi;
mod origin;
pub mod outbound;
mod page_policy;
mod pieces;
mod proof_page;
pub mod rate_limits;
pub mod router;
mod routes;
pub mod server;
mod service;
mod sign_answer;
mod sign_claim;
mod sign_request;
mod signing_metrics;
pub mod turns;
pub mod uploads;
mod workers;
mod write_timeout;

pub use entrance::Entrance;
pub use http_settings::HttpSettings;
pub use routes::metrics::Measured;
pub use service::{Authorities, Ports, Service, Settings};
