//! The operator hears of faults of the service, where there is somebody to tell.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use super::request_id::REQUEST_ID_HEADER;
use crate::{error::Fault, outbound::sentry::FaultReport, service::Service};

/// Middleware: reports what was the service's own fault. What callers did wrong, and load that was refused, is none.
pub(super) async fn report(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let Some(reports) = service.ports.entrance.fault_reports.clone() else { return next.run(request).await };
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    let transaction = format!("{} {route}", request.method());
    let response = next.run(request).await;
    if let Some(Fault { code, cause }) = response.extensions().get::<Fault>() {
        let request_id = response.headers().get(REQUEST_ID_HEADER).and_then(|id| id.to_str().ok());
        let report = FaultReport {
            code: code.name(),
            cause: cause.clone(),
            transaction,
            status: response.status().as_u16(),
            request_id: request_id.unwrap_or_default().to_owned(),
            at: service.ports.clock.now(),
        };
        reports.send(&report).await;
    }
    response
}
