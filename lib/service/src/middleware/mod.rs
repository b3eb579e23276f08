//! What a request passes on its way in, and its answer on the way out: one file each, in this order.
//!
//! | | |
//! |---|---|
//! | `error_tracking` | the operator hears of faults |
//! | `tracing` | the name of the request and of its trace, in every log line |
//! | `security_headers` | what browsers must not do with the answer |
//! | `cors` | whose pages may call |
//! | `body_limits` | how much of a body is read, and what becomes of the rest |
//! | `access_log` | one line for each request |
//! | [`error`] | the envelope around every failure |
//! | `metrics` | how many, and how long |
//! | `rate_limits` | how often a client may ask |
//! | `api_keys` | who may ask |
//! | `timeout` | by when there must be an answer |
//! | `panics` | a panic becomes a failure like others |

mod access_log;
pub(crate) mod api_keys;
pub(crate) mod body_limits;
mod client_address;
mod cors;
mod error_tracking;
mod metrics;
mod panics;
mod rate_limits;
pub(crate) mod request_id;
mod security_headers;
pub(crate) mod timeout;
mod trace_context;
mod tracing;

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state, map_response},
};

pub use client_address::{Caller, ClientAddress};
pub(crate) use trace_context::TraceContext;

pub use cors::{AllowedOrigins, AllowedOriginsError, CorsSettings};

use crate::{error, service::Service};

/// Puts everything around `routes`.
pub(crate) fn around(routes: Router<Arc<Service>>, service: &Arc<Service>) -> Router<Arc<Service>> {
    let with = || Arc::clone(service);
    routes
        // The last one added is the outermost.
        .layer(panics::caught())
        .layer(from_fn(timeout::keep))
        .layer(from_fn_with_state(with(), api_keys::admit))
        .layer(from_fn_with_state(with(), rate_limits::keep))
        .layer(from_fn_with_state(with(), metrics::measure))
        .layer(from_fn_with_state(with(), error::write_envelope))
        .layer(from_fn_with_state(with(), access_log::write))
        .layer(from_fn(body_limits::watch))
        .layer(cors::shared_with(&service.settings.http.cors))
        .layer(map_response(security_headers::add))
        .layer(from_fn_with_state(with(), tracing::follow))
        .layer(from_fn_with_state(with(), error_tracking::report))
}
