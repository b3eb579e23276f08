//! What every request passes on its way in.

mod api_keys;
mod cors;
mod error_tracking;
mod metrics;
mod order;
mod rate_limits;
mod security_headers;
mod traces;
