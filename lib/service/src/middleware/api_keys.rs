//! Who may call: `X-API-Key`, where the operator wants one.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{
    api_keys::{ApiKeyId, ApiKeyStoreError, ApiKeyText, KeyFault, Scope},
    error::{ApiError, ErrorCode},
    service::Service,
};

const API_KEY_HEADER: &str = "x-api-key";

/// How to send a key. The scheme is a name of its own: browsers show no dialogue for it.
const CHALLENGE: HeaderValue = HeaderValue::from_static("ApiKey realm=\"credlink\", header=\"X-API-Key\"");

/// Put into the extensions of a request, and of its answer: whose key came with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownCaller(pub(crate) ApiKeyId);

/// Middleware: lets through what is public, and who has a key for it.
pub(super) async fn admit(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let Some(scope) = scope(&request).filter(|_| service.api_keys.is_some()) else {
        return next.run(request).await;
    };
    match holder(&service, request.headers(), scope).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            let mut response = next.run(request).await;
            response.extensions_mut().insert(caller);
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// What a key is needed for; `None` for what is public. Where an upload is sent and a result fetched, the address
/// itself is the secret, as it is on S3.
fn scope(request: &Request) -> Option<Scope> {
    match (request.extensions().get::<MatchedPath>()?.as_str(), request.method()) {
        ("/sign" | "/uploads", &Method::POST) => Some(Scope::Sign),
        ("/verify", &Method::POST) => Some(Scope::Verify),
        ("/metrics", _) => Some(Scope::Admin),
        _ => None,
    }
}

async fn holder(service: &Service, headers: &HeaderMap, scope: Scope) -> Result<KnownCaller, ApiError> {
    let keys = service.api_keys.as_ref().ok_or_else(|| ApiError::internal("there are no API keys"))?;
    let mut sent = headers.get_all(API_KEY_HEADER).into_iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return Err(unauthorized(format!(
            "This needs an API key with the scope \"{scope}\". Send one in the header X-API-Key."
        )));
    };
    let text: ApiKeyText = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
    let key = keys.find(text.id()).await.map_err(store_failed)?.ok_or_else(unknown)?;
    match key.admits(&text, scope, service.ports.clock.now()) {
        Ok(()) => Ok(KnownCaller(key.id)),
        Err(KeyFault::Wrong | KeyFault::Revoked) => Err(unknown()),
        Err(KeyFault::Expired) => {
            Err(unauthorized("The API key has expired. Ask the operator for another.".to_owned()))
        }
        Err(KeyFault::OutOfScope) => Err(unauthorized(format!(
            "The API key is not for this. Ask the operator for one with the scope \"{scope}\"."
        ))),
    }
}

/// Which of them it is, nobody is told.
fn unknown() -> ApiError {
    unauthorized(
        "The API key is unknown, mistyped or revoked. Check it, or ask the operator for another.".to_owned(),
    )
}

fn unauthorized(message: String) -> ApiError {
    ApiError::new(ErrorCode::Unauthorized, message).with_header(header::WWW_AUTHENTICATE, CHALLENGE)
}

/// Nobody is let in because nobody can be asked.
fn store_failed(error: ApiKeyStoreError) -> ApiError {
    match error {
        ApiKeyStoreError::Unavailable(reason) => {
            tracing::warn!(reason, "API keys are not available");
            ApiError::unavailable("API keys cannot be checked now. Try again shortly.", 5)
        }
        error @ ApiKeyStoreError::Damaged { .. } => ApiError::internal(error),
    }
}
