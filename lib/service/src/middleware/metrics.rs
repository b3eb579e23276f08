//! How many requests there were, how they ended and how long they took. Labels are bounded: routes, not addresses, and
//! methods that exist.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};

use crate::{error, service::Service};

/// Middleware: measures the request.
pub(super) async fn measure(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let method = name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let response = next.run(request).await;
    let took = started.elapsed().as_secs_f64();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str).to_owned();
    let status = response.status().as_str().to_owned();
    service.ports.entrance.metrics.within(|| {
        metrics::counter!("http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
            .increment(1);
        metrics::histogram!("http_request_duration_seconds", "method" => method, "route" => route).record(took);
        if let Some(code) = error::code_of(&response) {
            metrics::counter!("errors_total", "type" => code.name()).increment(1);
        }
    });
    response
}

fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
