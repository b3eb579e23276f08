//! The HTTP API as a Lambda function behind API Gateway.

use axum::{Router, extract::Request, middleware::map_request};
use lambda_http::RequestExt as _;
use lambda_http::request::RequestContext;
use lambda_runtime::Error;

use crate::request_id::REQUEST_ID_HEADER;

/// Answers invocations with `router` until Lambda ends the process.
///
/// # Errors
/// When the runtime interface fails.
pub async fn serve(router: Router) -> Result<(), Error> {
    // Tried after routing otherwise: a layer around the whole sees the request first.
    lambda_http::run(router.layer(map_request(take_over_request_id))).await
}

/// A caller without a request id of its own gets the gateway's, which its access log and its own errors show too.
async fn take_over_request_id(mut request: Request) -> Request {
    let id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.request_id.clone(),
        _ => None,
    };
    if let Some(Ok(id)) = id.map(TryInto::try_into) {
        request.headers_mut().entry(REQUEST_ID_HEADER).or_insert(id);
    }
    request
}
