//! Every log line of a request has its id and its trace; and who collects traces gets a span of it.

use std::{sync::Arc, time::Instant};

use ::tracing::Instrument as _;
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use super::{
    request_id::{REQUEST_ID_HEADER, RequestId},
    trace_context::TraceContext,
};
use crate::{outbound::traces::SpanReport, service::Service};

/// Middleware: gives the request its id and its place in a trace.
pub(super) async fn follow(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request.headers().get(REQUEST_ID_HEADER).and_then(RequestId::from_caller).unwrap_or_default();
    let (began, started) = (service.ports.clock.now(), Instant::now());
    let context = TraceContext::of(request.headers(), began);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().to_string();
    request.extensions_mut().insert(id.clone());
    let span = ::tracing::info_span!(
        "request",
        request_id = id.as_str(),
        trace_id = %context.trace,
        span_id = %context.span
    );
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID_HEADER, id.into());
    if let Some(traces) = service.ports.entrance.traces.as_ref().filter(|_| context.is_sampled) {
        let (status, took) = (response.status().as_u16(), started.elapsed());
        traces.note(SpanReport { context, method, route, status, began, took });
    }
    response
}
