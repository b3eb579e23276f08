//! `GET /metrics`: what was measured, in the form of Prometheus.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

use crate::{jobs::JobBook, jobs::health, metrics::PrometheusMetrics};

/// The version of the form, as scrapers want it named.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What can be measured of a service on one machine.
pub struct Measured {
    /// What this process measured of itself.
    pub process: PrometheusMetrics,
    /// What jobs measured, in whichever process.
    pub jobs: JobBook,
}

/// Answers with both. What the jobs measured is read anew, because another process may have run them.
pub(crate) async fn metrics(State(measured): State<Arc<Measured>>) -> Response {
    let mut text = measured.process.render();
    match PrometheusMetrics::new() {
        Ok(shared) => {
            health::show(&measured.jobs, shared.metrics()).await;
            text.push_str(&shared.render());
        }
        Err(error) => tracing::error!(%error, "what jobs measured is not shown"),
    }
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
