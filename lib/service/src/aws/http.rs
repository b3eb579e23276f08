//! The HTTP API as a Lambda function behind API Gateway.

use std::time::{Duration, SystemTime};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{map_request, map_response_with_state},
    response::Response,
};
use lambda_http::{RequestExt as _, request::RequestContext};
use lambda_runtime::Error;
use tokio::time::Instant;

use super::measured::Measured;
use crate::middleware::{Caller, request_id::REQUEST_ID_HEADER, timeout::Deadline};

/// What the answer itself needs of the time that Lambda gives: it is encoded, and sent to the gateway.
const TIME_TO_ANSWER: Duration = Duration::from_secs(1);

/// Answers invocations with `router` until Lambda ends the process. What was `measured` meanwhile is written before each
/// answer, because afterwards the process may be frozen.
///
/// # Errors
/// When the runtime interface fails.
pub async fn serve(router: Router, measured: Measured) -> Result<(), Error> {
    let router = router
        .layer(map_request(take_over_context))
        .layer(map_response_with_state(measured, write_measurements));
    lambda_http::run(router).await
}

async fn write_measurements(State(measured): State<Measured>, response: Response) -> Response {
    measured.write();
    response
}

/// A caller without a request id of its own gets the gateway's, which its access log and its own errors show too; the
/// gateway also says what address it was called from. The request must be answered before Lambda ends the process.
async fn take_over_context(mut request: Request) -> Request {
    let (id, address) = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => {
            (context.request_id.clone(), context.identity.source_ip.clone())
        }
        _ => (None, None),
    };
    if let Some(Ok(address)) = address.map(|address| address.parse()) {
        request.extensions_mut().insert(Caller::Behind(address));
    }
    if let Some(Ok(id)) = id.map(TryInto::try_into) {
        request.headers_mut().entry(REQUEST_ID_HEADER).or_insert(id);
    }
    if let Some(context) = request.lambda_context_ref() {
        let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = Instant::now() + left.saturating_sub(TIME_TO_ANSWER);
        request.extensions_mut().insert(Deadline(deadline));
    }
    request
}
